package crdt

import (
	raw "numax.dev/sdk/internal/bind/numax_runtime_crdt"
	"numax.dev/sdk/internal/call"
	"numax.dev/sdk/internal/wit/types"
)

// Text is a text that several hands edit at once, compatible with Yjs: its root type is doc.getText("text"), plain text
// without formatting. Indexes and sizes count UTF-16 code units, as Yjs and browsers do; Units tells those of a string.
//
// From its first edit on a turn holds the text: other turns that edit it wait until this one ends, and fail with
// numax.ErrUnavailable after 10 s or when two wait for each other.
//
// The edits of one text in a turn take at most 1 MiB together, each up to 48 bytes more than what it inserts in UTF-8, and a
// text at most 2 MiB as it is stored, with what tells of removed units; an edit that would pass that is numax.ErrInvalid,
// and removing makes room.
type Text struct{ raw *raw.Text }

// OpenText opens the text of this key.
func OpenText(key string) (*Text, error) {
	if err := call.Text("a key", key); err != nil {
		return nil, err
	}
	r, err := call.Value(raw.TextOpen(key))
	if err != nil {
		return nil, err
	}
	return &Text{r}, nil
}

// Units is how many UTF-16 code units a string has.
func Units(s string) uint32 {
	n := uint32(0)
	for _, r := range s {
		if n++; r > 0xffff {
			n++
		}
	}
	return n
}

// Insert inserts a chunk before the unit at index. numax.ErrInvalid beyond the end, within a surrogate pair, or when the text
// or the turn's edits of it become too large.
func (t *Text) Insert(index uint32, chunk string) error {
	if err := call.Text("a chunk", chunk); err != nil {
		return err
	}
	return call.Done(t.raw.Insert(index, chunk))
}

// Remove removes n units from index on. numax.ErrInvalid as with Insert.
func (t *Text) Remove(index, n uint32) error { return call.Done(t.raw.Remove(index, n)) }

// Read is the whole text.
func (t *Text) Read() (string, error) { return call.Value(t.raw.Read()) }

// Size is the length of the text in UTF-16 code units.
func (t *Text) Size() (uint32, error) { return call.Value(t.raw.Size()) }

// Clear removes all text seen here; what others insert at the same time stays. numax.ErrInvalid when that is too much for one
// batch.
func (t *Text) Clear() error { return call.Done(t.raw.Clear()) }

// StateVector is the Yjs state vector: what an editor that is a replica itself sends to ask for the rest.
func (t *Text) StateVector() ([]byte, error) { return call.Value(t.raw.StateVector()) }

// Diff is what a replica with the state vector since lacks, as a Yjs update; everything if since is nil. numax.ErrInvalid
// when since is no state vector.
func (t *Text) Diff(since []byte) ([]byte, error) {
	known := types.None[[]byte]()
	if since != nil {
		known = types.Some(since)
	}
	return call.Value(t.raw.Diff(known))
}

// ApplyUpdate merges a Yjs update of at most 1 MiB. numax.ErrInvalid when it is none, holds something other than plain text,
// builds on edits that are not here, or when the text or the turn's edits of it become too large.
func (t *Text) ApplyUpdate(update []byte) error { return call.Done(t.raw.ApplyUpdate(update)) }

// Close lets the handle go.
func (t *Text) Close() { t.raw.Drop() }
