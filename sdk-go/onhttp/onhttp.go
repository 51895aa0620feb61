// Package onhttp serves HTTP with an ordinary net/http handler. Importing it adds wasi:http/incoming-handler to the
// module's exports.
package onhttp

import (
	"net/http"

	_ "numax.dev/sdk/internal/bind/exports/http"
	"numax.dev/sdk/internal/bind/wasi_http_types"
	slot "numax.dev/sdk/internal/slot/export_wasi_http_incoming_handler"
)

// Handle registers the handler, such as a *http.ServeMux; call it from an init function.
//
// Request bodies and answers are streamed. What the handler wrote to replicated values is committed before the head of
// the answer leaves, and again before each later part. A panic is logged and answered with 500, as net/http's own server
// does, and http.ErrAbortHandler breaks the answer off; either way what was written so far is kept.
func Handle(h http.Handler) {
	slot.Serve = func(in *wasi_http_types.IncomingRequest, out *wasi_http_types.ResponseOutparam) {
		defer in.Drop()
		request, body, err := receive(in)
		defer body.Close()
		w := newWriter(&outgoing{param: out}, in.Method().Tag() == wasi_http_types.MethodHead)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			w.close(true)
			return
		}
		w.close(run(h, w, request))
	}
}
