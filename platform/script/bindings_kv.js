// Keys: the shape of Cloudflare's KV, and more.

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

// The plain forms of get, put and insert are most of all calls. They have one promise,
// as each await more costs as much as a short function, and write their arguments
// themselves.
function kvText(value, body) {
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
    if (o === undefined && typeof key === "string") return this.#port.write("get", `"key":${JSON.stringify(key)}`, kvText);
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
      expiration: seconds(`${what}: expiration`, set.expiration), ttl: perhaps(`${what}: expirationTtl`, set.expirationTtl, 1),
      metadata: set.metadata === undefined || set.metadata === null ? undefined : json(`${what}: metadata`, set.metadata),
    };
    return (await this.#port.send("put", args, body)).value;
  }
  put(key, value, o) {
    if (o === undefined && typeof key === "string" && typeof value === "string" && value.length <= INLINE)
      return this.#port.write("put", `"key":${JSON.stringify(key)},"text":${JSON.stringify(value)}`, nothing);
    return this.#put(key, value, o);
  }
  async #put(key, value, o) {
    await this.#write("put", key, value, o, {});
  }
  // putIfVersion writes where the version is still the one that was read, 0 for a
  // key that is not there. It resolves to the new version, or null.
  async putIfVersion(key, value, version, o) {
    const v = await this.#write("putIfVersion", key, value, o, { version: whole(`${this.#what("putIfVersion")}: version`, version, 0) });
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
      expiration: seconds(`${what}: expiration`, set.expiration), ttl: perhaps(`${what}: expirationTtl`, set.expirationTtl, 1),
    };
    return (await this.#port.send("incr", args)).value;
  }
  async list(o) {
    const what = this.#what("list");
    const set = options(what, o, ["prefix", "limit", "cursor"]);
    const { value } = await this.#port.send("list", {
      prefix: set.prefix === undefined || set.prefix === null ? undefined : text(`${what}: prefix`, set.prefix),
      limit: perhaps(`${what}: limit`, set.limit, 1, 1000),
      cursor: set.cursor === undefined || set.cursor === null ? undefined : text(`${what}: cursor`, set.cursor),
    });
    return { keys: value.keys, list_complete: !value.cursor, ...(value.cursor ? { cursor: value.cursor } : {}), cacheStatus: null };
  }
  user(u) {
    return new KV(this.#port.view(u));
  }
}

fix(KV);

export const kv = factory(KV);
