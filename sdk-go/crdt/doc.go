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
package crdt

import (
	"iter"

	numax "numax.dev/sdk"
	raw "numax.dev/sdk/internal/bind/numax_runtime_crdt"
	"numax.dev/sdk/internal/call"
	"numax.dev/sdk/internal/wit/types"
)

// Keys are the keys of one family that begin with prefix and that this module may read, in byte order.
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
