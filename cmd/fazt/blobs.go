package main

import (
	"context"
	"encoding/json"
	"io"
	"mime"
	"path"
	"time"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/platform/storage"
	"github.com/fazt-sh/fazt/spec"
)

type blobListIn struct {
	storeIn
	pageIn
	Folders bool `help:"show what is behind a / as one folder" json:"folders"`
}

// blobView is what is known of a file.
type blobView struct {
	Key      string          `json:"key"`
	Size     int64           `json:"size"`
	ETag     string          `json:"etag"` // sha256 of the bytes
	Type     string          `json:"type"`
	Modified time.Time       `json:"modified"`
	Meta     json.RawMessage `json:"meta,omitempty"`
}

func viewOfBlob(f storage.FileInfo) blobView {
	return blobView{f.Key, f.Size, f.ETag, f.Type, f.Modified, f.Meta}
}

type blobListOut struct {
	Binding string     `json:"binding"`
	Files   []blobView `json:"files"`
	Folders []string   `json:"folders,omitempty"`
	Cursor  string     `json:"cursor,omitempty"`
}

// WriteText prints a table, folders first.
func (o blobListOut) WriteText(w *op.Screen) error {
	if len(o.Files)+len(o.Folders) == 0 {
		return w.Printf("no files in %s\n", o.Binding)
	}
	var rows [][]string
	for _, f := range o.Folders {
		rows = append(rows, []string{f, "", "folder", ""})
	}
	for _, f := range o.Files {
		rows = append(rows, []string{f.Key, size(f.Size), f.Type, ago(f.Modified)})
	}
	if err := w.Table([]op.Column{{Name: "KEY", Keep: true}, {Name: "SIZE", Right: true}, {Name: "TYPE"}, {Name: "CHANGED"}}, rows); err != nil {
		return err
	}
	return w.Printf("%s", more(o.Cursor))
}

type blobGetIn struct {
	storeIn
	Key string `arg:"" help:"the file's key" json:"key"`
	outIn
}

// Note is the file that is read.
func (in blobGetIn) Note() string { return in.Key }

type blobPutIn struct {
	storeIn
	Key  string    `arg:"" help:"the file's key" json:"key"`
	File op.Upload `arg:"" help:"the file here, - is standard input" json:"file"`
	Type string    `placeholder:"TYPE" help:"media type; told by the key's ending if none is given" json:"type"`
}

type blobPutOut struct{ blobView }

// WriteText says what is kept.
func (o blobPutOut) WriteText(w *op.Screen) error {
	return w.Printf("%s  %s, %s\n", o.Key, size(o.Size), o.Type)
}

type blobDeleteIn struct {
	storeIn
	Keys    []string `arg:"" name:"key" help:"the files' keys" json:"keys"`
	Confirm string   `json:"confirm"`
}

// Spares reports whether it is one file.
func (in blobDeleteIn) Spares() bool { return len(in.Keys) == 1 }

func blobOps(n *node) []op.Op {
	missing := map[int]string{6: "there is no such app, block or file"}
	get := op.Row{
		Name: "blob get", Group: groupData, Summary: "write a file of an app to standard output, or to a file here", Effect: op.Read, Needs: op.DataRead, Audited: true, Since: "0.4.0",
		Examples: []op.Example{{Command: "blob get notes avatars/ana.png -o ana.png"}}, Exits: missing,
	}
	return []op.Op{
		op.New(op.Row{
			Name: "blob list", Group: groupData, Summary: "list the files that an app keeps", Effect: op.Read, Needs: op.DataRead, Audited: true, Since: "0.4.0",
			Examples: []op.Example{{Command: "blob list notes --prefix avatars/"}, {Command: "blob list notes --folders"}}, Exits: missing,
		}, on(n, func(ctx context.Context, n *node, in blobListIn) (blobListOut, error) { return n.blobList(ctx, in) })),
		downloadOp(n, get, func(ctx context.Context, n *node, in blobGetIn, w io.Writer) error { return n.blobGet(ctx, in, w) }),
		op.New(op.Row{
			Name: "blob put", Group: groupData, Summary: "keep a file for an app", Effect: op.Change, Needs: op.DataWrite, Since: "0.4.0",
			Examples: []op.Example{{Command: "blob put notes avatars/ana.png ana.png"}},
			Exits:    map[int]string{6: "there is no such app or block", 8: "it is over the quota"},
		}, on(n, func(ctx context.Context, n *node, in blobPutIn) (blobPutOut, error) { return n.blobPut(ctx, in) })),
		op.New(op.Row{
			Name: "blob delete", Group: groupData, Summary: "delete files of an app", Effect: op.Destroy, Needs: op.DataWrite, Since: "0.4.0",
			Detail:   "More than one are confirmed by the name of the app.",
			Examples: []op.Example{{Command: "blob delete notes avatars/ana.png"}},
			Exits:    map[int]string{5: "it is not confirmed", 6: "there is no such app or block"},
		}, on(n, func(ctx context.Context, n *node, in blobDeleteIn) (deletedOut, error) { return n.blobDelete(ctx, in) })),
	}
}

// files opens a store of files.
func (n *node) files(ctx context.Context, in storeIn) (opened[*storage.Files], error) {
	have := func(a spec.App) []string { return named(a.Blobs, func(b spec.Blobs) string { return b.Name }) }
	return openStore(ctx, n, in, "blobs", have, func(b *edge.Backend, name string) *storage.Files {
		var quota int64
		for _, block := range b.App.Blobs {
			if block.Name == name {
				quota = block.Quota
			}
		}
		if in.User != "" {
			return b.Store.Files(name, quota).User(in.User)
		}
		return b.Store.Files(name, quota)
	})
}

func (n *node) blobList(ctx context.Context, in blobListIn) (blobListOut, error) {
	b, err := n.files(ctx, in.storeIn)
	if err != nil {
		return blobListOut{}, err
	}
	defer b.Close()
	o := storage.FileListOptions{ListOptions: in.options()}
	if in.Folders {
		o.Delimiter = "/"
	}
	page, err := b.store.List(ctx, o)
	out := blobListOut{Binding: b.name, Files: []blobView{}, Folders: page.Prefixes, Cursor: page.Cursor}
	for _, f := range page.Files {
		out.Files = append(out.Files, viewOfBlob(f))
	}
	return out, err
}

func (n *node) blobGet(ctx context.Context, in blobGetIn, w io.Writer) error {
	b, err := n.files(ctx, in.storeIn)
	if err != nil {
		return err
	}
	defer b.Close()
	f, err := b.store.Get(ctx, in.Key, nil, storage.Condition{})
	if fault.KindOf(err) == fault.NotFound {
		return fault.New(fault.NotFound, "%s has no file %q of %s", in.App, in.Key, of(in.User)).WithSubject(in.Key).WithHint("fazt blob list %s", in.App)
	}
	if err != nil {
		return err
	}
	defer f.Body.Close()
	_, err = io.Copy(w, f.Body)
	return err
}

func (n *node) blobPut(ctx context.Context, in blobPutIn) (blobPutOut, error) {
	b, err := n.files(ctx, in.storeIn)
	if err != nil {
		return blobPutOut{}, err
	}
	defer b.Close()
	if in.Type == "" {
		in.Type = mime.TypeByExtension(path.Ext(in.Key))
	}
	f, err := b.store.Put(ctx, in.Key, in.File.Body, storage.FileOptions{Type: in.Type})
	return blobPutOut{viewOfBlob(f)}, err
}

func (n *node) blobDelete(ctx context.Context, in blobDeleteIn) (deletedOut, error) {
	b, err := n.files(ctx, in.storeIn)
	if err != nil {
		return deletedOut{}, err
	}
	defer b.Close()
	ctx, back := n.ground.Lend(ctx) // deleting is how room is made
	defer back()
	count, err := b.store.Delete(ctx, in.Keys...)
	return deletedOut{count, "file"}, err
}
