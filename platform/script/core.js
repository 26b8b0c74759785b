// The glue between a machine and an app's module: invocations, handlers and what
// happens to them. It is the first part of one function, whose other parts are in
// the files beside it: the constants of the protocol come before it, and dispatch
// is called by Go for everything that happens (turn.go). The other way, post tells
// Go (post.go), which checks all of it: nothing here is a wall.
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
let fetching = null; // the part with Request and Response, of a module that answers requests
let limits = null;
let tracing = false; // errors of calls have the stack of the caller
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

function guard(owner, name, make) {
  const native = owner[name];
  const guarded = make(name, native);
  defineProperty(guarded, "length", { value: native.length, configurable: true });
  hidden(owner, name, guarded);
}

// Two arguments, of which one that is missing is the same as undefined, cost half
// of what any number does.
const two = (name, native) =>
  ({
    [name](a, b) {
      if (this.length > LONG) short(this);
      return native.call(this, a, b);
    },
  })[name];

const any = (name, native) =>
  ({
    [name](...args) {
      if (this.length > LONG) short(this);
      return apply(native, this, args);
    },
  })[name];

for (const name of ["every", "filter", "flat", "flatMap", "forEach", "includes", "indexOf", "join", "map", "reverse", "shift", "slice", "some", "sort", "toLocaleString"])
  guard(Array.prototype, name, two);
for (const name of ["copyWithin", "lastIndexOf", "reduce", "reduceRight", "splice", "unshift"]) guard(Array.prototype, name, any);
guard(Array.prototype, "concat", (name, native) =>
  ({
    [name](...args) {
      short(this);
      for (let i = 0; i < args.length; i++) short(args[i]);
      return apply(native, this, args);
    },
  })[name]);
guard(String, "raw", (name, native) =>
  ({
    [name](...args) {
      short(args[0]?.raw);
      return apply(native, this, args);
    },
  })[name]);

// --- invocations --------------------------------------------------------------------

const FIELDS = 7; // how many come before the headers

const NULL = stringify(failure(null)); // what there is memory for when there is none

class Invocation {
  constructor(id, head) {
    this.id = id;
    this.head = head; // method, url, ip, request id, app, release, who is signed in, then headers
    this.open = 1; // the answer, and each promise that waitUntil was given
  }
  get fields() { return (this.parts ??= this.head.split("\0")); }
  pairs() {
    const { fields } = this;
    const pairs = [];
    for (let i = FIELDS; i < fields.length; i += 2) pairs.push([fields[i], fields[i + 1]]);
    return pairs;
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
    let said = NULL;
    try {
      said = stringify(failure(error));
    } catch {
      // there is no memory left to say more
    }
    post(DONE, this.id, 0, 0, said);
    this.forget();
  }
  forget() {
    live.delete(this.id);
    if (this.timers !== null) for (const id of this.timers) timers.delete(id);
  }
}

// What most invocations never get is no property of theirs: to define one costs more
// than to call a function.
assign(Invocation.prototype, {
  parts: null, // of head
  answered: false,
  next: 0, // number of the last call
  calls: null, // by number: { resolve, reject }
  bodies: null, // that come, by call
  rooms: null, // what waits for credit, by call
  readers: null, // of bodies that go
  timers: null, // ids
  controller: null,
  auth: undefined,
  result: undefined,
});

function failure(error) {
  if (error === null || (typeof error !== "object" && typeof error !== "function")) return { name: "Error", message: `${String(error)} was thrown` };
  const limit = limited.get(error);
  try {
    let stack = `${error.stack ?? ""}`;
    if (limit !== undefined) return { limit, stack };
    for (let e = error.cause, i = 0; e instanceof Error && i < 5; e = e.cause, i++) stack += `caused by ${e.name}: ${e.message}\n${e.stack}`;
    const hint = typeof error.hint === "string" ? error.hint : undefined;
    const code = typeof error.code === "string" ? error.code : undefined;
    return { name: `${error.name ?? "Error"}`, message: `${error.message ?? web.format([error])}`, stack, hint, code };
  } catch {
    return limit === undefined ? { name: "Error", message: "something was thrown that cannot be shown" } : { limit };
  }
}

class Context {
  #inv;
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
  get auth() { return (this.#inv.auth ??= new Auth(this.#inv)); }
  get log() { return logger(this.#inv); }
}
freeze(Context.prototype);
freeze(Context);

// Auth is who is signed in and what they may do, as the node has found out before
// the code was called.
class Auth {
  #inv;
  #known; // null for nobody
  constructor(inv) {
    this.#inv = inv;
    this.#known = inv.fields[6] === "" ? null : parse(inv.fields[6]);
    if (this.#known !== null) freeze(freeze(this.#known.user).roles), freeze(this.#known.user.groups);
    freeze(this);
  }
  user() { return this.#known?.user ?? null; }
  async require(role) {
    if (this.#known === null) throw this.#signIn();
    const { user, owner } = this.#known;
    if (role !== undefined && !owner && !user.roles.includes(`${role}`)) throw plain(403, "you may not do this\n");
    return user;
  }
  can(action, resource) {
    if (this.#known === null) return false;
    const { app, owner, grants } = this.#known;
    if (owner) return true;
    const asked = resource === undefined ? app : resourceOf(app, `${resource}`);
    const now = Date.now();
    return grants.some((g) => g.actions.includes(action) && !(g.until <= now) && g.on.some((on) => covers(on, asked)));
  }
  signInUrl() { return `/auth/login?to=${encodeURIComponent(this.#path())}`; }
  // A page leads to the sign-in and back; whoever is no page is told.
  #signIn() {
    const { fields } = this.#inv;
    const header = (name) => {
      for (let i = FIELDS; i < fields.length; i += 2) if (fields[i] === name) return fields[i + 1];
      return "";
    };
    const mode = header("sec-fetch-mode");
    const page = (fields[0] === "GET" || fields[0] === "HEAD") && (mode === "" ? header("accept").includes("text/html") : mode === "navigate");
    return page ? web.response({ status: 303, headers: [["location", this.signInUrl()], ["cache-control", "no-store"]], body: null }) : plain(401, "sign in first\n");
  }
  #path() {
    const url = this.#inv.fields[1];
    const at = url.indexOf("/", url.indexOf("://") + 3);
    return url.includes("://") && at >= 0 ? url.slice(at) : "/";
  }
}
freeze(Auth.prototype);
freeze(Auth);

const plain = (status, body) => web.response({ status, headers: [["content-type", "text/plain;charset=UTF-8"]], body });

// resourceOf is what an app means by a name: one of its paths, one of its parts, or
// a resource by its whole address.
function resourceOf(app, name) {
  if (name === "node" || name.startsWith("app.")) return name;
  return name.startsWith("/") ? app + name : `${app}.${name}`;
}

// covers tells whether a grant on one resource is one on another: spec/access says
// the same in Go, and a test holds them together.
function covers(on, resource) {
  if (on === "node" || on === resource) return true;
  const cut = on.indexOf("/");
  if (cut >= 0) {
    const at = resource.indexOf("/");
    return at >= 0 && on.slice(0, cut) === resource.slice(0, at) && matches(on.slice(cut), resource.slice(at));
  }
  return resource.startsWith(on) && "./[".includes(resource[on.length]);
}

function matches(pattern, path) {
  if (!pattern.endsWith("*")) return path === pattern;
  const prefix = pattern.slice(0, -1);
  return path.startsWith(prefix) || (path !== "" && prefix.endsWith("/") && path === prefix.slice(0, -1));
}

function envOf(inv) {
  const env = assign({}, words);
  for (let i = 0; i < bound.length; i++) {
    const b = bound[i];
    env[b.name] = b.make(b.name, b.value, (method, args, body, json, map, signal) => call(owner(inv), b.name, method, args, body, json, map, signal));
  }
  return env;
}

// owner is whose call it is: of the request that env was handed to, or where a module
// has kept it for longer, of the one whose turn it is.
function owner(inv) {
  return live.has(inv.id) || current === null ? inv : current;
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
  if (found.fetch !== undefined) fetching = web.part("fetch"); // or the first request would wait for it
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

const isResponse = (value) => value instanceof fetching.Response;

const ASYNC = Symbol.for("fazt.async");

// called is what a handler returns. Where the program has AsyncLocalStorage, that
// holds nothing before and after: what one request entered is no other's.
function called(handler, argument, inv) {
  const context = globalThis[ASYNC];
  context?.reset();
  try {
    return handler(argument, envOf(inv), new Context(inv));
  } finally {
    context?.reset();
  }
}

function begin(id, flags, head, body) {
  const inv = new Invocation(id, head);
  live.set(id, inv);
  current = inv;
  flush(inv);
  if (flags & F_EVENT) return happen(inv, body);
  if (fetching === null) return inv.fail(new TypeError("the module has no fetch handler"));
  const end = head.indexOf("\0");
  let content = null;
  if (flags & F_BODY) content = flags & F_END ? (flags & F_BYTES ? fromBase64(body) : body) : incoming(inv, 0);
  serve(inv, fetching.request(head.slice(0, end), head.slice(end + 1, head.indexOf("\0", end + 1)), content, inv));
}

// serve answers at once where the handler does: a promise costs as much as half of what
// else is done for a short handler.
function serve(inv, request) {
  let answer;
  try {
    answer = called(handlers.fetch, request, inv);
  } catch (e) {
    return thrown(inv, e);
  }
  if (isResponse(answer)) respond(inv, answer);
  else awaited(inv, answer);
}

async function awaited(inv, promise) {
  let answer;
  try {
    answer = await promise;
  } catch (e) {
    return thrown(inv, e);
  }
  respond(inv, answer);
}

function thrown(inv, e) {
  if (isResponse(e)) respond(inv, e);
  else inv.fail(e);
}

function respond(inv, response) {
  try {
    if (live.has(inv.id)) answered(inv, response);
  } catch (e) {
    inv.fail(e);
  }
}

function answered(inv, response) {
  if (!isResponse(response)) throw new TypeError(`the handler returned ${response === undefined ? "nothing" : "no Response"}`);
  fetching.sent(response, answer, inv);
}

function answer(inv, status, headers, body) {
  let head = "";
  if (typeof headers === "string") head = `content-type\0${headers}`;
  else for (let i = 0; i < headers.length; i++) head += (i === 0 ? "" : "\0") + headers[i][0] + "\0" + headers[i][1];
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
    const returned = await called(handler, event, inv);
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
  retry(options) { this.#fate.set(this.id, { delaySeconds: options?.delaySeconds }); }
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
      else retry.push({ id, ...fate });
    }
    return { ack, retry };
  }
}

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
  tracing = b.Trace;
  limits = freeze({ memory: b.Memory, cpu: b.CPU / 1e6, wall: b.Wall / 1e6, calls: b.Calls, timers: b.Timers, logLines: b.LogLines, body: b.Body, reply: b.Reply });
  const module = globalThis.__fazt_module;
  delete globalThis.__fazt_module;
  return start(module);
}

function dispatch(kind, id, sub, n, head, body) {
  if (kind === INVOKE) return void begin(id, n & (F_SHIFT - 1), head, body);
  if (kind === OPEN) return open(head);
  if (kind === ENV) return void learn(parse(head));
  if (kind === REJECTED) return void rejected(current, n, head, body);
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
}
