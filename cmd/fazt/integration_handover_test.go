//go:build integration

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// visitors ask a node for a page, over and over, until they are told to leave:
// half of them on connections they keep, half on a new one each time.
type visitors struct {
	asked, failed atomic.Int64
	asks          chan struct{} // one for each request, as far as there is room
	last          atomic.Value  // error
	leave         context.CancelFunc
	gone          sync.WaitGroup
}

func visit(addr, host string, n int) *visitors {
	ctx, cancel := context.WithCancel(context.Background())
	v := &visitors{leave: cancel, asks: make(chan struct{}, 1)}
	for i := range n {
		client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: i%2 == 0, DialContext: from(i)}}
		v.gone.Go(func() {
			defer client.CloseIdleConnections()
			for ctx.Err() == nil {
				v.asked.Add(1)
				select {
				case v.asks <- struct{}{}:
				default: // nobody counts
				}
				if err := askOnce(client, addr, host); err != nil {
					v.failed.Add(1)
					v.last.Store(err)
				}
			}
		})
	}
	return v
}

// from dials from an address of its own for each visitor, as one address is one
// client to the node.
func from(i int) func(ctx context.Context, network, addr string) (net.Conn, error) {
	own := &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i))}
	return (&net.Dialer{LocalAddr: own}).DialContext
}

func askOnce(client *http.Client, addr, host string) error {
	r, err := http.NewRequest(http.MethodGet, "http://"+addr+"/", nil)
	if err != nil {
		return err
	}
	r.Host = host
	var kept bool // by an earlier request
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { kept = i.Reused }}))
	resp, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("on a connection that was kept (%t): %w", kept, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusTooManyRequests {
		err = fmt.Errorf("%d: %s", resp.StatusCode, body)
	}
	return err
}

// await waits until that many more requests were asked.
func (v *visitors) await(t *testing.T, more int64) {
	t.Helper()
	late := time.After(patience)
	for want := v.asked.Load() + more; v.asked.Load() < want; {
		select {
		case <-v.asks:
		case <-late:
			t.Fatal("the visitors stand still")
		}
	}
}

// holder is the process that has the node's state folder.
func (p *process) holder() int {
	p.w.t.Helper()
	lock, err := os.ReadFile(filepath.Join(p.state, "lock"))
	must(p.w.t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(lock)))
	must(p.w.t, err)
	return pid
}

// awaitTimes waits until that many lines of the log hold the text.
func (p *process) awaitTimes(n int, text string) {
	p.w.t.Helper()
	late := time.After(patience)
	for {
		p.mu.Lock()
		found, more := linesWith(p.lines, []string{text}), p.more
		p.mu.Unlock()
		if len(found) >= n {
			return
		}
		select {
		case <-more:
		case <-late:
			p.w.t.Fatalf("the node did not log %q %d times:\n%s", text, n, p.log())
		}
	}
}

// TestIntegrationHandover: on SIGUSR2 the binary at the node's path takes over
// the sockets, and no visitor notices.
func TestIntegrationHandover(t *testing.T) {
	t.Parallel()
	w := newPlainWorld(t)
	w.write(map[string]string{"site/fazt.hcl": oneApp, "site/www/index.html": "here"})
	p := w.serve("state")
	t.Cleanup(func() { _ = syscall.Kill(p.holder(), syscall.SIGKILL) }) // the last one holds the log open
	w.want(0, "", "apply", w.path("site"), "--yes", "--state", p.state)
	v := visit(p.addr, "a.localhost", 8)
	defer v.leave()
	v.await(t, 100)
	for round := range 3 {
		pid := p.holder()
		must(t, syscall.Kill(pid, syscall.SIGUSR2))
		p.awaitTimes(2+round, "msg=commands")
		if p.holder() == pid {
			t.Fatalf("round %d: process %d still holds the state folder", round, pid)
		}
		v.await(t, 100)
	}
	v.leave()
	v.gone.Wait()
	t.Logf("%d requests over 3 hand-overs, %d failed", v.asked.Load(), v.failed.Load())
	if v.failed.Load() > 0 {
		t.Errorf("%d of %d requests failed, at last: %v", v.failed.Load(), v.asked.Load(), v.last.Load())
	}
	w.want(0, "", "status", "--state", p.state)
}

// TestIntegrationHandoverRefused: a binary that does not come up changes nothing.
func TestIntegrationHandoverRefused(t *testing.T) {
	t.Parallel()
	w := newPlainWorld(t)
	w.write(map[string]string{"site/fazt.hcl": oneApp, "site/www/index.html": "here"})
	program, err := os.ReadFile(w.bin)
	must(t, err)
	must(t, os.WriteFile(w.path("fazt"), program, 0o755))
	p := w.serveAs("state", exec.Command(w.path("fazt"), "serve", "--state", w.path("state"), "--listen", "127.0.0.1:0"))
	w.want(0, "", "apply", w.path("site"), "--yes", "--state", p.state)
	must(t, os.WriteFile(w.path("broken"), []byte("#!/bin/sh\nexit 1\n"), 0o755))
	must(t, os.Rename(w.path("broken"), w.path("fazt")))
	pid := p.holder()
	must(t, syscall.Kill(pid, syscall.SIGUSR2))
	p.await("no hand-over")
	p.serves("a.localhost", "/", "here")
	if p.holder() != pid {
		t.Error("somebody else holds the state folder")
	}
}

// TestIntegrationHandoverUnderSupervision: systemd is told who the service is
// now, and that process goes on saying that it is alive.
func TestIntegrationHandoverUnderSupervision(t *testing.T) {
	t.Parallel()
	w := newPlainWorld(t)
	folder, err := os.MkdirTemp("", "fazt-notify") // a socket's path is short
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	heard, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(folder, "notify"), Net: "unixgram"})
	must(t, err)
	t.Cleanup(func() { _ = heard.Close() })
	cmd := exec.Command("sh", "-c", `WATCHDOG_PID=$$ exec "$0" serve --state "$1" --listen 127.0.0.1:0`, w.bin, w.path("state"))
	cmd.Env = append(w.env, "NOTIFY_SOCKET="+heard.LocalAddr().String(), "WATCHDOG_USEC=200000")
	p := w.serveAs("state", cmd)
	t.Cleanup(func() { _ = syscall.Kill(p.holder(), syscall.SIGKILL) })
	hear := func(want string, late time.Time) bool {
		must(t, heard.SetReadDeadline(late))
		said := make([]byte, 4<<10)
		for {
			n, err := heard.Read(said)
			if err != nil {
				return false
			}
			if strings.HasPrefix(string(said[:n]), want) {
				return true
			}
		}
	}
	must(t, syscall.Kill(p.holder(), syscall.SIGUSR2))
	p.awaitTimes(1, "msg=stopped")
	p.awaitTimes(2, "msg=commands")
	if !hear("MAINPID="+strconv.Itoa(p.holder()), time.Now().Add(patience)) {
		t.Error("nobody was told which process the service is")
	}
	hear("nothing begins like this", time.Now()) // what the old one had said
	if !hear("WATCHDOG=1", time.Now().Add(patience)) {
		t.Error("the successor does not say that it is alive")
	}
}
