// Package numax is for writing numax guests in Go.
//
// A guest registers its handlers from init functions and has an empty main:
//
//	package main
//
//	import (
//		"fmt"
//		"net/http"
//
//		"numax.dev/sdk/crdt"
//		"numax.dev/sdk/onhttp"
//	)
//
//	func init() {
//		onhttp.Handle(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
//			visits, err := crdt.OpenGCounter("visits")
//			if err != nil {
//				http.Error(w, err.Error(), http.StatusInternalServerError)
//				return
//			}
//			defer visits.Close()
//			…
//		}))
//	}
//
//	func main() {}
//
// A handler's package ([numax.dev/sdk/onhttp], ontick, onchange, onmessage, onpeer, lifecycle, run) adds its export to
// the module by being imported, so a guest exports what it uses. `numax build DIR` makes the component, with the
// standard Go toolchain.
//
// # Turns
//
// What a guest writes is committed as one batch when it blocks, answers or returns: all of it, here and on every other
// node, or none of it. A panic that nobody recovers undoes what the turn wrote and ends the instance; the host starts
// another.
//
// # Goroutines
//
// They run while a handler runs or waits, and go on in the next call. Calls to the host block all of them, except for
// sleeping and waiting for channels.
package numax

import (
	"errors"

	"numax.dev/sdk/internal/bind/numax_runtime_common"
)

// What a call can answer instead of doing what it was asked to; for errors.Is.
var (
	// ErrDenied: the module's policy does not grant this. The error's Detail is the line that would.
	ErrDenied = errors.New("denied by the module's policy")
	// ErrInvalid: an argument is out of its range: an oversized key, a string that is not UTF-8, an overflow, a batch too
	// large.
	ErrInvalid = errors.New("invalid")
	// ErrNotFound: an element or a position that does not exist (any more).
	ErrNotFound = errors.New("not found")
	// ErrQuota: a quota of the module's policy is used up for now; try again later.
	ErrQuota = errors.New("over quota")
	// ErrUnavailable: the node cannot do this at present: its storage is full or read-only, or it is shutting down.
	ErrUnavailable = errors.New("not available at present")
)

// Error is why a call was refused, by the host or, when an argument cannot be handed to it, by the SDK. It is one of the Err
// values above, with more about it.
type Error struct {
	// Kind is ErrDenied, ErrInvalid, ErrNotFound, ErrQuota or ErrUnavailable.
	Kind error
	// Detail tells more; may be empty.
	Detail string
}

// Error is the kind and the detail.
func (e *Error) Error() string {
	if e.Detail == "" {
		return e.Kind.Error()
	}
	return e.Kind.Error() + ": " + e.Detail
}

// Unwrap is the kind.
func (e *Error) Unwrap() error { return e.Kind }

// Kind is a family of replicated values.
type Kind uint8

// The families of replicated values. AnyKind stands for all of them where that is possible.
const (
	GCounter    = Kind(numax_runtime_common.CrdtKindGCounter)
	PnCounter   = Kind(numax_runtime_common.CrdtKindPnCounter)
	LwwRegister = Kind(numax_runtime_common.CrdtKindLwwRegister)
	LwwMap      = Kind(numax_runtime_common.CrdtKindLwwMap)
	OrSet       = Kind(numax_runtime_common.CrdtKindOrSet)
	Rga         = Kind(numax_runtime_common.CrdtKindRga)
	Text        = Kind(numax_runtime_common.CrdtKindText)
	AnyKind     = Kind(255)
)

var kindNames = [...]string{"g-counter", "pn-counter", "lww-register", "lww-map", "or-set", "rga", "text"}

// String is the family's name: "g-counter", "or-set", …
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "any"
}

// Op is what was done to a value.
type Op uint8

// What can be done to a value.
const (
	Increment = Op(numax_runtime_common.OpKindIncrement)
	Decrement = Op(numax_runtime_common.OpKindDecrement)
	Set       = Op(numax_runtime_common.OpKindSet)
	Remove    = Op(numax_runtime_common.OpKindRemove)
	Add       = Op(numax_runtime_common.OpKindAdd)
	Insert    = Op(numax_runtime_common.OpKindInsert)
	Edit      = Op(numax_runtime_common.OpKindEdit)
	Clear     = Op(numax_runtime_common.OpKindClear)
)

var opNames = [...]string{"increment", "decrement", "set", "remove", "add", "insert", "edit", "clear"}

// String is the operation's name: "increment", "set", …
func (o Op) String() string {
	if int(o) < len(opNames) {
		return opNames[o]
	}
	return "unknown"
}

// Change says that a replicated value has changed. Changes of one key within a batch are one, with the last operation.
type Change struct {
	Kind Kind
	Key  string
	Op   Op
	// Origin is the node whose write this was.
	Origin string
	// Remote says whether it came from another node.
	Remote bool
}
