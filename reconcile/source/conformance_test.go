package source_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/fazt-sh/fazt/reconcile/source"
)

// kinds are the ways to follow one origin. Every law of a source holds for all.
func kinds() map[string]func(t *testing.T, o *origin) fetcher {
	return map[string]func(t *testing.T, o *origin) fetcher{
		"local": func(t *testing.T, o *origin) fetcher { return openGit(t, source.GitConfig{URL: o.dir}) },
		"https": func(t *testing.T, o *origin) fetcher { return openGit(t, serve(t, o, nil).config(t)) },
		"ssh":   func(t *testing.T, o *origin) fetcher { return openGit(t, serveSSH(t).config(t, o)) },
		"dir": func(t *testing.T, o *origin) fetcher {
			d := source.NewDir(source.DirConfig{Dir: o.dir})
			if err := d.Open(context.Background()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { d.Close() })
			return d
		},
	}
}

func everyKind(t *testing.T, law func(t *testing.T, o *origin, f fetcher)) {
	for name, open := range kinds() {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			o.commit("first", map[string]string{"fazt.hcl": "app \"a\" {}\n", "a/index.html": "<p>one"})
			law(t, o, open(t, o))
		})
	}
}

func TestTreeIsWhatWasCommitted(t *testing.T) {
	everyKind(t, func(t *testing.T, o *origin, f fetcher) {
		big := incompressible(3 << 20)
		o.commit("more", map[string]string{"a/big.bin": big, "a/deep/er/x.txt": "x", "a.html": "beside a", "ü/näme.txt": "utf-8"})
		a := mustFetch(t, f, "")
		if want := o.run("rev-parse", "HEAD^{tree}"); a.TreeID != want {
			t.Errorf("tree %s, git says %s", a.TreeID, want)
		}
		for _, name := range []string{"fazt.hcl", "a", "a/big.bin", "a/deep", "ü/näme.txt"} {
			id, err := a.Tree.ID(name)
			if want := o.run("rev-parse", "HEAD:"+name); err != nil || id != want {
				t.Errorf("ID(%q) = %s, %v; git says %s", name, id, err, want)
			}
		}
		if got, err := fs.ReadFile(a.Tree, "a/big.bin"); err != nil || string(got) != big {
			t.Errorf("a/big.bin: %d bytes, %v", len(got), err)
		}
		if info, err := fs.Stat(a.Tree, "a/big.bin"); err != nil || info.Size() != int64(len(big)) {
			t.Errorf("stat: %v, %v", info, err)
		}
	})
}

func TestTreeIsAProperFileSystem(t *testing.T) {
	everyKind(t, func(t *testing.T, o *origin, f fetcher) {
		o.commit("more", map[string]string{"a/deep/er/x.txt": incompressible(20 << 10), "a.html": "beside a", "ü/näme.txt": "utf-8"})
		a := mustFetch(t, f, "")
		if err := fstest.TestFS(a.Tree, "fazt.hcl", "a/index.html", "a/deep/er/x.txt", "a.html", "ü/näme.txt"); err != nil {
			t.Error(err)
		}
	})
}

func TestNextRevisionIsSeen(t *testing.T) {
	everyKind(t, func(t *testing.T, o *origin, f fetcher) {
		first := mustFetch(t, f, "")
		o.commit("second", map[string]string{"a/index.html": "<p>two", "fazt.hcl": "", "b/new.txt": "new"})
		second := mustFetch(t, f, first.Revision)
		if first.Revision == second.Revision || second.TreeID != o.run("rev-parse", "HEAD^{tree}") {
			t.Errorf("%s, then %s", first.Revision, second.Revision)
		}
		if got, err := fs.ReadFile(second.Tree, "a/index.html"); err != nil || string(got) != "<p>two" {
			t.Errorf("%q, %v", got, err)
		}
		if _, err := fs.Stat(second.Tree, "fazt.hcl"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the removed file: %v", err)
		}
		again := mustFetch(t, f, second.Revision)
		if again.Revision != second.Revision || again.TreeID != second.TreeID {
			t.Errorf("nothing moved, but %s became %s", second.Revision, again.Revision)
		}
	})
}

func TestLinksAreShownAndNotFollowed(t *testing.T) {
	everyKind(t, func(t *testing.T, o *origin, f fetcher) {
		symlink(t, o.dir, "a/index.html", "link.html")
		symlink(t, o.dir, "/etc", "out")
		o.commit("links", nil)
		a := mustFetch(t, f, "")
		for name, target := range map[string]string{"link.html": "a/index.html", "out": "/etc"} {
			info, err := fs.Lstat(a.Tree, name)
			if err != nil || info.Mode().Type() != fs.ModeSymlink {
				t.Errorf("%s: %v, %v", name, info, err)
			}
			if got, err := fs.ReadLink(a.Tree, name); err != nil || got != target {
				t.Errorf("%s leads to %q, %v", name, got, err)
			}
			if _, err := a.Tree.Open(name); err == nil {
				t.Errorf("%s was opened", name)
			}
		}
		if _, err := a.Tree.Open("out/passwd"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("through the link: %v", err)
		}
		if a.TreeID != o.run("rev-parse", "HEAD^{tree}") {
			t.Error("the links are not in the id")
		}
	})
}

func TestReadersRunBesideAFetch(t *testing.T) {
	everyKind(t, func(t *testing.T, o *origin, f fetcher) {
		files := map[string]string{}
		for _, name := range []string{"a", "b", "c", "d"} {
			files[name+"/x.txt"] = incompressible(40 << 10)
		}
		o.commit("files", files)
		a := mustFetch(t, f, "")
		var readers sync.WaitGroup
		for name, text := range files {
			readers.Go(func() {
				for range 20 {
					if got, err := fs.ReadFile(a.Tree, name); err != nil || string(got) != text {
						t.Errorf("%s: %d bytes, %v", name, len(got), err)
					}
				}
			})
		}
		o.commit("next", map[string]string{"new.txt": "new"})
		mustFetch(t, f, a.Revision)
		readers.Wait()
	})
}

func TestExecutableBitIsInTheID(t *testing.T) {
	everyKind(t, func(t *testing.T, o *origin, f fetcher) {
		chmod(t, o.dir, "a/index.html", 0o755)
		o.commit("executable", nil)
		if a := mustFetch(t, f, ""); a.TreeID != o.run("rev-parse", "HEAD^{tree}") {
			t.Errorf("tree %s, git says %s", a.TreeID, o.run("rev-parse", "HEAD^{tree}"))
		}
	})
}

func TestOneHundredCommitsAndManyFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine, and hundreds of processes: make test runs it")
	}
	everyKind(t, func(t *testing.T, o *origin, f fetcher) {
		many := map[string]string{}
		for i := range 150 {
			many[string(rune('a'+i%26))+"/"+string(rune('a'+i/26))+".txt"] = incompressible(100 + i)
		}
		o.commit("many", many)
		o.run("repack", "-a", "-d", "-q")
		a := mustFetch(t, f, "")
		if want := o.run("rev-parse", "HEAD^{tree}"); a.TreeID != want {
			t.Fatalf("tree %s, git says %s", a.TreeID, want)
		}
		for name, text := range many {
			if got, err := fs.ReadFile(a.Tree, name); err != nil || !bytes.Equal(got, []byte(text)) {
				t.Fatalf("%s: %v", name, err)
			}
		}
	})
}

// incompressible returns n bytes that zlib cannot shrink, the same for each n.
func incompressible(n int) string {
	random := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)})
	b := make([]byte, n)
	_, _ = random.Read(b)
	return string(b)
}
