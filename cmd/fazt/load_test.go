package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile/source"
	"github.com/fazt-sh/fazt/spec"
)

// manyApps is a repository of n apps, each in a file of its own.
func manyApps(n int) map[string]string {
	files := map[string]string{"fazt.hcl": "edge {\n  domain = \"localhost\"\n}\n"}
	for i := range n {
		name := fmt.Sprintf("a-%04d", i)
		files["apps/"+name+"/app.fazt.hcl"] = fmt.Sprintf("app %q {\n  content = \"apps/%s\"\n  headers = [{ path = \"/*\", set = { X = \"<1>\" } }]\n}\n", name, name)
	}
	return files
}

func changed(files map[string]string, name, text string) map[string]string {
	files = maps.Clone(files)
	files[name] = text
	return files
}

// tree is a folder as the loop gives it to the loader.
func treeOf(t testing.TB, files map[string]string) spec.Tree {
	t.Helper()
	disk := fstest.MapFS{}
	for name, text := range files {
		disk[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	tree, err := source.FS(disk)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tree.ID("."); err != nil {
		t.Fatal(err)
	}
	return tree
}

// watched is a node's loader that notes what each load cost.
type watched struct {
	*nodeLoader
	said *bytes.Buffer
}

func watchedLoader(t testing.TB) watched {
	said := new(bytes.Buffer)
	w := watched{newNodeLoader(slog.New(slog.NewJSONHandler(said, &slog.HandlerOptions{Level: slog.LevelDebug}))), said}
	t.Cleanup(func() { w.Close() })
	return w
}

type loadCost struct{ Files, Evaluated, Moved int }

func (w watched) load(t testing.TB, in spec.Input) (spec.Output, loadCost) {
	t.Helper()
	w.said.Reset()
	out, err := w.Load(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	var c loadCost
	if err := json.Unmarshal(w.said.Bytes(), &c); err != nil {
		t.Fatalf("%v: %s", err, w.said)
	}
	return out, c
}

// What passes to the child and back grows with what changed, not with how many
// apps there are.
func TestALoadCostsWhatChanged(t *testing.T) {
	w := watchedLoader(t)
	files := manyApps(1000)
	cold, cost := w.load(t, spec.Input{Tree: treeOf(t, files)})
	if cold.Spec == nil || len(cold.Spec.Objects) != 1002 || cost.Evaluated != 1000 {
		t.Fatalf("%+v %v", cost, cold.Diagnostics)
	}
	one := changed(files, "apps/a-0500/app.fazt.hcl", "app \"a-0500\" {\n  content = \"apps/new\"\n}\n")
	out, cost := w.load(t, spec.Input{Tree: treeOf(t, one), Known: cold.Units})
	if cost.Evaluated != 1 || cost.Moved > 4096 || out.Files != 1001 {
		t.Errorf("one of 1000 apps changed: %+v", cost)
	}
	if whole := spec.Load(spec.Input{Tree: treeOf(t, one)}); !reflect.DeepEqual(out.Spec, whole.Spec) {
		t.Error("what the child and the node made of it together is not what one process makes of it")
	}
	out, cost = w.load(t, spec.Input{Tree: treeOf(t, changed(one, "apps/a-0500/index.html", "new")), Known: out.Units})
	if cost.Moved != 0 || out.Spec == nil || len(out.Spec.Objects) != 1002 {
		t.Errorf("no configuration changed: %+v %v", cost, out.Diagnostics)
	}
	_, cost = w.load(t, spec.Input{Tree: treeOf(t, changed(one, "fazt.hcl", "edge {\n  domain = \"example.com\"\n}\n")), Known: out.Units})
	if cost.Evaluated != 1000 {
		t.Errorf("the domain changed: %+v", cost)
	}
}

// One check on all apps costs the canonical form of each, and nothing else of
// them.
func TestACheckCostsTheFormOfEachApp(t *testing.T) {
	w := watchedLoader(t)
	files := manyApps(100)
	files["check.fazt.hcl"] = "check \"few\" {\n  assert  = length(keys(app)) < 101 && app.a-0007.hosts[0] == \"a-0007.localhost\"\n  message = \"too many\"\n}\n"
	cold, _ := w.load(t, spec.Input{Tree: treeOf(t, files)})
	if cold.Spec == nil {
		t.Fatal(cold.Diagnostics)
	}
	files["apps/a-0000/app.fazt.hcl"] += "# changed\n"
	out, cost := w.load(t, spec.Input{Tree: treeOf(t, files), Known: cold.Units})
	if out.Spec == nil || cost.Evaluated != 1 || cost.Moved > 40_000 {
		t.Errorf("%+v %v", cost, out.Diagnostics)
	}
	files["apps/more.fazt.hcl"] = "app \"more\" {\n  content = \"more\"\n}\n"
	out, _ = w.load(t, spec.Input{Tree: treeOf(t, files), Known: cold.Units})
	if out.Spec != nil || len(out.Diagnostics) != 1 || out.Diagnostics[0].Code != "F1403" {
		t.Errorf("101 apps pass the check: %v", out.Diagnostics)
	}
}

// A file over its cap is a finding with a place, whatever its size, and the
// node reads no more of it than the cap.
func TestALargeFileIsAFinding(t *testing.T) {
	files := manyApps(1)
	files["large.fazt.hcl"] = strings.Repeat("# a story\n", 200_000)
	out, _ := watchedLoader(t).load(t, spec.Input{Tree: treeOf(t, files)})
	if out.Spec != nil || len(out.Diagnostics) != 1 || !strings.Contains(out.Diagnostics[0].Summary, "larger than 1 MiB") || out.Diagnostics[0].Range.Filename != "large.fazt.hcl" {
		t.Errorf("said %v", out.Diagnostics)
	}
}

// A tree that is damaged is no fault of the configuration.
func TestADamagedTreeIsAnError(t *testing.T) {
	tree := damagedTree{treeOf(t, manyApps(2)), "apps/a-0001/app.fazt.hcl"}
	for _, l := range []interface {
		Load(context.Context, spec.Input) (spec.Output, error)
	}{loader{slog.New(slog.DiscardHandler)}, watchedLoader(t)} {
		if out, err := l.Load(t.Context(), spec.Input{Tree: tree}); err == nil || !strings.Contains(err.Error(), "the mirror is damaged") {
			t.Errorf("error %v, output %v", err, out.Diagnostics)
		}
	}
}

// BenchmarkLoadWarm1000 is the load step of a node with a thousand apps when
// one of them changed, through the real child, and when none did.
func BenchmarkLoadWarm1000(b *testing.B) {
	w := watchedLoader(b)
	files := manyApps(1000)
	before := treeOf(b, files)
	cold, _ := w.load(b, spec.Input{Tree: before})
	var after []spec.Tree
	for i := range 16 {
		after = append(after, treeOf(b, changed(files, "apps/a-0500/app.fazt.hcl", fmt.Sprintf("app \"a-0500\" {\n  content = \"apps/%d\"\n}\n", i))))
	}
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, cost := w.load(b, spec.Input{Tree: after[i%16], Known: cold.Units}); cost.Evaluated != 1 {
				b.Fatalf("%+v", cost)
			}
		}
	})
	b.Run("none", func(b *testing.B) {
		w.load(b, spec.Input{Tree: before, Known: cold.Units})
		b.ReportAllocs()
		for b.Loop() {
			if _, cost := w.load(b, spec.Input{Tree: before, Known: cold.Units}); cost.Moved != 0 {
				b.Fatalf("%+v", cost)
			}
		}
	})
}

// damagedTree cannot give one of its files.
type damagedTree struct {
	spec.Tree
	file string
}

func (t damagedTree) Open(name string) (fs.File, error) {
	if name == t.file {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fault.New(fault.Unavailable, "the mirror is damaged")}
	}
	return t.Tree.Open(name)
}
