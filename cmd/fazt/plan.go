package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/reconcile"
	"github.com/fazt-sh/fazt/reconcile/plan"
	"github.com/fazt-sh/fazt/reconcile/source"
	"github.com/fazt-sh/fazt/spec"
)

type planIn struct {
	evalIn
	Out              string `placeholder:"FILE" help:"keep the plan in this file, to apply it later: fazt apply FILE" json:"-"`
	Full             bool   `help:"show every attribute and file of what changes" json:"full"`
	Format           string `default:"text" enum:"text,md" help:"text, or md for a comment in a pull request" json:"format"`
	DetailedExitcode bool   `name:"detailed-exitcode" help:"exit 2 when there are changes" json:"detailed_exitcode"`
}

// planOut is a plan; its JSON is the plan's own.
type planOut struct {
	plan.Plan
	detailed bool
}

// Exit is 5 when the plan is refused or something in it blocked, 3 when an app could not be evaluated.
func (o planOut) Exit() int {
	switch {
	case o.Refused != nil, o.Counts.Blocked > 0:
		return fault.Conflict.Exit()
	case len(o.Stalled) > 0:
		return fault.Invalid.Exit()
	case o.detailed && !o.Empty():
		return 2
	}
	return 0
}

// planOps are the commands that compare and apply a folder.
func planOps(n *node, l loader) []op.Op {
	run := func(ctx context.Context, in planIn) (planOut, error) { return planFolder(ctx, l, in) }
	if n != nil {
		run = n.planFolder
	}
	return []op.Op{
		op.New(op.Row{
			Name: "plan", Group: groupChange, Summary: "show what applying a folder would change", Effect: op.Read, Needs: op.Plan, Offline: true, Since: "0.1.0",
			Detail: "Compares the folder with what the node serves. Without a node it compares with an empty one. " +
				"Equal inputs give equal plans, byte for byte, and the same plan id.",
			Examples: []op.Example{
				{Command: "plan"},
				{Command: "@prod plan examples/site --format md", Note: "for a comment in a pull request"},
				{Command: "plan --out monday.plan", Note: "then: fazt apply monday.plan"},
			},
			Exits: map[int]string{
				2: "with --detailed-exitcode: there are changes",
				3: "the configuration is invalid", 5: "the plan is refused, or something in it is blocked",
			},
		}, run),
		op.New(op.Row{
			Name: "plan save", Group: groupChange, Summary: "make a plan that is applied later, exactly as it is", Effect: op.Read, Needs: op.Plan, Since: "0.2.0",
			Detail: "What `fazt plan --out FILE` writes. It is good for a day, once, on this node, as long as what it touches " +
				"and the folder are as they were. It holds no secrets.",
			Examples: []op.Example{{Command: "plan save examples/site"}},
			Exits:    map[int]string{3: "the configuration is invalid"},
		}, on(n, func(ctx context.Context, n *node, in evalIn) (savedOut, error) { return n.savePlan(ctx, in) })),
		op.New(op.Row{
			Name: "apply", Group: groupChange, Summary: "make a node serve a folder", Effect: op.Change, Needs: op.Deploy, Since: "0.1.0",
			Detail: "Shows the plan, asks, and applies exactly that plan. Off a terminal it needs --yes. " +
				"A file that `fazt plan --out` wrote is applied as it is, or refused. A node that follows a repository refuses: push there and run `fazt sync --wait`.",
			Examples: []op.Example{{Command: "apply examples/site --yes"}, {Command: "apply monday.plan --of examples/site", Note: "a plan that was kept"}},
			Exits: map[int]string{
				3: "the configuration is invalid; nothing was applied",
				5: "refused: the node follows a repository, the plan is stale, or something in it is blocked",
				8: "somebody else applies, or has paused what would change",
				9: "an app was not healthy and stays on its last release; the rest is applied",
			},
		}, on(n, func(ctx context.Context, n *node, in applyIn) (applyOut, error) { return n.apply(ctx, in) })),
	}
}

// planFolder compares a folder with the empty node.
func planFolder(ctx context.Context, l loader, in planIn) (planOut, error) {
	return compare(ctx, in, reconcile.New(reconcile.Config{
		Loader: l, Target: emptyNode{}, Judge: edge.Judge, Node: in.Node, Vars: in.Var, Engine: version,
	}))
}

// emptyNode serves nothing and never will.
type emptyNode struct{}

// Observe finds nothing.
func (emptyNode) Observe(context.Context) ([]spec.Object, error) { return nil, nil }

// Stage is not what an offline plan is for.
func (emptyNode) Stage(context.Context, reconcile.Desired) (reconcile.Staged, error) {
	return nil, fault.New(fault.Conflict, "there is no node to change")
}

func compare(ctx context.Context, in planIn, l *reconcile.Loop) (planOut, error) {
	a, err := folderArtifact(in.Dir)
	if err != nil {
		return planOut{}, err
	}
	p, diags, err := l.Plan(ctx, a)
	if err != nil {
		return planOut{}, err
	}
	if diags.HasErrors() {
		return planOut{}, invalid(diags)
	}
	return planOut{p, in.DetailedExitcode}, nil
}

func (n *node) planFolder(ctx context.Context, in planIn) (planOut, error) {
	if len(in.Var) > 0 || in.Node != "" {
		return planOut{}, fault.New(fault.Invalid, "a running node has its own name and variables").
			WithHint("they are set where it is started: fazt serve --node NAME --var NAME=VALUE")
	}
	return compare(ctx, in, n.loop)
}

// base says what the folder was compared with.
func (o planOut) base() string {
	if o.Base.Generation == 0 {
		return "an empty node"
	}
	return fmt.Sprintf("generation %d of node %s", o.Base.Generation, o.Node)
}

func folderArtifact(dir op.Tree) (source.Artifact, error) {
	tree, err := source.FS(dir.FS)
	if err != nil {
		return source.Artifact{}, err
	}
	id, err := tree.ID(".")
	if err != nil {
		return source.Artifact{}, fault.Wrap(fault.Unavailable, err, "read %q", dir.Name)
	}
	return source.Artifact{Revision: "dir:" + id[:12], TreeID: id, Tree: tree}, nil
}

// WriteText shows the plan in the form that was asked for.
func (o planOut) WriteText(w *op.Screen) error {
	in, _ := w.In.(planIn)
	if in.Format == "md" {
		return o.WriteMarkdown(w)
	}
	return o.Plan.WriteText(w, plan.TextOptions{Color: w.Color, Full: in.Full, Title: []string{"Comparing this folder with " + o.base()}})
}

type applyIn struct {
	Dir         op.Tree `arg:"" optional:"" name:"dir" default:"." help:"folder of the configuration, or a file of plan --out" json:"dir"`
	Of          string  `name:"of" placeholder:"DIR" help:"with a kept plan: the folder it was made of (. if none is given)" json:"-"`
	Expect      string  `placeholder:"PLAN" help:"apply only if the plan is still this one (p-...)" json:"expect"`
	AllowPrune  int     `name:"allow-prune" placeholder:"N" help:"let as many apps go at once" json:"allow_prune"`
	AllowHosts  int     `name:"allow-hosts" placeholder:"N" help:"let as many hosts get their first certificate" json:"allow_hosts"`
	AllowAccess bool    `name:"allow-access" help:"people may gain access by it, as the plan lists" json:"allow_access"`
	Saved       string  `kong:"-" help:"a kept plan, as plan save gave it" json:"saved"`
}

// savedOut is a plan to be kept.
type savedOut struct{ plan.Saved }

// WriteText prints the plan; the document is for a file.
func (o savedOut) WriteText(w *op.Screen) error {
	return o.Plan.WriteText(w, plan.TextOptions{Color: w.Color, Title: []string{"Kept until " + o.Expires}})
}

// planLasts is how long a kept plan can be applied.
const planLasts = 24 * time.Hour

func (n *node) savePlan(ctx context.Context, in evalIn) (savedOut, error) {
	a, err := folderArtifact(in.Dir)
	if err != nil {
		return savedOut{}, err
	}
	saved, diags, err := n.loop.SavePlan(ctx, a, time.Now().Add(planLasts))
	if err == nil && diags.HasErrors() {
		err = invalid(diags)
	}
	return savedOut{saved}, err
}

// readSaved reads a kept plan, and refuses one that was edited.
func readSaved(text string) (*plan.Saved, error) {
	if text == "" {
		return nil, nil
	}
	var s plan.Saved
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the kept plan cannot be read").WithHint("make one: fazt plan --out FILE")
	}
	if err := s.Check(); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the kept plan is not used").WithHint("make one: fazt plan --out FILE")
	}
	return &s, nil
}

type applyOut struct {
	Plan       plan.Plan        `json:"plan"`
	Generation uint64           `json:"generation"`
	Deploys    []deploymentView `json:"deployments"`
	URLs       []string         `json:"urls"`
	Faults     []appFaultView   `json:"faults,omitempty"`
	Seconds    float64          `json:"seconds"`
}

type appFaultView struct {
	Addr    string `json:"addr"`
	Code    string `json:"code,omitempty"` // of the message
	Message string `json:"message"`
}

// Exit is 3 when an app could not be staged, and 9 when all that is wrong is that it
// was not healthy: it keeps its last release.
func (o applyOut) Exit() int {
	switch {
	case len(o.Faults) == 0:
		return 0
	case slices.ContainsFunc(o.Faults, func(f appFaultView) bool { return f.Code != fault.CodeUnhealthy }):
		return fault.Invalid.Exit()
	}
	return exitRolledBack
}

// WriteText says what was done, an app a line.
func (o applyOut) WriteText(w *op.Screen) error {
	if o.Plan.Empty() {
		w.Printf("Nothing to do: the node serves this already (generation %d).\n", o.Generation)
		return nil
	}
	for _, c := range o.Plan.Changes {
		w.Printf("  %s\n", strings.TrimRight(fmt.Sprintf("%-2s %-24s %s", c.Action.Symbol(), c.Addr, filesOf(c)), " "))
	}
	for _, f := range o.Faults {
		w.Printf("  ! %-24s %s\n", f.Addr, f.Message)
	}
	w.Printf("Applied as generation %d in %.1f s.\n", o.Generation, o.Seconds)
	if len(o.URLs) > 0 {
		w.Printf("%s\n", strings.Join(o.URLs, "\n"))
	}
	return nil
}

// filesOf is how many files came and went with a change, empty for what has
// none.
func filesOf(c plan.Change) string {
	if c.Files == nil || c.Action.Removes() {
		return ""
	}
	var words []string
	if n := c.Files.Added.Count + c.Files.Changed.Count; n > 0 {
		words = append(words, plural(n, "file")+", "+size(c.Files.Added.Bytes+c.Files.Changed.Bytes))
	}
	if n := c.Files.Removed.Count; n > 0 {
		words = append(words, plural(n, "file")+" removed")
	}
	return strings.Join(words, ", ")
}

func (n *node) apply(ctx context.Context, in applyIn) (applyOut, error) {
	if err := n.safe.refuse(); err != nil {
		return applyOut{}, err
	}
	a, err := folderArtifact(in.Dir)
	if err != nil {
		return applyOut{}, err
	}
	saved, err := readSaved(in.Saved)
	if err != nil {
		return applyOut{}, err
	}
	r, err := n.loop.Apply(ctx, reconcile.ApplyRequest{
		Artifact: a, ExpectPlan: in.Expect, Saved: saved, AllowPrune: in.AllowPrune, AllowHosts: in.AllowHosts, AllowAccess: in.AllowAccess, Actor: op.ActorFrom(ctx),
	})
	if err != nil && r.Diagnostics.HasErrors() {
		err = &invalidError{err, r.Diagnostics}
	}
	if err != nil {
		return applyOut{}, err
	}
	out := applyOut{Plan: r.Plan, Generation: r.Generation, Deploys: []deploymentView{}, URLs: []string{}}
	for _, f := range r.Faults {
		out.Faults = append(out.Faults, appFaultView{string(f.Addr), fault.CodeOf(f.Err), fault.Message(f.Err)})
	}
	changed := map[string]bool{}
	for _, d := range deploymentsOf(r.Deployments) {
		out.Deploys = append(out.Deploys, viewOf(d))
		out.Seconds = d.Duration.Seconds()
		changed[d.App] = true
	}
	apps, err := n.apps(ctx)
	for _, v := range apps {
		if changed[v.App] {
			out.URLs = append(out.URLs, v.URL)
		}
	}
	return out, err
}
