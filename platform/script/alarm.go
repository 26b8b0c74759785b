package script

import (
	"cmp"
	"slices"
	"time"
)

// alarms are the timers of one task in the order in which they ring: by their
// time and, where that is equal, as they were set. One timer of the machine
// wakes the task for the first of them, and for the next when that has rung, so
// that what happens between two of them happens as it does in a browser.
type alarms struct {
	queue []alarm     // sorted
	wake  *time.Timer // nil before the first
}

type alarm struct {
	sub  uint64 // the timer; the later one was set, the larger
	when time.Time
}

func (a alarm) compare(b alarm) int {
	return cmp.Or(a.when.Compare(b.when), cmp.Compare(a.sub, b.sub))
}

func (a *alarms) pending() int { return len(a.queue) }

func (a *alarms) set(sub uint64, when time.Time) {
	added := alarm{sub, when}
	i, _ := slices.BinarySearchFunc(a.queue, added, alarm.compare)
	a.queue = slices.Insert(a.queue, i, added)
	if i == 0 {
		a.wake.Reset(time.Until(when))
	}
}

// clear takes a timer away. The wake-up that it may have asked for finds nothing.
func (a *alarms) clear(sub uint64) {
	a.queue = slices.DeleteFunc(a.queue, func(x alarm) bool { return x.sub == sub })
}

// due takes the first timer whose time has come, and sees to it that the next
// wakes the task.
func (a *alarms) due(now time.Time) (sub uint64, ok bool) {
	if len(a.queue) > 0 && !a.queue[0].when.After(now) {
		sub, ok = a.queue[0].sub, true
		a.queue = slices.Delete(a.queue, 0, 1)
	}
	if len(a.queue) > 0 {
		a.wake.Reset(a.queue[0].when.Sub(now))
	}
	return sub, ok
}

func (a *alarms) stop() {
	if a.wake != nil {
		a.wake.Stop()
	}
}
