package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/edge/cert"
	"github.com/fazt-sh/fazt/edge/gate"
	"github.com/fazt-sh/fazt/edge/gate/mock"
	"github.com/fazt-sh/fazt/platform"
	"github.com/fazt-sh/fazt/platform/applog"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/platform/script"
	"github.com/fazt-sh/fazt/platform/secret"
	"github.com/fazt-sh/fazt/platform/sqlite"
	"github.com/fazt-sh/fazt/reconcile"
	"github.com/fazt-sh/fazt/spec"
)

// nodeConfig is everything a node is told at start; the rest is in git.
type nodeConfig struct {
	state     string
	listen    []string
	secure    []string          // addresses for TLS
	sockets   *sockets          // listeners this process was started with
	args      []string          // of this process, for the one that comes next
	handOver  chan os.Signal    // that it is to come; nil: never
	cert      map[string]string // credentials for certificates: name → file
	control   string
	node      string // --node
	allApps   bool   // dev without --node
	domain    string // dev: overrides edge.domain
	vars      map[string]string
	identity  *secret.Identity // opens secrets; nil: the key in the state folder
	source    reconcile.Source // nil: what `fazt apply` gives is kept
	opener    opener           // the source's own opening and closing
	history   string           // --history: what the source may do to its past
	interval  time.Duration
	drain     time.Duration
	backups   backupPlan
	dev       bool
	signIn    *mock.Provider // dev: vouches for whoever a developer says they are
	trial     bool           // for tests of apps: see edge.Config
	unsafe    bool           // however often it crashed, it goes on
	accessLog io.Writer
	passed    func(*node, reconcile.Result)   // called after each pass
	said      func(app string, l applog.Line) // told of what apps say; nil tells nobody
	log       *slog.Logger
}

// opener is the life of a source around the loop.
type opener interface {
	Open(context.Context) error
	Close() error
}

// node is one running fazt: the four rooms put together.
type node struct {
	cfg      nodeConfig
	ground   *platform.Platform
	edge     *edge.Server
	certs    *cert.Manager // nil in development
	scripts  *script.Host  // runs apps' code
	code     *running      // scripts at work
	loader   *nodeLoader
	loop     *reconcile.Loop
	safe     *safety
	shelf    *shelf           // backups
	identity *secret.Identity // opens secrets; nil where the node has no key it can read
	newKey   bool             // it was made at this start
	console  *sqlite.Console  // answers queries
	control  *control
	table    op.Table
	api      http.Handler // the table at the console's host; nil until there is one
	actor    string       // who this process acts as
	started  time.Time
}

// openNode brings a node to the point where it serves its last published
// generation: no git, no network, no loader.
func openNode(ctx context.Context, cfg nodeConfig) (_ *node, err error) {
	n := &node{cfg: cfg, actor: "local:" + strconv.Itoa(os.Geteuid()), started: time.Now()}
	defer func() {
		if err != nil {
			n.Close()
		}
	}()
	if n.ground, err = platform.Open(ctx, cfg.state, cfg.log); err != nil {
		return nil, err
	}
	n.scripts = script.New(script.Config{Log: cfg.log})
	n.code = start(context.WithoutCancel(ctx), n.scripts.Run) // what was published has code that must run at once
	n.openIdentity()
	n.shelf = newShelf(n.ground.Dir)
	n.console = sqlite.NewConsole(sqlite.Bounds{})
	n.safe = newSafety(n.ground.Crashes(), cfg.dev || cfg.unsafe)
	if err = n.openCerts(); err != nil {
		return nil, err
	}
	last, lineage, err := n.recall(ctx)
	if damaged(ctx, n.ground, err) {
		if err = n.ground.Replace(ctx, err); err == nil {
			last, lineage, err = n.recall(ctx)
		}
	}
	if err != nil {
		return nil, err
	}
	if err = n.edge.Open(cfg.listen, cfg.secure); err != nil {
		return nil, err
	}
	n.challengesAt()
	if cfg.opener != nil {
		if err = cfg.opener.Open(ctx); err != nil {
			return nil, err
		}
	}
	n.loader = newNodeLoader(cfg.log)
	n.loop = reconcile.New(reconcile.Config{
		Source: cfg.source, Loader: n.loader, Target: target{n.edge}, Judge: edge.Judge, Mend: n.edge.Mend, Ledger: ledger{n.ground},
		Last: last, Node: cfg.node, AllApps: cfg.allApps, Domain: cfg.domain, Vars: cfg.vars,
		Interval: cfg.interval, Engine: version, Lineage: lineage, Log: cfg.log, Clock: n.ground.Clock,
		Passed: func(r reconcile.Result) {
			n.loader.tidy()
			if cfg.signIn != nil && !r.Diagnostics.HasErrors() {
				cfg.signIn.Set(personas(r.Personas))
			}
			if cfg.passed != nil {
				cfg.passed(n, r)
			}
		},
	})
	n.table = grouped(table(n, cfg.log))
	n.api = n.operations(n.operatorAccess, cfg.log)
	n.control, err = openControl(cfg.state, cfg.control, n, cfg.log)
	return n, err
}

// recall makes an edge that serves what the record says, and takes the record
// over.
func (n *node) recall(ctx context.Context) (last reconcile.State, lineage string, err error) {
	if err := n.openEdge(ctx); err != nil {
		return last, "", err
	}
	if last, err = n.boot(ctx); err == nil {
		lineage, err = n.takeOver(ctx)
	}
	return last, lineage, err
}

// openEdge makes the server with what it stands on.
func (n *node) openEdge(ctx context.Context) error {
	config := edge.Config{
		Blobs: n.ground.Blobs, Log: n.cfg.log, Dev: n.cfg.dev, Trial: n.cfg.trial, AccessLog: n.cfg.accessLog, Drain: n.cfg.drain,
		Scripts: n.scripts, Storage: n.ground.Apps, Secrets: n.identity, Logs: n.ground.Logs, Said: n.cfg.said, Temp: n.ground.Temp, Now: n.ground.Clock.Now,
		Gate: n.gate(), API: http.HandlerFunc(n.serveAPI), Mail: n.ground.Mail, Certs: n.certs, Lost: func(blob string) { n.loop.Damaged(blob) }, // nobody visits before there is a loop
	}
	if dev := n.cfg.signIn; dev != nil {
		config.Ways, config.Roles = []gate.Way{dev.Way()}, dev.Roles
	}
	if n.cfg.sockets != nil {
		config.Listen = n.cfg.sockets.listen
	}
	n.edge = edge.New(config)
	return n.restoreUsage(ctx)
}

// challengesAt tells the certificates' keeper at which bound addresses a CA finds
// this node: the first of each kind.
func (n *node) challengesAt() {
	if n.certs == nil {
		return
	}
	plain, secure := n.edge.Listeners()
	host, httpPort := place(plain)
	other, tlsPort := place(secure)
	switch {
	case httpPort == 0:
		host = other
	case tlsPort != 0 && other != host:
		host = "" // one for both is none
	}
	n.certs.Serve(host, httpPort, tlsPort)
}

// place is the address of the first listener, without a host where it is all of
// the machine's.
func place(listeners []net.Listener) (host string, port int) {
	if len(listeners) == 0 {
		return "", 0
	}
	tcp, ok := listeners[0].Addr().(*net.TCPAddr)
	if !ok {
		return "", 0
	}
	if !tcp.IP.IsUnspecified() {
		host = tcp.IP.String()
	}
	return host, tcp.Port
}

// openCerts opens what the node keeps of certificates; in development there are
// none.
func (n *node) openCerts() error {
	if n.cfg.dev {
		return nil
	}
	n.certs = cert.New(cert.Config{Dir: filepath.Join(n.ground.Dir, "cert"), Log: n.cfg.log, Credential: func(name string) (string, bool) {
		file, ok := n.cfg.cert[name]
		return file, ok
	}})
	return n.certs.Open()
}

// damaged reports whether a record cannot be read because it is damaged.
func damaged(ctx context.Context, ground *platform.Platform, err error) bool {
	if err == nil || ctx.Err() != nil || fault.KindOf(err) != fault.Internal {
		return false
	}
	return sqlite.Damaged(err) || sqlite.Damaged(ground.DB.Check(ctx))
}

// boot publishes the committed generation from node.db and the blobs.
func (n *node) boot(ctx context.Context) (reconcile.State, error) {
	gen, rows, err := n.ground.Releases.Current(ctx)
	if err != nil {
		return reconcile.State{}, err
	}
	last, err := ledger{n.ground}.state(ctx, gen, func(l lostRow) {
		n.cfg.log.Warn("an app in the trash cannot be put back", "app", l.addr, "error", l.err)
	})
	if err == nil && gen.Number == 0 {
		last.Left, err = n.left()
	}
	if err != nil || gen.Number == 0 {
		return last, err
	}
	objects, lost := objectsOf(rows)
	all := slices.Concat(objects, last.Parked)
	there, err := n.expect(all)
	if err != nil {
		return last, err
	}
	last.Left, last.Why = avoided(there, all), map[spec.Addr]error{}
	for _, l := range lost {
		n.cfg.log.Warn("a damaged record is not served", "object", l.addr, "error", l.err)
		last.Lost, last.Why[l.addr] = append(last.Lost, l.object(there, all)), l.err
	}
	ages, err := n.ages(ctx, objects)
	if err != nil {
		return last, err
	}
	staged, err := n.edge.Stage(ctx, edge.Desired{Revision: gen.Revision, Node: gen.Node, Objects: objects, Ages: ages})
	if err != nil {
		return last, err
	}
	for _, f := range staged.Faults() {
		n.cfg.log.Warn("an app cannot be served from this state folder", "app", f.Addr, "error", f.Err)
		for _, o := range objects {
			if o.Addr == f.Addr {
				last.Lost, last.Why[o.Addr] = append(last.Lost, o), f.Err // its data is whole
			}
		}
	}
	last.Served = staged.Objects()
	staged.Publish(last.Generation)
	return last, nil
}

// left is the data on the disk of a node without a record, by the names of its apps.
// Of several of one name nobody knows which was in service, so that is asked for.
func (n *node) left() (map[string]string, error) {
	ids, err := n.ground.Apps.List()
	all := map[string][]string{}
	for _, id := range ids {
		all[appOf(id)] = append(all[appOf(id)], id)
	}
	left := map[string]string{}
	for name, ids := range all {
		if len(ids) == 1 {
			left[name] = ids[0]
			continue
		}
		left[name] = freshData(name)
		n.cfg.log.Warn("an app has data in several folders, and the record that knew which it had is lost: it begins with none",
			"app", name, "data", ids, "hint", "fazt restore "+ids[0]+" --app "+name+" --confirm "+name)
	}
	return left, err
}

// appOf is the name that the app of some data had.
func appOf(id string) string { return id[:max(strings.LastIndexByte(id, '-'), 0)] }

// avoided names the data of apps to come, where some lies there by their name that no
// record knows. It is nobody's since a record was lost, and generations count anew, so a
// new app could be given its folder.
func avoided(there []string, known []spec.Object) map[string]string {
	left := map[string]string{}
	for _, id := range there {
		if !slices.ContainsFunc(known, func(o spec.Object) bool { return o.Data == id }) {
			left[appOf(id)] = freshData(appOf(id))
		}
	}
	return left
}

// expect tells the pool what data there must be, and lists what there is.
func (n *node) expect(objects []spec.Object) (there []string, err error) {
	for _, o := range objects {
		if o.Data != "" {
			n.ground.Apps.Expect(o.Data)
		}
	}
	return n.ground.Apps.List()
}

// Close gives back whatever openNode took.
func (n *node) Close() error {
	var errs []error
	if n.loader != nil {
		n.loader.Close()
	}
	if n.control != nil {
		errs = append(errs, n.control.Close())
	}
	if n.edge != nil {
		errs = append(errs, n.edge.Close())
	}
	if n.code != nil {
		errs = append(errs, n.code.stop())
		n.code = nil
	}
	if n.certs != nil {
		errs = append(errs, n.certs.Close())
	}
	if n.cfg.opener != nil {
		errs = append(errs, n.cfg.opener.Close())
	}
	if n.ground != nil {
		errs = append(errs, n.ground.Close())
	}
	return errors.Join(errs...)
}

// target is the edge as the loop sees it.
type target struct{ server *edge.Server }

// Observe lists what is served.
func (t target) Observe(ctx context.Context) ([]spec.Object, error) { return t.server.Observe(ctx) }

// Stage prepares the next generation.
func (t target) Stage(ctx context.Context, d reconcile.Desired) (reconcile.Staged, error) {
	s, err := t.server.Stage(ctx, edge.Desired{
		Revision: d.Revision, Node: d.Node, Objects: d.Objects, Files: d.Files, Folder: d.Folder, Overtaken: d.Overtaken, Verify: d.Verify,
	})
	if err != nil {
		return nil, err
	}
	return staged{s}, nil
}

// staged is a prepared generation as the loop sees it.
type staged struct{ *edge.Staged }

// Faults names the apps that could not be staged.
func (s staged) Faults() []reconcile.AppFault {
	var faults []reconcile.AppFault
	for _, f := range s.Staged.Faults() {
		faults = append(faults, reconcile.AppFault{Addr: f.Addr, Err: f.Err})
	}
	return faults
}
