// structuredClone. The work is a list, not a recursion, so that a deep value meets
// no limit of the stack.
const { DOMException } = web.part("exception");

const errors = { __proto__: null, Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };
const getter = (prototype, name) => Object.getOwnPropertyDescriptor(prototype, name).get;
const sizeOf = { map: getter(Map.prototype, "size"), set: getter(Set.prototype, "size") };
const tagOf = getter(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag);

function refuse(value, why = "cannot be cloned") {
  let what = "a value";
  try {
    what = typeof value === "symbol" ? String(value) : typeof value === "function" ? `function ${value.name}` : `an object of ${value.constructor?.name ?? "no class"}`;
  } catch {}
  throw new DOMException(`${what} ${why}`, "DataCloneError");
}

// is tells whether an object is what it inherits from: a method of the class works on it.
function is(object, type, method) {
  if (!(object instanceof type)) return false;
  try {
    method.call(object);
    return true;
  } catch {
    return false;
  }
}

// platform holds the classes of the web: [class, how to clone it]; without a how it
// cannot be. A part that was not loaded has made no objects.
function platform(object) {
  const tag = object[Symbol.toStringTag];
  if (typeof tag !== "string") return undefined;
  if (web.loaded("blob")) {
    const { Blob, File, bytesOf, blobOf } = web.part("blob");
    if (object instanceof File) return new File([object], object.name, { type: object.type, lastModified: object.lastModified });
    if (object instanceof Blob) return blobOf(bytesOf(object), object.type);
  }
  if (object instanceof DOMException) return new DOMException(object.message, object.name);
  if (web.loaded("keys") && object instanceof web.part("keys").CryptoKey) return object; // it cannot change
  for (const part of ["event", "url", "urlpattern", "encoding", "headers", "fetch", "blob", "streams", "compression", "crypto", "channel"]) {
    if (!web.loaded(part)) continue;
    const type = web.part(part)[tag];
    if (typeof type === "function" && object instanceof type) refuse(object);
  }
  return undefined;
}

class Cloner {
  seen = new Map();
  work = [];

  // clone makes the shell of a value and notes what is to be put in it.
  clone(value) {
    if (typeof value === "symbol" || typeof value === "function") refuse(value);
    if (typeof value !== "object" || value === null) return value;
    if (this.seen.has(value)) return this.seen.get(value);
    const made = this.shell(value);
    this.seen.set(value, made);
    return made;
  }
  shell(value) {
    if (Array.isArray(value)) return this.filled(value, new Array(value.length));
    if (is(value, Date, Date.prototype.getTime)) return new Date(value.getTime());
    if (is(value, Map, sizeOf.map)) return this.later(new Map(), (m) => { for (const [k, v] of [...Map.prototype.entries.call(value)]) m.set(this.clone(k), this.clone(v)); });
    if (is(value, Set, sizeOf.set)) return this.later(new Set(), (s) => { for (const v of [...Set.prototype.values.call(value)]) s.add(this.clone(v)); });
    if (value instanceof RegExp) return new RegExp(value.source, value.flags);
    if (value instanceof ArrayBuffer) return copyOf(value);
    if (ArrayBuffer.isView(value)) return this.viewOf(value);
    if (is(value, Boolean, Boolean.prototype.valueOf) || is(value, Number, Number.prototype.valueOf) || is(value, String, String.prototype.valueOf) || is(value, BigInt, BigInt.prototype.valueOf)) return Object(value.valueOf());
    if (value instanceof WeakMap || value instanceof WeakSet || value instanceof WeakRef || value instanceof Promise || is(value, Symbol, Symbol.prototype.valueOf)) refuse(value);
    const known = platform(value);
    if (known !== undefined) return known;
    if (Error.isError(value)) return this.errorOf(value);
    return this.filled(value, {});
  }
  later(made, fill) {
    this.work.push(() => fill(made));
    return made;
  }
  filled(value, made) {
    return this.later(made, () => {
      for (const key of Object.keys(value)) {
        if (Object.hasOwn(value, key)) Object.defineProperty(made, key, { value: this.clone(value[key]), writable: true, enumerable: true, configurable: true });
      }
    });
  }
  viewOf(value) {
    if (value.buffer.detached) refuse(value, "has lost its memory");
    const buffer = this.clone(value.buffer);
    if (value instanceof DataView) return new DataView(buffer, value.byteOffset, value.byteLength);
    return new web.global[tagOf.call(value)](buffer, value.byteOffset, value.length);
  }
  errorOf(value) {
    const error = new (errors[`${value.name}`] ?? Error)();
    const message = Object.getOwnPropertyDescriptor(value, "message");
    if (message && "value" in message) web.hidden(error, "message", `${message.value}`);
    else delete error.message;
    web.hidden(error, "stack", `${value.stack ?? ""}`);
    if (Object.hasOwn(value, "cause")) return this.later(error, () => web.hidden(error, "cause", this.clone(value.cause)));
    return error;
  }
  run(value) {
    const made = this.clone(value);
    while (this.work.length) this.work.pop()();
    return made;
  }
}

function copyOf(buffer) {
  if (buffer.detached) refuse(buffer, "has lost its memory");
  if (!buffer.resizable) return buffer.slice(0);
  const copy = new ArrayBuffer(buffer.byteLength, { maxByteLength: buffer.maxByteLength });
  new Uint8Array(copy).set(new Uint8Array(buffer));
  return copy;
}

// cloned also takes the objects whose memory goes over.
function cloned(value, transfer = []) {
  const cloner = new Cloner();
  const list = [...transfer];
  if (new Set(list).size !== list.length) throw new DOMException("something is transferred twice", "DataCloneError");
  for (const object of list) {
    if (object instanceof ArrayBuffer) {
      if (object.detached) refuse(object, "has lost its memory");
    } else if (web.loaded("channel") && object instanceof web.part("channel").MessagePort) {
      cloner.seen.set(object, object);
    } else {
      refuse(object, "cannot be transferred");
    }
  }
  // A value that cannot be cloned must leave the memory where it is: so a buffer is
  // copied like any other and given up at the end.
  const made = cloner.run(value);
  for (const object of list) if (object instanceof ArrayBuffer) object.transfer();
  return made;
}

function structuredClone(value, options = undefined) {
  if (arguments.length === 0) throw new TypeError("structuredClone needs a value");
  return cloned(value, options?.transfer ?? []);
}

return { structuredClone, cloned };
