package queue_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/queue"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// ticks writes down the runs that come; a bubble begins at midnight of
// 2000-01-01, UTC.
func (l *log) ticks(_ context.Context, d queue.Delivery) (queue.Answer, error) {
	mark := ""
	if d.Tick.Manual {
		mark = "!"
	}
	l.add("%s%s@%s", d.Tick.Schedule, mark, d.Tick.Due.UTC().Format("02T15:04"))
	return queue.Answer{}, nil
}

func plan(t testing.TB, r rig, name string) queue.Plan {
	t.Helper()
	plans, err := r.Schedules(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range plans {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("no schedule %q", name)
	return queue.Plan{}
}

func outcomes(t testing.TB, r rig, name string) string {
	t.Helper()
	runs, err := r.History(context.Background(), name, 100)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, r := range runs {
		all = append(all, r.Outcome)
	}
	return strings.Join(all, " ")
}

// Schedules run at their moments, in their zone, and it is remembered how.
func TestSchedules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, filepath.Join(t.TempDir(), "data.db"), queue.Options{}, nil,
			queue.Schedule{Name: "digest", Spec: "0 7 * * *", Zone: "Europe/Berlin"}, queue.Schedule{Name: "sweep", Spec: "0 */6 * * *"})
		defer r.close(t)
		var seen log
		r.during(t, func(ctx context.Context, d queue.Delivery) (queue.Answer, error) {
			if now := time.Now(); !now.Equal(d.Tick.Due) {
				t.Errorf("%s, %s late", d.Tick.Schedule, now.Sub(d.Tick.Due))
			}
			seen.ticks(ctx, d)
			if d.Tick.Schedule == "sweep" {
				return queue.Answer{}, errors.New("no")
			}
			return queue.Answer{}, nil
		}, func() { time.Sleep(25 * time.Hour) })
		if got := seen.take(); got != "digest@01T06:00 sweep@01T06:00 sweep@01T12:00 sweep@01T18:00 sweep@02T00:00" &&
			got != "sweep@01T06:00 digest@01T06:00 sweep@01T12:00 sweep@01T18:00 sweep@02T00:00" {
			t.Errorf("%q", got)
		}
		p := plan(t, r, "sweep")
		if p.Last == nil || p.Last.Outcome != "failed" || p.Last.Error != "no" || p.Running || p.Next.UTC().Format("02T15:04") != "02T06:00" {
			t.Errorf("%+v, %+v", p, p.Last)
		}
		if got := outcomes(t, r, "digest"); got != "ok" {
			t.Errorf("%q", got)
		}
	})
}

// A run that is not done when the next is due stays alone.
func TestNoOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, filepath.Join(t.TempDir(), "data.db"), queue.Options{}, nil, queue.Schedule{Name: "slow", Spec: "* * * * *"})
		defer r.close(t)
		var seen log
		r.during(t, func(ctx context.Context, d queue.Delivery) (queue.Answer, error) {
			seen.ticks(ctx, d)
			time.Sleep(210 * time.Second)
			return queue.Answer{}, nil
		}, func() {
			time.Sleep(3 * time.Minute)
			if p := plan(t, r, "slow"); !p.Running {
				t.Errorf("%+v", p)
			}
			if err := r.Trigger(t.Context(), "slow"); fault.KindOf(err) != fault.Conflict {
				t.Errorf("a second run by hand: %v", err)
			}
			time.Sleep(6*time.Minute + 30*time.Second)
		})
		if got := seen.take(); got != "slow@01T00:01 slow@01T00:05 slow@01T00:09" {
			t.Errorf("%q", got)
		}
		runs, err := r.History(t.Context(), "slow", 10)
		if err != nil || len(runs) != 3 || runs[2].Skipped != 3 {
			t.Errorf("%+v, %v", runs, err)
		}
	})
}

// However many moments were missed, one run makes up for them, for the last.
func TestCatchUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, filepath.Join(t.TempDir(), "data.db"), queue.Options{}, nil,
			queue.Schedule{Name: "hourly", Spec: "@hourly"}, queue.Schedule{Name: "second", Spec: "* * * * * *"}, queue.Schedule{Name: "yearly", Spec: "@yearly"})
		defer r.close(t)
		time.Sleep(50*time.Hour + 10*time.Minute)
		var seen log
		r.during(t, seen.ticks, func() { time.Sleep(100 * time.Millisecond) })
		if got := seen.take(); got != "hourly@03T02:00 second@03T02:10" && got != "second@03T02:10 hourly@03T02:00" {
			t.Errorf("%q", got)
		}
	})
}

// A clock that is set, forward or back, makes nothing run in a burst and stops
// nothing for long.
func TestClockJumps(t *testing.T) {
	if testing.Short() {
		t.Skip("too slow under the race detector: make test runs it")
	}
	for _, jump := range []time.Duration{time.Second, -time.Second, time.Hour, -time.Hour, 10 * 365 * 24 * time.Hour, -30 * 365 * 24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			var off atomic.Int64
			now := func() time.Time { return time.Now().Add(time.Duration(off.Load())) }
			daily, weekly := queue.Schedule{Name: "daily", Spec: "0 1 * * *"}, queue.Schedule{Name: "weekly", Spec: "0 5 * * 0"}
			r := open(t, filepath.Join(t.TempDir(), "data.db"), queue.Options{Now: now}, nil, daily, weekly)
			defer r.close(t)
			counts := map[string]*atomic.Int64{"second": {}, "daily": {}, "weekly": {}}
			r.during(t, func(_ context.Context, d queue.Delivery) (queue.Answer, error) {
				counts[d.Tick.Schedule].Add(1)
				return queue.Answer{}, nil
			}, func() {
				time.Sleep(90 * time.Minute) // the daily one has run
				if err := r.Declare(t.Context(), nil, []queue.Schedule{daily, weekly, {Name: "second", Spec: "* * * * * *"}}); err != nil {
					t.Fatal(err)
				}
				before := counts["second"].Load()
				for _, by := range []time.Duration{jump, -jump} {
					off.Add(int64(by))
					time.Sleep(10 * time.Minute)
				}
				if n := counts["second"].Load() - before; n < 1200-130 || n > 1202 {
					t.Errorf("jump by %s: %d runs in 1,200 seconds", jump, n)
				}
				if n := counts["daily"].Load(); jump > -2*time.Hour && jump < 2*time.Hour && n != 1 {
					t.Errorf("jump by %s: the daily run came %d times", jump, n)
				}
				if err := r.Declare(t.Context(), nil, []queue.Schedule{daily, weekly}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(8 * 24 * time.Hour)
				if n := counts["daily"].Load(); n < 8 || n > 12 {
					t.Errorf("jump by %s: %d daily runs in 8 days", jump, n)
				}
				if n := counts["weekly"].Load(); n < 1 || n > 4 {
					t.Errorf("jump by %s: %d weekly runs in 8 days", jump, n)
				}
			})
		})
	}
}

// A run by hand is beside the schedule's own.
func TestTrigger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "data.db")
		daily := queue.Schedule{Name: "daily", Spec: "0 1 * * *"}
		r := open(t, path, queue.Options{}, nil, daily)
		var seen log
		if err := r.Trigger(t.Context(), "daily"); err != nil { // also when nothing runs, over a restart
			t.Fatal(err)
		}
		r.close(t)
		r = open(t, path, queue.Options{}, nil, daily)
		defer r.close(t)
		r.during(t, seen.ticks, func() {
			time.Sleep(time.Minute)
			if err := r.Trigger(t.Context(), "daily"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Hour)
		})
		if got := seen.take(); got != "daily!@01T00:00 daily!@01T00:01 daily@01T01:00" {
			t.Errorf("%q", got)
		}
		if runs, err := r.History(t.Context(), "daily", 10); err != nil || len(runs) != 3 || !runs[2].Manual || runs[0].Manual {
			t.Errorf("%+v, %v", runs, err)
		}
	})
}

// What is declared anew goes on, what has changed counts from now, what is gone
// is gone; of a long history the end is kept.
func TestDeclareAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, filepath.Join(t.TempDir(), "data.db"), queue.Options{}, nil,
			queue.Schedule{Name: "a", Spec: "* * * * *"}, queue.Schedule{Name: "b", Spec: "0 3 * * *"}, queue.Schedule{Name: "c", Spec: "0 3 * * *"})
		defer r.close(t)
		var seen log
		r.during(t, seen.ticks, func() {
			time.Sleep(100*time.Minute + time.Second)
			if n := len(strings.Fields(outcomes(t, r, "a"))); n != 50 {
				t.Errorf("%d runs are remembered", n)
			}
			seen.take()
			if err := r.Declare(t.Context(), nil, []queue.Schedule{
				{Name: "b", Spec: "0 3 * * *"}, {Name: "c", Spec: "0 2 * * *"}, {Name: "d", Spec: "30 2 * * *"},
			}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Hour)
			if got := seen.take(); got != "c@01T02:00 d@01T02:30 b@01T03:00" || outcomes(t, r, "a") != "" {
				t.Errorf("%q", got)
			}
		})
	})
}

// A run that cannot begin waits; one that ends with the process is made up for,
// once: it may be what ends it.
func TestRunsAreOwed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := t.TempDir()
		daily := queue.Schedule{Name: "daily", Spec: "0 1 * * *"}
		r := open(t, filepath.Join(folder, "data.db"), queue.Options{}, nil, daily)
		var seen log
		tries := 0
		r.during(t, func(ctx context.Context, d queue.Delivery) (queue.Answer, error) {
			if tries++; tries < 4 {
				return queue.Answer{}, fault.New(fault.Unavailable, "the app starts")
			}
			return seen.ticks(ctx, d)
		}, func() { time.Sleep(2 * time.Hour) })
		if got := seen.take(); got != "daily@01T01:00" || outcomes(t, r, "daily") != "ok" {
			t.Errorf("%q, %q", got, outcomes(t, r, "daily"))
		}
		time.Sleep(23*time.Hour - 30*time.Second)
		for life, want := range []string{"daily@02T01:00", "daily@02T01:00", ""} { // a copy of the file is what a killed process leaves
			left := filepath.Join(folder, fmt.Sprint(life))
			r.during(t, func(ctx context.Context, d queue.Delivery) (queue.Answer, error) {
				if err := r.db.Backup(context.WithoutCancel(ctx), left); err != nil {
					t.Error(err)
				}
				return seen.ticks(ctx, d)
			}, func() { time.Sleep(time.Minute) })
			if got := seen.take(); got != want {
				t.Errorf("in life %d %q, want %q", life, got, want)
			}
			if want == "" {
				break
			}
			r.close(t)
			r = open(t, left, queue.Options{}, nil, daily)
		}
		if got := outcomes(t, r, "daily"); got != "lost lost ok" {
			t.Errorf("%q", got)
		}
		r.during(t, seen.ticks, func() { time.Sleep(24 * time.Hour) })
		if got := seen.take(); got != "daily@03T01:00" {
			t.Errorf("the next day %q", got)
		}
		r.close(t)
	})
}

// While nothing is due, nothing is asked of the database.
func TestNoPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "data.db"), sqlite.Options{Reserved: "fazt_", Trace: func(string) { asked.Add(1) }})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		s, err := queue.Open(t.Context(), db, queue.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Declare(t.Context(), mail, []queue.Schedule{{Name: "yearly", Spec: "0 0 2 6 *"}}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Send(t.Context(), "MAIL", queue.Message{Delay: 30 * 24 * time.Hour}); err != nil {
			t.Fatal(err)
		}
		var seen log
		rig{s, db}.during(t, seen.bodies, func() {
			time.Sleep(time.Second)
			before := asked.Load()
			time.Sleep(29 * 24 * time.Hour)
			if n := asked.Load() - before; n != 0 {
				t.Errorf("%d statements in 29 idle days", n)
			}
			before = asked.Load()
			time.Sleep(2 * 24 * time.Hour)
			if n := asked.Load() - before; n == 0 || n > 30 {
				t.Errorf("%d statements for one job", n)
			}
		})
	})
}

// A schedule that does not catch up leaves out what was missed, and runs at its
// next moment as if nothing had been.
func TestNoCatchUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, filepath.Join(t.TempDir(), "data.db"), queue.Options{}, nil, queue.Schedule{Name: "hourly", Spec: "@hourly", NoCatchUp: true})
		defer r.close(t)
		time.Sleep(50*time.Hour + 10*time.Minute)
		var seen log
		r.during(t, seen.ticks, func() { time.Sleep(40 * time.Minute) })
		if got := seen.take(); got != "" {
			t.Errorf("made up for: %q", got)
		}
		r.during(t, seen.ticks, func() { time.Sleep(15 * time.Minute) })
		if got := seen.take(); got != "hourly@03T03:00" {
			t.Errorf("%q", got)
		}
	})
}
