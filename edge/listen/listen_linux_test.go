package listen_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"

	"github.com/fazt-sh/fazt/edge/listen"
)

func listening(t *testing.T) net.Listener {
	t.Helper()
	l, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func option(t *testing.T, raw syscall.RawConn, level, name int) (value int) {
	t.Helper()
	var err error
	if e := raw.Control(func(fd uintptr) { value, err = syscall.GetsockoptInt(int(fd), level, name) }); e != nil || err != nil {
		t.Fatal(e, err)
	}
	return value
}

func TestTheKernelKeepsWhoSaysNothing(t *testing.T) {
	raw, err := listening(t).(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if option(t, raw, syscall.IPPROTO_TCP, syscall.TCP_DEFER_ACCEPT) == 0 {
		t.Error("TCP_DEFER_ACCEPT is not set")
	}
}

// An address without a host is one socket for both families. The test looks at
// the socket before it is bound, and then gives it up.
func TestNoHostIsBothFamilies(t *testing.T) {
	if l, err := net.Listen("tcp6", "[::1]:0"); err != nil {
		t.Skip("a machine without IPv6")
	} else {
		l.Close()
	}
	enough := errors.New("enough")
	config := net.ListenConfig{Control: func(network, address string, raw syscall.RawConn) error {
		if network != "tcp6" || option(t, raw, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY) != 0 {
			t.Errorf("%s %s is for one family", network, address)
		}
		return errors.Join(listen.Deferred(network, address, raw), enough)
	}}
	if _, err := config.Listen(context.Background(), "tcp", ":80"); !errors.Is(err, enough) {
		t.Error(err)
	}
}

// visit is a request from one address of this machine on a connection that
// stays, which is nil if it was reset.
func visit(t *testing.T, to net.Addr, as string) net.Conn {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(as)}}
	c, err := dialer.DialContext(t.Context(), "tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
	if err == nil {
		_, err = c.Read(make([]byte, 1024))
	}
	if err == nil {
		return c
	}
	if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		t.Errorf("%s was refused with %v, want a reset", as, err)
	}
	return nil
}

// On real sockets: the fifty-first connection of an address is reset, somebody
// else is served, and a place that comes free is taken.
func TestTheFiftyFirstIsReset(t *testing.T) {
	g := listen.NewGuard(listen.Caps{Total: 1000, PerIP: 50}, nil)
	l := listening(t)
	server := &http.Server{
		Handler:   http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}),
		ConnState: func(c net.Conn, s http.ConnState) { g.Idle(c, s == http.StateIdle) },
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(g.Guard(l, nil)) })
	defer serving.Wait()
	defer server.Close()

	var first net.Conn
	for i := range 50 {
		c := visit(t, l.Addr(), "127.3.2.1")
		if c == nil {
			t.Fatalf("connection %d was refused", i+1)
		}
		if first == nil {
			first = c
		}
	}
	for range 10 {
		if visit(t, l.Addr(), "127.3.2.1") != nil {
			t.Error("the fifty-first was served")
		}
	}
	if visit(t, l.Addr(), "127.3.2.2") == nil {
		t.Error("another address was refused")
	}
	if s := g.Stats(); s.Open != 51 || s.RefusedIP != 10 || s.Networks != 2 {
		t.Errorf("%+v", s)
	}
	_ = first.Close()
	for range 1000 { // until the server has seen the end
		if visit(t, l.Addr(), "127.3.2.1") != nil {
			return
		}
	}
	t.Error("the place of one that left is not free")
}
