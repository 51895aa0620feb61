package onhttp

import (
	"fmt"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
)

// smallBody is held back before the head is sent: the length of an answer that fits is known and stands in its head, as
// with net/http's own server.
const smallBody = 4 << 10

// sink is where an answer goes.
type sink interface {
	// head sends the head; once, and first.
	head(status int, header http.Header)
	// write sends a part of the body.
	write(p []byte) error
	// flush waits until the parts sent have left.
	flush() error
	// finish ends the body; not complete breaks it off, so that the client sees it is.
	finish(complete bool)
}

// writer is a http.ResponseWriter on a sink.
type writer struct {
	to      sink
	header  http.Header
	status  int // 0 before WriteHeader
	sent    bool
	isHead  bool
	small   []byte
	failure error
}

func newWriter(to sink, isHead bool) *writer {
	return &writer{to: to, header: http.Header{}, isHead: isHead}
}

func (w *writer) Header() http.Header { return w.header }

func (w *writer) WriteHeader(status int) {
	if w.status == 0 && status >= 200 { // the host has no way to send 1xx
		w.status = status
	}
}

func (w *writer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if !bodyAllowed(w.status) {
		return 0, http.ErrBodyNotAllowed
	}
	if w.failure != nil {
		return 0, w.failure
	}
	if !w.sent && len(w.small)+len(p) <= smallBody {
		w.small = append(w.small, p...)
		return len(p), nil
	}
	w.send(false)
	if w.failure == nil && !w.isHead {
		w.failure = w.to.write(p)
	}
	if w.failure != nil {
		return 0, w.failure
	}
	return len(p), nil
}

// Flush sends what there is, as http.Flusher.
func (w *writer) Flush() { _ = w.FlushError() }

// FlushError is Flush for http.ResponseController.
func (w *writer) FlushError() error {
	w.WriteHeader(http.StatusOK)
	w.send(false)
	if w.failure == nil {
		w.failure = w.to.flush()
	}
	return w.failure
}

// send sends the head and what was held back; whole says that this is all there will be.
func (w *writer) send(whole bool) {
	if w.sent {
		return
	}
	w.sent = true
	if len(w.small) > 0 && w.header.Get("Content-Type") == "" && w.header.Get("Content-Encoding") == "" {
		w.header.Set("Content-Type", http.DetectContentType(w.small))
	}
	// An answer to HEAD that wrote nothing may have any length.
	known := whole && bodyAllowed(w.status) && !(w.isHead && len(w.small) == 0)
	if known && w.header.Get("Content-Length") == "" {
		w.header.Set("Content-Length", strconv.Itoa(len(w.small)))
	}
	w.to.head(w.status, w.header)
	if len(w.small) > 0 && !w.isHead {
		w.failure = w.to.write(w.small)
	}
	w.small = nil
}

func (w *writer) close(complete bool) {
	w.WriteHeader(http.StatusOK)
	w.send(complete)
	w.to.finish(complete && w.failure == nil)
}

func bodyAllowed(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

// run calls the handler and says whether its answer is complete. A panic is logged, and answered as long as nothing has
// been sent.
func run(h http.Handler, w *writer, r *http.Request) (complete bool) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p != http.ErrAbortHandler {
			fmt.Fprintf(os.Stderr, "http: panic serving %s %s: %v\n%s", r.Method, r.URL, p, debug.Stack())
		}
		if !w.sent && p != http.ErrAbortHandler {
			w.header, w.status, w.small = http.Header{}, 0, nil
			http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
			complete = true
		}
	}()
	h.ServeHTTP(w, r)
	return true
}
