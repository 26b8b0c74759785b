package reconcile

import (
	"context"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile/plan"
	"github.com/fazt-sh/fazt/spec"
)

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
