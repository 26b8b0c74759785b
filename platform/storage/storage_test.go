package storage_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/storage"
)

// open returns the storage of a new app.
func open(t testing.TB, s storage.Settings) *storage.App {
	t.Helper()
	return openIn(t, pool(t, filepath.Join(t.TempDir(), "app")), "notes-41", s)
}

func pool(t testing.TB, dir string) *storage.Pool {
	t.Helper()
	p := storage.NewPool(dir, storage.Options{})
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func openIn(t testing.TB, p *storage.Pool, id string, s storage.Settings) *storage.App {
	t.Helper()
	a, err := p.Open(t.Context(), id, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

// is fails the test unless the error has the kind.
func is(t testing.TB, err error, kind fault.Kind) {
	t.Helper()
	if fault.KindOf(err) != kind {
		t.Errorf("%s: %v, want %s", fault.KindOf(err), err, kind)
	}
}

func ok(t interface {
	Helper()
	Fatal(...any)
}, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func text(s string) storage.Value { return storage.Value{Data: []byte(s), Text: true} }

func farAway() time.Time { return time.Now().Add(1000 * time.Hour) }
