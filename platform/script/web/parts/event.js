// Events without a tree: a target is its own and only path. Also AbortSignal, and
// the global scope as a target of "error" and "unhandledrejection".
const { DOMException } = web.part("exception");

let control; // the dispatcher's view of an event

class Event {
  static NONE = 0;
  static CAPTURING_PHASE = 1;
  static AT_TARGET = 2;
  static BUBBLING_PHASE = 3;

  #type;
  #bubbles;
  #cancelable;
  #composed;
  #target = null;
  #current = null;
  #dispatching = false;
  #stopped = false;
  #halted = false;
  #prevented = false;
  #passive = false;
  #time;

  static {
    control = {
      begin(event, target) {
        if (event.#dispatching) throw new DOMException("the event is being dispatched", "InvalidStateError");
        event.#dispatching = true;
        event.#target = event.#current = target;
      },
      end(event) {
        event.#dispatching = event.#stopped = event.#halted = event.#passive = false;
        event.#current = null;
      },
      passive(event, on) { event.#passive = on; },
      halted: (event) => event.#halted,
    };
  }

  constructor(type, init = undefined) {
    if (arguments.length === 0) throw new TypeError("Event needs a type");
    this.#type = `${type}`;
    init = dictionary(init);
    this.#bubbles = !!init.bubbles;
    this.#cancelable = !!init.cancelable;
    this.#composed = !!init.composed;
    this.#time = web.call("now");
  }
  get type() { return this.#type; }
  get target() { return this.#target; }
  get srcElement() { return this.#target; }
  get currentTarget() { return this.#current; }
  get eventPhase() { return this.#dispatching ? 2 : 0; }
  get bubbles() { return this.#bubbles; }
  get cancelable() { return this.#cancelable; }
  get composed() { return this.#composed; }
  get defaultPrevented() { return this.#prevented; }
  get returnValue() { return !this.#prevented; }
  set returnValue(value) { if (!value) this.preventDefault(); }
  get cancelBubble() { return this.#stopped; }
  set cancelBubble(value) { if (value) this.#stopped = true; }
  get timeStamp() { return this.#time; }
  get isTrusted() { return false; }
  get NONE() { return 0; }
  get CAPTURING_PHASE() { return 1; }
  get AT_TARGET() { return 2; }
  get BUBBLING_PHASE() { return 3; }
  composedPath() { return this.#dispatching ? [this.#target] : []; }
  stopPropagation() { this.#stopped = true; }
  stopImmediatePropagation() { this.#stopped = this.#halted = true; }
  preventDefault() { if (this.#cancelable && !this.#passive) this.#prevented = true; }
  initEvent(type, bubbles = false, cancelable = false) {
    if (this.#dispatching) return;
    this.#type = `${type}`;
    this.#bubbles = !!bubbles;
    this.#cancelable = !!cancelable;
    this.#stopped = this.#halted = this.#prevented = false;
  }
  get [Symbol.toStringTag]() { return "Event"; }
}

function dictionary(init) {
  if (init === undefined || init === null) return {};
  if (typeof init !== "object" && typeof init !== "function") throw new TypeError("the options are no object");
  return init;
}

class CustomEvent extends Event {
  #detail;
  constructor(type, init = undefined) {
    super(type, init);
    this.#detail = dictionary(init).detail ?? null;
  }
  get detail() { return this.#detail; }
  initCustomEvent(type, bubbles = false, cancelable = false, detail = null) {
    if (this.eventPhase) return;
    this.initEvent(type, bubbles, cancelable);
    this.#detail = detail;
  }
  get [Symbol.toStringTag]() { return "CustomEvent"; }
}

class ErrorEvent extends Event {
  #init;
  constructor(type, init = undefined) {
    super(type, init);
    this.#init = { ...dictionary(init) };
  }
  get message() { return `${this.#init.message ?? ""}`; }
  get filename() { return `${this.#init.filename ?? ""}`; }
  get lineno() { return this.#init.lineno >>> 0; }
  get colno() { return this.#init.colno >>> 0; }
  get error() { return this.#init.error; }
  get [Symbol.toStringTag]() { return "ErrorEvent"; }
}

class PromiseRejectionEvent extends Event {
  #promise;
  #reason;
  constructor(type, init) {
    super(type, init);
    if (!init || !("promise" in init)) throw new TypeError("PromiseRejectionEvent needs a promise");
    this.#promise = init.promise;
    this.#reason = init.reason;
  }
  get promise() { return this.#promise; }
  get reason() { return this.#reason; }
  get [Symbol.toStringTag]() { return "PromiseRejectionEvent"; }
}

class MessageEvent extends Event {
  #init;
  constructor(type, init = undefined) {
    super(type, init);
    this.#init = { ...dictionary(init) };
  }
  get data() { return this.#init.data === undefined ? null : this.#init.data; }
  get origin() { return `${this.#init.origin ?? ""}`; }
  get lastEventId() { return `${this.#init.lastEventId ?? ""}`; }
  get source() { return this.#init.source ?? null; }
  get ports() { return this.#init.ports ?? []; }
  get [Symbol.toStringTag]() { return "MessageEvent"; }
}

class EventTarget {
  #listeners = null; // type → list; made when somebody listens

  addEventListener(type, callback, options = undefined) {
    if (arguments.length < 2) throw new TypeError("addEventListener needs a type and a listener");
    if (callback !== null && callback !== undefined && typeof callback !== "object" && typeof callback !== "function")
      throw new TypeError("the listener is no function");
    const capture = captures(options);
    const { once, passive, signal } = typeof options === "object" && options !== null ? options : {};
    if (signal !== undefined && !(signal instanceof AbortSignal)) throw new TypeError("the signal is no AbortSignal");
    if (!callback || signal?.aborted) return;
    type = `${type}`;
    const list = ((this.#listeners ??= new Map()).get(type)) ?? [];
    if (list.some((l) => l.callback === callback && l.capture === capture)) return;
    const listener = { callback, capture, once: !!once, passive: !!passive, removed: false };
    this.#listeners.set(type, [...list, listener]);
    signal?.addEventListener("abort", () => this.removeEventListener(type, callback, options), { once: true });
  }
  removeEventListener(type, callback, options = undefined) {
    if (arguments.length < 2) throw new TypeError("removeEventListener needs a type and a listener");
    const capture = captures(options);
    this.#drop(`${type}`, (l) => l.callback === callback && l.capture === capture);
  }
  dispatchEvent(event) {
    if (!(event instanceof Event)) throw new TypeError("dispatchEvent needs an Event");
    control.begin(event, EventTarget.#scope(this));
    const list = this.#listeners?.get(event.type);
    if (list) for (const capture of [true, false]) this.#invoke(event, list, capture);
    control.end(event);
    return !event.defaultPrevented;
  }
  #invoke(event, list, capture) {
    for (const l of list) {
      if (l.capture !== capture || l.removed) continue;
      if (control.halted(event)) return;
      if (l.once) this.#drop(event.type, (other) => other === l);
      control.passive(event, l.passive);
      try {
        if (typeof l.callback === "function") l.callback.call(event.currentTarget, event);
        else l.callback.handleEvent(event);
      } catch (error) {
        reportError(error);
      }
      control.passive(event, false);
    }
  }
  #drop(type, which) {
    const list = this.#listeners?.get(type);
    if (!list) return;
    for (const l of list) if (which(l)) l.removed = true;
    this.#listeners.set(type, list.filter((l) => !l.removed));
  }
  static #scope(target) { return target === stage ? web.global : target; }
  static observed(target, type) { return !!target.#listeners?.get(type)?.length; }
  get [Symbol.toStringTag]() { return "EventTarget"; }
}
const { observed } = EventTarget;
delete EventTarget.observed;

function captures(options) {
  return typeof options === "object" && options !== null ? !!options.capture : !!options;
}

// attribute defines on[type], which is one listener at the place of its first value.
function attribute(prototype, type) {
  const handlers = new WeakMap();
  Object.defineProperty(prototype, `on${type}`, {
    configurable: true,
    enumerable: true,
    get() { return handlers.get(this)?.value ?? null; },
    set(value) {
      value = typeof value === "function" || (typeof value === "object" && value) ? value : null;
      const handler = handlers.get(this);
      if (handler) {
        handler.value = value;
      } else if (value) {
        const fresh = { value };
        handlers.set(this, fresh);
        this.addEventListener(type, function (event) {
          if (typeof fresh.value === "function" && fresh.value.call(this, event) === false) event.preventDefault();
        });
      }
    },
  });
}

const internal = Symbol();
let abort;

class AbortSignal extends EventTarget {
  #aborted = false;
  #reason = undefined;
  #sources = null; // of a signal made by any
  #dependents = null;

  constructor(key) {
    if (key !== internal) throw new TypeError("Illegal constructor");
    super();
  }
  static {
    abort = (signal, reason) => {
      if (signal.#aborted) return;
      if (reason === undefined) reason = new DOMException("The operation was aborted", "AbortError");
      const all = [signal];
      for (const s of signal.#dependents ?? []) if (!s.#aborted) all.push(s);
      for (const s of all) {
        s.#aborted = true;
        s.#reason = reason;
      }
      for (const s of all) s.dispatchEvent(new Event("abort"));
    };
  }
  static abort(reason = undefined) {
    const signal = new AbortSignal(internal);
    abort(signal, reason);
    return signal;
  }
  static timeout(milliseconds) {
    milliseconds = Number(milliseconds);
    if (!(milliseconds >= 0 && milliseconds <= Number.MAX_SAFE_INTEGER)) throw new TypeError("the time is out of range");
    const signal = new AbortSignal(internal);
    web.global.setTimeout(() => abort(signal, new DOMException("The operation timed out", "TimeoutError")), milliseconds);
    return signal;
  }
  static any(signals) {
    const result = new AbortSignal(internal);
    const list = [...signals];
    for (const s of list) if (!(s instanceof AbortSignal)) throw new TypeError("AbortSignal.any needs signals");
    for (const s of list) {
      if (!s.#aborted) continue;
      result.#aborted = true;
      result.#reason = s.#reason;
      return result;
    }
    result.#sources = new Set();
    for (const s of list) for (const source of s.#sources ?? [s]) AbortSignal.#follow(source, result);
    return result;
  }
  static #follow(source, dependent) {
    dependent.#sources.add(source);
    (source.#dependents ??= new Set()).add(dependent);
  }
  get aborted() { return this.#aborted; }
  get reason() { return this.#reason; }
  throwIfAborted() { if (this.#aborted) throw this.#reason; }
  get [Symbol.toStringTag]() { return "AbortSignal"; }
}
attribute(AbortSignal.prototype, "abort");

class AbortController {
  #signal = new AbortSignal(internal);
  get signal() { return this.#signal; }
  abort(reason = undefined) { abort(this.#signal, reason); }
  get [Symbol.toStringTag]() { return "AbortController"; }
}

// The global scope.
const stage = new EventTarget();
function addEventListener(type, ...rest) {
  if (type === "fetch" || type === "scheduled")
    throw new TypeError(`addEventListener("${type}") is not supported: write export default { async ${type}(…) { … } }`);
  stage.addEventListener(type, ...rest);
}
const removeEventListener = (...args) => stage.removeEventListener(...args);
const dispatchEvent = (event) => emit(event);

// emit also runs the global on… function and tells whether nobody prevented the default.
function emit(event, ...legacy) {
  const handler = web.global[`on${event.type}`];
  if (typeof handler === "function") {
    const answer = handler.apply(web.global, legacy.length ? legacy : [event]);
    if (legacy.length ? answer === true : answer === false) event.preventDefault();
  }
  return stage.dispatchEvent(event);
}

// report announces an uncaught error; true if nobody took care of it, so that it
// belongs in the log. It must not report its own errors without end.
let reporting = false;
function report(error) {
  if (reporting) return true;
  reporting = true;
  try {
    const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return emit(new ErrorEvent("error", { error, message, cancelable: true }), message, "", 0, 0, error);
  } catch {
    return true;
  } finally {
    reporting = false;
  }
}

function reportError(error) {
  if (arguments.length === 0) throw new TypeError("reportError needs an error");
  if (report(error)) web.global.console?.error("Uncaught", error);
}

// rejected announces "unhandledrejection" or "rejectionhandled"; the result is as for report.
function rejected(type, promise, reason) {
  if (!observed(stage, type) && typeof web.global[`on${type}`] !== "function") return true;
  return emit(new PromiseRejectionEvent(type, { promise, reason, cancelable: type === "unhandledrejection" }));
}

return {
  Event, CustomEvent, ErrorEvent, PromiseRejectionEvent, MessageEvent, EventTarget, AbortSignal, AbortController,
  addEventListener, removeEventListener, dispatchEvent, reportError, report, rejected, attribute, abort,
};
