package main

import (
	"context"
	"time"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/spec"
)

// How a release that took over is watched: so often, and so many bad answers in a
// row are no accident.
const (
	watchEvery = time.Second
	badInARow  = 3
)

// sentinel watches new releases of apps that say how to tell that they work, and
// goes back from one that does not.
type sentinel struct {
	*node
	bad map[spec.Addr]int // answers in a row
}

// watchHealth runs the sentinel until ctx ends. It sleeps while nothing is new.
func (n *node) watchHealth(ctx context.Context) error {
	s := sentinel{n, map[spec.Addr]int{}}
	for {
		changed := n.edge.Changed()
		watched := n.edge.Watched(time.Now())
		s.forget(watched)
		for _, w := range watched {
			s.look(ctx, w)
		}
		var again <-chan time.Time
		if len(watched) > 0 {
			again = time.After(watchEvery)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-again:
		}
	}
}

// forget drops the counts of releases that are not watched any more.
func (s *sentinel) forget(watched []edge.Watched) {
	for addr := range s.bad {
		still := false
		for _, w := range watched {
			still = still || w.Addr == addr
		}
		if !still {
			delete(s.bad, addr)
		}
	}
}

// look asks one app, and after a few bad answers in a row goes back to the release
// it had before. One that has none, or says not to, is told of once.
func (s *sentinel) look(ctx context.Context, w edge.Watched) {
	err := s.edge.Ask(ctx, w.Addr)
	if err == nil || ctx.Err() != nil {
		s.bad[w.Addr] = 0
		return
	}
	s.bad[w.Addr]++
	if s.bad[w.Addr] != badInARow {
		return
	}
	why := fault.Message(err)
	log := s.cfg.log.With("component", "health", "app", w.Name, "revision", w.Revision, "problem", why)
	if !w.Reverts {
		log.Error("a new release does not work, and stays as its block says")
		return
	}
	_, err = s.rollback(op.WithActor(ctx, "health"), rollbackIn{App: w.Name, Reason: why})
	if err != nil {
		log.Error("a new release does not work, and there is no going back", "error", err)
		return
	}
	log.Error("a new release did not work: the one before is back")
}
