//go:build integration

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fazt-sh/fazt/platform"
	"github.com/fazt-sh/fazt/platform/blob"
	"github.com/fazt-sh/fazt/platform/journal"
)

// killable is the program that ends itself at a named moment.
var killable = sync.OnceValues(func() (string, error) { return buildProgram("fazt-failpoints", "0", "-tags", "failpoints") })

// failpoints are the moments that an ordinary push passes. Those of the mirror's
// repair and of packs put together are killed at by the tests of their package.
var failpoints = []string{
	"blob.renamed", "blob.synced", "blob.written", "loop.committed", "loop.published", "loop.staged",
	"source.pack.named", "source.pack.received", "source.packed", "source.ref.moved", "source.ref.moving",
}

// elsewhere are the moments that no push of this size passes: backups, the sweep, which is
// ended too, and what the tests of the source kill at.
var elsewhere = []string{
	"backup.named", "backup.verified", "backup.written", "blob.packed", "blob.sweep", "loop.noted", "platform.aside", "restore.unpacked",
	"source.repack.begun", "source.repack.done", "source.repack.dropping", "source.repack.written",
	"source.swap.aside", "source.swap.done", "source.swap.fetched", "source.swap.placed",
}

// TestIntegrationFailpointsAreNamed keeps the lists and the code together.
func TestIntegrationFailpointsAreNamed(t *testing.T) {
	named := regexp.MustCompile(`failpoint\.Reached\("([^"]+)"\)`)
	var found []string
	must(t, filepath.WalkDir("../..", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return err
		}
		src, err := os.ReadFile(name)
		for _, m := range named.FindAllStringSubmatch(string(src), -1) {
			found = append(found, m[1])
		}
		return err
	}))
	slices.Sort(found)
	want := slices.Concat(failpoints, elsewhere)
	slices.Sort(want)
	if found = slices.Compact(found); !slices.Equal(found, want) {
		t.Errorf("the code names %v, the tests %v", found, want)
	}
}

// TestIntegrationFailpoints kills a node at every durable step of a pass. The
// next start, with the repository away, serves one complete release, the one
// that node.db has; with it back, the node goes on by itself; and what the killed
// pass left on the disk is gone, though the sweep is killed as well.
func TestIntegrationFailpoints(t *testing.T) {
	t.Parallel()
	rounds := number(t, "FAZT_ROUNDS", 1)
	w := worldOf(t, killable)
	commits := w.chain(1 + rounds*len(failpoints))
	w.git(".", "init", "-q", "--bare", "-b", "main", "origin.git")
	must(t, w.publishTo(commits[0]))
	k := &killing{w: w, commits: commits, reached: map[string]bool{}}
	for round := range rounds {
		k.state, k.heads = fmt.Sprintf("state%d", round), nil // as one that ran long has releases to forget as well
		p := w.serve(k.state, "--repo", w.path("origin.git"))
		p.sync(0, "")
		p.stop()
		for _, point := range failpoints {
			k.at(point)
		}
	}
	for _, point := range append(slices.Clone(failpoints), "blob.sweep") {
		if !k.reached[point] {
			t.Errorf("nothing ended at %s", point)
		}
	}
}

// TestIntegrationFailpointsOfWords kills a node at every durable step of what
// somebody tells it: the next start, with the repository away, keeps what was
// written down, which is all of the word or nothing.
func TestIntegrationFailpointsOfWords(t *testing.T) {
	t.Parallel()
	w := worldOf(t, killable)
	commits := w.chain(2)
	for _, c := range []struct {
		point, path, in string
		kept            string // in the status of the next start; empty: nothing of it
		served          int
	}{
		{"loop.noted", "/v1/pause", `{"reason":"freeze"}`, "freeze", 1},
		{"loop.staged", "/v1/rollback", `{"reason":"worse"}`, "", 1},
		{"loop.committed", "/v1/rollback", `{"reason":"worse"}`, "worse", 0},
		{"loop.published", "/v1/rollback", `{"reason":"worse"}`, "worse", 0},
	} {
		k := &killing{w: w, commits: commits, state: "state-" + strings.ReplaceAll(c.point, ".", "-")}
		w.git(".", "init", "-q", "--bare", "-b", "main", "origin.git")
		must(t, w.publishTo(commits[0]))
		p := w.serve(k.state, "--repo", w.path("origin.git"))
		p.sync(0, "")
		must(t, w.publishTo(commits[1]))
		p.sync(0, "")
		p.stop()

		p = w.serveAs(k.state, k.ending(c.point))
		if exit, answer, err := p.call(c.path, c.in); err == nil {
			t.Fatalf("%s at %s: not killed, exit %d: %s", c.path, c.point, exit, answer)
		}
		p.ended()
		must(t, os.Rename(w.path("origin.git"), w.path("away.git")))
		audit(t, w.path(k.state))
		p = w.serve(k.state, "--repo", w.path("origin.git"))
		if now := p.whole(commits); now != c.served {
			t.Errorf("%s killed at %s: revision %d is served, want %d", c.path, c.point, now, c.served)
		}
		told := w.fazt("status", "--state", p.state).stdout
		for _, word := range []string{"freeze", "worse"} {
			if strings.Contains(told, word) != (word == c.kept) {
				t.Errorf("%s killed at %s, the status should tell %q:\n%s", c.path, c.point, c.kept, told)
			}
		}
		p.stop()
		must(t, os.RemoveAll(w.path("away.git")))
	}
}

// killing is a node that is killed at one moment after the other.
type killing struct {
	w       *world
	state   string
	commits []string
	next    int // the newest that was pushed
	heads   []journal.Head
	reached map[string]bool
}

// at pushes the next revision to a node that ends at the moment, and looks what
// is left.
func (k *killing) at(point string) {
	k.next++
	w, t := k.w, k.w.t
	p := w.serveAs(k.state, k.ending(point))
	must(t, w.publishTo(k.commits[k.next]))
	if _, _, err := p.call("/v1/sync", `{"wait":true}`); err != nil {
		p.ended() // by itself
		k.reached[point] = true
	}
	p.kill()

	must(t, os.Rename(w.path("origin.git"), w.path("away.git")))
	kept := audit(t, w.path(k.state), k.heads...)
	k.heads = append(k.heads, kept.head)
	left := orphans(t, w.path(k.state))
	if left > 0 { // also while it clears away what it left
		if err := k.ending("blob.sweep").Run(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("killed at %s: what it left is not swept: %v", point, err)
		}
		k.reached["blob.sweep"] = true
	}
	p = w.serve(k.state, "--repo", w.path("origin.git"))
	if served := p.whole(k.commits); k.commits[served] != kept.revision || served != k.next && served != k.next-1 {
		t.Fatalf("killed at %s: revision %d is served, node.db has %s", point, served, kept.revision)
	}
	if left > 0 {
		p.await(`msg="tidied up"`)
	}
	must(t, os.Rename(w.path("away.git"), w.path("origin.git")))
	p.sync(0, "")
	if now := p.whole(k.commits); now != k.next {
		t.Fatalf("killed at %s: revision %d is served, %d was pushed\n%s", point, now, k.next, p.log())
	}
	p.stop()
	if n := orphans(t, w.path(k.state)); n > 0 {
		t.Errorf("killed at %s, which left %d files without a use: %d are still there", point, left, n)
	}
}

// ending is a node that ends itself at the moment.
func (k *killing) ending(point string) *exec.Cmd {
	cmd := exec.Command(k.w.bin, "serve", "--state", k.w.path(k.state), "--listen", "127.0.0.1:0", "--interval", "1h", "--no-safe-mode", "--repo", k.w.path("origin.git"))
	cmd.Env = append(slices.Clone(k.w.env), "FAZT_FAILPOINT="+point)
	cmd.Dir = k.w.dir
	return cmd
}

// orphans counts the blobs of a state folder at rest that nothing refers to.
func orphans(t *testing.T, state string) int {
	t.Helper()
	ground, err := platform.Open(context.Background(), state, slog.New(slog.DiscardHandler))
	must(t, err)
	defer func() { must(t, ground.Close()) }()
	used := map[string]bool{}
	must(t, ground.Releases.Lists(context.Background(), func(list []byte) error {
		var c struct{ Files []struct{ Blob string } }
		if err := json.Unmarshal(list, &c); err != nil {
			return err
		}
		for _, f := range c.Files {
			used[f.Blob] = true
		}
		return nil
	}))
	n := 0
	must(t, filepath.WalkDir(filepath.Join(state, "blob"), func(name string, d fs.DirEntry, err error) error {
		digest := filepath.Base(filepath.Dir(name)) + d.Name()
		if err == nil && !d.IsDir() && blob.Digest(digest).Valid() && !used[digest] {
			n++
		}
		return err
	}))
	return n
}

// TestIntegrationSafeMode: a node that crashes again and again serves what it
// has, touches nothing, says so, and goes on when somebody tells it to.
func TestIntegrationSafeMode(t *testing.T) {
	t.Parallel()
	w := newPlainWorld(t)
	commits := w.chain(2)
	w.git(".", "init", "-q", "--bare", "-b", "main", "origin.git")
	must(t, w.publishTo(commits[0]))
	start := func() *process {
		return w.serveAs("state", exec.Command(w.bin, "serve", "--state", w.path("state"), "--listen", "127.0.0.1:0", "--interval", "1h", "--repo", w.path("origin.git")))
	}
	p := start()
	p.sync(0, "")
	for range crashesMost {
		p.kill()
		p = start()
	}
	must(t, w.publishTo(commits[1]))
	if s := p.status(); s.Phase != phaseSafe || s.Problem == nil || !strings.Contains(s.Problem.Message, "5 times") {
		t.Fatalf("after %d crashes it is %s: %+v", crashesMost, s.Phase, s.Problem)
	}
	if _, answer, _ := p.call("/v1/sync", `{"wait":true}`); !strings.Contains(string(answer), "safe mode") {
		t.Errorf("sync: %s", answer)
	}
	if now := p.whole(commits); now != 0 {
		t.Errorf("it serves revision %d", now)
	}
	if exit, answer, err := p.call("/v1/resume", `{}`); err != nil || exit != 0 {
		t.Errorf("resume: %s, %v", answer, err)
	}
	p.sync(0, "")
	if now := p.whole(commits); now != 1 {
		t.Errorf("resumed, it serves revision %d", now)
	}
	p.stop()
	p = start()
	if s := p.status(); s.Phase == phaseSafe {
		t.Error("it ended well, and still keeps still")
	}
	p.stop()
}
