// Small globals: who am I, what time is it.
const { EventTarget } = web.part("event");
const internal = Symbol();

class Navigator {
  constructor(key) { if (key !== internal) throw new TypeError("Illegal constructor"); }
  get userAgent() { return "fazt"; }
  get language() { return "en-US"; }
  get languages() { return Object.freeze(["en-US"]); }
  get hardwareConcurrency() { return 1; }
  get [Symbol.toStringTag]() { return "Navigator"; }
}

class Performance extends EventTarget {
  constructor(key) {
    if (key !== internal) throw new TypeError("Illegal constructor");
    super();
  }
  get timeOrigin() { return web.call("origin"); }
  now() { return web.call("now"); }
  toJSON() { return { timeOrigin: this.timeOrigin }; }
  get [Symbol.toStringTag]() { return "Performance"; }
}

return { Navigator, navigator: new Navigator(internal), Performance, performance: new Performance(internal) };
