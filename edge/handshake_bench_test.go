package edge_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/edge/cert"
	"github.com/fazt-sh/fazt/spec"
)

// BenchmarkHandshake is one visit over TLS: connect, shake hands, ask, leave. The
// reference is net/http with the same certificate.
func BenchmarkHandshake(b *testing.B) {
	log := slog.New(slog.DiscardHandler)
	certs := cert.New(cert.Config{Dir: b.TempDir(), Log: log})
	if err := certs.Open(); err != nil {
		b.Fatal(err)
	}
	defer certs.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go certs.Run(ctx)
	rig := newBench(b, edge.Config{Certs: certs})
	rig.publish("r1", rig.app("a", "r1", spec.App{}, files{"index.html": "hello"}),
		limitsObject(spec.Limits{RequestsPerIP: spec.Rate{Rate: 1e9, Burst: 1e9}, ConnectionsPerIP: 1000}),
		object(spec.KindEdge, "edge", spec.Edge{TLS: spec.TLS{Mode: spec.TLSInternal}}))
	if err := rig.Open(nil, []string{"127.0.0.1:0"}); err != nil {
		b.Fatal(err)
	}
	go rig.Run(ctx)
	eventually(b, "a certificate", func() bool { l := certs.List(); return len(l) > 0 && l[0].State == "ok" })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	bare := &http.Server{TLSConfig: certs.TLS(), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") })}
	defer bare.Close()
	go bare.ServeTLS(l, "", "")
	for name, addr := range map[string]string{"bare": l.Addr().String(), "edge": rig.Addrs()[0].String()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				conn, err := tls.Dial("tcp", addr, &tls.Config{ServerName: "a.example.com", InsecureSkipVerify: true})
				if err != nil {
					b.Fatal(err)
				}
				io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a.example.com\r\n\r\n")
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil || resp.StatusCode != 200 {
					b.Fatal(err, resp)
				}
				io.Copy(io.Discard, resp.Body)
				conn.Close()
			}
		})
	}
}
