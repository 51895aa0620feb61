// Package ontick handles ticks. Importing it adds tick-handler to the module's exports.
package ontick

import (
	"time"

	_ "numax.dev/sdk/internal/bind/exports/tick"
	slot "numax.dev/sdk/internal/slot/export_numax_runtime_tick_handler"
)

// Handle registers the function that is called when the timer or the cron expression of this name is due; now is the
// node's clock. Call Handle from an init function. A panic undoes what the function wrote and ends the instance.
func Handle(f func(name string, now time.Time)) {
	slot.Tick = func(name string, nowMs uint64) { f(name, time.UnixMilli(int64(nowMs)).UTC()) }
}
