package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/fazt-sh/fazt/platform/child"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/spec"
)

// roleLoad is the hidden first argument of the child that evaluates
// configuration.
const roleLoad = "load"

// The loader's budget: a floor, so that any ordinary repository loads, and an
// allowance per KiB of configuration up to a ceiling.
const (
	loadCPU, loadCPUPerKiB, loadCPUMax = 5 * time.Second, time.Millisecond, 60 * time.Second
	loadMem, loadMemPerKiB, loadMemMax = 256 << 20, 64 << 10, 2 << 30
)

// loader evaluates configuration in a bounded child: a hostile file can end
// the child and never the node, and its memory goes away with it. Known units
// stay here; what passes to the child and back grows with what changed.
type loader struct{ log *slog.Logger }

// Load finds the configuration files here, where listing names is safe, and
// has the child read and evaluate those that changed. A child that dies or
// passes a limit is a diagnostic, as it is the configuration's fault; an error
// means the load could not be tried, such as a tree that is damaged.
func (l loader) Load(ctx context.Context, in spec.Input) (spec.Output, error) {
	return l.load(ctx, in, startLoad)
}

// load is Load in a child of any start.
func (l loader) load(ctx context.Context, in spec.Input, start childStart) (spec.Output, error) {
	tree := &honestTree{Tree: in.Tree}
	in.Tree = tree
	assembly := spec.Prepare(in)
	out, done := assembly.Done()
	if done && tree.err() == nil {
		l.log.Debug("configuration loaded", "files", out.Files, "evaluated", 0, "moved", 0)
		return out, nil
	}
	if tree.err() != nil {
		return spec.Output{}, tree.err()
	}
	began := time.Now()
	talk, partial, err := evaluate(ctx, tree, assembly, start)
	if ctx.Err() != nil {
		return spec.Output{}, ctx.Err()
	}
	if tree.err() != nil {
		return spec.Output{}, tree.err()
	}
	if reason := beyond(err); reason != "" {
		partial, err = spec.Partial{Diagnostics: spec.Diagnostics{spec.TooComplex(tree, reason, talk.at.oldest())}}, nil
	}
	if err != nil {
		return spec.Output{}, err
	}
	out = assembly.Output(partial)
	l.log.Debug("configuration loaded", "files", out.Files, "evaluated", out.Evaluated, "moved", talk.moved, "took", time.Since(began))
	return out, nil
}

// beyond says of a child that the configuration ended how it did; empty for any
// other error.
func beyond(err error) string {
	var e *child.Ended
	if !errors.As(err, &e) {
		return ""
	}
	switch e.Reason {
	case child.Memory:
		return "it needed more than " + e.Limit + " of memory"
	case child.CPU:
		return "it computed for more than " + e.Limit
	case child.Wall:
		return "it took more than " + e.Limit
	case child.Crashed:
		return "its evaluation broke off: " + e.Detail
	}
	return ""
}

// honestTree notes an error of the tree itself, as opposed to one that the
// configuration is to blame for: what may be different at the next try is no
// diagnostic.
type honestTree struct {
	spec.Tree
	mu    sync.Mutex
	first error
}

func (t *honestTree) err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.first
}

func (t *honestTree) note(err error) error {
	if typed := (*fault.Error)(nil); !errors.As(err, &typed) || !fault.KindOf(err).Retry() {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.first == nil {
		t.first = err
	}
	return err
}

// ID returns the git id of a path.
func (t *honestTree) ID(name string) (string, error) {
	id, err := t.Tree.ID(name)
	return id, t.note(err)
}

// Open opens a file or a folder.
func (t *honestTree) Open(name string) (fs.File, error) {
	f, err := t.Tree.Open(name)
	return f, t.note(err)
}

// ReadDir lists a folder.
func (t *honestTree) ReadDir(name string) ([]fs.DirEntry, error) {
	list, err := fs.ReadDir(t.Tree, name)
	return list, t.note(err)
}

// read is a file of bounded size.
func (t *honestTree) read(name string) ([]byte, error) {
	text, err := spec.ReadSource(t, name)
	return text, t.note(err)
}

// limits are what a child may use for so many bytes of configuration.
func limits(size int) child.Limits {
	kib := int64(size) / 1024
	cpu := min(loadCPU+time.Duration(kib)*loadCPUPerKiB, loadCPUMax)
	return child.Limits{Data: min(loadMem+kib*loadMemPerKiB, loadMemMax), CPU: cpu, Wall: 2*cpu + 10*time.Second, Files: 32}
}

// loadChild is a child that waits for a job.
type loadChild interface {
	Conn() *child.Conn
	Wait() error
}

// childStart starts a child that may use at least what the limits say.
type childStart func(context.Context, child.Limits) (loadChild, error)

func startLoad(ctx context.Context, l child.Limits) (loadChild, error) {
	return child.Start(ctx, roleLoad, l)
}

// evaluate starts the child, hands it the job and answers its questions until it
// has the result. The conversation knows what it took, and where it broke off.
func evaluate(ctx context.Context, tree *honestTree, known *spec.Assembly, start childStart) (*conversation, spec.Partial, error) {
	texts := readTexts(tree, known.Job().Files)
	talk := &conversation{framed: &framed{}, tree: tree, known: known}
	p, err := start(ctx, limits(texts.size+known.Size()))
	if err != nil {
		return talk, spec.Partial{}, err
	}
	talk.conn = p.Conn()
	partial, said := talk.hold(texts)
	if err := p.Wait(); err != nil { // knows why the talk broke off
		return talk, spec.Partial{}, err
	}
	return talk, partial, said
}

// loadTexts are the texts of files, or why they cannot be read.
type loadTexts struct {
	list []loadText
	size int
}

// loadText is one of them as its head travels. The bytes follow in frames of
// their own.
type loadText struct {
	Path  string `json:"path"`
	Size  int    `json:"size,omitempty"`
	Err   string `json:"err,omitempty"`
	bytes []byte
}

// readTexts reads as much as a configuration may have.
func readTexts(tree *honestTree, files []spec.Source) (texts loadTexts) {
	for _, f := range files {
		t := loadText{Path: f.Path}
		var err error
		if texts.size <= spec.MaxConfiguration {
			t.bytes, err = tree.read(f.Path)
		}
		if err != nil {
			t.Err = reason(err)
		}
		t.Size = len(t.bytes)
		texts.size += t.Size
		texts.list = append(texts.list, t)
	}
	return texts
}

// reason is an error without the operation and the path: whoever asked knows
// them.
func reason(err error) string {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// What the child asks. Nothing more is the last: it comes with the result. What
// a worker of it is at is no question, and gets no answer.
const (
	askNothing = ""
	tellAt     = "at"
	askRead    = "read"
	askList    = "list"
	askID      = "id"
	askRest    = "rest"
	askBlocks  = "blocks"
	askApps    = "apps"
)

// loadMessage is what the child sends: a question, or the result.
type loadMessage struct {
	Ask     string        `json:"ask,omitempty"`
	Path    string        `json:"path,omitempty"`    // of read, list and id
	Names   []string      `json:"names,omitempty"`   // of rest; null asks for all
	Worker  int           `json:"worker,omitempty"`  // of at
	Place   *spec.Range   `json:"place,omitempty"`   // of at; none: it has nothing to do
	Partial *spec.Partial `json:"partial,omitempty"` // of apps, and the result
}

// loadAnswer is one answer. Texts follow the one to rest.
type loadAnswer struct {
	Bytes   []byte          `json:"bytes,omitempty"`
	Entries []remoteEntry   `json:"entries,omitempty"`
	ID      string          `json:"id,omitempty"`
	Err     string          `json:"err,omitempty"`
	Missing bool            `json:"missing,omitempty"`
	Files   []spec.Source   `json:"files,omitempty"`
	Blocks  []spec.AppBlock `json:"blocks,omitempty"`
	Apps    []appForm       `json:"apps,omitempty"`
}

// appForm is an app as check blocks see it.
type appForm struct {
	Addr  spec.Addr       `json:"addr"`
	Spec  json.RawMessage `json:"spec"`
	Range spec.Range      `json:"range"`
}

// conversation is this side of one child's life.
type conversation struct {
	*framed
	tree  *honestTree
	known *spec.Assembly
	found []spec.Unit // that came with a question
	at    workplaces
}

// workplaces are what the workers of a child are at, the first begun first.
type workplaces []workplace

type workplace struct {
	worker int
	place  spec.Range
}

// moves takes in what a worker says.
func (w workplaces) moves(worker int, place *spec.Range) workplaces {
	w = slices.DeleteFunc(w, func(at workplace) bool { return worker == spec.Alone || at.worker == worker || at.worker == spec.Alone })
	if place == nil {
		return w
	}
	return append(w, workplace{worker, *place})
}

// oldest is the place that takes longest, the zero place if there is none.
func (w workplaces) oldest() spec.Range {
	if len(w) == 0 {
		return spec.Range{}
	}
	return w[0].place
}

// hold tells the job and answers until the result is there.
func (c *conversation) hold(texts loadTexts) (spec.Partial, error) {
	if err := errors.Join(c.writeJSON(c.known.Job()), c.writeTexts(texts)); err != nil {
		return spec.Partial{}, err
	}
	for {
		var m loadMessage
		if err := c.readJSON(&m); err != nil {
			return spec.Partial{}, err
		}
		switch m.Ask {
		case askNothing:
			return c.result(m)
		case tellAt:
			c.at = c.at.moves(m.Worker, m.Place)
			continue
		}
		if err := c.answer(m); err != nil {
			return spec.Partial{}, err
		}
		if err := c.tree.err(); err != nil {
			return spec.Partial{}, err
		}
	}
}

func (c *conversation) result(m loadMessage) (spec.Partial, error) {
	if m.Partial == nil {
		return spec.Partial{}, fault.New(fault.Internal, "the configuration was evaluated to nothing")
	}
	p := *m.Partial
	if c.found != nil {
		p.Units = c.found
	}
	return p, nil
}

// answer answers one question.
func (c *conversation) answer(m loadMessage) error {
	switch m.Ask {
	case askRest:
		files := c.known.Rest(m.Names)
		if err := c.writeJSON(loadAnswer{Files: files}); err != nil {
			return err
		}
		return c.writeTexts(readTexts(c.tree, files))
	case askBlocks:
		return c.writeJSON(loadAnswer{Blocks: c.known.Blocks()})
	case askApps:
		p := spec.Partial{}
		if m.Partial != nil {
			p = *m.Partial
		}
		c.found = p.Units
		var a loadAnswer
		for _, o := range c.known.Apps(p) {
			a.Apps = append(a.Apps, appForm{o.Addr, o.Spec, o.Range})
		}
		return c.writeJSON(a)
	default:
		return c.writeJSON(aboutFile(c.tree, m))
	}
}

// aboutFile answers a question about a path.
func aboutFile(tree *honestTree, m loadMessage) (a loadAnswer) {
	var err error
	switch m.Ask {
	case askRead:
		a.Bytes, err = tree.read(m.Path)
	case askList:
		var list []fs.DirEntry
		list, err = tree.ReadDir(m.Path)
		for _, e := range list {
			a.Entries = append(a.Entries, remoteEntry{EntryName: e.Name(), EntryMode: e.Type()})
		}
	case askID:
		a.ID, err = tree.ID(m.Path)
	default:
		err = fmt.Errorf("no question %q", m.Ask)
	}
	if err != nil {
		a.Err, a.Missing = reason(err), errors.Is(err, fs.ErrNotExist)
	}
	return a
}
