package spec_test

import (
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fazt-sh/fazt/spec"
)

// usedCodes are the codes that stand in the sources of the whole program, as
// any of them may reach a person who then asks for its page.
func usedCodes(t *testing.T) []string {
	literal := regexp.MustCompile(`"(F\d{4})"`)
	seen := map[string]bool{}
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && name != "." && (strings.HasPrefix(e.Name(), ".") || e.Name() == "testdata") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		src, err := fs.ReadFile(root, name)
		for line := range strings.Lines(string(src)) {
			code, _, _ := strings.Cut(line, "//") // comments name codes as examples
			for _, m := range literal.FindAllStringSubmatch(code, -1) {
				seen[m[1]] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for code := range seen {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	return codes
}

func TestEveryCodeHasAPageAndEveryPageACode(t *testing.T) {
	var documented []string
	for _, page := range spec.Codes() {
		documented = append(documented, page.Code)
		if page.Title == "" || strings.HasPrefix(page.Title, "#") || len(page.Body) < 80 {
			t.Errorf("%s: the page begins with %q and says %q", page.Code, page.Title, page.Body)
		}
	}
	used := usedCodes(t)
	for _, code := range used {
		if !slices.Contains(documented, code) {
			t.Errorf("%s is used and has no page: write spec/explain/%s.md", code, code)
		}
	}
	for _, code := range documented {
		if !slices.Contains(used, code) {
			t.Errorf("%s has a page and is not used any more", code)
		}
	}
}

// TestExamplesOfPages runs what the pages show: the first example yields the
// code and the second yields nothing.
func TestExamplesOfPages(t *testing.T) {
	example := regexp.MustCompile("(?s)```(hcl|json)\n(.*?)```")
	ran := 0
	for _, page := range spec.Codes() {
		found := example.FindAllStringSubmatch(page.Body, -1)
		if len(found) == 0 {
			continue
		}
		if len(found) != 2 {
			t.Errorf("%s: %d examples, want one that fails and one that works", page.Code, len(found))
			continue
		}
		ran++
		if codes := codesOf(found[0][1], found[0][2]); !slices.Equal(codes, []string{page.Code}) {
			t.Errorf("%s: the first example yields %v", page.Code, codes)
		}
		if codes := codesOf(found[1][1], found[1][2]); len(codes) > 0 {
			t.Errorf("%s: the second example yields %v", page.Code, codes)
		}
		if form, text := found[1][1], found[1][2]; form == "hcl" {
			if formatted, _ := spec.Format("fazt.hcl", []byte(text)); string(formatted) != text {
				t.Errorf("%s: the second example is not formatted:\n%s", page.Code, formatted)
			}
		}
	}
	if ran < 30 {
		t.Errorf("only %d pages have examples", ran)
	}
}

// codesOf loads a configuration of one file and returns the codes it yields,
// each once.
func codesOf(form, text string) []string {
	name := map[string]string{"hcl": "fazt.hcl", "json": "a.fazt.json"}[form]
	out := spec.Load(spec.Input{Tree: &countingTree{MapFS: fstest.MapFS{name: {Data: []byte(text)}}}})
	all := slices.Clone(out.Diagnostics)
	if out.Spec != nil {
		all = append(all, out.Spec.Warnings...)
		for _, diags := range out.Spec.Stalled {
			all = append(all, diags...)
		}
	}
	var codes []string
	for _, d := range all {
		codes = append(codes, d.Code)
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

func TestExplain(t *testing.T) {
	page, ok := spec.Explain("f1203")
	if !ok || page.Code != "F1203" || page.Title != "unknown argument" || strings.Contains(page.Body, "# unknown") {
		t.Errorf("got %+v, %v", page, ok)
	}
	for _, code := range []string{"", "F9999", "../codes", "F1203.md", "explain/F1203"} {
		if page, ok := spec.Explain(code); ok {
			t.Errorf("Explain(%q) = %+v", code, page)
		}
	}
}
