package script

import (
	"context"
	"time"
)

// A child that crashed does not say whose work it was. Those who had work in it
// get a child of their own for a while: who crashes that one is known, and the
// others are out of his reach. So does code that was ended as it computed, or took
// memory, without end: within one process it would hold others up, whatever its
// priority, as they share locks. The child of a suspect comes after everybody else's.

const (
	suspicion  = time.Minute // since the last offence
	mostRefuge = 4           // children of suspects at a time
	laterNice  = 10          // of setpriority(2): a ninth of a processor that somebody else wants
)

// suspect is told that a child crashed while it had work of a.
func (a *App) suspect(w *worker) {
	if w != a.host.shared {
		a.strike("its child crashed")
		return
	}
	a.seekRefuge()
}

// offended is told that a's code was ended at a limit.
func (a *App) offended(w *worker, limit string) {
	if limit != limitCPU && limit != limitMemory {
		return
	}
	if w == a.host.shared {
		a.seekRefuge()
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refuge == w {
		a.pardon.Reset(suspicion)
	}
}

// seekRefuge gives a a child of its own, if there is one to give.
func (a *App) seekRefuge() {
	if a.host.refuges.Add(1) > mostRefuge {
		a.host.refuges.Add(-1)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refuge != nil || a.closed {
		a.host.refuges.Add(-1)
		return
	}
	own := newWorker(a.host, a.program.Name)
	own.nice = laterNice
	a.refuge = own
	go func() {
		if a.host.employ(context.Background(), own) != nil {
			a.leaveRefuge(own)
		}
	}()
	a.pardon = time.AfterFunc(suspicion, func() { a.leaveRefuge(own) })
}

// leaveRefuge ends the suspicion that began with own, or any.
func (a *App) leaveRefuge(own *worker) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refuge != nil && (own == nil || a.refuge == own) {
		a.refuge.dismiss(2 * a.bounds.Wall)
		a.refuge = nil
		a.pardon.Stop()
		a.host.refuges.Add(-1)
	}
}

// home is the worker that runs a now.
func (a *App) home() *worker {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refuge != nil {
		return a.refuge
	}
	return a.worker
}
