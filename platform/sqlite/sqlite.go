// Package sqlite opens one database file: one writing connection, a few reading
// ones, the same careful settings on each, and migrations per owner. The
// packages that keep something (journal, release, later identity, storage)
// stand on it and bring their own tables; it has none, and refuses to know
// what a row means.
//
// Nobody else may open the file, inside this process or outside: a plain
// os.Open of a live database is harmless only because the locks are those of
// the open file description.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	driver "modernc.org/sqlite"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Options tune a database. The zero value is right for node.db.
type Options struct {
	Readers int                // reading connections at most; 0 is 4
	Trace   func(query string) // called with each statement of a transaction; tests count with it
}

// DB is one open database file. Its methods may be called from any goroutine.
type DB struct {
	path  string
	write *sql.DB // one connection: writers queue for it
	read  *sql.DB
	trace func(string)

	doubtful atomic.Bool // the disk refused a write; see mend
	suspect  atomic.Bool // SQLite has met damage
}

// Open opens the file at path, which it creates with mode 0600. The folder must
// exist. The error's kind is Unavailable if the disk refuses, Exhausted if
// another process has the file, Internal if it is no database (see Damaged).
func Open(ctx context.Context, path string, o Options) (*DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "open database %q", path)
	}
	if err := private(path); err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "open database %q", path)
	}
	if err := checkHead(path); err != nil {
		return nil, err
	}
	if err := harden(); err != nil {
		return nil, err
	}
	d := &DB{path: path, trace: o.Trace}
	if d.trace == nil {
		d.trace = func(string) {}
	}
	if d.write, err = pool(dsn(path, "rwc", "immediate"), 1); err != nil {
		return nil, d.classify(err)
	}
	if d.read, err = pool(dsn(path, "ro", "deferred"), max(o.Readers, 0)); err != nil {
		return nil, d.classify(errors.Join(err, d.write.Close()))
	}
	// The first connection turns the file to WAL and finds out whether it is a
	// database at all; readers would be refused before that.
	if err := d.write.PingContext(ctx); err != nil {
		return nil, d.classify(errors.Join(err, d.read.Close(), d.write.Close()))
	}
	return d, nil
}

// harden sets the driver's two process-wide switches; both are idempotent. A
// kernel or file system without such locks is as safe as this process is
// disciplined, so that is not an error.
func harden() error {
	driver.StrictPragmas(true)
	_, err := driver.OFDLocking(true)
	if err == nil || errors.Is(err, driver.ErrOFDLockingUnavailable) {
		return nil
	}
	return fault.Wrap(fault.Internal, err, "a database was opened outside platform/sqlite")
}

// private makes sure the file exists and is ours alone before SQLite sees it:
// the -wal and -shm files take its mode. The file is not opened when it exists.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err == nil {
		return f.Close()
	}
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Chmod(path, 0o600)
}

// pool returns connections that stay open: opening one costs a millisecond of
// pragmas. Zero connections means four.
func pool(dsn string, connections int) (*sql.DB, error) {
	c, err := driver.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	if connections == 0 {
		connections = 4
	}
	p := sql.OpenDB(c)
	p.SetMaxOpenConns(connections)
	p.SetMaxIdleConns(connections)
	return p, nil
}

// dsn is the only place where settings are made; every connection gets them.
func dsn(path, mode, lock string) string {
	q := url.Values{
		"mode":          {mode},
		"_txlock":       {lock},
		"_busy_timeout": {"5000"},
		"_foreign_keys": {"1"},
		"_defensive":    {"1"}, // no writable_schema, no journal_mode=off
		"_dqs":          {"0"}, // a misspelt column is an error, not a string
		"_error_rc":     {"1"}, // messages of the failing call, not of an older one
		"_pragma": {
			"trusted_schema(0)",
			"cell_size_check(1)",
			"journal_size_limit(67108864)", // a burst leaves at most 64 MiB of log behind
		},
	}
	if mode == "ro" {
		q.Set("_query_only", "1")
	} else {
		q.Set("_journal_mode", "WAL")
		// In WAL mode NORMAL may lose acknowledged commits at power loss.
		q.Set("_synchronous", "FULL")
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// Path returns the absolute path of the file.
func (d *DB) Path() string { return d.path }

// Write runs fn in the one writing transaction: all of it is on the disk when
// Write returns nil, and nothing of it otherwise. Writers queue; calling Write
// inside fn would wait for itself. fn's error is returned, with a kind when it
// is SQLite's.
func (d *DB) Write(ctx context.Context, fn func(*Tx) error) error {
	if d.doubtful.Load() {
		if err := d.mend(ctx); err != nil {
			return d.classify(err)
		}
	}
	err := d.transact(ctx, d.write, nil, fn)
	if refused(err) {
		d.doubtful.Store(true)
		_ = d.mend(context.WithoutCancel(ctx)) // or before the next write
	}
	return err
}

// mend takes out of the log what a failed write left there. When the sync of a
// commit fails, all of the commit is in the log, if not on the disk: SQLite would
// read it back after a crash, though it was refused, and a second sync would
// tell nothing of the first one's bytes. So everything that did succeed is
// written to the file and synced there, and the log begins anew. Nothing is
// written before that works.
func (d *DB) mend(ctx context.Context) error {
	var busy, pages, moved int
	err := d.write.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved)
	switch {
	case err != nil:
		return err
	case busy != 0:
		return fault.New(fault.Exhausted, "database %q is busy", filepath.Base(d.path)).WithSubject(d.path)
	}
	d.doubtful.Store(false)
	return nil
}

// Read runs fn on one consistent view of the file. Readers wait for nobody, and
// nobody waits for them; writing inside fn fails.
func (d *DB) Read(ctx context.Context, fn func(*Tx) error) error {
	return d.transact(ctx, d.read, &sql.TxOptions{ReadOnly: true}, fn)
}

func (d *DB) transact(ctx context.Context, p *sql.DB, o *sql.TxOptions, fn func(*Tx) error) error {
	tx, err := p.BeginTx(ctx, o)
	if err != nil {
		return d.classify(err)
	}
	defer tx.Rollback() // after a commit, or when fn panics; a no-op in the first case
	if err := fn(&Tx{ctx: ctx, tx: tx, trace: d.trace, prepared: map[string]*sql.Stmt{}}); err != nil {
		return d.classify(cancelled(ctx, err))
	}
	return d.classify(cancelled(ctx, tx.Commit()))
}

// cancelled names the end of a context where database/sql, which rolls back on
// a goroutine of its own, may only say that there is no transaction any more.
func cancelled(ctx context.Context, err error) error {
	if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// Close waits for the transactions under way, moves the log into the file and
// closes it. An error means only that the log stays; the next Open reads it.
func (d *DB) Close() error {
	err := d.read.Close()
	// Our own patience: a checkpoint must not hold up the end of the process.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, checkpoint := d.write.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	return d.classify(errors.Join(err, checkpoint, d.write.Close()))
}
