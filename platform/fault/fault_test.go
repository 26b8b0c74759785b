package fault_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/fazt-sh/fazt/platform/fault"
)

// The table of kinds is a contract with scripts (exit), browsers (status) and
// the loop (retry).
func TestKinds(t *testing.T) {
	for _, c := range []struct {
		kind         fault.Kind
		exit, status int
		retry        bool
	}{
		{fault.Invalid, 3, 400, false},
		{fault.Unauthenticated, 4, 401, false},
		{fault.Forbidden, 4, 403, false},
		{fault.Conflict, 5, 409, false},
		{fault.NotFound, 6, 404, true},
		{fault.Unavailable, 7, 503, true},
		{fault.Exhausted, 8, 429, true},
		{fault.Internal, 1, 500, true},
		{"from a newer node", 1, 500, true},
	} {
		if c.kind.Exit() != c.exit || c.kind.Status() != c.status || c.kind.Retry() != c.retry {
			t.Errorf("%s = exit %d, status %d, retry %v", c.kind, c.kind.Exit(), c.kind.Status(), c.kind.Retry())
		}
	}
}

func TestChain(t *testing.T) {
	inner := fault.New(fault.NotFound, "no folder %q", "apps").WithHint("create it")
	outer := fmt.Errorf("load: %w", inner)
	if got := fault.KindOf(outer); got != fault.NotFound {
		t.Errorf("kind = %s", got)
	}
	if got := fault.HintOf(outer); got != "create it" {
		t.Errorf("hint = %q", got)
	}
	if got := fault.KindOf(&fault.Error{Op: "x", Err: outer}); got != fault.NotFound {
		t.Errorf("an error without a kind takes its cause's, got %s", got)
	}
	if got := fault.KindOf(errors.New("plain")); got != fault.Internal {
		t.Errorf("unclassified = %s", got)
	}
	if fault.KindOf(nil) != "" {
		t.Error("no error has no kind")
	}
	wrapped := fault.Wrap(fault.Unavailable, fs.ErrNotExist, "fetch")
	if !errors.Is(wrapped, fs.ErrNotExist) || wrapped.Error() != "fetch: file does not exist" {
		t.Errorf("wrap = %v", wrapped)
	}
}
