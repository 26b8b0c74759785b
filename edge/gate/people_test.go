package gate_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/identity"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

func openPeople(t *testing.T, db *sqlite.DB, now func() time.Time) *identity.Directory {
	t.Helper()
	people, err := identity.Open(t.Context(), identity.Config{DB: db, Key: filepath.Join(t.TempDir(), identity.KeyFile), Clock: now})
	if err != nil {
		t.Fatal(err)
	}
	return people
}
