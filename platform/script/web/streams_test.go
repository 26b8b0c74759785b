package web_test

import "testing"

// The library has its own suite; this holds what functions lean on, and that it
// fits this engine.
func TestReadableStreams(t *testing.T) {
	run(t, `
const of = (...list) => new ReadableStream({ start(c) { for (const x of list) c.enqueue(x); c.close(); } });
test("read", async () => {
  const r = of(1, 2).getReader();
  is("one", (await r.read()).value, 1);
  is("two", (await r.read()).value, 2);
  is("done", (await r.read()).done, true);
  await r.closed;
});
test("pull is asked for as much as is read", async () => {
  let n = 0;
  const s = new ReadableStream({ pull(c) { c.enqueue(++n); } }, { highWaterMark: 0 });
  const r = s.getReader();
  await r.read();
  is("pulls", n, 1);
  await r.read();
  is("pulls", n, 2);
});
test("cancel", async () => {
  let why;
  const s = new ReadableStream({ cancel(r) { why = r; } });
  await s.cancel("enough");
  is("reason", why, "enough");
  const t = of(1);
  t.getReader();
  await rejects("locked", "TypeError", () => t.cancel());
});
test("errors", async () => {
  const s = new ReadableStream({ start(c) { c.error(new RangeError("x")); } });
  await rejects("read", "RangeError", () => s.getReader().read());
});
test("iteration", async () => {
  is("all", await collect(of(1, 2, 3)), [1, 2, 3]);
  let cancelled = false;
  const s = new ReadableStream({ pull(c) { c.enqueue(1); }, cancel() { cancelled = true; } });
  for await (const x of s) break;
  ok("break cancels", cancelled);
  const kept = of(1, 2);
  const i = kept.values({ preventCancel: true });
  await i.next();
  await i.return();
  is("rest", (await kept.getReader().read()).value, 2);
});
test("from", async () => {
  is("array", await collect(ReadableStream.from(["a", "b"])), ["a", "b"]);
  is("generator", await collect(ReadableStream.from((async function* () { yield 1; yield 2; })())), [1, 2]);
});
test("tee", async () => {
  const [a, b] = of(1, 2).tee();
  is("both", [await collect(a), await collect(b)], [[1, 2], [1, 2]]);
});
test("byob", async () => {
  const s = new ReadableStream({ type: "bytes", pull(c) { c.byobRequest.view[0] = 7; c.byobRequest.respond(1); } });
  const r = s.getReader({ mode: "byob" });
  const { value } = await r.read(new Uint8Array(4));
  is("view", [value.length, value[0], value.buffer.byteLength], [1, 7, 4]);
});
test("strategies", () => {
  is("count", new CountQueuingStrategy({ highWaterMark: 2 }).size(), 1);
  is("bytes", new ByteLengthQueuingStrategy({ highWaterMark: 2 }).size(bytes(1, 2, 3)), 3);
});
test("names", () => {
  is("names", [ReadableStream.name, WritableStream.name, TransformStream.name, ReadableStreamDefaultReader.name], ["ReadableStream", "WritableStream", "TransformStream", "ReadableStreamDefaultReader"]);
  is("tag", String(of()), "[object ReadableStream]");
});`)
}

func TestWritableAndTransformStreams(t *testing.T) {
	run(t, `
const of = (...list) => ReadableStream.from(list);
test("write", async () => {
  const seen = [];
  let closed = false;
  const w = new WritableStream({ write(x) { seen.push(x); }, close() { closed = true; } }).getWriter();
  await w.write(1);
  await w.write(2);
  await w.close();
  is("seen", seen, [1, 2]);
  ok("closed", closed);
});
test("back-pressure", async () => {
  let go;
  const s = new WritableStream({ write: () => new Promise((r) => (go = r)) }, { highWaterMark: 1 });
  const w = s.getWriter();
  is("room", w.desiredSize, 1);
  const first = w.write(1);
  is("full", w.desiredSize, 0);
  await null;
  go();
  await first;
  await w.ready;
  is("room again", w.desiredSize, 1);
});
test("abort", async () => {
  let why;
  const s = new WritableStream({ abort(r) { why = r; } });
  await s.abort("no");
  is("reason", why, "no");
});
test("pipeThrough", async () => {
  const up = new TransformStream({ transform(x, c) { c.enqueue(x.toUpperCase()); }, flush(c) { c.enqueue("!"); } });
  is("out", await collect(of("a", "b").pipeThrough(up)), ["A", "B", "!"]);
});
test("pipeTo", async () => {
  const seen = [];
  await of(1, 2).pipeTo(new WritableStream({ write(x) { seen.push(x); } }));
  is("seen", seen, [1, 2]);
  await rejects("error", "RangeError", () => of(1).pipeTo(new WritableStream({ write() { throw new RangeError("x"); } })));
});
test("a slow reader slows the writer", async () => {
  let written = 0;
  const t = new TransformStream();
  const w = t.writable.getWriter();
  const p = (async () => { for (let i = 0; i < 5; i++) { await w.ready; written++; w.write(i); } })();
  await Promise.resolve();
  for (let i = 0; i < 20; i++) await null;
  ok("waits", written < 3);
  const r = t.readable.getReader();
  for (let i = 0; i < 5; i++) is("chunk", (await r.read()).value, i);
  await p;
});
test("terminate and error", async () => {
  const t = new TransformStream({ transform(x, c) { c.enqueue(x); c.terminate(); } });
  is("cut", await collect(of(1, 2).pipeThrough(t)), [1]);
  const e = new TransformStream({ transform() { throw new RangeError("x"); } });
  await rejects("error", "RangeError", () => collect(of(1).pipeThrough(e)));
});`)
}
