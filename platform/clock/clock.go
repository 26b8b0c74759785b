// Package clock tells the time to whatever cannot be taken back: the end of a
// hold, the emptying of the trash. A wall clock that is set, by a person, a
// battery that ran out or a server of time gone wrong, jumps; this one goes on
// as time passes until the jump has stood for a while. It refuses to know what
// its time is used for.
package clock

import (
	"sync"
	"time"
)

const (
	// Slack is how far the wall clock may be off before it counts as having
	// jumped. Where servers of time keep it, it never is.
	Slack = time.Minute
	// Confirm is the time after which a look finds a jump confirmed; twice, and it
	// is believed.
	Confirm = time.Hour

	confirmations = 2
)

// Clock is a wall clock whose jumps are not believed at once. Its methods may
// be called from any goroutine; it looks at the wall clock whenever it is asked,
// so one that nobody asks believes nothing new.
type Clock struct {
	wall  func() time.Time
	began time.Time // what passed since is counted without the wall clock
	last  time.Time // by an earlier clock; zero where there was none

	// All are what the time was at the beginning.
	mu    sync.Mutex
	now   time.Time     // guarded by mu: as far as anybody knows
	sure  time.Time     // guarded by mu: it was that at least; else equal to now
	claim time.Time     // guarded by mu: what the wall clock says that is not believed
	times int           // guarded by mu: how often the claim was confirmed
	heard time.Duration // guarded by mu: since the beginning, when that was last
}

// New returns a clock that begins with the wall clock's time. last is when the
// time was last known for sure, by an earlier clock; if the wall clock is not
// within Confirm after it, that is a jump like any other: Now has it, Sure waits
// until it is confirmed, or the wall clock is put right and is within it. The zero
// time is for one that knows of no earlier clock. wall is the wall clock; nil is the
// machine's.
func New(last time.Time, wall func() time.Time) *Clock {
	if wall == nil {
		wall = time.Now
	}
	says := wall().Round(0)
	c := &Clock{wall: wall, began: time.Now(), last: last.Round(0), now: says, sure: says}
	if !last.IsZero() && !c.follows(says) {
		c.claim = says
		if says.Before(last) { // the later one is for ends that are set, the earlier one for those that are looked at
			c.now = c.last
		} else {
			c.sure = c.last
		}
	}
	return c
}

// follows tells whether a time at the beginning fits what an earlier clock knew.
func (c *Clock) follows(says time.Time) bool {
	gap := says.Sub(c.last)
	return gap >= -Slack && gap <= Confirm
}

// Now returns the time for an end that is to be set: the wall clock's, but for
// jumps that are not confirmed.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now.Add(c.look())
}

// Sure returns the time that it is at least: what is to end before it is over.
// It moves on with what passes and no further, but for jumps that were confirmed.
func (c *Clock) Sure() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sure.Add(c.look())
}

// look reads the wall clock and returns what passed since the beginning.
func (c *Clock) look() (passed time.Duration) {
	passed = time.Since(c.began)
	says := c.wall().Round(0).Add(-passed)
	switch {
	case near(says, c.now) && c.now.Equal(c.sure):
		c.claim = time.Time{}
	case !c.now.Equal(c.sure) && c.follows(says): // it was wrong at the beginning, and is put right
		c.now, c.sure, c.claim, c.times = says, says, time.Time{}, 0
	case c.claim.IsZero() || !near(says, c.claim):
		c.claim, c.times, c.heard = says, 0, passed
	case passed-c.heard >= Confirm:
		c.times++
		c.heard = passed
	}
	if c.times >= confirmations {
		c.now, c.sure, c.claim, c.times = says, says, time.Time{}, 0
	}
	return passed
}

// near reports whether two times differ by what is no jump.
func near(a, b time.Time) bool { return a.Sub(b).Abs() <= Slack }
