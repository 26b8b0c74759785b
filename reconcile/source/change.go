package source

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/go-git/go-git/v5/plumbing"
)

// Change is the commit that made something what it is.
type Change struct {
	Revision string // full commit id
	Author   string // "Asha <asha@example.com>"
	Subject  string // first line of the commit message
	Time     time.Time
}

// longestLine bounds the commits that LastChange looks at.
const longestLine = 10_000

// LastChange returns the newest commit on the first-parent line, at or before a
// revision, that changed what is at a path; "." is the whole tree. It compares
// ids: what is the same is not read. What it cannot say, because the history
// that is here ends or is too long, is NotFound with the reason.
func (g *Git) LastChange(ctx context.Context, revision, path string) (Change, error) {
	for {
		objects := g.objects.Load()
		if objects == nil {
			return Change{}, errClosed
		}
		change, err := g.lastChange(ctx, objects, revision, path)
		switch {
		case !isDamage(err):
			return change, err
		case objects == g.objects.Load(): // the mirror was not replaced meanwhile
			return change, fault.New(fault.NotFound, "the files of an earlier commit of %s are not here: %w", g, err).WithSubject(path)
		}
	}
}

func (g *Git) lastChange(ctx context.Context, objects *store, revision, path string) (Change, error) {
	id, err := g.resolve(objects, strings.ToLower(revision))
	if err != nil {
		return Change{}, err
	}
	l := line{stores: []*store{objects}, path: strings.Trim(path, "/")}
	if l.path != "" && l.path != "." {
		l.steps = strings.Split(l.path, "/")
	}
	if remote, local := g.remote.(*localRemote); local { // a copy leaves earlier files where they are
		if s, err := remote.connect(ctx); err == nil {
			defer s.Close()
			if err := s.(*localSession).open(); err == nil {
				l.stores = append(l.stores, s.(*localSession).objects)
			}
		}
	}
	c, err := l.lastChange(ctx, id, (&mirror{dir: g.dir}).shallow())
	return Change{Revision: c.id.String(), Author: c.author, Subject: c.subject, Time: c.time}, err
}

// line follows a path along first parents.
type line struct {
	stores []*store // the first that has an object is read
	path   string
	steps  []string
}

func (l *line) lastChange(ctx context.Context, id plumbing.Hash, cut map[plumbing.Hash]bool) (commit, error) {
	newest, err := l.commit(id)
	if err != nil {
		return commit{}, err
	}
	here, err := l.trail(newest.tree, nil)
	if err != nil {
		return commit{}, err
	}
	if here[len(here)-1].IsZero() {
		return commit{}, fault.New(fault.NotFound, "the revision %.12s has no %q", id, l.path).WithSubject(l.path)
	}
	for at, n := newest, 0; ; n++ {
		switch {
		case cut[at.id]:
			return commit{}, fault.New(fault.NotFound, "%q did not change since %.12s, where the history that is here is cut", l.path, at.id).WithSubject(l.path)
		case n == longestLine:
			return commit{}, fault.New(fault.NotFound, "%q did not change in the last %d commits", l.path, longestLine).WithSubject(l.path)
		case len(at.parents) == 0:
			return at, nil
		}
		parent, err := l.commit(at.parents[0])
		if err != nil {
			return commit{}, err
		}
		before, err := l.trail(parent.tree, here)
		if err := errors.Join(err, ctx.Err()); err != nil {
			return commit{}, err
		}
		if before[len(before)-1] != here[len(here)-1] {
			return at, nil
		}
		at, here = parent, before
	}
}

// trail returns the ids of the root and of every step of the path, zero where
// there is none. From where it meets known, the rest is known's.
func (l *line) trail(root plumbing.Hash, known []plumbing.Hash) ([]plumbing.Hash, error) {
	trail := make([]plumbing.Hash, len(l.steps)+1)
	trail[0] = root
	for i, step := range l.steps {
		if known != nil && trail[i] == known[i] {
			copy(trail[i:], known[i:])
			break
		}
		entries, err := l.tree(trail[i])
		if err != nil {
			return nil, err
		}
		found, ok := findEntry(entries, step)
		if !ok || i+1 < len(l.steps) && !found.isDir() {
			break // the rest stays zero
		}
		trail[i+1] = found.id
	}
	return trail, nil
}

func (l *line) commit(id plumbing.Hash) (c commit, err error) {
	for _, s := range l.stores {
		if c, err = s.commit(id); !errors.Is(err, errMissing) {
			break
		}
	}
	return c, err
}

func (l *line) tree(id plumbing.Hash) (entries []entry, err error) {
	for _, s := range l.stores {
		if entries, err = readTree(s, id); !errors.Is(err, errMissing) {
			break
		}
	}
	return entries, err
}
