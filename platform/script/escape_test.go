package script_test

import (
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/fazt-sh/fazt/platform/script"
)

// escapes are ways out of sandboxes that others had. Each evaluates to whatever
// it could get hold of.
var escapes = []string{
	`globalThis`,
	`this ?? globalThis`,
	`[].constructor.constructor("return this")()`,
	`(async () => {}).constructor("return globalThis")()`,
	`(function* () {}).constructor("yield globalThis")().next().value`,
	`(async function* () {}).constructor("yield globalThis")().next()`,
	`Function.prototype.constructor("return this")()`,
	`new (class extends Function {})("return this")()`,
	`(0, eval)("this")`,
	`Reflect.construct(Function, ["return globalThis"])()`,
	`ctx.constructor.constructor("return this")()`,
	`env.constructor.constructor("return this")()`,
	`request.constructor.constructor("return this")()`,
	`console.log.constructor("return this")()`,
	`fetch.constructor("return globalThis")()`,
	`setTimeout.constructor("return this")()`,
	`Object.getPrototypeOf(ctx)`,
	`Object.getOwnPropertyNames(ctx)`,
	`Object.getOwnPropertySymbols(ctx).map((s) => ctx[s])`,
	`Reflect.ownKeys(Object.getPrototypeOf(ctx)).map((k) => { try { return ctx[k] } catch {} })`,
	`env.KEYS.get.constructor("return this")()`,
	`Object.getPrototypeOf(env.KEYS)`,
	`Object.getPrototypeOf(Object.getPrototypeOf(env.KEYS))`,
	`arguments?.callee?.caller`,
	`(function f() { return f.caller })()`,
	`(() => { Error.prepareStackTrace = (e, s) => s; return new Error().stack })()`,
	`(() => { Error.stackTraceLimit = 1000; return new Error("x").stack })()`,
	`(() => { try { null.x } catch (e) { return e.constructor.constructor("return this")() } })()`,
	`(() => { try { (function f() { f() })() } catch (e) { return e.constructor.constructor("return this")() } })()`,
	`(() => { let got; new Proxy({}, { get(t, k, r) { got = r; return 1 } }).x; return Object.getPrototypeOf(got) })()`,
	`(() => { const seen = []; const p = new Proxy(function () {}, { apply(t, self, args) { seen.push(self, ...args) } }); Array.prototype.push = new Proxy(Array.prototype.push, { apply(t, self, args) { seen.unshift(self); return Reflect.apply(t, self, args) } }); console.log("x"); return seen })()`,
	`(() => { const seen = []; Object.defineProperty(Object.prototype, "__fazt", { set(v) { seen.push(v) }, get() { return undefined }, configurable: true }); console.log("x"); delete Object.prototype.__fazt; return seen })()`,
	`(() => { const seen = []; const old = Map.prototype.get; Map.prototype.get = function (k) { seen.push(this); return old.call(this, k) }; clearTimeout(setTimeout(() => {}, 1)); Map.prototype.get = old; return seen })()`,
	`(() => { const seen = []; const old = Promise.prototype.then; Promise.prototype.then = function (...a) { seen.push(...a); return old.apply(this, a) }; ctx.waitUntil(Promise.resolve()); Promise.prototype.then = old; return seen })()`,
	`(() => { const seen = []; const old = JSON.stringify; JSON.stringify = (v) => { seen.push(v); return old(v) }; fetch("http://none.test/").catch(() => {}); JSON.stringify = old; return seen })()`,
	`(() => { Function.prototype.call = Function.prototype.apply = function () { return this }; return console.log("x") })()`,
	`new Proxy(env, { get: (t, k, r) => Reflect.get(t, k, r) }).KEYS`,
	`Reflect.apply(env.KEYS.get, { }, ["x"]).catch((e) => e)`,
	`Object.assign(Object.create(ctx), { waitUntil: 1 })`,
	`import("fs").catch((e) => e)`,
	`import("node:process").catch((e) => e)`,
	`import("<eval>").catch((e) => e)`,
	`import("/etc/passwd").catch((e) => e)`,
	`import("std").catch((e) => e)`,
	`import("os").catch((e) => e)`,
	`structuredClone?.(globalThis.x)`,
	`WebAssembly`,
	`new Worker("x")`,
	`(() => { globalThis.Date = globalThis.JSON = globalThis.Map = globalThis.Promise = undefined; return globalThis })()`,
	`Symbol.for("fazt.node") in globalThis ? globalThis : globalThis`,
}

// spy looks through what an escape got for anything that is not the language's or
// the Web's, to some depth.
const spy = `
const forbidden = ["process", "require", "module", "exports", "Deno", "Bun", "std", "os", "scriptArgs", "print", "loadScript", "Atomics", "SharedArrayBuffer",
  "__fazt", "__fazt_post", "__fazt_web", "__fazt_part", "__fazt_bindings", "__fazt_module", "__fazt_self"];
function look(found, value, depth, seen) {
  if (value === null || (typeof value !== "object" && typeof value !== "function") || depth > 3 || seen.has(value)) return;
  seen.add(value);
  let keys = [];
  try { keys = Reflect.ownKeys(value) } catch { return }
  for (const k of keys.slice(0, 300)) {
    if (forbidden.includes(k) && !("signInUrl" in value)) found.push(k);
    let v;
    try { v = value[k] } catch { continue }
    if (typeof v === "function" && /^__fazt/.test(v.name)) found.push(v.name);
    look(found, v, depth + 1, seen);
  }
}
`

// No way out leads to a file, the environment, the host functions or another
// app, and none breaks the child.
func TestEscapes(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another: the race detector sees nothing in it")
	}
	h := host(t, script.Config{})
	w := &world{env: []script.Env{{Name: "KEYS", Kind: "kv"}, {Name: "TITLE", Kind: "text", Value: value("t")}}}
	neighbour := open(t, h, handler(`return new Response([typeof globalThis.stolen, typeof [].polluted, typeof ({}).polluted, new Array(3).push.name].join())`), script.Bounds{})
	for _, code := range escapes {
		t.Run(code, func(t *testing.T) {
			a := open(t, h, spy+handler(`
				const stringify = JSON.stringify, found = [];
				Array.prototype.polluted = Object.prototype.polluted = globalThis.stolen = 1;
				let got;
				try { got = await (`+code+`) } catch (e) { got = e }
				delete Object.prototype.polluted;
				look(found, got, 0, new Set());
				return new Response(stringify(found));`), script.Bounds{})
			res, err := a.Fetch(t.Context(), get("http://app.test/"), w)
			if err == nil {
				if body, err := io.ReadAll(res.Body); string(body) != "[]" {
					t.Errorf("it found %s: %v", body, err)
				}
			}
			if _, body := fetch(t, neighbour, get("http://app.test/"), w); body != "undefined,undefined,undefined,push" {
				t.Errorf("the neighbour sees %s", body)
			}
		})
	}
	if s := h.Stats(); s.Respawns > 0 {
		t.Errorf("the child was started again %d times", s.Respawns)
	}
}

// A guest that calls what it was given in other ways than core.js does is told no,
// and nothing panics.
func TestEscapeNames(t *testing.T) {
	h := host(t, script.Config{})
	a := open(t, h, `
		const before = Reflect.ownKeys(globalThis).filter((k) => /fazt/.test(String(k)) && typeof k === "string");
		export default { fetch() { return new Response(before.join()) } }`, script.Bounds{})
	if _, body := fetch(t, a, get("http://app.test/"), &world{}); body != "" {
		t.Errorf("globals of ours: %s", body)
	}
}

// Warm globals are an app's own, and gone at once where it asks for it.
func TestState(t *testing.T) {
	h := host(t, script.Config{Cores: 1})
	code := `let n = 0; export default { fetch() { n++; globalThis.m = (globalThis.m ?? 0) + 1; Array.prototype.seen = ([].seen ?? 0) + 1; return new Response(n + "," + globalThis.m + "," + [].seen) } }`
	warm, other, fresh := open(t, h, code, script.Bounds{}), open(t, h, code, script.Bounds{}), open(t, h, code, script.Bounds{Fresh: true})
	for i, want := range []string{"1,1,1", "2,2,2", "3,3,3"} {
		if _, body := fetch(t, warm, get("http://app.test/"), &world{}); body != want {
			t.Errorf("warm: request %d says %s", i, body)
		}
	}
	if _, body := fetch(t, other, get("http://app.test/"), &world{}); body != "1,1,1" {
		t.Errorf("the other app says %s", body)
	}
	for range 8 {
		if _, body := fetch(t, fresh, get("http://app.test/"), &world{}); body != "1,1,1" {
			t.Errorf("fresh says %s", body)
		}
	}
}

// Who waits for a pristine machine loses nothing of its body.
func TestFreshBodies(t *testing.T) {
	h := host(t, script.Config{Cores: 1})
	a := open(t, h, handler(`await new Promise((r) => setTimeout(r, 20)); return new Response(await request.text())`), script.Bounds{Fresh: true})
	text := strings.Repeat("0123456789", 20000)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if _, body := fetch(t, a, post(strings.NewReader(text)), &world{}); body != text {
				t.Errorf("%d bytes came back", len(body))
			}
		})
	}
	all.Wait()
	if s := h.Stats(); s.Machines > 2 {
		t.Errorf("%d machines", s.Machines)
	}
}

// The guards of the built-ins change nothing else about them.
func TestGuards(t *testing.T) {
	h := host(t, script.Config{})
	for code, want := range map[string]string{
		`[1,2,3].lastIndexOf(1, undefined)`: "0", `[1,2,3].lastIndexOf(3)`: "2", `[1,2,3,1].lastIndexOf(1, -2)`: "0",
		`[1,2,3].reduce((a, b) => a + b)`: "6", `[1].reduce((a, b) => a + b, undefined)`: "NaN", `[1,2].reduceRight((a, b) => a + "" + b)`: "21",
		`[1,2,3].splice(1).join()`: "2,3", `[1,2,3].splice(0, undefined).length`: "0", `[].concat([1], 2, [[3]]).length`: "3", `[3,1,2].sort().join("")`: "123",
		`[1,[2,[3]]].flat(undefined).length`: "3", `[1,2].map(function () { return this.x }, { x: 5 }).join()`: "5,5", `Array.prototype.map.name + Array.prototype.map.length`: "map1",
		`[1,2,3].slice(undefined, -1).join()`: "1,2", `String.raw({ raw: "ab" }, 1)`: "a1b", `[,1].includes(undefined)`: "true", `[1,2].unshift(3, 4)`: "4",
		`Array.prototype.map.call("ab", (x) => x + x).join()`: "aa,bb", `new Map([[1, 2]]).forEach.name`: "forEach", `[5,1].toLocaleString()`: "5,1", `[1,2,3,4].copyWithin(0, 2, 3).join()`: "3,2,3,4",
	} {
		a := open(t, h, handler("return new Response(String("+code+"))"), script.Bounds{})
		if _, body := fetch(t, a, get("http://app.test/"), &world{}); body != want {
			t.Errorf("%s is %s, not %s", code, body, want)
		}
	}
}
