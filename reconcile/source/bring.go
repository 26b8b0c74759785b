package source

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/go-git/go-git/v5/plumbing"
)

const (
	// firstDepth is how much history is fetched of a repository whose whole
	// history is over the budget of a first fetch; deeper is how many times more
	// each further attempt asks for.
	firstDepth = 50
	deeper     = 4
	deepest    = 1 << 20
)

// Fetched is what one fetch brought and cost.
type Fetched struct {
	Objects int           `json:"objects"`
	Bytes   int64         `json:"bytes"`
	Took    time.Duration `json:"duration_ns"`
	Memory  int64         `json:"memory"` // most that taking it in could need; 0 where a git binary did it
}

// Stats is what a source costs.
type Stats struct {
	Packs       int     `json:"packs"`
	Bytes       int64   `json:"bytes"`        // of the mirror on disk
	Last        Fetched `json:"last"`         // the last fetch that brought something since the start
	MemoryLimit int64   `json:"memory_limit"` // most that Last.Memory may be
}

// Stats returns what the mirror costs now.
func (g *Git) Stats() Stats {
	s := Stats{MemoryLimit: g.limits.Memory}
	if last := g.last.Load(); last != nil {
		s.Last = *last
	}
	_ = filepath.WalkDir(g.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // it went away meanwhile
		}
		if info, err := d.Info(); err == nil && !d.IsDir() {
			s.Bytes += info.Size()
		}
		if filepath.Ext(path) == ".pack" {
			s.Packs++
		}
		return nil
	})
	return s
}

// bring fetches a commit into a mirror. The caller holds mu.
func (g *Git) bring(ctx context.Context, s session, into *mirror, id plumbing.Hash) error {
	if err := into.setShallow(s.shallow(), nil); err != nil {
		return g.diskFault(err)
	}
	g.tidy(ctx)
	name := refSource + shortRef(g.ref)
	first := into.ref(name).IsZero() && into.ref(refLast).IsZero()
	o := order{want: id, have: func() []plumbing.Hash { return into.have(name) }, bytes: g.limits.Transfer}
	if first {
		o.bytes = min(g.limits.Transfer, g.limits.Clone)
	}
	err := g.fetch(ctx, s, into, o)
	if first && errors.Is(err, errBudget) {
		if !s.canCut() {
			return fault.New(fault.Exhausted, "%s has more than %d bytes, and its server cannot leave out old history", g, o.bytes).
				WithCode(codeWhole).WithSubject(g.String()).WithHint("follow it over https or ssh from a server of git, or make the repository smaller")
		}
		g.log.InfoContext(ctx, "the history is large, its end is fetched", "source", g.String(), "budget", o.bytes, "commits", firstDepth)
		o.depth, o.bytes = firstDepth, g.limits.Transfer
		if s, err = g.remote.connect(ctx); err != nil {
			return err
		}
		defer s.Close()
		o.want = s.head()
		err = g.fetch(ctx, s, into, o)
	}
	if err == nil && !into.objects.has(id) {
		err = unreachable(g.at, "it did not send the commit it named", nil)
	}
	return err
}

// fetch carries out one order.
func (g *Git) fetch(ctx context.Context, s session, into *mirror, o order) error {
	for id := range into.shallow() {
		o.cut = append(o.cut, id)
	}
	began := time.Now()
	d, err := s.fetch(ctx, into.objects, o)
	if err == nil {
		err = into.setShallow(d.cut, d.joined)
	}
	if err != nil {
		return err
	}
	last := Fetched{Objects: d.objects, Bytes: d.bytes, Took: time.Since(began), Memory: d.memory}
	g.last.Store(&last)
	g.log.DebugContext(ctx, "fetched", "source", g.String(), "revision", o.want.String(), "objects", last.Objects, "bytes", last.Bytes,
		"packs", len(into.objects.own()), "memory", last.Memory, "memory_limit", g.limits.Memory)
	return nil
}

// reach fetches more history until it is known whether the head descends from a
// base, or the remote has no more of it. It does nothing for a whole history.
func (g *Git) reach(ctx context.Context, s session, head plumbing.Hash, bases []string) error {
	known := commitsOf(bases)
	if len(known) == 0 || !s.canCut() || len(g.mirror.shallow()) == 0 {
		return nil
	}
	for depth := firstDepth * deeper; depth <= deepest; depth *= deeper {
		found, err := g.mirror.relate(ctx, head, known)
		if err != nil || found != undecided {
			return err
		}
		before := len(g.mirror.shallow())
		s, err := g.remote.connect(ctx)
		if err != nil {
			return err
		}
		err = g.fetch(ctx, s, g.mirror, order{want: head, have: func() []plumbing.Hash { return []plumbing.Hash{head} }, depth: depth, bytes: g.limits.Transfer})
		s.Close()
		if err != nil {
			return err
		}
		if after := g.mirror.shallow(); len(after) == 0 || before == 0 {
			return nil
		}
	}
	return nil
}

// tidy puts packs together where there are many. That it cannot hurts nobody
// now: it is tried again.
func (g *Git) tidy(ctx context.Context) {
	err := g.mirror.objects.repack(ctx)
	if isDamage(err) {
		g.damaged.Store(true)
	}
	if err != nil {
		g.log.WarnContext(ctx, "the packs of the mirror stay apart", "source", g.String(), "error", err)
	}
}
