// The glue between a machine and an app's module. It is the body of a function:
// the constants of the protocol come before it, and what it returns is called by
// Go for everything that happens (machine.go). The other way, post tells Go
// (task.go), which checks all of it: nothing here is a wall.
const web = globalThis.__fazt;
const post = globalThis.__fazt_post;
const factories = globalThis.__fazt_bindings;
delete globalThis.__fazt;
delete globalThis.__fazt_post;
delete globalThis.__fazt_bindings;
delete globalThis.Atomics;
delete globalThis.SharedArrayBuffer;

const { defineProperty, freeze, assign } = Object;
const { parse, stringify } = JSON;
const { apply } = Reflect;
const fromBase64 = Uint8Array.fromBase64.bind(Uint8Array);
const toBase64 = Function.prototype.call.bind(Uint8Array.prototype.toBase64);

const live = new Map(); // invocations by their id
let current = null; // the one whose turn it is
let handlers = null;
let limits = null;
let words = {}; // of env: what is text
let bound = []; // of env: what has a factory

function hidden(object, name, value) {
  defineProperty(object, name, { value, writable: true, configurable: true });
}

// --- limits -------------------------------------------------------------------------

const limited = new WeakMap(); // errors that are a limit, to its name

const sentences = {
  limit_calls: "too many calls in flight",
  limit_timers: "too many timers",
  limit_log: "too many lines were logged",
  limit_reply: "the response is too long",
  limit_memory: "too much waits to be sent",
};

function send(kind, inv, sub, n, head, body) {
  const said = post(kind, inv.id, sub, n, head, body);
  if (typeof said !== "string") return said;
  const e = new Error(sentences[said] ?? "the request that this belongs to has ended");
  e.code = said;
  if (said !== "ended") limited.set(e, said);
  throw e;
}

// Native loops ask nobody whether they may go on, so they get nothing of a length
// that could take seconds. No array within the memory limit is that long.
const LONG = 1 << 24;

function short(value) {
  if (value?.length > LONG) throw new RangeError("the array is too long");
}

function guard(owner, name, check) {
  const native = owner[name];
  const { [name]: guarded } = {
    [name](...args) {
      check(this, args);
      return apply(native, this, args);
    },
  };
  defineProperty(guarded, "length", { value: native.length, configurable: true });
  hidden(owner, name, guarded);
}

for (const name of ["copyWithin", "every", "filter", "flat", "flatMap", "forEach", "includes", "indexOf", "join", "lastIndexOf", "map",
  "reduce", "reduceRight", "reverse", "shift", "slice", "some", "sort", "splice", "toLocaleString", "unshift"]) {
  guard(Array.prototype, name, short);
}
guard(Array.prototype, "concat", (self, args) => {
  short(self);
  for (let i = 0; i < args.length; i++) short(args[i]);
});
guard(String, "raw", (_, args) => short(args[0]?.raw));

// --- invocations --------------------------------------------------------------------

class Invocation {
  constructor(id, fields) {
    this.id = id;
    this.fields = fields; // method, url, ip, request id, app, release, then headers
    this.open = 1; // the answer, and each promise that waitUntil was given
    this.answered = false;
    this.next = 0; // number of the last call
    this.calls = null; // by number: { resolve, reject }
    this.bodies = null; // that come, by call
    this.rooms = null; // what waits for credit, by call
    this.readers = null; // of bodies that go
    this.timers = null; // ids
    this.controller = null;
    this.result = undefined;
  }
  get signal() {
    if (this.controller === null) this.controller = new (web.part("event").AbortController)();
    return this.controller.signal;
  }
  close() {
    if (--this.open > 0) return;
    this.forget();
    post(DONE, this.id, 0, 0, "", this.result);
  }
  fail(error) {
    if (!live.has(this.id)) return;
    this.forget();
    post(DONE, this.id, 0, 0, stringify(failure(error)));
  }
  forget() {
    live.delete(this.id);
    if (this.timers !== null) for (const id of this.timers) timers.delete(id);
  }
}

function failure(error) {
  if (error === null) return { name: "null" };
  if (typeof error !== "object" && typeof error !== "function") return { name: "Error", message: `${String(error)} was thrown` };
  const limit = limited.get(error);
  if (limit !== undefined) return { limit };
  try {
    let stack = `${error.stack ?? ""}`;
    for (let e = error.cause, i = 0; e instanceof Error && i < 5; e = e.cause, i++) stack += `caused by ${e.name}: ${e.message}\n${e.stack}`;
    return { name: `${error.name ?? "Error"}`, message: `${error.message ?? web.format([error])}`, stack };
  } catch {
    return { name: "Error", message: "something was thrown that cannot be shown" };
  }
}

class Context {
  #inv;
  #auth = null;
  #log = null;
  constructor(inv) {
    this.#inv = inv;
    freeze(this);
  }
  waitUntil(promise) {
    const inv = this.#inv;
    inv.open++;
    Promise.resolve(promise).then(
      () => inv.close(),
      (e) => {
        complain(inv, e);
        inv.close();
      },
    );
  }
  passThroughOnException() {}
  get signal() { return this.#inv.signal; }
  get ip() { return this.#inv.fields[2]; }
  get requestId() { return this.#inv.fields[3]; }
  get app() { return this.#inv.fields[4]; }
  get release() { return this.#inv.fields[5]; }
  get limits() { return limits; }
  get auth() { return auth; }
  get log() { return logger(this.#inv); }
}
freeze(Context.prototype);
freeze(Context);

// Until there are people nobody is signed in.
const auth = freeze({
  user: () => null,
  require: () => Promise.reject(web.response({ status: 401, headers: [["content-type", "text/plain;charset=UTF-8"]], body: "sign in first\n" })),
  can: () => false,
  signInUrl: () => null,
});

function envOf(inv) {
  const env = assign({}, words);
  for (const b of bound) env[b.name] = b.make(b.name, b.value, (method, args, body = null) => call(inv, b.name, method, args, body));
  return env;
}

function learn(items) {
  words = {};
  bound = [];
  for (const { name, kind, value } of items) {
    if (kind === "text" || kind === "json") words[name] = value;
    else if (typeof factories[kind] === "function") bound.push({ name, value, make: factories[kind] });
    else throw new TypeError(`env.${name} is a ${kind}, which this version does not know`);
  }
}

// --- the handlers -------------------------------------------------------------------

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const EVENTS = ["scheduled", "queue"];

// start looks at what the module exports. It returns the names of what it handles
// as JSON, or what to change.
function start(module) {
  const found = {};
  const main = module?.default;
  if (typeof main === "function") {
    if (/^(async\s+)?(function\b[^(]*)?\(?\s*_?(req|request)\s*,\s*_?(res|response|reply)\b/.test(Function.prototype.toString.call(main)))
      return refused("a handler of (req, res) is not known here: write `export default { async fetch(request) { return new Response(...) } }`");
    found.fetch = main;
  } else if (typeof main === "object" && main !== null) {
    for (const name of ["fetch", ...EVENTS]) if (typeof main[name] === "function") found[name] = main[name].bind(main);
  }
  const methods = METHODS.filter((name) => typeof module?.[name] === "function");
  if (found.fetch === undefined && methods.length > 0) found.fetch = byMethod(module, methods);
  handlers = found;
  const names = Object.keys(found);
  if (names.length === 0) return refused("the module handles nothing: write `export default { async fetch(request, env, ctx) { ... } }`");
  return stringify(names);
}

const refused = (message) => stringify({ refused: message });

function byMethod(module, methods) {
  const allow = methods.includes("GET") && !methods.includes("HEAD") ? [...methods, "HEAD"] : methods;
  return (request, env, ctx) => {
    const handler = module[request.method] ?? (request.method === "HEAD" ? module.GET : undefined);
    if (allow.includes(request.method)) return handler(request, env, ctx);
    return web.response({ status: 405, headers: [["allow", allow.join(", ")]], body: null });
  };
}

// Service workers registered themselves; here the module says what it handles.
const refuseListener = {
  addEventListener(type, ...rest) {
    if (type === "fetch" || type === "scheduled")
      throw new TypeError(`addEventListener(${stringify(type)}) is not known here: write \`export default { ${type}: handler }\``);
    return web.part("event").addEventListener(type, ...rest);
  },
};
hidden(globalThis, "addEventListener", refuseListener.addEventListener);

const isResponse = (value) => typeof value === "object" && value !== null && web.loaded("fetch") && value instanceof web.part("fetch").Response;

function begin(id, flags, head, body) {
  const inv = new Invocation(id, head.split("\0"));
  live.set(id, inv);
  current = inv;
  flush(inv);
  if (flags & F_EVENT) return happen(inv, body);
  const fields = inv.fields;
  const headers = [];
  for (let i = 6; i < fields.length; i += 2) headers.push([fields[i], fields[i + 1]]);
  let content = null;
  if (flags & F_BODY) content = flags & F_END ? (flags & F_BYTES ? fromBase64(body) : body) : incoming(inv, 0);
  const request = web.request({ method: fields[0], url: fields[1], headers, body: content, signal: () => inv.signal });
  serve(inv, request);
}

async function serve(inv, request) {
  let answer;
  try {
    answer = await handlers.fetch(request, envOf(inv), new Context(inv));
  } catch (e) {
    if (!isResponse(e)) return inv.fail(e);
    answer = e;
  }
  try {
    if (live.has(inv.id)) respond(inv, answer);
  } catch (e) {
    inv.fail(e);
  }
}

function respond(inv, response) {
  if (!isResponse(response)) throw new TypeError(`the handler returned ${response === undefined ? "nothing" : "no Response"}`);
  const { status, headers, body } = web.responseParts(response);
  let head = "";
  for (const [name, value] of headers) head += (head === "" ? "" : "\0") + name + "\0" + value;
  inv.answered = true;
  if (body === null || typeof body === "string" || body instanceof Uint8Array) return respondWhole(inv, status, head, body);
  if (factories.uploads?.has(body)) head += (head === "" ? "" : "\0") + "fazt-upload\x001"; // edge/function knows what that means
  send(HEAD, inv, 0, status * F_SHIFT + F_BODY, head);
  pour(inv, 0, body).then(
    () => inv.close(),
    (e) => inv.fail(e),
  );
}

function respondWhole(inv, status, head, body) {
  let flags = F_END;
  if (inv.open === 1) flags += F_DONE;
  if (body instanceof Uint8Array) {
    flags += F_BYTES;
    body = toBase64(body);
  }
  send(HEAD, inv, 0, status * F_SHIFT + flags, head, body);
  if (flags & F_DONE) inv.forget();
  else inv.close();
}

async function happen(inv, data) {
  const kind = inv.fields[0];
  try {
    const handler = handlers[kind];
    if (handler === undefined) throw new TypeError(`the module has no ${kind} handler`);
    const event = kind === "queue" ? new Batch(parse(data)) : { type: kind, ...parse(data), noRetry() {} };
    const returned = await handler(event, envOf(inv), new Context(inv));
    inv.result = stringify(kind === "queue" ? event.outcome() : (returned ?? null));
    inv.close();
  } catch (e) {
    inv.fail(e);
  }
}

class Message {
  #fate;
  constructor(m, fate) {
    this.#fate = fate;
    this.id = m.id;
    this.timestamp = new Date(m.timestamp);
    this.attempts = m.attempts;
    this.body = m.body;
  }
  ack() { this.#fate.set(this.id, true); }
  retry(options) { this.#fate.set(this.id, options?.delaySeconds ?? 0); }
}

class Batch {
  #fate = new Map();
  constructor({ queue, messages }) {
    this.queue = queue;
    this.messages = messages.map((m) => new Message(m, this.#fate));
  }
  ackAll() { for (const m of this.messages) if (!this.#fate.has(m.id)) m.ack(); }
  retryAll(options) { for (const m of this.messages) if (!this.#fate.has(m.id)) m.retry(options); }
  outcome() {
    const ack = [];
    const retry = [];
    for (const [id, fate] of this.#fate) {
      if (fate === true) ack.push(id);
      else retry.push({ id, delaySeconds: fate });
    }
    return { ack, retry };
  }
}

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
  const [code, message] = head.split("\0");
  const e = new Error(message);
  e.code = code;
  return e;
}

// --- calls --------------------------------------------------------------------------

function call(inv, target, method, args, body) {
  return new Promise((resolve, reject) => {
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
    send(CALL, inv, sub, flags, `${target}\0${method}\0${stringify(args) ?? "null"}`, data);
    (inv.calls ??= new Map()).set(sub, { resolve, reject });
    if (stream !== null) pour(inv, sub, stream).catch(() => post(BODY, inv.id, sub, F_END + F_ERROR));
  });
}

function replied(inv, sub, flags, head) {
  const waiting = inv.calls?.get(sub);
  if (waiting === undefined) return;
  inv.calls.delete(sub);
  if (flags & F_ERROR) waiting.reject(errorOf(head));
  else waiting.resolve({ value: head === "" ? undefined : parse(head), body: flags & F_BODY ? incoming(inv, sub) : null });
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

// --- timers -------------------------------------------------------------------------

const timers = new Map(); // by id: { inv, f, args, every }
let lastTimer = 0;
const LONGEST = 2147483647;

function timer(f, delay, args, repeat) {
  if (typeof f !== "function") throw new TypeError("a timer needs a function");
  const id = ++lastTimer;
  const inv = current;
  if (inv === null) return id; // while the module is evaluated there is nothing to wait in
  const after = delay > 0 && delay <= LONGEST ? Math.ceil(delay) : 0;
  send(TIMER, inv, id, after);
  timers.set(id, { inv, f, args, every: repeat ? Math.max(after, 1) : 0 });
  (inv.timers ??= new Set()).add(id);
  return id;
}

function clear(id) {
  const t = timers.get(id);
  if (t === undefined) return;
  timers.delete(id);
  t.inv.timers.delete(id);
  post(FORGET, t.inv.id, id, 0);
}

function fired(inv, id) {
  const t = timers.get(id);
  if (t === undefined) return;
  if (t.every > 0) {
    send(TIMER, inv, id, t.every);
  } else {
    timers.delete(id);
    inv.timers.delete(id);
  }
  try {
    apply(t.f, undefined, t.args);
  } catch (e) {
    complain(inv, e);
  }
}

hidden(globalThis, "setTimeout", function setTimeout(f, delay, ...args) { return timer(f, delay, args, false); });
hidden(globalThis, "setInterval", function setInterval(f, delay, ...args) { return timer(f, delay, args, true); });
hidden(globalThis, "clearTimeout", function clearTimeout(id) { clear(id); });
hidden(globalThis, "clearInterval", function clearInterval(id) { clear(id); });

// --- console ------------------------------------------------------------------------

const DEBUG = 0, INFO = 1, WARN = 2, ERROR = 3;
const MOST_EARLY = 100;
const early = []; // what was logged while the module was evaluated
let indent = "";

function text(values) {
  if (values.length === 1 && typeof values[0] === "string") return values[0];
  return web.format(values);
}

function log(inv, level, values) {
  let line = text(values);
  if (indent !== "") line = indent + line.replaceAll("\n", `\n${indent}`);
  if (inv !== null) send(LOG, inv, 0, level, line);
  else if (early.length < MOST_EARLY) early.push([level, line]);
}

function flush(inv) {
  for (const [level, line] of early.splice(0)) send(LOG, inv, 0, level, line);
}

// complain logs an error that nobody else will see.
function complain(inv, error) {
  try {
    const { limit, name, message, stack } = failure(error);
    if (live.has(inv.id)) send(LOG, inv, 0, ERROR, `uncaught ${limit ?? `${name}: ${message}\n${stack}`}`);
  } catch {
    // it has logged too much
  }
}

function logger(inv) {
  const f = (...values) => log(inv, INFO, values);
  f.debug = (...values) => log(inv, DEBUG, values);
  f.info = f;
  f.warn = (...values) => log(inv, WARN, values);
  f.error = (...values) => log(inv, ERROR, values);
  return freeze(f);
}

const counts = new Map();
const clocks = new Map();
hidden(globalThis, "console", {
  debug: (...values) => log(current, DEBUG, values),
  log: (...values) => log(current, INFO, values),
  info: (...values) => log(current, INFO, values),
  warn: (...values) => log(current, WARN, values),
  error: (...values) => log(current, ERROR, values),
  dir: (value) => log(current, INFO, [value]),
  dirxml: (...values) => log(current, INFO, values),
  table: (value) => log(current, INFO, [value]),
  trace: (...values) => log(current, INFO, [`Trace: ${text(values)}\n${new Error().stack}`]),
  assert(ok, ...values) {
    if (!ok) log(current, ERROR, ["Assertion failed", ...values]);
  },
  clear() {},
  count(label = "default") {
    const n = (counts.get(label) ?? 0) + 1;
    if (counts.size < 1000) counts.set(label, n);
    log(current, INFO, [`${label}: ${n}`]);
  },
  countReset(label = "default") { counts.delete(label); },
  group(...values) {
    if (values.length > 0) log(current, INFO, values);
    if (indent.length < 40) indent += "  ";
  },
  groupCollapsed(...values) { this.group(...values); },
  groupEnd() { indent = indent.slice(2); },
  time(label = "default") { if (clocks.size < 1000) clocks.set(label, Date.now()); },
  timeLog(label = "default") { if (clocks.has(label)) log(current, INFO, [`${label}: ${Date.now() - clocks.get(label)}ms`]); },
  timeEnd(label = "default") {
    this.timeLog(label);
    clocks.delete(label);
  },
});

// --- what happens -------------------------------------------------------------------

function cancelled(inv) {
  const reason = new (web.part("exception").DOMException)("the client has gone", "AbortError");
  inv.controller?.abort(reason);
  if (inv.readers !== null) for (const reader of inv.readers) reader.cancel(reason).catch(() => {});
  if (!inv.answered || inv.open === 1) {
    inv.answered = true;
    inv.open = Math.min(inv.open, 1);
    if (live.has(inv.id)) inv.close();
  }
}

function open(bounds) {
  const b = parse(bounds);
  limits = freeze({ memory: b.Memory, cpu: b.CPU / 1e6, wall: b.Wall / 1e6, calls: b.Calls, timers: b.Timers, logLines: b.LogLines, body: b.Body, reply: b.Reply });
  const module = globalThis.__fazt_module;
  delete globalThis.__fazt_module;
  return start(module);
}

return function dispatch(kind, id, sub, n, head, body) {
  if (kind === INVOKE) return void begin(id, n & (F_SHIFT - 1), head, body);
  if (kind === OPEN) return open(head);
  if (kind === ENV) return void learn(parse(head));
  const inv = live.get(id);
  if (inv === undefined) return;
  current = inv;
  switch (kind) {
    case REPLY:
      return replied(inv, sub, n, head);
    case BODY:
      return arrived(inv, sub, n, head, body);
    case CREDIT: {
      const wake = inv.rooms?.get(sub);
      inv.rooms?.delete(sub);
      return wake?.();
    }
    case TIMER:
      return fired(inv, sub);
    case CANCEL:
      return cancelled(inv);
    case FORGET:
      return inv.forget();
  }
};
