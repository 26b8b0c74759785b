package reconcile_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile"
	"github.com/fazt-sh/fazt/spec"
)

// asking is a rig that stages "two", whose app.a is asked for its health for an
// hour and then found to be ill; app.b is well at once.
func asking(t *testing.T, interval time.Duration) *rig {
	t.Helper()
	r := build()
	r.repo.push(commit(apps("a", "b"), "one"))
	c := r.config()
	c.Interval = interval
	r.start(t, c)
	r.edge.with(func() {
		r.edge.asks = map[spec.Addr]health{"app.a": {time.Hour, fault.New(fault.Invalid, "app.a is ill")}}
	})
	r.repo.push(commit(apps("a", "b"), "two"))
	r.loop.Trigger()
	synctest.Wait()
	if s := r.loop.Status(); s.Phase != reconcile.Staging {
		t.Fatalf("it is %s, and should be asking", s.Phase)
	}
	return r
}

// well has app.a answer well at once from now on.
func (r *rig) well() { r.edge.with(func() { r.edge.asks = nil }) }

// A newer revision ends the wait for the health of a release: at once, whoever
// tells of it, and without blame for the one that is given up.
func TestANewerRevisionEndsTheWaitForHealth(t *testing.T) {
	for name, tell := range map[string]func(*testing.T, *rig){
		"triggered": func(_ *testing.T, r *rig) { r.loop.Trigger() },
		"watched":   func(_ *testing.T, r *rig) { r.repo.pokes <- struct{}{} },
		"synced": func(t *testing.T, r *rig) {
			if result := r.sync(t); result.Outcome != reconcile.Applied || result.Revision != r.repo.tip.Revision {
				t.Errorf("who waits hears %s of %.7s", result.Outcome, result.Revision)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := asking(t, -1)
				defer r.end()
				began, two := time.Now(), r.repo.tip.Revision
				r.well()
				r.repo.push(commit(apps("a", "b"), "three"))
				tell(t, r)
				synctest.Wait()
				s := r.loop.Status()
				if waited := time.Since(began); waited != 0 || s.Phase != reconcile.Synced || s.Published != r.repo.tip.Revision {
					t.Errorf("after %s it is %s at %.7s", waited, s.Phase, s.Published)
				}
				if len(s.Holds) != 0 || s.Attempts != 0 {
					t.Errorf("held are %v, after %d failed attempts", s.Holds, s.Attempts)
				}
				for _, c := range r.ledger.commits {
					for _, d := range c.Deployments {
						if d.Outcome != reconcile.DeployLive || d.Revision == two && d.Addr == "app.a" {
							t.Errorf("the history has %s of %s", d.Outcome, d.Addr)
						}
					}
				}
			})
		})
	}
}

// Where nobody pokes, the poll finds the newer revision while a release is asked.
func TestThePollEndsTheWaitForHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := asking(t, time.Minute)
		defer r.end()
		r.well()
		r.repo.push(commit(apps("a", "b"), "three"))
		time.Sleep(time.Minute)
		synctest.Wait()
		if s := r.loop.Status(); s.Published != r.repo.tip.Revision {
			t.Errorf("it is %s at %.7s", s.Phase, s.Published)
		}
	})
}

// What has proven itself goes live when the rest is given up, so an app that is
// never well keeps nobody out, however often something new comes.
func TestWhatIsProvenGoesLiveWhenTheRestIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := asking(t, -1)
		defer r.end()
		for _, page := range []string{"three", "four", "five"} {
			before := r.repo.tip.Revision
			r.repo.push(commit(apps("a", "b"), page))
			r.loop.Trigger()
			synctest.Wait()
			b, _ := r.served("app.b")
			a, _ := r.served("app.a")
			if b.Revision != before || a.Revision == before {
				t.Errorf("before %q app.b is at %.7s and app.a at %.7s, the one before is %.7s", page, b.Revision, a.Revision, before)
			}
			if s := r.loop.Status(); s.Phase != reconcile.Staging || s.Problem != nil || slices.ContainsFunc(s.Apps, func(a reconcile.AppStatus) bool { return a.State != reconcile.AppLive }) {
				t.Errorf("before %q it is %s: %+v %+v", page, s.Phase, s.Problem, s.Apps)
			}
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if s := r.loop.Status(); s.Phase != reconcile.Stalled || !strings.Contains(s.Problem.Message, "is ill") {
			t.Errorf("the last one is judged in the end: %s %+v", s.Phase, s.Problem)
		}
	})
}

// A poke for nothing new ends no wait: whoever asks often does not keep a release
// out. Who waits for the one that was given up is told so.
func TestOnlyANewerRevisionEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := asking(t, -1)
		defer r.end()
		fates := make(chan reconcile.Result, 1)
		wait := func(revision string) {
			result, err := r.loop.Sync(t.Context(), reconcile.SyncRequest{Wait: true, Revision: revision})
			if err != nil {
				t.Error(err)
			}
			fates <- result
		}
		for range 6 {
			time.Sleep(10 * time.Minute)
			r.loop.Trigger()
			synctest.Wait()
		}
		if s := r.loop.Status(); s.Phase != reconcile.Stalled {
			t.Fatalf("after an hour of pokes for nothing it is %s", s.Phase)
		}
		r.repo.push(commit(apps("a", "b"), "two and a half"))
		two := r.repo.tip
		go wait(two.Revision)
		synctest.Wait()
		r.well()
		r.repo.push(commit(apps("a", "b"), "three"))
		r.loop.Trigger()
		synctest.Wait()
		if got := <-fates; got.Outcome != reconcile.Superseded || got.Revision != two.Revision {
			t.Errorf("who waits for two hears %s of %.7s", got.Outcome, got.Revision)
		}
	})
}

// A loop that is stopped does not wait for health either, and gives up the stage
// as a whole.
func TestStoppingEndsTheWaitForHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := asking(t, time.Minute)
		began := time.Now()
		r.end()
		if waited := time.Since(began); waited != 0 || len(r.ledger.commits) != 1 {
			t.Errorf("it stopped after %s, with %d generations", waited, len(r.ledger.commits))
		}
	})
}
