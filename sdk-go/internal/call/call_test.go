package call

import (
	"errors"
	"slices"
	"testing"

	numax "numax.dev/sdk"
	raw "numax.dev/sdk/internal/bind/numax_runtime_common"
	"numax.dev/sdk/internal/wit/types"
)

func TestErrorsKeepTheirKindAndText(t *testing.T) {
	cases := []struct {
		raw  raw.Error
		kind error
		text string
	}{
		{raw.MakeErrorDenied("net.peers = true"), numax.ErrDenied, "denied by the module's policy: net.peers = true"},
		{raw.MakeErrorInvalid("key"), numax.ErrInvalid, "invalid: key"},
		{raw.MakeErrorNotFound(), numax.ErrNotFound, "not found"},
		{raw.MakeErrorQuota("ops"), numax.ErrQuota, "over quota: ops"},
		{raw.MakeErrorUnavailable("full"), numax.ErrUnavailable, "not available at present: full"},
	}
	for _, c := range cases {
		_, err := Value(types.Err[int](c.raw))
		if !errors.Is(err, c.kind) || err.Error() != c.text {
			t.Errorf("%v, want %s", err, c.text)
		}
	}
}

func TestPagesAreJoinedAndAnEmptyOneIsNoEnd(t *testing.T) {
	var asked []int
	pages := Pages(func(after types.Option[int], _ uint32) ([]string, types.Option[int], error) {
		asked = append(asked, after.SomeOr(-1))
		switch after.SomeOr(-1) {
		case -1:
			return []string{"a", "b"}, types.Some(2), nil
		case 2:
			return nil, types.Some(3), nil
		default:
			return []string{"c"}, types.None[int](), nil
		}
	})
	var got []string
	for s, err := range pages {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, s)
	}
	if !slices.Equal(got, []string{"a", "b", "c"}) || !slices.Equal(asked, []int{-1, 2, 3}) {
		t.Fatal(got, asked)
	}
	asked = nil
	for range pages {
		break // fetches no more than it needs
	}
	if len(asked) != 1 {
		t.Fatal(asked)
	}
}

func TestAnErrorEndsAListing(t *testing.T) {
	n := 0
	for _, err := range Pages(func(types.Option[int], uint32) ([]int, types.Option[int], error) {
		return nil, types.Some(1), numax.ErrQuota
	}) {
		n++
		if !errors.Is(err, numax.ErrQuota) {
			t.Fatal(err)
		}
	}
	if n != 1 {
		t.Fatal(n)
	}
}
