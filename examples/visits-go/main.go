// Counts visits, in a counter and a set that every node of the cluster shares.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	numax "numax.dev/sdk"
	"numax.dev/sdk/crdt"
	"numax.dev/sdk/onhttp"
)

func init() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", handle(func(*http.Request) error { return nil }))
	mux.HandleFunc("POST /visits", handle(visit))
	mux.HandleFunc("PUT /languages/{x}", handle(func(r *http.Request) error {
		return languages(func(set *crdt.OrSet) error { return set.Add(language(r)) })
	}))
	mux.HandleFunc("DELETE /languages/{x}", handle(func(r *http.Request) error {
		return languages(func(set *crdt.OrSet) error { return set.Remove(language(r)) })
	}))
	mux.HandleFunc("/", http.NotFound) // also for another method: the mux alone would say 405
	onhttp.Handle(mux)
}

func main() {}

var errBadNumber = errors.New("by is not a number from 0 to 2^64-1")

func visit(r *http.Request) error {
	by := uint64(1)
	if values, ok := r.URL.Query()["by"]; ok {
		n, err := strconv.ParseUint(values[0], 10, 64)
		if err != nil {
			return errBadNumber
		}
		by = n
	}
	visits, err := crdt.OpenGCounter("demo:visits")
	if err != nil {
		return err
	}
	defer visits.Close()
	if err := visits.Increment(by); err != nil {
		return err
	}
	return languages(func(set *crdt.OrSet) error { return set.Add([]byte("go")) })
}

// language is the one that the path names. A path may hold any bytes; what is no text becomes U+FFFD.
func language(r *http.Request) []byte {
	return bytes.ToValidUTF8([]byte(r.PathValue("x")), []byte("\ufffd"))
}

func languages(f func(*crdt.OrSet) error) error {
	set, err := crdt.OpenOrSet("demo:languages")
	if err != nil {
		return err
	}
	defer set.Close()
	return f(set)
}

// state is what every answer shows.
type state struct {
	Visits    uint64   `json:"visits"`
	Languages []string `json:"languages"`
}

func read() (s state, err error) {
	visits, err := crdt.OpenGCounter("demo:visits")
	if err != nil {
		return s, err
	}
	defer visits.Close()
	if s.Visits, err = visits.Value(); err != nil {
		return s, err
	}
	s.Languages = []string{}
	err = languages(func(set *crdt.OrSet) error {
		for element, err := range set.Elements() {
			if err != nil {
				return err
			}
			s.Languages = append(s.Languages, string(element))
		}
		return nil
	})
	return s, err
}

// handle makes a handler of a change: it answers with the state after it.
func handle(change func(*http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := change(r)
		var s state
		if err == nil {
			s, err = read()
		}
		switch {
		case errors.Is(err, errBadNumber), errors.Is(err, numax.ErrInvalid):
			http.Error(w, err.Error(), http.StatusBadRequest)
		case errors.Is(err, numax.ErrDenied):
			http.Error(w, "denied", http.StatusForbidden)
			println(err.Error())
		case err != nil:
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		default:
			var body bytes.Buffer
			out := json.NewEncoder(&body)
			out.SetEscapeHTML(false)
			out.Encode(s) // numbers and strings always can
			w.Header().Set("Content-Type", "application/json")
			w.Write(bytes.TrimSuffix(body.Bytes(), []byte("\n")))
		}
	}
}
