package storage_test

import (
	"fmt"
	"testing"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
	"github.com/fazt-sh/fazt/platform/storage"
)

// A question sees what the app keeps, its own tables whatever their columns are
// called, and not what signed addresses are signed with.
func TestAsk(t *testing.T) {
	a := open(t, storage.Settings{})
	if _, err := a.Keys("K").Put(t.Context(), "motd", storage.Value{Data: []byte("closed"), Text: true}, storage.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.SQL("DB").Exec(t.Context(), `CREATE TABLE visit (token TEXT, at DATETIME); INSERT INTO visit VALUES ('t', '2026-11-27')`); err != nil {
		t.Fatal(err)
	}
	c := sqlite.NewConsole(sqlite.Bounds{})
	ask := func(query string) (sqlite.Answer, error) {
		return a.Ask(t.Context(), c, sqlite.Question{Query: query})
	}
	for query, want := range map[string]string{
		`SELECT cast(key AS TEXT), cast(value AS TEXT) FROM fazt_key`: "[[motd closed]]",
		`SELECT token, at FROM visit`:                                 "[[t 2026-11-27]]",
	} {
		if got, err := ask(query); err != nil || fmt.Sprint(got.Rows) != want {
			t.Errorf("%s: %v, %v", query, got.Rows, err)
		}
	}
	for _, query := range []string{`SELECT * FROM fazt_secret`, `SELECT count(*) FROM fazt_secret`, `DELETE FROM visit`, `DELETE FROM fazt_key`} {
		if got, err := ask(query); fault.KindOf(err) != fault.Forbidden {
			t.Errorf("%s: %v, %v", query, got.Rows, err)
		}
	}
}
