package sqlite_test

import (
	"database/sql"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// A guest's text is one statement, with as many values as it takes.
func TestGuestsSayOneStatement(t *testing.T) {
	d := hosted(t)
	count := func() (n int) {
		if err := d.Read(t.Context(), func(tx *sqlite.Tx) error { return tx.Guest().QueryRow(`SELECT count(*) FROM note`).Scan(&n) }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	had := count()
	for _, c := range []struct {
		query string
		args  []any
		says  string // empty: it passes
	}{
		{"SELECT 1;", nil, ""},
		{" ;; SELECT 1 ; ; -- INSERT INTO note VALUES (9, 'x');\n /* ; */ ", nil, ""},
		{"SELECT ';', \";\", [;] FROM (SELECT 1 AS \";\", 2 AS [;]) -- ?", nil, ""},
		{"CREATE TRIGGER log AFTER UPDATE ON note BEGIN SELECT 1; SELECT 2; END;", nil, ""},
		{"SELECT ?, ?, ?1", []any{"a", "b"}, ""},
		{"SELECT ?2", []any{"a", "b"}, ""},
		{"SELECT $1, $2, $1", []any{"a", "b"}, ""},
		{"SELECT :a, @b, $c, :a", []any{sql.Named("a", 1), sql.Named("b", 2), sql.Named("c", 3)}, ""},
		{"SELECT '?', \"?\" FROM (SELECT 1 AS \"?\") /* ? */ WHERE 0 AND ?", []any{1}, ""},
		{"", nil, "no statement"},
		{" ; -- SELECT 1", nil, "no statement"},
		{"SELECT 1; INSERT INTO note (word) VALUES ('stacked')", nil, "2 statements"},
		{"INSERT INTO note (word) VALUES (?); INSERT INTO note (word) VALUES (?)", []any{"x", "y"}, "2 statements"},
		{"SELECT $a('); INSERT INTO note (word) VALUES ('stacked'); SELECT $b(')", []any{1}, "3 statements"},
		{"SELECT ?, ?", []any{1}, "takes 2 values, and 1 are bound"},
		{"SELECT ?", nil, "takes 1 values, and 0 are bound"},
		{"SELECT 1", []any{1, 2}, "takes 0 values, and 2 are bound"},
		{"SELECT ?3", []any{1, 2}, "takes 3 values, and 2 are bound"},
	} {
		err := d.Write(t.Context(), func(tx *sqlite.Tx) error { return drain(tx.Guest(), c.query, c.args...) })
		switch {
		case c.says == "" && err != nil:
			t.Errorf("%s: %v", c.query, err)
		case c.says != "" && (fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.says) || fault.HintOf(err) == "" && c.says != "no statement"):
			t.Errorf("%s: %s %v", c.query, fault.KindOf(err), err)
		}
	}
	if n := count(); n != had {
		t.Errorf("%d rows, there were %d", n, had)
	}
}

// What is counted as a statement's values is what SQLite counts: it takes so many, and
// finds one missing where there is one less.
func TestParametersAreSQLites(t *testing.T) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	piece := rapid.SampledFrom([]string{"?", "?1", "?2", "?7", "$1", "'?'", "\"c\"", "[c]", "`c`", "/* ? */ 1", "1 -- ?\n", "x'00'", "c", "1e5", "'it''s ?'"})
	rapid.Check(t, func(t *rapid.T) {
		query := "SELECT " + strings.Join(rapid.SliceOfN(piece, 1, 9).Draw(t, "expressions"), ", ") + " FROM (SELECT 1 AS c)" + rapid.SampledFrom([]string{"", ";", "; -- ?"}).Draw(t, "end")
		n, err := sqlite.Parameters(query)
		if err != nil {
			t.Fatal(err)
		}
		ask := func(n int) error {
			args := make([]any, n)
			rows, err := db.Query("EXPLAIN "+query, args...)
			if err == nil {
				rows.Close()
			}
			return err
		}
		if err := ask(n); err != nil {
			t.Fatalf("%s with %d: %v", query, n, err)
		}
		if n > 0 && !strings.Contains(query, "$") && ask(n-1) == nil {
			t.Fatalf("%s takes %d too", query, n-1)
		}
	})
}

// A refusal says what there is instead.
func TestRefusalsAdvise(t *testing.T) {
	d := hosted(t)
	for query, hint := range map[string]string{
		"BEGIN": "transaction(work)", "COMMIT": "transaction(work)", "SAVEPOINT a": "transaction(work)", "PRAGMA journal_mode": "table_info",
		"CREATE TEMP TABLE t (a)": "WITH", "ATTACH 'x' AS x": "one database", "SELECT * FROM fazt_kv": "",
	} {
		err := guest(d, query)
		if fault.KindOf(err) != fault.Forbidden || !strings.Contains(fault.HintOf(err), hint) || hint == "" && fault.HintOf(err) != "" {
			t.Errorf("%s: %v, hint %q", query, err, fault.HintOf(err))
		}
	}
}
