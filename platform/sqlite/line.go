package sqlite

import (
	"context"
	"slices"
	"sync"
)

// line is where writers wait for their turn, first come, first served. It is a
// lock that tells who waits, that one may stop waiting for, and whose holder may do
// what others wait to do.
type line struct {
	mu      sync.Mutex
	taken   bool
	waiting []waiter
}

// waiter is one in line: who wants the turn, or a share that somebody may do.
type waiter struct {
	turn  chan struct{} // closed when it is the waiter's turn
	share *share
}

// enter returns when it is the caller's turn, or with the context's error.
func (l *line) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	if !l.taken {
		l.taken = true
		l.mu.Unlock()
		return nil
	}
	w := waiter{turn: make(chan struct{})}
	l.waiting = append(l.waiting, w)
	l.mu.Unlock()
	select {
	case <-w.turn:
		return nil
	case <-ctx.Done():
	}
	if !l.withdraw(w) { // the turn came at the same moment, and must be taken
		return nil
	}
	return ctx.Err()
}

// join takes the turn if nobody has it, and reports whether it did. If not, s waits
// in line.
func (l *line) join(s *share) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.taken {
		l.taken = true
		return true
	}
	l.waiting = append(l.waiting, waiter{share: s})
	return false
}

// withdraw takes w out of the line. It reports whether w was still there.
func (l *line) withdraw(w waiter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.waiting, w)
	if i < 0 {
		return false
	}
	l.waiting = slices.Delete(l.waiting, i, i+1)
	return true
}

// next takes who waits longest out of the line: a share, which the caller does now,
// or one who wants the turn, and has it then. If nobody waits, a caller who is leaving
// gives the turn up. It reports whether the turn is gone.
func (l *line) next(leaving bool) (s *share, gone bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		l.taken = !leaving
		return nil, leaving
	}
	first := l.waiting[0]
	l.waiting = slices.Delete(l.waiting, 0, 1)
	if first.turn != nil {
		close(first.turn)
	}
	return first.share, first.turn != nil
}

func (l *line) length() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting)
}
