// Package crdt holds replicated values.
//
// A value is named by its family and its key: the counter "a" and the set "a" are two values. Opening one makes nothing;
// a value that was never written reads as zero, none or empty. Every node has its own copy, reads and writes it at
// once, and exchanges what was written; copies that have seen the same writes are equal.
//
// What one turn of a guest writes (until it blocks, answers or returns) becomes one batch, applied as a whole on every
// node. Several increments of one counter in a turn cost as much as one.
//
// An opened value holds a handle in the host until it is closed, or until the garbage collector finds it.
//
// # Limits
//
// A key has at most 8 KiB and does not begin with __nx/; a field's name has at most 8 KiB; a value, an element or a field's
// value 1 MiB. A turn's batch has at most 10,000 operations and 4 MiB. [Text] has limits of its own. Keys, names, ids and
// chunks are UTF-8, which not every Go string is: one from a URL may be anything. Values and elements are any bytes.
//
// # Errors
//
// [numax.Error] says what each kind means. Opening fails with numax.ErrDenied when the policy grants nothing under the key,
// and with numax.ErrInvalid when the key breaks a limit. Reading fails with numax.ErrDenied and numax.ErrUnavailable;
// writing with numax.ErrQuota as well, and with numax.ErrInvalid when the turn's batch would pass its limits. An argument
// that breaks a limit or is not UTF-8 is numax.ErrInvalid everywhere. What else can fail stands with the call. A call that failed has changed nothing, and what the
// turn wrote before it stays.
package crdt

import (
	"iter"

	numax "numax.dev/sdk"
	raw "numax.dev/sdk/internal/bind/numax_runtime_crdt"
	"numax.dev/sdk/internal/call"
	"numax.dev/sdk/internal/wit/types"
)

// Keys are the keys of one family that begin with prefix and that this module may read, in byte order. Keys that are not
// UTF-8 are left out. numax.ErrDenied when it may read nothing below prefix.
func Keys(kind numax.Kind, prefix string) iter.Seq2[string, error] {
	family, err := call.Kind(kind)
	if err == nil {
		err = call.Text("a prefix", prefix)
	}
	if err != nil {
		return call.Failed[string](err)
	}
	return call.Pages(func(after types.Option[string], limit uint32) ([]string, types.Option[string], error) {
		page, err := call.Value(raw.Keys(family, prefix, after, limit))
		return page.Keys, page.Next, err
	})
}
