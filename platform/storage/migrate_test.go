package storage_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/storage"
)

func files(pairs ...string) fstest.MapFS {
	m := fstest.MapFS{"README.md": {Data: []byte("not a migration")}}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return m
}

const begin = `-- +goose Up
CREATE TABLE note (id INTEGER PRIMARY KEY, word TEXT NOT NULL, size INTEGER DEFAULT 3);
CREATE TABLE tag (name TEXT PRIMARY KEY, note INTEGER REFERENCES note (id));
CREATE UNIQUE INDEX note_word ON note (word);
CREATE INDEX note_size ON note (size);
CREATE TABLE gone (id INTEGER);
CREATE VIEW words AS SELECT word FROM note;
-- +goose StatementBegin
CREATE TRIGGER note_gone AFTER DELETE ON note BEGIN
  INSERT INTO gone VALUES (old.id);
  SELECT CASE WHEN 1 THEN 2 END;
END;
-- +goose StatementEnd
INSERT INTO note (word) VALUES ('a;b');
-- +goose Down
DROP TABLE note;
`

func TestMigrate(t *testing.T) {
	dir := t.TempDir()
	a, ctx := openIn(t, pool(t, dir), "notes", storage.Settings{}), t.Context()
	s := a.SQL("DB")
	one := files("0001_begin.sql", begin)
	pending, err := s.Pending(ctx, one)
	ok(t, err)
	if len(pending) != 1 || pending[0].Version != 1 || pending[0].Name != "0001_begin.sql" || len(pending[0].Digest) != 64 {
		t.Errorf("%+v", pending)
	}
	done, err := s.Migrate(ctx, one)
	if ok(t, err); len(done) != 1 {
		t.Errorf("%+v", done)
	}
	if done, err := s.Migrate(ctx, one); len(done) != 0 || err != nil {
		t.Errorf("again: %+v, %v", done, err)
	}
	// What adds is applied, and data stays.
	two := files("0001_begin.sql", begin, "0002_more.sql", `ALTER TABLE note ADD COLUMN at TEXT; CREATE TABLE more (a UNIQUE); DROP INDEX note_size;
		CREATE TABLE brief (a); DROP TABLE brief;`)
	if done, err := s.Migrate(ctx, two); len(done) != 1 || err != nil {
		t.Errorf("two: %+v, %v", done, err)
	}
	if got := rows(t, s, `SELECT word, at FROM note`); len(got) != 1 || got[0][0] != "a;b" {
		t.Errorf("%v", got)
	}
	// An older release has fewer files, and goes on.
	if pending, err := s.Pending(ctx, one); len(pending) != 0 || err != nil {
		t.Errorf("going back: %+v, %v", pending, err)
	}
	_, err = s.Pending(ctx, files("0001_begin.sql", begin+" "))
	if is(t, err, fault.Conflict); !strings.Contains(err.Error(), "0001_begin.sql") {
		t.Errorf("edited: %v", err)
	}
	_, err = s.Pending(ctx, files("0000_before.sql", "SELECT 1"))
	is(t, err, fault.Conflict)
	_, err = s.Pending(ctx, files("begin.sql", begin))
	is(t, err, fault.Invalid)
	_, err = s.Pending(ctx, files("0003_a.sql", "", "03_b.sql", ""))
	is(t, err, fault.Invalid)
	// A broken one changes nothing, here or on the disk.
	_, err = s.Migrate(ctx, files("0003_good.sql", `CREATE TABLE good (a)`, "0004_bad.sql", "\n\nCREATE TABLE bad (a);\nINSERT INTO nothing VALUES (1);"))
	if is(t, err, fault.Invalid); !strings.Contains(err.Error(), "0004_bad.sql:4") {
		t.Errorf("where? %v", err)
	}
	_, err = s.Migrate(ctx, files("0003_touch.sql", `DELETE FROM fazt_store`))
	is(t, err, fault.Forbidden)
	if got := rows(t, s, `SELECT name FROM sqlite_master WHERE name = 'good'`); len(got) != 0 {
		t.Errorf("%v", got)
	}
	entries, err := os.ReadDir(dir + "/notes")
	ok(t, err)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			t.Errorf("%s is left over", e.Name())
		}
	}
}

// What takes something from the release before is refused by file and line.
func TestMigrationsAreJudged(t *testing.T) {
	ctx := t.Context()
	for statement, want := range map[string]string{
		`DROP TABLE tag`: "drops the table tag",
		`DROP INDEX note_size; ALTER TABLE note DROP COLUMN size`:                                          "drops the column note.size",
		`ALTER TABLE note RENAME COLUMN size TO length`:                                                    "drops the column note.size",
		`ALTER TABLE tag RENAME TO tags`:                                                                   "drops the table tag",
		`DROP INDEX note_word`:                                                                             "drops the unique index note (word)",
		`CREATE UNIQUE INDEX u ON note (size)`:                                                             "adds the unique index note (size)",
		`CREATE TRIGGER t BEFORE INSERT ON note BEGIN SELECT raise(ABORT, 'no'); END`:                      "adds the trigger t, which may refuse",
		`CREATE TRIGGER t INSTEAD OF INSERT ON words BEGIN SELECT 1; END`:                                  "",
		`CREATE TABLE own (a); CREATE TRIGGER t BEFORE INSERT ON own BEGIN SELECT raise(ABORT, 'no'); END`: "",
		`delete from Note`: "deletes rows of the table note, which",
		`WITH old AS (SELECT 1 AS id) DELETE FROM note WHERE id IN old`:     "deletes rows of the table note",
		`UPDATE note SET size = 4; INSERT INTO note (word) VALUES ('c')`:    "",
		`CREATE TABLE own (a); INSERT INTO own VALUES (1); DELETE FROM own`: "",
		`DROP VIEW words`:        "drops the view words",
		`DROP TRIGGER note_gone`: "drops the trigger note_gone",
		`CREATE TABLE new (name TEXT PRIMARY KEY, note INTEGER); DROP TABLE tag; ALTER TABLE new RENAME TO tag`:                                                      "drops the foreign key tag.note",
		`CREATE TABLE new (name TEXT PRIMARY KEY, note INTEGER REFERENCES note (id), x TEXT NOT NULL); DROP TABLE tag; ALTER TABLE new RENAME TO tag`:                "adds the column tag.x",
		`CREATE TABLE new (name BLOB PRIMARY KEY, note INTEGER REFERENCES note (id)); DROP TABLE tag; ALTER TABLE new RENAME TO tag`:                                 "changes the column tag.name, which",
		`CREATE TABLE new (name TEXT PRIMARY KEY, note INTEGER REFERENCES note (id), y DEFAULT 1); DROP TABLE tag; ALTER TABLE new RENAME TO tag; CREATE TABLE z(a)`: "",
	} {
		t.Run(statement, func(t *testing.T) {
			s := open(t, storage.Settings{}).SQL("DB")
			if _, err := s.Migrate(ctx, files("0001_begin.sql", begin)); err != nil {
				t.Fatal(err)
			}
			last := "CREATE TABLE last (a)"
			_, err := s.Migrate(ctx, files("0002_next.sql", "CREATE TABLE harmless (a);\n\n"+statement, "0003_last.sql", last))
			if want == "" {
				ok(t, err)
				return
			}
			if is(t, err, fault.Conflict); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "0002_next.sql:3: ") {
				t.Errorf("%v, want %q", err, want)
			}
			done, err := s.Migrate(ctx, files("0002_next.sql", "-- fazt: destructive\n"+statement, "0003_last.sql", last))
			if len(done) != 2 || err != nil {
				t.Errorf("though it says so: %+v, %v", done, err)
			}
		})
	}
}

// A statement that ran before is judged as it was the first time.
func TestAMigrationThatDeletesAgainIsJudged(t *testing.T) {
	s := open(t, storage.Settings{}).SQL("DB")
	_, err := s.Migrate(t.Context(), files("0001_begin.sql", begin))
	ok(t, err)
	_, err = s.Migrate(t.Context(), files("0002_a.sql", "-- fazt: destructive\nDELETE FROM note", "0003_b.sql", "DELETE FROM note"))
	if is(t, err, fault.Conflict); !strings.Contains(err.Error(), "0003_b.sql:1: ") {
		t.Errorf("%v", err)
	}
}

// A migration that would never end fills neither the disk nor the time of others: it is
// refused, and nothing has changed.
func TestMigrationsAreBounded(t *testing.T) {
	dir := t.TempDir()
	a, ctx := openIn(t, pool(t, dir), "notes", storage.Settings{}), t.Context()
	s := a.SQL("DB")
	_, err := s.Migrate(ctx, files("0001_begin.sql", "CREATE TABLE note (word);", "0002_fill.sql",
		"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) INSERT INTO note SELECT zeroblob(1000000) FROM n;"))
	is(t, err, fault.Invalid)
	if !strings.Contains(err.Error(), "0002_fill.sql:1") || !strings.Contains(fault.HintOf(err), "see that it ends") {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
	if left, err := filepath.Glob(filepath.Join(dir, "notes", ".migrate*")); len(left) != 0 || err != nil {
		t.Errorf("there is %v, %v", left, err)
	}
	if done, err := s.Migrate(ctx, files("0001_begin.sql", "CREATE TABLE note (word);")); len(done) != 1 || err != nil {
		t.Errorf("after it: %+v, %v", done, err)
	}
}

// Documents with indexes bring statistics, of which a migration that drops a table of the
// app knows nothing.
func TestMigrationsDropBesideStatistics(t *testing.T) {
	a, ctx := openIn(t, pool(t, t.TempDir()), "notes", storage.Settings{}), t.Context()
	ok(t, a.Docs("PAGES", []storage.Index{{Name: "by", On: []string{"n"}}}).Ensure(ctx))
	s := a.SQL("DB")
	one := files("0001_begin.sql", "CREATE TABLE note (word); CREATE INDEX by_word ON note (word);")
	_, err := s.Migrate(ctx, one)
	ok(t, err)
	_, err = s.Migrate(ctx, files("0001_begin.sql", "CREATE TABLE note (word); CREATE INDEX by_word ON note (word);",
		"0002_end.sql", "-- fazt: destructive\nDROP INDEX by_word; DROP TABLE note;"))
	ok(t, err)
}
