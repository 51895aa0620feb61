// Package events says what this module wants to hear of. Call it in the function given to lifecycle.OnInit; a module
// without one says the same in its policy's [events] section.
package events

import (
	"math"
	"time"

	numax "numax.dev/sdk"
	raw "numax.dev/sdk/internal/bind/numax_runtime_events"
	"numax.dev/sdk/internal/call"
)

// Scope is where a scheduled tick runs.
type Scope uint8

// A scheduled tick runs on every node that runs the module, or on one of them.
const (
	EveryNode      = Scope(raw.ScopeEveryNode)
	OncePerCluster = Scope(raw.ScopeOncePerCluster)
)

// Every calls the tick handler with this name every period (from one millisecond to seven weeks), counted from the end
// of the last call.
func Every(name string, period time.Duration) error {
	ms := min(max(period.Milliseconds(), 0), math.MaxUint32)
	return call.Done(raw.Every(name, uint32(ms)))
}

// Cron calls the tick handler with this name by a five-field cron expression, in UTC.
func Cron(name, expression string, scope Scope) error {
	return call.Done(raw.Cron(name, expression, raw.Scope(scope)))
}

// Watch calls the change handler for keys that begin with prefix, of one family or of all (numax.AnyKind).
func Watch(kind numax.Kind, prefix string) error {
	return call.Done(raw.Watch(call.Kind(kind), prefix))
}

// Subscribe calls the message handler for a topic; * stands for one segment, a last > for the rest.
func Subscribe(topic string) error { return call.Done(raw.Subscribe(topic)) }
