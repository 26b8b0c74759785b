//go:build integration

// The abuse tests send a node what nobody means well: connections that stand
// still, floods, frames out of order. Each holds the node to a count or to an
// end (a connection closed, a request answered, memory bounded) and to serving
// the others meanwhile. Times are printed and never judged. Everything stays on
// the loopback, where each address of 127.0.0.0/8 is a client of its own.
// FAZT_ABUSE=all sends as much as somebody would who means it.

package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// siege is a node under test.
type siege struct {
	*process
	secure string // address of TLS, empty where there is none
	tls    *tls.Config
}

// besiege starts a node with one app, a.localhost: of one small page, and of
// large.bin where that is asked for. The configuration is what goes into the
// blocks edge and limits.
func besiege(t *testing.T, edge, limits string, large int64, args ...string) *siege {
	t.Helper()
	w := newPlainWorld(t)
	w.write(map[string]string{"site/www/index.html": "here"})
	if large > 0 {
		w.write(map[string]string{"site/www/large.bin": ""})
		must(t, os.Truncate(w.path("site/www/large.bin"), large))
	}
	s := &siege{process: w.serve("state", args...)}
	s.configure(edge, limits)
	if addrs := s.logged("msg=serving"); len(addrs) > 1 {
		s.secure = attr(addrs[1], "addr")
		s.await("certificate issued")
		root, err := os.ReadFile(w.path("state/cert/internal/root.crt"))
		must(t, err)
		s.tls = &tls.Config{RootCAs: x509.NewCertPool(), ServerName: abused}
		s.tls.RootCAs.AppendCertsFromPEM(root)
		s.eventually("the certificate in use", func(counts) bool { return s.probeFrom(callerAt(3, 1)) == nil })
	}
	return s
}

// abused is the host of the app.
const abused = "a.localhost"

// behindTLS are the flags and the setting of a node that has both addresses.
const behindTLS = `tls = { mode = "internal" }`

func tlsToo() []string { return []string{"--listen-tls", "127.0.0.1:0"} }

// configure applies other settings.
func (s *siege) configure(edge, limits string) {
	s.w.t.Helper()
	s.w.write(map[string]string{"site/fazt.hcl": fmt.Sprintf(
		"edge {\n  domain = \"localhost\"\n  %s\n}\nlimits {\n  %s\n}\napp \"a\" {\n  content = \"www\"\n}\n",
		edge, strings.ReplaceAll(limits, "; ", "\n  "))})
	s.w.want(0, "", "apply", s.w.path("site"), "--yes", "--state", s.state)
}

// amount is a count in the short form, and in the long one.
func amount(short, long int) int {
	if os.Getenv("FAZT_ABUSE") == "all" {
		return long
	}
	return short
}

// callerAt dials from an address of its own in 127.0.0.0/8.
func callerAt(network, host int) *net.Dialer {
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, byte(network), byte(host>>8), byte(host))}}
}

// dial opens a connection to one of the node's addresses.
func (s *siege) dial(d *net.Dialer, addr string) net.Conn {
	s.w.t.Helper()
	c, err := d.Dial("tcp", addr)
	must(s.w.t, err)
	s.w.t.Cleanup(func() { c.Close() })
	must(s.w.t, c.SetDeadline(time.Now().Add(patience)))
	return c
}

// encrypted opens one with TLS that speaks a protocol.
func (s *siege) encrypted(d *net.Dialer, protocol string) (*tls.Conn, error) {
	raw, err := d.Dial("tcp", s.secure)
	if err != nil {
		return nil, err
	}
	s.w.t.Cleanup(func() { raw.Close() })
	_ = raw.SetDeadline(time.Now().Add(patience))
	config := s.tls.Clone()
	config.NextProtos = []string{protocol}
	c := tls.Client(raw, config)
	return c, c.Handshake()
}

// counts are what the node counts: /metrics by name and label.
type counts map[string]float64

func (s *siege) counts() counts {
	s.w.t.Helper()
	token, err := os.ReadFile(s.w.path("state/run/token"))
	must(s.w.t, err)
	r, err := http.NewRequest(http.MethodGet, s.control+"/metrics", nil)
	must(s.w.t, err)
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	resp, err := http.DefaultClient.Do(r)
	must(s.w.t, err)
	defer resp.Body.Close()
	all := counts{}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		all[name], _ = strconv.ParseFloat(value, 64)
	}
	return all
}

func (c counts) open() int                { return int(c["fazt_connections_open"]) }
func (c counts) goroutines() int          { return int(c["go_goroutines"]) }
func (c counts) refused(layer string) int { return int(c[`fazt_refused_total{layer="`+layer+`"}`]) }
func (c counts) answers(class string) int { return int(c[`fazt_requests_total{class="`+class+`"}`]) }
func (c counts) turned(reason string) int {
	return int(c[`fazt_connections_refused_total{reason="`+reason+`"}`])
}
func (c counts) peak() (megabytes float64) {
	return c["process_resident_memory_peak_bytes"] / (1 << 20)
}
func (c counts) resident() float64 { return c["process_resident_memory_bytes"] / (1 << 20) }

// eventually waits for the node's counts to be so.
func (s *siege) eventually(what string, so func(counts) bool) {
	s.w.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		c := s.counts()
		if so(c) {
			return
		}
		if time.Now().After(end) {
			s.w.t.Fatalf("never %s: %d connections, %d goroutines\n%s", what, c.open(), c.goroutines(), s.log())
		}
	}
}

// settles waits until nobody is connected and the goroutines of visitors ended.
func (s *siege) settles(before counts) {
	s.w.t.Helper()
	s.eventually("at rest again", func(c counts) bool { return c.open() == 0 && c.goroutines() <= before.goroutines()+10 })
}

// bounded fails the test if the node took much more memory than before.
func (s *siege) bounded(before counts, megabytes float64) {
	s.w.t.Helper()
	more := s.counts().peak() - before.resident()
	s.w.t.Logf("resident memory: %.0f MB before, at most %.0f MB more", before.resident(), more)
	if more > megabytes {
		s.w.t.Errorf("%.0f MB more than before, want at most %.0f", more, megabytes)
	}
}

// ask is a request over a connection of HTTP/1, and its answer's status.
func ask(c net.Conn, method, path string, header ...string) (int, error) {
	lines := strings.Join(append([]string{method + " " + path + " HTTP/1.1", "Host: " + abused}, header...), "\r\n")
	if _, err := io.WriteString(c, lines+"\r\n\r\n"); err != nil {
		return 0, err
	}
	return answered(c)
}

// answered reads one answer.
func answered(c net.Conn) (int, error) {
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// ends is how a connection ended.
type ends int

const (
	endReset  ends = iota // refused, or thrown out
	endClosed             // in order
	endOther
)

// endOf reads a connection to its end.
func endOf(c net.Conn) (ends, int64) {
	n, err := io.Copy(io.Discard, c)
	switch {
	case err == nil:
		return endClosed, n
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return endReset, n
	default:
		return endOther, n
	}
}
