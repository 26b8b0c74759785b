package storage

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// read runs a statement on a connection that cannot write.
// One that returns dates is asked again, undated.
func (s *SQL) read(tx *sqlite.Tx, st Statement, most int) (Result, error) {
	r, dated, err := query(tx, st.Query, st, most, true)
	if err != nil {
		return r, err
	}
	s.learn(st.Query, reads)
	if !dated {
		return r, nil
	}
	again, _, err := query(tx, sqlite.Undated(st.Query, len(r.Columns)), st, most, false)
	if err != nil && code(err)&0xff == codeError { // a comment behind its end, say
		again, _, err = query(tx, st.Query, st, most, false)
	}
	again.Columns = r.Columns
	return again, err
}

// write runs a statement on the connection that can, and counts what it did.
func write(tx *sqlite.Tx, st Statement, most int) (r Result, err error) {
	var before, after int64
	if err := tx.QueryRow(`SELECT total_changes()`).Scan(&before); err != nil {
		return r, err
	}
	if r, _, err = query(tx, st.Query, st, most, false); err != nil {
		return r, err
	}
	m := &r.Meta
	err = tx.QueryRow(`SELECT changes(), total_changes(), last_insert_rowid()`).Scan(&m.Changes, &after, &m.LastRowID)
	if m.RowsWritten = after - before; m.RowsWritten == 0 { // what the other two tell is of an earlier statement
		m.Changes, m.LastRowID = 0, 0
	}
	return r, err
}

// query runs a guest's text and reads its rows: at most so many, 1 being one that
// the others are dropped for. With stop, it ends where a column would become a time.
func query(tx *sqlite.Tx, text string, st Statement, most int, stop bool) (r Result, dated bool, err error) {
	begin := time.Now()
	args, err := st.bound()
	if err != nil {
		return r, false, err
	}
	rows, err := tx.Guest().Query(text, args...)
	if err != nil {
		return r, false, err
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return r, false, err
	}
	for _, t := range types {
		r.Columns = append(r.Columns, t.Name())
	}
	dated = sqlite.Dated(types)
	if dated && stop {
		return r, true, nil
	}
	err = r.fill(rows, types, most)
	r.Meta.Duration = time.Since(begin)
	return r, dated, err
}

func (r *Result) fill(rows *sql.Rows, types []*sql.ColumnType, most int) error {
	size := 0
	into := make([]any, len(types))
	for rows.Next() {
		row := make([]any, len(types))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i, v := range row {
			row[i] = value(v, types[i])
			size += sqlite.Weight(row[i])
		}
		if len(r.Rows) == maxRows || size > maxAnswer {
			return tooLarge()
		}
		if r.Rows = append(r.Rows, row); most == 1 {
			break
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

func tooLarge() error {
	return fault.New(fault.Exhausted, "the result has more than %d rows or %d bytes", maxRows, maxAnswer).
		WithHint("ask for less with LIMIT, and go on where it ended")
}

// value returns what SQLite has. Of a time, which only RETURNING leaves us, it makes
// the text that CURRENT_TIMESTAMP or a program's clock would have written.
func value(v any, t *sql.ColumnType) any {
	switch v := v.(type) {
	case time.Time:
		switch {
		case v.Nanosecond() != 0:
			return v.Format("2006-01-02T15:04:05.000Z07:00")
		case t.DatabaseTypeName() == "DATE" && v.Equal(v.Truncate(24*time.Hour)):
			return v.Format(time.DateOnly)
		}
		return v.Format(time.DateTime)
	case []byte:
		if v == nil {
			return []byte{} // an empty blob; NULL is nil
		}
	}
	return v
}

func (r Result) size() (n int) {
	for _, row := range r.Rows {
		for _, v := range row {
			n += sqlite.Weight(v)
		}
	}
	return n
}

// bound returns the arguments as SQLite's values.
func (s Statement) bound() (args []any, err error) {
	for i, a := range s.Args {
		v, ok := bindable(a)
		if !ok {
			return nil, fault.New(fault.Invalid, "argument %d is a %T, which SQL has no value for", i+1, a)
		}
		args = append(args, v)
	}
	for name, a := range s.Named {
		v, ok := bindable(a)
		if !ok {
			return nil, fault.New(fault.Invalid, "argument %q is a %T, which SQL has no value for", name, a)
		}
		args = append(args, sql.Named(strings.TrimLeft(name, ":@$"), v))
	}
	return args, nil
}

func bindable(v any) (any, bool) {
	switch v := v.(type) {
	case nil, int64, float64, string:
		return v, true
	case int:
		return int64(v), true
	case bool:
		if v {
			return int64(1), true
		}
		return int64(0), true
	case []byte:
		if v == nil {
			return []byte{}, true
		}
		return v, true
	}
	return nil, false
}

// guestFault gives what a guest's statement caused its kind: whatever is no fault of
// ours is one of the statement or of its arguments.
func guestFault(ctx context.Context, err error) error {
	var classed *fault.Error
	switch {
	case err == nil || errors.As(err, &classed):
		return err
	case ctx.Err() != nil:
		return fault.Wrap(fault.Exhausted, context.Cause(ctx), "the statement was ended")
	}
	switch code(err) & 0xff {
	case codeAuth:
		return fault.Wrap(fault.Forbidden, err, "the statement is not allowed")
	case codeConstraint:
		return &fault.Error{Kind: fault.Conflict, Err: err}
	}
	return &fault.Error{Kind: fault.Invalid, Err: err}
}
