package source_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile/source"
)

// crafted is a repository that is made to hurt, under the name that git's own
// fsck has for it where there is one.
type crafted struct {
	name, says, path string
	make             func(o *origin) // leaves main at the hostile commit
}

// treeOf makes a repository whose folder docs is the given tree.
func treeOf(raw func(blob, tree string) string) func(o *origin) {
	return func(o *origin) {
		blob := string(unhex(o.t, runGit(o.t, o.dir, "x", "hash-object", "-w", "--stdin")))
		tree := string(unhex(o.t, o.rawTree([]byte("100644 x\x00"+blob))))
		bad := unhex(o.t, o.rawTree([]byte(raw(blob, tree))))
		o.commitTree(o.rawTree(append([]byte("40000 docs\x00"), bad...)))
	}
}

func named(fsck, name, says string) crafted {
	return crafted{fsck, says, strings.TrimSuffix("docs/"+name, "/"), treeOf(func(blob, _ string) string { return "100644 " + name + "\x00" + blob })}
}

func namedFolder(fsck, name, says string) crafted {
	return crafted{fsck + " folder", says, strings.TrimSuffix("docs/"+name, "/"), treeOf(func(_, tree string) string { return "40000 " + name + "\x00" + tree })}
}

// commitOf makes a repository whose head is the given object.
func commitOf(kind string, raw func(o *origin, tree, parent string) string) func(o *origin) {
	return func(o *origin) {
		text := raw(o, o.run("rev-parse", "HEAD^{tree}"), o.run("rev-parse", "HEAD"))
		id := runGit(o.t, o.dir, text, "hash-object", "-t", kind, "-w", "--stdin", "--literally")
		writeFiles(o.t, o.dir, map[string]string{".git/refs/heads/main": id + "\n"})
	}
}

const by = "author A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nm\n"

func craftedRepositories() []crafted {
	zero := string(make([]byte, 20))
	deep := func(levels int) func(o *origin) {
		return func(o *origin) {
			id := o.run("rev-parse", "HEAD^{tree}")
			for range levels {
				id = o.rawTree(append([]byte("40000 d\x00"), unhex(o.t, id)...))
			}
			o.commitTree(id)
		}
	}
	all := []crafted{
		named("hasDot", ".", "walks the tree"), namedFolder("hasDot", ".", "walks the tree"),
		named("hasDotdot", "..", "walks the tree"), namedFolder("hasDotdot", "..", "walks the tree"),
		named("emptyName", "", "empty name"), namedFolder("emptyName", "", "empty name"),
		named("fullPathname", "a/b", "slash"), named("fullPathname absolute", "/etc/passwd", "slash"), named("fullPathname upwards", "../../x", "slash"),
		namedFolder("fullPathname", "a/b", "slash"),
		named("hasDotgit", ".git", ".git"), namedFolder("hasDotgit", ".git", ".git"),
		named("hasDotgit upper", ".GIT", ".git"), named("hasDotgit mixed", ".gIt", ".git"), namedFolder("hasDotgit upper", ".GIT", ".git"),
		named("hasDotgit ntfs short", "git~1", ".git"), named("hasDotgit ntfs short upper", "GIT~1", ".git"),
		named("hasDotgit ntfs space", ".git ", ".git"), named("hasDotgit ntfs dot", ".git.", ".git"), named("hasDotgit ntfs dots", ".git. . ", ".git"),
		named("hasDotgit ntfs stream", ".git::$INDEX_ALLOCATION", ".git"), named("hasDotgit ntfs stream short", "git~1:x", ".git"),
		named("hasDotgit hfs joiner", ".g\u200cit", ".git"), named("hasDotgit hfs mark", ".gi\u200et", ".git"),
		named("hasDotgit hfs embedding", ".g\u202ait", ".git"), named("hasDotgit hfs order", "\ufeff.git", ".git"), namedFolder("hasDotgit hfs", ".gi\u206ft", ".git"),
		named("control newline", "a\nb", "control byte"), named("control return", "a\rb", "control byte"),
		named("control escape", "\x1b[2J", "control byte"), named("control delete", "a\x7f", "control byte"), named("control tab", "a\tb", "control byte"),
		{"duplicateEntries", "given twice", "docs/a", treeOf(func(b, _ string) string { return "100644 a\x00" + b + "100644 a\x00" + b })},
		{"duplicateEntries file and folder", "given twice", "docs/a", treeOf(func(b, tr string) string { return "100644 a\x00" + b + "40000 a\x00" + tr })},
		{"treeNotSorted", "out of order", "docs/a", treeOf(func(b, _ string) string { return "100644 b\x00" + b + "100644 a\x00" + b })},
		{"treeNotSorted folder", "out of order", "docs/a.b", treeOf(func(b, tr string) string { return "40000 a\x00" + tr + "100644 a.b\x00" + b })},
		{"nullSha1", "leads to nothing", "docs/a", treeOf(func(_, _ string) string { return "100644 a\x00" + zero })},
		{"nullSha1 folder", "leads to nothing", "docs/a", treeOf(func(_, _ string) string { return "40000 a\x00" + zero })},
		{"badTree no mode", "without a mode", "docs", treeOf(func(_, _ string) string { return "a" })},
		{"badTree long mode", "without a mode", "docs", treeOf(func(b, _ string) string { return "0000000100644 a\x00" + b })},
		{"badFilemode not octal", "mode", "docs", treeOf(func(b, _ string) string { return "10x644 a\x00" + b })},
		{"badTree cut id", "cut short", "docs/a", treeOf(func(b, _ string) string { return "100644 a\x00" + b[:10] })},
		{"badTree cut name", "cut short", "docs", treeOf(func(_, _ string) string { return "100644 aaaa" })},
		{"badType file as folder", "is a blob, not a tree", "docs/a", treeOf(func(b, _ string) string { return "40000 a\x00" + b })},
		{"missingTree", "has no tree", "", commitOf("commit", func(*origin, string, string) string { return by })},
		{"badTreeSha1", "has no tree", "", commitOf("commit", func(*origin, string, string) string { return "tree nonsense\n" + by })},
		{"commit of a blob", "not a tree", "", commitOf("commit", func(o *origin, _, _ string) string { return "tree " + o.run("rev-parse", "HEAD:a.txt") + "\n" + by })},
		{"commit of a commit", "not a tree", "", commitOf("commit", func(_ *origin, _, parent string) string { return "tree " + parent + "\n" + by })},
		{"parent is a tree", "not a commit", "", commitOf("commit", func(_ *origin, tree, _ string) string { return "tree " + tree + "\nparent " + tree + "\n" + by })},
		{"branch at a blob", "not a commit", "", commitOf("blob", func(*origin, string, string) string { return "x" })},
		{"branch at a tree", "not a commit", "", commitOf("tree", func(*origin, string, string) string { return "" })},
		{"depth 33", "more than 32 folders deep", "d/d/d", deep(33)},
		{"depth 300", "more than 32 folders deep", "d/d/d", deep(300)},
	}
	return all
}

// What is made to hurt is refused with the path and the reason, once as often
// as it is asked for, and what was good stays readable.
func TestCraftedRepositoriesAreRefused(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine, and hundreds of processes: make test runs it")
	}
	rows := craftedRepositories()
	if len(rows) < 40 {
		t.Fatalf("%d rows, want at least 40", len(rows))
	}
	for _, c := range rows {
		t.Run(c.name, func(t *testing.T) {
			o := newOrigin(t)
			good := o.commit("good", map[string]string{"a.txt": "good"})
			g := openGit(t, source.GitConfig{URL: o.dir})
			a := mustFetch(t, g, "")
			c.make(o)
			for range 2 {
				_, err := g.Fetch(t.Context(), "")
				wantFault(t, err, fault.KindOf(err), c.says, strings.Trim(fmt.Sprintf("%q", c.path), `"`))
				if kind := fault.KindOf(err); kind != fault.Invalid && kind != fault.Exhausted {
					t.Errorf("kind %s: %v", kind, err)
				}
			}
			if got, err := fs.ReadFile(a.Tree, "a.txt"); err != nil || string(got) != "good" {
				t.Errorf("what was good: %q, %v", got, err)
			}
			if _, err := g.At(t.Context(), good); err != nil {
				t.Errorf("the good revision: %v", err)
			}
		})
	}
}

// TestCraftedRepositoriesAreWritten leaves them in the folder CRAFTED, numbered,
// for tests of the whole program. It tests nothing.
func TestCraftedRepositoriesAreWritten(t *testing.T) {
	folder := os.Getenv("CRAFTED")
	if folder == "" {
		t.Skip("nobody asks for them: CRAFTED names no folder")
	}
	for i, c := range craftedRepositories() {
		o := &origin{t, filepath.Join(folder, fmt.Sprintf("%02d", i))}
		o.run("init", "-q", "-b", "main", o.dir)
		o.commit("good", map[string]string{"a.txt": "good"})
		c.make(o)
	}
}

// The same over the network, where the pack is taken in before it is judged:
// refused, and not taken for damage, which would fetch everything anew each time.
func TestCraftedPacksAreNotFetchedTwice(t *testing.T) {
	for _, c := range craftedRepositories() {
		switch c.name {
		case "hasDotdot", "treeNotSorted", "nullSha1", "badTree cut id", "badType file as folder", "missingTree", "depth 33":
		default:
			continue // one of each kind
		}
		t.Run(c.name, func(t *testing.T) {
			o := newOrigin(t)
			o.commit("good", map[string]string{"a.txt": "good"})
			s := serve(t, o, nil)
			g := openGit(t, s.config(t))
			mustFetch(t, g, "")
			c.make(o)
			asked := int64(0)
			for range 3 {
				_, err := g.Fetch(t.Context(), "")
				if err == nil {
					t.Fatal("it was taken")
				}
				if kind := fault.KindOf(err); kind == fault.Unavailable {
					t.Skipf("git's own server refuses to send it: %v", err)
				}
				wantFault(t, err, fault.KindOf(err), c.says)
				if asked == 0 {
					asked = s.posts.Load()
				}
			}
			if got := s.posts.Load(); got != asked {
				t.Errorf("%d packs were asked for, %d after the first refusal", got, asked)
			}
		})
	}
}

// Ten to the ten paths in a handful of objects: counted, not walked, in memory
// and time of the processor that do not know of them.
func TestTreeBombLooksAtAHandful(t *testing.T) {
	o := newOrigin(t)
	bomb(t, o)
	r := newRecord()
	g := openGit(t, source.GitConfig{URL: o.dir, Log: r.log()})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	worked := processorTime(t)
	_, err := g.Fetch(t.Context(), "")
	worked = processorTime(t) - worked
	runtime.ReadMemStats(&after)
	wantCode(t, err, "F2203")
	if n := r.last("fetched objects"); n > 20 {
		t.Errorf("%d objects were copied", n)
	}
	if n := source.FoldersLookedAt(g); n > 20 {
		t.Errorf("%d folders were looked at", n)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 50<<20 {
		t.Errorf("%d bytes were allocated, want at most 50 MiB", n)
	}
	if worked > time.Second { // it takes milliseconds, and all paths would take hours
		t.Errorf("the processor worked %s, want at most a second", worked)
	}
}

// processorTime is what this process has used, however busy the machine is.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// A repository with a million refs is followed as any other.
func TestAMillionRefs(t *testing.T) {
	o := newOrigin(t)
	id := o.commit("first", map[string]string{"a.txt": "a"})
	var refs strings.Builder
	refs.WriteString("# pack-refs with: peeled fully-peeled sorted \n")
	for i := range 1_000_000 {
		fmt.Fprintf(&refs, "%s refs/heads/b%07d\n", id, i)
	}
	refs.WriteString(id + " refs/heads/main\n")
	if err := os.WriteFile(filepath.Join(o.dir, ".git/packed-refs"), []byte(refs.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(o.dir, ".git/refs/heads/main")); err != nil {
		t.Fatal(err)
	}
	before := heap()
	g := openGit(t, source.GitConfig{URL: o.dir})
	if a := mustFetch(t, g, ""); a.Revision != id {
		t.Errorf("%s", a.Revision)
	}
	s := serve(t, o, nil)
	if a, err := openGit(t, s.config(t)).Fetch(t.Context(), ""); err != nil {
		wantFault(t, err, fault.Exhausted, "list of refs")
	} else if a.Revision != id {
		t.Errorf("%s", a.Revision)
	}
	if now := heap(); now > before+20<<20 {
		t.Errorf("%d bytes are held, %d before", now, before)
	}
}
