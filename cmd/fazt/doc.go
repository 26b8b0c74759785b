package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/platform/storage"
	"github.com/fazt-sh/fazt/spec"
)

type docListIn struct {
	App string `arg:"" help:"name of the app" json:"app"`
}

// collectionView is one collection, of all its users.
type collectionView struct {
	Binding    string `json:"binding"`
	Collection string `json:"collection"`
	Documents  int64  `json:"documents"`
	Bytes      int64  `json:"bytes"`
	Users      int64  `json:"users"`
}

type docListOut struct {
	Collections []collectionView `json:"collections"`
}

// WriteText prints a table.
func (o docListOut) WriteText(w *op.Screen) error {
	if len(o.Collections) == 0 {
		return w.Printf("no documents\n")
	}
	var rows [][]string
	for _, c := range o.Collections {
		rows = append(rows, []string{c.Collection, thousands(c.Documents), size(c.Bytes), thousands(c.Users), c.Binding})
	}
	return w.Table([]op.Column{{Name: "COLLECTION", Keep: true}, {Name: "DOCUMENTS", Right: true}, {Name: "SIZE", Right: true}, {Name: "USERS", Right: true}, {Name: "BINDING"}}, rows)
}

type docFindIn struct {
	storeIn
	Collection string   `arg:"" help:"the collection" json:"collection"`
	Filter     string   `placeholder:"JSON" help:"what they must be like: {\"author\": \"ana\", \"stars\": {\"$gte\": 3}}" json:"filter"`
	Sort       []string `placeholder:"FIELD" help:"by which field, --sort=-FIELD for the highest first; may be repeated" json:"sort"`
	Limit      int      `default:"20" help:"how many, at most 1000" json:"limit"`
	Cursor     string   `placeholder:"TEXT" help:"go on where the page before ended" json:"cursor"`
}

// Note is where they are looked for, and how.
func (in docFindIn) Note() string { return strings.TrimSpace(in.Collection + " " + in.Filter) }

// docView is a document.
type docView struct {
	ID      string          `json:"id"`
	Version int64           `json:"version"`
	Created time.Time       `json:"created"`
	Updated time.Time       `json:"updated"`
	Body    json.RawMessage `json:"body"`
}

func viewOfDoc(d storage.Doc) docView { return docView{d.ID, d.Version, d.Created, d.Updated, d.Body} }

type docFindOut struct {
	Docs   []docView `json:"docs"`
	Cursor string    `json:"cursor,omitempty"`
}

// WriteText prints a document a line.
func (o docFindOut) WriteText(w *op.Screen) error {
	if len(o.Docs) == 0 {
		return w.Printf("no document is like that\n")
	}
	for _, d := range o.Docs {
		w.Printf("%s\n", d.Body)
	}
	return w.Printf("%s", more(o.Cursor))
}

type docGetIn struct {
	storeIn
	Collection string `arg:"" help:"the collection" json:"collection"`
	ID         string `arg:"" name:"id" help:"the document's _id" json:"id"`
}

// Note is the document that is read.
func (in docGetIn) Note() string { return in.Collection + " " + in.ID }

type docGetOut struct{ docView }

// WriteText prints the document over several lines.
func (o docGetOut) WriteText(w *op.Screen) error {
	text, err := json.MarshalIndent(o.Body, "", "  ")
	if err != nil {
		return err
	}
	return w.Printf("%s\n", text)
}

func docOps(n *node) []op.Op {
	missing := map[int]string{6: "there is no such app, block or document"}
	return []op.Op{
		op.New(op.Row{
			Name: "doc list", Group: groupData, Summary: "list the collections of an app's documents", Effect: op.Read, Needs: op.DataRead, Since: "0.4.0",
			Detail:   "They are counted: about a second for a gigabyte.",
			Examples: []op.Example{{Command: "doc list notes"}}, Exits: missing,
		}, on(n, func(ctx context.Context, n *node, in docListIn) (docListOut, error) { return n.docList(ctx, in.App) })),
		op.New(op.Row{
			Name: "doc find", Group: groupData, Summary: "find documents of an app", Effect: op.Read, Needs: op.DataRead, Audited: true, Since: "0.4.0",
			Detail:   "Unlike the app's own code it may look at every document, so mind a large collection without an index.",
			Examples: []op.Example{{Command: "doc find notes page --filter '{\"tags\": \"draft\"}' --sort=-_updated"}, {Command: "@prod doc find notes page --user ana --json"}},
			Exits:    map[int]string{3: "the filter cannot be read", 6: "there is no such app or block"},
		}, on(n, func(ctx context.Context, n *node, in docFindIn) (docFindOut, error) { return n.docFind(ctx, in) })),
		op.New(op.Row{
			Name: "doc get", Group: groupData, Summary: "print one document of an app", Effect: op.Read, Needs: op.DataRead, Audited: true, Since: "0.4.0",
			Examples: []op.Example{{Command: "doc get notes page welcome"}}, Exits: missing,
		}, on(n, func(ctx context.Context, n *node, in docGetIn) (docGetOut, error) { return n.docGet(ctx, in) })),
	}
}

func (n *node) docList(ctx context.Context, app string) (docListOut, error) {
	out := docListOut{Collections: []collectionView{}}
	b, err := n.backend(ctx, app)
	if err != nil {
		return out, err
	}
	defer b.Close()
	if len(b.App.Docs) == 0 {
		return out, fault.New(fault.NotFound, "%s has no docs block", app).WithSubject(app)
	}
	i, err := b.Store.Inspect(ctx)
	for _, c := range i.Collections {
		out.Collections = append(out.Collections, collectionView{c.Docs, c.Name, c.Documents, c.Bytes, c.Users})
	}
	return out, err
}

// collection opens a collection, with the indexes that its block declares.
func (n *node) collection(ctx context.Context, in storeIn, collection string) (opened[*storage.Collection], error) {
	have := func(a spec.App) []string { return named(a.Docs, func(d spec.Docs) string { return d.Name }) }
	return openStore(ctx, n, in, "docs", have, func(b *edge.Backend, name string) *storage.Collection {
		docs := b.Store.Docs(name, indexesOf(b.App, name))
		if in.User != "" {
			docs = docs.User(in.User)
		}
		return docs.Collection(collection)
	})
}

func indexesOf(a spec.App, binding string) (indexes []storage.Index) {
	for _, d := range a.Docs {
		for _, i := range d.Indexes {
			if d.Name == binding {
				indexes = append(indexes, storage.Index{Name: i.Name, On: i.On, Unique: i.Unique})
			}
		}
	}
	return indexes
}

func (n *node) docFind(ctx context.Context, in docFindIn) (docFindOut, error) {
	b, err := n.collection(ctx, in.storeIn, in.Collection)
	if err != nil {
		return docFindOut{}, err
	}
	defer b.Close()
	q := storage.Query{Limit: in.Limit, Cursor: in.Cursor, Scan: true}
	if in.Filter != "" {
		q.Filter = json.RawMessage(in.Filter)
	}
	for _, s := range in.Sort {
		field, down := strings.CutPrefix(s, "-")
		q.Sort = append(q.Sort, storage.Sort{Field: field, Descending: down})
	}
	page, err := b.store.Find(ctx, q)
	out := docFindOut{Docs: []docView{}, Cursor: page.Cursor}
	for _, d := range page.Docs {
		out.Docs = append(out.Docs, viewOfDoc(d))
	}
	return out, err
}

func (n *node) docGet(ctx context.Context, in docGetIn) (docGetOut, error) {
	b, err := n.collection(ctx, in.storeIn, in.Collection)
	if err != nil {
		return docGetOut{}, err
	}
	defer b.Close()
	d, there, err := b.store.Get(ctx, in.ID)
	if err == nil && !there {
		err = fault.New(fault.NotFound, "%s has no document %q of %s in %s", in.App, in.ID, of(in.User), in.Collection).
			WithSubject(in.ID).WithHint("%s", fmt.Sprintf("fazt doc find %s %s", in.App, in.Collection))
	}
	return docGetOut{viewOfDoc(d)}, err
}
