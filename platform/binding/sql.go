package binding

import (
	"context"
	"strconv"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/script"
	"github.com/fazt-sh/fazt/platform/storage"
)

// statement is one statement with its parameters.
type statement struct {
	SQL    string  `json:"sql"`
	Params []param `json:"params"`
}

func (s statement) storage() storage.Statement {
	out := storage.Statement{Query: s.SQL, Args: make([]any, len(s.Params))}
	for i, p := range s.Params {
		out.Args[i] = p.v
	}
	return out
}

// within names the transaction that a statement is part of; empty is one of its own.
type within struct {
	Tx string `json:"tx"`
}

// sqlMethods is the shape of Cloudflare's D1, and transactions.
func sqlMethods(_ string, s *storage.SQL) methods {
	return methods{
		"query": on(querySQL(s)),
		"batch": on(batchSQL(s)),
		"exec":  on(execSQL(s)),
		"begin": on(func(ctx context.Context, r request, _ struct{}) (script.Reply, error) {
			id, err := r.begin(ctx, s)
			if err != nil {
				return script.Reply{}, err
			}
			return value(map[string]string{"tx": id})
		}),
		"commit":   on(func(_ context.Context, r request, a within) (script.Reply, error) { return done(r.end(a.Tx, true)) }),
		"rollback": on(func(_ context.Context, r request, a within) (script.Reply, error) { return done(r.end(a.Tx, false)) }),
	}
}

type queryArgs struct {
	within
	statement
	First bool `json:"first"` // no more than one row is wanted
}

func querySQL(s *storage.SQL) func(context.Context, request, queryArgs) (script.Reply, error) {
	return func(ctx context.Context, r request, a queryArgs) (script.Reply, error) {
		found, err := a.run(ctx, r, s)
		if err != nil {
			return script.Reply{}, err
		}
		if a.First && len(found.Rows) > 1 {
			found.Rows = found.Rows[:1]
		}
		return script.Reply{Value: appendResult(nil, found)}, nil
	}
}

func (a queryArgs) run(ctx context.Context, r request, s *storage.SQL) (storage.Result, error) {
	switch {
	case a.Tx != "":
		tx, err := r.find(a.Tx)
		if err != nil {
			return storage.Result{}, err
		}
		return tx.All(a.storage())
	case a.First:
		return s.First(ctx, a.storage())
	default:
		return s.All(ctx, a.storage())
	}
}

type batchArgs struct {
	within
	Statements []statement `json:"statements"`
}

func batchSQL(s *storage.SQL) func(context.Context, request, batchArgs) (script.Reply, error) {
	return func(ctx context.Context, r request, a batchArgs) (script.Reply, error) {
		list := make([]storage.Statement, len(a.Statements))
		for i, st := range a.Statements {
			list[i] = st.storage()
		}
		all, err := a.run(ctx, r, s, list)
		if err != nil {
			return script.Reply{}, err
		}
		b := []byte(`{"results":[`)
		for i, found := range all {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendResult(b, found)
		}
		return script.Reply{Value: append(b, "]}"...)}, nil
	}
}

// run is all or none of the statements; within a transaction they are part of it,
// and whoever catches the error of one keeps those before it.
func (a batchArgs) run(ctx context.Context, r request, s *storage.SQL, list []storage.Statement) ([]storage.Result, error) {
	if a.Tx == "" {
		return s.Batch(ctx, list)
	}
	tx, err := r.find(a.Tx)
	if err != nil {
		return nil, err
	}
	all := make([]storage.Result, len(list))
	for i, st := range list {
		if all[i], err = tx.All(st); err != nil {
			return nil, fault.Wrap(fault.KindOf(err), err, "statement %d", i+1)
		}
	}
	return all, nil
}

type execArgs struct {
	within
	SQL string `json:"sql"`
}

func execSQL(s *storage.SQL) func(context.Context, request, execArgs) (script.Reply, error) {
	return func(ctx context.Context, r request, a execArgs) (script.Reply, error) {
		var done storage.Executed
		var err error
		if a.Tx == "" {
			done, err = s.Exec(ctx, a.SQL)
		} else if tx, missing := r.find(a.Tx); missing == nil {
			done.Count, err = tx.Exec(a.SQL)
		} else {
			err = missing
		}
		if err != nil {
			return script.Reply{}, err
		}
		return value(map[string]any{"count": done.Count, "duration": float64(done.Duration.Microseconds()) / 1000})
	}
}

// appendResult writes rows as arrays under one list of columns. It does without
// encoding/json's reflection, as rows are what most calls are about.
func appendResult(b []byte, r storage.Result) []byte {
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
	m := r.Meta
	b = strconv.AppendInt(append(b, `],"changes":`...), m.Changes, 10)
	b = strconv.AppendInt(append(b, `,"written":`...), m.RowsWritten, 10)
	b = strconv.AppendInt(append(b, `,"last":`...), m.LastRowID, 10)
	b = strconv.AppendFloat(append(b, `,"duration":`...), float64(m.Duration.Microseconds())/1000, 'f', 3, 64)
	return append(b, '}')
}
