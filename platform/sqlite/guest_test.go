package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// secret is what the house's own table holds.
const secret = "hunter2"

// hosted opens a database with a table of the house and one of a guest.
func hosted(t *testing.T) *sqlite.DB {
	t.Helper()
	d, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "data.db"), sqlite.Options{Reserved: "fazt_"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	if err := d.Migrate(t.Context(), "kv", fstest.MapFS{"00001_begin.sql": {Data: []byte(`-- +goose Up
CREATE TABLE fazt_kv (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
INSERT INTO fazt_kv VALUES ('pass', '` + secret + `');
`)}}); err != nil {
		t.Fatal(err)
	}
	if err := guest(d, `CREATE TABLE note (id INTEGER PRIMARY KEY AUTOINCREMENT, word TEXT); INSERT INTO note (word) VALUES ('a'), ('b');
		CREATE TABLE same (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT`); err != nil {
		t.Fatal(err)
	}
	if err := d.Write(t.Context(), func(tx *sqlite.Tx) error { _, err := tx.Exec(`ANALYZE`); return err }); err != nil {
		t.Fatal(err)
	}
	return d
}

// guest runs a guest's statements in a transaction and reads all it returns. A
// row that holds the secret is an error that says so.
func guest(d *sqlite.DB, query string, args ...any) error {
	return d.Write(context.Background(), func(tx *sqlite.Tx) error {
		for _, p := range sqlite.Split(query) {
			if err := drain(tx.Guest(), p.Text, args...); err != nil {
				return err
			}
		}
		return nil
	})
}

var errLeak = errors.New("the secret is out")

func drain(tx *sqlite.Tx, query string, args ...any) error {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	values := make([]any, len(columns))
	for i := range values {
		values[i] = new(sql.RawBytes)
	}
	for rows.Next() {
		if err := rows.Scan(values...); err != nil {
			return err
		}
		for _, v := range values {
			if strings.Contains(string(*v.(*sql.RawBytes)), secret) {
				return errLeak
			}
		}
	}
	return rows.Err()
}

// What guests need works.
func TestGuestsMay(t *testing.T) {
	d := hosted(t)
	for _, query := range []string{
		`SELECT * FROM note WHERE id > 0 ORDER BY word`,
		`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT sum(i) FROM n`,
		`SELECT row_number() OVER (ORDER BY id), upper(word) || hex(randomblob(4)) FROM note`,
		`SELECT value FROM json_each('[1, 2]')`,
		`SELECT 'fazt_kv', date('now'), round(pi(), 2)`,
		`INSERT INTO note (word) VALUES ('c') ON CONFLICT DO NOTHING RETURNING id`,
		`REPLACE INTO note (id, word) VALUES (1, 'z')`,
		`UPDATE note SET word = word || '!' WHERE id = 1 RETURNING word`,
		`DELETE FROM note WHERE id = 2`,
		`CREATE TABLE page (id INTEGER PRIMARY KEY, note REFERENCES note (id) ON DELETE CASCADE, body TEXT CHECK (length(body) < 100), at DEFAULT CURRENT_TIMESTAMP)`,
		`CREATE TABLE fast (k TEXT PRIMARY KEY, v ANY, w TEXT AS (upper(k)) STORED) STRICT, WITHOUT ROWID`,
		`CREATE TABLE copy AS SELECT * FROM note`,
		`CREATE UNIQUE INDEX page_body ON page (lower(body)) WHERE body IS NOT NULL`,
		`CREATE VIEW long AS SELECT * FROM note WHERE length(word) > 1`,
		`SELECT count(*) FROM long`,
		`CREATE TRIGGER log AFTER INSERT ON note BEGIN INSERT INTO page (note, body) VALUES (new.id, new.word); END`,
		`INSERT INTO note (word) VALUES ('from a trigger')`,
		`CREATE TRIGGER guard BEFORE DELETE ON page BEGIN SELECT RAISE(ABORT, 'no'); END`,
		`ALTER TABLE page ADD COLUMN more INTEGER NOT NULL DEFAULT 1 CHECK (more > 0)`,
		`ALTER TABLE page RENAME COLUMN more TO less`,
		`ALTER TABLE page DROP COLUMN less`,
		`ALTER TABLE note RENAME TO notes`,
		`ALTER TABLE notes RENAME TO note`,
		`CREATE VIRTUAL TABLE search USING fts5 (body, tokenize = 'porter unicode61')`,
		`INSERT INTO search VALUES ('the quick brown fox')`,
		`SELECT highlight(search, 0, '<', '>'), bm25(search) FROM search WHERE search MATCH 'foxes' ORDER BY rank`,
		`CREATE VIRTUAL TABLE of_page USING fts5 (body, content = 'page')`,
		`INSERT INTO of_page (of_page) VALUES ('rebuild')`,
		`SELECT body FROM of_page WHERE of_page MATCH 'trigger'`,
		`DROP TABLE search`,
		`PRAGMA table_info(page)`,
		`PRAGMA table_list`,
		`SELECT name FROM pragma_table_xinfo('page')`,
		`PRAGMA index_list(page)`,
		`PRAGMA index_info(page_body)`,
		`PRAGMA foreign_key_list(page)`,
		`SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'fazt%'`,
		`EXPLAIN QUERY PLAN SELECT * FROM note WHERE id = 3`,
		`DROP TRIGGER guard; DROP VIEW long; DROP INDEX page_body; DROP TABLE page; DROP TABLE copy`,
		`DROP TABLE note`,
	} {
		if err := guest(d, query); err != nil {
			t.Errorf("%s\n\t%v", query, err)
		}
	}
}

// What guests must not do is refused, leaves no file and no change behind, and
// tells nothing.
func TestGuestsMayNot(t *testing.T) {
	d := hosted(t)
	outside := filepath.Join(filepath.Dir(d.Path()), "outside")
	for _, query := range []string{
		// The house's tables, by every way to name them.
		`SELECT * FROM fazt_kv`,
		`SELECT * FROM "FAZT_kv"`,
		`SELECT * FROM main.[fazt_kv]`,
		`SELECT count(*) FROM fazt_kv`,
		`SELECT rowid FROM fazt_kv`,
		`SELECT 1 FROM note WHERE EXISTS (SELECT 1 FROM fazt_kv WHERE key > 'p')`,
		`SELECT (SELECT value FROM fazt_kv)`,
		`WITH x AS (SELECT value FROM fazt_kv) SELECT * FROM x`,
		`SELECT * FROM note JOIN fazt_kv`,
		`SELECT * FROM note UNION SELECT * FROM fazt_kv`,
		`TABLE fazt_kv`,
		`INSERT INTO note (word) SELECT value FROM fazt_kv`,
		`INSERT INTO note (word) VALUES ((SELECT value FROM fazt_kv))`,
		`CREATE TABLE copy AS SELECT * FROM fazt_kv`,
		`INSERT INTO same SELECT * FROM fazt_kv`, // SQLite copies pages here
		`UPDATE note SET word = value FROM fazt_kv`,
		`DELETE FROM note WHERE word IN (SELECT value FROM fazt_kv)`,
		`INSERT INTO fazt_kv VALUES ('a', 'b')`,
		`REPLACE INTO fazt_kv VALUES ('pass', 'b')`,
		`/**/DELETE FROM fazt_kv`,
		`WITH x AS (SELECT 1) DELETE FROM fazt_kv`,
		`UPDATE fazt_kv SET value = 'x' RETURNING value`,
		`DROP TABLE fazt_kv`,
		`ALTER TABLE fazt_kv RENAME TO mine`,
		`ALTER TABLE fazt_kv ADD COLUMN x`,
		`CREATE TABLE fazt_mine (x)`,
		`CREATE TABLE "Fazt_mine" (x)`,
		`CREATE TABLE mine (x); ALTER TABLE mine RENAME TO fazt_mine`,
		`CREATE TABLE fazt (x); CREATE VIRTUAL TABLE fazt USING fts5 (x)`,
		`CREATE VIRTUAL TABLE fazt USING fts5 (x)`, // its shadows would be fazt_data and so on
		`CREATE INDEX mine ON fazt_kv (value)`,
		`CREATE INDEX fazt_mine ON note (word)`,
		`CREATE TRIGGER mine AFTER INSERT ON fazt_kv BEGIN INSERT INTO note (word) VALUES (new.value); END`,
		`CREATE VIEW mine AS SELECT * FROM fazt_kv; SELECT * FROM mine`,
		`CREATE TRIGGER mine AFTER INSERT ON note BEGIN INSERT INTO note (word) SELECT value FROM fazt_kv; END; INSERT INTO note (word) VALUES ('x')`,
		`CREATE TABLE mine (key REFERENCES fazt_kv (key)); INSERT INTO mine VALUES ('pass')`, // tells which keys there are
		`CREATE VIRTUAL TABLE mine USING fts5 (value, content = 'fazt_kv'); INSERT INTO mine (mine) VALUES ('rebuild'); SELECT value FROM mine`,
		`CREATE VIRTUAL TABLE mine USING fts5vocab ('main', 'fazt_kv', 'row'); SELECT * FROM mine`,
		`CREATE VIRTUAL TABLE mine USING rtree (a, b, c)`,
		`SELECT sample FROM sqlite_stat4`,
		`SELECT * FROM sqlite_stat1`,
		`DELETE FROM sqlite_stat1`,
		`CREATE TABLE mine AS SELECT * FROM "SQLITE_stat1"`,
		`CREATE VIEW mine AS SELECT * FROM sqlite_stat1; CREATE TABLE mine_too AS SELECT * FROM mine`,
		`CREATE TRIGGER mine AFTER INSERT ON note BEGIN DELETE FROM sqlite_stat1; END; INSERT INTO note (word) VALUES ('x')`,
		`SELECT data FROM sqlite_dbpage`,
		`UPDATE sqlite_dbpage SET data = zeroblob(4096) WHERE pgno = 1`,
		`CREATE VIRTUAL TABLE mine USING fts5 (data, content = 'sqlite_dbpage'); SELECT data FROM mine`,
		`SELECT * FROM dbstat`,
		`ANALYZE`,
		`REINDEX`,
		`SELECT * FROM fazt_migration_kv`,
		`DELETE FROM fazt_migration_kv`,
		`UPDATE sqlite_sequence SET seq = 9223372036854775807`,
		`INSERT INTO sqlite_sequence VALUES ('fazt_migration_kv', 9223372036854775807)`,
		`DROP TABLE note; UPDATE sqlite_sequence SET seq = 0`,
		// The schema as rows.
		`PRAGMA writable_schema = 1`,
		`PRAGMA writable_schema = 1; DELETE FROM sqlite_master`,
		`DELETE FROM sqlite_master`,
		`UPDATE sqlite_schema SET sql = ''`,
		`INSERT INTO sqlite_master VALUES ('table', 'x', 'x', 2, 'CREATE TABLE x (y)')`,
		// Files.
		`ATTACH '` + outside + `' AS out`,
		`ATTACH ':memory:' AS out`,
		`DETACH main`,
		`VACUUM`,
		`VACUUM INTO '` + outside + `'`,
		`SELECT load_extension('` + outside + `')`,
		`SELECT writefile('` + outside + `', 'x')`,
		`SELECT readfile('/etc/passwd')`,
		// Transactions and settings.
		`COMMIT`,
		`ROLLBACK`,
		`BEGIN`,
		`END`,
		`SAVEPOINT mine`,
		`RELEASE part`,
		`ROLLBACK TO part`,
		`SELECT 1; COMMIT`,
		`PRAGMA query_only = 0`,
		`PRAGMA journal_mode = DELETE`,
		`PRAGMA synchronous = OFF`,
		`PRAGMA foreign_keys = OFF`,
		`PRAGMA defer_foreign_keys = ON`,
		`PRAGMA trusted_schema = ON`,
		`PRAGMA max_page_count = 1000000000`,
		`PRAGMA cache_size = -10000000`,
		`PRAGMA temp_store_directory = '/'`,
		`PRAGMA wal_checkpoint(TRUNCATE)`,
		`PRAGMA integrity_check`,
		`PRAGMA quick_check`,
		`PRAGMA database_list`,
		`PRAGMA user_version = 7`,
		`SELECT * FROM pragma_database_list`,
		`SELECT * FROM pragma_function_list`,
		// What would stay on the connection.
		`CREATE TEMP TABLE mine (x)`,
		`CREATE TABLE temp.mine (x)`,
		`CREATE TEMP VIEW mine AS SELECT 1`,
		`CREATE TEMP TRIGGER mine AFTER INSERT ON note BEGIN SELECT 1; END`,
		`CREATE VIRTUAL TABLE temp.mine USING fts5 (x)`,
		// The engine, and too much of anything.
		`SELECT sqlite_log(1, 'x')`,
		`SELECT sqlite_offset(id) FROM note`,
		`SELECT sqlite_compileoption_get(0)`,
		`SELECT sqlite_rename_test('main', 'x', 'x', 0, 'x', 0)`,
		`SELECT fts5(NULL)`,
		`SELECT zeroblob(900000000)`,
		`SELECT hex(randomblob(2000000))`,
		`SELECT printf('%.*c', 900000000, 'x')`,
		`SELECT ` + strings.Repeat(`(`, 300) + `1` + strings.Repeat(`)`, 300) + strings.Repeat(`+1`, 300),
		`SELECT 1` + strings.Repeat(` UNION SELECT 1`, 100),
		`SELECT 1` + strings.Repeat(`,1`, 300),
		`SELECT 'x' LIKE '` + strings.Repeat(`%x`, 300) + `'`,
		`SELECT '` + strings.Repeat(`x`, 3<<20) + `'`,
	} {
		err := guest(d, query)
		kind := fault.KindOf(err)
		if err == nil || kind != fault.Forbidden && kind != fault.Invalid || errors.Is(err, errLeak) || strings.Contains(err.Error(), secret) {
			t.Errorf("%.200s\n\t%s %v", query, kind, err)
		}
		if err := d.Read(t.Context(), func(tx *sqlite.Tx) error { return drain(tx.Guest(), query) }); err == nil {
			t.Errorf("reading: %.200s", query)
		}
	}
	if got := words(t, d); strings.Join(got, " ") != "a b" {
		t.Errorf("the guest's own rows are %q", got)
	}
	var value string
	var tables int
	if err := d.Read(t.Context(), func(tx *sqlite.Tx) error {
		return errors.Join(tx.QueryRow(`SELECT value FROM fazt_kv`).Scan(&value),
			tx.QueryRow(`SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'sqlite%'`).Scan(&tables))
	}); err != nil || value != secret || tables != 4 {
		t.Errorf("%q, %d tables, %v", value, tables, err)
	}
	if files, err := os.ReadDir(filepath.Dir(d.Path())); err != nil || len(files) != 3 {
		t.Errorf("files %v, %v", files, err)
	}
	if err := d.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// What was compiled for the house without asking never runs for a guest, and what
// SQLite compiles again, or late, it compiles for the guest.
func TestGuestsStayGuests(t *testing.T) {
	d := hosted(t)
	const query = `SELECT value FROM fazt_kv`
	if err := d.Write(t.Context(), func(tx *sqlite.Tx) error {
		if err := drain(tx, query); !errors.Is(err, errLeak) {
			return fmt.Errorf("the house may not read its own: %w", err)
		}
		if err := drain(tx.Guest(), query); fault.KindOf(err) != fault.Forbidden {
			return fmt.Errorf("a guest took the house's statement: %w", err)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}

	// A table that the house takes away and puts a view of its own table there:
	// the guest's statement is compiled again, as the guest's.
	if err := guest(d, `CREATE TABLE mine (value); INSERT INTO mine VALUES (1)`); err != nil {
		t.Fatal(err)
	}
	if err := d.Write(t.Context(), func(tx *sqlite.Tx) error {
		if err := drain(tx.Guest(), `SELECT value FROM mine`); err != nil {
			return err
		}
		for _, q := range []string{`DROP TABLE mine`, `CREATE VIEW mine AS SELECT value FROM fazt_kv`} {
			if _, err := tx.Exec(q); err != nil {
				return err
			}
		}
		if err := drain(tx.Guest(), `SELECT value FROM mine`); fault.KindOf(err) != fault.Forbidden {
			return fmt.Errorf("compiled again for the house: %w", err)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}

	// Rows of a guest do not go on once the house has spoken.
	if err := d.Write(t.Context(), func(tx *sqlite.Tx) error {
		rows, err := tx.Guest().Query(`SELECT id FROM note`)
		if err != nil {
			return err
		}
		defer rows.Close()
		if _, err := tx.Exec(`DELETE FROM fazt_kv WHERE key = 'none'`); fault.KindOf(err) != fault.Internal {
			return fmt.Errorf("the house spoke over a guest: %w", err)
		}
		for rows.Next() {
		}
		_, err = tx.Exec(`DELETE FROM fazt_kv WHERE key = 'none'`)
		return err
	}); err != nil {
		t.Error(err)
	}
}

// Looking through the file uses the guests' full-text tables, whose statements
// the house must not leave compiled for a guest to find.
func TestCheckLeavesNothingForGuests(t *testing.T) {
	d := hosted(t)
	if err := guest(d, `CREATE VIRTUAL TABLE mine USING fts5 (data, content = 'sqlite_dbpage')`); err != nil {
		t.Fatal(err)
	}
	for range 4 { // as many as there are readers
		d.Check(t.Context())
		if err := d.Read(t.Context(), func(tx *sqlite.Tx) error {
			return drain(tx.Guest(), `SELECT data FROM mine`)
		}); err == nil || errors.Is(err, errLeak) {
			t.Errorf("pages of the file: %v", err)
		}
	}
}

// The kinds of what a guest does wrong.
func TestGuestFaults(t *testing.T) {
	d := hosted(t)
	for query, want := range map[string]fault.Kind{
		`SELEKT`: fault.Invalid, `SELECT * FROM nothing`: fault.Invalid,
		`INSERT INTO note (id) VALUES (1)`: fault.Conflict,
		`SELECT * FROM fazt_kv`:            fault.Forbidden,
	} {
		err := guest(d, query)
		if fault.KindOf(err) != want || sqlite.Damaged(err) || strings.Contains(err.Error(), d.Path()) {
			t.Errorf("%s: %s %v", query, fault.KindOf(err), err)
		}
	}
	if err := d.Read(t.Context(), func(tx *sqlite.Tx) error { return drain(tx.Guest(), `DELETE FROM note`) }); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("writing while reading: %s %v", fault.KindOf(err), err)
	}
	if err := guest(d, `SELECT ?, ?`, 1); err == nil {
		t.Error("too few arguments passed")
	}
}
