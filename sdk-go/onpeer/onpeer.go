// Package onpeer handles members that come and go. Importing it adds peer-handler to the module's exports, which this version
// does not call.
package onpeer

import (
	_ "numax.dev/sdk/internal/bind/exports/peer"
	slot "numax.dev/sdk/internal/slot/export_numax_runtime_peer_handler"
)

// Handle registers the functions that are called when a link to a node is up and when it is gone; either may be nil. Call
// Handle from an init function. A panic undoes what the function wrote and ends the instance.
func Handle(up, down func(node string)) { slot.Up, slot.Down = up, down }
