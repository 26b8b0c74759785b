// What Node's events has and the package events has not.
export const errorMonitor = Symbol("events.errorMonitor");
export const captureRejectionSymbol = Symbol.for("nodejs.rejection");

// on is an endless async iterator over the arguments of an event.
export function on(emitter, name, options = {}) {
  const ready = [];
  const waiting = [];
  let ended = null;
  const next = (...args) => (waiting.length ? waiting.shift().resolve({ value: args, done: false }) : ready.push(args));
  const end = (how) => {
    if (ended) return;
    ended = how;
    emitter.removeListener(name, next);
    emitter.removeListener("error", failed);
    for (const w of waiting.splice(0)) how(w);
  };
  const failed = (error) => end((w) => w.reject(error));
  emitter.on(name, next);
  if (name !== "error") emitter.on("error", failed);
  const aborted = () => failed(options.signal.reason);
  if (options.signal?.aborted) throw options.signal.reason;
  options.signal?.addEventListener("abort", aborted, { once: true });
  return {
    next() {
      if (ready.length) return Promise.resolve({ value: ready.shift(), done: false });
      const w = Promise.withResolvers();
      if (ended) ended(w);
      else waiting.push(w);
      return w.promise;
    },
    return() {
      end((w) => w.resolve({ value: undefined, done: true }));
      return Promise.resolve({ value: undefined, done: true });
    },
    throw(error) {
      failed(error);
      return Promise.reject(error);
    },
    [Symbol.asyncIterator]() { return this; },
  };
}

export const getEventListeners = (emitter, name) => emitter.listeners?.(name) ?? [];
export function setMaxListeners(n, ...emitters) {
  for (const e of emitters) e.setMaxListeners?.(n);
}
