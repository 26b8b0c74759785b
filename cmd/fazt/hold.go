package main

import (
	"context"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/reconcile"
	"github.com/fazt-sh/fazt/reconcile/plan"
	"github.com/fazt-sh/fazt/spec"
)

// approvalLasts is how long an approval waits for its revision.
const approvalLasts = 24 * time.Hour

type pauseIn struct {
	Reason string        `required:"" placeholder:"TEXT" help:"why, for whoever wonders" json:"reason"`
	App    string        `placeholder:"APP" help:"pause one app; the node by default" json:"app"`
	For    time.Duration `placeholder:"2h" help:"resume by itself after this time" json:"for"`
}

type resumeIn struct {
	App string `placeholder:"APP" help:"one app: end its pause and its rollback; the node by default" json:"app"`
}

type revisionIn struct {
	Rev    string        `arg:"" help:"commit, seven digits or more" json:"rev"`
	Reason string        `placeholder:"TEXT" help:"why, for whoever wonders" json:"reason"`
	For    time.Duration `placeholder:"24h" help:"ends by itself after this time" json:"for"`
}

// holdOut is what is held after a command that holds or frees.
type holdOut struct {
	Message string           `json:"message"`
	Hint    string           `json:"hint,omitempty"`
	Holds   []reconcile.Hold `json:"holds"`
}

// WriteText says what was done, then what is held now.
func (o holdOut) WriteText(w *op.Screen) error {
	w.Printf("%s\n", o.Message)
	if o.Hint != "" {
		w.Printf("hint: %s\n", o.Hint)
	}
	return nil
}

func holdOps(n *node) []op.Op {
	return []op.Op{
		op.New(op.Row{
			Name: "pause", Group: groupChange, Summary: "have a node, or one app, take nothing new", Effect: op.Change, Needs: op.Deploy, Since: "0.2.0",
			Detail: "The node goes on serving what it serves, looks at its repository and says what it would do. " +
				"It shows on every status until it is resumed, or the time is over. `fazt sync --once` is one pass in spite of it.",
			Examples: []op.Example{{Command: "pause --reason 'the sale is on' --for 2h"}, {Command: "@prod pause --app blog --reason 'being looked into'"}},
			Exits:    map[int]string{6: "there is no such app"},
		}, on(n, func(ctx context.Context, n *node, in pauseIn) (holdOut, error) {
			return n.hold(ctx, "pause", reconcile.Hold{Kind: reconcile.Paused, Reason: in.Reason, Until: n.until(in.For)}, in.App)
		})),
		op.New(op.Row{
			Name: "resume", Group: groupChange, Summary: "end a pause, a pin or a rollback", Effect: op.Change, Needs: op.Deploy, Since: "0.2.0",
			Examples: []op.Example{{Command: "resume"}, {Command: "@prod resume --app blog", Note: "take again what was rolled back"}},
			Exits:    map[int]string{6: "there is no such app"},
		}, on(n, func(ctx context.Context, n *node, in resumeIn) (holdOut, error) { return n.resume(ctx, in.App) })),
		op.New(op.Row{
			Name: "pin", Group: groupChange, Summary: "keep a node at one commit", Effect: op.Change, Needs: op.Deploy, Since: "0.2.0",
			Detail:   "The node moves to that commit and stays there, whatever is pushed, until `fazt resume`.",
			Examples: []op.Example{{Command: "pin 3f9c2e1 --reason 'until the shop is mended'"}},
			Exits:    map[int]string{5: "the node follows no repository", 6: "the node has never seen that commit"},
		}, on(n, func(ctx context.Context, n *node, in revisionIn) (holdOut, error) {
			return n.hold(ctx, "pin", reconcile.Hold{Kind: reconcile.Pinned, Revision: in.Rev, Reason: in.Reason, Until: n.until(in.For)}, "")
		})),
		op.New(op.Row{
			Name: "approve", Group: groupChange, Summary: "let one commit pass a guard that refused it", Effect: op.Change, Needs: op.Admin, Since: "0.2.0",
			Detail: "For a commit that removes many apps at once, that asks for many first certificates, or that does not descend from what is applied, as after a forced push. " +
				"Waits a day for its commit at most, and is used once.",
			Examples: []op.Example{{Command: "approve 3f9c2e1 --reason 'the old shops are gone'"}},
			Exits:    map[int]string{5: "the node follows no repository, or nobody can approve that commit", 6: "the node has never seen that commit"},
		}, on(n, func(ctx context.Context, n *node, in revisionIn) (holdOut, error) {
			if err := n.approvable(ctx, in.Rev); err != nil {
				return holdOut{}, err
			}
			if in.For == 0 {
				in.For = approvalLasts
			}
			return n.hold(ctx, "approve", reconcile.Hold{Kind: reconcile.Approved, Revision: in.Rev, Reason: in.Reason, Until: n.until(in.For)}, "")
		})),
	}
}

// approvable refuses a commit that no word lets pass: one that leaves nothing.
// What else is wrong with it is for the pass to say.
func (n *node) approvable(ctx context.Context, rev string) error {
	if n.cfg.source == nil {
		return nil // which the loop refuses
	}
	in, diags, err := n.loop.Wanted(ctx, rev)
	if err != nil || diags.HasErrors() {
		return nil
	}
	if r := plan.Diff(in).Refused; r != nil && r.Code == plan.RefusedEmpty {
		return fault.New(fault.Conflict, "nobody can approve %s: %s", in7(rev), r.Message).WithHint("%s", r.Hint)
	}
	return nil
}

// until is the end of a time that begins now; zero for none.
func (n *node) until(d time.Duration) time.Time {
	if d <= 0 {
		return time.Time{}
	}
	return n.ground.Clock.Now().UTC().Add(d)
}

// hold puts a hold on the node, or on an app.
func (n *node) hold(ctx context.Context, trigger string, h reconcile.Hold, app string) (holdOut, error) {
	if app != "" {
		addr, err := n.addrOf(ctx, app)
		if err != nil {
			return holdOut{}, err
		}
		h.Addr = addr
	}
	if _, err := n.adjust(ctx, reconcile.Adjustment{Hold: []reconcile.Hold{h}, Actor: op.ActorFrom(ctx), Trigger: trigger}); err != nil {
		return holdOut{}, err
	}
	subject := "the node"
	if app != "" {
		subject = app
	}
	out := n.held(map[string]string{
		"pause": subject + " is paused", "pin": "the node is pinned to " + in7(h.Revision), "approve": in7(h.Revision) + " may pass",
	}[trigger])
	if trigger != "approve" {
		out.Hint = "fazt resume"
		if app != "" {
			out.Hint += " --app " + app
		}
	}
	return out, nil
}

// adjust hands an adjustment to the loop, unless that keeps still.
func (n *node) adjust(ctx context.Context, a reconcile.Adjustment) (reconcile.Result, error) {
	if err := n.safe.refuse(); err != nil {
		return reconcile.Result{}, err
	}
	ctx, back := n.ground.Lend(ctx) // what somebody says is written down on a full disk, too
	defer back()
	return n.loop.Adjust(ctx, a)
}

// in7 is a commit as somebody typed it, cut to what people read.
func in7(revision string) string { return revision[:min(7, len(revision))] }

// held answers with what is held now.
func (n *node) held(message string) holdOut {
	return holdOut{Message: message, Holds: append([]reconcile.Hold{}, n.loop.Status().Holds...)}
}

// resume ends what is held of the node, or of an app.
func (n *node) resume(ctx context.Context, app string) (holdOut, error) {
	if app == "" && n.safe.wake() {
		return n.held("the node leaves safe mode and follows again"), nil
	}
	keys := []reconcile.HoldKey{{Kind: reconcile.Paused}, {Kind: reconcile.Pinned}}
	if app != "" {
		addr, err := n.addrOf(ctx, app)
		if err != nil {
			return holdOut{}, err
		}
		keys = []reconcile.HoldKey{{Kind: reconcile.Paused, Addr: addr}, {Kind: reconcile.RolledBack, Addr: addr}}
	}
	before := len(n.loop.Status().Holds)
	if _, err := n.adjust(ctx, reconcile.Adjustment{Free: keys, Actor: op.ActorFrom(ctx), Trigger: "resume"}); err != nil {
		return holdOut{}, err
	}
	subject := "the node"
	if app != "" {
		subject = app
	}
	out := n.held(subject + " follows again")
	if len(out.Holds) == before {
		out.Message = "nothing was held"
	}
	return out, nil
}

// addrOf finds an app by its name or address: in service, held, broken or in the
// trash.
func (n *node) addrOf(ctx context.Context, name string) (spec.Addr, error) {
	objects, err := n.edge.Observe(ctx)
	if err != nil {
		return "", err
	}
	var names []string
	for _, o := range objects {
		if o.Kind == spec.KindApp && (o.Name == name || string(o.Addr) == name) {
			return o.Addr, nil
		}
		if o.Kind == spec.KindApp {
			names = append(names, o.Name)
		}
	}
	for _, a := range n.loop.Status().Apps {
		if a.Name == name || string(a.Addr) == name {
			return a.Addr, nil
		}
	}
	for _, addr := range n.loop.Status().Lost {
		if string(addr) == name || addr == spec.Addr("app."+name) {
			return addr, nil
		}
	}
	trash, err := n.ground.Releases.Trash(ctx)
	if err != nil {
		return "", err
	}
	for _, p := range trash {
		if p.Object.Name == name || p.Object.Addr == name {
			return spec.Addr(p.Object.Addr), nil
		}
	}
	return "", fault.New(fault.NotFound, "there is no app %q on this node", name).WithSubject(name).WithHint("%s", hintApps(names))
}
