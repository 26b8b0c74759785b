//go:build integration

package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestIntegrationFresh: a node that never had a release says so, and is ready
// by itself when its repository appears.
func TestIntegrationFresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.serve("state", "--repo", w.path("origin.git"))
	p.await("not as it should be", "does not exist")
	if site, ready, healthy := p.get("a.localhost", "/").status, p.probe("/readyz"), p.probe("/healthz"); site != 503 || ready != 503 || healthy != 200 {
		t.Fatalf("the site answers %d, /readyz %d, /healthz %d; want 503, 503, 200", site, ready, healthy)
	}
	w.git(".", "init", "-q", "--bare", "-b", "main", "origin.git")
	p.sync(6, "is empty")

	w.write(map[string]string{"work/fazt.hcl": oneApp, "work/www/index.html": "hello"})
	w.git("work", "init", "-q", "-b", "main")
	w.git("work", "remote", "add", "origin", "../origin.git")
	revision := w.push("First")
	must(t, p.poke())
	p.await("msg=published", "revision="+revision)
	p.serves("a.localhost", "/", "hello")
	if ready := p.probe("/readyz"); ready != http.StatusOK {
		t.Fatalf("/readyz answers %d", ready)
	}
	p.stop()
}

// TestIntegrationRemote takes a node's repository through what happens to
// repositories. The site answers all the while, the status names the fault, and
// each mends by itself once the repository is right again.
func TestIntegrationRemote(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(map[string]string{"work/fazt.hcl": oneApp, "work/www/index.html": "good 0"})
	w.origin()
	p := w.serve("state", "--repo", w.path("origin.git"))
	p.sync(0, "")
	good := 0
	next := func() {
		t.Helper()
		good++
		w.write(map[string]string{"work/www/index.html": fmt.Sprintf("good %d", good)})
		w.push("Good")
		p.sync(0, "")
		p.serves("a.localhost", "/", fmt.Sprintf("good %d", good))
		if s := p.status(); s.Phase != "synced" || s.Problem != nil {
			t.Fatalf("%s: %+v", s.Phase, s.Problem)
		}
	}
	bad := func(exit int, phase, says string) {
		t.Helper()
		p.sync(exit, says)
		p.serves("a.localhost", "/", fmt.Sprintf("good %d", good))
		if s := p.status(); string(s.Phase) != phase || s.Problem == nil || !strings.Contains(s.Problem.Message, says) {
			t.Fatalf("%s: %+v, want %s with %q", s.Phase, s.Problem, phase, says)
		}
	}
	next()

	must(t, os.Rename(w.path("origin.git"), w.path("away.git")))
	bad(7, "failed", "does not exist")
	must(t, os.Rename(w.path("away.git"), w.path("origin.git")))
	next()

	was := w.git("work", "rev-parse", "HEAD")
	w.git("origin.git", "update-ref", "-d", "refs/heads/main")
	bad(6, "failed", "main")
	w.git("work", "push", "-q", "origin", was+":refs/heads/main")
	next()

	was = w.git("work", "rev-parse", "HEAD")
	w.git("work", "commit", "-q", "--amend", "-m", "Rewritten")
	w.git("work", "push", "-q", "-f", "origin", "HEAD:main")
	bad(5, "diverged", "rewritten")
	w.git("work", "reset", "-q", "--hard", was)
	w.git("work", "push", "-q", "-f", "origin", "HEAD:main")
	next()

	must(t, os.WriteFile(w.path("origin.git/refs/heads/main"), []byte("garbage\n"), 0o644))
	bad(7, "failed", "no commit id")
	must(t, os.WriteFile(w.path("origin.git/refs/heads/main"), []byte(w.git("work", "rev-parse", "HEAD")+"\n"), 0o644))
	next()
	p.stop()
}

// TestIntegrationMirror damages the node's mirror while it runs and while it
// rests. It is mended from the repository with the next commit.
func TestIntegrationMirror(t *testing.T) {
	t.Parallel()
	random := seeded(t, 1)
	w := newWorld(t)
	w.write(map[string]string{"work/fazt.hcl": oneApp, "work/www/index.html": "round 0", "work/www/same.txt": strings.Repeat("unchanged\n", 200)})
	w.origin()
	p := w.serve("state", "--repo", w.path("origin.git"))
	p.sync(0, "")
	damages := []struct {
		name string
		do   func(file string) error
	}{
		{"cut", func(file string) error {
			info, err := os.Stat(file)
			if err != nil {
				return err
			}
			return os.Truncate(file, random.Int64N(info.Size()+1))
		}},
		{"flipped", func(file string) error {
			body, err := os.ReadFile(file)
			if err != nil || len(body) == 0 {
				return err
			}
			for range 1 + len(body)/64 {
				body[random.IntN(len(body))] ^= byte(1 + random.IntN(255))
			}
			must(t, os.Chmod(file, 0o644))
			return os.WriteFile(file, body, 0o644)
		}},
		{"lost", os.Remove},
	}
	for round := 1; round <= 2*len(damages); round++ {
		damage := damages[round%len(damages)]
		resting := round%2 == 0
		if resting {
			p.stop()
		}
		files := mirrorFiles(t, w.path("state/source.git"))
		for _, file := range files { // all of it but a file or two
			if random.IntN(4) > 0 {
				must(t, damage.do(file))
			}
		}
		if resting {
			p = w.serve("state", "--repo", w.path("origin.git"))
		}
		p.serves("a.localhost", "/", fmt.Sprintf("round %d", round-1))
		w.write(map[string]string{"work/www/index.html": fmt.Sprintf("round %d", round)})
		revision := w.push(damage.name)
		// A pass that meets the damage half-way ends there; the next one, which
		// comes by itself, begins with a new mirror.
		must(t, p.poke())
		p.await("msg=published", "revision="+revision)
		p.serves("a.localhost", "/", fmt.Sprintf("round %d", round))
		p.serves("a.localhost", "/same.txt", "unchanged")
	}
	p.stop()
	audit(t, w.path("state"))
}

func mirrorFiles(t *testing.T, dir string) (files []string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	}))
	if len(files) == 0 {
		t.Fatalf("%s is empty", dir)
	}
	return files
}

// TestIntegrationBlob: a file of the store that is cut short or gone is found
// at the start. Its app waits for the repository, the others serve; with the
// repository back the bytes are fetched again. An app that was removed
// meanwhile does not come back.
func TestIntegrationBlob(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	three := twoApps + "app \"c\" {\n  content = \"c\"\n}\n"
	w.write(map[string]string{
		"work/fazt.hcl": three, "work/a/index.html": "app a", "work/b/index.html": "app b", "work/c/index.html": "app c",
		"work/a/text.txt": strings.Repeat("text of a\n", 100),
	})
	w.origin()
	p := w.serve("state", "--repo", w.path("origin.git"))
	p.sync(0, "")
	damage := func(apps ...string) {
		t.Helper()
		p.stop()
		for _, app := range apps {
			must(t, os.Truncate(w.blobOf("app "+app), 2))
		}
		must(t, os.Rename(w.path("origin.git"), w.path("away.git")))
		p = w.serve("state", "--repo", w.path("origin.git"))
		for _, app := range apps {
			p.await("cannot be served from this state folder", "app."+app)
			if got := p.get(app+".localhost", "/"); got.status == http.StatusOK {
				t.Fatalf("damaged bytes are served: %q", got.body)
			}
		}
		must(t, os.Rename(w.path("away.git"), w.path("origin.git")))
	}

	damage("a")
	p.serves("b.localhost", "/", "app b")
	p.sync(0, "")
	p.serves("a.localhost", "/", "app a")
	p.serves("a.localhost", "/text.txt", "text of a")

	must(t, os.Remove(w.blobOf("app a")))
	damage("b")
	p.sync(0, "")
	p.serves("a.localhost", "/", "app a")
	p.serves("b.localhost", "/", "app b")

	// While app c is missing its last revision removes it, and the bytes come
	// back with another app.
	damage("c")
	w.write(map[string]string{"work/fazt.hcl": twoApps, "work/b/new.html": "app c"})
	w.push("Remove c")
	p.sync(0, "")
	p.serves("b.localhost", "/new", "app c")
	p.stop()
	if kept := audit(t, w.path("state")); len(kept.apps) != 4 { // a, b, the edge and the node
		t.Fatalf("node.db has %v", kept.apps)
	}
	must(t, os.Rename(w.path("origin.git"), w.path("away.git")))
	p = w.serve("state", "--repo", w.path("origin.git"))
	if got := p.get("c.localhost", "/"); got.status != http.StatusMisdirectedRequest {
		t.Fatalf("a removed app answers %d after a start", got.status)
	}
	p.stop()
}

// blobOf finds the file of the store that holds a text.
func (w *world) blobOf(text string) string {
	w.t.Helper()
	for _, file := range mirrorFiles(w.t, w.path("state/blob")) {
		if body, err := os.ReadFile(file); err == nil && string(body) == text {
			return file
		}
	}
	w.t.Fatalf("no blob holds %q", text)
	return ""
}

// TestIntegrationHostile pushes revisions that are made to hurt. The node stays
// the same process, keeps serving, and says what is wrong with them.
func TestIntegrationHostile(t *testing.T) {
	t.Parallel()
	w := newPlainWorld(t) // the loader's budget is eight times larger under the race detector
	w.write(map[string]string{"work/fazt.hcl": oneApp, "work/www/index.html": "good"})
	w.origin()
	p := w.serve("state", "--repo", w.path("origin.git"))
	p.sync(0, "")
	pid := p.cmd.Process.Pid

	config := func(text string) func() string {
		return func() string {
			blob := w.gitWith("origin.git", text, "hash-object", "-w", "--stdin")
			www := w.git("origin.git", "rev-parse", "main:www")
			return w.gitWith("origin.git", fmt.Sprintf("100644 blob %s\tfazt.hcl\n040000 tree %s\twww\n", blob, www), "mktree")
		}
	}
	bomb := "locals {\n  many = range(300)\n  all = [for a in local.many : [for b in local.many : [for c in local.many : \"${a}${b}${c}\"]]]\n}\n"
	for _, c := range []struct {
		name, code string
		tree       func() string
	}{
		{"brackets", "F3012", config(strings.Repeat("[", 62_000))},
		{"bomb", "F3021", config(oneApp + bomb)},
		{"blocks", "F30", config(strings.Repeat("a {", 20_000))},
		{"paths", "F2203", func() string { // 10 levels of 10 names each: 10^10 paths
			below := w.gitWith("origin.git", "boom", "hash-object", "-w", "--stdin")
			kind := "100644 blob"
			for range 10 {
				var list strings.Builder
				for i := range 10 {
					fmt.Fprintf(&list, "%s %s\tn%d\n", kind, below, i)
				}
				below, kind = w.gitWith("origin.git", list.String(), "mktree"), "040000 tree"
			}
			return w.gitWith("origin.git", fmt.Sprintf("040000 tree %s\tdeep\n040000 tree %s\twww\n", below, w.git("origin.git", "rev-parse", "main:www")), "mktree")
		}},
		{"escape", "F2202", func() string { // a name that git itself refuses to write
			blob := w.gitWith("origin.git", "x", "hash-object", "-w", "--stdin")
			id, err := hex.DecodeString(blob)
			must(t, err)
			return w.gitWith("origin.git", "100644 ..\x00"+string(id), "hash-object", "-t", "tree", "--literally", "-w", "--stdin")
		}},
	} {
		before := w.git("origin.git", "rev-parse", "main")
		commit := w.git("origin.git", "commit-tree", "-p", before, "-m", c.name, c.tree())
		w.git("origin.git", "update-ref", "refs/heads/main", commit)
		exit, answer, err := p.call("/v1/sync", `{"wait":true}`)
		must(t, err)
		p.alive()
		p.serves("a.localhost", "/", "good")
		s := p.status()
		told, err := json.Marshal(s.Problem)
		must(t, err)
		if exit == 0 || s.Problem == nil || !strings.Contains(string(told), c.code) {
			t.Errorf("%s: exit %d, status %s, want %s\n%s", c.name, exit, told, c.code, answer)
		}
		w.git("origin.git", "update-ref", "refs/heads/main", before)
		p.sync(0, "")
	}
	// And a good one is live as ever, in the same process.
	w.write(map[string]string{"work/www/index.html": "better"})
	w.push("Better")
	p.sync(0, "")
	p.serves("a.localhost", "/", "better")
	if p.cmd.Process.Pid != pid {
		t.Fatal("another process answers")
	}
	p.stop()
}
