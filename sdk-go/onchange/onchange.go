// Package onchange handles changes of replicated values. Importing it adds change-handler to the module's exports.
package onchange

import (
	numax "numax.dev/sdk"
	_ "numax.dev/sdk/internal/bind/exports/change"
	raw "numax.dev/sdk/internal/bind/numax_runtime_common"
	"numax.dev/sdk/internal/call"
	slot "numax.dev/sdk/internal/slot/export_numax_runtime_change_handler"
)

// Handle registers the function that is called with changes that the module watches and that were not of its own making,
// in the order in which they were applied. Call Handle from an init function. A panic undoes what the function wrote and
// ends the instance.
func Handle(f func(changes []numax.Change)) {
	slot.Change = func(changes []raw.Change) { f(call.Changes(changes)) }
}
