package listen_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/fazt-sh/fazt/edge/listen"
)

const request = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"

// v2 is a header of version 2 that names a client.
func v2(client string) string {
	return written(proxyproto.HeaderProxyFromAddrs(2, tcp(addr(client)), tcp(addr(client))))
}

func written(h *proxyproto.Header) string {
	b, err := h.Format()
	if err != nil {
		panic(err)
	}
	return string(b)
}

// local is a header of version 2 of a proxy that speaks for itself.
func local() string {
	return written(&proxyproto.Header{Version: 2, Command: proxyproto.LOCAL, TransportProtocol: proxyproto.UNSPEC})
}

func unix() string {
	a := &net.UnixAddr{Name: "@", Net: "unix"}
	return written(proxyproto.HeaderProxyFromAddrs(2, a, a))
}

func withTLVs(client string) string {
	h := proxyproto.HeaderProxyFromAddrs(2, tcp(addr(client)), tcp(addr(client)))
	if err := h.SetTLVs([]proxyproto.TLV{{Type: proxyproto.PP2_TYPE_NOOP, Value: make([]byte, 3000)}}); err != nil {
		panic(err)
	}
	return written(h)
}

// served runs f in a bubble of virtual time with an http.Server behind a guard
// that trusts 10.0.0.0/8 for PROXY headers. The server answers with the address
// it sees; arrive is a connection from an address.
func served(t *testing.T, f func(t *testing.T, g *listen.Guard, arrive func(from string) net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		g := listen.NewGuard(listen.Caps{Total: 100, PerIP: 5, Trusted: prefixes("10.0.0.0/8"), ProxyProtocol: true}, nil)
		street := &street{make(chan net.Conn), make(chan struct{})}
		server := &http.Server{
			ReadHeaderTimeout: 5 * time.Second,
			IdleTimeout:       75 * time.Second,
			ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
			ConnState:         func(c net.Conn, s http.ConnState) { g.Idle(c, s == http.StateIdle) },
			Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.RemoteAddr) }),
		}
		ended := make(chan error)
		go func() { ended <- server.Serve(g.Guard(street, nil)) }()
		f(t, g, func(from string) net.Conn {
			near, far := net.Pipe()
			street.conns <- addressed{far, tcp(addr(from))}
			return near
		})
		_ = server.Close()
		<-ended
		synctest.Wait()
		(&house{Guard: g}).empty(t)
	})
}

// street is a listener in memory.
type street struct {
	conns chan net.Conn
	ended chan struct{}
}

func (s *street) Addr() net.Addr { return &net.TCPAddr{} }
func (s *street) Close() error   { close(s.ended); return nil }

func (s *street) Accept() (net.Conn, error) {
	select {
	case c := <-s.conns:
		return c, nil
	case <-s.ended:
		return nil, net.ErrClosed
	}
}

// A trusted peer's header names the client, and must be there; a stranger's is
// data.
func TestWhoTheClientIs(t *testing.T) {
	for _, c := range []struct {
		name, from, sent, want string // of the answer: its address, its status, or nothing
	}{
		{"version 1", "10.0.0.1", "PROXY TCP4 192.0.2.7 10.0.0.1 1234 80\r\n" + request, "192.0.2.7:1234"},
		{"version 1, IPv6", "10.0.0.1", "PROXY TCP6 2001:db8::7 2001:db8::1 1234 80\r\n" + request, "[2001:db8::7]:1234"},
		{"version 1, unknown", "10.0.0.1", "PROXY UNKNOWN\r\n" + request, "10.0.0.1:4711"},
		{"version 1, unknown with addresses", "10.0.0.1", "PROXY UNKNOWN 192.0.2.7 10.0.0.1 1234 80\r\n" + request, "10.0.0.1:4711"},
		{"version 2", "10.0.0.1", v2("192.0.2.7") + request, "192.0.2.7:4711"},
		{"version 2, IPv6", "10.0.0.1", v2("2001:db8::7") + request, "[2001:db8::7]:4711"},
		{"version 2, mapped", "10.0.0.1", v2("::ffff:192.0.2.7") + request, "192.0.2.7:4711"},
		{"version 2, longer than the buffer", "10.0.0.1", withTLVs("192.0.2.7") + request, "192.0.2.7:4711"},
		{"version 2, local", "10.0.0.1", local() + request, "10.0.0.1:4711"},
		{"version 2, local with addresses", "10.0.0.1", strings.Replace(v2("192.0.2.7"), "\x21", "\x20", 1) + request, "10.0.0.1:4711"},
		{"version 2, a unix socket", "10.0.0.1", unix() + request, "10.0.0.1:4711"},
		{"version 2, a proxy behind the proxy", "10.0.0.1", v2("10.0.0.2") + request, "10.0.0.2:4711"},
		{"a second header", "10.0.0.1", v2("192.0.2.7") + v2("192.0.2.8") + request, "400"},
		{"no header", "10.0.0.1", request, ""},
		{"no bytes", "10.0.0.1", "", ""},
		{"garbage", "10.0.0.1", "PROXY TCP4 nonsense\r\n" + request, ""},
		{"version 1 without an end", "10.0.0.1", "PROXY TCP4 " + strings.Repeat("1", 200), ""},
		{"version 2, no such family", "10.0.0.1", string(proxyproto.SIGV2) + "\x21\x13\x00\x0c" + strings.Repeat("x", 12) + request, ""},
		{"version 2, too long", "10.0.0.1", string(proxyproto.SIGV2) + "\x21\x11\xff\xff" + strings.Repeat("x", 70000), ""},
		{"half of version 2", "10.0.0.1", v2("192.0.2.7")[:20], ""},
		{"a stranger", "192.0.2.1", request, "192.0.2.1:4711"},
		{"a stranger's version 1", "192.0.2.1", "PROXY TCP4 192.0.2.7 10.0.0.1 1234 80\r\n" + request, "400"},
		{"a stranger's version 2", "192.0.2.1", v2("192.0.2.7") + request, "400"},
	} {
		t.Run(c.name, func(t *testing.T) {
			served(t, func(t *testing.T, g *listen.Guard, arrive func(string) net.Conn) {
				near := arrive(c.from)
				go io.WriteString(near, c.sent)
				answer, _ := io.ReadAll(near)
				_ = near.Close()
				if got := outcome(string(answer)); got != c.want {
					t.Errorf("%q, want %q", got, c.want)
				}
				if closed := g.Stats().RefusedProxy; (closed == 1) != (c.want == "") {
					t.Errorf("%d counted", closed)
				}
			})
		})
	}
}

func outcome(answer string) string {
	if _, body, ok := strings.Cut(answer, "\r\n\r\n"); ok && strings.HasPrefix(answer, "HTTP/1.1 200 ") {
		return body
	}
	if len(answer) > 12 {
		return answer[9:12]
	}
	return answer
}

// A header that does not come holds up nobody, and is not awaited for long.
func TestASlowHeader(t *testing.T) {
	served(t, func(t *testing.T, g *listen.Guard, arrive func(string) net.Conn) {
		var slow []net.Conn
		for i := range 10 {
			near := arrive("10.0.0.1")
			go io.WriteString(near, v2("192.0.2.7")[:i])
			slow = append(slow, near)
		}
		began := time.Now()
		near := arrive("10.0.0.1")
		go io.WriteString(near, v2("192.0.2.7")+request)
		answer, _ := io.ReadAll(near)
		if took := time.Since(began); took > 0 || outcome(string(answer)) != "192.0.2.7:4711" {
			t.Errorf("%q after %s", answer, took)
		}
		for _, near := range slow {
			_, _ = io.ReadAll(near)
			_ = near.Close()
		}
		if took := time.Since(began); took != 5*time.Second || g.Stats().RefusedProxy != 10 {
			t.Errorf("closed after %s: %+v", took, g.Stats())
		}
	})
}

// A header may come in pieces if it is of version 2; the deadline of reading
// on is net/http's own.
func TestAHeaderInPieces(t *testing.T) {
	served(t, func(t *testing.T, g *listen.Guard, arrive func(string) net.Conn) {
		near := arrive("10.0.0.1")
		go func() {
			for _, piece := range strings.SplitAfter(v2("192.0.2.7")+request, "") {
				_, _ = io.WriteString(near, piece)
			}
		}()
		if answer, _ := io.ReadAll(near); outcome(string(answer)) != "192.0.2.7:4711" {
			t.Errorf("%q", answer)
		}
		near = arrive("10.0.0.1")
		go io.WriteString(near, v2("192.0.2.7")+"GET / HTT")
		began := time.Now()
		_, _ = io.ReadAll(near)
		if took := time.Since(began); took != 5*time.Second || g.Stats().RefusedProxy != 0 {
			t.Errorf("half a request after a header was closed after %s: %+v", took, g.Stats())
		}
	})
}

// Who stands behind a proxy has the same share as who comes himself.
func TestAClientBehindAProxyHasAShare(t *testing.T) {
	served(t, func(t *testing.T, g *listen.Guard, arrive func(string) net.Conn) {
		come := func(from, header string) string {
			near := arrive(from)
			t.Cleanup(func() { near.Close() })
			go io.WriteString(near, header+"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
			b := make([]byte, 4096)
			n, _ := near.Read(b)
			synctest.Wait()
			return outcome(string(b[:n]))
		}
		var served int
		for i := range 8 {
			if come("10.0.0.1", v2("192.0.2.7")) != "" {
				served++
			}
			if got := come("10.0.0.1", v2(fmt.Sprintf("192.0.2.%d", 100+i))); got == "" {
				t.Error("somebody else was refused")
			}
		}
		if s := g.Stats(); served != 5 || s.RefusedIP != 3 || s.RefusedProxy != 0 || s.Open != 13 || s.Idle != 13 {
			t.Errorf("%d got in: %+v", served, s)
		}
		for range 8 {
			if come("10.0.0.1", v2("10.0.0.2")) == "" {
				t.Error("a proxy behind the proxy was refused")
			}
		}
	})
}

// A proxy that sends no header is told of, but not for each connection.
func TestABadProxyIsToldOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		h := &house{door: &door{}, Guard: listen.NewGuard(
			listen.Caps{Trusted: prefixes("10.0.0.0/8"), ProxyProtocol: true}, slog.New(slog.NewTextHandler(&log, nil)))}
		h.l = h.Guard.Guard(h.door, nil)
		come := func() {
			near, far := pipe(t, h, "10.0.0.1")
			go io.WriteString(far, request)
			if _, err := near.Read(make([]byte, 1)); err == nil {
				t.Error("read on after a bad header")
			}
			if got := near.RemoteAddr().String(); got != "10.0.0.1:4711" {
				t.Error(got)
			}
			_ = near.Close()
		}
		for range 10 {
			come()
		}
		time.Sleep(time.Minute) // of the bubble
		come()
		if n := strings.Count(log.String(), "PROXY header"); n != 2 || !strings.Contains(log.String(), "peer=10.0.0.1:4711") {
			t.Errorf("told %d times:\n%s", n, log.String())
		}
		h.empty(t)
	})
}

// Whatever a trusted peer sends, either its header names a client and what
// follows is handed on as it is, or not a byte is.
func FuzzProxyHeader(f *testing.F) {
	for _, s := range []string{
		"", request, "PROXY TCP4 192.0.2.7 10.0.0.1 1234 80\r\n" + request, "PROXY UNKNOWN\r\n", "PROXY TCP6 ::1 ::1 1 1\r\nx",
		v2("192.0.2.7") + request, v2("2001:db8::7"), local() + "x", unix(), withTLVs("192.0.2.7"),
		string(proxyproto.SIGV2) + "\x20\x00\x00\x00", string(proxyproto.SIGV2) + "\x21\x13\x00\x0cxxxxxxxxxxxx",
	} {
		f.Add([]byte(s), 1)
		f.Add([]byte(s), 4096)
	}
	f.Fuzz(func(t *testing.T, sent []byte, piece int) {
		h := newHouse(listen.Caps{PerIP: 1, Trusted: prefixes("10.0.0.0/8"), ProxyProtocol: true})
		raw := &script{fake: from(addr("10.0.0.1")), sent: sent, piece: max(piece, 1)}
		c := h.arrive(raw)
		client, err := netip.ParseAddrPort(c.RemoteAddr().String())
		if err != nil || !client.IsValid() {
			t.Fatalf("no address: %v", c.RemoteAddr())
		}
		rest, err := io.ReadAll(c)
		switch s := h.Stats(); {
		case s.RefusedProxy == 1:
			if err == nil || len(rest) > 0 || !raw.reset() || s.Open != 0 || client.Addr() != addr("10.0.0.1") {
				t.Fatalf("refused, and %q was read: %v, %+v", rest, err, s)
			}
		case err != nil || s.Open != 1 || raw.closed.Load() != 0:
			t.Fatalf("neither refused nor open: %v, %+v", err, s)
		case !bytes.HasSuffix(sent, rest) || len(rest) == len(sent):
			t.Fatalf("%q became %q", sent, rest)
		}
		_ = c.Close()
		h.empty(t)
	})
}

// script is a peer that sends something, in pieces, and ends.
type script struct {
	*fake
	sent  []byte
	piece int
}

func (s *script) SetReadDeadline(time.Time) error { return nil }

func (s *script) Read(p []byte) (int, error) {
	if len(s.sent) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.sent[:min(s.piece, len(s.sent))])
	s.sent = s.sent[n:]
	return n, nil
}
