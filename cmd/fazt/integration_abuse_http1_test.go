//go:build integration

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// trickle writes bytes of a body at a pace until there are n or the connection
// is gone, and returns how many it wrote.
func trickle(c io.Writer, n, each int, every time.Duration) (sent int) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for sent < n {
		if _, err := c.Write(make([]byte, each)); err != nil {
			return sent
		}
		sent += each
		<-tick.C
	}
	return sent
}

// TestIntegrationAbuseSlowPost (E2): a body that trickles ends the connection
// when its time is up.
func TestIntegrationAbuseSlowPost(t *testing.T) {
	t.Parallel()
	s := besiege(t, "", `body_timeout = "2s"; min_body_rate = "1KiB"`, 0)
	before := s.counts()
	var posts sync.WaitGroup
	for i := range 40 {
		posts.Go(func() {
			c := s.dial(callerAt(1, 1+i), s.addr)
			_, err := fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: 10000\r\n\r\n", abused)
			go trickle(c, 10_000, 1, 300*time.Millisecond)
			answer, closed := io.ReadAll(c)
			if closed != nil && !errors.Is(closed, syscall.ECONNRESET) {
				t.Errorf("not closed: %v %v", err, closed)
			}
			// Nothing here reads bodies, so the refusal is of the method.
			if text := string(answer); !strings.HasPrefix(text, "HTTP/1.1 405 ") && !strings.HasPrefix(text, "HTTP/1.1 408 ") {
				t.Errorf("%q", text)
			}
		})
	}
	posts.Wait()
	s.settles(before)
}

// thirsty dials with a receive buffer that takes next to nothing.
func thirsty(d *net.Dialer) *net.Dialer {
	d.Control = func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) {
			failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096)
		})
		return errors.Join(err, failed)
	}
	return d
}

// TestIntegrationAbuseSlowReaders (E3): those who ask for a large file and do
// not take it are cut, and hold next to no memory until then.
func TestIntegrationAbuseSlowReaders(t *testing.T) {
	t.Parallel()
	const size = 24 << 20
	for name, protocol := range map[string]string{"plain": "", "TLS": "http/1.1", "HTTP2": "h2"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := besiege(t, behindTLSIf(protocol != ""), `write_timeout = "2s"`, size, tlsToo()[:2*min(1, len(protocol))]...)
			before := s.counts()
			n := amount(200, 1000)
			var opening sync.WaitGroup
			for i := range 25 {
				opening.Go(func() {
					for range n / 25 {
						s.askLarge(thirsty(callerAt(1, 1+i)), protocol)
					}
				})
			}
			opening.Wait()
			if !t.Failed() {
				s.eventually("as many answers as questions", func(c counts) bool { return c.answers("2xx")+c.answers("cut") >= n })
				s.settles(before) // and none of them has read
			}
			s.bounded(before, 128)
			if sent := s.counts()["fazt_response_bytes_total"]; int(sent) >= n*size/2 {
				t.Errorf("%.0f MB were sent to those who read nothing", sent/(1<<20))
			}
		})
	}
}

func behindTLSIf(wanted bool) string {
	if wanted {
		return behindTLS
	}
	return ""
}

// askLarge asks for the large file and reads nothing of the answer.
func (s *siege) askLarge(d *net.Dialer, protocol string) {
	request := "GET /large.bin HTTP/1.1\r\nHost: " + abused + "\r\n\r\n"
	switch protocol {
	case "":
		if c, err := d.Dial("tcp", s.addr); err != nil {
			s.w.t.Error(err)
		} else {
			s.w.t.Cleanup(func() { c.Close() })
			_, _ = io.WriteString(c, request)
		}
	case "h2":
		c, err := s.h2(d, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30})
		if err != nil {
			s.w.t.Error(err)
			return
		}
		_ = c.WriteWindowUpdate(0, 1<<30)
		_ = c.get(1, "/large.bin")
	default:
		c, err := s.encrypted(d, protocol)
		if err != nil {
			s.w.t.Error(err)
			return
		}
		_, _ = io.WriteString(c, request)
	}
}

// TestIntegrationAbuseHeaderBombs (E12): more header than there may be is 431,
// or a path too long 414, and the connection is closed.
func TestIntegrationAbuseHeaderBombs(t *testing.T) {
	t.Parallel()
	s := besiege(t, "", "", 0)
	before := s.counts()
	for name, c := range map[string]struct {
		target, header string
		status         int
	}{
		"20,000 headers":  {"/", strings.Repeat("A: b\r\n", 20_000), 431},
		"101 headers":     {"/", strings.Repeat("A: b\r\n", 101), 431},
		"one large":       {"/", "A: " + strings.Repeat("b", 1<<20) + "\r\n", 431},
		"4,000 cookies":   {"/", "Cookie: " + strings.Repeat("a=b; ", 4000) + "a=b\r\n", 431},
		"10,000 keys":     {"/?" + strings.Repeat("a&", 3_000) + "a", "", 400},
		"a long address":  {"/" + strings.Repeat("a", 9<<10), "", 414},
		"a longer one":    {"/" + strings.Repeat("a", 64<<10), "", 431},
		"a short request": {"/", "", 200},
	} {
		conn := s.dial(callerAt(1, 1), s.addr)
		go fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n", c.target, abused, c.header)
		r := bufio.NewReader(conn)
		resp, err := http.ReadResponse(r, nil)
		if err != nil || resp.StatusCode != c.status {
			t.Errorf("%s: %v %v, want %d", name, resp, err, c.status)
			continue
		}
		_, _ = io.Copy(io.Discard, r) // to the end of the connection
	}
	s.settles(before)
	s.bounded(before, 64)
}

// TestIntegrationAbusePreface (E17): HTTP/2 is not spoken in clear.
func TestIntegrationAbusePreface(t *testing.T) {
	t.Parallel()
	s := besiege(t, "", "", 0)
	before := s.counts()
	for _, hello := range []string{
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
		"GET / HTTP/1.1\r\nHost: " + abused + "\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
	} {
		c := s.dial(callerAt(1, 1), s.addr)
		_, err := io.WriteString(c, hello)
		must(t, err)
		answer, err := io.ReadAll(c) // the connection must end
		if err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%.10q: not closed: %v", hello, err)
		}
		if text := string(answer); !strings.HasPrefix(text, "HTTP/1.1 ") || strings.HasPrefix(text, "HTTP/1.1 101") {
			t.Errorf("%.10q: %.60q", hello, text)
		}
		t.Logf("%.10q: %.40q", hello, answer)
	}
	s.settles(before)
}

// TestIntegrationAbuseRefusalReachesNoApp: a client that asks too much is
// refused before an app is looked for, and costs the app nothing.
func TestIntegrationAbuseRefusalReachesNoApp(t *testing.T) {
	t.Parallel()
	s := besiege(t, "", "requests_per_ip = { rate = 1, burst = 20 }", 0, "--access-log", "access.log")
	c := s.dial(callerAt(1, 1), s.addr)
	answers := map[int]int{}
	for range 200 {
		status, err := ask(c, "GET", "/")
		must(t, err)
		answers[status]++
	}
	if sent := s.counts()[`fazt_app_egress_month_bytes{app="a"}`]; int(sent) != answers[200]*len("here") {
		t.Errorf("the app has sent %v bytes in %d answers", sent, answers[200])
	}
	s.stop()
	f, err := os.Open(s.w.path("access.log"))
	must(t, err)
	defer f.Close()
	logged := map[int]int{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var line struct {
			Status int
			App    string
		}
		must(t, json.Unmarshal(lines.Bytes(), &line))
		logged[line.Status]++
		if (line.App != "") != (line.Status == 200) {
			t.Errorf("%s", lines.Text())
		}
	}
	if answers[429] == 0 || logged[429] != answers[429] || logged[200] != answers[200] {
		t.Errorf("%v answered, %v logged", answers, logged)
	}
}
