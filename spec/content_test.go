package spec_test

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fazt-sh/fazt/spec"
)

// countingTree is a tree in memory that counts how many folders were listed.
type countingTree struct {
	fstest.MapFS
	lists int
}

func (t *countingTree) ReadDir(name string) ([]fs.DirEntry, error) {
	t.lists++
	return t.MapFS.ReadDir(name)
}

func (t *countingTree) ID(name string) (string, error) {
	h := sha1.New()
	err := fs.WalkDir(t.MapFS, name, func(p string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			fmt.Fprintf(h, "%s %d\n", strings.TrimPrefix(p, name), len(t.MapFS[p].Data))
			_, _ = h.Write(t.MapFS[p].Data)
		}
		return err
	})
	return hex.EncodeToString(h.Sum(nil)), err
}

// contentTree makes a tree of files that hold their own name, and of one
// configuration file.
func contentTree(names ...string) *countingTree {
	t := &countingTree{MapFS: fstest.MapFS{
		"apps.fazt.hcl": {Data: []byte("app \"blog\" {\n  content = \"apps/blog\"\n}\n")},
	}}
	for _, name := range names {
		t.MapFS[name] = &fstest.MapFile{Data: []byte(name)}
	}
	return t
}

func contentApp(content string) spec.Object {
	canonical, _ := json.Marshal(spec.App{Content: content})
	at := spec.Range{Filename: "apps.fazt.hcl", Start: spec.Pos{Line: 2, Column: 13, Byte: 25}, End: spec.Pos{Line: 2, Column: 24, Byte: 36}}
	return spec.Object{Addr: "app.blog", Kind: spec.KindApp, Name: "blog", Spec: canonical, At: map[string]spec.Range{"content": at}}
}

func contentPaths(c *spec.Content) []string {
	var out []string
	for _, f := range c.Files {
		out = append(out, f.Path)
	}
	return out
}

func TestReadContentListsWhatIsServed(t *testing.T) {
	tr := contentTree(
		"apps/blog/index.html", "apps/blog/a/b.css", "apps/blog/_redirects", "apps/blog/_headers", "apps/blog/.well-known/security.txt",
		"apps/blog/_astro/x.js", "apps/blog/日本.html", "apps/blog/app.hcl", "apps/blog/a.test.html", "apps/blog/test.js",
		// never served:
		"apps/blog/.env", "apps/blog/.git/config", "apps/blog/a/.well-known/x", "apps/blog/a/_redirects", "apps/blog/_Headers", "apps/blog/fazt.hcl",
		"apps/blog/app.fazt.hcl", "apps/blog/APP.FAZT.JSON", "apps/blog/key.AGE", "apps/blog/x.tfstate", "apps/blog/.Well-Known/y", "other/z.html",
		"apps/blog/a.test.js", "apps/blog/a/b.TEST.mjs", "apps/blog/a/b.test.tsx",
	)
	got, diags := spec.ReadContent(tr, contentApp("apps/blog"), nil)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	want := []string{".well-known/security.txt", "_astro/x.js", "_headers", "_redirects", "a.test.html", "a/b.css", "app.hcl", "index.html", "test.js", "日本.html"}
	if !slices.Equal(contentPaths(got), want) {
		t.Errorf("got %q, want %q", contentPaths(got), want)
	}
	if f := got.Files[len(got.Files)-3]; f.Size != int64(len("apps/blog/index.html")) || len(f.ID) != 40 || f.Blob != "" {
		t.Errorf("got %+v", f)
	}
}

func TestReadContentOfKnownFolderDoesNotWalk(t *testing.T) {
	tr := contentTree("apps/blog/index.html", "apps/blog/a/b.css")
	first, _ := spec.ReadContent(tr, contentApp("apps/blog"), nil)
	tr.lists = 0
	again, diags := spec.ReadContent(tr, contentApp("apps/blog"), first)
	if again != first || len(diags) > 0 || tr.lists != 0 {
		t.Errorf("got %+v after listing %d folders, want what is known after none", again, tr.lists)
	}
}

func TestReadContentKeepsWhatIsKnownOfAFile(t *testing.T) {
	tr := contentTree("apps/blog/index.html", "apps/blog/b.css")
	first, _ := spec.ReadContent(tr, contentApp("apps/blog"), nil)
	for i := range first.Files {
		first.Files[i].Blob = "digest of " + first.Files[i].Path
	}
	tr.MapFS["apps/blog/moved.css"] = tr.MapFS["apps/blog/b.css"]
	delete(tr.MapFS, "apps/blog/b.css")
	tr.MapFS["apps/blog/index.html"] = &fstest.MapFile{Data: []byte("new")}
	got, diags := spec.ReadContent(tr, contentApp("apps/blog"), first)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	if f := got.Files[0]; f.Path != "index.html" || f.Blob != "" || f.Size != 3 {
		t.Errorf("a changed file kept its digest: %+v", f)
	}
	if f := got.Files[1]; f.Path != "moved.css" || f.Blob != "digest of b.css" {
		t.Errorf("a moved file lost its digest: %+v", f)
	}
}

func TestReadContentRefuses(t *testing.T) {
	deep := "apps/blog" + strings.Repeat("/d", spec.MaxContentDepth+1) + "/x"
	link := contentTree("apps/blog/index.html")
	link.MapFS["apps/blog/l"] = &fstest.MapFile{Data: []byte("index.html"), Mode: fs.ModeSymlink}
	submodule := contentTree("apps/blog/index.html")
	submodule.MapFS["apps/blog/m"] = &fstest.MapFile{Mode: fs.ModeIrregular}
	pipe := contentTree("apps/blog/index.html")
	pipe.MapFS["apps/blog/p"] = &fstest.MapFile{Mode: fs.ModeNamedPipe}
	large := contentTree("apps/blog/index.html")
	large.MapFS["apps/blog/film.mp4"] = &fstest.MapFile{Data: make([]byte, spec.MaxContentFile+1)}
	for _, c := range []struct {
		name    string
		tree    *countingTree
		content string
		code    string
		words   []string
	}{
		{"missing", contentTree("apps/blog/x"), "apps/nothing", "F2001", []string{`"apps/nothing"`, "root of the repository"}},
		{"mistyped", contentTree("apps/blog/x"), "aps/blgo", "F2001", []string{`did you mean "apps/blog"?`}},
		{"outside", contentTree("apps/blog/x"), "../etc", "F2001", []string{`"../etc"`}},
		{"absolute", contentTree("apps/blog/x"), "/etc", "F2001", []string{`"/etc"`}},
		{"a file", contentTree("apps/blog/index.html"), "apps/blog/index.html", "F2002", []string{`"apps/blog"`}},
		{"link", link, "apps/blog", "F2003", []string{`"apps/blog/l"`, "symbolic link"}},
		{"submodule", submodule, "apps/blog", "F2003", []string{`"apps/blog/m"`, "submodule"}},
		{"pipe", pipe, "apps/blog", "F2003", []string{`"apps/blog/p"`}},
		{"control byte", contentTree("apps/blog/a\tb"), "apps/blog", "F2004", []string{`"a\tb"`, "control"}},
		{"backslash", contentTree(`apps/blog/a\b`), "apps/blog", "F2004", []string{`"a\\b"`, "backslash"}},
		{"decomposed", contentTree("apps/blog/e\u0301.html"), "apps/blog", "F2004", []string{`"e\u0301.html"`, `"\u00e9.html"`}},
		{"letter case", contentTree("apps/blog/A.html", "apps/blog/a.html"), "apps/blog", "F2005", []string{`"A.html"`, `"a.html"`}},
		{"case of folders", contentTree("apps/blog/Img/x", "apps/blog/img/y"), "apps/blog", "F2005", []string{`"Img"`, `"img"`}},
		{"case beyond ascii", contentTree("apps/blog/STRASSE", "apps/blog/straße"), "apps/blog", "F2005", []string{`"STRASSE"`, `"straße"`}},
		{"large", large, "apps/blog", "F2006", []string{`"apps/blog/film.mp4"`, "25 MiB"}},
		{"deep", contentTree(deep), "apps/blog", "F2008", []string{"32 folders"}},
	} {
		got, diags := spec.ReadContent(c.tree, contentApp(c.content), nil)
		if got != nil || len(diags) != 1 {
			t.Errorf("%s: got %+v and %v", c.name, got, diags)
			continue
		}
		d := diags[0]
		for _, word := range c.words {
			if !strings.Contains(d.Summary+d.Detail, word) {
				t.Errorf("%s: %q %q does not say %s", c.name, d.Summary, d.Detail, word)
			}
		}
		if d.Code != c.code || d.Address != "app.blog" || d.Range == nil || d.Snippet == nil || d.Snippet.Code != `  content = "apps/blog"` {
			t.Errorf("%s: got %+v", c.name, d)
		}
	}
}

func TestReadContentRefusesTwoNormalForms(t *testing.T) {
	_, diags := spec.ReadContent(contentTree("apps/blog/e\u0301", "apps/blog/\u00e9"), contentApp("apps/blog"), nil)
	if len(diags) != 2 || diags[1].Code != "F2005" || !strings.Contains(diags[1].Summary, `"e\u0301" and "\u00e9"`) {
		t.Errorf("got %v", diags)
	}
}

func TestReadContentStopsAtTooManyFiles(t *testing.T) {
	var names []string
	for i := range spec.MaxContentEntries + 2 {
		names = append(names, fmt.Sprintf("apps/blog/%d", i))
	}
	_, diags := spec.ReadContent(contentTree(names...), contentApp("apps/blog"), nil)
	if len(diags) != 1 || diags[0].Code != "F2007" {
		t.Errorf("got %v", diags)
	}
}

func TestReadContentOfALinkedFolder(t *testing.T) {
	tr := linkedTree{contentTree("apps/blog/index.html")}
	if _, diags := spec.ReadContent(tr, contentApp("apps/blog"), nil); len(diags) != 1 || diags[0].Code != "F2003" {
		t.Errorf("got %v", diags)
	}
}

// linkedTree says of every path that it is a symbolic link, as a tree of a
// repository does for one.
type linkedTree struct{ *countingTree }

func (t linkedTree) Stat(name string) (fs.FileInfo, error) {
	f := fstest.MapFS{path.Base(name): {Mode: fs.ModeSymlink}}
	return f.Lstat(path.Base(name))
}

func TestReadContentWarnsOfAnEmptyFolder(t *testing.T) {
	got, diags := spec.ReadContent(contentTree("apps/blog/app.fazt.hcl"), contentApp("apps/blog"), nil)
	if got == nil || len(got.Files) != 0 || len(diags) != 1 || diags[0].Severity != spec.Warning {
		t.Errorf("got %+v and %v", got, diags)
	}
}

// folderTree is a folder of the disk as a tree.
type folderTree struct{ fs.FS }

func (t folderTree) ID(name string) (string, error) {
	h := sha1.New()
	err := fs.WalkDir(t.FS, name, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := fs.ReadFile(t.FS, p)
		fmt.Fprintf(h, "%s %d\n%s", strings.TrimPrefix(p, name), len(text), text)
		return err
	})
	return hex.EncodeToString(h.Sum(nil)), err
}

func TestExampleSite(t *testing.T) {
	site := folderTree{os.DirFS("../examples/site")}
	apps := map[string][]spec.Addr{
		"fra-1": {"app.api", "app.board", "app.company", "app.docs", "app.drop", `app.event["summit"]`, `app.event["workshop"]`, "app.guestbook", "app.links", "app.relay", "app.snake"},
		"lab-1": {"app.api", "app.board", "app.company", "app.docs", "app.drop", `app.event["summit"]`, `app.event["workshop"]`, "app.guestbook", "app.links", "app.relay", "app.snake", "app.styles"},
	}
	for node, want := range apps {
		out := spec.Load(spec.Input{Tree: site, Node: node})
		if out.Spec == nil || len(out.Diagnostics)+len(out.Spec.Warnings)+len(out.Spec.Stalled) > 0 {
			t.Fatalf("%s: %v", node, out.Diagnostics)
		}
		var got []spec.Addr
		for _, o := range out.Spec.Objects {
			if o.Kind != spec.KindApp {
				continue
			}
			got = append(got, o.Addr)
			content, diags := spec.ReadContent(site, o, nil)
			if len(diags) > 0 || !slices.Contains(contentPaths(content), "index.html") {
				t.Errorf("%s on %s: %v", o.Addr, node, diags)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s takes %q, want %q", node, got, want)
		}
	}
}

func TestExampleSiteIsFormattedAndSaysWhatItIs(t *testing.T) {
	site := folderTree{os.DirFS("../examples/site")}
	files, diags := spec.ConfigFiles(site)
	if len(files) < 5 || len(diags) > 0 {
		t.Fatalf("got %q and %v", files, diags)
	}
	for _, name := range files {
		text, _ := fs.ReadFile(site, name)
		if formatted, diags := spec.Format(name, text); string(formatted) != string(text) || len(diags) > 0 {
			t.Errorf("%s is not formatted (%v); it should be\n%s", name, diags, formatted)
		}
		head, _, _ := strings.Cut(string(text), "\n\n")
		if lines := strings.Split(head, "\n"); len(lines) < 2 || !strings.HasPrefix(lines[0], "# ") ||
			!strings.HasPrefix(lines[len(lines)-1], "# Reference: docs/reference/language.md") {
			t.Errorf("%s begins with %q", name, lines)
		}
	}
}

// An app whose files together are more than it may store stalls, whether they
// are read or known already; the limit's own line is shown.
func TestReadContentStopsAtTheStorageLimit(t *testing.T) {
	tr := contentTree("apps/blog/index.html", "apps/blog/a.css") // 20 and 15 bytes
	const text = "app \"blog\" {\n  content = \"apps/blog\"\n  headers = [{ path = \"/\", set = { X-A = \"\\\"storage\\\":1\" } }]\n  limits { storage = 1024 }\n}\n"
	tr.MapFS["apps.fazt.hcl"] = &fstest.MapFile{Data: []byte(text)}
	known, diags := spec.ReadContent(tr, loadedApp(t, tr), nil)
	if len(diags) > 0 || len(known.Files) != 2 {
		t.Fatal(known, diags)
	}
	tr.MapFS["apps/blog/index.html"].Data = make([]byte, 1010)
	known, _ = spec.ReadContent(tr, contentApp("apps/blog"), nil)
	for _, before := range []*spec.Content{nil, known} {
		content, diags := spec.ReadContent(tr, loadedApp(t, tr), before)
		if content != nil || len(diags) != 1 || diags[0].Code != "F2013" || diags[0].Address != "app.blog" {
			t.Fatalf("got %v and %v", content, diags)
		}
		if want := "content has 1025 bytes, more than the 1KiB (1024 bytes) of limits.storage"; diags[0].Summary != want {
			t.Errorf("it says %q", diags[0].Summary)
		}
		if s := diags[0].Snippet; s == nil || s.Code[s.Start:s.End] != "1024" {
			t.Errorf("it shows %+v", s)
		}
	}
}

// loadedApp is the only app of a tree.
func loadedApp(t *testing.T, tr *countingTree) spec.Object {
	t.Helper()
	out := spec.Load(spec.Input{Tree: tr})
	if out.Spec == nil || out.Spec.Objects[0].Kind != spec.KindApp {
		t.Fatal(findings(out))
	}
	return out.Spec.Objects[0]
}

// A finding in an app's files points at what is meant, counted as editors count, and
// at the file where that has no such place.
func TestFindingInContent(t *testing.T) {
	const src = "one\n\tréturn x;\r\nthree"
	for _, c := range []struct {
		at    spec.Spot
		start spec.Pos
		width int
		code  string
	}{
		{spec.Spot{File: "a.ts", Line: 2, Column: 2, Length: 7}, spec.Pos{Line: 2, Column: 2, Byte: 5}, 6, "\tréturn x;"},
		{spec.Spot{File: "a.ts", Line: 2, Column: 10, Length: 99}, spec.Pos{Line: 2, Column: 9, Byte: 13}, 2, "\tréturn x;"},
		{spec.Spot{File: "a.ts", Line: 2}, spec.Pos{Line: 2, Column: 2, Byte: 5}, 9, "\tréturn x;"},
		{spec.Spot{File: "a.ts", Line: 3, Column: 99, Length: 2}, spec.Pos{Line: 3, Column: 6, Byte: 22}, 0, "three"},
		{spec.Spot{File: "a.ts"}, spec.Pos{Line: 1, Column: 1}, 0, ""},
	} {
		d := spec.FindingInContent(spec.Object{Addr: "app.a"}, "apps/a", c.at, []byte(src), "F2016", "wrong", "")
		if d.Range.Filename != "apps/a/a.ts" || d.Range.Start != c.start || d.Range.End.Column-d.Range.Start.Column != c.width {
			t.Errorf("%+v: %+v", c.at, *d.Range)
		}
		if got := d.Snippet; (got == nil) != (c.code == "") || got != nil && got.Code != c.code {
			t.Errorf("%+v: %+v", c.at, got)
		}
	}
	d := spec.FindingInContent(spec.Object{}, "apps/a", spec.Spot{File: "a.ts", Line: 9, Column: 9}, nil, "F2016", "wrong", "")
	if d.Range.Start.Line != 9 || d.Snippet != nil {
		t.Errorf("%+v", d)
	}
}
