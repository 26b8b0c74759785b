package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime/debug"
	"slices"
	"time"

	"github.com/fazt-sh/fazt/platform/failpoint"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile/plan"
	"github.com/fazt-sh/fazt/reconcile/source"
	"github.com/fazt-sh/fazt/spec"
)

// pass is one turn of the loop. Its steps fill it from top to bottom.
type pass struct {
	cause
	once   bool          // though the node is paused
	apply  *ApplyRequest // nil where the revision comes from the source
	adjust *Adjustment   // nil where there is a revision
	before *Status
	began  time.Time
	steps  []Step

	art         source.Artifact
	newest      source.Artifact // of the source; another one than art where the node is pinned
	unseen      error           // why a pinned node does not know the newest
	loaded      *loaded
	actual      []spec.Object
	keep        map[spec.Addr]plan.Keep // apps that somebody holds back
	settled     []HoldKey               // holds that have served their purpose
	plan        plan.Plan
	same        bool // the plan is the quiet one of an earlier pass
	staged      Staged
	objects     []spec.Object // what the stage will serve
	faults      []AppFault
	deployments []Deployment
	committed   bool
	again       *cause      // what was heard while releases proved themselves
	late        []*syncCall // the same, of those who wait for an answer
	remaining   *plan.Plan  // what verification found undone

	held   *Hold // the pause that ended the pass
	err    error // nil also where there was nothing to do
	result Result
}

// errNothing ends a pass that has nothing left to do. It is no failure.
var errNothing = errors.New("nothing to do")

// step is a row of the pass.
type step struct {
	name  string
	phase Phase
	run   func(context.Context, *pass) error
}

// steps is the order of a pass; the package comment says why.
func (l *Loop) steps() []step {
	return []step{
		{"fetch", Fetching, l.fetch},
		{"load", Loading, l.load},
		{"observe", Planning, l.observe},
		{"plan", Planning, l.compare},
		{"allow", Planning, l.allow},
		{"stage", Staging, l.stage},
		{"commit", Staging, l.commit},
		{"publish", Staging, l.publish},
		{"verify", Staging, l.verify},
	}
}

// pass takes the steps until one ends it. Whatever happens, a stage that was
// not committed is discarded and the status is written.
func (l *Loop) pass(ctx context.Context, p *pass) (result Result) {
	l.mend(ctx, p)
	p.before, p.began = l.Status(), time.Now()
	defer func() {
		if r := recover(); r != nil {
			p.err = fault.New(fault.Internal, "a defect stopped the pass: %v", r)
			l.log.Error("a defect stopped the pass", "panic", r, "stack", string(debug.Stack()))
		}
		if p.staged != nil && !p.committed {
			p.staged.Discard()
		}
		result = l.conclude(ctx, p)
	}()
	for _, s := range l.steps() {
		if ctx.Err() != nil && !p.committed {
			p.err = context.Cause(ctx)
			break
		}
		l.enter(p, s.phase)
		began := time.Now()
		p.err = s.run(ctx, p)
		p.steps = append(p.steps, Step{Name: s.name, Duration: time.Since(began)})
		if p.err != nil {
			break
		}
	}
	return result
}

// enter shows where the pass is.
func (l *Loop) enter(p *pass, phase Phase) {
	s := *l.Status()
	art := p.wanted()
	if s.Phase == phase && s.Desired == art.Revision {
		return
	}
	if s.Phase != phase {
		s.Phase, s.Since = phase, time.Now()
	}
	if art.Revision != "" {
		s.Desired, s.Author, s.Subject, s.Committed = art.Revision, art.Author, art.Subject, art.Time
	}
	s.Next = time.Time{}
	l.status.Store(&s)
}

// fetch gets the newest revision; an applied folder is there already. A pinned
// node looks too, to say what it would take, and goes on with what it has where
// it cannot.
func (l *Loop) fetch(ctx context.Context, p *pass) (err error) {
	if !p.follows() {
		return nil
	}
	p.art, err = l.config.Source.Fetch(ctx, l.bases()...)
	pin, pinned := l.memory.Load().hold(Pinned, "")
	if !pinned {
		return err
	}
	if p.newest, p.unseen = p.art, err; err != nil {
		l.log.Warn("pinned, and the source does not give its newest revision", "error", err)
	}
	p.art, err = l.config.Source.At(ctx, pin.Revision)
	return err
}

// wanted is the newest revision that the pass knows of.
func (p *pass) wanted() source.Artifact {
	if p.newest.Revision != "" {
		return p.newest
	}
	return p.art
}

// follows reports whether the pass is about what the source says.
func (p *pass) follows() bool { return p.apply == nil && p.adjust == nil }

// load evaluates the revision, unless it is the one that was evaluated last.
func (l *Loop) load(ctx context.Context, p *pass) (err error) {
	if p.adjust != nil {
		return nil
	}
	if p.apply == nil && l.loaded != nil && l.loaded.revision == p.art.Revision {
		p.loaded = l.loaded
	} else if p.loaded, err = l.evaluate(ctx, p.art); err != nil {
		if fault.KindOf(err).Retry() {
			return err
		}
		p.loaded = &loaded{revision: p.art.Revision, err: err}
	}
	if p.apply == nil {
		l.loaded = p.loaded
	}
	if p.loaded.spec == nil {
		return p.loaded.refusal()
	}
	l.units.Store(&p.loaded.units)
	return nil
}

// observe asks the target what it serves.
func (l *Loop) observe(ctx context.Context, p *pass) (err error) {
	p.actual, err = l.config.Target.Observe(ctx)
	return err
}

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

// subject is the revision the pass is about, empty while it is not known.
func (p *pass) subject() string {
	if p.adjust != nil && p.loaded == nil {
		return ""
	}
	return p.revision()
}

// revision is the one that the pass is about.
func (p *pass) revision() string {
	if p.adjust != nil {
		return p.loaded.revision
	}
	return p.art.Revision
}

// allow refuses what nobody can have meant, what somebody holds back, and what
// an applying person did not agree to.
func (l *Loop) allow(ctx context.Context, p *pass) error {
	if r := l.refusal(p); r != nil {
		return fault.New(fault.Conflict, "%s", r.Message).WithHint("%s", r.Hint)
	}
	if p.apply != nil {
		if err := l.agreed(ctx, p); err != nil {
			return err
		}
	}
	if p.adjust != nil {
		return p.adjustable()
	}
	if p.plan.Empty() && l.last.Generation > 0 && len(l.forgotten(p)) == 0 {
		return errNothing
	}
	if h, paused := l.paused(); paused && !p.once {
		p.held = &h
		return heldError(h)
	}
	return nil
}

// refusal is why the plan is not to be carried out; nil also where somebody has
// approved it.
func (l *Loop) refusal(p *pass) *plan.Refusal {
	if r := p.plan.Refused; r == nil || r.Code == plan.RefusedEmpty || !p.follows() || !l.approved(p.art.Revision) {
		return r
	}
	return nil
}

// adjustable refuses an adjustment that would be carried out in part.
func (p *pass) adjustable() error {
	for _, c := range p.plan.Changes {
		if c.Protected {
			return fault.New(fault.Conflict, "%s is protected", c.Addr).WithHint("take protect off in a commit first")
		}
		if c.Blocked {
			return fault.New(fault.Conflict, "%s is blocked by %s", c.Addr, joinAddrs(c.BlockedBy))
		}
	}
	switch {
	case p.adjust.DryRun:
		return errNothing
	case p.plan.Empty():
		return fault.New(fault.Conflict, "there is nothing to go back on: the node serves that already").
			WithHint("protect and on_remove are taken off by a commit; older releases: fazt history")
	}
	return nil
}

// agreed refuses an applied folder that cannot go live wholly, or not as it
// was shown.
func (l *Loop) agreed(ctx context.Context, p *pass) error {
	for _, c := range p.plan.Changes {
		switch {
		case c.Kept != nil:
			return fault.New(fault.Exhausted, "nothing was applied: %s", l.heldWords(c)).WithHint("fazt resume --app %s", nameOf(c.Addr))
		case c.Protected:
			return fault.New(fault.Conflict, "nothing was applied: %s is protected", c.Addr).
				WithHint("apply it with protect = false first, then without its block")
		case c.Blocked:
			return fault.New(fault.Conflict, "nothing was applied: %s is blocked by %s", c.Addr, joinAddrs(c.BlockedBy))
		}
	}
	if stalled := keysOf(p.loaded.stalled); len(stalled) > 0 {
		return fault.New(fault.Invalid, "nothing was applied: %s not valid", isAre(stalled))
	}
	if want := p.apply.ExpectPlan; want != "" && want != p.plan.ID {
		return fault.New(fault.Conflict, "the plan is %s by now, not %s: something changed in between", p.plan.ID, want).
			WithHint("look at the new plan and apply that")
	}
	if p.apply.Saved != nil {
		return l.fits(ctx, p)
	}
	return nil
}

// heldWords says who holds back a change.
func (l *Loop) heldWords(c plan.Change) string {
	if h, there := l.memory.Load().hold(HoldKind(c.Kept.Kind), c.Addr); there {
		return h.words()
	}
	return string(c.Addr) + " is held"
}

// isAre is a list of addresses with its verb.
func isAre(addrs []spec.Addr) string {
	if len(addrs) == 1 {
		return string(addrs[0]) + " is"
	}
	return joinAddrs(addrs) + " are"
}

// stage prepares everything that can fail. An app that cannot be staged keeps
// its last release, and so its hosts: where another app was to get one of them,
// the rest is staged again without both.
func (l *Loop) stage(ctx context.Context, p *pass) (err error) {
	desired := Desired{Revision: p.revision(), Node: p.loaded.spec.Node}
	desired.Files, desired.Folder, desired.Overtaken = opener(p.art.Tree), folder(p.art.Tree), l.lookout(p)
	if p.adjust != nil { // out of the node's own store, and else out of the release's own revision
		desired.Verify = true
		desired.Files = func(app spec.Object, path string) (io.ReadCloser, error) { return l.again(ctx, p, app, path) }
		desired.Folder = func(app spec.Object) (fs.FS, error) { return l.folderAgain(ctx, p, app) }
	}
	stalled := p.loaded.stalled
	for {
		want := plan.Wanted(l.input(p, stalled, l.last.Generation))
		desired.Objects = l.housed(p, p.released(want))
		if p.staged, err = l.config.Target.Stage(ctx, desired); err != nil {
			p.staged = nil
			return err
		}
		p.objects = p.staged.Objects()
		faults := p.staged.Faults()
		if len(faults) == 0 {
			return nil
		}
		if !p.follows() {
			return nothingApplied(faults[0])
		}
		known := len(p.faults)
		p.faults = withFaults(p.faults, faults)
		stalled = p.loaded.without(p.faults)
		in := l.input(p, stalled, l.last.Generation)
		p.plan = plan.Diff(in)
		if l.refusal(p) != nil { // what is left would leave nothing
			p.staged.Discard()
			p.staged = nil
			return fault.Wrap(fault.KindOf(faults[0].Err), faults[0].Err, "%s cannot be prepared", faults[0].Addr)
		}
		if len(p.faults) == known || sameObjects(p.objects, plan.Wanted(in)) {
			return nil
		}
		p.staged.Discard()
		p.staged = nil
	}
}

// nothingApplied is why an applied folder is refused as a whole. Findings say
// themselves where.
func nothingApplied(f AppFault) error {
	e := fault.Wrap(fault.KindOf(f.Err), f.Err, "nothing was applied: %s", f.Addr)
	if placed(f.Err) != nil {
		e.Message = fmt.Sprintf("nothing was applied: %s cannot be prepared", f.Addr)
	}
	return e
}

// withFaults adds the faults of apps that had none.
func withFaults(list, more []AppFault) []AppFault {
	for _, f := range more {
		if !slices.ContainsFunc(list, func(has AppFault) bool { return has.Addr == f.Addr }) {
			list = append(list, f)
		}
	}
	return list
}

// commit records the new generation. From here on nothing stops the pass.
func (l *Loop) commit(ctx context.Context, p *pass) error {
	c, problem := l.release(p)
	if c.empty() && l.last.Generation > 0 {
		return errNothing // every app that was to change has a fault
	}
	failpoint.Reached("loop.staged")
	if err := l.config.Ledger.Commit(context.WithoutCancel(ctx), c); err != nil {
		return err
	}
	p.committed = true
	p.deployments = c.Deployments
	failpoint.Reached("loop.committed")
	applied := c.Revision
	if p.adjust != nil {
		applied = l.last.Applied
	}
	l.last = State{Generation: c.Generation, Published: c.Revision, Applied: applied}
	l.remember(l.memory.Load().with(c.Entry.Holds, c.Entry.Freed).withParked(p.parked(c.Park), slices.Concat(c.Unpark, c.Entry.Purged)))
	l.lost = slices.DeleteFunc(l.lost, func(a spec.Addr) bool { return c.settles(a) })
	l.noted = noteKey(c.Entry, problem)
	return nil
}

// publish swaps the new state in and holds on to its files.
func (l *Loop) publish(_ context.Context, p *pass) error {
	p.staged.Publish(l.last.Generation)
	failpoint.Reached("loop.published")
	l.keep(p)
	return nil
}

// keep tells the source which revision is in service. It is book-keeping: a
// failure is for the log.
func (l *Loop) keep(p *pass) {
	if !p.follows() {
		return
	}
	if err := l.config.Source.Keep(l.last.Generation, p.art.Revision); err != nil {
		l.log.Warn("the source cannot hold on to a revision", "revision", p.art.Revision, "error", err)
	}
}

// verify looks whether what is served is what was published.
func (l *Loop) verify(ctx context.Context, p *pass) error {
	seen, err := l.config.Target.Observe(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	if sameObjects(seen, p.objects) {
		return nil
	}
	rest := plan.Diff(plan.Input{
		Actual: seen, Desired: p.objects, Revision: p.revision(), Node: p.loaded.spec.Node, Engine: l.config.Engine,
		Generation: l.last.Generation,
	})
	if !rest.Empty() {
		p.remaining = &rest
	}
	return nil
}
