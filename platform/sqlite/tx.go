package sqlite

import (
	"context"
	"database/sql"
)

// Tx is a transaction with its context. It is valid inside the function it was
// given to, for one goroutine. A statement used again in the same transaction
// is not compiled again.
type Tx struct {
	ctx      context.Context
	tx       *sql.Tx
	trace    func(string)
	prepared map[string]*sql.Stmt
}

// Context returns the context the transaction ends with.
func (t *Tx) Context() context.Context { return t.ctx }

// Exec runs one statement that returns no rows.
func (t *Tx) Exec(query string, args ...any) (sql.Result, error) {
	s, err := t.statement(query)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(t.ctx, args...)
}

// Query runs one statement that returns rows. Close them, and ask for their
// Err, before the next statement.
func (t *Tx) Query(query string, args ...any) (*sql.Rows, error) {
	s, err := t.statement(query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(t.ctx, args...)
}

// QueryRow runs one statement of which the first row matters. Scan returns
// sql.ErrNoRows if there is none.
func (t *Tx) QueryRow(query string, args ...any) *sql.Row {
	s, err := t.statement(query)
	if err != nil {
		// The same error again, in the shape of a row.
		return t.tx.QueryRowContext(t.ctx, query, args...)
	}
	return s.QueryRowContext(t.ctx, args...)
}

func (t *Tx) statement(query string) (*sql.Stmt, error) {
	t.trace(query)
	if s, ok := t.prepared[query]; ok {
		return s, nil
	}
	s, err := t.tx.PrepareContext(t.ctx, query)
	if err == nil {
		t.prepared[query] = s
	}
	return s, err
}
