package listen

import (
	"bufio"
	"net"
	"sync"
	"time"

	"github.com/pires/go-proxyproto"
)

// header is what a trusted peer says of its client before anything else. It is
// read by the first that asks for it, which for net/http is the goroutine of
// the connection: a slow one keeps nobody from being accepted.
type header struct {
	once sync.Once
	from net.Addr // the client; the peer where the header names none
	err  error    // why there is none that can be used

	mu   sync.Mutex
	rest []byte // guarded by mu: what came with the header and is not read yet
}

// headerBuffer holds a header of version 1, 107 bytes, which must come in one
// piece. One of version 2 may be longer than that, up to 4 KiB.
const headerBuffer = 256

// RemoteAddr implements net.Conn: the client's address where a trusted peer
// tells it, for which it waits until the header is there, Caps.HeaderTimeout at
// most. So it has no business in the accepting goroutine.
func (c *conn) RemoteAddr() net.Addr {
	if c.header == nil {
		return c.Conn.RemoteAddr()
	}
	c.header.once.Do(c.readHeader)
	return c.header.from
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	if c.header == nil {
		return c.Conn.Read(p)
	}
	c.header.once.Do(c.readHeader)
	if c.header.err != nil {
		return 0, c.header.err
	}
	if n := c.header.take(p); n > 0 {
		return n, nil
	}
	return c.Conn.Read(p)
}

// take reads what came with the header.
func (h *header) take(p []byte) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := copy(p, h.rest)
	if h.rest = h.rest[n:]; len(h.rest) == 0 {
		h.rest = nil
	}
	return n
}

// readHeader reads the header under a deadline of its own. A read deadline set
// before it is gone; net/http sets each of its own after asking for the address.
func (c *conn) readHeader() {
	h := c.header
	h.from = c.Conn.RemoteAddr()
	r := bufio.NewReaderSize(c.Conn, headerBuffer)
	said, err := proxyproto.ReadHeaderTimeout(c.Conn, r, c.guard.caps.Load().HeaderTimeout)
	if err != nil {
		c.guard.distrust(h.from, err)
		c.expel(err)
		return
	}
	if client, ok := said.SourceAddr.(*net.TCPAddr); ok && said.Command.IsProxy() {
		if !c.guard.claim(c, addressOf(client)) {
			c.expel(net.ErrClosed)
			return
		}
		h.from = client
	}
	h.rest, _ = r.Peek(r.Buffered())
}

// expel resets a connection after it was accepted. The error is one that
// net/http does not answer.
func (c *conn) expel(err error) {
	c.header.err = &net.OpError{Op: "read", Net: "tcp", Addr: c.header.from, Err: err}
	refuse(c.Conn)
	c.guard.leave(c)
}

// distrust counts a bad header, and once a minute says so: a proxy that does
// not send one at all has every visitor closed.
func (g *Guard) distrust(peer net.Addr, err error) {
	now := time.Now()
	g.mu.Lock()
	g.stats.RefusedProxy++
	say := now.Sub(g.said) >= sayEvery
	if say {
		g.said = now
	}
	g.mu.Unlock()
	if say {
		g.log.Warn("closed a connection of a trusted proxy: its PROXY header is missing or wrong",
			"component", "edge", "peer", peer.String(), "error", err)
	}
}
