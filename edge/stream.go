package edge

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// resetsPerSecond is how many streams of one HTTP/2 or HTTP/3 connection may be taken back
// within a second, by the client or because of what it sent. A browser that
// leaves a page takes back some tens; a client that does nothing else makes work
// that the concurrency of streams does not bound.
const resetsPerSecond = 200

// streams watches the streams of one connection.
type streams struct {
	end func() // of the connection

	mu     sync.Mutex
	second time.Time // guarded by mu: when the count began
	resets int       // guarded by mu
}

// streamsKey carries the streams of a connection.
type streamsKey struct{}

// trackStreams gives TLS connections, the only ones of TCP with streams, their
// count.
func trackStreams(ctx context.Context, c net.Conn) context.Context {
	if secure, ok := c.(*tls.Conn); ok {
		return context.WithValue(ctx, streamsKey{}, &streams{end: func() { _ = secure.NetConn().Close() }})
	}
	return ctx
}

// trackQUIC gives a connection of HTTP/3 its count.
func trackQUIC(ctx context.Context, c *quic.Conn) context.Context {
	end := func() { _ = c.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeExcessiveLoad), "") }
	return context.WithValue(ctx, streamsKey{}, &streams{end: end})
}

// reset notes a stream that was taken back, and ends the connection when there
// are too many.
func (s *Server) reset(r *http.Request, now time.Time) {
	all, ok := r.Context().Value(streamsKey{}).(*streams)
	if !ok {
		return
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	if now.Sub(all.second) >= time.Second {
		all.second, all.resets = now, 0
	}
	all.resets++
	if all.resets == resetsPerSecond+1 {
		s.counts.refused[layerStream].Add(1)
		all.end() // it is gone already, or it is now
	}
}
