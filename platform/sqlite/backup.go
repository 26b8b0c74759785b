package sqlite

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	driver "modernc.org/sqlite"

	"github.com/fazt-sh/fazt/platform/fault"
)

// stride is how many pages are copied between two looks at the context.
const stride = 1024

// Backup copies the database to a new file at path, with mode 0600: everything
// that was acknowledged before the call, as of one moment, while writers go on.
// The file is there when it is complete and on the disk. The error's kind is
// Conflict if there is a file of that name.
func (d *DB) Backup(ctx context.Context, path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.Conflict, "there is a file %q already", path).WithSubject(path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".backup-") // mode 0600
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "backup of database %q", filepath.Base(d.path))
	}
	defer os.Remove(f.Name())
	err = d.copyTo(ctx, f.Name())
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return d.classify(err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fault.Wrap(fault.Unavailable, err, "backup of database %q", filepath.Base(d.path))
	}
	return syncFolder(filepath.Dir(path))
}

// copyTo copies in one reading transaction, so that no writer makes the copy
// begin again. It has a connection of its own, as it may take long.
func (d *DB) copyTo(ctx context.Context, path string) error {
	pool, err := d.open(reading)
	if err != nil {
		return err
	}
	defer pool.Close()
	source, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer source.Close()
	// What is read first fixes the moment.
	for _, query := range []string{`BEGIN`, `SELECT count(*) FROM sqlite_schema`} {
		if _, err := source.ExecContext(ctx, query); err != nil {
			return err
		}
	}
	// The copy is synced once, when it is complete.
	q := url.Values{"mode": {"rw"}, "_journal_mode": {"OFF"}, "_synchronous": {"OFF"}}
	target := (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
	return source.Raw(func(dc any) error {
		b, err := dc.(interface {
			NewBackup(string) (*driver.Backup, error)
		}).NewBackup(target)
		if err != nil {
			return err
		}
		return errors.Join(steps(ctx, b), b.Finish())
	})
}

func steps(ctx context.Context, b *driver.Backup) error {
	for {
		if more, err := b.Step(stride); !more || err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
