package storage_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/storage"
)

// What nobody has any more is out of reach, comes back whole, and is forgotten in
// the end. Nothing that is open somewhere is taken away.
func TestSetAside(t *testing.T) {
	dir, ctx := filepath.Join(t.TempDir(), "app"), t.Context()
	p := pool(t, dir)
	a := openIn(t, p, "notes-1", storage.Settings{})
	fill(t, a)
	monday := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	is(t, p.SetAside(ctx, "notes-1", monday), fault.Conflict)
	a.Close()
	ok(t, p.SetAside(ctx, "notes-1", monday))
	is(t, p.SetAside(ctx, "notes-1", monday), fault.NotFound)
	fresh := openIn(t, p, "notes-1", storage.Settings{})
	_, err := p.Return(ctx, "notes-1", storage.Settings{})
	is(t, err, fault.Conflict)
	fresh.Close()
	ok(t, p.SetAside(ctx, "notes-1", monday)) // in the same second
	ok(t, p.Close())

	p = pool(t, dir) // what a crash leaves is cleared, and this is not
	openIn(t, p, "other", storage.Settings{})
	list, err := p.Asides()
	ok(t, err)
	if got := fmt.Sprint(list); got != "[{notes-1 2026-11-23 10:00:00 +0000 UTC} {notes-1 2026-11-23 10:00:01 +0000 UTC}]" {
		t.Fatal(got)
	}
	n, err := p.Forget(monday)
	ok(t, err)
	if n != 0 {
		t.Error("forgotten too early")
	}
	empty, err := p.Return(ctx, "notes-1", storage.Settings{}) // the last one
	ok(t, err)
	if _, there, err := empty.Keys("CACHE").User("ana").Get(ctx, "a"); there || err != nil {
		t.Error("it is the first one:", err)
	}
	empty.Close()
	ok(t, p.SetAside(ctx, "notes-1", monday.Add(time.Hour)))
	n, err = p.Forget(monday.Add(2 * time.Hour))
	ok(t, err)
	if n != 2 {
		t.Errorf("%d were forgotten", n)
	}
	_, err = p.Return(ctx, "notes-1", storage.Settings{})
	is(t, err, fault.NotFound)
	ids, err := p.List()
	ok(t, err)
	if fmt.Sprint(ids) != "[other]" {
		t.Errorf("there is %v", ids)
	}
}

// What comes back has what it had.
func TestReturn(t *testing.T) {
	ctx := t.Context()
	p := pool(t, filepath.Join(t.TempDir(), "app"))
	a := openIn(t, p, "notes-1", storage.Settings{})
	fill(t, a)
	a.Close()
	ok(t, p.SetAside(ctx, "notes-1", time.Now()))
	back, err := p.Return(ctx, "notes-1", storage.Settings{})
	ok(t, err)
	defer back.Close()
	if e, there, err := back.Keys("CACHE").User("ana").Get(ctx, "a"); !there || err != nil || string(e.Data) != "x" {
		t.Error("the key is not there:", err)
	}
	if got := readFile(t, back.Files("FILES", 0), "f", nil); got != "bytes" {
		t.Errorf("file: %q", got)
	}
	is(t, p.SetAside(ctx, "notes-1", time.Now()), fault.Conflict)
}

// What comes back and cannot be opened is where it was.
func TestReturnThatFailsChangesNothing(t *testing.T) {
	dir, ctx := filepath.Join(t.TempDir(), "app"), t.Context()
	p := pool(t, dir)
	a := openIn(t, p, "notes-1", storage.Settings{})
	fill(t, a)
	a.Close()
	ok(t, p.SetAside(ctx, "notes-1", time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)))
	before, err := p.Asides()
	ok(t, err)
	ok(t, os.WriteFile(filepath.Join(dir, ".gone", "notes-1-20261123T100000Z", "data.db"), []byte("no database at all, and longer than a header of one is: "+strings.Repeat("x", 4096)), 0o600))
	if _, err := p.Return(ctx, "notes-1", storage.Settings{}); err == nil {
		t.Fatal("it could be opened")
	}
	after, err := p.Asides()
	ok(t, err)
	ids, err := p.List()
	ok(t, err)
	if !slices.Equal(after, before) || len(ids) > 0 {
		t.Errorf("set aside are %v, in service %v", after, ids)
	}
}
