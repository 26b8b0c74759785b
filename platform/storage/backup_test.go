package storage_test

import (
	"bytes"
	"encoding/json"
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

// fill puts something into every store.
func fill(t testing.TB, a *storage.App) {
	t.Helper()
	ctx := t.Context()
	_, err := a.Keys("CACHE").User("ana").Put(ctx, "a", text("x"), storage.PutOptions{})
	ok(t, err)
	insert(t, a.Docs("PAGES", []storage.Index{{Name: "n", On: []string{"n"}}}).Collection("page"), `{"_id":"one","n":1}`)
	putFile(t, a.Files("FILES", 0), "f", "bytes")
	id, err := a.Files("FILES", 0).CreateUpload(ctx, "g", storage.FileOptions{})
	ok(t, err)
	_, err = a.Files("FILES", 0).PutPart(ctx, "g", id, 1, strings.NewReader("part"))
	ok(t, err)
	_, err = a.SQL("DB").Exec(ctx, `CREATE TABLE note (word TEXT); INSERT INTO note VALUES ('a'); CREATE VIRTUAL TABLE search USING fts5(word); INSERT INTO search VALUES ('find me')`)
	ok(t, err)
}

// A backup is restored as another app, which is whole and its own.
func TestBackup(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	p := pool(t, filepath.Join(dir, "app"))
	a := openIn(t, p, "notes", storage.Settings{})
	fill(t, a)
	to := filepath.Join(dir, "backup")
	m, err := a.Backup(ctx, to)
	ok(t, err)
	if m.App != "notes" || m.Rows["note"] != 1 || m.Rows["fazt_key"] != 1 || len(m.Files) != 2 || m.Database.Size == 0 {
		t.Errorf("%+v", m)
	}
	_, err = a.Backup(ctx, to)
	is(t, err, fault.Conflict)
	_, err = storage.Verify(ctx, to)
	ok(t, err)
	_, err = p.Restore(ctx, to, "notes", storage.Settings{})
	is(t, err, fault.Conflict)
	// The old one goes on, and goes.
	signature := a.Files("FILES", 0).Sign("GET", "f", farAway())
	a.Files("FILES", 0).Delete(ctx, "f")
	a.Close()
	ok(t, p.Remove(ctx, "notes"))
	b, err := p.Restore(ctx, to, "notes-2", storage.Settings{})
	ok(t, err)
	defer b.Close()
	if e, there, err := b.Keys("CACHE").User("ana").Get(ctx, "a"); !there || err != nil || string(e.Data) != "x" {
		t.Error("the key is not there:", err)
	}
	if got := find(t, b.Docs("PAGES", nil).Collection("page"), storage.Query{}); len(got) != 1 {
		t.Errorf("documents: %q", got)
	}
	if got := readFile(t, b.Files("FILES", 0), "f", nil); got != "bytes" {
		t.Errorf("file: %q", got)
	}
	if got := rows(t, b.SQL("DB"), `SELECT word FROM note UNION SELECT word FROM search WHERE search MATCH 'find'`); len(got) != 2 {
		t.Errorf("rows: %v", got)
	}
	is(t, b.Files("FILES", 0).Verify("GET", "f", signature), fault.Forbidden)
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		ok(t, err)
		info, err := e.Info()
		ok(t, err)
		if mode := info.Mode().Perm(); path != dir && (e.IsDir() && mode != 0o700 || !e.IsDir() && mode != 0o600) {
			t.Errorf("%s has mode %o", path, mode)
		}
		if strings.Contains(path, ".restore") || strings.Contains(path, ".partial") {
			t.Errorf("%s is left over", path)
		}
		return nil
	})
	ok(t, err)
}

// Whoever has a backup cannot sign for the app.
func TestBackupHasNoKey(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	a := openIn(t, pool(t, filepath.Join(dir, "app")), "notes", storage.Settings{})
	fill(t, a)
	a.Files("FILES", 0).Sign("GET", "f", farAway())
	var key []byte
	ok(t, a.DB().Read(ctx, func(tx *sqlite.Tx) error { return tx.QueryRow(`SELECT value FROM fazt_secret`).Scan(&key) }))
	_, err := a.Backup(ctx, filepath.Join(dir, "backup"))
	ok(t, err)
	b, err := os.ReadFile(filepath.Join(dir, "backup", "data.db"))
	ok(t, err)
	if len(key) < 16 || bytes.Contains(b, key) {
		t.Errorf("a key of %d bytes is in the backup", len(key))
	}
	live, err := os.ReadFile(filepath.Join(dir, "app", "notes", "data.db"))
	ok(t, err)
	log, err := os.ReadFile(filepath.Join(dir, "app", "notes", "data.db-wal"))
	ok(t, err)
	if !bytes.Contains(append(live, log...), key) {
		t.Error("nor is it where it was looked up")
	}
}

// A backup that is not what was written is refused, and nothing is made of it.
func TestBadBackups(t *testing.T) {
	if testing.Short() {
		t.Skip("too slow under the race detector: make test runs it")
	}
	ctx := t.Context()
	for name, spoil := range map[string]func(dir string, m *storage.Manifest){
		"no manifest": func(dir string, m *storage.Manifest) { os.Remove(dir + "/manifest.json"); *m = storage.Manifest{} },
		"format":      func(dir string, m *storage.Manifest) { m.Format = 2 },
		"short":       func(dir string, m *storage.Manifest) { os.Truncate(dir+"/data.db", 8192) },
		"changed":     func(dir string, m *storage.Manifest) { change(t, dir+"/data.db") },
		"lost":        func(dir string, m *storage.Manifest) { os.Remove(dir + "/files/" + m.Files[0].Name) },
		"other bytes": func(dir string, m *storage.Manifest) { change(t, dir+"/files/"+m.Files[0].Name) },
		"outside":     func(dir string, m *storage.Manifest) { m.Files[0].Name = "../manifest.json" },
		"unnamed":     func(dir string, m *storage.Manifest) { m.Files = m.Files[1:] },
		"rows":        func(dir string, m *storage.Manifest) { m.Rows["note"] = 2 },
		"table":       func(dir string, m *storage.Manifest) { m.Rows["more"] = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			p := pool(t, filepath.Join(dir, "app"))
			a := openIn(t, p, "notes", storage.Settings{})
			fill(t, a)
			to := filepath.Join(dir, "backup")
			m, err := a.Backup(ctx, to)
			ok(t, err)
			spoil(to, &m)
			if m.Format != 0 {
				b, err := json.Marshal(m)
				ok(t, err)
				ok(t, os.WriteFile(to+"/manifest.json", b, 0o600))
			}
			_, err = storage.Verify(ctx, to)
			is(t, err, fault.Invalid)
			_, err = p.Restore(ctx, to, "new", storage.Settings{})
			is(t, err, fault.Invalid)
			if _, err := os.Stat(filepath.Join(dir, "app", "new")); err == nil {
				t.Error("restored nevertheless")
			}
		})
	}
}

// change flips a byte in the middle of a file, which is linked from elsewhere.
func change(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	ok(t, err)
	b = bytes.Clone(b)
	b[len(b)/2] ^= 1
	ok(t, os.Remove(path))
	ok(t, os.WriteFile(path, b, 0o600))
}

// While everything is written to, backups are whole, and hold what was acknowledged
// before they began.
func TestBackupUnderWrites(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	a := openIn(t, pool(t, filepath.Join(dir, "app")), "notes", storage.Settings{Durability: 1})
	f, k := a.Files("FILES", 0), a.Keys("CACHE")
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for i := range 3 {
		writers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := f.Put(ctx, fmt.Sprint(i, n%5), strings.NewReader(strings.Repeat("x", n)), storage.FileOptions{}); err != nil {
					t.Error(err)
				}
				if n%7 == 0 {
					f.Delete(ctx, fmt.Sprint(i, n%5))
				}
			}
		})
	}
	for round := range 5 {
		n, err := k.Incr(ctx, "acknowledged", 1, storage.PutOptions{})
		ok(t, err)
		to := filepath.Join(dir, fmt.Sprint("backup", round))
		if _, err := a.Backup(ctx, to); err != nil {
			t.Fatal(err)
		}
		p := pool(t, filepath.Join(dir, fmt.Sprint("restored", round)))
		back, err := p.Restore(ctx, to, "notes", storage.Settings{})
		ok(t, err)
		e, _, err := back.Keys("CACHE").Get(ctx, "acknowledged")
		back.Close()
		if string(e.Data) != fmt.Sprint(n) || err != nil {
			t.Errorf("round %d: %s, %v", n, e.Data, err)
		}
	}
	close(stop)
	writers.Wait()
	i, err := a.Inspect(ctx)
	ok(t, err)
	for _, s := range i.Stores {
		if s.Kind == "files" && int(s.Items) != blobs(t, filepath.Join(dir, "app", "notes", "files")) {
			t.Errorf("%d files, %d blobs: what waited for the backup is still there", s.Items, blobs(t, filepath.Join(dir, "app", "notes", "files")))
		}
	}
}

func TestInspect(t *testing.T) {
	a, ctx := open(t, storage.Settings{}), t.Context()
	fill(t, a)
	i, err := a.Inspect(ctx)
	ok(t, err)
	if got := fmt.Sprint(i.Stores); got != "[{docs PAGES 1 19 0} {files FILES 1 9 0} {keys CACHE 1 2 1}]" {
		t.Errorf("stores: %s", got)
	}
	if got := fmt.Sprint(i.Collections); got != "[{PAGES page 1 19 0}]" {
		t.Errorf("collections: %s", got)
	}
	if len(i.Tables) == 0 || i.Tables[0].Name != "note" || i.Tables[0].Rows != 1 || i.Tables[0].Bytes != 4096 {
		t.Errorf("tables: %+v", i.Tables)
	}
	if u := i.Usage; u.Keys != 2 || u.Docs != 19 || u.Files != 9 || u.Database < 4096 {
		t.Errorf("usage: %+v", u)
	}
}
