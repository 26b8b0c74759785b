// Part of core.js: timers and the console.

// --- timers -------------------------------------------------------------------------

const timers = new Map(); // by id: { inv, f, args, every }
let lastTimer = 0;
const LONGEST = 2147483647;

function timer(f, delay, args, repeat) {
  if (typeof f !== "function") throw new TypeError("a timer needs a function");
  const id = ++lastTimer;
  const inv = current;
  if (inv === null) return id; // while the module is evaluated there is nothing to wait in
  const after = delay > 0 && delay <= LONGEST ? Math.ceil(delay) : 0;
  send(TIMER, inv, id, after);
  timers.set(id, { inv, f, args, every: repeat ? Math.max(after, 1) : 0 });
  (inv.timers ??= new Set()).add(id);
  return id;
}

function clear(id) {
  const t = timers.get(id);
  if (t === undefined) return;
  timers.delete(id);
  t.inv.timers.delete(id);
  post(FORGET, t.inv.id, id, 0);
}

function fired(inv, id) {
  const t = timers.get(id);
  if (t === undefined) return;
  if (t.every > 0) {
    send(TIMER, inv, id, t.every);
  } else {
    timers.delete(id);
    inv.timers.delete(id);
  }
  try {
    apply(t.f, undefined, t.args);
  } catch (e) {
    complain(inv, e);
  }
}

hidden(globalThis, "setTimeout", function setTimeout(f, delay, ...args) { return timer(f, delay, args, false); });
hidden(globalThis, "setInterval", function setInterval(f, delay, ...args) { return timer(f, delay, args, true); });
hidden(globalThis, "clearTimeout", function clearTimeout(id) { clear(id); });
hidden(globalThis, "clearInterval", function clearInterval(id) { clear(id); });

// --- console ------------------------------------------------------------------------

const DEBUG = 0, INFO = 1, WARN = 2, ERROR = 3;
const MOST_EARLY = 100;
const early = []; // what was logged while the module was evaluated
let indent = "";

function text(values) {
  if (values.length === 1 && typeof values[0] === "string") return values[0];
  return web.format(values);
}

function log(inv, level, values) {
  let line = text(values);
  if (indent !== "") line = indent + line.replaceAll("\n", `\n${indent}`);
  if (inv !== null) send(LOG, inv, 0, level, line);
  else if (early.length < MOST_EARLY) early.push([level, line]);
}

function flush(inv) {
  if (early.length > 0) for (const [level, line] of early.splice(0)) send(LOG, inv, 0, level, line);
}

// complain logs an error that nobody else will see.
function complain(inv, error, where = "") {
  try {
    const { limit, name, message, stack, hint } = failure(error);
    const said = limit ?? `${name}: ${message}${hint ? `\nhint: ${hint}` : ""}`;
    send(LOG, inv, 0, ERROR, `uncaught ${where}${said}\n${stack ?? ""}`.trimEnd());
  } catch {
    // it has logged too much, or is over
  }
}

// rejected is told of a promise that nobody has handled when its turn is over. Those
// that are rejected while the listeners hear of others are only logged, or it would
// never end.
function rejected(inv, flags, promise, reason) {
  try {
    if (flags & F_EVENT && !web.rejected("unhandledrejection", promise, reason)) return;
  } catch (e) {
    complain(inv, e);
  }
  complain(inv, reason, "(in promise) ");
}

function logger(inv) {
  const f = (...values) => log(inv, INFO, values);
  f.debug = (...values) => log(inv, DEBUG, values);
  f.info = f;
  f.warn = (...values) => log(inv, WARN, values);
  f.error = (...values) => log(inv, ERROR, values);
  return freeze(f);
}

const counts = new Map();
const clocks = new Map();
hidden(globalThis, "console", {
  debug: (...values) => log(current, DEBUG, values),
  log: (...values) => log(current, INFO, values),
  info: (...values) => log(current, INFO, values),
  warn: (...values) => log(current, WARN, values),
  error: (...values) => log(current, ERROR, values),
  dir: (value) => log(current, INFO, [value]),
  dirxml: (...values) => log(current, INFO, values),
  table: (value) => log(current, INFO, [value]),
  trace: (...values) => log(current, INFO, [`Trace: ${text(values)}\n${new Error().stack}`]),
  assert(ok, ...values) {
    if (!ok) log(current, ERROR, ["Assertion failed", ...values]);
  },
  clear() {},
  count(label = "default") {
    const n = (counts.get(label) ?? 0) + 1;
    if (counts.size < 1000) counts.set(label, n);
    log(current, INFO, [`${label}: ${n}`]);
  },
  countReset(label = "default") { counts.delete(label); },
  group(...values) {
    if (values.length > 0) log(current, INFO, values);
    if (indent.length < 40) indent += "  ";
  },
  groupCollapsed(...values) { this.group(...values); },
  groupEnd() { indent = indent.slice(2); },
  time(label = "default") { if (clocks.size < 1000) clocks.set(label, Date.now()); },
  timeLog(label = "default") { if (clocks.has(label)) log(current, INFO, [`${label}: ${Date.now() - clocks.get(label)}ms`]); },
  timeEnd(label = "default") {
    this.timeLog(label);
    clocks.delete(label);
  },
});
