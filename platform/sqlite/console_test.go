package sqlite_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// canary is in a withheld column and a withheld table.
const canary = "correct-horse-battery"

// asked opens a database with something of each kind, in a folder of its own.
func asked(t testing.TB) *sqlite.DB {
	t.Helper()
	d, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "node.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	err = d.Write(t.Context(), func(tx *sqlite.Tx) error {
		for _, statement := range []string{
			`CREATE TABLE note (id INTEGER PRIMARY KEY, word TEXT, size REAL, raw BLOB, made DATETIME)`,
			`INSERT INTO note VALUES (1, 'a', 1.5, x'00ff', '2026-11-27 10:00:00'), (9007199254740993, NULL, 2.0, x'', '27.11.2026')`,
			`CREATE TABLE person (name TEXT, token TEXT UNIQUE)`,
			`INSERT INTO person VALUES ('asha', '` + canary + `')`,
			`CREATE TABLE vault (name TEXT, value TEXT)`,
			`INSERT INTO vault VALUES ('k', '` + canary + `')`,
			`CREATE VIEW people AS SELECT name, token FROM person`,
			`CREATE VIEW names AS SELECT name FROM person`,
			`CREATE VIEW vaults AS SELECT value FROM vault`,
			`CREATE VIRTUAL TABLE words USING fts5 (word)`,
			`INSERT INTO words VALUES ('full text')`,
		} {
			if _, err := tx.Exec(statement); err != nil {
				return fmt.Errorf("%s: %w", statement, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func withheld(table, column string) bool {
	return table == "vault" || table == "person" && column == "token"
}

func ask(t testing.TB, c *sqlite.Console, d *sqlite.DB, query string) (sqlite.Answer, error) {
	return c.Ask(t.Context(), d, sqlite.Question{Query: query, Rows: 1000, Withheld: withheld})
}

// Values come as SQLite has them, dates and large numbers too.
func TestAskReturnsWhatIsThere(t *testing.T) {
	d, c := asked(t), sqlite.NewConsole(sqlite.Bounds{})
	a, err := c.Ask(t.Context(), d, sqlite.Question{Query: "SELECT *, :n AS n FROM note WHERE id >= :id -- all\n;", Params: map[string]any{"id": int64(1), "n": nil}})
	if err != nil {
		t.Fatal(err)
	}
	want := [][]any{
		{int64(1), "a", 1.5, []byte{0, 255}, "2026-11-27 10:00:00", nil},
		{int64(9007199254740993), nil, 2.0, []byte{}, "27.11.2026", nil},
	}
	if !slices.Equal(a.Columns, []string{"id", "word", "size", "raw", "made", "n"}) || !reflect.DeepEqual(a.Rows, want) || a.Cut != "" {
		t.Errorf("the answer is %+v", a)
	}
	for query, want := range map[string]string{
		`WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 4) SELECT sum(n) FROM r`: "[[10]]",
		`SELECT word FROM words WHERE words MATCH 'text'`:                                                   "[[full text]]",
		`SELECT name FROM pragma_table_info('names')`:                                                       "[[name]]",
		`SELECT value FROM json_each('[7]')`:                                                                "[[7]]",
		`SELECT count(*) FROM person`:                                                                       "[[1]]",
		`SELECT name FROM names`:                                                                            "[[asha]]",
		`SELECT count(*) FROM sqlite_schema WHERE sql LIKE '%token%'`:                                       "[[2]]",
		`SELECT 'a;b' /* ; */`:                                                                              "[[a;b]]",
	} {
		if a, err := ask(t, c, d, query); err != nil || fmt.Sprint(a.Rows) != want {
			t.Errorf("%s: %v, %v", query, a.Rows, err)
		}
	}
	if _, err := ask(t, c, d, `EXPLAIN QUERY PLAN SELECT * FROM note`); err != nil {
		t.Error(err)
	}
}

// What a question cannot be is refused, and the kind says why.
func TestAskIsInvalid(t *testing.T) {
	d, c := asked(t), sqlite.NewConsole(sqlite.Bounds{})
	for _, query := range []string{"", ";", "-- nothing", "SELEC 1", "SELECT nothing FROM note", "SELECT 1; SELECT 2", "SELECT :missing"} {
		if _, err := ask(t, c, d, query); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v", query, err)
		}
	}
}

// attacks are statements that do more than read, each as SQLite would take it if
// it could.
func attacks(dir string) []string {
	evil := filepath.Join(dir, "evil.db")
	return []string{
		`INSERT INTO note (word) VALUES ('x')`,
		`UPDATE note SET word = 'x'`,
		`DELETE FROM note`,
		`DROP TABLE note`,
		`CREATE TABLE x (y)`,
		`CREATE TEMP TABLE x (y)`,
		`CREATE TRIGGER x AFTER INSERT ON note BEGIN SELECT 1; END`,
		`CREATE VIRTUAL TABLE x USING fts5 (y)`,
		`ALTER TABLE note RENAME TO x`,
		`/* x */ DELETE FROM note`,
		"-- x\nDELETE FROM note",
		"\ufeffDELETE FROM note",
		`WITH x AS (SELECT 1) DELETE FROM note`,
		`WITH x AS (SELECT 1) INSERT INTO note (word) SELECT * FROM x RETURNING *`,
		`REPLACE INTO note (id, word) VALUES (1, 'x')`,
		`INSERT INTO note (id, word) VALUES (1, 'x') ON CONFLICT DO UPDATE SET word = 'x'`,
		`SELECT 1; DELETE FROM note`,
		`SELECT 1;; -- x` + "\n" + `DELETE FROM note`,
		`EXPLAIN DELETE FROM note`,
		`PRAGMA user_version = 7`,
		`PRAGMA query_only = 0`,
		`PRAGMA query_only = 0; DELETE FROM note`,
		`PRAGMA writable_schema = 1; DELETE FROM sqlite_master`,
		`PRAGMA writable_schema = 1`,
		`PRAGMA journal_mode = DELETE`,
		`PRAGMA wal_checkpoint(TRUNCATE)`,
		`PRAGMA temp_store_directory = '/'`,
		`PRAGMA trusted_schema = 1`,
		`PRAGMA database_list`,
		`SELECT file FROM pragma_database_list`,
		`REINDEX`,
		`ANALYZE`,
		`VACUUM`,
		`VACUUM INTO '` + evil + `'`,
		`ATTACH '` + evil + `' AS evil`,
		`ATTACH '` + evil + `' AS evil; CREATE TABLE evil.x (y)`,
		`DETACH main`,
		`BEGIN EXCLUSIVE`, `BEGIN`, `COMMIT`, `ROLLBACK`, `SAVEPOINT x`,
		`SELECT load_extension('` + evil + `')`,
		`SELECT writefile('` + evil + `', 'x')`, `SELECT readfile('/etc/passwd')`, `SELECT edit('x')`,
		`SELECT fts3_tokenizer('x', x'00')`,
		`SELECT sqlite_log(1, 'x')`, `SELECT sqlite_compileoption_get(1)`,
		`INSERT INTO words (words) VALUES ('rebuild')`,
		`INSERT INTO words (words, rank) VALUES ('pgsz', 64)`,
		`DELETE FROM words_data`,
		`SELECT * FROM dbstat`, `SELECT * FROM sqlite_dbpage`, `SELECT * FROM sqlite_stat4`,
		`INSERT INTO sqlite_master VALUES ('table', 'x', 'x', 0, '')`,
		`SELECT zeroblob(900000000)`, `SELECT length(zeroblob(900000000))`, `SELECT randomblob(900000000)`,
		`SELECT hex(hex(hex(hex(hex(hex(zeroblob(100000)))))))`,
		`SELECT printf('%900000000d', 1)`,
	}
}

// secrets are questions whose answer would have what is withheld, or tell of it.
func secrets() []string {
	return []string{
		`SELECT * FROM person`, `SELECT token FROM person`, `SELECT "token" FROM main.person AS x`, `SELECT TOKEN FROM PERSON`,
		`SELECT * FROM people`, `SELECT 1 FROM people WHERE token > 'c'`,
		`SELECT name FROM person WHERE token GLOB 'c*'`, `SELECT name FROM person ORDER BY token`, `SELECT count(token) FROM person`,
		`SELECT name FROM person GROUP BY token`, `SELECT 1 FROM note JOIN person ON word < token`, `WITH x AS (SELECT token AS t FROM person) SELECT t FROM x`,
		`SELECT (SELECT token FROM person)`, `SELECT EXISTS (SELECT 1 FROM person WHERE substr(token, 1, 1) = 'c')`,
		`SELECT * FROM vault`, `SELECT count(*) FROM vault`, `SELECT 1 FROM vault`, `SELECT value FROM vaults`, `SELECT rowid FROM vault`,
		`SELECT 1 UNION SELECT value FROM vault`, `SELECT json_group_array(value) FROM vault`,
	}
}

// Whatever does more than read is refused, no file appears, nothing is changed.
func TestAskOnlyReads(t *testing.T) {
	d, c := asked(t), sqlite.NewConsole(sqlite.Bounds{})
	dir := filepath.Dir(d.Path())
	before := fingerprint(t, dir)
	for _, query := range attacks(dir) {
		_, err := ask(t, c, d, query)
		if kind := fault.KindOf(err); kind != fault.Forbidden && kind != fault.Invalid && kind != fault.Exhausted {
			t.Errorf("%s: %v", query, err)
		}
	}
	for _, query := range secrets() {
		a, err := ask(t, c, d, query)
		if fault.KindOf(err) != fault.Forbidden || !strings.Contains(err.Error(), "holds secrets") {
			t.Errorf("%s: %v, %v", query, a.Rows, err)
		}
	}
	if after := fingerprint(t, dir); !reflect.DeepEqual(after, before) {
		t.Errorf("the folder has\n%v\nand had\n%v", after, before)
	}
	whole(t, d)
}

// What never ends is ended, and says by what; what is too much is cut, and says so.
func TestAskIsBounded(t *testing.T) {
	d := asked(t)
	short := sqlite.NewConsole(sqlite.Bounds{Deadline: 200 * time.Millisecond})
	for _, query := range []string{
		`WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r`,
		`WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT max(length(randomblob(1000000))) FROM r`,
		`WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r LIMIT 100000) SELECT count(*) FROM r a, r b, r c`,
	} {
		if _, err := ask(t, short, d, query); fault.KindOf(err) != fault.Exhausted || !strings.Contains(err.Error(), "deadline of 200ms") {
			t.Errorf("%s: %v", query, err)
		}
	}
	endless := `WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT `
	c := sqlite.NewConsole(sqlite.Bounds{Bytes: 1 << 20})
	if a, err := ask(t, c, d, endless+`n FROM r`); err != nil || len(a.Rows) != 1000 || a.Cut != sqlite.CutRows {
		t.Errorf("%d rows, cut %q: %v", len(a.Rows), a.Cut, err)
	}
	if a, err := ask(t, c, d, endless+`zeroblob(100000) FROM r`); err != nil || len(a.Rows) != 10 || a.Cut != sqlite.CutBytes {
		t.Errorf("%d rows, cut %q: %v", len(a.Rows), a.Cut, err)
	}
	if a, err := ask(t, c, d, endless+`n FROM r LIMIT 1000`); err != nil || len(a.Rows) != 1000 || a.Cut != "" {
		t.Errorf("%d rows, cut %q: %v", len(a.Rows), a.Cut, err)
	}
}

// Who comes when enough ask is told so at once, and those who end make room.
func TestAskTakesTurns(t *testing.T) {
	d, c := asked(t), sqlite.NewConsole(sqlite.Bounds{AtOnce: 1})
	inside, leave, done := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		_, err := c.Ask(t.Context(), d, sqlite.Question{Query: `SELECT word FROM note`, Withheld: func(string, string) bool {
			select {
			case <-leave:
			case inside <- struct{}{}:
				<-leave
			}
			return false
		}})
		done <- err
	}()
	<-inside
	if _, err := ask(t, c, d, `SELECT 1`); fault.KindOf(err) != fault.Exhausted || fault.KindOf(err).Exit() != 8 {
		t.Errorf("the second says %v", err)
	}
	close(leave)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := ask(t, c, d, `SELECT 1`); err != nil {
		t.Error(err)
	}
}

// An answer that was cut or refused holds no view of the file: the log can go.
func TestAskLetsGoOfTheLog(t *testing.T) {
	d, c := asked(t), sqlite.NewConsole(sqlite.Bounds{Deadline: 100 * time.Millisecond, Bytes: 100})
	for _, query := range []string{
		`SELECT * FROM note`,
		`SELECT * FROM person`,
		`WITH RECURSIVE r (n) AS (SELECT (SELECT count(*) FROM note) UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r`,
	} {
		_, _ = ask(t, c, d, query)
	}
	for i := range 3 {
		if err := d.Write(t.Context(), func(tx *sqlite.Tx) error {
			_, err := tx.Exec(`INSERT INTO note (word) VALUES (?)`, fmt.Sprint(i))
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(d.Path() + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the log stays: %v", err)
	}
}

// fingerprint is the names and bytes of a folder, but for the memory that the
// connections share.
func fingerprint(t testing.TB, dir string) map[string][32]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][32]byte{}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(e.Name(), "-shm") {
			text = nil
		}
		found[e.Name()] = sha256.Sum256(text)
	}
	return found
}

func whole(t testing.TB, d *sqlite.DB) {
	t.Helper()
	err := d.Read(t.Context(), func(tx *sqlite.Tx) error {
		var said string
		if err := tx.QueryRow(`PRAGMA integrity_check`).Scan(&said); err != nil || said != "ok" {
			return fmt.Errorf("integrity_check says %q, %w", said, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// No question, however it is put together, changes the file, makes one, or returns
// what is withheld.
func FuzzAsk(f *testing.F) {
	d := asked(f)
	dir := filepath.Dir(d.Path())
	c := sqlite.NewConsole(sqlite.Bounds{Deadline: 100 * time.Millisecond, Bytes: 1 << 16})
	for _, query := range slices.Concat(attacks(dir), secrets(), []string{`SELECT * FROM note, names`, `SELECT word FROM words WHERE words MATCH 'full'`}) {
		f.Add(query)
	}
	before := fingerprint(f, dir)
	f.Fuzz(func(t *testing.T, query string) {
		a, _ := ask(t, c, d, query)
		if text := fmt.Sprintf("%s", a.Rows); !strings.Contains(query, canary) && strings.Contains(text, canary) {
			t.Errorf("%q returns %s", query, text)
		}
		if after := fingerprint(t, dir); !reflect.DeepEqual(after, before) {
			t.Fatalf("%q: the folder has\n%v\nand had\n%v", query, after, before)
		}
	})
}
