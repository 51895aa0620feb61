package runtime

import (
	"runtime"
	"sync/atomic"
	"testing"
)

// open is what the generated bindings do with a handle that the host has given.
func open(closed *atomic.Int64) {
	h := MakeHandle(7)
	value := &struct{ handle *Handle }{h}
	runtime.AddCleanup(value, func(int) {
		if h.TakeOrNil() != 0 {
			closed.Add(1)
		}
	}, 0)
}

func TestHandlesThatNobodyClosesAreCollected(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // a guest has one thread
	before, closed, most := held.Load(), new(atomic.Int64), int64(0)
	for range 10 * minHandles {
		open(closed)
		most = max(most, held.Load()-before)
	}
	if closed.Load() == 0 || most > 8*minHandles {
		t.Fatalf("%d closed, up to %d held", closed.Load(), most)
	}
	for held.Load() > before { // the rest of them, so that no other test meets them
		runtime.GC()
		runtime.Gosched()
	}
}

func TestAHandleIsHeldOnce(t *testing.T) {
	before := held.Load()
	h := MakeHandle(3)
	if h.Use() != 3 || held.Load() != before+1 || h.Take() != 3 || held.Load() != before || h.TakeOrNil() != 0 || held.Load() != before {
		t.Fatal(h, held.Load())
	}
	defer func() {
		if recover() == nil {
			t.Fatal("a closed handle was used")
		}
	}()
	h.Use()
}
