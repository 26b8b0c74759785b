package main

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/storage"
	"github.com/fazt-sh/fazt/spec"
)

// storeIn is how commands name a store of an app.
type storeIn struct {
	App     string `arg:"" help:"name of the app" json:"app"`
	Binding string `placeholder:"NAME" help:"which block of this kind, where the app has several" json:"binding"`
	User    string `placeholder:"ID" help:"what belongs to this user; without it, what belongs to the app itself" json:"user"`
}

// pageIn chooses a page of names.
type pageIn struct {
	Prefix string `placeholder:"TEXT" help:"only names that begin so" json:"prefix"`
	Limit  int    `default:"100" help:"how many, at most 1000" json:"limit"`
	Cursor string `placeholder:"TEXT" help:"go on where the page before ended" json:"cursor"`
}

func (in pageIn) options() storage.ListOptions {
	return storage.ListOptions{Prefix: in.Prefix, Limit: in.Limit, Cursor: in.Cursor}
}

// backend opens what an app in service keeps. Close it.
func (n *node) backend(ctx context.Context, app string) (*edge.Backend, error) {
	addr, err := n.addrOf(ctx, app)
	if err != nil {
		return nil, err
	}
	return n.edge.Backend(addr)
}

// opened is one store of an app in service. Close it.
type opened[Store any] struct {
	*edge.Backend
	name  string // of the binding
	store Store
}

// binding finds the block that is meant among those of a kind: the only one, or the
// one that is named. What no block declares is not looked for, as that would make it.
func (in storeIn) binding(kind string, have []string) (string, error) {
	name := in.Binding
	if name == "" && len(have) == 1 {
		name = have[0]
	}
	switch {
	case len(have) == 0:
		return "", fault.New(fault.NotFound, "%s has no %s block", in.App, kind).WithSubject(in.App)
	case name == "":
		return "", fault.New(fault.Invalid, "%s has several %s blocks", in.App, kind).WithSubject(in.App).WithHint("name one: --binding %s", strings.Join(have, " or --binding "))
	case !slices.Contains(have, name):
		return "", fault.New(fault.NotFound, "%s has no %s block %q", in.App, kind, name).WithSubject(name).WithHint("it has %s", strings.Join(have, ", "))
	}
	return name, nil
}

// openStore opens an app's backend and one store of it.
func openStore[Store any](ctx context.Context, n *node, in storeIn, kind string, have func(spec.App) []string, open func(b *edge.Backend, name string) Store) (o opened[Store], err error) {
	if o.Backend, err = n.backend(ctx, in.App); err != nil {
		return o, err
	}
	if o.name, err = in.binding(kind, have(o.Backend.App)); err != nil {
		o.Close()
		return o, err
	}
	o.store = open(o.Backend, o.name)
	return o, nil
}

// named lists the names of blocks.
func named[T any](list []T, name func(T) string) (names []string) {
	for _, v := range list {
		names = append(names, name(v))
	}
	return names
}

// bytesView is bytes in JSON: as text where they are some, else in base64.
type bytesView struct {
	Text   string `json:"text"`
	Base64 []byte `json:"base64,omitempty"` // instead of text
}

func viewOfBytes(b []byte) bytesView {
	if utf8.Valid(b) {
		return bytesView{Text: string(b)}
	}
	return bytesView{Base64: b}
}

// line is the bytes as people see them in a table.
func (v bytesView) line() string {
	if v.Base64 != nil {
		return "(" + size(int64(len(v.Base64))) + ", no text)"
	}
	return strings.Join(strings.Fields(v.Text), " ")
}

// show prints the bytes, with an end of line.
func (v bytesView) show() string {
	if v.Base64 != nil {
		return v.line() + "; --json has them\n"
	}
	return strings.TrimSuffix(v.Text, "\n") + "\n"
}

// more says how a list goes on, empty where it does not.
func more(cursor string) string {
	if cursor == "" {
		return ""
	}
	return "there is more: --cursor " + cursor + "\n"
}

// of is a word with whom it is of: of nobody, it is the app's own.
func of(user string) string { return cmp.Or(user, "the app") }
