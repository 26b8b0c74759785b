package binding

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/script"
	"github.com/fazt-sh/fazt/platform/storage"
)

// statement is one statement with its parameters.
type statement struct {
	SQL    string  `json:"sql"`
	Params []param `json:"params"`
}

// maxBatch is how many statements one batch has.
const maxBatch = 100

func (s statement) storage() storage.Statement {
	out := storage.Statement{Query: s.SQL, Args: make([]any, len(s.Params))}
	for i, p := range s.Params {
		out.Args[i] = p.v
	}
	return out
}

// where says which database is meant: the app's or a user's, and whether within a
// transaction.
type where struct {
	user
	Tx string `json:"tx"`
}

// sqlRunner is what statements run in: a database, or a transaction of it.
type sqlRunner interface {
	Query(ctx context.Context, s storage.Statement) (storage.Result, error)
	Batch(ctx context.Context, list []storage.Statement) ([]storage.Result, error)
	Exec(ctx context.Context, script string) (int, error)
}

// database is the app's tables, each statement for itself.
type database struct{ *storage.SQL }

func (d database) Query(ctx context.Context, s storage.Statement) (storage.Result, error) {
	return d.All(ctx, s)
}

func (d database) Exec(ctx context.Context, script string) (int, error) {
	done, err := d.SQL.Exec(ctx, script)
	return done.Count, err
}

// session is an open transaction. Its statements end with it, not with the call.
type session struct{ *storage.Transaction }

func (t session) Query(_ context.Context, s storage.Statement) (storage.Result, error) {
	return t.All(s)
}

func (t session) Batch(_ context.Context, list []storage.Statement) ([]storage.Result, error) {
	return t.Transaction.Batch(list)
}

func (t session) Exec(_ context.Context, script string) (int, error) {
	return t.Transaction.Exec(script)
}

// run gives fn what the call means.
func (w where) run(r request, s *storage.SQL, fn func(sqlRunner) error) error {
	if w.User != nil {
		s = s.User(*w.User)
	}
	if w.Tx == "" {
		return fn(database{s})
	}
	t, err := r.find(w.Tx)
	if err != nil {
		return err
	}
	return fn(session{t})
}

// sqlMethods is the shape of Cloudflare's D1, and transactions.
func sqlMethods(_ string, s *storage.SQL) methods {
	return methods{
		"query": on(querySQL(s)),
		"batch": on(batchSQL(s)),
		"exec":  on(execSQL(s)),
		"begin": on(func(ctx context.Context, r request, a struct{ user }) (script.Reply, error) {
			of := s
			if a.User != nil {
				of = s.User(*a.User)
			}
			id, err := r.begin(ctx, of)
			if err != nil {
				return script.Reply{}, err
			}
			return value(map[string]string{"tx": id})
		}),
		"commit":   on(func(_ context.Context, r request, a where) (script.Reply, error) { return done(r.end(a.Tx, true)) }),
		"rollback": on(func(_ context.Context, r request, a where) (script.Reply, error) { return done(r.end(a.Tx, false)) }),
	}
}

type queryArgs struct {
	where
	statement
	Most int `json:"most"` // rows that are wanted; 0 is all
}

func querySQL(s *storage.SQL) func(context.Context, request, queryArgs) (script.Reply, error) {
	return func(ctx context.Context, r request, a queryArgs) (reply script.Reply, err error) {
		begun := time.Now()
		err = a.run(r, s, func(on sqlRunner) error {
			found, err := on.Query(ctx, a.statement.storage())
			if a.Most > 0 && len(found.Rows) > a.Most {
				found.Rows = found.Rows[:a.Most]
			}
			reply.Value = appendResult(nil, found, time.Since(begun))
			return err
		})
		if err != nil {
			reply.Value = nil
		}
		return reply, err
	}
}

type batchArgs struct {
	where
	Statements []statement `json:"statements"`
}

func batchSQL(s *storage.SQL) func(context.Context, request, batchArgs) (script.Reply, error) {
	return func(ctx context.Context, r request, a batchArgs) (reply script.Reply, err error) {
		if len(a.Statements) > maxBatch {
			return reply, fault.New(fault.Invalid, "a batch of %d statements, %d are the most", len(a.Statements), maxBatch)
		}
		list := make([]storage.Statement, len(a.Statements))
		for i, s := range a.Statements {
			list[i] = s.storage()
		}
		begun := time.Now()
		var all []storage.Result
		if err = a.run(r, s, func(on sqlRunner) error { all, err = on.Batch(ctx, list); return err }); err != nil {
			return reply, err
		}
		b := []byte(`{"results":[`)
		for i, found := range all {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendResult(b, found, time.Since(begun))
		}
		return script.Reply{Value: append(b, "]}"...)}, nil
	}
}

func execSQL(s *storage.SQL) func(context.Context, request, struct {
	where
	SQL string `json:"sql"`
}) (script.Reply, error) {
	return func(ctx context.Context, r request, a struct {
		where
		SQL string `json:"sql"`
	}) (script.Reply, error) {
		begun := time.Now()
		n := 0
		err := a.run(r, s, func(on sqlRunner) (err error) { n, err = on.Exec(ctx, a.SQL); return err })
		if err != nil {
			return script.Reply{}, err
		}
		return value(map[string]any{"count": n, "duration": millis(time.Since(begun))})
	}
}

// appendResult writes rows as arrays under one list of columns. It does without
// encoding/json's reflection, which costs a call of a hundred rows more than
// SQLite does.
func appendResult(b []byte, r storage.Result, took time.Duration) json.RawMessage {
	b = append(b, `{"columns":[`...)
	for i, c := range r.Columns {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, c)
	}
	b = append(b, `],"rows":[`...)
	for i, row := range r.Rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '[')
		for k, v := range row {
			if k > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, v)
		}
		b = append(b, ']')
	}
	b = strconv.AppendInt(append(b, `],"changes":`...), r.Meta.Changes, 10)
	b = strconv.AppendInt(append(b, `,"last":`...), r.Meta.LastRowID, 10)
	b = strconv.AppendFloat(append(b, `,"duration":`...), millis(took), 'f', 3, 64)
	return append(b, '}')
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
