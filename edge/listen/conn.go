package listen

import (
	"io"
	"net"
	"sync"
	"time"
)

// conn closes a connection whose peer does not take what it asked for: each
// write, and each part of a long one, must get on within Caps.WriteTimeout.
type conn struct {
	net.Conn
	guard   *Guard
	header  *header // nil where no PROXY header is awaited
	trusted bool    // the peer was, when it came

	in            bool   // guarded by guard.mu: has a place
	at            place  // guarded by guard.mu
	resting       bool   // guarded by guard.mu: is in a queue
	turn          uint64 // guarded by guard.mu: the smaller, the longer it rests
	before, after *conn  // guarded by guard.mu: neighbours in the queue

	mu    sync.Mutex
	until time.Time // guarded by mu: the write deadline that is set
	asked time.Time // guarded by mu: the one the server set, which counts if it is sooner than ours
}

const (
	// deadlineStep saves a timer for most writes: a deadline is moved once it
	// is this much out of date.
	deadlineStep = time.Second
	// writePart must reach the peer's window within the write timeout: at 30
	// seconds, slower than about 9 KB/s is not reading.
	writePart = 256 << 10
)

// extend moves the deadline on for the next part.
func (c *conn) extend() error {
	timeout := c.guard.caps.Load().WriteTimeout
	c.mu.Lock()
	defer c.mu.Unlock()
	until := c.asked
	if timeout > 0 {
		if own := time.Now().Add(timeout); until.IsZero() || own.Before(until) {
			until = own
		}
	}
	late := until.Sub(c.until)
	if late == 0 || !c.until.IsZero() && late > 0 && late < min(deadlineStep, timeout/4) {
		return nil
	}
	c.until = until
	return c.Conn.SetWriteDeadline(until)
}

// SetWriteDeadline implements net.Conn. Net/http asks for less time than ours
// during a handshake and at the end of TLS, and takes that back after every
// request: then ours holds on, and is moved by the next write.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = t
	if t.IsZero() {
		return nil
	}
	c.until = t
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	if err := c.Conn.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (total int, err error) {
	for {
		if err := c.extend(); err != nil {
			return total, err
		}
		n, err := c.Conn.Write(p[:min(len(p), writePart)])
		total, p = total+n, p[n:]
		if err != nil || len(p) == 0 {
			return total, err
		}
	}
}

// ReadFrom passes files on to the socket part by part, so that sendfile stays
// and a slow reader with progress is not cut.
func (c *conn) ReadFrom(r io.Reader) (total int64, err error) {
	to, ok := c.Conn.(io.ReaderFrom)
	if !ok {
		return io.Copy(struct{ io.Writer }{c}, r)
	}
	for {
		if err := c.extend(); err != nil {
			return total, err
		}
		part := &io.LimitedReader{R: r, N: writePart}
		if inner, ok := r.(*io.LimitedReader); ok {
			// sendfile looks through one limit, not two
			part = &io.LimitedReader{R: inner.R, N: min(inner.N, writePart)}
		}
		asked := part.N
		n, err := to.ReadFrom(part)
		total += n
		if inner, ok := r.(*io.LimitedReader); ok {
			inner.N -= n
		}
		if err != nil || n < asked || n == 0 {
			return total, err
		}
	}
}

// CloseWrite lets net/http end a connection so that the peer still reads the
// answer.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Close implements net.Conn and gives the connection's place back. One that was
// evicted has lost it before.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.guard.leave(c)
	return err
}
