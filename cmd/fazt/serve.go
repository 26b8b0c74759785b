package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/fazt-sh/fazt/edge/listen"
	"github.com/fazt-sh/fazt/platform"
	"github.com/fazt-sh/fazt/platform/blob"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/reconcile"
	"github.com/fazt-sh/fazt/reconcile/source"
)

// exitBadNode tells a service supervisor that starting again is pointless.
const exitBadNode = 78

// leastInterval is what a repository's server can be expected to bear.
const leastInterval = time.Second

// defaultDrain is how long a stopping node lets requests finish.
const defaultDrain = 15 * time.Second

// historyFollow is --history of a node that takes what its branch says even
// where that was rewritten.
const historyFollow = "follow"

type serveIn struct {
	Repo        string            `placeholder:"URL" help:"repository to follow: https://, ssh://, user@host:path, file://, or a path that begins with / or ./" json:"repo"`
	Ref         string            `default:"main" help:"branch to follow" json:"ref"`
	History     string            `default:"fast-forward" enum:"fast-forward,follow" help:"what the branch may do: fast-forward refuses a rewritten history until somebody approves it, follow takes it" json:"history"`
	Node        string            `placeholder:"NAME" help:"node block that describes this machine" json:"node"`
	Listen      []string          `placeholder:"ADDR" help:"address to serve on; may be repeated (127.0.0.1:8080 if none is given)" json:"listen"`
	ListenTLS   []string          `name:"listen-tls" placeholder:"ADDR" help:"address to serve TLS on; may be repeated. Plain addresses send browsers there once tls is on" json:"listen_tls"`
	Control     string            `default:"127.0.0.1:0" placeholder:"ADDR" help:"loopback address for commands of peers" json:"control"`
	Var         map[string]string `placeholder:"NAME=VALUE" help:"value of a variable; may be repeated" json:"var"`
	Interval    time.Duration     `default:"60s" help:"how often the repository is asked when nothing pokes" json:"interval"`
	Credential  map[string]string `placeholder:"NAME=PATH" help:"file with a secret for reaching the repository: git (https token), ssh (private key), known_hosts, ca (certificates of the server)" json:"credential"`
	Identity    string            `placeholder:"FILE" help:"private key that opens secrets (systemd: the credential identity); without it identity.txt in the state folder, made at the first start" json:"identity"`
	FetchWith   string            `name:"fetch-with" default:"fazt" enum:"fazt,git" help:"who indexes what is fetched: fazt in its own memory, or a git binary in a process of its own, for very large repositories" json:"fetch_with"`
	AccessLog   string            `name:"access-log" placeholder:"FILE" help:"append a JSON line for each request; - for standard output" json:"access_log"`
	BackupEvery time.Duration     `name:"backup-every" default:"24h" help:"how often apps that keep data are backed up, where they were changed; 0 for never" json:"backup_every"`
	BackupKeep  int               `name:"backup-keep" default:"7" help:"how many of these backups are kept of each app" json:"backup_keep"`
	NoSafeMode  bool              `name:"no-safe-mode" help:"go on however often the node crashed; without it, five crashes within a minute leave it serving what it has and nothing else" json:"no_safe_mode"`
	Check       bool              `help:"judge the settings, start nothing" json:"check"`
}

func (p *program) serveOp() op.Op {
	return op.New(op.Row{
		Name: "serve", Group: groupBegin, Summary: "run a node", Effect: op.Change, Offline: true, Local: true, Since: "0.1.0",
		Detail: "Serves the last published generation at once, then follows the repository. Without --repo the node " +
			"keeps what `fazt apply` gives it. It stops on SIGINT or SIGTERM after requests in flight are done; a second signal does not wait.",
		Examples: []op.Example{
			{Command: "serve --repo git@github.com:me/mycloud.git --listen :80"},
			{Command: "serve --state ./state --listen 127.0.0.1:8080", Note: "a node for `fazt apply`"},
		},
		Exits: map[int]string{7: "a port is taken", 8: "the state folder is in use by another node", exitBadNode: "the settings are wrong: starting again is pointless"},
	}, p.serve)
}

// emptyOut is the answer of a command that prints what it has to say itself.
type emptyOut struct{}

// WriteText prints nothing.
func (emptyOut) WriteText(*op.Screen) error { return nil }

func (p *program) serve(ctx context.Context, in serveIn) (emptyOut, error) {
	state, err := p.stateDir()
	if err != nil {
		return emptyOut{}, err
	}
	if err := checkStateFolder(state); err != nil {
		return emptyOut{}, badNode(err)
	}
	cfg, err := p.nodeConfig(state, in)
	if err != nil {
		return emptyOut{}, badNode(err)
	}
	if in.Check {
		fmt.Fprintln(p.stderr, "the settings are good")
		return emptyOut{}, nil
	}
	ctx, stop := stopSignals(ctx)
	defer stop()
	asked, deaf := handOverAsked()
	defer deaf()
	cfg.handOver = asked
	if err := follow(ctx, &cfg); err != nil {
		return emptyOut{}, err
	}
	n, err := openNode(ctx, cfg)
	if err != nil {
		return emptyOut{}, err
	}
	defer n.Close()
	cfg.sockets.close()
	for _, a := range n.edge.Addrs() {
		cfg.log.Info("serving", "addr", a.String())
	}
	n.tellSupervisor(daemon.SdNotifyReady)
	cfg.log.Info("commands", "socket", filepath.Join(state, "run", socketName), "control", "http://"+n.control.Addr())
	n.tellKey()
	return emptyOut{}, n.Run(ctx)
}

// checkStateFolder refuses a file where the state folder, or a folder above it,
// should be: no later start would find it otherwise.
func checkStateFolder(dir string) error {
	for at := dir; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err == nil && !info.IsDir() {
			return fault.New(fault.Invalid, "%q is a file, and cannot hold the node's state", at).
				WithHint("name a folder with --state DIR; it is made if it does not exist")
		}
		if err == nil || filepath.Dir(at) == at {
			return nil
		}
	}
}

// nodeConfig turns flags into a node's configuration and touches nothing.
func (p *program) nodeConfig(state string, in serveIn) (nodeConfig, error) {
	cfg := nodeConfig{
		state: state, listen: in.Listen, control: in.Control, node: in.Node, vars: in.Var,
		interval: in.Interval, drain: defaultDrain, unsafe: in.NoSafeMode, log: p.log(),
		secure: in.ListenTLS, args: os.Args[1:], cert: map[string]string{},
	}
	if in.BackupEvery < 0 || in.BackupKeep < 1 {
		return cfg, fault.New(fault.Invalid, "--backup-every and --backup-keep are not below 0 and 1")
	}
	cfg.backups = backupPlan{in.BackupEvery, in.BackupKeep}
	if len(cfg.listen)+len(cfg.secure) == 0 {
		cfg.listen = []string{"127.0.0.1:8080"}
	}
	for _, addr := range cfg.listen {
		if err := checkListenAddr("--listen", addr); err != nil {
			return cfg, err
		}
	}
	for _, addr := range cfg.secure {
		if err := checkListenAddr("--listen-tls", addr); err != nil {
			return cfg, err
		}
	}
	if err := checkControlAddr(in.Control); err != nil {
		return cfg, err
	}
	if in.Interval < leastInterval {
		return cfg, fault.New(fault.Invalid, "--interval %s would never leave the repository alone", in.Interval).WithHint("at least %s", leastInterval)
	}
	for name, file := range in.Credential {
		if !credentialForm.MatchString(name) {
			return cfg, fault.New(fault.Invalid, "%q is no name for a credential", name).WithHint("lower-case letters, digits, - and _, at most 40")
		}
		cfg.cert[name] = p.path(file)
	}
	identity, err := p.serviceIdentity(in.Identity)
	if err != nil {
		return cfg, err
	}
	cfg.identity = identity
	if in.AccessLog != "" {
		out, err := p.openAccessLog(in.AccessLog)
		if err != nil {
			return cfg, err
		}
		cfg.accessLog = out
	}
	if in.Repo != "" {
		repo, err := p.gitSource(state, in)
		if err != nil {
			return cfg, err
		}
		cfg.source, cfg.opener, cfg.history = repo, repo, in.History
	}
	return cfg, nil
}

func (p *program) gitSource(state string, in serveIn) (*source.Git, error) {
	repo := in.Repo
	if repo == "." || strings.HasPrefix(repo, "./") || strings.HasPrefix(repo, "../") {
		repo = p.path(repo)
	} else if !strings.HasPrefix(repo, "/") && !strings.Contains(repo, ":") {
		return nil, fault.New(fault.Invalid, "--repo has no scheme and no leading ./").
			WithHint("use https://host/path, ssh://user@host/path, user@host:path, or for a folder an absolute path or one that begins with ./")
	}
	file := func(credential string) string {
		if in.Credential[credential] == "" {
			return ""
		}
		return p.path(in.Credential[credential])
	}
	token, err := p.readToken(in.Credential["git"])
	if err != nil {
		return nil, err
	}
	binary := ""
	if in.FetchWith == "git" {
		if binary, err = exec.LookPath("git"); err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "--fetch-with git, and there is no git").WithHint("install git, or leave the flag out")
		}
	}
	return source.NewGit(source.GitConfig{
		GitBinary: binary, URL: repo, Ref: in.Ref, Rewritten: in.History == historyFollow, Dir: filepath.Join(state, "source.git"), Log: p.log(),
		Credentials: source.Credentials{Password: source.Secret(token), KeyFile: file("ssh"), KnownHosts: file("known_hosts"), CAFile: file("ca")},
	})
}

func (p *program) openAccessLog(name string) (*os.File, error) {
	if name == "-" {
		return os.Stdout, nil
	}
	f, err := os.OpenFile(p.path(name), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "--access-log")
	}
	return f, nil
}

// badNode marks an error as one of the node's own settings.
func badNode(err error) error { return &exitError{err, exitBadNode} }

// exitError is an error with an exit code of its own.
type exitError struct {
	error
	code int
}

// Unwrap lets the kind and the hint be found.
func (e *exitError) Unwrap() error { return e.error }

// stopSignals ends ctx at the first SIGINT or SIGTERM; at the second the
// process ends without waiting.
func stopSignals(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		select {
		case <-signals:
			cancel()
		case <-done:
			return
		}
		select {
		case <-signals:
			os.Exit(exitInterrupted)
		case <-done:
		}
	}()
	return ctx, func() { signal.Stop(signals); close(done); cancel() }
}

// exitInterrupted is the shell's code for a program that a signal ended.
const exitInterrupted = 130

// Run is the node's life: the loop stops first, so that nothing is published
// while requests drain; then the edge; then the control listener, so that a
// command in flight learns its fate.
func (n *node) Run(ctx context.Context) error {
	life := context.WithoutCancel(ctx)
	loop := start(life, n.runLoop)
	janitor := start(life, func(ctx context.Context) error {
		return n.ground.Run(ctx, platform.Files{Digests: digestsOf, Data: dataOf, Damaged: func(d blob.Digest) { n.loop.Damaged(string(d)) }})
	})
	serving := start(life, n.edge.Run)
	health := start(life, n.watchHealth)
	commands := start(life, n.control.Run)
	certs := start(life, n.runCerts)
	counting := start(life, n.runUsage)
	saving := start(life, n.runBackups)
	people := start(life, n.ground.People.Run)
	mails := start(life, n.ground.Mail.Run)
	alive := start(life, n.watchdog)
	succession := start(life, n.succeed)

	var err error
	select {
	case <-ctx.Done():
		n.tellSupervisor(daemon.SdNotifyStopping)
	case <-succession.done: // somebody else is about to serve
	case err = <-loop.done:
	case err = <-serving.done:
	case err = <-commands.done:
	case err = <-certs.done:
	}
	n.cfg.log.Info("stopping, requests in flight are drained", "at_most", n.cfg.drain)
	err = errors.Join(err, succession.stop(), health.stop(), saving.stop(), loop.stop(), serving.stop(), commands.stop(), certs.stop(), counting.stop(), people.stop(), mails.stop(), alive.stop(), janitor.stop())
	n.cfg.log.Info("stopped", "up", time.Since(n.started).Round(time.Second))
	return err
}

// runCerts keeps certificates, where there are any to keep.
func (n *node) runCerts(ctx context.Context) error {
	if n.certs == nil {
		<-ctx.Done()
		return nil
	}
	return n.certs.Run(ctx)
}

// follow takes over from another process where this one was started to: the
// settings are good, so that one may go, and its state folder comes free.
func follow(ctx context.Context, cfg *nodeConfig) error {
	before := takePredecessor()
	inherited, err := listen.Inherited()
	if err != nil {
		return err
	}
	cfg.sockets = &sockets{inherited}
	if before == nil {
		return nil
	}
	if err := before.release(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, takeOverTime)
	defer cancel()
	return platform.Vacant(ctx, cfg.state)
}

// credentialForm is what the configuration may call a credential.
var credentialForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`)

// running is a Run in its own goroutine.
type running struct {
	cancel context.CancelFunc
	done   chan error
}

func start(ctx context.Context, run func(context.Context) error) *running {
	ctx, cancel := context.WithCancel(ctx)
	r := &running{cancel: cancel, done: make(chan error, 1)}
	go func() {
		err := run(ctx)
		if errors.Is(err, context.Canceled) {
			err = nil
		}
		r.done <- err
		close(r.done)
	}()
	return r
}

// stop cancels the run and waits for it.
func (r *running) stop() error {
	r.cancel()
	return <-r.done
}

var _ reconcile.Source = (*source.Git)(nil)

// Exit is the error's own exit code.
func (e *exitError) Exit() int { return e.code }
