package web_test

import "testing"

func TestStructuredClone(t *testing.T) {
	run(t, `
const c = structuredClone;
test("primitives", () => {
  for (const v of [1, -0, NaN, "x", "\uD800", true, null, undefined, 5n]) ok(String(v), Object.is(c(v), v));
  for (const v of [Object(1), Object("x"), Object(true), Object(5n)]) { const d = c(v); ok("object", d !== v && typeof d === "object" && d.valueOf() === v.valueOf()); }
});
test("objects", () => {
  const v = { a: [1, , 3], b: { c: new Date(5) }, d: /x/gi, e: undefined };
  const d = c(v);
  ok("another", d !== v && d.a !== v.a && d.b.c !== v.b.c);
  is("array", [d.a.length, 1 in d.a], [3, false]);
  is("date", d.b.c.getTime(), 5);
  is("regexp", [d.d.source, d.d.flags], ["x", "gi"]);
  ok("undefined", "e" in d);
  class P { constructor() { this.x = 1; } get y() { return 2; } }
  is("class", [Object.getPrototypeOf(c(new P())) === Object.prototype, JSON.stringify(c(new P()))], [true, '{"x":1}']);
  is("getter", c({ get z() { return 3; } }).z, 3);
  const s = { [Symbol()]: 1 };
  is("symbol keys", Reflect.ownKeys(c(s)).length, 0);
  is("extra of an array", c(Object.assign([1], { x: 2 })).x, 2);
});
test("identity and cycles", () => {
  const a = { n: 1 };
  a.self = a;
  const d = c({ x: a, y: a });
  ok("shared", d.x === d.y && d.x.self === d.x && d.x !== a);
  const m = new Map();
  m.set(m, m);
  const n = c(m);
  ok("map", n.get(n) === n);
  const set = new Set([a]);
  ok("set", [...c(set)][0].self.n === 1);
});
test("depth", () => {
  let v = null;
  for (let i = 0; i < 20000; i++) v = { v };
  let d = c(v);
  let n = 0;
  while (d) { d = d.v; n++; }
  is("n", n, 20000);
});
test("maps are walked as they were", () => {
  const m = new Map([["a", { get x() { m.set("b", 1); return 1; } }]]);
  is("size", c(m).size, 1);
});
test("bytes", () => {
  const b = new ArrayBuffer(8);
  const v = { u: new Uint8Array(b, 2, 3), f: new Float64Array(b), d: new DataView(b, 1, 2), b };
  v.u[0] = 7;
  const d = c(v);
  ok("shared memory", d.u.buffer === d.b && d.f.buffer === d.b && d.d.buffer === d.b && d.b !== b);
  is("offsets", [d.u.byteOffset, d.u.length, d.u[0], d.d.byteLength, d.f.length], [2, 3, 7, 2, 1]);
  is("resizable", c(new ArrayBuffer(2, { maxByteLength: 10 })).maxByteLength, 10);
});
test("errors", () => {
  const e = new RangeError("m", { cause: { x: 1 } });
  const d = c(e);
  is("members", [d instanceof RangeError, d.message, d.name, d.cause.x, d.stack === e.stack], [true, "m", "RangeError", 1, true]);
  class Own extends Error { name = "Own"; }
  is("unknown name", [c(new Own("x")).name, c(new Own("x")) instanceof Error], ["Error", true]);
  is("exception", [c(new DOMException("m", "AbortError")).code], [20]);
});
test("of the web", async () => {
  const f = c(new File(["x"], "n", { type: "a/b" }));
  is("file", [f.name, f.type, await f.text()], ["n", "a/b", "x"]);
  is("blob", c(new Blob(["xy"])).size, 2);
  const k = await crypto.subtle.generateKey({ name: "AES-GCM", length: 128 }, false, ["encrypt"]);
  is("key", c(k).type, "secret");
});
for (const [what, v] of Object.entries({
  function: () => 1, symbol: Symbol("x"), nested: { a: [() => 1] }, weak: new WeakMap(), promise: Promise.resolve(), "weak ref": new WeakRef({}),
  response: new Response(), headers: new Headers(), url: new URL("http://h"), stream: new ReadableStream(), signal: new AbortController().signal, event: new Event("x"),
})) test("refused: " + what, () => throws(what, "DataCloneError", () => c(v)));
test("transfer", () => {
  const b = new ArrayBuffer(4);
  const u = new Uint8Array(b);
  u[0] = 9;
  const d = c({ u, b }, { transfer: [b] });
  is("moved", [b.detached, u.length, d.u[0], d.u.buffer === d.b], [true, 0, 9, true]);
  throws("again", "DataCloneError", () => c(b, { transfer: [b] }));
  throws("detached", "DataCloneError", () => c(u));
  const x = new ArrayBuffer(1);
  throws("twice", "DataCloneError", () => c(1, { transfer: [x, x] }));
  throws("what cannot", "DataCloneError", () => c(1, { transfer: [{}] }));
  throws("fails whole", "DataCloneError", () => c([x, () => 1], { transfer: [x] }));
  is("still there", x.detached, false);
  throws("nothing", "TypeError", () => c());
});`)
}

func TestMessageChannel(t *testing.T) {
	run(t, `
test("messages", async () => {
  const { port1, port2 } = new MessageChannel();
  const seen = [];
  port2.onmessage = (e) => seen.push(e.data);
  const data = { a: 1 };
  port1.postMessage(data);
  data.a = 2;
  is("not at once", seen.length, 0);
  await new Promise((r) => setTimeout(r, 5));
  is("cloned", seen, [{ a: 1 }]);
  port2.close();
  port1.postMessage(1);
  await new Promise((r) => setTimeout(r, 5));
  is("closed", seen.length, 1);
});
test("waits for start", async () => {
  const { port1, port2 } = new MessageChannel();
  let n = 0;
  port2.addEventListener("message", () => n++);
  port1.postMessage(1);
  await new Promise((r) => setTimeout(r, 5));
  is("waiting", n, 0);
  port2.start();
  await new Promise((r) => setTimeout(r, 5));
  is("started", n, 1);
  throws("function", "DataCloneError", () => port1.postMessage(() => 1));
});`)
}
