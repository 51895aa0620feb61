// Package kv is the key-value store of this node: durable, ordered, never replicated. What a turn writes here and to
// replicated values is one batch.
//
// A key is UTF-8, has at most 8 KiB and does not begin with __nx/, a value has at most 1 MiB, a turn's batch 10,000 operations
// and 4 MiB; what passes that is numax.ErrInvalid. Reading fails with numax.ErrDenied and numax.ErrUnavailable, writing
// with numax.ErrQuota as well. A call that failed has changed nothing.
package kv

import (
	"iter"

	raw "numax.dev/sdk/internal/bind/numax_runtime_kv"
	"numax.dev/sdk/internal/call"
	"numax.dev/sdk/internal/wit/types"
)

// Entry is a key with its value.
type Entry struct {
	Key   string
	Value []byte
}

// Get is the value of a key, and whether there is one.
func Get(key string) (value []byte, ok bool, err error) {
	if err := call.Text("a key", key); err != nil {
		return nil, false, err
	}
	return call.Maybe(raw.Get(key))
}

// Set writes a value of at most 1 MiB under a key of at most 8 KiB. numax.ErrInvalid when one is larger.
func Set(key string, value []byte) error {
	if err := call.Text("a key", key); err != nil {
		return err
	}
	return call.Done(raw.Set(key, value))
}

// Delete removes a key; nothing happens when there is none.
func Delete(key string) error {
	if err := call.Text("a key", key); err != nil {
		return err
	}
	return call.Done(raw.Delete(key))
}

// DeletePrefix removes every key that begins with prefix and says how many there were. numax.ErrDenied when the module may
// not write all of them, numax.ErrInvalid when they are more than fit one batch (10,000): remove them in several
// turns then.
func DeletePrefix(prefix string) (uint64, error) {
	if err := call.Text("a prefix", prefix); err != nil {
		return 0, err
	}
	return call.Value(raw.DeletePrefix(prefix))
}

// Exists says whether a key has a value.
func Exists(key string) (bool, error) {
	if err := call.Text("a key", key); err != nil {
		return false, err
	}
	return call.Value(raw.Exists(key))
}

// Scan walks over the entries whose keys begin with prefix and that the module may read, in byte order. Keys that are not
// UTF-8 are left out. numax.ErrDenied when it may read nothing below prefix.
func Scan(prefix string) iter.Seq2[Entry, error] {
	if err := call.Text("a prefix", prefix); err != nil {
		return call.Failed[Entry](err)
	}
	return call.Pages(func(after types.Option[string], limit uint32) ([]Entry, types.Option[string], error) {
		page, err := call.Value(raw.Scan(prefix, after, limit))
		entries := make([]Entry, len(page.Entries))
		for i, e := range page.Entries {
			entries[i] = Entry{e.F0, e.F1}
		}
		return entries, page.Next, err
	})
}
