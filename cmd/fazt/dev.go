package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/fazt-sh/fazt/edge/gate/mock"
	"github.com/fazt-sh/fazt/platform"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/reconcile"
	"github.com/fazt-sh/fazt/reconcile/plan"
	"github.com/fazt-sh/fazt/reconcile/source"
	"github.com/fazt-sh/fazt/spec"
)

type devIn struct {
	Dir    string            `arg:"" optional:"" name:"dir" default:"." help:"folder of the configuration" json:"dir"`
	Port   int               `default:"8787" help:"port on 127.0.0.1" json:"port"`
	Once   bool              `help:"request each app once, print the answers and exit" json:"once"`
	Node   string            `placeholder:"NAME" help:"serve only what this node block would take; without it every app is served" json:"node"`
	Var    map[string]string `placeholder:"NAME=VALUE" help:"value of a variable; may be repeated" json:"var"`
	Data   string            `default:"keep" enum:"keep,fresh" help:"keep or throw away what an earlier run left in DIR/.fazt" json:"data"`
	NoOpen bool              `name:"no-open" help:"do not open a browser; one opens on a terminal only" json:"no_open"`
}

func (p *program) devOp() op.Op {
	return op.New(op.Row{
		Name: "dev", Group: groupBegin, Summary: "serve a folder here and follow its changes", Effect: op.Change, Offline: true, Local: true, Since: "0.1.0",
		Detail: "Runs a throw-away node on this machine, by the same path as production: each save is planned, staged and " +
			"published, and the browser reloads. What is wrong is shown and the last good release keeps serving.",
		Examples: []op.Example{{Command: "dev examples/site"}, {Command: "dev examples/site --once", Note: "for scripts"}},
		Exits:    map[int]string{1: "with --once: some app did not answer 200", 3: "with --once: the configuration is invalid"},
	}, p.dev)
}

// devOut is what --once found; without it nothing is left to say at the end.
type devOut struct {
	Apps []devAnswer `json:"apps,omitempty"`
}

type devAnswer struct {
	Status int    `json:"status"`
	App    string `json:"app"`
	URL    string `json:"url"`
	NotOn  string `json:"not_on,omitempty"` // the node that would not take it; dev serves it all the same
}

// Exit is 1 when some app did not answer 200.
func (o devOut) Exit() int {
	if o.bad() > 0 {
		return fault.Internal.Exit()
	}
	return 0
}

func (o devOut) bad() (n int) {
	for _, a := range o.Apps {
		if a.Status != http.StatusOK {
			n++
		}
	}
	return n
}

// WriteText prints an answer a line, for scripts.
func (o devOut) WriteText(w *op.Screen) error {
	for _, a := range o.Apps {
		w.Printf("%d %s %s\n", a.Status, a.App, a.URL)
	}
	return nil
}

func (p *program) dev(ctx context.Context, in devIn) (devOut, error) {
	dir := p.path(in.Dir)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return devOut{}, fault.New(fault.NotFound, "there is no folder %q", in.Dir).WithHint("fazt init %s makes one", in.Dir)
	}
	cfg, clean, err := p.devConfig(dir, in)
	if err != nil {
		return devOut{}, err
	}
	defer clean()
	ctx, stop := stopSignals(ctx)
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var first atomic.Pointer[plan.Plan]
	if in.Once {
		cfg.passed = func(_ *node, r reconcile.Result) { first.CompareAndSwap(nil, &r.Plan) }
	}
	n, err := openNode(ctx, cfg)
	if err != nil {
		return devOut{}, err
	}
	defer n.Close()
	if !in.Once {
		return devOut{}, n.Run(ctx)
	}
	life := start(ctx, n.Run)
	out, err := p.once(ctx, n, &first)
	return out, errors.Join(err, life.stop())
}

// devConfig is a node on loopback whose source is the folder. With --once
// nothing is left behind and any free port will do.
func (p *program) devConfig(dir string, in devIn) (nodeConfig, func(), error) {
	state, clean := filepath.Join(dir, ".fazt"), func() {}
	identity, err := p.identity("") // secrets are sealed to people, not to a throw-away node
	if err != nil {
		return nodeConfig{}, clean, err
	}
	addr := fmt.Sprintf("127.0.0.1:%d", in.Port)
	if in.Once {
		tmp, err := os.MkdirTemp("", "fazt-once-*")
		if err != nil {
			return nodeConfig{}, clean, fault.Wrap(fault.Unavailable, err, "make a folder for the node")
		}
		state, addr, clean = tmp, "127.0.0.1:0", func() { os.RemoveAll(tmp) }
	} else if err := ownState(state, in.Data == "fresh"); err != nil {
		return nodeConfig{}, clean, err
	}
	folder := source.NewDir(source.DirConfig{Dir: dir, Log: p.log()})
	cfg := nodeConfig{
		state: state, listen: []string{addr}, control: "127.0.0.1:0", node: in.Node, allApps: in.Node == "", identity: identity,
		domain: "localhost", vars: in.Var, dev: true, source: folder, opener: folder, log: p.devLog(),
		drain: time.Second, said: p.devLines(), signIn: mock.New(),
	}
	if !in.Once {
		cfg.passed = p.devScreen(in)
	}
	return cfg, clean, nil
}

// ownState makes the development state folder and has git ignore it.
func ownState(state string, fresh bool) error {
	if fresh {
		if err := platform.Clear(state); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(state, 0o700); err != nil {
		return fault.Wrap(fault.Unavailable, err, "make %s", state)
	}
	return os.WriteFile(filepath.Join(state, ".gitignore"), []byte("*\n"), 0o600)
}

// once waits for a pass and requests every app. Where the node's own first pass
// came before the one that is asked for here, its plan is the one to show.
func (p *program) once(ctx context.Context, n *node, first *atomic.Pointer[plan.Plan]) (out devOut, err error) {
	result, err := n.loop.Sync(ctx, reconcile.SyncRequest{Wait: true, Actor: n.actor})
	if err != nil {
		return out, err
	}
	if err := problemError(result); err != nil {
		return out, err
	}
	made := &result.Plan
	if earlier := first.Load(); made.Empty() && earlier != nil {
		made = earlier
	}
	p.showPlan(*made)
	apps, err := n.apps(ctx)
	if err != nil {
		return out, err
	}
	if len(apps) == 0 {
		return out, fault.New(fault.Invalid, "the configuration declares no app").WithHint("fazt init shows one")
	}
	for _, a := range apps {
		status, err := n.request(ctx, a.URL)
		if err != nil {
			return out, err
		}
		out.Apps = append(out.Apps, devAnswer{status, a.App, a.URL, notOn(result, a)})
	}
	if bad := out.bad(); bad > 0 {
		fmt.Fprintf(p.stderr, "fazt: %s did not answer 200\n", plural(bad, "app"))
	}
	return out, nil
}

// request asks this node for a page. Names under localhost are not in
// everybody's resolver, so the connection goes to the node's own address.
func (n *node) request(ctx context.Context, url string) (int, error) {
	addr := n.edge.Addrs()[0].String()
	client := http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, addr)
			},
		},
		Timeout: 10 * time.Second,
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, fault.Wrap(fault.Unavailable, err, "request %s", url)
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// devScreen prints each pass as it ends, and the addresses after the first.
func (p *program) devScreen(in devIn) func(*node, reconcile.Result) {
	shown, first, wrong := "", true, false
	return func(n *node, r reconcile.Result) {
		p.showPass(r, n.loop.Status())
		if wrong && r.Problem == nil && !p.quiet { // the last word on the screen was an error
			fmt.Fprintln(p.stderr, "mended: what is here is what is served")
		}
		wrong = r.Problem != nil
		n.edge.Trouble(troublesOf(r))
		lines := n.devURLs(r)
		if all := strings.Join(lines, "\n"); all != shown && len(lines) > 0 {
			shown = all
			list := n.url("localhost")
			fmt.Fprintf(p.stdout, "%s\n\nAll of them: %s   (Ctrl-C stops)\n", all, list)
			if who := r.Personas; len(who) > 0 {
				fmt.Fprintf(p.stdout, "Sign in as %s: %s\n", orNobody(namesOf(who)), n.url("fazt.localhost"))
			}
			if first && !in.NoOpen && op.IsTerminal(p.stdout) {
				openBrowser(list)
			}
			first = false
		}
	}
}

// notOn names the first node where it would not take an app that dev serves.
func notOn(r reconcile.Result, a appView) string {
	if slices.Contains(r.Elsewhere, spec.Addr(a.Addr)) {
		return r.Node
	}
	return ""
}

func (n *node) devURLs(r reconcile.Result) []string {
	apps, err := n.apps(context.Background())
	if err != nil {
		return nil
	}
	var lines []string
	for _, a := range apps {
		line := fmt.Sprintf("  %-14s %s", a.App, a.URL)
		if b, err := n.edge.Backend(spec.Addr(a.Addr)); err == nil {
			if line += "   runs code"; len(b.Routes()) > 0 {
				line += " at " + strings.Join(b.Routes(), " ")
			}
			b.Close()
		}
		if node := notOn(r, a); node != "" {
			line += "   (not on " + node + ")"
		}
		lines = append(lines, line)
	}
	for _, t := range troublesOf(r) {
		if t.Addr != "" && !slices.ContainsFunc(apps, func(a appView) bool { return a.Addr == string(t.Addr) }) {
			lines = append(lines, fmt.Sprintf("  %-14s %s   not served yet", t.Name, n.url(t.Name+".localhost")))
		}
	}
	return lines
}

// showPass prints what a pass did: its plan, and what was wrong.
func (p *program) showPass(r reconcile.Result, s *reconcile.Status) {
	p.showPlan(r.Plan)
	color := op.ColorFor(p.stderr, p.getenv)
	r.Diagnostics.WriteText(p.stderr, spec.TextOptions{Color: color})
	if r.Problem == nil {
		return
	}
	if !explained(r) {
		fmt.Fprintf(p.stderr, "fazt: %s\n", r.Problem.Message)
		if r.Problem.Hint != "" {
			fmt.Fprintf(p.stderr, "hint: %s\n", r.Problem.Hint)
		}
	}
	if fallsBack(s.Apps) {
		fmt.Fprintf(p.stderr, "the last good release (generation %d) keeps serving\n", r.Generation)
	}
}

// explained tells whether the findings of a pass say all of what its problem does.
func explained(r reconcile.Result) bool {
	if !r.Diagnostics.HasErrors() {
		return false
	}
	for _, addr := range r.Problem.Apps {
		if !slices.ContainsFunc(r.Diagnostics, func(d spec.Diagnostic) bool { return d.Address == addr }) {
			return false
		}
	}
	return r.Problem.Kind == fault.Invalid || len(r.Problem.Apps) > 0
}

// fallsBack tells whether what is wrong leaves a good release in service: one of
// an app that it is about, or any where it is about no single app.
func fallsBack(apps []reconcile.AppStatus) bool {
	single, served := false, false
	for _, a := range apps {
		served = served || a.Revision != ""
		if a.State != reconcile.AppLive && a.State != reconcile.AppDisabled {
			if single = true; a.Revision != "" {
				return true
			}
		}
	}
	return served && !single
}

func (p *program) showPlan(made plan.Plan) {
	if p.quiet || made.ID == "" || made.Empty() {
		return
	}
	made.WriteText(p.stderr, plan.TextOptions{Color: op.ColorFor(p.stderr, p.getenv)})
}

// problemError is what was wrong with a revision, as an error.
func problemError(r reconcile.Result) error {
	switch {
	case r.Diagnostics.HasErrors():
		return invalid(r.Diagnostics)
	case r.Problem != nil:
		return &fault.Error{Kind: r.Problem.Kind, Code: r.Problem.Code, Message: r.Problem.Message, Hint: r.Problem.Hint}
	}
	return nil
}

// devLog leaves out what the screen says already.
func (p *program) devLog() *slog.Logger {
	if p.debug || p.getenv("FAZT_DEBUG") != "" {
		return p.log()
	}
	return slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: slog.LevelError}))
}
