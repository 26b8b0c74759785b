package edge

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// quicFront is HTTP/3 on the addresses of TLS: the same handler, timers and
// caps behind another transport.
type quicFront struct {
	server *http3.Server
	pipes  []*quic.Transport
	ended  sync.WaitGroup
}

// altSvcAge is how long a browser remembers that there is HTTP/3, in seconds. A
// day bounds for how long it knocks in vain after it was switched off.
const altSvcAge = "86400"

var errCaps = errors.New("too many connections")

// settleQUIC starts or ends HTTP/3 as the snapshot asks.
func (r *running) settleQUIC() {
	s := r.server
	wanted := s.current.Load().http3 && s.config.Certs != nil
	switch {
	case wanted && r.quic == nil:
		r.quic = r.startQUIC()
	case !wanted && r.quic != nil:
		s.alternative.Store(nil)
		old := r.quic
		r.quic = nil
		r.leaving.Go(func() { _ = old.end(r.requests) })
	}
}

// startQUIC binds what can be bound: HTTP/3 is offered besides, never instead.
func (r *running) startQUIC() *quicFront {
	s, t := r.server, r.server.timers()
	q := &quicFront{server: &http3.Server{
		Handler:        s,
		TLSConfig:      http3.ConfigureTLSConfig(s.config.Certs.TLS()),
		MaxHeaderBytes: t.headerBytes,
		IdleTimeout:    t.idle,
		ConnContext:    trackQUIC,
		Logger:         s.log,
	}}
	config := &quic.Config{HandshakeIdleTimeout: t.header, MaxIdleTimeout: t.idle, MaxIncomingStreams: int64(t.streams),
		MaxIncomingUniStreams: quicUniStreams, InitialStreamReceiveWindow: 64 << 10, MaxStreamReceiveWindow: 1 << 20,
		InitialConnectionReceiveWindow: 128 << 10, MaxConnectionReceiveWindow: 2 << 20}
	port := 0
	for _, addr := range s.SecureAddrs() {
		pipe, err := r.openQUIC(q, config, addr)
		if err != nil {
			s.log.Warn("HTTP/3 is not offered", "component", "edge", "address", addr.String(), "error", err)
			continue
		}
		q.pipes = append(q.pipes, pipe)
		if port == 0 {
			port = addr.(*net.TCPAddr).Port
		}
	}
	if port != 0 {
		value := []string{`h3=":` + strconv.Itoa(port) + `"; ma=` + altSvcAge}
		s.alternative.Store(&value)
	}
	return q
}

// quicUniStreams are the streams that HTTP/3 itself uses: control and QPACK.
const quicUniStreams = 8

func (r *running) openQUIC(q *quicFront, config *quic.Config, addr net.Addr) (*quic.Transport, error) {
	packets, err := net.ListenPacket("udp", addr.String())
	if err != nil {
		return nil, err
	}
	guard := r.server.guard
	pipe := &quic.Transport{
		Conn: packets,
		// An address that may be forged must prove itself before it can use up
		// somebody else's share.
		VerifySourceAddress: func(net.Addr) bool { return true },
		ConnContext: func(ctx context.Context, info *quic.ClientInfo) (context.Context, error) {
			leave, ok := guard.Admit(info.RemoteAddr)
			if !ok {
				return nil, errCaps
			}
			context.AfterFunc(ctx, leave)
			return ctx, nil
		},
	}
	l, err := pipe.ListenEarly(q.server.TLSConfig, config)
	if err != nil {
		_ = packets.Close()
		return nil, err
	}
	q.ended.Go(func() { _ = q.server.ServeListener(l) })
	return pipe, nil
}

// end lets requests finish, and closes the sockets.
func (q *quicFront) end(ctx context.Context) error {
	err := q.server.Shutdown(ctx)
	if err != nil {
		_ = q.server.Close()
	}
	for _, pipe := range q.pipes {
		_ = pipe.Close()
		_ = pipe.Conn.Close()
	}
	q.ended.Wait()
	return err
}

func (r *running) endQUIC(ctx context.Context) error {
	if r.quic == nil {
		return nil
	}
	return r.quic.end(ctx)
}
