package edge_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/spec"
)

func limitsObject(l spec.Limits) spec.Object { return object(spec.KindLimits, "limits", l) }

// from is a request of one client.
func from(client, url string) *http.Request {
	r := httptest.NewRequest("GET", url, nil)
	r.RemoteAddr = client + ":1234"
	return r
}

// One client that asks too much is refused before the app is asked, and with a
// time at which asking makes sense; others do not notice.
func TestTheRateOfOneClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, edge.Config{})
		b.publish("r1", b.app("a", "r1", spec.App{}, files{"index.html": "a"}),
			limitsObject(spec.Limits{RequestsPerIP: spec.Rate{Rate: 1, Burst: 3}}))
		for i := range 5 {
			w := b.send(from("192.0.2.1", "http://a.example.com/"))
			switch {
			case i < 3 && w.Code != 200:
				t.Errorf("request %d: %d", i, w.Code)
			case i >= 3 && (w.Code != 429 || w.Header().Get("Retry-After") != "1" || w.Header().Get("Fazt-Revision") != "r1"):
				t.Errorf("request %d: %d %v", i, w.Code, w.Header())
			}
		}
		if w := b.send(from("192.0.2.2", "http://a.example.com/")); w.Code != 200 {
			t.Errorf("another client: %d", w.Code)
		}
		// Hosts do not matter: it is one client, also where nobody serves the host.
		if w := b.send(from("192.0.2.1", "http://nobody.example.com/")); w.Code != 429 {
			t.Errorf("unknown host: %d", w.Code)
		}
		time.Sleep(time.Second)
		if w := b.send(from("192.0.2.1", "http://a.example.com/")); w.Code != 200 {
			t.Errorf("after its wait: %d", w.Code)
		}
		if n := b.Traffic().Refused["client"]; n != 3 {
			t.Errorf("%d refusals counted", n)
		}
	})
}

// Addresses of one network of the sixth version are one client.
func TestOneNetworkIsOneClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, edge.Config{})
		b.publish("r1", b.app("a", "r1", spec.App{}, files{"index.html": "a"}),
			limitsObject(spec.Limits{RequestsPerIP: spec.Rate{Rate: 1, Burst: 2}}))
		for i, want := range []int{200, 200, 429} {
			if w := b.send(from(fmt.Sprintf("[2001:db8::%d]", i+1), "http://a.example.com/")); w.Code != want {
				t.Errorf("address %d: %d", i, w.Code)
			}
		}
		if w := b.send(from("[2001:db8:0:1::1]", "http://a.example.com/")); w.Code != 200 {
			t.Errorf("the next network: %d", w.Code)
		}
	})
}

// A commit changes limits without a restart, and gives nobody a full bucket.
func TestLimitsChangeByACommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, edge.Config{})
		a := b.app("a", "r1", spec.App{}, files{"index.html": "a"})
		b.publish("r1", a, limitsObject(spec.Limits{RequestsPerIP: spec.Rate{Rate: 1, Burst: 2}}))
		ask := func() int { return b.send(from("192.0.2.1", "http://a.example.com/")).Code }
		ask()
		ask()
		b.publish("r2", a, limitsObject(spec.Limits{RequestsPerIP: spec.Rate{Rate: 1, Burst: 2}, URL: 1 << 10}))
		if code := ask(); code != 429 {
			t.Errorf("the bucket was filled by a commit: %d", code)
		}
		b.publish("r3", a, limitsObject(spec.Limits{RequestsPerIP: spec.Rate{Rate: 1, Burst: 4}}))
		for i, want := range []int{200, 200, 429} {
			if code := ask(); code != want {
				t.Errorf("request %d after the larger burst: %d", i, code)
			}
		}
	})
}

// An app's own limits refuse what is beyond them and leave other apps alone.
func TestTheLimitsOfOneApp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, edge.Config{})
		b.publish("r1",
			b.app("rate", "r1", spec.App{Limits: &spec.AppLimits{RequestsPerSecond: 1, Burst: 1}}, files{"index.html": "a"}),
			b.app("sent", "r1", spec.App{Limits: &spec.AppLimits{EgressMonth: 10}}, files{"index.html": strings.Repeat("x", 10)}),
			b.app("free", "r1", spec.App{}, files{"index.html": "a"}))
		for _, c := range []struct {
			host string
			code int
		}{{"rate", 200}, {"rate", 429}, {"sent", 200}, {"sent", 503}, {"free", 200}, {"free", 200}} {
			w := b.get("http://" + c.host + ".example.com/")
			if w.Code != c.code {
				t.Errorf("%s: %d", c.host, w.Code)
			}
			if wait, err := strconv.Atoi(w.Header().Get("Retry-After")); c.code != 200 && (err != nil || wait < 1) {
				t.Errorf("%s: come again after %q", c.host, w.Header().Get("Retry-After"))
			}
		}
		if n := b.Traffic().Refused["app"]; n != 2 {
			t.Errorf("%d refusals counted", n)
		}
		if u := b.Usage()["app.sent"]; u.Bytes != 10 {
			t.Errorf("%+v", u)
		}
	})
}

// What an app sent in an earlier process counts against its budget.
func TestABudgetOutlivesTheProcess(t *testing.T) {
	b := newBench(t, edge.Config{})
	sent := b.app("sent", "r1", spec.App{Limits: &spec.AppLimits{EgressMonth: 10}}, files{"index.html": strings.Repeat("x", 10)})
	b.publish("r1", sent)
	b.get("http://sent.example.com/")
	next := newBench(t, edge.Config{Blobs: b.blobs})
	next.RestoreUsage(b.Usage())
	next.publish("r1", next.app("sent", "r1", spec.App{Limits: &spec.AppLimits{EgressMonth: 10}}, files{"index.html": strings.Repeat("x", 10)}))
	if w := next.get("http://sent.example.com/"); w.Code != 503 {
		t.Errorf("%d", w.Code)
	}
}

// Requests of one app at once are bounded, and one that ended makes room.
func TestConcurrencyOfOneApp(t *testing.T) {
	b := newBench(t, edge.Config{})
	b.publish("r1", b.app("a", "r1", spec.App{Limits: &spec.AppLimits{Concurrency: 1}}, files{"index.html": "a"}))
	slow := &pausedWriter{ResponseRecorder: httptest.NewRecorder(), began: make(chan struct{}), goOn: make(chan struct{})}
	done := make(chan struct{})
	go func() {
		b.ServeHTTP(slow, httptest.NewRequest("GET", "http://a.example.com/", nil))
		close(done)
	}()
	<-slow.began
	if w := b.get("http://a.example.com/"); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("a second one: %d", w.Code)
	}
	close(slow.goOn)
	<-done
	if w := b.get("http://a.example.com/"); w.Code != 200 {
		t.Errorf("after it: %d", w.Code)
	}
}

// pausedWriter holds an answer at its first byte.
type pausedWriter struct {
	*httptest.ResponseRecorder
	began, goOn chan struct{}
}

func (p *pausedWriter) WriteHeader(status int) {
	close(p.began)
	<-p.goOn
	p.ResponseRecorder.WriteHeader(status)
}

// Requests that no browser sends are refused by what is wrong with them.
func TestBombsInARequest(t *testing.T) {
	b := newBench(t, edge.Config{})
	b.publish("r1", b.app("a", "r1", spec.App{}, files{"index.html": "a"}))
	many := func(n int, name string) func(*http.Request) {
		return func(r *http.Request) {
			for i := range n {
				r.Header.Add(fmt.Sprintf(name, i), "x")
			}
		}
	}
	for name, c := range map[string]struct {
		change func(*http.Request)
		code   int
	}{
		"100 headers":    {many(100, "X-%d"), 200},
		"101 headers":    {many(101, "X-%d"), 431},
		"101 values":     {many(101, "X-%[1]T"), 431},
		"64 cookies":     {func(r *http.Request) { r.Header.Set("Cookie", strings.Repeat("a=b; ", 63)+"a=b") }, 200},
		"4,000 cookies":  {func(r *http.Request) { r.Header.Set("Cookie", strings.Repeat("a=b; ", 4000)) }, 431},
		"1,000 keys":     {func(r *http.Request) { r.URL.RawQuery = strings.Repeat("a&", 999) + "a" }, 200},
		"1,001 keys":     {func(r *http.Request) { r.URL.RawQuery = strings.Repeat("a&", 1000) + "a" }, 400},
		"a long address": {func(r *http.Request) { r.RequestURI = "/" + strings.Repeat("a", 8<<10) }, 414},
		"a large body":   {func(r *http.Request) { r.ContentLength, r.Body = 1<<20+1, io.NopCloser(strings.NewReader("x")) }, 413},
	} {
		r := httptest.NewRequest("GET", "http://a.example.com/", nil)
		c.change(r)
		if w := b.send(r); w.Code != c.code {
			t.Errorf("%s: %d, want %d", name, w.Code, c.code)
		}
	}
}

// TestTooManyCookies: an app of the same domain can give a browser more cookies than any
// host takes. Whoever meets that is told, and has them taken away by one button.
func TestTooManyCookies(t *testing.T) {
	b := newBench(t, edge.Config{})
	b.publish("r1", b.app("a", "r1", spec.App{}, files{"index.html": "a"}))
	send := func(method, path string, n int) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "https://a.example.com"+path, nil)
		r.Header.Set("Cookie", strings.Repeat("junk=1; ", n-1)+"junk=1")
		r.Header.Set("Accept", "text/html")
		return b.send(r)
	}
	w := send("GET", "/", 300)
	action := regexp.MustCompile(`method="post" action="([^"]+)"`).FindStringSubmatch(w.Body.String())
	if w.Code != 431 || action == nil || !strings.Contains(w.Header().Get("Content-Security-Policy"), "form-action 'self'") || w.Header().Get("Clear-Site-Data") != "" {
		t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	if w := send("POST", action[1], 300); w.Code != 303 || w.Header().Get("Clear-Site-Data") != `"cookies"` || w.Header().Get("Location") != "/" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	for method, n := range map[string]int{"GET": 300, "POST": 1} { // a link of another site takes nothing away, nor anything from who has few
		if w := send(method, action[1], n); w.Header().Get("Clear-Site-Data") != "" {
			t.Errorf("%s with %d cookies takes them away", method, n)
		}
	}
}

// Behind TLS the browser is told to stay there, by certificates that it trusts
// by itself.
func TestStrictTransport(t *testing.T) {
	b := newBench(t, edge.Config{})
	a := b.app("a", "r1", spec.App{}, files{"index.html": "a"})
	own := b.app("own", "r1", spec.App{Headers: []spec.Header{{Path: "/*", Set: map[string]string{"Strict-Transport-Security": "max-age=1"}}}}, files{"index.html": "a"})
	for mode, want := range map[string]string{spec.TLSACME: "max-age=31536000", spec.TLSFiles: "max-age=31536000", spec.TLSInternal: "", "": ""} {
		b.publish("r1", a, own, object(spec.KindEdge, "edge", spec.Edge{TLS: spec.TLS{Mode: mode}}))
		r := httptest.NewRequest("GET", "https://a.example.com/", nil)
		if got := b.send(r).Header().Get("Strict-Transport-Security"); got != want {
			t.Errorf("%s: %q", mode, got)
		}
		r.TLS = nil
		if got := b.send(r).Header().Get("Strict-Transport-Security"); got != "" {
			t.Errorf("%s, plain: %q", mode, got)
		}
	}
	r := httptest.NewRequest("GET", "https://own.example.com/", nil)
	r.TLS = &tls.ConnectionState{}
	if got := b.send(r).Header().Get("Strict-Transport-Security"); got != "max-age=1" {
		t.Errorf("the app says %q", got)
	}
}
