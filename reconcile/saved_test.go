package reconcile_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile"
	"github.com/fazt-sh/fazt/spec"
)

// A saved plan is carried out once, in its time, on its node, of its folder, and
// only if what it touches is as it was.
func TestSavedPlan(t *testing.T) {
	day := func() time.Time { return time.Now().Add(24 * time.Hour) }
	two := commit(apps("a", "b"), "two")
	for _, c := range []struct {
		name   string
		then   func(t *testing.T, r *rig, saved *reconcile.ApplyRequest)
		refuse string
	}{
		{"at once", func(*testing.T, *rig, *reconcile.ApplyRequest) {}, ""},
		{"late", func(*testing.T, *rig, *reconcile.ApplyRequest) { time.Sleep(25 * time.Hour) }, "has expired"},
		{"elsewhere", func(_ *testing.T, _ *rig, r *reconcile.ApplyRequest) { r.Saved.Lineage = "another" }, "another node"},
		{"another folder", func(_ *testing.T, _ *rig, r *reconcile.ApplyRequest) { r.Artifact = commit(apps("a", "b"), "three") }, "not the one"},
		{"twice", func(t *testing.T, r *rig, saved *reconcile.ApplyRequest) {
			for _, next := range []reconcile.ApplyRequest{*saved, {Artifact: commit(apps("a", "b"), "one")}} {
				if _, err := r.loop.Apply(t.Context(), next); err != nil {
					t.Fatal(err)
				}
			}
		}, "already"},
		{"after another", func(t *testing.T, r *rig, _ *reconcile.ApplyRequest) {
			if _, err := r.loop.Apply(t.Context(), reconcile.ApplyRequest{Artifact: commit(apps("a", "b"), "between")}); err != nil {
				t.Fatal(err)
			}
		}, "stale"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := alone(t)
				defer r.end()
				saved, findings, err := r.loop.SavePlan(t.Context(), two, day())
				if err != nil || findings.HasErrors() {
					t.Fatal(findings, err)
				}
				request := reconcile.ApplyRequest{Artifact: two, Saved: &saved}
				c.then(t, r, &request)
				before := r.edge.view()
				_, err = r.loop.Apply(t.Context(), request)
				switch {
				case c.refuse == "" && (err != nil || r.edge.view() == before):
					t.Errorf("it was not carried out: %v", err)
				case c.refuse != "" && (fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), c.refuse) || r.edge.view() != before):
					t.Errorf("%v", err)
				}
				var stale *reconcile.Stale
				if errors.As(err, &stale) != (c.refuse == "stale") || stale != nil && stale.Difference.Fits() {
					t.Errorf("the difference is %+v", stale)
				}
			})
		})
	}
}

// What a saved plan does not touch may change before it is carried out.
func TestSavedPlanMindsOnlyWhatItTouches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := alone(t)
		defer r.end()
		other := object(spec.KindApp, "app.z", "z", spec.App{Content: "apps/b", Hosts: []string{"z.example.com"}})
		other.Unmanaged = true
		c := apps("a", "b")
		c.Apps["a"] = spec.App{Content: "apps/a", Hosts: []string{"a.example.com"}, Spa: true}
		changed := commit(c, "one")
		saved, _, err := r.loop.SavePlan(t.Context(), changed, time.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		r.adjust(t, reconcile.Adjustment{Trigger: "restore", Put: []spec.Object{other}})
		if _, err := r.loop.Apply(t.Context(), reconcile.ApplyRequest{Artifact: changed, Saved: &saved}); err != nil {
			t.Errorf("app.z came back from the trash, and the plan of app.a does not fit: %v", err)
		}
	})
}

// One applies at a time; whoever comes second hears who does.
func TestOneAppliesAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := alone(t)
		defer r.end()
		r.edge.staging, r.edge.block = make(chan struct{}), make(chan struct{})
		first := make(chan error, 1)
		go func() {
			_, err := r.loop.Apply(t.Context(), reconcile.ApplyRequest{Artifact: commit(apps("a"), "two"), Actor: "local:1"})
			first <- err
		}()
		<-r.edge.staging
		_, err := r.loop.Apply(t.Context(), reconcile.ApplyRequest{Artifact: commit(apps("a"), "three"), Actor: "local:2"})
		if fault.KindOf(err) != fault.Exhausted || !strings.Contains(err.Error(), "local:1") {
			t.Errorf("the second one is told %v", err)
		}
		close(r.edge.block)
		if err := <-first; err != nil {
			t.Error(err)
		}
		r.edge.block = nil
		if _, err := r.loop.Apply(t.Context(), reconcile.ApplyRequest{Artifact: commit(apps("a"), "three"), Actor: "local:2"}); err != nil {
			t.Errorf("when the first is done: %v", err)
		}
	})
}
