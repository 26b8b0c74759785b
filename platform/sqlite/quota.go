package sqlite

import (
	"context"
	"path/filepath"

	"github.com/fazt-sh/fazt/platform/fault"
)

// measure refuses the part of a transaction that fills the file over its bound.
// What takes space away passes, also when the bound was lowered below what is
// there, and so does the house's bookkeeping. Pages that became free count as
// room.
func (d *DB) measure(unbounded bool) error {
	if d.o.MaxBytes <= 0 {
		return nil
	}
	ctx := context.Background()
	now, err := d.pragma(ctx, `PRAGMA page_count`)
	if err != nil {
		return err
	}
	if now*pageSize > d.o.MaxBytes {
		if now, err = d.pages(ctx); err != nil {
			return err
		}
		if now*pageSize > d.o.MaxBytes && now > d.used && !unbounded {
			return fault.New(fault.Exhausted, "database %q is full: it may hold %d bytes", filepath.Base(d.path), d.o.MaxBytes).
				WithSubject(d.path).WithHint("delete something, or raise its bound")
		}
	}
	d.used = now
	return nil
}

// pages returns how many pages hold something.
func (d *DB) pages(ctx context.Context) (int64, error) {
	all, err := d.pragma(ctx, `PRAGMA page_count`)
	if err != nil {
		return 0, err
	}
	free, err := d.pragma(ctx, `PRAGMA freelist_count`)
	return all - free, err
}

func (d *DB) pragma(ctx context.Context, query string) (n int64, err error) {
	return n, d.w.scan(ctx, query, &n)
}
