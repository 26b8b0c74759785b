package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile"
)

// crashesMost is how many crashes within a minute are taken for a loop of them.
const crashesMost = 5

// Safe is the phase of a node that serves what it has and does nothing else, as
// it crashed again and again.
const phaseSafe reconcile.Phase = "safe"

// safety is whether a node keeps still.
type safety struct {
	crashes int
	since   time.Time
	awake   chan struct{} // closed when the node may go on
}

// newSafety judges how the last starts went.
func newSafety(crashes int, off bool) *safety {
	s := &safety{crashes: crashes, since: time.Now(), awake: make(chan struct{})}
	if off || crashes < crashesMost {
		close(s.awake)
	}
	return s
}

// on reports whether the node keeps still.
func (s *safety) on() bool {
	select {
	case <-s.awake:
		return false
	default:
		return true
	}
}

// refuse is what commands are told that would change the node.
func (s *safety) refuse() error {
	if !s.on() {
		return nil
	}
	return fault.New(fault.Conflict, "the node is in safe mode: it crashed %d times within a minute", s.crashes).
		WithHint("look at its log; fazt resume lets it go on")
}

// wake lets the node go on. It reports whether it kept still.
func (s *safety) wake() bool {
	if !s.on() {
		return false
	}
	close(s.awake)
	return true
}

// status shows that the node keeps still.
func (s *safety) status(now *reconcile.Status) *reconcile.Status {
	if !s.on() {
		return now
	}
	shown := *now
	shown.Phase, shown.Since = phaseSafe, s.since
	err := s.refuse()
	shown.Problem = &reconcile.Problem{Kind: fault.KindOf(err), Message: fault.Message(err), Hint: fault.HintOf(err)}
	return &shown
}

// runLoop runs the loop once the node may go on.
func (n *node) runLoop(ctx context.Context) error {
	if n.safe.on() {
		n.cfg.log.Warn("safe mode: serving what was published last and nothing else", "crashes", n.safe.crashes, "hint", "fazt resume")
	}
	select {
	case <-n.safe.awake:
		return n.loop.Run(ctx)
	case <-ctx.Done():
		return nil
	}
}

// reasonPage says in plain words how the node is, on the control address.
func (n *node) reasonPage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	s := n.safe.status(n.loop.Status())
	fmt.Fprintf(w, "fazt %s, %s\n", version, s.Phase)
	if s.Problem != nil {
		fmt.Fprintf(w, "%s\n%s\n", s.Problem.Message, s.Problem.Hint)
	}
}
