package main

import (
	"context"
	"encoding/json"
	"io"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/platform/storage"
	"github.com/fazt-sh/fazt/spec"
)

type kvListIn struct {
	storeIn
	pageIn
}

// keyView is a key without what it stands for.
type keyView struct {
	Key     string          `json:"key"`
	Version int64           `json:"version"`
	Expires time.Time       `json:"expires,omitzero"`
	Meta    json.RawMessage `json:"meta,omitempty"`
}

type kvListOut struct {
	Binding string    `json:"binding"`
	Keys    []keyView `json:"keys"`
	Cursor  string    `json:"cursor,omitempty"`
}

// WriteText prints a table.
func (o kvListOut) WriteText(w *op.Screen) error {
	if len(o.Keys) == 0 {
		return w.Printf("no keys in %s\n", o.Binding)
	}
	var rows [][]string
	for _, k := range o.Keys {
		rows = append(rows, []string{k.Key, strconv.FormatInt(k.Version, 10), until(k.Expires), string(k.Meta)})
	}
	if err := w.Table([]op.Column{{Name: "KEY", Keep: true}, {Name: "VERSION", Right: true}, {Name: "EXPIRES"}, {Name: "META"}}, rows); err != nil {
		return err
	}
	return w.Printf("%s", more(o.Cursor))
}

type kvKeyIn struct {
	storeIn
	Key string `arg:"" help:"the key" json:"key"`
}

// Note is the key that is read.
func (in kvKeyIn) Note() string { return in.Key }

type kvGetOut struct {
	keyView
	Value bytesView `json:"value"`
}

// WriteText prints the value alone, so that it can be piped.
func (o kvGetOut) WriteText(w *op.Screen) error { return w.Printf("%s", o.Value.show()) }

type kvPutIn struct {
	storeIn
	Key   string        `arg:"" help:"the key" json:"key"`
	Value string        `arg:"" help:"the value, - takes it from standard input" json:"value"`
	From  op.Upload     `kong:"-" help:"the value, instead of value" json:"from"`
	TTL   time.Duration `name:"ttl" placeholder:"24h" help:"how long it is kept, for good by default" json:"ttl"`
	Meta  string        `placeholder:"JSON" help:"what lists show beside the key" json:"meta"`
}

type kvPutOut struct {
	Key     string `json:"key"`
	Version int64  `json:"version"`
}

// WriteText says which version it is now.
func (o kvPutOut) WriteText(w *op.Screen) error {
	return w.Printf("%s has version %d\n", o.Key, o.Version)
}

type kvDeleteIn struct {
	storeIn
	Keys    []string `arg:"" name:"key" help:"the keys" json:"keys"`
	Confirm string   `json:"confirm"`
}

// Spares reports whether it is one key.
func (in kvDeleteIn) Spares() bool { return len(in.Keys) == 1 }

type deletedOut struct {
	Deleted int    `json:"deleted"`
	What    string `json:"what"`
}

// WriteText counts.
func (o deletedOut) WriteText(w *op.Screen) error {
	return w.Printf("%s deleted\n", plural(o.Deleted, o.What))
}

func kvOps(n *node) []op.Op {
	missing := map[int]string{6: "there is no such app, block or key"}
	return []op.Op{
		op.New(op.Row{
			Name: "kv list", Group: groupData, Summary: "list the keys of an app", Effect: op.Read, Needs: op.DataRead, Audited: true, Since: "0.4.0",
			Examples: []op.Example{{Command: "kv list notes --prefix session:"}, {Command: "@prod kv list notes --user ana"}}, Exits: missing,
		}, on(n, func(ctx context.Context, n *node, in kvListIn) (kvListOut, error) { return n.kvList(ctx, in) })),
		op.New(op.Row{
			Name: "kv get", Group: groupData, Summary: "print what a key stands for", Effect: op.Read, Needs: op.DataRead, Audited: true, Since: "0.4.0",
			Examples: []op.Example{{Command: "kv get notes motd"}}, Exits: missing,
		}, on(n, func(ctx context.Context, n *node, in kvKeyIn) (kvGetOut, error) { return n.kvGet(ctx, in) })),
		op.New(op.Row{
			Name: "kv put", Group: groupData, Summary: "set a key of an app", Effect: op.Change, Needs: op.DataWrite, Since: "0.4.0",
			Detail:   "The app sees it at once. A value that is no text is kept as bytes.",
			Examples: []op.Example{{Command: "kv put notes motd 'closed on monday' --ttl 24h"}, {Command: "kv put notes logo -", Note: "from standard input"}}, Exits: missing,
		}, on(n, func(ctx context.Context, n *node, in kvPutIn) (kvPutOut, error) { return n.kvPut(ctx, in) })),
		op.New(op.Row{
			Name: "kv delete", Group: groupData, Summary: "delete keys of an app", Effect: op.Destroy, Needs: op.DataWrite, Since: "0.4.0",
			Detail:   "More than one are confirmed by the name of the app.",
			Examples: []op.Example{{Command: "kv delete notes motd"}, {Command: "kv delete notes a b --confirm notes"}},
			Exits:    map[int]string{5: "it is not confirmed", 6: "there is no such app or block"},
		}, on(n, func(ctx context.Context, n *node, in kvDeleteIn) (deletedOut, error) { return n.kvDelete(ctx, in) })),
	}
}

// keys opens a bucket.
func (n *node) keys(ctx context.Context, in storeIn) (opened[*storage.Keys], error) {
	have := func(a spec.App) []string { return named(a.KV, func(k spec.KV) string { return k.Name }) }
	return openStore(ctx, n, in, "kv", have, func(b *edge.Backend, name string) *storage.Keys {
		if in.User != "" {
			return b.Store.Keys(name).User(in.User)
		}
		return b.Store.Keys(name)
	})
}

func (n *node) kvList(ctx context.Context, in kvListIn) (kvListOut, error) {
	b, err := n.keys(ctx, in.storeIn)
	if err != nil {
		return kvListOut{}, err
	}
	defer b.Close()
	page, err := b.store.List(ctx, in.options())
	out := kvListOut{Binding: b.name, Keys: []keyView{}, Cursor: page.Cursor}
	for _, k := range page.Keys {
		out.Keys = append(out.Keys, keyView{k.Key, k.Version, k.Expires, k.Meta})
	}
	return out, err
}

func (n *node) kvGet(ctx context.Context, in kvKeyIn) (kvGetOut, error) {
	b, err := n.keys(ctx, in.storeIn)
	if err != nil {
		return kvGetOut{}, err
	}
	defer b.Close()
	e, there, err := b.store.Get(ctx, in.Key)
	if err == nil && !there {
		err = fault.New(fault.NotFound, "%s has no key %q of %s", in.App, in.Key, of(in.User)).WithSubject(in.Key).WithHint("fazt kv list %s", in.App)
	}
	return kvGetOut{keyView{e.Key, e.Version, e.Expires, e.Meta}, viewOfBytes(e.Data)}, err
}

// mostValue is one byte more than storage takes, which then says so.
const mostValue = 4<<20 + 1

func (n *node) kvPut(ctx context.Context, in kvPutIn) (kvPutOut, error) {
	b, err := n.keys(ctx, in.storeIn)
	if err != nil {
		return kvPutOut{}, err
	}
	defer b.Close()
	value := []byte(in.Value)
	if in.From.Body != nil {
		if value, err = io.ReadAll(io.LimitReader(in.From.Body, mostValue)); err != nil {
			return kvPutOut{}, err
		}
	}
	o := storage.PutOptions{TTL: in.TTL}
	if in.Meta != "" {
		o.Meta = json.RawMessage(in.Meta)
	}
	version, err := b.store.Put(ctx, in.Key, storage.Value{Data: value, Text: utf8.Valid(value)}, o)
	return kvPutOut{in.Key, version}, err
}

func (n *node) kvDelete(ctx context.Context, in kvDeleteIn) (deletedOut, error) {
	b, err := n.keys(ctx, in.storeIn)
	if err != nil {
		return deletedOut{}, err
	}
	defer b.Close()
	ctx, back := n.ground.Lend(ctx) // deleting is how room is made
	defer back()
	count, err := b.store.Delete(ctx, in.Keys...)
	return deletedOut{count, "key"}, err
}

// until is a time to come, in a table.
func until(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04")
}
