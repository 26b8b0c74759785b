package reconcile

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile/plan"
	"github.com/fazt-sh/fazt/reconcile/source"
	"github.com/fazt-sh/fazt/spec"
)

// conclude ends a pass: what the loop remembers, the status, the ledger, the
// log, the answer. It is the one place that says how a pass went.
func (l *Loop) conclude(ctx context.Context, p *pass) Result {
	nothing := errors.Is(p.err, errNothing)
	if nothing {
		p.err = nil
	}
	stopped := ctx.Err() != nil && !p.committed
	if stopped {
		p.err = fault.New(fault.Unavailable, "stopped before anything was changed")
	}
	if p.err == nil && p.adjust == nil {
		l.kept = keptBackBy(p)
		blameless(l.kept)
	}
	outcome := p.outcome(l.kept)
	before := l.last.Applied
	if nothing && outcome == Unchanged && p.adjust == nil { // what was merely tried can be taken back
		l.last.Applied = p.art.Revision
	}
	problem := p.problem(outcome, l.kept)
	p.result = Result{
		Outcome: outcome, Revision: p.subject(), Generation: l.last.Generation, Published: p.committed, Plan: p.plan,
		Deployments: p.deployments, Diagnostics: p.diagnostics(), Problem: problem, Faults: p.faults,
		newest: p.wanted().Revision, unseen: p.unseen,
	}
	if p.loaded != nil && p.loaded.spec != nil {
		p.result.Node, p.result.Elsewhere, p.result.Personas = p.loaded.spec.Node, p.loaded.spec.Elsewhere, p.loaded.spec.Personas
	}
	if stopped {
		l.status.Store(p.before)
		return p.result
	}
	l.count(p, outcome)
	l.show(p, outcome, problem)
	if outcome != Unchanged || before != p.art.Revision {
		l.note(ctx, p, outcome, problem)
	}
	if freed := l.freed(p); p.err == nil && !p.committed && len(freed) > 0 && p.adjust == nil {
		l.free(ctx, freed, "resume")
	}
	if nothing && before != l.last.Applied {
		l.keep(p)
	}
	l.tell(p, problem)
	return p.result
}

// keptBackBy lists the apps that the pass left on an old release.
func keptBackBy(p *pass) map[spec.Addr]keptBack {
	kept := map[spec.Addr]keptBack{}
	for addr, d := range p.loaded.stalled {
		kept[addr] = keptBack{state: AppStalled, diagnostics: d, err: p.loaded.faults[addr]}
	}
	for _, f := range p.faults {
		if fault.KindOf(f.Err).Retry() {
			kept[f.Addr] = keptBack{state: AppFailed, diagnostics: placed(f.Err), err: f.Err}
		}
	}
	return kept
}

// outcome names how the pass went.
func (p *pass) outcome(kept map[spec.Addr]keptBack) Outcome {
	if p.held != nil {
		return Held
	}
	if p.overtaken() {
		return Superseded
	}
	if p.err != nil {
		switch kind := fault.KindOf(p.err); {
		case problemOf(p.err).Code == source.CodeDiverged:
			return Rewritten
		case kind == fault.Conflict:
			return Refused
		case kind.Retry():
			return Failing
		default:
			return Stuck
		}
	}
	if p.remaining != nil {
		return Drifting
	}
	for _, k := range kept {
		if k.state == AppFailed {
			return Failing
		}
	}
	switch {
	case len(kept) > 0:
		return Stuck
	case len(p.protected()) > 0:
		return Refused
	case p.keeps(RolledBack):
		return Reverted
	case p.keeps(Paused):
		return Held
	case p.committed:
		return Applied
	default:
		return Unchanged
	}
}

// protected lists what the revision removes and protection keeps.
func (p *pass) protected() (list []spec.Addr) {
	for _, c := range p.plan.Changes {
		if c.Protected {
			list = append(list, c.Addr)
		}
	}
	return list
}

// keeps reports whether the revision asks for something that a hold of this kind
// keeps back.
func (p *pass) keeps(kind HoldKind) bool {
	return slices.ContainsFunc(p.plan.Changes, func(c plan.Change) bool { return c.Kept != nil && c.Kept.Kind == string(kind) })
}

// phase is where a pass leaves the node.
func (o Outcome) phase() Phase {
	switch o {
	case Refused, Reverted, Held:
		return Waiting
	case Rewritten:
		return Diverged
	case Failing:
		return Failed
	case Stuck:
		return Stalled
	case Drifting:
		return Drifted
	case Superseded:
		return Fetching // the next pass begins at once
	default:
		return Synced
	}
}

// count keeps the back-off: failures double it, and what does not hold after
// it was published is tried once more before it waits for the next poll.
func (l *Loop) count(p *pass, o Outcome) {
	switch {
	case !p.follows(): // whoever asks tries again, or does not
		return
	case o == Failing:
		l.attempts++
		return
	case o == Drifting && l.drifts == 0:
		l.drifts, l.attempts = 1, 1
		return
	case o == Drifting:
		l.drifts++
	default:
		l.drifts = 0
	}
	l.attempts = 0
}

// show writes the status. An Apply that was refused leaves the node as it was,
// and its status too.
func (l *Loop) show(p *pass, o Outcome, problem *Problem) {
	if !p.follows() && !p.committed && (p.adjust != nil || o != Unchanged) {
		l.status.Store(p.before)
		return
	}
	s := *l.Status()
	now := time.Now()
	s.Phase, s.Since = l.phase(p, o), now
	if p.before.Phase == s.Phase {
		s.Since = p.before.Since
	}
	s.Applied, s.Published, s.Generation = l.last.Applied, l.last.Published, l.last.Generation
	s.Problem, s.Attempts, s.Remaining, s.Next = problem, l.attempts, nil, time.Time{}
	if art := p.wanted(); art.Revision != "" {
		s.Desired, s.Author, s.Subject, s.Committed = art.Revision, art.Author, art.Subject, art.Time
	}
	if p.art.Revision != "" && p.unseen == nil {
		s.Checked = now
	}
	if p.loaded != nil && p.loaded.spec != nil {
		s.Node = p.loaded.spec.Node
	}
	if p.plan.ID != "" {
		s.Plan = &PlanSummary{ID: p.plan.ID, Counts: p.plan.Counts}
	}
	switch {
	case p.remaining != nil:
		s.Remaining = p.remaining
	case (o == Refused || p.held != nil || p.waits()) && p.plan.ID != "":
		s.Remaining = &p.plan
	}
	if served, known := p.served(); known && !p.same { // as it was found before
		l.apps = l.appsOf(appStatuses(served, p.plan, l.kept))
	}
	s.Apps, s.Holds = withHolds(l.apps, l.memory.Load()), l.memory.Load().holds
	s.Lost, s.LostWhy = addrsOf(l.lost), l.lostWhy()
	s.Pass = &PassTime{Began: p.began, Total: now.Sub(p.began), Steps: p.steps}
	l.status.Store(&s)
}

// waits reports whether an app would be removed if all of the revision could be
// read.
func (p *pass) waits() bool {
	return slices.ContainsFunc(p.plan.Changes, func(c plan.Change) bool { return len(c.Waits) > 0 })
}

// phase is where the pass leaves this node. A pause shows even where there is
// nothing to do, a pin where something newer waits, and an adjustment says
// nothing of the source.
func (l *Loop) phase(p *pass, o Outcome) Phase {
	if _, paused := l.paused(); paused && (o.phase() == Synced || o == Held) {
		return Suspended
	}
	if p.wanted().Revision != p.art.Revision && o.phase() == Synced {
		return Suspended
	}
	if p.adjust != nil && l.config.Source != nil {
		return p.before.Phase
	}
	return o.phase()
}

// served is what the target serves after the pass, if the pass came so far as
// to know it.
func (p *pass) served() ([]spec.Object, bool) {
	if p.committed {
		return p.objects, true
	}
	return p.actual, p.plan.ID != ""
}

// note tells the ledger of a pass that made no generation, once for each
// revision, outcome and reason. A person's Apply that was refused is theirs to
// hear, not the history's.
func (l *Loop) note(ctx context.Context, p *pass, o Outcome, problem *Problem) {
	if p.committed || p.art.Revision == "" || !p.follows() && p.err != nil {
		return
	}
	e := p.entry(o, problem, 0)
	if l.last.Applied == p.art.Revision {
		e.Applied = p.art.Revision
	}
	if o == Rewritten {
		e.Attempted = "" // it was seen and not tried
	}
	key := noteKey(e, problem)
	if key == l.noted {
		return
	}
	reported := maps.Clone(l.reported)
	if p.err == nil {
		e.Deployments = l.failures(p, l.kept)
	}
	if err := l.config.Ledger.Note(context.WithoutCancel(ctx), e); err != nil {
		l.reported = reported
		l.log.Warn("the ledger cannot be written", "error", err)
		return
	}
	p.result.Deployments = e.Deployments
	l.noted = key
}

// noteKey tells whether two passes have the same to say.
func noteKey(e Entry, problem *Problem) string {
	key := []string{e.Attempted, string(e.Outcome)}
	if problem != nil {
		key = append(key, problem.Message)
	}
	return strings.Join(key, "\x00")
}

// tell writes the log: what went live, and a problem when it is new.
func (l *Loop) tell(p *pass, problem *Problem) {
	log := l.log.With("revision", p.revision(), "trigger", p.trigger)
	if p.committed {
		log.Info("published", "generation", l.last.Generation, "plan", p.plan.ID, "changes", p.plan.Counts.String(),
			"took", time.Since(p.began).Round(time.Millisecond))
	}
	switch {
	case problem == nil:
	case p.before.Problem != nil && p.before.Problem.Message == problem.Message:
		log.Debug("still not as it should be", "problem", problem.Message)
	default:
		log.Warn("not as it should be", "kind", problem.Kind, "problem", problem.Message, "hint", problem.Hint)
	}
}
