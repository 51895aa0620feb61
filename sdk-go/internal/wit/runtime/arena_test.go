package runtime

import (
	"runtime"
	"testing"
	"unsafe"
)

// fresh is an arena with nothing in it, over this much memory.
func fresh(memory uintptr) {
	chunks, current, got, frames, total = 0, host, 0, host, 0
	limit = memory
}

func write(t *testing.T, size, align uintptr, b byte) []byte {
	t.Helper()
	p := take(size, align)
	if p == 0 || p%align != 0 {
		t.Fatalf("take(%d, %d) = %#x", size, align, p)
	}
	s := unsafe.Slice((*byte)(unsafe.Pointer(p)), size)
	for i := range s {
		s[i] = b
	}
	return s
}

func check(t *testing.T, s []byte, b byte) {
	t.Helper()
	for i := range s {
		if s[i] != b {
			t.Fatalf("byte %d is %#x, not %#x", i, s[i], b)
		}
	}
}

func TestOneCallsMemoryDoesNotOverlap(t *testing.T) {
	fresh(1 << 30)
	var pinner runtime.Pinner
	f := Enter()
	Calling(f)
	var all [][]byte
	for i := range 200 {
		all = append(all, write(t, uintptr(1+i*97), 1<<(i%4), byte(i)))
	}
	Called()
	for i, s := range all {
		check(t, s, byte(i))
	}
	Leave(&pinner, f)
}

func TestAParkedCallKeepsItsMemoryWhileOthersRun(t *testing.T) {
	fresh(1 << 30)
	var pinner runtime.Pinner
	parked := Enter()
	Calling(parked)
	mine := write(t, 1000, 8, 1)
	Called()
	for range 1000 {
		f := Enter()
		Calling(f)
		write(t, 5000, 4, 2)
		Called()
		Leave(&pinner, f)
	}
	check(t, mine, 1)
	if total != 2*minChunk {
		t.Fatalf("two calls at a time took %d bytes", total)
	}
	Leave(&pinner, parked)
}

func TestParametersOfAnExportLastUntilUnpin(t *testing.T) {
	fresh(1 << 30)
	var pinner runtime.Pinner
	parameter := write(t, 100, 1, 7)
	f := Enter()
	Calling(f)
	write(t, 100, 1, 8)
	Called()
	Leave(&pinner, f)
	check(t, parameter, 7)
	Unpin()
	for range 100 { // more than one chunk can hold, unless it is given back
		write(t, 60_000, 1, 9)
		Unpin()
	}
	if total != 2*minChunk {
		t.Fatalf("a parameter and a call took %d bytes", total)
	}
}

func TestMemoryIsReusedAndGrowthIsGeometric(t *testing.T) {
	fresh(1 << 30)
	var pinner runtime.Pinner
	var after uintptr
	for round := range 10 {
		f := Enter()
		Calling(f)
		for range 1000 {
			write(t, 10_000, 1, 3)
		}
		Called()
		Leave(&pinner, f)
		if round == 0 {
			after = total
		} else if total != after {
			t.Fatalf("round %d took %d bytes, the first %d", round, total, after)
		}
	}
	if after > 64<<20 {
		t.Fatalf("10 MB took %d bytes", after)
	}
	n := 0
	for c := chunks; c != 0; c = at(c).next {
		n++
	}
	if n > 12 {
		t.Fatalf("%d chunks", n)
	}
}

func TestNearTheLimitItTakesWhatIsNeeded(t *testing.T) {
	fresh(5 * minChunk)
	write(t, 4*minChunk+100, 1, 1) // a power of two would be eight pages
	for _, size := range []uintptr{minChunk, 1 << 30, ^uintptr(0)} {
		if p := take(size, 1); p != 0 {
			t.Fatalf("%d bytes beyond the limit", size)
		}
	}
}

func TestAPanicInACallLeavesTheArenaInOrder(t *testing.T) {
	fresh(1 << 30)
	func() {
		defer func() { _ = recover() }()
		var pinner runtime.Pinner
		f := Enter()
		defer Leave(&pinner, f)
		Calling(f)
		(&Handle{}).Use()
	}()
	if current != host {
		t.Fatal("what the host asks for would belong to a call that is over")
	}
}

func TestLiftedValuesAreCopies(t *testing.T) {
	b := []byte("abc")
	s, l := LiftString(&b[0], 3), LiftSlice(&b[0], 3)
	b[0] = 'x'
	if s != "abc" || string(l) != "abc" || LiftString(nil, 0) != "" || len(LiftSlice[byte](nil, 0)) != 0 {
		t.Fatal(s, l)
	}
}
