package web_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/platform/script/web"
	"modernc.org/quickjs"
)

// modules lets a machine import the shims as the bundler would resolve them.
func modules(vm *quickjs.VM) {
	vm.SetModuleLoader(func(_ *quickjs.VM, name string) (string, error) {
		text, err := fs.ReadFile(web.Node(), strings.TrimPrefix(name, "node:")+".js")
		if err != nil {
			return "", fmt.Errorf("no module %s", name)
		}
		return asModule(string(text)), nil
	}, func(_ *quickjs.VM, _, name string) (string, error) { return name, nil })
}

// asModule does for the two CommonJS shims what the bundler does: what they require
// is imported, what they export is the default.
func asModule(text string) string {
	if !strings.Contains(text, "module.exports") {
		return text
	}
	imports, names := "", ""
	for _, name := range []string{"node:util", "node:assert"} {
		if strings.Contains(text, `require("`+name+`")`) {
			id := strings.TrimPrefix(name, "node:")
			imports += fmt.Sprintf("import %s__ from %q;\n", id, name)
			names += fmt.Sprintf("%q: %s__, ", name, id)
		}
	}
	return imports + "const module = { exports: {} }; const require = (n) => ({" + names + "})[n];\n" + text + "\nexport default module.exports;"
}

func runModule(t *testing.T, script string) {
	t.Helper()
	vm := machine(t)
	modules(vm)
	_, err := vm.Eval(assertions, quickjs.EvalGlobal)
	must(t, err)
	v, err := vm.EvalValue(script+"\nrunAll();", quickjs.EvalModule)
	must(t, err)
	defer v.Free()
	failed, err := v.Then(nil, func(reason quickjs.Value) { t.Error(quickjs.ErrorFromValue(reason)) })
	must(t, err)
	defer failed.Free()
	settle(t, vm)
	got, err := vm.Eval(`JSON.stringify({ finished, count, failures })`, quickjs.EvalGlobal)
	must(t, err)
	report(t, got.(string))
}

// Every shim loads and has a default, as both forms of import are used.
func TestNodeShimsLoad(t *testing.T) {
	var names []string
	must(t, fs.WalkDir(web.Node(), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && path != "util/types.js" {
			names = append(names, strings.TrimSuffix(path, ".js"))
		}
		return err
	}))
	var script strings.Builder
	for i, name := range names {
		fmt.Fprintf(&script, "import m%d from \"node:%s\"; test(%q, () => ok(\"default\", m%d));\n", i, name, name, i)
	}
	runModule(t, script.String())
}

func TestNodeBufferAndFriends(t *testing.T) {
	runModule(t, `
import { Buffer } from "node:buffer";
import { StringDecoder } from "node:string_decoder";
import path from "node:path";
import qs from "node:querystring";
import * as url from "node:url";
test("buffer", () => {
  is("text", Buffer.from("hä").toString("hex"), "68c3a4");
  is("base64", Buffer.from("aGk=", "base64").toString(), "hi");
  is("base64 of bytes", Buffer.from([251, 255]).toString("base64"), "+/8=");
  is("base64url", Buffer.from([251, 255]).toString("base64url"), "-_8");
  is("base64url back", Buffer.from("-_8", "base64URL").toString("hex"), "fbff");
  is("base64url elsewhere", [Buffer.byteLength("-_8", "base64url"), Buffer.isEncoding("base64url"), Buffer.alloc(2).fill("-_8", "base64url").toString("hex"), Buffer.alloc(2).write("-_8", "base64url"), Buffer.isEncoding("base64ur")].join(), "2,true,fbff,2,false");
  is("part of it", Buffer.from([0, 251, 255]).toString("base64url", 1), "-_8");
  is("concat", Buffer.concat([Buffer.from("a"), Buffer.alloc(2, 1)]).toString("hex"), "610101");
  is("numbers", Buffer.from("01020304", "hex").readUInt32BE(0), 0x01020304);
  ok("class", Buffer.isBuffer(Buffer.alloc(1)) && Buffer.alloc(1) instanceof Uint8Array);
  is("equals", Buffer.compare(Buffer.from("a"), Buffer.from("b")), -1);
  is("utf-16", Buffer.from("ä", "utf16le").toString("hex"), "e400");
});
test("string decoder", () => {
  const d = new StringDecoder("utf8");
  is("pieces", d.write(Buffer.from([0xe2, 0x82])) + d.write(Buffer.from([0xac])) + d.end(), "€");
  const b = new StringDecoder("base64");
  is("base64", b.write(Buffer.from("a")) + b.write(Buffer.from("bcd")) + b.end(), "YWJjZA==");
  is("cut off", new StringDecoder().end(Buffer.from([0xe2])), "\uFFFD");
  is("hex", new StringDecoder("hex").write(Buffer.from([10])), "0a");
  throws("unknown", "TypeError", () => new StringDecoder("x"));
});
test("path", () => {
  is("join", path.join("/a", "../b", "c.txt"), "/b/c.txt");
  is("ext", [path.extname("x/y.tar.gz"), path.basename("/a/b.js", ".js"), path.dirname("/a/b")], [".gz", "b", "/a"]);
});
test("querystring", () => {
  is("stringify", qs.stringify({ a: [1, "x y"], b: "ü", c: {} }), "a=1&a=x%20y&b=%C3%BC&c=");
  is("parse", JSON.stringify(qs.parse("a=1&a=2&b=x+y&c&d=%zz")), '{"a":["1","2"],"b":"x y","c":"","d":"%zz"}');
});
test("url", () => {
  const u = url.parse("https://u:p@h.test:81/a?x=1&x=2#f", true);
  is("parts", [u.protocol, u.auth, u.host, u.port, u.pathname, u.search, u.hash, JSON.stringify(u.query)], ["https:", "u:p", "h.test:81", "81", "/a", "?x=1&x=2", "#f", '{"x":["1","2"]}']);
  is("relative", [url.parse("../a?b").pathname, url.parse("../a?b").query, url.parse("/x").host], ["../a", "b", null]);
  is("format", url.format({ protocol: "http", host: "h", pathname: "a", query: { b: 1 } }), "http://h/a?b=1");
  is("resolve", [url.resolve("http://h/a/b", "../c"), url.resolve("/one/two", "three")], ["http://h/c", "/one/three"]);
  is("file", [url.fileURLToPath("file:///a%20b"), url.pathToFileURL("/a b#?%").href], ["/a b", "file:///a%20b%23%3F%25"]);
  ok("class", url.URL === URL);
});`)
}

func TestNodeEventsUtilAssert(t *testing.T) {
	runModule(t, `
import EventEmitter from "node:events";
import util from "node:util";
import assert from "node:assert";
import strict from "node:assert/strict";
import process from "node:process";
import * as timers from "node:timers/promises";
test("timers", async () => {
  is("value", await timers.setTimeout(1, "v"), "v");
  const c = new AbortController();
  const p = timers.setTimeout(1000, null, { signal: c.signal });
  c.abort();
  await rejects("aborted", "AbortError", p);
  let n = 0;
  for await (const x of timers.setInterval(1, 5)) if (x === 5 && ++n === 3) break;
  is("interval", n, 3);
});
test("events", async () => {
  const e = new EventEmitter();
  const seen = [];
  e.on("x", (...a) => seen.push(a));
  e.once("x", () => seen.push("once"));
  e.emit("x", 1, 2);
  e.emit("x", 3);
  is("seen", seen, [[1, 2], "once", [3]]);
  throws("error", "Error", () => e.emit("error", new Error("x")));
  const p = EventEmitter.once(e, "y");
  e.emit("y", 5);
  is("once", await p, [5]);
  const got = [];
  setTimeout(() => { e.emit("z", 1); e.emit("z", 2); }, 1);
  for await (const [v] of EventEmitter.on(e, "z")) { got.push(v); if (v === 2) break; }
  is("on", got, [1, 2]);
  class Mine extends EventEmitter {}
  ok("class", new Mine() instanceof EventEmitter.EventEmitter);
});
test("util", async () => {
  is("promisify", await util.promisify((a, cb) => cb(null, a + 1))(1), 2);
  await rejects("promisify error", "RangeError", util.promisify((cb) => cb(new RangeError("x")))());
  util.callbackify(async (a) => a + 1)(1, (err, v) => is("callbackify", v, 2));
  is("format", util.format("%s=%d", "a", 1), "a=1");
  is("inspect", util.inspect({ a: [1] }), "{ a: [ 1 ] }");
  function A() {}
  function B() {}
  util.inherits(B, A);
  ok("inherits", new B() instanceof A);
  ok("types", util.types.isUint8Array(bytes(1)) && util.types.isAsyncFunction(async () => 1) && !util.types.isDate({}));
  is("strip", util.stripVTControlCharacters("\u001b[31mx\u001b[0m"), "x");
});
test("deep equality", () => {
  const cycle = () => { const a = { x: 1 }; a.self = a; return a; };
  for (const [a, b, want] of [[{ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }, true], [{ a: 1 }, { a: "1" }, false], [[1], { 0: 1, length: 1 }, false], [NaN, NaN, true], [0, -0, false],
    [new Map([[{ k: 1 }, 2]]), new Map([[{ k: 1 }, 2]]), true], [new Set([1, [2]]), new Set([[2], 1]), true], [new Set([1]), new Set([2]), false], [new Date(1), new Date(1), true], [/a/g, /a/i, false],
    [cycle(), cycle(), true], [bytes(1), bytes(1), true], [bytes(1), bytes(2), false], [new Error("a"), new Error("a"), true], [new Error("a"), new Error("b"), false], [{ a: undefined }, {}, false], [Object.create(null), {}, false], [Object(1), Object(1), true]])
    is(util.inspect(a) + " and " + util.inspect(b), util.isDeepStrictEqual(a, b), want);
});
test("assert", async () => {
  assert(1);
  assert.equal(1, "1");
  assert.deepEqual({ a: 1 }, { a: "1" });
  assert.throws(() => { throw new TypeError("no way"); }, /no way/);
  assert.throws(() => { throw new TypeError("x"); }, { name: "TypeError", message: "x" });
  await assert.rejects(async () => { throw new RangeError("x"); }, RangeError);
  for (const [what, f] of Object.entries({
    ok: () => assert(0), equal: () => assert.strictEqual(1, "1"), deep: () => assert.deepStrictEqual({ a: 1 }, { a: "1" }), none: () => assert.throws(() => {}), strict: () => strict.equal(1, "1"), fail: () => assert.fail("x"), match: () => assert.match("a", /b/),
  })) throws(what, "AssertionError", f);
  try { assert.strictEqual(1, 2); } catch (e) { is("members", [e.code, e.actual, e.expected, e.operator, e instanceof assert.AssertionError], ["ERR_ASSERTION", 1, 2, "strictEqual", true]); }
  throws("own error", "RangeError", () => assert.ok(false, new RangeError("mine")));
  await rejects("missing", "AssertionError", () => assert.rejects(async () => 1));
});
test("process", async () => {
  is("env", Object.keys(process.env), []);
  let n = 0;
  process.nextTick((x) => (n = x), 5);
  await null;
  await null;
  is("nextTick", n, 5);
  is("emit", process.emit("exit"), false);
  throws("exit", "Error", () => process.exit());
  is("hrtime", process.hrtime().length, 2);
});`)
}

func TestNodeCrypto(t *testing.T) {
	runModule(t, `
import crypto, { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { Buffer } from "node:buffer";
test("hashes", () => {
  is("pieces", createHash("sha256").update("a").update(Buffer.from("bc")).digest("hex"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  is("md5", createHash("MD5").update("").digest("base64"), "1B2M2Y8AsgTpgAmY7PhCfg==");
  is("buffer", createHash("sha1").update("616263", "hex").digest().length, 20);
  is("hmac", createHmac("sha-256", "Jefe").update("what do ya want for nothing?").digest("hex"), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  const h = createHash("sha512");
  h.digest();
  throws("again", "Error", () => h.update("x"));
  throws("unknown", "Error", () => createHash("x"));
  throws("data", "TypeError", () => createHash("sha1").update(1));
  is("hash", crypto.hash("sha1", "abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
});
test("random", async () => {
  const b = randomBytes(100000);
  ok("buffer", Buffer.isBuffer(b) && b.length === 100000 && b.subarray(90000).some((x) => x !== 0));
  ok("uuid", /^[0-9a-f-]{36}$/.test(crypto.randomUUID()));
  for (let i = 0; i < 100; i++) { const n = crypto.randomInt(3, 6); ok("int " + n, n >= 3 && n < 6); }
  is("callback", await new Promise((r) => randomBytes(4, (e, b) => r(b.length))), 4);
});
test("others", () => {
  ok("equal", timingSafeEqual(bytes(1, 2), bytes(1, 2)) && !timingSafeEqual(bytes(1, 2), bytes(1, 3)));
  throws("lengths", "RangeError", () => timingSafeEqual(bytes(1), bytes(1, 2)));
  is("pbkdf2", crypto.pbkdf2Sync("password", "salt", 4096, 20, "sha1").toString("hex"), "4b007901b765489abead49d926f721d065a429c1");
  is("hkdf", hex(crypto.hkdfSync("sha256", unhex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"), unhex("000102030405060708090a0b0c"), unhex("f0f1f2f3f4f5f6f7f8f9"), 42)), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  ok("frozen", Object.isFrozen(globalThis[Symbol.for("fazt.node")]));
});`)
}

// What the shim promises for code whose async functions became generators over
// then, which lowered writes out.
func TestAsyncLocalStorage(t *testing.T) {
	runModule(t, `
import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";
const lowered = (generator) => (...args) => new Promise((resolve, reject) => {
  const g = generator(...args);
  const step = (x) => (x.done ? resolve(x.value) : Promise.resolve(x.value).then((v) => run("next", v), (e) => run("throw", e)));
  const run = (how, v) => { try { step(g[how](v)); } catch (e) { reject(e); } };
  run("next");
});
const als = new AsyncLocalStorage();
const other = new AsyncLocalStorage();
test("run", () => {
  is("outside", als.getStore(), undefined);
  is("result", als.run(1, (a) => [als.getStore(), a], 2), [1, 2]);
  is("nested", als.run(1, () => [als.run(2, () => als.getStore()), als.getStore(), als.exit(() => als.getStore())]), [2, 1, undefined]);
  is("two", als.run(1, () => other.run(2, () => [als.getStore(), other.getStore()])), [1, 2]);
  throws("throws", "RangeError", () => als.run(1, () => { throw new RangeError("x"); }));
  is("restored", als.getStore(), undefined);
});
test("through promises", async () => {
  const seen = [];
  const work = lowered(function* (n) {
    seen.push(als.getStore());
    yield null;
    seen.push(als.getStore());
    yield new Promise((r) => setTimeout(r, n));
    seen.push(als.getStore());
  });
  await Promise.all([als.run("a", work, 2), als.run("b", work, 1)]);
  is("seen", seen, ["a", "b", "a", "b", "b", "a"]);
  is("after", als.getStore(), undefined);
});
test("callbacks", async () => {
  const seen = [];
  als.run("t", () => {
    setTimeout(() => seen.push(als.getStore()), 1);
    queueMicrotask(() => seen.push(als.getStore()));
    Promise.reject(1).catch(() => seen.push(als.getStore()));
    Promise.resolve().finally(() => seen.push(als.getStore()));
  });
  await new Promise((r) => setTimeout(r, 5));
  is("seen", seen, ["t", "t", "t", "t"]);
});
test("bind and snapshot", () => {
  const bound = als.run("x", () => AsyncLocalStorage.bind(() => als.getStore()));
  const snap = als.run("y", () => AsyncLocalStorage.snapshot());
  const resource = als.run("z", () => new AsyncResource("r"));
  is("all", [bound(), snap(() => als.getStore()), resource.runInAsyncScope(() => als.getStore())], ["x", "y", "z"]);
});
test("enterWith and reset", () => {
  als.enterWith("e");
  is("entered", als.getStore(), "e");
  globalThis[Symbol.for("fazt.async")].reset();
  is("reset", als.getStore(), undefined);
  is("default", new AsyncLocalStorage({ defaultValue: 7 }).getStore(), 7);
});
test("then stays a promise's", async () => {
  is("value", await Promise.resolve(1).then((x) => x + 1), 2);
  is("passes", await Promise.resolve(1).then(null), 1);
  await rejects("rejection", "RangeError", Promise.reject(new RangeError("x")).then(() => 1));
});`)
}
