package listen_test

import (
	"crypto/tls"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/fazt-sh/fazt/edge/listen"
)

func times(n int, s string) []netip.Addr { return slices.Repeat([]netip.Addr{addr(s)}, n) }

// hosts are n addresses of the /64 at s.
func hosts(n int, s string) (all []netip.Addr) {
	for i := range n {
		a := addr(s).As16()
		binary.BigEndian.PutUint64(a[8:], uint64(i+1))
		all = append(all, netip.AddrFrom16(a))
	}
	return all
}

// networks are addresses in n consecutive /64s from the one at s.
func networks(n int, s string) (all []netip.Addr) {
	for i := range n {
		a := addr(s).As16()
		binary.BigEndian.PutUint64(a[:8], binary.BigEndian.Uint64(a[:8])+uint64(i))
		all = append(all, netip.AddrFrom16(a))
	}
	return all
}

// Nobody has more than a share, however many addresses they have of a network;
// what is refused is reset before anybody sees it, and what ends counts no more.
func TestNobodyHasMoreThanAShare(t *testing.T) {
	for _, c := range []struct {
		name       string
		from       []netip.Addr
		prefix     int
		in         int
		ip, around uint64
	}{
		{"an IPv4 address", times(60, "192.0.2.1"), 0, 50, 10, 0},
		{"two IPv4 addresses", append(times(60, "192.0.2.1"), times(60, "192.0.2.2")...), 0, 100, 20, 0},
		{"the same address as IPv6", append(times(30, "192.0.2.1"), times(30, "::ffff:192.0.2.1")...), 0, 50, 10, 0},
		{"an IPv6 address in two zones", append(times(30, "fe80::1%a"), times(30, "fe80::1%b")...), 0, 50, 10, 0},
		{"addresses of a /64", hosts(60, "2001:db8::"), 0, 50, 10, 0},
		{"addresses of a /64 that count alone", hosts(60, "2001:db8::"), 128, 60, 0, 0},
		{"addresses of two /64s", append(hosts(60, "2001:db8::"), hosts(60, "2001:db8:0:1::")...), 0, 100, 20, 0},
		{"the /64s of a /56", networks(256, "2001:db8::"), 0, 200, 0, 56},
		{"a /56 that counts as one", networks(256, "2001:db8::"), 56, 50, 206, 0},
		{"2,000 /64s of a /48", networks(2000, "2001:db8::"), 0, 800, 0, 1200},
		{"a /48 that counts as one", networks(2000, "2001:db8::"), 48, 50, 1950, 0},
		{"2,000 /48s", networks48(2000), 0, 2000, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(listen.Caps{Total: 10_000, PerIP: 50, IPv6Prefix: c.prefix})
			in := h.arriveAll(t, c.from)
			if s := h.Stats(); len(in) != c.in || s.Open != c.in || s.RefusedIP != c.ip || s.RefusedPrefix != c.around {
				t.Errorf("%d got in: %+v", len(in), s)
			}
			for _, c := range in {
				_ = c.Close()
				_ = c.Close() // counts once
			}
			h.empty(t)
			if again := h.arriveAll(t, c.from); len(again) != c.in {
				t.Errorf("%d got in the second time", len(again))
			}
		})
	}
}

func networks48(n int) (all []netip.Addr) {
	for i := range n {
		a := addr("2001::").As16()
		binary.BigEndian.PutUint32(a[2:], uint32(i))
		all = append(all, netip.AddrFrom16(a))
	}
	return all
}

// A connection without an address counts for the total alone.
func TestTheTotal(t *testing.T) {
	h := newHouse(listen.Caps{Total: 100, PerIP: 1})
	var in []net.Conn
	for range 120 {
		f := &fake{from: &net.UnixAddr{Name: "@", Net: "unix"}}
		if c := h.arrive(f); c != nil {
			in = append(in, c)
		}
	}
	if s := h.Stats(); len(in) != 100 || s.Open != 100 || s.RefusedTotal != 20 || s.RefusedIP != 0 {
		t.Errorf("%d got in: %+v", len(in), s)
	}
	_ = in[17].Close()
	if h.arrive(from(addr("192.0.2.1"))) == nil {
		t.Error("the place of one that left is not free")
	}
}

// Trusted peers are beyond the shares, and have half of the house together.
func TestTrustedPeersHaveHalf(t *testing.T) {
	h := newHouse(listen.Caps{Total: 1000, PerIP: 50, Trusted: prefixes("10.0.0.0/8", "2001:db8::/32", "fe80::/64")})
	if in := h.arriveAll(t, append(times(200, "10.9.9.9"), times(200, "2001:db8::1")...)); len(in) != 400 {
		t.Errorf("%d got in", len(in))
	}
	if in := h.arriveAll(t, append(times(60, "fe80::1%a"), times(200, "::ffff:10.1.2.3")...)); len(in) != 100 {
		t.Errorf("%d more got in", len(in))
	}
	if in := h.arriveAll(t, times(60, "192.0.2.1")); len(in) != 50 {
		t.Errorf("%d strangers got in", len(in))
	}
	if s := h.Stats(); s.Trusted != 500 || s.RefusedTrusted != 160 || s.Open != 550 || s.Networks != 1 {
		t.Errorf("%+v", s)
	}
	h.Set(listen.Caps{Total: 600, PerIP: 50, Trusted: prefixes("10.0.0.0/8")})
	if in := h.arriveAll(t, networks48(100)); len(in) != 50 {
		t.Errorf("%d got in beside the trusted ones, want what the total leaves", len(in))
	}
}

// crowd is a house and everybody who ever came to it.
type crowd struct {
	*house
	t   *testing.T
	all []*fake
	in  []net.Conn // nil where refused
}

func (c *crowd) come(a string) {
	f := from(addr(a))
	c.all, c.in = append(c.all, f), append(c.in, c.arrive(f))
}

func (c *crowd) rest(which ...int) {
	for _, i := range which {
		c.Idle(c.in[i], true)
	}
}

// closed checks who is.
func (c *crowd) closed(want ...int) {
	c.t.Helper()
	for i, f := range c.all {
		if got := f.closed.Load() > 0; got != slices.Contains(want, i) {
			c.t.Errorf("connection %d is closed: %v", i, got)
		}
	}
}

// From nine tenths on, each newcomer ends the one that is idle longest; who
// works stays, and who may not come in costs nobody a place.
func TestACrowdedHousePartsWithTheIdle(t *testing.T) {
	c := &crowd{house: newHouse(listen.Caps{Total: 10, PerIP: 5}), t: t}
	for range 5 {
		c.come("192.0.2.1")
	}
	for range 4 {
		c.come("192.0.2.2")
	}
	c.rest(3, 1, 4, 0, 2, 1)                                              // 1 says it twice
	c.Idle(c.in[4], false)                                                // works again
	c.Idle(tls.Server(c.in[0], nil), false)                               // so does 0, known below TLS
	c.Idle(tls.Server(c.in[0], nil), true)                                // and now rests last
	c.Idle(from(addr("192.0.2.1")), true)                                 // is nobody's
	c.Idle(newHouse(listen.Caps{}).arrive(from(addr("192.0.2.1"))), true) // is another's
	_ = c.in[2].Close()
	c.Idle(c.in[2], true) // is not taken back
	if s := c.Stats(); s.Open != 8 || s.Idle != 3 {
		t.Fatalf("%+v", s)
	}
	c.come("192.0.2.2") // the ninth is no crowd yet
	c.closed(2)
	c.come("192.0.2.2") // over its share
	c.closed(2, 10)
	c.come("192.0.2.3")
	c.closed(2, 10, 3)
	c.come("192.0.2.3")
	c.closed(2, 10, 3, 1)
	c.come("192.0.2.3")
	c.closed(2, 10, 3, 1, 0)
	c.come("192.0.2.3") // nobody is idle: the last place
	c.closed(2, 10, 3, 1, 0)
	c.come("192.0.2.3") // and no more
	c.closed(2, 10, 3, 1, 0, 15)
	if s := c.Stats(); s.Open != 10 || s.Evicted != 3 || s.RefusedIP != 1 || s.RefusedTotal != 1 {
		t.Errorf("%+v", s)
	}
	for _, in := range c.in {
		if in != nil {
			_ = in.Close()
		}
	}
	c.empty(t)
}

// Trusted peers make way for each other when their half is crowded, and for
// everybody when all is, in the order of their rest.
func TestTrustedPeersMakeWay(t *testing.T) {
	c := &crowd{house: newHouse(listen.Caps{Total: 20, Trusted: prefixes("10.0.0.0/8")}), t: t}
	c.come("192.0.2.1")
	for range 9 {
		c.come("10.0.0.1")
	}
	c.rest(0, 5, 6, 7)
	c.come("10.0.0.2") // nine of ten: not the stranger, who rests longest
	c.closed(5)
	for range 8 {
		c.come("192.0.2.2")
	}
	c.closed(5)
	c.rest(12)
	c.come("192.0.2.3")
	c.closed(5, 0)
	c.come("192.0.2.3")
	c.closed(5, 0, 6)
	c.come("10.0.0.3")
	c.closed(5, 0, 6, 7)
	c.come("192.0.2.3")
	c.closed(5, 0, 6, 7, 12)
}

// Where none of them rests, a stranger makes way for a trusted peer, but not
// for one that their half has no room for.
func TestStrangersMakeWayForTrustedPeers(t *testing.T) {
	c := &crowd{house: newHouse(listen.Caps{Total: 20, Trusted: prefixes("10.0.0.0/8")}), t: t}
	for range 9 {
		c.come("10.0.0.1")
		c.come("192.0.2.1")
	}
	c.rest(1, 3)
	c.come("10.0.0.2")
	c.closed(1)
	c.come("10.0.0.3")
	c.closed(1, 19)
}

// Caps change while connections are open: those stay, newcomers meet the new.
func TestCapsChange(t *testing.T) {
	h := newHouse(listen.Caps{Total: 100, PerIP: 10})
	in := h.arriveAll(t, times(10, "2001:db8::1"))
	if more := h.arriveAll(t, times(1, "2001:db8::2")); more != nil {
		t.Error("an eleventh got in")
	}
	h.Set(listen.Caps{Total: 100, PerIP: 12, IPv6Prefix: 56})
	if more := h.arriveAll(t, times(6, "2001:db8:0:1::1")); len(more) != 2 {
		t.Errorf("%d got in of a /56 in which there were ten", len(more))
	}
	h.Set(listen.Caps{Total: 5})
	if more := h.arriveAll(t, times(1, "192.0.2.1")); more != nil {
		t.Error("a newcomer got in over the new total")
	}
	for _, c := range in {
		_ = c.Close()
	}
	if more := h.arriveAll(t, times(6, "192.0.2.1")); h.Stats().Open != 5 {
		t.Errorf("%d newcomers: %+v", len(more), h.Stats())
	}
}

// A connection that comes and goes costs the guard what it is held in.
func TestAComingAndGoingIsOneAllocation(t *testing.T) {
	for _, a := range []string{"192.0.2.1", "2001:db8::1"} {
		h := newHouse(listen.Caps{Total: 1000, PerIP: 50, Trusted: prefixes("10.0.0.0/8")})
		h.arriveAll(t, networks(100, "2001:db8:1::"))
		f := from(addr(a))
		if n := testing.AllocsPerRun(1000, func() {
			c := h.arrive(f)
			h.Idle(c, true)
			h.Idle(c, false)
			_ = c.Close()
		}); n > 1 {
			t.Errorf("%s: %v allocations", a, n)
		}
	}
}

func BenchmarkAComingAndGoing(b *testing.B) {
	h := newHouse(listen.Caps{Total: 20_000, PerIP: 50})
	for _, a := range networks48(10_000) {
		h.arrive(from(a))
	}
	f := from(addr("2001:db8::1"))
	b.ReportAllocs()
	for b.Loop() {
		c := h.arrive(f)
		h.Idle(c, true)
		h.Idle(c, false)
		_ = c.Close()
	}
}

// Several doors, everybody at once: nothing is counted twice or forgotten.
func TestEverybodyAtOnce(t *testing.T) {
	g := listen.NewGuard(listen.Caps{Total: 40, PerIP: 8}, nil)
	var all sync.WaitGroup
	for d := range 4 {
		all.Go(func() {
			h := &house{Guard: g, door: &door{}}
			h.l = g.Guard(h.door, nil)
			var leaving sync.WaitGroup
			for i := range 2000 {
				c := h.arrive(from(networks(8, "2001:db8::")[i%8]))
				if c == nil {
					continue
				}
				leaving.Go(func() {
					g.Idle(c, true)
					g.Idle(c, i%3 == 0)
					if i%5 > 0 {
						g.Stats()
						_ = c.Close()
					}
					_ = c.Close()
				})
				if i%100 == 0 {
					g.Set(listen.Caps{Total: 40 + i%7, PerIP: 8 + d})
				}
			}
			leaving.Wait()
		})
	}
	all.Wait()
	s := g.Stats()
	if came := s.Accepted + s.RefusedIP + s.RefusedPrefix + s.RefusedTotal; came != 8000 {
		t.Errorf("%d of 8000 are accounted for: %+v", came, s)
	}
	(&house{Guard: g}).empty(t)
}
