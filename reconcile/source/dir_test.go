package source_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile/source"
)

func shownFiles(t testing.TB, fsys fs.FS) []string {
	t.Helper()
	var names []string
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestFolderShowsWhatGitWouldTake(t *testing.T) {
	o := newOrigin(t)
	o.write(map[string]string{
		".gitignore": "# build\n*.log\n/dist/\nnode_modules/\n!keep.log\ntrailing \r\nsub/*.tmp\n**/deep.txt\ndoc/**/*.pdf\n",
		"a.log":      "x", "keep.log": "x", "dist/out.js": "x", "src/dist/in.js": "x", "node_modules/p/x.js": "x", "a/node_modules/q.js": "x",
		"trailing": "x", "sub/x.tmp": "x", "sub/y/x.tmp": "x", "x/y/deep.txt": "x", "doc/a/b/c.pdf": "x", "doc/a/b/c.txt": "x",
		"nested/.gitignore": "*.txt\n!yes.txt\n", "nested/no.txt": "x", "nested/yes.txt": "x", "nested/in/no.txt": "x", "other/no.txt": "x",
		"app.js": "x", ".well-known/x": "x",
	})
	f, err := source.OpenFolder(o.dir)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(o.run("ls-files", "-co", "--exclude-standard"), "\n")
	slices.Sort(want)
	got := shownFiles(t, f)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("shows\n%s\ngit would take\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, name := range []string{".git/config", ".git", "dist", "dist/out.js", "node_modules/p/x.js", "nested/no.txt", "../origin/app.js"} {
		if _, err := f.Open(name); err == nil {
			t.Errorf("%s was opened", name)
		}
	}
}

func TestFolderHidesStateAndSkips(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a.txt": "a", ".fazt/node.db": "x", "state/x": "x", "b/state/x": "x", "abs/x": "x", ".Git/x": "x"})
	d := source.NewDir(source.DirConfig{Dir: dir, Skip: []string{"state", filepath.Join(dir, "abs"), "/elsewhere"}})
	a := mustFetch(t, d, "")
	if got := shownFiles(t, a.Tree); !slices.Equal(got, []string{"a.txt", "b/state/x"}) {
		t.Errorf("%q", got)
	}
}

func TestFolderDoesNotLeadOutside(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"in/a.txt": "a", "out/secret.txt": "secret"})
	symlink(t, filepath.Join(dir, "in"), "../out", "folder")
	symlink(t, filepath.Join(dir, "in"), "../out/secret.txt", "file")
	symlink(t, filepath.Join(dir, "in"), "a.txt", "inside")
	f, err := source.OpenFolder(filepath.Join(dir, "in"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"folder/secret.txt", "folder", "file", "inside", "../out/secret.txt"} {
		if _, err := fs.ReadFile(f, name); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

func TestUnchangedFilesAreNotReadAgain(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, manyApps(10))
	old := time.Now().Add(-time.Hour)
	for _, name := range shownFiles(t, os.DirFS(dir)) {
		if err := os.Chtimes(filepath.Join(dir, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	r := newRecord()
	d := source.NewDir(source.DirConfig{Dir: dir, Log: r.log()})
	for pass, want := range []int64{21, 0, 1, 1, 0} {
		switch pass {
		case 2: // fresh: its time may not tell the next change from this one
			writeFiles(t, dir, map[string]string{"apps/0003/index.html": "<p>new"})
		case 4:
			writeFiles(t, dir, map[string]string{"apps/0003/index.html": ""})
		}
		mustFetch(t, d, "")
		if got := r.last("folder read hashed"); got != want {
			t.Errorf("pass %d read %d files, want %d", pass, got, want)
		}
	}
}

func TestChangedContentIsNeverMixed(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a.txt": "one", "b.txt": "one", "c.txt": "one"})
	d := source.NewDir(source.DirConfig{Dir: dir})
	a := mustFetch(t, d, "")
	writeFiles(t, dir, map[string]string{"a.txt": "two", "b.txt": "longer than before", "c.txt": ""})
	for _, name := range []string{"a.txt", "b.txt", "c.txt"} {
		_, err := fs.ReadFile(a.Tree, name)
		wantFault(t, err, fault.Unavailable)
	}
	b := mustFetch(t, d, "")
	if got, err := fs.ReadFile(b.Tree, "a.txt"); err != nil || string(got) != "two" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestChangeThatKeepsSizeAndTimeHeals(t *testing.T) {
	dir := t.TempDir()
	old := time.Now().Add(-time.Hour)
	write := func(text string) {
		writeFiles(t, dir, map[string]string{"a.txt": text})
		if err := os.Chtimes(filepath.Join(dir, "a.txt"), old, old); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	d := source.NewDir(source.DirConfig{Dir: dir})
	mustFetch(t, d, "")
	write("two")
	a := mustFetch(t, d, "")
	if _, err := fs.ReadFile(a.Tree, "a.txt"); err == nil {
		t.Fatal("the stale id went unnoticed")
	}
	b := mustFetch(t, d, "")
	if got, err := fs.ReadFile(b.Tree, "a.txt"); err != nil || string(got) != "two" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestFolderRevision(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a.txt": "a"})
	d := source.NewDir(source.DirConfig{Dir: dir})
	a := mustFetch(t, d, "")
	if a.Revision != "dir:"+a.TreeID[:12] || a.Author != "" || !a.Time.IsZero() {
		t.Errorf("%+v", a)
	}
	if b, err := d.At(t.Context(), a.Revision); err != nil || b.TreeID != a.TreeID {
		t.Errorf("%v, %v", b, err)
	}
	_, err := d.At(t.Context(), "dir:000000000000")
	wantFault(t, err, fault.NotFound, "does not keep")
	if err := d.Keep(1, a.Revision); err != nil {
		t.Error(err)
	}
	// A git source takes over from a folder without minding its revisions.
	o := newOrigin(t)
	o.commit("first", map[string]string{"a.txt": "a"})
	g := openGit(t, source.GitConfig{URL: o.dir})
	mustFetch(t, g, a.Revision)
	if err := g.Keep(1, a.Revision); err != nil {
		t.Error(err)
	}
}

func TestFolderThatIsNotThere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	d := source.NewDir(source.DirConfig{Dir: dir})
	wantFault(t, d.Open(t.Context()), fault.NotFound, "does not exist")
	_, err := d.Fetch(t.Context(), "")
	wantFault(t, err, fault.NotFound, dir)
	writeFiles(t, filepath.Dir(dir), map[string]string{"none": "a file"})
	wantFault(t, d.Open(t.Context()), fault.Invalid, dir, "is a file, not a folder", "name its folder: "+filepath.Dir(dir))
}

// watching starts a Watch and returns its pokes and how to end it.
func watching(t *testing.T, d *source.Dir) <-chan struct{} {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	pokes := make(chan struct{}, 100)
	done := make(chan error, 1)
	go func() { done <- d.Watch(ctx, func() { pokes <- struct{}{} }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Watch: %v", err)
		}
	})
	return pokes
}

// awaitPoke repeats a change until the watcher, which starts by itself, saw it.
func awaitPoke(t *testing.T, pokes <-chan struct{}, change func()) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		change()
		select {
		case <-pokes:
			return
		case <-deadline:
			t.Fatal("no poke")
		case <-time.After(time.Second):
		}
	}
}

func TestWatchPokesOnEveryKindOfChange(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a/x.txt": "x", ".gitignore": "ignored/\n", "ignored/x": "x"})
	pokes := watching(t, source.NewDir(source.DirConfig{Dir: dir, Debounce: 10 * time.Millisecond}))
	n := 0
	next := func() string { n++; return strings.Repeat("y", n) }
	for name, change := range map[string]func(){
		"a write":    func() { writeFiles(t, dir, map[string]string{"a/x.txt": next()}) },
		"a new file": func() { writeFiles(t, dir, map[string]string{"a/" + next(): "new"}) },
		"a removal": func() {
			writeFiles(t, dir, map[string]string{"a/gone": next()})
			os.Remove(filepath.Join(dir, "a/gone"))
		},
		"a new folder": func() { writeFiles(t, dir, map[string]string{"new/" + next() + "/deep/x.txt": "x"}) },
		"a rename-save": func() {
			writeFiles(t, dir, map[string]string{"a/.x.swp": next()})
			if err := os.Rename(filepath.Join(dir, "a/.x.swp"), filepath.Join(dir, "a/x.txt")); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) { awaitPoke(t, pokes, change) })
	}
	t.Run("a file in a folder that came later", func(t *testing.T) {
		awaitPoke(t, pokes, func() { writeFiles(t, dir, map[string]string{"later/on/x.txt": next()}) })
		awaitPoke(t, pokes, func() { writeFiles(t, dir, map[string]string{"later/on/x.txt": next()}) })
	})
}

func TestWatchSurvivesTheFolderGoingAway(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "site")
	writeFiles(t, dir, map[string]string{"x.txt": "x"})
	pokes := watching(t, source.NewDir(source.DirConfig{Dir: dir, Debounce: 10 * time.Millisecond}))
	awaitPoke(t, pokes, func() { writeFiles(t, dir, map[string]string{"x.txt": "xx"}) })
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	awaitPoke(t, pokes, func() { writeFiles(t, dir, map[string]string{"x.txt": "back"}) })
}
