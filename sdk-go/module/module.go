// Package module is about this module.
package module

import raw "numax.dev/sdk/internal/bind/numax_runtime_module_info"

// ID is the module's name: the same in every instance, on every node that runs it under this name.
func ID() string { return raw.Id() }

// Grants are the grants of its policy, one a line, as the policy writes them.
func Grants() []string { return raw.Grants() }
