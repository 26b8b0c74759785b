package edge_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/spec"
	"pgregory.net/rapid"
)

// The router finds what the two sentences of its contract say: the exact host,
// else the wildcard of all but the first label; the longest prefix.
func TestRouterAgreesWithTheNaiveModel(t *testing.T) {
	label := rapid.SampledFrom([]string{"a", "b", "www", "xn--caf-dma", "x-1"})
	name := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(label, 1, 4).Draw(t, "labels"), ".")
	})
	pattern := rapid.Custom(func(t *rapid.T) string {
		return rapid.SampledFrom([]string{"", "", "*."}).Draw(t, "star") + name.Draw(t, "name")
	})
	segment := rapid.SampledFrom([]string{"a", "ab", "auth", "_fazt"})
	path := rapid.Custom(func(t *rapid.T) string {
		return "/" + strings.Join(rapid.SliceOfN(segment, 0, 3).Draw(t, "segments"), "/")
	})
	rapid.Check(t, func(t *rapid.T) {
		hosts := rapid.SliceOfN(pattern, 0, 8).Draw(t, "hosts")
		prefixes := []string{"/"}
		for _, p := range rapid.SliceOfN(path, 0, 5).Draw(t, "prefixes") {
			prefixes = append(prefixes, strings.TrimSuffix(p, "/")+"/")
		}
		slices.SortFunc(prefixes, func(a, b string) int { return len(b) - len(a) })
		router := edge.NewRouter(hosts, prefixes)
		asked := name.Draw(t, "asked")
		want := naiveHost(hosts, asked)
		for _, spelling := range []string{asked, strings.ToUpper(asked), asked + ".", asked + ":8080", asked + ".:443"} {
			if got := router.Find(spelling); got != want {
				t.Fatalf("%q of %q: %q, want %q", spelling, hosts, got, want)
			}
		}
		if want == "" {
			return
		}
		p := path.Draw(t, "path")
		if got, want := router.Route(asked, p), naivePrefix(prefixes, p); got != want {
			t.Fatalf("%q of %q: %q, want %q", p, prefixes, got, want)
		}
	})
}

func naiveHost(patterns []string, host string) string {
	if slices.Contains(patterns, host) {
		return host
	}
	for _, p := range patterns {
		if rest, ok := strings.CutPrefix(p, "*."); ok {
			if first, after, _ := strings.Cut(host, "."); after == rest && first != "" {
				return p
			}
		}
	}
	return ""
}

func naivePrefix(prefixes []string, path string) string {
	best := ""
	for _, p := range prefixes {
		if strings.HasPrefix(path, p) && len(p) > len(best) {
			best = p
		}
	}
	return best
}

// Hosts that look like another's lead to that one's policy or nowhere.
func TestHostTricks(t *testing.T) {
	b := newBench(t, edge.Config{})
	b.publish("r1",
		b.app("admin", "admin", spec.App{Hosts: []string{"admin.x.test"}}, files{"index.html": "admin"}),
		b.app("idn", "idn", spec.App{Hosts: []string{"xn--caf-dma.test"}}, files{"index.html": "idn"}))
	address, _ := b.run()
	for host, want := range map[string]string{
		"admin.x.test": "admin", "ADMIN.x.test": "admin", "admin.x.test.": "admin", "admin.x.test:443": "admin",
		"Admin.X.Test.:8080": "admin", "café.test": "", "xn--caf-dma.test": "idn", "XN--CAF-DMA.TEST": "idn",
		"admin.x.test..": "", "admin.x.test.evil": "", "admin.x": "", "x.test": "", "eviladmin.x.test": "", "аdmin.x.test": "",
		"": "", "127.0.0.1": "", "[::1]": "", "[::1]:80": "", "0x7f.1": "", "2130706433": "", "admin.x.test:": "admin", "admin.x.test:99999": "",
		"admin.x.test:80:80": "", "admin_x.test": "", "admin.x.test,evil": "", "*.x.test": "", ".admin.x.test": "", "admin..x.test": "",
		"admin.x.test%00": "", "localhost": "", "user@admin.x.test": "",
	} {
		status, revision := ask(t, address, "GET / HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
		if want == "" && (status == 421 || status == 400) {
			continue
		}
		if status != 200 || revision != want {
			t.Errorf("host %q: %d %q", host, status, revision)
		}
	}
	// The absolute form wins over Host, for routing and policy alike.
	for request, want := range map[string]int{
		"GET http://evil.test/ HTTP/1.1\r\nHost: admin.x.test":    421,
		"GET http://admin.x.test/ HTTP/1.1\r\nHost: evil.test":    200,
		"GET http://admin.x.test HTTP/1.1\r\nHost: admin.x.test":  200,
		"GET http://u@admin.x.test/ HTTP/1.1\r\nHost: x":          200,
		"GET / HTTP/1.1\r\nHost: admin.x.test\r\nHost: evil.test": 400,
		"GET / HTTP/1.1": 400,
		"GET / HTTP/1.0": 421,
		"GET http:/admin HTTP/1.1\r\nHost: admin.x.test":                             404,
		"GET admin HTTP/1.1\r\nHost: admin.x.test":                                   400,
		"GET / HTTP/1.1\r\nHost: evil.test\r\nX-Forwarded-Host: admin.x.test":        421,
		"CONNECT admin.x.test:80 HTTP/1.1\r\nHost: admin.x.test:80":                  400,
		"OPTIONS * HTTP/1.1\r\nHost: admin.x.test":                                   400,
		"PRI * HTTP/2.0\r\n\r\nSM":                                                   400,
		"GET / HTTP/1.1\r\nHost: admin.x.test\r\nX-Original-URL: /..":                200,
		"GET / HTTP/1.1\r\nHost: admin.x.test\r\nForwarded: host=evil":               200,
		"GET /" + strings.Repeat("a", 8<<10) + " HTTP/1.1\r\nHost: admin.x.test":     414,
		"GET / HTTP/1.1\r\nHost: admin.x.test\r\nX: " + strings.Repeat("a", 40<<10):  431,
		"POST / HTTP/1.1\r\nHost: admin.x.test\r\nContent-Length: 1048577\r\n\r\nab": 413,
	} {
		if status, _ := ask(t, address, request+"\r\nConnection: close\r\n\r\n"); status != want {
			t.Errorf("%.80q: %d, want %d", request, status, want)
		}
	}
}

// ask sends raw bytes and returns the status and Fazt-Revision of the answer.
func ask(t *testing.T, address, request string) (status int, revision string) {
	t.Helper()
	response := exchangeRaw(t, address, request)
	return response.StatusCode, response.Header.Get("Fazt-Revision")
}

func exchangeRaw(t *testing.T, address, request string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go io.WriteString(conn, request)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%.80q: %v", request, err)
	}
	return response
}

// A connection made for one host does not answer for another.
func TestServerNameAndHostMustAgree(t *testing.T) {
	b := newBench(t, edge.Config{})
	b.publish("r1",
		b.app("a", "r1", spec.App{Hosts: []string{"a.test", "www.a.test"}}, files{"index.html": "a"}),
		b.app("b", "r1", spec.App{Hosts: []string{"b.test"}}, files{"index.html": "b"}))
	for _, c := range []struct {
		sni, host string
		want      int
	}{{"a.test", "a.test", 200}, {"A.test", "www.a.test", 200}, {"", "a.test", 200}, {"b.test", "a.test", 421}, {"c.test", "a.test", 421}} {
		r := httptest.NewRequest("GET", "http://"+c.host+"/", nil)
		r.TLS = &tls.ConnectionState{ServerName: c.sni}
		if w := b.send(r); w.Code != c.want {
			t.Errorf("SNI %q, host %q: %d", c.sni, c.host, w.Code)
		}
	}
}

// No spelling reaches outside an app or past a reserved prefix, and whatever
// redirects stays on the host.
func TestPathTricksOverTheWire(t *testing.T) {
	b := newBench(t, edge.Config{})
	b.publish("r1", b.app("a", "r1", spec.App{Hosts: []string{"a.test"}}, files{"index.html": "home", "admin.html": "admin"}))
	address, _ := b.run()
	own, _ := url.Parse("http://a.test/")
	targets := append(refusedPaths(),
		"//evil.test", "///evil.test", "////evil.test", "//evil.test/", "//evil.test/..", "/%09/evil.test", "/%5cevil.test", "/%2f%2fevil.test",
		"/%2fevil.test", "//%2fevil.test", "/.//evil.test", "/./evil.test", "//evil.test/%2e%2e", "//evil%E3%80%82test", "/〱evil.test",
		"//evil.test:80/", "//user@evil.test/", "//evil.test?x=//evil.test", "//evil.test/%2f..", "/evil.test//", "/a//evil.test", "/;//evil.test",
		"/http://evil.test", "/https:evil.test", "//https:///evil.test//", "/%0d%0aLocation:%20//evil.test", "//[::1]/", "//evil.test\\@a.test",
		"/%0aevil", "//\t/evil.test", "//google%00.evil.test")
	for _, target := range targets {
		response := exchangeRaw(t, address, "GET "+target+" HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
		switch status := response.StatusCode; {
		case status == 200:
			t.Errorf("%s is served", target)
		case status >= 300 && status < 400:
			location := response.Header.Get("Location")
			to, err := own.Parse(location)
			if err != nil || to.Host != "a.test" || !strings.HasPrefix(location, "/") || strings.HasPrefix(location, "//") {
				t.Errorf("%s redirects to %q", target, location)
			}
		case status != 400 && status != 404:
			t.Errorf("%s: %d", target, status)
		}
	}
}

// The answer to a request whose framing a proxy may read differently ends the
// connection.
func TestTransferEncodingClosesTheConnection(t *testing.T) {
	b := newBench(t, edge.Config{})
	b.PublishHandler("a.test", func(w http.ResponseWriter, r *http.Request) error {
		_, err := io.Copy(w, r.Body)
		return err
	})
	address, _ := b.run()
	for _, request := range []string{
		"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
		"POST / HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
	} {
		response := exchangeRaw(t, address, request)
		body, err := io.ReadAll(response.Body)
		seen := strings.Contains(request, "HTTP/1.1") // net/http drops the field of HTTP/1.0
		if err != nil || seen && string(body) != "x" || !response.Close {
			t.Errorf("%q: %q, close %v, %v", request, body, response.Close, err)
		}
	}
}

// Finding the handler of a request costs no memory, however many apps there
// are.
func TestLookupAllocatesNothing(t *testing.T) {
	var hosts []string
	for i := range 1000 {
		hosts = append(hosts, fmt.Sprintf("app-%d.example.com", i))
	}
	router := edge.NewRouter(append(hosts, "*.wild.test", "xn--caf-dma.test"), []string{"/.well-known/acme-challenge/", "/_fazt/", "/auth/", "/"})
	for _, host := range []string{"app-7.example.com", "app-7.example.com:8080", "any.wild.test", "xn--caf-dma.test"} {
		allocs := testing.AllocsPerRun(100, func() {
			if !router.Lookup(host, "/assets/app.js") {
				t.Fatal("not found")
			}
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations", host, allocs)
		}
	}
}

// However a host is spelt, it is answered as its canonical form is, or not.
func FuzzHost(f *testing.F) {
	for _, host := range []string{"a.test", "A.test.", "a.test:80", "b.wild.test", "x.b.wild.test", "[::1]:80", "xn--caf-dma.test", "café.test", "", "*.wild.test"} {
		f.Add(host)
	}
	router := edge.NewRouter([]string{"a.test", "*.wild.test", "xn--caf-dma.test"}, []string{"/"})
	f.Fuzz(func(t *testing.T, host string) {
		found := router.Find(host)
		canonical, err := spec.ParseHost(host)
		if err != nil && found != "" {
			t.Fatalf("%q is no host and answered by %q", host, found)
		}
		if err == nil && router.Find(canonical) != found {
			t.Fatalf("%q is answered by %q, %q by %q", host, found, canonical, router.Find(canonical))
		}
	})
}
