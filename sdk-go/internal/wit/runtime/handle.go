package runtime

import (
	"runtime"
	"sync/atomic"
)

// Handles that nobody closes wait for the garbage collector, which knows nothing of what they cost the host. So the
// collector also runs when many are held: at first at minHandles, then whenever their number has doubled.
const minHandles = 256

var (
	held      atomic.Int64 // cleanups let go of handles in goroutines of their own, outside of wasm on other threads
	collectAt = int64(minHandles)
)

// collect lets go of the handles that nobody can reach.
func collect() {
	runtime.GC()
	runtime.Gosched() // the cleanups run in a goroutine of their own
	collectAt = max(minHandles, 2*held.Load())
}

// Handle is a guest's hold on a resource of the host. It is taken once: whoever takes it drops it or gives it away.
type Handle struct {
	value int32 // 0 when it has been taken
}

// MakeHandle holds what the host has just given.
func MakeHandle(value int32) *Handle {
	h := &Handle{}
	h.Set(value)
	return h
}

// Set puts a handle into an empty hold.
func (h *Handle) Set(value int32) {
	if value == 0 {
		panic("numax: the host gave no handle")
	}
	if h.value != 0 {
		panic("numax: a handle is set twice")
	}
	if held.Load() >= collectAt {
		collect()
	}
	h.value = value
	held.Add(1)
}

// Use is the handle, which stays held. It panics when it is closed or was given away.
func (h *Handle) Use() int32 {
	if h == nil || h.value == 0 {
		panic("numax: use of a closed value")
	}
	return h.value
}

// Take is the handle, which is held no longer. It panics when it is closed or was given away.
func (h *Handle) Take() int32 {
	value := h.Use()
	h.value = 0
	held.Add(-1)
	return value
}

// TakeOrNil is the handle, which is held no longer, or 0.
func (h *Handle) TakeOrNil() int32 {
	if h == nil {
		return 0
	}
	value := h.value
	if value != 0 {
		h.value = 0
		held.Add(-1)
	}
	return value
}
