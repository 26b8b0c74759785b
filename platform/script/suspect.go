package script

import (
	"context"
	"time"
)

// A child that crashed does not say whose work it was. Those who had work in it
// get a child of their own for a while: who crashes that one is known, and the
// others are out of his reach.

const (
	suspicion  = time.Minute
	mostRefuge = 4 // children of suspects at a time
)

// suspect is told that a child crashed while it had work of a.
func (a *App) suspect(w *worker) {
	if w != a.host.shared {
		a.strike("its child crashed")
		return
	}
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
	a.refuge = own
	go func() {
		if a.host.employ(context.Background(), own) != nil {
			a.leaveRefuge(own)
		}
	}()
	time.AfterFunc(suspicion, func() { a.leaveRefuge(own) })
}

// leaveRefuge ends the suspicion that began with own, or any.
func (a *App) leaveRefuge(own *worker) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refuge != nil && (own == nil || a.refuge == own) {
		a.refuge.dismiss(2 * a.bounds.Wall)
		a.refuge = nil
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
