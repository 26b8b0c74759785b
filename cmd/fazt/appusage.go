package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/platform/storage"
	"github.com/fazt-sh/fazt/spec"
)

// dataView is what an app keeps, in bytes, and what waits for it.
type dataView struct {
	ID       string `json:"id"` // names the folder of it
	Keys     int64  `json:"keys"`
	Docs     int64  `json:"docs"`
	Files    int64  `json:"files"`
	Database int64  `json:"database"` // with the tables of SQL and all indexes
	Quota    int64  `json:"quota,omitempty"`
	Waiting  int    `json:"waiting"` // jobs that are ready, delayed or running
	Dead     int    `json:"dead"`    // jobs that failed too often
}

// String is the line of it.
func (v dataView) String() string {
	parts := []string{size(v.Database+v.Files) + " of data"}
	if v.Files > 0 {
		parts = append(parts, size(v.Files)+" of it files")
	}
	if v.Quota > 0 {
		parts = append(parts, "of "+size(v.Quota))
	}
	if v.Waiting > 0 {
		parts = append(parts, plural(v.Waiting, "job")+" waiting")
	}
	if v.Dead > 0 {
		parts = append(parts, plural(v.Dead, "dead job"))
	}
	return strings.Join(parts, ", ")
}

type appUsageIn struct {
	App string `arg:"" help:"name of the app" json:"app"`
}

// storeView is one bucket, set of documents, store of files or table.
type storeView struct {
	Kind  string `json:"kind"` // keys, docs, files, table
	Name  string `json:"name"`
	Items int64  `json:"items"`
	Bytes int64  `json:"bytes"`
	Users int64  `json:"users,omitempty"`
}

type appUsageOut struct {
	dataView
	App    string      `json:"app"`
	Month  string      `json:"month,omitempty"` // of sent
	Sent   int64       `json:"sent"`            // bytes to visitors in this month
	Stores []storeView `json:"stores"`
	Queues []queueView `json:"queues"`
}

// WriteText prints the sums, then what they are made of.
func (o appUsageOut) WriteText(w *op.Screen) error {
	w.Printf("%s\n", o.App)
	row := func(name, format string, args ...any) { w.Printf("  %-9s %s\n", name, fmt.Sprintf(format, args...)) }
	if o.ID != "" {
		row("data", "%s", o.dataView)
		row("keys", "%s", size(o.Keys))
		row("docs", "%s", size(o.Docs))
		row("files", "%s", size(o.Files))
		row("database", "%s", size(o.Database))
	} else {
		row("data", "keeps nothing")
	}
	row("sent", "%s in %s", size(o.Sent), o.Month)
	if len(o.Stores) > 0 {
		var rows [][]string
		for _, s := range o.Stores {
			rows = append(rows, []string{s.Kind, s.Name, thousands(s.Items), size(s.Bytes), thousands(s.Users)})
		}
		w.Printf("\n")
		if err := w.Table([]op.Column{{Name: "KIND", Keep: true}, {Name: "NAME", Keep: true}, {Name: "ITEMS", Right: true}, {Name: "SIZE", Right: true}, {Name: "USERS", Right: true}}, rows); err != nil {
			return err
		}
	}
	if len(o.Queues) == 0 {
		return nil
	}
	w.Printf("\n")
	return queueListOut{o.Queues}.WriteText(w)
}

func usageOps(n *node) []op.Op {
	return []op.Op{
		op.New(op.Row{
			Name: "app usage", Group: groupLook, Summary: "show what an app keeps and has sent, store by store", Effect: op.Read, Needs: op.Observe, Since: "0.4.0",
			Detail:   "It counts: about a second for a gigabyte. The sums alone are in app show.",
			Examples: []op.Example{{Command: "app usage notes"}}, Exits: map[int]string{6: "there is no such app"},
		}, on(n, func(ctx context.Context, n *node, in appUsageIn) (appUsageOut, error) { return n.appUsage(ctx, in.App) })),
	}
}

func (n *node) appUsage(ctx context.Context, app string) (appUsageOut, error) {
	out := appUsageOut{Stores: []storeView{}, Queues: []queueView{}}
	v, o, err := n.app(ctx, app)
	if err != nil {
		return out, err
	}
	out.App = v.App
	used := n.edge.Usage()[o.Addr]
	out.Month, out.Sent = used.Month, used.Bytes
	b, data, err := n.sums(ctx, o)
	if err != nil || b == nil {
		return out, err
	}
	defer b.Close()
	out.dataView = *data
	i, err := b.Store.Inspect(ctx)
	out.inspected(i)
	if b.Jobs == nil {
		return out, err
	}
	queues, failed := n.queueList(ctx, app)
	out.Queues = queues.Queues
	return out, errors.Join(err, failed)
}

// inspected adds what was counted.
func (o *appUsageOut) inspected(i storage.Inspection) {
	for _, s := range i.Stores {
		o.Stores = append(o.Stores, storeView{s.Kind, s.Name, s.Items, s.Bytes, s.Users})
	}
	for _, t := range i.Tables {
		o.Stores = append(o.Stores, storeView{Kind: "table", Name: t.Name, Items: t.Rows, Bytes: t.Bytes})
	}
}

// sums adds up what an app in service keeps; nil for one that keeps nothing, or
// is not in service.
func (n *node) sums(ctx context.Context, o spec.Object) (*edge.Backend, *dataView, error) {
	b, err := n.edge.Backend(o.Addr)
	if fault.KindOf(err) == fault.NotFound {
		return nil, nil, nil
	}
	if err != nil || b.Store == nil {
		if b != nil {
			b.Close()
		}
		return nil, nil, err
	}
	u, err := b.Store.Usage(ctx)
	v := &dataView{ID: b.Store.ID(), Keys: u.Keys, Docs: u.Docs, Files: u.Files, Database: u.Database, Quota: u.Quota}
	if err == nil && b.Jobs != nil {
		queues, failed := b.Jobs.Queues(ctx)
		for _, q := range queues {
			v.Waiting += q.Ready + q.Delayed + q.Running
			v.Dead += q.Dead
		}
		err = failed
	}
	if err != nil {
		b.Close()
		return nil, nil, err
	}
	return b, v, nil
}
