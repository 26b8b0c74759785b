// What a file of an app's tests imports as "fazt:test", and what runs it. The node
// gives two services beside the app's own bindings: the app, as a visitor meets it,
// and the harness, which is told what begins and ends, does jobs when it is asked
// to, and brings the requests that the app makes to other hosts.

const file = suite("", null);
let current = file; // where test and describe add to
let running = null; // the test that runs
let visitor, harness, origin;
const fakes = []; // the newest first

export const env = {};

function suite(name, parent) {
  return { name, parent, tests: [], beforeAll: [], beforeEach: [], afterEach: [], afterAll: [] };
}

// --- what files of tests call ------------------------------------------------------

export function test(name, options, body) {
  add(name, options, body, {});
}
test.skip = (name, options, body) => add(name, options, body, { skip: true });
test.only = (name, options, body) => add(name, options, body, { only: true });
export const it = test;

function add(name, options, body, marks) {
  if (typeof options === "function") [options, body] = [body, options];
  if (typeof name !== "string" || typeof body !== "function") throw new TypeError("a test is written test(name, async () => { ... })");
  if (running) throw new Error(`test(${show(name)}) is inside of a test: write it beside the others`);
  current.tests.push({ name, body, timeout: options?.timeout ?? 5000, ...marks });
}

export function describe(name, body) {
  const outer = current;
  current = suite(name, outer);
  outer.tests.push(current);
  try {
    if (typeof body()?.then === "function") throw new TypeError(`describe(${show(name)}) is not async: its tests are`);
  } finally {
    current = outer;
  }
}

export const beforeAll = (work) => void current.beforeAll.push(work);
export const beforeEach = (work) => void current.beforeEach.push(work);
export const afterEach = (work) => void current.afterEach.unshift(work);
export const afterAll = (work) => void current.afterAll.unshift(work);

export const app = {
  /** Asks the app as a visitor would: its files, its redirects, its code. */
  fetch(input, { as, ...init } = {}) {
    const request = new Request(typeof input === "string" ? new URL(input, origin) : input, { redirect: "manual", ...init });
    if (new URL(request.url).origin !== origin) throw new TypeError(`app.fetch asks ${origin}, not ${request.url}`);
    const who = typeof as === "string" ? { email: as } : as;
    if (who) request.headers.set("x-fazt-as", encodeURIComponent(JSON.stringify({ id: who.id, email: who.email, name: who.name, roles: who.roles })));
    return visitor.fetch(request);
  },
  /** Delivers what waits in a queue: an item for each message that was delivered. */
  deliver: (queue, options) => ask("/deliver", { queue, delayed: options?.delayed === true }),
  /** Runs a schedule, as if it were its time. */
  cron: (name, options) => ask("/cron", { name, at: options?.at === undefined ? undefined : Number(new Date(options.at)) }),
};

/** Answers what the app asks of other hosts, at an address and below it. */
export function fake(address, answer) {
  const url = new URL(address);
  if (answer !== undefined && typeof answer !== "function" && !(answer instanceof Response)) throw new TypeError("a fake answers with a function, or a Response");
  const made = { origin: url.origin, path: url.pathname.replace(/\/$/, ""), answer, requests: [] };
  fakes.unshift(made);
  return { requests: made.requests };
}

export const expect = (got) => {
  const matchers = (pass) => Object.fromEntries(Object.entries(checks).map(([name, check]) => [name, (...wanted) => pass(check, name, wanted)]));
  const at = (value, negate) => (check, name, wanted) => judge(check, name, value, wanted, negate);
  const settled = (fulfilled, negate) => async (check, name, wanted) => {
    const result = await Promise.resolve(got).then((value) => ({ value, fulfilled: true }), (value) => ({ value, fulfilled: false }));
    if (result.fulfilled !== fulfilled) throw new AssertionError(`the promise was ${result.fulfilled ? "fulfilled" : "rejected"} with ${show(result.value)}`);
    judge(check, name, name === "toThrow" ? () => { throw result.value; } : result.value, wanted, negate);
  };
  return {
    ...matchers(at(got, false)),
    not: matchers(at(got, true)),
    resolves: { ...matchers(settled(true, false)), not: matchers(settled(true, true)) },
    rejects: { ...matchers(settled(false, false)), not: matchers(settled(false, true)) },
  };
};

class AssertionError extends Error {
  name = "AssertionError";
}

function judge(check, name, got, wanted, negate) {
  const wrong = check(got, ...wanted);
  if (!negate && wrong) throw new AssertionError(wrong);
  if (negate && !wrong) throw new AssertionError(`${show(got)} should not hold for .${name}(${wanted.map(show).join(", ")})`);
}

// A check returns what is wrong, or nothing.
const checks = {
  toBe: (got, want) => !Object.is(got, want) && `expected ${show(want)}, got ${show(got)}`,
  toEqual: (got, want) => difference(got, want, false),
  toMatchObject: (got, want) => difference(got, want, true),
  toBeNull: (got) => got !== null && `expected null, got ${show(got)}`,
  toBeUndefined: (got) => got !== undefined && `expected undefined, got ${show(got)}`,
  toBeDefined: (got) => got === undefined && "expected a value, got undefined",
  toBeTruthy: (got) => !got && `expected something true, got ${show(got)}`,
  toBeFalsy: (got) => !!got && `expected something false, got ${show(got)}`,
  toBeInstanceOf: (got, kind) => !(got instanceof kind) && `expected a ${kind.name}, got ${show(got)}`,
  toBeGreaterThan: (got, least) => !(got > least) && `expected more than ${show(least)}, got ${show(got)}`,
  toBeGreaterThanOrEqual: (got, least) => !(got >= least) && `expected at least ${show(least)}, got ${show(got)}`,
  toBeLessThan: (got, most) => !(got < most) && `expected less than ${show(most)}, got ${show(got)}`,
  toBeLessThanOrEqual: (got, most) => !(got <= most) && `expected at most ${show(most)}, got ${show(got)}`,
  toBeCloseTo: (got, want, digits = 2) => !(Math.abs(got - want) < 10 ** -digits / 2) && `expected about ${show(want)}, got ${show(got)}`,
  toHaveLength: (got, want) => got?.length !== want && `expected a length of ${show(want)}, got ${show(got?.length)} of ${show(got)}`,
  toContain: (got, part) => !(typeof got === "string" ? got.includes(part) : [...got].includes(part)) && `expected ${show(part)} in ${show(got)}`,
  toMatch: (got, form) => !fits(got, form) && `expected ${form instanceof RegExp ? form : show(form)} in ${show(got)}`,
  toThrow: thrown,
};

function fits(text, form) {
  return typeof text === "string" && (form instanceof RegExp ? form.test(text) : text.includes(form));
}

function thrown(work, want) {
  if (typeof work !== "function") return "toThrow takes a function: expect(() => work()).toThrow(); of a promise, await expect(promise).rejects.toThrow()";
  try {
    work();
  } catch (error) {
    const message = String(error?.message ?? error);
    if (want === undefined) return;
    if (typeof want === "function") return !(error instanceof want) && `expected a ${want.name} to be thrown, got ${show(error)}`;
    return !fits(message, want) && `expected an error with ${show(want)} to be thrown, got ${show(message)}`;
  }
  return "nothing was thrown";
}

// difference names the first place where two values differ. In a part, fields that
// are not wanted do not count.
function difference(got, want, part, at = "", seen = new Map()) {
  const here = (text) => (at ? `at ${at}: ` : "") + text;
  const plain = `expected ${show(want)}, got ${show(got)}`;
  if (Object.is(got, want)) return;
  if (typeof got !== "object" || typeof want !== "object" || !got || !want) return here(plain);
  if (seen.get(want) === got) return;
  seen.set(want, got);
  if (Object.getPrototypeOf(got) !== Object.getPrototypeOf(want) && !(part && !Array.isArray(want))) return here(plain);
  if (want instanceof Date || want instanceof RegExp || want instanceof URL) return String(got) !== String(want) && here(plain);
  if (want instanceof Error) return got.message !== want.message && here(plain);
  if (want instanceof ArrayBuffer) [got, want] = [new Uint8Array(got), new Uint8Array(want)];
  if (want instanceof Map || want instanceof Set) [got, want] = [[...got], [...want]];
  if (want.length !== undefined && got.length !== want.length) return here(`expected ${want.length} items, got ${got.length}: ${show(got)}`);
  const names = Object.keys(want).concat(part ? [] : Object.keys(got).filter((name) => got[name] !== undefined && !(name in want)));
  for (const name of names) {
    const wrong = difference(got[name], want[name], part, Array.isArray(want) ? `${at}[${name}]` : `${at}.${name}`, seen);
    if (wrong) return wrong;
  }
}

function show(value) {
  const seen = new Set();
  const plain = (_, v) => {
    if (typeof v === "bigint") return `${v}n`;
    if (typeof v === "function") return `function ${v.name}`;
    if (typeof v === "undefined" || typeof v === "symbol") return String(v);
    if (v instanceof Error) return `${v.name}: ${v.message}`;
    if (v instanceof Map || v instanceof Set) return [...v];
    if (ArrayBuffer.isView(v) || v instanceof ArrayBuffer) return `${v.constructor.name} of ${v.byteLength} bytes`;
    if (v instanceof Response) return `Response ${v.status}`;
    if (typeof v === "object" && v !== null) {
      if (seen.has(v)) return "...";
      seen.add(v);
    }
    return v;
  };
  const text = typeof value === "object" && value !== null || typeof value === "string" ? JSON.stringify(value, plain) : String(plain("", value));
  return text.length > 400 ? text.slice(0, 400) + "..." : text;
}

// --- the run -------------------------------------------------------------------------

async function tell(path, what) {
  const answer = await harness.fetch(path, { method: "POST", body: JSON.stringify(what) });
  return answer.status === 204 ? undefined : answer.json();
}

async function ask(path, what) {
  const { error, value } = await tell(path, what);
  if (error) throw new Error(error);
  return value;
}

export default {
  async fetch(request, given) {
    const { __fazt_app, __fazt_test, ...own } = given;
    [visitor, harness] = [__fazt_app, __fazt_test];
    Object.assign(env, own);
    const url = new URL(request.url);
    origin = url.searchParams.get("origin");
    const wanted = new RegExp(url.searchParams.get("grep") ?? "");
    const outgoing = serve();
    const only = marked(file);
    const count = await run(file, (name, t) => wanted.test(name) && (!only || t.only));
    await tell("/done", {});
    await outgoing;
    return Response.json(count);
  },
};

const marked = (s) => s.tests.some((t) => (t.tests ? marked(t) : t.only));
const chosen = (s, choose, name) => s.tests.some((t) => (t.tests ? chosen(t, choose, title(name, t)) : choose(title(name, t), t)));
const title = (outer, t) => (outer ? `${outer} > ${t.name}` : t.name);

// run runs a suite and what is in it. If what comes before all of it fails, so does
// each of its tests.
async function run(of, choose, name = "", broken = null) {
  let count = 0;
  if (!chosen(of, choose, name)) return count;
  broken ??= await attempt(() => inOrder(of.beforeAll), 30_000);
  for (const t of of.tests) {
    if (t.tests) count += await run(t, choose, title(name, t), broken);
    else if (choose(title(name, t), t)) {
      count++;
      await one(of, t, title(name, t), broken);
    }
  }
  const failed = await attempt(() => inOrder(of.afterAll), 30_000);
  if (failed) await tell("/end", { name: title(name, { name: "afterAll" }), ...failed });
  return count;
}

async function one(of, t, name, broken) {
  await tell("/begin", { name });
  if (t.skip) return tell("/end", { name, skipped: true });
  const [kept, after] = [fakes.length, []];
  const context = { name, after: (work) => void after.unshift(work) };
  running = t;
  let failed = broken ?? (await attempt(async () => {
    await inOrder(outward(of).reverse().flatMap((s) => s.beforeEach));
    await t.body(context);
  }, t.timeout));
  const cleaning = await attempt(() => inOrder([...after, ...outward(of).flatMap((s) => s.afterEach)]), 30_000);
  running = null;
  fakes.splice(0, fakes.length - kept);
  failed ??= cleaning;
  return tell("/end", { name, ...failed });
}

const outward = (s) => (s ? [s, ...outward(s.parent)] : []);

async function inOrder(works) {
  for (const work of works) await work();
}

// attempt returns how work failed, or null. What goes on after its time is not
// waited for.
async function attempt(work, timeout) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it took longer than ${timeout} ms`)), timeout);
  });
  try {
    await Promise.race([(async () => work())(), late]);
    return null;
  } catch (error) {
    if (!(error instanceof Error)) return { error: `${show(error)} was thrown`, stack: "" };
    return { error: error.name === "AssertionError" ? error.message : `${error.name}: ${error.message}`, stack: error.stack ?? "" };
  } finally {
    clearTimeout(timer);
  }
}

// --- requests to other hosts -----------------------------------------------------------

async function serve() {
  for (;;) {
    const next = await harness.fetch("/outgoing");
    if (next.status === 204) return;
    answerOne(JSON.parse(decodeURIComponent(next.headers.get("x-fazt-request"))), await next.arrayBuffer());
  }
}

async function answerOne({ id, method, url, headers }, body) {
  let answer, error;
  try {
    answer = await answered(new Request(url, { method, headers, body: method === "GET" || method === "HEAD" ? undefined : body }));
  } catch (thrown) {
    error = `the fake failed: ${thrown instanceof Error ? `${thrown.name}: ${thrown.message}\n${thrown.stack}` : show(thrown)}`;
    if (thrown instanceof Missing) error = thrown.message;
  }
  const told = error ? { id, error } : { id, status: answer.status, headers: [...answer.headers] };
  const bytes = error ? undefined : await answer.arrayBuffer();
  await harness.fetch("/answer", { method: "POST", headers: { "x-fazt-answer": encodeURIComponent(JSON.stringify(told)) }, body: bytes });
}

class Missing extends Error {}

async function answered(request) {
  const at = new URL(request.url);
  const found = fakes.find((f) => f.origin === at.origin && (at.pathname === f.path || at.pathname.startsWith(`${f.path}/`)));
  if (!found) throw new Missing(`no fake answers ${request.method} ${at.origin}${at.pathname}: fake("${at.origin}", () => new Response("ok"))`);
  found.requests.push(request.clone());
  const answer = typeof found.answer === "function" ? await found.answer(request) : found.answer?.clone();
  if (answer instanceof Response) return answer;
  return answer === undefined ? new Response(null, { status: 200 }) : Response.json(answer);
}
