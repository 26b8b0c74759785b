package web_test

import (
	"testing"

	whatwg "github.com/nlnwa/whatwg-url/url"

	"github.com/fazt-sh/fazt/platform/script/web"
)

// What is found plain is what the parser makes of it, alone and with a base: protocol,
// host, path and query, and nothing else.
func FuzzPlainURL(f *testing.F) {
	for _, s := range []string{
		"http://app.test/", "https://a.b-c.example:8443/x/y.html?q=1&r=%41", "http://localhost:8080/api/keys/key-17",
		"http://app.test", "http://app.test:80/", "http://127.0.0.1/", "http://a.0x1/", "http://xn--bcher-kva.test/", "http://a.test/./x", "http://a.test/x?y#z",
		"http://a..b/", "http://a.test./", "http://a.test/%2e%2e/x", "http://a.test/?", "http://u:p@a.test/", "HTTP://a.test/", "http://a.test:00080/", "http://a.test/x?'",
		"http://-a.test/", "http://a-.test/", "http://a.test:65536/", "http://a.test//x//", "http://a.test/x.?y", "http://1a.2b/", "http://a.b1/", "http:///x",
	} {
		f.Add(s)
	}
	parse := whatwg.NewParser()
	f.Fuzz(func(t *testing.T, s string) {
		if !web.Plain(s) {
			return
		}
		for _, base := range []string{"", "https://other.test/a/b?c#d"} {
			u, err := parse.Parse(s)
			if base != "" {
				u, err = parse.ParseRef(base, s)
			}
			if err != nil {
				t.Fatalf("%q is no URL behind %q: %v", s, base, err)
			}
			if got := u.Protocol() + "//" + u.Host() + u.Pathname() + u.Search(); got != s || u.Href(false) != s {
				t.Errorf("%q behind %q is %q of %q", s, base, u.Href(false), got)
			}
		}
	})
}

// Addresses of every day are plain, or nothing would be won.
func TestPlainURL(t *testing.T) {
	for s, plain := range map[string]bool{
		"http://app.test/": true, "http://hello.localhost:8787/api/keys/key-17?a=1&b=x+y%20z": true, "https://shop.example.com/a/b.css": true,
		"http://app.test": false, "http://127.0.0.1:8080/": false, "http://app.test/../x": false, "http://app.test/x#y": false, "http://user@app.test/": false,
	} {
		if got := web.Plain(s); got != plain {
			t.Errorf("%s: plain is %v", s, got)
		}
	}
}
