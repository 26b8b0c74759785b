package sqlite

import (
	"context"
	"path/filepath"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Read runs fn on one consistent view of the file. Readers wait for nobody but
// a free connection, and nobody waits for them; writing inside fn fails.
func (d *DB) Read(ctx context.Context, fn func(*Tx) error) error {
	c, err := d.borrow(ctx)
	if err != nil {
		return d.classify(err)
	}
	defer func() { d.lanes <- c }()
	if err := d.bracket(c, `BEGIN`); err != nil {
		return d.classify(err)
	}
	f := &frame{ctx: ctx, run: ctx, c: c, trace: d.o.Trace, classify: d.classify}
	defer func() {
		f.end()
		_ = d.bracket(c, `ROLLBACK`)
	}()
	return f.judge(fn(&Tx{f: f}))
}

// ReadOne is Read for one statement: it is a consistent view by itself, without
// the two that make a transaction. A second one in fn is refused.
func (d *DB) ReadOne(ctx context.Context, fn func(*Tx) error) error {
	c, err := d.borrow(ctx)
	if err != nil {
		return d.classify(err)
	}
	defer func() { d.lanes <- c }()
	f := &frame{ctx: ctx, run: ctx, c: c, trace: d.o.Trace, classify: d.classify, single: true}
	defer f.end()
	return f.judge(fn(&Tx{f: f}))
}

// bracket begins or ends a view.
func (d *DB) bracket(c *conn, query string) error {
	d.o.Trace(query)
	return c.run(context.Background(), query)
}

// borrow takes a reading connection, and opens it the first time.
func (d *DB) borrow(ctx context.Context) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case <-d.gone:
	case <-ctx.Done():
		return nil, ctx.Err()
	case c := <-d.lanes:
		if c != nil {
			return c, nil
		}
		c, err := d.dial(ctx, d.read)
		if err != nil {
			d.lanes <- nil
		}
		return c, err
	}
	return nil, fault.New(fault.Unavailable, "database %q is closed", filepath.Base(d.path)).WithSubject(d.path)
}
