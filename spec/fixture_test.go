package spec_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/fazt-sh/fazt/spec"
)

// Fixtures are the language by example. A txtar archive is a repository; its
// comment may hold lines that set the input: "node: fra-1", "all: true",
// "domain: localhost", "var: name=value". In valid/ the file want.json is what
// comes of it. In errors/ and warnings/ a line that is at fault ends in
// "# ERROR: summary" or "# WARNING: summary", and what has no place, or one
// that cannot hold a comment ("# ERROR at file:line: …"), stands in the archive's. A plain .hcl file is a repository of that one file.

// fixture is one repository of testdata.
type fixture struct {
	path    string
	archive *txtar.Archive
	input   spec.Input
}

func fixtures(t *testing.T, folder string) []fixture {
	t.Helper()
	var list []fixture
	for _, pattern := range []string{"*.txtar", "*.hcl"} {
		paths, err := filepath.Glob(filepath.Join("testdata", folder, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paths {
			list = append(list, open(t, p))
		}
	}
	if len(list) == 0 {
		t.Fatalf("there are no fixtures in %q", folder)
	}
	return list
}

func open(t *testing.T, path string) fixture {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f := fixture{path: path, archive: &txtar.Archive{Files: []txtar.File{{Name: "fazt.hcl", Data: text}}}}
	if filepath.Ext(path) == ".txtar" {
		f.archive = txtar.Parse(text)
	}
	files := map[string]string{}
	for _, file := range f.archive.Files {
		files[file.Name] = string(file.Data)
	}
	f.input = spec.Input{Tree: repo(files), Vars: map[string]string{}}
	for _, line := range strings.Split(string(f.archive.Comment), "\n") {
		key, value, _ := strings.Cut(line, ": ")
		switch key {
		case "node":
			f.input.Node = value
		case "all":
			f.input.AllApps = true
		case "domain":
			f.input.Domain = value
		case "var":
			name, text, _ := strings.Cut(value, "=")
			f.input.Vars[name] = text
		}
	}
	return f
}

// wanted is the part of a Spec that a fixture keeps: what the plan compares.
type wanted struct {
	Node      string         `json:"node"`
	Objects   []wantObject   `json:"objects"`
	Elsewhere []spec.Addr    `json:"elsewhere,omitempty"`
	Moved     []string       `json:"moved,omitempty"`
	Removed   []string       `json:"removed,omitempty"`
	Personas  []spec.Persona `json:"personas,omitempty"`
}

type wantObject struct {
	Addr spec.Addr       `json:"addr"`
	Name string          `json:"name"`
	Line string          `json:"line,omitempty"`
	Spec json.RawMessage `json:"spec"`
}

func wantOf(s *spec.Spec) []byte {
	w := wanted{Node: s.Node, Elsewhere: s.Elsewhere, Personas: s.Personas}
	for _, m := range s.Moved {
		w.Moved = append(w.Moved, fmt.Sprintf("%s to %s at line %d", m.From, m.To, m.Range.Start.Line))
	}
	for _, r := range s.Removed {
		w.Removed = append(w.Removed, fmt.Sprintf("%s: %s at line %d", r.From, r.OnRemove, r.Range.Start.Line))
	}
	for _, o := range s.Objects {
		line := ""
		if o.Range.Filename != "" {
			line = fmt.Sprintf("%s:%d", o.Range.Filename, o.Range.Start.Line)
		}
		w.Objects = append(w.Objects, wantObject{o.Addr, o.Name, line, o.Spec})
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	_ = enc.Encode(w)
	return b.Bytes()
}

func TestValid(t *testing.T) {
	for _, f := range fixtures(t, "valid") {
		t.Run(filepath.Base(f.path), func(t *testing.T) {
			out := spec.Load(f.input)
			if out.Spec == nil || len(out.Diagnostics) > 0 || len(out.Spec.Stalled) > 0 {
				t.Fatalf("not valid: %v", findings(out))
			}
			i := slices.IndexFunc(f.archive.Files, func(file txtar.File) bool { return file.Name == "want.json" })
			if i < 0 {
				f.archive.Files = append(f.archive.Files, txtar.File{Name: "want.json"})
				i = len(f.archive.Files) - 1
			}
			got := wantOf(out.Spec)
			if bytes.Equal(got, f.archive.Files[i].Data) {
				return
			}
			if !*update {
				t.Fatalf("got %s", got)
			}
			f.archive.Files[i].Data = got
			if err := os.WriteFile(f.path, txtar.Format(f.archive), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// findings is everything that was said about a revision and its apps.
func findings(out spec.Output) spec.Diagnostics {
	all := slices.Clone(out.Diagnostics)
	if out.Spec != nil {
		for _, ds := range out.Spec.Stalled {
			all = append(all, ds...)
		}
	}
	return all.Sort()
}

var expectation = regexp.MustCompile(`# (ERROR|WARNING)(?: at (\S+))?: (.*)$`)

// expected reads the expectations of a fixture as "file:line severity: text".
func (f fixture) expected() []string {
	var want []string
	collect := func(name string, text []byte) {
		for i, line := range strings.Split(string(text), "\n") {
			if m := expectation.FindStringSubmatch(line); m != nil {
				place := cmp.Or(m[2], "nowhere")
				if name != "" {
					place = fmt.Sprintf("%s:%d", name, i+1)
				}
				for _, summary := range strings.Split(m[3], " && ") {
					want = append(want, fmt.Sprintf("%s %s: %s", place, strings.ToLower(m[1]), summary))
				}
			}
		}
	}
	collect("", f.archive.Comment)
	for _, file := range f.archive.Files {
		collect(file.Name, file.Data)
	}
	slices.Sort(want)
	return want
}

func said(ds spec.Diagnostics) []string {
	var got []string
	for _, d := range ds {
		place := "nowhere"
		if d.Range != nil {
			place = fmt.Sprintf("%s:%d", d.Range.Filename, d.Range.Start.Line)
		}
		got = append(got, fmt.Sprintf("%s %s: %s", place, d.Severity, d.Summary))
	}
	slices.Sort(got)
	return got
}

func TestFaults(t *testing.T) {
	for _, folder := range []string{"errors", "warnings"} {
		for _, f := range fixtures(t, folder) {
			t.Run(folder+"/"+filepath.Base(f.path), func(t *testing.T) {
				found := spec.Load(f.input).Findings()
				if got, want := said(found), f.expected(); !slices.Equal(got, want) {
					t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
				}
				for _, d := range found {
					judgeDiagnostic(t, d)
				}
			})
		}
	}
}

// judgeDiagnostic holds every diagnostic to the style: a code, a lower-case
// summary without a full stop, and the text it points into.
func judgeDiagnostic(t *testing.T, d spec.Diagnostic) {
	t.Helper()
	if !regexp.MustCompile(`^F[1-3]\d{3}$`).MatchString(d.Code) {
		t.Errorf("%q has the code %q", d.Summary, d.Code)
	}
	if d.Summary == "" || strings.HasSuffix(d.Summary, ".") || strings.Contains(d.Summary, "\n") || regexp.MustCompile(`^[A-Z][a-z]`).MatchString(d.Summary) {
		t.Errorf("summary %q is not in the house style", d.Summary)
	}
	if d.Range != nil && d.Snippet == nil {
		t.Errorf("%q points into %s:%d and shows nothing", d.Summary, d.Range.Filename, d.Range.Start.Line)
	}
}
