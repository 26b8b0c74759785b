package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/platform/applog"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/platform/script"
	"github.com/fazt-sh/fazt/reconcile"
	"github.com/fazt-sh/fazt/spec"
)

type testIn struct {
	Dir  string            `arg:"" optional:"" name:"dir" default:"." help:"folder of the configuration" json:"dir"`
	App  []string          `placeholder:"NAME" help:"only the tests of this app; may be repeated" json:"app"`
	Grep string            `placeholder:"REGEXP" help:"only tests whose name fits; \"suite > test\" is a name" json:"grep"`
	Var  map[string]string `placeholder:"NAME=VALUE" help:"value of a variable; may be repeated" json:"var"`
}

func (p *program) testOp() op.Op {
	return op.New(op.Row{
		Name: "test", Group: groupBegin, Summary: "run the tests of apps", Effect: op.Change, Offline: true, Local: true, Since: "0.5.0",
		Detail: "Runs each NAME.test.ts (or .js, .tsx and the like) in the folders of apps that run code, on a throw-away node: the app with its " +
			"migrations, bindings and access as in production, and fresh data for each file. Requests to other hosts are answered by the test; nothing leaves the machine.",
		Examples: []op.Example{{Command: "test examples/site"}, {Command: "test examples/site --app links --grep 'taken'"}},
		Exits:    map[int]string{1: "a test failed", 3: "the configuration, or the code of an app, is invalid", 6: "there is no test"},
	}, p.test)
}

// testOut is how the tests went.
type testOut struct {
	Files   []testFile `json:"files"`
	Passed  int        `json:"passed"`
	Failed  int        `json:"failed"`
	Skipped int        `json:"skipped"`
}

// testFile is one file of tests.
type testFile struct {
	App   string     `json:"app"`
	File  string     `json:"file"`            // from the folder of the configuration
	Error string     `json:"error,omitempty"` // why it could not be run as a whole
	Tests []testView `json:"tests"`
}

// testView is one test.
type testView struct {
	Name    string        `json:"name"`
	State   string        `json:"state"` // passed, failed or skipped
	Took    time.Duration `json:"duration_ns"`
	Error   string        `json:"error,omitempty"`
	Stack   string        `json:"stack,omitempty"`
	Excerpt string        `json:"excerpt,omitempty"` // the source at its first place
	Log     []string      `json:"log,omitempty"`     // what the app and the test logged, of one that failed
}

// Exit is 1 for a test that failed.
func (o testOut) Exit() int {
	if o.Failed > 0 {
		return 1
	}
	return 0
}

// WriteText prints a line for each test, and what is known of those that failed.
func (o testOut) WriteText(w *op.Screen) error {
	for _, f := range o.Files {
		w.Printf("%s (%s)\n", f.File, f.App)
		for _, t := range f.Tests {
			t.writeText(w)
		}
		if f.Error != "" {
			problemLine(w, f.Error)
		}
	}
	return w.Printf("\n%d passed, %d failed, %d skipped\n", o.Passed, o.Failed, o.Skipped)
}

func (t testView) writeText(w *op.Screen) {
	mark := map[string]string{"passed": "ok", "skipped": "--", "failed": w.Paint(op.Red, "FAIL")}[t.State]
	w.Printf("  %s %s", mark, t.Name)
	if t.State == "skipped" {
		w.Printf(" (skipped)\n")
		return
	}
	w.Printf("  %s\n", took(t.Took))
	if t.Error == "" {
		return
	}
	w.Printf("%s\n", indented(w.Paint(op.Red, t.Error)))
	for _, part := range []string{t.Stack, t.Excerpt} {
		if part != "" {
			w.Printf("%s\n", indented(part))
		}
	}
	if len(t.Log) > 0 {
		w.Printf("%s\n", indented("log:\n  "+strings.Join(t.Log, "\n  ")))
	}
}

func indented(text string) string {
	return "     " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n     ")
}

func (p *program) test(ctx context.Context, in testIn) (out testOut, err error) {
	if _, err := regexp.Compile(in.Grep); err != nil {
		return out, fault.New(fault.Invalid, "--grep %q is no regular expression", in.Grep)
	}
	dir := p.path(in.Dir)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return out, fault.New(fault.NotFound, "there is no folder %q", in.Dir)
	}
	cfg, clean, err := p.devConfig(dir, devIn{Dir: in.Dir, Once: true, Var: in.Var})
	if err != nil {
		return out, err
	}
	defer clean()
	said := new(saidLines)
	cfg.trial, cfg.said = true, said.app
	ctx, stop := stopSignals(ctx)
	defer stop()
	n, err := openNode(ctx, cfg)
	if err != nil {
		return out, err
	}
	defer n.Close()
	if err := n.pass(ctx); err != nil {
		return out, err
	}
	t := tester{node: n, dir: dir, in: in, said: said}
	return t.all(ctx)
}

// pass brings the node once to what its source says, and no further: what follows
// the folder, does jobs and listens is not started.
func (n *node) pass(ctx context.Context) error {
	loop := start(ctx, n.runLoop)
	result, err := n.loop.Sync(ctx, reconcile.SyncRequest{Wait: true, Actor: n.actor})
	if err == nil {
		err = problemError(result)
	}
	return errors.Join(err, loop.stop())
}

// tester runs files of tests, one after the other.
type tester struct {
	node *node
	dir  string
	in   testIn
	said *saidLines
	runs int
}

func (t *tester) all(ctx context.Context) (out testOut, err error) {
	objects, err := t.node.edge.Observe(ctx)
	if err != nil {
		return out, err
	}
	if err := t.known(objects); err != nil {
		return out, err
	}
	out.Files = []testFile{}
	for _, o := range objects {
		if o.Kind != spec.KindApp || len(t.in.App) > 0 && !slices.Contains(t.in.App, o.Name) {
			continue
		}
		files, err := t.find(o)
		if err != nil {
			return out, err
		}
		for _, file := range files {
			f, err := t.file(ctx, objects, o, file)
			if err != nil {
				return out, err
			}
			out.add(f)
		}
	}
	return out, out.checked(t.in.Grep)
}

// known refuses the name of an app that there is not.
func (t *tester) known(objects []spec.Object) error {
	for _, name := range t.in.App {
		if !slices.ContainsFunc(objects, func(o spec.Object) bool { return o.Kind == spec.KindApp && o.Name == name }) {
			return fault.New(fault.NotFound, "there is no app %q", name).WithSubject(name)
		}
	}
	return nil
}

// checked refuses a run that tested nothing.
func (o testOut) checked(grep string) error {
	switch ran := o.Passed + o.Failed + o.Skipped; {
	case len(o.Files) == 0:
		return fault.New(fault.NotFound, "there are no tests").
			WithHint("write them beside an app's code in NAME.test.ts: fazt docs guides/test-an-app")
	case ran == 0:
		return fault.New(fault.NotFound, "no test fits %q", grep).WithHint("names are \"suite > test\"")
	}
	return nil
}

// add counts a file's tests; one that a pattern leaves nothing of is not shown.
func (o *testOut) add(f testFile) {
	if f.Error != "" {
		o.Failed++
	}
	for _, t := range f.Tests {
		switch t.State {
		case "passed":
			o.Passed++
		case "failed":
			o.Failed++
		default:
			o.Skipped++
		}
	}
	o.Files = append(o.Files, f)
}

// find lists the files of tests in an app's folder.
func (t *tester) find(o spec.Object) (files []string, err error) {
	folder, err := t.folder(o)
	if err != nil {
		return nil, err
	}
	err = fs.WalkDir(folder, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case d.Type().IsRegular() && spec.IsTest(d.Name()):
			files = append(files, name)
		}
		return nil
	})
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "look for tests of %q", o.Addr)
	}
	return files, nil
}

// contentOf is the folder of an app, from that of the configuration.
func contentOf(o spec.Object) (string, error) {
	var app spec.App
	if err := json.Unmarshal(o.Spec, &app); err != nil {
		return "", fault.Wrap(fault.Internal, err, "read the object %s", o.Addr)
	}
	return app.Content, nil
}

// folder is an app's own.
func (t *tester) folder(o spec.Object) (fs.FS, error) {
	content, err := contentOf(o)
	return os.DirFS(filepath.Join(t.dir, filepath.FromSlash(content))), err
}

// file runs one file of tests, with data of its own.
func (t *tester) file(ctx context.Context, objects []spec.Object, o spec.Object, name string) (out testFile, err error) {
	content, err := contentOf(o)
	if err != nil {
		return out, err
	}
	out = testFile{App: o.Name, File: path.Join(content, name), Tests: []testView{}}
	b, err := t.fresh(ctx, objects, o)
	if fault.KindOf(err) == fault.NotFound {
		out.Error = fault.Message(err)
		return out, nil
	}
	if err != nil {
		return out, err
	}
	defer b.Close()
	folder, err := t.folder(o)
	if err != nil {
		return out, err
	}
	ran, err := b.Test(ctx, edge.Trial{
		Files: folder, File: name, Grep: t.in.Grep, Said: t.said.test,
		Begin: func(string) { t.said.take() },
		End:   func(r edge.Tested) { out.Tests = append(out.Tests, viewOfTest(r, t.said.take())) },
	})
	switch {
	case ctx.Err() != nil:
		return out, ctx.Err()
	case err != nil:
		out.Error = testTrouble(err)
	case ran == 0 && len(out.Tests) == 0 && t.in.Grep == "":
		out.Error = "the file has no test"
	}
	return out, nil
}

// testTrouble is why a file could not be run, as its author needs it.
func testTrouble(err error) string {
	text := script.Trace(err)
	if hint := fault.HintOf(err); hint != "" {
		text += "\nhint: " + hint
	}
	return text
}

func viewOfTest(r edge.Tested, log []string) testView {
	v := testView{Name: r.Name, State: "passed", Took: r.Took, Error: r.Error, Stack: r.Stack, Excerpt: r.Excerpt}
	switch {
	case r.Skipped:
		v.State = "skipped"
	case r.Error != "":
		v.State, v.Log = "failed", log
	}
	return v
}

// fresh gives every app that runs code data which nobody has seen, and opens one of
// them. Nothing is bundled again: only the data's names differ.
func (t *tester) fresh(ctx context.Context, objects []spec.Object, o spec.Object) (*edge.Backend, error) {
	t.runs++
	if t.runs > 1 {
		desired := edge.Desired{Objects: slices.Clone(objects), Folder: t.folder}
		for i := range desired.Objects {
			if d := &desired.Objects[i]; d.Kind == spec.KindApp && d.Content.Program != nil {
				d.Data = fmt.Sprintf("%s-test-%d", d.Name, t.runs)
			}
		}
		staged, err := t.node.edge.Stage(ctx, desired)
		if err != nil {
			return nil, err
		}
		if faults := staged.Faults(); len(faults) > 0 {
			staged.Discard()
			return nil, faults[0].Err
		}
		staged.Publish(uint64(t.runs))
	}
	return t.node.edge.Backend(o.Addr)
}

// saidLines are what apps and tests said since somebody took them.
type saidLines struct {
	mu    sync.Mutex
	lines []string
}

func (s *saidLines) app(app string, l applog.Line) { s.add(app+": ", l.Level, l.Text) }

func (s *saidLines) test(l script.Line) { s.add("", l.Level, l.Text) }

func (s *saidLines) add(who, level, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, level+" "+who+strings.TrimRight(text, "\n"))
}

func (s *saidLines) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := s.lines
	s.lines = nil
	return lines
}
