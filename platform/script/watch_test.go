package script

import (
	"testing"
	"testing/synctest"
	"time"
)

// A turn that does not end is noticed however little of a processor it gets; one that
// gets nothing is not stuck, nor is one that ends.
func TestWatch(t *testing.T) {
	const budget = 300 * time.Millisecond
	for _, c := range []struct {
		name     string
		share    int // one part in so many of a processor; 0 is none
		ends     time.Duration
		expected bool
	}{
		{"alone", 1, 0, true},
		{"a ninth", 9, 0, true},
		{"a hundredth", 100, 0, true},
		{"stopped", 0, 0, false},
		{"ends late", 1, 2 * budget, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			alarmed := make(chan time.Duration, 1)
			w := newWatch(func() { alarmed <- time.Since(began) }, func() time.Duration {
				if c.share == 0 {
					return time.Second // what was before
				}
				return time.Second + time.Since(began)/time.Duration(c.share)
			})
			defer w.stop()
			w.start(budget)
			if c.ends > 0 {
				time.Sleep(c.ends)
				w.stop()
			}
			select {
			case after := <-alarmed:
				if !c.expected || after < 2*budget+stuckGrace {
					t.Errorf("%s: alarmed after %s", c.name, after)
				}
			case <-time.After(time.Minute):
				if c.expected {
					t.Errorf("%s: no alarm within a minute", c.name)
				}
			}
		})
	}
}
