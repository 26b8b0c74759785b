package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// A copy that is made while others write is whole, and has every write that was
// acknowledged before it began.
func TestBackup(t *testing.T) {
	d := open(t)
	folder := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ { // two rows each, together
				if err := d.Write(t.Context(), func(tx *sqlite.Tx) error {
					return errors.Join(insert(tx, fmt.Sprintf("%d-%d-a", w, i)), insert(tx, fmt.Sprintf("%d-%d-b", w, i)))
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 10 {
		path := filepath.Join(folder, fmt.Sprint(i))
		for d.Stats().Writes < uint64(50*i) {
			count(t, d)
		}
		before := words(t, d)
		if err := d.Backup(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		copied := openAt(t, path, sqlite.Options{})
		if err := copied.Check(t.Context()); err != nil {
			t.Error(err)
		}
		got := words(t, copied)
		for _, w := range before {
			if _, ok := slices.BinarySearch(got, w); !ok {
				t.Fatalf("copy %d lacks %s", i, w)
			}
		}
		if len(got)%2 != 0 {
			t.Errorf("copy %d has half a write", i)
		}
		if err := copied.Close(); err != nil {
			t.Error(err)
		}
	}
	stop()
	wg.Wait()
	if err := d.Backup(t.Context(), filepath.Join(folder, "0")); fault.KindOf(err) != fault.Conflict {
		t.Errorf("over a file that is there: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Backup(ended, filepath.Join(folder, "none")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if files, err := os.ReadDir(folder); err != nil || len(files) != 10 {
		t.Errorf("%d files, %v", len(files), err)
	}
}
