package limit

import (
	"math"
	"time"
)

const monthLayout = "2006-01"

// Usage is what an app has sent in a calendar month of UTC, to be kept over the
// end of a process.
type Usage struct {
	Month string // "2026-11"; empty before the first request
	Bytes int64
}

// Spend counts bytes of an answer, in the month of the latest Enter. Answers
// that began within the budget are finished, so a month may end above it.
func (a *App) Spend(bytes int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.add(bytes)
}

func (a *App) add(bytes int64) {
	if bytes > math.MaxInt64-a.bytes {
		bytes = math.MaxInt64 - a.bytes
	}
	a.bytes += max(bytes, 0)
}

// Usage returns what was sent in the month of the latest Enter.
func (a *App) Usage() Usage {
	a.mu.Lock()
	defer a.mu.Unlock()
	return Usage{Month: a.month.String(), Bytes: a.bytes}
}

// Restore adds what an earlier process had counted. It is forgotten if requests
// of a later month came meanwhile, or if it is no Usage.
func (a *App) Restore(u Usage) {
	first, err := time.Parse(monthLayout, u.Month)
	if err != nil {
		return
	}
	m := monthOf(first)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.month.index < m.index {
		a.month, a.bytes = m, 0
	}
	if a.month.index == m.index {
		a.add(u.Bytes)
	}
}

// turn begins a new month with nothing sent. A request that was overtaken over
// midnight belongs to the new month already; a clock that was wrong by more than
// a month and has been put right is believed.
func (a *App) turn(now time.Time) {
	if a.month.has(now) {
		return
	}
	if m := monthOf(now); m.index != a.month.index-1 {
		a.month, a.bytes = m, 0
	}
}

// month is a calendar month of UTC. The zero month has no moment.
type month struct {
	index       int   // months since the year 0
	from, until int64 // Unix time of its beginning and of the next one's
}

func monthOf(t time.Time) month {
	t = t.UTC()
	first := time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
	return month{12*t.Year() + int(t.Month()), first.Unix(), first.AddDate(0, 1, 0).Unix()}
}

func (m month) has(t time.Time) bool { return m.from <= t.Unix() && t.Unix() < m.until }

// left is the time to the month's end.
func (m month) left(now time.Time) time.Duration { return time.Unix(m.until, 0).Sub(now) }

func (m month) String() string {
	if m.index == 0 {
		return ""
	}
	return time.Unix(m.from, 0).UTC().Format(monthLayout)
}
