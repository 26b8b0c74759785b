package bundle_test

import (
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/platform/bundle"
)

// A file of tests becomes a program that runs them, also where a package says that
// its files do nothing by themselves; elsewhere neither it nor "fazt:test" exists.
func TestFilesOfTests(t *testing.T) {
	files := tree("api/a.test.ts", `import { test } from "fazt:test"; test("the only one", () => {});`, "package.json", `{"sideEffects": false}`,
		"api/main.ts", `import { test } from "fazt:test"; import "./a.test"; export default () => test`)
	made, err := bundle.Bundle(t.Context(), bundle.Job{Name: "app", Files: files, Entry: "api/a.test.ts", Test: true, Dir: t.TempDir()})
	if err != nil || !strings.Contains(string(made.Code), "the only one") || !strings.Contains(string(made.Code), "as default") {
		t.Errorf("%v\n%s", err, made.Code)
	}
	_, err = bundle.Bundle(t.Context(), bundle.Job{Name: "app", Files: files, Entry: "api/main.ts", Dir: t.TempDir()})
	for _, says := range []string{`"fazt:test" is for tests alone`, `"./a.test" is a file of tests`} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
	}
}
