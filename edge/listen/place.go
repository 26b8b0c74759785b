package listen

import (
	"net"
	"net/netip"
)

// network is an address or an IPv6 network, as a key without pointers.
type network struct {
	addr [16]byte
	bits uint8
}

// place is what a connection counts for: its address, and the networks around
// it that have a ceiling of their own. Each connection remembers its place, so
// that caps may change while it is open.
type place struct {
	of    [3]network
	times [3]int // of PerIP, the ceiling
	n     int
}

// placeOf is the place of a client; an address of no kind, such as a pipe's,
// has none and counts for the total alone.
func placeOf(client netip.Addr, prefix int) (p place) {
	switch {
	case !client.IsValid():
	case client.Is4():
		p.add(client, 32, 1)
	default:
		p.add(client, prefix, 1)
		if prefix > 56 {
			p.add(client, 56, 4)
		}
		if prefix > 48 {
			p.add(client, 48, 16)
		}
	}
	return p
}

func (p *place) add(client netip.Addr, bits, times int) {
	masked, _ := client.Prefix(bits) // bits are within the family
	p.of[p.n] = network{masked.Addr().As16(), uint8(bits)}
	p.times[p.n] = times
	p.n++
}

// addressOf is the address of one end, invalid where it has none.
func addressOf(end net.Addr) netip.Addr {
	var addr netip.Addr
	switch end := end.(type) {
	case *net.TCPAddr:
		addr = end.AddrPort().Addr()
	case nil:
	default:
		parsed, _ := netip.ParseAddrPort(end.String())
		addr = parsed.Addr()
	}
	return addr.Unmap().WithZone("")
}

// admit gives a new connection its place, or counts why it has none. A crowded
// guard parts with the connection that has been idle longest, whose place is
// free at once and which the caller closes.
func (g *Guard) admit(raw net.Conn) (c, evicted *conn) {
	return g.admitFrom(addressOf(raw.RemoteAddr()), raw)
}

func (g *Guard) admitFrom(peer netip.Addr, raw net.Conn) (c, evicted *conn) {
	caps := g.caps.Load()
	c = &conn{Conn: raw, guard: g, trusted: caps.trusts(peer)}
	g.mu.Lock()
	defer g.mu.Unlock()
	var at place
	if !c.trusted {
		if at = placeOf(peer, caps.IPv6Prefix); !g.fits(at, caps.PerIP) {
			return nil, nil // and nobody goes for it
		}
	} else if caps.ProxyProtocol {
		c.header = new(header)
	}
	if evicted = g.goes(caps.Total, c.trusted); evicted != nil {
		g.remove(evicted)
		g.stats.Evicted++
	}
	if !g.room(caps.Total, c.trusted) {
		return nil, evicted
	}
	g.enter(c, at)
	return c, evicted
}

// goes is the connection that makes way for a newcomer: nil if there is room
// enough, or nobody is idle. The caller holds mu.
func (g *Guard) goes(total int, trusted bool) *conn {
	strangers, proxies := g.idle[0].first, g.idle[1].first
	switch {
	case trusted && proxies != nil && crowded(g.stats.Trusted, half(total)):
		return proxies
	case !crowded(g.stats.Open, total), trusted && g.stats.Trusted >= half(total):
		return nil // enough for now, or none of a stranger's making
	case strangers == nil || proxies != nil && proxies.turn < strangers.turn:
		return proxies
	default:
		return strangers
	}
}

func crowded(open, most int) bool { return most > 0 && 10*open >= 9*most }

func half(total int) int { return (total + 1) / 2 }

// room counts a refusal if everything is taken. The caller holds mu.
func (g *Guard) room(total int, trusted bool) bool {
	switch {
	case total <= 0:
		return true
	case trusted && g.stats.Trusted >= half(total):
		g.stats.RefusedTrusted++
		return false
	case g.stats.Open >= total:
		g.stats.RefusedTotal++
		return false
	}
	return true
}

// fits counts a refusal if a place is taken. The caller holds mu.
func (g *Guard) fits(at place, perIP int) bool {
	if perIP <= 0 {
		return true
	}
	for i := range at.n {
		if g.held[at.of[i]] < perIP*at.times[i] {
			continue
		}
		if i == 0 {
			g.stats.RefusedIP++
		} else {
			g.stats.RefusedPrefix++
		}
		return false
	}
	return true
}

// claim moves a connection to the place of the client that its header names,
// and reports whether there was room.
func (g *Guard) claim(c *conn, client netip.Addr) bool {
	caps := g.caps.Load()
	g.mu.Lock()
	defer g.mu.Unlock()
	if !c.in || caps.trusts(client) {
		return c.in // a chain of proxies, or closed meanwhile
	}
	at := placeOf(client, caps.IPv6Prefix)
	if !g.fits(at, caps.PerIP) {
		return false
	}
	g.hold(c, at)
	return true
}

// hold takes the place of a connection that has none yet. The caller holds mu.
func (g *Guard) hold(c *conn, at place) {
	c.at = at
	for i := range at.n {
		g.held[at.of[i]]++
	}
}

// enter counts a connection. The caller holds mu.
func (g *Guard) enter(c *conn, at place) {
	c.in = true
	g.stats.Open++
	g.stats.Accepted++
	if c.trusted {
		g.stats.Trusted++
	}
	g.hold(c, at)
}

// leave gives the place of a connection back, once.
func (g *Guard) leave(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.remove(c)
}

// remove is leave for who holds mu.
func (g *Guard) remove(c *conn) {
	if !c.in {
		return
	}
	c.in = false
	g.stats.Open--
	if c.trusted {
		g.stats.Trusted--
	}
	if c.resting {
		g.queueOf(c).remove(c)
	}
	for _, n := range c.at.of[:c.at.n] {
		if g.held[n]--; g.held[n] == 0 {
			delete(g.held, n)
		}
	}
}

// queueOf is where a connection is while it is idle.
func (g *Guard) queueOf(c *conn) *queue {
	if c.trusted {
		return &g.idle[1]
	}
	return &g.idle[0]
}
