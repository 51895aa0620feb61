package crdt

import (
	"iter"

	raw "numax.dev/sdk/internal/bind/numax_runtime_crdt"
	"numax.dev/sdk/internal/call"
	"numax.dev/sdk/internal/wit/types"
)

// LwwMap has fields, each of which is a value whose last write wins.
type LwwMap struct{ raw *raw.LwwMap }

// Field is a field of a map with its value.
type Field struct {
	Name  string
	Value []byte
}

// OpenLwwMap opens the map of this key.
func OpenLwwMap(key string) (*LwwMap, error) {
	if err := call.Text("a key", key); err != nil {
		return nil, err
	}
	r, err := call.Value(raw.LwwMapOpen(key))
	if err != nil {
		return nil, err
	}
	return &LwwMap{r}, nil
}

// Set writes a field; its name has at most 8 KiB, its value 1 MiB. numax.ErrInvalid when one is larger.
func (m *LwwMap) Set(field string, value []byte) error {
	if err := call.Text("a field", field); err != nil {
		return err
	}
	return call.Done(m.raw.Set(field, value))
}

// Get is a field's value, and whether there is one.
func (m *LwwMap) Get(field string) (value []byte, ok bool, err error) {
	if err := call.Text("a field", field); err != nil {
		return nil, false, err
	}
	return call.Maybe(m.raw.Get(field))
}

// Contains says whether the field has a value.
func (m *LwwMap) Contains(field string) (bool, error) {
	if err := call.Text("a field", field); err != nil {
		return false, err
	}
	return call.Value(m.raw.Contains(field))
}

// Remove removes a field; nothing happens when there is none.
func (m *LwwMap) Remove(field string) error {
	if err := call.Text("a field", field); err != nil {
		return err
	}
	return call.Done(m.raw.Remove(field))
}

// Entries are the fields with their values, in byte order of the names. They are fetched as one goes: what changes
// behind the field reached is not seen, what changes after it is.
func (m *LwwMap) Entries() iter.Seq2[Field, error] {
	return call.Pages(func(after types.Option[string], limit uint32) ([]Field, types.Option[string], error) {
		page, err := call.Value(m.raw.Entries(after, limit))
		fields := make([]Field, len(page.Entries))
		for i, e := range page.Entries {
			fields[i] = Field{e.F0, e.F1}
		}
		return fields, page.Next, err
	})
}

// Size is the number of fields that have a value.
func (m *LwwMap) Size() (uint64, error) { return call.Value(m.raw.Size()) }

// Clear removes every field seen here; what others write at the same time stays. numax.ErrInvalid when they are more than
// fit one batch (10,000): remove them one by one then, in several turns.
func (m *LwwMap) Clear() error { return call.Done(m.raw.Clear()) }

// Close lets the handle go.
func (m *LwwMap) Close() { m.raw.Drop() }
