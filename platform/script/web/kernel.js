// The kernel: takes the host functions away from the global object, loads parts on
// demand, defines the globals as getters of their part, and leaves __fazt for the
// engine's own script, which takes and deletes it.
(() => {
  "use strict";
  const { defineProperty } = Object;
  const call = globalThis.__fazt_web;
  const source = globalThis.__fazt_part;
  const evaluate = globalThis.eval;
  delete globalThis.__fazt_web;
  delete globalThis.__fazt_part;

  const loaded = { __proto__: null };
  const web = { call, part, loaded: (name) => loaded[name] !== undefined, hidden, global: globalThis };

  // A part is a function of web; the engine may hand it over compiled.
  function part(name) {
    const there = loaded[name];
    if (there !== undefined) return there;
    let make = source(name);
    if (typeof make === "string") make = evaluate(make);
    return (loaded[name] = make(web));
  }

  function hidden(object, name, value) {
    return defineProperty(object, name, { value, writable: true, configurable: true });
  }

  // A getter becomes a plain property when it is first read or set.
  function lazily(name, from) {
    defineProperty(globalThis, name, {
      configurable: true,
      get() {
        const value = part(from)[name];
        hidden(globalThis, name, value);
        return value;
      },
      set(value) {
        hidden(globalThis, name, value);
      },
    });
  }

  const globals = {
    event: "EventTarget Event CustomEvent ErrorEvent PromiseRejectionEvent MessageEvent AbortController AbortSignal reportError addEventListener removeEventListener dispatchEvent",
    exception: "DOMException",
    url: "URL URLSearchParams",
    urlpattern: "URLPattern",
    encoding: "TextEncoder TextDecoder TextEncoderStream TextDecoderStream atob btoa",
    headers: "Headers",
    fetch: "Request Response",
    blob: "Blob File FormData",
    streams:
      "ReadableStream ReadableStreamDefaultReader ReadableStreamBYOBReader ReadableStreamDefaultController ReadableByteStreamController ReadableStreamBYOBRequest WritableStream WritableStreamDefaultWriter WritableStreamDefaultController TransformStream TransformStreamDefaultController ByteLengthQueuingStrategy CountQueuingStrategy",
    compression: "CompressionStream DecompressionStream",
    keys: "CryptoKey",
    crypto: "Crypto SubtleCrypto crypto",
    clone: "structuredClone",
    channel: "MessageChannel MessagePort",
    navigation: "Navigator navigator Performance performance",
    microtask: "queueMicrotask",
  };
  for (const from in globals) for (const name of globals[from].split(" ")) lazily(name, from);
  hidden(globalThis, "self", globalThis);

  // What the engine's language lacks and others' has: "using", which the bundler writes
  // out, asks for the symbols, and classes of errors for their stack.
  for (const name of ["dispose", "asyncDispose"]) defineProperty(Symbol, name, { value: Symbol(`Symbol.${name}`) });
  hidden(Error, "captureStackTrace", function captureStackTrace(target) {
    const { stack } = new Error();
    hidden(target, "stack", stack.slice(stack.indexOf("\n") + 1)); // without this function
  });

  // Intl comes from the engine, if at all: it costs as much as a machine, so the
  // first who asks pays. It replaces the methods that stand here in wait for it.
  const intl = globalThis.__fazt_intl;
  delete globalThis.__fazt_intl;
  const waiting = [];
  function want(object, name, first) {
    const before = Object.getOwnPropertyDescriptor(object, name);
    waiting.push(() => (before ? defineProperty(object, name, before) : delete object[name]));
    defineProperty(object, name, { configurable: true, ...first });
  }
  function load() {
    for (const restore of waiting.splice(0)) restore();
    intl();
    part("intl");
  }
  if (typeof intl === "function") {
    want(globalThis, "Intl", {
      get() { load(); return globalThis.Intl; },
      set(value) { load(); hidden(globalThis, "Intl", value); },
    });
    for (const [type, names] of [[Date, ["toLocaleString", "toLocaleDateString", "toLocaleTimeString"]], [Number, ["toLocaleString"]], [BigInt, ["toLocaleString"]]])
      for (const name of names) {
        // A method, so that it is as little a constructor as what it stands for.
        const { [name]: value } = { [name](...args) { load(); return this[name](...args); } };
        want(type.prototype, name, { value, writable: true });
      }
  }

  // The engine compares by code points, which is no order of words.
  const { localeCompare } = {
    localeCompare(that, locales = undefined, options = undefined) { return part("collator").localeCompare(this, that, locales, options); },
  };
  hidden(String.prototype, "localeCompare", localeCompare);

  // What the node: shims need and the web has no name for.
  defineProperty(globalThis, Symbol.for("fazt.node"), { get: () => part("node") });

  // For the engine. Everything else that it needs is a global by its own name.
  defineProperty(globalThis, "__fazt", {
    configurable: true,
    value: {
      __proto__: null,
      part, // part("fetch") warms a part before the first request
      loaded: (name) => loaded[name] !== undefined,
      inspect: (value, options) => part("inspect").inspect(value, options),
      format: (values) => part("inspect").format(values),
      requestParts: (request) => part("fetch").requestParts(request),
      response: (parts) => part("fetch").response(parts),
      encode: (string) => part("encoding").encode(string),
      decode: (bytes) => part("encoding").decode(bytes),
      report: (error) => part("event").report(error),
      rejected: (type, promise, reason) => part("event").rejected(type, promise, reason),
    },
  });
})();
