package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

var schema = fstest.MapFS{
	"00001_begin.sql": {Data: []byte("-- +goose Up\nCREATE TABLE note (id INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE) STRICT;\n")},
}

func open(t *testing.T) *sqlite.DB {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "node ?#%.db"), sqlite.Options{})
}

func openAt(t *testing.T, path string, o sqlite.Options) *sqlite.DB {
	t.Helper()
	d, err := sqlite.Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	if err := d.Migrate(t.Context(), "note", schema); err != nil {
		t.Fatal(err)
	}
	return d
}

func add(t *testing.T, d *sqlite.DB, word string) {
	t.Helper()
	if err := d.Write(t.Context(), func(tx *sqlite.Tx) error {
		_, err := tx.Exec(`INSERT INTO note (word) VALUES (?)`, word)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, d *sqlite.DB) (n int) {
	t.Helper()
	if err := d.Read(t.Context(), func(tx *sqlite.Tx) error {
		return tx.QueryRow(`SELECT count(*) FROM note`).Scan(&n)
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// Every connection has the settings, not only the first.
func TestSettings(t *testing.T) {
	d := open(t)
	want := map[string]string{
		"journal_mode": "wal", "synchronous": "2", "busy_timeout": "5000", "foreign_keys": "1",
		"trusted_schema": "0", "cell_size_check": "1",
	}
	check := func(tx *sqlite.Tx) error {
		for pragma, value := range want {
			var got string
			if err := tx.QueryRow(`PRAGMA ` + pragma).Scan(&got); err != nil || got != value {
				return fmt.Errorf("%s = %q, want %q (%v)", pragma, got, value, err)
			}
		}
		return nil
	}
	if err := d.Write(t.Context(), check); err != nil {
		t.Error("writer:", err)
	}
	// Readers within readers are different connections.
	if err := d.Read(t.Context(), func(tx *sqlite.Tx) error {
		if err := check(tx); err != nil {
			return err
		}
		return d.Read(t.Context(), check)
	}); err != nil {
		t.Error("reader:", err)
	}
}

// What a power cut may take is a choice.
func TestDurability(t *testing.T) {
	d := openAt(t, filepath.Join(t.TempDir(), "data.db"), sqlite.Options{Durability: sqlite.Normal})
	var got int
	if err := d.Write(t.Context(), func(tx *sqlite.Tx) error { return tx.QueryRow(`PRAGMA synchronous`).Scan(&got) }); err != nil || got != 1 {
		t.Errorf("synchronous = %d, %v", got, err)
	}
}

// The file, its log and its index are readable by nobody else, also when the
// file was there with a wider mode.
func TestFileMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node.db")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	d := openAt(t, path, sqlite.Options{})
	add(t, d, "a")
	count(t, d)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", suffix, info.Mode(), err)
		}
	}
}

func TestWriteIsAllOrNothing(t *testing.T) {
	d := open(t)
	refused := errors.New("no")
	insert := func(tx *sqlite.Tx) error {
		_, err := tx.Exec(`INSERT INTO note (word) VALUES ('x')`)
		return err
	}
	err := d.Write(t.Context(), func(tx *sqlite.Tx) error {
		return errors.Join(insert(tx), refused)
	})
	if !errors.Is(err, refused) || count(t, d) != 0 {
		t.Errorf("an error left %d rows behind: %v", count(t, d), err)
	}
	func() {
		defer func() { recover() }()
		d.Write(t.Context(), func(tx *sqlite.Tx) error {
			insert(tx)
			panic("no")
		})
	}()
	ctx, cancel := context.WithCancel(t.Context())
	if err := d.Write(ctx, func(tx *sqlite.Tx) error {
		cancel()
		insert(tx)
		return nil
	}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled write says %v", err)
	}
	if n := count(t, d); n != 0 {
		t.Errorf("%d rows of unfinished writes", n)
	}
	add(t, d, "x") // the writer is usable after all this
}

// A reader keeps its view while a writer commits, and cannot write.
func TestReadIsAView(t *testing.T) {
	d := open(t)
	add(t, d, "a")
	if err := d.Read(t.Context(), func(tx *sqlite.Tx) error {
		before, after := 0, 0
		if err := tx.QueryRow(`SELECT count(*) FROM note`).Scan(&before); err != nil {
			return err
		}
		add(t, d, "b")
		if err := tx.QueryRow(`SELECT count(*) FROM note`).Scan(&after); err != nil {
			return err
		}
		if before != 1 || after != 1 {
			t.Errorf("saw %d, then %d", before, after)
		}
		if _, err := tx.Exec(`INSERT INTO note (word) VALUES ('c')`); err == nil {
			t.Error("a reader wrote")
		}
		if _, err := tx.Exec(`PRAGMA query_only = 0`); err == nil {
			if _, err := tx.Exec(`INSERT INTO note (word) VALUES ('c')`); err == nil {
				t.Error("a reader wrote after a pragma")
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if n := count(t, d); n != 2 {
		t.Errorf("%d rows", n)
	}
}

func TestConcurrentWriters(t *testing.T) {
	d := open(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := range 20 {
				add(t, d, fmt.Sprintf("%d-%d", i, k))
				count(t, d)
			}
		})
	}
	wg.Wait()
	if n := count(t, d); n != 160 {
		t.Errorf("%d of 160 rows", n)
	}
}

// Closing leaves one file that holds everything.
func TestCloseMovesTheLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node.db")
	d := openAt(t, path, sqlite.Options{})
	add(t, d, "a")
	count(t, d)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 1 {
		t.Errorf("%v remain, %v", files, err)
	}
	if n := count(t, openAt(t, path, sqlite.Options{})); n != 1 {
		t.Errorf("%d rows", n)
	}
}

// A plain open and close of the live file must not release SQLite's locks.
func TestLocksSurviveAnotherDescriptor(t *testing.T) {
	d := open(t)
	err := d.Write(t.Context(), func(tx *sqlite.Tx) error {
		if _, err := tx.Exec(`INSERT INTO note (word) VALUES ('a')`); err != nil {
			return err
		}
		f, err := os.Open(d.Path())
		if err != nil {
			return err
		}
		return f.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
	if locked, err := ofdLocked(d.Path()); err == nil && !locked {
		t.Error("no lock of an open file description on the database")
	}
}

func TestMigrate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node.db")
	var queries []string
	d := openAt(t, path, sqlite.Options{Trace: func(q string) { queries = append(queries, q) }})
	add(t, d, "a")

	// Up to date: two short queries, no more.
	queries = nil
	if err := d.Migrate(t.Context(), "note", schema); err != nil {
		t.Fatal(err)
	}
	if len(queries) != 2 {
		t.Errorf("%d statements to find nothing to do: %q", len(queries), queries)
	}

	// Another owner counts its own versions.
	other := fstest.MapFS{"00001_begin.sql": {Data: []byte("-- +goose Up\nCREATE TABLE other (id INTEGER) STRICT;\n")}}
	if err := d.Migrate(t.Context(), "other", other); err != nil {
		t.Fatal(err)
	}

	// A newer version is applied on top; a broken one changes nothing.
	broken := fstest.MapFS{"00001_begin.sql": schema["00001_begin.sql"],
		"00002_more.sql": {Data: []byte("-- +goose Up\nALTER TABLE note ADD COLUMN at INTEGER;\nCREATE TABLE;\n")}}
	if err := d.Migrate(t.Context(), "note", broken); err == nil {
		t.Error("a broken migration passed")
	}
	whole := fstest.MapFS{"00001_begin.sql": schema["00001_begin.sql"],
		"00002_more.sql": {Data: []byte("-- +goose Up\nALTER TABLE note ADD COLUMN at INTEGER;\n")}}
	if err := d.Migrate(t.Context(), "note", whole); err != nil {
		t.Error("after a broken one:", err)
	}
	if n := count(t, d); n != 1 {
		t.Errorf("%d rows after a migration", n)
	}

	// The older program refuses the newer file.
	if err := d.Migrate(t.Context(), "note", schema); fault.KindOf(err) != fault.Conflict || fault.HintOf(err) == "" {
		t.Errorf("an older program says %v", err)
	}
}

func TestFaults(t *testing.T) {
	damaged := filepath.Join(t.TempDir(), "node.db")
	if err := os.WriteFile(damaged, []byte("this is no database, only a letter that found its way here; it goes on for long enough to be read as a header of one hundred bytes"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(t.Context(), damaged, sqlite.Options{}); fault.KindOf(err) != fault.Internal || fault.HintOf(err) == "" {
		t.Errorf("no database: %s, %v", fault.KindOf(err), err)
	}
	if _, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "none", "node.db"), sqlite.Options{}); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("no folder: %s, %v", fault.KindOf(err), err)
	}

	d := open(t)
	err := d.Write(t.Context(), func(tx *sqlite.Tx) error {
		if _, err := tx.Exec(`PRAGMA max_page_count = 8`); err != nil {
			return err
		}
		_, err := tx.Exec(`INSERT INTO note (word) VALUES (hex(zeroblob(100000)))`)
		return err
	})
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("full: %s, %v", fault.KindOf(err), err)
	}
	if n := count(t, d); n != 0 {
		t.Errorf("%d rows of a write that found the disk full", n)
	}
	if err := d.Read(t.Context(), func(tx *sqlite.Tx) error {
		return tx.QueryRow(`SELECT word FROM note`).Scan(new(string))
	}); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("no rows: %v", err)
	}
}

// Another holder of the write lock makes ours busy, not broken, and waiting for
// it ends with the context.
func TestBusy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node.db")
	a, b := openAt(t, path, sqlite.Options{}), openAt(t, path, sqlite.Options{})
	if err := b.Write(t.Context(), func(tx *sqlite.Tx) error {
		_, err := tx.Exec(`PRAGMA busy_timeout = 0`) // the test has no five seconds
		return err
	}); err != nil {
		t.Fatal(err)
	}
	nothing := func(*sqlite.Tx) error { return nil }
	if err := a.Write(t.Context(), func(*sqlite.Tx) error {
		if err := b.Write(t.Context(), nothing); fault.KindOf(err) != fault.Exhausted {
			t.Errorf("busy: %s, %v", fault.KindOf(err), err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := b.Write(ctx, nothing); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	add(t, b, "after")
	if n := count(t, a); n != 1 {
		t.Errorf("%d rows", n)
	}
}

// One statement is a view by itself; a second one would see another moment, and is
// refused.
func TestReadOneIsOneStatement(t *testing.T) {
	var asked []string
	d := openAt(t, filepath.Join(t.TempDir(), "node.db"), sqlite.Options{Trace: func(q string) { asked = append(asked, q) }})
	add(t, d, "a")
	asked = nil
	n := 0
	one := func(tx *sqlite.Tx) error { return tx.QueryRow(`SELECT count(*) FROM note`).Scan(&n) }
	if err := d.ReadOne(t.Context(), one); err != nil || n != 1 || len(asked) != 1 {
		t.Errorf("%d rows, %v, statements %q", n, err, asked)
	}
	add(t, d, "b")
	if err := d.ReadOne(t.Context(), one); err != nil || n != 2 {
		t.Errorf("%d rows after another write, %v", n, err)
	}
	if err := d.ReadOne(t.Context(), func(tx *sqlite.Tx) error { return errors.Join(one(tx), one(tx)) }); err == nil {
		t.Error("a second statement passed")
	}
}
