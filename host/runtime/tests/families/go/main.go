// Does what it is told, in one turn: see the README beside this folder.
package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"

	numax "numax.dev/sdk"
	"numax.dev/sdk/crdt"
	"numax.dev/sdk/onhttp"
)

func init() { onhttp.Handle(http.HandlerFunc(handle)) }

func main() {}

func handle(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		io.WriteString(w, "go\n")
		return
	}
	var calls []call
	if err := json.NewDecoder(r.Body).Decode(&calls); err != nil {
		http.Error(w, "the body is no array", http.StatusBadRequest)
		return
	}
	answers := make([]any, len(calls))
	for i, c := range calls {
		answers[i] = answer(c)
	}
	var body bytes.Buffer
	out := json.NewEncoder(&body)
	out.SetEscapeHTML(false)
	if err := out.Encode(answers); err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(bytes.TrimSuffix(body.Bytes(), []byte("\n")))
}

// call is [family, key, function, argument, argument].
type call []any

func (c call) maybe(at int) (string, bool) {
	if at >= len(c) {
		return "", false
	}
	text, ok := c[at].(string)
	return strings.ReplaceAll(text, "\ue000", "\xff"), ok // what stands for no text is a byte that is not UTF-8
}

func (c call) text(at int) string {
	text, _ := c.maybe(at)
	return text
}

func (c call) bytes(at int) []byte { return []byte(c.text(at)) }

func (c call) number(at int) uint64 { return uint64(c[at].(float64)) }

func (c call) index(at int) uint32 { return uint32(c.number(at)) }

func (c call) hex(at int) []byte {
	text, ok := c.maybe(at)
	if !ok {
		return nil
	}
	decoded, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return decoded
}

type refusal struct {
	Error string `json:"error"`
	Why   string `json:"why"`
}

var kinds = map[error]string{
	numax.ErrDenied: "denied", numax.ErrInvalid: "invalid", numax.ErrNotFound: "not-found", numax.ErrQuota: "quota",
	numax.ErrUnavailable: "unavailable",
}

func answer(c call) any {
	families := map[string]func(call) (any, error){
		"g-counter": gCounter, "pn-counter": pnCounter, "lww-register": register, "lww-map": lwwMap, "or-set": set,
		"rga": list, "text": text, "keys": keys, "trap": func(call) (any, error) { panic("as told") },
	}
	family, ok := families[c.text(0)]
	if !ok {
		return "unknown"
	}
	value, err := family(c)
	var refused *numax.Error
	switch {
	case errors.As(err, &refused):
		return refusal{kinds[refused.Kind], refused.Detail}
	case err != nil:
		panic(err)
	}
	return value
}

// ok is the answer of what has no other.
func ok(err error) (any, error) { return "ok", err }

// shown is a value that may be missing.
func shown(value []byte, ok bool, err error) (any, error) {
	if !ok {
		return nil, err
	}
	return string(value), err
}

func all[T any](seq iter.Seq2[T, error], show func(T) any) (any, error) {
	out := []any{}
	for entry, err := range seq {
		if err != nil {
			return nil, err
		}
		out = append(out, show(entry))
	}
	return out, nil
}

func digits(bytes []byte, err error) (any, error) { return hex.EncodeToString(bytes), err }

func gCounter(c call) (any, error) {
	counter, err := crdt.OpenGCounter(c.text(1))
	if err != nil {
		return nil, err
	}
	defer counter.Close()
	switch c.text(2) {
	case "increment":
		return ok(counter.Increment(c.number(3)))
	case "value":
		n, err := counter.Value()
		return strconv.FormatUint(n, 10), err
	}
	return "unknown", nil
}

func pnCounter(c call) (any, error) {
	counter, err := crdt.OpenPnCounter(c.text(1))
	if err != nil {
		return nil, err
	}
	defer counter.Close()
	switch c.text(2) {
	case "increment":
		return ok(counter.Increment(c.number(3)))
	case "decrement":
		return ok(counter.Decrement(c.number(3)))
	case "value":
		n, err := counter.Value()
		return strconv.FormatInt(n, 10), err
	}
	return "unknown", nil
}

func register(c call) (any, error) {
	r, err := crdt.OpenLwwRegister(c.text(1))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	switch c.text(2) {
	case "set":
		return ok(r.Set(c.bytes(3)))
	case "get":
		return shown(r.Get())
	case "clear":
		return ok(r.Clear())
	case "compare-and-set":
		var expected []byte
		if text, some := c.maybe(3); some {
			expected = []byte(text)
		}
		return r.CompareAndSet(expected, c.bytes(4))
	}
	return "unknown", nil
}

func lwwMap(c call) (any, error) {
	m, err := crdt.OpenLwwMap(c.text(1))
	if err != nil {
		return nil, err
	}
	defer m.Close()
	switch c.text(2) {
	case "set":
		return ok(m.Set(c.text(3), c.bytes(4)))
	case "get":
		return shown(m.Get(c.text(3)))
	case "contains":
		return m.Contains(c.text(3))
	case "remove":
		return ok(m.Remove(c.text(3)))
	case "entries":
		return all(m.Entries(), func(f crdt.Field) any { return [2]string{f.Name, string(f.Value)} })
	case "size":
		return m.Size()
	case "clear":
		return ok(m.Clear())
	}
	return "unknown", nil
}

func set(c call) (any, error) {
	s, err := crdt.OpenOrSet(c.text(1))
	if err != nil {
		return nil, err
	}
	defer s.Close()
	switch c.text(2) {
	case "add":
		return ok(s.Add(c.bytes(3)))
	case "remove":
		return ok(s.Remove(c.bytes(3)))
	case "contains":
		return s.Contains(c.bytes(3))
	case "elements":
		return all(s.Elements(), func(element []byte) any { return string(element) })
	case "size":
		return s.Size()
	case "clear":
		return ok(s.Clear())
	}
	return "unknown", nil
}

func list(c call) (any, error) {
	l, err := crdt.OpenRga(c.text(1))
	if err != nil {
		return nil, err
	}
	defer l.Close()
	switch c.text(2) {
	case "insert":
		if after, some := c.maybe(3); some {
			return l.InsertAfter(after, c.bytes(4))
		}
		return l.InsertFirst(c.bytes(4))
	case "push":
		return l.Push(c.bytes(3))
	case "get":
		return shown(l.Get(c.text(3)))
	case "remove":
		return ok(l.Remove(c.text(3)))
	case "entries":
		return all(l.Entries(), func(e crdt.Element) any { return [2]string{e.ID, string(e.Value)} })
	case "size":
		return l.Size()
	case "clear":
		return ok(l.Clear())
	}
	return "unknown", nil
}

func text(c call) (any, error) {
	t, err := crdt.OpenText(c.text(1))
	if err != nil {
		return nil, err
	}
	defer t.Close()
	switch c.text(2) {
	case "insert":
		return ok(t.Insert(c.index(3), c.text(4)))
	case "remove":
		return ok(t.Remove(c.index(3), c.index(4)))
	case "read":
		return t.Read()
	case "size":
		return t.Size()
	case "clear":
		return ok(t.Clear())
	case "state-vector":
		return digits(t.StateVector())
	case "diff":
		return digits(t.Diff(c.hex(3)))
	case "apply-update":
		return ok(t.ApplyUpdate(c.hex(3)))
	case "units":
		return crdt.Units(c.text(3)), nil
	}
	return "unknown", nil
}

// keys is ["keys", prefix, family].
func keys(c call) (any, error) {
	for kind := numax.GCounter; kind <= numax.Text; kind++ {
		if fmt.Sprint(kind) == c.text(2) {
			return all(crdt.Keys(kind, c.text(1)), func(key string) any { return key })
		}
	}
	return "unknown", nil
}
