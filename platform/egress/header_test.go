package egress_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/platform/egress"
	"github.com/fazt-sh/fazt/platform/fault"
)

const hidden = "Bearer sk_live_0123456789"

func secretRule(host string) egress.Rule {
	return egress.Rule{Host: host, Header: map[string]func() string{"authorization": func() string { return hidden }}}
}

// seen is what a server got of a request.
type seen struct {
	host, method, body string
	header             http.Header
}

// recorder answers /to?URL with a redirect and notes every request.
func recorder(got *[]seen, code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*got = append(*got, seen{r.Host, r.Method, string(body), r.Header})
		if r.URL.Path == "/to" {
			to, _ := url.QueryUnescape(r.URL.RawQuery)
			w.Header().Set("Location", to)
			w.WriteHeader(code)
		}
	}
}

// The server of the rule gets the secret, over both versions of the protocol; the
// code does not find it in what comes back, cannot replace it, and cannot have it
// sent in clear.
func TestSecretHeader(t *testing.T) {
	world := newInternet(t)
	var got []seen
	world.serve("api.example.com", recorder(&got, 0))
	var log bytes.Buffer
	c := world.client(egress.Config{Rules: []egress.Rule{secretRule("api.example.com")}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	req := get(t, "https://api.example.com/")
	req.Header["authorization"] = []string{"mine"}
	req.Header["Authorization"] = []string{"mine too"}
	resp, err := c.Do(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.ProtoMajor != 2 {
		t.Errorf("spoken: %s", resp.Proto)
	}
	if a := got[0].header.Values("Authorization"); !slices.Equal(a, []string{hidden}) {
		t.Errorf("the server got %q", a)
	}
	if text := fmt.Sprintf("%+v %+v %#v", resp, resp.Request, req); strings.Contains(text, "sk_live") {
		t.Errorf("the answer holds the secret: %s", text)
	}
	_, err = c.Do(t.Context(), get(t, "http://api.example.com/"))
	wantCode(t, err, fault.Forbidden, egress.CodeDenied)
	if len(got) != 1 {
		t.Error("the secret went in clear")
	}
	trace := get(t, "https://api.example.com/")
	trace.Method = "TRACE"
	_, err = c.Do(t.Context(), trace)
	wantCode(t, err, fault.Forbidden, egress.CodeDenied)
	if strings.Contains(log.String(), "sk_live") {
		t.Error(log.String())
	}
}

// A server that throws the secret back in what ends as an error, and a secret
// that is no header, are told without it.
func TestSecretInErrors(t *testing.T) {
	world := newInternet(t)
	world.serveWith("api.example.com", func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprintf(conn, "%s\r\n\r\n", r.Header.Get("Authorization"))
	}, false)
	c := world.client(egress.Config{Rules: []egress.Rule{secretRule("api.example.com")}})
	for _, value := range []string{"", "a\nb: sk_live_0123456789", "sk_live\x00", "\x7fsk_live"} {
		rule := egress.Rule{Host: "api.example.com", Header: map[string]func() string{"X-Key": func() string { return value }}}
		_, err := world.client(egress.Config{Rules: []egress.Rule{rule}}).Do(t.Context(), get(t, "https://api.example.com/"))
		if fault.KindOf(err) != fault.Invalid || strings.Contains(fmt.Sprintf("%+v", err), "sk_live") {
			t.Errorf("%q: %v", value, err)
		}
	}
	_, err := c.Do(t.Context(), get(t, "https://api.example.com/"))
	wantCode(t, err, fault.Unavailable, egress.CodeUnreachable)
	if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "sk_live") {
		t.Errorf("%#v", err)
	}
}

// Credentials stay with scheme, host and port: neither the rule's nor the code's
// follow a redirect to another, nor come back from there.
func TestCredentialsAcrossHosts(t *testing.T) {
	world := newInternet(t)
	var got []seen
	for _, name := range []string{"a.example.com", "b.example.com", "c.example.com"} {
		world.serve(name, recorder(&got, http.StatusTemporaryRedirect))
	}
	rules := []egress.Rule{secretRule("a.example.com"), secretRule("b.example.com"), {Host: "c.example.com", Ports: []int{80, 443}}}
	to := func(hosts ...string) string {
		address := hosts[len(hosts)-1]
		for _, h := range slices.Backward(hosts[:len(hosts)-1]) {
			address = h + "/to?" + url.QueryEscape(address)
		}
		return address
	}
	const a, b, c, open = "https://a.example.com", "https://b.example.com", "https://c.example.com", "http://c.example.com"
	for _, k := range []struct {
		chain  []string
		secret []bool // of the rule, at each host
		own    []bool // of the code
	}{
		{[]string{a, a + "/x"}, []bool{true, true}, []bool{true, true}},
		{[]string{a, b}, []bool{true, false}, []bool{true, false}},
		{[]string{a, c}, []bool{true, false}, []bool{true, false}},
		{[]string{c, a}, []bool{false, false}, []bool{true, false}},
		{[]string{c, open}, []bool{false, false}, []bool{true, false}},
		{[]string{open, c}, []bool{false, false}, []bool{true, false}},
		{[]string{a, b, a}, []bool{true, false, false}, []bool{true, false, false}},
		{[]string{a, a, b, a}, []bool{true, true, false, false}, []bool{true, true, false, false}},
	} {
		got = nil
		req := get(t, to(k.chain...))
		for _, name := range []string{"Cookie", "X-Api-Key", "Proxy-Authorization"} {
			req.Header.Set(name, "mine")
		}
		req.Header.Set("Accept", "text/plain")
		if _, err := fetch(t.Context(), world.client(egress.Config{Rules: rules}), req); err != nil {
			t.Errorf("%v: %v", k.chain, err)
			continue
		}
		for i, s := range got {
			if (s.header.Get("Authorization") == hidden) != k.secret[i] {
				t.Errorf("%v: hop %d got the rule's secret: %v", k.chain, i, !k.secret[i])
			}
			if (s.header.Get("Cookie") == "mine") != k.own[i] || (s.header.Get("X-Api-Key") == "mine") != k.own[i] || s.header.Get("Accept") != "text/plain" {
				t.Errorf("%v: hop %d got %v", k.chain, i, s.header)
			}
			if s.header.Get("Proxy-Authorization") != "" {
				t.Error("a proxy's credentials are sent")
			}
		}
		if len(got) != len(k.chain) {
			t.Errorf("%v: %d requests", k.chain, len(got))
		}
	}
}

// Method and body follow redirects as in fetch.
func TestRedirectedBody(t *testing.T) {
	for _, k := range []struct {
		code         int
		method       string
		after, again string
	}{
		{301, "POST", "GET", ""}, {302, "POST", "GET", ""}, {303, "POST", "GET", ""}, {303, "PUT", "GET", ""}, {303, "HEAD", "HEAD", ""},
		{301, "PUT", "PUT", "x"}, {307, "POST", "POST", "x"}, {308, "PUT", "PUT", "x"}, {307, "GET", "GET", ""},
	} {
		world := newInternet(t)
		var got []seen
		world.serve("a.example.com", recorder(&got, k.code))
		req, err := http.NewRequest(k.method, "https://a.example.com/to?/x", strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		if k.method == "GET" || k.method == "HEAD" {
			req.Body, req.GetBody, req.ContentLength = nil, nil, 0
		}
		c := world.client(egress.Config{Rules: []egress.Rule{{Host: "a.example.com", Ports: []int{80, 443}}}})
		if _, err := fetch(t.Context(), c, req); err != nil || len(got) != 2 || got[1].method != k.after || got[1].body != k.again {
			t.Errorf("%d after %s: %v %+v", k.code, k.method, err, got)
		}
		if k.again == "" {
			continue
		}
		req.Body, req.GetBody = io.NopCloser(strings.NewReader("x")), nil
		_, err = c.Do(t.Context(), req)
		wantCode(t, err, fault.Unavailable, egress.CodeUnreachable)
	}
}

// What code sets of the connection's own headers does not reach a server, nor
// does a proxy of the environment see a request, nor a server change the
// protocol.
func TestConnectionHeaders(t *testing.T) {
	world := newInternet(t)
	world.listen("raw.example.com", func(conn net.Conn) {
		readRequest(conn)
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		io.Copy(io.Discard, conn)
	})
	var got []seen
	world.serve("a.example.com", recorder(&got, 0))
	proxy := world.canary.port
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "ALL_PROXY"} {
		t.Setenv(name, fmt.Sprintf("http://127.0.0.1:%d", proxy))
	}
	c := world.client(egress.Config{Rules: []egress.Rule{{Host: "*.example.com", Ports: []int{80, 443}}}})
	req := get(t, "http://a.example.com/")
	for _, name := range []string{"Host", "connection", "Upgrade", "TE", "Transfer-Encoding", "Content-Length", "Expect", "Keep-Alive", "Proxy-Connection", "HTTP2-Settings", "Trailer"} {
		req.Header[name] = []string{"close"}
	}
	if _, err := fetch(t.Context(), c, req); err != nil {
		t.Fatal(err)
	}
	if h := got[0].header; len(h) != 2 || h.Get("User-Agent") != "fazt" || h.Get("Accept-Encoding") != "gzip" || got[0].host != "a.example.com" {
		t.Errorf("%s got %v", got[0].host, h)
	}
	_, err := c.Do(t.Context(), get(t, "http://raw.example.com/"))
	wantCode(t, err, fault.Unavailable, egress.CodeUnreachable)
	for name, value := range map[string]string{"X": "a\r\nHost: evil", "a b": "x", "X\r\n": "y"} {
		req := get(t, "http://a.example.com/")
		req.Header[name] = []string{value}
		if _, err := c.Do(t.Context(), req); err == nil {
			t.Errorf("%q: %q is sent", name, value)
		}
	}
	if n := world.canary.hits.Load(); n != 0 {
		t.Errorf("%d requests to the proxy", n)
	}
}

// What is refused is logged once with its reason, however often code tries.
func TestRefusalsAreLogged(t *testing.T) {
	world := newInternet(t)
	var log bytes.Buffer
	c := world.client(egress.Config{Rules: []egress.Rule{{Host: "*.example.com", Ports: []int{80, 443}}}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	for range 3 {
		c.Do(t.Context(), get(t, "https://inside.example.com/"))
		c.Do(t.Context(), get(t, "https://elsewhere.test/"))
	}
	if n := strings.Count(log.String(), "\n"); n != 2 || !strings.Contains(log.String(), "127.0.0.1: it is in 127.0.0.0/8") {
		t.Errorf("%d lines:\n%s", n, log.String())
	}
	for i := range 1000 {
		c.Do(t.Context(), get(t, fmt.Sprintf("https://h%d.elsewhere.test/", i)))
	}
	if n := strings.Count(log.String(), "\n"); n != 100 {
		t.Errorf("%d lines", n)
	}
}
