// Part of core.js: what flows between an invocation and the node, which are bodies
// and host calls.

// --- bodies -------------------------------------------------------------------------

// pour sends a stream as the other side has room for it.
async function pour(inv, sub, stream) {
  const reader = stream.getReader();
  (inv.readers ??= new Set()).add(reader);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return void send(BODY, inv, sub, F_END, "", "");
      if (!(value instanceof Uint8Array)) throw new TypeError("a chunk of the body is no Uint8Array: pipe text through a TextEncoderStream");
      const left = send(BODY, inv, sub, F_BYTES, "", toBase64(value));
      if (left <= 0) await new Promise((resolve) => (inv.rooms ??= new Map()).set(sub, resolve));
    }
  } catch (e) {
    reader.cancel(e).catch(() => {});
    throw e;
  } finally {
    inv.readers.delete(reader);
  }
}

// Credit is given back when a reader has taken this much.
const CREDIT_STEP = 32768;

// incoming is a stream of what comes for an invocation or one of its calls.
function incoming(inv, sub) {
  const { ReadableStream } = web.part("streams");
  const body = { chunks: [], ended: false, error: null, wake: null, owed: 0 };
  (inv.bodies ??= new Map()).set(sub, body);
  const source = {
    type: "bytes",
    async pull(controller) {
      while (body.chunks.length === 0 && !body.ended && body.error === null) await new Promise((resolve) => (body.wake = resolve));
      if (body.chunks.length > 0) {
        const bytes = body.chunks.shift();
        body.owed += bytes.length;
        controller.enqueue(bytes);
        if (body.owed >= CREDIT_STEP && !body.ended) {
          post(CREDIT, inv.id, sub, body.owed);
          body.owed = 0;
        }
      } else if (body.error !== null) {
        controller.error(body.error);
      } else {
        controller.close();
        controller.byobRequest?.respond(0);
      }
    },
    cancel() {
      if (inv.bodies.delete(sub)) post(CREDIT, inv.id, sub, 0);
    },
  };
  return new ReadableStream(source, { highWaterMark: 0 });
}

function arrived(inv, sub, flags, head, data) {
  const body = inv.bodies?.get(sub);
  if (body === undefined) return;
  if (flags & F_ERROR) body.error = errorOf(head);
  else if (data !== "") body.chunks.push(fromBase64(data));
  if (flags & F_END) {
    body.ended = true;
    inv.bodies.delete(sub);
  }
  body.wake?.();
}

function errorOf(head) {
  const [code, message, hint] = head.split("\0");
  const e = new Error(message);
  e.code = code;
  if (hint) e.hint = hint; // for who reads the log
  if (code === "limit_body") limited.set(e, code);
  return e;
}

// --- calls --------------------------------------------------------------------------

// call asks the node. json is args for who has written them already. The promise has
// what map makes of the value and the body that come back, or { value, body }.
function call(inv, target, method, args, body, json = undefined, map = undefined) {
  const waiting = { resolve: null, reject: null, map, why: undefined, from: tracing ? new Error().stack : "" };
  const promise = new Promise((resolve, reject) => {
    waiting.resolve = resolve;
    waiting.reject = reject;
  });
  try {
    ask(inv, waiting, `${target}\0${method}\0${json ?? stringify(args) ?? "null"}`, body);
  } catch (e) {
    waiting.reject(e);
  }
  return promise;
}

function ask(inv, waiting, head, body) {
  const sub = ++inv.next;
  let flags = 0;
  let data = "";
  let stream = null;
  if (typeof body === "string") {
    flags = F_BODY + F_END;
    data = body;
  } else if (body instanceof Uint8Array) {
    flags = F_BODY + F_END + F_BYTES;
    data = toBase64(body);
  } else if (body !== null && body !== undefined) {
    flags = F_BODY;
    stream = body;
  }
  send(CALL, inv, sub, flags, head, data);
  (inv.calls ??= new Map()).set(sub, waiting);
  if (stream !== null) pour(inv, sub, stream).catch((e) => gaveUp(inv, sub, waiting, e));
}

// gaveUp tells the node of a body that failed. Whoever awaits the call hears why,
// unless it was the node that wanted no more.
function gaveUp(inv, sub, waiting, e) {
  if (e?.code !== "ended") waiting.why = { e };
  post(BODY, inv.id, sub, F_END + F_ERROR);
}

function replied(inv, sub, flags, head) {
  const waiting = inv.calls?.get(sub);
  if (waiting === undefined) return;
  inv.calls.delete(sub);
  if (flags & F_ERROR) {
    if (waiting.why !== undefined) return waiting.reject(waiting.why.e);
    const e = errorOf(head);
    if (waiting.from !== "") e.stack = waiting.from;
    return waiting.reject(e);
  }
  const value = head === "" ? undefined : parse(head);
  const body = flags & F_BODY ? incoming(inv, sub) : null;
  waiting.resolve(waiting.map === undefined ? { value, body } : waiting.map(value, body));
}

function outside(what) {
  return new TypeError(`${what} works inside a handler only`);
}

async function fetch(input, init = undefined) {
  const inv = current;
  if (inv === null) throw outside("fetch");
  const { Request } = web.part("fetch");
  const { url, method, headers, redirect, body, signal } = web.requestParts(new Request(input, init));
  if (signal?.aborted) throw signal.reason;
  let asked = call(inv, "fetch", "fetch", { url, method, headers, redirect }, body);
  if (signal) asked = Promise.race([asked, new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }))]);
  const { value, body: content } = await asked;
  if (signal && content !== null) signal.addEventListener("abort", () => content.cancel(signal.reason).catch(() => {}), { once: true });
  return web.response({ status: value.status, statusText: value.statusText, headers: value.headers, body: content, url: value.url, redirected: value.url !== url });
}
hidden(globalThis, "fetch", fetch);
