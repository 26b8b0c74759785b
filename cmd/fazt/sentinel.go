package main

import (
	"context"
	"maps"
	"slices"
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
	seen map[edge.Watched]*sight
}

// sight is what was seen of one release.
type sight struct {
	bad  int  // answers in a row
	told bool // of what is wrong with it
}

// watchHealth runs the sentinel until ctx ends. It sleeps while nothing is new.
func (n *node) watchHealth(ctx context.Context) error {
	s := sentinel{n, map[edge.Watched]*sight{}}
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

// forget drops what was seen of releases that are not watched any more.
func (s *sentinel) forget(watched []edge.Watched) {
	maps.DeleteFunc(s.seen, func(w edge.Watched, _ *sight) bool { return !slices.Contains(watched, w) })
}

// look asks one app, and after a few bad answers in a row goes back to the release
// it had before; so it does for what visitors were answered. A release that has none
// before it, or says not to, is told of once.
func (s *sentinel) look(ctx context.Context, w edge.Watched) {
	seen := s.seen[w]
	if seen == nil {
		seen = &sight{}
		s.seen[w] = seen
	}
	if seen.told {
		return
	}
	err := s.edge.Answered(w.Addr, time.Now())
	if err == nil {
		err = s.ask(ctx, w, seen)
	}
	if err != nil {
		seen.told = true
		s.leave(ctx, w, fault.Message(err))
	}
}

// ask asks one app, and returns what it answers when that is no accident.
func (s *sentinel) ask(ctx context.Context, w edge.Watched, seen *sight) error {
	err := s.edge.Ask(ctx, w.Addr)
	if err == nil || ctx.Err() != nil {
		seen.bad = 0
		return nil
	}
	if seen.bad++; seen.bad < badInARow {
		return nil
	}
	return err
}

// leave goes back from a release.
func (s *sentinel) leave(ctx context.Context, w edge.Watched, why string) {
	log := s.cfg.log.With("component", "health", "app", w.Name, "revision", w.Revision, "problem", why)
	if !w.Reverts {
		log.Error("a new release does not work, and stays as its block says")
		return
	}
	_, err := s.rollback(op.WithActor(ctx, "health"), rollbackIn{App: w.Name, Reason: why})
	if err != nil {
		log.Error("a new release does not work, and there is no going back", "error", err)
		return
	}
	log.Error("a new release did not work: the one before is back")
}

// ages is how long releases have been in service that are watched still when the node
// starts again. A time that nobody is sure of yet ends no watch. What went back, or was
// put back, is not new.
func (n *node) ages(ctx context.Context, objects []spec.Object) (map[spec.Addr]time.Duration, error) {
	latest, err := n.ground.Releases.Latest(ctx)
	if err != nil {
		return nil, err
	}
	ages, now := map[spec.Addr]time.Duration{}, n.ground.Clock.Sure()
	for _, o := range objects {
		d, known := latest[o.Name]
		if o.Kind == spec.KindApp && known && d.Revision == o.Revision && d.Trigger != "rollback" && d.Trigger != "restore" {
			ages[o.Addr] = max(0, now.Sub(d.Time.Add(d.Duration)))
		}
	}
	return ages, nil
}
