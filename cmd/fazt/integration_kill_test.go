//go:build integration

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform"
	"github.com/fazt-sh/fazt/platform/journal"
	"github.com/fazt-sh/fazt/platform/release"
)

const twoApps = "edge {\n  domain = \"localhost\"\n}\napp \"a\" {\n  content = \"a\"\n}\napp \"b\" {\n  content = \"b\"\n}\n"

// stamped are the files of each app in the revisions of a chain: every one
// holds the number of its revision, so that a mixture shows.
func stamped() map[string]int { return map[string]int{"a": 150, "b": 50} }

// stamps are those of this world.
func (w *world) stamps() map[string]int {
	if w.stamp != nil {
		return w.stamp
	}
	return stamped()
}

// revisionFiles is how many files the apps of a revision have.
func (w *world) revisionFiles() (n int) {
	for _, files := range w.stamps() {
		n += files
	}
	return n
}

func stampedFile(i int) string {
	if i == 0 {
		return "index.html"
	}
	return fmt.Sprintf("part/%03d.css", i)
}

func stampedBody(revision, i int) string {
	return strings.Repeat(fmt.Sprintf("/* revision %d file %d */\n", revision, i), 1+i%12)
}

// chain writes n stamped revisions, each after the other, into the bare
// repository forge.git and returns their commits.
func (w *world) chain(n int) []string {
	w.t.Helper()
	w.git(".", "init", "-q", "--bare", "-b", "all", "forge.git")
	var s strings.Builder
	inline := func(name, body string) { fmt.Fprintf(&s, "M 100644 inline %s\ndata %d\n%s\n", name, len(body), body) }
	for r := range n {
		subject := fmt.Sprintf("Revision %d", r)
		fmt.Fprintf(&s, "commit refs/heads/all\ncommitter Asha <asha@example.com> %d +0000\ndata %d\n%s\n", 1_700_000_000+r, len(subject), subject)
		inline("fazt.hcl", twoApps)
		for app, files := range w.stamps() {
			for i := range files {
				inline(app+"/"+stampedFile(i), stampedBody(r, i))
			}
		}
	}
	w.gitWith("forge.git", s.String(), "fast-import", "--quiet")
	commits := strings.Fields(w.git("forge.git", "rev-list", "--reverse", "all"))
	if len(commits) != n {
		w.t.Fatalf("%d commits, want %d", len(commits), n)
	}
	return commits
}

// publishTo pushes a commit of the forge to the followed repository.
func (w *world) publishTo(commit string) error {
	_, err := w.tryGit("forge.git", "", "push", "-q", w.path("origin.git"), commit+":refs/heads/main")
	return err
}

// whole reads every file of every app and fails unless each app is served as
// one complete revision of the chain. It returns the number of app a's.
func (p *process) whole(commits []string) int {
	p.w.t.Helper()
	revision, err := p.inspect(commits)
	if err != nil {
		p.w.t.Fatalf("%v\n%s", err, p.log())
	}
	return revision
}

// inspect is whole for a node of which not every answer need be good.
func (p *process) inspect(commits []string) (int, error) {
	v := p.visitor(0)
	defer v.close()
	first := map[string]int{}
	for app, files := range p.w.stamps() {
		revision := -1
		for i := range files {
			path := "/" + strings.TrimSuffix(stampedFile(i), "index.html")
			got, err := v.get(app+".localhost", path)
			if err != nil {
				return 0, fmt.Errorf("%s%s: %w", app, path, err)
			}
			if i == 0 {
				if _, err := fmt.Sscanf(got.body, "/* revision %d ", &revision); err != nil || revision >= len(commits) {
					return 0, fmt.Errorf("%s: %d %q", app, got.status, got.body)
				}
			}
			if got.status != http.StatusOK || got.body != stampedBody(revision, i) || got.revision != commits[revision] {
				return 0, fmt.Errorf("%s%s: %d, Fazt-Revision %s, %q\nis not of revision %d, %s", app, path, got.status, got.revision,
					got.body[:min(len(got.body), 80)], revision, commits[revision])
			}
		}
		first[app] = revision
	}
	if first["a"] != first["b"] {
		return 0, fmt.Errorf("a pass was published in parts: app a is at revision %d, app b at %d", first["a"], first["b"])
	}
	return first["a"], nil
}

// record is what a state folder at rest says of the node.
type record struct {
	generation uint64
	revision   string
	apps       map[string]string // the revision of each object's release
	head       journal.Head
	kept       int // releases of app a that one could go back to
}

// audit opens a state folder that no node has, verifies its journal, also
// against the heads that were seen before, and reads what would be booted.
func audit(t *testing.T, state string, heads ...journal.Head) record {
	t.Helper()
	ctx := context.Background()
	ground, err := platform.Open(ctx, state, slog.New(slog.DiscardHandler))
	must(t, err)
	defer func() { must(t, ground.Close()) }()
	_, err = ground.Journal.Verify(ctx, heads...)
	must(t, err)
	head, err := ground.Journal.Head(ctx)
	must(t, err)
	generation, objects, err := ground.Releases.Current(ctx)
	must(t, err)
	r := record{generation: generation.Number, revision: generation.Revision, apps: map[string]string{}, head: head}
	if told, revision := lastPublished(t, ground.Journal); told != r.generation || revision != r.revision {
		t.Fatalf("the journal's last generation is %d of %s, what would be booted is %d of %s", told, revision, r.generation, r.revision)
	}
	releases, err := ground.Releases.Kept(ctx, "app.a")
	must(t, err)
	r.kept = len(releases)
	for _, o := range objects {
		r.apps[o.Addr] = o.Revision
	}
	return r
}

// lastPublished is the newest generation that the journal tells of.
func lastPublished(t *testing.T, j *journal.Journal) (generation uint64, revision string) {
	t.Helper()
	for before := uint64(0); ; {
		list, err := j.List(context.Background(), journal.Filter{Before: before})
		must(t, err)
		if len(list) == 0 {
			return 0, ""
		}
		for _, e := range list {
			var detail struct {
				Generation uint64
				Revision   string
			}
			if before = e.Seq; len(e.Detail) > 0 {
				must(t, json.Unmarshal(e.Detail, &detail))
			}
			if detail.Generation > 0 {
				return detail.Generation, detail.Revision
			}
		}
	}
}

// leftovers lists the files of a state folder that are only there while
// something is being written.
func leftovers(t *testing.T, state string) (left []string) {
	t.Helper()
	known := []string{"node.db", "node.db-wal", "node.db-shm", "source.git", "blob", "run", "tmp", "lock", "cert", "reserve", "identity.txt", "people.key", "app", "log"}
	must(t, filepath.WalkDir(state, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == state {
			return err
		}
		name, err := filepath.Rel(state, path)
		top, rest, _ := strings.Cut(name, "/")
		base := strings.TrimPrefix(d.Name(), ".")
		if !slices.Contains(known, top) || top == "tmp" && rest != "" || strings.HasPrefix(rest, "tmp/") || strings.HasPrefix(base, "tmp_") {
			left = append(left, name)
		}
		return err
	}))
	return left
}

// seeded is the randomness of a test, whose seed is told also where all is well.
func seeded(t *testing.T, stream uint64) *rand.Rand {
	t.Helper()
	seed := number(t, "FAZT_SEED", int(time.Now().UnixNano()&0xffffff))
	fmt.Fprintf(os.Stderr, "%s: FAZT_SEED=%d\n", t.Name(), seed)
	return rand.New(rand.NewPCG(uint64(seed), stream))
}

// TestIntegrationKill kills a node that follows a busy repository at random
// moments. Whatever the moment: the next start, with the repository away,
// serves exactly one complete release, the one that node.db has; the journal is
// whole and has lost nothing; with the repository back the node is at the
// newest revision; and what the kill left on the disk is one revision's worth at
// most, and is gone then.
func TestIntegrationKill(t *testing.T) {
	t.Parallel()
	cycles := number(t, "FAZT_KILLS", 20)
	random := seeded(t, 0)
	const perCycle = 8
	w := newWorld(t)
	if os.Getenv("FAZT_PLAIN") != "" { // as it is shipped: many cycles of the raced one take an hour
		w = newPlainWorld(t)
	}
	commits := w.chain(1 + cycles*perCycle)
	w.git(".", "init", "-q", "--bare", "-b", "main", "origin.git")
	must(t, w.publishTo(commits[0]))
	p := w.serve("state", "--repo", w.path("origin.git"))
	p.sync(0, "")
	newest, torn, most := 0, 0, 0
	var heads []journal.Head
	for cycle := range cycles {
		stop, pushed := make(chan struct{}), make(chan int)
		staging := func() {}
		if cycle%2 == 1 { // near the commit, which follows the bytes
			staging = events(t, w.path("state/blob/tmp"))
		}
		go func() { // pushes and pokes until the node is dead
			last := newest
			defer func() { pushed <- last }()
			for n := newest + 1; n <= newest+perCycle; n++ {
				if w.publishTo(commits[n]) == nil {
					last = n
				}
				_ = p.poke() // the node may be dead by now
				select {
				case <-stop:
					return
				default:
				}
			}
		}()
		moment := time.Duration(random.Int64N(int64(1500 * time.Millisecond)))
		if cycle%2 == 1 {
			staging()
			moment /= 10
		}
		<-time.After(moment)
		p.kill()
		close(stop)
		newest = <-pushed

		must(t, os.Rename(w.path("origin.git"), w.path("away.git")))
		half, without := len(leftovers(t, w.path("state"))), orphans(t, w.path("state"))
		if worth := w.revisionFiles(); half > worth || without > worth {
			t.Fatalf("cycle %d: %d half-written files and %d without a use are left, a revision has %d", cycle, half, without, worth)
		}
		most = max(most, half+without)
		if cycle%4 == 3 { // also while it boots
			early := exec.Command(w.bin, "serve", "--state", w.path("state"), "--listen", "127.0.0.1:0", "--no-safe-mode", "--repo", w.path("origin.git"))
			early.Env = w.env
			must(t, early.Start())
			<-time.After(time.Duration(random.Int64N(int64(300 * time.Millisecond))))
			must(t, early.Process.Kill())
			_ = early.Wait()
		}
		kept := audit(t, w.path("state"), heads...)
		heads = append(heads, kept.head)
		without = orphans(t, w.path("state"))
		p = w.serve("state", "--repo", w.path("origin.git"))
		if without > 0 || kept.kept > release.KeptReleases { // else the next kill may leave what was forgotten as well
			p.await(`msg="tidied up"`)
		}
		served := p.whole(commits)
		if commits[served] != kept.revision || commits[served] != kept.apps["app.a"] || p.status().Generation != kept.generation {
			t.Fatalf("cycle %d: %s in generation %d is served, node.db has %s in %d", cycle, commits[served], p.status().Generation, kept.revision, kept.generation)
		}
		if served < newest {
			torn++
		}
		must(t, os.Rename(w.path("away.git"), w.path("origin.git")))
		p.sync(0, "")
		if now := p.whole(commits); now != newest {
			t.Fatalf("cycle %d, killed after %s: revision %d is served, %d was pushed\n%s", cycle, moment, now, newest, p.log())
		}
		if left := leftovers(t, w.path("state")); len(left) > 0 {
			t.Fatalf("cycle %d: half-written files stay: %q", cycle, left)
		}
	}
	p.stop()
	audit(t, w.path("state"), heads...)
	if n := orphans(t, w.path("state")); n > 0 {
		t.Errorf("%d files without a use are still there", n)
	}
	t.Logf("%d kills, %d of them before the newest push was live; at most %d files without a use were left", cycles, torn, most)
}

// TestIntegrationTermFollow: a node that is asked to end in the middle of a
// pass ends well, and what it left is the old revision or the new one.
func TestIntegrationTermFollow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	commits := w.chain(6)
	w.git(".", "init", "-q", "--bare", "-b", "main", "origin.git")
	must(t, w.publishTo(commits[0]))
	p := w.serve("state", "--repo", w.path("origin.git"))
	p.sync(0, "")
	for n, commit := range commits[1:] {
		staging := events(t, w.path("state/blob/tmp"))
		must(t, w.publishTo(commit))
		must(t, p.poke())
		staging() // the first bytes of the revision are being written
		p.stop()
		kept := audit(t, w.path("state"))
		if kept.revision != commits[n] && kept.revision != commit {
			t.Fatalf("node.db has %s, want %s or %s", kept.revision, commits[n], commit)
		}
		must(t, os.Rename(w.path("origin.git"), w.path("away.git")))
		p = w.serve("state", "--repo", w.path("origin.git"))
		if served := p.whole(commits); commits[served] != kept.revision {
			t.Fatalf("revision %d is served, node.db has %s", served, kept.revision)
		}
		must(t, os.Rename(w.path("away.git"), w.path("origin.git")))
		p.sync(0, "")
	}
	p.stop()
}

// TestIntegrationTermApply: the person who applies is told the truth, nothing
// or all of it, also by a node that is asked to end meanwhile.
func TestIntegrationTermApply(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for r := range 4 {
		files := map[string]string{fmt.Sprintf("site%d/fazt.hcl", r): twoApps}
		for app, n := range stamped() {
			for i := range n {
				files[fmt.Sprintf("site%d/%s/%s", r, app, stampedFile(i))] = stampedBody(r, i)
			}
		}
		w.write(files)
	}
	p := w.serve("state")
	w.want(0, "generation 1", "apply", "--yes", "--state", p.state, w.path("site0"))
	generation, live := uint64(1), 0
	for r := 1; r < 4; r++ {
		staging := events(t, w.path("state/blob/tmp"))
		told := make(chan ended, 1)
		go func() { told <- w.fazt("apply", "--yes", "--state", p.state, w.path(fmt.Sprintf("site%d", r))) }()
		staging()
		p.stop()
		said := <-told
		kept := audit(t, w.path("state"))
		switch {
		case said.exit == 0 && kept.generation == generation+1:
			generation, live = kept.generation, r
		case said.exit == 7 && kept.generation == generation:
		default:
			t.Fatalf("apply ended with %d and node.db is at generation %d, was %d\n%s%s", said.exit, kept.generation, generation, said.stdout, said.stderr)
		}
		p = w.serve("state")
		for i := range 20 {
			path := "/" + strings.TrimSuffix(stampedFile(i), "index.html")
			if got := p.get("a.localhost", path); got.body != stampedBody(live, i) {
				t.Fatalf("%s: %d %q, want that of site %d", path, got.status, got.body, live)
			}
		}
	}
	p.stop()
}

// TestIntegrationDrain: a download that is slower than the node's end is not
// cut, and nobody new is let in meanwhile.
func TestIntegrationDrain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := make([]byte, 24<<20) // more than the sockets hold
	for i := range body {
		body[i] = byte(i * i >> 7)
	}
	w.write(map[string]string{"site/fazt.hcl": oneApp, "site/www/index.html": "hello", "site/www/film.bin": string(body)})
	p := w.serve("state")
	w.want(0, "generation 1", "apply", "--yes", "--state", p.state, w.path("site"))

	c, err := net.Dial("tcp", p.addr)
	must(t, err)
	defer c.Close()
	must(t, c.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(c, "GET /film.bin HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n")
	must(t, err)
	sum, head := sha256.New(), make([]byte, 1024)
	_, err = io.ReadFull(c, head)
	must(t, err)
	_, part, found := strings.Cut(string(head), "\r\n\r\n")
	if !found || !strings.HasPrefix(string(head), "HTTP/1.1 200 ") {
		t.Fatalf("%q", head)
	}
	io.WriteString(sum, part)

	p.signal(syscall.SIGTERM)
	for refused := false; !refused; { // the listener closes first
		probe, err := net.Dial("tcp", p.addr)
		if refused = errors.Is(err, syscall.ECONNREFUSED); err == nil {
			probe.Close()
		}
	}
	if _, err := io.Copy(sum, c); err != nil {
		t.Fatalf("the download was cut: %v\n%s", err, p.log())
	}
	want := sha256.Sum256(body)
	if got := hex.EncodeToString(sum.Sum(nil)); got != hex.EncodeToString(want[:]) {
		t.Fatalf("the download is not whole\n%s", p.log())
	}
	p.mustEnd()
}
