package egress_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/egress"
	"github.com/fazt-sh/fazt/platform/fault"
)

// drip sends a byte of what it is given now and then, until nobody listens.
func drip(conn net.Conn, head, each string) {
	_, err := io.WriteString(conn, head)
	for err == nil {
		time.Sleep(5 * time.Millisecond)
		_, err = io.WriteString(conn, each)
	}
}

func readRequest(conn net.Conn) { conn.Read(make([]byte, 4096)) }

// A server that sends a little at a time, or nothing, is cut when the time of the
// request is up, wherever it does that.
func TestSlowServers(t *testing.T) {
	for name, serve := range map[string]func(net.Conn){
		"accepts only":     func(conn net.Conn) { io.Copy(io.Discard, conn) },
		"drips its header": func(conn net.Conn) { readRequest(conn); drip(conn, "HTTP/1.1 200 OK\r\n", "X: y\r\n") },
		"only continues":   func(conn net.Conn) { readRequest(conn); drip(conn, "", "HTTP/1.1 100 Continue\r\n\r\n") },
		"drips its body": func(conn net.Conn) {
			readRequest(conn)
			drip(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", "x")
		},
		"drips its chunks": func(conn net.Conn) {
			readRequest(conn)
			drip(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n")
		},
		"stops in its body": func(conn net.Conn) {
			readRequest(conn)
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx")
			io.Copy(io.Discard, conn)
		},
	} {
		t.Run(name, func(t *testing.T) {
			world := newInternet(t)
			world.listen("slow.example.com", serve)
			c := world.client(egress.Config{Rules: []egress.Rule{{Host: "slow.example.com", Ports: []int{80, 443}}}, Limits: egress.Limits{Time: 150 * time.Millisecond, Header: 16 << 10}})
			_, err := fetch(t.Context(), c, get(t, "http://slow.example.com/"))
			if name == "only continues" && codeOf(err) == egress.CodeUnreachable {
				return // so much of it that it filled the header's bound first
			}
			wantCode(t, err, fault.Exhausted, egress.CodeTime)
		})
	}
}

// A TLS server that never shakes hands is cut as well.
func TestSlowHandshake(t *testing.T) {
	world := newInternet(t)
	world.serve("slow.example.com", nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for at := range world.routes {
		world.routes[at] = l.Addr().String()
	}
	c := world.client(egress.Config{Rules: []egress.Rule{{Host: "slow.example.com", Ports: []int{80, 443}}}, Limits: egress.Limits{Time: 100 * time.Millisecond}})
	_, err = fetch(t.Context(), c, get(t, "https://slow.example.com/"))
	wantCode(t, err, fault.Exhausted, egress.CodeTime)
}

func fetch(ctx context.Context, c *egress.Client, req *http.Request) ([]byte, error) {
	resp, err := c.Do(ctx, req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

// A body has at most as many bytes as an app may get, unpacked, and not one
// fewer; an endless one ends.
func TestBodySize(t *testing.T) {
	const most = 10_000
	world := newInternet(t)
	world.serve("big.example.com", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/endless":
			for page := strings.Repeat("x", 4096); ; {
				if _, err := io.WriteString(w, page); err != nil {
					return
				}
			}
		case "/packed":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			io.WriteString(z, strings.Repeat("x", 1<<20))
			z.Close()
		default:
			var n int
			fmt.Sscanf(r.URL.Path, "/%d", &n)
			io.WriteString(w, strings.Repeat("x", n))
		}
	})
	c := world.client(egress.Config{Rules: []egress.Rule{{Host: "big.example.com", Ports: []int{80, 443}}}, Limits: egress.Limits{Body: most}})
	for _, scheme := range []string{"http", "https"} {
		for path, fits := range map[string]bool{"/0": true, "/9999": true, "/10000": true, "/10001": false, "/1000000": false, "/endless": false, "/packed": false} {
			got, err := fetch(t.Context(), c, get(t, scheme+"://big.example.com"+path))
			switch {
			case fits && (err != nil || fmt.Sprintf("/%d", len(got)) != path):
				t.Errorf("%s %s: %d bytes, %v", scheme, path, len(got), err)
			case !fits && len(got) != most:
				t.Errorf("%s %s: %d bytes came through", scheme, path, len(got))
			case !fits:
				wantCode(t, err, fault.Exhausted, egress.CodeBody)
			}
		}
	}
}

// So has a request's own body.
func TestSentSize(t *testing.T) {
	world := newInternet(t)
	world.serve("sink.example.com", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
	})
	c := world.client(egress.Config{Rules: []egress.Rule{{Host: "sink.example.com", Ports: []int{80, 443}}}, Limits: egress.Limits{Sent: 1000}})
	for _, scheme := range []string{"http", "https"} {
		for _, n := range []int{1000, 1001, 1 << 20} {
			req := get(t, scheme+"://sink.example.com/")
			req.Method, req.Body = "POST", io.NopCloser(strings.NewReader(strings.Repeat("x", n)))
			req.ContentLength = -1
			got, err := fetch(t.Context(), c, req)
			if n > 1000 {
				wantCode(t, err, fault.Exhausted, egress.CodeSent)
			} else if err != nil || len(got) != n {
				t.Errorf("%s: %d of %d bytes, %v", scheme, len(got), n, err)
			}
		}
	}
}

// A header too large is no proper answer.
func TestHeaderSize(t *testing.T) {
	world := newInternet(t)
	world.serve("head.example.com", func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X", strings.Repeat("x", 100_000)) })
	c := world.client(egress.Config{Rules: []egress.Rule{{Host: "head.example.com", Ports: []int{80, 443}}}})
	for _, scheme := range []string{"http", "https"} {
		_, err := fetch(t.Context(), c, get(t, scheme+"://head.example.com/"))
		wantCode(t, err, fault.Unavailable, egress.CodeUnreachable)
	}
}

// A chain of redirects ends after three, a loop as well.
func TestRedirectLimit(t *testing.T) {
	world := newInternet(t)
	hits := 0
	hop := func(w http.ResponseWriter, r *http.Request) {
		hits++
		var n int
		if fmt.Sscanf(r.URL.Path, "/%d", &n); n == 1 {
			return
		}
		http.Redirect(w, r, fmt.Sprintf("/%d", n-1), http.StatusFound)
	}
	world.serve("hop.example.com", hop)
	c := world.client(egress.Config{Rules: []egress.Rule{{Host: "hop.example.com", Ports: []int{80, 443}}}})
	if _, err := fetch(t.Context(), c, get(t, "http://hop.example.com/4")); err != nil || hits != 4 {
		t.Errorf("three redirects: %v after %d", err, hits)
	}
	for _, path := range []string{"/5", "/0"} {
		hits = 0
		_, err := fetch(t.Context(), c, get(t, "http://hop.example.com"+path))
		wantCode(t, err, fault.Exhausted, egress.CodeRedirects)
		if hits != 4 {
			t.Errorf("%s: %d requests", path, hits)
		}
	}
	hits = 0
	resp, err := c.Once(t.Context(), get(t, "http://hop.example.com/4"))
	if err != nil || resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != "/3" || hits != 1 {
		t.Errorf("once: %v, %d requests", err, hits)
	}
	resp.Body.Close()
}

// More requests at once than an app may have wait for one of the others, and for
// no longer than they have time.
func TestAtOnce(t *testing.T) {
	world := newInternet(t)
	world.serve("api.example.com", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "x") })
	c := world.client(egress.Config{Rules: []egress.Rule{{Host: "api.example.com", Ports: []int{80, 443}}}, Limits: egress.Limits{AtOnce: 3}})
	var open []*http.Response
	for range 3 {
		resp, err := c.Do(t.Context(), get(t, "http://api.example.com/"))
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, resp)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Do(gone, get(t, "http://api.example.com/"))
	wantCode(t, err, fault.Exhausted, egress.CodeAtOnce)

	answered := make(chan error)
	go func() {
		_, err := fetch(t.Context(), c, get(t, "http://api.example.com/"))
		answered <- err
	}()
	open[0].Body.Close()
	if err := <-answered; err != nil {
		t.Error(err)
	}
	io.ReadAll(open[1].Body) // its end gives the place back too
	for range 2 {
		if _, err := fetch(t.Context(), c, get(t, "http://api.example.com/")); err != nil {
			t.Error(err)
		}
	}
	open[2].Body.Close()
}

// A refusal of any kind gives its place back, as do answers nobody reads once
// their time is up.
func TestPlacesComeBack(t *testing.T) {
	world := newInternet(t)
	world.serve("api.example.com", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "x") })
	world.names["private.example.com"] = nil
	c := world.client(egress.Config{Rules: []egress.Rule{{Host: "*.example.com", Ports: []int{80, 443}}}, Limits: egress.Limits{AtOnce: 1, Time: 500 * time.Millisecond}})
	for _, address := range []string{"http://elsewhere.test/", "http://private.example.com/", "http://10.0.0.1/", "http://api.example.com/"} {
		c.Do(t.Context(), get(t, address)) // the last is answered, and never closed
	}
	c.Do(t.Context(), get(t, "http://api.example.com/")) // waits for that
	if _, err := fetch(t.Context(), c, get(t, "http://api.example.com/")); err != nil {
		t.Error(err)
	}
}

// A caller who goes ends the request, and is told so.
func TestCallerGoes(t *testing.T) {
	world := newInternet(t)
	began := make(chan struct{})
	world.serve("slow.example.com", func(w http.ResponseWriter, r *http.Request) { close(began); <-r.Context().Done() })
	c := world.client(egress.Config{Rules: []egress.Rule{{Host: "slow.example.com", Ports: []int{80, 443}}}})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-began; cancel() }()
	_, err := c.Do(ctx, get(t, "http://slow.example.com/"))
	if fault.KindOf(err) != fault.Unavailable || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A request that is given up leaves no connection behind that is still being
// made.
func TestNoDialIsLeftBehind(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		began, ended := make(chan struct{}), make(chan struct{})
		c, err := egress.New(egress.Config{
			Rules: []egress.Rule{{Host: "dead.example.com", Ports: []int{80, 443}}},
			Lookup: func(context.Context, string) ([]netip.Addr, error) {
				return []netip.Addr{netip.MustParseAddr("8.8.8.8")}, nil
			},
			Dial: func(ctx context.Context, _ netip.AddrPort) (net.Conn, error) {
				close(began)
				<-ctx.Done()
				close(ended)
				return nil, ctx.Err()
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-began; cancel() }()
		if _, err := c.Do(ctx, get(t, scheme+"://dead.example.com/")); fault.KindOf(err) != fault.Unavailable {
			t.Error(err)
		}
		<-ended
	}
}
