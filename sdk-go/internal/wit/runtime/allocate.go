package runtime

import (
	"fmt"
	"runtime"
	"unsafe"
)

// Allocate is memory on the Go heap for a call to the host, which reads it or writes into it: a list of arguments, the
// place of a result. It stays where it is until pinner lets it go. The generated code keeps the address as a number,
// so the pin is also what keeps it alive.
func Allocate(pinner *runtime.Pinner, size, align uintptr) unsafe.Pointer {
	if size == 0 {
		return nil
	}
	if size%align != 0 {
		panic(fmt.Sprintf("numax: %d bytes aligned to %d", size, align))
	}
	var p unsafe.Pointer
	switch align {
	case 1:
		p = unsafe.Pointer(unsafe.SliceData(make([]uint8, size)))
	case 2:
		p = unsafe.Pointer(unsafe.SliceData(make([]uint16, size/align)))
	case 4:
		p = unsafe.Pointer(unsafe.SliceData(make([]uint32, size/align)))
	case 8:
		p = unsafe.Pointer(unsafe.SliceData(make([]uint64, size/align)))
	default:
		panic(fmt.Sprintf("numax: alignment %d", align))
	}
	pinner.Pin(p)
	return p
}
