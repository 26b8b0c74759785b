package queue

import (
	"strings"
	"time"
	_ "time/tzdata" // the zones, on a machine without them

	"github.com/adhocore/gronx"

	"github.com/fazt-sh/fazt/platform/fault"
)

// rhythm is the moments of a schedule. The cron expression is always asked in
// wall clock time without a zone, where every day has 24 hours; what that means
// in a zone is decided here.
//
// An expression that names hours ("30 2 * * *") means times of the day: one that
// does not exist, as the clocks are put forward over it, is the first moment
// behind the gap; one that is there twice is the first of the two. One that does
// not ("*/15 * * * *") means time that passes: it does both of two hours, and
// misses nothing in a gap.
type rhythm struct {
	spec  string
	zone  *time.Location
	hours bool // the expression names hours

	noCatchUp bool
}

func parseRhythm(spec, zone string) (rhythm, error) {
	if zone == "" {
		zone = "UTC"
	}
	loc, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" { // a machine's zone is not in the repository
		return rhythm{}, fault.New(fault.Invalid, "there is no time zone %q", zone).WithHint("name one of the tz database, such as Europe/Berlin")
	}
	fields, err := gronx.Segments(spec)
	if err != nil || !gronx.IsValid(spec) {
		return rhythm{}, fault.New(fault.Invalid, "%q is no cron expression", spec).
			WithHint("minute, hour, day, month and day of the week, such as 0 7 * * 1-5")
	}
	return rhythm{spec: spec, zone: loc, hours: !strings.HasPrefix(fields[2], "*") && fields[2] != "?"}, nil
}

// wall is what a clock in the zone shows, as a time without a zone.
func (r rhythm) wall(t time.Time) time.Time {
	t = t.In(r.zone)
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// tick returns the expression's next wall clock time, at or after the given one
// or only after it.
func (r rhythm) tick(wall time.Time, at bool) (time.Time, error) {
	next, err := gronx.NextTickAfter(r.spec, wall, at)
	if err != nil || next.Before(wall.Truncate(time.Second)) {
		return next, fault.New(fault.Invalid, "%q is never due", r.spec)
	}
	return next.Truncate(time.Second), nil
}

// next returns the first moment after t.
func (r rhythm) next(t time.Time) (time.Time, error) {
	if r.hours {
		return r.nextOfDay(t)
	}
	return r.nextPassed(t)
}

func (r rhythm) nextOfDay(t time.Time) (time.Time, error) {
	wall := r.wall(t)
	// More than one step only within a repeated hour, at most one a second.
	for range 2 * 3600 {
		next, err := r.tick(wall, false)
		if err != nil {
			return t, err
		}
		if moment := r.moment(next); moment.After(t) {
			return moment, nil
		}
		wall = next
	}
	return t, fault.New(fault.Invalid, "%q is never due", r.spec)
}

// moment is when a clock in the zone shows the wall time: the first time it does,
// or if it never does, when it passes it.
func (r rhythm) moment(wall time.Time) time.Time {
	t := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, r.zone)
	begin, end := t.ZoneBounds()
	switch shown := r.wall(t); {
	case shown.After(wall): // put forward over it, just before
		return begin
	case shown.Before(wall):
		return end
	case begin.IsZero():
		return t
	}
	_, before := begin.Add(-time.Second).Zone()
	if first := wall.Add(-time.Duration(before) * time.Second); first.Before(begin) && r.wall(first).Equal(wall) {
		return first.In(r.zone)
	}
	return t
}

func (r rhythm) nextPassed(t time.Time) (time.Time, error) {
	wall, at := r.wall(t), false
	for range 1000 { // transitions of the zone until then
		next, err := r.tick(wall, at)
		if err != nil {
			return t, err
		}
		t = t.In(r.zone)
		moment := t.Add(next.Sub(r.wall(t)))
		_, end := t.ZoneBounds()
		if end.IsZero() || moment.Before(end) {
			return moment, nil
		}
		t, wall, at = end, r.wall(end), true
	}
	return t, fault.New(fault.Invalid, "%q is never due", r.spec)
}

// latest returns the last moment up to now, of those from first on: a moment
// itself. It is what one run for many moments that were missed is for.
func (r rhythm) latest(first, now time.Time) time.Time {
	wall, err := gronx.PrevTickBefore(r.spec, r.wall(now), true)
	if err != nil {
		return first
	}
	if last := r.moment(wall.Truncate(time.Second)); last.After(first) && !last.After(now) {
		return last
	}
	return first
}

// Next returns the first moment after t that a cron expression means in a zone
// (empty is UTC). The error's kind is Invalid if there is none, or no sense in
// it.
func Next(spec, zone string, t time.Time) (time.Time, error) {
	r, err := parseRhythm(spec, zone)
	if err != nil {
		return t, err
	}
	return r.next(t)
}
