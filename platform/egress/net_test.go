package egress_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fazt-sh/fazt/platform/egress"
	"github.com/fazt-sh/fazt/platform/fault"
)

// internet is a world of names and public addresses with servers of the test
// behind them. What it does not know resolves to loopback and is connected to
// for real, where a canary listens.
type internet struct {
	t      testing.TB
	canary *canary

	mu     sync.Mutex
	names  map[string][]netip.Addr
	routes map[netip.AddrPort]string
	roots  *x509.CertPool
	dials  atomic.Int64
	next   byte
}

func newInternet(t testing.TB) *internet {
	return &internet{t: t, canary: newCanary(t), names: map[string][]netip.Addr{}, routes: map[netip.AddrPort]string{}, roots: x509.NewCertPool()}
}

// serve puts a handler behind a name, on ports 80 and 443.
func (i *internet) serve(name string, h http.HandlerFunc) { i.t.Helper(); i.serveWith(name, h, true) }

func (i *internet) serveWith(name string, h http.HandlerFunc, http2 bool) {
	i.t.Helper()
	plain, secure := httptest.NewServer(h), httptest.NewUnstartedServer(h)
	secure.EnableHTTP2, secure.Config.ErrorLog = http2, log.New(io.Discard, "", 0)
	secure.StartTLS()
	i.t.Cleanup(plain.Close)
	i.t.Cleanup(secure.Close)
	i.roots.AddCert(secure.Certificate())
	i.mu.Lock()
	defer i.mu.Unlock()
	i.next++
	addr := netip.AddrFrom4([4]byte{93, 184, 216, i.next})
	i.names[name] = []netip.Addr{addr}
	i.routes[netip.AddrPortFrom(addr, 80)] = plain.Listener.Addr().String()
	i.routes[netip.AddrPortFrom(addr, 443)] = secure.Listener.Addr().String()
}

// listen puts a raw listener behind a name, on port 80.
func (i *internet) listen(name string, handle func(net.Conn)) {
	i.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer conn.Close(); handle(conn) }()
		}
	}()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.next++
	addr := netip.AddrFrom4([4]byte{93, 184, 216, i.next})
	i.names[name], i.routes[netip.AddrPortFrom(addr, 80)] = []netip.Addr{addr}, l.Addr().String()
}

func (i *internet) lookup(_ context.Context, host string) ([]netip.Addr, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if a, ok := i.names[host[:len(host)-1]]; ok {
		return a, nil
	}
	return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
}

func (i *internet) dial(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	i.dials.Add(1)
	i.mu.Lock()
	to, known := i.routes[addr]
	i.mu.Unlock()
	if !known {
		to = addr.String()
	}
	return new(net.Dialer).DialContext(ctx, "tcp", to)
}

func (i *internet) client(c egress.Config) *egress.Client {
	i.t.Helper()
	if c.Lookup == nil {
		c.Lookup = i.lookup
	}
	c.Dial, c.Roots = i.dial, i.roots
	client, err := egress.New(c)
	if err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(client.Close)
	return client
}

// canary is a server on loopback that nobody may reach.
type canary struct {
	port int
	hits atomic.Int64
}

func newCanary(t testing.TB) *canary {
	c := &canary{}
	for _, addr := range []string{"127.0.0.1:0", "[::1]:" + "0"} {
		if c.port != 0 {
			addr = net.JoinHostPort("::1", strconv.Itoa(c.port))
		}
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue // no IPv6 here
		}
		c.port = l.Addr().(*net.TCPAddr).Port
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				c.hits.Add(1)
				conn.Close()
			}
		}()
	}
	return c
}

func get(t testing.TB, address string) *http.Request {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Request{Method: http.MethodGet, URL: u, Header: http.Header{}}
}

// wantCode checks kind and code of a refusal.
func wantCode(t testing.TB, err error, kind fault.Kind, code string) {
	t.Helper()
	if got := fault.KindOf(err); got != kind || codeOf(err) != code {
		t.Errorf("got %s %q (%v), want %s %q", got, codeOf(err), err, kind, code)
	}
}

func codeOf(err error) string {
	if f, ok := err.(*fault.Error); ok {
		return f.Code
	}
	return fmt.Sprintf("%T", err)
}
