package main

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fazt-sh/fazt/platform/child"
	"github.com/fazt-sh/fazt/spec"
)

// nodeLoader is the loader of a running node, which loads one revision after
// another: it keeps what it found, and has a child wait for the next job, since
// starting one takes longer than most loads. It is called from several
// goroutines. Close ends it.
type nodeLoader struct {
	loader
	memory spec.Memory
	large  atomic.Bool // a load left much to collect

	mu     sync.Mutex
	spare  *spare
	timer  *time.Timer // until the next spare starts
	closed bool
}

// The spare is bounded for an ordinary configuration and starts when the pass
// that used the one before is over.
const (
	spareSize  = 4 << 20 // bytes of configuration
	spareDelay = 250 * time.Millisecond
)

func newNodeLoader(log *slog.Logger) *nodeLoader { return &nodeLoader{loader: loader{log}} }

// Load is loader.Load by what the loads before have found.
func (l *nodeLoader) Load(ctx context.Context, in spec.Input) (spec.Output, error) {
	in.Memory = &l.memory
	var used *spare
	out, err := l.load(ctx, in, func(ctx context.Context, need child.Limits) (loadChild, error) {
		defer l.later()
		if used = l.take(need); used == nil {
			return startLoad(ctx, need)
		}
		used.begin(ctx, need)
		return used, nil
	})
	if used != nil && used.lost.Load() && ctx.Err() == nil {
		out, err = l.loader.Load(ctx, in) // it was gone before it was needed
	}
	if out.Evaluated >= largeLoad {
		l.large.Store(true)
	}
	return out, err
}

// largeLoad is the number of evaluated files from which it pays to collect at
// once what a load left.
const largeLoad = 1000

// tidy gives memory back once a pass with a large load is over and forgotten.
// What it needed for moments would stay with the process else, since the collector
// aims at twice of what it found last.
func (l *nodeLoader) tidy() {
	if l.large.Swap(false) {
		time.AfterFunc(time.Second, debug.FreeOSMemory)
	}
}

// take gives out the spare if its bounds will do.
func (l *nodeLoader) take(need child.Limits) *spare {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.spare
	if s == nil || s.limits.Data < need.Data || s.limits.CPU < need.CPU {
		return nil
	}
	l.spare = nil
	return s
}

// later has a spare started after a while, unless one is there.
func (l *nodeLoader) later() {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
	case l.timer == nil:
		l.timer = time.AfterFunc(spareDelay, l.prepare)
	default:
		l.timer.Reset(spareDelay)
	}
}

// prepare starts a spare. Without one the next load starts its own child.
func (l *nodeLoader) prepare() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.spare != nil {
		return
	}
	bounds := limits(spareSize)
	bounds.Wall = 0 // it waits for as long as nobody pushes
	p, err := child.Start(context.Background(), roleLoad, bounds)
	if err != nil {
		l.log.Debug("no child waits for the next load", "error", err)
		return
	}
	l.spare = &spare{Process: p, limits: bounds}
}

// Close ends what waits. A load that is under way ends with its context.
func (l *nodeLoader) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.timer != nil {
		l.timer.Stop()
	}
	if l.spare != nil {
		l.spare.Kill()
		l.spare.Process.Wait()
		l.spare = nil
	}
}

// spare is a child that was started before there was a job.
type spare struct {
	*child.Process
	limits child.Limits
	time   time.Duration // that the job may take
	wall   *time.Timer
	late   atomic.Bool // it was killed for its time
	lost   atomic.Bool // it ended for no reason that a job gives
	unbind func() bool
}

// begin bounds the job that it has now.
func (s *spare) begin(ctx context.Context, need child.Limits) {
	s.time = need.Wall
	s.unbind = context.AfterFunc(ctx, s.Kill)
	s.wall = time.AfterFunc(need.Wall, func() { s.late.Store(true); s.Kill() })
}

// Wait waits for its end.
func (s *spare) Wait() error {
	err := s.Process.Wait()
	s.unbind()
	s.wall.Stop()
	if s.late.Load() && child.ReasonOf(err) == child.Killed {
		return &child.Ended{Role: roleLoad, Reason: child.Wall, Limit: s.time.String()}
	}
	switch child.ReasonOf(err) {
	case child.Crashed, child.Failed:
		s.lost.Store(true)
	}
	return err
}
