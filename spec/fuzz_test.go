package spec_test

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/fazt-sh/fazt/spec"
)

// FuzzLoad feeds any text to the loader, as HCL and as JSON, beside a file that
// is fine: it must return, keep that other app, and never make an app of the
// text vanish without a word.
func FuzzLoad(f *testing.F) {
	for _, folder := range []string{"errors", "valid"} {
		for _, name := range []string{"arguments.hcl", "later.hcl", "references.hcl", "cycles.hcl", "rules.hcl", "foreach.hcl", "check.hcl", "limits.hcl", "tls-keys.hcl", "program.hcl", "secrets.hcl", "services.txtar", "people.hcl", "people.txtar", "workload.hcl", "workload.txtar", "grants.txtar", "signin.hcl", "signin.txtar", "docrules.hcl", "rules.txtar", "personas.hcl", "program.txtar", "limits.txtar", "tls.txtar", "whole.txtar", "json.txtar"} {
			addSeed(f, "testdata/"+folder+"/"+name)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 4096 {
			return // a bomb is the bounded child's to stop, not this test's
		}
		for _, name := range []string{"x.fazt.hcl", "x.fazt.json"} {
			files := map[string]string{name: string(text), "other.fazt.hcl": "app \"other\" {\n  content = \"other\"\n}\n"}
			out := spec.Load(spec.Input{Tree: repo(files)})
			if (out.Spec == nil) != out.Diagnostics.HasErrors() {
				t.Fatalf("refused and errors disagree: %v", out.Diagnostics)
			}
			for _, d := range findings(out) {
				if d.Code == "F1007" {
					t.Fatalf("a defect: %s", d.Summary)
				}
				judgeDiagnosticShape(t, d, text)
			}
			if _, err := json.Marshal(out); err != nil {
				t.Fatal(err)
			}
			if out.Spec == nil {
				continue
			}
			other := slices.ContainsFunc(out.Spec.Objects, func(o spec.Object) bool { return o.Addr == "app.other" })
			if _, stalled := out.Spec.Stalled["app.other"]; !other && !stalled {
				t.Fatal("the other app is gone")
			}
		}
	})
}

func addSeed(f *testing.F, path string) {
	text, err := os.ReadFile(path)
	if err == nil { // a name stands for the folders that have it
		f.Add(text)
	}
}

// judgeDiagnosticShape holds every range to the text it points into.
func judgeDiagnosticShape(t *testing.T, d spec.Diagnostic, text []byte) {
	t.Helper()
	if d.Code == "" || d.Summary == "" {
		t.Fatalf("a finding without code or summary: %+v", d)
	}
	if d.Range == nil || d.Range.Filename[0] != 'x' {
		return
	}
	if r := *d.Range; r.Start.Byte < 0 || r.End.Byte < r.Start.Byte || r.End.Byte > len(text)+1 || r.Start.Line < 1 {
		t.Fatalf("%s points to %+v of %d bytes", d.Code, r, len(text))
	}
	if s := d.Snippet; s != nil && (s.Start < 0 || s.End < s.Start || s.End > len(s.Code)) {
		t.Fatalf("%s marks %d to %d of %q", d.Code, s.Start, s.End, s.Code)
	}
}
