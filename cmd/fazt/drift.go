package main

import (
	"context"
	"slices"
	"strings"

	"github.com/fazt-sh/fazt/platform/blob"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/reconcile"
	"github.com/fazt-sh/fazt/reconcile/plan"
	"github.com/fazt-sh/fazt/spec"
)

type driftIn struct {
	Verify           bool `help:"read every served file again and compare it with its digest" json:"verify"`
	DetailedExitcode bool `name:"detailed-exitcode" help:"exit 2 when there is drift" json:"detailed_exitcode"`
}

// driftOut is where a node is not what its repository says.
type driftOut struct {
	Drift    []driftView `json:"drift"`
	Checked  int         `json:"checked"`            // objects
	Verified int         `json:"verified,omitempty"` // files that were read again
	detailed bool
}

// driftView is one thing that differs.
type driftView struct {
	Addr    string `json:"addr"`
	Kind    string `json:"kind"` // of apps: held, rolled_back, stalled, failed, unmanaged, override, unrecorded, damaged; of the node: held, behind, its phase
	Message string `json:"message"`
}

// Exit is 2 when there is drift and somebody asked for it.
func (o driftOut) Exit() int {
	if o.detailed && len(o.Drift) > 0 {
		return 2
	}
	return 0
}

// WriteText is a line for each.
func (o driftOut) WriteText(w *op.Screen) error {
	for _, d := range o.Drift {
		w.Printf("%s %-24s %-11s %s\n", w.Paint(op.Red, "!"), d.Addr, strings.ReplaceAll(d.Kind, "_", " "), d.Message)
	}
	what := plural(o.Checked, "object") + " checked"
	if o.Verified > 0 {
		what += ", " + plural(o.Verified, "file") + " read again"
	}
	if len(o.Drift) == 0 {
		w.Printf("No drift (%s).\n", what)
		return nil
	}
	w.Printf("%s, %s\n", what, plural(len(o.Drift), "difference"))
	return nil
}

func driftOps(n *node) []op.Op {
	return []op.Op{op.New(op.Row{
		Name: "drift", Group: groupLook, Summary: "show where a node is not what its repository says", Effect: op.Read, Needs: op.Observe, Since: "0.2.0",
		Detail: "What somebody holds back, what is stalled or unmanaged, a node that is not at its commit, what was applied by hand, and whether what is served is what was recorded. " +
			"It changes nothing. --verify also reads every served file again.",
		Examples: []op.Example{{Command: "drift"}, {Command: "@prod drift --verify --detailed-exitcode", Note: "for a nightly job"}},
		Exits:    map[int]string{2: "with --detailed-exitcode: there is drift"},
	}, on(n, func(ctx context.Context, n *node, in driftIn) (driftOut, error) { return n.drift(ctx, in) }))}
}

func (n *node) drift(ctx context.Context, in driftIn) (driftOut, error) {
	out := driftOut{Drift: []driftView{}, detailed: in.DetailedExitcode}
	served, err := n.edge.Observe(ctx)
	if err != nil {
		return out, err
	}
	out.Checked = len(served)
	for _, a := range n.loop.Status().Apps {
		if a.State != reconcile.AppLive && a.State != reconcile.AppDisabled {
			out.add(string(a.Addr), string(a.State), a.Message)
		}
	}
	out.node(n.safe.status(n.loop.Status()))
	if n.cfg.source != nil {
		for _, o := range served {
			if strings.HasPrefix(o.Revision, "dir:") && o.Kind == spec.KindApp {
				out.add(string(o.Addr), "override", "was applied from a folder")
			}
		}
	}
	if err := n.unrecorded(ctx, served, &out); err != nil {
		return out, err
	}
	if in.Verify {
		n.damaged(ctx, served, &out)
	}
	slices.SortStableFunc(out.Drift, func(a, b driftView) int { return strings.Compare(a.Addr, b.Addr) })
	return out, ctx.Err()
}

func (o *driftOut) add(addr, kind, message string) {
	o.Drift = append(o.Drift, driftView{addr, kind, message})
}

// node adds why the node as a whole is not where its repository is, unless its
// apps have told that.
func (o *driftOut) node(s *reconcile.Status) {
	untold := func(addr spec.Addr) bool {
		return !slices.ContainsFunc(o.Drift, func(d driftView) bool { return d.Addr == string(addr) })
	}
	if p := s.Problem; p != nil && (len(p.Apps) == 0 || slices.ContainsFunc(p.Apps, untold)) {
		o.add("node", string(s.Phase), p.Message)
	}
	for _, h := range s.Holds {
		if h.Addr == "" && h.Kind != reconcile.Approved && (s.Problem == nil || !strings.Contains(s.Problem.Message, h.String())) {
			o.add("node", "held", heldBy(h))
		}
	}
	explained := s.Problem != nil && len(s.Problem.Apps) > 0 // by what is said of those apps
	if s.Desired != "" && s.Applied != s.Desired && !explained {
		o.add("node", "behind", "it is at "+short(s.Applied)+", while "+short(s.Desired)+" is wanted")
	}
}

// unrecorded compares what is served with what the node would boot.
func (n *node) unrecorded(ctx context.Context, served []spec.Object, out *driftOut) error {
	_, rows, err := n.ground.Releases.Current(ctx)
	if err != nil {
		return err
	}
	recorded, lost := objectsOf(rows)
	bad := map[spec.Addr]bool{}
	for _, l := range lost {
		bad[l.addr] = true
		out.add(string(l.addr), "damaged", l.err.Error())
	}
	if err := n.damagedTrash(ctx, out); err != nil {
		return err
	}
	p := plan.Diff(plan.Input{Actual: recorded, Desired: served, AllowPrune: len(recorded)})
	for _, c := range p.Changes {
		if c.Action != plan.Adopt && !bad[c.Addr] {
			out.add(string(c.Addr), "unrecorded", "what is served is not what is recorded")
		}
	}
	return nil
}

// damagedTrash finds what lies in the trash and cannot be put back.
func (n *node) damagedTrash(ctx context.Context, out *driftOut) error {
	list, err := n.ground.Releases.Trash(ctx)
	for _, p := range list {
		if _, bad := objectOf(p.Object); bad != nil {
			out.add(p.Object.Addr, "damaged", "in the trash: "+bad.Error())
		}
	}
	return err
}

// damaged reads the bytes of what is served again.
func (n *node) damaged(ctx context.Context, served []spec.Object, out *driftOut) {
	seen := map[string]error{}
	for _, o := range served {
		if o.Content == nil {
			continue
		}
		files := slices.Clip(o.Content.Files)
		for _, digest := range o.Content.Program.Blobs() {
			files = append(files, spec.File{Path: "the program", Blob: digest})
		}
		for _, f := range files {
			if ctx.Err() != nil {
				return
			}
			err, known := seen[f.Blob]
			if !known {
				err = n.ground.Blobs.Verify(blob.Digest(f.Blob))
				seen[f.Blob] = err
				out.Verified++
			}
			if err != nil {
				out.add(string(o.Addr), "damaged", f.Path+": "+err.Error())
			}
		}
	}
}
