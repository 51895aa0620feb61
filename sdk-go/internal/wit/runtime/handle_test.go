package runtime

import (
	"runtime"
	"testing"
)

// open is what the generated bindings do with a handle that the host has given.
func open(closed *int) {
	h := MakeHandle(7)
	value := &struct{ handle *Handle }{h}
	runtime.AddCleanup(value, func(int) {
		if h.TakeOrNil() != 0 {
			*closed++
		}
	}, 0)
}

func TestHandlesThatNobodyClosesAreCollected(t *testing.T) {
	before, closed, most := held, new(int), 0
	for range 10 * minHandles {
		open(closed)
		most = max(most, held-before)
	}
	if *closed == 0 || most > 8*minHandles {
		t.Fatalf("%d closed, up to %d held", *closed, most)
	}
	for held > before { // the rest of them, so that no other test meets them
		runtime.GC()
		runtime.Gosched()
	}
}

func TestAHandleIsHeldOnce(t *testing.T) {
	before := held
	h := MakeHandle(3)
	if h.Use() != 3 || held != before+1 || h.Take() != 3 || held != before || h.TakeOrNil() != 0 || held != before {
		t.Fatal(h, held)
	}
	defer func() {
		if recover() == nil {
			t.Fatal("a closed handle was used")
		}
	}()
	h.Use()
}
