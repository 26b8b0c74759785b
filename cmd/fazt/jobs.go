package main

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/platform/queue"
)

type jobsIn struct {
	App string `arg:"" help:"name of the app" json:"app"`
}

// queueView is what one queue holds.
type queueView struct {
	Queue    string    `json:"queue"`
	Ready    int       `json:"ready"`
	Delayed  int       `json:"delayed"`
	Running  int       `json:"running"`
	Dead     int       `json:"dead"`
	Oldest   time.Time `json:"oldest,omitzero"` // when the oldest that is not dead was sent
	Declared bool      `json:"declared"`        // the app has it: others' jobs lie still
}

type queueListOut struct {
	Queues []queueView `json:"queues"`
}

// WriteText prints a table.
func (o queueListOut) WriteText(w *op.Screen) error {
	if len(o.Queues) == 0 {
		return w.Printf("no queues\n")
	}
	var rows [][]string
	for _, q := range o.Queues {
		note := ""
		if !q.Declared {
			note = "in no block: its jobs lie still"
		}
		rows = append(rows, []string{q.Queue, thousands(int64(q.Ready)), thousands(int64(q.Delayed)), thousands(int64(q.Running)), thousands(int64(q.Dead)), ago(q.Oldest), note})
	}
	return w.Table([]op.Column{{Name: "QUEUE", Keep: true}, {Name: "READY", Right: true, Keep: true}, {Name: "DELAYED", Right: true}, {Name: "RUNNING", Right: true},
		{Name: "DEAD", Right: true, Keep: true}, {Name: "OLDEST"}, {Name: "NOTE"}}, rows)
}

type queueIn struct {
	App   string `arg:"" help:"name of the app" json:"app"`
	Queue string `arg:"" help:"the queue" json:"queue"`
}

type queuePeekIn struct {
	queueIn
	Only  string `default:"dead" enum:"dead,ready,delayed,running,all" help:"jobs that are so: dead ones have failed too often" json:"only"`
	Limit int    `default:"20" help:"how many, at most 1000" json:"limit"`
	After int64  `placeholder:"ID" help:"go on behind this job" json:"after"`
}

// Note is the queue that is looked at.
func (in queuePeekIn) Note() string { return in.Queue }

// jobView is a job that is looked at.
type jobView struct {
	ID       int64     `json:"id"`
	State    string    `json:"state"`
	Sent     time.Time `json:"sent"`
	Due      time.Time `json:"due,omitzero"`
	Attempts int       `json:"attempts"`
	Error    string    `json:"error,omitempty"` // of the last attempt
	Key      string    `json:"key,omitempty"`
	Priority int       `json:"priority,omitempty"`
	Body     bytesView `json:"body"`
}

type queuePeekOut struct {
	Jobs []jobView `json:"jobs"`
}

// WriteText prints a table, with what a job says at the end.
func (o queuePeekOut) WriteText(w *op.Screen) error {
	if len(o.Jobs) == 0 {
		in, _ := w.In.(queuePeekIn)
		return w.Printf("no %s jobs in %s\n", in.Only, in.Queue)
	}
	columns := []op.Column{{Name: "ID", Right: true, Keep: true}, {Name: "STATE"}, {Name: "SENT"}, {Name: "TRIES", Right: true}, {Name: "ERROR", Keep: true}, {Name: "BODY"}}
	var rows [][]string
	for _, j := range o.Jobs {
		rows = append(rows, []string{strconv.FormatInt(j.ID, 10), j.State, ago(j.Sent), strconv.Itoa(j.Attempts), clip(j.Error, 40), j.Body.line()})
	}
	return w.Table(columns, clipLast(columns, rows, w.Width))
}

type queueJobsIn struct {
	queueIn
	IDs []string `arg:"" optional:"" name:"id" help:"numbers of jobs; all dead ones if none is given" json:"ids"`
}

type queuePurgeIn struct {
	queueJobsIn
	Confirm string `json:"confirm"`
}

// Spares reports whether it is one job.
func (in queuePurgeIn) Spares() bool { return len(in.IDs) == 1 }

type queueChangedOut struct {
	Jobs int    `json:"jobs"`
	Done string `json:"done"` // "retried", "deleted"
}

// WriteText counts.
func (o queueChangedOut) WriteText(w *op.Screen) error {
	return w.Printf("%s %s\n", plural(o.Jobs, "dead job"), o.Done)
}

func queueOps(n *node) []op.Op {
	missing := map[int]string{6: "there is no such app, or it has no queues"}
	return []op.Op{
		op.New(op.Row{
			Name: "queue list", Group: groupData, Summary: "list the queues of an app, and what they hold", Effect: op.Read, Needs: op.DataRead, Since: "0.4.0",
			Examples: []op.Example{{Command: "queue list notes"}}, Exits: missing,
		}, on(n, func(ctx context.Context, n *node, in jobsIn) (queueListOut, error) { return n.queueList(ctx, in.App) })),
		op.New(op.Row{
			Name: "queue peek", Group: groupData, Summary: "look at the jobs of a queue, those that failed first of all", Effect: op.Read, Needs: op.DataRead, Audited: true, Since: "0.4.0",
			Examples: []op.Example{{Command: "queue peek notes thumbnails"}, {Command: "queue peek notes thumbnails --only all --json"}}, Exits: missing,
		}, on(n, func(ctx context.Context, n *node, in queuePeekIn) (queuePeekOut, error) { return n.queuePeek(ctx, in) })),
		op.New(op.Row{
			Name: "queue retry", Group: groupData, Summary: "have jobs delivered again that failed too often", Effect: op.Change, Needs: op.DataWrite, Since: "0.4.0",
			Detail:   "They get all their attempts anew. One whose key a living job has by now stays dead.",
			Examples: []op.Example{{Command: "queue retry notes thumbnails"}, {Command: "queue retry notes thumbnails 17 18"}}, Exits: missing,
		}, on(n, func(ctx context.Context, n *node, in queueJobsIn) (queueChangedOut, error) {
			return n.queueChange(ctx, in, "retried", (*queue.Store).Retry)
		})),
		op.New(op.Row{
			Name: "queue purge", Group: groupData, Summary: "delete jobs that failed too often", Effect: op.Destroy, Needs: op.DataWrite, Since: "0.4.0",
			Detail:   "More than one are confirmed by the name of the app.",
			Examples: []op.Example{{Command: "queue purge notes thumbnails --confirm notes"}, {Command: "queue purge notes thumbnails 17"}},
			Exits:    map[int]string{5: "it is not confirmed", 6: "there is no such app, or it has no queues"},
		}, on(n, func(ctx context.Context, n *node, in queuePurgeIn) (queueChangedOut, error) {
			return n.queueChange(ctx, in.queueJobsIn, "deleted", (*queue.Store).Purge)
		})),
	}
}

// jobs opens an app that has queues or schedules. Close it.
func (n *node) jobs(ctx context.Context, app string) (*edge.Backend, error) {
	b, err := n.backend(ctx, app)
	if err == nil && b.Jobs == nil {
		b.Close()
		err = fault.New(fault.NotFound, "%s has neither queue nor cron blocks", app).WithSubject(app)
	}
	return b, err
}

func (n *node) queueList(ctx context.Context, app string) (queueListOut, error) {
	out := queueListOut{Queues: []queueView{}}
	b, err := n.jobs(ctx, app)
	if err != nil {
		return out, err
	}
	defer b.Close()
	list, err := b.Jobs.Queues(ctx)
	for _, q := range list {
		out.Queues = append(out.Queues, queueView{q.Queue, q.Ready, q.Delayed, q.Running, q.Dead, q.Oldest, q.Declared})
	}
	return out, err
}

// queue opens the queue that is named: one that the app has, or has jobs of.
func (n *node) queue(ctx context.Context, in queueIn) (*edge.Backend, error) {
	b, err := n.jobs(ctx, in.App)
	if err != nil {
		return nil, err
	}
	list, err := b.Jobs.Queues(ctx)
	var names []string
	for _, q := range list {
		if q.Queue == in.Queue {
			return b, nil
		}
		names = append(names, q.Queue)
	}
	b.Close()
	if err == nil {
		err = fault.New(fault.NotFound, "%s has no queue %q", in.App, in.Queue).WithSubject(in.Queue).WithHint("it has %s", cmp.Or(strings.Join(names, ", "), "none"))
	}
	return nil, err
}

func (n *node) queuePeek(ctx context.Context, in queuePeekIn) (queuePeekOut, error) {
	out := queuePeekOut{Jobs: []jobView{}}
	b, err := n.queue(ctx, in.queueIn)
	if err != nil {
		return out, err
	}
	defer b.Close()
	if in.Only == "all" {
		in.Only = ""
	}
	list, err := b.Jobs.Jobs(ctx, in.Queue, in.Only, in.After, min(max(in.Limit, 1), 1000))
	for _, j := range list {
		out.Jobs = append(out.Jobs, jobView{j.ID, j.State, j.Sent, j.Due, j.Attempts, j.Error, j.Key, j.Priority, viewOfBytes(j.Body)})
	}
	return out, err
}

func (n *node) queueChange(ctx context.Context, in queueJobsIn, done string, change func(*queue.Store, context.Context, string, ...int64) (int, error)) (queueChangedOut, error) {
	var ids []int64
	for _, text := range in.IDs {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return queueChangedOut{}, fault.New(fault.Invalid, "%q is no number of a job", text).WithHint("fazt queue peek %s %s", in.App, in.Queue)
		}
		ids = append(ids, id)
	}
	b, err := n.queue(ctx, in.queueIn)
	if err != nil {
		return queueChangedOut{}, err
	}
	defer b.Close()
	ctx, back := n.ground.Lend(ctx) // deleting is how room is made
	defer back()
	count, err := change(b.Jobs, ctx, in.Queue, ids...)
	return queueChangedOut{count, done}, err
}
