// node:timers/promises.
function after(delay, value, { signal } = {}) {
  return new Promise((resolve, reject) => {
    const refuse = () => reject(signal.reason);
    if (signal?.aborted) return refuse();
    const timer = globalThis.setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve(value);
    }, delay);
    function stop() {
      globalThis.clearTimeout(timer);
      refuse();
    }
    signal?.addEventListener("abort", stop, { once: true });
  });
}
export const setTimeout = (delay = 1, value = undefined, options = {}) => after(delay, value, options);
export const setImmediate = (value = undefined, options = {}) => after(0, value, options);
export async function* setInterval(delay = 1, value = undefined, options = {}) {
  for (;;) yield await after(delay, value, options);
}
export const scheduler = { wait: (delay, options) => after(delay, undefined, options), yield: () => after(0) };
export default { setTimeout, setImmediate, setInterval, scheduler };
