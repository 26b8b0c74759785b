package plan_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"

	"github.com/fazt-sh/fazt/reconcile/plan"
	"github.com/fazt-sh/fazt/spec"
)

var update = flag.Bool("update", false, "rewrite the expected parts of testdata")

// fixture is the "input.json" of a golden file; before and after are its own
// parts so that they read as what they are.
type fixture struct {
	Revision   string                         `json:"revision"`
	Node       string                         `json:"node"`
	Generation uint64                         `json:"generation"`
	Elsewhere  []spec.Addr                    `json:"elsewhere"`
	Stalled    map[spec.Addr]spec.Diagnostics `json:"stalled"`
	Title      []string                       `json:"title"`
	Full       bool                           `json:"full"`
	Files      bool                           `json:"files"`
}

// TestGolden shows, case by case, what a person and a machine see of a plan.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { golden(t, file) })
	}
}

func golden(t *testing.T, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var in fixture
	read(t, archive, "input.json", &in)
	p := plan.Diff(plan.Input{
		Actual: objects(t, archive, "before"), Desired: objects(t, archive, "after"),
		Stalled: in.Stalled, Elsewhere: in.Elsewhere, Revision: in.Revision, Node: in.Node, Engine: "test",
		Generation: in.Generation,
	})
	var text, markdown, document bytes.Buffer
	if err := p.WriteText(&text, plan.TextOptions{Title: in.Title, Full: in.Full, Files: in.Files}); err != nil {
		t.Fatal(err)
	}
	if err := p.WriteMarkdown(&markdown); err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Indent(&document, encoded, "", "  "); err != nil {
		t.Fatal(err)
	}
	document.WriteByte('\n')
	got := []txtar.File{
		{Name: "plan.txt", Data: text.Bytes()},
		{Name: "plan.md", Data: markdown.Bytes()},
		{Name: "plan.json", Data: document.Bytes()},
	}
	if *update {
		rewrite(t, file, archive, got)
		return
	}
	for _, f := range got {
		if want := part(archive, f.Name); !bytes.Equal(want, f.Data) {
			t.Errorf("%s differs; run with -update and read the difference\ngot:\n%s\nwant:\n%s", f.Name, f.Data, want)
		}
	}
}

// objects reads what one side has: configuration, or a compact list in which files
// are path to content and the digests are worked out here.
func objects(t *testing.T, archive *txtar.Archive, side string) []spec.Object {
	t.Helper()
	if text := part(archive, side+".hcl"); text != nil {
		return loaded(t, text)
	}
	name := side + ".json"
	var list []struct {
		spec.Object
		Files   map[string]string `json:"files"`
		Sources map[string]string `json:"sources"`
		Fixed   string            `json:"fixed"` // what cannot change in place
	}
	read(t, archive, name, &list)
	out := make([]spec.Object, len(list))
	for i, l := range list {
		o := l.Object
		o.Kind = spec.Kind(strings.SplitN(string(o.Addr), ".", 2)[0])
		o.Digest, o.Immutable = hash(string(o.Spec)), hash(l.Fixed)
		if l.Files != nil {
			o.Content = contentOf(l.Files)
			o.Content.Sources = contentOf(l.Sources).Files
		}
		out[i] = o
	}
	return out
}

func read(t *testing.T, archive *txtar.Archive, name string, into any) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(part(archive, name)))
	if err := dec.Decode(into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func part(archive *txtar.Archive, name string) []byte {
	for _, f := range archive.Files {
		if f.Name == name {
			return f.Data
		}
	}
	return nil
}

func rewrite(t *testing.T, file string, archive *txtar.Archive, got []txtar.File) {
	t.Helper()
	kept := archive.Files[:0]
	for _, f := range archive.Files {
		if !strings.HasPrefix(f.Name, "plan.") {
			kept = append(kept, f)
		}
	}
	archive.Files = append(kept, got...)
	if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

// loaded are the objects of a configuration, each app with a page.
func loaded(t *testing.T, text []byte) []spec.Object {
	t.Helper()
	out := spec.Load(spec.Input{Tree: tree{fstest.MapFS{"fazt.hcl": {Data: text}}}})
	if out.Spec == nil || len(out.Findings()) > 0 {
		t.Fatalf("the configuration is not valid: %+v", out.Findings())
	}
	for i := range out.Spec.Objects {
		if o := &out.Spec.Objects[i]; o.Kind == spec.KindApp {
			o.Content = contentOf(map[string]string{"index.html": o.Name})
		}
	}
	return out.Spec.Objects
}

// tree is files in memory with an id each.
type tree struct{ fstest.MapFS }

func (t tree) ID(name string) (string, error) { return hash(name)[:40], nil }
