package script_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/script"
)

// Every shape that other platforms have is the same to the caller.
func TestShapes(t *testing.T) {
	h := host(t, script.Config{})
	for _, c := range []struct{ code, method, want, handlers string }{
		{`export default { fetch() { return new Response("a") } }`, "GET", "200 a", "fetch"},
		{`export default { async fetch(request) { return new Response(request.method) } }`, "PUT", "200 PUT", "fetch"},
		{`export default function (request) { return new Response(request.url) }`, "GET", "200 http://app.test/", "fetch"},
		{`export default async (request, env, ctx) => new Response(ctx.app)`, "GET", "200 test", "fetch"},
		{`export const GET = () => new Response("g"); export function POST() { return new Response("p") }`, "POST", "200 p", "fetch"},
		{`export const GET = () => new Response("g")`, "HEAD", "200 g", "fetch"},
		{`export const GET = () => new Response("g")`, "DELETE", "405 ", "fetch"},
		{`class App { #x = "hono"; fetch = (request, env, ctx) => new Response(this.#x) } export default new App()`, "GET", "200 hono", "fetch"},
		{`class App { #x = "bound"; fetch() { return new Response(this.#x) } } export default new App()`, "GET", "200 bound", "fetch"},
		{`export default { fetch() { return new Response(null, { status: 204 }) }, scheduled() {}, queue() {} }`, "GET", "204 ", "fetch scheduled queue"},
		{`const x = await Promise.resolve("top"); export default { fetch() { return new Response(x) } }`, "GET", "200 top", "fetch"},
		{`const sleepy = async () => { await 1 }; export { sleepy as default }`, "GET", "", "fetch"},
		{`export default { fetch() { throw new Response("thrown", { status: 418 }) } }`, "GET", "418 thrown", "fetch"},
		{`export default { async fetch(r, env, ctx) { await ctx.auth.require() } }`, "GET", "401 sign in first\n", "fetch"},
		{`export default { fetch() { return Response.json({ a: [1, "ü"] }) } }`, "GET", `200 {"a":[1,"ü"]}`, "fetch"},
		{`export default { fetch() { return new Response(new Uint8Array([0, 255, 65])) } }`, "GET", "200 \x00\xffA", "fetch"},
		{`export default { fetch(r, env) { return new Response(env.TITLE + env.KEYS.name + env.KEYS.config.a) } }`, "GET", "200 tKEYS1", "fetch"},
		{`export default { fetch(r, env, ctx) { return new Response([ctx.ip, ctx.requestId, ctx.release, ctx.auth.user(), ctx.auth.can("x"), ctx.limits.cpu, ctx.limits.calls].join()) } }`, "GET", "200 192.0.2.1,r1,1,,false,2000,100", "fetch"},
		{`export default { fetch(r) { return new Response([...r.headers].map((h) => h.join("=")).join("&"), { headers: [["x-a", "1"], ["x-a", "2"]] }) } }`, "GET", "200 accept=*/*&x-two=1, 2", "fetch"},
	} {
		a := open(t, h, c.code, script.Bounds{})
		if got := strings.Join(a.Handlers(), " "); got != c.handlers {
			t.Errorf("%s handles %s", c.code, got)
		}
		if c.want == "" {
			continue
		}
		r := get("http://app.test/")
		r.Method, r.Header = c.method, [][2]string{{"Accept", "*/*"}, {"X-Two", "1"}, {"x-two", "2"}}
		w := &world{env: []script.Env{{Name: "TITLE", Kind: "text", Value: value("t")}, {Name: "KEYS", Kind: "kv", Value: value(map[string]int{"a": 1})}}}
		status, body := fetch(t, a, r, w)
		if got := itoa(status) + " " + body; got != c.want {
			t.Errorf("%s answers %q", c.code, got)
		}
	}
}

func itoa(n int) string {
	return string(rune('0'+n/100)) + string(rune('0'+n/10%10)) + string(rune('0'+n%10))
}

// What cannot be a handler is refused with the change that makes it one.
func TestRefusals(t *testing.T) {
	h := host(t, script.Config{})
	for _, c := range []struct{ code, says string }{
		{`Deno.serve(() => new Response("x"))`, "Deno.serve is not known here: write `export default { fetch: handler }`"},
		{`addEventListener("fetch", (e) => e.respondWith(new Response("x")))`, "write `export default { fetch: handler }`"},
		{`export default function (req, res) { res.end("x") }`, "a handler of (req, res) is not known here: write `export default"},
		{`export default async (req, res) => { res.send("x") }`, "(req, res)"},
		{`export const nothing = 1`, "the module handles nothing: write `export default"},
		{`export default { fetch() { `, "evaluate test at test:2:"},
		{`throw new TypeError("at once")`, "evaluate test at test:"},
		{`await new Promise(() => {}); export default {}`, "waits at its top level"},
		{`await fetch("http://x.test/"); export default {}`, "fetch works inside a handler only"},
		{`import "node:fs"; export default { fetch() {} }`, "could not load module"},
	} {
		_, err := h.Open(t.Context(), script.Program{Name: "test", Code: []byte(c.code)}, script.Bounds{})
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %s: %v", c.code, fault.KindOf(err), err)
		}
	}
	if s := h.Stats(); s.Respawns > 0 {
		t.Errorf("the child was started again %d times", s.Respawns)
	}
}

// Exceptions come with name, message and stack, whatever was thrown.
func TestExceptions(t *testing.T) {
	h := host(t, script.Config{})
	for _, c := range []struct{ code, want string }{
		{`throw new RangeError("far")`, "RangeError: far"},
		{`await Promise.reject(new Error("later"))`, "Error: later"},
		{`throw "text"`, "Error: text was thrown"},
		{`throw undefined`, "Error: undefined was thrown"},
		{`throw Symbol("s")`, "Error: Symbol(s) was thrown"},
		{`throw { get message() { throw 1 } }`, "Error: something was thrown that cannot be shown"},
		{`return 1`, "TypeError: the handler returned no Response"},
		{`return`, "TypeError: the handler returned nothing"},
		{`const r = new Response("x"); await r.text(); return r`, "TypeError: the body has been read already: return a clone or a new one"},
		{`null.x`, "TypeError: cannot read property 'x' of null"},
	} {
		a := open(t, h, handler(c.code), script.Bounds{})
		_, err := a.Fetch(t.Context(), get("http://app.test/"), &world{})
		e, ok := errors.AsType[*script.Exception](err)
		if !ok || e.Error() != c.want {
			t.Errorf("%s: %v", c.code, err)
		}
	}
	_, err := open(t, h, handler(`null.x`), script.Bounds{}).Fetch(t.Context(), get("http://app.test/"), &world{})
	if e, _ := errors.AsType[*script.Exception](err); e == nil || e.Stack != "    at fetch (test:2:5)\n" {
		t.Errorf("the stack is %q", e.Stack)
	}
}

// A request to a module that answers none fails alone.
func TestRequestWithoutHandler(t *testing.T) {
	a := open(t, host(t, script.Config{Cores: 1}), `let n = 0; export default { scheduled() { return ++n } }`, script.Bounds{})
	for want := 1; want <= 2; want++ {
		_, err := a.Fetch(t.Context(), get("http://app.test/"), &world{})
		if e, ok := errors.AsType[*script.Exception](err); !ok || e.Message != "the module has no fetch handler" {
			t.Errorf("the request: %v", err)
		}
		got, err := a.Event(t.Context(), script.Event{Kind: "scheduled", Data: []byte("{}")}, &world{})
		if err != nil || string(got) != fmt.Sprint(want) {
			t.Errorf("the event: %s, %v; want %d", got, err, want)
		}
	}
}

// What a host call says reaches the script as a value, a body or an Error with a
// code, and nothing of the node's own troubles.
func TestHostCalls(t *testing.T) {
	h := host(t, script.Config{})
	w := &world{env: []script.Env{{Name: "KEYS", Kind: "kv"}}, calls: map[string]func(context.Context, script.Call) (script.Reply, error){
		"KEYS.get":  func(_ context.Context, c script.Call) (script.Reply, error) { return script.Reply{Value: c.Args}, nil },
		"KEYS.none": func(context.Context, script.Call) (script.Reply, error) { return script.Reply{}, nil },
		"KEYS.full": func(context.Context, script.Call) (script.Reply, error) {
			return script.Reply{}, fault.New(fault.Exhausted, "the bucket is full")
		},
		"KEYS.broken": func(context.Context, script.Call) (script.Reply, error) {
			return script.Reply{}, errors.New("open /var/lib/secret: no such file")
		},
		"KEYS.echo": func(_ context.Context, c script.Call) (script.Reply, error) {
			b, err := io.ReadAll(c.Body)
			return script.Reply{Value: value(len(b)), Body: io.NopCloser(iotest.HalfReader(bytes.NewReader(b)))}, err
		},
		"fetch.fetch": func(_ context.Context, c script.Call) (script.Reply, error) {
			b, err := io.ReadAll(c.Body)
			return script.Reply{Value: value(map[string]any{"status": 201, "headers": [][2]string{{"X-Args", string(c.Args)}}, "url": "http://x.test/"}), Body: io.NopCloser(bytes.NewReader(b))}, err
		},
	}}
	for _, c := range []struct{ code, want string }{
		{`return Response.json(await env.KEYS.get("ü\u0000\uD800"))`, `{"key":"ü\u0000\ud800"}`},
		{`return Response.json(await env.KEYS.ask("none") )`, `{"body":null}`},
		{`return Response.json(await env.KEYS.ask("full").catch((e) => [e.code, e.message, e instanceof Error]))`, `["exhausted","the bucket is full",true]`},
		{`return Response.json(await env.KEYS.ask("broken").catch((e) => [e.code, e.message]))`, `["internal","internal error"]`},
		{`return Response.json(await env.KEYS.ask("nosuch").catch((e) => [e.code]))`, `["not_found"]`},
		{`const { value, body } = await env.KEYS.ask("echo", {}, "text ü"); return new Response(value + await new Response(body).text())`, `7text ü`},
		{`const { value, body } = await env.KEYS.ask("echo", {}, new Uint8Array(300000).fill(7)); const b = await new Response(body).bytes(); return new Response([value, b.length, b.every((x) => x === 7)].join())`, `300000,300000,true`},
		{`const s = new ReadableStream({ i: 0, pull(c) { if (this.i++ < 100) c.enqueue(new Uint8Array(5000).fill(this.i)); else c.close() } });
		  const { value, body } = await env.KEYS.ask("echo", {}, s); const b = await new Response(body).bytes(); return new Response([value, b.length, b[0], b[499999]].join())`, `500000,500000,1,100`},
		{`const r = await fetch("http://x.test/a", { method: "POST", body: "hi", headers: { b: "c" } }); return new Response([r.status, await r.text(), r.url, r.redirected, r.headers.get("x-args")].join())`,
			`201,hi,http://x.test/,true,{"url":"http://x.test/a","method":"POST","headers":[["b","c"],["content-type","text/plain;charset=UTF-8"]],"redirect":"follow"}`},
		{`const c = new AbortController(); c.abort(); return new Response(await fetch("http://x.test/", { signal: c.signal }).catch((e) => e.name))`, "AbortError"},
	} {
		a := open(t, h, handler(c.code), script.Bounds{})
		if status, body := fetch(t, a, get("http://app.test/"), w); status != 200 || body != c.want {
			t.Errorf("%s answers %d %s", c.code, status, body)
		}
	}
}

// Logs carry level and request; what is logged while the module is evaluated comes
// with the first request.
func TestLog(t *testing.T) {
	h := host(t, script.Config{Cores: 1})
	a := open(t, h, `console.log("early"); export default { fetch(r, env, ctx) {
		console.log("a", 1, { b: [2] }); console.error("bad"); console.debug("%s is %d", "x", 3); ctx.log.warn("w"); console.group("g"); console.info("in"); console.groupEnd();
		setTimeout(() => { throw new Error("in a timer") }, 1); ctx.waitUntil(Promise.reject(new Error("in the back")));
		return new Promise((r) => setTimeout(() => r(new Response("x")), 20)) } }`, script.Bounds{})
	w := &world{}
	fetch(t, a, get("http://app.test/"), w)
	for _, want := range []string{"info early\n", "info a 1 { b: [ 2 ] }\n", "error bad\n", "debug x is 3\n", "warn w\n", "info g\n", "info   in\n", "error uncaught Error: in a timer\n    at <anonymous> (test:3:37)\n", "error uncaught Error: in the back\n"} {
		if !strings.Contains(w.log(), want) {
			t.Errorf("the log lacks %q:\n%s", want, w.log())
		}
	}
	for _, l := range w.lines {
		if l.RequestID != "r1" || l.Time.IsZero() {
			t.Errorf("%+v", l)
		}
	}
}

// Of a line that is too long the beginning is kept, and said to be one: what it was cut
// within, only the node can tell.
func TestALineThatIsTooLong(t *testing.T) {
	const most = 64 << 10
	a := open(t, host(t, script.Config{}), `export default { fetch() {
		for (const more of [0, 1, 5000]) console.log("x".repeat(65536 + more));
		return new Response() } }`, script.Bounds{})
	w := &world{}
	fetch(t, a, get("http://app.test/"), w)
	if len(w.lines) != 3 {
		t.Fatalf("%d lines", len(w.lines))
	}
	for i, l := range w.lines {
		if l.Text != strings.Repeat("x", most) || l.Cut != (i > 0) {
			t.Errorf("line %d has %d bytes, cut %v", i, len(l.Text), l.Cut)
		}
	}
}

// Events return what their handler says of them.
func TestEvents(t *testing.T) {
	h := host(t, script.Config{})
	a := open(t, h, `export default {
		async scheduled(event, env, ctx) { ctx.waitUntil(env.KEYS.get("later")); return [event.cron, event.scheduledTime, event.type] },
		async queue(batch) {
			const [a, b, c] = batch.messages;
			a.ack(); b.retry({ delaySeconds: 5 });
			if (c.body.bad) throw new Error("bad batch");
			if (c.body.all) batch.retryAll();
			console.log(batch.queue, a.id, a.attempts, a.timestamp.toISOString(), JSON.stringify(c.body));
		},
	}`, script.Bounds{})
	asked := 0
	w := &world{env: []script.Env{{Name: "KEYS", Kind: "kv"}}, calls: map[string]func(context.Context, script.Call) (script.Reply, error){
		"KEYS.get": func(context.Context, script.Call) (script.Reply, error) { asked++; return script.Reply{}, nil },
	}}
	got, err := a.Event(t.Context(), script.Event{Kind: "scheduled", Data: value(map[string]any{"cron": "* * * * *", "scheduledTime": 7})}, w)
	if err != nil || string(got) != `["* * * * *",7,"scheduled"]` || asked != 1 {
		t.Errorf("scheduled: %s, %d asked, %v", got, asked, err)
	}
	for body, want := range map[string]string{
		`{}`:           `{"ack":["1"],"retry":[{"id":"2","delaySeconds":5}]}`,
		`{"all":true}`: `{"ack":["1"],"retry":[{"id":"2","delaySeconds":5},{"id":"3"}]}`,
	} {
		data := `{"queue":"MAIL","messages":[{"id":"1","timestamp":0,"attempts":2,"body":"a"},{"id":"2","timestamp":0,"attempts":1,"body":1},{"id":"3","timestamp":0,"attempts":1,"body":` + body + `}]}`
		got, err := a.Event(t.Context(), script.Event{Kind: "queue", Data: []byte(data)}, w)
		if err != nil || string(got) != want {
			t.Errorf("queue: %s: %v", got, err)
		}
	}
	if !strings.Contains(w.log(), `info MAIL 1 2 1970-01-01T00:00:00.000Z {}`) {
		t.Errorf("the log says %s", w.log())
	}
	_, err = a.Event(t.Context(), script.Event{Kind: "queue", Data: []byte(`{"queue":"MAIL","messages":[{"id":"1"},{"id":"2"},{"id":"3","body":{"bad":1}}]}`)}, w)
	if outcome(err) != "Error" || !strings.Contains(err.Error(), "bad batch") {
		t.Errorf("a batch that throws: %v", err)
	}
	if _, err := a.Event(t.Context(), script.Event{Kind: "room"}, w); outcome(err) != "TypeError" {
		t.Errorf("an event without a handler: %v", err)
	}
}

// Where a developer looks, what a host call refuses is at the line that called; it
// costs, so elsewhere it has no place.
func TestRefusedCallsSayWhoCalled(t *testing.T) {
	h := host(t, script.Config{})
	w := &world{env: []script.Env{{Name: "KEYS", Kind: "kv"}}, calls: map[string]func(context.Context, script.Call) (script.Reply, error){
		"KEYS.get": func(context.Context, script.Call) (script.Reply, error) {
			return script.Reply{}, fault.New(fault.Invalid, "no key").WithHint("name one")
		},
	}}
	_, err := open(t, h, handler("await env.KEYS.get('x')"), script.Bounds{}).Fetch(t.Context(), get("http://app.test/"), w)
	if e, _ := errors.AsType[*script.Exception](err); e == nil || e.Trace() != "Error: no key\nhint: name one" {
		t.Errorf("without a hint: %v", err)
	}
	for _, code := range []string{"await env.KEYS.get('x')", "await fetch('http://x.test/')"} {
		for traced, want := range map[bool]string{true: "    at fetch (test:2:", false: ""} {
			_, err := open(t, h, handler(code), script.Bounds{Trace: traced}).Fetch(t.Context(), get("http://app.test/"), w)
			e, _ := errors.AsType[*script.Exception](err)
			if e == nil || !strings.HasPrefix(e.Stack, want) || traced != (e.Stack != "") {
				t.Errorf("%s, traced %v: %v %q", code, traced, err, e.Stack)
			}
		}
	}
}
