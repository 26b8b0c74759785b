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
	absent      []AppFault // apps that are absent, and why they stay so
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

// observe asks the target what it serves, and adds what is absent.
func (l *Loop) observe(ctx context.Context, p *pass) (err error) {
	p.actual, err = l.there(ctx)
	return err
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
		faults := l.blamed(p, desired.Objects, p.staged.Faults())
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
		if len(p.faults) == known || sameObjects(p.objects, slices.DeleteFunc(plan.Wanted(in), func(o spec.Object) bool { return p.stillAbsent(o.Addr) })) {
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
	for _, o := range c.Put {
		delete(l.left, o.Name)
	}
	l.found(p, c)
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
