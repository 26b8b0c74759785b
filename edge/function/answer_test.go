package function_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/edge/function"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/script"
)

// An app sets what is its own, and what it may not set is missing and said so.
func TestAnswerHeader(t *testing.T) {
	for _, c := range []struct {
		field, value string
		kept         bool
	}{
		{"X-App", "1", true},
		{"Strict-Transport-Security", "max-age=1", true},
		{"Set-Cookie", "a=1; Path=/; Secure", true},
		{"Set-Cookie", "domain=1; Path=/", true},
		{"Set-Cookie", "a=1; Domain=example.com", false},
		{"Set-Cookie", "a=1;DOMAIN = example.com; Path=/", false},
		{"Set-Cookie", "a=1; domain", false},
		{"Set-Cookie", "__Host-fazt=1; Path=/; Secure", false},
		{"Fazt-Revision", "mine", false},
		{"Clear-Site-Data", `"cache", "storage"`, true},
		{"Clear-Site-Data", `"cache", "Cookies"`, false},
		{"Clear-Site-Data", `"*"`, false},
		{"Connection", "close", false},
		{"Transfer-Encoding", "chunked", false},
		{"Trailer", "X-A", false},
		{"Upgrade", "websocket", false},
		{"Alt-Svc", `h3=":1"`, false},
		{"X-Split", "a\r\nX-Other: b", false},
		{"X Space", "a", false},
		{"X-Snow", "\u2603", false},
	} {
		s := serve(t, say(200, "ok", c.field, c.value))
		a, _ := s.do(t, "GET", "/", "")
		values := a.Header.Values(c.field)
		if kept := slices.Contains(values, c.value); kept != c.kept {
			t.Errorf("%s: %q kept %v, want %v", c.field, c.value, kept, c.kept)
		}
		if logged := strings.Contains(s.log.text(), "is left out"); logged == c.kept {
			t.Errorf("%s: %q logged %v: %s", c.field, c.value, logged, s.log.text())
		}
	}
	s := serve(t, say(200, "ok", "Set-Cookie", "a=1", "Set-Cookie", "b=2", "X-Latin", "café"))
	a, _ := s.do(t, "GET", "/", "")
	if got := a.Header.Values("Set-Cookie"); !slices.Equal(got, []string{"a=1", "b=2"}) {
		t.Errorf("two cookies are %q", got)
	}
	if got := a.Header.Get("X-Latin"); got != "caf\xe9" {
		t.Errorf("a character of Latin-1 is %q", got)
	}
}

// Every answer has the restrictions that an app did not decide about itself.
func TestRestrictions(t *testing.T) {
	const both = "base-uri 'self'; frame-ancestors 'self'"
	for _, c := range []struct {
		set, want []string
	}{
		{nil, []string{"nosniff", "strict-origin-when-cross-origin", both}},
		{[]string{"Referrer-Policy", "no-referrer"}, []string{"nosniff", "no-referrer", both}},
		{[]string{"X-Frame-Options", "DENY"}, []string{"nosniff", "strict-origin-when-cross-origin", ""}},
		{[]string{"Content-Security-Policy", "default-src 'self'"},
			[]string{"nosniff", "strict-origin-when-cross-origin", "default-src 'self'|frame-ancestors 'self'"}},
		{[]string{"Content-Security-Policy", "Frame-Ancestors *"}, []string{"nosniff", "strict-origin-when-cross-origin", "Frame-Ancestors *"}},
	} {
		a, _ := serve(t, say(200, "ok", c.set...)).do(t, "GET", "/", "")
		got := []string{a.Header.Get("X-Content-Type-Options"), a.Header.Get("Referrer-Policy"),
			strings.Join(a.Header.Values("Content-Security-Policy"), "|")}
		if !slices.Equal(got, c.want) {
			t.Errorf("set %q: got %q, want %q", c.set, got, c.want)
		}
	}
}

// whole is a program whose answer is there as a whole.
func whole(body string, header ...string) program {
	p := say(200, body, header...)
	return func(ctx context.Context, r script.Request) (*script.Response, error) {
		a, err := p(ctx, r)
		a.Body = known{strings.NewReader(body)}
		return a, err
	}
}

type known struct{ *strings.Reader }

func (known) Close() error { return nil }

// Framing is right whatever the program says about it.
func TestFraming(t *testing.T) {
	for _, c := range []struct {
		name, method string
		program      program
		status       int
		body         string
		length       int64 // -1 is none
		kind         string
	}{
		{"a length that is known", "GET", say(200, "hello", "content-length", "5", "content-type", "text/plain"), 200, "hello", 5, "text/plain"},
		{"none", "GET", say(201, "hello"), 201, "hello", -1, ""},
		{"a body that is whole", "GET", whole("hello"), 200, "hello", 5, ""},
		{"a wrong length of one", "GET", whole("hello", "content-length", "99"), 200, "hello", 5, ""},
		{"its HEAD", "HEAD", whole("hello"), 200, "", 5, ""},
		{"a HEAD of its own", "HEAD", whole("", "content-length", "5"), 200, "", 5, ""},
		{"nonsense", "GET", say(200, "hello", "content-length", "-5"), 200, "hello", -1, ""},
		{"two", "GET", say(200, "hello", "content-length", "5", "content-length", "7"), 200, "hello", 5, ""},
		{"too short", "GET", say(200, "hello", "content-length", "2"), 200, "he", 2, ""},
		{"HEAD", "HEAD", say(200, "hello", "content-length", "5"), 200, "", 5, ""},
		{"no content", "GET", say(204, "hello", "content-length", "5"), 204, "", 0, ""},
		{"not modified", "GET", say(304, "hello", "etag", `"a"`), 304, "", 0, ""},
		{"reset content", "GET", say(205, "hello"), 205, "", 0, ""},
		{"an error of its own", "GET", say(404, "gone"), 404, "gone", -1, ""},
		{"empty", "GET", say(200, "", "content-length", "0"), 200, "", 0, ""},
		{"a status that is none", "GET", say(99, "x"), 500, "internal req-1 \n", 16, "text/plain; charset=utf-8"},
		{"switching protocols", "GET", say(101, "x"), 500, "internal req-1 \n", 16, "text/plain; charset=utf-8"},
	} {
		a, body := serve(t, c.program).do(t, c.method, "/", "")
		if a.StatusCode != c.status || body != c.body || a.ContentLength != c.length && c.length != 0 || a.Header.Get("Content-Type") != c.kind {
			t.Errorf("%s: got %d %q length %d type %q", c.name, a.StatusCode, body, a.ContentLength, a.Header.Get("Content-Type"))
		}
	}
}

// A program that says how long its body is and stops before is noticed by the
// visitor, as is one that breaks off.
func TestBrokenAnswer(t *testing.T) {
	breaks := func(context.Context, script.Request) (*script.Response, error) {
		return &script.Response{Status: 200, Body: io.NopCloser(io.MultiReader(strings.NewReader("part"), broken{}))}, nil
	}
	for name, p := range map[string]program{"short": say(200, "hello", "content-length", "9"), "breaks": breaks} {
		s := serve(t, p)
		a, err := http.Get(s.URL)
		if err != nil {
			continue // nothing of it had been sent: as good
		}
		if _, err := io.ReadAll(a.Body); err == nil {
			t.Errorf("%s: half an answer looks like a whole one", name)
		}
		a.Body.Close()
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) {
	return 0, fault.New(fault.Exhausted, "the answer is too long").WithSubject("limit_reply")
}

// A stored file that a program passes on is a download where it could run, whatever
// the program says, and as it is where it could not.
func TestPassedOnUploads(t *testing.T) {
	for _, c := range []struct {
		kind, disposition, saved string
		boxed                    bool
	}{
		{"text/html", "", "attachment; filename*=UTF-8''page", true},
		{"image/svg+xml; charset=utf-8", `inline; filename="a.svg"`, `attachment; filename="a.svg"`, true},
		{"image/png", "", "", false},
		{"", "", "", false},
	} {
		fields := []string{"fazt-upload", "1", "X-Content-Type-Options", "off", "Content-Disposition", c.disposition}
		if c.kind != "" {
			fields = append(fields, "Content-Type", c.kind)
		}
		s := serve(t, say(200, "<script>", fields...))
		h, _ := s.do(t, "GET", "/files/page", "")
		policy := h.Header.Values("Content-Security-Policy")
		if h.Header.Get("Content-Disposition") != c.saved || slices.Contains(policy, "sandbox") != c.boxed ||
			h.Header.Get("X-Content-Type-Options") != "nosniff" || h.Header.Get("Fazt-Upload") != "" || s.log.text() != "" {
			t.Errorf("%q: %v, logged %q", c.kind, h.Header, s.log.text())
		}
	}
}

// In dev a page that a browser shows ends with what makes it reload; nothing else
// does, as what code asked for is not shown.
func TestSnippetOfPages(t *testing.T) {
	dev := func(o *function.Options) { o.Dev = &function.Dev{Snippet: []byte("<script>")} }
	page := whole("<p>", "Content-Type", "text/html; charset=utf-8")
	for _, c := range []struct {
		name    string
		program program
		header  []string
		change  []func(*function.Options)
		want    string
	}{
		{"a page", page, []string{"Sec-Fetch-Dest", "document"}, []func(*function.Options){dev}, "<p><script>"},
		{"a stream of one", say(200, "<p>", "Content-Type", "text/html"), []string{"Sec-Fetch-Dest", "document"}, []func(*function.Options){dev}, "<p><script>"},
		{"a part of a page", page, []string{"Sec-Fetch-Dest", "empty"}, []func(*function.Options){dev}, "<p>"},
		{"data", whole("{}", "Content-Type", "application/json"), []string{"Sec-Fetch-Dest", "document"}, []func(*function.Options){dev}, "{}"},
		{"a packed page", whole("<p>", "Content-Type", "text/html", "Content-Encoding", "x"), []string{"Sec-Fetch-Dest", "document"}, []func(*function.Options){dev}, "<p>"},
		{"a visitor's", page, []string{"Sec-Fetch-Dest", "document"}, nil, "<p>"},
	} {
		a, body := serve(t, c.program, c.change...).do(t, "GET", "/", "", c.header...)
		if body != c.want || a.ContentLength >= 0 && a.ContentLength != int64(len(c.want)) {
			t.Errorf("%s: %d %q", c.name, a.ContentLength, body)
		}
	}
}
