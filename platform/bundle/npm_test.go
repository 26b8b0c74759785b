package bundle_test

import (
	"os"
	"testing"

	"github.com/fazt-sh/fazt/platform/bundle"
)

// Packages that people bring become programs, without a warning.
func TestPackages(t *testing.T) {
	for _, entry := range []string{"hono.ts", "hono-jsx.tsx", "zod.ts", "jose.ts", "nanoid.ts", "date-fns.ts", "react.tsx"} {
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
