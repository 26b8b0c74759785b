package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"time"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Console answers questions that a person asks of a database. SQLite holds them to
// reading, not a look at their text: each has a connection of its own, which cannot
// write, under an authorizer that allows to read and nothing else; and which is
// gone with the answer, so that nobody who asks keeps the log from being cut.
type Console struct {
	bounds Bounds
	turns  chan struct{}
}

// Bounds are what one question may cost. Zero values are the defaults.
type Bounds struct {
	Deadline time.Duration // 5 s
	Bytes    int           // of an answer; 10 MiB
	AtOnce   int           // questions that are answered at a time; 2
}

// NewConsole returns a console. One is enough for all databases of a node.
func NewConsole(b Bounds) *Console {
	if b.Deadline == 0 {
		b.Deadline = 5 * time.Second
	}
	if b.Bytes == 0 {
		b.Bytes = 10 << 20
	}
	if b.AtOnce == 0 {
		b.AtOnce = 2
	}
	return &Console{b, make(chan struct{}, b.AtOnce)}
}

// Question is one statement that reads.
type Question struct {
	Query  string
	Params map[string]any // for :name, @name and $name: nil, int64, float64, string or []byte
	Rows   int            // of the answer at most, and all of it if 0
	// Withheld names columns that are never read, and tables, with no column. Both
	// come in lower case. Nil withholds nothing.
	Withheld func(table, column string) bool
}

// Answer is what a question returned.
type Answer struct {
	Columns []string
	Rows    [][]any // nil, int64, float64, string or []byte
	Cut     Cut     // why there are not all rows
	Took    time.Duration
}

// Cut says why an answer ends before its end; it is empty where it does not.
type Cut string

// The reasons.
const (
	CutRows  Cut = "rows"
	CutBytes Cut = "bytes"
)

// largestRead is the largest value that a question may read or make.
const largestRead = 1 << 20

// errDeadline is the cause of a question's end when it took too long.
var errDeadline = errors.New("the deadline")

// Ask answers a question. The error's kind is Forbidden for what does more than
// read and for what is withheld, Invalid for what SQLite does not understand,
// Exhausted if the deadline came first or too many others ask.
func (c *Console) Ask(ctx context.Context, d *DB, q Question) (a Answer, err error) {
	select {
	case c.turns <- struct{}{}:
		defer func() { <-c.turns }()
	default:
		return a, fault.New(fault.Exhausted, "%d queries are running, and no more may at once", cap(c.turns)).
			WithHint("each ends within %s: try again then", c.bounds.Deadline)
	}
	statements := Split(q.Query)
	if len(statements) != 1 {
		return a, fault.New(fault.Invalid, "the query has %d statements, and one is answered", len(statements)).WithHint("ask them one after the other")
	}
	q.Query = statements[0].Text
	begin := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, c.bounds.Deadline, errDeadline)
	defer cancel()
	l := &lens{withheld: q.Withheld}
	err = d.through(ctx, l, func(k *sql.Conn) error {
		a, err = c.ask(ctx, k, q)
		return err
	})
	a.Took = time.Since(begin)
	return a, c.verdict(ctx, d, l, err)
}

// through gives fn a connection of its own, on which the lens judges statements.
func (d *DB) through(ctx context.Context, l *lens, fn func(*sql.Conn) error) error {
	pool, err := d.open(reading)
	if err != nil {
		return err
	}
	defer pool.Close()
	k, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer k.Close()
	limits := bounds()
	limits[lib.SQLITE_LIMIT_LENGTH] = largestRead
	for id, n := range limits {
		if _, err := driver.Limit(k, id, n); err != nil {
			return err
		}
	}
	if err := k.Raw(func(dc any) error { return dc.(driver.AuthorizerRegisterer).RegisterAuthorizer(l.authorize) }); err != nil {
		return err
	}
	return fn(k)
}

// ask runs a query, and once more where it returns dates.
func (c *Console) ask(ctx context.Context, k *sql.Conn, q Question) (Answer, error) {
	a, dated, err := c.run(ctx, k, q, true)
	if err != nil || !dated {
		return a, err
	}
	around := q
	around.Query = Undated(q.Query, len(a.Columns))
	again, _, err := c.run(ctx, k, around, false)
	if err != nil && ctx.Err() == nil { // a comment behind its end, say
		again, _, err = c.run(ctx, k, q, false)
	}
	again.Columns = a.Columns
	return again, err
}

// run reads an answer. With stop, it ends where a column would become a time.
func (c *Console) run(ctx context.Context, k *sql.Conn, q Question, stop bool) (a Answer, dated bool, err error) {
	rows, err := k.QueryContext(ctx, q.Query, q.args()...)
	if err != nil {
		return a, false, err
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return a, false, err
	}
	for _, t := range types {
		a.Columns = append(a.Columns, t.Name())
	}
	if stop && Dated(types) {
		return a, true, nil
	}
	err = c.fill(&a, rows, q.Rows)
	return a, false, err
}

func (q Question) args() (args []any) {
	for name, v := range q.Params {
		args = append(args, sql.Named(name, v))
	}
	return args
}

// fill reads rows until one bound is met.
func (c *Console) fill(a *Answer, rows *sql.Rows, most int) error {
	size, into := 0, make([]any, len(a.Columns))
	for rows.Next() {
		row := make([]any, len(a.Columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i, v := range row {
			row[i] = plain(v)
			size += Weight(row[i])
		}
		switch {
		case most > 0 && len(a.Rows) == most:
			a.Cut = CutRows
		case size > c.bounds.Bytes:
			a.Cut = CutBytes
		}
		if a.Cut != "" {
			return nil
		}
		a.Rows = append(a.Rows, row)
	}
	return rows.Err()
}

// plain is a value as SQLite has it; a time is left over only where a query could
// not be asked undated.
func plain(v any) any {
	switch v := v.(type) {
	case time.Time:
		return v.Format("2006-01-02 15:04:05.999999999Z07:00")
	case []byte:
		if v == nil {
			return []byte{} // an empty blob; NULL is nil
		}
	}
	return v
}

// Weight is what a value of a row costs in memory, about.
func Weight(v any) int {
	switch v := v.(type) {
	case string:
		return len(v) + 16
	case []byte:
		return len(v) + 24
	}
	return 16
}

// verdict says in words why a question was not answered.
func (c *Console) verdict(ctx context.Context, d *DB, l *lens, err error) error {
	var e *driver.Error
	code := 0
	if errors.As(err, &e) {
		code = e.Code() & 0xff
	}
	name := filepath.Base(d.path)
	switch {
	case err == nil:
		return nil
	case l.secret != "":
		return fault.New(fault.Forbidden, "%s is not shown: it holds secrets", l.secret).WithSubject(l.secret).
			WithHint("name the columns you need, without it; --schema says which are shown")
	case errors.Is(context.Cause(ctx), errDeadline):
		return fault.New(fault.Exhausted, "the query was ended at its deadline of %s", c.bounds.Deadline).WithHint("ask for less, with WHERE and LIMIT, or by an index")
	case ctx.Err() != nil:
		return err
	case code == lib.SQLITE_AUTH || code == lib.SQLITE_READONLY || code == lib.SQLITE_PERM:
		return fault.New(fault.Forbidden, "a query may read %s and nothing else", name).WithHint("fazt sql --write changes the tables of an app")
	case l.denied: // SQLite says what it was
		return fault.Wrap(fault.Forbidden, err, "a query may read %s and nothing else", name)
	case code == lib.SQLITE_TOOBIG:
		return fault.Wrap(fault.Exhausted, err, "a value has more than %d bytes", largestRead).WithHint("leave that column out; octet_length() tells its size")
	}
	err = d.classify(err)
	var classed *fault.Error
	if errors.As(err, &classed) {
		return err
	}
	return &fault.Error{Kind: fault.Invalid, Err: err}
}
