package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Tx is a transaction with its context. It is valid inside the function it was
// given to, for one goroutine. Statements that were used before on the same
// connection are not compiled again.
type Tx struct {
	f     *frame
	guest bool
}

// frame is one run of somebody's function in a transaction.
type frame struct {
	ctx      context.Context // the caller's
	run      context.Context // what ends our own statements
	c        *conn
	trace    func(string)
	classify func(error) error

	rows      []*sql.Rows // perhaps open
	guests    []*sql.Rows // those of guests
	hosted    bool        // a guest was here
	unbounded bool        // MaxBytes does not count
	single    bool        // there is no transaction, so one statement is all
	spent     bool        // it was
	cause     error       // of the loss of the transaction
}

// errLost is said by statements behind one that took the transaction down.
var errLost = fault.New(fault.Conflict, "the transaction was rolled back by an earlier statement")

// Context returns the context the transaction ends with.
func (t *Tx) Context() context.Context { return t.f.ctx }

// Unbounded lets the transaction pass when the file is over its MaxBytes: for
// bookkeeping that must go on, and without which nothing would be deleted.
func (t *Tx) Unbounded() { t.f.unbounded = true }

// Exec runs one statement that returns no rows.
func (t *Tx) Exec(query string, args ...any) (sql.Result, error) {
	s, err := t.statement(query, args)
	if err != nil {
		return nil, t.fail(err)
	}
	r, err := s.ExecContext(t.context(), args...)
	return r, t.fail(err)
}

// Query runs one statement that returns rows. Close them, and ask for their
// Err, before the next statement.
func (t *Tx) Query(query string, args ...any) (*sql.Rows, error) {
	s, err := t.statement(query, args)
	if err != nil {
		return nil, t.fail(err)
	}
	rows, err := s.QueryContext(t.context(), args...)
	if err != nil {
		return nil, t.fail(err)
	}
	t.f.opened(rows, t.guest)
	return rows, nil
}

// QueryRow runs one statement of which the first row matters: call Scan, once,
// which returns sql.ErrNoRows if there is none.
func (t *Tx) QueryRow(query string, args ...any) *sql.Row {
	s, err := t.statement(query, args)
	if err != nil {
		// The same error, in the shape of a row.
		return t.f.c.sql.QueryRowContext(refusal{t.f.ctx, t.fail(err)}, query)
	}
	return s.QueryRowContext(t.context(), args...)
}

// statement finds or compiles a query as its author, us or a guest.
func (t *Tx) statement(query string, args []any) (*sql.Stmt, error) {
	f := t.f
	f.trace(query)
	if err := f.usable(t.guest); err != nil {
		return nil, err
	}
	f.spent = true
	s, err := f.c.statement(t.context(), t.guest, query)
	if err == nil && t.guest {
		err = s.takes(args)
	}
	return s.stmt, err
}

// context is what ends a statement: a guest's may be endless.
func (t *Tx) context() context.Context {
	if t.guest {
		return t.f.ctx
	}
	return t.f.run
}

func (t *Tx) fail(err error) error {
	if err != nil && t.f.c.lost && t.f.cause == nil {
		t.f.cause = err
	}
	if t.guest {
		return t.f.c.guard.advise(guestFault(t.f.classify(err)))
	}
	return err
}

func (f *frame) usable(guest bool) error {
	switch {
	case f.ctx.Err() != nil:
		return f.ctx.Err()
	case f.c.lost:
		return errLost
	case f.single && f.spent:
		return fault.New(fault.Internal, "a second statement without a transaction")
	case guest && f.c.guard.reserved == "":
		return fault.New(fault.Internal, "a database without a reserved prefix takes no guests")
	case guest:
		f.hosted = true
	case slices.ContainsFunc(f.guests, isOpen):
		// They would go on as if we had asked.
		return fault.New(fault.Internal, "close the guest's rows before the next statement")
	}
	return nil
}

// isOpen reports whether rows were neither closed nor read to their end.
func isOpen(rows *sql.Rows) bool {
	_, err := rows.Columns()
	return err == nil
}

func (f *frame) opened(rows *sql.Rows, guest bool) {
	list := &f.rows
	if guest {
		list = &f.guests
	}
	if len(*list) >= 16 {
		*list = slices.DeleteFunc(*list, func(r *sql.Rows) bool { return !isOpen(r) })
	}
	*list = append(*list, rows)
}

// judge turns what the function returned into what became of it.
func (f *frame) judge(err error) error {
	if f.c.lost && (err == nil || errors.Is(err, errLost)) {
		if err = f.cause; err == nil {
			err = errLost
		}
	}
	if err == nil {
		err = f.ctx.Err()
	}
	err = f.classify(err)
	if f.hosted {
		err = guestFault(err)
	}
	return err
}

// end closes what the function left open.
func (f *frame) end() {
	for _, r := range append(f.rows, f.guests...) {
		r.Close()
	}
	f.rows, f.guests = nil, nil
	f.c.sweep()
}

// refusal is a context that ended with an error of ours before it began.
type refusal struct {
	context.Context
	err error
}

func (r refusal) Err() error { return r.err }

func (refusal) Done() <-chan struct{} {
	over := make(chan struct{})
	close(over)
	return over
}
