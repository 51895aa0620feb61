// Package export_numax_runtime_lifecycle is where the generated export finds the guest's functions.
package export_numax_runtime_lifecycle

import (
	"strings"

	"numax.dev/sdk/internal/wit/types"
)

// OnInit and OnShutdown are the guest's functions, if it has registered them.
var (
	OnInit     func() error
	OnShutdown func()
)

// Init is called by the generated export.
func Init() types.Result[types.Unit, string] {
	if OnInit != nil {
		if err := OnInit(); err != nil {
			// What is not UTF-8 would trap at the border, and the operator would see that instead.
			return types.Err[types.Unit, string](strings.ToValidUTF8(err.Error(), "\ufffd"))
		}
	}
	return types.Ok[types.Unit, string](types.Unit{})
}

// Shutdown is called by the generated export.
func Shutdown() {
	if OnShutdown != nil {
		OnShutdown()
	}
}
