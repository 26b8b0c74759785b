package storage

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

//go:embed migration/*.sql
var migrations embed.FS

// App is the storage of one app. Its methods, and those of the stores it gives,
// may be called from any goroutine until Close.
type App struct {
	*core
	release func()
}

// Close gives the app back to its pool. Calling it again changes nothing.
func (a *App) Close() { a.release() }

// DB returns the database of the app, for packages that keep tables of their own
// in it. They begin with "fazt_".
func (a *App) DB() *sqlite.DB { return a.db }

// ID returns the id the app was opened with.
func (a *App) ID() string { return a.id }

// core is an open app.
type core struct {
	id, dir string
	db      *sqlite.DB
	halt    func(context.Context) error // refuses what would be kept; may be nil
	quota   atomic.Int64                // bytes the app may keep, 0 without bound
	secret  []byte                      // signs URLs of files
	swept   atomic.Int64                // when expired keys were last looked for, in milliseconds
	ids     sequence                    // ids of documents

	mu     sync.Mutex
	stores map[string]int64 // "kind name" → row of fazt_store; guarded by mu
	ready  map[string]bool  // definitions of documents whose table and indexes exist; guarded by mu
	modes  map[string]mode  // what is known of statements of guests; guarded by mu

	bytes folder
}

func openCore(ctx context.Context, dir, id string, s Settings) (*core, error) {
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, diskFault(err, "open the storage of %q", id)
		}
	}
	fresh := absent(filepath.Join(dir, databaseName))
	db, err := openDatabase(ctx, filepath.Join(dir, databaseName), s)
	if err != nil {
		return nil, err
	}
	if fresh { // no record that expects it may outlive it
		if err := errors.Join(syncDir(dir), syncDir(filepath.Dir(dir)), syncDir(filepath.Dir(filepath.Dir(dir)))); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	c := &core{id: id, dir: dir, db: db, halt: s.halt, stores: map[string]int64{}, ready: map[string]bool{}, modes: map[string]mode{}}
	c.bytes.dir = filepath.Join(dir, filesName)
	c.quota.Store(s.Storage)
	if err := c.prepare(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return c, nil
}

// ownBytes is what a database has for itself before an app keeps anything; our
// tables are 19 pages of 4 KiB, and those of documents and jobs come to it.
const ownBytes = 1 << 20

func openDatabase(ctx context.Context, path string, s Settings) (*sqlite.DB, error) {
	db, err := sqlite.Open(ctx, path, databaseOptions(s))
	if err != nil {
		return nil, err
	}
	files, err := fs.Sub(migrations, "migration")
	if err == nil {
		err = db.Migrate(ctx, "storage", files)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// prepare loads what is needed of every open app, and removes what a crash left.
func (c *core) prepare(ctx context.Context) (err error) {
	if err := clearDots(c.dir, ""); err != nil { // copies that migrations and backups were made by
		return err
	}
	if c.secret, err = c.secretOf(ctx, "files"); err != nil {
		return err
	}
	if err := c.recoverFiles(ctx); err != nil {
		return err
	}
	return c.sweepUploads(ctx)
}

// clearDots removes what was begun in a folder under a name with a dot in front, and
// never got its own, but for one that has it.
func clearDots(dir, but string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return diskFault(err, "look through %q", dir)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") || e.Name() == but {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return diskFault(err, "clear %q", dir)
		}
	}
	return nil
}

// secretOf returns random bytes that are made once and kept.
func (c *core) secretOf(ctx context.Context, name string) (value []byte, err error) {
	read := func(tx *sqlite.Tx) error {
		return tx.QueryRow(`SELECT value FROM fazt_secret WHERE name = ?`, name).Scan(&value)
	}
	if err = c.db.Read(ctx, read); !errors.Is(err, sql.ErrNoRows) {
		return value, err
	}
	fresh := make([]byte, 32)
	rand.Read(fresh)
	err = c.db.Write(ctx, func(tx *sqlite.Tx) error {
		if _, err := tx.Exec(`INSERT INTO fazt_secret (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING`, name, fresh); err != nil {
			return err
		}
		return read(tx)
	})
	return value, err
}

func (c *core) configure(s Settings) { c.quota.Store(s.Storage) }

func (c *core) close() error { return errors.Join(c.db.Close(), c.bytes.settle()) }

// view is one binding as one user has it, or as the app itself has it where owner
// is empty. What is addressed is decided here alone: the row of the binding and
// the owner are bound to every statement.
type view struct {
	*core
	kind, name, owner string
	err               error // what is wrong with the names
}

func (c *core) view(kind, name string) view {
	v := view{core: c, kind: kind, name: name}
	if !bindName().MatchString(name) {
		v.err = fault.New(fault.Invalid, "%q is no name of a binding", name)
	}
	return v
}

// user narrows a view to what belongs to one user.
func (v view) user(id string) view {
	if err := checkText("the id of the user", id, maxUser); err != nil {
		v.err = errors.Join(v.err, err)
	}
	v.owner = id
	return v
}

// store returns the row of the binding, which it makes at the first use.
func (v view) store(ctx context.Context) (id int64, err error) {
	if v.err != nil {
		return 0, v.err
	}
	name := v.kind + " " + v.name
	v.mu.Lock()
	id, ok := v.stores[name]
	v.mu.Unlock()
	if ok {
		return id, nil
	}
	find := func(tx *sqlite.Tx) error {
		return tx.QueryRow(`SELECT id FROM fazt_store WHERE kind = ? AND name = ?`, v.kind, v.name).Scan(&id)
	}
	if err = v.db.Read(ctx, find); errors.Is(err, sql.ErrNoRows) { // a reader need not wait for writers but once
		err = v.db.Write(ctx, func(tx *sqlite.Tx) error {
			if _, err := tx.Exec(`INSERT INTO fazt_store (kind, name) VALUES (?, ?) ON CONFLICT DO NOTHING`, v.kind, v.name); err != nil {
				return err
			}
			return find(tx)
		})
	}
	if err != nil {
		return 0, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stores[name] = id
	return id, nil
}

// now is the time as rows have it.
func now() int64 { return millis(time.Now()) }

func diskFault(err error, format string, args ...any) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fault.Wrap(fault.Unavailable, err, format, args...).WithCode(fault.CodeDiskFull).WithHint("free space on the disk of the state folder")
	}
	return fault.Wrap(fault.Unavailable, err, format, args...).WithHint("check the disk and the owner of the state folder")
}
