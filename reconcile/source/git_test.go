package source_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile/source"
)

// record is a log handler that keeps attributes by message and key.
type record struct {
	mu   sync.Mutex
	seen map[string][]int64
}

func newRecord() *record { return &record{seen: map[string][]int64{}} }

func (r *record) log() *slog.Logger                        { return slog.New(r) }
func (r *record) Enabled(context.Context, slog.Level) bool { return true }
func (r *record) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r *record) WithGroup(string) slog.Handler            { return r }
func (r *record) Handle(_ context.Context, m slog.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[m.Message] = append(r.seen[m.Message], 0)
	m.Attrs(func(a slog.Attr) bool {
		if a.Value.Kind() == slog.KindInt64 {
			key := m.Message + " " + a.Key
			r.seen[key] = append(r.seen[key], a.Value.Int64())
		}
		return true
	})
	return nil
}

// last returns the last number logged as "message key", or -1.
func (r *record) last(key string) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := r.seen[key]; len(n) > 0 {
		return n[len(n)-1]
	}
	return -1
}

func manyApps(n int) map[string]string {
	files := map[string]string{"fazt.hcl": "# config\n"}
	for i := range n {
		files[fmt.Sprintf("apps/%04d/index.html", i)] = fmt.Sprintf("<p>%d", i)
		files[fmt.Sprintf("apps/%04d/app.fazt.hcl", i)] = fmt.Sprintf("app \"a%d\" {}\n", i)
	}
	return files
}

func TestArtifactSaysWhoAndWhat(t *testing.T) {
	o := newOrigin(t)
	id := o.commit("change the front page\n\nand more", map[string]string{"a.txt": "a"})
	a := mustFetch(t, openGit(t, source.GitConfig{URL: o.dir}), "")
	if a.Revision != id || a.Author != "Asha <asha@example.com>" || a.Subject != "change the front page" {
		t.Errorf("%+v", a)
	}
	if got := a.Time.Format("2006-01-02T15:04:05"); got != "2026-01-02T03:04:05" {
		t.Errorf("time %s", got)
	}
}

func TestHostileCommitTextIsCleaned(t *testing.T) {
	o := newOrigin(t)
	o.commit("clear\x1b[2J the \xff screen\u202e"+strings.Repeat("x", 500), map[string]string{"a.txt": "a"})
	a := mustFetch(t, openGit(t, source.GitConfig{URL: o.dir}), "")
	if strings.ContainsAny(a.Subject, "\x1b\u202e") || len(a.Subject) > 200 || !strings.HasPrefix(a.Subject, "clear[2J the ") {
		t.Errorf("%q", a.Subject)
	}
}

func TestOneAppChangedCopiesAHandful(t *testing.T) {
	o := newOrigin(t)
	o.commit("all", manyApps(1000))
	r := newRecord()
	g := openGit(t, source.GitConfig{URL: o.dir, Log: r.log()})
	first := mustFetch(t, g, "")
	if got := r.last("source moved folders"); got != 1002 {
		t.Errorf("the first walk looked at %d folders, want all 1002", got)
	}
	o.commit("one", map[string]string{"apps/0500/index.html": "<p>new"})
	second := mustFetch(t, g, first.Revision)
	// One blob, the folders apps/0500, apps and the root, one commit.
	if got := r.last("fetched objects"); got != 5 {
		t.Errorf("%d objects copied, want 5", got)
	}
	if got := r.last("source moved folders"); got != 3 {
		t.Errorf("the walk looked at %d folders, want the 3 that changed", got)
	}
	if got, err := fs.ReadFile(second.Tree, "apps/0500/index.html"); err != nil || string(got) != "<p>new" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestNothingMovedIsOneRequest(t *testing.T) {
	o := newOrigin(t)
	o.commit("first", map[string]string{"a.txt": "a"})
	s := serve(t, o, nil)
	g := openGit(t, s.config(t))
	want := func(gets, posts int64) {
		t.Helper()
		if s.gets.Load() != gets || s.posts.Load() != posts {
			t.Errorf("%d GET and %d POST, want %d and %d", s.gets.Load(), s.posts.Load(), gets, posts)
		}
	}
	a := mustFetch(t, g, "")
	want(1, 1)
	for range 3 {
		mustFetch(t, g, a.Revision)
	}
	want(4, 1)
	o.commit("second", map[string]string{"a.txt": "b"})
	mustFetch(t, g, a.Revision)
	want(5, 2)
}

func TestRewrittenHistoryIsRefused(t *testing.T) {
	for name, open := range map[string]func(o *origin) *source.Git{
		"local": func(o *origin) *source.Git { return openGit(t, source.GitConfig{URL: o.dir}) },
		"https": func(o *origin) *source.Git { return openGit(t, serve(t, o, nil).config(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			base := o.commit("base", map[string]string{"a.txt": "a"})
			applied := o.commit("applied", map[string]string{"a.txt": "b"})
			g := openGitOf(t, open, o)
			mustFetch(t, g, "")
			if err := g.Keep(1, applied); err != nil {
				t.Fatal(err)
			}

			o.run("reset", "-q", "--hard", base)
			_, err := g.Fetch(t.Context(), applied)
			wantFault(t, err, fault.Conflict, "was rewritten", applied[:12], "descends from")
			wantCode(t, err, "F2201")

			o.commit("other", map[string]string{"a.txt": "c"})
			for range 2 {
				_, err = g.Fetch(t.Context(), applied)
				wantFault(t, err, fault.Conflict, "was rewritten")
			}
			// What is applied is still there, and a merge of it heals.
			if a, err := g.At(t.Context(), applied); err != nil || a.Revision != applied {
				t.Errorf("the applied revision: %v, %v", a.Revision, err)
			}
			o.run("merge", "-q", "-s", "ours", "-m", "heal", applied)
			if a := mustFetch(t, g, applied); a.Revision != o.run("rev-parse", "HEAD") {
				t.Errorf("after the merge: %s", a.Revision)
			}
		})
	}
}

func openGitOf(t *testing.T, open func(*origin) *source.Git, o *origin) *source.Git {
	t.Helper()
	return open(o)
}

func wantCode(t testing.TB, err error, code string) {
	t.Helper()
	var e *fault.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Errorf("%v does not carry code %s", err, code)
	}
}

func TestRefsHoldWhatIsInUse(t *testing.T) {
	o := newOrigin(t)
	first := o.commit("first", map[string]string{"a.txt": "a"})
	c := serve(t, o, nil).config(t)
	g := openGit(t, c)
	mustFetch(t, g, "")
	if err := g.Keep(7, first); err != nil {
		t.Fatal(err)
	}
	second := o.commit("second", map[string]string{"a.txt": "b"})
	mustFetch(t, g, first)
	got := runGit(t, c.Dir, "", "for-each-ref", "--format=%(refname) %(objectname)")
	want := "refs/fazt/applied/7 " + first + "\nrefs/fazt/last " + first + "\nrefs/fazt/src/main " + second
	if got != want {
		t.Errorf("refs are\n%s\nwant\n%s", got, want)
	}
	runGit(t, c.Dir, "", "fsck", "--strict", "--no-dangling")
}

func TestAppliedRefsStayBounded(t *testing.T) {
	o := newOrigin(t)
	id := o.commit("first", map[string]string{"a.txt": "a"})
	c := source.GitConfig{URL: o.dir, Dir: mirrorDir(t)}
	g := openGit(t, c)
	mustFetch(t, g, "")
	for generation := range uint64(300) {
		if err := g.Keep(generation, id); err != nil {
			t.Fatal(err)
		}
	}
	listed, err := os.ReadDir(filepath.Join(c.Dir, "refs/fazt/applied"))
	if err != nil || len(listed) != 256 {
		t.Errorf("%d refs, %v", len(listed), err)
	}
	if _, err := os.Stat(filepath.Join(c.Dir, "refs/fazt/applied/299")); err != nil {
		t.Error(err)
	}
}

func TestAtFindsOlderRevisions(t *testing.T) {
	for name, open := range map[string]func(t *testing.T, o *origin) source.GitConfig{
		"local": func(t *testing.T, o *origin) source.GitConfig { return source.GitConfig{URL: o.dir} },
		"https": func(t *testing.T, o *origin) source.GitConfig { return serve(t, o, nil).config(t) },
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			first := o.commit("first", map[string]string{"a.txt": "one", "b/c.txt": "gone later"})
			o.commit("second", map[string]string{"a.txt": "two", "b/c.txt": ""})
			g := openGit(t, open(t, o))
			mustFetch(t, g, "")
			for _, revision := range []string{first, first[:7], strings.ToUpper(first[:10])} {
				a, err := g.At(t.Context(), revision)
				if err != nil || a.Revision != first {
					t.Fatalf("At(%s): %s, %v", revision, a.Revision, err)
				}
				if got, err := fs.ReadFile(a.Tree, "b/c.txt"); err != nil || string(got) != "gone later" {
					t.Errorf("%q, %v", got, err)
				}
			}
			_, err := g.At(t.Context(), strings.Repeat("ab", 20))
			wantFault(t, err, fault.NotFound, "no commit")
			for _, bad := range []string{"", "main", "HEAD", first[:6], "../" + first} {
				_, err := g.At(t.Context(), bad)
				wantFault(t, err, fault.Invalid, "is no revision")
			}
			tree := o.run("rev-parse", "HEAD^{tree}")
			if _, err := g.At(t.Context(), tree); err == nil {
				t.Error("a tree was taken for a commit")
			}
		})
	}
}

func TestUnreachableNowAndLater(t *testing.T) {
	o := newOrigin(t)
	g := openGit(t, source.GitConfig{URL: o.dir + "-elsewhere"})
	_, err := g.Fetch(t.Context(), "")
	wantFault(t, err, fault.Unavailable, o.dir+"-elsewhere", "does not exist")

	first := o.commit("first", map[string]string{"a.txt": "a"})
	s := serve(t, o, nil)
	g = openGit(t, s.config(t))
	a := mustFetch(t, g, "")
	s.Close()
	_, err = g.Fetch(t.Context(), a.Revision)
	wantFault(t, err, fault.Unavailable, s.URL, "cannot be fetched")
	if got, err := fs.ReadFile(a.Tree, "a.txt"); err != nil || string(got) != "a" {
		t.Errorf("what was fetched: %q, %v", got, err)
	}
	if _, err := g.At(t.Context(), first); err != nil {
		t.Error(err)
	}
}

func TestMirrorServesAfterARestartWithoutTheRemote(t *testing.T) {
	o := newOrigin(t)
	first := o.commit("first", map[string]string{"a.txt": "a"})
	s := serve(t, o, nil)
	c := s.config(t)
	g := openGit(t, c)
	mustFetch(t, g, "")
	g.Close()
	s.Close()
	a, err := openGit(t, c).At(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := fs.ReadFile(a.Tree, "a.txt"); err != nil || string(got) != "a" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestBranchGoneAndRepositoryEmpty(t *testing.T) {
	for name, open := range map[string]func(o *origin) source.GitConfig{
		"local": func(o *origin) source.GitConfig { return source.GitConfig{URL: o.dir} },
		"https": func(o *origin) source.GitConfig { return serve(t, o, nil).config(t) },
		"ssh":   func(o *origin) source.GitConfig { return serveSSH(t).config(t, o) },
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			g := openGit(t, open(o))
			_, err := g.Fetch(t.Context(), "")
			wantFault(t, err, fault.NotFound, "is empty", `"main"`, "git push")
			o.commit("first", map[string]string{"a.txt": "a"})
			a := mustFetch(t, g, "")
			o.run("branch", "-m", "main", "trunk")
			_, err = g.Fetch(t.Context(), a.Revision)
			wantFault(t, err, fault.NotFound, `has no "main"`, "it has trunk")
		})
	}
}

func TestTagsCanBeFollowed(t *testing.T) {
	for name, open := range map[string]func(o *origin) source.GitConfig{
		"local": func(o *origin) source.GitConfig { return source.GitConfig{URL: o.dir} },
		"https": func(o *origin) source.GitConfig { return serve(t, o, nil).config(t) },
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			id := o.commit("first", map[string]string{"a.txt": "a"})
			o.run("tag", "-a", "-m", "one", "v1")
			c := open(o)
			c.Ref = "refs/tags/v1"
			if a := mustFetch(t, openGit(t, c), ""); a.Revision != id {
				t.Errorf("%s, want the commit %s", a.Revision, id)
			}
		})
	}
}

func TestUnsafeNamesRefuseTheRevision(t *testing.T) {
	blob := "\x00" + string(make([]byte, 20)) // its id does not matter: names come first
	for name, reason := range map[string]string{
		"..": "walks the tree", ".": "walks the tree", "": "empty name", ".git": "spelling of .git", ".GIT": "spelling of .git",
		"git~1": "spelling of .git", ".git ": "spelling of .git", ".git.": "spelling of .git", ".Git::$INDEX_ALLOCATION": "spelling of .git",
		".g\u200cit": "spelling of .git", "\ufeff.git": "spelling of .git",
		"a\nb": "control byte", "a\x7f": "control byte", "a/b": "slash", "../../etc/passwd": "slash",
	} {
		t.Run(fmt.Sprintf("%q", name), func(t *testing.T) {
			o := newOrigin(t)
			o.commit("sound", map[string]string{"a.txt": "a"})
			g := openGit(t, source.GitConfig{URL: o.dir})
			mustFetch(t, g, "")
			sub := o.rawTree([]byte("100644 " + name + blob))
			o.commitTree(o.rawTree(append([]byte("40000 docs\x00"), unhex(t, sub)...)))
			_, err := g.Fetch(t.Context(), "")
			wantFault(t, err, fault.Invalid, reason, `"docs`)
			wantCode(t, err, "F2202")
		})
	}
}

func TestNamesGivenTwiceRefuseTheRevision(t *testing.T) {
	o := newOrigin(t)
	o.commit("sound", map[string]string{"a.txt": "a", "d/x": "x"})
	file, folder := string(unhex(t, o.run("rev-parse", "HEAD:a.txt"))), string(unhex(t, o.run("rev-parse", "HEAD:d")))
	// In git's order a folder's copy of a name need not be its neighbour.
	o.commitTree(o.rawTree([]byte("100644 a\x00" + file + "100644 a.b\x00" + file + "40000 a\x00" + folder)))
	_, err := openGit(t, source.GitConfig{URL: o.dir}).Fetch(t.Context(), "")
	wantFault(t, err, fault.Invalid, `"a"`, "given twice")
}

func TestAwkwardEntriesAreShownAsTheyAre(t *testing.T) {
	o := newOrigin(t)
	o.commit("sound", map[string]string{"a.txt": "a"})
	id := o.run("rev-parse", "HEAD:a.txt")
	raw := string(unhex(t, id))
	// A submodule, a mode git never writes, names that differ only in case, and
	// names that other systems would find hard.
	o.commitTree(o.rawTree([]byte("100644 A.txt\x00" + raw + "100644 a.txt\x00" + raw + "100644 back\\slash\x00" + raw +
		"140000 odd\x00" + raw + "160000 sub\x00" + raw)))
	a := mustFetch(t, openGit(t, source.GitConfig{URL: o.dir}), "")
	listed, err := fs.ReadDir(a.Tree, ".")
	if err != nil {
		t.Fatal(err)
	}
	modes := map[string]fs.FileMode{}
	for _, d := range listed {
		modes[d.Name()] = d.Type()
	}
	want := map[string]fs.FileMode{"A.txt": 0, "a.txt": 0, "back\\slash": 0, "odd": fs.ModeIrregular, "sub": fs.ModeDir | fs.ModeIrregular}
	if !maps.Equal(modes, want) {
		t.Errorf("%v, want %v", modes, want)
	}
	if below, err := fs.ReadDir(a.Tree, "sub"); err != nil || len(below) != 0 {
		t.Errorf("below the submodule: %v, %v", below, err)
	}
	if _, err := a.Tree.Open("odd"); err == nil {
		t.Error("a file of an odd mode was opened")
	}
	var walked []string
	err = fs.WalkDir(a.Tree, ".", func(name string, _ fs.DirEntry, err error) error {
		walked = append(walked, name)
		return err
	})
	if err != nil || !slices.Equal(walked, []string{".", "A.txt", "a.txt", "back\\slash", "odd", "sub"}) {
		t.Errorf("%q, %v", walked, err)
	}
}

func TestEnvironmentOfAHookChangesNothing(t *testing.T) {
	o, other := newOrigin(t), newOrigin(t)
	want := o.commit("ours", map[string]string{"a.txt": "ours"})
	other.commit("other", map[string]string{"a.txt": "other"})
	for name, value := range map[string]string{
		"GIT_DIR": filepath.Join(other.dir, ".git"), "GIT_WORK_TREE": other.dir, "GIT_INDEX_FILE": "/nonexistent",
		"GIT_OBJECT_DIRECTORY": filepath.Join(other.dir, ".git/objects"), "GIT_QUARANTINE_PATH": "/nonexistent",
		"GIT_SSH_COMMAND": "false", "GIT_CONFIG_GLOBAL": "/nonexistent", "PATH": "",
	} {
		t.Setenv(name, value)
	}
	a := mustFetch(t, openGit(t, source.GitConfig{URL: o.dir}), "")
	if a.Revision != want {
		t.Errorf("%s, want %s", a.Revision, want)
	}
	d := source.NewDir(source.DirConfig{Dir: o.dir})
	if got := mustFetch(t, d, ""); got.TreeID != a.TreeID {
		t.Errorf("the folder is %s, its commit %s", got.TreeID, a.TreeID)
	}
}

func unhex(t testing.TB, digits string) []byte {
	t.Helper()
	var b []byte
	if _, err := fmt.Sscanf(digits, "%x", &b); err != nil || len(b) != 20 {
		t.Fatalf("%q: %v", digits, err)
	}
	return b
}
