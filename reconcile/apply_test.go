package reconcile_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile"
	"github.com/fazt-sh/fazt/spec"
)

// alone is a node that follows nothing and serves a and b by an Apply.
func alone(t *testing.T) *rig {
	t.Helper()
	r := build()
	c := r.config()
	c.Source = nil
	r.start(t, c)
	if s := r.loop.Status(); s.Phase != reconcile.Idle || !s.Next.IsZero() {
		t.Fatalf("before anything was applied it is %s", s.Phase)
	}
	result, err := r.loop.Apply(t.Context(), reconcile.ApplyRequest{Artifact: commit(apps("a", "b"), "one"), Actor: "local:0"})
	if err != nil || result.Outcome != reconcile.Applied || result.Generation != 1 || result.Plan.Counts.Create != 3 {
		t.Fatalf("first apply: %+v, %v", result, err)
	}
	return r
}

// TestApplyIsWhollyOrNotAtAll goes through what a folder can be refused for.
func TestApplyIsWhollyOrNotAtAll(t *testing.T) {
	broken := apps("a", "b")
	broken.Broken = []string{"b"}
	taken := apps("a", "b", "c")
	taken.Broken = []string{"b"}
	taken.Apps["c"] = spec.App{Content: "apps/c", Hosts: []string{"b.example.com"}}
	tests := []struct {
		name  string
		r     reconcile.ApplyRequest
		set   func(*rig)
		kind  fault.Kind
		finds bool
	}{
		{name: "a shared fault", r: reconcile.ApplyRequest{Artifact: commit(config{Refused: true}, "")}, kind: fault.Invalid, finds: true},
		{name: "a broken app", r: reconcile.ApplyRequest{Artifact: commit(broken, "two")}, kind: fault.Invalid, finds: true},
		{name: "a host that a broken app keeps", r: reconcile.ApplyRequest{Artifact: commit(taken, "one")}, kind: fault.Conflict, finds: true},
		{name: "another plan", r: reconcile.ApplyRequest{Artifact: commit(apps("a", "b"), "two"), ExpectPlan: "p-000000000000"}, kind: fault.Conflict},
		{name: "no app left", r: reconcile.ApplyRequest{Artifact: commit(apps(), "")}, kind: fault.Conflict},
		{
			name: "an app that cannot be staged", r: reconcile.ApplyRequest{Artifact: commit(apps("a", "b"), "two")}, kind: fault.Invalid,
			set: func(r *rig) { r.edge.faults["app.b"] = fault.New(fault.Invalid, "line 1 of _headers") },
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := alone(t)
				defer r.end()
				before, status := r.edge.view(), *r.loop.Status()
				if test.set != nil {
					test.set(r)
				}
				result, err := r.loop.Apply(t.Context(), test.r)
				if fault.KindOf(err) != test.kind || result.Published {
					t.Errorf("kind %q, published %t: %v", fault.KindOf(err), result.Published, err)
				}
				if (len(result.Diagnostics) > 0) != test.finds {
					t.Errorf("%d findings", len(result.Diagnostics))
				}
				if s := r.loop.Status(); s.Phase != status.Phase || s.Generation != 1 || s.Problem != nil || r.edge.view() != before {
					t.Errorf("it is %s at generation %d\n%s", s.Phase, s.Generation, r.edge.view())
				}
				if len(r.ledger.commits) != 1 || len(r.ledger.entries) != 0 {
					t.Errorf("%d commits, %d notes", len(r.ledger.commits), len(r.ledger.entries))
				}
			})
		})
	}
}

// TestAPlanTellsWhatApplyRefuses has the guard answer whoever only asks.
func TestAPlanTellsWhatApplyRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := alone(t)
		defer r.end()
		none := commit(apps(), "")
		p, _, err := r.loop.Plan(t.Context(), none)
		if err != nil || p.Refused == nil || p.Counts.Park == 0 {
			t.Fatalf("%+v, %v", p, err)
		}
		_, err = r.loop.Apply(t.Context(), reconcile.ApplyRequest{Artifact: none, ExpectPlan: p.ID})
		if fault.Message(err) != p.Refused.Message || fault.HintOf(err) != p.Refused.Hint {
			t.Errorf("the plan says %q, apply says %v", p.Refused.Message, err)
		}
		if p, _, err = r.loop.Plan(t.Context(), commit(apps("a"), "")); err != nil || p.Refused != nil {
			t.Errorf("with an app left: %+v, %v", p.Refused, err)
		}
	})
}

// TestPlanThenApply agrees to a plan and gets that plan, once.
func TestPlanThenApply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := alone(t)
		defer r.end()
		two := commit(apps("a", "c"), "one")
		before := r.edge.view()
		p, findings, err := r.loop.Plan(t.Context(), two)
		if err != nil || len(findings) > 0 || p.Counts.Create != 1 || p.Counts.Park != 1 || p.Counts.Unchanged != 2 {
			t.Fatalf("%+v, %v, %v", p.Counts, findings, err)
		}
		if r.edge.view() != before || r.edge.stages != 1 {
			t.Fatal("a plan touched the node")
		}
		result, err := r.loop.Apply(t.Context(), reconcile.ApplyRequest{Artifact: two, ExpectPlan: p.ID})
		if err != nil || result.Plan.ID != p.ID || result.Outcome != reconcile.Applied || result.Generation != 2 {
			t.Fatalf("%+v, %v", result, err)
		}
		_, err = r.loop.Apply(t.Context(), reconcile.ApplyRequest{Artifact: two, ExpectPlan: p.ID})
		if fault.KindOf(err) != fault.Conflict {
			t.Errorf("the same plan a second time: %v", err)
		}
		result, err = r.loop.Apply(t.Context(), reconcile.ApplyRequest{Artifact: two})
		if err != nil || result.Outcome != reconcile.Unchanged || result.Generation != 2 {
			t.Errorf("the same folder a second time: %s, %v", result.Outcome, err)
		}
	})
}

func TestPlanOfWhatCannotBePlanned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := following(t)
		defer r.end()
		p, findings, err := r.loop.Plan(t.Context(), commit(config{Refused: true}, ""))
		if err != nil || len(findings) != 1 || p.ID != "" {
			t.Errorf("%q, %v, %v", p.ID, findings, err)
		}
	})
}

// TestWhoFollowsIsNotApplied and the other way round: one writer.
func TestWhoFollowsIsNotApplied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := following(t)
		_, err := r.loop.Apply(t.Context(), reconcile.ApplyRequest{Artifact: commit(apps("a"), "x")})
		if fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), r.repo.String()) || fault.HintOf(err) == "" {
			t.Errorf("%v", err)
		}
		r.end()
		_, err = r.loop.Sync(t.Context(), reconcile.SyncRequest{Wait: true})
		if fault.KindOf(err) != fault.Unavailable {
			t.Errorf("after the end: %v", err)
		}
		other := alone(t)
		defer other.end()
		other.loop.Trigger()
		if _, err = other.loop.Sync(t.Context(), reconcile.SyncRequest{}); fault.KindOf(err) != fault.Conflict {
			t.Errorf("%v", err)
		}
	})
}

// TestWhoGivesUpStopsTheApply cancels the caller while it is staged: the
// artifact must not be read after Apply has returned.
func TestWhoGivesUpStopsTheApply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := alone(t)
		defer r.end()
		before := r.edge.view()
		r.edge.with(func() { r.edge.staging, r.edge.block = make(chan struct{}, 1), make(chan struct{}) })
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-r.edge.staging
			cancel()
		}()
		_, err := r.loop.Apply(ctx, reconcile.ApplyRequest{Artifact: commit(apps("a"), "two")})
		if fault.KindOf(err) != fault.Unavailable || r.edge.view() != before {
			t.Errorf("%v\n%s", err, r.edge.view())
		}
	})
}

// TestAWatchedFolderIsNotPolled follows by pokes alone.
func TestAWatchedFolderIsNotPolled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := build()
		r.repo.push(commit(apps("a"), "one"))
		c := r.config()
		c.Interval = -1
		r.start(t, c)
		defer r.end()
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if n := r.repo.count(); n != 1 || !r.loop.Status().Next.IsZero() {
			t.Errorf("%d fetches in a day without a change", n)
		}
		r.repo.push(commit(apps("a"), "two"))
		r.repo.pokes <- struct{}{}
		synctest.Wait()
		if s := r.loop.Status(); s.Generation != 2 || s.Published != r.repo.tip.Revision {
			t.Errorf("after a change: generation %d", s.Generation)
		}
	})
}
