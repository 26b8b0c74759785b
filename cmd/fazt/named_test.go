package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// namedTest is how pages name the test that shows something: `edge/gate.TestTarget`.
var namedTest = regexp.MustCompile("`([a-z/]+)\\.((?:Test|Fuzz)[A-Z]\\w*)`")

// A page that says what stops an attack names tests that there are, or else nobody would
// notice that one is gone.
func TestPagesNameTests(t *testing.T) {
	sources := map[string]string{} // of the tests of a package
	named := 0
	for _, p := range book(t) {
		for _, m := range namedTest.FindAllStringSubmatch(p.text, -1) {
			named++
			dir, name := m[1], m[2]
			if _, known := sources[dir]; !known {
				sources[dir] = testsOf(t, filepath.Join(checkout, dir))
			}
			if !strings.Contains(sources[dir], "\nfunc "+name+"(") {
				t.Errorf("%s names %s of %s, and there is no such test", p.name, name, dir)
			}
		}
	}
	if named < 80 {
		t.Errorf("only %d tests are named: is the form another?", named)
	}
}

// testsOf are the tests of a package, whatever tags they are built with.
func testsOf(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Errorf("there are no tests in %s: %v", dir, err)
	}
	var all strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}
