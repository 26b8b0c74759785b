package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/edge/cert"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/platform/release"
	"github.com/fazt-sh/fazt/reconcile"
	"github.com/fazt-sh/fazt/spec"
)

// appView is one app as people see it in lists.
type appView struct {
	App      string    `json:"app"`
	Addr     string    `json:"addr"`
	URL      string    `json:"url"`
	State    string    `json:"state"` // live, stalled, failed, held, rolled_back, unmanaged, unavailable, disabled
	Files    int       `json:"files"`
	Bytes    int64     `json:"bytes"`
	Revision string    `json:"revision"`
	Deploy   string    `json:"deploy,omitempty"`
	Deployed time.Time `json:"deployed,omitzero"`
	By       string    `json:"by,omitempty"`
}

type appListOut struct {
	Apps []appView `json:"apps"`
}

// WriteText prints a table and counts what needs attention.
func (o appListOut) WriteText(w *op.Screen) error {
	if len(o.Apps) == 0 {
		w.Printf("no apps yet; push a configuration that declares one, or run: fazt apply DIR\n")
		return nil
	}
	columns := []op.Column{
		{Name: "APP", Keep: true}, {Name: "URL", Keep: true}, {Name: "STATE", Keep: true}, {Name: "FILES", Right: true},
		{Name: "SIZE", Right: true}, {Name: "REVISION"}, {Name: "DEPLOYED", Keep: true}, {Name: "BY"},
	}
	var rows [][]string
	var total int64
	var attention []string
	for _, a := range o.Apps {
		if a.needsAttention() {
			attention = append(attention, a.App)
		}
		total += a.Bytes
		rows = append(rows, []string{a.App, a.URL, redState(w, a.State), thousands(int64(a.Files)), size(a.Bytes), short(a.Revision), ago(a.Deployed), a.By})
	}
	if err := w.Table(columns, rows); err != nil {
		return err
	}
	w.Printf("%s, %s", plural(len(o.Apps), "app"), size(total))
	if len(attention) > 0 {
		w.Printf(", %d not live: fazt app show %s", len(attention), attention[0])
	}
	w.Printf("\n")
	return nil
}

// needsAttention tells whether somebody should look: an app that was switched
// off is as it should be.
func (a appView) needsAttention() bool {
	return a.State != string(reconcile.AppLive) && a.State != string(reconcile.AppDisabled)
}

type appNameIn struct {
	App string `arg:"" help:"name of the app" json:"app"`
}

type appShowOut struct {
	appView
	Hosts       []string         `json:"hosts"`
	URLs        []string         `json:"urls"`
	Spec        json.RawMessage  `json:"spec"`
	Range       spec.Range       `json:"range"`
	Diagnostics spec.Diagnostics `json:"diagnostics,omitempty"`
	Data        *dataView        `json:"data,omitempty"` // of an app in service that keeps something
	Deployments []deploymentView `json:"deployments"`
}

// WriteText prints what one wants to know of an app, place in git included.
func (o appShowOut) WriteText(w *op.Screen) error {
	w.Printf("%s\n", o.App)
	row := func(name, format string, args ...any) { w.Printf("  %-9s %s\n", name, fmt.Sprintf(format, args...)) }
	for i, u := range o.URLs {
		row([]string{"url", ""}[min(i, 1)], "%s", u)
	}
	row("state", "%s", redState(w, o.State))
	if o.Revision != "" {
		row("content", "%s, %s", plural(o.Files, "file"), size(o.Bytes))
	}
	if o.Data != nil {
		row("data", "%s", o.Data)
	}
	row("revision", "%s", orNothing(short(o.Revision)))
	if o.Range.Filename != "" {
		row("declared", "%s:%d", o.Range.Filename, o.Range.Start.Line)
	}
	if len(o.Diagnostics) > 0 {
		w.Printf("\n")
		o.Diagnostics.WriteText(w, spec.TextOptions{Color: w.Color})
	}
	if len(o.Deployments) > 0 {
		w.Printf("\n")
		return writeDeployments(w, o.Deployments)
	}
	return nil
}

type appOpenOut struct {
	URL string `json:"url"`
}

// WriteText prints the address alone, so that it can be piped.
func (o appOpenOut) WriteText(w *op.Screen) error {
	w.Printf("%s\n", o.URL)
	return nil
}

func appOps(n *node) []op.Op {
	return []op.Op{
		op.New(op.Row{
			Name: "app list", Group: groupLook, Summary: "list the apps of a node", Effect: op.Read, Needs: op.Observe, Since: "0.1.0",
			Examples: []op.Example{{Command: "app list"}, {Command: "@prod app list --json", Note: "another node's, for a script"}},
		}, on(n, func(ctx context.Context, n *node, _ noIn) (appListOut, error) {
			apps, err := n.apps(ctx)
			apps = append(apps, n.unreleased(apps)...)
			return appListOut{Apps: append([]appView{}, apps...)}, err
		})),
		op.New(op.Row{
			Name: "app show", Group: groupLook, Summary: "show one app: addresses, content, place in git, releases", Effect: op.Read, Needs: op.Observe, Since: "0.1.0",
			Examples: []op.Example{{Command: "app show blog"}},
			Exits:    map[int]string{6: "there is no such app"},
		}, on(n, func(ctx context.Context, n *node, in appNameIn) (appShowOut, error) { return n.appShow(ctx, in.App) })),
		op.New(op.Row{
			Name: "app open", Group: groupLook, Summary: "print an app's address, and open it in a browser", Effect: op.Read, Needs: op.Observe, Since: "0.1.0",
			Detail:   "The browser opens on a terminal only.",
			Examples: []op.Example{{Command: "app open blog"}},
			Exits:    map[int]string{6: "there is no such app"},
		}, on(n, func(ctx context.Context, n *node, in appNameIn) (appOpenOut, error) {
			a, _, err := n.app(ctx, in.App)
			if err == nil && a.URL == "" {
				err = fault.New(fault.Conflict, "app %q was never released and has no address", a.App).
					WithHint("fazt app show %s says what is wrong", a.App)
			}
			return appOpenOut{URL: a.URL}, err
		})),
	}
}

// on binds a command to the node that answers it; without a node there is only
// the command's shape.
func on[In, Out any](n *node, run func(context.Context, *node, In) (Out, error)) func(context.Context, In) (Out, error) {
	if n == nil {
		return nil
	}
	return func(ctx context.Context, in In) (Out, error) { return run(ctx, n, in) }
}

// apps lists what is served, joined with how it came to be.
func (n *node) apps(ctx context.Context) ([]appView, error) {
	objects, err := n.edge.Observe(ctx)
	if err != nil {
		return nil, err
	}
	latest, err := n.ground.Releases.Latest(ctx)
	if err != nil {
		return nil, err
	}
	var views []appView
	for _, o := range objects {
		if o.Kind != spec.KindApp {
			continue
		}
		v, err := n.view(o, latest[o.Name])
		if err != nil {
			return nil, err
		}
		views = append(views, v)
	}
	return views, nil
}

// unreleased are the apps that git has and nobody ever saw, as none of their
// revisions could be released.
func (n *node) unreleased(served []appView) []appView {
	var views []appView
	for _, s := range n.loop.Status().Apps {
		known := slices.ContainsFunc(served, func(v appView) bool { return v.Addr == string(s.Addr) })
		if !known && s.Revision == "" {
			views = append(views, appView{App: s.Name, Addr: string(s.Addr), State: string(s.State)})
		}
	}
	return views
}

func (n *node) view(o spec.Object, d release.Deployment) (appView, error) {
	var app spec.App
	if err := json.Unmarshal(o.Spec, &app); err != nil {
		return appView{}, err
	}
	v := appView{App: o.Name, Addr: string(o.Addr), State: n.stateOf(o.Addr, app), Revision: o.Revision, By: nameOf(d.Author)}
	if len(app.Hosts) > 0 {
		v.URL = n.url(app.Hosts[0])
	}
	if o.Content != nil {
		for _, f := range o.Content.Files {
			v.Bytes += f.Size
		}
		v.Files = len(o.Content.Files)
	}
	if d.ID > 0 {
		v.Deploy, v.Deployed = d.Label(), d.Time
	}
	if v.By == "" {
		v.By = d.Actor
	}
	return v, nil
}

func (n *node) stateOf(a spec.Addr, app spec.App) string {
	if s, ok := n.appStatus(a); ok {
		return string(s.State)
	}
	if app.Disabled {
		return string(reconcile.AppDisabled)
	}
	return string(reconcile.AppLive)
}

// appStatus is what the loop's last pass thinks of an app.
func (n *node) appStatus(a spec.Addr) (reconcile.AppStatus, bool) {
	for _, s := range n.loop.Status().Apps {
		if s.Addr == a {
			return s, true
		}
	}
	return reconcile.AppStatus{}, false
}

// url is where a host of this node answers: by TLS where the node has
// certificates, with the port where that is not the web's own.
func (n *node) url(host string) string {
	scheme, usual, addr := "http", "80", n.edge.Addrs()[0]
	if secure := n.edge.SecureAddrs(); len(secure) > 0 && n.edge.TLSMode() != string(cert.Off) {
		scheme, usual, addr = "https", "443", secure[0]
	}
	_, port, err := net.SplitHostPort(addr.String())
	if err != nil || port == usual {
		return scheme + "://" + host
	}
	return scheme + "://" + host + ":" + port
}

func (n *node) app(ctx context.Context, name string) (appView, spec.Object, error) {
	objects, err := n.edge.Observe(ctx)
	if err != nil {
		return appView{}, spec.Object{}, err
	}
	latest, err := n.ground.Releases.Latest(ctx)
	if err != nil {
		return appView{}, spec.Object{}, err
	}
	var names []string
	for _, o := range objects {
		if o.Kind != spec.KindApp {
			continue
		}
		if o.Name == name || string(o.Addr) == name {
			v, err := n.view(o, latest[o.Name])
			return v, o, err
		}
		names = append(names, o.Name)
	}
	for _, v := range n.unreleased(nil) {
		if v.App == name || v.Addr == name {
			return v, spec.Object{Addr: spec.Addr(v.Addr)}, nil
		}
	}
	return appView{}, spec.Object{}, fault.New(fault.NotFound, "there is no app %q on this node", name).
		WithSubject(name).WithHint("%s", hintApps(names))
}

func hintApps(names []string) string {
	if len(names) == 0 {
		return "it has no apps yet"
	}
	if len(names) > 8 {
		return fmt.Sprintf("its apps are %s and %d more: fazt app list", strings.Join(names[:8], ", "), len(names)-8)
	}
	return "its apps are " + strings.Join(names, ", ")
}

func (n *node) appShow(ctx context.Context, name string) (appShowOut, error) {
	v, o, err := n.app(ctx, name)
	if err != nil {
		return appShowOut{}, err
	}
	var app spec.App
	if len(o.Spec) > 0 {
		if err := json.Unmarshal(o.Spec, &app); err != nil {
			return appShowOut{}, err
		}
	}
	out := appShowOut{appView: v, Hosts: append([]string{}, app.Hosts...), URLs: []string{}, Spec: o.Spec, Range: o.Range}
	for _, h := range app.Hosts {
		out.URLs = append(out.URLs, n.url(h))
	}
	if s, ok := n.appStatus(o.Addr); ok {
		out.Diagnostics = s.Diagnostics
	}
	b, data, err := n.sums(ctx, o)
	if err != nil {
		return out, err
	}
	if b != nil {
		out.Data = data
		b.Close()
	}
	list, err := n.ground.Releases.Deployments(ctx, release.Filter{App: v.App, Limit: 5})
	out.Deployments = viewsOf(list)
	return out, err
}
