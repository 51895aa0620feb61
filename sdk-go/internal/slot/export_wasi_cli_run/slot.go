// Package export_wasi_cli_run is where the generated export finds the guest's function.
package export_wasi_cli_run

import (
	"fmt"
	"os"

	"numax.dev/sdk/internal/wit/types"
)

// Main is the guest's function, if it has registered one.
var Main func() error

// Run is called by the generated export.
func Run() types.Result[types.Unit, types.Unit] {
	if Main != nil {
		if err := Main(); err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			return types.Err[types.Unit, types.Unit](types.Unit{})
		}
	}
	return types.Ok[types.Unit, types.Unit](types.Unit{})
}
