package queue_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/adhocore/gronx"
	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/queue"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// What a schedule means where the clocks are put forward and back. In Berlin 2026
// the hour from 2 is missing on 29 March and there twice on 25 October; in New
// York on 8 March, and the one from 1 on 1 November.
func TestDaylightSaving(t *testing.T) {
	for _, c := range []struct{ zone, spec, from, want string }{
		{"Europe/Berlin", "30 2 * * *", "2026-03-28T00:00:00+01:00", "28T02:30+01:00 29T03:00+02:00 30T02:30+02:00"},
		{"Europe/Berlin", "0,30 2 * * *", "2026-03-29T00:00:00+01:00", "29T03:00+02:00 30T02:00+02:00 30T02:30+02:00"},
		{"Europe/Berlin", "0 2,3 * * *", "2026-03-29T00:00:00+01:00", "29T03:00+02:00 30T02:00+02:00"},
		{"Europe/Berlin", "0 7 * * 1-5", "2026-03-27T08:00:00+01:00", "30T07:00+02:00 31T07:00+02:00"},
		{"Europe/Berlin", "0 * * * *", "2026-03-29T00:30:00+01:00", "29T01:00+01:00 29T03:00+02:00 29T04:00+02:00"},
		{"Europe/Berlin", "*/30 * * * *", "2026-03-29T01:20:00+01:00", "29T01:30+01:00 29T03:00+02:00 29T03:30+02:00"},
		{"Europe/Berlin", "30 2 * * *", "2026-10-24T12:00:00+02:00", "25T02:30+02:00 26T02:30+01:00"},
		{"Europe/Berlin", "30 2 * * *", "2026-10-25T02:10:00+01:00", "26T02:30+01:00"},
		{"Europe/Berlin", "0 3 * * *", "2026-10-25T02:59:00+02:00", "25T03:00+01:00"},
		{"Europe/Berlin", "0 * * * *", "2026-10-25T01:30:00+02:00", "25T02:00+02:00 25T02:00+01:00 25T03:00+01:00"},
		{"Europe/Berlin", "*/30 * * * *", "2026-10-25T02:10:00+02:00", "25T02:30+02:00 25T02:00+01:00 25T02:30+01:00 25T03:00+01:00"},
		{"America/New_York", "15 2 * * *", "2026-03-07T12:00:00-05:00", "08T03:00-04:00 09T02:15-04:00"},
		{"America/New_York", "@hourly", "2026-03-08T00:30:00-05:00", "08T01:00-05:00 08T03:00-04:00"},
		{"America/New_York", "30 1 * * *", "2026-10-31T12:00:00-04:00", "01T01:30-04:00 02T01:30-05:00"},
		{"America/New_York", "45 * * * *", "2026-11-01T00:50:00-04:00", "01T01:45-04:00 01T01:45-05:00 01T02:45-05:00"},
		{"America/New_York", "0 0 * * 0", "2026-10-31T12:00:00-04:00", "01T00:00-04:00 08T00:00-05:00"},
		{"Africa/Cairo", "0 0 * * *", "2026-04-23T12:00:00+02:00", "24T01:00+03:00 25T00:00+03:00"}, // midnight is missing
		{"", "0 0 29 2 *", "2026-01-01T00:00:00Z", "29T00:00Z"},
		{"Asia/Kathmandu", "0 0 1 * *", "2026-01-15T00:00:00Z", "01T00:00+05:45"},
	} {
		at, err := time.Parse(time.RFC3339, c.from)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for range strings.Fields(c.want) {
			if at, err = queue.Next(c.spec, c.zone, at); err != nil {
				t.Fatal(c.spec, err)
			}
			got = append(got, at.In(zone(t, c.zone)).Format("02T15:04Z07:00"))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s in %s from %s\n\tgot  %s\n\twant %s", c.spec, c.zone, c.from, strings.Join(got, " "), c.want)
		}
	}
}

// The moments are those that one finds by looking at a clock in the zone, minute
// after minute.
func TestMomentsAgainstTheClock(t *testing.T) {
	if testing.Short() {
		t.Skip("too slow under the race detector: make test runs it")
	}
	changes := map[string][]string{
		"Europe/Berlin":       {"2026-03-29", "2026-10-25"},
		"America/New_York":    {"2026-03-08", "2026-11-01"},
		"Australia/Lord_Howe": {"2026-04-05", "2026-10-04"}, // half an hour
		"America/Sao_Paulo":   {"2018-11-04", "2026-05-01"}, // over midnight, and not at all
		"UTC":                 {"2026-02-28"},
	}
	list := func(rt *rapid.T, what string, below int) string {
		return rapid.OneOf(
			rapid.Map(rapid.IntRange(0, below-1), func(n int) string { return fmt.Sprint(n) }),
			rapid.Map(rapid.SliceOfN(rapid.IntRange(0, below-1), 2, 3), func(n []int) string { return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(n)), ","), "[]") }),
			rapid.Map(rapid.IntRange(2, below/2), func(n int) string { return fmt.Sprintf("*/%d", n) }),
			rapid.Just("*"), rapid.Just("1-2"),
		).Draw(rt, what)
	}
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.SampledFrom([]string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "UTC"}).Draw(rt, "zone")
		day, err := time.ParseInLocation(time.DateOnly, rapid.SampledFrom(changes[name]).Draw(rt, "day"), zone(t, name))
		if err != nil {
			t.Fatal(err)
		}
		spec := list(rt, "minute", 60) + " " + list(rt, "hour", 24) + " * * *"
		from := day.Add(time.Duration(rapid.IntRange(-24*60, 24*60).Draw(rt, "from")) * time.Minute)
		want := byTheClock(spec, from, from.Add(30*time.Hour))
		var got []time.Time
		for at := from; len(got) < len(want); {
			if at, err = queue.Next(spec, name, at); err != nil {
				rt.Fatal(err)
			}
			got = append(got, at)
		}
		if !slices.EqualFunc(got, want, time.Time.Equal) {
			rt.Fatalf("%s from %s\n\tgot  %v\n\twant %v", spec, from, got, want)
		}
	})
}

// byTheClock looks at every minute between two moments.
func byTheClock(spec string, from, until time.Time) (found []time.Time) {
	g := gronx.New()
	named := !strings.HasPrefix(strings.Fields(spec)[1], "*")
	wall := func(t time.Time) time.Time {
		return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), 0, 0, time.UTC)
	}
	seen := map[time.Time]bool{}
	for m := from.Add(-3 * time.Hour); !m.After(until); m = m.Add(time.Minute) {
		due := false
		// What the clock shows, and what it has passed over.
		for w := wall(m); w.After(wall(m.Add(-time.Minute))); w = w.Add(-time.Minute) {
			if ok, _ := g.IsDue(spec, w); ok && (w.Equal(wall(m)) || named) {
				due = due || !named || !seen[w]
			}
			seen[w] = true
		}
		if shown := wall(m); !shown.After(wall(m.Add(-time.Minute))) { // put back
			ok, _ := g.IsDue(spec, shown)
			due = ok && (!named || !seen[shown])
			seen[shown] = true
		}
		if due && m.After(from) {
			found = append(found, m)
		}
	}
	return found
}

func TestBadSchedules(t *testing.T) {
	for _, c := range [][2]string{
		{"", ""}, {"* * * *", ""}, {"60 * * * *", ""}, {"* 24 * * *", ""}, {"a b c d e", ""}, {"0 0 30 2 *", ""}, {"0 0 1 1 * 1999", ""},
		{"0 0 * * *", "Europe/Nowhere"}, {"0 0 * * *", "Local"}, {"0 0 * * *", "../etc/passwd"}, {"*/0 * * * *", ""}, {"5-1 * * * *", ""},
	} {
		if at, err := queue.Next(c[0], c[1], time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q in %q: %v, %v", c[0], c[1], at, err)
		}
	}
}

// Whatever is written there, it is refused or has a next moment, later than now.
func FuzzNext(f *testing.F) {
	for _, s := range []string{"0 7 * * 1-5", "*/15 2 L * *", "@daily", "0 0 1W * 5#3", "0 0 29 2 * 2028", "? ? ? ? ?", "0-59/7 */5 1,15 JAN-MAR MON"} {
		f.Add(s, int64(1774746000))
	}
	f.Fuzz(func(t *testing.T, spec string, unix int64) {
		from := time.Unix(unix%(1<<33), 0)
		next, err := queue.Next(spec, "Europe/Berlin", from)
		if err == nil && !next.After(from) {
			t.Errorf("%q after %s is %s", spec, from, next)
		}
	})
}
