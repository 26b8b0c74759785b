package bundle_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/fazt-sh/fazt/platform/bundle"
)

// Packages that people bring become programs, without a warning.
func TestPackages(t *testing.T) {
	if testing.Short() {
		t.Skip("too slow under the race detector: make test runs it")
	}
	for _, entry := range []string{"hono.ts", "hono-jsx.tsx", "zod.ts", "jose.ts", "nanoid.ts", "date-fns.ts", "react.tsx", "itty-router.ts", "valibot.ts", "marked.ts", "uuid.ts", "ulid.ts"} {
		t.Run(entry, func(t *testing.T) {
			t.Parallel()
			r, err := bundle.Bundle(t.Context(), bundle.Job{Name: entry, Files: os.DirFS("testdata/npm"), Entry: entry, Dir: t.TempDir()})
			if err != nil || len(r.Warnings) > 0 || len(r.Code) == 0 {
				t.Fatalf("%v, %v", err, r.Warnings)
			}
			t.Logf("%d KiB of %d files", len(r.Code)>>10, len(r.Inputs))
		})
	}
}

// The apps of the example repository become programs as they stand there.
func TestExamples(t *testing.T) {
	if testing.Short() {
		t.Skip("too slow under the race detector: make test runs it")
	}
	const site = "../../examples/site/"
	entries, err := filepath.Glob(site + "apps/*/api/main.ts")
	if err != nil || len(entries) < 5 {
		t.Fatalf("%q, %v", entries, err)
	}
	for _, entry := range entries {
		app := filepath.Dir(filepath.Dir(entry))
		r, err := bundle.Bundle(t.Context(), bundle.Job{Name: filepath.Base(app), Files: os.DirFS(app), Entry: "api/main.ts", Dir: t.TempDir()})
		if err != nil || len(r.Warnings) > 0 {
			t.Errorf("%s: %v, %v", app, err, r.Warnings)
		}
	}
	types, err := os.ReadFile(site + "fazt.d.ts")
	if err != nil || string(types) != bundle.Types() {
		t.Errorf("fazt.d.ts of the example is not the one that is handed out: %v", err)
	}
}
