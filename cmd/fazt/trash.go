package main

import (
	"context"
	"fmt"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/platform/release"
	"github.com/fazt-sh/fazt/reconcile"
	"github.com/fazt-sh/fazt/spec"
)

// parkedView is an app in the trash as people see it.
type parkedView struct {
	App      string    `json:"app"`
	Addr     string    `json:"addr"`
	Revision string    `json:"revision"` // of its last release
	Reason   string    `json:"reason"`
	Gone     string    `json:"gone"` // the revision that no longer asked for it
	Files    int       `json:"files"`
	Bytes    int64     `json:"bytes"`
	Since    time.Time `json:"since"`
	Until    time.Time `json:"until"`
}

type trashOut struct {
	Apps []parkedView `json:"apps"`
}

// WriteText prints a table with the day that each one's time is over.
func (o trashOut) WriteText(w *op.Screen) error {
	if len(o.Apps) == 0 {
		w.Printf("the trash is empty\n")
		return nil
	}
	columns := []op.Column{{Name: "APP", Keep: true}, {Name: "FILES", Right: true}, {Name: "SIZE", Right: true}, {Name: "SINCE"}, {Name: "UNTIL", Keep: true}, {Name: "GONE WITH"}}
	var rows [][]string
	for _, a := range o.Apps {
		rows = append(rows, []string{a.App, fmt.Sprint(a.Files), size(a.Bytes), ago(a.Since), a.Until.Format(time.DateOnly), short(a.Gone)})
	}
	return w.Table(columns, rows)
}

type trashIn struct {
	App string `arg:"" help:"name of the app" json:"app"`
}

type purgeIn struct {
	App     string `arg:"" help:"name of the app" json:"app"`
	Confirm string `json:"confirm" help:"the name again"`
}

func trashOps(n *node) []op.Op {
	return []op.Op{
		op.New(op.Row{
			Name: "trash list", Group: groupLook, Summary: "list the apps that are parked, and until when", Effect: op.Read, Needs: op.Observe, Since: "0.2.0",
			Examples: []op.Example{{Command: "trash list"}},
		}, on(n, func(ctx context.Context, n *node, _ noIn) (trashOut, error) { return n.trash(ctx) })),
		op.New(op.Row{
			Name: "trash restore", Group: groupChange, Summary: "put a parked app back into service", Effect: op.Change, Needs: op.Deploy, Since: "0.2.0",
			Detail:   "It is served as it was and belongs to no block: it stays until one declares it, or somebody removes it from there.",
			Examples: []op.Example{{Command: "trash restore blog"}},
			Exits:    map[int]string{5: "another app has its host by now", 6: "it is not in the trash"},
		}, on(n, func(ctx context.Context, n *node, in trashIn) (holdOut, error) { return n.restore(ctx, in.App) })),
		op.New(op.Row{
			Name: "trash purge", Group: groupChange, Summary: "delete a parked app and its releases for good", Effect: op.Destroy, Needs: op.Admin, Since: "0.2.0",
			Examples: []op.Example{{Command: "trash purge blog --confirm blog"}},
			Exits:    map[int]string{5: "it is not confirmed", 6: "it is not in the trash"},
		}, on(n, func(ctx context.Context, n *node, in purgeIn) (holdOut, error) { return n.purge(ctx, in.App) })),
	}
}

func (n *node) trash(ctx context.Context) (trashOut, error) {
	out := trashOut{Apps: []parkedView{}}
	list, err := n.ground.Releases.Trash(ctx)
	for _, p := range list {
		v := parkedView{
			App: p.Object.Name, Addr: p.Object.Addr, Revision: p.Object.Revision, Reason: p.Reason, Gone: p.Gone, Since: p.Since, Until: p.Until,
		}
		o, err := objectOf(p.Object)
		if err != nil {
			v.Reason = "damaged"
		} else if o.Content != nil {
			v.Files = len(o.Content.Files)
			for _, f := range o.Content.Files {
				v.Bytes += f.Size
			}
		}
		out.Apps = append(out.Apps, v)
	}
	return out, err
}

// parked finds an app in the trash.
func (n *node) parked(ctx context.Context, name string) (release.Parked, error) {
	list, err := n.ground.Releases.Trash(ctx)
	if err != nil {
		return release.Parked{}, err
	}
	for _, p := range list {
		if p.Object.Name == name || p.Object.Addr == name {
			return p, nil
		}
	}
	return release.Parked{}, fault.New(fault.NotFound, "%q is not in the trash", name).WithSubject(name).WithHint("fazt trash list")
}

func (n *node) restore(ctx context.Context, name string) (holdOut, error) {
	p, err := n.parked(ctx, name)
	if err != nil {
		return holdOut{}, err
	}
	o, err := objectOf(p.Object)
	if err != nil {
		return holdOut{}, fault.Wrap(fault.Conflict, err, "%s cannot be put back", p.Object.Name).WithHint("declare it again in git, then: fazt trash purge %s", p.Object.Name)
	}
	o.Unmanaged = true
	if _, err := n.adjust(ctx, reconcile.Adjustment{Put: []spec.Object{o}, Actor: op.ActorFrom(ctx), Trigger: "restore"}); err != nil {
		return holdOut{}, err
	}
	out := n.held(o.Name + " is in service again, unmanaged")
	out.Hint = "declare it again: its block is " + string(o.Addr) + ", in " + o.Range.Filename + " of " + short(o.Revision)
	return out, nil
}

func (n *node) purge(ctx context.Context, name string) (holdOut, error) {
	p, err := n.parked(ctx, name)
	if err != nil {
		return holdOut{}, err
	}
	if _, err := n.adjust(ctx, reconcile.Adjustment{Purge: []spec.Addr{spec.Addr(p.Object.Addr)}, Actor: op.ActorFrom(ctx), Trigger: "purge"}); err != nil {
		return holdOut{}, err
	}
	return n.held(p.Object.Name + " is gone for good"), nil
}
