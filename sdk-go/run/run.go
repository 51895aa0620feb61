// Package run makes a module a command: it does one thing and ends. Importing it adds wasi:cli/run to the module's
// exports.
package run

import (
	_ "numax.dev/sdk/internal/bind/exports/run"
	slot "numax.dev/sdk/internal/slot/export_wasi_cli_run"
)

// Handle registers what the command does. An error is written to standard error, and the command has failed; what it
// wrote before is kept. Call Handle from an init function; main stays empty.
func Handle(f func() error) { slot.Main = f }
