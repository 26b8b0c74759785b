package edge_test

import (
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/fazt-sh/fazt/edge"
)

// refused are spellings that two readers could read as two paths.
func refusedPaths() []string {
	return []string{
		"/..", "/../", "/a/..", "/a/../b", "/../../etc/passwd", "/%2e%2e/admin", "/a/%2e%2e/admin", "/.%2e/x", "/%2e./x",
		"/%2E%2E/x", "/..%2fadmin", "/%2fadmin", "/a%2fb", "/a%2Fb", "/a%2F..%2fb", "/%5c..%5cadmin", "/a%5Cb", `/\evil.test`,
		`/a\b`, `/..\..\x`, "/%00", "/a%00.html", "/a%0ab", "/a%0d%0aSet-Cookie:x", "/%09/evil.test", "/a%1fb", "/a%7fb", "/%ff", "/%c0%ae%c0%ae/x",
		"/%c0%af", "/%e0%80%ae", "/%c2%85", "/%u002e", "/%", "/%2", "/%zz", "/a/./../b", "//..", "/./..", "/%2e%2e%2fadmin", "/%2e%2e%5cadmin",
	}
}

func TestCanonicalPath(t *testing.T) {
	for in, want := range map[string]string{
		"/":                     "/",
		"/a/b.html":             "/a/b.html",
		"/a%20b":                "/a b",
		"/%61":                  "/a",
		"/caf%c3%a9":            "/café",
		"/a/":                   "/a/",
		"/.well-known/x":        "/.well-known/x",
		"/...":                  "/...",
		"/..a/b..":              "/..a/b..",
		"/%252e%252e/x":         "/%2e%2e/x", // decoded once, and then a name
		"/%25%32%66":            "/%2f",
		"/a;b=c/d,e":            "/a;b=c/d,e",
		"/a:b@c":                "/a:b@c",
		"//a":                   "redirect /a",
		"/a//b///c/":            "redirect /a/b/c/",
		"//evil.test/x":         "redirect /evil.test/x",
		"///evil.test":          "redirect /evil.test",
		"/./a":                  "redirect /a",
		"/a/.":                  "redirect /a/",
		"/a/%2e/b":              "redirect /a/b",
		"//":                    "redirect /",
		"/.//evil.test":         "redirect /evil.test",
		"//evil.test/%68%69//?": "redirect /evil.test/hi/",
	} {
		u, err := url.ParseRequestURI(in)
		if err != nil {
			t.Fatal(err)
		}
		path, same, err := edge.CanonicalPath(u)
		if got := path; err != nil || map[bool]string{false: "redirect "}[same]+got != want {
			t.Errorf("%s: %q, same %v, %v", in, path, same, err)
		}
	}
	for _, in := range refusedPaths() {
		u, err := url.ParseRequestURI(in)
		if err != nil {
			continue // net/http has answered 400
		}
		if path, _, err := edge.CanonicalPath(u); err == nil {
			t.Errorf("%s is taken for %q", in, path)
		}
	}
}

// Whatever a client sends, the path that routing and policy see has one
// spelling, and a redirect to it stays on the host.
func FuzzCanonicalPath(f *testing.F) {
	for _, in := range append(refusedPaths(), "/", "//a", "/a/./b/", "/%252e", "/%41") {
		f.Add(in, "q=1")
	}
	f.Fuzz(func(t *testing.T, target, query string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		path, same, err := edge.CanonicalPath(u)
		if err != nil {
			return
		}
		if path[0] != '/' || strings.Contains(path, "//") || strings.Contains(path, `\`) || !utf8.ValidString(path) || strings.ContainsFunc(path, unicode.IsControl) {
			t.Fatalf("%q became %q", target, path)
		}
		for _, segment := range strings.Split(path, "/") {
			if segment == "." || segment == ".." {
				t.Fatalf("%q became %q", target, path)
			}
		}
		again, sameAgain, err := edge.CanonicalPath(&url.URL{Path: path})
		if err != nil || !sameAgain || again != path {
			t.Fatalf("%q is not its own canonical form: %q, %v", path, again, err)
		}
		if !same {
			checkRedirect(t, path, query)
		}
	})
}

func checkRedirect(t *testing.T, path, query string) {
	if strings.ContainsFunc(query, unicode.IsControl) || strings.ContainsAny(query, " #") {
		return // cannot stand in a request line
	}
	location := edge.SelfRedirect(path, query)
	from, _ := url.Parse("https://own.test/some/page")
	to, err := from.Parse(location)
	if err != nil || to.Host != "own.test" || to.Scheme != "https" || to.Path != path {
		t.Fatalf("%q leads to %v, %v", location, to, err)
	}
}
