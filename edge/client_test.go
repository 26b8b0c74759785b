package edge_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/spec"
)

func TestClientAddress(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"a stranger's word is nothing", "203.0.113.9:4711", []string{"1.2.3.4"}, "203.0.113.9"},
		{"a proxy's word counts", "10.1.1.1:80", []string{"198.51.100.7"}, "198.51.100.7"},
		{"only the hop the proxy saw", "10.1.1.1:80", []string{"1.1.1.1, 198.51.100.7"}, "198.51.100.7"},
		{"through two proxies", "10.1.1.1:80", []string{"6.6.6.6, 198.51.100.7 , 10.2.2.2"}, "198.51.100.7"},
		{"several header lines are one list", "10.1.1.1:80", []string{"6.6.6.6, 198.51.100.7", "10.2.2.2"}, "198.51.100.7"},
		{"all of the chain is ours", "10.1.1.1:80", []string{"10.3.3.3, 10.2.2.2"}, "10.3.3.3"},
		{"nothing forwarded", "10.1.1.1:80", nil, "10.1.1.1"},
		{"garbage ends the walk", "10.1.1.1:80", []string{"1.2.3.4, ' OR 1 --, 10.2.2.2"}, "10.2.2.2"},
		{"empty", "10.1.1.1:80", []string{""}, "10.1.1.1"},
		{"only commas", "10.1.1.1:80", []string{",,,"}, "10.1.1.1"},
		{"a port is no address", "10.1.1.1:80", []string{"1.2.3.4:80"}, "10.1.1.1"},
		{"one megabyte", "10.1.1.1:80", []string{strings.Repeat("10.9.9.9,", 120_000) + "10.8.8.8"}, "10.9.9.9"},
		{"IPv6", "[fd00::1]:80", []string{"2001:db8::5"}, "2001:db8::5"},
		{"mapped peer", "[::ffff:10.1.1.1]:80", []string{"::ffff:198.51.100.7"}, "198.51.100.7"},
		{"zone", "[fe80::1%eth0]:80", nil, "fe80::1"},
		{"no address", "@", []string{"1.2.3.4"}, "invalid IP"},
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{}}
		r.Header["X-Forwarded-For"] = c.forwarded
		r.Header.Set("Forwarded", "for=6.6.6.6")
		r.Header.Set("X-Real-Ip", "6.6.6.6")
		if got := edge.ClientAddress(r, trusted); got.String() != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if got := edge.ClientAddress(&http.Request{RemoteAddr: "10.1.1.1:80", Header: http.Header{"X-Forwarded-For": {"1.2.3.4"}}}, nil); got.String() != "10.1.1.1" {
		t.Errorf("nobody is trusted, yet %s", got)
	}
}

// Forwarding headers are read in one file, or two readers will disagree. What an
// app's code is told of them is written anew, by what that file has found.
func TestForwardingHeadersAreReadInOnePlace(t *testing.T) {
	header := regexp.MustCompile(`(?i)"(x-forwarded|x-real-ip|forwarded|x-original|true-client)`)
	err := filepath.WalkDir(".", func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || path == "client.go" || path == "function/request.go" || path == "gate/mock/mock.go" { // that refuses what has any
			return err
		}
		src, err := os.ReadFile(path)
		if found := header.Find(src); found != nil {
			t.Errorf("%s reads %s\": use clientAddress", path, found)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAccessLog(t *testing.T) {
	var out buffer
	b := newBench(t, edge.Config{AccessLog: &out})
	b.publish("r2",
		object(spec.KindEdge, "edge", spec.Edge{TrustedProxies: []string{"127.0.0.0/8"}, TLS: spec.TLS{}}),
		b.app("a", "r1", spec.App{Hosts: []string{"a.test"}}, files{"index.html": "home"}))
	address, stop := b.run()
	request := "GET /?token=secret HTTP/1.1\r\nHost: a.test\r\nUser-Agent: te\"st\\\xff\r\nX-Forwarded-For: 198.51.100.7\r\nConnection: close\r\n\r\n"
	if status, _ := ask(t, address, request); status != 200 {
		t.Fatal(status)
	}
	_, _ = ask(t, address, "GET /%22%7f HTTP/1.1\r\nHost: b.test\r\nConnection: close\r\n\r\n")
	_, _ = ask(t, address, "GET /%E2%80%AE%0d%0a%1b[2J HTTP/1.1\r\nHost: a.test\r\nUser-Agent: \u202egpj\u0085\u2028\U000e0001\r\nConnection: close\r\n\r\n")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("%q", lines)
	}
	var first, second, third map[string]any
	for i, into := range []*map[string]any{&first, &second, &third} {
		if err := json.NewDecoder(bytes.NewReader([]byte(lines[i]))).Decode(into); err != nil {
			t.Fatalf("%s: %v", lines[i], err)
		}
	}
	for key, want := range map[string]any{"client": "198.51.100.7", "method": "GET", "host": "a.test", "path": "/", "status": 200.0,
		"bytes": 4.0, "app": "app.a", "revision": "r1", "agent": "te\"st\\\ufffd"} {
		if first[key] != want {
			t.Errorf("%s = %v, want %v", key, first[key], want)
		}
	}
	if second["status"] != 421.0 || second["revision"] != "r2" || second["app"] != nil {
		t.Errorf("%s", lines[1])
	}
	if third["path"] != "/\u202e\r\n\x1b[2J" || third["agent"] != "\u202egpj\u0085\u2028\U000e0001" {
		t.Errorf("what a client chose is not what it was: %s", lines[2])
	}
	for _, r := range strings.Join(lines, "") {
		if !unicode.IsPrint(r) {
			t.Errorf("%q is in the log as it is", r)
		}
	}
	if strings.Contains(out.String(), "secret") {
		t.Error("the query is in the log")
	}
}

// discard is a ResponseWriter that costs nothing.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

// A static hit allocates nothing of the edge's, with the access log and
// without; the ceiling is what the static handler may take.
func TestStaticHitAllocatesNothing(t *testing.T) {
	if raced {
		t.Skip("the race detector empties pools at random")
	}
	for name, c := range map[string]edge.Config{"plain": {}, "access log": {AccessLog: nowhere{}}} {
		b := newBench(t, c)
		b.publish("r1", b.app("a", "r1", spec.App{Hosts: []string{"a.test"}}, files{"index.html": strings.Repeat("x", 1024), "app.js": "y"}))
		for _, path := range []string{"/", "/app.js"} {
			r := httptest.NewRequest("GET", "http://a.test"+path, nil)
			w := &discard{http.Header{}}
			allocs := testing.AllocsPerRun(200, func() {
				clear(w.header)
				b.ServeHTTP(w, r)
			})
			if allocs != 0 {
				t.Errorf("%s, %s: %v allocations", name, path, allocs)
			}
		}
	}
}

type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
