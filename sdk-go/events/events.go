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
// of the last call. numax.ErrInvalid for another period, outside of init, and from 1,000 registrations on.
func Every(name string, period time.Duration) error {
	if err := call.Text("the name of a timer", name); err != nil {
		return err
	}
	ms := period.Milliseconds()
	if ms < 1 || ms > math.MaxUint32 {
		return call.Invalid("the period is %v; it must be between 1 and 2^32-1 milliseconds (49 days)", period)
	}
	return call.Done(raw.Every(name, uint32(ms)))
}

// Cron calls the tick handler with this name by a five-field cron expression, in UTC. Not in this version: it fails with
// numax.ErrUnavailable.
func Cron(name, expression string, scope Scope) error {
	if err := call.Texts("the name of a timer", name, "a cron expression", expression); err != nil {
		return err
	}
	if scope > OncePerCluster {
		return call.Invalid("the scope must be events.EveryNode or events.OncePerCluster, not %d", scope)
	}
	return call.Done(raw.Cron(name, expression, raw.Scope(scope)))
}

// Watch calls the change handler for keys that begin with prefix and that the module may read, of one family or of all
// (numax.AnyKind). What this very instance wrote is left out. numax.ErrDenied when it may read none of them;
// numax.ErrInvalid outside of init, and from 1,000 registrations on.
func Watch(kind numax.Kind, prefix string) error {
	family, err := call.KindOrAny(kind)
	if err == nil {
		err = call.Text("a prefix", prefix)
	}
	if err != nil {
		return err
	}
	return call.Done(raw.Watch(family, prefix))
}

// Subscribe calls the message handler for a topic; * stands for one segment, a last > for the rest. Not in this version: it
// fails with numax.ErrUnavailable.
func Subscribe(topic string) error {
	if err := call.Text("a topic", topic); err != nil {
		return err
	}
	return call.Done(raw.Subscribe(topic))
}
