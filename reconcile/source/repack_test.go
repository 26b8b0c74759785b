package source_test

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/reconcile/source"
)

func packs(t testing.TB, mirror string) (n int) {
	t.Helper()
	for _, path := range packFiles(t, mirror) {
		if strings.HasSuffix(path, ".pack") {
			n++
		}
	}
	return n
}

// ours counts the goroutines that run code of the package itself.
func ours() (n int) {
	var all strings.Builder
	_ = pprof.Lookup("goroutine").WriteTo(&all, 2)
	for one := range strings.SplitSeq(all.String(), "\n\n") {
		if strings.Contains(one, "reconcile/source.") && !strings.Contains(one, "reconcile/source_test.Test") {
			n++
		}
	}
	return n
}

func openFiles(t testing.TB) int {
	t.Helper()
	listed, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc here")
	}
	return len(listed)
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Over a hundred pushes, each fetched: packs stay few, and what the process holds
// does not grow with them. Every revision stays readable.
func TestManyPushesStayCheap(t *testing.T) {
	if testing.Short() {
		t.Skip("120 pushes")
	}
	for name, config := range gits() {
		if name == "ssh" {
			continue // the same code as https behind the first line
		}
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			first := o.commit("first", manyApps(20))
			c := config(t, o)
			c.Dir = mirrorDir(t)
			g := openGit(t, c)
			a := mustFetch(t, g, "")
			if err := g.Keep(1, a.Revision); err != nil {
				t.Fatal(err)
			}
			most, files, memory := 0, 0, uint64(0)
			for n := range 120 { // twice as many as are let lie
				o.commit("push", map[string]string{fmt.Sprintf("apps/%04d/index.html", n%20): fmt.Sprint("<p>push ", n)})
				a = mustFetch(t, g, a.Revision)
				if _, err := fs.ReadFile(a.Tree, fmt.Sprintf("apps/%04d/index.html", n%20)); err != nil {
					t.Fatal(err)
				}
				if most = max(most, packs(t, c.Dir)); n == 60 {
					files, memory = openFiles(t), heap()
				}
			}
			if most > 50 || g.Stats().Packs > 50 || most < 40 {
				t.Errorf("%d packs at most, %d now; want at most 50, and that many before they are put together", most, g.Stats().Packs)
			}
			if now := openFiles(t); now > files+40 { // packs in use, at most 32
				t.Errorf("%d open files after 60 pushes, %d after 120", files, now)
			}
			if now := heap(); now > memory+16<<20 { // its caches of objects and trees
				t.Errorf("%d bytes held after 60 pushes, %d after 120", memory, now)
			}
			if n := ours(); n != 0 {
				t.Errorf("%d goroutines are left", n)
			}
			if got, err := g.At(t.Context(), first); err != nil || got.Revision != first {
				t.Errorf("the first revision: %v", err)
			}
			if name == "https" {
				runGit(t, c.Dir, "", "fsck", "--strict", "--full")
			}
			for ref, want := range map[string]string{"refs/fazt/applied/1": first, "refs/fazt/src/main": a.Revision} {
				if got := runGit(t, c.Dir, "", "rev-parse", ref); got != want {
					t.Errorf("%s is %s, want %s", ref, got, want)
				}
			}
		})
	}
}

// Entries are copied as they are, deltas by distance among them: git itself
// finds nothing wrong with the result, and a reader of a large file goes on.
func TestPacksArePutTogetherUnderAReader(t *testing.T) {
	o := newOrigin(t)
	text := incompressible(300 << 10)
	large := incompressible(2 << 20)
	o.commit("first", map[string]string{"grows.txt": text, "large.bin": large})
	c := serve(t, o, nil).config(t)
	g := openGit(t, c)
	a := mustFetch(t, g, "")
	reader, err := a.Tree.Open("large.bin")
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	start := make([]byte, 1000)
	if _, err := io.ReadFull(reader, start); err != nil {
		t.Fatal(err)
	}
	last := a
	for n := range 60 {
		// Three versions at once, so that a pack holds deltas of one another.
		for range 3 {
			text += fmt.Sprintln("more", n)
			o.commit("grow", map[string]string{"grows.txt": text})
		}
		last = mustFetch(t, g, last.Revision)
	}
	if n := packs(t, c.Dir); n > 30 {
		t.Fatalf("%d packs: they were not put together", n)
	}
	rest, err := io.ReadAll(reader)
	if err != nil || string(start)+string(rest) != large {
		t.Errorf("the open file: %d bytes, %v", len(rest), err)
	}
	for tree, want := range map[source.Tree]string{a.Tree: incompressible(300 << 10), last.Tree: text} {
		if got, err := fs.ReadFile(tree, "grows.txt"); err != nil || string(got) != want {
			t.Errorf("%d bytes, want %d: %v", len(got), len(want), err)
		}
	}
	runGit(t, c.Dir, "", "fsck", "--strict", "--full")
	if out := runGit(t, c.Dir, "", "verify-pack", "-v", largestIndex(t, c.Dir)); !strings.Contains(out, "chain length") {
		t.Error("no delta was copied: the test shows nothing")
	}
}

func largestIndex(t testing.TB, mirror string) (largest string) {
	t.Helper()
	var size int64
	for _, path := range packFiles(t, mirror) {
		if info, err := os.Stat(path); err == nil && filepath.Ext(path) == ".idx" && info.Size() > size {
			largest, size = path, info.Size()
		}
	}
	return largest
}

// A rotten entry is not copied on: it is found while packs are put together,
// and the mirror is fetched anew.
func TestPuttingPacksTogetherFindsRot(t *testing.T) {
	o := newOrigin(t)
	o.commit("first", map[string]string{"a.txt": incompressible(10 << 10)})
	c := serve(t, o, nil).config(t)
	g := openGit(t, c)
	a := mustFetch(t, g, "")
	smash(t, c.Dir)
	for n := range 55 {
		o.commit("push", map[string]string{"b.txt": fmt.Sprint(n)})
		a = mustFetch(t, g, a.Revision)
	}
	if got, err := fs.ReadFile(a.Tree, "a.txt"); err != nil || string(got) != incompressible(10<<10) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	runGit(t, c.Dir, "", "fsck", "--strict", "--full")
}
