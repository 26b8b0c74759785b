package listen

import (
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Caps are what a Guard holds connections to. The zero value caps nothing.
type Caps struct {
	// Total of connections open at once; 0 is no cap. From nine tenths on a
	// newcomer ends the connection that has been idle longest.
	Total int
	// PerIP of one IPv4 address or one IPv6 network of IPv6Prefix bits; 0 is no
	// cap. Four times as many may come of a /56 and sixteen times of a /48, so
	// that who rents a larger network does not have as many addresses.
	PerIP int
	// IPv6Prefix is 1 to 128 bits; 0 is 64, the smallest network a customer gets.
	IPv6Prefix int
	// Trusted peers are exempt from PerIP, as many clients stand behind them.
	// Together they have at most half of Total, and make way for each other
	// from nine tenths of that.
	Trusted []netip.Prefix
	// ProxyProtocol says that trusted peers begin with a PROXY header, version
	// 1 or 2. Those that do not are closed; nobody else's is believed.
	ProxyProtocol bool
	// WriteTimeout is what a write, or each part of a long one, may take; 0 is
	// for ever.
	WriteTimeout time.Duration
	// HeaderTimeout is what the PROXY header may take; 0 is 5 seconds.
	HeaderTimeout time.Duration
}

const (
	prefixDefault = 64
	headerDefault = 5 * time.Second
)

// filled is c with defaults, sharing nothing with the caller.
func (c Caps) filled() *Caps {
	if c.IPv6Prefix < 1 || c.IPv6Prefix > 128 {
		c.IPv6Prefix = prefixDefault
	}
	if c.HeaderTimeout <= 0 {
		c.HeaderTimeout = headerDefault
	}
	c.Trusted = append([]netip.Prefix(nil), c.Trusted...)
	return &c
}

// trusts reports whether a peer may speak for others.
func (c *Caps) trusts(peer netip.Addr) bool {
	for _, prefix := range c.Trusted {
		if prefix.Contains(peer) {
			return true
		}
	}
	return false
}

// Guard counts the connections of all listeners of a server and holds them to
// its caps. Its methods may be called by several goroutines.
type Guard struct {
	log  *slog.Logger
	caps atomic.Pointer[Caps] // whole and unchanging; a write reads it without the lock

	mu    sync.Mutex
	held  map[network]int // guarded by mu: open connections of each network that has one, so at most three times Total
	idle  [2]queue        // guarded by mu: strangers and trusted peers
	turn  uint64          // guarded by mu: of the connection that became idle last
	stats Stats           // guarded by mu; what is open now is in Open and Trusted
	said  time.Time       // guarded by mu: when a bad PROXY header was last told of
}

// NewGuard returns a guard without connections; log nil discards.
func NewGuard(c Caps, log *slog.Logger) *Guard {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	g := &Guard{log: log, held: map[network]int{}}
	g.Set(c)
	return g
}

// Set changes the caps. Connections that are open stay, newcomers meet the new
// ones; the write timeout holds for every write from now on.
func (g *Guard) Set(c Caps) { g.caps.Store(c.filled()) }

// Stats counts connections: those of this moment, and since the start what
// became of those that came.
type Stats struct {
	Open     int // connections
	Idle     int // of them between requests
	Trusted  int // of them from trusted peers
	Networks int // addresses and networks that have one

	Accepted       uint64 // got a place
	Evicted        uint64 // lost it to a newcomer when they were idle longest
	RefusedIP      uint64 // their address or IPv6 network had its share
	RefusedPrefix  uint64 // their /56 or /48 had
	RefusedTrusted uint64 // the trusted peers had, and none was idle
	RefusedTotal   uint64 // there was no room, and nobody was idle
	RefusedProxy   uint64 // accepted from a trusted peer and closed for their PROXY header
}

// Stats returns the counts of this moment. They fit together: each is written
// where the lock is held anyway.
func (g *Guard) Stats() Stats {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.stats
	s.Idle, s.Networks = g.idle[0].n+g.idle[1].n, len(g.held)
	return s
}

// Idle tells that a connection is between requests, or no longer is: what
// http.Server says to ConnState. A connection of TLS is known by the one below
// it; one that is not the guard's, or closed, is left alone.
func (g *Guard) Idle(c net.Conn, idle bool) {
	ours := unwrap(c)
	if ours == nil || ours.guard != g {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case !ours.in || ours.resting == idle:
	case idle:
		g.turn++
		ours.turn = g.turn
		g.queueOf(ours).push(ours)
	default:
		g.queueOf(ours).remove(ours)
	}
}

// unwrap finds our connection below others, such as *tls.Conn; nil is none.
func unwrap(c net.Conn) *conn {
	for {
		switch outer := c.(type) {
		case *conn:
			return outer
		case interface{ NetConn() net.Conn }:
			c = outer.NetConn()
		default:
			return nil
		}
	}
}

// Admit gives a place to a connection that is no net.Conn, as those of QUIC are
// not, or counts why it has none. leave gives the place back.
func (g *Guard) Admit(peer net.Addr) (leave func(), ok bool) {
	c, evicted := g.admitFrom(addressOf(peer), nil)
	if evicted != nil {
		_ = evicted.Conn.Close() // its own Close finds the place given back
	}
	if c == nil {
		return nil, false
	}
	return func() { g.leave(c) }, true
}
