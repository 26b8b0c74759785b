//go:build integration

package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// quicFrom is a UDP socket of an address in 127.0.0.0/8.
func quicFrom(t *testing.T, network, host int) *quic.Transport {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, byte(network), 0, byte(host))})
	must(t, err)
	pipe := &quic.Transport{Conn: c}
	t.Cleanup(func() { pipe.Close(); c.Close() })
	return pipe
}

// h3 dials a connection for HTTP/3.
func (s *siege) h3(pipe *quic.Transport) (*quic.Conn, error) {
	addr, err := net.ResolveUDPAddr("udp", s.secure)
	must(s.w.t, err)
	config := http3.ConfigureTLSConfig(s.tls.Clone())
	config.NextProtos = []string{http3.NextProtoH3}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return pipe.Dial(ctx, addr, config, &quic.Config{HandshakeIdleTimeout: 5 * time.Second, MaxIdleTimeout: patience})
}

// askH3 is a request on a connection of HTTP/3.
func (s *siege) askH3(c *http3.ClientConn) (status int, body string, err error) {
	r, err := http.NewRequest(http.MethodGet, "https://"+abused+"/", nil)
	must(s.w.t, err)
	resp, err := c.RoundTrip(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// alternative is the Alt-Svc of an answer over TCP.
func (s *siege) alternative() string {
	s.w.t.Helper()
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: s.tls.Clone(),
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return callerAt(3, 1).DialContext(ctx, network, s.secure)
		}}}
	resp, err := client.Get("https://" + abused + "/")
	must(s.w.t, err)
	defer resp.Body.Close()
	return resp.Header.Get("Alt-Svc")
}

// besiegeH3 starts a node that offers HTTP/3.
func besiegeH3(t *testing.T, limits string, large int64) *siege {
	t.Helper()
	s := besiege(t, behindTLS+"\n  http3 = true", limits, large, tlsToo()...)
	s.eventually("HTTP/3 offered", func(counts) bool { return s.alternative() != "" })
	return s
}

// TestIntegrationAbuseHTTP3: HTTP/3 serves the same page under the same limits,
// and a commit ends it.
func TestIntegrationAbuseHTTP3(t *testing.T) {
	t.Parallel()
	const burst, n = 20, 60
	s := besiegeH3(t, "requests_per_ip = { rate = 1, burst = 20 }", 0)
	before := s.counts()
	began := time.Now()
	conn, err := s.h3(quicFrom(t, 1, 1))
	must(t, err)
	client := (&http3.Transport{}).NewClientConn(conn)
	served, refused := 0, 0
	for range n {
		status, body, err := s.askH3(client)
		must(t, err)
		switch {
		case status == 200 && body == "here":
			served++
		case status == 429:
			refused++
		}
	}
	if most := burst + int(time.Since(began).Seconds()) + 1; served+refused != n || served < burst || served > most {
		t.Errorf("%d served and %d refused of %d, want %d to %d served", served, refused, n, burst, most)
	}
	if open := s.counts().open(); open != 1 {
		t.Errorf("%d connections counted", open)
	}
	s.configure(behindTLS, "")
	s.eventually("HTTP/3 no longer offered", func(counts) bool { return s.alternative() == "" })
	select {
	case <-conn.Context().Done():
	case <-time.After(patience):
		t.Error("the connection is open after HTTP/3 was switched off")
	}
	if c, err := s.h3(quicFrom(t, 1, 2)); err == nil {
		t.Error("a connection after HTTP/3 was switched off")
		_ = c.CloseWithError(0, "")
	}
	s.settles(before)
}

// TestIntegrationAbuseHTTP3Cap (E5 of HTTP/3): an address has fifty connections
// of every kind together.
func TestIntegrationAbuseHTTP3Cap(t *testing.T) {
	t.Parallel()
	s := besiegeH3(t, "", 0)
	before := s.counts()
	pipe := quicFrom(t, 1, 1)
	for i := range 40 {
		if _, err := s.h3(pipe); err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
	}
	for i := range 10 {
		if _, err := s.encrypted(callerAt(1, 1), "h2"); err != nil {
			t.Fatalf("connection %d of TCP: %v", i, err)
		}
	}
	const more = 5
	for range more {
		if _, err := s.h3(pipe); err == nil {
			t.Error("a connection of QUIC above the cap")
		} else {
			t.Log(err)
		}
		if _, err := s.encrypted(callerAt(1, 1), "h2"); err == nil {
			t.Error("a connection of TCP above the cap")
		}
	}
	if got := s.counts().turned("address") - before.turned("address"); got < 2*more {
		t.Errorf("%d refusals counted, want %d", got, 2*more)
	}
	if _, err := s.h3(quicFrom(t, 2, 1)); err != nil {
		t.Errorf("another address: %v", err)
	}
}

// TestIntegrationAbuseHTTP3ClosedWindow (E3 of HTTP/3): an answer that nobody
// takes is cut when a write's time is up, though the connection lives.
func TestIntegrationAbuseHTTP3ClosedWindow(t *testing.T) {
	t.Parallel()
	s := besiegeH3(t, `write_timeout = "1s"`, 8<<20)
	conn, err := s.h3(quicFrom(t, 1, 1))
	must(t, err)
	before := s.counts()
	client := (&http3.Transport{}).NewClientConn(conn)
	r, err := http.NewRequest(http.MethodGet, "https://"+abused+"/large.bin", nil)
	must(t, err)
	for range 50 {
		stream, err := client.OpenRequestStream(conn.Context())
		must(t, err)
		must(t, stream.SendRequestHeader(r))
	}
	s.eventually("fifty answers at their end", func(c counts) bool {
		return c.answers("2xx")+c.answers("cut")-before.answers("2xx")-before.answers("cut") >= 50
	})
	if err := context.Cause(conn.Context()); err != nil {
		t.Errorf("the connection is gone: %v", err)
	}
	_ = conn.CloseWithError(0, "")
	s.settles(before)
}

// TestIntegrationAbuseHTTP3Resets (E8 of HTTP/3): who asks and takes back
// without end has no more requests at work than streams; where there was a
// request, the connection is closed.
func TestIntegrationAbuseHTTP3Resets(t *testing.T) {
	const canceled = quic.StreamErrorCode(http3.ErrCodeRequestCanceled)
	for name, c := range map[string]struct {
		takeBack func(*http3.RequestStream)
		closed   bool
	}{
		"taken back": {func(s *http3.RequestStream) { s.CancelRead(canceled); s.CancelWrite(canceled) }, false}, // before it is a request
		"not wanted": {func(s *http3.RequestStream) { s.Close(); s.CancelRead(canceled) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := besiegeH3(t, "requests_per_ip = { rate = 1000000, burst = 1000000 }", 1<<20)
			before := s.counts()
			s.served(s.probeWhile(func() { s.resetH3(before, c.takeBack, c.closed) }))
			s.bounded(before, 64)
			s.settles(before)
		})
	}
}

func (s *siege) resetH3(before counts, takeBack func(*http3.RequestStream), closed bool) {
	t, n := s.w.t, amount(5_000, 100_000)
	conn, err := s.h3(quicFrom(t, 1, 1))
	must(t, err)
	defer conn.CloseWithError(0, "")
	client := (&http3.Transport{}).NewClientConn(conn)
	r, err := http.NewRequest(http.MethodGet, "https://"+abused+"/large.bin", nil)
	must(t, err)
	ctx, cancel := context.WithTimeout(conn.Context(), patience)
	defer cancel()
	sent, most := 0, 0
	for ; sent < n; sent++ {
		stream, err := client.OpenRequestStream(ctx)
		if err == nil {
			err = stream.SendRequestHeader(r)
		}
		if err != nil {
			break
		}
		takeBack(stream)
		if sent%500 == 499 {
			most = max(most, s.counts().goroutines()-before.goroutines())
		}
	}
	t.Logf("%d of %d requests, at most %d goroutines more: %v", sent, n, most, context.Cause(conn.Context()))
	if most > 2*100+50 { // some serve the connection and the probes
		t.Errorf("%d goroutines more", most)
	}
	if !closed {
		return
	}
	<-ctx.Done()
	var told *quic.ApplicationError
	if cause := context.Cause(conn.Context()); !errors.As(cause, &told) || !told.Remote || told.ErrorCode == quic.ApplicationErrorCode(http3.ErrCodeNoError) {
		t.Errorf("after %d requests the connection is %v", sent, cause)
	}
}
