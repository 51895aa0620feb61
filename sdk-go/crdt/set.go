package crdt

import (
	"iter"

	raw "numax.dev/sdk/internal/bind/numax_runtime_crdt"
	"numax.dev/sdk/internal/call"
	"numax.dev/sdk/internal/wit/types"
)

// OrSet is a set in which an addition wins over a concurrent removal of the same element.
type OrSet struct{ raw *raw.OrSet }

// OpenOrSet opens the set of this key.
func OpenOrSet(key string) (*OrSet, error) {
	if err := call.Text("a key", key); err != nil {
		return nil, err
	}
	r, err := call.Value(raw.OrSetOpen(key))
	if err != nil {
		return nil, err
	}
	return &OrSet{r}, nil
}

// Add adds an element of at most 1 MiB. numax.ErrInvalid when it is larger.
func (s *OrSet) Add(element []byte) error { return call.Done(s.raw.Add(element)) }

// Remove removes an element, as far as its additions are seen here.
func (s *OrSet) Remove(element []byte) error { return call.Done(s.raw.Remove(element)) }

// Contains says whether the element is in the set.
func (s *OrSet) Contains(element []byte) (bool, error) { return call.Value(s.raw.Contains(element)) }

// Elements are the elements in byte order. They are fetched as one goes: what changes behind the element reached is not
// seen, what changes after it is.
func (s *OrSet) Elements() iter.Seq2[[]byte, error] {
	return call.Pages(func(after types.Option[[]byte], limit uint32) ([][]byte, types.Option[[]byte], error) {
		page, err := call.Value(s.raw.Elements(after, limit))
		return page.Elements, page.Next, err
	})
}

// Size is the number of elements.
func (s *OrSet) Size() (uint64, error) { return call.Value(s.raw.Size()) }

// Clear removes every element seen here; what others add at the same time stays. numax.ErrInvalid when they are more than
// fit one batch (10,000): remove them one by one then, in several turns.
func (s *OrSet) Clear() error { return call.Done(s.raw.Clear()) }

// Close lets the handle go.
func (s *OrSet) Close() { s.raw.Drop() }
