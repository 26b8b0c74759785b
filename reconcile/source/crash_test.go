//go:build failpoints

package source_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/reconcile/source"
)

// TestCrashChild is what TestCrashLeavesAReadableMirror kills: it fetches once.
func TestCrashChild(t *testing.T) {
	dir := os.Getenv("FAZT_TEST_MIRROR")
	if dir == "" {
		t.Skip("run by another test")
	}
	g := openGit(t, source.GitConfig{URL: os.Getenv("FAZT_TEST_REPO"), Dir: dir, Credentials: source.Credentials{CAFile: os.Getenv("FAZT_TEST_CA")}})
	a := fetchAndRead(t, g, os.Getenv("FAZT_TEST_LAST"))
	if err := g.Keep(2, a.Revision); err != nil {
		t.Fatal(err)
	}
}

// fetchAndRead fetches, and once more if a file turns out to be damaged: the
// fetch after a reader met damage repairs.
func fetchAndRead(t *testing.T, g *source.Git, last string) source.Artifact {
	t.Helper()
	a := mustFetch(t, g, last)
	if _, err := fs.ReadFile(a.Tree, "same.txt"); err != nil {
		a = mustFetch(t, g, last)
	}
	if _, err := fs.ReadFile(a.Tree, "same.txt"); err != nil {
		t.Error(err)
	}
	return a
}

// A process that is killed at any step of taking a pack in, of putting packs
// together or of replacing a damaged mirror leaves a mirror that reads: what was
// applied is there without the remote, and the next fetch brings the rest.
func TestCrashLeavesAReadableMirror(t *testing.T) {
	for _, point := range []string{
		"source.pack.received", "source.pack.named", "source.packed", "source.ref.moving", "source.ref.moved", "source.ref.moved:2",
		"source.repack.begun", "source.repack.written", "source.repack.dropping", "source.repack.dropping:2", "source.repack.dropping:17", "source.repack.done",
		"source.swap.fetched", "source.swap.aside", "source.swap.placed", "source.swap.done",
	} {
		t.Run(point, func(t *testing.T) {
			o := newOrigin(t)
			o.commit("first", map[string]string{"a.txt": "first", "same.txt": incompressible(20 << 10)})
			c := serve(t, o, nil).config(t)
			packed := 2
			if strings.Contains(point, ".repack.") {
				packed = 49
			}
			applied := grow(t, c, o, packed)
			if strings.Contains(point, ".swap.") {
				rot(t, largestPack(t, c.Dir))
			}
			next := o.commit("next", map[string]string{"a.txt": "next"})
			child := exec.Command(os.Args[0], "-test.run=^TestCrashChild$")
			child.Env = append(os.Environ(), "FAZT_FAILPOINT="+point, "FAZT_TEST_MIRROR="+c.Dir, "FAZT_TEST_REPO="+c.URL,
				"FAZT_TEST_CA="+c.Credentials.CAFile, "FAZT_TEST_LAST="+applied.Revision)
			if out, err := child.CombinedOutput(); err == nil || !strings.Contains(err.Error(), "killed") {
				t.Fatalf("it was not killed at %s: %v\n%s", point, err, out)
			}
			g := openGit(t, c)
			if point != "source.swap.fetched" { // there the damaged one is still in place
				a, err := g.At(t.Context(), applied.Revision)
				if err != nil {
					t.Fatalf("what was applied: %v", err)
				}
				if _, err := fs.ReadFile(a.Tree, "a.txt"); err != nil {
					t.Error(err)
				}
			}
			if a := fetchAndRead(t, g, applied.Revision); a.Revision != next {
				t.Errorf("%s, want %s", a.Revision, next)
			}
			runGit(t, c.Dir, "", "fsck", "--strict", "--full")
			for _, path := range packFiles(t, c.Dir) {
				if strings.Contains(path, "tmp_") {
					t.Errorf("%s is left", path)
				}
			}
		})
	}
}

// grow fetches and keeps commit by commit until the mirror has so many packs.
func grow(t *testing.T, c source.GitConfig, o *origin, want int) source.Artifact {
	t.Helper()
	g := openGit(t, c)
	defer g.Close()
	last := mustFetch(t, g, "")
	for n := 1; n < want; n++ {
		o.commit("push", map[string]string{"a.txt": fmt.Sprint(n)})
		last = mustFetch(t, g, last.Revision)
	}
	if err := g.Keep(1, last.Revision); err != nil {
		t.Fatal(err)
	}
	return last
}

// largestPack returns the largest pack of a mirror: the first one fetched.
func largestPack(t *testing.T, mirror string) (largest string) {
	t.Helper()
	var size int64
	for _, path := range packFiles(t, mirror) {
		if info, err := os.Stat(path); err == nil && info.Size() > size {
			largest, size = path, info.Size()
		}
	}
	return largest
}

// rot overwrites what is in the middle of a file.
func rot(t *testing.T, path string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(raw[len(raw)/3 : len(raw)*2/3])
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}
