//go:build !wasm

package runtime

import "unsafe"

// sbrk stands in for the system's on other machines, where this package only runs in tests.
func sbrk(n uintptr) uintptr {
	if n > limit {
		return 0
	}
	limit -= n
	block := make([]byte, n+minChunk)
	kept = append(kept, block)
	return (uintptr(unsafe.Pointer(unsafe.SliceData(block))) + minChunk - 1) &^ (minChunk - 1)
}

var (
	kept  [][]byte           // nothing of it goes away
	limit uintptr  = 1 << 30 // what is left to give
)
