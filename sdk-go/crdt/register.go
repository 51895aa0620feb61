package crdt

import (
	raw "numax.dev/sdk/internal/bind/numax_runtime_crdt"
	"numax.dev/sdk/internal/call"
	"numax.dev/sdk/internal/wit/types"
)

// LwwRegister is one value. Of concurrent writes the later one wins, by a clock that follows both time and cause.
type LwwRegister struct{ raw *raw.LwwRegister }

// OpenLwwRegister opens the register of this key.
func OpenLwwRegister(key string) (*LwwRegister, error) {
	if err := call.Text("a key", key); err != nil {
		return nil, err
	}
	r, err := call.Value(raw.LwwRegisterOpen(key))
	if err != nil {
		return nil, err
	}
	return &LwwRegister{r}, nil
}

// Set writes the value, of at most 1 MiB. numax.ErrInvalid when it is larger.
func (r *LwwRegister) Set(value []byte) error { return call.Done(r.raw.Set(value)) }

// Get is the value, and whether there is one.
func (r *LwwRegister) Get() (value []byte, ok bool, err error) { return call.Maybe(r.raw.Get()) }

// Clear removes the value.
func (r *LwwRegister) Clear() error { return call.Done(r.raw.Clear()) }

// CompareAndSet writes value, of at most 1 MiB, if the register holds expected (nil: nothing), and says whether it did.
// Atomic among the guests of this node only. What this turn has written before is committed first. numax.ErrInvalid when
// value is larger.
func (r *LwwRegister) CompareAndSet(expected, value []byte) (bool, error) {
	want := types.None[[]byte]()
	if expected != nil {
		want = types.Some(expected)
	}
	return call.Value(r.raw.CompareAndSet(want, value))
}

// Close lets the handle go.
func (r *LwwRegister) Close() { r.raw.Drop() }
