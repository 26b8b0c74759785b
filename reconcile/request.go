package reconcile

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile/plan"
	"github.com/fazt-sh/fazt/reconcile/source"
	"github.com/fazt-sh/fazt/spec"
)

// Outcome is what became of a revision.
type Outcome string

// The outcomes.
const (
	Taken      Outcome = "taken"      // the poke, nothing is known yet
	Applied    Outcome = "applied"    // it is live
	Unchanged  Outcome = "unchanged"  // it is what was live already
	Failing    Outcome = "failed"     // will be tried again
	Stuck      Outcome = "stalled"    // needs a new revision; some apps may be live
	Refused    Outcome = "waiting"    // a guard refused it
	Rewritten  Outcome = "diverged"   // it does not descend from what is applied
	Drifting   Outcome = "drifted"    // it was published and is not what is served
	Superseded Outcome = "superseded" // a newer revision came first

	Reverted Outcome = "rolled_back" // it asks for a version of an app that was rolled back
	Held     Outcome = "held"        // somebody paused what it would change
)

// Result is what a request brought about.
type Result struct {
	Outcome     Outcome          `json:"outcome"`
	Revision    string           `json:"revision,omitempty"`  // the one this is about
	Node        string           `json:"node,omitempty"`      // it was evaluated for
	Elsewhere   []spec.Addr      `json:"elsewhere,omitempty"` // apps that other nodes take; with Config.AllApps this one has them too
	Generation  uint64           `json:"generation"`          // served now
	Published   bool             `json:"published"`           // a new generation was made
	Plan        plan.Plan        `json:"plan"`
	Deployments []Deployment     `json:"deployments,omitempty"`
	Diagnostics spec.Diagnostics `json:"diagnostics,omitempty"`
	Problem     *Problem         `json:"problem,omitempty"`
	Faults      []AppFault       `json:"-"` // apps that could not be staged
	Personas    []spec.Persona   `json:"-"` // of the revision, for development

	newest string // revision of the source; another one than Revision where the node is pinned
	unseen error  // why a pinned node does not know it
}

// SyncRequest asks the loop to look at its source now.
type SyncRequest struct {
	Once     bool   // one pass although the node is paused; with Wait only
	Wait     bool   // until the fate of the revision is known; else until the poke is taken
	Revision string // the one to wait for, or its first seven digits or more; empty: the newest. One that a fresh look does not find is NotFound
	Actor    string // for the journal
	Trigger  string // for the history; empty is "sync"
}

// ApplyRequest hands a node that follows no repository its revision.
type ApplyRequest struct {
	Artifact    source.Artifact
	Saved       *plan.Saved // the plan that is to be carried out; nil: whatever comes out
	AllowPrune  int         // how many apps may go; 0: the usual budget
	AllowHosts  int         // how many hosts may get their first certificate; 0: the usual number
	AllowAccess bool        // that people gain access is meant
	ExpectPlan  string      // id of the plan somebody agreed to; empty: whatever comes out
	Actor       string
	Trigger     string // empty is "apply"
}

// syncCall is a request on its way; the answer always fits its channel.
type syncCall struct {
	SyncRequest
	cause
	ctx    context.Context
	answer chan answer
}

// call is a request that is served on the loop's goroutine, between passes; the
// answer always fits its channel.
type call struct {
	ctx    context.Context
	serve  func(context.Context) (Result, error)
	answer chan answer
}

type answer struct {
	result Result
	err    error
}

// ask has the loop serve a request and waits for it to be done. Ending ctx stops
// what has not committed.
func (l *Loop) ask(ctx context.Context, serve func(context.Context) (Result, error)) (Result, error) {
	c, began := &call{ctx: ctx, serve: serve, answer: make(chan answer, 1)}, time.Now()
	select {
	case l.calls <- c:
	case <-l.done:
		return Result{}, errStopping()
	case <-ctx.Done():
		return Result{}, l.gaveUp(ctx, "what was asked", began)
	}
	a := <-c.answer
	return a.result, a.err
}

// serve answers a request, which ends with the loop or with whoever asked.
func (l *Loop) serve(ctx context.Context, c *call) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(c.ctx, func() { cancel(context.Cause(c.ctx)) })()
	result, err := c.serve(ctx)
	c.answer <- answer{result, err}
}

// Sync looks for a new revision. With Wait it returns the fate of the revision
// asked for. The error is about the request; what is wrong with the revision
// is in the result.
func (l *Loop) Sync(ctx context.Context, r SyncRequest) (Result, error) {
	if l.config.Source == nil {
		return Result{}, fault.New(fault.Conflict, "this node follows no repository").
			WithHint("hand it a folder: fazt apply DIR, or start it with --repo")
	}
	if r.Trigger == "" {
		r.Trigger = "sync"
	}
	why := cause{trigger: r.Trigger, actor: r.Actor}
	if !r.Wait {
		l.poke(why)
		s := l.Status()
		return Result{Outcome: Taken, Revision: s.Applied, Generation: s.Generation}, nil
	}
	call := &syncCall{SyncRequest: r, cause: why, ctx: ctx, answer: make(chan answer, 1)}
	what, began := cmp.Or(r.Revision, "the newest commit"), time.Now()
	select {
	case l.syncs <- call:
	case <-l.done:
		return Result{}, errStopping()
	case <-ctx.Done():
		return Result{}, l.gaveUp(ctx, what, began)
	}
	select {
	case a := <-call.answer:
		return a.result, a.err
	case <-ctx.Done():
		return Result{}, l.gaveUp(ctx, what, began)
	case <-l.done:
	}
	select { // it may have been the loop's last word
	case a := <-call.answer:
		return a.result, a.err
	default:
		return Result{}, errStopping()
	}
}

// gaveUp is the error of a caller who did not wait long enough for something.
func (l *Loop) gaveUp(ctx context.Context, what string, began time.Time) error {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fault.Wrap(fault.Unavailable, context.Cause(ctx), "gave up waiting for %s", what)
	}
	waited := time.Since(began).Round(time.Millisecond)
	return fault.New(fault.Unavailable, "%s is not decided after %s: the node is %s", what, waited, l.Status().Phase).
		WithHint("fazt status tells how far it is; --timeout waits longer")
}

// Apply moves a node that follows no repository to a revision, wholly or not
// at all: any app that is stalled, blocked or cannot be staged refuses it. The
// result has the plan also where the error is set. It returns when the loop is
// done with the artifact; ending ctx stops the pass if it has not committed.
func (l *Loop) Apply(ctx context.Context, r ApplyRequest) (Result, error) {
	if l.config.Source != nil {
		return Result{}, fault.New(fault.Conflict, "this node follows %s", l.config.Source).
			WithHint("push there, then: fazt sync --wait")
	}
	if r.Trigger == "" {
		r.Trigger = "apply"
	}
	free, err := l.take(lease{r.Actor, time.Now()})
	if err != nil {
		return Result{}, err
	}
	defer free()
	return l.ask(ctx, func(ctx context.Context) (Result, error) {
		p := &pass{cause: cause{trigger: r.Trigger, actor: r.Actor}, art: r.Artifact, apply: &r}
		l.pass(ctx, p)
		return p.result, p.err
	})
}

// lease is who applies: one at a time, as the second one's plan was made for
// what the first one changes.
type lease struct {
	actor string
	since time.Time
}

// take gives the lease to whoever asks first. The error's kind is Exhausted.
func (l *Loop) take(mine lease) (free func(), err error) {
	if !l.busy.CompareAndSwap(nil, &mine) {
		holder := l.busy.Load()
		if holder == nil {
			return l.take(mine)
		}
		return nil, fault.New(fault.Exhausted, "%s is applying for %s already", holder.actor, time.Since(holder.since).Round(time.Second)).
			WithHint("try again when that is done; fazt status tells")
	}
	return func() { l.busy.Store(nil) }, nil
}

// onceAsked reports whether somebody who waits wants a pass in spite of a pause.
func (l *Loop) onceAsked() bool {
	return slices.ContainsFunc(l.waiting, func(c *syncCall) bool { return c.Once })
}

// Plan compares a revision with the node and touches nothing. Diagnostics with
// errors mean that there is no plan; else they are warnings. It may run beside
// a pass.
func (l *Loop) Plan(ctx context.Context, art source.Artifact) (plan.Plan, spec.Diagnostics, error) {
	_, made, diagnostics, err := l.compareWith(ctx, art)
	return made, diagnostics, err
}

// Wanted returns what a revision that the source has seen asks of this node,
// contents read, as the planner is told: what is stalled in it is unknown, not
// absent. Diagnostics with errors mean that it asks for nothing valid.
func (l *Loop) Wanted(ctx context.Context, revision string) (plan.Input, spec.Diagnostics, error) {
	if l.config.Source == nil {
		return plan.Input{}, nil, fault.New(fault.Conflict, "this node follows no repository, and knows no revisions")
	}
	art, err := l.config.Source.At(ctx, revision)
	if err != nil {
		return plan.Input{}, nil, err
	}
	in, _, diagnostics, err := l.compareWith(ctx, art)
	return in, diagnostics, err
}

// compareWith makes the plan of a revision beside whatever the loop does.
func (l *Loop) compareWith(ctx context.Context, art source.Artifact) (plan.Input, plan.Plan, spec.Diagnostics, error) {
	p := &pass{art: art}
	var err error
	if p.loaded, err = l.evaluate(ctx, art); err != nil {
		return plan.Input{}, plan.Plan{}, nil, err
	}
	if p.loaded.spec == nil {
		return plan.Input{}, plan.Plan{}, p.loaded.diagnostics, nil
	}
	generation := l.Status().Generation
	if p.actual, err = l.there(ctx); err != nil {
		return plan.Input{}, plan.Plan{}, nil, err
	}
	l.readContents(p.loaded, art.Tree, p.actual)
	p.keep, _ = l.keeps(p)
	in := l.input(p, p.loaded.stalled, generation)
	in.AllowAccess = false // whoever applies it must say so
	return in, plan.Diff(in), p.loaded.diagnostics, nil
}

// collect takes the other requests that wait already, so that one pass answers
// them all.
func (l *Loop) collect() {
	for {
		select {
		case call := <-l.syncs:
			l.waiting = append(l.waiting, call)
		case <-l.pokes: // what it asks for is about to happen
		default:
			return
		}
	}
}

// answer tells those who wait what the pass meant for their revision.
func (l *Loop) answer(ctx context.Context, result Result) {
	var next []*syncCall
	for _, call := range l.waiting {
		if call.ctx.Err() != nil {
			continue
		}
		if call.Revision == "" && result.Outcome == Superseded { // the newest is another one by now
			next = append(next, call)
			continue
		}
		fate, held := l.pinned(ctx, call.Revision, result)
		var err error
		if !held {
			fate, err = l.fate(ctx, call.Revision, result)
		}
		call.answer <- answer{fate, err}
	}
	l.waiting = next
}

// pinned is the fate of a revision that a pin keeps out; false where none does,
// or where the revision has not come.
func (l *Loop) pinned(ctx context.Context, revision string, result Result) (Result, bool) {
	pin, pinned := l.memory.Load().hold(Pinned, "")
	asked := cmp.Or(revision, result.newest)
	if !pinned || result.Revision != pin.Revision {
		return Result{}, false
	}
	fate := Result{Outcome: Held, Revision: asked, Generation: result.Generation, Problem: problemOf(heldError(pin))}
	switch {
	case revision == "" && result.unseen != nil && result.newest == pin.Revision: // nobody named another
		fate.Outcome, fate.Revision, fate.Problem = Failing, "", problemOf(result.unseen)
		return fate, true
	case isRevision(pin.Revision, asked):
		return Result{}, false
	case isRevision(result.newest, asked):
		fate.Revision = result.newest
		return fate, true
	}
	_, err := l.config.Source.At(ctx, asked)
	return fate, err == nil
}

// fate is what a pass meant for a revision. One that is not there after the look
// that somebody asked for would be waited for in vain.
func (l *Loop) fate(ctx context.Context, revision string, result Result) (Result, error) {
	switch {
	case revision == "" || result.Revision == "" || isRevision(result.Revision, revision):
		return result, nil
	case l.config.Source == nil:
		return result, nil
	}
	_, err := l.config.Source.At(ctx, revision)
	switch {
	case err == nil:
		return Result{Outcome: Superseded, Revision: revision, Generation: result.Generation, Problem: result.Problem}, nil
	case fault.KindOf(err) != fault.NotFound:
		return Result{}, err
	}
	return Result{}, fault.New(fault.NotFound, "%s has no commit %.12s", l.config.Source, revision).
		WithHint("push it first; the newest commit there is %.12s", result.Revision)
}

// isRevision reports whether a revision is meant by its first digits.
func isRevision(revision, asked string) bool {
	return revision == asked || len(asked) >= 7 && strings.HasPrefix(revision, asked)
}

// turnAway answers everybody who still waits when the loop ends.
func (l *Loop) turnAway() {
	for {
		select {
		case c := <-l.calls:
			c.answer <- answer{err: errStopping()}
		default:
			l.waiting = nil // they see that the loop is done
			return
		}
	}
}
