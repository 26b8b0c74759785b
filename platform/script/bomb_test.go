package script_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/script"
)

// outcome is the limit that ended a call, the name of what was thrown, or "ok".
func outcome(err error) string {
	if err == nil {
		return "ok"
	}
	if e, ok := errors.AsType[*script.Exception](err); ok {
		return e.Name
	}
	if e, ok := errors.AsType[*fault.Error](err); ok && e.Subject != "" {
		return e.Subject
	}
	return string(fault.KindOf(err))
}

// handler is a module whose fetch has that body.
func handler(body string) string {
	return "export default { async fetch(request, env, ctx) {\n" + body + "\n} }"
}

// bomb is code and how it ends.
type bomb struct{ code, want string }

var bombs = []bomb{
	{`for (;;);`, "limit_cpu"},
	{`for (;;) await 0`, "limit_cpu"},
	{`(async () => { for (;;) await 0 })(); return new Response("x")`, "ok"},
	{`for (const x of (function* () { for (;;) yield 1 })());`, "limit_cpu"},
	{`for await (const x of (async function* () { for (;;) yield 1 })());`, "limit_cpu"},
	{`/^(?=(a+)+b)/.test("a".repeat(40))`, "limit_cpu"},
	{`/(a+)+\1b$/.test("a".repeat(60))`, "limit_cpu"},
	{`let s = ""; for (;;) s += "x".repeat(1000)`, "limit_cpu"},
	{`"x".repeat(2**40)`, "RangeError"},
	{`"x".padEnd(2**31)`, "RangeError"},
	{`"x".repeat(2**29)`, "limit_memory"},
	{`new Array(2e8).fill(1)`, "limit_memory"},
	{`const a = []; for (;;) a.push({})`, "limit_memory"},
	{`const a = new Map(); for (;;) a.set({}, 1)`, "limit_memory"},
	{`[...(function* () { for (;;) yield 1 })()]`, "limit_memory"},
	{`Array.from({ length: 4e9 })`, "limit_memory"},
	{`new Uint8Array(2**30)`, "limit_memory"},
	{`"a".repeat(2e7).split("")`, "limit_memory"},
	{`(function f() { f() })()`, "limit_stack"},
	{`const f = async () => { await f() }; await f()`, "limit_stack"},
	{`JSON.parse("[".repeat(3e6))`, "limit_stack"},
	{`let o = {}; for (let i = 0; i < 1e5; i++) o = { o }; JSON.stringify(o)`, "limit_stack"},
	{`eval("[".repeat(300000))`, "limit_stack"},
	{`new Function("(".repeat(300000))`, "limit_stack"},
	{`new Array(4e9).includes(1)`, "RangeError"},
	{`Array.prototype.indexOf.call({ length: 2**53 - 1 }, 1)`, "RangeError"},
	{`new Array(4e9).forEach(() => {})`, "RangeError"},
	{`new Array(4e9).join("")`, "RangeError"},
	{`[].concat(Object.assign({ length: 4e9, [Symbol.isConcatSpreadable]: true }))`, "RangeError"},
	{`String.raw({ raw: { length: 4e9 } })`, "RangeError"},
	{`String(new Array(4e9))`, "RangeError"},
	{`await new Promise(() => {})`, "limit_wall"},
	{`await new Promise((r) => setTimeout(r, 60000))`, "limit_wall"},
	{`ctx.waitUntil(new Promise(() => {})); return new Response("x")`, "ok"},
	{`for (let i = 0; i < 10000; i++) setTimeout(() => {}, 1000)`, "limit_timers"},
	{`await Promise.all(Array.from({ length: 10000 }, () => fetch("http://slow.test/")))`, "limit_calls"},
	{`for (let i = 0; i < 10000; i++) new Promise(() => {}); return new Response("x")`, "ok"},
	{`for (;;) console.log("x".repeat(1e4))`, "limit_log"},
	{`return new Response("x".repeat(6 << 20))`, "limit_reply"},
	{`return new Response(new Uint8Array(6 << 20))`, "limit_reply"},
	{`await Promise.reject(null)`, "Error"}, // memory pressure looks the same, but for the memory
	{`throw null`, "Error"},
	{`const a = []; for (let i = 0; ; ) a.push("k" + i++)`, "limit_memory"},
	{`let a; for (let i = 0; ; i++) a = { a, i }`, "limit_memory"},
	{`for (;;) { await new Promise((r) => setTimeout(r, 0)); for (let i = 0; i < 1e4; i++); }`, "limit_cpu"}, // each turn is short
}

// Every bomb ends at a limit that is named, within its bounds, in a machine that
// is thrown away; the child lives on and the neighbours answer.
func TestBombs(t *testing.T) {
	if testing.Short() {
		t.Skip("too slow under the race detector: make test runs it")
	}
	h := host(t, script.Config{})
	neighbour := open(t, h, hello, script.Bounds{})
	for i, c := range bombs {
		if script.Raced && i%4 != 0 {
			continue // the engine is the same, and ten times slower
		}
		t.Run(c.code, func(t *testing.T) {
			explode(t, h, c)
			if _, body := fetch(t, neighbour, get("http://app.test/"), &world{}); body != "hello /" {
				t.Errorf("the neighbour says %q", body)
			}
		})
	}
	if s := h.Stats(); s.Respawns > 0 {
		t.Errorf("the child was started again %d times", s.Respawns)
	}
}

// All of them at once are no worse than one after the other.
func TestBombsAtOnce(t *testing.T) {
	if script.Raced {
		t.Skip("the race detector's own memory is what it would test")
	}
	h := host(t, script.Config{Cores: 2})
	neighbour := open(t, h, hello, script.Bounds{})
	var all sync.WaitGroup
	for _, c := range bombs {
		all.Go(func() { explode(t, h, c) })
	}
	for range 20 {
		if _, body := fetch(t, neighbour, get("http://app.test/"), &world{}); body != "hello /" {
			t.Errorf("the neighbour says %q", body)
		}
	}
	all.Wait()
	if s := h.Stats(); s.Respawns > 0 || s.Running > 0 {
		t.Errorf("%+v", s)
	}
}

func explode(t *testing.T, h *script.Host, c bomb) {
	b := script.Bounds{CPU: 60 * time.Second, Wall: 90 * time.Second}
	switch c.want {
	case "limit_cpu":
		b.CPU = 300 * time.Millisecond
	case "limit_wall":
		b.Wall = 300 * time.Millisecond
	}
	a, err := h.Open(t.Context(), script.Program{Name: c.code, Code: []byte(handler(c.code))}, b)
	if err != nil {
		t.Errorf("%s: %v", c.code, err)
		return
	}
	defer a.Close()
	res, err := a.Fetch(t.Context(), get("http://app.test/"), slow())
	if got := outcome(err); got != c.want {
		t.Errorf("%s: %s: %v", c.code, got, err)
	}
	if res != nil {
		res.Body.Close()
	}
}

// slow is a world whose calls are answered when nobody waits any more.
func slow() *world {
	return &world{calls: map[string]func(context.Context, script.Call) (script.Reply, error){
		"fetch.fetch": func(ctx context.Context, _ script.Call) (script.Reply, error) {
			<-ctx.Done()
			return script.Reply{}, ctx.Err()
		},
	}}
}
