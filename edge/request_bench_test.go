package edge_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/spec"
)

// BenchmarkRequest is one request of 1 KiB on a connection that is kept, through
// the whole stack with the access log, next to net/http.
func BenchmarkRequest(b *testing.B) {
	rig := newBench(b, edge.Config{AccessLog: io.Discard})
	body := strings.Repeat("x", 1024)
	rig.publish("r1", rig.app("a", "r1", spec.App{}, files{"a.bin": body}),
		limitsObject(spec.Limits{RequestsPerIP: spec.Rate{Rate: 1e9, Burst: 1e9}}))
	address, _ := rig.run()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	bare := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Length"] = []string{"1024"}
		w.Header().Set("Content-Type", "application/octet-stream")
		io.WriteString(w, body)
	})}
	defer bare.Shutdown(context.Background())
	go bare.Serve(l)
	for name, addr := range map[string]string{"bare": l.Addr().String(), "edge": address} {
		b.Run(name, func(b *testing.B) {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			in := bufio.NewReader(conn)
			request := []byte("GET /a.bin HTTP/1.1\r\nHost: a.example.com\r\n\r\n")
			b.ReportAllocs()
			for b.Loop() {
				conn.Write(request)
				resp, err := http.ReadResponse(in, nil)
				if err != nil || resp.StatusCode != 200 {
					b.Fatal(err, resp)
				}
				io.Copy(io.Discard, resp.Body)
			}
		})
	}
}
