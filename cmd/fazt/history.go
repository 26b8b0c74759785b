package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/platform/release"
	"github.com/fazt-sh/fazt/reconcile"
)

// deploymentView is one release of an app as history shows it.
type deploymentView struct {
	ID       string    `json:"id"`
	App      string    `json:"app"`
	Outcome  string    `json:"outcome"`
	Revision string    `json:"revision"`
	Gen      uint64    `json:"generation"`
	Time     time.Time `json:"time"`
	Author   string    `json:"author,omitempty"`
	Subject  string    `json:"subject,omitempty"`
	Reason   string    `json:"reason,omitempty"` // of a rollback
	Left     string    `json:"left,omitempty"`   // by a rollback: the release, d-118
	Trigger  string    `json:"trigger"`
	Actor    string    `json:"actor"`
	Files    uint64    `json:"files"`
	Bytes    int64     `json:"bytes"`
	Millis   int64     `json:"milliseconds"`
	Error    string    `json:"error,omitempty"`
}

func viewOf(d release.Deployment) deploymentView {
	v := deploymentView{
		ID: d.Label(), App: d.App, Outcome: d.Outcome, Revision: d.Revision, Gen: d.Generation, Time: d.Time,
		Author: d.Author, Subject: d.Subject, Trigger: d.Trigger, Actor: d.Actor,
		Files: d.Files, Bytes: d.Bytes, Millis: d.Duration.Milliseconds(), Error: d.Error,
	}
	if d.Trigger == "rollback" { // it is no commit that it tells of
		v.Subject, v.Reason = "", d.Subject
	}
	return v
}

// leftBehind is the outcome of a release that a rollback left.
const leftBehind = "rolled_back"

// viewsOf shows deployments, newest first: what was live until a rollback is
// known by that.
func viewsOf(list []release.Deployment) []deploymentView {
	views := make([]deploymentView, 0, len(list))
	newer := map[string]int{} // by app: what came after it and was no failed attempt
	for _, d := range list {
		v := viewOf(d)
		after, known := newer[d.App]
		if known && views[after].Trigger == "rollback" && views[after].Left == "" && d.Outcome == release.Live {
			v.Outcome, views[after].Left = leftBehind, v.ID
		}
		if d.Outcome == release.Live || d.Outcome == reconcile.DeployParked {
			newer[d.App] = len(views)
		}
		views = append(views, v)
	}
	return views
}

func deploymentsOf(list []reconcile.Deployment) []release.Deployment {
	var rows []release.Deployment
	for _, d := range list {
		rows = append(rows, release.Deployment{
			ID: d.ID, App: d.App, Revision: d.Revision, Generation: d.Generation, Author: d.Author, Subject: d.Subject,
			Trigger: d.Trigger, Actor: d.Actor, Outcome: d.Outcome, Time: d.Time, Duration: d.Duration,
			Files: uint64(d.Files), Bytes: d.Bytes, Error: d.Error,
		})
	}
	return rows
}

type historyIn struct {
	App    string `placeholder:"APP" help:"one app's releases only" json:"app"`
	Limit  int    `default:"20" help:"how many, newest first" json:"limit"`
	Failed bool   `help:"only what did not go live" json:"failed"`
}

type historyOut struct {
	Deployments []deploymentView `json:"deployments"`
}

// WriteText prints a table, newest first.
func (o historyOut) WriteText(w *op.Screen) error {
	if len(o.Deployments) == 0 {
		w.Printf("nothing was released yet\n")
		return nil
	}
	return writeDeployments(w, o.Deployments)
}

func writeDeployments(w *op.Screen, list []deploymentView) error {
	columns := []op.Column{{Name: "ID"}, {Name: "APP"}, {Name: "OUTCOME"}, {Name: "REVISION"}, {Name: "WHEN"}, {Name: "BY"}, {Name: "SUBJECT"}}
	var rows [][]string
	for _, d := range list {
		by := nameOf(d.Author)
		if by == "" {
			by = d.Actor
		}
		subject := cmp.Or(d.Subject, d.Reason)
		if d.Error != "" {
			subject = d.Error
		}
		rows = append(rows, []string{d.ID, d.App, d.Outcome, short(d.Revision), ago(d.Time), by, subject})
	}
	rows = clipLast(columns, rows, w.Width)
	for i := range rows {
		rows[i][2] = redOutcome(w, rows[i][2])
	}
	return w.Table(columns, rows)
}

type deployIn struct {
	ID string `arg:"" help:"the release, d-118" json:"id"`
}

// WriteText prints everything known of one release.
func (d deploymentView) WriteText(w *op.Screen) error {
	row := func(name, format string, args ...any) { w.Printf("%-9s %s\n", name, fmt.Sprintf(format, args...)) }
	row("release", "%s of %s: %s", d.ID, d.App, redOutcome(w, d.Outcome))
	row("revision", "%s", d.Revision)
	if d.Subject != "" {
		row("commit", "%s (%s)", d.Subject, nameOf(d.Author))
	}
	if d.Left != "" {
		row("left", "%s", d.Left)
	}
	if d.Reason != "" {
		row("reason", "%s", d.Reason)
	}
	row("when", "%s (%s)", d.Time.UTC().Format(time.RFC3339), ago(d.Time))
	row("by", "%s, %s", d.Actor, d.Trigger)
	row("content", "%s, %s", plural(int(d.Files), "file"), size(d.Bytes))
	row("took", "%d ms", d.Millis)
	if d.Error != "" {
		row("error", "%s", d.Error)
	}
	return nil
}

func historyOps(n *node) []op.Op {
	return []op.Op{
		op.New(op.Row{
			Name: "history", Group: groupLook, Summary: "list releases, newest first", Effect: op.Read, Needs: op.Observe, Since: "0.1.0",
			Examples: []op.Example{{Command: "history"}, {Command: "history --app blog --limit 5"}},
		}, on(n, func(ctx context.Context, n *node, in historyIn) (historyOut, error) {
			list, err := n.ground.Releases.Deployments(ctx, release.Filter{App: in.App, Failed: in.Failed, Limit: in.Limit})
			return historyOut{Deployments: viewsOf(list)}, err
		})),
		op.New(op.Row{
			Name: "history show", Group: groupLook, Summary: "show one release", Effect: op.Read, Needs: op.Observe, Since: "0.1.0",
			Examples: []op.Example{{Command: "history show d-1"}},
			Exits:    map[int]string{6: "there is no such release"},
		}, on(n, func(ctx context.Context, n *node, in deployIn) (deploymentView, error) {
			return n.deployment(ctx, in.ID)
		})),
	}
}

func (n *node) deployment(ctx context.Context, label string) (deploymentView, error) {
	id, err := release.ParseID(label)
	if err != nil {
		return deploymentView{}, err
	}
	d, err := n.deploymentOf(ctx, id)
	if err != nil {
		return deploymentView{}, err
	}
	list, err := n.ground.Releases.Deployments(ctx, release.Filter{App: d.App, Limit: allDeployments})
	for _, v := range viewsOf(list) {
		if v.ID == d.Label() {
			return v, err
		}
	}
	return viewOf(d), err
}

// allDeployments is more than the node keeps of an app.
const allDeployments = 1 << 20

// deploymentOf is one line of history.
func (n *node) deploymentOf(ctx context.Context, id uint64) (release.Deployment, error) {
	list, err := n.ground.Releases.Deployments(ctx, release.Filter{ID: id, Limit: 1})
	if err == nil && len(list) == 0 {
		err = fault.New(fault.NotFound, "there is no release d-%d", id).WithHint("fazt history lists them")
	}
	if err != nil {
		return release.Deployment{}, err
	}
	return list[0], nil
}
