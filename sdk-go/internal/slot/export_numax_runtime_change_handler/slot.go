// Package export_numax_runtime_change_handler is where the generated export finds the guest's function.
package export_numax_runtime_change_handler

import "numax.dev/sdk/internal/bind/numax_runtime_common"

// Change is the guest's function, if it has registered one.
var Change func([]numax_runtime_common.Change)

// OnChange is called by the generated export.
func OnChange(changes []numax_runtime_common.Change) {
	if Change != nil {
		Change(changes)
	}
}
