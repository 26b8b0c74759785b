package storage_test

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/storage"
)

func st(query string, args ...any) storage.Statement {
	return storage.Statement{Query: query, Args: args}
}

func tables(t testing.TB, script string) *storage.SQL {
	t.Helper()
	s := open(t, storage.Settings{}).SQL("DB")
	_, err := s.Exec(t.Context(), script)
	ok(t, err)
	return s
}

func rows(t testing.TB, s *storage.SQL, query string, args ...any) [][]any {
	t.Helper()
	r, err := s.All(t.Context(), st(query, args...))
	ok(t, err)
	return r.Rows
}

func TestSQL(t *testing.T) {
	s, ctx := tables(t, `CREATE TABLE note (id INTEGER PRIMARY KEY, word TEXT UNIQUE, x);
		CREATE TRIGGER copy AFTER INSERT ON note WHEN new.word = 'twice' BEGIN INSERT INTO note (word) VALUES ('once more'); END;`), t.Context()
	r, err := s.All(ctx, st(`INSERT INTO note (word) VALUES (?), (?) RETURNING id, word`, "a", "b"))
	ok(t, err)
	if want := [][]any{{int64(1), "a"}, {int64(2), "b"}}; !reflect.DeepEqual(r.Rows, want) || r.Meta.Changes != 2 || r.Meta.LastRowID != 2 || r.Meta.RowsWritten != 2 {
		t.Errorf("%+v", r)
	}
	m, err := s.Run(ctx, st(`INSERT INTO note (word) VALUES ('twice')`))
	if ok(t, err); m.Changes != 1 || m.RowsWritten != 2 || m.LastRowID != 3 {
		t.Errorf("with a trigger: %+v", m)
	}
	m, err = s.Run(ctx, st(`UPDATE note SET x = 1 WHERE word = 'none'`))
	if ok(t, err); m.Changes != 0 || m.LastRowID != 0 {
		t.Errorf("nothing: %+v", m)
	}
	first, err := s.First(ctx, st(`SELECT word AS w FROM note ORDER BY id`))
	if ok(t, err); len(first.Rows) != 1 || first.Rows[0][0] != "a" || first.Columns[0] != "w" {
		t.Errorf("first %+v", first)
	}
	if none, err := s.First(ctx, st(`SELECT 1 WHERE 0`)); err != nil || len(none.Rows) != 0 {
		t.Errorf("first of none: %+v, %v", none, err)
	}
	for query, kind := range map[string]fault.Kind{
		`SELECT`:                                    fault.Invalid,
		`SELECT * FROM nothing`:                     fault.Invalid,
		`SELECT ?`:                                  fault.Invalid, // without an argument
		`INSERT INTO note (word) VALUES ('a')`:      fault.Conflict,
		`SELECT * FROM fazt_key`:                    fault.Forbidden,
		`DELETE FROM fazt_store`:                    fault.Forbidden,
		`CREATE TABLE fazt_mine (a)`:                fault.Forbidden,
		`ATTACH '/tmp/x.db' AS x`:                   fault.Forbidden,
		`PRAGMA journal_mode = DELETE`:              fault.Forbidden,
		`BEGIN`:                                     fault.Forbidden,
		`COMMIT`:                                    fault.Forbidden,
		`SELECT load_extension('x')`:                fault.Invalid,
		`SELECT name FROM pragma_database_list`:     fault.Forbidden,
		`CREATE TABLE a (b); DROP TABLE fazt_store`: fault.Forbidden,
	} {
		_, err := s.All(ctx, st(query))
		if is(t, err, kind); err == nil {
			t.Errorf("%s passed", query)
		}
	}
	_, err = s.All(ctx, st(`SELECT ?`, struct{}{}))
	is(t, err, fault.Invalid)
	_, err = s.User("ana").All(ctx, st(`SELECT 1`))
	is(t, err, fault.Invalid)
}

// Values come back as they were put, also where the driver would make times of them.
func TestSQLValues(t *testing.T) {
	s := tables(t, `CREATE TABLE v (x); CREATE TABLE d (at DATETIME, day DATE, ts TIMESTAMP, n INTEGER)`)
	for _, v := range []any{nil, int64(math.MaxInt64), int64(math.MinInt64), 1.5, math.Inf(1), "", "é\x00", "2024-01-01", []byte{}, []byte{0, 255}} {
		rows(t, s, `DELETE FROM v`)
		rows(t, s, `INSERT INTO v VALUES (?)`, v)
		if got := rows(t, s, `SELECT x FROM v`); !reflect.DeepEqual(got, [][]any{{v}}) {
			t.Errorf("%#v came back as %#v", v, got)
		}
	}
	for i, v := range []string{"2024-01-01", "2024-01-01 12:00:00", "2024-01-01T12:00:00Z", "2024-01-01T12:00:00.120Z", "2024-01-01 12:00:00+02:00", "soon"} {
		rows(t, s, `INSERT INTO d VALUES (?1, ?1, ?1, ?2)`, v, i)
		for _, query := range []string{`SELECT * FROM d WHERE n = ?`, "SELECT * FROM d WHERE n = ? ORDER BY n; \n", `WITH d2 AS (SELECT * FROM d) SELECT * FROM d2 WHERE n = ?`} {
			if got := rows(t, s, query, i); !reflect.DeepEqual(got, [][]any{{v, v, v, int64(i)}}) {
				t.Errorf("%q came back as %#v", v, got)
			}
		}
	}
	r, err := s.All(t.Context(), st(`SELECT day, day, at AS "a b" FROM d ORDER BY n DESC`))
	ok(t, err)
	if !reflect.DeepEqual(r.Columns, []string{"day", "day", "a b"}) || r.Rows[0][0] != "soon" || r.Rows[5][2] != "2024-01-01" {
		t.Errorf("%+v", r)
	}
	got := rows(t, s, `INSERT INTO d VALUES ('2024-01-01 12:00:00', '2024-01-01', '2024-01-01T12:00:00.120Z', 9) RETURNING *`)
	if !reflect.DeepEqual(got, [][]any{{"2024-01-01 12:00:00", "2024-01-01", "2024-01-01T12:00:00.120Z", int64(9)}}) {
		t.Errorf("returning %#v", got)
	}
}

func TestSQLArguments(t *testing.T) {
	s := tables(t, ``)
	r, err := s.All(t.Context(), storage.Statement{Query: `SELECT :a, @b, $c, :a`, Named: map[string]any{"a": 1, ":b": 2, "$c": true}})
	ok(t, err)
	if !reflect.DeepEqual(r.Rows, [][]any{{int64(1), int64(2), int64(1), int64(1)}}) {
		t.Errorf("named: %v", r.Rows)
	}
	if got := rows(t, s, `SELECT ?2, ?1, ?2`, "a", "b"); !reflect.DeepEqual(got, [][]any{{"b", "a", "b"}}) {
		t.Errorf("numbered: %v", got)
	}
}

func TestSQLBounds(t *testing.T) {
	s, ctx := tables(t, ``), t.Context()
	many := `WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < %d) SELECT %s FROM n`
	if got := rows(t, s, fmt.Sprintf(many, 10_000, "i")); len(got) != 10_000 {
		t.Errorf("%d rows", len(got))
	}
	for _, query := range []string{fmt.Sprintf(many, 10_001, "i"), fmt.Sprintf(many, 9, "hex(zeroblob(524288))")} {
		_, err := s.All(ctx, st(query))
		if is(t, err, fault.Exhausted); !strings.Contains(err.Error(), "10000 rows or 8388608 bytes") {
			t.Error(err)
		}
	}
	if r, err := s.First(ctx, st(fmt.Sprintf(many, 10_001, "i"))); err != nil || len(r.Rows) != 1 {
		t.Errorf("first of many: %d, %v", len(r.Rows), err)
	}
	_, err := s.Batch(ctx, []storage.Statement{st(fmt.Sprintf(many, 7, "hex(zeroblob(524288))")), st(fmt.Sprintf(many, 7, "hex(zeroblob(524288))"))})
	is(t, err, fault.Exhausted)
	ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	_, err = s.All(ctx, st(fmt.Sprintf(many, int64(math.MaxInt64), "count(*)")))
	if err == nil {
		t.Error("an endless statement ended")
	}
}

// A batch is one transaction.
func TestSQLBatch(t *testing.T) {
	s, ctx := tables(t, `CREATE TABLE note (word TEXT UNIQUE)`), t.Context()
	results, err := s.Batch(ctx, []storage.Statement{st(`INSERT INTO note VALUES ('a')`), st(`SELECT count(*) FROM note`)})
	ok(t, err)
	if len(results) != 2 || results[1].Rows[0][0] != int64(1) {
		t.Errorf("%+v", results)
	}
	_, err = s.Batch(ctx, []storage.Statement{st(`INSERT INTO note VALUES ('b')`), st(`INSERT INTO note VALUES ('a')`)})
	if is(t, err, fault.Conflict); !strings.Contains(err.Error(), "statement 2") {
		t.Errorf("which one? %v", err)
	}
	_, err = s.Exec(ctx, "INSERT INTO note VALUES ('c');\n\n/* ; */ INSERT INTO note VALUES ('a');")
	if is(t, err, fault.Conflict); !strings.Contains(err.Error(), "line 3") {
		t.Errorf("where? %v", err)
	}
	if got := rows(t, s, `SELECT word FROM note`); len(got) != 1 {
		t.Errorf("left over: %v", got)
	}
	if e, err := s.Exec(ctx, "INSERT INTO note VALUES ('c;'); INSERT INTO note VALUES ('d') -- the end"); err != nil || e.Count != 2 {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestTransaction(t *testing.T) {
	s, ctx := tables(t, `CREATE TABLE note (word TEXT UNIQUE)`), t.Context()
	for _, keep := range []bool{false, true} {
		tx, err := s.Begin(ctx)
		ok(t, err)
		_, err = tx.All(st(`INSERT INTO note VALUES ('a')`))
		ok(t, err)
		_, err = tx.All(st(`INSERT INTO note VALUES ('b'), ('a')`))
		is(t, err, fault.Conflict)
		r, err := tx.All(st(`SELECT group_concat(word) FROM note`)) // it goes on after an error
		if ok(t, err); r.Rows[0][0] != "a" {
			t.Errorf("inside: %v", r.Rows)
		}
		if got := rows(t, s, `SELECT * FROM note`); len(got) != 0 {
			t.Errorf("outside: %v", got)
		}
		if keep {
			ok(t, tx.Commit())
		} else {
			ok(t, tx.Rollback())
		}
		_, err = tx.All(st(`SELECT 1`))
		is(t, err, fault.Conflict)
		is(t, tx.Commit(), fault.Conflict)
	}
	if got := rows(t, s, `SELECT * FROM note`); len(got) != 1 {
		t.Errorf("%v", got)
	}
	// The end of who began it is its end.
	short, cancel := context.WithCancel(ctx)
	tx, err := s.Begin(short)
	ok(t, err)
	_, err = tx.All(st(`DELETE FROM note`))
	ok(t, err)
	cancel()
	if err := tx.Commit(); err == nil {
		t.Error("committed by somebody who is gone")
	}
	if got := rows(t, s, `SELECT * FROM note`); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

// Who holds the writer for too long loses it, and what it did.
func TestTransactionIsBounded(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := storage.NewPool(dir, storage.Options{})
		defer p.Close()
		a, err := p.Open(t.Context(), "notes", storage.Settings{})
		ok(t, err)
		defer a.Close()
		s, ctx := a.SQL("DB"), t.Context()
		_, err = s.Exec(ctx, `CREATE TABLE note (word)`)
		ok(t, err)
		tx, err := s.Begin(ctx)
		ok(t, err)
		_, err = tx.All(st(`INSERT INTO note VALUES ('a')`))
		ok(t, err)
		var other sync.WaitGroup
		began := time.Now()
		other.Go(func() { // waits for its turn
			_, err := a.Keys("CACHE").Put(ctx, "a", text("x"), storage.PutOptions{})
			ok(t, err)
		})
		other.Wait()
		if waited := time.Since(began); waited != 10*time.Second {
			t.Errorf("another writer waited for %s", waited)
		}
		_, err = tx.All(st(`SELECT 1`))
		is(t, err, fault.Exhausted)
		is(t, tx.Commit(), fault.Exhausted)
		if got := rows(t, s, `SELECT * FROM note`); len(got) != 0 {
			t.Errorf("%v", got)
		}
	})
}

// Writers that fail leave the tables of others, and the rows of neighbours, alone.
func TestSQLBesideOthers(t *testing.T) {
	a, ctx := open(t, storage.Settings{}), t.Context()
	s, k := a.SQL("DB"), a.Keys("CACHE")
	_, err := s.Exec(ctx, `CREATE TABLE note (word TEXT UNIQUE)`)
	ok(t, err)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 10 {
				if _, err := s.Run(ctx, st(`INSERT INTO note VALUES (?)`, fmt.Sprint(i, n))); err != nil {
					t.Error(err)
				}
				if _, err := s.Run(ctx, st(`INSERT OR ROLLBACK INTO note VALUES (?)`, fmt.Sprint(i, n))); err == nil {
					t.Error("twice")
				}
				if _, err := k.Incr(ctx, "n", 1, storage.PutOptions{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	e, _, err := k.Get(ctx, "n")
	if got := rows(t, s, `SELECT count(*) FROM note`); string(e.Data) != "40" || got[0][0] != int64(40) || err != nil {
		t.Errorf("%s increments, %v rows, %v", e.Data, got, err)
	}
}
