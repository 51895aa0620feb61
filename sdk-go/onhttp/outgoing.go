package onhttp

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"unicode/utf8"

	"numax.dev/sdk/internal/bind/wasi_http_types"
	"numax.dev/sdk/internal/bind/wasi_io_poll"
	"numax.dev/sdk/internal/bind/wasi_io_streams"
	"numax.dev/sdk/internal/wit/types"
)

// outgoing is the answer in the host.
type outgoing struct {
	param  *wasi_http_types.ResponseOutparam
	body   *wasi_http_types.OutgoingBody
	stream *wasi_io_streams.OutputStream
	ready  *wasi_io_poll.Pollable
}

func (o *outgoing) head(status int, header http.Header) {
	fields := wasi_http_types.MakeFields()
	for name, values := range header {
		for _, value := range values {
			// A name that is not UTF-8 would trap at the border.
			if !utf8.ValidString(name) || fields.Append(name, []byte(value)).IsErr() {
				fmt.Fprintf(os.Stderr, "http: the header %q was left out: the host does not accept it\n", name)
			}
		}
	}
	response := wasi_http_types.MakeOutgoingResponse(fields) // takes the fields
	if r := response.SetStatusCode(uint16(status)); r.IsErr() {
		fmt.Fprintf(os.Stderr, "http: %d is no status; answering 500\n", status)
		response.SetStatusCode(http.StatusInternalServerError)
	}
	if r := response.Body(); r.IsOk() {
		o.body = r.Ok()
	}
	answer := types.Ok[*wasi_http_types.OutgoingResponse, wasi_http_types.ErrorCode](response)
	wasi_http_types.ResponseOutparamSet(o.param, answer) // takes both
	if o.body != nil {
		if r := o.body.Write(); r.IsOk() {
			o.stream = r.Ok()
		}
	}
}

// write sends as much at a time as the host has room for, and waits when it has none. Other goroutines rest meanwhile.
func (o *outgoing) write(p []byte) error {
	if o.stream == nil {
		return io.ErrClosedPipe
	}
	for len(p) > 0 {
		room := o.stream.CheckWrite()
		if room.IsErr() {
			return streamError(room.Err(), io.ErrClosedPipe)
		}
		n := int(min(room.Ok(), uint64(len(p))))
		if n == 0 {
			if o.ready == nil {
				o.ready = o.stream.Subscribe()
			}
			o.ready.Block()
			continue
		}
		if r := o.stream.Write(p[:n]); r.IsErr() {
			return streamError(r.Err(), io.ErrClosedPipe)
		}
		p = p[n:]
	}
	return nil
}

func (o *outgoing) flush() error {
	if o.stream == nil {
		return io.ErrClosedPipe
	}
	if r := o.stream.BlockingFlush(); r.IsErr() {
		return streamError(r.Err(), io.ErrClosedPipe)
	}
	return nil
}

// finish lets the handles go, children before what they belong to.
func (o *outgoing) finish(complete bool) {
	if o.ready != nil {
		o.ready.Drop()
	}
	if o.stream != nil {
		o.stream.Drop()
	}
	if o.body == nil {
		return
	}
	if complete {
		wasi_http_types.OutgoingBodyFinish(o.body, types.None[*wasi_http_types.Fields]())
	} else {
		o.body.Drop() // unfinished: the client sees a broken body
	}
}
