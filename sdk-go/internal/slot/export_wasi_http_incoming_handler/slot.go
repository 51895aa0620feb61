// Package export_wasi_http_incoming_handler is where the generated export finds the guest's function.
package export_wasi_http_incoming_handler

import "numax.dev/sdk/internal/bind/wasi_http_types"

// Serve is the guest's function, if it has registered one.
var Serve func(*wasi_http_types.IncomingRequest, *wasi_http_types.ResponseOutparam)

// Handle is called by the generated export.
func Handle(request *wasi_http_types.IncomingRequest, out *wasi_http_types.ResponseOutparam) {
	if Serve == nil {
		panic("numax: no handler; call onhttp.Handle in an init function")
	}
	Serve(request, out)
}
