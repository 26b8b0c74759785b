//go:build integration

package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestIntegrationAlone: a state folder, a port and a control port have one
// owner. The second comer says so and touches nothing; what a dead owner left
// is in nobody's way.
func TestIntegrationAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(map[string]string{"site/fazt.hcl": oneApp, "site/www/index.html": "hello"})
	first := w.serve("first")
	w.want(0, "generation 1", "apply", "--yes", "--state", first.state, w.path("site"))
	serve := func(state, listen, control string) []string {
		return []string{"serve", "--state", w.path(state), "--listen", listen, "--control", control}
	}
	w.want(8, "in use by process "+fmt.Sprint(first.cmd.Process.Pid), serve("first", "127.0.0.1:0", "127.0.0.1:0")...)
	w.want(7, first.addr, serve("second", first.addr, "127.0.0.1:0")...)
	control := strings.TrimPrefix(first.control, "http://")
	w.want(7, control, serve("second", "127.0.0.1:0", control)...)
	first.alive()
	first.serves("a.localhost", "/", "hello")
	w.want(0, "1 serving", "status", "--state", first.state)

	// Those who were refused left nothing locked.
	second := w.serve("second")
	second.stop()

	first.kill()
	again := w.serveAs("first", exec.Command(w.bin, serve("first", first.addr, control)...))
	again.serves("a.localhost", "/", "hello")
	w.want(0, "1 serving", "status", "--state", again.state)
	again.stop()
	for _, name := range []string{"run/fazt.sock", "run/control"} {
		if _, err := os.Lstat(filepath.Join(again.state, name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s stays after the node ended well: %v", name, err)
		}
	}
}

// TestIntegrationPeer: one node is told by another machine's command line what
// its own would be told.
func TestIntegrationPeer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(map[string]string{"site/fazt.hcl": oneApp, "site/www/index.html": "for b"})
	a, b := w.serve("a"), w.serve("b")
	w.want(0, "@b", "peer", "add", "b", b.control, "--token-file", filepath.Join(b.state, "run", "token"))
	w.want(0, "create", "@b", "plan", w.path("site"))
	w.want(0, "generation 1", "@b", "apply", "--yes", w.path("site"))
	b.serves("a.localhost", "/", "for b")
	if got := a.get("a.localhost", "/"); got.status != http.StatusServiceUnavailable {
		t.Fatalf("the other node answers %d", got.status)
	}
	here, there := w.want(0, "", "app", "list", "--state", b.state, "--json"), w.want(0, "", "@b", "app", "list", "--json")
	if here.stdout != there.stdout {
		t.Fatalf("here and there differ:\n%s%s", here.stdout, there.stdout)
	}
	// A token of one node is none of another's.
	w.want(0, "@a", "peer", "add", "a", a.control, "--token-file", filepath.Join(b.state, "run", "token"), "--no-check")
	w.want(4, "token", "@a", "status")
	b.stop()
	w.want(7, "b ("+b.control+")", "@b", "status")
	a.stop()
}

// TestIntegrationPeerDies: a peer that dies before or amid its answer is named,
// and half an answer is none.
func TestIntegrationPeerDies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(map[string]string{"work/fazt.hcl": oneApp, "work/www/index.html": "hello"})
	w.origin()
	b := w.serve("b", "--repo", w.path("origin.git"))
	b.sync(0, "")

	// Between the two stands what tells when the question has arrived.
	arrived := make(chan struct{}, 1)
	through := standIn(t, func(c net.Conn) {
		to, err := net.Dial("tcp", strings.TrimPrefix(b.control, "http://"))
		if err != nil {
			return
		}
		defer to.Close()
		question := make([]byte, 64<<10)
		n, err := c.Read(question)
		if err != nil {
			return
		}
		_, _ = to.Write(question[:n])
		arrived <- struct{}{}
		_, _ = io.Copy(c, to)
	})
	w.want(0, "@b", "peer", "add", "b", through, "--token-file", filepath.Join(b.state, "run", "token"), "--no-check")
	told := make(chan ended, 1)
	b.signal(syscall.SIGSTOP) // it gets the question and never answers
	go func() { told <- w.fazt("@b", "sync", "--wait") }()
	select {
	case <-arrived:
	case e := <-told:
		t.Fatalf("it did not ask: %s%s", e.stdout, e.stderr)
	}
	b.kill()
	if e := <-told; e.exit != 7 || !strings.Contains(e.stderr, "b ("+through+") does not answer") || e.stdout != "" {
		t.Fatalf("exit %d, want 7\n%s%s", e.exit, e.stdout, e.stderr)
	}

	half := standIn(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 64<<10))
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n{\"apps\":[{\"app\":\"blog\",")
	})
	w.want(0, "@half", "peer", "add", "half", half, "--token-file", filepath.Join(b.state, "run", "token"), "--no-check")
	if e := w.fazt("@half", "app", "list"); e.exit != 7 || !strings.Contains(e.stderr, "broke off") || strings.Contains(e.stdout, "blog") {
		t.Fatalf("exit %d, want 7\n%s%s", e.exit, e.stdout, e.stderr)
	}
	if e := w.fazt("@half", "app", "list", "--json"); e.exit != 7 || !strings.Contains(e.stdout, `"kind":"unavailable"`) || strings.Contains(e.stdout, "blog") {
		t.Fatalf("exit %d, want 7\n%s%s", e.exit, e.stdout, e.stderr)
	}
}

// standIn is something else that listens where a node might; each connection
// is closed when answer returns.
func standIn(t *testing.T, answer func(net.Conn)) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(patience))
			answer(c)
			_ = c.Close()
		}
	}()
	return "http://" + l.Addr().String()
}

// TestIntegrationDescriptors: a node without descriptors for new visitors says
// so once, goes on with those it has, and takes new ones when there is room.
func TestIntegrationDescriptors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(map[string]string{"site/fazt.hcl": oneApp, "site/www/index.html": "hello"})
	args := []string{"-c", `ulimit -n 64; exec "$0" "$@"`, w.bin, "serve", "--state", w.path("state"), "--listen", "127.0.0.1:0"}
	p := w.serveAs("state", exec.Command("sh", args...))
	w.want(0, "generation 1", "apply", "--yes", "--state", p.state, w.path("site"))
	regular := p.visitor(1)
	defer regular.close()
	visit := func(when string) {
		t.Helper()
		got, err := regular.get("a.localhost", "/")
		if err != nil || got.status != http.StatusOK || got.body != "hello" {
			t.Fatalf("%s: %v %d %q\n%s", when, err, got.status, got.body, p.log())
		}
	}
	visit("before")
	var crowd []net.Conn
	for range 100 { // the kernel takes those the node cannot
		c, err := net.Dial("tcp", p.addr)
		must(t, err)
		crowd = append(crowd, c)
	}
	const complaint = "no new connections for now"
	p.await(complaint)
	for range 50 {
		visit("while there are no descriptors")
	}
	if lines := p.logged(complaint); len(lines) != 1 {
		t.Errorf("it says so %d times:\n%s", len(lines), p.log())
	}
	for _, c := range crowd {
		c.Close()
	}
	p.serves("a.localhost", "/", "hello") // a new visitor
	visit("afterwards")
	w.write(map[string]string{"site/www/index.html": "hello again"})
	w.want(0, "generation 2", "apply", "--yes", "--state", p.state, w.path("site"))
	p.serves("a.localhost", "/", "hello again")
	p.alive()
	p.signal(syscall.SIGTERM)
	p.mustEnd()
}
