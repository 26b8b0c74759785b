package binding_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/platform/binding"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/script"
	"github.com/fazt-sh/fazt/platform/storage"
)

// client answers for the world outside.
type client struct{ seen []*http.Request }

func (c *client) Do(_ context.Context, r *http.Request) (*http.Response, error) {
	c.seen = append(c.seen, r)
	body := []byte{}
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	return &http.Response{StatusCode: 200, Header: http.Header{"X-A": {"1", "caf\xe9"}, "Content-Type": {"text/plain"}},
		Body: io.NopCloser(strings.NewReader(r.Method + " " + string(body))), Request: &http.Request{URL: &url.URL{Scheme: "https", Host: "end.test", Path: "/last"}}}, nil
}

func (c *client) Once(_ context.Context, r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 302, Header: http.Header{"Location": {"https://end.test/"}}, Body: http.NoBody, Request: r}, nil
}

// fetch reaches what the client reaches, with the code's request and no more.
func TestFetch(t *testing.T) {
	out := &client{}
	w := open(t, func(c *binding.Config, _ *storage.App) { c.Egress = out })
	w.walk(t, "fetch", []step{
		{method: "fetch", args: `{"url":"https://a.test/x","method":"POST","headers":[["x-in","café"]]}`, body: "hello",
			want: `{"status":200,"headers":[["content-type","text/plain"],["x-a","1"],["x-a","café"]],"url":"https://end.test/last"}`, content: "POST hello"},
		{method: "fetch", args: `{"url":"https://a.test/","method":"GET","redirect":"manual"}`, want: `{"status":302,"headers":[["location","https://end.test/"]],"url":"https://a.test/"}`},
		{method: "fetch", args: `{"url":"https://a.test/","method":"GET","redirect":"error"}`, kind: fault.Conflict},
		{method: "fetch", args: `{"url":"https://a.test/","method":"GET","redirect":"sideways"}`, kind: fault.Invalid},
		{method: "fetch", args: `{"url":"https://a.test/","method":"get it"}`, kind: fault.Invalid},
		{method: "fetch", args: `{"url":"https://a.test/","method":"GET","headers":[["x","☃"]]}`, kind: fault.Invalid},
		{method: "fetch", args: `{"url":"https://a.test:x/","method":"GET"}`, kind: fault.Invalid},
	})
	if r := out.seen[0]; r.Header.Get("X-In") != "caf\xe9" || r.ContentLength != -1 || r.URL.String() != "https://a.test/x" {
		t.Errorf("sent %+v", r)
	}
}

// An answer that has no body has none for the script either, so that it can be passed on.
func TestFetchWithoutABody(t *testing.T) {
	for _, status := range []int{204, 205, 304} {
		w := open(t, func(c *binding.Config, _ *storage.App) { c.Egress = fixed(status) })
		got := w.run(t, engine(t), `const x = await fetch("https://a.test/"); return [x.body, new Response(x.body, x).status]`)
		if want := fmt.Sprintf("[null,%d]", status); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	w := open(t, func(c *binding.Config, _ *storage.App) { c.Egress = fixed(200) })
	if got := w.run(t, engine(t), `return (await fetch("https://a.test/", { method: "HEAD" })).body`); got != "null" {
		t.Errorf("HEAD: %s", got)
	}
}

// fixed answers with a status and no content.
type fixed int

func (f fixed) Do(_ context.Context, r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: int(f), Body: http.NoBody, Request: r}, nil
}

func (f fixed) Once(ctx context.Context, r *http.Request) (*http.Response, error) {
	return f.Do(ctx, r)
}

// A signal ends a request to another app, and what that app does for it.
func TestServiceIsAborted(t *testing.T) {
	ended := make(chan struct{}, 2)
	w := open(t, func(c *binding.Config, _ *storage.App) {
		c.Services = map[string]binding.Fetcher{"OTHER": fetcher(func(ctx context.Context, r script.Request) (*script.Response, error) {
			context.AfterFunc(ctx, func() { ended <- struct{}{} })
			if r.URL == "https://other/slow" {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			from, to := io.Pipe()
			go to.Write([]byte("beginning"))
			return &script.Response{Status: 200, Body: from}, nil
		})}
	})
	got := w.run(t, engine(t), `
		const said = [];
		const slow = env.OTHER.fetch("https://other/slow", { signal: AbortSignal.timeout(1) });
		await slow.catch((e) => said.push(e.name));
		const c = new AbortController();
		const answer = await env.OTHER.fetch("https://other/body", { signal: c.signal });
		const body = answer.text();
		c.abort(new Error("enough"));
		await body.catch((e) => said.push(e.message));
		return said;`)
	if got != `["TimeoutError","enough"]` {
		t.Error(got)
	}
	<-ended
	<-ended
}

// The code of another app gets the request, the visitor and nothing of this app's.
func TestService(t *testing.T) {
	var seen script.Request
	w := open(t, func(c *binding.Config, _ *storage.App) {
		c.Services = map[string]binding.Fetcher{"OTHER": fetcher(func(_ context.Context, r script.Request) (*script.Response, error) {
			switch seen = r; r.URL {
			case "https://other/throws":
				return nil, &script.Exception{Name: "Error", Message: "secret"}
			case "https://other/breaks":
				return nil, errors.New("secret")
			case "https://other/full":
				return nil, fault.New(fault.Exhausted, "the function computed too long")
			}
			return text(204, ""), nil
		})}
	})
	got := w.run(t, engine(t), `
		const answer = await env.OTHER.fetch("https://other/ok", { headers: { a: "b" } });
		const said = [answer.status, answer.url];
		for (const path of ["throws", "breaks", "full"]) try { await env.OTHER.fetch("https://other/" + path); } catch (e) { said.push(e.code, e.message); }
		return said;`)
	want := `[204,"https://other/ok","unavailable","OTHER failed to answer","internal","internal error","exhausted","OTHER does not answer: the function computed too long"]`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if seen.Info.IP != "192.0.2.7" || seen.Info.RequestID != "req-1" || seen.Info.App != "" {
		t.Errorf("the other app hears %+v", seen.Info)
	}
}

// Apps that ask each other for ever are told so.
func TestServicesThatAskEachOther(t *testing.T) {
	h, asked := engine(t), 0
	var w *world
	var program *script.App
	w = open(t, func(c *binding.Config, _ *storage.App) {
		c.Services = map[string]binding.Fetcher{"SELF": fetcher(func(ctx context.Context, r script.Request) (*script.Response, error) {
			asked++
			return program.Fetch(ctx, r, w.For(ctx, r.Info))
		})}
	})
	program = load(t, h, `export default { async fetch(request, env) {
		try { return await env.SELF.fetch("https://self/"); } catch (e) { return new Response(e.code + ": " + e.message); }
	} }`)
	a, err := program.Fetch(t.Context(), script.Request{Method: "GET", URL: "https://self/"}, w.inv)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if want := "exhausted: SELF is asked by an app that was asked by an app, 8 times over"; err != nil || string(body) != want || asked != 8 {
		t.Errorf("%q after %d times, %v", body, asked, err)
	}
}

// A signed address does what it was signed for, and nothing else.
func TestSigned(t *testing.T) {
	w := open(t)
	w.call(t.Context(), "FILES", "put", `{"key":"a/ü b?.html","http":{"contentType":"text/html"}}`, "<script>")
	w.call(t.Context(), "FILES", "put", `{"key":"../x","user":"ana"}`, "ana's")
	sign := func(args string) *url.URL {
		var v struct{ URL string }
		r := w.call(t.Context(), "FILES", "sign", args)
		if err := json.Unmarshal([]byte(r.value), &v); err != nil {
			t.Fatalf("%v %v", r.err, err)
		}
		u, err := url.Parse(v.URL)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	u := sign(`{"key":"a/ü b?.html","method":"GET","expires":60}`)
	if u.Host != "notes.test" || u.Path != "/_fazt/blob/FILES/a/ü b?.html" {
		t.Errorf("signed %s", u)
	}
	file, header, err := w.OpenSigned(t.Context(), "FILES", "a/ü b?.html", u.Query())
	if err != nil || header.Get("Content-Type") != "text/html" || header.Get("Etag") == "" {
		t.Fatalf("%v, %v", header, err)
	}
	if _, err := file.Seek(1, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(file); string(b) != "script>" || err != nil {
		t.Errorf("read %q, %v", b, err)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
	ana := sign(`{"key":"../x","method":"GET","expires":60,"user":"ana"}`)
	if ana.Path != "/_fazt/blob/FILES/-" || ana.Query().Get("key") != "../x" {
		t.Errorf("signed %s", ana)
	}
	if _, _, err := w.OpenSigned(t.Context(), "FILES", "../x", ana.Query()); err != nil {
		t.Error(err)
	}
	app := ana.Query()
	app.Del("u")
	put := sign(`{"key":"new","method":"PUT","expires":60}`).Query()
	for name, err := range map[string]error{
		"another key":     second(w.OpenSigned(t.Context(), "FILES", "a/other", u.Query())),
		"another binding": second(w.OpenSigned(t.Context(), "OTHER", "a/ü b?.html", u.Query())),
		"another user":    second(w.OpenSigned(t.Context(), "FILES", "../x", app)),
		"another method":  second(w.OpenSigned(t.Context(), "FILES", "new", put)),
		"nothing":         second(w.OpenSigned(t.Context(), "FILES", "../x", nil)),
	} {
		if k := fault.KindOf(err); k != fault.Forbidden && k != fault.NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.PutSigned(t.Context(), "FILES", "new", u.Query(), nil, strings.NewReader("x")); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("put with a signature to get: %v", err)
	}
	if _, err := w.PutSigned(t.Context(), "FILES", "new", put, http.Header{"Content-Type": {"text/plain"}}, strings.NewReader("sent")); err != nil {
		t.Error(err)
	}
	if file, _, err := w.OpenPublic(t.Context(), "FILES", "new"); err != nil {
		t.Error(err)
	} else if b, err := io.ReadAll(file); string(b) != "sent" || err != nil || file.Close() != nil {
		t.Errorf("public: %q, %v", b, err)
	}
	if r := w.call(t.Context(), "FILES", "get", `{"key":"new"}`); r.body != "sent" || !strings.Contains(r.value, "text/plain") {
		t.Errorf("stored %+v", r)
	}
}

func second(_ io.ReadSeekCloser, _ http.Header, err error) error { return err }
