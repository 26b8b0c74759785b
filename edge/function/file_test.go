package function_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/edge/function"
	"github.com/fazt-sh/fazt/platform/fault"
)

// files is one file, whose signature is the method it is for.
type files struct {
	kind, disposition string
	put               string
}

type closing struct{ *bytes.Reader }

func (closing) Close() error { return nil }

func (f *files) OpenSigned(_ context.Context, binding, key string, q url.Values) (io.ReadSeekCloser, http.Header, error) {
	if q.Get("sig") != "GET" {
		return nil, nil, fault.New(fault.Forbidden, "not signed")
	}
	if binding != "FILES" || key == "missing" {
		return nil, nil, fault.New(fault.NotFound, "no file %q", key)
	}
	h := http.Header{"Content-Type": {f.kind}, "Etag": {`"e1"`}, "Last-Modified": {time.Unix(1e9, 0).UTC().Format(http.TimeFormat)}}
	if f.disposition != "" {
		h.Set("Content-Disposition", f.disposition)
	}
	return closing{bytes.NewReader([]byte("0123456789" + key))}, h, nil
}

func (f *files) PutSigned(_ context.Context, binding, key string, q url.Values, header http.Header, body io.Reader) (string, error) {
	if q.Get("sig") != "PUT" {
		return "", fault.New(fault.Forbidden, "not signed")
	}
	all, err := io.ReadAll(body)
	f.put = binding + " " + key + " " + header.Get("Content-Type") + " " + string(all)
	return `"e2"`, err
}

func serveFiles(t *testing.T, f *files) *site {
	t.Helper()
	h := function.NewFiles(f, "/_fazt/blob/")
	s := &site{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { render(w, h.ServeHTTP(w, r)) }))
	t.Cleanup(s.Close)
	return s
}

// A signed address answers as HTTP has it, for what it was signed for.
func TestSignedFile(t *testing.T) {
	s := serveFiles(t, &files{kind: "text/plain"})
	const at = "/_fazt/blob/FILES/a/b.txt?sig=GET"
	for _, c := range []struct {
		name, method, path string
		header             []string
		status             int
		body, want         string // want: "Field: value" of the answer
	}{
		{"the file", "GET", at, nil, 200, "0123456789a/b.txt", "Content-Length: 17"},
		{"its head", "HEAD", at, nil, 200, "", "Content-Length: 17"},
		{"a part", "GET", at, []string{"Range", "bytes=2-4"}, 206, "234", "Content-Range: bytes 2-4/17"},
		{"the end", "GET", at, []string{"Range", "bytes=-3"}, 206, "txt", "Content-Range: bytes 14-16/17"},
		{"no such part", "GET", at, []string{"Range", "bytes=99-"}, 416, "", "Content-Range: bytes */17"},
		{"a part of what it was", "GET", at, []string{"Range", "bytes=2-4", "If-Range", `"old"`}, 200, "0123456789a/b.txt", ""},
		{"too many parts", "GET", at, []string{"Range", "bytes=" + strings.Repeat("0-1,", 9) + "3-4"}, 416, "", ""},
		{"as it was", "GET", at, []string{"If-None-Match", `"e1"`}, 304, "", `Etag: "e1"`},
		{"not since", "GET", at, []string{"If-Modified-Since", "Sun, 09 Sep 2001 01:46:40 GMT"}, 304, "", ""},
		{"another", "GET", at, []string{"If-Match", `"old"`}, 412, "", ""},
		{"a key that no path can carry", "GET", "/_fazt/blob/FILES/-?key=..%2Fx%00&sig=GET", nil, 200, "0123456789../x\x00", ""},
		{"not signed for it", "GET", "/_fazt/blob/FILES/a?sig=PUT", nil, 403, "", ""},
		{"not there", "GET", "/_fazt/blob/FILES/missing?sig=GET", nil, 404, "", ""},
		{"another binding", "GET", "/_fazt/blob/OTHER/a?sig=GET", nil, 404, "", ""},
		{"no key", "GET", "/_fazt/blob/FILES?sig=GET", nil, 404, "", ""},
		{"an empty key", "GET", "/_fazt/blob/FILES/?sig=GET", nil, 404, "", ""},
		{"another method", "DELETE", at, nil, 405, "", "Allow: GET, HEAD, PUT, OPTIONS"},
		{"its methods", "OPTIONS", at, nil, 204, "", "Allow: GET, HEAD, PUT, OPTIONS"},
	} {
		a, body := s.do(t, c.method, c.path, "", c.header...)
		if a.StatusCode != c.status || a.StatusCode < 400 && body != c.body {
			t.Errorf("%s: %d %q, want %d %q", c.name, a.StatusCode, body, c.status, c.body)
		}
		if name, value, ok := strings.Cut(c.want, ": "); ok && a.Header.Get(name) != value {
			t.Errorf("%s: %s is %q, want %q", c.name, name, a.Header.Get(name), value)
		}
	}
}

// What is PUT at a signed address is stored, and at one signed for GET is not.
func TestSignedPut(t *testing.T) {
	f := &files{}
	s := serveFiles(t, f)
	a, _ := s.do(t, "PUT", "/_fazt/blob/FILES/new?sig=PUT", "hello", "Content-Type", "text/plain")
	if a.StatusCode != 201 || a.Header.Get("Etag") != `"e2"` || f.put != "FILES new text/plain hello" {
		t.Errorf("%d %q, stored %q", a.StatusCode, a.Header.Get("Etag"), f.put)
	}
	if a, _ := s.do(t, "PUT", "/_fazt/blob/FILES/new?sig=GET", "bad"); a.StatusCode != 403 || strings.Contains(f.put, "bad") {
		t.Errorf("%d, stored %q", a.StatusCode, f.put)
	}
}

// Nothing that somebody uploaded runs as a page, a script or a style of the app.
func TestUploadsDoNotRun(t *testing.T) {
	const bytes = "application/octet-stream"
	for _, c := range []struct {
		kind, disposition string
		sent, saved       string
		boxed             bool
	}{
		{"text/html", "", "text/html", "attachment; filename*=UTF-8''x%20%C3%BC.html", true},
		{"TEXT/HTML; charset=utf-8", "", "TEXT/HTML; charset=utf-8", "attachment; filename*=UTF-8''x%20%C3%BC.html", true},
		{"text/html", `inline; filename="a.html"`, "text/html", `attachment; filename="a.html"`, true},
		{"image/svg+xml", "inline", "image/svg+xml", "attachment; filename*=UTF-8''x%20%C3%BC.html", true},
		{"application/xhtml+xml", "", "application/xhtml+xml", "attachment; filename*=UTF-8''x%20%C3%BC.html", true},
		{"text/xml", "", "text/xml", "attachment; filename*=UTF-8''x%20%C3%BC.html", true},
		{"text/javascript", "", bytes, "attachment; filename*=UTF-8''x%20%C3%BC.html", true},
		{"application/x-javascript", "", bytes, "attachment; filename*=UTF-8''x%20%C3%BC.html", true},
		{"text/css", "", bytes, "attachment; filename*=UTF-8''x%20%C3%BC.html", true},
		{"", "", bytes, "attachment; filename*=UTF-8''x%20%C3%BC.html", true},
		{"image/png", "", "image/png", "", true},
		{"image/png", `attachment; filename="a.png"`, "image/png", `attachment; filename="a.png"`, true},
		{"video/mp4", "", "video/mp4", "", true},
		{"text/plain", "", "text/plain", "", true},
		{"application/pdf", "", "application/pdf", "", false},
	} {
		s := serveFiles(t, &files{kind: c.kind, disposition: c.disposition})
		a, _ := s.do(t, "GET", "/_fazt/blob/FILES/a/x%20%C3%BC.html?sig=GET", "")
		h := a.Header
		if h.Get("Content-Type") != c.sent || h.Get("Content-Disposition") != c.saved || h.Get("X-Content-Type-Options") != "nosniff" ||
			strings.HasPrefix(h.Get("Content-Security-Policy"), "sandbox;") != c.boxed || h.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%q %q: %v", c.kind, c.disposition, h)
		}
	}
}

func (f *files) OpenPublic(ctx context.Context, binding, key string) (io.ReadSeekCloser, http.Header, error) {
	return f.OpenSigned(ctx, binding, key, url.Values{"sig": {"GET"}})
}

// What is served to everybody is under the same guard, and under no signature.
func TestPublicFile(t *testing.T) {
	h := function.NewPublic(&files{kind: "image/svg+xml"}, "FILES", "/files/")
	s := &site{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { render(w, h.ServeHTTP(w, r)) }))
	t.Cleanup(s.Close)
	a, body := s.do(t, "GET", "/files/a/b.svg", "", "Range", "bytes=10-")
	if a.StatusCode != 206 || body != "a/b.svg" || a.Header.Get("Content-Disposition") != "attachment; filename*=UTF-8''b.svg" ||
		a.Header.Get("Referrer-Policy") != "strict-origin-when-cross-origin" {
		t.Errorf("%d %q %v", a.StatusCode, body, a.Header)
	}
	for path, status := range map[string]int{"/files/missing": 404, "/files/": 404} {
		if a, _ := s.do(t, "GET", path, ""); a.StatusCode != status {
			t.Errorf("%s: %d", path, a.StatusCode)
		}
	}
	if a, _ := s.do(t, "PUT", "/files/a", "x"); a.StatusCode != 405 || a.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("PUT: %d %q", a.StatusCode, a.Header.Get("Allow"))
	}
}
