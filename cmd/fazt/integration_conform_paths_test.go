//go:build integration

package main

import (
	"crypto/tls"
	"net"
	"net/url"
	"strings"
	"testing"
)

// canary is what must never leave the node: it stands in files beside the content
// folder, in one of another app, in the state folder and in a file of rules.
const canary = "CANARY-4f1d"

// trickedSite is two apps behind TLS, with things beside and between them.
func trickedSite(w *world) *process {
	w.t.Helper()
	w.write(map[string]string{
		"site/fazt.hcl": "edge {\n  domain = \"localhost\"\n  tls = { mode = \"internal\" }\n}\n" + conformLimits +
			"app \"a\" {\n  content = \"www\"\n  redirects = [\n    { from = \"/old/*\", to = \"/:splat\" },\n  ]\n}\n" +
			"app \"b\" {\n  content = \"other\"\n}\n",
		"site/www/index.html":           "this is a",
		"site/www/in/index.html":        "this is a",
		"site/www/evil.test/index.html": "this is a",
		"site/www/_headers":             "# " + canary + "\n",
		"site/other/index.html":         "this is b",
		"site/other/secret.txt":         canary,
		"site/canary.txt":               canary,
		"canary.txt":                    canary,
		"state/canary.txt":              canary,
	})
	return w.serveSecure("a.localhost", "b.localhost")
}

// over returns connections by TLS with a name of its own.
func over(addr, name string) func() (net.Conn, error) {
	return func() (net.Conn, error) {
		return tls.Dial("tcp", addr, &tls.Config{ServerName: name, InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	}
}

// one sends a request that ends the connection and returns the one answer.
func one(t *testing.T, network func() (net.Conn, error), raw string) rawAnswer {
	t.Helper()
	answers, rest := exchange(t, network, raw, "")
	if len(answers) != 1 || rest != "" {
		t.Errorf("%.100q: %d answers, and %q", raw, len(answers), rest)
		return rawAnswer{}
	}
	return answers[0]
}

// strangers are hosts that look like a.localhost, or like nothing, and are not.
var strangers = []string{
	"", "localhost", "evil.test", "a.localhost.evil.test", "a.localhost-evil.test", "aa.localhost", ".a.localhost", "a..localhost",
	"a.localhost..", "*.localhost", "a", "a.", "a.local\u200bhost", "\u0430.localhost", "a.l\u043ecalhost", "xn--80ak6aa92e.localhost",
	"a%2elocalhost", "a%00.localhost", "a.localhost%00.evil.test", "a.localhost:443:80", "a.localhost:x", "a.localhost:99999", "a.localhost:-1",
	"a.localhost@evil.test", "evil.test@a.localhost", "user:pass@a.localhost", "a.localhost/", "a.localhost/../b.localhost", "a.localhost?x",
	"a.localhost#x", "a.localhost\\b.localhost", "a.localhost,b.localhost", "a.localhost b.localhost", "a.localhost\tb", "a_.localhost",
	"127.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::1%25lo]", "::1", "[a.localhost]",
	"http://a.localhost", "//a.localhost", strings.Repeat("a", 64) + ".localhost", strings.Repeat("a.", 130) + "localhost",
}

// spelt are hosts that are a.localhost in other letters.
var spelt = []string{
	"a.localhost", "A.LOCALHOST", "a.LocalHost", "a.localhost.", "A.localhost.:443", "a.localhost:443", "a.localhost:80", "a.localhost:8080",
}

// TestIntegrationConformHosts: a host is one of the configuration's, in any
// letters, or it is nobody's.
func TestIntegrationConformHosts(t *testing.T) {
	t.Parallel()
	p := trickedSite(newPlainWorld(t))
	network := over(p.secureAddr(), "a.localhost")
	get := func(host, more string) string {
		return "GET / HTTP/1.1\r\nHost: " + host + "\r\n" + more + "Connection: close\r\n\r\n"
	}
	for _, host := range strangers {
		if a := one(t, network, get(host, "")); a.status != 421 && a.status != 400 || strings.Contains(a.body, "this is") {
			t.Errorf("host %q: %d %.80q", host, a.status, a.body)
		}
	}
	for _, host := range spelt {
		if a := one(t, network, get(host, "")); a.status != 200 || a.body != "this is a" {
			t.Errorf("host %q: %d %.80q", host, a.status, a.body)
		}
	}
	for _, more := range []string{"X-Forwarded-Host: b.localhost\r\n", "Forwarded: host=b.localhost\r\n", "X-Host: b.localhost\r\n",
		"X-Original-URL: /x\r\n", "X-Rewrite-URL: /x\r\n", "X-HTTP-Method-Override: POST\r\n", "X-Forwarded-Proto: http\r\n"} {
		if a := one(t, network, get("a.localhost", more)); a.status != 200 || a.body != "this is a" {
			t.Errorf("%q: %d %.80q", more, a.status, a.body)
		}
	}
	absolutes(t, network)
	handshakeNames(t, p.secureAddr(), get)
}

// absolutes are requests whose target names a host. That host counts, and it is
// still held against the name of the handshake.
func absolutes(t *testing.T, network func() (net.Conn, error)) {
	for _, c := range []struct {
		target, host string
		status       int
	}{
		{"https://a.localhost/", "a.localhost", 200},
		{"https://A.localhost./", "a.localhost", 200},
		{"https://a.localhost/", "b.localhost", 200},
		{"https://a.localhost", "evil.test", 200},
		{"https://b.localhost/", "a.localhost", 421},
		{"https://evil.test/", "a.localhost", 421},
		{"https://127.0.0.1/", "a.localhost", 421},
		{"ftp://b.localhost/", "a.localhost", 421},
		{"https:///", "b.localhost", 421},
		{"https:a.localhost/", "b.localhost", 421},
	} {
		a := one(t, network, "GET "+c.target+" HTTP/1.1\r\nHost: "+c.host+"\r\nConnection: close\r\n\r\n")
		if a.status != c.status && a.status != 400 || a.status == 200 && a.body != "this is a" {
			t.Errorf("%s with Host %s: %d %.80q", c.target, c.host, a.status, a.body)
		}
	}
}

// handshakeNames are handshakes for one host with requests for another.
func handshakeNames(t *testing.T, addr string, get func(host, more string) string) {
	for _, c := range []struct {
		name, host string
		status     int
	}{
		{"a.localhost", "a.localhost", 200},
		{"b.localhost", "b.localhost", 200},
		{"a.localhost", "b.localhost", 421},
		{"b.localhost", "a.localhost", 421},
		{"b.localhost", "A.LOCALHOST.:443", 421},
		{"b.localhost", "b.localhost.", 200},
	} {
		a := one(t, over(addr, c.name), get(c.host, ""))
		if a.status != c.status || a.status == 200 && a.body != "this is "+c.name[:1] {
			t.Errorf("handshake for %s, host %s: %d %.80q", c.name, c.host, a.status, a.body)
		}
	}
	for _, name := range []string{"evil.test", "localhost", "x.a.localhost", "127.0.0.1", ""} {
		if c, err := over(addr, name)(); err == nil {
			c.Close()
			t.Errorf("a handshake for %q succeeds", name)
		}
	}
}

// confusing are targets that a careless reader takes out of the app. None has
// more than one meaning that is served.
var confusing = []string{
	"/../canary.txt", "/../../canary.txt", "/../other/secret.txt", "/in/../../canary.txt", "/in/../../other/secret.txt", "/./../canary.txt",
	"/..", "/../", "/in/..", "//../canary.txt", "///../canary.txt", "/in//../../canary.txt", "/.../canary.txt", "/..../canary.txt",
	"/%2e%2e/canary.txt", "/%2E%2E/canary.txt", "/.%2e/canary.txt", "/%2e./canary.txt", "/%2e%2e%2fcanary.txt", "/..%2fcanary.txt",
	"/..%2Fother%2Fsecret.txt", "/in%2f..%2f..%2fcanary.txt", "/%2e%2e%5ccanary.txt", "/..%5ccanary.txt", "/..\\canary.txt", "\\..\\canary.txt",
	"/in\\..\\..\\canary.txt", "/%5c..%5ccanary.txt", "/%252e%252e/canary.txt", "/..%252fcanary.txt", "/%252e%252e%252fcanary.txt",
	"/..%255ccanary.txt", "/%c0%ae%c0%ae/canary.txt", "/%c0%2e%c0%2e/canary.txt", "/..%c0%afcanary.txt", "/..%c1%9ccanary.txt",
	"/%e0%80%ae%e0%80%ae/canary.txt", "/..%e0%80%afcanary.txt", "/%f0%80%80%ae%f0%80%80%ae/canary.txt", "/%uff0e%uff0e/canary.txt",
	"/%u002e%u002e/canary.txt", "/%ef%bc%8e%ef%bc%8e/canary.txt", "/..%ef%bc%8fcanary.txt", "/..%e2%88%95canary.txt", "/%00/../canary.txt",
	"/canary.txt%00.html", "/index.html%00../canary.txt", "/..%00/canary.txt", "/..%0d%0a/canary.txt", "/..%09/canary.txt", "/..;/canary.txt",
	"/;/../canary.txt", "/in;x=..%2f..%2fcanary.txt", "/..?/canary.txt", "/..#/canary.txt", "/.%00./canary.txt", "/%20../canary.txt", "/.. /canary.txt",
	"/..%20/canary.txt", "/c:/canary.txt", "/C%3a%5ccanary.txt", "/index.html::$DATA", "/index.html/../../canary.txt", "/file:///etc/passwd",
	"file:///etc/passwd", "/etc/passwd", "//etc/passwd", "/proc/self/environ", "/proc/self/cwd/canary.txt", "/~root/", "/.git/config",
	"/.git/../../canary.txt", "/_headers", "/_redirects", "/%5fheaders", "/_HEADERS", "/_headers/", "/_headers.", "/_headers%20", "/old/../canary.txt",
	"/old/..%2fcanary.txt", "/old/%2e%2e/canary.txt", "/old//../canary.txt", "/old/_headers", "/b.localhost/secret.txt", "/other/secret.txt",
	"/secret.txt", "/canary.txt", "/../state/run/token", "/_fazt/../../canary.txt", "/auth/../canary.txt", "/.well-known/acme-challenge/../../canary.txt",
	"/.well-known/acme-challenge/..%2f..%2fcanary.txt", "/v1/status", "/metrics", "/debug/pprof/", "/run/token",
}

// TestIntegrationConformPaths: no spelling of a path gets a byte that is not of
// the app, in whichever form and by whichever way it comes.
func TestIntegrationConformPaths(t *testing.T) {
	t.Parallel()
	p := trickedSite(newPlainWorld(t))
	network := over(p.secureAddr(), "a.localhost")
	for _, path := range confusing {
		for _, target := range []string{path, "https://a.localhost" + path} {
			raw := "GET " + target + " HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n"
			judgePath(t, target, one(t, network, raw))
			judgePath(t, "plain "+target, one(t, dialer(p.addr), raw))
		}
	}
	p.alive()
}

// judgePath: an answer is a page of the app, one of the node's own, or a way to
// one on the same host.
func judgePath(t *testing.T, target string, a rawAnswer) {
	t.Helper()
	for _, leak := range []string{canary, "root:", "this is b", "PATH="} {
		if strings.Contains(a.body, leak) {
			t.Errorf("%s: %d with %q", target, a.status, leak)
		}
	}
	switch a.status {
	case 200:
		if a.body != "this is a" {
			t.Errorf("%s: 200 with %.80q", target, a.body)
		}
	case 301, 308:
		onHost(t, target, a.header.Get("Location"))
	case 400, 404, 421:
	default:
		t.Errorf("%s: %d", target, a.status)
	}
}

// leaving are targets from which a careless redirect leads to evil.test.
var leaving = []string{
	"//evil.test", "//evil.test/", "//evil.test/..", "///evil.test", "////evil.test/", "//evil.test//", "//evil.test/in", "/evil.test", "/.//evil.test", "/./evil.test",
	"/in//evil.test", "/in/..//evil.test", "/\\evil.test", "/\\/evil.test", "\\\\evil.test", "/%5cevil.test", "/%5c%5cevil.test", "/%5C/evil.test",
	"/%09/evil.test", "/%0a/evil.test", "/%0d%0aLocation:%20//evil.test", "/%2fevil.test", "/%2f%2fevil.test", "//%2fevil.test", "/%2Fevil.test/%2e%2e",
	"//user@evil.test/", "//evil.test:80/", "//evil.test%00.a.localhost/", "//evil.test%2ea.localhost/", "//evil.test?x=/", "//?//evil.test", "/?//evil.test",
	"/in?next=//evil.test", "/@evil.test", "/:80@evil.test", "/.evil.test", "//.evil.test", "/https://evil.test", "/https:evil.test", "/;//evil.test", "/in/%2e/%2e//evil.test",
	"/old//evil.test", "/old///evil.test/", "/old/\\evil.test", "/old/%5cevil.test", "/old/%2fevil.test", "/old/%09/evil.test", "/old/https://evil.test",
	"/old/%0d%0aevil:%20test", "/old/@evil.test", "/old/.//evil.test", "/old/evil.test", "/old/%E3%80%82evil.test", "//\u3002evil.test", "//\u2044evil.test",
	"http://evil.test", "http://evil.test/old/x", "https://a.localhost//evil.test", "https://a.localhost@evil.test/", "https://evil.test@a.localhost//evil.test/", "//[::1]/", "//evil.test\\@a.localhost/",
}

// TestIntegrationConformRedirects: no redirect of the node leads off its host:
// neither to TLS, nor to the clean spelling of a path, nor by an app's rule.
func TestIntegrationConformRedirects(t *testing.T) {
	t.Parallel()
	p := trickedSite(newPlainWorld(t))
	moved := 0
	for _, target := range leaving {
		for _, more := range []string{"", "?q=1", "/"} {
			raw := "GET " + target + more + " HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n"
			for _, network := range []func() (net.Conn, error){dialer(p.addr), over(p.secureAddr(), "a.localhost")} {
				a := one(t, network, raw)
				judgePath(t, target, a)
				if a.status/100 == 3 {
					moved++
				}
			}
		}
	}
	t.Logf("%d targets, %d redirects", len(leaving), moved)
	if moved == 0 {
		t.Error("nothing was redirected: the table tests nothing")
	}
	// The plain address repeats only hosts that are the configuration's.
	for _, host := range strangers {
		a := one(t, dialer(p.addr), "GET / HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
		if a.header.Get("Location") != "" || a.status != 421 && a.status != 400 {
			t.Errorf("plain, host %q: %d to %q", host, a.status, a.header.Get("Location"))
		}
	}
}

// onHost reads a Location as a browser does, which drops tabs and line ends and
// takes a backslash for a slash, and fails unless it stays on a.localhost.
func onHost(t *testing.T, target, location string) {
	t.Helper()
	read := strings.NewReplacer("\t", "", "\r", "", "\n", "", "\\", "/").Replace(strings.TrimSpace(location))
	at, err := url.Parse(read)
	switch {
	case location == "" || err != nil:
		t.Errorf("%s: to %q: %v", target, location, err)
	case strings.HasPrefix(read, "/") && !strings.HasPrefix(read, "//"):
	case at.Scheme == "https" && at.Hostname() == "a.localhost" && at.User == nil:
		if strings.HasPrefix(at.Path, "//") {
			t.Errorf("%s: to %q, whose path would be a host", target, location)
		}
	default:
		t.Errorf("%s: to %q", target, location)
	}
}
