package function_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/edge/function"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/script"
)

// program is code as a handler sees it.
type program func(ctx context.Context, r script.Request) (*script.Response, error)

func (p program) Fetch(ctx context.Context, r script.Request, _ script.Bindings) (*script.Response, error) {
	return p(ctx, r)
}

// bindings are none, and a log.
type bindings struct {
	mu    sync.Mutex
	lines []script.Line
}

func (*bindings) Env() []script.Env { return nil }
func (*bindings) Call(context.Context, script.Call) (script.Reply, error) {
	return script.Reply{}, fault.New(fault.NotFound, "nothing is bound")
}
func (b *bindings) Log(l script.Line) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, l)
}

func (b *bindings) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var s strings.Builder
	for _, l := range b.lines {
		s.WriteString(l.Level + " " + l.RequestID + " " + l.Text + "\n")
	}
	return s.String()
}

// site is a handler behind a server that renders errors as the edge does: what is
// between the two is the status, the code and the reference.
type site struct {
	*httptest.Server
	log *bindings
}

func serve(t *testing.T, p program, change ...func(*function.Options)) *site {
	t.Helper()
	s := &site{log: &bindings{}}
	o := function.Options{Program: p, App: "notes", Release: "r1",
		Bind: func(context.Context, script.Info) script.Bindings { return s.log },
		Visitor: func(http.ResponseWriter, *http.Request) function.Visitor {
			return function.Visitor{IP: "192.0.2.7", Scheme: "https", RequestID: "req-1"}
		}}
	for _, c := range change {
		c(&o)
	}
	h := function.New(o)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { render(w, h.ServeHTTP(w, r)) }))
	t.Cleanup(s.Close)
	return s
}

func render(w http.ResponseWriter, err error) {
	if err == nil {
		return
	}
	status := fault.KindOf(err).Status()
	if has, ok := errors.AsType[interface {
		error
		Status() int
	}](err); ok {
		status = has.Status()
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		status = http.StatusRequestEntityTooLarge
	}
	code := ""
	if f, ok := errors.AsType[*function.Failure](err); ok {
		code = f.Code() + " " + f.Reference() + " " + f.Detail()
	}
	if w.Header().Get("X-Content-Type-Options") != "" {
		panic(http.ErrAbortHandler) // the answer has begun: cut it
	}
	http.Error(w, code, status)
}

func (s *site) do(t *testing.T, method, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	a, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a, string(text)
}

// say is a program that always gives one answer.
func say(status int, body string, header ...string) program {
	return func(context.Context, script.Request) (*script.Response, error) {
		a := &script.Response{Status: status, Body: io.NopCloser(strings.NewReader(body))}
		for i := 0; i < len(header); i += 2 {
			a.Header = append(a.Header, [2]string{header[i], header[i+1]})
		}
		return a, nil
	}
}

// echo answers with the request as JSON.
func echo(_ context.Context, r script.Request) (*script.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, &script.Exception{Name: "TypeError", Message: "the body broke"}
		}
	}
	text, err := json.Marshal(map[string]any{"method": r.Method, "url": r.URL, "header": r.Header, "body": string(body), "info": r.Info})
	return &script.Response{Status: 200, Header: [][2]string{{"content-type", "application/json"}},
		Body: io.NopCloser(strings.NewReader(string(text)))}, err
}

type echoed struct {
	Method, URL, Body string
	Header            [][2]string
	Info              script.Info
}

func (e echoed) values(name string) (found []string) {
	for _, f := range e.Header {
		if f[0] == name {
			found = append(found, f[1])
		}
	}
	return found
}

func (s *site) echo(t *testing.T, method, path, body string, header ...string) (e echoed) {
	t.Helper()
	_, text := s.do(t, method, path, body, header...)
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return e
}

// The program sees the request as the visitor made it, and who the edge says the
// visitor is.
func TestRequest(t *testing.T) {
	s := serve(t, echo)
	got := s.echo(t, "POST", "/a%20b/ü?q=%2F&x", "hello")
	if want := "https://" + strings.TrimPrefix(s.URL, "http://") + "/a%20b/%C3%BC?q=%2F&x"; got.URL != want || got.Method != "POST" || got.Body != "hello" {
		t.Errorf("got %s %s %q, want POST %s", got.Method, got.URL, got.Body, want)
	}
	if want := (script.Info{IP: "192.0.2.7", RequestID: "req-1", App: "notes", Release: "r1"}); got.Info != want {
		t.Errorf("info %+v", got.Info)
	}
	if host := got.values("host"); len(host) != 1 || "http://"+host[0] != s.URL {
		t.Errorf("host %q", host)
	}
}

// What is the platform's or the connection's does not reach the program; the rest
// does.
func TestRequestHeader(t *testing.T) {
	s := serve(t, echo)
	for _, c := range []struct {
		name, value, seen string
		want              []string
	}{
		{"Cookie", "a=1; __Host-fazt=secret; b=2", "cookie", []string{"a=1; b=2"}},
		{"Cookie", "__Host-fazt=secret", "cookie", nil},
		{"Cookie", "__hOST-fAZT_pre=secret;__Host-app=mine", "cookie", []string{"__Host-app=mine"}},
		{"Cookie", " __Host-fazt =secret; c=3;;", "cookie", []string{"c=3"}},
		{"Authorization", "Bearer fzt_abc", "authorization", nil},
		{"Authorization", "token   fzt_abc", "authorization", nil},
		{"Authorization", "Bearer app-token", "authorization", []string{"Bearer app-token"}},
		{"Authorization", "Basic dTpw", "authorization", []string{"Basic dTpw"}},
		{"Fazt-Revision", "x", "fazt-revision", nil},
		{"Te", "trailers", "te", nil},
		{"Proxy-Authorization", "Basic x", "proxy-authorization", nil},
		{"Upgrade", "h2c", "upgrade", nil},
		{"X-Forwarded-For", "6.6.6.6", "x-forwarded-for", []string{"192.0.2.7"}},
		{"X-Forwarded-Host", "evil.test", "x-forwarded-host", nil},
		{"X-Forwarded-Proto", "ftp", "x-forwarded-proto", []string{"https"}},
		{"X-Real-Ip", "6.6.6.6", "x-real-ip", []string{"192.0.2.7"}},
		{"Forwarded", "for=6.6.6.6", "forwarded", nil},
		{"X-Latin", "caf\xe9", "x-latin", []string{"café"}},
		{"Accept-Language", "de", "accept-language", []string{"de"}},
	} {
		if got := s.echo(t, "GET", "/", "", c.name, c.value).values(c.seen); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q became %q, want %q", c.name, c.value, got, c.want)
		}
	}
	got := s.echo(t, "GET", "/", "", "Connection", "x-hop, keep-alive", "X-Hop", "1", "X-End", "2")
	if got.values("x-hop") != nil || got.values("connection") != nil || !slices.Equal(got.values("x-end"), []string{"2"}) {
		t.Errorf("fields named by Connection are the connection's: %v", got.Header)
	}
}

// A stream reaches the visitor part by part, and its end reaches the program.
func TestStream(t *testing.T) {
	from, to := io.Pipe()
	s := serve(t, func(ctx context.Context, r script.Request) (*script.Response, error) {
		return &script.Response{Status: 200, Header: [][2]string{{"content-type", "text/event-stream"}}, Body: from}, nil
	})
	go io.WriteString(to, "data: 1\n\n")
	a, err := http.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	part := make([]byte, 9)
	for range 3 {
		if _, err := io.ReadFull(a.Body, part); err != nil || string(part) != "data: 1\n\n" {
			t.Fatalf("part %q, %v", part, err)
		}
		go io.WriteString(to, "data: 1\n\n")
	}
	a.Body.Close()
	for { // the pipe of a visitor who has left is closed
		if _, err := io.WriteString(to, "data: 2\n\n"); err != nil {
			return
		}
	}
}

// A stream of events is open before there is one.
func TestStreamOfEventsIsOpen(t *testing.T) {
	from, to := io.Pipe()
	s := serve(t, func(ctx context.Context, r script.Request) (*script.Response, error) {
		return &script.Response{Status: 200, Header: [][2]string{{"content-type", "text/event-stream"}}, Body: from}, nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, "GET", s.URL, nil)
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	go to.Close()
	if all, err := io.ReadAll(a.Body); err != nil || len(all) > 0 {
		t.Errorf("%q, %v", all, err)
	}
}

// A client that leaves ends the call.
func TestClientLeaves(t *testing.T) {
	began, ended := make(chan struct{}), make(chan error, 1)
	s := serve(t, func(ctx context.Context, r script.Request) (*script.Response, error) {
		close(began)
		<-ctx.Done()
		ended <- ctx.Err()
		return nil, ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	r, _ := http.NewRequestWithContext(ctx, "GET", s.URL, nil)
	go func() { <-began; cancel() }()
	if _, err := http.DefaultClient.Do(r); !errors.Is(err, context.Canceled) {
		t.Errorf("client got %v", err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("program got %v", err)
	}
	if text := s.log.text(); text != "" {
		t.Errorf("nobody's fault is logged: %s", text)
	}
}

// An error says to the visitor what kind it is and no more; the app's log has the
// rest under the same reference.
func TestFailures(t *testing.T) {
	thrown := &script.Exception{Name: "TypeError", Message: "secret detail", Stack: "    at fetch (src/api.ts:3:9)"}
	full := fault.New(fault.Exhausted, "secret: used 2s of cpu").WithSubject("limit_cpu")
	for _, c := range []struct {
		err    error
		status int
		body   string
		logged string
	}{
		{thrown, 500, "exception req-1 \n", "error req-1 TypeError: secret detail\n    at fetch (src/api.ts:3:9)\n"},
		{&script.Exception{Name: "Error", Message: "no room left", Code: fault.CodeDiskFull}, 507, "disk_full req-1 \n", "error req-1 Error: no room left\n"},
		{full, 503, "limit_cpu req-1 \n", "error req-1 limit_cpu: secret: used 2s of cpu\n"},
		{fault.Wrap(fault.Exhausted, full, "call"), 503, "limit_cpu req-1 \n", "error req-1 limit_cpu: call: secret: used 2s of cpu\n"},
		{fault.New(fault.Unavailable, "no free vm"), 503, "unavailable req-1 \n", ""},
		{fault.New(fault.NotFound, "secret row"), 500, "internal req-1 \n", ""},
		{errors.New("secret"), 500, "internal req-1 \n", ""},
	} {
		s := serve(t, func(context.Context, script.Request) (*script.Response, error) { return nil, c.err })
		a, body := s.do(t, "GET", "/", "")
		if a.StatusCode != c.status || body != c.body || s.log.text() != c.logged {
			t.Errorf("%v: %d %q, logged %q", c.err, a.StatusCode, body, s.log.text())
		}
	}
	dev := serve(t, func(context.Context, script.Request) (*script.Response, error) { return nil, thrown },
		func(o *function.Options) {
			o.Dev = &function.Dev{Excerpt: func(string) string { return "> 3 | code\n" }}
		})
	if _, body := dev.do(t, "GET", "/", ""); !strings.Contains(body, "src/api.ts:3:9") || !strings.Contains(body, "> 3 | code") {
		t.Errorf("a developer sees the stack, not %q", body)
	}
}
