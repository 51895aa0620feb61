package crdt

import (
	"iter"

	raw "numax.dev/sdk/internal/bind/numax_runtime_crdt"
	"numax.dev/sdk/internal/call"
	"numax.dev/sdk/internal/wit/types"
)

// Rga is an ordered list. Elements have ids that never change, and are inserted behind one another. Of what several
// nodes insert at one place at the same time, each one's run stays whole.
type Rga struct{ raw *raw.Rga }

// Element is an element of a list.
type Element struct {
	ID    string
	Value []byte
}

// OpenRga opens the list of this key.
func OpenRga(key string) (*Rga, error) {
	if err := call.Text("a key", key); err != nil {
		return nil, err
	}
	r, err := call.Value(raw.RgaOpen(key))
	if err != nil {
		return nil, err
	}
	return &Rga{r}, nil
}

// InsertFirst inserts a value of at most 1 MiB at the head and gives the new element's id. numax.ErrInvalid when the value
// is larger.
func (l *Rga) InsertFirst(value []byte) (string, error) {
	return call.Value(l.raw.Insert(types.None[string](), value))
}

// InsertAfter inserts a value of at most 1 MiB right behind the element with this id and gives the new element's id.
// numax.ErrNotFound when there is no such element any more, numax.ErrInvalid when id is no id or the value is larger.
func (l *Rga) InsertAfter(id string, value []byte) (string, error) {
	if err := call.Text("an id", id); err != nil {
		return "", err
	}
	return call.Value(l.raw.Insert(types.Some(id), value))
}

// Push inserts a value of at most 1 MiB at the end and gives the new element's id. numax.ErrInvalid when the value is larger.
func (l *Rga) Push(value []byte) (string, error) { return call.Value(l.raw.Push(value)) }

// Get is the value of an element, and whether there is one with this id: not when it is removed or never was.
// numax.ErrInvalid when id is no id.
func (l *Rga) Get(id string) (value []byte, ok bool, err error) {
	if err := call.Text("an id", id); err != nil {
		return nil, false, err
	}
	return call.Maybe(l.raw.Get(id))
}

// Remove removes an element. numax.ErrNotFound when there is no such element any more, numax.ErrInvalid when id is no id.
func (l *Rga) Remove(id string) error {
	if err := call.Text("an id", id); err != nil {
		return err
	}
	return call.Done(l.raw.Remove(id))
}

// Entries are the elements in the order of the list. They are fetched as one goes: what changes behind the element
// reached is not seen, what changes after it is.
func (l *Rga) Entries() iter.Seq2[Element, error] {
	return call.Pages(func(after types.Option[string], limit uint32) ([]Element, types.Option[string], error) {
		page, err := call.Value(l.raw.Entries(after, limit))
		elements := make([]Element, len(page.Entries))
		for i, e := range page.Entries {
			elements[i] = Element{e.F0, e.F1}
		}
		return elements, page.Next, err
	})
}

// Size is the number of elements.
func (l *Rga) Size() (uint64, error) { return call.Value(l.raw.Size()) }

// Clear removes every element seen here; what others insert at the same time stays. numax.ErrInvalid when they are more than
// fit one batch (10,000): remove them one by one then, in several turns.
func (l *Rga) Clear() error { return call.Done(l.raw.Clear()) }

// Close lets the handle go.
func (l *Rga) Close() { l.raw.Drop() }
