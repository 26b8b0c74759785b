package reconcile

import (
	"context"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile/plan"
	"github.com/fazt-sh/fazt/reconcile/source"
	"github.com/fazt-sh/fazt/spec"
)

// SavePlan is Plan in the form that Apply takes later: until expires, once, on
// this node, as long as what it touches is as it was.
func (l *Loop) SavePlan(ctx context.Context, art source.Artifact, expires time.Time) (plan.Saved, spec.Diagnostics, error) {
	in, made, diagnostics, err := l.compareWith(ctx, art)
	if err != nil || diagnostics.HasErrors() {
		return plan.Saved{}, diagnostics, err
	}
	return plan.Save(in, made, art.TreeID, l.config.Lineage, expires.UTC().Format(time.RFC3339)), diagnostics, nil
}

// fits refuses a saved plan that is not what would happen now.
func (l *Loop) fits(ctx context.Context, p *pass) error {
	saved := p.apply.Saved
	switch expires, err := time.Parse(time.RFC3339, saved.Expires); {
	case saved.Lineage != l.config.Lineage:
		return fault.New(fault.Conflict, "%s was made for another node", saved.Plan.ID).WithHint("make one here: fazt plan --out FILE")
	case err != nil || !time.Now().Before(expires):
		return fault.New(fault.Conflict, "%s has expired", saved.Plan.ID).WithHint("make a new one: fazt plan --out FILE")
	case saved.Tree != p.art.TreeID:
		return fault.New(fault.Conflict, "the folder is not the one that %s was made of", saved.Plan.ID).
			WithHint("it was %.12s and is %.12s; go back to it, or make a new plan", saved.Tree, p.art.TreeID)
	}
	spent, err := l.config.Ledger.Spent(ctx, saved.Plan.ID)
	if err != nil {
		return err
	}
	if spent && !p.plan.Empty() {
		return fault.New(fault.Conflict, "%s was carried out already", saved.Plan.ID).WithHint("make a new one: fazt plan --out FILE")
	}
	now := plan.Save(l.input(p, p.loaded.stalled, l.last.Generation), p.plan, p.art.TreeID, l.config.Lineage, saved.Expires)
	if d := plan.Compare(*saved, now); !spent && !d.Fits() {
		return &Stale{Difference: d, fault: fault.New(fault.Conflict, "%s is stale: the node has changed since it was made, and it would be %s now", saved.Plan.ID, p.plan.ID).
			WithHint("look at the difference, and make a new plan")}
	}
	return nil
}

// Stale is the error of a saved plan that does not fit any more.
type Stale struct {
	Difference plan.Difference
	fault      *fault.Error
}

// Error is the sentence for people.
func (s *Stale) Error() string { return s.fault.Error() }

// Details are the difference, for whoever is told of the error.
func (s *Stale) Details() any { return map[string]any{"difference": s.Difference} }

// Unwrap gives the kind and the hint.
func (s *Stale) Unwrap() error { return s.fault }
