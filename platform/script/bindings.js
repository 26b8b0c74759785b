// The objects of env, as an app sees them. Each factory takes the binding's name,
// what the node says of it, and call(method, args, body), which resolves to
// { value, body } or rejects with an Error that has a code. What may be asked is
// decided by the node, which looks at every call again: the checks here are for
// messages that name the argument. Shapes follow Cloudflare's where they have one.
//
// Streams are touched only where an app uses one, as loading them costs a
// millisecond in a new machine.

// --- what all of them need ----------------------------------------------------------

function refuse(what, message) {
  const e = new TypeError(`${what}: ${message}`);
  e.code = "invalid";
  throw e;
}

function show(v) {
  if (v === null) return "null";
  if (Array.isArray(v)) return "an array";
  if (typeof v === "object") return "an object";
  if (typeof v === "string") return JSON.stringify(v.slice(0, 40));
  return typeof v === "number" || typeof v === "boolean" || v === undefined ? String(v) : `a ${typeof v}`;
}

const isRecord = (v) => typeof v === "object" && v !== null && !Array.isArray(v);

function text(what, v) {
  if (typeof v !== "string") refuse(what, `must be a string, not ${show(v)}`);
  return v;
}

function whole(what, v, least, most = Number.MAX_SAFE_INTEGER) {
  if (v === undefined) return undefined;
  if (!Number.isSafeInteger(v) || v < least || v > most) refuse(what, `must be a whole number from ${least} to ${most}, not ${show(v)}`);
  return v;
}

// options checks the names of an options object: a misspelt one would be a setting
// that silently has no effect.
function options(what, v, names) {
  if (v === undefined || v === null) return {};
  if (!isRecord(v)) refuse(what, `must be an object, not ${show(v)}`);
  for (const name of Object.keys(v)) {
    if (!names.includes(name)) refuse(what, `has no option ${JSON.stringify(name)}; there are ${names.join(", ")}`);
  }
  return v;
}

function json(what, v) {
  let s;
  try {
    s = JSON.stringify(v);
  } catch (e) {
    refuse(what, `cannot be JSON: ${e.message}`);
  }
  if (s === undefined) refuse(what, `cannot be JSON: it is ${show(v)}`);
  return v;
}

function userId(what, u) {
  const id = isRecord(u) ? u.id : u;
  if (typeof id === "number" && Number.isSafeInteger(id)) return String(id);
  if (typeof id !== "string" || id === "") refuse(what, `must be a user with an id or the id itself, not ${show(u)}`);
  return id;
}

function seconds(what, v) {
  if (v instanceof Date) return Math.floor(v.getTime() / 1000);
  return whole(what, v, 0);
}

// Small values travel with the call, as a body costs frames of its own.
const INLINE = 32768;

// content splits what is to be stored into what goes with the arguments and what
// goes as a body.
function content(what, v) {
  if (typeof v === "string") return v.length <= INLINE ? { text: v } : { body: v };
  const bytes = asBytes(v);
  if (bytes) return { body: bytes };
  if (v instanceof ReadableStream) return { body: v };
  if (v instanceof Blob) return { body: v.stream() };
  refuse(what, `must be a string, an ArrayBuffer, a view of one, a ReadableStream or a Blob, not ${show(v)}`);
}

function asBytes(v) {
  if (v instanceof ArrayBuffer) return new Uint8Array(v);
  if (ArrayBuffer.isView(v)) return new Uint8Array(v.buffer, v.byteOffset, v.byteLength);
  return null;
}

const toBase64 = (bytes) => bytes.toBase64();
const fromBase64 = (s) => Uint8Array.fromBase64(s);

// drain reads a body to its end.
async function drain(body) {
  const parts = [];
  let size = 0;
  for (let reader = body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    size += value.length;
  }
  if (parts.length === 1) return parts[0];
  const all = new Uint8Array(size);
  let at = 0;
  for (const p of parts) {
    all.set(p, at);
    at += p.length;
  }
  return all;
}

const utf8 = (bytes) => new TextDecoder().decode(bytes);
const bufferOf = (b) => (b.byteLength === b.buffer.byteLength ? b.buffer : b.buffer.slice(b.byteOffset, b.byteOffset + b.byteLength));

// streamOf makes a stream of bytes that are there already.
function streamOf(bytes) {
  return new ReadableStream({
    start(c) {
      if (bytes.length) c.enqueue(bytes);
      c.close();
    },
  });
}

// uploads are the streams whose bytes a visitor may have sent: an answer made of
// one is marked, so that it never runs as a page of the app.
export const uploads = new WeakSet();

// fix freezes classes whole: a handler must not be able to change what the next
// request in this machine gets.
function fix(...classes) {
  for (const c of classes) {
    Object.freeze(c.prototype);
    Object.freeze(c);
  }
}

// Port is one binding's way to the node: it adds the user of a per-user view to
// every call.
class Port {
  constructor(name, call, more) {
    this.name = name;
    this.call = call;
    this.more = more;
  }
  send(method, args, body = null) {
    return this.call(method, this.more ? { ...args, ...this.more } : args, body);
  }
  // view is the same for one user. A view of a view would leave it.
  view(u) {
    const user = userId(`${this.name}.user`, u);
    if (this.more) refuse(`${this.name}.user`, "this is a user's view already");
    return new Port(this.name, this.call, { user });
  }
}

// --- kv -----------------------------------------------------------------------------

const KV_TYPES = ["text", "json", "arrayBuffer", "stream"];
const KV_PUT = ["expiration", "expirationTtl", "metadata"];

function kvType(what, o) {
  const type = typeof o === "string" ? o : options(what, o, ["type", "cacheTtl"]).type ?? "text";
  if (!KV_TYPES.includes(type)) refuse(what, `type must be one of ${KV_TYPES.join(", ")}, not ${show(type)}`);
  return type;
}

// kvValue makes what was asked for of { text } or { bytes } or a body.
async function kvValue(type, v, body) {
  if (type === "stream") {
    const s = body ?? streamOf(v.text !== undefined ? new TextEncoder().encode(v.text) : fromBase64(v.bytes));
    uploads.add(s);
    return s;
  }
  if (type === "arrayBuffer") {
    if (body) return bufferOf(await drain(body));
    return bufferOf(v.text !== undefined ? new TextEncoder().encode(v.text) : fromBase64(v.bytes));
  }
  const s = body ? utf8(await drain(body)) : v.text ?? utf8(fromBase64(v.bytes));
  return type === "json" ? JSON.parse(s) : s;
}

// The plain forms of get, put and insert are most of all calls, and have one promise:
// each await more costs as much as a short function.
function kvText({ value, body }) {
  return value === null ? null : body === null && value.text !== undefined ? value.text : kvValue("text", value, body);
}

function nothing() {}

class KV {
  #port;
  constructor(port) {
    this.#port = port;
    Object.freeze(this);
  }
  #what(method) {
    return `${this.#port.name}.${method}`;
  }
  async #read(method, key, o) {
    const what = this.#what(method);
    const type = kvType(what, o);
    const { value, body } = await this.#port.send("get", { key: text(`${what}: key`, key) });
    if (value === null) return { value: null, metadata: null, version: 0, cacheStatus: null };
    return { value: await kvValue(type, value, body), metadata: value.metadata ?? null, version: value.version, cacheStatus: null };
  }
  async #many(method, keys, o) {
    const what = this.#what(method);
    const type = kvType(what, o);
    if (type === "stream") refuse(what, "several keys are not read as streams");
    if (!Array.isArray(keys)) refuse(`${what}: keys`, `must be an array, not ${show(keys)}`);
    keys.forEach((k, i) => text(`${what}: keys[${i}]`, k));
    const { value } = await this.#port.send("getMany", { keys });
    const found = new Map();
    for (let i = 0; i < keys.length; i++) {
      const v = value.values[i];
      found.set(keys[i], v && { value: await kvValue(type, v, null), metadata: v.metadata ?? null });
    }
    return found;
  }
  get(key, o) {
    if (o === undefined && typeof key === "string") return this.#port.send("get", { key }).then(kvText);
    return this.#get(key, o);
  }
  async #get(key, o) {
    if (Array.isArray(key)) return this.getMany(key, o);
    return (await this.#read("get", key, o)).value;
  }
  async getMany(keys, o) {
    const found = await this.#many("getMany", keys, o);
    for (const [k, v] of found) found.set(k, v ? v.value : null);
    return found;
  }
  async getWithMetadata(key, o) {
    if (!Array.isArray(key)) return this.#read("getWithMetadata", key, o);
    const found = await this.#many("getWithMetadata", key, o);
    for (const [k, v] of found) found.set(k, v ?? { value: null, metadata: null });
    return found;
  }
  async #write(method, key, value, o, more) {
    const what = this.#what(method);
    const set = options(what, o, KV_PUT);
    const { body = null, ...inline } = content(`${what}: value`, value);
    const args = {
      key: text(`${what}: key`, key), ...inline, ...more,
      expiration: seconds(`${what}: expiration`, set.expiration), ttl: whole(`${what}: expirationTtl`, set.expirationTtl, 1),
      metadata: set.metadata === undefined || set.metadata === null ? undefined : json(`${what}: metadata`, set.metadata),
    };
    return (await this.#port.send("put", args, body)).value;
  }
  put(key, value, o) {
    if (o === undefined && typeof key === "string" && typeof value === "string" && value.length <= INLINE)
      return this.#port.send("put", { key, text: value }).then(nothing);
    return this.#put(key, value, o);
  }
  async #put(key, value, o) {
    await this.#write("put", key, value, o, {});
  }
  // putIfVersion writes where the version is still the one that was read, 0 for a
  // key that is not there. It resolves to the new version, or null.
  async putIfVersion(key, value, version, o) {
    const v = await this.#write("putIfVersion", key, value, o, { version: whole(`${this.#what("putIfVersion")}: version`, version ?? -1, 0) });
    return v === null ? null : v.version;
  }
  async delete(key) {
    await this.#port.send("delete", { key: text(`${this.#what("delete")}: key`, key) });
  }
  async incr(key, by = 1, o) {
    const what = this.#what("incr");
    const set = options(what, o, ["expiration", "expirationTtl"]);
    const args = {
      key: text(`${what}: key`, key), by: whole(`${what}: by`, by, Number.MIN_SAFE_INTEGER),
      expiration: seconds(`${what}: expiration`, set.expiration), ttl: whole(`${what}: expirationTtl`, set.expirationTtl, 1),
    };
    return (await this.#port.send("incr", args)).value;
  }
  async list(o) {
    const what = this.#what("list");
    const set = options(what, o, ["prefix", "limit", "cursor"]);
    const { value } = await this.#port.send("list", {
      prefix: set.prefix === undefined || set.prefix === null ? undefined : text(`${what}: prefix`, set.prefix),
      limit: whole(`${what}: limit`, set.limit, 1, 1000),
      cursor: set.cursor === undefined || set.cursor === null ? undefined : text(`${what}: cursor`, set.cursor),
    });
    return { keys: value.keys, list_complete: !value.cursor, ...(value.cursor ? { cursor: value.cursor } : {}), cacheStatus: null };
  }
  user(u) {
    return new KV(this.#port.view(u));
  }
}

// --- sql ----------------------------------------------------------------------------

// Numbers that JSON would change travel as objects of one member.
function toSQL(what, v) {
  switch (typeof v) {
    case "string":
      return v;
    case "boolean":
      return v ? 1 : 0;
    case "number":
      if (!Number.isFinite(v)) refuse(what, `${v} is no value of SQL`);
      return v;
    case "bigint":
      if (BigInt.asIntN(64, v) !== v) refuse(what, "does not fit 64 bits");
      return { $i: String(v) };
    case "object": {
      if (v === null) return null;
      const bytes = asBytes(v);
      if (bytes) return { $b: toBase64(bytes) };
    }
  }
  refuse(what, `must be null, a number, a string, a boolean, a bigint or bytes, not ${show(v)}`);
}

function fromSQL(v) {
  if (typeof v !== "object" || v === null) return v;
  if (v.$b !== undefined) return bufferOf(fromBase64(v.$b));
  if (v.$i !== undefined) return BigInt(v.$i);
  return Number(v.$n);
}

function sqlResult(v) {
  const results = v.rows.map((row) => {
    const o = {};
    for (let i = 0; i < row.length; i++) o[v.columns[i]] = fromSQL(row[i]);
    return o;
  });
  const meta = { duration: v.duration, changes: v.changes, last_row_id: v.last, changed_db: v.written > 0, rows_read: results.length, rows_written: v.written };
  return { success: true, results, meta };
}

let statementOf; // the text and parameters of a statement that an app hands back

class Statement {
  #port;
  #sql;
  #params;
  constructor(port, sql, params) {
    this.#port = port;
    this.#sql = sql;
    this.#params = params;
    Object.freeze(this);
  }
  static {
    statementOf = (s) => (typeof s === "object" && s !== null && #sql in s ? { sql: s.#sql, params: s.#params } : null);
  }
  bind(...values) {
    return new Statement(this.#port, this.#sql, values.map((v, i) => toSQL(`bind: parameter ${i + 1}`, v)));
  }
  async #query(first) {
    return (await this.#port.send("query", { sql: this.#sql, params: this.#params, first })).value;
  }
  async all() {
    return sqlResult(await this.#query());
  }
  async run() {
    return sqlResult(await this.#query());
  }
  async first(column) {
    const v = await this.#query(true);
    if (v.rows.length === 0) return null;
    if (column === undefined) return sqlResult(v).results[0];
    const at = v.columns.indexOf(text("first: column", column));
    if (at < 0) refuse("first: column", `there is no column ${JSON.stringify(column)}`);
    return fromSQL(v.rows[0][at]);
  }
  async raw(o) {
    const set = options("raw", o, ["columnNames"]);
    const v = await this.#query();
    const rows = v.rows.map((row) => row.map(fromSQL));
    return set.columnNames ? [v.columns, ...rows] : rows;
  }
}

class SQL {
  #port;
  constructor(port) {
    this.#port = port;
    Object.freeze(this);
  }
  prepare(sql) {
    return new Statement(this.#port, text(`${this.#port.name}.prepare: query`, sql), []);
  }
  // batch runs statements as one: all of them or none.
  async batch(statements) {
    const what = `${this.#port.name}.batch: statements`;
    if (!Array.isArray(statements)) refuse(what, `must be an array, not ${show(statements)}`);
    const list = statements.map((s, i) => statementOf(s) ?? refuse(`${what}[${i}]`, "must come from prepare"));
    return (await this.#port.send("batch", { statements: list })).value.results.map(sqlResult);
  }
  async exec(sql) {
    return (await this.#port.send("exec", { sql: text(`${this.#port.name}.exec: query`, sql) })).value;
  }
  // transaction calls work(tx), and keeps what it did if that resolves.
  async transaction(work) {
    const port = this.#port;
    if (typeof work !== "function") refuse(`${port.name}.transaction`, `must get a function, not ${show(work)}`);
    if (port.more?.tx) refuse(`${port.name}.transaction`, "is within a transaction already");
    const { tx } = (await port.send("begin", {})).value;
    const inside = new Port(port.name, port.call, { ...port.more, tx });
    let result;
    try {
      result = await work(new SQL(inside));
    } catch (e) {
      await inside.send("rollback", {}).catch(() => {}); // the first error is the one to know
      throw e;
    }
    await inside.send("commit", {});
    return result;
  }
  user() {
    refuse(`${this.#port.name}.user`, "tables of SQL have no view of one user; keep the id in a column and compare it");
  }
}

// --- queue --------------------------------------------------------------------------

const QUEUE_SEND = ["delaySeconds", "uniqueKey", "priority", "contentType"];

function message(what, body, o) {
  const set = options(what, o, QUEUE_SEND);
  if (set.contentType !== undefined && set.contentType !== "json" && set.contentType !== "text") refuse(`${what}: contentType`, `must be json or text, not ${show(set.contentType)}`);
  if (set.contentType === "text") text(`${what}: body`, body);
  return {
    body: json(`${what}: body`, body), delay: whole(`${what}: delaySeconds`, set.delaySeconds, 0), priority: whole(`${what}: priority`, set.priority, -100, 100),
    unique: set.uniqueKey === undefined ? undefined : text(`${what}: uniqueKey`, set.uniqueKey),
  };
}

class Queue {
  #port;
  constructor(port) {
    this.#port = port;
    Object.freeze(this);
  }
  async send(body, o) {
    return (await this.#port.send("send", { messages: [message(`${this.#port.name}.send`, body, o)] })).value.ids[0];
  }
  async sendBatch(messages, o) {
    const what = `${this.#port.name}.sendBatch`;
    const all = options(what, o, ["delaySeconds"]);
    if (messages === null || typeof messages?.[Symbol.iterator] !== "function") refuse(`${what}: messages`, `must be iterable, not ${show(messages)}`);
    const list = Array.from(messages, (m, i) => {
      if (!isRecord(m)) refuse(`${what}: messages[${i}]`, `must be an object with a body, not ${show(m)}`);
      const { body, ...rest } = m;
      return message(`${what}: messages[${i}]`, body, { ...all, ...rest });
    });
    return (await this.#port.send("send", { messages: list })).value.ids;
  }
}

// --- service and assets ---------------------------------------------------------------

class Fetcher {
  #port;
  constructor(port) {
    this.#port = port;
    Object.freeze(this);
  }
  async fetch(input, init) {
    const r = new Request(typeof input === "string" && input[0] === "/" ? `http://${HERE}${input}` : input instanceof URL ? input.href : input, init);
    r.signal.throwIfAborted();
    const args = { url: r.url, method: r.method, headers: [...r.headers], redirect: r.redirect };
    const { value, body } = await this.#port.send("fetch", args, r.body);
    const answer = new Response(NO_BODY.includes(value.status) ? null : body, { status: value.status, headers: value.headers });
    return Object.defineProperty(answer, "url", { value: value.url ?? r.url });
  }
}

const HERE = "app.internal"; // for those who ask a binding for a path alone
const NO_BODY = [101, 204, 205, 304];

// --- blobs --------------------------------------------------------------------------

const HTTP = ["contentType", "contentLanguage", "contentDisposition", "contentEncoding", "cacheControl", "cacheExpiry"];
const HTTP_HEADERS = { contentType: "content-type", contentLanguage: "content-language", contentDisposition: "content-disposition", contentEncoding: "content-encoding", cacheControl: "cache-control" };

// httpMetadata takes the record of Cloudflare's or the headers of a request.
function httpMetadata(what, v) {
  if (v === undefined || v === null) return undefined;
  if (typeof v.get === "function" && typeof v.append === "function") {
    const set = {};
    for (const [name, header] of Object.entries(HTTP_HEADERS)) if (v.has(header)) set[name] = v.get(header);
    return set;
  }
  const set = { ...options(what, v, HTTP) };
  for (const [name, s] of Object.entries(set)) {
    if (s === undefined || s === null) delete set[name];
    else if (name === "cacheExpiry") set[name] = new Date(s).toISOString();
    else text(`${what}.${name}`, s);
  }
  return set;
}

function customMetadata(what, v) {
  if (v === undefined || v === null) return undefined;
  if (!isRecord(v)) refuse(what, `must be an object of strings, not ${show(v)}`);
  for (const [name, s] of Object.entries(v)) text(`${what}.${name}`, s);
  return v;
}

function range(what, v) {
  if (v === undefined || v === null) return undefined;
  if (typeof v.get === "function") {
    const m = /^bytes=(\d*)-(\d*)$/.exec(v.get("range") ?? "");
    if (!m || (m[1] === "" && m[2] === "")) return undefined; // as a server may: the whole
    if (m[1] === "") return { suffix: Number(m[2]) };
    const from = Number(m[1]);
    if (m[2] === "") return { offset: from };
    return Number(m[2]) < from ? undefined : { offset: from, length: Number(m[2]) - from + 1 };
  }
  const { offset, length, suffix } = options(what, v, ["offset", "length", "suffix"]);
  if (suffix !== undefined && (offset !== undefined || length !== undefined)) refuse(what, "suffix stands alone");
  return { offset: whole(`${what}.offset`, offset, 0), length: whole(`${what}.length`, length, 1), suffix: whole(`${what}.suffix`, suffix, 1) };
}

const unquote = (tag) => tag.trim().replace(/^W\//, "").replace(/^"(.*)"$/, "$1");

// condition takes R2Conditional or the headers of a request.
function condition(what, v) {
  if (v === undefined || v === null) return undefined;
  const when = (s) => (s === null || s === undefined ? undefined : new Date(s).getTime());
  const tags = (s) => (s === null || s === undefined ? undefined : String(s).split(",").map(unquote));
  if (typeof v.get === "function") {
    return { match: tags(v.get("if-match")), noneMatch: tags(v.get("if-none-match")), before: when(v.get("if-unmodified-since")), after: when(v.get("if-modified-since")) };
  }
  const c = options(what, v, ["etagMatches", "etagDoesNotMatch", "uploadedBefore", "uploadedAfter", "secondsGranularity"]);
  return { match: tags(c.etagMatches), noneMatch: tags(c.etagDoesNotMatch), before: when(c.uploadedBefore), after: when(c.uploadedAfter) };
}

// Types that a browser runs or renders with the rights of the page's origin.
const ACTIVE = /^\s*(text\/html|text\/xml|application\/xml|image\/svg|application\/xhtml|application\/rdf|application\/mathml|text\/xsl|multipart\/x-mixed-replace|[^;]*\+xml)/i;

class BlobInfo {
  constructor(v) {
    this.key = v.key;
    this.version = v.version;
    this.size = v.size;
    this.etag = v.etag;
    this.httpEtag = `"${v.etag}"`;
    this.uploaded = new Date(v.uploaded);
    this.httpMetadata = v.http ?? {};
    if (this.httpMetadata.cacheExpiry) this.httpMetadata.cacheExpiry = new Date(this.httpMetadata.cacheExpiry);
    this.customMetadata = v.custom ?? {};
    this.checksums = { sha256: v.sha256 };
    this.storageClass = "Standard";
    if (v.range) this.range = v.range;
    if (new.target === BlobInfo) Object.freeze(this);
  }
  // writeHttpMetadata sets what was stored with the blob. Of types that would run
  // as a page of this app it makes a download.
  writeHttpMetadata(headers) {
    for (const [name, header] of Object.entries(HTTP_HEADERS)) if (this.httpMetadata[name]) headers.set(header, this.httpMetadata[name]);
    if (this.httpMetadata.cacheExpiry) headers.set("expires", this.httpMetadata.cacheExpiry.toUTCString());
    headers.set("x-content-type-options", "nosniff");
    if (ACTIVE.test(this.httpMetadata.contentType ?? "")) {
      headers.set("content-security-policy", "sandbox");
      if (!this.httpMetadata.contentDisposition) headers.set("content-disposition", "attachment");
    }
  }
}

class BlobBody extends BlobInfo {
  #used = false;
  constructor(v, body) {
    super(v);
    this.body = body;
    Object.freeze(this);
  }
  get bodyUsed() {
    return this.#used || this.body.locked;
  }
  async bytes() {
    if (this.bodyUsed) refuse("body", "has been read already");
    this.#used = true;
    return drain(this.body);
  }
  async arrayBuffer() {
    return bufferOf(await this.bytes());
  }
  async text() {
    return utf8(await this.bytes());
  }
  async json() {
    return JSON.parse(await this.text());
  }
  async blob() {
    return new Blob([await this.bytes()], { type: this.httpMetadata.contentType ?? "" });
  }
}

class Upload {
  #port;
  constructor(port, key, uploadId) {
    this.#port = port;
    this.key = key;
    this.uploadId = uploadId;
    Object.freeze(this);
  }
  async uploadPart(partNumber, value) {
    const { text: s, body } = content("uploadPart: value", value);
    const args = { key: this.key, upload: this.uploadId, part: whole("uploadPart: partNumber", partNumber ?? -1, 1, 10000) };
    const { value: v } = await this.#port.send("uploadPart", args, body ?? s);
    return { partNumber: v.part, etag: v.etag };
  }
  async complete(parts) {
    if (!Array.isArray(parts)) refuse("complete: parts", `must be an array, not ${show(parts)}`);
    const list = parts.map((p, i) => ({ part: whole(`complete: parts[${i}].partNumber`, p?.partNumber ?? -1, 1, 10000), etag: text(`complete: parts[${i}].etag`, p?.etag) }));
    return new BlobInfo((await this.#port.send("complete", { key: this.key, upload: this.uploadId, parts: list })).value);
  }
  async abort() {
    await this.#port.send("abort", { key: this.key, upload: this.uploadId });
  }
}

const PUT = ["httpMetadata", "customMetadata", "onlyIf", "md5", "sha256", "storageClass"];
const BLOB_LIST = ["limit", "prefix", "cursor", "delimiter", "include"];

class Blobs {
  #port;
  constructor(port) {
    this.#port = port;
    Object.freeze(this);
  }
  #key(method, key) {
    return text(`${this.#port.name}.${method}: key`, key);
  }
  async head(key) {
    const { value } = await this.#port.send("head", { key: this.#key("head", key) });
    return value && new BlobInfo(value);
  }
  async get(key, o) {
    const what = `${this.#port.name}.get`;
    const set = options(what, o, ["range", "onlyIf"]);
    const args = { key: this.#key("get", key), range: range(`${what}: range`, set.range), onlyIf: condition(`${what}: onlyIf`, set.onlyIf) };
    const { value, body } = await this.#port.send("get", args);
    if (value === null) return null;
    if (value.unmet) return new BlobInfo(value);
    const from = body ?? streamOf(new Uint8Array(0));
    uploads.add(from);
    return new BlobBody(value, from);
  }
  async put(key, value, o) {
    const what = `${this.#port.name}.put`;
    const set = options(what, o, PUT);
    const { text: s, body } = value === null ? { text: "" } : content(`${what}: value`, value);
    const args = {
      key: this.#key("put", key), http: httpMetadata(`${what}: httpMetadata`, set.httpMetadata), custom: customMetadata(`${what}: customMetadata`, set.customMetadata),
      onlyIf: condition(`${what}: onlyIf`, set.onlyIf), md5: digest(`${what}: md5`, set.md5), sha256: digest(`${what}: sha256`, set.sha256),
    };
    const { value: v } = await this.#port.send("put", args, body ?? s);
    return v && new BlobInfo(v);
  }
  async delete(keys) {
    const list = Array.isArray(keys) ? keys : [keys];
    list.forEach((k) => this.#key("delete", k));
    await this.#port.send("delete", { keys: list });
  }
  async list(o) {
    const what = `${this.#port.name}.list`;
    const set = options(what, o, BLOB_LIST);
    const word = (name) => (set[name] === undefined || set[name] === null ? undefined : text(`${what}: ${name}`, set[name]));
    const { value } = await this.#port.send("list", {
      limit: whole(`${what}: limit`, set.limit, 1, 1000), prefix: word("prefix"), cursor: word("cursor"), delimiter: word("delimiter"),
    });
    return {
      objects: value.objects.map((v) => new BlobInfo(v)), delimitedPrefixes: value.prefixes, truncated: Boolean(value.cursor), ...(value.cursor ? { cursor: value.cursor } : {}),
    };
  }
  async createMultipartUpload(key, o) {
    const what = `${this.#port.name}.createMultipartUpload`;
    const set = options(what, o, ["httpMetadata", "customMetadata", "storageClass"]);
    const { value } = await this.#port.send("begin", {
      key: this.#key("createMultipartUpload", key), http: httpMetadata(`${what}: httpMetadata`, set.httpMetadata), custom: customMetadata(`${what}: customMetadata`, set.customMetadata),
    });
    return new Upload(this.#port, key, value.upload);
  }
  resumeMultipartUpload(key, uploadId) {
    return new Upload(this.#port, this.#key("resumeMultipartUpload", key), text(`${this.#port.name}.resumeMultipartUpload: uploadId`, uploadId));
  }
  // signedUrl resolves to an address that works for whoever has it, for one method
  // and until it expires: seconds from now, or a Date.
  async signedUrl(key, o) {
    const what = `${this.#port.name}.signedUrl`;
    const set = options(what, o, ["method", "expires"]);
    const method = set.method ?? "GET";
    if (method !== "GET" && method !== "PUT") refuse(`${what}: method`, `must be GET or PUT, not ${show(method)}`);
    const expires = set.expires instanceof Date ? Math.ceil((set.expires.getTime() - Date.now()) / 1000) : set.expires ?? 3600;
    const args = { key: this.#key("signedUrl", key), method, expires: whole(`${what}: expires`, expires, 1, 604800) };
    return (await this.#port.send("sign", args)).value.url;
  }
  user(u) {
    return new Blobs(this.#port.view(u));
  }
}

// digest is a checksum as hexadecimal digits.
function digest(what, v) {
  if (v === undefined || v === null) return undefined;
  const bytes = asBytes(v);
  if (bytes) return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
  return text(what, v).toLowerCase();
}

// --- docs ---------------------------------------------------------------------------

const FIND = ["sort", "limit", "skip", "cursor", "fields", "scan"];
const PAGE = 100;

// order takes "field", "-field", a list of these, or { field: 1, other: -1 }.
function order(what, v) {
  if (v === undefined || v === null) return undefined;
  const one = (f, down) => {
    if (typeof f !== "string" || f === "") refuse(what, `must name fields, not ${show(f)}`);
    return { field: f, down };
  };
  if (isRecord(v)) {
    return Object.entries(v).map(([f, d]) => {
      if (d !== 1 && d !== -1) refuse(what, `${f} must be 1 or -1, not ${show(d)}`);
      return one(f, d === -1);
    });
  }
  return (Array.isArray(v) ? v : [v]).map((f) => (typeof f === "string" && f[0] === "-" ? one(f.slice(1), true) : one(f, false)));
}

function filter(what, v) {
  if (v === undefined || v === null) return undefined;
  if (!isRecord(v)) refuse(what, `must be an object, not ${show(v)}`);
  return json(what, v);
}

// Found are the documents of a query, read page by page while one goes through them.
class Found {
  #port;
  #args;
  #limit;
  constructor(port, args, limit) {
    this.#port = port;
    this.#args = args;
    this.#limit = limit;
    Object.freeze(this);
  }
  async *[Symbol.asyncIterator]() {
    let left = this.#limit ?? Infinity;
    let args = this.#args;
    while (left > 0) {
      const { value } = await this.#port.send("find", { ...args, limit: Math.min(left, PAGE) });
      left -= value.docs.length;
      yield* value.docs;
      if (!value.cursor) return;
      args = { ...this.#args, skip: undefined, cursor: value.cursor };
    }
  }
  async toArray() {
    const all = [];
    for await (const d of this) all.push(d);
    return all;
  }
  // page resolves to { docs, cursor }: a page at a time, for answers that have a
  // next page.
  async page() {
    const { value } = await this.#port.send("find", { ...this.#args, limit: Math.min(this.#limit ?? PAGE, 1000) });
    return value;
  }
}

const valueOf = ({ value }) => value;
const firstOf = ({ value }) => value[0];

// quietly is the JSON of a value, or undefined where somebody has to say why not.
function quietly(v) {
  try {
    return JSON.stringify(v);
  } catch {
    return undefined;
  }
}

class Collection {
  #port;
  #name;
  constructor(port, name) {
    this.#port = port;
    this.#name = name;
    Object.freeze(this);
  }
  #what(method) {
    return `${this.#port.name}.collection(${JSON.stringify(this.#name)}).${method}`;
  }
  async #send(method, args) {
    return (await this.#port.send(method, { collection: this.#name, ...args })).value;
  }
  #document(what, d) {
    if (!isRecord(d)) refuse(what, `must be an object, not ${show(d)}`);
    return json(what, d);
  }
  // #choose takes an id, or a filter.
  #choose(method, v, o) {
    const what = this.#what(method);
    const set = options(what, o, ["ifVersion", "scan"]);
    const more = { ifVersion: whole(`${what}: ifVersion`, set.ifVersion, 1), scan: set.scan ? true : undefined };
    if (typeof v === "string") return { id: v, ...more };
    if (!isRecord(v)) refuse(what, `wants the id of a document or a filter, not ${show(v)}`);
    return { filter: filter(what, v), ...more };
  }
  insert(doc) {
    const s = isRecord(doc) && !this.#port.more ? quietly(doc) : undefined;
    if (s === undefined) return this.#insert(doc);
    // A document is written once, and not again with the call.
    return this.#port.call("insert", `{"collection":${JSON.stringify(this.#name)},"docs":[${s}]}`, null).then(firstOf);
  }
  async #insert(doc) {
    return (await this.#send("insert", { docs: [this.#document(`${this.#what("insert")}: document`, doc)] }))[0];
  }
  async insertMany(docs) {
    const what = `${this.#what("insertMany")}: documents`;
    if (!Array.isArray(docs)) refuse(what, `must be an array, not ${show(docs)}`);
    return this.#send("insert", { docs: docs.map((d, i) => this.#document(`${what}[${i}]`, d)) });
  }
  get(id) {
    if (typeof id === "string") return this.#port.send("get", { collection: this.#name, id }).then(valueOf);
    return this.#refuse(id);
  }
  async #refuse(id) {
    text(`${this.#what("get")}: id`, id);
  }
  find(where, o) {
    const what = this.#what("find");
    const set = options(what, o, FIND);
    const fields = set.fields;
    if (fields !== undefined && !(Array.isArray(fields) && fields.every((f) => typeof f === "string"))) refuse(`${what}: fields`, "must be an array of strings");
    const args = {
      collection: this.#name, filter: filter(`${what}: filter`, where), sort: order(`${what}: sort`, set.sort), skip: whole(`${what}: skip`, set.skip, 0),
      cursor: set.cursor === undefined || set.cursor === null ? undefined : text(`${what}: cursor`, set.cursor), fields, scan: set.scan ? true : undefined,
    };
    return new Found(this.#port, args, whole(`${what}: limit`, set.limit, 0));
  }
  async findOne(where, o) {
    for await (const d of this.find(where, { ...options(this.#what("findOne"), o, FIND), limit: 1 })) return d;
    return null;
  }
  // update changes one document by its id and resolves to what is known of it now,
  // or null where nothing differs; by a filter it resolves to how many differ.
  async update(which, change, o) {
    const changed = await this.#send("update", { ...this.#choose("update", which, o), change: this.#document(`${this.#what("update")}: change`, change) });
    return typeof which === "string" ? changed[0] ?? null : changed.length;
  }
  async remove(which, o) {
    return this.#send("remove", this.#choose("remove", which, o));
  }
  async count(where, o) {
    const what = this.#what("count");
    return this.#send("count", { filter: filter(`${what}: filter`, where), scan: options(what, o, ["scan"]).scan ? true : undefined });
  }
  // aggregate computes over the documents that match, for each group:
  // { group: ["team"], values: { n: { count: true }, total: { sum: "size" } } }.
  async aggregate(o) {
    const what = this.#what("aggregate");
    const set = options(what, o, ["filter", "group", "values", "scan"]);
    const group = set.group === undefined ? [] : Array.isArray(set.group) ? set.group : [set.group];
    group.forEach((f, i) => text(`${what}: group[${i}]`, f));
    const wanted = set.values ?? { count: { count: true } };
    if (!isRecord(wanted)) refuse(`${what}: values`, `must be an object, not ${show(wanted)}`);
    const names = Object.keys(wanted);
    const values = names.map((name) => aggregateOf(`${what}: values.${name}`, wanted[name]));
    const { groups } = await this.#send("aggregate", { filter: filter(`${what}: filter`, set.filter), group, values, scan: set.scan ? true : undefined });
    return groups.map((g) => Object.fromEntries([...group.map((f, i) => [f, g.key[i]]), ...names.map((n, i) => [n, g.values[i]])]));
  }
}

const AGGREGATES = ["count", "sum", "avg", "min", "max"];

function aggregateOf(what, v) {
  const ops = isRecord(v) ? Object.entries(v) : [];
  if (ops.length !== 1 || !AGGREGATES.includes(ops[0][0])) refuse(what, `must be one of { ${AGGREGATES.join(": field }, { ")}: field }`);
  const [op, field] = ops[0];
  return op === "count" && field === true ? { op } : { op, field: text(`${what}.${op}`, field) };
}

class Docs {
  #port;
  constructor(port) {
    this.#port = port;
    Object.freeze(this);
  }
  collection(name) {
    return new Collection(this.#port, text(`${this.#port.name}.collection: name`, name));
  }
  user(u) {
    return new Docs(this.#port.view(u));
  }
}

// --- what the engine takes -------------------------------------------------------------

fix(Port, KV, Statement, SQL, Queue, Fetcher, BlobInfo, BlobBody, Upload, Blobs, Found, Collection, Docs);

const factory = (C) => (name, config, call) => new C(new Port(name, call));

export const kv = factory(KV);
export const sql = factory(SQL);
export const docs = factory(Docs);
export const blobs = factory(Blobs);
export const queue = factory(Queue);
export const service = factory(Fetcher);
export const assets = factory(Fetcher);
