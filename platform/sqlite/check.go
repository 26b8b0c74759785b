package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/fazt-sh/fazt/platform/fault"
)

// errDamaged marks what was found wrong with a file by us, not by SQLite.
var errDamaged = errors.New("the file is not what was written")

func damagedFile(path string, err error) error {
	return fault.Wrap(fault.Internal, err, "database %q is damaged", filepath.Base(path)).
		WithSubject(path).WithHint("start fazt again: it sets %s aside and begins a new one", path)
}

// Damaged reports whether an error of opening a file, or of reading what was
// written to it, means that the file is not what it should be. That the schema
// lacks what a query names is such an error too: nobody else writes it.
func Damaged(err error) bool {
	var e *driver.Error
	if !errors.As(err, &e) {
		return errors.Is(err, errDamaged)
	}
	if k := fault.KindOf(err); k == fault.Invalid || k == fault.Forbidden { // a guest's own mistake
		return false
	}
	switch e.Code() & 0xff {
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB, lib.SQLITE_ERROR:
		return true
	}
	return false
}

// Suspect reports whether SQLite has met damage since Open.
func (d *DB) Suspect() bool { return d.suspect.Load() }

// Check looks through the whole file: its structure, and the types of what is in
// it, not what that says. It costs a reading of the file. The error's kind is
// Internal, and Damaged holds, if the file is not what it should be.
func (d *DB) Check(ctx context.Context) error {
	found, err := d.quickCheck(ctx)
	if err != nil {
		return d.classify(err)
	}
	if len(found) == 1 && found[0] == "ok" {
		return nil
	}
	d.suspect.Store(true)
	return damagedFile(d.path, fmt.Errorf("%w: %s", errDamaged, strings.Join(found, "; ")))
}

// quickCheck has a connection of its own: it uses the tables of guests, and
// whatever these keep compiled must not be left to a guest.
func (d *DB) quickCheck(ctx context.Context) (found []string, err error) {
	pool, err := d.open(reading)
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	rows, err := pool.QueryContext(ctx, `PRAGMA quick_check(3)`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return nil, err
		}
		found = append(found, line)
	}
	return found, rows.Err()
}

// headBytes is how much of the head is looked at: SQLite takes a file whose
// format it does not know for one that it may only read.
const headBytes = 20

func checkHead(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "open database %q", path)
	}
	defer f.Close()
	head := make([]byte, headBytes)
	switch _, err := io.ReadFull(f, head); {
	case err == io.EOF: // new
		return nil
	case err == io.ErrUnexpectedEOF:
		return damagedFile(path, errDamaged)
	case err != nil:
		return fault.Wrap(fault.Unavailable, err, "open database %q", path)
	}
	known := func(version byte) bool { return version == 1 || version == 2 }
	if !known(head[18]) || !known(head[19]) {
		return damagedFile(path, errDamaged)
	}
	return nil
}
