//go:build integration

package main

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// forge is a git server over https that misbehaves as it is told.
type forge struct {
	*httptest.Server
	fault    atomic.Value // string; empty: none
	requests atomic.Int64 // since the fault began
}

// forge serves the world's repositories.
func (w *world) forge() *forge {
	w.t.Helper()
	backend := filepath.Join(w.git(".", "--exec-path"), "git-http-backend")
	if _, err := os.Stat(backend); err != nil {
		w.t.Skip("git http-backend is missing")
	}
	f := &forge{}
	f.fault.Store("")
	git := &cgi.Handler{Path: backend, Logger: log.New(io.Discard, "", 0), Stderr: io.Discard, Env: append(w.env, "GIT_PROJECT_ROOT="+w.dir, "GIT_HTTP_EXPORT_ALL=1")}
	f.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { f.answer(rw, r, git) }))
	f.Config.ErrorLog = log.New(io.Discard, "", 0)
	f.StartTLS()
	w.t.Cleanup(f.Close)
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw})
	must(w.t, os.WriteFile(w.path("ca.pem"), cert, 0o600))
	return f
}

// begins has a fault begin, or with none all be well.
func (f *forge) begins(fault string) {
	f.fault.Store(fault)
	f.requests.Store(0)
}

func (f *forge) answer(rw http.ResponseWriter, r *http.Request, git http.Handler) {
	n := f.requests.Add(1)
	pack := r.Method == http.MethodPost
	switch fault := f.fault.Load(); {
	case fault == "down":
		hangUp(rw, nil, false)
	case fault == "locked":
		rw.Header().Set("WWW-Authenticate", "Basic realm=git")
		http.Error(rw, "who are you", http.StatusUnauthorized)
	case fault == "flapping" && n%4 < 2:
		http.Error(rw, "in a minute", http.StatusBadGateway)
	case fault == "another":
		r.URL.Path = strings.Replace(r.URL.Path, "/origin.git", "/another.git", 1)
		git.ServeHTTP(rw, r)
	case fault == "reset" && pack, fault == "short" && pack:
		whole := httptest.NewRecorder()
		git.ServeHTTP(whole, r)
		half := bytes.Clone(whole.Body.Bytes()[:whole.Body.Len()*2/3])
		if fault == "reset" {
			hangUp(rw, half, true)
			return
		}
		rw.Header().Set("Content-Type", whole.Header().Get("Content-Type"))
		_, _ = rw.Write(half)
	default:
		git.ServeHTTP(rw, r)
	}
}

// hangUp ends a connection after the first part of an answer.
func hangUp(rw http.ResponseWriter, part []byte, reset bool) {
	c, buffered, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	if part != nil {
		fmt.Fprintf(buffered, "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-result\r\nContent-Length: %d\r\n\r\n%s", 2*len(part), part)
		_ = buffered.Flush()
	}
	if under, is := c.(interface{ NetConn() net.Conn }); is && reset {
		if tcp, is := under.NetConn().(*net.TCPConn); is {
			_ = tcp.SetLinger(0)
			tcp.Close()
		}
	}
}

// TestIntegrationForgeMisbehaves: whatever a git server does, visitors see none
// of it; the status names it; the node tries as often as its back-off says; and
// what was pushed meanwhile is live at the next try after the fault, by itself.
func TestIntegrationForgeMisbehaves(t *testing.T) {
	for _, c := range []struct {
		fault, phase, says string
	}{
		{"down", "failed", "ended early"},
		{"locked", "stalled", "refuses the credentials"},
		{"reset", "failed", "reset"},
		{"short", "failed", "ended early"},
		{"flapping", "failed", "502"},
		{"another", "diverged", "rewritten"},
	} {
		t.Run(c.fault, func(t *testing.T) {
			t.Parallel()
			w := newPlainWorld(t)
			w.write(map[string]string{"work/fazt.hcl": oneApp, "work/www/index.html": "before", "work/www/large.txt": "before"})
			w.origin()
			w.git(".", "init", "-q", "--bare", "-b", "main", "another.git")
			w.gitWith("another.git", "commit refs/heads/main\ncommitter Asha <asha@example.com> 1 +0000\ndata 1\nx\nM 100644 inline fazt.hcl\ndata 0\n\n", "fast-import", "--quiet")
			f := w.forge()
			p := w.serveAs("state", exec.Command(w.bin, "serve", "--state", w.path("state"), "--listen", "127.0.0.1:0", "--interval", "1h", "--no-safe-mode",
				"--repo", f.URL+"/origin.git", "--credential", "ca="+w.path("ca.pem")))
			p.sync(0, "")
			visited := p.visited("/")

			f.begins(c.fault)
			began := time.Now()
			w.write(map[string]string{"work/www/index.html": "after", "work/www/large.txt": noise(1 << 20)})
			revision := w.push("After")
			must(t, p.poke())
			p.await("not as it should be")
			if s := p.status(); string(s.Phase) != c.phase || s.Problem == nil || !strings.Contains(s.Problem.Message, c.says) {
				t.Errorf("the status is %s: %+v", s.Phase, s.Problem)
			}
			p.serves("a.localhost", "/", "before")
			if c.phase == "failed" && c.fault != "flapping" {
				for range 300 { // one more by itself, after 5 s
					if p.status().Attempts >= 2 {
						break
					}
					<-time.After(100 * time.Millisecond)
				}
				tries, most := p.status().Attempts, triesWithin(time.Since(began))
				if requests := f.requests.Load(); tries < 2 {
					t.Fatalf("%d tries in %s\n%s", tries, time.Since(began), p.log())
				} else if tries > most || requests > int64(4*most) {
					t.Errorf("%d tries and %d requests in %s, want at most %d", tries, requests, time.Since(began), most)
				}
			}
			switch {
			case c.phase != "failed": // which somebody must put right; a node looks again at its next poll, which is far off here
				f.begins("")
				p.sync(0, "")
			case c.fault == "flapping": // it gets through between two faults
			default:
				f.begins("")
			}
			p.await("msg=published", "revision="+revision)
			p.serves("a.localhost", "/", "after")
			if s := p.status(); s.Phase != "synced" || s.Problem != nil || s.Attempts != 0 {
				t.Errorf("all is well, and it is %s after %d attempts: %+v", s.Phase, s.Attempts, s.Problem)
			}
			if n := visited(); n < 5 {
				t.Errorf("only %d visits", n)
			}
			p.stop()
			if left := leftovers(t, p.state); len(left) > 0 {
				t.Errorf("half-written files stay: %q", left)
			}
			audit(t, p.state)
		})
	}
}

// triesWithin is how often the back-off lets a node try within a time: at once,
// and after 5 s, 10 s, 20 s …, a tenth less at most.
func triesWithin(d time.Duration) int {
	n := 1
	for wait, due := 4500*time.Millisecond, time.Duration(0); ; wait *= 2 {
		if due += wait; due > d {
			return n
		}
		n++
	}
}

// noise is text that does not compress.
func noise(size int) string {
	var b strings.Builder
	for x := uint64(88172645463325252); b.Len() < size; {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		fmt.Fprintf(&b, "%016x\n", x)
	}
	return b.String()
}

// visited keeps asking for a page until it is called, and returns how often
// that was. None of the visits may fail.
func (p *process) visited(path string) (end func() int) {
	stop, ended := make(chan struct{}), make(chan int)
	go func() {
		v := p.visitor(7)
		defer v.close()
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			got, err := v.get("a.localhost", path)
			if err != nil || got.status != http.StatusOK {
				p.w.t.Errorf("visit %d: %d, %v", n, got.status, err)
			}
			select {
			case <-stop:
				ended <- n
				return
			case <-tick.C:
			}
		}
	}()
	over := sync.OnceValue(func() int {
		close(stop)
		return <-ended
	})
	p.w.t.Cleanup(func() { over() })
	return over
}
