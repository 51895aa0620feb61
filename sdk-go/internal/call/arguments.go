package call

import (
	"fmt"
	"iter"
	"unicode/utf8"

	numax "numax.dev/sdk"
	"numax.dev/sdk/internal/bind/numax_runtime_common"
	"numax.dev/sdk/internal/wit/types"
)

// Text is an error unless s is UTF-8, which every string that crosses into the host has to be: one that is not would
// end the instance there. what is the argument with its article, such as "a key".
func Text(what, s string) error {
	if utf8.ValidString(s) {
		return nil
	}
	for at, r := range s {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[at:]); size == 1 {
				return Invalid("%s must be Unicode text; its byte %d (0x%02x) is not UTF-8", what, at, s[at])
			}
		}
	}
	return nil // not reached: what is not valid has such a byte
}

// Texts is the first error of Text for pairs of what and s.
func Texts(pairs ...string) error {
	for i := 0; i+1 < len(pairs); i += 2 {
		if err := Text(pairs[i], pairs[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// Kind is a family for a call that takes one of them; numax.AnyKind is none.
func Kind(k numax.Kind) (numax_runtime_common.CrdtKind, error) {
	if k > numax.Text {
		return 0, Invalid("the kind must be one of numax.GCounter to numax.Text, not %d (%v)", uint8(k), k)
	}
	return numax_runtime_common.CrdtKind(k), nil
}

// KindOrAny is a family for a call that takes one or, by numax.AnyKind, all of them.
func KindOrAny(k numax.Kind) (types.Option[numax_runtime_common.CrdtKind], error) {
	if k == numax.AnyKind {
		return types.None[numax_runtime_common.CrdtKind](), nil
	}
	one, err := Kind(k)
	return types.Some(one), err
}

// Invalid is an error of the SDK itself about an argument that it does not hand to the host.
func Invalid(format string, values ...any) error {
	return &numax.Error{Kind: numax.ErrInvalid, Detail: fmt.Sprintf(format, values...)}
}

// Failed is a listing that cannot begin.
func Failed[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		yield(none, err)
	}
}
