package web_test

import "testing"

func TestHeaders(t *testing.T) {
	run(t, `
test("names and values", () => {
  const h = new Headers([["X-A", " 1 "], ["x-a", "2"], ["B", "\t3\n"]]);
  is("get", h.get("X-a"), "1, 2");
  is("trim", h.get("b"), "3");
  is("none", h.get("c"), null);
  h.set("x-A", "9");
  is("set", h.get("x-a"), "9");
  h.append("x-a", "10");
  h.delete("B");
  ok("has", h.has("X-A") && !h.has("b"));
  is("entries", [...h], [["x-a", "9, 10"]]);
});
for (const [what, f] of Object.entries({
  "empty name": () => new Headers([["", "x"]]),
  "space in name": () => new Headers({ "a b": "x" }),
  "line feed": () => new Headers({ a: "b\nc" }),
  "nul": () => new Headers().append("a", "\0"),
  "wide character": () => new Headers({ a: "☃" }),
  "not a pair": () => new Headers([["a"]]),
  "three": () => new Headers([["a", "b", "c"]]),
  "null": () => new Headers(null),
  "number": () => new Headers(1),
  "get of a bad name": () => new Headers().get(" "),
  "too few": () => new Headers().append("a"),
})) test(what, () => throws(what, "TypeError", f));
test("latin1 stays", () => is("value", new Headers({ a: "ä" }).get("a"), "ä"));
test("order and combination", () => {
  const h = new Headers([["b", "1"], ["set-cookie", "x=1"], ["a", "2"], ["Set-Cookie", "y=2"], ["b", "3"]]);
  is("sorted", [...h], [["a", "2"], ["b", "1, 3"], ["set-cookie", "x=1"], ["set-cookie", "y=2"]]);
  is("cookies", h.getSetCookie(), ["x=1", "y=2"]);
  is("get", h.get("set-cookie"), "x=1, y=2");
  is("keys", [...h.keys()], ["a", "b", "set-cookie", "set-cookie"]);
  const seen = [];
  h.forEach((v, k, o) => { seen.push(k); ok("self", o === h); });
  is("forEach", seen.length, 4);
});
test("iterator", () => {
  const i = new Headers({ a: "1" }).entries();
  ok("iterable", i[Symbol.iterator]() === i);
  ok("proto", Object.getPrototypeOf(Object.getPrototypeOf(i)) === Iterator.prototype);
});
test("copies", () => {
  const a = new Headers({ x: "1" });
  const b = new Headers(a);
  b.set("x", "2");
  is("apart", a.get("x"), "1");
  is("record", [...new Headers({ B: 1, a: true })], [["a", "true"], ["b", "1"]]);
});
test("changes while iterating", () => {
  const h = new Headers({ a: "1", b: "2", c: "3" });
  const seen = [];
  for (const [k] of h) { seen.push(k); if (k === "a") h.delete("b"); }
  is("seen", seen, ["a", "c"]);
});`)
}

func TestRequest(t *testing.T) {
	run(t, `
test("defaults", () => {
  const r = new Request("https://h/a/../b#f");
  is("url", r.url, "https://h/b#f");
  is("members", [r.method, r.mode, r.credentials, r.cache, r.redirect, r.referrer, r.referrerPolicy, r.integrity, r.keepalive, r.destination, r.duplex],
    ["GET", "cors", "same-origin", "default", "follow", "about:client", "", "", false, "", "half"]);
  is("body", r.body, null);
  is("used", r.bodyUsed, false);
  is("signal", r.signal.aborted, false);
});
test("methods", () => {
  is("upper", new Request("https://h", { method: "post" }).method, "POST");
  is("kept", new Request("https://h", { method: "patch" }).method, "patch");
  throws("connect", "TypeError", () => new Request("https://h", { method: "CONNECT" }));
  throws("token", "TypeError", () => new Request("https://h", { method: "a b" }));
});
for (const [what, f] of Object.entries({
  "relative": () => new Request("/x"),
  "credentials in the address": () => new Request("https://u:p@h/"),
  "body of GET": () => new Request("https://h", { body: "x" }),
  "bad redirect": () => new Request("https://h", { redirect: "x" }),
  "navigate": () => new Request("https://h", { mode: "navigate" }),
  "signal": () => new Request("https://h", { signal: {} }),
  "stream without duplex": () => new Request("https://h", { method: "POST", body: new ReadableStream() }),
})) test(what, () => throws(what, "TypeError", f));
for (const [what, body, type, text] of [
  ["string", "hé", "text/plain;charset=UTF-8", "hé"],
  ["params", new URLSearchParams({ a: "1 2" }), "application/x-www-form-urlencoded;charset=UTF-8", "a=1+2"],
  ["bytes", bytes(104, 105), null, "hi"],
  ["buffer", bytes(104, 105).buffer, null, "hi"],
  ["blob", new Blob(["x"], { type: "a/b" }), "a/b", "x"],
  ["blob without type", new Blob(["x"]), null, "x"],
  ["number", 5, "text/plain;charset=UTF-8", "5"],
]) {
  test("body: " + what, async () => {
    const r = new Request("https://h", { method: "POST", body });
    is("type", r.headers.get("content-type"), type);
    is("text", await r.text(), text);
    ok("used", r.bodyUsed);
    await rejects("twice", "TypeError", () => r.text());
  });
}
test("given type wins", () => is("type", new Request("https://h", { method: "POST", body: "x", headers: { "content-type": "a/b" } }).headers.get("content-type"), "a/b"));
test("from a request", async () => {
  const a = new Request("https://h/x", { method: "POST", body: "hi", headers: { a: "1" } });
  const b = new Request(a, { headers: { b: "2" } });
  is("method", b.method, "POST");
  is("headers", [...b.headers], [["b", "2"], ["content-type", "text/plain;charset=UTF-8"]].slice(0, 1));
  ok("taken", a.bodyUsed);
  is("text", await b.text(), "hi");
  throws("used", "TypeError", () => new Request(a));
  const c = new Request(new Request("https://h", { method: "POST", body: new ReadableStream({ start(c) { c.enqueue(bytes(65)); c.close(); } }), duplex: "half" }));
  is("stream", await c.text(), "A");
});
test("clone", async () => {
  const a = new Request("https://h", { method: "POST", body: "hi", headers: { x: "1" } });
  const b = a.clone();
  b.headers.set("x", "2");
  is("headers", a.headers.get("x"), "1");
  is("both", [await a.text(), await b.text()], ["hi", "hi"]);
  throws("used", "TypeError", () => a.clone());
});
test("signal follows", () => {
  const c = new AbortController();
  const r = new Request("https://h", { signal: c.signal });
  ok("another", r.signal !== c.signal);
  const d = new Request(r);
  const e = r.clone();
  let fired = 0;
  for (const s of [r.signal, d.signal, e.signal]) s.addEventListener("abort", () => fired++);
  c.abort("why");
  is("all", fired, 3);
  is("reason", d.signal.reason, "why");
  is("late", new Request("https://h", { signal: c.signal }).signal.aborted, true);
});
test("json", async () => {
  is("value", await new Request("https://h", { method: "POST", body: '{"a":[1]}' }).json(), { a: [1] });
  is("bom", await new Request("https://h", { method: "POST", body: new TextEncoder().encode("\uFEFF1") }).json(), 1);
  await rejects("bad", "SyntaxError", () => new Request("https://h", { method: "POST", body: "{" }).json());
});`)
}

func TestResponse(t *testing.T) {
	run(t, `
test("defaults", async () => {
  const r = new Response();
  is("members", [r.status, r.statusText, r.ok, r.type, r.url, r.redirected, r.body], [200, "", true, "default", "", false, null]);
  is("text", await r.text(), "");
  is("not used", r.bodyUsed, false);
});
test("status", () => {
  is("404", [new Response("", { status: 404 }).ok, new Response("", { status: 299 }).ok], [false, true]);
  for (const status of [0, 100, 199, 600, "x"]) throws("status " + status, "RangeError", () => new Response("", { status }));
  for (const status of [204, 205, 304]) throws("body of " + status, "TypeError", () => new Response("", { status }));
  is("null body", new Response(null, { status: 204 }).status, 204);
  is("text", new Response("", { statusText: "Fine" }).statusText, "Fine");
  throws("bad text", "TypeError", () => new Response("", { statusText: "a\nb" }));
  throws("wide text", "TypeError", () => new Response("", { statusText: "☃" }));
});
test("json", async () => {
  const r = Response.json({ a: 1 }, { status: 201, headers: { "x-a": "1" } });
  is("head", [r.status, r.headers.get("content-type"), r.headers.get("x-a")], [201, "application/json", "1"]);
  is("body", await r.json(), { a: 1 });
  is("type", Response.json(1, { headers: { "content-type": "a/b" } }).headers.get("content-type"), "a/b");
  throws("undefined", "TypeError", () => Response.json(undefined));
  throws("204", "TypeError", () => Response.json(1, { status: 204 }));
  throws("cycle", "TypeError", () => { const a = {}; a.a = a; Response.json(a); });
});
test("redirect", () => {
  const r = Response.redirect("https://h/a b", 301);
  is("head", [r.status, r.headers.get("location")], [301, "https://h/a%20b"]);
  throws("relative", "TypeError", () => Response.redirect("/x"));
  throws("status", "RangeError", () => Response.redirect("https://h", 200));
  throws("immutable", "TypeError", () => r.headers.set("a", "b"));
});
test("error", () => {
  const r = Response.error();
  is("members", [r.type, r.status, r.ok], ["error", 0, false]);
});
test("streams", async () => {
  const r = new Response(new ReadableStream({ pull(c) { c.enqueue(bytes(104)); c.enqueue(bytes(105)); c.close(); } }));
  is("type", r.headers.get("content-type"), null);
  const c = r.clone();
  is("text", await r.text(), "hi");
  is("clone", new TextDecoder().decode(await c.bytes()), "hi");
  await rejects("chunks are bytes", "TypeError", () => new Response(new ReadableStream({ start(c) { c.enqueue("x"); c.close(); } })).text());
  await rejects("errors pass", "RangeError", () => new Response(new ReadableStream({ pull() { throw new RangeError("x"); } })).text());
  const locked = new ReadableStream();
  locked.getReader();
  throws("locked", "TypeError", () => new Response(locked));
});
test("body", async () => {
  const r = new Response("héllo");
  const reader = r.body.getReader();
  is("same", r.body === r.body, true);
  is("not yet", r.bodyUsed, false);
  await rejects("locked", "TypeError", () => r.text());
  const { value } = await reader.read();
  is("bytes", value, new TextEncoder().encode("héllo"));
  ok("used", r.bodyUsed);
  is("done", (await reader.read()).done, true);
  const used = new Response("x");
  await used.text();
  ok("body of a used one is locked or read", used.bodyUsed);
  is("byob", (await new Response("abc").body.getReader({ mode: "byob" }).read(new Uint8Array(10))).value, bytes(97, 98, 99));
});
test("readers", async () => {
  const b = await new Response("ab", { headers: { "content-type": "Text/X" } }).blob();
  is("blob", [b.size, b.type], [2, "text/x"]);
  is("buffer", hex(await new Response("ab").arrayBuffer()), "6162");
  is("bytes", hex(await new Response(bytes(1, 2)).bytes()), "0102");
  is("replacement", await new Response(bytes(0xff, 0x41)).text(), "\uFFFDA");
  const shared = bytes(1, 2, 3);
  const r = new Response(shared);
  shared[0] = 9;
  is("copied", hex(await r.bytes()), "010203");
  is("lone surrogates", await new Response("\uD800").text(), "\uFFFD");
});
test("forms", async () => {
  const r = new Response("a=1&b=%C3%BC", { headers: { "content-type": "application/x-www-form-urlencoded;charset=UTF-8" } });
  is("urlencoded", [...(await r.formData())], [["a", "1"], ["b", "ü"]]);
  await rejects("no form", "TypeError", () => new Response("x").formData());
});
test("clone", async () => {
  const r = new Response("x", { status: 201, statusText: "y", headers: { a: "1" } });
  const c = r.clone();
  c.headers.set("a", "2");
  is("head", [c.status, c.statusText, r.headers.get("a")], [201, "y", "1"]);
  is("both", [await c.text(), await r.text()], ["x", "x"]);
  throws("used", "TypeError", () => r.clone());
});`)
}

// What the engine's own script does with the hidden object.
func TestEngineParts(t *testing.T) {
	run(t, `
const fazt = globalThis.__fazt;
const typed = (headers) => typeof headers === "string" ? [["content-type", headers]] : headers;
const parts = (r) => fazt.part("fetch").sent(r, (_, status, headers, body) => ({ status, statusText: r.statusText, headers: typed(headers), body }));
test("request", async () => {
  const signal = new AbortController().signal;
  const { request } = fazt.part("fetch");
  const none = { pairs: () => [] };
  const r = request("POST", "https://h/x?y", "hi", { pairs: () => [["Content-Type", "text/plain"], ["X-A", "1"], ["X-A", "2"]], signal });
  is("members", [r.method, r.url, r.headers.get("x-a")], ["POST", "https://h/x?y", "1, 2"]);
  ok("signal", r.signal === signal);
  ok("class", r instanceof Request);
  is("text", await r.text(), "hi");
  is("stream", await request("PUT", "https://h/", new ReadableStream({ start(c) { c.enqueue(bytes(65)); c.close(); } }), none).text(), "A");
  is("no body", request("GET", "https://h/", null, none).body, null);
});
test("headers of a request are made when somebody looks", () => {
  let made = 0;
  const { request } = fazt.part("fetch");
  const r = request("GET", "https://h/", null, { pairs: () => { made++; return [["X-A", "1"]]; } });
  is("not yet", [r.url, made], ["https://h/", 0]);
  is("once", [r.headers.get("x-a"), r.headers === r.headers, made], ["1", true, 1]);
  is("copied", new Request(request("GET", "https://h/", null, { pairs: () => [["X-A", "2"]] })).headers.get("x-a"), "2");
});
test("a copy of a request ends with it", () => {
  const end = new AbortController();
  const r = fazt.part("fetch").request("GET", "https://h/", null, { pairs: () => [], signal: end.signal });
  const [clone, copy] = [r.clone(), new Request(r)];
  end.abort();
  is("aborted", [r.signal.aborted, clone.signal.aborted, copy.signal.aborted], [true, true, true]);
});
test("simple answers load no streams", async () => {
  is("string", parts(new Response("hi", { status: 201, headers: { A: "1" } })), { status: 201, statusText: "", headers: [["a", "1"], ["content-type", "text/plain;charset=UTF-8"]], body: "hi" });
  is("json", parts(Response.json([1])), { status: 200, statusText: "", headers: [["content-type", "application/json"]], body: "[1]" });
  is("bytes", parts(new Response(bytes(1))).body, bytes(1));
  is("none", parts(new Response(null, { status: 204 })), { status: 204, statusText: "", headers: [], body: null });
});
test("streams are handed over", async () => {
  const s = new ReadableStream({ start(c) { c.enqueue(bytes(1)); c.close(); } });
  ok("same", parts(new Response(s)).body === s);
  const r = new Response("x");
  await r.text();
  throws("used", "TypeError", () => parts(r));
  throws("no response", "TypeError", () => parts({}));
  throws("error", "TypeError", () => parts(Response.error()));
});
test("fetched response", async () => {
  const r = fazt.response({ status: 200, statusText: "OK", headers: [["Content-Type", "application/json"]], body: '{"a":1}', url: "https://h/", redirected: true });
  is("members", [r.url, r.redirected, r.type, r.headers.get("content-type")], ["https://h/", true, "basic", "application/json"]);
  throws("immutable", "TypeError", () => r.headers.set("a", "b"));
  const copy = new Response(r.body, r);
  copy.headers.set("a", "b");
  is("json", await copy.json(), { a: 1 });
});
test("fetch arguments", () => {
  const p = fazt.requestParts(new Request("https://h/", { method: "POST", body: "x", redirect: "manual", headers: { a: "1" } }));
  is("parts", p, { method: "POST", url: "https://h/", headers: [["a", "1"], ["content-type", "text/plain;charset=UTF-8"]], body: "x", redirect: "manual", signal: null });
});
test("encode and decode", () => {
  is("both", fazt.decode(fazt.encode("hä\uD800")), "hä\uFFFD");
});`)
}

func TestSimpleAnswerLoadsNoStreams(t *testing.T) {
	vm := machine(t)
	runIn(t, vm, `
test("loaded", () => {
  const fazt = globalThis.__fazt;
  const r = fazt.part("fetch").request("GET", "https://h/x", null, { pairs: () => [] });
  new URL(r.url).searchParams.get("a");
  fazt.part("fetch").sent(Response.json({ path: new URL(r.url).pathname }), () => {});
  is("parts", ["streams", "blob", "crypto", "event", "compression", "clone", "inspect"].filter(fazt.loaded), []);
});`)
}
