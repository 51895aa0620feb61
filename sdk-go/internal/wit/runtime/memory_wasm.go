package runtime

import "unsafe"

// Memory straight from the system, as Go's own allocator takes it. Go guards such names with the linker's
// -checklinkname; numax build passes the flag that allows them.
//
//go:linkname runtimeSbrk runtime.sbrk
func runtimeSbrk(n uintptr) unsafe.Pointer

//go:linkname abort runtime.abort
func abort()

// sbrk is n bytes more, aligned to a page, or 0.
//
//go:nosplit
func sbrk(n uintptr) uintptr { return uintptr(runtimeSbrk(n)) }

// cabiRealloc is what the host asks for memory.
//
//go:wasmexport cabi_realloc
//go:nosplit
func cabiRealloc(old unsafe.Pointer, oldSize, align, size uintptr) unsafe.Pointer {
	if size == 0 {
		return unsafe.Pointer(align) // any aligned address but zero
	}
	if oldSize >= size {
		return old
	}
	p := unsafe.Pointer(take(size, align))
	if p == nil {
		abort() // out of memory, where nothing can be printed
	}
	if oldSize > 0 { // a host that transcodes strings grows its guess
		copy(unsafe.Slice((*byte)(p), oldSize), unsafe.Slice((*byte)(old), oldSize))
	}
	return p
}

// cabiReallocAdapter is what the adapter between WASI 0.1 and 0.2 asks for its own state and stack, which live as long as
// the instance: wit-component prefers this name. From the arena they would be handed to the next call.
//
//go:wasmexport cabi_realloc_adapter
//go:nosplit
func cabiReallocAdapter(_ unsafe.Pointer, oldSize, _, size uintptr) unsafe.Pointer {
	p := sbrk(size)
	if oldSize != 0 || p == 0 {
		abort()
	}
	return unsafe.Pointer(p)
}
