package script_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/script"
)

// What an app's code rejects and nobody handles is in its log, once, with its place;
// what somebody handles before the turn is over is not.
func TestRejections(t *testing.T) {
	h := host(t, script.Config{Cores: 1})
	const boom = `const boom = async (n = 0) => { while (n-- > 0) await null; throw new RangeError("boom") };`
	const logged = "error uncaught (in promise) RangeError: boom\n    at boom (test:1:"
	const answer = `return new Response("x")`
	const heard = `await new Promise((r) => addEventListener("unhandledrejection", r, { once: true })); `
	for _, c := range []struct{ code, want string }{
		{`boom(); ` + answer, logged},
		{`boom(50); ` + answer, logged}, // long after the answer
		{`await boom().then(() => {}, () => {}); boom(); ` + answer, logged},
		{`boom().then(() => {}); ` + answer, logged},
		{`boom().finally(() => {}); ` + answer, logged},
		{`new Promise((_, reject) => reject(new RangeError("boom"))); ` + answer, "error uncaught (in promise) RangeError: boom\n    at <anonymous> (test:3:"},
		{`setTimeout(() => boom(), 1); ` + heard + answer, logged},
		{`Promise.reject("text"); ` + answer, "error uncaught (in promise) Error: text was thrown\n"},
		{`Promise.reject(); ` + answer, "error uncaught (in promise) Error: undefined was thrown\n"},
		{`Promise.reject({ get message() { throw 1 } }); ` + answer, "error uncaught (in promise) Error: something was thrown that cannot be shown\n"},
		{`env.KEYS.get("x"); ` + heard + answer, "error uncaught (in promise) Error: no KEYS.get\n"},
		{`boom(); return new Response("x".repeat(100000))`, logged},
		{`boom(); return new Response(new Blob(["x"]).stream())`, logged},
		{`boom(); throw new Error("another")`, logged},
		{`boom(); ctx.waitUntil(Promise.resolve()); ` + answer, logged},
		{`queueMicrotask(() => boom()); ` + answer, logged},

		{`const p = boom(); p.catch(() => {}); ` + answer, ""},
		{`const p = boom(); await null; p.catch(() => {}); ` + answer, ""},
		{`const p = boom(); queueMicrotask(() => p.catch(() => {})); ` + answer, ""},
		{`try { await boom() } catch {} ` + answer, ""},
		{`await Promise.allSettled(Array.from({ length: 1000 }, () => boom())); ` + answer, ""},
		{`await Promise.any([boom(), boom(3), 1]); ` + answer, ""},
		{`await Promise.race([1, boom(), boom(3)]); ` + answer, ""},
		{`await Promise.all([boom(), boom(3)]).catch(() => {}); ` + answer, ""},
		{`await boom(3)`, ""}, // the caller hears of it
		{`const r = new ReadableStream({ start(c) { c.error(new RangeError("boom")) } }).getReader(); r.closed; ` + answer, ""},
		{`new WritableStream({ start(c) { c.error(new RangeError("boom")) } }).getWriter(); ` + answer, ""},
		{`await new Response(new ReadableStream({ pull() { return boom() } })).text().catch(() => {}); ` + answer, ""},
		{`const c = new AbortController(); const p = fetch("http://x.test/", { signal: c.signal }); c.abort(); await p.catch(() => {}); ` + answer, ""},
	} {
		w := slow()
		w.env = []script.Env{{Name: "KEYS", Kind: "kv"}}
		a := open(t, h, boom+"\n"+handler(c.code), script.Bounds{})
		if res, err := a.Fetch(t.Context(), get("http://app.test/"), w); err == nil {
			res.Body.Close()
		}
		settled(t, h)
		if got := w.log(); (c.want == "") != (got == "") || !strings.HasPrefix(got, c.want) || strings.Count(got, "error") > 1 {
			t.Errorf("%s logs %q", c.code, got)
		}
	}
}

// settled waits until nothing runs.
func settled(t *testing.T, h *script.Host) {
	t.Helper()
	for h.Stats().Running > 0 {
		runtime.Gosched()
	}
}

// A listener hears of it, and may keep it out of the log. What listeners reject is
// logged and not told to them again.
func TestRejectionListeners(t *testing.T) {
	h := host(t, script.Config{Cores: 1})
	for _, c := range []struct{ module, want string }{
		{`addEventListener("unhandledrejection", (e) => { e.preventDefault(); console.log(e.type, e.reason, e.promise instanceof Promise, e.cancelable) })`, "info unhandledrejection boom true true\n"},
		{`globalThis.addEventListener("unhandledrejection", (e) => console.log("heard", e.reason))`, "info heard boom\nerror uncaught (in promise) Error: boom was thrown\n"},
		{`globalThis.onunhandledrejection = (e) => { console.log("heard", e.reason); return false }`, "info heard boom\n"},
		{`self.onunhandledrejection = () => { throw "late" }`, "error uncaught Error: late was thrown\nerror uncaught (in promise) Error: boom was thrown\n"},
		{`addEventListener("unhandledrejection", async (e) => { e.preventDefault(); await null; throw e.reason + "!" })`, "error uncaught (in promise) Error: boom! was thrown\n"},
	} {
		w := &world{}
		a := open(t, h, c.module+";\n"+handler(`Promise.reject("boom"); return new Response("x")`), script.Bounds{})
		fetch(t, a, get("http://app.test/"), w)
		settled(t, h)
		if got := w.log(); got != c.want {
			t.Errorf("%s logs %q", c.module, got)
		}
	}
}

// A module may reject as well; the first request's log has it.
func TestRejectionInModule(t *testing.T) {
	h := host(t, script.Config{Cores: 1})
	w := &world{}
	a := open(t, h, "Promise.reject(new Error('early'));\n"+handler(`return new Response("x")`), script.Bounds{})
	fetch(t, a, get("http://app.test/"), w)
	fetch(t, a, get("http://app.test/"), w)
	settled(t, h)
	if got := w.log(); strings.Count(got, "error uncaught (in promise) Error: early\n    at ") != 1 {
		t.Errorf("%q", got)
	}
}

// Many are some lines and a count, within the memory of the machine, which serves on
// and keeps nothing of them.
func TestManyRejections(t *testing.T) {
	if testing.Short() {
		t.Skip("too slow under the race detector: make test runs it")
	}
	h := host(t, script.Config{Cores: 1})
	a := open(t, h, `let machine = Math.random(); export default { async fetch(request) {
		const kept = [];
		for (let i = 0; i < 1e5; i++) {
			const p = Promise.reject(new Error("x".repeat(100)));
			if (i % 10000 === 0) kept.push(p);
		}
		for (const p of kept) p.catch(() => {});
		return new Response("" + machine)
	} }`, script.Bounds{Memory: 8 << 20, CPU: 60 * time.Second, Wall: 90 * time.Second})
	first := ""
	for range 2 {
		w := &world{}
		_, body := fetch(t, a, get("http://app.test/"), w)
		settled(t, h)
		got := w.log()
		if strings.Count(got, "uncaught (in promise)") != 31 || !strings.HasSuffix(got, "error 99959 more promises were rejected and nobody handled them\n") {
			t.Errorf("%d lines, the last %q", strings.Count(got, "\n"), got[max(len(got)-200, 0):])
		}
		if first != "" && body != first {
			t.Error("the machine is another one")
		}
		first = body
	}
}

// Whatever stops a turn, what was rejected in it harms nobody.
func TestRejectionsAtLimits(t *testing.T) {
	if testing.Short() {
		t.Skip("too slow under the race detector: make test runs it")
	}
	h := host(t, script.Config{Cores: 1})
	neighbour := open(t, h, hello, script.Bounds{})
	for _, c := range []bomb{
		{`for (let i = 0; i < 100; i++) Promise.reject(i); for (;;);`, "limit_cpu"},
		{`for (;;) { Promise.reject(1); await null }`, "limit_cpu"},
		{`const f = async () => { throw await null }; for (;;) f()`, "limit_memory"},
		{`(async () => { for (;;) await 0 })(); Promise.reject(1); return new Response("x")`, "ok"},
		{`addEventListener("unhandledrejection", () => { for (;;); }); Promise.reject(1); await new Promise(() => {})`, "limit_cpu"},
		{`addEventListener("unhandledrejection", () => Promise.reject(1)); Promise.reject(1); return new Response("x")`, "ok"},
		{`for (let i = 0; i < 10; i++) Promise.reject("x".repeat(1e7) + i); return new Response("x")`, "limit_memory"},
		{`for (let i = 0; i < 2000; i++) console.log(i)`, "limit_log"},
		{`setInterval(() => Promise.reject(1), 1); await new Promise(() => {})`, "limit_wall"},
		{`(async function f() { f() })(); return new Response("x")`, "ok"},
	} {
		explode(t, h, c)
		settled(t, h)
		if _, body := fetch(t, neighbour, get("http://app.test/"), &world{}); body != "hello /" {
			t.Errorf("the neighbour says %q", body)
		}
	}
	if s := h.Stats(); s.Respawns > 0 {
		t.Errorf("the child was started again %d times", s.Respawns)
	}
}

// Code that rejects nothing pays nothing: an answer and its end are one message.
func TestAnswerIsOneMessage(t *testing.T) {
	h := host(t, script.Config{Cores: 1})
	for _, body := range []string{
		`return new Response("x")`,
		`await null; return new Response("x")`,
		`const next = async (n) => (n > 0 ? await next(n - 1) : new Response("x")); return await next(9)`,
		`await Promise.all([1, Promise.reject(2)]).catch(() => {}); return Response.json(await new Response("{}").json())`,
	} {
		a := open(t, h, handler(body), script.Bounds{})
		fetch(t, a, get("http://app.test/"), &world{})
		before := h.Stats().MessagesIn
		for range 10 {
			fetch(t, a, get("http://app.test/"), &world{})
		}
		settled(t, h)
		if n := h.Stats().MessagesIn - before; n != 10 {
			t.Errorf("%s: 10 answers are %d messages", body, n)
		}
	}
}
