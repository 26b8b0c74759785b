package storage_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
	"github.com/fazt-sh/fazt/platform/storage"
)

func isOpen(a *storage.App) bool {
	return a.DB().Read(context.Background(), func(*sqlite.Tx) error { return nil }) == nil
}

// What somebody's record says is there, is not made anew in the place of what is gone.
func TestExpected(t *testing.T) {
	ctx, dir := t.Context(), filepath.Join(t.TempDir(), "app")
	p := storage.NewPool(dir, storage.Options{})
	a, err := p.Open(ctx, "a", storage.Settings{})
	ok(t, err)
	a.Close()
	ok(t, p.Close())
	p = storage.NewPool(dir, storage.Options{})
	defer p.Close()
	p.Expect("a", "b", "c")
	a, err = p.Open(ctx, "a", storage.Settings{})
	ok(t, err)
	a.Close()
	ok(t, os.MkdirAll(filepath.Join(dir, "c"), 0o700))
	ok(t, os.WriteFile(filepath.Join(dir, "c", "data.db"), nil, 0o600)) // SQLite takes it for a new one
	for _, gone := range []string{"b", "c"} {
		if _, err := p.Open(ctx, gone, storage.Settings{}); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s is opened: %v", gone, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "b")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder was made: %v", err)
	}
	ok(t, p.Remove(ctx, "b")) // given up
	b, err := p.Open(ctx, "b", storage.Settings{})
	ok(t, err)
	b.Close()
}

// An app is open while somebody uses it, and a while longer, and no longer.
func TestPool(t *testing.T) {
	ctx := t.Context()
	p := storage.NewPool(filepath.Join(t.TempDir(), "app"), storage.Options{Idle: 2})
	get := func(id string) *storage.App {
		t.Helper()
		a, err := p.Open(ctx, id, storage.Settings{})
		ok(t, err)
		return a
	}
	a, again := get("a"), get("a")
	if a.DB() != again.DB() {
		t.Error("an app is open twice")
	}
	a.Close()
	a.Close() // counts once
	for _, id := range []string{"b", "c", "d"} {
		get(id).Close()
	}
	if !isOpen(again) {
		t.Error("closed while it is used")
	}
	again.Close() // now b, c, d and a are idle, and two may be
	if c := get("d"); !isOpen(again) || !isOpen(c) {
		t.Error("closed though it was used last")
	}
	b := get("b") // opened anew
	if !isOpen(b) {
		t.Error("does not open again")
	}
	ok(t, p.Close())
	if isOpen(again) {
		t.Error("idle, and open after the pool was closed")
	}
	if !isOpen(b) {
		t.Error("closed while it is used, by the pool")
	}
	b.Close()
	if isOpen(b) {
		t.Error("still open after its last user, in a closed pool")
	}
	_, err := p.Open(ctx, "a", storage.Settings{})
	is(t, err, fault.Unavailable)
}

func TestPoolRefuses(t *testing.T) {
	p := pool(t, filepath.Join(t.TempDir(), "app"))
	for _, id := range []string{"", ".", "..", "a/b", "A", "a b", "-a", ".removed-a", strings.Repeat("a", 81), "é"} {
		_, err := p.Open(t.Context(), id, storage.Settings{})
		is(t, err, fault.Invalid)
		is(t, p.Remove(t.Context(), id), fault.Invalid)
	}
}

// Many who come and go at once find each app open once, or not at all.
func TestPoolUnderLoad(t *testing.T) {
	p := storage.NewPool(filepath.Join(t.TempDir(), "app"), storage.Options{Idle: 1})
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			for n := range 15 {
				a, err := p.Open(t.Context(), fmt.Sprint("app-", (i+n)%4), storage.Settings{Durability: sqlite.Normal})
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := a.Keys("CACHE").Incr(t.Context(), "n", 1, storage.PutOptions{}); err != nil {
					t.Error(err)
				}
				a.Close()
			}
		})
	}
	all.Wait()
	sum := 0
	for i := range 4 {
		e, _, err := openIn(t, p, fmt.Sprint("app-", i), storage.Settings{}).Keys("CACHE").Get(t.Context(), "n")
		ok(t, err)
		n := 0
		fmt.Sscan(string(e.Data), &n)
		sum += n
	}
	if sum != 90 {
		t.Errorf("%d of 90 writes", sum)
	}
}

// Removing takes everything, and only what nobody uses.
func TestRemove(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "app")
	p, ctx := pool(t, dir), t.Context()
	a := openIn(t, p, "notes", storage.Settings{})
	fill(t, a)
	is(t, p.Remove(ctx, "notes"), fault.Conflict)
	a.Close()
	ok(t, p.Remove(ctx, "notes"))
	ok(t, p.Remove(ctx, "notes"))
	if entries, err := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("left: %v, %v", entries, err)
	}
	if _, there, err := openIn(t, p, "notes", storage.Settings{}).Keys("CACHE").User("ana").Get(ctx, "a"); there || err != nil {
		t.Error("still there:", err)
	}
}

// Nobody else on the machine reads what apps keep.
func TestModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "app")
	fill(t, openIn(t, pool(t, dir), "notes", storage.Settings{}))
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		ok(t, err)
		info, err := e.Info()
		ok(t, err)
		if mode := info.Mode().Perm(); e.IsDir() && mode != 0o700 || !e.IsDir() && mode != 0o600 {
			t.Errorf("%s has mode %o", path, mode)
		}
		return nil
	})
	ok(t, err)
}

// A quota that the configuration changes is in force at once.
func TestSettingsChange(t *testing.T) {
	p, ctx := pool(t, filepath.Join(t.TempDir(), "app")), t.Context()
	k := openIn(t, p, "notes", storage.Settings{Storage: 10}).Keys("CACHE")
	_, err := k.Put(ctx, "a", text("0123456789"), storage.PutOptions{})
	is(t, err, fault.Exhausted)
	openIn(t, p, "notes", storage.Settings{})
	_, err = k.Put(ctx, "a", text("0123456789"), storage.PutOptions{})
	ok(t, err)
}

// A cancelled context ends the waiting for an app, not the app.
func TestOpenCancelled(t *testing.T) {
	p := pool(t, filepath.Join(t.TempDir(), "app"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Open(ctx, "notes", storage.Settings{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if !isOpen(openIn(t, p, "notes", storage.Settings{})) {
		t.Error("does not open afterwards")
	}
}
