package sqlite_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/platform/sqlite"
)

// A script is cut where SQLite would end its statements.
func TestSplit(t *testing.T) {
	for script, want := range map[string][]string{
		"":                          nil,
		" ; ;; -- nothing\n/* ; */": nil,
		"a;b":                       {"a;", "b"},
		"a ';' \";\" [;] `;` 'it''s;' --;\n /*;*/ b; c":                                     {"a ';' \";\" [;] `;` 'it''s;' --;\n /*;*/ b;", "c"},
		"create trigger t begin a; b; end; c":                                               {"create trigger t begin a; b; end;", "c"},
		"CREATE TEMP TRIGGER IF NOT EXISTS t BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; END; c": {"CREATE TEMP TRIGGER IF NOT EXISTS t BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; END;", "c"},
		"create table trigger_end (a); b":                                                   {"create table trigger_end (a);", "b"},
		"'unfinished; b":                                                                    {"'unfinished; b"},
	} {
		var got []string
		for _, p := range sqlite.Split(script) {
			got = append(got, p.Text)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", script, got, want)
		}
	}
}

// No script is too strange to be cut, and nothing but space and comments is lost.
func FuzzSplit(f *testing.F) {
	f.Add("create trigger t begin a; end; b")
	f.Add("'a;--\n/*")
	f.Fuzz(func(t *testing.T, script string) {
		rest := script
		for _, piece := range sqlite.Split(script) {
			_, after, found := strings.Cut(rest, piece.Text)
			if !found || piece.Text == "" {
				t.Fatalf("%q is not next in %q", piece.Text, rest)
			}
			rest = after
		}
	})
}
