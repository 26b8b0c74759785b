package limit_test

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/edge/limit"
)

func noon() time.Time { return time.Date(2026, 11, 15, 12, 0, 0, 0, time.UTC) }

// enters counts how many requests may enter at once, of at most 1,000, and
// returns what refused the next.
func enters(a *limit.App, now time.Time) (n int, r limit.Refusal) {
	for ; n < 1000; n++ {
		if r = a.Enter(now); r.Refused() {
			return n, r
		}
	}
	return n, r
}

func want(t *testing.T, a *limit.App, now time.Time, n int, kind limit.Kind) limit.Refusal {
	t.Helper()
	got, r := enters(a, now)
	if got != n || r.Kind != kind {
		t.Errorf("%d enter, then %q refuses; want %d and %q", got, r.Kind, n, kind)
	}
	return r
}

func TestAnAppWithoutLimits(t *testing.T) {
	want(t, limit.NewApp(limit.Policy{}), noon(), 1000, limit.Passed)
}

func TestRateOfAnApp(t *testing.T) {
	now := noon()
	a := limit.NewApp(limit.Policy{Rate: limit.Rate{PerSecond: 2, Burst: 10}})
	if r := want(t, a, now, 10, limit.ByRate); r.Wait != 500*time.Millisecond {
		t.Errorf("wait %s", r.Wait)
	}
	now = now.Add(499 * time.Millisecond)
	if r := want(t, a, now, 0, limit.ByRate); r.Wait.Round(time.Microsecond) != time.Millisecond {
		t.Errorf("wait %s", r.Wait)
	}
	want(t, a, now.Add(time.Millisecond), 1, limit.ByRate)
	want(t, a, now.Add(-time.Hour), 0, limit.ByRate) // a request that was overtaken
	want(t, a, now.Add(time.Millisecond), 0, limit.ByRate)
}

// A commit changes numbers and gives nobody a fresh start.
func TestSetKeepsWhatWasUsed(t *testing.T) {
	now := noon()
	a := limit.NewApp(limit.Policy{Rate: limit.Rate{PerSecond: 1, Burst: 10}, Concurrency: 12, EgressMonth: 100})
	want(t, a, now, 10, limit.ByRate)
	a.Spend(60)
	a.Set(limit.Policy{Rate: limit.Rate{PerSecond: 4, Burst: 20}, Concurrency: 12, EgressMonth: 100})
	want(t, a, now, 0, limit.ByRate)
	want(t, a, now.Add(time.Second), 2, limit.ByConcurrency)
	want(t, a, now.Add(time.Second), 0, limit.ByConcurrency)
	a.Set(limit.Policy{Rate: limit.Rate{PerSecond: 4, Burst: 20}, Concurrency: 1, EgressMonth: 100})
	for range 11 {
		a.Leave()
		want(t, a, now.Add(time.Second), 0, limit.ByConcurrency)
	}
	a.Leave()
	want(t, a, now.Add(time.Second), 1, limit.ByConcurrency)
	a.Set(limit.Policy{EgressMonth: 60})
	want(t, a, now.Add(time.Second), 0, limit.ByEgress)
	if p := a.Policy(); p != (limit.Policy{EgressMonth: 60}) {
		t.Errorf("%+v", p)
	}
}

// An app that had no rate has used nothing of its first.
func TestTheFirstRateIsWhole(t *testing.T) {
	a := limit.NewApp(limit.Policy{})
	want(t, a, noon(), 1000, limit.Passed)
	a.Set(limit.Policy{Rate: limit.Rate{PerSecond: 1, Burst: 7}})
	want(t, a, noon(), 7, limit.ByRate)
}

// What is refused uses nothing of anything else.
func TestARefusalIsFree(t *testing.T) {
	now := noon()
	a := limit.NewApp(limit.Policy{Rate: limit.Rate{PerSecond: 1, Burst: 5}, Concurrency: 1})
	a.Enter(now)
	for range 100 {
		want(t, a, now, 0, limit.ByConcurrency)
	}
	if n := a.Running(); n != 1 {
		t.Errorf("%d are running", n)
	}
	a.Leave()
	a.Leave() // once too often
	a.Set(limit.Policy{Rate: limit.Rate{PerSecond: 1, Burst: 5}})
	want(t, a, now, 4, limit.ByRate)
}

func TestEgressEndsWithTheMonth(t *testing.T) {
	for _, c := range []struct {
		now   string
		wait  time.Duration
		month string
	}{
		{"2026-11-15T12:00:00Z", 15*24*time.Hour + 12*time.Hour, "2026-11"},
		{"2026-11-30T23:59:59Z", time.Second, "2026-11"},
		{"2026-12-01T00:30:00+01:00", 30 * time.Minute, "2026-11"}, // in UTC it is November
		{"2026-12-31T12:00:00Z", 12 * time.Hour, "2026-12"},
		{"2028-02-29T00:00:00Z", 24 * time.Hour, "2028-02"},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		a := limit.NewApp(limit.Policy{EgressMonth: 100})
		a.Enter(now)
		a.Spend(99)
		a.Enter(now)
		a.Spend(50) // an answer is not cut at the budget
		a.Spend(-100)
		if r := want(t, a, now, 0, limit.ByEgress); r.Wait != c.wait {
			t.Errorf("%s: wait %s, want %s", c.now, r.Wait, c.wait)
		}
		if u := a.Usage(); u != (limit.Usage{Month: c.month, Bytes: 149}) {
			t.Errorf("%s: %+v", c.now, u)
		}
		want(t, a, now.Add(c.wait), 1000, limit.Passed)
		if u := a.Usage(); u.Bytes != 0 || u.Month <= c.month {
			t.Errorf("%s: afterwards %+v", c.now, u)
		}
	}
}

// A request that was overtaken over midnight does not bring the old month back;
// a clock that was far ahead does not hold the budget for ever.
func TestClocksThatDisagree(t *testing.T) {
	newYear := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	a := limit.NewApp(limit.Policy{EgressMonth: 100})
	a.Enter(newYear)
	a.Spend(100)
	want(t, a, newYear.Add(-time.Nanosecond), 0, limit.ByEgress)
	if u := a.Usage(); u != (limit.Usage{Month: "2027-01", Bytes: 100}) {
		t.Errorf("%+v", u)
	}
	a.Enter(newYear.AddDate(50, 0, 0))
	a.Spend(100)
	want(t, a, newYear, 1000, limit.Passed)
}

// What one process counted the next one goes on from.
func TestUsageSurvives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sent := rapid.Int64Range(0, 1<<50)
		month := rapid.IntRange(0, 30)
		before, counted := noon().AddDate(0, month.Draw(t, "before"), 0), sent.Draw(t, "counted")
		after, more := noon().AddDate(0, month.Draw(t, "after"), 0), sent.Draw(t, "more")

		first := rapid.Bool().Draw(t, "restored first")

		old, a := limit.NewApp(limit.Policy{}), limit.NewApp(limit.Policy{})
		old.Enter(before)
		old.Spend(counted)
		if first {
			a.Restore(old.Usage())
			if a.Usage() != old.Usage() {
				t.Fatalf("%+v became %+v", old.Usage(), a.Usage())
			}
		}
		a.Enter(after)
		a.Spend(more)
		if !first {
			a.Restore(old.Usage())
		}

		want := limit.Usage{Month: after.Format("2006-01"), Bytes: more}
		switch {
		case before.Equal(after), first && before.Equal(after.AddDate(0, 1, 0)): // within what clocks disagree by
			want = limit.Usage{Month: before.Format("2006-01"), Bytes: counted + more}
		case before.After(after) && !first:
			want = old.Usage()
		}
		if got := a.Usage(); got != want {
			t.Fatalf("%+v, want %+v", got, want)
		}
	})
}

func TestRestoreOfNonsense(t *testing.T) {
	a := limit.NewApp(limit.Policy{EgressMonth: 100})
	if u := a.Usage(); u != (limit.Usage{}) {
		t.Errorf("%+v before the first request", u)
	}
	a.Enter(noon())
	a.Spend(10)
	for _, u := range []limit.Usage{
		{}, {Month: "2026-13", Bytes: 5}, {Month: "November", Bytes: 5}, {Month: "2026-11", Bytes: -50}, {Month: "2026-10", Bytes: 5},
	} {
		a.Restore(u)
		if got := a.Usage(); got != (limit.Usage{Month: "2026-11", Bytes: 10}) {
			t.Errorf("%+v made it %+v", u, got)
		}
	}
	a.Restore(limit.Usage{Month: "2026-11", Bytes: math.MaxInt64})
	a.Spend(math.MaxInt64)
	want(t, a, noon(), 0, limit.ByEgress)
}

// Many at once never are more than may be.
func TestEnterUnderLoad(t *testing.T) {
	a := limit.NewApp(limit.Policy{Concurrency: 3, Rate: limit.Rate{PerSecond: 1, Burst: 5000}})
	var running, passed atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for n := range 2000 {
				if a.Enter(noon()).Refused() {
					continue
				}
				if running.Add(1) > 3 {
					t.Error("too many are running")
				}
				passed.Add(1)
				a.Spend(2)
				running.Add(-1)
				a.Leave()
				if n%500 == 0 {
					a.Set(a.Policy())
					a.Restore(limit.Usage{Month: "2026-11"})
				}
			}
		})
	}
	all.Wait()
	if n := passed.Load(); n > 5000 || a.Usage().Bytes != 2*n || a.Running() != 0 {
		t.Errorf("%d passed and sent %d bytes, %d are running", n, a.Usage().Bytes, a.Running())
	}
}
