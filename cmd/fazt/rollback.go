package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/platform/release"
	"github.com/fazt-sh/fazt/reconcile"
	"github.com/fazt-sh/fazt/reconcile/plan"
	"github.com/fazt-sh/fazt/spec"
)

type rollbackIn struct {
	ID     string        `arg:"" optional:"" help:"the release to go back to, d-118" json:"id"`
	App    string        `placeholder:"APP" help:"go back to this app's release before the one in service" json:"app"`
	Reason string        `placeholder:"TEXT" help:"why, for whoever wonders" json:"reason"`
	For    time.Duration `placeholder:"24h" help:"take what was left again after this time" json:"for"`
	Plan   bool          `help:"show what would happen, change nothing" json:"plan"`
}

// DryRun reports whether nothing is to be changed.
func (in rollbackIn) DryRun() bool { return in.Plan }

// rollbackOut is what went back, and what to do about it.
type rollbackOut struct {
	Plan       plan.Plan      `json:"plan"`
	Generation uint64         `json:"generation"`
	Back       []rollbackView `json:"back"`
	Seconds    float64        `json:"seconds"`
}

// rollbackView is one app that goes back.
type rollbackView struct {
	App  string    `json:"app"`
	From string    `json:"from"` // the revision of the release that is left
	To   string    `json:"to"`   // the release, d-118; empty: out of service, as it was new
	Rev  string    `json:"revision,omitempty"`
	Time time.Time `json:"time,omitzero"`
}

// WriteText says what went back, where to, and how git is mended.
func (o rollbackOut) WriteText(w *op.Screen) error {
	if in, _ := w.In.(rollbackIn); in.Plan {
		return o.Plan.WriteText(w, plan.TextOptions{Color: w.Color, Title: []string{"Going back would be"}})
	}
	var bad []string
	for _, b := range o.Back {
		if b.To == "" {
			w.Printf("  . %-20s out of service, as it was new\n", b.App)
		} else {
			w.Printf("  ~ %-20s %s (%s, %s)\n", b.App, b.To, short(b.Rev), ago(b.Time))
		}
		if revert := "git revert " + short(b.From); !strings.HasPrefix(b.From, "dir:") && b.From != "" && (len(bad) == 0 || bad[len(bad)-1] != revert) {
			bad = append(bad, revert)
		}
	}
	w.Printf("Rolled back as generation %d in %.1f s. It stays so until something else is asked for.\n", o.Generation, o.Seconds)
	for _, revert := range bad {
		w.Printf("mend git:       %s\n", revert)
	}
	if len(o.Back) > 0 {
		w.Printf("take it again:  fazt resume --app %s\n", o.Back[0].App)
	}
	return nil
}

func rollbackOps(n *node) []op.Op {
	return []op.Op{
		op.New(op.Row{
			Name: "rollback", Group: groupChange, Summary: "go back to an earlier release, at once", Effect: op.Change, Needs: op.Deploy, Since: "0.2.0",
			Detail: "The release is still there: neither git nor the network is asked. What is left behind is in quarantine: " +
				"the node does not take it again, and follows by itself as soon as git asks for something else. " +
				"Without a release and an app, everything that the newest generation changed goes back.",
			Examples: []op.Example{
				{Command: "rollback --app blog --reason 'the menu is gone'"},
				{Command: "rollback d-118", Note: "to this very release"},
				{Command: "@prod rollback --plan", Note: "what the newest generation changed"},
			},
			Exits: map[int]string{5: "refused: protected, or another app has its host by now", 6: "there is no such release, or none before"},
		}, on(n, func(ctx context.Context, n *node, in rollbackIn) (rollbackOut, error) { return n.rollback(ctx, in) })),
	}
}

func (n *node) rollback(ctx context.Context, in rollbackIn) (rollbackOut, error) {
	began := time.Now()
	r, err := n.retreat(ctx)
	if err != nil {
		return rollbackOut{}, err
	}
	r.adjust.DryRun = in.Plan
	switch {
	case in.ID != "":
		err = r.to(ctx, in.ID, in.App)
	case in.App != "":
		err = r.before(ctx, in.App)
	default:
		err = r.newest(ctx)
	}
	if err != nil {
		return rollbackOut{}, err
	}
	for i := range r.adjust.Hold {
		r.adjust.Hold[i].Reason, r.adjust.Hold[i].Until = in.Reason, n.until(in.For)
	}
	result, err := n.adjust(ctx, r.adjust)
	if err != nil {
		return rollbackOut{}, err
	}
	return rollbackOut{Plan: result.Plan, Generation: result.Generation, Back: r.views, Seconds: time.Since(began).Seconds()}, nil
}

// retreat is a rollback being put together.
type retreat struct {
	*node
	served map[spec.Addr]spec.Object
	back   map[spec.Addr]uint64 // where apps that were rolled back before went
	adjust reconcile.Adjustment
	views  []rollbackView
}

func (n *node) retreat(ctx context.Context) (*retreat, error) {
	r := &retreat{
		node: n, served: map[spec.Addr]spec.Object{}, back: map[spec.Addr]uint64{},
		adjust: reconcile.Adjustment{Actor: op.ActorFrom(ctx), Trigger: "rollback"},
	}
	objects, err := n.edge.Observe(ctx)
	for _, o := range objects {
		r.served[o.Addr] = o
	}
	for _, h := range n.loop.Status().Holds {
		if h.Kind == reconcile.RolledBack {
			r.back[h.Addr] = h.Deployment
		}
	}
	return r, err
}

// to goes back to one release.
func (r *retreat) to(ctx context.Context, label, app string) error {
	id, err := release.ParseID(label)
	if err != nil {
		return err
	}
	row, err := r.ground.Releases.Release(ctx, id)
	if err != nil {
		return err
	}
	if app != "" && app != row.Name && app != row.Addr {
		return fault.New(fault.Invalid, "%s is a release of %s, not of %s", label, row.Name, app)
	}
	d, err := r.deploymentOf(ctx, id)
	if err != nil {
		return err
	}
	o, err := objectOf(row)
	if err != nil {
		return fault.Wrap(fault.Conflict, err, "%s cannot be put back", d.Label()).WithHint("choose another release: fazt history --app %s", row.Name)
	}
	r.put(o, d)
	return nil
}

// before goes back to the release that an app had before it became what it is.
func (r *retreat) before(ctx context.Context, app string) error {
	addr, err := r.addrOf(ctx, app)
	if err != nil {
		return err
	}
	found, err := r.earlier(ctx, addr)
	if err == nil && !found {
		err = fault.New(fault.NotFound, "%s has no earlier release to go back to", app).
			WithHint("fazt history --app %s lists them; to take it out of service, remove its block", app)
	}
	return err
}

// newest goes back on everything that the newest generation changed.
func (r *retreat) newest(ctx context.Context) error {
	generation := r.loop.Status().Generation
	list, err := r.ground.Releases.Deployments(ctx, release.Filter{Generation: generation, Limit: allDeployments})
	if err != nil {
		return err
	}
	for _, d := range list {
		if d.Outcome != release.Live {
			continue
		}
		row, err := r.ground.Releases.Release(ctx, d.ID)
		if err != nil {
			return err
		}
		found, err := r.earlier(ctx, spec.Addr(row.Addr))
		if err != nil {
			return err
		}
		if found || r.back[spec.Addr(row.Addr)] != 0 {
			continue
		}
		if older, err := r.isOlder(ctx, row.Addr, d.ID); err != nil {
			return err
		} else if !older {
			r.drop(spec.Addr(row.Addr), row)
		}
	}
	if len(r.adjust.Put)+len(r.adjust.Drop) == 0 {
		return fault.New(fault.NotFound, "generation %d has nothing to go back on", generation).
			WithHint("name a release or an app: fazt history")
	}
	return nil
}

// isOlder reports whether an app was there before a release of it.
func (r *retreat) isOlder(ctx context.Context, addr string, id uint64) (bool, error) {
	kept, err := r.ground.Releases.Kept(ctx, addr)
	return slices.ContainsFunc(kept, func(d release.Deployment) bool { return d.ID < id }), err
}

// earlier finds the newest kept release of an app that is not what it is now.
// One that went back already goes further, never to what it left.
func (r *retreat) earlier(ctx context.Context, addr spec.Addr) (found bool, err error) {
	now, served := r.served[addr]
	kept, err := r.ground.Releases.Kept(ctx, string(addr))
	if err != nil {
		return false, err
	}
	for _, d := range kept {
		if at := r.back[addr]; at != 0 && d.ID >= at {
			continue
		}
		row, err := r.ground.Releases.Release(ctx, d.ID)
		if err != nil {
			return false, err
		}
		o, err := objectOf(row)
		if err != nil {
			continue // damaged: it is no release to go back to
		}
		if !served || plan.Version(o.WithEndOf(now)) != plan.Version(now) {
			r.put(o, d)
			return true, nil
		}
	}
	return false, nil
}

// observe finds an app in service.
func (n *node) observe(ctx context.Context, addr spec.Addr) (spec.Object, bool, error) {
	objects, err := n.edge.Observe(ctx)
	for _, o := range objects {
		if o.Addr == addr {
			return o, true, err
		}
	}
	return spec.Object{}, false, err
}

// put adds a release to what goes back.
func (r *retreat) put(o spec.Object, d release.Deployment) {
	o.Unmanaged = false
	r.adjust.Put = append(r.adjust.Put, o)
	r.adjust.Hold = append(r.adjust.Hold, reconcile.Hold{Kind: reconcile.RolledBack, Addr: o.Addr, Deployment: d.ID})
	r.views = append(r.views, rollbackView{App: o.Name, From: r.served[o.Addr].Revision, To: d.Label(), Rev: o.Revision, Time: d.Time})
}

// drop adds an app that goes out of service, as it was new.
func (r *retreat) drop(addr spec.Addr, row release.Object) {
	r.adjust.Drop = append(r.adjust.Drop, addr)
	r.adjust.Hold = append(r.adjust.Hold, reconcile.Hold{Kind: reconcile.RolledBack, Addr: addr})
	r.views = append(r.views, rollbackView{App: row.Name, From: row.Revision})
}
