package main

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/platform/release"
	"github.com/fazt-sh/fazt/reconcile/plan"
	"github.com/fazt-sh/fazt/spec"
)

type diffIn struct {
	A    string `arg:"" optional:"" default:"live" help:"what to compare: live, wanted, a commit, or a release (d-118)" json:"a"`
	B    string `arg:"" optional:"" default:"wanted" help:"with what" json:"b"`
	Full bool   `help:"show every attribute and file of what changes" json:"full"`
}

// diffOut is a plan that nobody will carry out.
type diffOut struct{ plan.Plan }

// WriteText shows it as a plan.
func (o diffOut) WriteText(w *op.Screen) error {
	in, _ := w.In.(diffIn)
	return o.Plan.WriteText(w, plan.TextOptions{Color: w.Color, Full: in.Full, Title: []string{"From " + in.A + " to " + in.B}})
}

func diffOps(n *node) []op.Op {
	return []op.Op{op.New(op.Row{
		Name: "diff", Group: groupLook, Summary: "compare commits, releases and what is served", Effect: op.Read, Needs: op.Observe, Since: "0.2.0",
		Detail: "live is what the node serves, wanted what the newest commit it looked at asks for. " +
			"Where a release is named, only its app is compared.",
		Examples: []op.Example{{Command: "diff"}, {Command: "diff 3f9c2e1 live"}, {Command: "@prod diff d-117 d-118"}},
		Exits:    map[int]string{3: "a commit is not valid", 5: "the node follows no repository", 6: "there is no such commit or release"},
	}, on(n, func(ctx context.Context, n *node, in diffIn) (diffOut, error) { return n.diff(ctx, in) }))}
}

func (n *node) diff(ctx context.Context, in diffIn) (diffOut, error) {
	a, err := n.side(ctx, in.A)
	if err != nil {
		return diffOut{}, err
	}
	b, err := n.side(ctx, in.B)
	if err != nil {
		return diffOut{}, err
	}
	if a.only != "" && b.only != "" && a.only != b.only {
		return diffOut{}, fault.New(fault.Invalid, "%s and %s are releases of two apps, %s and %s", in.A, in.B, a.only, b.only)
	}
	ask := plan.Input{
		Actual: compared(a.in.Desired, b.in.Desired), Desired: compared(b.in.Desired, a.in.Desired), Stalled: map[spec.Addr]spec.Diagnostics{},
		Moved: b.in.Moved, Removed: b.in.Removed, Elsewhere: b.in.Elsewhere,
		Revision: in.B, Node: n.loop.Status().Node, Engine: version,
	}
	maps.Copy(ask.Stalled, a.in.Stalled) // what cannot be read on either side is not compared
	maps.Copy(ask.Stalled, b.in.Stalled)
	for _, only := range []spec.Addr{a.only, b.only} {
		if only != "" {
			other := func(o spec.Object) bool { return o.Addr != only }
			ask.Actual, ask.Desired = slices.DeleteFunc(ask.Actual, other), slices.DeleteFunc(ask.Desired, other)
		}
	}
	p := plan.Diff(ask)
	p.Refused = nil // nobody carries it out
	return diffOut{p}, nil
}

// compared takes objects that are on both sides as blocks declare them: what is compared
// is what they are, not whose. What is on one side alone and no block's is not removed by
// any revision, as a plan says too.
func compared(list, other []spec.Object) []spec.Object {
	list = slices.Clone(list)
	for i := range list {
		o := &list[i]
		o.Unmanaged = o.Unmanaged && !slices.ContainsFunc(other, func(b spec.Object) bool { return b.Addr == o.Addr })
	}
	return list
}

// side is what a word stands for; of a release only its app.
type side struct {
	in   plan.Input
	only spec.Addr
}

func (n *node) side(ctx context.Context, word string) (s side, err error) {
	switch {
	case word == "live":
		s.in.Desired, err = n.edge.Observe(ctx)
		return s, err
	case strings.HasPrefix(word, "d-"):
		id, err := release.ParseID(word)
		if err != nil {
			return s, err
		}
		row, err := n.ground.Releases.Release(ctx, id)
		if err != nil {
			return s, err
		}
		o, err := objectOf(row)
		s.in.Desired, s.only = []spec.Object{o}, o.Addr
		return s, err
	case word == "wanted":
		if word = n.loop.Status().Desired; word == "" || n.cfg.source == nil {
			return s, fault.New(fault.Conflict, "this node follows no repository, so nothing is wanted of it").
				WithHint("compare releases: fazt diff d-1 live")
		}
	}
	var diags spec.Diagnostics
	s.in, diags, err = n.loop.Wanted(ctx, word)
	if err == nil && diags.HasErrors() {
		err = invalid(diags)
	}
	return s, err
}
