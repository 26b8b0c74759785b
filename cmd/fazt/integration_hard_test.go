//go:build integration

package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestIntegrationInvalidCommits: a hundred commits in a row that nobody can
// take. Each is refused with its own findings, the last good release is served
// all the while, and the node keeps nothing of them in memory.
func TestIntegrationInvalidCommits(t *testing.T) {
	t.Parallel()
	const commits = 100
	w := newPlainWorld(t)
	w.write(map[string]string{"work/fazt.hcl": oneApp, "work/www/index.html": "good"})
	w.origin()
	p := w.serve("state", "--repo", w.path("origin.git"))
	p.sync(0, "")
	shapes := []string{
		"app \"a\" {\n  content = \"www\"\n  argument_%d = 1\n}\n",  // unknown
		"app \"a\" {\n  content = local.nothing_%d\n}\n",            // unresolved
		"app \"a\" {\n  content = \"www\"\n  hosts = [\"bad_%d\"\n", // not closed
		"thing_%d \"a\" {}\n", // no such block
	}
	var stream strings.Builder
	stream.WriteString("feature done\n")
	for i := range commits {
		config := fmt.Sprintf(shapes[i%len(shapes)], i)
		fmt.Fprintf(&stream, "commit refs/heads/bad\ncommitter Asha <asha@example.com> %d +0000\ndata 3\nbad\n", 1_800_000_000+i)
		if i == 0 {
			fmt.Fprintf(&stream, "from %s\n", w.git("origin.git", "rev-parse", "main"))
		}
		fmt.Fprintf(&stream, "M 100644 inline fazt.hcl\ndata %d\n%s\n", len(config), config)
	}
	stream.WriteString("done\n")
	w.gitWith("origin.git", stream.String(), "fast-import", "--quiet")
	early := 0
	for i, commit := range strings.Fields(w.git("origin.git", "rev-list", "--reverse", "main..bad")) {
		w.git("origin.git", "update-ref", "refs/heads/main", commit)
		p.sync(3, commit)
		p.serves("a.localhost", "/", "good")
		s := p.status()
		if s.Problem == nil || s.Desired != commit || len(s.Problem.Diagnostics) == 0 {
			t.Fatalf("commit %d: %s wants %.7s: %+v", i, s.Phase, s.Desired, s.Problem)
		}
		told, err := json.Marshal(s.Problem.Diagnostics)
		must(t, err)
		if closed := i%len(shapes) == 2; !closed && !strings.Contains(string(told), fmt.Sprintf("_%d", i)) {
			t.Fatalf("commit %d has the findings of another: %s", i, told)
		}
		if i == commits/4 {
			early = p.memory()
		}
	}
	if late := p.memory(); late > early+early/4+16<<10 {
		t.Errorf("memory grows with refused commits: %d kB after %d, %d kB after %d", early, commits/4, late, commits)
	}
	w.git("work", "fetch", "-q", "origin", "main")
	w.git("work", "reset", "-q", "--hard", "FETCH_HEAD")
	w.write(map[string]string{"work/fazt.hcl": oneApp, "work/www/index.html": "better"})
	w.push("Better")
	p.sync(0, "")
	p.serves("a.localhost", "/", "better")
	p.stop()
}

// TestIntegrationStopped: a node that was stopped for a while, as a laptop that
// slept or a machine that was moved, answers what came meanwhile and follows on.
func TestIntegrationStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(map[string]string{"work/fazt.hcl": oneApp, "work/www/index.html": "before"})
	w.origin()
	p := w.serve("state", "--repo", w.path("origin.git"))
	p.sync(0, "")
	p.signal(syscall.SIGSTOP)
	asked := make(chan error, 1)
	go func() {
		v := p.visitor(1)
		defer v.close()
		got, err := v.get("a.localhost", "/")
		if err == nil && (got.status != http.StatusOK || got.body != "before") {
			err = fmt.Errorf("%d %q", got.status, got.body)
		}
		asked <- err
	}()
	w.write(map[string]string{"work/www/index.html": "after"})
	w.push("After")
	<-time.After(2 * time.Second) // which is the fault
	p.signal(syscall.SIGCONT)
	if err := <-asked; err != nil {
		t.Errorf("who asked meanwhile got %v", err)
	}
	p.sync(0, "")
	p.serves("a.localhost", "/", "after")
	p.stop()
}

// TestIntegrationFetchWithoutDescriptors: with all descriptors taken, visitors who are there
// are served, a fetch fails and says why, and with descriptors back all goes on.
func TestIntegrationFetchWithoutDescriptors(t *testing.T) {
	t.Parallel()
	w := newPlainWorld(t)
	w.write(map[string]string{"work/fazt.hcl": oneApp, "work/www/index.html": "before"})
	w.origin()
	p := w.serveAs("state", exec.Command("sh", "-c", `ulimit -n 64 && exec "$0" "$@"`,
		w.bin, "serve", "--state", w.path("state"), "--listen", "127.0.0.1:0", "--interval", "1h", "--no-safe-mode", "--repo", w.path("origin.git")))
	p.sync(0, "")
	v := p.visitor(1)
	defer v.close()
	seen := func(want string) {
		t.Helper()
		if got, err := v.get("a.localhost", "/"); err != nil || got.status != http.StatusOK || got.body != want {
			t.Fatalf("a visitor who stays: %d %q, %v, want %q\n%s", got.status, got.body, err, want, p.log())
		}
	}
	seen("before")
	control := func(path, in string) (exit int, answer string) { // over a connection that is kept
		t.Helper()
		exit, text, err := p.call(path, in)
		if err != nil && text == nil {
			t.Fatalf("%s: %v\n%s", path, err, p.log())
		}
		return exit, string(text)
	}
	control("/v1/status", "{}")
	var crowd []net.Conn
	for len(p.logged("too many open files")) == 0 && len(crowd) < 200 {
		c, err := net.Dial("tcp", p.addr)
		must(t, err)
		crowd = append(crowd, c)
		seen("before")
	}
	p.await("too many open files")
	w.write(map[string]string{"work/www/index.html": "after"})
	w.push("After")
	for range 3 {
		exit, answer := control("/v1/sync", `{"wait":true}`)
		if exit == 0 || !strings.Contains(answer, "too many open files") {
			t.Errorf("a fetch without descriptors: exit %d\n%s", exit, answer)
		}
		seen("before")
	}
	if n := len(p.logged("too many open files", "accept")); n > 2 {
		t.Errorf("%d lines about connections that cannot be accepted\n%s", n, p.log())
	}
	for c := range slices.Values(crowd) {
		c.Close()
	}
	for deadline := time.Now().Add(patience); ; { // the node hears of each close by itself
		exit, answer := control("/v1/sync", `{"wait":true}`)
		if exit == 0 {
			break
		}
		if !strings.Contains(answer, "too many open files") || time.Now().After(deadline) {
			t.Fatalf("with descriptors back: exit %d\n%s\n%s", exit, answer, p.log())
		}
	}
	seen("after")
	p.stop()
	audit(t, p.state)
}
