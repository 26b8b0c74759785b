// node:async_hooks: AsyncLocalStorage in plain JavaScript.
//
// The context of a callback is kept by wrapping what is given to then, queueMicrotask
// and the timers. The engine's `await` does not go through then, so the bundler turns
// the async functions of a program that has this module into generators over then.
// What is lost even so: contexts across a top-level await, in callbacks that a
// library keeps and calls later of its own accord (use AsyncResource.bind there), and in
// the then of an object that is no promise and that an async function returns.
// Bindings that call back keep it, and handlers begin with none.
const key = Symbol.for("fazt.async");
const state = globalThis[key] ?? install();

function install() {
  const shared = { frame: undefined, reset: () => { shared.frame = undefined; }, keep: (callback) => keep(shared, callback) };
  const { then } = Promise.prototype;
  const wrapped = {
    then(onFulfilled, onRejected) {
      return then.call(this, keepOne(shared, onFulfilled), keepOne(shared, onRejected));
    },
  };
  Object.defineProperty(Promise.prototype, "then", { value: wrapped.then, writable: true, configurable: true });
  const { resolve } = Promise;
  const { resolve: resolved } = { resolve(value) { return resolve.call(this, keepThen(shared, value)); } };
  Object.defineProperty(Promise, "resolve", { value: resolved, writable: true, configurable: true });
  for (const name of ["queueMicrotask", "setTimeout", "setInterval", "setImmediate"]) {
    const original = globalThis[name];
    if (typeof original !== "function") continue;
    const value = function (callback, ...rest) { return original(keep(shared, callback), ...rest); };
    Object.defineProperty(value, "name", { value: name });
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
  }
  Object.defineProperty(globalThis, key, { value: shared });
  return shared;
}

// keep is a function that runs in the context of now. A frame is a Map that is never
// changed, or undefined.
function keep(shared, callback) {
  if (typeof callback !== "function") return callback;
  const frame = shared.frame;
  return function (...args) {
    const before = shared.frame;
    shared.frame = frame;
    try {
      return callback.apply(this, args);
    } finally {
      shared.frame = before;
    }
  };
}

// keepOne is keep for what gets one value, which is what every await pays for.
function keepOne(shared, callback) {
  if (typeof callback !== "function") return callback;
  const frame = shared.frame;
  return (value) => {
    const before = shared.frame;
    shared.frame = frame;
    try {
      return keepThen(shared, callback(value));
    } finally {
      shared.frame = before;
    }
  };
}

// keepThen is keep for the then of what is no promise and has one, such as a query that
// begins when it is awaited: the engine calls it later, by itself.
function keepThen(shared, value) {
  if (value === null || typeof value !== "object" || value instanceof Promise) return value;
  try {
    const { then } = value;
    return typeof then === "function" ? { then: keep(shared, (...args) => then.apply(value, args)) } : value;
  } catch {
    return value; // the engine will find that out
  }
}

function inFrame(frame, callback, self, args) {
  const before = state.frame;
  state.frame = frame;
  try {
    return callback.apply(self, args);
  } finally {
    state.frame = before;
  }
}

export class AsyncLocalStorage {
  #default;
  #name;
  constructor({ defaultValue, name = "" } = {}) {
    this.#default = defaultValue;
    this.#name = name;
  }
  get name() { return this.#name; }
  #with(store) { return new Map(state.frame).set(this, store); }
  run(store, callback, ...args) { return inFrame(this.#with(store), callback, undefined, args); }
  exit(callback, ...args) {
    const frame = new Map(state.frame);
    frame.delete(this);
    return inFrame(frame, callback, undefined, args);
  }
  getStore() { return state.frame?.has(this) ? state.frame.get(this) : this.#default; }
  enterWith(store) { state.frame = this.#with(store); }
  disable() {
    const frame = new Map(state.frame);
    frame.delete(this);
    state.frame = frame;
  }
  static bind(callback) { return keep(state, callback); }
  static snapshot() {
    const frame = state.frame;
    return (callback, ...args) => inFrame(frame, callback, undefined, args);
  }
}

let ids = 1;
export class AsyncResource {
  #frame = state.frame;
  #id = ++ids;
  #type;
  constructor(type) { this.#type = `${type}`; }
  get type() { return this.#type; }
  runInAsyncScope(callback, self, ...args) { return inFrame(this.#frame, callback, self, args); }
  bind(callback, self) {
    const resource = this;
    return function (...args) { return resource.runInAsyncScope(callback, self ?? this, ...args); };
  }
  static bind(callback, type, self) { return new AsyncResource(type ?? callback.name).bind(callback, self); }
  emitDestroy() { return this; }
  asyncId() { return this.#id; }
  triggerAsyncId() { return 1; }
}

export const executionAsyncId = () => 1;
export const triggerAsyncId = () => 0;
export const executionAsyncResource = () => ({});
export function createHook() {
  throw new Error("async_hooks.createHook is not supported: use AsyncLocalStorage");
}
export default { AsyncLocalStorage, AsyncResource, executionAsyncId, triggerAsyncId, executionAsyncResource, createHook };
