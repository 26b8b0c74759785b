// Documents in collections.

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
  return exact(what, v);
}

// exact refuses what JSON would leave out or make something else of: a filter that
// loses a field matches more than it says.
function exact(what, v) {
  const lost = astray(v, 0);
  if (lost === null) return v;
  const path = lost.path.reverse().join("");
  if (lost.deep) refuse(what + path, `is nested deeper than ${DEEPEST}, or in a circle`);
  refuse(what + path, `must be null, a boolean, a finite number, a string, an array, a plain object or a Date, not ${show(lost.value)}${kindOf(lost.value)}`);
}

const DEEPEST = 100;

function kindOf(v) {
  if (typeof v !== "object" || v === null || Array.isArray(v)) return "";
  return v instanceof Date ? " that is an invalid Date" : ` of ${v.constructor?.name || "a class"}`;
}

// astray finds the first such value; its path is made only where there is one.
function astray(v, deep) {
  switch (typeof v) {
    case "string":
    case "boolean":
      return null;
    case "number":
      return Number.isFinite(v) ? null : { value: v, path: [] };
    case "object":
      if (v === null) return null;
      return deep > DEEPEST ? { deep, path: [] } : astrayWithin(v, deep + 1);
  }
  return { value: v, path: [] };
}

function astrayWithin(v, deep) {
  if (typeof v.toJSON === "function") {
    const said = v.toJSON();
    return said === null || astray(said, deep) ? { value: v, path: [] } : null;
  }
  if (Array.isArray(v)) {
    for (let i = 0; i < v.length; i++) {
      const lost = astray(v[i], deep);
      if (lost !== null) return lost.path.push(`[${i}]`), lost;
    }
    return null;
  }
  const from = Object.getPrototypeOf(v);
  if (from !== null && from !== Object.prototype) return { value: v, path: [] };
  for (const name of Object.keys(v)) {
    const lost = astray(v[name], deep);
    if (lost !== null) return lost.path.push(`.${name}`), lost;
  }
  return null;
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

const valueOf = (value) => value;
const firstOf = (value) => value[0];

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
    const more = { ifVersion: perhaps(`${what}: ifVersion`, set.ifVersion, 1), scan: set.scan ? true : undefined };
    if (typeof v === "string") return { id: v, ...more };
    if (!isRecord(v)) refuse(what, `wants the id of a document or a filter, not ${show(v)}`);
    if (more.ifVersion !== undefined) refuse(`${what}: ifVersion`, "is of one document, which its id names; compare _version in the filter");
    return { filter: filter(`${what}: filter`, v), ...more };
  }
  // #change takes a whole document, or operators: they lose nothing on the way.
  #change(what, v) {
    return isRecord(v) && Object.keys(v).some((name) => name[0] === "$") ? exact(what, v) : this.#document(what, v);
  }
  insert(doc) {
    const s = isRecord(doc) ? quietly(doc) : undefined;
    if (s === undefined) return this.#insert(doc);
    return this.#port.write("insert", `"collection":${JSON.stringify(this.#name)},"docs":[${s}]`, firstOf);
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
    if (typeof id === "string") return this.#port.write("get", `"collection":${JSON.stringify(this.#name)},"id":${JSON.stringify(id)}`, valueOf);
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
      collection: this.#name, filter: filter(`${what}: filter`, where), sort: order(`${what}: sort`, set.sort), skip: perhaps(`${what}: skip`, set.skip, 0),
      cursor: set.cursor === undefined || set.cursor === null ? undefined : text(`${what}: cursor`, set.cursor), fields, scan: set.scan ? true : undefined,
    };
    return new Found(this.#port, args, perhaps(`${what}: limit`, set.limit, 0));
  }
  async findOne(where, o) {
    for await (const d of this.find(where, { ...options(this.#what("findOne"), o, FIND), limit: 1 })) return d;
    return null;
  }
  // update changes one document by its id and resolves to what is known of it now,
  // or null where nothing differs; by a filter it resolves to how many differ.
  async update(which, change, o) {
    const changed = await this.#send("update", { ...this.#choose("update", which, o), change: this.#change(`${this.#what("update")}: change`, change) });
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
  // asCaller is what the rules let whoever makes the request do, and no more.
  asCaller() {
    return new Docs(this.#port.asCaller());
  }
}

fix(Found, Collection, Docs);

export const docs = factory(Docs);
