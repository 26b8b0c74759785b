package source_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile/source"
)

// checkFollows fetches a repository and compares with what git says.
func checkFollows(t *testing.T, path, want string) {
	t.Helper()
	before := listing(t, path)
	a := mustFetch(t, openGit(t, source.GitConfig{URL: path}), "")
	if a.Revision != want {
		t.Errorf("%s, want %s", a.Revision, want)
	}
	if got, err := fs.ReadFile(a.Tree, "a.txt"); err != nil || string(got) != "a" {
		t.Errorf("%q, %v", got, err)
	}
	if after := listing(t, path); after != before {
		t.Errorf("the repository was written to:\n%s\nbefore\n%s", after, before)
	}
}

// listing is every file of a folder with its size.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && !d.IsDir() {
			b.WriteString(path + " " + info.ModTime().String() + "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestLocalRepositoriesOfEveryShape(t *testing.T) {
	o := newOrigin(t)
	id := o.commit("first", map[string]string{"a.txt": "a"})
	beside := func(name string) string { return filepath.Join(t.TempDir(), name) }

	t.Run("work tree", func(t *testing.T) { checkFollows(t, o.dir, id) })
	t.Run("git folder", func(t *testing.T) { checkFollows(t, filepath.Join(o.dir, ".git"), id) })
	t.Run("file address", func(t *testing.T) {
		if a := mustFetch(t, openGit(t, source.GitConfig{URL: "file://" + o.dir}), ""); a.Revision != id {
			t.Errorf("%s", a.Revision)
		}
	})
	t.Run("relative", func(t *testing.T) {
		t.Chdir(filepath.Dir(o.dir))
		if a := mustFetch(t, openGit(t, source.GitConfig{URL: "./origin"}), ""); a.Revision != id {
			t.Errorf("%s", a.Revision)
		}
	})
	t.Run("bare", func(t *testing.T) {
		bare := beside("bare[1].git")
		o.run("clone", "-q", "--bare", o.dir, bare)
		checkFollows(t, bare, id)
	})
	t.Run("packed refs and objects", func(t *testing.T) {
		bare := beside("packed.git")
		o.run("clone", "-q", "--bare", o.dir, bare)
		runGit(t, bare, "", "pack-refs", "--all")
		runGit(t, bare, "", "repack", "-a", "-d", "-q")
		checkFollows(t, bare, id)
	})
	t.Run("linked work tree", func(t *testing.T) {
		linked := beside("linked")
		o.run("worktree", "add", "-q", "--detach", linked)
		checkFollows(t, linked, id)
	})
	t.Run("separate git folder", func(t *testing.T) {
		tree, apart := beside("tree"), beside("apart.git")
		o.run("clone", "-q", "--separate-git-dir", apart, o.dir, tree)
		checkFollows(t, tree, id)
	})
	t.Run("alternates", func(t *testing.T) {
		shared := beside("shared")
		o.run("clone", "-q", "--shared", o.dir, shared)
		checkFollows(t, shared, id)
	})
	t.Run("shallow", func(t *testing.T) {
		next := o.commit("second", map[string]string{"b.txt": "b"})
		cut := beside("cut")
		o.run("clone", "-q", "--depth", "1", "file://"+o.dir, cut)
		checkFollows(t, cut, next)
		o.run("reset", "-q", "--hard", id)
	})
	t.Run("symbolic ref", func(t *testing.T) {
		bare := beside("symbolic.git")
		o.run("clone", "-q", "--bare", o.dir, bare)
		runGit(t, bare, "", "branch", "real")
		runGit(t, bare, "", "symbolic-ref", "refs/heads/main", "refs/heads/real")
		checkFollows(t, bare, id)
	})
}

func TestWhatIsNoLocalRepository(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{
		"file": "x", "plain/a.txt": "a", "astray/.git": "gitdir: ../nowhere\n", "junk/.git": "what\n",
		"table/objects/x": "x", "table/reftable/tables.list": "x",
		"circle/objects/x": "x", "circle/refs/heads/main": "ref: refs/heads/main\n",
		"bad/objects/x": "x", "bad/refs/heads/main": "hello\n",
		"newer/objects/x": "x", "newer/refs/heads/main": strings.Repeat("ab", 32) + "\n",
		"dangling/objects/x": "x", "dangling/refs/heads/main": strings.Repeat("ab", 20) + "\n",
	})
	for name, c := range map[string]struct {
		kind fault.Kind
		says string
	}{
		"missing":  {fault.Unavailable, "does not exist"},
		"file":     {fault.Invalid, "is a file"},
		"plain":    {fault.NotFound, "is not a git repository"},
		"astray":   {fault.NotFound, "is not a git repository"},
		"junk":     {fault.Invalid, "does not lead to a repository"},
		"table":    {fault.Invalid, "reftable"},
		"circle":   {fault.Unavailable, "circles"},
		"bad":      {fault.Unavailable, "holds no commit id"},
		"newer":    {fault.Invalid, "sha256"},
		"dangling": {fault.Unavailable, "missing"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := openGit(t, source.GitConfig{URL: filepath.Join(dir, name)}).Fetch(t.Context(), "")
			wantFault(t, err, c.kind, c.says)
		})
	}
}

func TestHooksAndConfigurationOfALocalRepositoryDoNotRun(t *testing.T) {
	o := newOrigin(t)
	id := o.commit("first", map[string]string{"a.txt": "a", ".gitattributes": "* filter=evil"})
	proof := filepath.Join(t.TempDir(), "ran")
	for _, name := range []string{"post-checkout", "pre-receive", "reference-transaction", "post-index-change"} {
		writeFiles(t, o.dir, map[string]string{".git/hooks/" + name: "#!/bin/sh\ntouch " + proof + "\n"})
		chmod(t, o.dir, ".git/hooks/"+name, 0o755)
	}
	writeFiles(t, o.dir, map[string]string{".git/config": "[core]\n\tfsmonitor = touch " + proof + "\n\tsshCommand = touch " + proof +
		"\n[uploadpack]\n\tpackObjectsHook = touch " + proof + "\n[filter \"evil\"]\n\tsmudge = touch " + proof + "\n[include]\n\tpath = /nonexistent\n"})
	checkFollows(t, o.dir, id)
	if _, err := os.Stat(proof); err == nil {
		t.Error("something of the repository was run")
	}
}

func TestRepackingTheOriginMeanwhileIsHarmless(t *testing.T) {
	o := newOrigin(t)
	o.commit("first", manyApps(60))
	g := openGit(t, source.GitConfig{URL: o.dir})
	a := mustFetch(t, g, "")
	o.commit("second", map[string]string{"apps/0001/index.html": "<p>new"})
	o.run("gc", "-q", "--prune=now")
	b := mustFetch(t, g, a.Revision)
	if got, err := fs.ReadFile(b.Tree, "apps/0001/index.html"); err != nil || string(got) != "<p>new" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestCopyCutShortNeverLooksComplete(t *testing.T) {
	o := newOrigin(t)
	o.commit("first", map[string]string{"a/b/c.txt": "c", "a/d.txt": "d"})
	c := source.GitConfig{URL: o.dir, Dir: mirrorDir(t)}
	g := openGit(t, c)
	mustFetch(t, g, "")
	g.Close()
	// Whatever prefix of the copied objects is there, the rest is fetched.
	var loose []string
	_ = filepath.WalkDir(filepath.Join(c.Dir, "objects"), func(path string, d fs.DirEntry, _ error) error {
		if !d.IsDir() {
			loose = append(loose, path)
		}
		return nil
	})
	for _, path := range loose {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		g := openGit(t, c)
		a := mustFetch(t, g, "")
		if got, err := fs.ReadFile(a.Tree, "a/b/c.txt"); err != nil || string(got) != "c" {
			t.Fatalf("without %s: %q, %v", path, got, err)
		}
		g.Close()
	}
}
