package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/reconcile/source"
	"github.com/fazt-sh/fazt/spec"
)

type traceIn struct {
	Of string `arg:"" name:"URL|ADDR" help:"an address of the web, or an app" json:"of"`
}

// traceOut is the way from what a visitor sees back to who put it there.
type traceOut struct {
	URL      string          `json:"url,omitempty"` // as asked, where it was a URL
	Status   int             `json:"status,omitempty"`
	Location string          `json:"location,omitempty"` // where the visitor is sent
	App      string          `json:"app"`
	Addr     string          `json:"addr"`
	Release  *deploymentView `json:"release,omitempty"` // that made it live here
	File     *traceLink      `json:"file,omitempty"`    // that is sent
	Block    *traceLink      `json:"block,omitempty"`   // that declares the app
}

// traceLink is one file of the repository and its last change.
type traceLink struct {
	Path    string       `json:"path"`
	Line    int          `json:"line,omitempty"`
	Changed *traceChange `json:"changed,omitempty"` // nil where no history is at hand
	Note    string       `json:"note,omitempty"`    // why it is nil
}

// traceChange is the commit that made a file what it is.
type traceChange struct {
	Revision string    `json:"revision"`
	Author   string    `json:"author"`
	Subject  string    `json:"subject"`
	Time     time.Time `json:"time"`
}

// WriteText prints the chain, from the visitor to the author.
func (o traceOut) WriteText(w *op.Screen) error {
	row := func(name, format string, args ...any) {
		w.Printf("%-9s %s\n", name, oneLine(fmt.Sprintf(format, args...)))
	}
	if o.URL != "" {
		sent := ""
		if o.Location != "" {
			sent = ", sent to " + o.Location
		}
		row("url", "%s (%d%s)", o.URL, o.Status, sent)
	}
	row("app", "%s", o.Addr)
	if d := o.Release; d != nil {
		row("release", "%s, %s, by %s (%s)", d.ID, ago(d.Time), d.Actor, d.Trigger)
		commit := short(d.Revision)
		if d.Subject != "" {
			commit += fmt.Sprintf(" %q by %s", d.Subject, d.Author)
		}
		row("commit", "%s", commit)
	}
	o.File.write(row, "file")
	o.Block.write(row, "declared")
	return nil
}

func (l *traceLink) write(row func(name, format string, args ...any), name string) {
	if l == nil {
		return
	}
	place := l.Path
	if l.Line > 0 {
		place = fmt.Sprintf("%s:%d", l.Path, l.Line)
	}
	row(name, "%s", place)
	switch c := l.Changed; {
	case c != nil:
		row("", "%s %q by %s, %s", short(c.Revision), c.Subject, c.Author, ago(c.Time))
	case l.Note != "":
		row("", "%s", l.Note)
	}
}

func traceOps(n *node) []op.Op {
	return []op.Op{op.New(op.Row{
		Name: "trace", Group: groupLook, Summary: "trace an address to its release, commit, file, line and author", Effect: op.Read, Needs: op.Observe, Since: "0.2.0",
		Detail: "A URL is resolved as a visitor's browser would have it, redirects and fallbacks included. The commits behind a file " +
			"are known where the node follows a repository.",
		Examples: []op.Example{{Command: "trace https://blog.example.com/about"}, {Command: "@prod trace app.blog"}},
		Exits:    map[int]string{6: "no app answers there"},
	}, on(n, func(ctx context.Context, n *node, in traceIn) (traceOut, error) { return n.trace(ctx, in.Of) }))}
}

func (n *node) trace(ctx context.Context, of string) (traceOut, error) {
	v, o, err := n.app(ctx, of)
	if fault.KindOf(err) != fault.NotFound || !strings.ContainsAny(of, ".:/") {
		if err != nil {
			return traceOut{}, err
		}
		return n.traceApp(ctx, traceOut{App: v.App, Addr: v.Addr}, o, "")
	}
	u, err := parseVisited(of)
	if err != nil {
		return traceOut{}, err
	}
	found, ok, err := n.edge.Trace(u)
	switch {
	case err != nil:
		return traceOut{}, fault.Wrap(fault.Invalid, err, "%q", of).WithSubject(of)
	case !ok:
		return traceOut{}, fault.New(fault.NotFound, "no app of this node answers at %q", u.Host).WithSubject(of).
			WithHint("fazt app list shows where its apps answer")
	}
	if v, o, err = n.app(ctx, string(found.Addr)); err != nil {
		return traceOut{}, err
	}
	out := traceOut{URL: u.String(), Status: found.Status, Location: found.Location, App: v.App, Addr: v.Addr}
	return n.traceApp(ctx, out, o, found.File)
}

// parseVisited reads an address as people copy it, with or without a scheme.
func parseVisited(of string) (*url.URL, error) {
	if !strings.Contains(of, "://") {
		of = "http://" + of
	}
	u, err := url.Parse(of)
	if err == nil && (u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		err = fault.New(fault.Invalid, "it has no host, or is not of the web")
	}
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "%q is no address", of).WithSubject(of)
	}
	if u.Path == "" {
		u.Path = "/"
	}
	u.Fragment = ""
	return u, nil
}

// traceApp adds what is known of an app, and of one of its files.
func (n *node) traceApp(ctx context.Context, out traceOut, o spec.Object, file string) (traceOut, error) {
	latest, err := n.ground.Releases.Latest(ctx)
	if err != nil {
		return out, err
	}
	if d, ok := latest[out.App]; ok && d.ID > 0 {
		view := viewOf(d)
		out.Release = &view
	}
	var app spec.App
	if len(o.Spec) > 0 {
		if err := json.Unmarshal(o.Spec, &app); err != nil {
			return out, err
		}
	}
	if file != "" {
		out.File = n.link(ctx, o.Revision, path.Join(app.Content, file), 0)
	}
	if o.Range.Filename != "" {
		out.Block = n.link(ctx, o.Revision, o.Range.Filename, o.Range.Start.Line)
	}
	return out, nil
}

// link is a file of the repository with its last change, as of the revision
// that the app's release was made of.
func (n *node) link(ctx context.Context, revision, file string, line int) *traceLink {
	l := &traceLink{Path: file, Line: line}
	git, ok := n.cfg.source.(interface {
		LastChange(ctx context.Context, revision, path string) (source.Change, error)
	})
	if !ok || strings.HasPrefix(revision, "dir:") {
		return l
	}
	c, err := git.LastChange(ctx, revision, file)
	if err != nil {
		l.Note = err.Error()
		return l
	}
	l.Changed = &traceChange{Revision: c.Revision, Author: c.Author, Subject: c.Subject, Time: c.Time}
	return l
}
