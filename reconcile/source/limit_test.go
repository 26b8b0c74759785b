package source_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile/source"
)

// bomb stores a tree of ten equal folders, ten deep: 10^10 paths in a handful
// of objects.
func bomb(t *testing.T, o *origin) {
	t.Helper()
	o.commit("seed", map[string]string{"a.txt": "a"})
	at := o.run("rev-parse", "HEAD:")
	for range 10 {
		var tree strings.Builder
		for i := range 10 {
			fmt.Fprintf(&tree, "40000 d%d\x00%s", i, unhex(t, at))
		}
		at = o.rawTree([]byte(tree.String()))
	}
	o.commitTree(at)
}

func TestTreeBombIsCountedNotWalked(t *testing.T) {
	for name, open := range map[string]func(o *origin) source.GitConfig{
		"local": func(o *origin) source.GitConfig { return source.GitConfig{URL: o.dir} },
		"https": func(o *origin) source.GitConfig { return serve(t, o, nil).config(t) },
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			bomb(t, o)
			_, err := openGit(t, open(o)).Fetch(t.Context(), "")
			wantFault(t, err, fault.Exhausted, "more than 1000000 entries")
			wantCode(t, err, "F2203")
		})
	}
}

func TestLimits(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine, and hundreds of processes: make test runs it")
	}
	deep := strings.Repeat("d/", 33) + "x.txt"
	for _, c := range []struct {
		name   string
		files  map[string]string
		limits source.Limits
		says   string
	}{
		{"depth", map[string]string{deep: "x"}, source.Limits{}, "more than 32 folders deep"},
		{"entries", map[string]string{"a/1": "1", "a/2": "2", "b/1": "1"}, source.Limits{Entries: 4}, "more than 4 entries"},
		{"one file", map[string]string{"big": incompressible(2 << 20)}, source.Limits{Object: 1 << 20}, "bytes, the limit is 1048576"},
		{"a file that inflates", map[string]string{"big": strings.Repeat("0", 2<<20)}, source.Limits{Object: 1 << 20}, "bytes, the limit is 1048576"},
		{"transfer", map[string]string{"a": incompressible(600 << 10), "b": incompressible(700 << 10)}, source.Limits{Transfer: 1 << 20}, "more than 1048576 bytes"},
		{"objects", map[string]string{"a/1": "1", "a/2": "2", "b/1": "3"}, source.Limits{Objects: 4}, "objects"},
	} {
		for kind, open := range map[string]func(o *origin) source.GitConfig{
			"local": func(o *origin) source.GitConfig { return source.GitConfig{URL: o.dir} },
			"https": func(o *origin) source.GitConfig { return serve(t, o, nil).config(t) },
		} {
			t.Run(c.name+"/"+kind, func(t *testing.T) {
				o := newOrigin(t)
				o.commit("too much", c.files)
				config := open(o)
				config.Limits = c.limits
				g := openGit(t, config)
				_, err := g.Fetch(t.Context(), "")
				wantFault(t, err, fault.Exhausted, c.says)
				// Nothing of it stays in the way: the next commit is fine.
				gone := map[string]string{"ok.txt": "ok"}
				for name := range c.files {
					gone[strings.SplitN(name, "/", 2)[0]] = ""
				}
				o.run("checkout", "-q", "--orphan", "fresh")
				o.commit("small again", gone)
				o.run("branch", "-M", "main")
				mustFetch(t, g, "")
			})
		}
	}
}

func TestLimitsOfAFolder(t *testing.T) {
	for _, c := range []struct {
		files  map[string]string
		limits source.Limits
		says   string
	}{
		{map[string]string{strings.Repeat("d/", 33) + "x": "x"}, source.Limits{}, "more than 32 folders deep"},
		{map[string]string{"a/1": "1", "a/2": "2"}, source.Limits{Entries: 2}, "more than 2 entries"},
		{map[string]string{"big": strings.Repeat("0", 2000)}, source.Limits{Object: 1000}, `"big" has 2000 bytes`},
	} {
		dir := t.TempDir()
		writeFiles(t, dir, c.files)
		_, err := source.NewDir(source.DirConfig{Dir: dir, Limits: c.limits}).Fetch(t.Context(), "")
		wantFault(t, err, fault.Exhausted, c.says)
	}
}

func TestDeadlineHasAName(t *testing.T) {
	o := newOrigin(t)
	o.commit("first", manyApps(50))
	_, err := openGit(t, source.GitConfig{URL: o.dir, Limits: source.Limits{Deadline: time.Nanosecond}}).Fetch(t.Context(), "")
	wantFault(t, err, fault.Unavailable, "did not answer in time")
}

func TestUnsafeNamesOfAnyFileSystem(t *testing.T) {
	for _, name := range []string{".git/config", "a/.GIT/x", "a/git~1", "a/x\ny"} {
		_, err := source.FS(fstest.MapFS{name: {Data: []byte("x")}})
		wantFault(t, err, fault.Invalid, "the tree holds")
	}
}

func TestEmptyFoldersAreNotThere(t *testing.T) {
	tree, err := source.FS(fstest.MapFS{"a/b/c": {Mode: fs.ModeDir}, "x.txt": {Data: []byte("x")}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fs.Stat(tree, "a"); err == nil {
		t.Error("a folder without files is shown")
	}
}
