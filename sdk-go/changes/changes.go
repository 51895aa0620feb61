// Package changes lets a handler pull changes of replicated values, to stream them to a browser. Not in this version: opening
// a feed fails with numax.ErrUnavailable. The package onchange is there.
package changes

import (
	numax "numax.dev/sdk"
	raw "numax.dev/sdk/internal/bind/numax_runtime_changes"
	"numax.dev/sdk/internal/call"
	"numax.dev/sdk/internal/wit/types"
)

// Feed is an open feed of changes.
type Feed struct{ raw *raw.Feed }

// News is a stretch of a feed.
type News struct {
	// Changes are in the order in which this node applied them; may be empty.
	Changes []numax.Change
	// Position is the place in the feed after them, for Resume.
	Position uint64
	// Missed says that the feed fell behind and was cut: changes are missing before these. Read the values again.
	Missed bool
}

// Open follows the keys that begin with prefix and that the module may read, of one family or of all (numax.AnyKind).
func Open(kind numax.Kind, prefix string) (*Feed, error) {
	return open(kind, prefix, types.None[uint64]())
}

// Resume is Open after a position that a feed gave before. The error is numax.ErrNotFound when the log does not reach
// back to it.
func Resume(kind numax.Kind, prefix string, position uint64) (*Feed, error) {
	return open(kind, prefix, types.Some(position))
}

func open(kind numax.Kind, prefix string, since types.Option[uint64]) (*Feed, error) {
	family, err := call.KindOrAny(kind)
	if err == nil {
		err = call.Text("a prefix", prefix)
	}
	if err != nil {
		return nil, err
	}
	r, err := call.Value(raw.FeedOpen(family, prefix, since))
	if err != nil {
		return nil, err
	}
	return &Feed{r}, nil
}

// Next waits until something has changed since the last call, and gives it. Waiting ends the turn: what it wrote is
// committed.
func (f *Feed) Next() (News, error) {
	ready := f.raw.Subscribe()
	ready.Block()
	ready.Drop()
	return f.TryNext()
}

// TryNext is what has changed since the last call, without waiting; maybe nothing.
func (f *Feed) TryNext() (News, error) {
	news, err := call.Value(f.raw.Next())
	return News{Changes: call.Changes(news.Changes), Position: news.Position, Missed: news.Missed}, err
}

// Close ends the feed.
func (f *Feed) Close() { f.raw.Drop() }
