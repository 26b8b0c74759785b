package reconcile_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile"
	"github.com/fazt-sh/fazt/reconcile/plan"
	"github.com/fazt-sh/fazt/reconcile/source"
	"github.com/fazt-sh/fazt/spec"
)

// config is the configuration language of these tests: config.json of a tree.
type config struct {
	Apps      map[string]spec.App `json:"apps"`
	Broken    []string            `json:"broken"` // apps that do not evaluate
	Moved     []spec.Moved        `json:"moved"`
	Number    int                 `json:"number"`  // makes each revision another one
	Refused   bool                `json:"refused"` // a fault in a shared file
	Elsewhere []spec.Addr         `json:"elsewhere"`
}

// tree is a folder with ids, as a source gives it.
type tree struct{ fstest.MapFS }

func (t tree) ID(name string) (string, error) {
	info, err := fs.Stat(t.MapFS, name)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		text, err := fs.ReadFile(t.MapFS, name)
		return hash(string(text))[:40], err
	}
	entries, err := fs.ReadDir(t.MapFS, name)
	sum := ""
	for _, e := range entries {
		id, err := t.ID(path.Join(name, e.Name()))
		if err != nil {
			return "", err
		}
		sum += e.Name() + id
	}
	return hash(sum)[:40], err
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// commit makes a revision: the apps of the configuration, each with a page that
// says what is given.
func commit(c config, page string) source.Artifact {
	files := fstest.MapFS{}
	for name := range c.Apps {
		files["apps/"+name+"/index.html"] = &fstest.MapFile{Data: []byte(name + " " + page)}
		files["apps/"+name+"/site.css"] = &fstest.MapFile{Data: []byte("body {}")}
	}
	return artifact(c, files)
}

func artifact(c config, files fstest.MapFS) source.Artifact {
	text, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	files["config.json"] = &fstest.MapFile{Data: text}
	t := tree{files}
	id, err := t.ID(".")
	if err != nil {
		panic(err)
	}
	return source.Artifact{Revision: id, TreeID: id, Tree: t, Author: "Asha <asha@example.com>", Subject: "work"}
}

// apps is a configuration of apps with a host each.
func apps(names ...string) config {
	c := config{Apps: map[string]spec.App{}}
	for _, name := range names {
		c.Apps[name] = spec.App{Content: "apps/" + name, Hosts: []string{name + ".example.com"}}
	}
	return c
}

// repo is a source whose tip a test sets.
type repo struct {
	mu      sync.Mutex
	tip     source.Artifact
	err     error
	seen    map[string]source.Artifact
	parents map[string]string // where set, a tip must descend from a base
	kept    map[uint64]string
	lasts   []string
	fetches int
	block   chan struct{} // where set, Fetch waits for it
	steps   *steps
	pokes   chan struct{}
}

func (r *repo) push(a source.Artifact) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tip, r.err = a, nil
}

func (r *repo) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

func (r *repo) Fetch(ctx context.Context, bases ...string) (source.Artifact, error) {
	r.steps.reached("fetch")
	last := strings.Join(bases, " ")
	r.mu.Lock()
	r.fetches++
	r.lasts = append(r.lasts, last)
	block := r.block
	r.mu.Unlock()
	if block != nil {
		select {
		case <-block:
		case <-ctx.Done():
			return source.Artifact{}, ctx.Err()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return source.Artifact{}, r.err
	}
	r.seen[r.tip.Revision] = r.tip
	if r.parents != nil && !slices.ContainsFunc(bases, r.descends) {
		return source.Artifact{}, fault.New(fault.Forbidden, "history was rewritten")
	}
	return r.tip, nil
}

// descends reports whether the tip comes after a base, or is it.
func (r *repo) descends(base string) bool {
	for at := r.tip.Revision; at != ""; at = r.parents[at] {
		if at == base {
			return true
		}
	}
	return base == ""
}

func (r *repo) At(_ context.Context, revision string) (source.Artifact, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a, ok := r.seen[revision]
	if !ok {
		return a, fault.New(fault.NotFound, "no revision %q", revision)
	}
	return a, nil
}

func (r *repo) Keep(generation uint64, revision string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept[generation] = revision
	return nil
}

func (r *repo) Watch(ctx context.Context, poke func()) error {
	for {
		select {
		case <-r.pokes:
			poke()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (r *repo) String() string { return "https://git.example.com/site.git @ main" }

func (r *repo) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fetches
}

// loader evaluates config.json.
type loader struct {
	steps *steps
	mu    sync.Mutex
	loads int
	err   error
}

func (l *loader) Load(_ context.Context, in spec.Input) (spec.Output, error) {
	l.steps.reached("load")
	l.mu.Lock()
	l.loads++
	err := l.err
	l.mu.Unlock()
	if err != nil {
		return spec.Output{}, err
	}
	text, err := fs.ReadFile(in.Tree, "config.json")
	if err != nil {
		return spec.Output{}, err
	}
	var c config
	if err := json.Unmarshal(text, &c); err != nil {
		return spec.Output{}, err
	}
	if c.Refused {
		return spec.Output{Diagnostics: finding("F1001", "the shared file is broken", "")}, nil
	}
	s := &spec.Spec{Node: "local", Elsewhere: c.Elsewhere, Moved: c.Moved, Stalled: map[spec.Addr]spec.Diagnostics{}}
	s.Objects = append(s.Objects, object(spec.KindEdge, "edge", "", spec.Edge{Domain: "example.com"}))
	for name, app := range c.Apps {
		addr := spec.Addr("app." + name)
		if slices.Contains(c.Broken, name) {
			s.Stalled[addr] = finding("F1203", "unknown argument in "+name, addr)
			continue
		}
		o := object(spec.KindApp, addr, name, app)
		o.HoldsData = app.HoldsData()
		s.Objects = append(s.Objects, o)
	}
	slices.SortFunc(s.Objects, func(a, b spec.Object) int { return strings.Compare(string(a.Addr), string(b.Addr)) })
	return spec.Output{Spec: s, Units: []spec.Unit{{File: "config.json"}}}, nil
}

func (l *loader) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.loads
}

func finding(code, summary string, addr spec.Addr) spec.Diagnostics {
	return spec.Diagnostics{{Severity: spec.Error, Code: code, Summary: summary, Address: addr}}
}

func object(kind spec.Kind, addr spec.Addr, name string, v any) spec.Object {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	var sorted map[string]any
	if err = json.Unmarshal(text, &sorted); err != nil {
		panic(err)
	}
	if text, err = json.Marshal(sorted); err != nil {
		panic(err)
	}
	return spec.Object{Addr: addr, Kind: kind, Name: name, Spec: text, Digest: digest(kind, text), Immutable: hash(string(addr))}
}

// digest is what the language makes of an object's spec.
func digest(kind spec.Kind, text []byte) string {
	framed := ""
	for _, part := range []string{string(kind), string(text)} {
		size := len(part)
		framed += string([]byte{byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size)}) + part
	}
	return hash(framed)
}

// edge is a target that serves a map and can refuse.
type edge struct {
	steps     *steps
	mu        sync.Mutex
	served    []spec.Object
	number    uint64
	blobs     map[string]bool // by file id
	err       error
	faults    map[spec.Addr]error
	panics    bool
	forgetful bool // publishes less than it was given
	asks      map[spec.Addr]health
	staging   chan struct{}
	block     chan struct{}

	stages, discards, publishes int
}

func (e *edge) Observe(context.Context) ([]spec.Object, error) {
	e.steps.reached("observe")
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.served), nil
}

func (e *edge) Stage(ctx context.Context, d reconcile.Desired) (reconcile.Staged, error) {
	e.steps.reached("stage")
	if e.block != nil {
		e.staging <- struct{}{}
		select {
		case <-e.block:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	unwell := e.unwell(ctx, d)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stages++
	switch {
	case e.panics:
		panic("the edge fell off")
	case e.err != nil:
		return nil, e.err
	}
	s := &staged{edge: e}
	contested := e.contested(d.Objects)
	for _, o := range d.Objects {
		err, ok := e.faults[o.Addr]
		if !ok {
			err, ok = contested[o.Addr]
		}
		if !ok {
			err, ok = unwell[o.Addr]
		}
		if ok && !e.has(o) {
			s.faults = append(s.faults, reconcile.AppFault{Addr: o.Addr, Err: err})
			for _, old := range e.served {
				if old.Addr == o.Addr {
					s.objects = append(s.objects, old)
				}
			}
			continue
		}
		if err := e.take(d, &o); err != nil {
			return nil, err
		}
		s.objects = append(s.objects, o)
	}
	return s, nil
}

// health is how an app answers when it is asked whether it works.
type health struct {
	after time.Duration // so long it is asked
	err   error         // what comes of it
}

// unwell asks the new releases of apps that say how, until the stage is overtaken.
func (e *edge) unwell(ctx context.Context, d reconcile.Desired) map[spec.Addr]error {
	faults := map[spec.Addr]error{}
	asking, stop := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	e.mu.Lock()
	asks := maps.Clone(e.asks)
	maps.DeleteFunc(asks, func(addr spec.Addr, _ health) bool {
		return !slices.ContainsFunc(d.Objects, func(o spec.Object) bool { return o.Addr == addr && !e.has(o) })
	})
	e.mu.Unlock()
	if d.Overtaken != nil && len(asks) > 0 {
		watch.Go(func() { stop(d.Overtaken(asking)) })
	}
	for addr, h := range asks {
		select {
		case <-time.After(h.after):
		case <-asking.Done():
			h.err = context.Cause(asking)
		}
		if h.err != nil {
			faults[addr] = h.err
		}
	}
	stop(nil)
	watch.Wait()
	return faults
}

// contested finds new releases that want a host which an unchanged one has.
func (e *edge) contested(objects []spec.Object) map[spec.Addr]error {
	owner := map[string]spec.Addr{}
	hosts := func(o spec.Object) []string {
		var app spec.App
		if o.Kind != spec.KindApp || json.Unmarshal(o.Spec, &app) != nil {
			return nil
		}
		return app.Hosts
	}
	for _, o := range objects {
		if e.has(o) {
			for _, host := range hosts(o) {
				owner[host] = o.Addr
			}
		}
	}
	faults := map[spec.Addr]error{}
	for _, o := range objects {
		for _, host := range hosts(o) {
			if by, taken := owner[host]; taken && by != o.Addr {
				faults[o.Addr] = fault.New(fault.Conflict, "host %q of %q is still served by %q", host, o.Addr, by)
			}
		}
	}
	return faults
}

func (e *edge) has(o spec.Object) bool {
	return slices.ContainsFunc(e.served, func(old spec.Object) bool { return old.Addr == o.Addr && plan.Same(old, o) })
}

// take reads the files that it has not seen, as a store of blobs would.
func (e *edge) take(d reconcile.Desired, o *spec.Object) error {
	if o.Content == nil {
		return nil
	}
	c := &spec.Content{Tree: o.Content.Tree, Files: slices.Clone(o.Content.Files)}
	for i, f := range c.Files {
		c.Files[i].Blob = hash(f.ID)
		if e.blobs[f.ID] {
			continue
		}
		r, err := d.Files(*o, f.Path)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(r)
		if err != nil || hash(string(text))[:40] != f.ID {
			return fmt.Errorf("%s of %s holds other bytes: %w", f.Path, o.Addr, err)
		}
		e.blobs[f.ID] = true
	}
	o.Content = c
	return nil
}

type staged struct {
	edge    *edge
	objects []spec.Object
	faults  []reconcile.AppFault
}

func (s *staged) Objects() []spec.Object       { return s.objects }
func (s *staged) Faults() []reconcile.AppFault { return s.faults }

func (s *staged) Publish(generation uint64) {
	if s.edge.steps.reached("publish") {
		return
	}
	defer s.edge.steps.reached("published")
	s.edge.mu.Lock()
	defer s.edge.mu.Unlock()
	s.edge.publishes++
	s.edge.number, s.edge.served = generation, s.objects
	if s.edge.forgetful {
		s.edge.served = s.objects[1:]
	}
}

func (s *staged) Discard() {
	s.edge.mu.Lock()
	defer s.edge.mu.Unlock()
	s.edge.discards++
}

// with changes the target while the loop may be using it.
func (e *edge) with(change func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change()
}

// view is what is served, in words: address, page and revision.
func (e *edge) view() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return view(e.served)
}

func view(objects []spec.Object) string {
	var b strings.Builder
	for _, o := range objects {
		fmt.Fprintf(&b, "%s %.6s %.6s %s", o.Addr, o.Digest, o.Revision, o.Data)
		if o.Content != nil {
			for _, f := range o.Content.Files {
				fmt.Fprintf(&b, " %s=%.6s", f.Path, f.ID)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// ledger remembers in memory, and can refuse.
type ledger struct {
	steps    *steps
	mu       sync.Mutex
	err      error
	commits  []reconcile.Commit
	entries  []reconcile.Entry
	objects  map[spec.Addr]spec.Object
	trash    map[spec.Addr]spec.Object
	holds    map[reconcile.HoldKey]reconcile.Hold
	releases []spec.Object // by deployment, the first is d-1
	spent    map[string]bool
	state    reconcile.State
}

func (l *ledger) Commit(_ context.Context, c reconcile.Commit) error {
	if l.steps.reached("commit") {
		return errDead
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	for _, p := range c.Park {
		l.trash[p.Addr] = l.objects[p.Addr]
	}
	for _, addr := range c.Unpark {
		delete(l.trash, addr)
	}
	for _, m := range c.Moves {
		delete(l.objects, m.From)
	}
	for _, addr := range c.Drop {
		delete(l.objects, addr)
	}
	for _, o := range c.Put {
		l.objects[o.Addr] = o
	}
	for i := range c.Deployments {
		d := &c.Deployments[i]
		l.releases = append(l.releases, l.objects[d.Addr])
		d.ID = uint64(len(l.releases))
	}
	if c.Plan != "" {
		l.spent[c.Plan] = true
	}
	l.commits = append(l.commits, c)
	l.state.Generation, l.state.Published = c.Generation, c.Revision
	l.noteLocked(c.Entry)
	return nil
}

func (l *ledger) Note(_ context.Context, e reconcile.Entry) error {
	if l.steps.reached("note") {
		return errDead
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	l.entries = append(l.entries, e)
	l.noteLocked(e)
	return nil
}

func (l *ledger) noteLocked(e reconcile.Entry) {
	if e.Applied != "" {
		l.state.Applied = e.Applied
	}
	for _, k := range e.Freed {
		delete(l.holds, k)
	}
	for _, h := range e.Holds {
		l.holds[h.Key()] = h
	}
	for _, addr := range e.Purged {
		delete(l.trash, addr)
	}
}

func (l *ledger) Spent(_ context.Context, id string) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.spent[id], l.err
}

// last is what a node that starts is told.
func (l *ledger) last() reconcile.State {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.state
	for _, h := range l.holds {
		s.Holds = append(s.Holds, h)
	}
	s.Parked = slices.Collect(maps.Values(l.trash))
	return s
}

func (l *ledger) with(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
}

func (l *ledger) view() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []spec.Object
	for _, addr := range slices.Sorted(maps.Keys(l.objects)) {
		list = append(list, l.objects[addr])
	}
	return view(list)
}

// steps lets a test act in the middle of a pass.
type steps struct {
	mu   sync.Mutex
	at   string // the step before which to act; empty: none
	act  func()
	dead bool // the process is: nothing that it does has any effect
}

// stepNames are those of all fakes, in the order of a pass.
var stepNames = []string{"fetch", "load", "observe", "stage", "commit", "publish", "published", "note"}

var errDead = fault.New(fault.Unavailable, "the process is dead")

// reached acts where a test wants it, once, and reports whether the process is
// dead.
func (s *steps) reached(name string) (dead bool) {
	if s == nil {
		return false
	}
	s.mu.Lock()
	var act func()
	if s.at == name {
		act, s.at, s.act = s.act, "", nil
	}
	s.mu.Unlock()
	if act != nil {
		act()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dead
}

// before has a step wait for an act; an empty name takes that back.
func (s *steps) before(name string, act func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at, s.act = name, act
}

// set kills the process, or has a new one begin.
func (s *steps) set(dead bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = dead
}

// rig is a loop among fakes.
type rig struct {
	steps  *steps
	repo   *repo
	loader *loader
	edge   *edge
	ledger *ledger
	loop   *reconcile.Loop
	ended  chan struct{}
	stop   context.CancelFunc
}

// build makes the parts of a node that follows the repository.
func build() *rig {
	r := &rig{
		repo:   &repo{seen: map[string]source.Artifact{}, kept: map[uint64]string{}, pokes: make(chan struct{})},
		loader: &loader{}, edge: &edge{blobs: map[string]bool{}, faults: map[spec.Addr]error{}},
		ledger: &ledger{
			objects: map[spec.Addr]spec.Object{}, trash: map[spec.Addr]spec.Object{},
			holds: map[reconcile.HoldKey]reconcile.Hold{}, spent: map[string]bool{},
		},
		ended: make(chan struct{}), steps: &steps{},
	}
	r.repo.steps, r.loader.steps, r.edge.steps, r.ledger.steps = r.steps, r.steps, r.steps, r.steps
	return r
}

// config is the loop's configuration around the parts. Randomness is its mean.
func (r *rig) config() reconcile.Config {
	return reconcile.Config{
		Source: r.repo, Loader: r.loader, Target: r.edge, Ledger: r.ledger, Engine: "test",
		Random: func() float64 { return 0.5 },
	}
}

// start runs a loop and waits until it has nothing more to do.
func (r *rig) start(t *testing.T, c reconcile.Config) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r.loop, r.stop = reconcile.New(c), cancel
	go func() {
		defer close(r.ended)
		if err := r.loop.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	synctest.Wait()
}

// end stops the loop and waits for it.
func (r *rig) end() {
	r.stop()
	<-r.ended
}

// following is a rig that serves a and b at its first revision.
func following(t *testing.T) *rig {
	t.Helper()
	r := build()
	r.repo.push(commit(apps("a", "b"), "one"))
	r.start(t, r.config())
	if s := r.loop.Status(); s.Phase != reconcile.Synced || s.Generation != 1 {
		t.Fatalf("it begins as %s at generation %d: %+v", s.Phase, s.Generation, s.Problem)
	}
	return r
}

// sync pokes the loop and waits for what comes of it.
func (r *rig) sync(t *testing.T) reconcile.Result {
	t.Helper()
	result, err := r.loop.Sync(t.Context(), reconcile.SyncRequest{Wait: true, Actor: "local:0"})
	if err != nil {
		t.Fatal(err)
	}
	return result
}
