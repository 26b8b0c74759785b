package spec_test

import (
	"slices"
	"testing"

	"github.com/fazt-sh/fazt/spec"
)

// One mistake of the hand is one finding, at the place of the mistake.
func TestOneSlipIsOneFinding(t *testing.T) {
	type finding struct{ code, marked, summary string }
	for name, c := range map[string]struct {
		text string
		want []finding
	}{
		"lost quote":       {"app \"a\" {\n  content = \"x\n  spa = true\n}\napp \"b\" {\n  content = \"y\"\n}\n", []finding{{"F1001", `"x`, "this text has no closing quote"}}},
		"lost label quote": {"app \"a {\n  content = \"x\"\n}\n", []finding{{"F1001", `"a {`, "this text has no closing quote"}}},
		"lost brace":       {"app \"a\" {\n  content = \"x\"\n", []finding{{"F1001", "{", "this block has no closing brace"}}},
		"lost ${":          {"app \"a\" {\n  content = \"${var.x\"\n}\n", []finding{{"F1001", "${", "this ${ has no closing brace"}}},
		"lost bracket":     {"app \"a\" {\n  hosts = [\"x\", \"y\"\n  content = \"x\"\n}\n", []finding{{"F1001", "content", "missing item separator"}}},
		"endless text":     {"app \"a\" {\n  content = <<EOT\nx\n}\n", []finding{{"F1001", "<<EOT", "this text has no end"}}},
		"single quotes":    {"app \"a\" {\n  content = 'x'\n}\n", []finding{{"F1001", "'", "invalid character"}}},
		"argument twice":   {"app \"a\" {\n  content = \"x\"\n  content = \"y\"\n}\n", []finding{{"F1202", "content", `argument "content" is set twice`}}},
		"one line":         {"app \"a\" { content = \"x\", spa = true }\n", []finding{{"F1001", ",", "a block on one line holds one argument"}}},
		"colon":            {"app \"a\" {\n  content: \"x\"\n}\n", []finding{{"F1001", "content", "expected an argument or a block"}}},
		"two slips":        {"app \"a\" {\n  content = x y\n  spa == true\n}\n", []finding{{"F1001", "y", "missing newline after argument"}, {"F1001", "spa", "expected an argument or a block"}}},
	} {
		out := spec.Load(spec.Input{Tree: repo(map[string]string{"a.fazt.hcl": c.text})})
		var got []finding
		for _, d := range out.Findings() {
			marked := ""
			if s := d.Snippet; s != nil {
				marked = s.Code[s.Start:s.End]
			}
			got = append(got, finding{d.Code, marked, d.Summary})
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
