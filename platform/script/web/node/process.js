// node:process: what packages look at to find out where they are. There is no
// environment: an app's settings come as env of its handler.
const started = performance.now();

export const env = {};
export const argv = ["fazt"];
export const execArgv = [];
export const version = "";
export const versions = {};
export const platform = "linux";
export const arch = "";
export const pid = 1;
export const title = "fazt";
export const release = { name: "fazt" };
export const browser = false;
export const exitCode = undefined;
export const cwd = () => "/";
export const uptime = () => (performance.now() - started) / 1000;
export function nextTick(callback, ...args) {
  if (typeof callback !== "function") throw new TypeError('The "callback" argument must be of type function');
  queueMicrotask(() => callback(...args));
}
export function hrtime(before) {
  const now = performance.now();
  let [s, n] = [Math.floor(now / 1000), Math.floor((now % 1000) * 1e6)];
  if (before) {
    s -= before[0];
    n -= before[1];
    if (n < 0) [s, n] = [s - 1, n + 1e9];
  }
  return [s, n];
}
hrtime.bigint = () => BigInt(Math.floor(performance.now() * 1e6));
export function emitWarning(warning, ...rest) {
  console.warn(Error.isError(warning) ? warning : `Warning: ${warning}`, ...rest.filter((x) => typeof x === "string"));
}
export function exit() {
  throw new Error("process.exit is not supported: return a Response or throw");
}
// Events of a process never come here, so nobody is called.
export const on = () => process;
export const once = on;
export const off = on;
export const addListener = on;
export const removeListener = on;
export const removeAllListeners = on;
export function emit(event, what) {
  if (event === "uncaughtException" || event === "unhandledRejection") console.error(what); // packages report here
  return false;
}
export const listeners = () => [];
const output = (write) => ({ isTTY: false, write: (text) => (write(`${text}`.replace(/\n$/, "")), true) });
export const stdout = output((text) => console.log(text));
export const stderr = output((text) => console.error(text));

const process = { env, argv, execArgv, version, versions, platform, arch, pid, title, release, browser, exitCode, cwd, uptime, nextTick, hrtime, emitWarning, exit, on, once, off, addListener, removeListener, removeAllListeners, emit, listeners, stdout, stderr };
export default process;
