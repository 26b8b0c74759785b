package reconcile

import (
	"context"
	"slices"

	"github.com/fazt-sh/fazt/reconcile/plan"
	"github.com/fazt-sh/fazt/spec"
)

// compare reads the manifests and makes the plan.
func (l *Loop) compare(_ context.Context, p *pass) error {
	if l.quiet.holds(l, p) {
		p.plan, p.same = l.quiet.plan, true
		return nil
	}
	if p.adjust != nil {
		l.readjust(p)
	} else {
		l.readContents(p.loaded, p.art.Tree, p.actual)
		p.keep, p.settled = l.keeps(p)
	}
	p.plan = plan.Diff(l.input(p, p.loaded.stalled, l.last.Generation))
	l.quiet = quietOf(l, p)
	return nil
}

// quiet is a plan without a change, and what it was made of: while that is the
// same, so is the plan. Most passes find nothing new, and 10,000 apps need not be
// compared one by one to say so again.
type quiet struct {
	loaded     *loaded
	memory     *memory
	generation uint64
	actual     []spec.Object
	plan       plan.Plan
}

// quietOf keeps a plan that has nothing to say; what is stalled is read anew by
// every pass.
func quietOf(l *Loop, p *pass) *quiet {
	if !p.follows() || len(p.plan.Changes)+len(p.keep)+len(p.settled)+len(p.loaded.stalled) > 0 || p.plan.Refused != nil {
		return nil
	}
	return &quiet{loaded: p.loaded, memory: l.memory.Load(), generation: l.last.Generation, actual: p.actual, plan: p.plan}
}

// holds reports whether a pass comes to this plan.
func (q *quiet) holds(l *Loop, p *pass) bool {
	return q != nil && p.follows() && q.loaded == p.loaded && q.memory == l.memory.Load() && q.generation == l.last.Generation &&
		slices.EqualFunc(q.actual, p.actual, func(a, b spec.Object) bool {
			return a.Addr == b.Addr && a.Unmanaged == b.Unmanaged && a.Revision == b.Revision && plan.Same(a, b)
		})
}

// input is what the planner is asked.
func (l *Loop) input(p *pass, stalled map[spec.Addr]spec.Diagnostics, generation uint64) plan.Input {
	in := plan.Input{
		Actual: p.actual, Desired: p.loaded.desired, Stalled: stalled, Unknown: p.loaded.unknown(), Kept: p.keep, Elsewhere: p.loaded.spec.Elsewhere,
		Moved: p.loaded.spec.Moved, Removed: p.loaded.spec.Removed, Parked: l.memory.Load().parked,
		Revision: p.revision(), Node: p.loaded.spec.Node, Engine: l.config.Engine, Generation: generation,
	}
	in.AllowAccess = true // what is followed was reviewed
	if p.apply != nil {
		in.AllowPrune, in.AllowHosts, in.AllowAccess = p.apply.AllowPrune, p.apply.AllowHosts, p.apply.AllowAccess
	}
	return in
}
