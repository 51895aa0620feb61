package onhttp

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// memory is a sink that keeps the answer.
type memory struct {
	status   int
	header   http.Header
	body     strings.Builder
	writes   int
	finished bool
	complete bool
	broken   bool
}

func (m *memory) head(status int, header http.Header) { m.status, m.header = status, header.Clone() }
func (m *memory) flush() error                        { return nil }
func (m *memory) finish(complete bool)                { m.finished, m.complete = true, complete }
func (m *memory) write(p []byte) error {
	if m.broken {
		return io.ErrClosedPipe
	}
	m.writes++
	m.body.Write(p)
	return nil
}

func answer(method string, m *memory, f http.HandlerFunc) *memory {
	w := newWriter(m, method == http.MethodHead)
	w.close(run(f, w, httptest.NewRequest(method, "/", nil)))
	return m
}

func TestASmallAnswerHasItsLengthAndType(t *testing.T) {
	m := answer("GET", &memory{}, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "hel")
		io.WriteString(w, "lo")
	})
	if m.status != 200 || m.body.String() != "hello" || m.writes != 1 || !m.complete {
		t.Fatalf("%+v", m)
	}
	if m.header.Get("Content-Length") != "5" || m.header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Fatal(m.header)
	}
}

func TestALargeAnswerIsStreamed(t *testing.T) {
	part := strings.Repeat("x", 3000)
	m := answer("GET", &memory{}, func(w http.ResponseWriter, _ *http.Request) {
		for range 5 {
			io.WriteString(w, part)
		}
	})
	if m.body.Len() != 15000 || m.header.Get("Content-Length") != "" || m.writes < 4 {
		t.Fatalf("%d bytes in %d writes, %v", m.body.Len(), m.writes, m.header)
	}
}

func TestFlushSendsTheHead(t *testing.T) {
	m := &memory{}
	answer("GET", m, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, "data: 1\n\n")
		w.(http.Flusher).Flush()
		if m.status != 200 || m.body.String() != "data: 1\n\n" {
			t.Errorf("%+v", m)
		}
		w.WriteHeader(500) // too late
	})
	if m.status != 200 || m.header.Get("Content-Length") != "" {
		t.Fatalf("%+v", m)
	}
}

func TestAnswersWithoutABody(t *testing.T) {
	m := answer("GET", &memory{}, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(204)
		if _, err := io.WriteString(w, "x"); err != http.ErrBodyNotAllowed {
			t.Error(err)
		}
	})
	if m.status != 204 || m.body.Len() != 0 || m.header.Get("Content-Length") != "" {
		t.Fatalf("%+v", m)
	}
	m = answer("HEAD", &memory{}, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })
	if m.header.Get("Content-Length") != "5" || m.body.Len() != 0 {
		t.Fatalf("%+v", m)
	}
	m = answer("GET", &memory{}, func(http.ResponseWriter, *http.Request) {})
	if m.status != 200 || m.header.Get("Content-Length") != "0" || !m.complete {
		t.Fatalf("%+v", m)
	}
}

func TestAPanicBeforeTheHeadIsA500(t *testing.T) {
	m := answer("GET", &memory{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Half", "1")
		io.WriteString(w, "half")
		panic("boom")
	})
	if m.status != 500 || !strings.HasPrefix(m.body.String(), "Internal") || m.header.Get("X-Half") != "" || !m.complete {
		t.Fatalf("%+v", m)
	}
}

func TestAPanicInTheMiddleBreaksTheAnswerOff(t *testing.T) {
	m := answer("GET", &memory{}, func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		panic("boom")
	})
	if m.status != 200 || !m.finished || m.complete {
		t.Fatalf("%+v", m)
	}
	m = answer("GET", &memory{}, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if !m.finished || m.complete {
		t.Fatalf("%+v", m)
	}
}

func TestAClientThatIsGoneIsAnError(t *testing.T) {
	m := answer("GET", &memory{broken: true}, func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		if _, err := io.WriteString(w, "x"); err != io.ErrClosedPipe {
			t.Error(err)
		}
	})
	if !m.finished || m.complete {
		t.Fatalf("%+v", m)
	}
}
