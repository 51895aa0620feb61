// Package call turns what the generated bindings return into Go's values and errors.
package call

import (
	"iter"

	numax "numax.dev/sdk"
	"numax.dev/sdk/internal/bind/numax_runtime_common"
	"numax.dev/sdk/internal/wit/types"
)

// pageSize is how many entries of a listing are asked for at a time. A page ends at 1 MiB anyway; this keeps a page of
// small entries to a few tens of KiB.
const pageSize = 1000

// Value is a result's value or error.
func Value[T any](r types.Result[T, numax_runtime_common.Error]) (T, error) {
	if r.IsErr() {
		var none T
		return none, fail(r.Err())
	}
	return r.Ok(), nil
}

// Done is the error of a result that has no value.
func Done(r types.Result[types.Unit, numax_runtime_common.Error]) error {
	_, err := Value(r)
	return err
}

// Maybe is the value, whether there is one, and the error.
func Maybe[T any](r types.Result[types.Option[T], numax_runtime_common.Error]) (T, bool, error) {
	var none T
	o, err := Value(r)
	if err != nil {
		return none, false, err
	}
	return o.SomeOr(none), o.IsSome(), nil
}

// Changes are changes as the SDK shows them.
func Changes(raw []numax_runtime_common.Change) []numax.Change {
	changes := make([]numax.Change, len(raw))
	for i, c := range raw {
		changes[i] = numax.Change{
			Kind: numax.Kind(c.Kind), Key: c.Key, Op: numax.Op(c.Op), Origin: c.Origin, Remote: c.Remote,
		}
	}
	return changes
}

// Pages walks over a listing, page by page. After an error it ends.
func Pages[T, C any](fetch func(after types.Option[C], limit uint32) ([]T, types.Option[C], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		after := types.None[C]()
		for {
			page, next, err := fetch(after, pageSize)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, entry := range page {
				if !yield(entry, nil) {
					return
				}
			}
			if next.IsNone() {
				return
			}
			after = next
		}
	}
}

func fail(e numax_runtime_common.Error) error {
	switch e.Tag() {
	case numax_runtime_common.ErrorDenied:
		return &numax.Error{Kind: numax.ErrDenied, Detail: e.Denied()}
	case numax_runtime_common.ErrorInvalid:
		return &numax.Error{Kind: numax.ErrInvalid, Detail: e.Invalid()}
	case numax_runtime_common.ErrorNotFound:
		return &numax.Error{Kind: numax.ErrNotFound}
	case numax_runtime_common.ErrorQuota:
		return &numax.Error{Kind: numax.ErrQuota, Detail: e.Quota()}
	default:
		return &numax.Error{Kind: numax.ErrUnavailable, Detail: e.Unavailable()}
	}
}
