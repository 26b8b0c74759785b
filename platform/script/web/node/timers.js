// node:timers: the timers of the web. setImmediate is a timer of no time.
export const { setTimeout, clearTimeout, setInterval, clearInterval } = globalThis;
export const setImmediate = globalThis.setImmediate ?? ((callback, ...args) => setTimeout(callback, 0, ...args));
export const clearImmediate = globalThis.clearImmediate ?? clearTimeout;
export default { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, clearImmediate };
