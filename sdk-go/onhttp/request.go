package onhttp

import (
	"fmt"
	"io"
	"net/http"
	"strconv"

	"numax.dev/sdk/internal/bind/wasi_http_types"
	"numax.dev/sdk/internal/bind/wasi_io_streams"
)

// readSize is asked for at least: readers such as io.ReadAll begin with a few hundred bytes, and every call to the host
// has its price.
const readSize = 16 << 10

// methods are in the order of the WIT variant; the last case is any other.
var methods = [...]string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}

// receive is the request as net/http's server would make it. The body is never nil.
func receive(in *wasi_http_types.IncomingRequest) (*http.Request, *requestBody, error) {
	body := &requestBody{}
	if r := in.Consume(); r.IsOk() {
		body.body = r.Ok()
		if s := body.body.Stream(); s.IsOk() {
			body.stream = s.Ok()
		}
	}
	method := in.Method()
	name := ""
	if t := int(method.Tag()); t < len(methods) {
		name = methods[t]
	} else {
		name = method.Other()
	}
	target := in.PathWithQuery().SomeOr("/")
	request, err := http.NewRequest(name, target, body)
	if err != nil {
		return nil, body, err
	}
	fields := in.Headers()
	for _, field := range fields.Entries() {
		request.Header.Add(field.F0, string(field.F1))
	}
	fields.Drop()
	request.Host = in.Authority().SomeOr(request.Header.Get("Host"))
	request.Header.Del("Host")
	request.RequestURI = target
	request.ContentLength = -1
	if n, err := strconv.ParseInt(request.Header.Get("Content-Length"), 10, 64); err == nil && n >= 0 {
		request.ContentLength = n
	}
	return request, body, nil
}

// requestBody reads the body as it comes.
type requestBody struct {
	body   *wasi_http_types.IncomingBody
	stream *wasi_io_streams.InputStream
	rest   []byte // read and not yet asked for
}

func (b *requestBody) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(b.rest) == 0 {
		if b.stream == nil {
			return 0, io.EOF
		}
		r := b.stream.BlockingRead(uint64(max(len(p), readSize)))
		if r.IsErr() {
			return 0, streamError(r.Err(), io.EOF)
		}
		b.rest = r.Ok()
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// Close lets the handles go, the stream before the body that it belongs to.
func (b *requestBody) Close() error {
	if b.stream != nil {
		b.stream.Drop()
		b.stream = nil
	}
	if b.body != nil {
		b.body.Drop()
		b.body = nil
	}
	return nil
}

// streamError is closed when the stream is, else what the host says.
func streamError(e wasi_io_streams.StreamError, closed error) error {
	if e.Tag() == wasi_io_streams.StreamErrorClosed {
		return closed
	}
	cause := e.LastOperationFailed()
	defer cause.Drop()
	return fmt.Errorf("http: %s", cause.ToDebugString())
}
