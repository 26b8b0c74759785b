package spec_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fazt-sh/fazt/spec"
)

// programApp is an app of the content folder "a" that runs code.
func programApp(entry, migrations string) spec.Object {
	a := spec.App{Content: "a", Runtime: &spec.Runtime{Entry: entry}}
	if migrations != "" {
		a.SQL = &spec.SQL{Name: "DB", Migrations: migrations}
	}
	canonical, _ := json.Marshal(a)
	at := func(line int) spec.Range {
		return spec.Range{Filename: "apps.fazt.hcl", Start: spec.Pos{Line: line, Column: 1}, End: spec.Pos{Line: line, Column: 2, Byte: 1}}
	}
	return spec.Object{Addr: "app.a", Kind: spec.KindApp, Name: "a", Spec: canonical, Range: at(1),
		At: map[string]spec.Range{"runtime.entry": at(2), `sql["DB"].migrations`: at(3)}}
}

func pathsOf(files []spec.File) string {
	var out []string
	for _, f := range files {
		out = append(out, f.Path)
	}
	return strings.Join(out, " ")
}

func TestSourcesAreNeverServed(t *testing.T) {
	tr := contentTree(
		"a/api/main.ts", "a/api/data.json", "a/api/main.js.map", "a/api/lib/x.js", "a/api/node_modules/p/index.js", "a/api/node_modules/.bin/x",
		"a/migrations/001.sql", "a/migrations/note.txt", "a/node_modules/q/q.css", "a/package.json", "a/PNPM-lock.yaml", "a/sub/tsconfig.json", "a/sub/part.TSX", "a/types.d.ts",
		"a/.env", "a/app.fazt.hcl",
		"a/index.html", "a/app.js", "a/app.js.map", "a/data.json", "a/api.html", "a/sub/api/x.html", "a/node_modules.txt",
	)
	c, diags := spec.ReadContent(tr, programApp("api/main.ts", "migrations"), nil)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	if got, want := pathsOf(c.Files), "api.html app.js app.js.map data.json index.html node_modules.txt sub/api/x.html"; got != want {
		t.Errorf("served: %s", got)
	}
	want := "PNPM-lock.yaml api/data.json api/lib/x.js api/main.js.map api/main.ts api/node_modules migrations/001.sql migrations/note.txt " +
		"node_modules package.json sub/part.TSX sub/tsconfig.json types.d.ts"
	if got := pathsOf(c.Sources); got != want {
		t.Errorf("sources: %s", got)
	}
	i := slices.IndexFunc(c.Sources, func(f spec.File) bool { return f.Path == "node_modules" })
	if id, _ := tr.ID("a/node_modules"); c.Sources[i].ID != id {
		t.Errorf("packages have the id %s, not that of their tree", c.Sources[i].ID)
	}

	atTop, diags := spec.ReadContent(tr, programApp("app.js", ""), nil)
	if len(diags) > 0 || slices.ContainsFunc(atTop.Files, func(f spec.File) bool { return f.Path == "app.js" }) || !slices.ContainsFunc(atTop.Files, func(f spec.File) bool { return f.Path == "api/lib/x.js" }) {
		t.Errorf("an entry at the top: %s, %v", pathsOf(atTop.Files), diags)
	}

	plain, _ := spec.ReadContent(tr, contentApp("a"), nil)
	if len(plain.Sources) > 0 || plain.Split != "" || !strings.Contains(pathsOf(plain.Files), "api/main.ts") || !strings.Contains(pathsOf(plain.Files), "node_modules/q/q.css") {
		t.Errorf("an app without code: %s and %s", pathsOf(plain.Files), pathsOf(plain.Sources))
	}
}

// Packages are many and are not looked into, however many they are.
func TestPackagesAreNotWalked(t *testing.T) {
	tr := contentTree("a/main.js", "a/node_modules/a/1.js", "a/node_modules/b/2.js", "a/node_modules/c/3.js")
	if _, diags := spec.ReadContent(tr, programApp("main.js", ""), nil); len(diags) > 0 || tr.lists != 1 {
		t.Errorf("%d folders were listed, %v", tr.lists, diags)
	}
}

func TestProgramsAreMadeOfWhatIsThere(t *testing.T) {
	tr := contentTree("a/api/main.ts", "a/api/other/x.ts", "a/api/notes/[id]/route.js", "a/sql/1.sql", "a/file")
	for _, c := range []struct{ entry, migrations, want string }{
		{"api/main.ts", "sql", ""},
		{"api/mian.ts", "", `entry "a/api/mian.ts" does not exist (did you mean "api/main.ts"?) at 2`},
		{"api/other", "", `folder "a/api/other" has no route.ts (name a file, or add route.ts to the folder, or to one in it, that exports GET or POST) at 2`},
		{"api/notes", "", ""},
		{"api/none", "", `entry "a/api/none" does not exist (it is a file of the content folder, such as "api/main.ts", or a folder of route.ts files) at 2`},
		{"file", "", `entry "a/file" is neither TypeScript nor JavaScript (name a file such as "api/main.ts", or a folder of route.ts files) at 2`},
		{"api/main.ts", "sqll", `migrations folder "a/sqll" does not exist (put its *.sql files there; git keeps no empty folders) at 3`},
		{"api/main.ts", "file", `migrations folder "a/file" does not exist (put its *.sql files there; git keeps no empty folders) at 3`},
	} {
		content, diags := spec.ReadContent(tr, programApp(c.entry, c.migrations), nil)
		got := ""
		for _, d := range diags {
			got += d.Summary + " (" + d.Detail + ") at " + string(rune('0'+d.Range.Start.Line))
		}
		if got != c.want || (content == nil) != (c.want != "") {
			t.Errorf("%s, %s: %s", c.entry, c.migrations, got)
		}
	}
}

// What is known of a folder holds only while its sources are told from its files
// in the same way; what was made of them is kept while they are the same.
func TestReadContentKeepsThePrograms(t *testing.T) {
	tr := contentTree("a/api/main.ts", "a/lib/main.ts", "a/index.html")
	first, _ := spec.ReadContent(tr, programApp("api/main.ts", ""), nil)
	first.Program = &spec.Program{Code: "code"}
	if again, _ := spec.ReadContent(tr, programApp("api/main.ts", ""), first); again != first {
		t.Error("an unchanged app was read again")
	}
	if plain, _ := spec.ReadContent(tr, contentApp("a"), first); len(plain.Files) != 3 || plain.Program != nil {
		t.Errorf("the app runs no code any more, and serves %s", pathsOf(plain.Files))
	}
	tr.MapFS["a/.note"] = tr.MapFS["a/index.html"] // the tree moves, the release does not
	if again, _ := spec.ReadContent(tr, programApp("api/main.ts", ""), first); again == first || again.Program != first.Program || !again.Same(first) {
		t.Error("a new file that is never served made another release")
	}
	tr.MapFS["a/api/main.ts"] = tr.MapFS["a/index.html"]
	if again, _ := spec.ReadContent(tr, programApp("api/main.ts", ""), first); again.Program != nil || again.Same(first) {
		t.Error("the code changed, and its program stayed")
	}
}

// A migration says itself whether it takes a table or a column away: in SQL, or in
// the line that lets it. What a comment says counts for nothing, nor what goose would
// do on the way back.
func TestMigrationsThatTakeAwayAreMarked(t *testing.T) {
	for _, c := range []struct {
		text  string
		drops bool
	}{
		{"DROP TABLE note;", true},
		{"create table x (a);\ndrop\n  table if exists note;", true},
		{"ALTER TABLE note DROP COLUMN body;", true},
		{"alter table \"the notes\" drop body", true},
		{"-- fazt: destructive\nupdate note set body = '';", true},
		{"-- +goose Up\nDROP TABLE note;\n-- +goose Down\nCREATE TABLE note (a);", true},
		{"-- +goose Up\nCREATE TABLE note (a);\n-- +goose Down\nDROP TABLE note;", false},
		{"ALTER TABLE note ADD COLUMN done; DROP INDEX by_body;", false},
		{"create table note (a); -- drop table note\n/* alter table note\n drop column a */", false},
		{"create table dropped (table_of text, drop_column text);", false},
	} {
		tr := contentTree("a/main.js")
		tr.MapFS["a/sql/0002_more.sql"] = &fstest.MapFile{Data: []byte(c.text)}
		tr.MapFS["a/other/0002_more.sql"] = &fstest.MapFile{Data: []byte("DROP TABLE note")}
		content, diags := spec.ReadContent(tr, programApp("main.js", "sql"), nil)
		if len(diags) > 0 {
			t.Fatal(diags)
		}
		for _, f := range content.Sources {
			if f.Drops != (c.drops && f.Path == "sql/0002_more.sql") {
				t.Errorf("%s of %q: drops %v", f.Path, c.text, f.Drops)
			}
		}
	}
}
