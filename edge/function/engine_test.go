package function_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/edge/function"
	"github.com/fazt-sh/fazt/platform/binding"
	"github.com/fazt-sh/fazt/platform/script"
	"github.com/fazt-sh/fazt/platform/secret"
	"github.com/fazt-sh/fazt/platform/storage"
)

// app is a program in the engine, behind HTTP, with what it stores.
func app(t *testing.T, code string, b script.Bounds) *site {
	t.Helper()
	h := script.New(script.Config{InProcess: true})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := h.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	p, err := h.Open(t.Context(), script.Program{Name: "notes", Code: []byte(code)}, b)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	pool := storage.NewPool(t.TempDir(), storage.Options{})
	store, err := pool.Open(t.Context(), "notes-1", storage.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close(); pool.Close() })
	var s *site
	bound, err := binding.New(binding.Config{
		Text:  map[string]secret.Value{"TITLE": secret.NewValue("Notes")},
		Keys:  map[string]*storage.Keys{"CACHE": store.Keys("CACHE")},
		Files: map[string]*storage.Files{"FILES": store.Files("FILES", 0)},
		Log:   func(l script.Line) { s.log.Log(l) },
	})
	if err != nil {
		t.Fatal(err)
	}
	s = serve(t, nil, func(o *function.Options) {
		o.Program = p
		o.Bind = func(ctx context.Context, i script.Info) script.Bindings { return bound.For(ctx, i) }
	})
	files := function.NewFiles(bound, binding.SignedPath)
	inner := s.Config.Handler
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, binding.SignedPath) {
			render(w, files.ServeHTTP(w, r))
			return
		}
		inner.ServeHTTP(w, r)
	})
	return s
}

// What JavaScript says is what HTTP says.
func TestEngine(t *testing.T) {
	s := app(t, `export default { async fetch(request, env, ctx) {
		const url = new URL(request.url);
		switch (url.pathname) {
			case "/hello": return new Response("hello from " + env.TITLE);
			case "/json": return Response.json({ ip: ctx.ip, id: ctx.requestId, app: ctx.app, url: request.url, cookie: request.headers.get("cookie") }, { status: 201 });
			case "/echo": return new Response(request.body, { headers: { "x-type": request.headers.get("content-type") } });
			case "/stream": return new Response(new ReadableStream({ start(c) { c.enqueue(new TextEncoder().encode("a")); c.enqueue(new TextEncoder().encode("b")); c.close(); } }));
			case "/broken": return new Response(new ReadableStream({ pull() { throw new TypeError("no part"); } }), { headers: { "x-of": "the answer" } });
			case "/empty": return new Response(null, { status: 204 });
			case "/cookies": { const h = new Headers(); h.append("set-cookie", "a=1"); h.append("set-cookie", "b=2; Domain=example.com"); return new Response("", { headers: h }); }
			case "/redirect": return Response.redirect("https://elsewhere.test/", 303);
			case "/hits": return new Response(String(await env.CACHE.incr("hits")));
			case "/throw": throw new TypeError("secret");
			case "/nothing": return;
			case "/spin": for (;;);
			case "/big": return new Response("x".repeat(200000));
		}
		return new Response("no", { status: 404 });
	} };`, script.Bounds{CPU: 300 * time.Millisecond, Reply: 100000})
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
		length             int64
		header             string
	}{
		{"GET", "/hello", "", 200, "hello from Notes", 16, "Content-Type: text/plain;charset=UTF-8"},
		{"HEAD", "/hello", "", 200, "", 16, "X-Content-Type-Options: nosniff"},
		{"GET", "/json?q=1", "", 201, `{"ip":"192.0.2.7","id":"req-1","app":"notes","url":"https://HOST/json?q=1","cookie":"a=1"}`, -2, "Content-Type: application/json"},
		{"POST", "/echo", "some text", 200, "some text", -2, "X-Type: text/x"},
		{"POST", "/echo", strings.Repeat("0123456789", 9000), 200, strings.Repeat("0123456789", 9000), -2, ""},
		{"GET", "/stream", "", 200, "ab", -1, ""},
		{"GET", "/empty", "", 204, "", 0, ""},
		{"GET", "/cookies", "", 200, "", 0, "Set-Cookie: a=1"},
		{"GET", "/redirect", "", 303, "", 0, "Location: https://elsewhere.test/"},
		{"GET", "/hits", "", 200, "1", 1, ""},
		{"GET", "/other", "", 404, "no", 2, ""},
		{"GET", "/throw", "", 500, "exception req-1 \n", -2, ""},
		{"GET", "/broken", "", 500, "exception req-1 \n", -2, "X-Of: "},
		{"GET", "/nothing", "", 500, "exception req-1 \n", -2, ""},
		{"GET", "/spin", "", 503, "limit_cpu req-1 \n", -2, ""},
		{"GET", "/hello", "", 200, "hello from Notes", 16, ""},
	} {
		a, body := s.do(t, c.method, c.path, c.body, "Content-Type", "text/x", "Cookie", "a=1; __Host-fazt=secret")
		want := strings.ReplaceAll(c.want, "HOST", strings.TrimPrefix(s.URL, "http://"))
		name, value, _ := strings.Cut(c.header, ": ")
		if a.StatusCode != c.status || body != want || c.length != -2 && a.ContentLength != c.length || a.Header.Get(name) != value {
			t.Errorf("%s %s: %d %.100q length %d %s %q", c.method, c.path, a.StatusCode, body, a.ContentLength, name, a.Header.Values(name))
		}
	}
	log := s.log.text()
	for _, want := range []string{"error req-1 TypeError: secret\n    at ", "error req-1 TypeError: no part\n    at ", "warn req-1 header field \"Set-Cookie\" of the answer is left out", "error req-1 limit_cpu: "} {
		if !strings.Contains(log, want) {
			t.Errorf("the app's log lacks %q:\n%s", want, log)
		}
	}
	if a, err := http.Get(s.URL + "/big"); err == nil {
		if _, err := io.ReadAll(a.Body); err == nil && a.StatusCode == 200 {
			t.Error("an answer over its limit came through")
		}
		a.Body.Close()
	}
}

// A page that somebody uploaded does not run on the app's origin, whichever way it
// comes; one that the app has read and answers itself does.
func TestUploadedPages(t *testing.T) {
	s := app(t, `export default { async fetch(request, env) {
		const file = () => env.FILES.get("x.html");
		const type = { headers: { "content-type": "text/html" } };
		switch (new URL(request.url).pathname) {
			case "/put": await env.FILES.put("x.html", "<script>1</script>", { httpMetadata: { contentType: "text/html" } }); return new Response("put");
			case "/url": return new Response(await env.FILES.signedUrl("x.html"));
			case "/body": return new Response((await file()).body, type);
			case "/text": return new Response(await (await file()).text(), type);
			case "/headers": { const f = await file(); const h = new Headers(); f.writeHttpMetadata(h); return new Response(f.body, { headers: h }); }
		}
	} };`, script.Bounds{})
	s.do(t, "GET", "/put", "")
	_, signed := s.do(t, "GET", "/url", "")
	for path, boxed := range map[string]bool{"/body": true, "/headers": true, signed: true, "/text": false} {
		a, body := s.do(t, "GET", path, "")
		policy := strings.Join(a.Header.Values("Content-Security-Policy"), ", ")
		if got := strings.Contains(policy, "sandbox") && strings.HasPrefix(a.Header.Get("Content-Disposition"), "attachment"); got != boxed || body != "<script>1</script>" {
			t.Errorf("%s: %d %q %v", path, a.StatusCode, body, a.Header)
		}
	}
}

// A visitor who goes ends what the program does for them.
func TestEngineClientLeaves(t *testing.T) {
	s := app(t, `export default { async fetch(request, env, ctx) {
		if (new URL(request.url).pathname === "/left") return new Response(await env.CACHE.get("left"));
		ctx.waitUntil(new Promise((resolve) => ctx.signal.addEventListener("abort", resolve)).then(() => env.CACHE.put("left", "yes")));
		return new Response(new ReadableStream({ pull(c) { c.enqueue(new TextEncoder().encode("tick")); return new Promise((r) => setTimeout(r, 1)); } }));
	} };`, script.Bounds{})
	a, err := http.Get(s.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(a.Body, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	a.Body.Close()
	for deadline := time.Now().Add(10 * time.Second); ; {
		if _, body := s.do(t, "GET", "/left", ""); body == "yes" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the program never heard that its visitor left")
		}
	}
}
