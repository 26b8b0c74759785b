// Part of core.js: what flows between an invocation and the node, which are bodies
// and host calls.

// --- bodies -------------------------------------------------------------------------

// heed has stop called with the reason of a signal that aborts, until what it returns
// is called. Most of what is done has no signal.
function heed(signal, stop) {
  if (!signal) return null;
  const listener = () => stop(signal.reason);
  signal.addEventListener("abort", listener, { once: true });
  return () => signal.removeEventListener("abort", listener);
}

// pour sends a stream as the other side has room for it.
async function pour(inv, sub, stream, signal = null) {
  const reader = stream.getReader();
  (inv.readers ??= new Set()).add(reader);
  const deaf = heed(signal, (reason) => {
    reader.cancel(reason).catch(() => {});
    inv.rooms?.get(sub)?.();
  });
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
    deaf?.();
  }
}

const usual = { signal: null, type: Error };

// Credit is given back when a reader has taken this much.
const CREDIT_STEP = 32768;

// incoming is a stream of what comes for an invocation or one of its calls. It ends
// with the reason of the signal, as all that was not read is given up.
function incoming(inv, sub, { signal, type } = usual) {
  const { ReadableStream } = web.part("streams");
  const body = { chunks: [], ended: false, error: null, wake: null, owed: 0, type };
  (inv.bodies ??= new Map()).set(sub, body);
  const giveUp = () => void (inv.bodies.delete(sub) && post(CREDIT, inv.id, sub, 0));
  let deaf;
  const source = {
    type: "bytes",
    start(controller) {
      deaf = heed(signal, (reason) => {
        giveUp();
        body.chunks.length = 0;
        body.error = reason;
        controller.error(reason);
        body.wake?.();
      });
    },
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
        deaf?.();
        controller.close();
        controller.byobRequest?.respond(0);
      }
    },
    cancel() {
      deaf?.();
      giveUp();
    },
  };
  return new ReadableStream(source, { highWaterMark: 0 });
}

function arrived(inv, sub, flags, head, data) {
  const body = inv.bodies?.get(sub);
  if (body === undefined) return;
  if (flags & F_ERROR) body.error = errorOf(head, body.type);
  else if (data !== "") body.chunks.push(fromBase64(data));
  if (flags & F_END) {
    body.ended = true;
    inv.bodies.delete(sub);
  }
  body.wake?.();
}

function errorOf(head, type) {
  const [code, message, hint] = head.split("\0");
  const e = new type(message);
  e.code = code;
  if (hint) e.hint = hint; // for who reads the log
  if (code === "limit_body") limited.set(e, code);
  return e;
}

// --- calls --------------------------------------------------------------------------

// call asks the node, and fails with a TypeError where the standard of fetch has it so.
// json is args for who has written them already. The promise has what map makes of the
// value and the body that come back, or { value, body }; it and the body end with the
// reason of a signal that aborts.
function call(inv, target, method, args, body, json = undefined, map = undefined, signal = null) {
  const waiting = { resolve: null, reject: null, map, why: undefined, from: tracing ? new Error().stack : "", signal, deaf: null, type: target === "fetch" ? TypeError : Error };
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
  if (waiting.signal) flags += F_SIGNAL;
  send(CALL, inv, sub, flags, head, data);
  (inv.calls ??= new Map()).set(sub, waiting);
  waiting.deaf = heed(waiting.signal, (reason) => {
    inv.calls.delete(sub);
    waiting.reject(reason);
    post(CREDIT, inv.id, sub, 0);
  });
  if (stream !== null) pour(inv, sub, stream, waiting.signal).catch((e) => gaveUp(inv, sub, waiting, e));
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
  waiting.deaf?.();
  if (flags & F_ERROR) {
    if (waiting.why !== undefined) return waiting.reject(waiting.why.e);
    const e = errorOf(head, waiting.type);
    if (waiting.from !== "") e.stack = waiting.from;
    return waiting.reject(e);
  }
  const value = head === "" ? undefined : parse(head);
  const body = flags & F_BODY ? incoming(inv, sub, waiting) : null;
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
  const answer = (value, content) =>
    web.response({ status: value.status, statusText: value.statusText, headers: value.headers, body: content, url: value.url, redirected: value.url !== url });
  return call(inv, "fetch", "fetch", { url, method, headers, redirect }, body, undefined, answer, signal);
}
hidden(globalThis, "fetch", fetch);
