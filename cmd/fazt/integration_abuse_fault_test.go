//go:build integration

package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestIntegrationAbusePause (F17): a node that the machine did not run for three
// seconds answers those who were connected and those who came meanwhile.
func TestIntegrationAbusePause(t *testing.T) {
	t.Parallel()
	s := besiege(t, "", "", 0)
	var open []net.Conn
	for i := range 20 {
		c := s.dial(callerAt(1, 1+i), s.addr)
		if status, err := ask(c, "GET", "/"); status != 200 {
			t.Fatal(status, err)
		}
		open = append(open, c)
	}
	s.signal(syscall.SIGSTOP)
	over := time.After(3 * time.Second) // the fault itself
	var meanwhile sync.WaitGroup
	for i := range 20 {
		meanwhile.Go(func() {
			if err := s.probeFrom(callerAt(2, 1+i)); err != nil {
				t.Errorf("who came meanwhile: %v", err)
			}
		})
	}
	<-over
	s.signal(syscall.SIGCONT)
	meanwhile.Wait()
	for _, c := range open {
		if status, err := ask(c, "GET", "/"); status != 200 {
			t.Errorf("who was connected: %d %v", status, err)
		}
	}
	if code := s.probe("/healthz"); code != 200 {
		t.Errorf("/healthz: %d", code)
	}
}

// TestIntegrationAbuseDescriptors (F17): a node that has no descriptors left
// says so once, goes on serving those it has, and takes newcomers again when
// there are some.
func TestIntegrationAbuseDescriptors(t *testing.T) {
	t.Parallel()
	w := newPlainWorld(t)
	w.write(map[string]string{"site/www/index.html": "here"})
	script := `ulimit -n 64 && exec "$0" serve --state "$1" --listen 127.0.0.1:0 --interval 1h --no-safe-mode`
	s := &siege{process: w.serveAs("state", exec.Command("sh", "-c", script, w.bin, w.path("state")))}
	s.configure("", "")
	before := s.counts()
	first := s.dial(callerAt(1, 1), s.addr)
	if status, err := ask(first, "GET", "/"); status != 200 {
		t.Fatal(status, err)
	}
	var many []net.Conn
	for i := range 128 {
		c := s.dial(callerAt(2, 1+i%8), s.addr)
		_, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: "+abused+"\r\n\r\n")
		must(t, err)
		many = append(many, c)
	}
	s.await("no new connections for now")
	for range 50 {
		if status, err := ask(first, "GET", "/"); status != 200 {
			t.Fatalf("who was connected: %d %v\n%s", status, err, s.log())
		}
	}
	for _, c := range many {
		c.Close()
	}
	if err := s.probeFrom(callerAt(3, 1)); err != nil {
		t.Errorf("when there are descriptors again: %v", err)
	}
	if lines := s.logged("no new connections"); len(lines) != 1 {
		t.Errorf("%d lines:\n%s", len(lines), strings.Join(lines, "\n"))
	}
	if lines := s.logged(); len(lines) > 20 { // nobody else spins either
		t.Errorf("%d lines in the log:\n%s", len(lines), strings.Join(lines, "\n"))
	}
	first.Close()
	s.settles(before)
	s.stop()
}

// TestIntegrationAbuseDrain (F17): a node that is told to end while visitors
// read slowly gives each the whole answer.
func TestIntegrationAbuseDrain(t *testing.T) {
	t.Parallel()
	const size = 20 << 20
	s := besiege(t, behindTLS+"\n  trusted_proxies = [\"127.1.0.1\"]", "", size, tlsToo()...)
	var reading sync.WaitGroup
	began := make(chan struct{}, 4)
	for i, transport := range []http.RoundTripper{
		&http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return thirsty(callerAt(1, 1)).DialContext(ctx, network, s.addr)
		}},
		&http.Transport{TLSClientConfig: s.tls.Clone(), DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return callerAt(1, 2).DialContext(ctx, network, s.secure)
		}},
		&http.Transport{TLSClientConfig: s.tls.Clone(), ForceAttemptHTTP2: true, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return callerAt(1, 3).DialContext(ctx, network, s.secure)
		}},
	} {
		scheme := map[bool]string{true: "http", false: "https"}[i == 0]
		reading.Go(func() {
			client := http.Client{Transport: transport, Timeout: patience}
			resp, err := client.Get(scheme + "://" + abused + "/large.bin")
			began <- struct{}{}
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			tick := time.NewTicker(50 * time.Millisecond)
			defer tick.Stop()
			got := int64(0)
			for err == nil { // a hundred parts: five seconds
				var n int64
				n, err = io.CopyN(io.Discard, resp.Body, size/100)
				got += n
				<-tick.C
			}
			if got != size || err != io.EOF {
				t.Errorf("%s %s: %d of %d bytes: %v", scheme, resp.Proto, got, size, err)
			}
			t.Logf("%s %s: whole", scheme, resp.Proto)
		})
	}
	for range 3 {
		<-began
	}
	s.signal(syscall.SIGTERM)
	reading.Wait()
	s.mustEnd()
}
