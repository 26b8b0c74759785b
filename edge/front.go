package edge

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"
)

// timers are what net/http must know of the limits when a connection begins.
type timers struct {
	header, idle, write  time.Duration
	headerBytes, streams int
}

// front is one http.Server with the timers it was made for. net/http reads them
// all the time, so a commit that changes them makes a new front for newcomers,
// and connections that are open keep their own to their end.
type front struct {
	timers        timers
	server        *http.Server
	plain, secure *handoff
}

// handoff is a listener of net/http that is given its connections.
type handoff struct {
	conns chan net.Conn
	done  chan struct{}
}

func newHandoff() *handoff {
	return &handoff{conns: make(chan net.Conn), done: make(chan struct{})}
}

// give hands a connection over, or reports that nobody takes them any more.
func (h *handoff) give(c net.Conn) bool {
	select {
	case h.conns <- c:
		return true
	case <-h.done:
		return false
	}
}

// Accept implements net.Listener.
func (h *handoff) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. Only http.Server calls it, once.
func (h *handoff) Close() error {
	close(h.done)
	return nil
}

// Addr implements net.Listener.
func (h *handoff) Addr() net.Addr { return &net.TCPAddr{} }

// newFront makes the server for one set of timers.
func (r *running) newFront(t timers) *front {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true) // behind TLS only: h2c skips the header's deadline
	s := r.server
	f := &front{timers: t, plain: newHandoff(), secure: newHandoff()}
	f.server = &http.Server{
		Handler:                      s,
		Protocols:                    protocols,
		ReadHeaderTimeout:            t.header, // also of the TLS handshake
		IdleTimeout:                  t.idle,
		MaxHeaderBytes:               t.headerBytes,
		DisableGeneralOptionsHandler: true, // its answer would lack Fazt-Revision
		BaseContext:                  func(net.Listener) context.Context { return r.requests },
		ConnContext:                  trackStreams,
		ConnState:                    r.connState,
		ErrorLog:                     slog.NewLogLogger(handshakes{s.log.Handler(), s}, slog.LevelDebug),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          t.streams,
			MaxDecoderHeaderTableSize:     4 << 10,
			MaxEncoderHeaderTableSize:     4 << 10,
			MaxReadFrameSize:              16 << 10, // the least there is: a larger frame would not fit the window
			MaxReceiveBufferPerStream:     64 << 10,
			MaxReceiveBufferPerConnection: 1 << 20,
			SendPingTimeout:               pingAfter,
			PingTimeout:                   pingAnswer,
			WriteByteTimeout:              t.write,
		},
	}
	if s.config.Certs != nil {
		f.server.TLSConfig = s.config.Certs.TLS()
	}
	return f
}

// An HTTP/2 peer that says nothing is asked whether it is there.
const (
	pingAfter  = 30 * time.Second
	pingAnswer = 15 * time.Second
)

// connState tells who watches connections what becomes of one.
func (r *running) connState(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew: // in the accepting goroutine, so before Serve returns
		r.conns.Add(1)
	case http.StateActive:
		r.server.guard.Idle(c, false)
	case http.StateIdle:
		r.server.guard.Idle(c, true)
	case http.StateClosed, http.StateHijacked:
		r.conns.Done()
	}
}

// handshakes counts, in passing, the handshakes that net/http logs as failed:
// it has no other word for them.
type handshakes struct {
	slog.Handler
	server *Server
}

// Enabled implements slog.Handler; the count does not depend on the level.
func (h handshakes) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (h handshakes) Handle(ctx context.Context, record slog.Record) error {
	if strings.HasPrefix(record.Message, "http: TLS handshake error") {
		h.server.counts.refused[layerHandshake].Add(1)
	}
	if !h.Handler.Enabled(ctx, record.Level) {
		return nil
	}
	return h.Handler.Handle(ctx, record)
}
