package web_test

import "testing"

func TestInspect(t *testing.T) {
	run(t, `
const i = globalThis.__fazt.inspect;
const f = (...args) => globalThis.__fazt.format(args);
class A { constructor() { this.x = 1; } }
const cycle = { a: 1 };
cycle.self = cycle;
for (const [value, want] of [
  [1, "1"], [-0, "-0"], [5n, "5n"], ["it's\n", "'it\\'s\\n'"], [undefined, "undefined"], [null, "null"], [Symbol("s"), "Symbol(s)"],
  [{}, "{}"], [{ a: 1, "b-c": "x", [Symbol("k")]: 2 }, "{ a: 1, 'b-c': 'x', [Symbol(k)]: 2 }"],
  [[1, "a", [2]], "[ 1, 'a', [ 2 ] ]"], [[], "[]"], [[1, , , 4], "[ 1, <2 empty items>, 4 ]"], [new Array(3), "[ <3 empty items> ]"],
  [{ a: { b: { c: { d: 1 } } } }, "{ a: { b: { c: [Object] } } }"], [{ a: { b: { c: [] } } }, "{ a: { b: { c: [Array] } } }"],
  [new Map([["k", { v: 1 }]]), "Map(1) { 'k' => { v: 1 } }"], [new Set([1, 2]), "Set(2) { 1, 2 }"], [new Map(), "Map(0) {}"],
  [new A(), "A { x: 1 }"], [Object.create(null), "[Object: null prototype] {}"], [A, "[class A]"], [class B extends A {}, "[class B extends A]"],
  [function g() {}, "[Function: g]"], [() => 1, "[Function (anonymous)]"], [async () => 1, "[AsyncFunction (anonymous)]"],
  [cycle, "{ a: 1, self: [Circular] }"], [new Date(0), "1970-01-01T00:00:00.000Z"], [new Date(NaN), "Invalid Date"], [/x/g, "/x/g"],
  [new Uint8Array([1, 2]), "Uint8Array(2) [ 1, 2 ]"], [new ArrayBuffer(3), "ArrayBuffer { byteLength: 3 }"], [Promise.resolve(), "Promise {}"],
  [{ get a() { throw 1; }, set b(v) {} }, "{ a: [Getter], b: [Setter] }"], [Object(1), "[Number: 1]"],
  [new URL("http://h/x"), "URL { href: 'http://h/x' }"], [new Headers({ a: "1" }), "Headers { a: '1' }"], [new URLSearchParams("a=1"), "URLSearchParams { a: '1' }"],
  [new Response("x"), "Response { status: 200, statusText: '', headers: Headers { 'content-type': 'text/plain;charset=UTF-8' }, bodyUsed: false }"],
  [{ [Symbol.for("nodejs.util.inspect.custom")]: () => "mine" }, "mine"],
]) test(want, () => is("text", i(value), want));
test("errors", () => {
  const e = new RangeError("bad", { cause: new Error("why") });
  e.code = 7;
  const text = i(e);
  ok("head", text.startsWith("RangeError: bad\n"));
  ok("rest", text.includes("code: 7") && text.includes("cause: Error: why"));
  ok("dom", i(new DOMException("m", "AbortError")).startsWith("AbortError: m"));
});
test("bounded", () => {
  ok("array", i(Array.from({ length: 1000 }, (_, n) => n)).endsWith("... 900 more items ]"));
  ok("sparse", i(Object.assign(new Array(4e9), { 3999999999: 1 })).length < 200);
  ok("string", i("x".repeat(1e6)).length < 17000);
  let deep = {};
  for (let n = 0; n < 1e5; n++) deep = { deep };
  ok("deep", i(deep, { depth: null }).length < 17000);
  const wide = Array.from({ length: 90 }, () => Array.from({ length: 90 }, () => "y".repeat(100)));
  ok("wide", i(wide).length < 20000);
  ok("log", f("x".repeat(1e6)).length < 17000);
});
test("never throws", () => {
  for (const v of [new Proxy({}, { ownKeys() { throw new Error("no"); } }), { get [Symbol.toStringTag]() { throw 1; } }, { [Symbol.for("nodejs.util.inspect.custom")]() { throw new Error("x"); } }, Object.defineProperty(new Error("x"), "name", { get() { throw 1; } })])
    is("string", typeof i(v), "string");
});
for (const [args, want] of [
  [["a", 1, { b: 2 }], "a 1 { b: 2 }"], [["%s is %d", "x", 5, "more"], "x is 5 more"], [["%i %f", "3.7", "2.5"], "3 2.5"], [["%j", { a: 1 }], '{"a":1}'], [["%o %O", [1], { b: 1 }], "[ 1 ] { b: 1 }"],
  [["100%", 1], "100% 1"], [["%%", 1], "% 1"], [["%s"], "%s"], [["%c.", "color"], "."], [[], ""], [[1, "a"], "1 a"], [["%d", "x"], "NaN"], [["%s", Symbol("q")], "Symbol(q)"],
]) test(JSON.stringify(args), () => is("format", f(...args), want));`)
}
