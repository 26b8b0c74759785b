package clock_test

import (
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/platform/clock"
)

// wall is a wall clock that can be set.
type wall struct{ off time.Duration }

func (w *wall) now() time.Time { return time.Now().Add(w.off) }

// jumps are what happens to wall clocks.
var jumps = map[string]time.Duration{
	"an hour on": time.Hour, "an hour back": -time.Hour, "ten years on": 10 * 365 * 24 * time.Hour, "back to 1970": -30 * 365 * 24 * time.Hour,
}

// A jump is not believed before it was confirmed twice, and not at all if the
// clock is put right before.
func TestJump(t *testing.T) {
	for name, jump := range jumps {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wall{}
				c := clock.New(time.Time{}, w.now)
				began := time.Now()
				expect := func(when string, off time.Duration) {
					t.Helper()
					want := began.Add(time.Since(began) + off)
					if now, sure := c.Now(), c.Sure(); !now.Equal(want) || !sure.Equal(want) {
						t.Errorf("%s it is %s, for sure %s, want %s", when, now, sure, want)
					}
				}
				expect("at first", 0)
				w.off = jump
				for range 119 {
					expect("after the jump", 0)
					time.Sleep(time.Minute)
				}
				w.off = 0
				expect("put right", 0)
				time.Sleep(24 * time.Hour)
				expect("a day later", 0)
				w.off = jump
				for range 2 {
					expect("while it is not confirmed", 0)
					time.Sleep(clock.Confirm)
				}
				expect("confirmed", jump)
			})
		})
	}
}

// A clock that begins long after the last time that is known, or before it, is
// believed for what is set and not for what ends.
func TestBeginning(t *testing.T) {
	for name, row := range map[string]struct{ ago, now, sure time.Duration }{
		"at once":       {time.Minute, 0, 0},
		"after a night": {8 * time.Hour, 0, -8 * time.Hour},
		"in 1970":       {-30 * 365 * 24 * time.Hour, 30 * 365 * 24 * time.Hour, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				c := clock.New(began.Add(-row.ago), nil)
				if now, sure := c.Now().Sub(began), c.Sure().Sub(began); now != row.now || sure != row.sure {
					t.Errorf("it is off by %s, for sure by %s", now, sure)
				}
				for range 3 {
					c.Sure()
					time.Sleep(clock.Confirm)
				}
				if now, sure := c.Now(), c.Sure(); !now.Equal(time.Now()) || !sure.Equal(now) {
					t.Errorf("confirmed, it is %s, for sure %s, and %s by the wall clock", now, sure, time.Now())
				}
			})
		})
	}
}

// A wall clock that was wrong at the beginning and is put right soon is believed at
// once, as it says what the earlier clock leads to.
func TestPutRight(t *testing.T) {
	for name, jump := range jumps {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wall{off: jump}
				c := clock.New(time.Now().Add(-30*time.Second), w.now)
				time.Sleep(5 * time.Minute)
				c.Now()
				w.off = 0
				if now, sure := c.Now(), c.Sure(); !now.Equal(time.Now()) || !sure.Equal(now) {
					t.Errorf("it is %s, for sure %s, and %s by the wall clock", now, sure, time.Now())
				}
			})
		})
	}
}

// Whatever the wall clock does in two hours, what is sure moves on with the time
// that passes.
func TestSureMovesOnWithWhatPasses(t *testing.T) {
	inBubble(t, func(rt *rapid.T) {
		w := &wall{}
		c := clock.New(time.Time{}, w.now)
		began := time.Now()
		for left := 2*clock.Confirm - time.Second; left > 0; {
			if rapid.Bool().Draw(rt, "jumps") {
				w.off += time.Duration(rapid.Int64Range(-1<<58, 1<<58).Draw(rt, "by") >> rapid.IntRange(0, 40).Draw(rt, "less"))
			}
			step := min(left, time.Duration(rapid.IntRange(1, 3600).Draw(rt, "seconds"))*time.Second)
			time.Sleep(step)
			left -= step
			if sure := c.Sure(); !sure.Equal(time.Now()) {
				rt.Fatalf("it is sure of %s after %s", sure, time.Since(began))
			}
		}
	})
}

// inBubble checks a law with some hundred cases. rapid ends early when a day of
// the bubble is over, so there are as many bubbles as it takes.
func inBubble(t *testing.T, law func(*rapid.T)) {
	t.Helper()
	for cases := 0; cases < 100 && !t.Failed(); {
		synctest.Test(t, func(t *testing.T) {
			rapid.Check(timeless{t}, func(rt *rapid.T) {
				cases++
				law(rt)
			})
		})
	}
}

// timeless hides the test's deadline, which is of the real clock.
type timeless struct{ *testing.T }
