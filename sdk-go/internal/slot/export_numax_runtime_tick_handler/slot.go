// Package export_numax_runtime_tick_handler is where the generated export finds the guest's function.
package export_numax_runtime_tick_handler

// Tick is the guest's function, if it has registered one.
var Tick func(name string, nowMs uint64)

// OnTick is called by the generated export.
func OnTick(name string, nowMs uint64) {
	if Tick != nil {
		Tick(name, nowMs)
	}
}
