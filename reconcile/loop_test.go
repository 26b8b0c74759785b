package reconcile_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile"
	"github.com/fazt-sh/fazt/spec"
)

// TestWhatGoesWrong goes through the ways a pass can fail. In none of them does
// a visitor see anything else than before, but for the apps that have no part
// in it.
func TestWhatGoesWrong(t *testing.T) {
	newer := commit(apps("a", "b"), "two")
	missing := artifact(apps("a", "b"), fstest.MapFS{"apps/a/index.html": {Data: []byte("a two")}})
	broken := apps("a", "b")
	broken.Broken = []string{"b"}
	full := fault.New(fault.Exhausted, "the disk is full").WithHint("make room")
	odd := fault.New(fault.Invalid, "line 3 of _redirects has no target").WithCode("F2009")

	tests := []struct {
		name    string
		set     func(*rig)
		outcome reconcile.Outcome
		phase   reconcile.Phase
		kind    fault.Kind
		moves   bool // a moves on, b stays
		retry   time.Duration
		discard int
		mend    func(*rig)
	}{
		{
			name:    "the repository does not answer",
			set:     func(r *rig) { r.repo.fail(fault.New(fault.Unavailable, "no route to host")) },
			mend:    func(r *rig) { r.repo.push(newer) },
			outcome: reconcile.Failing, phase: reconcile.Failed, kind: fault.Unavailable, retry: 5 * time.Second,
		},
		{
			name:    "history was rewritten",
			set:     func(r *rig) { r.repo.fail(fault.New(fault.Conflict, "it does not descend").WithCode("F2201")) },
			mend:    func(r *rig) { r.repo.push(newer) },
			outcome: reconcile.Rewritten, phase: reconcile.Diverged, kind: fault.Conflict, retry: time.Minute,
		},
		{
			name:    "a shared file is broken",
			set:     func(r *rig) { r.repo.push(commit(config{Refused: true}, "")) },
			mend:    func(r *rig) { r.repo.push(newer) },
			outcome: reconcile.Stuck, phase: reconcile.Stalled, kind: fault.Invalid, retry: time.Minute,
		},
		{
			name:    "the loader cannot start",
			set:     func(r *rig) { r.repo.push(newer); r.loader.err = fault.New(fault.Unavailable, "no memory") },
			mend:    func(r *rig) { r.loader.err = nil },
			outcome: reconcile.Failing, phase: reconcile.Failed, kind: fault.Unavailable, retry: 5 * time.Second,
		},
		{
			name:    "the loader is stopped at its limit",
			set:     func(r *rig) { r.repo.push(newer); r.loader.err = fault.New(fault.Invalid, "too much") },
			mend:    func(r *rig) { r.loader.err = nil; r.repo.push(commit(apps("a", "b"), "three")) },
			outcome: reconcile.Stuck, phase: reconcile.Stalled, kind: fault.Invalid, retry: time.Minute,
		},
		{
			name:    "an app does not evaluate",
			set:     func(r *rig) { r.repo.push(commit(broken, "two")) },
			mend:    func(r *rig) { r.repo.push(newer) },
			outcome: reconcile.Stuck, phase: reconcile.Stalled, kind: fault.Invalid, retry: time.Minute, moves: true,
		},
		{
			name:    "the content of an app is missing",
			set:     func(r *rig) { r.repo.push(missing) },
			mend:    func(r *rig) { r.repo.push(newer) },
			outcome: reconcile.Stuck, phase: reconcile.Stalled, kind: fault.Invalid, retry: time.Minute, moves: true,
		},
		{
			name:    "an app cannot be staged as it is",
			set:     func(r *rig) { r.repo.push(newer); r.edge.faults["app.b"] = odd },
			mend:    func(r *rig) { delete(r.edge.faults, "app.b"); r.repo.push(commit(apps("a", "b"), "three")) },
			outcome: reconcile.Stuck, phase: reconcile.Stalled, kind: fault.Invalid, retry: time.Minute, moves: true,
		},
		{
			name:    "an app cannot be staged now",
			set:     func(r *rig) { r.repo.push(newer); r.edge.faults["app.b"] = full },
			mend:    func(r *rig) { delete(r.edge.faults, "app.b") },
			outcome: reconcile.Failing, phase: reconcile.Failed, kind: fault.Exhausted, retry: 5 * time.Second, moves: true,
		},
		{
			name:    "no app is left",
			set:     func(r *rig) { r.repo.push(commit(apps(), "")) },
			mend:    func(r *rig) { r.repo.push(newer) },
			outcome: reconcile.Refused, phase: reconcile.Waiting, kind: fault.Conflict, retry: time.Minute,
		},
		{
			name:    "the stage fails",
			set:     func(r *rig) { r.repo.push(newer); r.edge.err = full },
			mend:    func(r *rig) { r.edge.err = nil },
			outcome: reconcile.Failing, phase: reconcile.Failed, kind: fault.Exhausted, retry: 5 * time.Second,
		},
		{
			name:    "the stage has a defect",
			set:     func(r *rig) { r.repo.push(newer); r.edge.panics = true },
			mend:    func(r *rig) { r.edge.panics = false },
			outcome: reconcile.Failing, phase: reconcile.Failed, kind: fault.Internal, retry: 5 * time.Second,
		},
		{
			name:    "the ledger fails",
			set:     func(r *rig) { r.repo.push(newer); r.ledger.err = fault.New(fault.Unavailable, "disk I/O error") },
			mend:    func(r *rig) { r.ledger.err = nil },
			outcome: reconcile.Failing, phase: reconcile.Failed, kind: fault.Unavailable, retry: 5 * time.Second, discard: 1,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := following(t)
				defer r.end()
				before := r.edge.view()
				test.set(r)
				result := r.sync(t)
				synctest.Wait()
				s := r.loop.Status()
				if result.Outcome != test.outcome || s.Phase != test.phase {
					t.Errorf("outcome %s, phase %s; want %s, %s", result.Outcome, s.Phase, test.outcome, test.phase)
				}
				if s.Problem == nil || s.Problem.Kind != test.kind || s.Problem.Message == "" {
					t.Fatalf("problem %+v, want kind %s", s.Problem, test.kind)
				}
				if got := time.Until(s.Next); got != test.retry {
					t.Errorf("next attempt in %v, want %v", got, test.retry)
				}
				if r.edge.discards != test.discard {
					t.Errorf("%d stages discarded, want %d", r.edge.discards, test.discard)
				}
				if got := r.edge.view(); (got != before) != test.moves {
					t.Errorf("served before:\n%s\nnow:\n%s", before, got)
				}
				if test.moves {
					halfway(t, r, before)
				}
				if r.edge.view() != r.ledger.view() {
					t.Errorf("served:\n%s\nremembered:\n%s", r.edge.view(), r.ledger.view())
				}
				test.mend(r)
				if result := r.sync(t); result.Outcome != reconcile.Applied || result.Problem != nil {
					t.Errorf("mended, it is %s: %+v", result.Outcome, result.Problem)
				}
				if s := r.loop.Status(); s.Phase != reconcile.Synced || s.Problem != nil {
					t.Errorf("mended, it is %s", s.Phase)
				}
			})
		})
	}
}

// halfway checks that app.a moved on, and that app.b is wholly as it was and
// says why.
func halfway(t *testing.T, r *rig, before string) {
	t.Helper()
	line := func(view, addr string) string {
		for text := range strings.Lines(view) {
			if strings.HasPrefix(text, addr+" ") {
				return text
			}
		}
		return ""
	}
	after := r.edge.view()
	if line(before, "app.b") != line(after, "app.b") || line(before, "app.a") == line(after, "app.a") {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	s := r.loop.Status()
	if len(s.Apps) != 2 {
		t.Fatalf("%d apps in the status", len(s.Apps))
	}
	a, b := s.Apps[0], s.Apps[1]
	if a.State != reconcile.AppLive || a.Revision != r.repo.tip.Revision {
		t.Errorf("app.a is %s at %s", a.State, a.Revision)
	}
	if b.State == reconcile.AppLive || b.Revision == r.repo.tip.Revision || b.Revision == "" || b.Message == "" {
		t.Errorf("app.b is %s at %q: %q", b.State, b.Revision, b.Message)
	}
	var failed []string
	for _, d := range r.ledger.commits[len(r.ledger.commits)-1].Deployments {
		if d.Outcome != reconcile.DeployLive {
			failed = append(failed, d.App+" "+d.Outcome)
			if d.Error == "" || d.Generation != 0 {
				t.Errorf("%+v", d)
			}
		}
	}
	if len(failed) != 1 || !strings.HasPrefix(failed[0], "b ") {
		t.Errorf("deployments that did not go live: %v", failed)
	}
}

// TestWhatIsServedIsLookedAtAgain lets the target publish less than it staged.
func TestWhatIsServedIsLookedAtAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := following(t)
		defer r.end()
		r.edge.with(func() { r.edge.forgetful = true })
		r.repo.push(commit(apps("a", "b"), "two"))
		result := r.sync(t)
		synctest.Wait()
		s := r.loop.Status()
		if result.Outcome != reconcile.Drifting || s.Phase != reconcile.Drifted || s.Remaining == nil || s.Remaining.Empty() {
			t.Fatalf("outcome %s, phase %s, remaining %v", result.Outcome, s.Phase, s.Remaining)
		}
		if got := time.Until(s.Next); got != 5*time.Second {
			t.Errorf("tried again in %v", got)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := time.Until(r.loop.Status().Next); got != time.Minute {
			t.Errorf("after the second time, tried again in %v", got)
		}
		r.edge.with(func() { r.edge.forgetful = false })
		time.Sleep(time.Minute)
		synctest.Wait()
		if s := r.loop.Status(); s.Phase != reconcile.Synced || s.Remaining != nil {
			t.Errorf("repaired, it is %s", s.Phase)
		}
	})
}

// TestDriftIsRepairedAtTheNextPoll takes an app away behind the loop's back.
func TestDriftIsRepairedAtTheNextPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := following(t)
		defer r.end()
		before := r.edge.view()
		r.edge.with(func() { r.edge.served = r.edge.served[1:] })
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := r.edge.view(); got != before {
			t.Errorf("served:\n%s\nwant:\n%s", got, before)
		}
		if n := r.loader.count(); n != 1 {
			t.Errorf("the same revision was loaded %d times", n)
		}
	})
}

func TestBackOffDoublesToFiveMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := following(t)
		defer r.end()
		r.repo.fail(fault.New(fault.Unavailable, "no route to host"))
		r.sync(t)
		synctest.Wait()
		var waits []time.Duration
		for range 9 {
			s := r.loop.Status()
			wait := time.Until(s.Next)
			waits = append(waits, wait)
			before := r.repo.count()
			time.Sleep(wait)
			synctest.Wait()
			if n := r.repo.count(); n != before+1 {
				t.Fatalf("%d attempts after %v", n-before, wait)
			}
		}
		want := []time.Duration{5, 10, 20, 40, 80, 160, 300, 300, 300}
		for i := range want {
			if waits[i] != want[i]*time.Second {
				t.Errorf("wait %d is %v, want %v", i, waits[i], want[i]*time.Second)
			}
		}
		r.repo.push(r.repo.tip)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if s := r.loop.Status(); s.Phase != reconcile.Synced || s.Attempts != 0 || time.Until(s.Next) != time.Minute {
			t.Errorf("answering again, it is %s, next in %v", s.Phase, time.Until(s.Next))
		}
	})
}

func TestPollsAreSpread(t *testing.T) {
	for random, want := range map[float64]time.Duration{0: 54 * time.Second, 0.5: time.Minute, 1: 66 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			r := build()
			r.repo.push(commit(apps("a"), "one"))
			c := r.config()
			c.Random = func() float64 { return random }
			r.start(t, c)
			defer r.end()
			if got := time.Until(r.loop.Status().Next); got != want {
				t.Errorf("at %v the next poll is in %v, want %v", random, got, want)
			}
		})
	}
}

// TestABrokenAppIsNeverRemoved breaks an app and takes its block's neighbour
// away, poll after poll. Neither goes: what cannot be read in full removes
// nothing, and the one that would go says whom it waits for. Mended, it goes.
func TestABrokenAppIsNeverRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := following(t)
		defer r.end()
		only := apps("b")
		only.Broken = []string{"b"}
		r.repo.push(commit(only, "two"))
		result := r.sync(t)
		if result.Outcome != reconcile.Stuck || result.Published {
			t.Fatalf("%s, published %t", result.Outcome, result.Published)
		}
		if a := r.state("app.a"); a.State != reconcile.AppHeld || a.Message != "its removal waits for app.b" {
			t.Errorf("what would go is %+v", a)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if view := r.edge.view(); !strings.Contains(view, "app.b") || !strings.Contains(view, "app.a") {
			t.Errorf("served:\n%s", view)
		}
		if r.edge.stages != 1 || len(r.ledger.entries) != 1 {
			t.Errorf("%d stages and %d notes for two revisions and ten polls", r.edge.stages, len(r.ledger.entries))
		}
		r.repo.push(commit(apps("b"), "two"))
		if result := r.sync(t); result.Outcome != reconcile.Applied || len(r.ledger.trash) != 1 {
			t.Errorf("mended, it is %s with %d in the trash", result.Outcome, len(r.ledger.trash))
		}
	})
}

// TestAnAppWaitsForTheHostOfABrokenOne must not give one host two apps.
func TestAnAppWaitsForTheHostOfABrokenOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := following(t)
		defer r.end()
		c := apps("a", "b", "c")
		c.Broken = []string{"b"}
		c.Apps["c"] = spec.App{Content: "apps/c", Hosts: []string{"b.example.com"}}
		r.repo.push(commit(c, "one"))
		result := r.sync(t)
		s := r.loop.Status()
		if result.Outcome != reconcile.Stuck || len(s.Apps) != 3 || s.Apps[2].State != reconcile.AppHeld {
			t.Fatalf("%s: %+v", result.Outcome, s.Apps)
		}
		if strings.Contains(r.edge.view(), "app.c") {
			t.Errorf("served:\n%s", r.edge.view())
		}
	})
}

// TestAnAppWaitsForTheHostOfOneThatCannotBeStaged is the same, found later.
func TestAnAppWaitsForTheHostOfOneThatCannotBeStaged(t *testing.T) {
	for _, kind := range []fault.Kind{fault.Invalid, fault.Exhausted} {
		synctest.Test(t, func(t *testing.T) {
			r := following(t)
			defer r.end()
			r.edge.faults["app.b"] = fault.New(kind, "no")
			c := apps("a", "b", "c")
			c.Apps["b"], c.Apps["c"] = c.Apps["c"], c.Apps["b"] // c gets b's host and folder, b a new host
			files := fstest.MapFS{"apps/b/index.html": {Data: []byte("b")}, "apps/c/index.html": {Data: []byte("c")},
				"apps/a/index.html": {Data: []byte("a two")}}
			r.repo.push(artifact(c, files))
			result := r.sync(t)
			s := r.loop.Status()
			if len(s.Apps) != 3 || s.Apps[0].Revision != r.repo.tip.Revision || s.Apps[2].State != reconcile.AppHeld {
				t.Errorf("%s: %+v", result.Outcome, s.Apps)
			}
			if strings.Contains(r.edge.view(), "app.c") || r.edge.discards != 1 {
				t.Errorf("%d discards, served:\n%s", r.edge.discards, r.edge.view())
			}
			clear(r.edge.faults)
			r.repo.push(artifact(c, fstest.MapFS{"apps/b/index.html": {Data: []byte("b")}, "apps/c/index.html": {Data: []byte("c")},
				"apps/a/index.html": {Data: []byte("a three")}}))
			if result := r.sync(t); result.Outcome != reconcile.Applied || !strings.Contains(r.edge.view(), "app.c") {
				t.Errorf("%s: %+v", result.Outcome, result.Problem)
			}
		})
	}
}

// TestNoOtherBytesUnderAFilesName has a target that lost its files ask for those
// of an app that stays on an old release.
func TestNoOtherBytesUnderAFilesName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := following(t)
		defer r.end()
		clear(r.edge.blobs)
		broken := apps("a", "b")
		broken.Broken = []string{"b"}
		r.repo.push(commit(broken, "two"))
		result := r.sync(t)
		if result.Problem == nil || !strings.Contains(result.Problem.Message, "is not as the release has it") {
			t.Errorf("%+v", result.Problem)
		}
	})
}

func TestPokesDuringAPassAreOnePassMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := following(t)
		defer r.end()
		before := r.repo.count()
		r.repo.mu.Lock()
		r.repo.block = make(chan struct{})
		r.repo.mu.Unlock()
		r.loop.Trigger()
		synctest.Wait() // the pass hangs in its fetch
		if s := r.loop.Status(); s.Phase != reconcile.Fetching {
			t.Errorf("phase %s", s.Phase)
		}
		r.repo.push(commit(apps("a", "b"), "two"))
		for range 10 {
			r.loop.Trigger()
			r.repo.pokes <- struct{}{}
		}
		close(r.repo.block)
		synctest.Wait()
		if n := r.repo.count() - before; n != 2 {
			t.Errorf("%d passes for 21 pokes, want 2", n)
		}
	})
}

// TestTheNewestRevisionWins pushes three times while the first is being staged.
func TestTheNewestRevisionWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := following(t)
		defer r.end()
		r.edge.with(func() { r.edge.staging, r.edge.block = make(chan struct{}, 9), make(chan struct{}) })
		two, three, four := commit(apps("a", "b"), "two"), commit(apps("a", "b"), "three"), commit(apps("a", "b"), "four")
		fates := make(chan reconcile.Outcome, 3)
		wait := func(revision string) {
			result, err := r.loop.Sync(t.Context(), reconcile.SyncRequest{Wait: true, Revision: revision})
			if err != nil {
				t.Error(err)
			}
			fates <- result.Outcome
		}
		r.repo.push(two)
		go wait(two.Revision)
		synctest.Wait() // two is being staged
		r.repo.push(three)
		r.repo.mu.Lock()
		r.repo.seen[three.Revision] = three // it comes with the fetch of four
		r.repo.mu.Unlock()
		go wait(three.Revision)
		r.repo.push(four)
		go wait(four.Revision[:7])
		synctest.Wait()
		close(r.edge.block)
		synctest.Wait()
		got := []reconcile.Outcome{<-fates, <-fates, <-fates}
		slices.Sort(got)
		if want := []reconcile.Outcome{reconcile.Applied, reconcile.Applied, reconcile.Superseded}; !slices.Equal(got, want) {
			t.Errorf("fates %v, want %v", got, want)
		}
		if s := r.loop.Status(); s.Published != four.Revision || s.Generation != 3 {
			t.Errorf("at the end it is at %s, generation %d", s.Published, s.Generation)
		}
	})
}

// TestSyncTellsOfItsOwnCommit never answers with the fate of another commit, and
// does not wait for one that a fresh look does not find.
func TestSyncTellsOfItsOwnCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := following(t)
		defer r.end()
		two := commit(apps("a", "b"), "two")
		before := r.repo.count()
		_, err := r.loop.Sync(t.Context(), reconcile.SyncRequest{Wait: true, Revision: two.Revision})
		if fault.KindOf(err) != fault.NotFound || fault.HintOf(err) == "" || r.repo.count() != before+1 {
			t.Errorf("a commit that is not there: %v after %d looks", err, r.repo.count()-before)
		}
		r.repo.push(two)
		for _, want := range []reconcile.Outcome{reconcile.Applied, reconcile.Unchanged} {
			result, err := r.loop.Sync(t.Context(), reconcile.SyncRequest{Wait: true, Revision: two.Revision})
			if err != nil || result.Outcome != want || result.Revision != two.Revision {
				t.Errorf("%s of %s, %v", result.Outcome, result.Revision, err)
			}
		}
	})
}

// TestSyncGivesUp names what was waited for and how far the node is.
func TestSyncGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := following(t)
		defer r.end()
		r.repo.mu.Lock()
		r.repo.block = make(chan struct{})
		r.repo.mu.Unlock()
		defer close(r.repo.block)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := r.loop.Sync(ctx, reconcile.SyncRequest{Wait: true, Revision: "0123456"})
		if want := "0123456 is not decided after 1m0s: the node is fetching"; fault.KindOf(err) != fault.Unavailable || fault.Message(err) != want {
			t.Errorf("%v, want %q", err, want)
		}
	})
}

// TestAStalledRevisionIsNotCalledPublished has the status tell what is served
// from what was tried, where nothing of a revision went live.
func TestAStalledRevisionIsNotCalledPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := following(t)
		defer r.end()
		first := r.loop.Status().Published
		broken := apps("a", "b", "c")
		broken.Broken = []string{"b", "c"}
		r.repo.push(commit(broken, "one"))
		result := r.sync(t)
		s := r.loop.Status()
		if result.Outcome != reconcile.Stuck || s.Published != first || s.Generation != 1 || s.Desired != r.repo.tip.Revision {
			t.Errorf("%s: %s is published as generation %d, %s desired", result.Outcome, s.Published, s.Generation, s.Desired)
		}
		if want := "app.b stays on its last release, app.c is left out"; s.Problem == nil || s.Problem.Message != want {
			t.Errorf("the problem is %+v, want %q", s.Problem, want)
		}
	})
}

// TestARevisionThatChangesNothingIsRecorded keeps the fast-forward rule going
// without a new generation.
func TestARevisionThatChangesNothingIsRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := following(t)
		defer r.end()
		same := commit(apps("a", "b"), "one")
		files := same.Tree.(tree).MapFS
		files["README.md"] = &fstest.MapFile{Data: []byte("hello")}
		same.Revision = strings.Repeat("5", 40)
		r.repo.push(same)
		result := r.sync(t)
		s := r.loop.Status()
		if result.Outcome != reconcile.Unchanged || s.Applied != same.Revision || s.Published == same.Revision || s.Generation != 1 || r.edge.stages != 1 {
			t.Errorf("%s at %s, generation %d, %d stages", result.Outcome, s.Applied, s.Generation, r.edge.stages)
		}
		if r.ledger.state.Applied != same.Revision || r.repo.kept[1] != same.Revision {
			t.Errorf("remembered %q, kept %q", r.ledger.state.Applied, r.repo.kept[1])
		}
		r.sync(t)
		if last := r.repo.lasts[len(r.repo.lasts)-1]; last != same.Revision {
			t.Errorf("the next fetch starts from %q", last)
		}
		if n := len(r.ledger.entries); n != 1 {
			t.Errorf("noted %d times", n)
		}
	})
}

// TestAnAppKeepsTheRevisionOfItsRelease changes one of two apps.
func TestAnAppKeepsTheRevisionOfItsRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := following(t)
		defer r.end()
		one := r.repo.tip.Revision
		two := commit(apps("a", "b"), "one")
		two.Tree.(tree).MapFS["apps/b/index.html"] = &fstest.MapFile{Data: []byte("b two")}
		two.Revision = strings.Repeat("2", 40)
		r.repo.push(two)
		r.sync(t)
		for _, o := range r.edge.served {
			want := one
			if o.Addr == "app.b" {
				want = two.Revision
			}
			if o.Revision != want {
				t.Errorf("%s is of %s, want %s", o.Addr, o.Revision, want)
			}
			if o.Content != nil && slices.ContainsFunc(o.Content.Files, func(f spec.File) bool { return f.Blob == "" }) {
				t.Errorf("%s has files without a digest", o.Addr)
			}
		}
		c := r.ledger.commits[1]
		if len(c.Put) != 1 || c.Put[0].Addr != "app.b" || len(c.Drop) != 0 || len(c.Deployments) != 1 {
			t.Errorf("recorded %d put, %d dropped, %d deployments", len(c.Put), len(c.Drop), len(c.Deployments))
		}
		d := c.Deployments[0]
		if d.App != "b" || d.Outcome != reconcile.DeployLive || d.Generation != 2 || d.Files != 2 || d.Bytes != 12 ||
			d.Trigger != "sync" || d.Actor != "local:0" || d.Author == "" {
			t.Errorf("deployment %+v", d)
		}
		var detail map[string]any
		if err := json.Unmarshal(c.Entry.Detail, &detail); err != nil || detail["plan_id"] == "" || c.Entry.Outcome != reconcile.Applied {
			t.Errorf("journal line %+v: %v", c.Entry, err)
		}
	})
}

// TestStoppingInEveryPhase cancels while the pass hangs, before and after the
// commit.
func TestStoppingInEveryPhase(t *testing.T) {
	t.Run("fetching", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := following(t)
			before := r.edge.view()
			r.repo.mu.Lock()
			r.repo.block = make(chan struct{})
			r.repo.mu.Unlock()
			r.loop.Trigger()
			synctest.Wait()
			r.end()
			if r.edge.view() != before || r.loop.Status().Phase != reconcile.Synced {
				t.Errorf("%s\n%s", r.loop.Status().Phase, r.edge.view())
			}
		})
	})
	t.Run("staging", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := following(t)
			before := r.edge.view()
			r.edge.with(func() { r.edge.staging, r.edge.block = make(chan struct{}, 1), make(chan struct{}) })
			r.repo.push(commit(apps("a", "b"), "two"))
			answer := make(chan reconcile.Result, 1)
			go func() {
				result, _ := r.loop.Sync(t.Context(), reconcile.SyncRequest{Wait: true})
				answer <- result
			}()
			<-r.edge.staging
			r.end()
			if r.edge.view() != before || len(r.ledger.commits) != 1 {
				t.Errorf("%d commits\n%s", len(r.ledger.commits), r.edge.view())
			}
			if result := <-answer; result.Problem == nil || result.Problem.Kind != fault.Unavailable {
				t.Errorf("who waited is told %+v", result.Problem)
			}
		})
	})
	t.Run("staged", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := following(t)
			before := r.edge.view()
			c := r.config()
			c.Target = stopping{r}
			c.Last = r.ledger.state
			r.end()
			r.ended = make(chan struct{})
			r.repo.push(commit(apps("a", "b"), "two"))
			r.start(t, c)
			<-r.ended
			if r.edge.view() != before || r.edge.discards != 1 || len(r.ledger.commits) != 1 {
				t.Errorf("%d discards, %d commits\n%s", r.edge.discards, len(r.ledger.commits), r.edge.view())
			}
		})
	})
	t.Run("committing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := following(t)
			c := r.config()
			c.Ledger = stopper{r}
			c.Last = r.ledger.state
			r.end()
			r.ended = make(chan struct{})
			r.repo.push(commit(apps("a", "b"), "two"))
			r.start(t, c)
			<-r.ended
			if r.edge.number != 2 || r.edge.discards != 0 || r.edge.view() != r.ledger.view() {
				t.Errorf("generation %d, %d discards\n%s", r.edge.number, r.edge.discards, r.edge.view())
			}
			if s := r.loop.Status(); s.Phase != reconcile.Synced || s.Generation != 2 {
				t.Errorf("%s at generation %d", s.Phase, s.Generation)
			}
		})
	})
}

// stopping is a target that is told to stop once it has staged.
type stopping struct{ *rig }

func (s stopping) Observe(ctx context.Context) ([]spec.Object, error) { return s.edge.Observe(ctx) }

func (s stopping) Stage(ctx context.Context, d reconcile.Desired) (reconcile.Staged, error) {
	staged, err := s.edge.Stage(ctx, d)
	s.stop()
	return staged, err
}

// stopper is a ledger that is told to stop while it writes.
type stopper struct{ *rig }

func (s stopper) Note(ctx context.Context, e reconcile.Entry) error { return s.ledger.Note(ctx, e) }

func (s stopper) Spent(ctx context.Context, id string) (bool, error) { return s.ledger.Spent(ctx, id) }

func (s stopper) Commit(ctx context.Context, c reconcile.Commit) error {
	s.stop()
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.ledger.Commit(ctx, c)
}

// What could not be served again at the start, its bytes being damaged, is in
// no plan. It comes back if the revision still has it; if not, the ledger must
// not boot it ever again.
func TestForgetsWhatWasLost(t *testing.T) {
	for _, lost := range [][]spec.Object{{{Addr: "app.c"}}, {{Addr: "app.b"}, {Addr: "app.c"}}} {
		synctest.Test(t, func(t *testing.T) {
			r := following(t)
			r.repo.push(commit(apps("a", "b", "c"), "one"))
			r.sync(t)
			r.end()
			r.repo.push(commit(apps("a", "b"), "one"))
			r.edge.with(func() {
				r.edge.served = slices.DeleteFunc(r.edge.served, func(o spec.Object) bool {
					return slices.ContainsFunc(lost, func(l spec.Object) bool { return l.Addr == o.Addr })
				})
				clear(r.edge.blobs)
			})
			c := r.config()
			c.Last = r.ledger.state
			c.Last.Lost = lost
			r.ended = make(chan struct{})
			r.start(t, c)
			kept := r.ledger.view()
			if kept != r.edge.view() || strings.Contains(kept, "app.c") || !strings.Contains(kept, "app.b") {
				t.Fatalf("the ledger has\n%sand the edge serves\n%s", kept, r.edge.view())
			}
			if again := r.sync(t); again.Outcome != reconcile.Unchanged {
				t.Fatalf("the next look: %s", again.Outcome)
			}
			r.end()
		})
	}
}

// An app whose bytes were damaged comes back with what it keeps: that is whole, and the
// record says where it is.
func TestWhatWasLostKeepsItsData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := build()
		c := apps("a", "b")
		a := c.Apps["a"]
		a.KV = []spec.KV{{Name: "K"}}
		c.Apps["a"] = a
		r.repo.push(commit(c, "one"))
		r.start(t, r.config())
		r.adjust(t, reconcile.Adjustment{Trigger: "restore", Data: map[spec.Addr]string{"app.a": "of-monday"}})
		lost, _ := r.served("app.a")
		r.end()
		r.edge.with(func() {
			r.edge.served = slices.DeleteFunc(r.edge.served, func(o spec.Object) bool { return o.Addr == lost.Addr })
			clear(r.edge.blobs)
		})
		next := r.config()
		next.Last = r.ledger.state
		next.Last.Lost = []spec.Object{lost}
		r.ended = make(chan struct{})
		r.start(t, next)
		defer r.end()
		if now, there := r.served("app.a"); !there || now.Data != "of-monday" {
			t.Errorf("it is there: %v, with the data %q", there, now.Data)
		}
	})
}

// All apps are replaced by one that cannot be prepared: publishing the rest
// would leave a node without apps, which nobody can have meant.
func TestAStagingFaultLeavesNoEmptyNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := following(t)
		defer r.end()
		before := r.edge.view()
		r.edge.with(func() {
			r.edge.faults = map[spec.Addr]error{"app.c": fault.New(fault.Invalid, "a rule is wrong")}
		})
		r.repo.push(commit(apps("c"), "two"))
		result := r.sync(t)
		if result.Published || result.Problem == nil || !strings.Contains(result.Problem.Message, "app.c") {
			t.Errorf("the result is %+v", result)
		}
		if got := r.edge.view(); got != before {
			t.Errorf("served:\n%s\nwant:\n%s", got, before)
		}
	})
}

// What the target refuses of an app stalls it before anything is staged. It is
// asked once of each change, and never of what it serves.
func TestOnlyChangedAppsAreJudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := build()
		var judged []string
		refused := ""
		c := r.config()
		c.Judge = func(_ spec.Tree, o spec.Object) spec.Diagnostics {
			judged = append(judged, string(o.Addr))
			if o.Content == nil || o.Name != refused {
				return nil
			}
			return finding("F2011", "a line has no target", o.Addr)
		}
		r.repo.push(commit(apps("a", "b"), "one"))
		r.start(t, c)
		defer r.end()
		if !slices.Equal(judged, []string{"app.a", "app.b"}) {
			t.Errorf("judged %q at first", judged)
		}
		judged, refused = nil, "a"
		next := commit(apps("a", "b"), "one")
		next.Tree.(tree).MapFS["apps/a/index.html"] = &fstest.MapFile{Data: []byte("a two")}
		next.Revision = "two"
		r.repo.push(next)
		result := r.sync(t)
		if result.Outcome != reconcile.Stuck || len(result.Diagnostics) != 1 || result.Published || !slices.Equal(judged, []string{"app.a"}) {
			t.Errorf("judged %q: %+v", judged, result)
		}
	})
}
