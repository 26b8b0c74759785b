package listen_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/fazt-sh/fazt/edge/listen"
)

// Below TLS: the PROXY header comes before the handshake, who rests is known,
// and who is refused costs no handshake.
func TestBelowTLS(t *testing.T) {
	g := listen.NewGuard(listen.Caps{PerIP: 1, Trusted: prefixes("127.9.0.0/16"), ProxyProtocol: true}, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	rests := make(chan struct{}, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto+" "+r.RemoteAddr)
	}))
	_ = server.Listener.Close()
	server.Listener, server.EnableHTTP2 = g.Guard(l, nil), true
	var handshakes atomic.Int64
	server.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		handshakes.Add(1)
		return nil, nil
	}}
	server.Config.ConnState = func(c net.Conn, s http.ConnState) {
		g.Idle(c, s == http.StateIdle)
		if s == http.StateIdle {
			select {
			case rests <- struct{}{}:
			default:
			}
		}
	}
	server.StartTLS()
	defer server.Close()

	transport := server.Client().Transport.(*http.Transport)
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 9, 0, 1)}}).DialContext(ctx, "tcp", l.Addr().String())
		if err == nil {
			_, err = io.WriteString(c, v2("192.0.2.7"))
		}
		return c, err
	}
	response, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); string(body) != "HTTP/2.0 192.0.2.7:4711" {
		t.Errorf("%q", body)
	}
	<-rests
	if s := g.Stats(); s.Idle != 1 || s.Trusted != 1 || s.Networks != 1 {
		t.Errorf("%+v", s)
	}
	for range 3 {
		c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true, ServerName: "example.com"})
		if err == nil {
			defer c.Close() // the first is within its share
		}
	}
	if s := g.Stats(); handshakes.Load() != 2 || s.RefusedIP != 2 {
		t.Errorf("%d handshakes: %+v", handshakes.Load(), s)
	}
}
