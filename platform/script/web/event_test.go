package web_test

import "testing"

func TestEvents(t *testing.T) {
	run(t, `
test("dispatch", () => {
  const t = new EventTarget();
  const seen = [];
  t.addEventListener("x", (e) => seen.push("a" + e.type + (e.target === t)));
  t.addEventListener("x", { handleEvent(e) { seen.push("b"); } });
  t.addEventListener("x", () => seen.push("once"), { once: true });
  t.addEventListener("x", () => seen.push("capture"), true);
  is("result", t.dispatchEvent(new Event("x")), true);
  t.dispatchEvent(new Event("x"));
  is("seen", seen, ["capture", "axtrue", "b", "once", "capture", "axtrue", "b"]);
});
test("the same listener once", () => {
  const t = new EventTarget();
  let n = 0;
  const f = () => n++;
  t.addEventListener("x", f);
  t.addEventListener("x", f);
  t.dispatchEvent(new Event("x"));
  is("n", n, 1);
  t.removeEventListener("x", f);
  t.dispatchEvent(new Event("x"));
  is("removed", n, 1);
});
test("default and stop", () => {
  const t = new EventTarget();
  t.addEventListener("x", (e) => { e.preventDefault(); e.stopImmediatePropagation(); });
  t.addEventListener("x", () => fail("second", "called", "not"));
  const e = new Event("x", { cancelable: true });
  is("prevented", t.dispatchEvent(e), false);
  ok("flag", e.defaultPrevented);
  const p = new EventTarget();
  p.addEventListener("x", (e) => e.preventDefault(), { passive: true });
  is("passive", p.dispatchEvent(new Event("x", { cancelable: true })), true);
  is("not cancelable", t.dispatchEvent(new Event("x")), true);
});
test("removal while dispatching", () => {
  const t = new EventTarget();
  const seen = [];
  const b = () => seen.push("b");
  t.addEventListener("x", () => { seen.push("a"); t.removeEventListener("x", b); t.addEventListener("x", () => seen.push("c")); });
  t.addEventListener("x", b);
  t.dispatchEvent(new Event("x"));
  is("seen", seen, ["a"]);
});
test("signal removes", () => {
  const t = new EventTarget();
  const c = new AbortController();
  let n = 0;
  t.addEventListener("x", () => n++, { signal: c.signal });
  t.dispatchEvent(new Event("x"));
  c.abort();
  t.dispatchEvent(new Event("x"));
  is("n", n, 1);
});
test("a throwing listener stops nobody and is reported", () => {
  const t = new EventTarget();
  let reported = null;
  addEventListener("error", (e) => { reported = e.error; e.preventDefault(); }, { once: true });
  let after = false;
  t.addEventListener("x", () => { throw new RangeError("boom"); });
  t.addEventListener("x", () => { after = true; });
  t.dispatchEvent(new Event("x"));
  is("reported", reported?.message, "boom");
  ok("after", after);
});
test("errors", () => {
  const t = new EventTarget();
  throws("no event", "TypeError", () => t.dispatchEvent({}));
  throws("no type", "TypeError", () => new Event());
  const e = new Event("x");
  t.addEventListener("x", () => throws("again", "InvalidStateError", () => t.dispatchEvent(e)));
  t.dispatchEvent(e);
  is("phase after", e.eventPhase, 0);
});
test("subclasses", () => {
  is("detail", new CustomEvent("x", { detail: 5 }).detail, 5);
  is("no detail", new CustomEvent("x").detail, null);
  class T extends EventTarget { constructor() { super(); this.a = 1; } }
  ok("target", new T().dispatchEvent(new Event("x")));
  is("message", new MessageEvent("m", { data: [1] }).data, [1]);
  is("tag", String(new ErrorEvent("e")), "[object ErrorEvent]");
});
test("global", () => {
  let seen = 0;
  const f = () => seen++;
  addEventListener("x", f);
  dispatchEvent(new Event("x"));
  removeEventListener("x", f);
  dispatchEvent(new Event("x"));
  is("seen", seen, 1);
  try { addEventListener("fetch", f); fail("fetch", "accepted", "refused"); } catch (e) { ok("says how", e.message.includes("export default")); }
  globalThis.onerror = (message) => (seen = message, true);
  is("handled", __fazt.report(new Error("late")), false);
  is("message", seen, "Error: late");
  delete globalThis.onerror;
  is("not handled", __fazt.report(new Error("x")), true);
  is("rejection", __fazt.rejected("unhandledrejection", Promise.resolve(), 1), true);
  addEventListener("unhandledrejection", (e) => { seen = e.reason; e.preventDefault(); }, { once: true });
  is("rejection handled", __fazt.rejected("unhandledrejection", Promise.resolve(), 7), false);
  is("reason", seen, 7);
});
test("queueMicrotask", async () => {
  const order = [];
  queueMicrotask(() => order.push(1));
  order.push(0);
  await 0;
  is("order", order, [0, 1]);
  throws("no function", "TypeError", () => queueMicrotask(1));
});`)
}

func TestAbort(t *testing.T) {
	run(t, `
test("controller", () => {
  const c = new AbortController();
  let n = 0;
  c.signal.onabort = () => n++;
  c.signal.addEventListener("abort", () => n++);
  c.abort();
  c.abort();
  is("events", n, 2);
  is("reason", [c.signal.reason.name, c.signal.reason.code], ["AbortError", 20]);
  throws("throwIfAborted", "AbortError", () => c.signal.throwIfAborted());
  ok("class", c.signal instanceof AbortSignal && c.signal.reason instanceof DOMException);
});
test("reason", () => {
  const c = new AbortController();
  c.abort(7);
  is("own", c.signal.reason, 7);
  is("static", AbortSignal.abort("x").reason, "x");
  throws("new", "TypeError", () => new AbortSignal());
});
test("timeout", async () => {
  const s = AbortSignal.timeout(50);
  await new Promise((r) => s.addEventListener("abort", r));
  is("name", s.reason.name, "TimeoutError");
  throws("range", "TypeError", () => AbortSignal.timeout(-1));
});
test("any", () => {
  const [a, b] = [new AbortController(), new AbortController()];
  const s = AbortSignal.any([a.signal, b.signal]);
  const deep = AbortSignal.any([s]);
  let n = 0;
  deep.onabort = () => { n++; ok("all at once", s.aborted); };
  b.abort("b");
  a.abort("a");
  is("first", [s.reason, deep.reason, n], ["b", "b", 1]);
  is("already", AbortSignal.any([a.signal, b.signal]).reason, "a");
  is("none", AbortSignal.any([]).aborted, false);
  throws("no signal", "TypeError", () => AbortSignal.any([1]));
});
test("pipeTo", async () => {
  const c = new AbortController();
  let cancelled;
  const from = new ReadableStream({ cancel(r) { cancelled = r; } });
  const p = from.pipeTo(new WritableStream(), { signal: c.signal });
  c.abort("stop");
  await p.catch((e) => is("reason", e, "stop"));
  is("cancelled", cancelled, "stop");
});`)
}

func TestDOMException(t *testing.T) {
	run(t, `
test("members", () => {
  const e = new DOMException("m", "AbortError");
  is("values", [e.message, e.name, e.code], ["m", "AbortError", 20]);
  ok("error", e instanceof Error && Error.isError(e));
  is("string", String(e), "AbortError: m");
  is("defaults", [new DOMException().name, new DOMException().message, new DOMException().code], ["Error", "", 0]);
  is("constant", [DOMException.ABORT_ERR, e.DATA_CLONE_ERR], [20, 25]);
  is("cause", new DOMException("m", { name: "X", cause: 1 }).cause, 1);
  ok("stack", typeof e.stack === "string");
});`)
}
