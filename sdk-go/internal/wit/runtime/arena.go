// Package runtime is what the generated bindings rest on: handles, memory for arguments, and the arena that the host
// writes results into.
//
// # Why an arena
//
// When the host returns a string or a list it asks the guest for memory through cabi_realloc. While it does so the
// component may not call out; but an allocation on the Go heap may start a garbage collection, which reads clocks and
// polls through WASI, and so the instance traps ("cannot leave component instance") at some later moment, under load.
// The memory given out here never comes from the Go heap, and nothing on that path allocates, schedules or grows a
// stack.
//
// # Who owns a chunk
//
// The arena is a list of chunks, each of which belongs to one call at a time. The patched import wrappers say
//
//	frame := Enter()
//	defer Leave(pinner, frame)   // gives the frame's chunks back
//	…
//	Calling(frame)
//	wasm_import_…(…)             // here cabi_realloc fills chunks that belong to frame
//	Called()
//	… LiftString, LiftSlice …    // copies: here other goroutines may run and do calls of their own
//
// Ownership by call rather than one arena that is emptied when nobody lifts: the collector can park many goroutines in
// the middle of their copies, and such an arena would never be empty again. What the host writes when no import runs
// are the parameters of an export; they belong to nobody's frame (owner host) and are given back by Unpin, which the
// generated export says when it has copied them.
//
// Chunks are kept for the next call. WebAssembly's memory cannot shrink anyway.
package runtime

import (
	"runtime"
	"unsafe"
)

// minChunk is the size of a small chunk: a page of WebAssembly's memory, the least that sbrk gives.
const minChunk = 64 << 10

// maxTake keeps the arithmetic on sizes within 32 bits. Nothing that a host returns comes near it.
const maxTake = 1 << 30

// Owners of chunks that are no frames.
const (
	free = 0
	host = 1
)

// chunk is the head of a block of memory from sbrk. It is no Go memory, so there are no pointers in it.
type chunk struct {
	next  uintptr // the address of the next chunk
	size  uintptr // of the whole block, this head included
	used  uintptr // offset of the first byte that is not given out
	owner uintptr
}

const head = unsafe.Sizeof(chunk{})

// A module has one thread, and goroutines change only where the runtime lets them; none of these places lies between
// Calling and Called or inside cabi_realloc. So plain variables will do.
var (
	chunks  uintptr        // the list's first chunk
	current uintptr = host // whose the memory is that the host asks for now
	got     uintptr        // what the present call has got so far
	frames  uintptr = host // the last frame made
	total   uintptr        // bytes in all chunks
)

func at(p uintptr) *chunk { return (*chunk)(unsafe.Pointer(p)) }

// ArenaBytes is the memory that the arena has from the system.
func ArenaBytes() uint64 { return uint64(total) }

// take is memory for the present owner; 0 when there is none. It must not allocate on the Go heap, schedule, or grow the
// stack.
//
//go:nosplit
func take(size, align uintptr) uintptr {
	if size > maxTake {
		return 0
	}
	var best uintptr
	for c := chunks; c != 0; c = at(c).next {
		switch at(c).owner {
		case current:
			p := (c + at(c).used + align - 1) &^ (align - 1)
			if p+size <= c+at(c).size {
				at(c).used = p + size - c
				return p
			}
		case free: // the smallest that is large enough
			if at(c).size >= head+size+align && (best == 0 || at(c).size < at(best).size) {
				best = c
			}
		}
	}
	if best == 0 {
		// Powers of two, and no less than the call has got already: then a call has few chunks.
		want := uintptr(minChunk)
		for want < head+size+align || want < got {
			want *= 2
		}
		best = sbrk(want)
		if best == 0 { // near the limit of the memory: no more than is needed
			want = (head + size + align + minChunk - 1) &^ (minChunk - 1)
			best = sbrk(want)
		}
		if best == 0 {
			return 0
		}
		total += want
		*at(best) = chunk{next: chunks, size: want}
		chunks = best
	}
	got += at(best).size
	at(best).owner = current
	p := (best + head + align - 1) &^ (align - 1)
	at(best).used = p + size - best
	return p
}

// Enter begins a call whose result needs memory, and names its frame.
func Enter() uintptr {
	stackRoom()
	frames++
	return frames
}

// stackRoom makes the goroutine's stack grow now, so that it need not inside cabi_realloc.
//
//go:noinline
func stackRoom() {
	var room [2048]byte
	touch(&room)
}

//go:noinline
func touch(*[2048]byte) {}

// Calling is the statement before the import: what the host asks for from here on belongs to frame.
//
//go:nosplit
func Calling(frame uintptr) { current, got = frame, 0 }

// Called is the statement after the import.
//
//go:nosplit
func Called() { current, got = host, 0 }

// Leave ends the call: its arguments and its result's memory are let go.
func Leave(pinner *runtime.Pinner, frame uintptr) {
	pinner.Unpin()
	if current == frame { // a panic between Calling and Called, such as the use of a closed handle
		Called()
	}
	release(frame)
}

// Unpin gives back the memory of an export's parameters, which the generated code has copied.
func Unpin() {
	release(host)
	got = 0
}

func release(owner uintptr) {
	for c := chunks; c != 0; c = at(c).next {
		if at(c).owner != owner {
			continue
		}
		if poison {
			bytes := unsafe.Slice((*byte)(unsafe.Pointer(c+head)), at(c).used-head)
			for i := range bytes {
				bytes[i] = 0xDB
			}
		}
		at(c).owner = free
	}
}

// LiftString is a copy of what the host has written; it stands where the generator writes unsafe.String.
func LiftString(p *uint8, n uint32) string {
	if n == 0 {
		return ""
	}
	return string(unsafe.Slice(p, n))
}

// LiftSlice is a copy of what the host has written; it stands where the generator writes unsafe.Slice.
func LiftSlice[T any](p *T, n uint32) []T {
	if n == 0 {
		return []T{}
	}
	return append([]T(nil), unsafe.Slice(p, n)...)
}
