package main

import (
	"testing"

	"github.com/fazt-sh/fazt/reconcile"
)

// dev speaks of a release that keeps serving only where there is one.
func TestWhatKeepsServing(t *testing.T) {
	live := reconcile.AppStatus{Addr: "app.a", State: reconcile.AppLive, Revision: "one"}
	stays := reconcile.AppStatus{Addr: "app.b", State: reconcile.AppStalled, Revision: "one"}
	never := reconcile.AppStatus{Addr: "app.c", State: reconcile.AppStalled}
	for name, c := range map[string]struct {
		apps []reconcile.AppStatus
		want bool
	}{
		"nothing was ever released":       {nil, false},
		"the revision is refused":         {[]reconcile.AppStatus{live}, true},
		"the app was never released":      {[]reconcile.AppStatus{never}, false},
		"so it is beside another":         {[]reconcile.AppStatus{live, never}, false},
		"the app stays on a release":      {[]reconcile.AppStatus{live, stays}, true},
		"one of two stays on its release": {[]reconcile.AppStatus{never, stays}, true},
	} {
		if got := fallsBack(c.apps); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
