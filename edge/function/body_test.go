package function_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/edge/function"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/script"
	"pgregory.net/rapid"
)

// JSON that nests too deep is refused before the program hears of it, and only
// where it says that it is JSON.
func TestDeepBodies(t *testing.T) {
	const mib = 1 << 20
	asked := 0
	s := serve(t, func(ctx context.Context, r script.Request) (*script.Response, error) { asked++; return echo(ctx, r) })
	for _, c := range []struct {
		name, kind, body string
		status           int
		asked            bool
	}{
		{"a bomb", "application/json", strings.Repeat("[", mib), 400, false},
		{"65 levels", "application/json", strings.Repeat("[", 65) + strings.Repeat("]", 65), 400, false},
		{"64 levels", "application/json", strings.Repeat("[", 64) + strings.Repeat("]", 64), 200, true},
		{"of objects", "application/json; charset=utf-8", strings.Repeat(`{"a":`, 65), 400, false},
		{"of a kind of JSON", "application/activity+json", strings.Repeat("[", 65), 400, false},
		{"in text", "application/json", `"` + strings.Repeat(`[\"`, 100) + `"`, 200, true},
		{"of other text", "text/plain", strings.Repeat("[", 100), 200, true},
		{"wide", "application/json", "[" + strings.Repeat("[],", 1000) + "[]]", 200, true},
		{"closed first", "application/json", strings.Repeat("]", 100) + strings.Repeat("[", 65), 400, false},
		{"late", "application/json", strings.Repeat(" ", 2*mib) + strings.Repeat("[", 65), 400, true},
		{"long and flat", "application/json", strings.Repeat(" ", 3*mib) + "[1]", 200, true},
		{"deep across the parts", "application/json", strings.Repeat(" ", mib-30) + strings.Repeat("[", 65), 400, true},
	} {
		asked = 0
		a, body := s.do(t, "POST", "/", c.body, "Content-Type", c.kind)
		if a.StatusCode != c.status || asked > 0 != c.asked {
			t.Errorf("%s: %d, program asked %d times, want %d and %v", c.name, a.StatusCode, asked, c.status, c.asked)
		}
		var e echoed
		if c.status == 200 && (json.Unmarshal([]byte(body), &e) != nil || e.Body != c.body) {
			t.Errorf("%s: the program got another body", c.name)
		}
	}
}

// A body passes exactly if no parser that counts levels would refuse it.
func TestDepthIsThatOfJSON(t *testing.T) {
	h := function.New(function.Options{Program: program(echo), Bind: func(context.Context, script.Info) script.Bindings { return &bindings{} }})
	rapid.Check(t, func(t *rapid.T) {
		value := nested(t, rapid.IntRange(0, 80).Draw(t, "levels"))
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("POST", "/", strings.NewReader(string(text)))
		r.Header.Set("Content-Type", "application/json")
		err = h.ServeHTTP(httptest.NewRecorder(), r)
		if deep := levels(value) > 64; deep != (fault.KindOf(err) == fault.Invalid) {
			t.Fatalf("%d levels: %v in %s", levels(value), err, text)
		}
	})
}

func nested(t *rapid.T, n int) any {
	var v any = rapid.SampledFrom([]any{nil, 1, `]}"\`, "[[[{"}).Draw(t, "leaf")
	for range n {
		side := rapid.SampledFrom([]string{`"[`, "}", `\"`}).Draw(t, "side")
		if rapid.Bool().Draw(t, "list") {
			v = []any{side, v, []any{}}
		} else {
			v = map[string]any{side: v, "z": side}
		}
	}
	return v
}

func levels(v any) (n int) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			n = max(n, levels(e))
		}
		return n + 1
	case map[string]any:
		for _, e := range v {
			n = max(n, levels(e))
		}
		return n + 1
	}
	return 0
}

// What ends a body is what the visitor hears of, whatever the program made of it.
func TestRefusedBody(t *testing.T) {
	for name, kind := range map[string]string{"read by the program": "text/plain", "read ahead": "application/json"} {
		h := function.New(function.Options{Program: program(echo), Bind: func(context.Context, script.Info) script.Bindings { return &bindings{} }})
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, 1000)
			render(w, h.ServeHTTP(w, r))
		}))
		a, err := http.Post(s.URL, kind, strings.NewReader(strings.Repeat("1", 5000)))
		if err != nil {
			t.Fatal(err)
		}
		if a.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %d", name, a.StatusCode)
		}
		io.Copy(io.Discard, a.Body)
		a.Body.Close()
		s.Close()
	}
}

// A program that answers while the request still comes loses nothing of it, and what
// is left of one that it does not read is never taken for another request.
func TestAnswerWhileTheRequestComes(t *testing.T) {
	echo := func(_ context.Context, r script.Request) (*script.Response, error) {
		return &script.Response{Status: 200, Body: io.NopCloser(r.Body)}, nil
	}
	s := serve(t, echo)
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	for range 2 {
		a, err := http.Post(s.URL, "application/octet-stream", struct{ io.Reader }{bytes.NewReader(sent)})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(a.Body)
		a.Body.Close()
		if err != nil || !bytes.Equal(got, sent) {
			t.Fatalf("%d of %d bytes came back: %v", len(got), len(sent), err)
		}
	}
	for _, expect := range []string{"", "Expect: 100-continue\r\n"} {
		deaf := serve(t, func(context.Context, script.Request) (*script.Response, error) {
			return &script.Response{Status: 200, Body: io.NopCloser(strings.NewReader("deaf"))}, nil
		})
		c, err := net.Dial("tcp", strings.TrimPrefix(deaf.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\n"+expect+"Content-Length: 60\r\n\r\n")
		io.WriteString(c, "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
		c.(*net.TCPConn).CloseWrite()
		all, _ := io.ReadAll(c) // a reset is an end as well
		if n := strings.Count(string(all), "HTTP/1.1 200"); n != 1 {
			t.Errorf("%q: %d answers: %s", expect, n, all)
		}
	}
}
