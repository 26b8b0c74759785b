package reconcile_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile"
	"github.com/fazt-sh/fazt/reconcile/plan"
	"github.com/fazt-sh/fazt/spec"
)

// adjust carries out an adjustment and waits until the loop is at rest.
func (r *rig) adjust(t *testing.T, a reconcile.Adjustment) reconcile.Result {
	t.Helper()
	a.Actor = "local:0"
	result, err := r.loop.Adjust(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return result
}

// rollback puts a release of an app back.
func rollback(o spec.Object, reason string) reconcile.Adjustment {
	return reconcile.Adjustment{
		Trigger: "rollback", Put: []spec.Object{o},
		Hold: []reconcile.Hold{{Kind: reconcile.RolledBack, Addr: o.Addr, Deployment: 1, Reason: reason}},
	}
}

// served finds an app among what is served.
func (r *rig) served(addr spec.Addr) (spec.Object, bool) {
	objects, _ := r.edge.Observe(context.Background())
	i := slices.IndexFunc(objects, func(o spec.Object) bool { return o.Addr == addr })
	if i < 0 {
		return spec.Object{}, false
	}
	return objects[i], true
}

func (r *rig) state(addr spec.Addr) reconcile.AppStatus {
	for _, a := range r.loop.Status().Apps {
		if a.Addr == addr {
			return a
		}
	}
	return reconcile.AppStatus{}
}

// rolledBack is a rig whose app.a went back from page two to page one.
func rolledBack(t *testing.T) (r *rig, one spec.Object) {
	r = following(t)
	one, _ = r.served("app.a")
	r.repo.push(commit(apps("a", "b"), "two"))
	r.sync(t)
	r.adjust(t, rollback(one, "the menu is gone"))
	return r, one
}

// An app that was rolled back stays so, whatever else moves and however often
// the repository is asked, until it asks for something else.
func TestRollbackHoldsTheVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, one := rolledBack(t)
		defer r.end()
		if now, _ := r.served("app.a"); !plan.Same(now, one) || now.Revision != one.Revision {
			t.Fatalf("after the rollback it serves\n%s", r.edge.view())
		}
		s := r.loop.Status()
		if s.Phase != reconcile.Waiting || s.Problem == nil || !strings.Contains(s.Problem.Message, "rolled back by local:0: the menu is gone") {
			t.Errorf("it is %s: %+v", s.Phase, s.Problem)
		}
		if a := r.state("app.a"); a.State != reconcile.AppRolledBack || len(s.Holds) != 1 || s.Holds[0].Revision == "" {
			t.Errorf("the app is %+v, the holds are %+v", a, s.Holds)
		}
		if result := r.sync(t); result.Outcome != reconcile.Reverted {
			t.Errorf("who waits for the revision is told %s", result.Outcome)
		}

		again := commit(apps("a", "b", "c"), "two") // c is new, a is as bad as before
		r.repo.push(again)
		if result := r.sync(t); result.Outcome != reconcile.Reverted || !result.Published {
			t.Errorf("another commit with the same a: %s, %v", result.Outcome, result.Problem)
		}
		if now, _ := r.served("app.a"); !plan.Same(now, one) {
			t.Error("the version in quarantine came back")
		}
		if _, is := r.served("app.c"); !is {
			t.Error("the rollback of a kept c from being served")
		}

		r.repo.push(commit(apps("a", "b", "c"), "three"))
		if result := r.sync(t); result.Outcome != reconcile.Applied || len(r.loop.Status().Holds) != 0 || len(r.ledger.holds) != 0 {
			t.Errorf("a different version: %s, held: %v", result.Outcome, r.loop.Status().Holds)
		}
		if a := r.state("app.a"); a.State != reconcile.AppLive {
			t.Errorf("nobody holds it, and it is %s: %s", a.State, a.Message)
		}
	})
}

// Going back takes no protection off: it is a commit that does, and another one
// that removes the app.
func TestRollbackKeepsProtection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := following(t)
		defer r.end()
		one, _ := r.served("app.a")
		c := apps("a", "b")
		a := c.Apps["a"]
		a.Protect, a.OnRemove = true, spec.Delete
		c.Apps["a"] = a
		r.repo.push(commit(c, "two"))
		r.sync(t)
		r.adjust(t, rollback(one, "it is bad"))
		now, _ := r.served("app.a")
		if protected := now.WithEndOf(one); plan.Same(now, one) || !plan.Same(protected, one) {
			t.Fatalf("it went back to %s", now.Spec)
		}
		r.repo.push(commit(apps("b"), "three"))
		if result := r.sync(t); result.Outcome != reconcile.Refused {
			t.Errorf("the block of a protected app is gone, and it is %s", result.Outcome)
		}
		if _, there := r.served("app.a"); !there {
			t.Error("a rollback and one commit removed it")
		}
	})
}

// A release that differs in its protection only is nowhere to go back to.
func TestRollbackOfProtectionAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := following(t)
		defer r.end()
		one, _ := r.served("app.a")
		c := apps("a", "b")
		a := c.Apps["a"]
		a.Protect = true
		c.Apps["a"] = a
		r.repo.push(commit(c, "one"))
		r.sync(t)
		_, err := r.loop.Adjust(t.Context(), rollback(one, "it is bad"))
		if fault.KindOf(err) != fault.Conflict || len(r.loop.Status().Holds) != 0 {
			t.Errorf("%v, held: %v", err, r.loop.Status().Holds)
		}
	})
}

// A new name does not let a version out of quarantine.
func TestRollbackHoldsUnderANewName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, one := rolledBack(t)
		defer r.end()
		c := apps("b", "c")
		c.Apps["c"] = spec.App{Content: "apps/c", Hosts: []string{"a.example.com"}}
		c.Moved = []spec.Moved{{From: "app.a", To: "app.c"}}
		r.repo.push(commit(c, "two"))
		r.sync(t)
		now, there := r.served("app.a")
		if _, moved := r.served("app.c"); moved || !there || !plan.Same(now, one) || len(r.loop.Status().Holds) != 1 {
			t.Errorf("%v\n%s", r.loop.Status().Holds, r.edge.view())
		}
	})
}

// A crash forgets no hold.
func TestRollbackSurvivesACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, one := rolledBack(t)
		r.end()
		c := r.config()
		c.Last = r.ledger.last()
		r.ended = make(chan struct{})
		r.start(t, c)
		defer r.end()
		if now, _ := r.served("app.a"); !plan.Same(now, one) || r.state("app.a").State != reconcile.AppRolledBack {
			t.Errorf("after the crash: %+v\n%s", r.state("app.a"), r.edge.view())
		}
	})
}

// Whoever goes back twice has both versions in quarantine.
func TestRollbackTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := following(t)
		defer r.end()
		one, _ := r.served("app.a")
		r.repo.push(commit(apps("a", "b"), "two"))
		r.sync(t)
		two, _ := r.served("app.a")
		r.repo.push(commit(apps("a", "b"), "three"))
		r.sync(t)
		r.adjust(t, rollback(two, "three is bad"))
		r.adjust(t, rollback(one, "so is two"))
		for _, page := range []string{"two", "three"} {
			r.repo.push(commit(apps("a", "b"), page))
			if result := r.sync(t); result.Outcome != reconcile.Reverted {
				t.Errorf("page %s: %s", page, result.Outcome)
			}
		}
		if now, _ := r.served("app.a"); !plan.Same(now, one) {
			t.Error("it left the release that it went back to")
		}
	})
}

// Resuming takes what the repository asks for again.
func TestResumeAfterRollback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, one := rolledBack(t)
		defer r.end()
		r.adjust(t, reconcile.Adjustment{Trigger: "resume", Free: []reconcile.HoldKey{{Kind: reconcile.RolledBack, Addr: "app.a"}}})
		if now, _ := r.served("app.a"); plan.Same(now, one) || r.loop.Status().Phase != reconcile.Synced {
			t.Errorf("%s\n%s", r.loop.Status().Phase, r.edge.view())
		}
	})
}

// A rollback asks neither the repository nor the loader.
func TestRollbackNeedsNoRepository(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := following(t)
		defer r.end()
		one, _ := r.served("app.a")
		r.repo.push(commit(apps("a", "b"), "two"))
		r.sync(t)
		r.repo.fail(fault.New(fault.Unavailable, "the network is gone"))
		loads := r.loader.count()
		result := r.adjust(t, rollback(one, ""))
		if result.Outcome != reconcile.Applied || r.loader.count() != loads {
			t.Errorf("%s after %d loads", result.Outcome, r.loader.count()-loads)
		}
		if now, _ := r.served("app.a"); !plan.Same(now, one) {
			t.Errorf("it serves\n%s", r.edge.view())
		}
	})
}

// A dry run shows the plan and changes nothing.
func TestRollbackDryRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := following(t)
		defer r.end()
		one, _ := r.served("app.a")
		r.repo.push(commit(apps("a", "b"), "two"))
		r.sync(t)
		before, commits := r.edge.view(), len(r.ledger.commits)
		a := rollback(one, "")
		a.DryRun = true
		result := r.adjust(t, a)
		if result.Plan.Counts.Update != 1 || r.edge.view() != before || len(r.ledger.commits) != commits || len(r.loop.Status().Holds) != 0 {
			t.Errorf("%+v, %d commits", result.Plan.Counts, len(r.ledger.commits)-commits)
		}
	})
}

// An app that is rolled back to before it was there goes to the trash and
// comes back from it.
func TestRollbackToNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := following(t)
		defer r.end()
		r.repo.push(commit(apps("a", "b", "c"), "one"))
		r.sync(t)
		r.adjust(t, reconcile.Adjustment{Trigger: "rollback", Drop: []spec.Addr{"app.c"}, Hold: []reconcile.Hold{{Kind: reconcile.RolledBack, Addr: "app.c"}}})
		if _, is := r.served("app.c"); is || r.state("app.c").State != reconcile.AppRolledBack || len(r.ledger.trash) != 1 {
			t.Fatalf("%+v, %d in the trash", r.state("app.c"), len(r.ledger.trash))
		}
		if result := r.sync(t); result.Outcome != reconcile.Reverted {
			t.Errorf("the same revision again: %s", result.Outcome)
		}
		r.adjust(t, reconcile.Adjustment{Trigger: "resume", Free: []reconcile.HoldKey{{Kind: reconcile.RolledBack, Addr: "app.c"}}})
		if _, is := r.served("app.c"); !is || len(r.ledger.trash) != 0 {
			t.Errorf("resumed, it is not there, with %d in the trash", len(r.ledger.trash))
		}
	})
}

// A paused node looks, says what it would do, and does nothing but what somebody
// asks for by name. Its pause ends by itself.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := following(t)
		defer r.end()
		r.adjust(t, reconcile.Adjustment{Trigger: "pause", Hold: []reconcile.Hold{{
			Kind: reconcile.Paused, Reason: "sale", Until: time.Now().Add(2 * time.Hour)}}})
		if s := r.loop.Status(); s.Phase != reconcile.Suspended {
			t.Errorf("with nothing to do it is %s", s.Phase)
		}
		before := r.edge.view()
		r.repo.push(commit(apps("a", "b"), "two"))
		result := r.sync(t)
		s := r.loop.Status()
		if result.Outcome != reconcile.Held || r.edge.view() != before || s.Phase != reconcile.Suspended || s.Remaining == nil || s.Remaining.Counts.Update != 2 {
			t.Errorf("%s, %s: %+v", result.Outcome, s.Phase, s.Remaining)
		}
		if _, err := r.loop.Sync(t.Context(), reconcile.SyncRequest{Wait: true, Once: true, Actor: "local:0"}); err != nil || r.edge.view() == before {
			t.Errorf("one pass was asked for: %v", err)
		}
		before = r.edge.view()
		r.repo.push(commit(apps("a", "b"), "three"))
		time.Sleep(time.Hour)
		synctest.Wait()
		if r.edge.view() != before {
			t.Error("a poll ended the pause")
		}
		time.Sleep(time.Hour + time.Minute)
		synctest.Wait()
		if s := r.loop.Status(); r.edge.view() == before || s.Phase != reconcile.Synced || len(r.ledger.holds) != 0 {
			t.Errorf("the pause is over, and it is %s with %d holds", s.Phase, len(r.ledger.holds))
		}
	})
}

// Once resumed a node does not say that it is paused, however long it takes until it
// has looked again.
func TestResumeIsSeenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := following(t)
		defer r.end()
		r.adjust(t, reconcile.Adjustment{Trigger: "pause", Hold: []reconcile.Hold{{Kind: reconcile.Paused}}})
		r.repo.push(commit(apps("a", "b"), "two"))
		r.sync(t)
		if s := r.loop.Status(); s.Phase != reconcile.Suspended || s.Problem == nil {
			t.Errorf("%s, %+v", s.Phase, s.Problem)
		}
		slow := make(chan struct{})
		r.repo.mu.Lock()
		r.repo.block = slow
		r.repo.mu.Unlock()
		r.adjust(t, reconcile.Adjustment{Trigger: "resume", Free: []reconcile.HoldKey{{Kind: reconcile.Paused}}})
		if s := r.loop.Status(); s.Problem != nil {
			t.Errorf("resumed, and the problem is %+v", s.Problem)
		}
		close(slow)
		synctest.Wait()
		if s := r.loop.Status(); s.Phase != reconcile.Synced {
			t.Error(s.Phase)
		}
	})
}

// A paused app stays, the others move.
func TestPauseOneApp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := following(t)
		defer r.end()
		a, _ := r.served("app.a")
		r.adjust(t, reconcile.Adjustment{Trigger: "pause", Hold: []reconcile.Hold{{Kind: reconcile.Paused, Addr: "app.a"}}})
		r.repo.push(commit(apps("a", "b"), "two"))
		result := r.sync(t)
		now, _ := r.served("app.a")
		b, _ := r.served("app.b")
		if result.Outcome != reconcile.Held || !plan.Same(now, a) || b.Revision != result.Revision || r.state("app.a").State != reconcile.AppHeld {
			t.Errorf("%s: %+v\n%s", result.Outcome, r.state("app.a"), r.edge.view())
		}
	})
}

// Whatever is held, each kind is named with its own apps, and the hint is about
// the first.
func TestMixedHoldsAreToldApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := build()
		r.repo.push(commit(apps("a", "b", "c"), "one"))
		r.start(t, r.config())
		defer r.end()
		b, _ := r.served("app.b")
		r.repo.push(commit(apps("a", "b", "c"), "two"))
		r.sync(t)
		r.adjust(t, rollback(b, "the menu is gone"))
		for _, addr := range []spec.Addr{"app.a", "app.c"} {
			r.adjust(t, reconcile.Adjustment{Trigger: "pause", Hold: []reconcile.Hold{{Kind: reconcile.Paused, Addr: addr, Reason: "for " + string(addr)}}})
		}
		more := apps("a", "b", "c", "d")
		for name, app := range more.Apps {
			app.Spa = name != "b"
			more.Apps[name] = app
		}
		r.repo.push(commit(more, "two"))
		p := r.sync(t).Problem
		if p == nil || p.Message != "app.b is rolled back by local:0: the menu is gone; app.a and app.c are paused" ||
			p.Hint != "mend it in git, or take it again: fazt resume --app b" || len(p.Apps) != 3 {
			t.Errorf("%+v", p)
		}
		r.adjust(t, reconcile.Adjustment{Trigger: "resume", Free: []reconcile.HoldKey{{Kind: reconcile.RolledBack, Addr: "app.b"}}})
		p = r.loop.Status().Problem
		if p == nil || p.Message != "app.a and app.c are paused" || p.Hint != "fazt resume --app a" || p.Kind.Exit() != 8 {
			t.Errorf("%+v", p)
		}
	})
}

// A pinned node is at its revision, whatever the repository says, until it is
// resumed.
func TestPin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := following(t)
		defer r.end()
		first, before := r.loop.Status().Applied, r.edge.view()
		r.repo.push(commit(apps("a", "b"), "two"))
		r.sync(t)
		r.adjust(t, reconcile.Adjustment{Trigger: "pin", Hold: []reconcile.Hold{{Kind: reconcile.Pinned, Revision: first}}})
		for range 2 {
			if s := r.loop.Status(); s.Applied != first || pages(r.edge.view()) != pages(before) {
				t.Fatalf("pinned to %.7s it is at %.7s\n%s", first, s.Applied, r.edge.view())
			}
			r.repo.push(commit(apps("a", "b"), "three"))
			r.sync(t)
		}
		r.tellsOfThePin(t, first)
		r.adjust(t, reconcile.Adjustment{Trigger: "resume", Free: []reconcile.HoldKey{{Kind: reconcile.Pinned}}})
		if pages(r.edge.view()) == pages(before) {
			t.Error("resumed, it is still at the pinned revision")
		}
		if _, err := r.loop.Adjust(t.Context(), reconcile.Adjustment{Hold: []reconcile.Hold{{Kind: reconcile.Pinned, Revision: "feed"}}}); fault.KindOf(err) != fault.NotFound {
			t.Errorf("pinned to a revision nobody knows: %v", err)
		}
	})
}

// tellsOfThePin holds that a pinned node looks, wants what it saw, and says to
// whoever waits for it that it is held.
func (r *rig) tellsOfThePin(t *testing.T, pinned string) {
	t.Helper()
	newest := r.repo.tip.Revision
	if s := r.loop.Status(); s.Desired != newest || s.Applied != pinned || s.Phase != reconcile.Suspended {
		t.Errorf("pinned it is %s at %.7s and wants %.7s", s.Phase, s.Applied, s.Desired)
	}
	for _, asked := range []string{"", newest, newest[:9]} {
		result, err := r.loop.Sync(t.Context(), reconcile.SyncRequest{Wait: true, Revision: asked})
		if err != nil || result.Outcome != reconcile.Held || !strings.HasPrefix(result.Revision, newest[:9]) ||
			!strings.Contains(result.Problem.Message, "pinned to "+pinned[:12]+" by local:0") || result.Problem.Kind.Exit() != 8 {
			t.Errorf("asked for %q it is %s: %+v, %v", asked, result.Outcome, result.Problem, err)
		}
	}
	result, err := r.loop.Sync(t.Context(), reconcile.SyncRequest{Wait: true, Revision: pinned})
	if err != nil || result.Outcome != reconcile.Unchanged {
		t.Errorf("the pinned one is %s, %v", result.Outcome, err)
	}
	r.repo.fail(fault.New(fault.Unavailable, "the network is gone"))
	if result = r.sync(t); result.Outcome != reconcile.Failing || r.loop.Status().Applied != pinned {
		t.Errorf("without a network nobody knows the newest, and it is %s", result.Outcome)
	}
	r.repo.fail(nil)
}

// pages is a view without the revisions.
func pages(view string) string {
	var b strings.Builder
	for line := range strings.Lines(view) {
		words := strings.Fields(line)
		b.WriteString(strings.Join(slices.Delete(words, 2, min(3, len(words))), " "))
	}
	return b.String()
}

// An approved revision may be a base, once.
func TestApprove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := following(t)
		defer r.end()
		other := commit(apps("a", "b"), "other")
		r.repo.mu.Lock()
		r.repo.seen[other.Revision] = other
		r.repo.mu.Unlock()
		r.adjust(t, reconcile.Adjustment{Trigger: "approve", Hold: []reconcile.Hold{{Kind: reconcile.Approved, Revision: other.Revision}}})
		if last := r.repo.lasts[len(r.repo.lasts)-1]; !strings.Contains(last, other.Revision) {
			t.Errorf("the source was asked with the bases %q", last)
		}
		if len(r.loop.Status().Holds) != 0 {
			t.Error("the approval outlived its pass")
		}
	})
}

// What somebody approved is carried out though an app of it cannot be prepared.
func TestApprovedRemovalBesideAFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := build()
		r.repo.push(commit(apps("a", "b", "c", "d", "e", "f", "g", "h"), "one"))
		r.start(t, r.config())
		defer r.end()
		few := commit(apps("a", "z"), "one")
		r.repo.push(few)
		r.edge.with(func() { r.edge.faults["app.z"] = fault.New(fault.Unavailable, "the disk is slow") })
		if result := r.sync(t); result.Outcome != reconcile.Refused {
			t.Fatalf("7 of 8 apps go, and it is %s", result.Outcome)
		}
		r.adjust(t, reconcile.Adjustment{Trigger: "approve", Hold: []reconcile.Hold{{Kind: reconcile.Approved, Revision: few.Revision}}})
		_, stays := r.served("app.b")
		if _, a := r.served("app.a"); stays || !a {
			t.Errorf("approved, and app.b is there: %v\n%s", stays, r.edge.view())
		}
	})
}

// A release that comes back has the data of today, whatever it had: data is not
// taken back by a rollback. To go back to what is served but for that is to
// change nothing.
func TestRollbackKeepsData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := build()
		c := apps("a", "b")
		a := c.Apps["a"]
		a.KV = []spec.KV{{Name: "K"}}
		c.Apps["a"] = a
		r.repo.push(commit(c, "one"))
		r.start(t, r.config())
		defer r.end()
		one, _ := r.served("app.a")
		r.adjust(t, reconcile.Adjustment{Trigger: "restore", Data: map[spec.Addr]string{"app.a": "of-monday"}})
		if _, err := r.loop.Adjust(t.Context(), rollback(one, "")); fault.KindOf(err) != fault.Conflict {
			t.Errorf("back to the same release with other data: %v", err)
		}
		r.repo.push(commit(c, "two"))
		r.sync(t)
		result := r.adjust(t, rollback(one, ""))
		if now, _ := r.served("app.a"); !plan.Same(now, one) || now.Data != "of-monday" {
			t.Errorf("it went back to the data %q", now.Data)
		}
		if reason := result.Plan.Changes[0].Reason; reason != plan.ContentChanged {
			t.Errorf("the plan says %s", reason)
		}
	})
}

// An app that belongs to no block stays so through what happens to others, and
// no plan speaks of it.
func TestAdjustmentLeavesTheUnmanaged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := following(t)
		defer r.end()
		one, _ := r.served("app.a")
		b, _ := r.served("app.b")
		b.Addr, b.Name, b.Unmanaged = "app.c", "c", true
		b.Spec = []byte(`{"content":"apps/b","hosts":["c.example.com"]}`)
		b.Digest = digest(b.Kind, b.Spec)
		made := r.adjust(t, reconcile.Adjustment{Trigger: "restore", Put: []spec.Object{b}, Data: map[spec.Addr]string{"app.c": "of-monday"}})
		if c, _ := r.served("app.c"); c.Data != "of-monday" || !c.Unmanaged || len(made.Deployments) != 1 {
			t.Fatalf("beside the others is %+v, the history has %+v", c, made.Deployments)
		}
		r.repo.push(commit(apps("a", "b"), "two"))
		r.sync(t)
		result := r.adjust(t, rollback(one, ""))
		if len(result.Plan.Changes) != 1 || result.Plan.Changes[0].Addr != "app.a" {
			t.Errorf("the plan of going back has %+v", result.Plan.Changes)
		}
		if c, _ := r.served("app.c"); c.Data != "of-monday" || !c.Unmanaged {
			t.Errorf("and what nobody spoke of is %+v", c)
		}
	})
}
