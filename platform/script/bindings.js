// The objects of env, as an app sees them. Each factory takes the binding's name,
// what the node says of it, and call(method, args, body), which resolves to
// { value, body } or rejects with an Error that has a code. What may be asked is
// decided by the node, which looks at every call again: the checks here are for
// messages that name the argument. Shapes follow Cloudflare's where they have one.
//
// Streams are touched only where an app uses one, as loading them costs a
// millisecond in a new machine. The files bindings_*.js go on where this one ends.
"use strict";

function refuse(what, message) {
  const e = new TypeError(`${what}: ${message}`);
  e.code = "invalid";
  throw e;
}

function show(v) {
  if (v === null) return "null";
  if (Array.isArray(v)) return "an array";
  if (typeof v === "object") return "an object";
  if (typeof v === "string") return JSON.stringify(v.slice(0, 40));
  return typeof v === "number" || typeof v === "boolean" || v === undefined ? String(v) : `a ${typeof v}`;
}

const isRecord = (v) => typeof v === "object" && v !== null && !Array.isArray(v);

function text(what, v) {
  if (typeof v !== "string") refuse(what, `must be a string, not ${show(v)}`);
  return v;
}

function whole(what, v, least, most = Number.MAX_SAFE_INTEGER) {
  if (!Number.isSafeInteger(v) || v < least || v > most) refuse(what, `must be a whole number from ${least} to ${most}, not ${show(v)}`);
  return v;
}

const perhaps = (what, v, least, most) => (v === undefined ? undefined : whole(what, v, least, most));

// options checks the names of an options object: a misspelt one would be a setting
// that silently has no effect.
function options(what, v, names) {
  if (v === undefined || v === null) return {};
  if (!isRecord(v)) refuse(what, `must be an object, not ${show(v)}`);
  for (const name of Object.keys(v)) {
    if (!names.includes(name)) refuse(what, `has no option ${JSON.stringify(name)}; there are ${names.join(", ")}`);
  }
  return v;
}

function json(what, v) {
  let s;
  try {
    s = JSON.stringify(v);
  } catch (e) {
    refuse(what, `cannot be JSON: ${e.message}`);
  }
  if (s === undefined) refuse(what, `cannot be JSON: it is ${show(v)}`);
  return v;
}

function userId(what, u) {
  const id = isRecord(u) ? u.id : u;
  if (typeof id === "number" && Number.isSafeInteger(id)) return String(id);
  if (typeof id !== "string" || id === "") refuse(what, `must be a user with an id or the id itself, not ${show(u)}`);
  return id;
}

function seconds(what, v) {
  if (v instanceof Date) return Math.floor(v.getTime() / 1000);
  return perhaps(what, v, 0);
}

// Small values travel with the call, as a body costs frames of its own.
const INLINE = 32768;

// content splits what is to be stored into what goes with the arguments and what
// goes as a body.
function content(what, v) {
  if (typeof v === "string") return v.length <= INLINE ? { text: v } : { body: v };
  const bytes = asBytes(v);
  if (bytes) return { body: bytes };
  if (v instanceof ReadableStream) return { body: unread(what, v) };
  if (v instanceof Blob) return { body: v.stream() };
  refuse(what, `must be a string, an ArrayBuffer, a view of one, a ReadableStream or a Blob, not ${show(v)}`);
}

// unread refuses a stream of which something is gone: what is left would be kept as if
// it were all.
function unread(what, stream) {
  if (stream.locked || stream._disturbed) refuse(what, "the stream is locked or has been read from");
  return stream;
}

function asBytes(v) {
  if (v instanceof ArrayBuffer) return new Uint8Array(v);
  if (ArrayBuffer.isView(v)) return new Uint8Array(v.buffer, v.byteOffset, v.byteLength);
  return null;
}

const toBase64 = (bytes) => bytes.toBase64();
const fromBase64 = (s) => Uint8Array.fromBase64(s);

// drain reads a body to its end.
async function drain(body) {
  const parts = [];
  let size = 0;
  for (let reader = body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    size += value.length;
  }
  if (parts.length === 1) return parts[0];
  const all = new Uint8Array(size);
  let at = 0;
  for (const p of parts) {
    all.set(p, at);
    at += p.length;
  }
  return all;
}

const utf8 = (bytes) => new TextDecoder().decode(bytes);
const bufferOf = (b) => (b.byteLength === b.buffer.byteLength ? b.buffer : b.buffer.slice(b.byteOffset, b.byteOffset + b.byteLength));

// streamOf makes a stream of bytes that are there already.
function streamOf(bytes) {
  return new ReadableStream({
    start(c) {
      if (bytes.length) c.enqueue(bytes);
      c.close();
    },
  });
}

// uploads are the streams whose bytes a visitor may have sent: an answer made of
// one is marked, so that it never runs as a page of the app.
export const uploads = new WeakSet();

// fix freezes classes whole: a handler must not be able to change what the next
// request in this machine gets.
function fix(...classes) {
  for (const c of classes) {
    Object.freeze(c.prototype);
    Object.freeze(c);
  }
}

// Port is one binding's way to the node: it adds to every call the user of a per-user
// view, and that it is made as the caller may.
class Port {
  constructor(name, call, more) {
    this.name = name;
    this.call = call;
    this.more = more;
  }
  // write is send for who has written the arguments: the members of their object.
  write(method, members, map) {
    const more = this.more ? `,${JSON.stringify(this.more).slice(1, -1)}` : "";
    return this.call(method, null, null, `{${members}${more}}`, map);
  }
  send(method, args, body = null, signal = null) {
    return this.call(method, this.more ? { ...args, ...this.more } : args, body, undefined, undefined, signal);
  }
  // view is the same for one user. A view of a view would leave it.
  view(u) {
    const user = userId(`${this.name}.user`, u);
    if (this.more?.user !== undefined) refuse(`${this.name}.user`, "this is a user's view already");
    return new Port(this.name, this.call, { ...this.more, user });
  }
  asCaller() {
    return new Port(this.name, this.call, { ...this.more, asCaller: true });
  }
}

const factory = (C) => (name, config, call) => new C(new Port(name, call));

fix(Port);
