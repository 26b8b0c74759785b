package sqlite

import (
	"errors"
	"path/filepath"
	"syscall"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/fazt-sh/fazt/platform/fault"
)

// classify gives SQLite's errors a kind and names the file. Errors that have a
// kind, and errors that are not SQLite's, are passed on as they are.
func (d *DB) classify(err error) error {
	var classed *fault.Error
	var e *driver.Error
	if err == nil || errors.As(err, &classed) || !errors.As(err, &e) {
		return err
	}
	name := filepath.Base(d.path)
	if e.Code() == lib.SQLITE_IOERR_SHMSIZE { // the index of the log cannot grow
		return d.noRoom(err)
	}
	switch e.Code() & 0xff { // the primary code; the rest refines it
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		return fault.Wrap(fault.Exhausted, err, "database %q is busy", name).WithSubject(d.path)
	case lib.SQLITE_NOMEM:
		return fault.Wrap(fault.Exhausted, err, "database %q ran out of memory", name).WithSubject(d.path)
	case lib.SQLITE_FULL:
		return d.noRoom(err)
	case lib.SQLITE_IOERR, lib.SQLITE_CANTOPEN, lib.SQLITE_READONLY, lib.SQLITE_PERM:
		return fault.Wrap(fault.Unavailable, err, "database %q cannot be read or written", name).
			WithSubject(d.path).WithHint("check the disk and the owner of %s", d.path)
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		d.suspect.Store(true)
		return damagedFile(d.path, err)
	default:
		return err
	}
}

// barely is how little is free on a disk that has no room: less than what SQLite
// may have asked for at once.
const barely = 1 << 20

// noRoom tells a full disk from a file that may not grow any more.
func (d *DB) noRoom(err error) error {
	f := fault.Wrap(fault.Unavailable, err, "no room left for database %q", filepath.Base(d.path)).
		WithSubject(d.path).WithHint("free some space on the disk of %s", filepath.Dir(d.path))
	var disk syscall.Statfs_t
	if syscall.Statfs(filepath.Dir(d.path), &disk) == nil && disk.Bavail*uint64(disk.Bsize) < barely {
		return f.WithCode(fault.CodeDiskFull)
	}
	return f
}

// guestFault gives an error that a guest's statement caused its kind. What has
// one keeps it.
func guestFault(err error) error {
	var classed *fault.Error
	var e *driver.Error
	if err == nil || errors.As(err, &classed) || !errors.As(err, &e) {
		return err
	}
	kind := fault.Invalid
	switch e.Code() & 0xff {
	case lib.SQLITE_AUTH, lib.SQLITE_PERM:
		kind = fault.Forbidden
	case lib.SQLITE_CONSTRAINT:
		kind = fault.Conflict
	case lib.SQLITE_INTERRUPT:
		kind = fault.Exhausted
	}
	return &fault.Error{Kind: kind, Err: err}
}

// refused reports whether the disk failed to read, write or sync.
func refused(err error) bool {
	var e *driver.Error
	return errors.As(err, &e) && e.Code()&0xff == lib.SQLITE_IOERR
}
