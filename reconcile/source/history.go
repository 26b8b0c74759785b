package source

import (
	"context"
	"fmt"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/go-git/go-git/v5/plumbing"
)

// lineage remembers the last question about history: a poll asks it again.
type lineage struct {
	from  plumbing.Hash
	bases string
	found relation
}

// relation is what the history that is here says of a commit and its bases.
type relation int

const (
	unasked   relation = iota
	descends           // it is, or comes after, one of them
	diverged           // it comes after none of them
	undecided          // what is here ends before it could be told
)

// allow is the fast-forward rule: with signatures but without memory, an old
// commit could be replayed. GitConfig.Rewritten does without it.
func (g *Git) allow(ctx context.Context, head plumbing.Hash, bases []string) error {
	known := commitsOf(bases)
	if len(known) == 0 {
		return nil
	}
	asked := fmt.Sprint(known)
	if g.lineage.from != head || g.lineage.bases != asked || g.lineage.found == undecided {
		found, err := g.mirror.relate(ctx, head, known)
		if err != nil {
			return err
		}
		g.lineage = lineage{head, asked, found}
	}
	switch g.lineage.found {
	case descends:
		return nil
	case undecided:
		return fault.New(fault.Conflict, "it cannot be told whether %.12s of %s descends from %.12s: the history that is here is cut short", head, g, known[0]).
			WithCode(codeCut).WithSubject(g.String()).
			WithHint("fazt approve %.12s accepts it", head)
	default:
		return fault.New(fault.Conflict, "%s was rewritten: %.12s does not descend from %.12s, which this node applied, wholly or in part", g, head, known[0]).
			WithCode(CodeDiverged).WithSubject(g.String()).
			WithHint("fazt approve %.12s accepts it; or push a commit that descends from %.12s", head, known[0])
	}
}

// commitsOf returns the bases that are commits: a folder's revision is none.
func commitsOf(bases []string) (ids []plumbing.Hash) {
	for _, base := range bases {
		if plumbing.IsHash(base) {
			ids = append(ids, plumbing.NewHash(base))
		}
	}
	return ids
}

// relate tells whether a commit is, or descends from, one of some others. Where
// history is cut, a base may be behind the cut, unless the cut is behind it.
func (m *mirror) relate(ctx context.Context, from plumbing.Hash, bases []plumbing.Hash) (relation, error) {
	cut := m.shallow()
	before, err := m.ancestors(ctx, []plumbing.Hash{from}, cut, bases)
	if err != nil {
		return unasked, err
	}
	for _, base := range bases {
		if before[base] {
			return descends, nil
		}
	}
	var ends []plumbing.Hash
	for id := range cut {
		if before[id] {
			ends = append(ends, id)
		}
	}
	for _, base := range bases {
		if len(ends) == 0 {
			break
		}
		if !m.objects.has(base) {
			return undecided, nil
		}
		behind, err := m.ancestors(ctx, []plumbing.Hash{base}, cut, nil)
		if err != nil {
			return unasked, err
		}
		for _, end := range ends {
			if !behind[end] {
				return undecided, nil
			}
		}
	}
	return diverged, nil
}

// ancestors collects commits and all before them, as far as the history that is
// here goes, and stops early at one that is looked for.
func (m *mirror) ancestors(ctx context.Context, from []plumbing.Hash, cut map[plumbing.Hash]bool, until []plumbing.Hash) (map[plumbing.Hash]bool, error) {
	wanted := map[plumbing.Hash]bool{}
	for _, id := range until {
		wanted[id] = true
	}
	seen := map[plumbing.Hash]bool{}
	for queue := from; len(queue) > 0; {
		id := queue[0]
		queue = queue[1:]
		if seen[id] {
			continue
		}
		seen[id] = true
		if wanted[id] {
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		c, err := m.objects.commit(id)
		if err != nil {
			return nil, fmt.Errorf("history: %w", err)
		}
		if !cut[id] {
			queue = append(queue, c.parents...)
		}
	}
	return seen, nil
}
