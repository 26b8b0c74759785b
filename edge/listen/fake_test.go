package listen_test

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/fazt-sh/fazt/edge/listen"
)

// fake is a connection that only has an address and an end.
type fake struct {
	net.Conn
	from   net.Addr
	linger int
	closed atomic.Int32
}

func (f *fake) RemoteAddr() net.Addr        { return f.from }
func (f *fake) SetLinger(seconds int) error { f.linger = seconds; return nil }
func (f *fake) Close() error                { f.closed.Add(1); return nil }
func (f *fake) reset() bool                 { return f.closed.Load() == 1 && f.linger == 0 }
func from(addr netip.Addr) *fake            { return &fake{from: tcp(addr), linger: -1} }
func tcp(addr netip.Addr) *net.TCPAddr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr, 4711))
}
func addr(s string) netip.Addr               { return netip.MustParseAddr(s) }
func prefixes(list ...string) []netip.Prefix { return parsed(list) }

func parsed(list []string) (all []netip.Prefix) {
	for _, s := range list {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}

// door is a listener at which one connection after the other arrives; when
// there is none, it is closed.
type door struct{ next net.Conn }

func (d *door) Accept() (net.Conn, error) {
	c := d.next
	if d.next = nil; c == nil {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (d *door) Close() error   { return nil }
func (d *door) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

// house is a guard with one door.
type house struct {
	*listen.Guard
	door *door
	l    net.Listener
}

func newHouse(c listen.Caps) *house {
	h := &house{Guard: listen.NewGuard(c, nil), door: &door{}}
	h.l = h.Guard.Guard(h.door, nil)
	return h
}

// arrive lets a connection come; nil is refused.
func (h *house) arrive(c net.Conn) net.Conn {
	h.door.next = c
	in, err := h.l.Accept()
	if err != nil {
		return nil
	}
	return in
}

// arriveAll lets one connection of each address come and returns those that
// got in.
func (h *house) arriveAll(t *testing.T, addrs []netip.Addr) (in []net.Conn) {
	t.Helper()
	for _, a := range addrs {
		f := from(a)
		if c := h.arrive(f); c != nil {
			in = append(in, c)
		} else if !f.reset() {
			t.Errorf("%s was refused with linger %d and closed %d times", a, f.linger, f.closed.Load())
		}
	}
	return in
}

// empty checks that a guard whose connections are gone counts none.
func (h *house) empty(t *testing.T) {
	t.Helper()
	if s := h.Stats(); s.Open != 0 || s.Idle != 0 || s.Trusted != 0 || s.Networks != 0 {
		t.Errorf("%+v are left", s)
	}
}
