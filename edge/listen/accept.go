package listen

import (
	"net"
	"time"
)

// listener accepts connections that have a place. Out of descriptors, it waits
// and says so once a minute, instead of spinning with a line for every attempt,
// or for every descriptor that comes free and is taken at once.
type listener struct {
	net.Listener
	guard *Guard
	done  <-chan struct{} // closed when the server ends
	said  time.Time       // only the accepting goroutine touches it
}

const (
	acceptPauseLeast = 5 * time.Millisecond
	acceptPauseMost  = time.Second
	sayEvery         = time.Minute
)

// Guard returns a listener whose Accept hands on the connections of l that the
// guard has room for and refuses the others itself, before there is a goroutine
// or a handshake. It is for one accepting goroutine; done ends a wait for
// descriptors.
func (g *Guard) Guard(l net.Listener, done <-chan struct{}) net.Listener {
	return &listener{Listener: l, guard: g, done: done}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	pause := acceptPauseLeast
	for {
		raw, err := l.Listener.Accept()
		if err == nil {
			if c := l.guard.take(raw); c != nil {
				return c, nil
			}
			pause = acceptPauseLeast
			continue
		}
		if passes, ok := err.(interface{ Temporary() bool }); !ok || !passes.Temporary() {
			return nil, err
		}
		if !l.rest(pause, err) {
			return nil, net.ErrClosed
		}
		pause = min(2*pause, acceptPauseMost)
	}
}

// rest waits out an error that passes; false is the end of the server.
func (l *listener) rest(pause time.Duration, err error) bool {
	if now := time.Now(); now.Sub(l.said) >= sayEvery {
		l.said = now
		l.guard.log.Warn("no new connections for now", "component", "edge", "address", l.Addr().String(), "error", err)
	}
	select {
	case <-time.After(pause):
		return true
	case <-l.done:
		return false
	}
}

// take makes a connection ours, or refuses it and returns nil.
func (g *Guard) take(raw net.Conn) *conn {
	c, evicted := g.admit(raw)
	if evicted != nil {
		_ = evicted.Conn.Close() // its place is given back already
	}
	if c == nil {
		refuse(raw)
	}
	return c
}

// refuse resets a connection: no answer, and no TIME_WAIT of ours for each of a
// flood.
func refuse(raw net.Conn) {
	if tcp, ok := raw.(interface{ SetLinger(seconds int) error }); ok {
		_ = tcp.SetLinger(0)
	}
	_ = raw.Close()
}
