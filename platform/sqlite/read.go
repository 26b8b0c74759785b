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
	if err := c.run(context.Background(), `BEGIN`); err != nil {
		return d.classify(err)
	}
	f := &frame{ctx: ctx, run: ctx, c: c, trace: d.o.Trace, classify: d.classify}
	defer func() {
		f.end()
		_ = c.run(context.Background(), `ROLLBACK`)
	}()
	return f.judge(fn(&Tx{f: f}))
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
