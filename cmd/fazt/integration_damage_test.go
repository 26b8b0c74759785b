//go:build integration

package main

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// flipped changes one place of a file to other bytes of the same length.
func flipped(t *testing.T, name, from, to string) {
	t.Helper()
	body, err := os.ReadFile(name)
	must(t, err)
	bad := bytes.ReplaceAll(body, []byte(from), []byte(to))
	if bytes.Equal(bad, body) {
		t.Fatalf("%s does not hold %q", name, from)
	}
	must(t, os.WriteFile(name, bad, 0o600))
}

// TestIntegrationDamagedRow: a record that changed on the disk is not served,
// the others are, and the repository brings it back.
func TestIntegrationDamagedRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(map[string]string{"work/fazt.hcl": twoApps, "work/a/index.html": "app a", "work/b/index.html": "app b"})
	w.origin()
	p := w.serve("state", "--repo", w.path("origin.git"))
	p.sync(0, "")
	p.stop()
	// The newest release of app a is not sound either.
	flipped(t, w.path("state/node.db"), `"a.localhost"`, `"A.localhost"`)
	must(t, os.Rename(w.path("origin.git"), w.path("away.git")))
	p = w.serve("state", "--repo", w.path("origin.git"))
	p.await("a damaged record is not served", "app.a")
	if got := p.get("a.localhost", "/"); got.status != http.StatusMisdirectedRequest {
		t.Errorf("app a answers %d %q", got.status, got.body)
	}
	p.serves("b.localhost", "/", "app b")
	w.want(0, "app.a is recorded and not served", "status", "--state", p.state)
	w.want(2, "damaged", "drift", "--detailed-exitcode", "--state", p.state)
	w.want(5, "cannot be put back", "rollback", "d-1", "--state", p.state)
	must(t, os.Rename(w.path("away.git"), w.path("origin.git")))
	p.sync(0, "")
	p.serves("a.localhost", "/", "app a")
	if lost := p.status().Lost; len(lost) > 0 {
		t.Errorf("still lost: %v", lost)
	}
	if e := w.want(0, "No drift", "drift", "--state", p.state); strings.Contains(e.stdout, "app.a") {
		t.Error(e.stdout)
	}
	p.stop()
}

// spoilt changes a byte in the file of the store that a text has, or in one of
// its compressed forms.
func (w *world) spoilt(text, form string) {
	w.t.Helper()
	name := w.blobOf(text) + form
	body, err := os.ReadFile(name)
	must(w.t, err)
	body[len(body)/2] ^= 1
	must(w.t, os.WriteFile(name, body, 0o600))
}

// TestIntegrationDamagedFile: bytes that change under a running node reach
// nobody, and come back without a start: out of a compressed form, out of the
// repository, out of the folder that is applied again.
func TestIntegrationDamagedFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	text := strings.Repeat("text of a\n", 5000)
	w.write(map[string]string{"work/fazt.hcl": oneApp, "work/www/index.html": "app a", "work/www/text.txt": text})
	w.origin()
	p := w.serve("state", "--repo", w.path("origin.git"))
	p.sync(0, "")
	p.await("compressed forms are made")
	accept := func(form string) string {
		r, err := http.NewRequest(http.MethodGet, "http://"+p.addr+"/text.txt", nil)
		must(t, err)
		r.Host = "a.localhost"
		r.Header.Set("Accept-Encoding", form)
		resp, err := http.DefaultClient.Do(r)
		must(t, err)
		defer resp.Body.Close()
		return resp.Status + resp.Header.Get("Content-Encoding")
	}
	w.spoilt(text, ".br")
	w.spoilt(text, "")
	if got := accept("br"); got != "200 OK" {
		t.Errorf("with a damaged form: %q", got)
	}
	if got := accept("gzip"); got != "200 OKgzip" {
		t.Errorf("the form beside it: %q", got)
	}
	w.spoilt("app a", "")
	if got := p.get("a.localhost", "/"); got.status != http.StatusServiceUnavailable {
		t.Errorf("damaged bytes: %d %q", got.status, got.body)
	}
	p.await("a damaged file was fetched again", "index.html")
	p.serves("a.localhost", "/", "app a")
	if s := p.status(); len(s.Damaged) > 0 || s.Generation != 1 {
		t.Errorf("generation %d, damaged %v", s.Generation, s.Damaged)
	}
	p.stop()

	p = w.serve("alone")
	w.want(0, "generation 1", "apply", "--yes", "--state", p.state, w.path("work"))
	must(t, os.RemoveAll(w.path("state/blob"))) // so that there is one of each
	must(t, os.Rename(w.path("alone/blob"), w.path("state/blob")))
	must(t, os.Symlink(w.path("state/blob"), w.path("alone/blob")))
	w.spoilt("app a", "")
	if got := p.get("a.localhost", "/"); got.status != http.StatusServiceUnavailable {
		t.Errorf("damaged bytes: %d %q", got.status, got.body)
	}
	p.await("a damaged file cannot be fetched again", "index.html")
	w.want(0, "apply it again", "status", "--state", p.state)
	w.want(0, "", "apply", "--yes", "--state", p.state, w.path("work"))
	p.serves("a.localhost", "/", "app a")
	if s := p.status(); len(s.Damaged) > 0 {
		t.Errorf("damaged: %v", s.Damaged)
	}
	p.stop()
}

// TestIntegrationDamagedRelease: a kept release whose bytes were damaged goes
// back into service from the repository, and without one is refused.
func TestIntegrationDamagedRelease(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(map[string]string{"work/fazt.hcl": oneApp, "work/www/index.html": "one"})
	w.origin()
	p := w.serve("state", "--repo", w.path("origin.git"))
	p.sync(0, "")
	w.write(map[string]string{"work/www/index.html": "two"})
	w.push("Second")
	p.sync(0, "")
	w.spoilt("one", "")
	p.stop()
	p = w.serve("state") // and no repository
	if e := w.fazt("rollback", "--app", "a", "--state", p.state); e.exit == 0 || !strings.Contains(e.stderr, `"index.html"`) || !strings.Contains(e.stderr, "hint:") {
		t.Errorf("exit %d\n%s", e.exit, e.stderr)
	}
	p.serves("a.localhost", "/", "two")
	p.stop()
	p = w.serve("state", "--repo", w.path("origin.git"))
	w.want(0, "Rolled back", "rollback", "--app", "a", "--state", p.state)
	p.serves("a.localhost", "/", "one")
	p.stop()
}

// TestIntegrationDamagedRecord: a record that cannot be read is set aside and
// kept, the node says so until somebody takes the file away, and is whole again
// from its repository, or from the folder that is applied again.
func TestIntegrationDamagedRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(map[string]string{"work/fazt.hcl": oneApp, "work/www/index.html": "hello"})
	w.origin()
	p := w.serve("state")
	w.want(0, "generation 1", "apply", "--yes", "--state", p.state, w.path("work"))
	p.stop()
	record := w.path("state/node.db")
	good, err := os.ReadFile(record)
	must(t, err)
	seen := 0
	for name, bad := range map[string][]byte{
		"cut":     good[:len(good)/3],
		"head":    append([]byte("no database"), good[11:]...),
		"version": append(append(bytes.Clone(good[:18]), 7), good[19:]...),
		"pages":   append(good[:100:100], make([]byte, len(good)-100)...),
	} {
		must(t, os.WriteFile(record, bad, 0o600))
		p = w.serve("state")
		p.await("set aside", "node.db.damaged-")
		if got := p.get("a.localhost", "/"); got.status != http.StatusServiceUnavailable {
			t.Errorf("%s: an empty record serves %d %q", name, got.status, got.body)
		}
		aside := p.status().Aside
		if seen++; len(aside) != seen {
			t.Fatalf("%s: aside are %q", name, aside)
		}
		if kept, err := os.ReadFile(aside[seen-1]); err != nil || !bytes.Equal(kept, bad) {
			t.Errorf("%s: the damaged file was not kept: %d bytes of %d, %v", name, len(kept), len(bad), err)
		}
		w.want(0, "fazt apply DIR", "status", "--state", p.state)
		w.want(0, "generation 1", "apply", "--yes", "--state", p.state, w.path("work"))
		p.serves("a.localhost", "/", "hello")
		p.stop()
	}
	must(t, os.WriteFile(record, good[:len(good)/3], 0o600))
	p = w.serve("state", "--repo", w.path("origin.git"))
	p.sync(0, "")
	p.serves("a.localhost", "/", "hello")
	w.want(0, "the repository brings the sites back", "status", "--state", p.state)
	for _, file := range p.status().Aside {
		must(t, os.Remove(file))
	}
	if e := w.want(0, "", "status", "--state", p.state); strings.Contains(e.stdout, "aside") {
		t.Errorf("nothing lies aside:\n%s", e.stdout)
	}
	p.stop()
	audit(t, p.state)
}

// recordFiles is what a record consists of.
type recordFiles map[string][]byte

func (w *world) recordFiles() recordFiles {
	w.t.Helper()
	r := recordFiles{}
	for _, name := range []string{"state/node.db", "state/node.db-wal"} {
		body, err := os.ReadFile(w.path(name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			w.t.Fatal(err)
		}
		r[name] = body
	}
	return r
}

// restore puts a record back, but for one bit of one file.
func (w *world) restore(r recordFiles, file string, at, bit int) {
	w.t.Helper()
	old, err := filepath.Glob(w.path("state/node.db*"))
	must(w.t, err)
	for _, name := range old {
		must(w.t, os.Remove(name))
	}
	for name, body := range r {
		if body = bytes.Clone(body); name == file {
			body[at] ^= 1 << bit
		}
		if len(body) > 0 {
			must(w.t, os.WriteFile(w.path(name), body, 0o600))
		}
	}
}

// TestIntegrationDamagedBit flips one bit of node.db or of its log. Whichever it
// is: the node starts, never serves what nobody asked for, and is at the newest
// revision after its first pass, or says why not.
func TestIntegrationDamagedBit(t *testing.T) {
	t.Parallel()
	flips, seed := number(t, "FAZT_FLIPS", 24), number(t, "FAZT_SEED", int(time.Now().UnixNano()&0xffffff))
	t.Logf("FAZT_SEED=%d", seed)
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	w := newPlainWorld(t)
	w.write(map[string]string{"work/fazt.hcl": oneApp, "work/www/index.html": "one"})
	w.origin()
	p := w.serve("state", "--repo", w.path("origin.git"))
	p.sync(0, "")
	w.write(map[string]string{"work/www/index.html": "two"})
	revision := w.push("Second")
	p.sync(0, "")
	p.kill()
	killed := w.recordFiles() // with its log
	p = w.serve("state", "--repo", w.path("origin.git"))
	p.stop()
	stopped := w.recordFiles()
	outcomes := map[string]int{}
	for range flips {
		r, file := stopped, "state/node.db"
		if random.IntN(2) == 0 {
			r = killed
			if random.IntN(2) == 0 {
				file = "state/node.db-wal"
			}
		}
		at := random.IntN(len(r[file]))
		for r[file][at] == 0 { // most of the room is empty
			at = random.IntN(len(r[file]))
		}
		bit := random.IntN(8)
		w.restore(r, file, at, bit)
		must(t, os.WriteFile(w.path("state/lock"), []byte(strings.Repeat("4194304999\n", min(1, len(r["state/node.db-wal"])))), 0o600))
		outcomes[w.afterFlip(revision, file, at, bit)]++
	}
	t.Logf("%v", outcomes)
	if outcomes["whole"]+outcomes["set aside"] < flips*3/4 {
		t.Errorf("most flips should be mended: %v", outcomes)
	}
}

// afterFlip starts a node and says what became of it.
func (w *world) afterFlip(revision, file string, at, bit int) string {
	t := w.t
	t.Helper()
	p := w.serve("state", "--repo", w.path("origin.git"))
	got := p.get("a.localhost", "/")
	if got.status == http.StatusOK && got.body != "two" && got.body != "one" {
		t.Errorf("%s byte %d bit %d: %q is served\n%s", file, at, bit, got.body, p.log())
	}
	exit, answer, err := p.call("/v1/sync", `{"wait":true}`)
	must(t, err)
	outcome, s := "whole", p.status()
	if len(s.Aside) > 0 {
		outcome = "set aside"
	}
	got = p.get("a.localhost", "/")
	switch {
	case exit == 0 && (got.status != http.StatusOK || got.body != "two" || got.revision != revision):
		t.Errorf("%s byte %d bit %d: %d %q of %s after a good sync %s\n%s", file, at, bit, got.status, got.body, got.revision, answer, p.log())
	case exit != 0:
		outcome = "refused"
		t.Logf("%s byte %d bit %d: %s", file, at, bit, answer)
		if s.Problem == nil || s.Problem.Message == "" || got.status == http.StatusOK && got.body != "two" && got.body != "one" {
			t.Errorf("%s byte %d bit %d: exit %d, %+v, %d %q", file, at, bit, exit, s.Problem, got.status, got.body)
		}
	}
	p.stop()
	return outcome
}

// TestIntegrationForms: a large push is live before its compressed forms are
// made, and they come, also where the node is killed while it makes them.
func TestIntegrationForms(t *testing.T) {
	t.Parallel()
	w := worldOf(t, killable)
	text := strings.Repeat("a line of a large file\n", 10_000)
	w.write(map[string]string{"work/fazt.hcl": oneApp, "work/www/index.html": "hello", "work/www/large.txt": text})
	w.origin()
	k := &killing{w: w, state: "state"}
	p := w.serveAs("state", k.ending("blob.packed"))
	p.ended() // by itself, once all is published
	p = w.serve("state", "--repo", w.path("origin.git"))
	p.serves("a.localhost", "/large.txt", text)
	p.await("compressed forms are made", "files=1")
	r, err := http.NewRequest(http.MethodGet, "http://"+p.addr+"/large.txt", nil)
	must(t, err)
	r.Host = "a.localhost"
	r.Header.Set("Accept-Encoding", "br")
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	defer resp.Body.Close()
	if resp.Header.Get("Content-Encoding") != "br" {
		t.Errorf("%d, %v", resp.StatusCode, resp.Header)
	}
	p.stop()
}
