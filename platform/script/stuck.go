package script

import (
	"sync"
	"syscall"
	"time"
)

// stuckGrace is what a turn may take over twice its budget before its child is
// killed: the engine asks for interrupts every 10,000 steps, and a busy computer
// gives others their time too.
const stuckGrace = 500 * time.Millisecond

// watch looks whether a turn ends. It gives the alarm when the turn has taken twice
// its budget and this process has gone on computing, however little at a time: one
// that was stopped, or got no core, has no stuck turn.
type watch struct {
	alarm   func()
	process func() time.Duration // what this process has computed
	timer   *time.Timer

	mu    sync.Mutex    // guards the rest
	on    bool          // there is a turn
	again bool          // it was looked at before
	used  time.Duration // what the process had computed then
	left  time.Duration
	began time.Time
}

func newWatch(alarm func(), process func() time.Duration) *watch {
	w := &watch{alarm: alarm, process: process}
	w.timer = time.AfterFunc(time.Hour, w.look)
	w.timer.Stop()
	return w
}

// start begins a turn that may take left.
func (w *watch) start(left time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.on, w.again, w.left, w.began = true, false, max(left, time.Millisecond), time.Now()
	w.timer.Reset(w.left + w.left/2 + stuckGrace)
}

func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.on = false
	w.timer.Stop()
}

func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.on || time.Since(w.began) < w.left {
		return // it was the turn before that it fired for
	}
	used := w.process()
	if !w.again {
		w.used, w.again = used, true
	}
	if used-w.used >= w.left/4 {
		w.alarm()
		return
	}
	w.timer.Reset(w.left / 2)
}

// processTime is what this process has computed.
func processTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
