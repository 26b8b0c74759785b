package reconcile_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fazt-sh/fazt/platform/clock"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile"
)

const year = 365 * 24 * time.Hour

// A wall clock that is set ends no hold before its time: a bad version does not
// come back. The time that the hold has goes on, and when it is over so is the
// hold.
func TestClockJumpsEndNoHold(t *testing.T) {
	for name, jump := range map[string]time.Duration{
		"an hour on": time.Hour, "an hour back": -time.Hour, "ten years on": 10 * year, "back to 1970": -30 * year,
	} {
		for _, put := range []struct {
			name  string
			right bool
		}{{"and stays", false}, {"and is put right", true}} {
			t.Run(name+" "+put.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var off atomic.Int64
					c, r := holding(t, &off)
					defer r.end()
					before := r.edge.view()
					for minute := range 110 {
						if off.Store(int64(jump)); put.right && minute > 60 {
							off.Store(0)
						}
						r.sync(t)
						if len(r.loop.Status().Holds) != 2 || r.edge.view() != before {
							t.Fatalf("after %d minutes held are %v\n%s", minute, r.loop.Status().Holds, r.edge.view())
						}
						time.Sleep(time.Minute)
					}
					off.Store(0)
					time.Sleep(11 * time.Minute) // two hours are over
					synctest.Wait()
					if s := r.loop.Status(); len(s.Holds) != 0 || s.Phase != reconcile.Synced || !c.Sure().Equal(time.Now()) {
						t.Errorf("it is %s at %s, held are %v", s.Phase, c.Sure(), s.Holds)
					}
					if r.edge.view() == before {
						t.Error("nothing was taken when the holds were over")
					}
				})
			})
		}
	}
}

// A hold that is set while the clock is wrong lasts as long as one that is not,
// and so does what goes to the trash.
func TestHoldSetWhileTheClockIsWrong(t *testing.T) {
	for _, jump := range []time.Duration{10 * year, -30 * year} {
		synctest.Test(t, func(t *testing.T) {
			var off atomic.Int64
			c, r := holding(t, &off)
			defer r.end()
			off.Store(int64(jump))
			time.Sleep(time.Minute)
			r.adjust(t, reconcile.Adjustment{Trigger: "pause", Hold: []reconcile.Hold{{Kind: reconcile.Paused, Addr: "app.b", Until: c.Now().Add(4 * time.Hour)}}})
			time.Sleep(time.Hour)
			off.Store(0)
			time.Sleep(2*time.Hour + 30*time.Minute)
			synctest.Wait()
			if holds := r.loop.Status().Holds; len(holds) != 1 || holds[0].Addr != "app.b" {
				t.Errorf("off by %s, after three hours and a half held are %v", jump, holds)
			}
			time.Sleep(time.Hour)
			synctest.Wait()
			if holds := r.loop.Status().Holds; len(holds) != 0 {
				t.Errorf("off by %s, after four hours and a half held are %v", jump, holds)
			}
		})
	}
}

// A jump that lasts is believed: a node that slept through the end of a hold
// follows again after two hours.
func TestHoldAfterALongSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var off atomic.Int64
		_, r := holding(t, &off)
		defer r.end()
		time.Sleep(time.Minute)
		off.Store(int64(8 * time.Hour))
		r.repo.fail(fault.New(fault.Unavailable, "the network is not back")) // which is no reason to hold on
		time.Sleep(clock.Confirm*2 + 10*time.Minute)
		synctest.Wait()
		if holds := r.loop.Status().Holds; len(holds) != 0 {
			t.Errorf("held are %v", holds)
		}
	})
}

// holding is a rig that is paused, and whose app.a went back, both for two hours
// of a wall clock that a test sets. Something newer waits.
func holding(t *testing.T, off *atomic.Int64) (*clock.Clock, *rig) {
	t.Helper()
	r := build()
	r.repo.push(commit(apps("a", "b"), "one"))
	config := r.config()
	config.Clock = clock.New(time.Time{}, func() time.Time { return time.Now().Add(time.Duration(off.Load())) })
	r.start(t, config)
	one, _ := r.served("app.a")
	r.repo.push(commit(apps("a", "b"), "two"))
	r.sync(t)
	a := rollback(one, "two is bad")
	until := config.Clock.Now().Add(2 * time.Hour)
	a.Hold[0].Until = until
	r.adjust(t, a)
	r.adjust(t, reconcile.Adjustment{Trigger: "pause", Hold: []reconcile.Hold{{Kind: reconcile.Paused, Until: until}}})
	return config.Clock, r
}
