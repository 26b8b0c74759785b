package storage

import (
	"context"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// SQL is the app's own tables, in the same database as its keys and documents. Its
// statements are those of a guest: they see no table of ours, no file, no setting.
// Statements that only read run beside writers; each of the others is a transaction.
type SQL struct{ view }

// SQL returns the app's tables. All names stand for the same ones, as an app has one
// database; the name only tells which binding it is.
func (a *App) SQL(name string) *SQL { return &SQL{a.view("sql", name)} }

// User returns nothing that can be used: rows of tables have no owner that we know.
// Every method of what it returns says so.
func (s *SQL) User(string) *SQL {
	v := s.view
	v.err = fault.New(fault.Invalid, "tables of SQL have no view of one user").
		WithHint("keep the user's id in a column and compare it, or use documents, keys or files")
	return &SQL{v}
}

// Statement is one statement with what is bound to it: nil, bool, integers, floats,
// strings and bytes.
type Statement struct {
	Query string
	Args  []any          // for ? and ?1
	Named map[string]any // for :name, @name and $name, with the sign or without
}

// Result is what a statement returned.
type Result struct {
	Columns []string
	Rows    [][]any // nil, int64, float64, string or []byte; an int64 beyond 2^53 is what it is
	Meta    Meta
}

// Meta is what a statement did.
type Meta struct {
	Changes     int64 // rows the statement itself changed
	RowsWritten int64 // and with those that triggers and foreign keys did
	LastRowID   int64 // of the row inserted last; 0 if nothing changed
	Duration    time.Duration
}

const (
	maxRows  = 10_000
	maxBatch = 1000
)

// All runs one statement and returns all it returns. The error's kind is Exhausted if
// that is more than 10,000 rows or 8 MiB, Invalid if SQLite does not understand it,
// Conflict if a constraint refuses, Forbidden for what is not the app's.
func (s *SQL) All(ctx context.Context, st Statement) (Result, error) {
	return s.one(ctx, st, maxRows)
}

// First runs one statement and returns its first row, if it returns any.
func (s *SQL) First(ctx context.Context, st Statement) (Result, error) {
	return s.one(ctx, st, 1)
}

// Run runs one statement for what it does.
func (s *SQL) Run(ctx context.Context, st Statement) (Meta, error) {
	r, err := s.one(ctx, st, maxRows)
	return r.Meta, err
}

func (s *SQL) one(ctx context.Context, st Statement, most int) (r Result, err error) {
	if s.err != nil {
		return r, s.err
	}
	if s.mode(st.Query) != writes {
		err := s.db.Read(ctx, func(tx *sqlite.Tx) error {
			r, err = s.read(tx, st, most)
			return err
		})
		if fault.KindOf(err) != fault.Forbidden && code(err)&0xff != codeReadOnly {
			return r, guestFault(ctx, err)
		}
	}
	err = s.db.Write(ctx, func(tx *sqlite.Tx) error {
		r, err = write(tx, st, most)
		return err
	})
	if fault.KindOf(err) != fault.Forbidden {
		s.learn(st.Query, writes)
	}
	return r, guestFault(ctx, err)
}

// Batch runs up to 1000 statements in one transaction: all of them, or none.
func (s *SQL) Batch(ctx context.Context, all []Statement) (results []Result, err error) {
	if s.err != nil {
		return nil, s.err
	}
	err = s.db.Write(ctx, func(tx *sqlite.Tx) error {
		results, err = batch(ctx, tx, all)
		return err
	})
	return results, guestFault(ctx, err)
}

func batch(ctx context.Context, tx *sqlite.Tx, all []Statement) (results []Result, err error) {
	if len(all) > maxBatch {
		return nil, fault.New(fault.Invalid, "%d statements at once, %d are the most", len(all), maxBatch)
	}
	size := 0
	for i, st := range all {
		r, err := write(tx, st, maxRows)
		if err != nil {
			return nil, fault.Wrap(fault.KindOf(guestFault(ctx, err)), err, "statement %d", i+1)
		}
		if size += r.size(); size > maxAnswer {
			return nil, tooLarge()
		}
		results = append(results, r)
	}
	return results, nil
}

// Executed is what a script did.
type Executed struct {
	Count    int // statements
	Duration time.Duration
}

// Exec runs a script of statements without arguments in one transaction. What they
// return is dropped. An error tells the line of its statement.
func (s *SQL) Exec(ctx context.Context, script string) (e Executed, err error) {
	if s.err != nil {
		return e, s.err
	}
	begin := time.Now()
	err = s.db.Write(ctx, func(tx *sqlite.Tx) error {
		e.Count, err = execScript(ctx, tx, script)
		return err
	})
	e.Duration = time.Since(begin)
	return e, guestFault(ctx, err)
}

func execScript(ctx context.Context, tx *sqlite.Tx, script string) (count int, err error) {
	for _, st := range sqlite.Split(script) {
		if _, err := tx.Guest().Exec(st.Text); err != nil {
			return count, fault.Wrap(fault.KindOf(guestFault(ctx, err)), err, "line %d", st.Line)
		}
		count++
	}
	return count, nil
}

// mode is what is known of a statement. That it writes is found out by a connection
// that cannot, where it is refused.
type mode int

const (
	unknown mode = iota
	reads
	writes
)

const (
	maxModes     = 1000    // statements that are remembered
	longestKnown = 8 << 10 // longer ones are written for one use
)

func (c *core) mode(query string) mode {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.modes[query]
}

func (c *core) learn(query string, m mode) {
	if len(query) > longestKnown {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.modes) >= maxModes {
		clear(c.modes)
	}
	c.modes[query] = m
}
