// Package sqlite opens one database file: one writing connection that concurrent
// writers share transaction by transaction, a few reading ones, the same careful
// settings on each, statements of guests under guard, and migrations per owner.
// The packages that keep something (journal, release, usage, storage, queue)
// stand on it and bring their own tables; it has none, and refuses to know what
// a row means.
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
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	driver "modernc.org/sqlite"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Options tune a database. The zero value is right for node.db.
type Options struct {
	Readers    int                         // reading connections at most; 0 is 4
	Durability Durability                  // what a power cut may take
	MaxBytes   int64                       // what the file may hold; a write that goes over it is Exhausted. 0 is no bound
	Reserved   string                      // prefix of tables that guests must not name, "fazt_"; without it there are no guests
	Halt       func(context.Context) error // asked before each write, which its error refuses; nil refuses none
	Trace      func(query string)          // called with each statement, and with what begins and ends a view; tests count with it
}

// Durability says when a write counts as kept.
type Durability int

const (
	// Full is on the disk when Write returns.
	Full Durability = iota
	// Normal survives the end of the process, also by kill -9; a power cut may
	// take the writes of the last moments, whole transactions, never parts.
	Normal
)

// DB is one open database file. Its methods may be called from any goroutine.
type DB struct {
	path  string
	o     Options
	pool  *sql.DB // of the writing connection
	w     *conn
	line  line
	batch *batch // the open transaction; it belongs to whose turn it is
	used  int64  // pages in use after the last write, at most; as batch
	shut  bool   // as batch

	read  *sql.DB
	lanes chan *conn    // a token for each reading connection; nil: not opened yet
	gone  chan struct{} // closed by Close

	doubtful                       atomic.Bool // the disk refused a write; see mend
	suspect                        atomic.Bool // SQLite has met damage
	writes, transactions, repeated atomic.Uint64
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
	if o.Readers <= 0 {
		o.Readers = 4
	}
	if o.Trace == nil {
		o.Trace = func(string) {}
	}
	d := &DB{path: path, o: o, gone: make(chan struct{}), lanes: make(chan *conn, o.Readers)}
	for range o.Readers {
		d.lanes <- nil
	}
	if err := d.connect(ctx); err != nil {
		return nil, d.classify(errors.Join(err, d.disconnect()))
	}
	return d, nil
}

// connect opens the writing connection, which turns the file to WAL and finds
// out whether it is a database at all; readers would be refused before that.
func (d *DB) connect(ctx context.Context) (err error) {
	if d.pool, err = d.open(writing); err != nil {
		return err
	}
	if d.read, err = d.open(reading); err != nil {
		return err
	}
	if d.w, err = d.dial(ctx, d.pool); err != nil {
		return err
	}
	if err := d.w.watch(); err != nil {
		return err
	}
	if err := checkEngine(ctx, d.w); err != nil {
		return err
	}
	d.used, err = d.pages(ctx)
	return err
}

func (d *DB) disconnect() error {
	var errs []error
	for _, p := range []*sql.DB{d.read, d.pool} {
		if p != nil {
			errs = append(errs, p.Close())
		}
	}
	return errors.Join(errs...)
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

// Path returns the absolute path of the file.
func (d *DB) Path() string { return d.path }

// Stats counts what was done since Open.
type Stats struct {
	Writes       uint64 // calls of Write that were kept
	Transactions uint64 // commits that kept them
	Repeated     uint64 // writes that ran again, as a neighbour had lost their transaction
	Waiting      int    // writers in line now
}

// Stats returns the counts. Writes over Transactions is how many writes a
// transaction holds.
func (d *DB) Stats() Stats {
	return Stats{Writes: d.writes.Load(), Transactions: d.transactions.Load(), Repeated: d.repeated.Load(), Waiting: d.line.length()}
}

// patience is how long Close waits for others and for the disk: it must not
// hold up the end of the process.
const patience = 10 * time.Second

// Close waits for the transactions under way, moves the log into the file and
// closes it. An error means only that the log stays; the next Open reads it.
func (d *DB) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := d.line.enter(ctx); err != nil {
		return fault.New(fault.Exhausted, "database %q is busy", filepath.Base(d.path)).WithSubject(d.path)
	}
	defer d.next(false)
	if d.shut {
		return nil
	}
	d.shut = true
	if d.batch != nil {
		d.commit()
	}
	close(d.gone)
	var errs []error
	for range d.o.Readers {
		select {
		case c := <-d.lanes:
			errs = append(errs, c.close())
		case <-ctx.Done():
		}
	}
	errs = append(errs, d.w.run(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`), d.w.close(), d.disconnect())
	return d.classify(errors.Join(errs...))
}
