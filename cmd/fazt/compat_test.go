package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/fazt-sh/fazt/platform/bundle"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/script"
	"github.com/fazt-sh/fazt/platform/script/web"
)

const vendored = checkout + "/platform/bundle/testdata/npm"

// question is one request to a handler and what it must answer.
type question struct {
	method, path, body string
	header             [2]string
	status             int
	want               string    // a pattern of the whole body
	has                [2]string // a header of the answer, where a name is given
}

// carried is a handler on a package that people bring.
type carried struct {
	title, entry string
	packages     []string // the folders whose versions stand in the reference
	works, not   string   // what the asks below show; what they do not
	asks         []question
}

const (
	signed = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoicmVhZGVyIiwic3ViIjoiYW5hIiwiaWF0IjoxNzAwMDAwMDAwfQ.wHzIQY6SSY7LD1xmBA8iv68RH-mOEgB0wsCKfI8bwuA"
	broken = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoicmVhZGVyIiwic3ViIjoiZXZlIiwiaWF0IjoxNzAwMDAwMDAwfQ.wHzIQY6SSY7LD1xmBA8iv68RH-mOEgB0wsCKfI8bwuA"
	field  = `<p><label for="[^"]+">a &amp; b</label><input id="[^"]+"/><em>2</em></p>`
)

// everyPackage is what the reference says of packages, with its proof.
func everyPackage() []carried {
	js := [2]string{"content-type", "application/json"}
	return []carried{
		{"hono", "hono.ts", []string{"hono"}, "routes with parameters, `cors`, `etag`, `validator`, `onError`, 404 of its own",
			"its other middleware, WebSockets and `serveStatic` were not tried; the last needs a file system, and there is none", []question{
				{method: "GET", path: "/hello/ana", status: 200, want: `\{"hello":"ana","env":null\}`, has: [2]string{"etag", `"[0-9a-f]{40}"`}},
				{method: "GET", path: "/hello/ana", header: [2]string{"origin", "https://a.test"}, status: 200, want: `.*`, has: [2]string{"access-control-allow-origin", `\*`}},
				{method: "OPTIONS", path: "/hello/ana", status: 204, has: [2]string{"access-control-allow-methods", `.*PUT.*`}},
				{method: "POST", path: "/echo", header: js, body: `{"text":"ü"}`, status: 200, want: `\{"text":"ü"\}`},
				{method: "POST", path: "/echo", header: js, body: `{}`, status: 400, want: `no text`},
				{method: "GET", path: "/fail", status: 500, want: `as asked`},
				{method: "GET", path: "/none", status: 404, want: `404 Not Found`},
			}},
		{"hono/jsx", "hono-jsx.tsx", []string{"hono"}, "components, children, lists and escaping on the server",
			"Suspense, streaming and hooks in the browser were not tried", []question{
				{method: "GET", path: "/", status: 200, want: `<html><head><title>a &amp; b</title></head><body><p class="x"><b>1</b><b>2</b></p></body></html>`, has: [2]string{"content-type", `text/html; charset=UTF-8`}},
			}},
		{"zod", "zod.ts", []string{"zod"}, "objects, arrays, defaults, coercion of dates, e-mail addresses, `safeParse`, `flattenError`",
			"messages in other languages were not tried", []question{
				{method: "POST", path: "/", body: `{"title":"a","at":"2026-02-27","mail":"a@b.test","more":1}`, status: 200, want: `\{"title":"a","tags":\[\],"at":"2026-02-27T00:00:00.000Z","mail":"a@b.test"\}`},
				{method: "POST", path: "/", body: `{"title":"","tags":[1],"mail":"x"}`, status: 400, want: `\{"errors":\{"title":\["Too small[^"]+"\],"tags":\["Invalid input: expected string, received number"\],"mail":\["Invalid email address"\]\}\}`},
			}},
		{"jose", "jose.ts", []string{"jose"}, "JWTs: `SignJWT` and `jwtVerify` with HS256 and ES256, and the codes of its errors",
			"encrypted tokens, RSA and remote key sets were not tried; a remote key set needs its host in `egress`", []question{
				{method: "GET", path: "/sign", status: 200, want: regexp.QuoteMeta(signed)},
				{method: "GET", path: "/?token=" + signed, status: 200, want: `\{"role":"reader","sub":"ana","iat":1700000000\}`},
				{method: "GET", path: "/?token=" + broken, status: 401, want: `ERR_JWS_SIGNATURE_VERIFICATION_FAILED`},
				{method: "GET", path: "/?token=x", status: 401, want: `ERR_JWS_INVALID`},
				{method: "GET", path: "/es256", status: 200, want: `\{"alg":"ES256","role":"writer"\}`},
			}},
		{"nanoid", "nanoid.ts", []string{"nanoid"}, "`nanoid` and `customAlphabet`", "`nanoid/non-secure` was not tried", []question{
			{method: "GET", path: "/", status: 200, want: `\{"id":"[\w-]{21}","short":"[abc]{8}"\}`},
		}},
		{"date-fns", "date-fns.ts", []string{"date-fns"}, "`parseISO`, `addDays`, `format`, `differenceInCalendarDays`, names of days and months of another language, `intlFormat` of a time zone",
			"`intlFormat` knows en-US alone, as `Intl` does, and refuses other languages; the rest of its functions were not tried one by one", []question{
				{method: "GET", path: "/", status: 200, want: `\{"next":"Monday 2 March 2026","german":"Montag 2. März","days":3,"eastern":"3/1/26, 7:00 PM"\}`},
				{method: "GET", path: "/?day=2028-02-27", status: 200, want: `\{"next":"Wednesday 1 March 2028","german":"Mittwoch 1. März","days":3,"eastern":"2/29/28, 7:00 PM"\}`},
			}},
		{"react, react-dom/server", "react.tsx", []string{"react", "react-dom"}, "`renderToString`, `renderToReadableStream`, `useId`, escaping",
			"`renderToPipeableStream` is for Node's streams and is not in this build; server components and Suspense were not tried", []question{
				{method: "GET", path: "/", status: 200, want: `<!doctype html><html lang="en"><head></head><body>` + field + `</body></html>`},
				{method: "GET", path: "/stream", status: 200, want: `<!DOCTYPE html><html lang="en"><head>.*</head><body>` + field + `.*</body></html>`},
			}},
		{"itty-router", "itty-router.ts", []string{"itty-router"}, "`AutoRouter` with parameters, `cors`, `error`, 404 of its own",
			"`websocket` has nothing to stand on; its other helpers were not tried", []question{
				{method: "GET", path: "/hello/ana", status: 200, want: `\{"hello":"ana"\}`, has: [2]string{"access-control-allow-origin", `https://a\.test`}},
				{method: "OPTIONS", path: "/hello/ana", header: [2]string{"origin", "https://a.test"}, status: 204, has: [2]string{"access-control-allow-methods", `\*`}},
				{method: "POST", path: "/echo", header: js, body: `{"text":"ü"}`, status: 200, want: `\{"text":"ü"\}`},
				{method: "GET", path: "/fail", status: 409, want: `\{"status":409,"error":"as asked"\}`},
				{method: "GET", path: "/none", status: 404, want: `\{"status":404,"error":"Not Found"\}`},
			}},
		{"valibot", "valibot.ts", []string{"valibot"}, "objects, arrays, pipes, defaults, e-mail addresses, `safeParse`, `flatten`",
			"messages in other languages were not tried", []question{
				{method: "POST", path: "/", body: `{"title":"a","mail":"a@b.test","more":1}`, status: 200, want: `\{"title":"a","tags":\[\],"mail":"a@b.test"\}`},
				{method: "POST", path: "/", body: `{"title":"","mail":"x"}`, status: 400, want: `\{"errors":\{"title":\["Invalid length[^"]+"\],"mail":\["Invalid email: [^,]+"\]\}\}`},
			}},
		{"marked", "marked.ts", []string{"marked"}, "GitHub's Markdown: lists, tables, code, links", "HTML in the text stays as it is, as everywhere: clean what strangers wrote; extensions were not tried", []question{
			{method: "POST", path: "/", body: "# Hi *you*\n\n| x |\n|---|\n| `1` |\n\n```js\na < b\n```\nhttps://a.test", status: 200,
				want: `(?s)<h1>Hi <em>you</em></h1>\n<table>.*<td><code>1</code></td>.*<code class="language-js">a &lt; b\n</code>.*<a href="https://a.test">https://a.test</a></p>\n`},
		}},
		{"uuid", "uuid.ts", []string{"uuid"}, "`v4`, `v5`, `v7`, `validate`, `version`", "the other versions were not tried", []question{
			{method: "GET", path: "/", status: 200, want: `\{"ids":\["[0-9a-f-]{36}","869cc93a-de7b-504a-8466-f9807cecd0ae","[0-9a-f-]{36}"\],"valid":\[true,true,true\],"versions":\[4,5,7\]\}`},
		}},
		{"ulid", "ulid.ts", []string{"ulid"}, "`ulid`, `monotonicFactory`, `decodeTime`", "its command line was not tried", []question{
			{method: "GET", path: "/", status: 200, want: `\{"id":"[0-9A-HJKMNP-TV-Z]{26}","sorted":true,"at":1700000000000\}`},
		}},
	}
}

// Packages that people bring do in the engine what the reference says of them.
func TestCompatibility(t *testing.T) {
	if testing.Short() {
		t.Skip("too slow under the race detector: make test runs it")
	}
	h := engine(t)
	for _, c := range everyPackage() {
		t.Run(c.entry, func(t *testing.T) {
			r, err := bundle.Bundle(t.Context(), bundle.Job{Name: c.entry, Files: os.DirFS(vendored), Entry: c.entry, Dir: t.TempDir(), Node: web.Node()})
			if err != nil || len(r.Warnings) > 0 {
				t.Fatalf("%v, %v", err, r.Warnings)
			}
			a := loaded(t, h, r)
			for _, q := range c.asks {
				q.put(t, a)
			}
		})
	}
}

// Two names that are drawn are two names, also out of two machines.
func TestNanoidDrawsAnew(t *testing.T) {
	r, err := bundle.Bundle(t.Context(), bundle.Job{Name: "nanoid", Files: os.DirFS(vendored), Entry: "nanoid.ts", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	a, seen := loaded(t, engine(t), r), map[string]bool{}
	for range 20 {
		_, body := answer(t, a, script.Request{Method: "GET", URL: "http://app.test/"})
		if seen[body] {
			t.Fatalf("%s came twice", body)
		}
		seen[body] = true
	}
}

// Timers run in the order of their time and of their call, after what is queued;
// one that was cleared does not run.
func TestTimers(t *testing.T) {
	a := loaded(t, engine(t), bundle.Result{Code: []byte(`export default { async fetch() {
		const seen = [];
		await new Promise((done) => {
			const say = (x) => { if (seen.push(x) === 6) done(); };
			setTimeout(say, 5, "late");
			setTimeout(say, 0, "first"); setTimeout(say, 0, "second");
			clearTimeout(setTimeout(say, 0, "never"));
			let n = 0; const i = setInterval(() => { if (++n === 3) { say("third tick"); clearInterval(i); } }, 1);
			queueMicrotask(() => say("microtask")); say("now");
		});
		return new Response([seen.slice(0, 4).join(), seen.slice(4).sort().join()].join(";"));
	} }`)})
	question{method: "GET", path: "/", status: 200, want: "now,microtask,first,second;late,third tick"}.put(t, a)
}

// "using" disposes of what classes of the app's own say how to, in the standard's order.
func TestUsing(t *testing.T) {
	r, err := bundle.Bundle(t.Context(), bundle.Job{Name: "using", Entry: "main.ts", Dir: t.TempDir(), Files: fstest.MapFS{"main.ts": {Data: []byte(`
		const seen: string[] = [];
		class Held {
			constructor(readonly name: string) { seen.push("+" + name); }
			[Symbol.dispose]() { seen.push("-" + this.name); }
			async [Symbol.asyncDispose]() { await null; seen.push("~" + this.name); }
		}
		export default { async fetch() {
			try {
				using a = new Held("a"), b = new Held("b");
				await using c = new Held("c");
				throw new Error(a.name + b.name + c.name);
			} catch (e) { seen.push((e as Error).message); }
			return new Response(seen.join(" "));
		} };`)}}})
	if err != nil {
		t.Fatal(err)
	}
	question{method: "GET", path: "/", status: 200, want: regexp.QuoteMeta("+a +b +c ~c -b -a abc")}.put(t, loaded(t, engine(t), r))
}

// engine runs a host until the test ends.
func engine(t *testing.T) *script.Host {
	t.Helper()
	h := script.New(script.Config{InProcess: true})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return h
}

func loaded(t *testing.T, h *script.Host, r bundle.Result) *script.App {
	t.Helper()
	a, err := h.Open(t.Context(), script.Program{Name: "compat", Code: r.Code, Map: r.Map}, script.Bounds{CPU: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

// bare is a world with nothing in it: what these handlers need is global.
type bare struct{}

func (bare) Env() []script.Env { return nil }
func (bare) Log(script.Line)   {}
func (bare) Call(_ context.Context, c script.Call) (script.Reply, error) {
	return script.Reply{}, fault.New(fault.NotFound, "no %s.%s", c.Target, c.Method)
}

func answer(t *testing.T, a *script.App, r script.Request) (*script.Response, string) {
	t.Helper()
	res, err := a.Fetch(t.Context(), r, bare{})
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	return res, string(body)
}

// put asks an app and compares.
func (q question) put(t *testing.T, a *script.App) {
	t.Helper()
	r := script.Request{Method: q.method, URL: "http://app.test" + q.path}
	if q.header[0] != "" {
		r.Header = append(r.Header, q.header)
	}
	if q.body != "" {
		r.Body = strings.NewReader(q.body)
	}
	res, body := answer(t, a, r)
	if res.Status != q.status || !whole(q.want).MatchString(body) {
		t.Errorf("%s %s answers %d %s", q.method, q.path, res.Status, body)
	}
	if q.has[0] == "" {
		return
	}
	for _, h := range res.Header {
		if strings.EqualFold(h[0], q.has[0]) && whole(q.has[1]).MatchString(h[1]) {
			return
		}
	}
	t.Errorf("%s %s has no %s of %s: %v", q.method, q.path, q.has[0], q.has[1], res.Header)
}

func whole(pattern string) *regexp.Regexp { return regexp.MustCompile(`(?s)^(?:` + pattern + `)$`) }

// versionOf reads what is vendored.
func versionOf(t testing.TB, name string) string {
	t.Helper()
	src, err := os.ReadFile(filepath.Join(vendored, "node_modules", name, "package.json"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`"version": "([^"]+)"`).FindSubmatch(src)
	if m == nil {
		t.Fatalf("%s has no version", name)
	}
	return string(m[1])
}
