package spec_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/spec"
)

func TestFormat(t *testing.T) {
	in := "app \"blog\" {\ncontent=\"apps/blog\"\n  hosts   = [ \"a\",\"b\" ] # two\n\tspa = true\n}\n\n\n"
	want := "app \"blog\" {\n  content = \"apps/blog\"\n  hosts   = [\"a\", \"b\"] # two\n  spa     = true\n}\n"
	got, diags := spec.Format("fazt.hcl", []byte(in))
	if string(got) != want || len(diags) != 0 {
		t.Errorf("got %q and %v, want %q", got, diags, want)
	}
}

func TestFormatLeavesBrokenFilesAlone(t *testing.T) {
	for _, in := range []string{"app \"blog {\n  content=1\n}\n", "a = [\n", "a = \"\xff\"\n", strings.Repeat("(", 100)} {
		got, diags := spec.Format("apps/blog/app.fazt.hcl", []byte(in))
		if string(got) != in || !diags.HasErrors() || diags[0].Range.Filename != "apps/blog/app.fazt.hcl" {
			t.Errorf("%q: got %q and %v", in, got, diags)
		}
	}
	json := "{\"app\":{}}"
	if got, diags := spec.Format("x.fazt.json", []byte(json)); string(got) != json || len(diags) != 0 {
		t.Errorf("JSON: got %q and %v", got, diags)
	}
}

// tokens returns what a file says, without layout.
func tokens(src []byte) []string {
	list, _ := hclsyntax.LexConfig(src, "x", hcl.InitialPos)
	var out []string
	for _, t := range list {
		if text := strings.TrimSpace(string(t.Bytes)); text != "" {
			out = append(out, text)
		}
	}
	return out
}

// checkFormat holds a formatted text to its two laws.
func checkFormat(t interface{ Fatalf(string, ...any) }, src []byte) {
	once, diags := spec.Format("x.fazt.hcl", src)
	if diags.HasErrors() {
		return
	}
	twice, diags := spec.Format("x.fazt.hcl", once)
	if diags.HasErrors() || !bytes.Equal(once, twice) {
		t.Fatalf("%q\nis formatted to\n%q\nand that to\n%q (%v)", src, once, twice, diags)
	}
	if a, b := strings.Join(tokens(src), " "), strings.Join(tokens(once), " "); a != b {
		t.Fatalf("%q\nis formatted to\n%q\nwhich says something else", src, once)
	}
}

func TestFormatIsIdempotent(t *testing.T) {
	pieces := rapid.SliceOfN(rapid.SampledFrom([]string{
		"a = 1\n", "abc=[1,\n2,3]\n", "b \"x\" {\n", "}\n", "# c\n", "x = <<-E\n  t ${a}\n  E\n", "o = {a=1,b : 2}\n", "\n", "  ", "\t",
		"c = a?b:-d\n", "s = \"%{ if a }x%{endif}\" // y\n", "f = f( x ... )\n", "{", "[", "(", ")", "]", "/* z */", "l = a[*].b [0]\n",
	}), 1, 30)
	rapid.Check(t, func(t *rapid.T) {
		checkFormat(t, []byte(strings.Join(pieces.Draw(t, "pieces"), "")))
	})
}

func FuzzFormat(f *testing.F) {
	for _, s := range []string{"a=1", "a {\nb = <<E\n x\nE\n}", "a = [ # c\n1\n]", "a = {\nb=1\ncc = 2}", "\ufeffa=1\r\n", "a=!b?-c:d[0].e"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) { checkFormat(t, src) })
}
