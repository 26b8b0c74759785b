package rewrite_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/edge/rewrite"
)

// headersOf returns what a _headers file sets on a path over two defaults.
func headersOf(t *testing.T, src, path string) http.Header {
	t.Helper()
	rules, problems := rewrite.ParseHeaders([]byte(src))
	if len(problems) > 0 {
		t.Fatalf("%q: %v", src, problems)
	}
	table, err := rewrite.Compile(nil, rules)
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{"Cache-Control": {"default"}, "Referrer-Policy": {"default"}}
	table.Headers(path, h)
	return h
}

func TestHeaders(t *testing.T) {
	const file = `# for everything
/*
  X-Frame-Options: DENY
  Link: </a.css>; rel=preload   # the style
  x-robots-tag: none

/secure/*
	X-Frame-Options: SAMEORIGIN
	! X-Robots-Tag
	! Referrer-Policy
	Cache-Control: max-age=3600
	Cache-Control: public

/movie/:title
  X-Movie: You see :title at 20:15 for :price
`
	for path, want := range map[string]http.Header{
		"/": {"Cache-Control": {"default"}, "Referrer-Policy": {"default"}, "X-Frame-Options": {"DENY"},
			"Link": {"</a.css>; rel=preload"}, "X-Robots-Tag": {"none"}},
		"/secure/x": {"Cache-Control": {"max-age=3600, public"}, "X-Frame-Options": {"DENY, SAMEORIGIN"},
			"Link": {"</a.css>; rel=preload"}},
		"/movie/a\nb": {"Cache-Control": {"default"}, "Referrer-Policy": {"default"}, "X-Frame-Options": {"DENY"},
			"Link": {"</a.css>; rel=preload"}, "X-Robots-Tag": {"none"}, "X-Movie": {"You see a%0Ab at 20:15 for :price"}},
	} {
		if got := headersOf(t, file, path); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, want %v", path, got, want)
		}
	}
}

// Cloudflare's way to replace a header of an earlier rule.
func TestDetachThenSet(t *testing.T) {
	got := headersOf(t, "/*\n  A: 1\n/x\n  ! A\n  A: 2\n", "/x")
	if got.Get("A") != "2" {
		t.Errorf("A = %q", got["A"])
	}
}

// Declared headers replace what came before them, and an empty value removes it.
func TestDeclaredHeadersReplace(t *testing.T) {
	table, err := rewrite.Compile(nil, []rewrite.Header{
		{Path: "/*", Set: map[string]string{"A": "1", "b": "1"}},
		{Path: "/x", Set: map[string]string{"a": "2", "B": ""}},
	})
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{"B": {"default"}}
	table.Headers("/x", h)
	if want := (http.Header{"A": {"2"}}); !reflect.DeepEqual(h, want) {
		t.Errorf("%v, want %v", h, want)
	}
}

func TestHeaderProblems(t *testing.T) {
	for line, want := range map[string]string{
		"  nothing":               "neither a path nor a header",
		"  A b: c":                "is not a header name",
		"  A:":                    `write "! A" to remove it`,
		"  !":                     "is not a header name",
		"  Fazt-Revision: x":      "server's own",
		"  ! fazt-revision":       "server's own",
		"  Content-Length: 5":     "decided by the server",
		"  etag: x":               "decided by the server",
		"  Set-Cookie: a=b":       "same cookie",
		"  Basic-Auth: me:secret": "password",
		"  A: b\x01":              "control character",
		"/x y*z*":                 "more than one splat",
		"https://example.com/*":   "names a host",
		"  A: \xff":               "not UTF-8",
	} {
		rules, problems := rewrite.ParseHeaders([]byte("/fine\n  B: c\n" + line + "\n"))
		if len(problems) != 1 || problems[0].Line != 3 || !strings.Contains(problems[0].Message, want) {
			t.Errorf("%q: %v, want %q", line, problems, want)
		}
		if len(rules) != 1 || len(rules[0].Set) != 1 {
			t.Errorf("%q: %v are left, want the fine one", line, rules)
		}
	}
	if _, problems := rewrite.ParseHeaders([]byte("A: b")); len(problems) != 1 || problems[0].Line != 1 {
		t.Errorf("a header without a path: %v", problems)
	}
}

func FuzzParseHeaders(f *testing.F) {
	f.Add("/*\n A: b\n ! C\n/:x/*\n D: :x :splat # e", "/y")
	f.Fuzz(func(t *testing.T, src, path string) {
		rules, _ := rewrite.ParseHeaders([]byte(src))
		table, err := rewrite.Compile(nil, rules)
		if err != nil {
			return
		}
		h := http.Header{}
		table.Headers(path, h)
		for name, values := range h {
			if name != http.CanonicalHeaderKey(name) || len(values) != 1 || strings.ContainsAny(values[0], "\r\n\x00") {
				t.Errorf("%q: %q", name, values)
			}
		}
	})
}
