package limit_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/edge/limit"
)

func usual() limit.Bounds {
	return limit.Bounds{Size: 200 << 20, Time: 30 * time.Second, Rate: 1 << 10}
}

// network is a listener in memory, for the laws that are about time.
type network struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (n *network) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }
func (n *network) Close() error   { close(n.closed); return nil }

func (n *network) Accept() (net.Conn, error) {
	select {
	case c := <-n.conns:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

func (n *network) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	n.conns <- there
	return here, nil
}

// post sends a body to a handler behind net/http in a bubble of virtual time,
// over HTTP/1 or HTTP/2, and returns the answer and how long it took.
func post(t *testing.T, protocol string, bounds limit.Bounds, body io.Reader, size int64, h func(http.ResponseWriter, *http.Request) error) (answer string, took time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := &network{make(chan net.Conn), make(chan struct{})}
		protocols := new(http.Protocols)
		protocols.SetHTTP1(protocol == "HTTP/1")
		protocols.SetUnencryptedHTTP2(protocol == "HTTP/2")
		server := &http.Server{Protocols: protocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b := limit.NewBody(w, r.Body, bounds)
			defer func() { r.Body = b.Release() }()
			r.Body = b
			if err := h(w, r); err != nil {
				w.WriteHeader(statusOf(err))
			}
		})}
		ended := make(chan error)
		go func() { ended <- server.Serve(n) }()

		transport := &http.Transport{Protocols: protocols, DialContext: n.dial}
		r, err := http.NewRequest("POST", "http://a.test/", body)
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = size
		began := time.Now()
		response, err := transport.RoundTrip(r)
		took = time.Since(began)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(response.Body)
		answer = strings.TrimSpace(fmt.Sprintf("%d %s", response.StatusCode, text))
		if response.Close {
			answer += " (close)"
		}
		response.Body.Close()
		transport.CloseIdleConnections()
		server.Close()
		<-ended
		time.Sleep(2 * time.Hour) // virtual: until the sender sees that nobody listens
	})
	return answer, took
}

func statusOf(err error) int {
	var large *http.MaxBytesError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return http.StatusRequestTimeout
	case errors.As(err, &large):
		return http.StatusRequestEntityTooLarge
	default:
		return http.StatusInternalServerError
	}
}

// count answers with the length of the body.
func count(w http.ResponseWriter, r *http.Request) error {
	n, err := io.Copy(io.Discard, r.Body)
	if err == nil {
		fmt.Fprint(w, n)
	}
	return err
}

// sender sends parts of a body with a pause before each.
type sender struct {
	part  int
	every time.Duration
	left  int
	ready int // of the part
}

func (s *sender) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	if s.ready == 0 {
		time.Sleep(s.every)
		s.ready = min(s.part, s.left)
	}
	n := min(s.ready, len(p))
	s.ready -= n
	s.left -= n
	return n, nil
}

func TestSlowBodies(t *testing.T) {
	for name, c := range map[string]struct {
		sender
		answer    string
		from, til time.Duration
	}{
		"one byte in three seconds":   {sender{part: 1, every: 3 * time.Second, left: 1000}, "408", 30 * time.Second, 35 * time.Second},
		"silence":                     {sender{part: 1, every: time.Hour, left: 1}, "408", 30 * time.Second, 35 * time.Second},
		"100 MB at 50 KB/s":           {sender{part: 25_000, every: time.Second / 2, left: 100 * megabyte}, "200 100000000", 2000 * time.Second, 2001 * time.Second},
		"the least rate":              {sender{part: 1 << 10, every: time.Second, left: 1 << 20}, "200 1048576", 1024 * time.Second, 1025 * time.Second},
		"the least rate, in bursts":   {sender{part: 20 << 10, every: 20 * time.Second, left: 1 << 20}, "200 1048576", 1040 * time.Second, 1041 * time.Second},
		"half the least rate":         {sender{part: 512, every: time.Second, left: 1 << 20}, "408", 55 * time.Second, 65 * time.Second},
		"small and short of the time": {sender{part: 1, every: 29 * time.Second, left: 1}, "200 1", 29 * time.Second, 30 * time.Second},
	} {
		for _, protocol := range []string{"HTTP/1", "HTTP/2"} {
			t.Run(protocol+", "+name, func(t *testing.T) {
				body := c.sender
				answer, took := post(t, protocol, usual(), &body, int64(body.left), count)
				answer = strings.TrimSuffix(answer, " (close)")
				if answer != c.answer || took < c.from || took > c.til {
					t.Errorf("%s after %s, want %s from %s to %s", answer, took, c.answer, c.from, c.til)
				}
			})
		}
	}
}

// Ten megabytes in no time are no credit for ten thousand seconds.
func TestHasteBuysNoIdleness(t *testing.T) {
	for _, protocol := range []string{"HTTP/1", "HTTP/2"} {
		body := io.MultiReader(io.LimitReader(zeros{}, 10<<20), &sender{part: 1, every: time.Hour, left: 1})
		if answer, took := post(t, protocol, usual(), body, 10<<20+1, count); !strings.HasPrefix(answer, "408") || took > 35*time.Second {
			t.Errorf("%s: %s after %s", protocol, answer, took)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestLargeBodies(t *testing.T) {
	for size, want := range map[int64]string{100: "200 100", 101: "413 (close)"} {
		for _, length := range []int64{size, -1} {
			answer, _ := post(t, "HTTP/1", limit.Bounds{Size: 100, Time: time.Second}, io.LimitReader(zeros{}, size), length, count)
			if answer != want {
				t.Errorf("%d bytes: %s, want %s", size, answer, want)
			}
		}
	}
	if answer, _ := post(t, "HTTP/1", limit.Bounds{}, io.LimitReader(zeros{}, 10<<20), -1, count); answer != "200 10485760" {
		t.Errorf("without bounds: %s", answer)
	}
}

// Without a least rate the whole body has its time and no more.
func TestNoRateEndsABodyAtItsTime(t *testing.T) {
	bounds := usual()
	bounds.Rate = 0
	for size, want := range map[int]string{29_000: "200 29000", 60_000: "408 (close)"} {
		answer, took := post(t, "HTTP/1", bounds, &sender{part: 1000, every: time.Second, left: size}, int64(size), count)
		if answer != want || took > 31*time.Second {
			t.Errorf("%s after %s, want %s", answer, took, want)
		}
	}
}

// The time that a handler takes is not the client's.
func TestAHandlerMayTakeItsTime(t *testing.T) {
	answer, _ := post(t, "HTTP/1", usual(), &sender{part: 1, every: 10 * time.Second, left: 2}, 2, func(w http.ResponseWriter, r *http.Request) error {
		time.Sleep(time.Minute)
		if _, err := io.ReadFull(r.Body, make([]byte, 1)); err != nil {
			return err
		}
		time.Sleep(time.Minute)
		return count(w, r)
	})
	if answer != "200 1" {
		t.Error(answer)
	}
}

// With the end of the body, or of the interest in it, the deadline is gone: a
// request may go on for as long as it likes.
func TestTheDeadlineEndsWithTheBody(t *testing.T) {
	for name, end := range map[string]func(r *http.Request) error{
		"read":   func(r *http.Request) error { _, err := io.ReadAll(r.Body); return err },
		"closed": func(r *http.Request) error { return r.Body.Close() },
	} {
		for _, protocol := range []string{"HTTP/1", "HTTP/2"} {
			answer, _ := post(t, protocol, usual(), strings.NewReader("body"), 4, func(w http.ResponseWriter, r *http.Request) error {
				if err := end(r); err != nil {
					return err
				}
				select {
				case <-time.After(10 * time.Minute):
				case <-r.Context().Done():
				}
				return r.Context().Err()
			})
			if answer != "200" {
				t.Errorf("%s, %s: %s", protocol, name, answer)
			}
		}
	}
}

// What a handler leaves is read under the deadline as well.
func TestABodyThatIsLeftHasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{make(chan net.Conn), make(chan struct{})}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b := limit.NewBody(w, r.Body, usual())
			r.Body = b
			r.Body = b.Release()
		})}
		go server.Serve(n)
		c, _ := n.dial(t.Context(), "", "")
		go io.WriteString(c, "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000\r\n\r\nbut")
		began := time.Now()
		_, _ = io.Copy(io.Discard, bufio.NewReader(c))
		if took := time.Since(began); took > 35*time.Second {
			t.Errorf("the connection was closed after %s", took)
		}
		c.Close()
		server.Close()
	})
}

// connection is a ResponseWriter that remembers the deadlines it was set.
type connection struct {
	http.ResponseWriter
	deadlines []time.Time
}

func (c *connection) SetReadDeadline(t time.Time) error {
	c.deadlines = append(c.deadlines, t)
	return nil
}

// When its handler has returned, a body that somebody still holds does nothing
// to the connection, which has another request's deadlines by then.
func TestAReleasedBodySetsNoDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &connection{ResponseWriter: httptest.NewRecorder()}
		given := io.NopCloser(strings.NewReader("body"))
		b := limit.NewBody(c, given, usual())
		if b.Release() != given {
			t.Error("it gives another body back")
		}
		time.Sleep(time.Hour)
		_, _ = io.ReadAll(b)
		_ = b.Close()
		if n := len(c.deadlines); n != 1 {
			t.Errorf("%d deadlines were set", n)
		}
	})
}

// A long body sets few deadlines.
func TestDeadlinesAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &connection{ResponseWriter: httptest.NewRecorder()}
		b := limit.NewBody(c, io.NopCloser(&sender{part: 1000, every: 10 * time.Millisecond, left: 1_000_000}), usual())
		if n, err := io.Copy(io.Discard, b); n != 1_000_000 || err != nil {
			t.Fatal(n, err)
		}
		if n := len(c.deadlines); n > 13 { // ten seconds
			t.Errorf("%d deadlines were set", n)
		}
	})
}

func TestABodyWithoutAConnection(t *testing.T) {
	b := limit.NewBody(httptest.NewRecorder(), io.NopCloser(strings.NewReader("body")), usual())
	if text, err := io.ReadAll(b); string(text) != "body" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

// part of a body arrives after a pause.
type part struct {
	pause time.Duration
	bytes int
}

// pipe gives parts of a body under the deadline of its connection.
type pipe struct {
	connection
	parts []part
}

func (p *pipe) Close() error { return nil }

func (p *pipe) Read([]byte) (int, error) {
	if len(p.parts) == 0 {
		return 0, io.EOF
	}
	next := p.parts[0]
	p.parts = p.parts[1:]
	if left := time.Until(p.deadlines[len(p.deadlines)-1]); next.pause > left {
		time.Sleep(left)
		return 0, os.ErrDeadlineExceeded
	}
	time.Sleep(next.pause)
	return next.bytes, nil
}

// A body is cut exactly if there is a stretch of it, from its beginning or some
// part of it to the wait for another, that took longer than the time and what
// its bytes take at the rate; give or take the part by which deadlines are late.
func TestTheRateIsRolling(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		bounds := limit.Bounds{Time: 32 * time.Second, Rate: 1000}
		const late = time.Second // a 32nd
		parts := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) part {
			return part{time.Duration(rapid.IntRange(0, 40_000).Draw(t, "ms")) * time.Millisecond, rapid.IntRange(1, 60_000).Draw(t, "bytes")}
		}), 1, 20).Draw(rt, "parts")
		worst := -bounds.Time
		for from := range parts {
			over := -bounds.Time
			for _, p := range parts[from:] {
				over += p.pause
				worst = max(worst, over)
				over -= time.Duration(p.bytes) * time.Millisecond // at the rate
			}
		}
		var err error
		synctest.Test(t, func(*testing.T) {
			p := &pipe{connection{ResponseWriter: httptest.NewRecorder()}, parts}
			_, err = io.Copy(io.Discard, limit.NewBody(p, p, bounds))
		})
		switch cut := errors.Is(err, os.ErrDeadlineExceeded); {
		case cut && worst <= 0:
			rt.Fatalf("cut, although nothing was late (%s)", -worst)
		case !cut && (worst > late || err != nil):
			rt.Fatalf("not cut %s after the end of the credit: %v", worst, err)
		}
	})
}
