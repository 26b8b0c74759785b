package journal_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/journal"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

func open(t *testing.T) (*sqlite.DB, *journal.Journal) {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "node.db"))
}

func openAt(t *testing.T, path string) (*sqlite.DB, *journal.Journal) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	j, err := journal.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return db, j
}

func add(t *testing.T, db *sqlite.DB, j *journal.Journal, entries ...journal.Entry) (written []journal.Entry) {
	t.Helper()
	if err := db.Write(t.Context(), func(tx *sqlite.Tx) error {
		for _, e := range entries {
			e, err := j.Append(tx, e)
			if err != nil {
				return err
			}
			written = append(written, e)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return written
}

func numbered(n int) []journal.Entry {
	list := make([]journal.Entry, n)
	for i := range list {
		list[i] = journal.Entry{Actor: "local:1000", Action: "apply", Target: fmt.Sprintf("app.%d", i%3), Outcome: "ok",
			Detail: json.RawMessage(fmt.Sprintf("{ \"n\": %d }", i+1))}
	}
	return list
}

func tamper(t *testing.T, db *sqlite.DB, statements ...string) {
	t.Helper()
	if err := db.Write(t.Context(), func(tx *sqlite.Tx) error {
		for _, s := range statements {
			if _, err := tx.Exec(s); err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// What was written comes back, newest first, by page and by filter.
func TestList(t *testing.T) {
	db, j := open(t)
	at := time.Date(2026, 11, 22, 12, 0, 0, 7, time.FixedZone("x", 3600))
	list := numbered(10)
	list[4].Time, list[4].Action, list[4].Actor = at, "pause", "token:ci"
	written := add(t, db, j, list...)

	page, err := j.List(t.Context(), journal.Filter{Limit: 3, Before: 6})
	if err != nil || len(page) != 3 || page[0].Seq != 5 || page[2].Seq != 3 {
		t.Fatalf("page = %+v, %v", page, err)
	}
	if got := page[0]; !got.Time.Equal(at) || string(got.Detail) != `{"n":5}` || got.Hash != written[4].Hash || got.Prev != written[3].Hash {
		t.Errorf("entry 5 = %+v", got)
	}
	for _, c := range []struct {
		filter journal.Filter
		want   int
	}{
		{journal.Filter{}, 10}, {journal.Filter{Target: "app.0"}, 4}, {journal.Filter{Action: "pause"}, 1},
		{journal.Filter{Actor: "token:ci", Action: "apply"}, 0},
	} {
		if got, err := j.List(t.Context(), c.filter); err != nil || len(got) != c.want {
			t.Errorf("%+v: %d entries, %v", c.filter, len(got), err)
		}
	}
}

// An entry belongs to the transaction of the change it records.
func TestAppendIsPartOfTheTransaction(t *testing.T) {
	db, j := open(t)
	refused := errors.New("no")
	if err := db.Write(t.Context(), func(tx *sqlite.Tx) error {
		_, err := j.Append(tx, numbered(1)[0])
		return errors.Join(err, refused)
	}); !errors.Is(err, refused) {
		t.Fatal(err)
	}
	if h, err := j.Head(t.Context()); err != nil || h != (journal.Head{}) {
		t.Errorf("head = %+v, %v", h, err)
	}
	if e := add(t, db, j, numbered(1)...)[0]; e.Seq != 1 || e.Prev != "" || e.Time.IsZero() {
		t.Errorf("first entry = %+v", e)
	}
	if err := db.Write(t.Context(), func(tx *sqlite.Tx) error {
		_, err := j.Append(tx, journal.Entry{Action: "apply", Detail: json.RawMessage(`{"n":`)})
		return err
	}); fault.KindOf(err) != fault.Internal {
		t.Errorf("a detail that is no JSON: %v", err)
	}
}

// SQL of our own cannot alter an entry by accident.
func TestAppendOnly(t *testing.T) {
	db, j := open(t)
	add(t, db, j, numbered(3)...)
	for _, s := range []string{
		`UPDATE journal SET actor = 'nobody' WHERE seq = 2`,
		`DELETE FROM journal WHERE seq = 3`,
		`DELETE FROM journal`,
		`INSERT OR REPLACE INTO journal SELECT seq, time, 'nobody', action, target, outcome, detail, prev, hash FROM journal WHERE seq = 2`,
		`REPLACE INTO journal SELECT * FROM journal WHERE seq = 3`,
		`INSERT INTO journal SELECT seq + 7, time, actor, action, target, outcome, detail, prev, hash FROM journal WHERE seq = 2`,
	} {
		err := db.Write(t.Context(), func(tx *sqlite.Tx) error {
			_, err := tx.Exec(s)
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v", s, err)
		}
	}
	if _, err := j.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// Who gets around the triggers is found, with the first bad entry.
func TestVerify(t *testing.T) {
	unguard := []string{`DROP TRIGGER journal_keeps_entries`, `DROP TRIGGER journal_keeps_words`, `DROP TRIGGER journal_only_grows`}
	for name, c := range map[string]struct {
		tamper []string
		want   string
	}{
		"nothing": {nil, ""},
		"edit":    {[]string{`UPDATE journal SET actor = 'nobody' WHERE seq = 4`}, "entry 4 was changed"},
		"detail":  {[]string{`UPDATE journal SET detail = '{"n":5}' WHERE seq = 4`}, "entry 4 was changed"},
		"time":    {[]string{`UPDATE journal SET time = time + 1 WHERE seq = 1`}, "entry 1 was changed"},
		"shift":   {[]string{`UPDATE journal SET actor = actor || action, action = '' WHERE seq = 4`}, "entry 4 was changed"},
		"delete":  {[]string{`DELETE FROM journal WHERE seq = 4`}, "entry 4 is missing"},
		"first":   {[]string{`DELETE FROM journal WHERE seq = 1`}, "entry 1 is missing"},
		"close the gap": {[]string{`DELETE FROM journal WHERE seq = 4`, `UPDATE journal SET seq = seq - 1 WHERE seq > 4`},
			"entry 4 does not follow entry 3"},
		"insert": {[]string{`INSERT INTO journal SELECT max(seq) + 1, time, 'nobody', action, target, outcome, detail, hash, hash FROM journal`},
			"entry 11 was changed"},
		"reorder": {[]string{`UPDATE journal SET seq = 100 WHERE seq = 4`, `UPDATE journal SET seq = 4 WHERE seq = 5`, `UPDATE journal SET seq = 5 WHERE seq = 100`},
			"entry 4 does not follow entry 3"},
		"truncate": {[]string{`DELETE FROM journal WHERE seq > 8`}, "entry 9 is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "node.db")
			db, j := openAt(t, path)
			add(t, db, j, numbered(10)...)
			head, err := j.Head(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			db.Close()
			stranger, _ := openAt(t, path) // somebody with the file, while no node has it
			tamper(t, stranger, append(unguard, c.tamper...)...)
			stranger.Close()
			_, j = openAt(t, path)
			_, err = j.Verify(t.Context(), head)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("verify says %v, want %q", err, c.want)
			}
		})
	}
}

// Who rewrites the whole chain is found by a head that was noted elsewhere.
func TestVerifyFindsAnotherChain(t *testing.T) {
	db, j := open(t)
	add(t, db, j, numbered(4)...)
	noted, err := j.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	other, k := open(t)
	list := numbered(5)
	list[2].Actor = "nobody"
	add(t, other, k, list...)
	if _, err := k.Verify(t.Context()); err != nil {
		t.Errorf("a chain of its own: %v", err)
	}
	if _, err := k.Verify(t.Context(), noted); err == nil || !strings.Contains(err.Error(), "entry 4 was rewritten") {
		t.Errorf("verify with a noted head says %v", err)
	}
}

// Whatever the fields hold, the chain of what was appended verifies, and any
// other value in one field does not.
func TestChainLaw(t *testing.T) {
	db, j := open(t)
	tamper(t, db, `DROP TRIGGER journal_keeps_words`)
	var seq uint64
	rapid.Check(t, func(r *rapid.T) {
		text := rapid.String()
		e := add(t, db, j, journal.Entry{Actor: text.Draw(r, "actor"), Action: text.Draw(r, "action"),
			Target: text.Draw(r, "target"), Outcome: text.Draw(r, "outcome")})[0]
		if seq++; e.Seq != seq {
			r.Fatalf("seq %d after %d", e.Seq, seq-1)
		}
		if _, err := j.Verify(t.Context()); err != nil {
			r.Fatal(err)
		}
		field := rapid.SampledFrom([]string{"actor", "action", "target", "outcome"}).Draw(r, "field")
		before := swap(t, db, field, seq, e.Actor+e.Action+e.Target+e.Outcome+"x")
		if _, err := j.Verify(t.Context()); err == nil {
			r.Fatalf("a change of %s went unseen", field)
		}
		swap(t, db, field, seq, before)
	})
}

// swap puts a value into a field of an entry and returns the one before.
func swap(t *testing.T, db *sqlite.DB, field string, seq uint64, value string) (before string) {
	t.Helper()
	if err := db.Write(t.Context(), func(tx *sqlite.Tx) error {
		if err := tx.QueryRow(`SELECT `+field+` FROM journal WHERE seq = ?`, seq).Scan(&before); err != nil {
			return err
		}
		_, err := tx.Exec(`UPDATE journal SET `+field+` = ? WHERE seq = ?`, value, seq)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return before
}

// Whoever follows hears of what is new, in order, and misses nothing.
func TestFollow(t *testing.T) {
	db, j := open(t)
	var last uint64
	for round := range 3 {
		changed := j.Changed()
		if err := db.Write(t.Context(), func(tx *sqlite.Tx) error {
			for range 2 {
				if _, err := j.Append(tx, journal.Entry{Actor: "a", Action: "x"}); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		j.Announce()
		<-changed
		list, err := j.List(t.Context(), journal.Filter{After: last, Oldest: true})
		if err != nil || len(list) != 2 || list[len(list)-1].Seq != uint64(2*round+2) || len(list) == 2 && list[0].Seq >= list[1].Seq {
			t.Fatalf("round %d: %+v, %v", round, list, err)
		}
		last = list[len(list)-1].Seq
	}
}
