// node:assert. CommonJS, because require("assert") is the function itself.
const { inspect, isDeepStrictEqual } = require("node:util");
const isDeepLooseEqual = isDeepStrictEqual[Symbol.for("fazt.loose")];

class AssertionError extends Error {
  constructor({ message, actual, expected, operator }) {
    super(message ?? `${inspect(actual)} ${operator} ${inspect(expected)}`);
    this.generatedMessage = message === undefined;
    this.code = "ERR_ASSERTION";
    this.actual = actual;
    this.expected = expected;
    this.operator = operator;
  }
  get name() { return "AssertionError"; }
}

function refuse(message, actual, expected, operator) {
  if (Error.isError(message)) throw message;
  throw new AssertionError({ message, actual, expected, operator });
}

function ok(value, message) {
  if (!value) refuse(message ?? (arguments.length === 0 ? "No value argument passed to `assert.ok()`" : "The expression evaluated to a falsy value"), value, true, "==");
}
const assert = (...args) => ok(...args);

// compare makes a check of two values, and check.not of its opposite.
const compare = (operator, test) => (actual, expected, message) => {
  if (!test(actual, expected)) refuse(message, actual, expected, operator);
};
const loosely = (a, b) => a == b || (a !== a && b !== b);
const checks = {
  equal: compare("==", loosely),
  notEqual: compare("!=", (a, b) => !loosely(a, b)),
  strictEqual: compare("strictEqual", Object.is),
  notStrictEqual: compare("notStrictEqual", (a, b) => !Object.is(a, b)),
  deepEqual: compare("deepEqual", isDeepLooseEqual),
  notDeepEqual: compare("notDeepEqual", (a, b) => !isDeepLooseEqual(a, b)),
  deepStrictEqual: compare("deepStrictEqual", isDeepStrictEqual),
  notDeepStrictEqual: compare("notDeepStrictEqual", (a, b) => !isDeepStrictEqual(a, b)),
  match: compare("match", (text, pattern) => pattern.test(text)),
  doesNotMatch: compare("doesNotMatch", (text, pattern) => !pattern.test(text)),
};

function fail(message = "Failed") {
  refuse(message, undefined, undefined, "fail");
}
function ifError(value) {
  if (value !== null && value !== undefined) throw Error.isError(value) ? value : new AssertionError({ message: `ifError got unwanted exception: ${inspect(value)}`, actual: value, expected: null, operator: "ifError" });
}

// expected is what an error must be: a class, a pattern, a function or members.
function fits(error, expected) {
  if (expected === undefined) return true;
  if (expected instanceof RegExp) return expected.test(String(error));
  if (typeof expected === "function") {
    if (expected.prototype !== undefined && error instanceof expected) return true;
    if (Error.isPrototypeOf(expected)) return false;
    return expected.call({}, error) === true;
  }
  const keys = Error.isError(expected) ? ["name", "message", ...Object.keys(expected)] : Object.keys(expected);
  return keys.every((k) => (expected[k] instanceof RegExp && typeof error[k] === "string" ? expected[k].test(error[k]) : isDeepStrictEqual(error[k], expected[k])));
}
function caught(error, expected, message, operator) {
  if (typeof expected === "string") return;
  if (fits(error, expected)) return;
  if (typeof expected === "function" && (expected === Error || Error.isPrototypeOf(expected))) throw error;
  refuse(message, error, expected, operator);
}
function throws(fn, expected, message) {
  if (typeof fn !== "function") throw new TypeError('The "fn" argument must be of type function');
  try {
    fn();
  } catch (error) {
    return caught(error, expected, message, "throws");
  }
  refuse(message ?? (typeof expected === "string" ? expected : "Missing expected exception."), undefined, expected, "throws");
}
async function rejects(work, expected, message) {
  try {
    await (typeof work === "function" ? work() : work);
  } catch (error) {
    return caught(error, expected, message, "rejects");
  }
  refuse(message ?? (typeof expected === "string" ? expected : "Missing expected rejection."), undefined, expected, "rejects");
}
function doesNotThrow(fn, expected, message) {
  try {
    fn();
  } catch (error) {
    refuse(`Got unwanted exception.\nActual message: "${error?.message}"`, error, expected, "doesNotThrow");
  }
}
async function doesNotReject(work) {
  try {
    await (typeof work === "function" ? work() : work);
  } catch (error) {
    refuse(`Got unwanted rejection.\nActual message: "${error?.message}"`, error, undefined, "doesNotReject");
  }
}

Object.assign(assert, checks, { ok, fail, ifError, throws, rejects, doesNotThrow, doesNotReject, AssertionError });
assert.strict = Object.assign((...args) => ok(...args), assert, {
  equal: checks.strictEqual, notEqual: checks.notStrictEqual, deepEqual: checks.deepStrictEqual, notDeepEqual: checks.notDeepStrictEqual,
});
assert.strict.strict = assert.strict;
module.exports = assert;
