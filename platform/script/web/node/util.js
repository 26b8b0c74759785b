// node:util, as far as packages on the web use it.
import * as types from "node:util/types";

const node = globalThis[Symbol.for("fazt.node")];
const { TextEncoder, TextDecoder } = globalThis;
const { inspect } = node;
const format = (...args) => node.format(args);
const formatWithOptions = (options, ...args) => node.format(args);

const custom = Symbol.for("nodejs.util.promisify.custom");
function promisify(original) {
  if (typeof original !== "function") throw new TypeError('The "original" argument must be of type function');
  if (original[custom]) return original[custom];
  const promised = function (...args) {
    return new Promise((resolve, reject) => original.call(this, ...args, (error, value) => (error ? reject(error) : resolve(value))));
  };
  return Object.defineProperties(Object.setPrototypeOf(promised, Object.getPrototypeOf(original)), Object.getOwnPropertyDescriptors(original));
}
promisify.custom = custom;

function callbackify(original) {
  return function (...args) {
    const callback = args.pop();
    original.apply(this, args).then(
      (value) => queueMicrotask(() => callback(null, value)),
      (error) => queueMicrotask(() => callback(error || Object.assign(new Error("Promise was rejected with a falsy value"), { reason: error }))),
    );
  };
}

function inherits(constructor, parent) {
  Object.defineProperty(constructor, "super_", { value: parent, writable: true, configurable: true });
  Object.setPrototypeOf(constructor.prototype, parent.prototype);
}

function deprecate(fn, message, code) {
  let warned = false;
  return function (...args) {
    if (!warned) globalThis.console?.warn(`DeprecationWarning: ${message}${code ? ` [${code}]` : ""}`);
    warned = true;
    return Reflect.construct === undefined || new.target === undefined ? fn.apply(this, args) : Reflect.construct(fn, args, new.target);
  };
}

const debuglog = () => Object.assign(() => {}, { enabled: false });
const debug = debuglog;
const stripVTControlCharacters = (text) => `${text}`.replace(/\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007]*(?:\u0007|\u001b\\))/g, "");
const toUSVString = (text) => `${text}`.toWellFormed();
const isArray = Array.isArray;

function isDeepStrictEqual(a, b) {
  return equal(a, b, true, new Map());
}

// equal compares as node:assert does: strictly, or with == between primitives.
function equal(a, b, strict, seen) {
  if (strict ? Object.is(a, b) : a == b || (a !== a && b !== b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (strict && Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  if (seen.get(a) === b) return true;
  seen.set(a, b);
  return contents(a, b, strict, seen) && members(a, b, strict, seen);
}
function contents(a, b, strict, seen) {
  if (a instanceof Date || b instanceof Date) return a instanceof Date && b instanceof Date && Object.is(+a, +b);
  if (a instanceof RegExp || b instanceof RegExp) return String(a) === String(b) && a.lastIndex === b.lastIndex;
  if (Error.isError(a) || Error.isError(b)) return Error.isError(a) && Error.isError(b) && a.name === b.name && a.message === b.message && equal(a.cause, b.cause, strict, seen);
  if (types.isBoxedPrimitive(a) || types.isBoxedPrimitive(b)) return types.isBoxedPrimitive(a) && types.isBoxedPrimitive(b) && Object.is(a.valueOf(), b.valueOf());
  if (a instanceof ArrayBuffer || b instanceof ArrayBuffer) return a instanceof ArrayBuffer && b instanceof ArrayBuffer && same(new Uint8Array(a), new Uint8Array(b));
  if (ArrayBuffer.isView(a) || ArrayBuffer.isView(b)) {
    if (!ArrayBuffer.isView(a) || !ArrayBuffer.isView(b) || a.constructor !== b.constructor) return false;
    return a instanceof DataView ? same(new Uint8Array(a.buffer, a.byteOffset, a.byteLength), new Uint8Array(b.buffer, b.byteOffset, b.byteLength)) : same(a, b);
  }
  if (a instanceof Set || b instanceof Set) return a instanceof Set && b instanceof Set && sets(a, b, strict, seen);
  if (a instanceof Map || b instanceof Map) return a instanceof Map && b instanceof Map && maps(a, b, strict, seen);
  return true;
}
const same = (a, b) => a.length === b.length && a.every((x, i) => Object.is(x, b[i]));
function sets(a, b, strict, seen) {
  if (a.size !== b.size) return false;
  const left = [...b];
  return [...a].every((x) => take(left, (y) => equal(x, y, strict, new Map(seen))));
}
function maps(a, b, strict, seen) {
  if (a.size !== b.size) return false;
  const left = [...b];
  return [...a].every(([k, v]) => take(left, ([l, w]) => equal(k, l, strict, new Map(seen)) && equal(v, w, strict, new Map(seen))));
}
function take(list, which) {
  const at = list.findIndex(which);
  if (at >= 0) list.splice(at, 1);
  return at >= 0;
}
function members(a, b, strict, seen) {
  if (ArrayBuffer.isView(a)) return true;
  const keys = keysOf(a, strict);
  if (keys.length !== keysOf(b, strict).length) return false;
  if (Array.isArray(a) && a.length !== b.length) return false;
  return keys.every((k) => Object.hasOwn(b, k) && equal(a[k], b[k], strict, seen));
}
const keysOf = (o, strict) => [...Object.keys(o), ...(strict ? Object.getOwnPropertySymbols(o).filter((s) => Object.prototype.propertyIsEnumerable.call(o, s)) : [])];
// For node:assert, whose loose comparison is this one.
const isDeepLooseEqual = (a, b) => equal(a, b, false, new Map());
Object.defineProperty(isDeepStrictEqual, Symbol.for("fazt.loose"), { value: isDeepLooseEqual });

export { TextEncoder, TextDecoder, inspect, format, formatWithOptions, promisify, callbackify, inherits, deprecate, debuglog, debug, stripVTControlCharacters, toUSVString, isArray, isDeepStrictEqual, types };
export default { TextEncoder, TextDecoder, inspect, format, formatWithOptions, promisify, callbackify, inherits, deprecate, debuglog, debug, stripVTControlCharacters, toUSVString, isArray, isDeepStrictEqual, types };
