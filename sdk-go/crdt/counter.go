package crdt

import (
	raw "numax.dev/sdk/internal/bind/numax_runtime_crdt"
	"numax.dev/sdk/internal/call"
)

// GCounter is a counter that only grows. Its value is the sum of what every node added.
type GCounter struct{ raw *raw.GCounter }

// OpenGCounter opens the counter of this key.
func OpenGCounter(key string) (*GCounter, error) {
	if err := call.Text("a key", key); err != nil {
		return nil, err
	}
	r, err := call.Value(raw.GCounterOpen(key))
	if err != nil {
		return nil, err
	}
	return &GCounter{r}, nil
}

// Increment adds by. numax.ErrInvalid when this node's share of the sum would pass 2^64 - 1.
func (c *GCounter) Increment(by uint64) error { return call.Done(c.raw.Increment(by)) }

// Value is the sum, this turn's own increments included; 2^64 - 1 if it is beyond that.
func (c *GCounter) Value() (uint64, error) { return call.Value(c.raw.Value()) }

// Close lets the handle go.
func (c *GCounter) Close() { c.raw.Drop() }

// PnCounter is a counter that goes both ways.
type PnCounter struct{ raw *raw.PnCounter }

// OpenPnCounter opens the counter of this key.
func OpenPnCounter(key string) (*PnCounter, error) {
	if err := call.Text("a key", key); err != nil {
		return nil, err
	}
	r, err := call.Value(raw.PnCounterOpen(key))
	if err != nil {
		return nil, err
	}
	return &PnCounter{r}, nil
}

// Add adds by, or takes it away if it is negative. numax.ErrInvalid when this node's share would pass 2^64 - 1 in that
// direction.
func (c *PnCounter) Add(by int64) error {
	if by < 0 {
		return c.Decrement(-uint64(by))
	}
	return c.Increment(uint64(by))
}

// Increment adds by. numax.ErrInvalid as with Add.
func (c *PnCounter) Increment(by uint64) error { return call.Done(c.raw.Increment(by)) }

// Decrement takes by away. numax.ErrInvalid as with Add.
func (c *PnCounter) Decrement(by uint64) error { return call.Done(c.raw.Decrement(by)) }

// Value is the difference of all increments and decrements; the nearest int64 if it is beyond that.
func (c *PnCounter) Value() (int64, error) { return call.Value(c.raw.Value()) }

// Close lets the handle go.
func (c *PnCounter) Close() { c.raw.Drop() }
