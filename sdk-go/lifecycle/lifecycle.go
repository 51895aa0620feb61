// Package lifecycle is the beginning and the end of a module's long-lived instance. Importing it adds lifecycle to the
// module's exports.
package lifecycle

import (
	_ "numax.dev/sdk/internal/bind/exports/lifecycle"
	slot "numax.dev/sdk/internal/slot/export_numax_runtime_lifecycle"
)

// OnInit registers the function that is called once, before anything else. An error keeps the module from running, and
// is shown to the operator. Call OnInit from an init function; those themselves run too early to call the host.
func OnInit(f func() error) { slot.OnInit = f }

// OnShutdown registers the function that is called once, when the node lets the module go in good order.
func OnShutdown(f func()) { slot.OnShutdown = f }
