// URL and URLSearchParams. A URL is its serialisation and the offsets of its parts,
// both from Go, which only nods where an address is written as it would be serialised.
let follow; // sets the query of a URL from its searchParams without a way back
let fill; // sets the pairs of searchParams from its URL

class URL {
  #href;
  #at = null; // eleven offsets, see layout in url.go; text or nothing until the first use
  #params = null;

  static {
    follow = (url, query) => url.#take(web.call("url.set", url.#href, "search", query));
  }
  static canParse(url, base = undefined) {
    if (arguments.length === 0) throw new TypeError("URL.canParse needs an address");
    return normal(url, base) !== null;
  }
  static parse(url, base = undefined) {
    if (arguments.length === 0) throw new TypeError("URL.parse needs an address");
    const found = normal(url, base);
    return found === null ? null : new URL(found);
  }
  constructor(url, base = undefined) {
    if (url === undefined && base === undefined) throw new TypeError("URL needs an address");
    url = `${url}`;
    const found = layout(url, base);
    if (found === true) {
      this.#href = url;
      return;
    }
    if (found === null) {
      const error = new TypeError(`Invalid URL: ${shortened(url)}`);
      error.code = "ERR_INVALID_URL";
      error.input = url;
      throw error;
    }
    this.#take(found);
  }
  #take(layout) {
    const end = layout.indexOf("\n");
    this.#href = layout.slice(0, end);
    this.#at = layout.slice(end + 1);
  }
  #cut(from, to) {
    if (this.#at === null) this.#at = plainly(this.#href);
    else if (typeof this.#at === "string") this.#at = this.#at.split(",");
    return this.#href.slice(from < 0 ? 0 : this.#at[from], this.#at[to]);
  }
  #set(part, value) {
    this.#take(web.call("url.set", this.#href, part, `${value}`));
    if (this.#params !== null && part !== "hash") fill(this.#params, this.search);
  }
  get href() { return this.#href; }
  set href(value) {
    value = `${value}`;
    const found = layout(value, undefined);
    if (found === null) throw new TypeError(`Invalid URL: ${shortened(value)}`);
    if (found === true) {
      this.#href = value;
      this.#at = null;
    } else {
      this.#take(found);
    }
    if (this.#params !== null) fill(this.#params, this.search);
  }
  get origin() {
    const protocol = this.protocol;
    switch (protocol) {
      case "http:": case "https:": case "ws:": case "wss:": case "ftp:":
        return `${protocol}//${this.host}`;
      case "blob:": {
        const inner = URL.parse(this.pathname);
        return inner !== null && (inner.protocol === "http:" || inner.protocol === "https:") ? inner.origin : "null";
      }
    }
    return "null";
  }
  get protocol() { return this.#cut(-1, 0); }
  set protocol(value) { this.#set("protocol", value); }
  get username() { return this.#cut(1, 2); }
  set username(value) { this.#set("username", value); }
  get password() { return this.#cut(3, 4); }
  set password(value) { this.#set("password", value); }
  get host() { return this.#cut(5, 7); }
  set host(value) { this.#set("host", value); }
  get hostname() { return this.#cut(5, 6); }
  set hostname(value) { this.#set("hostname", value); }
  get port() { return this.#cut(6, 7).slice(1); }
  set port(value) { this.#set("port", value); }
  get pathname() { return this.#cut(8, 9); }
  set pathname(value) { this.#set("pathname", value); }
  get search() {
    const query = this.#cut(9, 10);
    return query === "?" ? "" : query;
  }
  set search(value) { this.#set("search", value); }
  get searchParams() {
    if (this.#params === null) this.#params = new URLSearchParams(this.search, internal, this);
    return this.#params;
  }
  get hash() {
    const fragment = this.#cut(10, 11);
    return fragment === "#" ? "" : fragment;
  }
  set hash(value) { this.#set("hash", value); }
  toString() { return this.#href; }
  toJSON() { return this.#href; }
  get [Symbol.toStringTag]() { return "URL"; }
}

const internal = Symbol();
const layout = (url, base) => (base === undefined ? web.call("url", url) : web.call("url", url, `${base}`));

// plainly finds the parts of an address that has no more than protocol, host, port,
// path and query.
function plainly(href) {
  const protocol = href.indexOf(":") + 1;
  const host = protocol + 2;
  const path = href.indexOf("/", host);
  const port = href.indexOf(":", host);
  const query = href.indexOf("?", path);
  return [protocol, host, host, host, host, host, port < 0 || port > path ? path : port, path, path, query < 0 ? href.length : query, href.length];
}

function shortened(url) {
  const string = `${url}`;
  return string.length > 200 ? `${string.slice(0, 200)}…` : string;
}

class URLSearchParams {
  #pairs = [];
  #url = null;

  static {
    fill = (params, query) => { params.#pairs = parsed(query.slice(1)); };
  }
  constructor(init = "", key = undefined, url = null) {
    if (key === internal) {
      this.#url = url;
      this.#pairs = parsed(init.slice(1));
    } else if (typeof init === "string") {
      this.#pairs = parsed(init.charCodeAt(0) === 63 ? init.slice(1) : init);
    } else if (init !== null && (typeof init === "object" || typeof init === "function")) {
      this.#pairs = collected(init);
    } else {
      this.#pairs = parsed(`${init}`);
    }
  }
  #changed() {
    if (this.#url !== null) follow(this.#url, serialised(this.#pairs));
  }
  get size() { return this.#pairs.length; }
  append(name, value) {
    needs(arguments, 2, "append");
    this.#pairs.push([usv(name), usv(value)]);
    this.#changed();
  }
  delete(name, value = undefined) {
    needs(arguments, 1, "delete");
    name = usv(name);
    if (value !== undefined) value = usv(value);
    this.#pairs = this.#pairs.filter((p) => p[0] !== name || (value !== undefined && p[1] !== value));
    this.#changed();
  }
  get(name) {
    needs(arguments, 1, "get");
    name = usv(name);
    for (const p of this.#pairs) if (p[0] === name) return p[1];
    return null;
  }
  getAll(name) {
    needs(arguments, 1, "getAll");
    name = usv(name);
    return this.#pairs.filter((p) => p[0] === name).map((p) => p[1]);
  }
  has(name, value = undefined) {
    needs(arguments, 1, "has");
    name = usv(name);
    if (value !== undefined) value = usv(value);
    return this.#pairs.some((p) => p[0] === name && (value === undefined || p[1] === value));
  }
  set(name, value) {
    needs(arguments, 2, "set");
    name = usv(name);
    value = usv(value);
    const first = this.#pairs.findIndex((p) => p[0] === name);
    if (first < 0) this.#pairs.push([name, value]);
    else this.#pairs = this.#pairs.filter((p, i) => i <= first || p[0] !== name).map((p, i) => (i === first ? [name, value] : p));
    this.#changed();
  }
  sort() {
    this.#pairs.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
    this.#changed();
  }
  forEach(callback, self = undefined) {
    if (typeof callback !== "function") throw new TypeError("forEach needs a function");
    for (const [name, value] of this) callback.call(self, value, name, this);
  }
  // The list may change while it is walked, so the walk is by index.
  *#walk(pick) { for (let i = 0; i < this.#pairs.length; i++) yield pick(this.#pairs[i]); }
  keys() { return pairsOf(this.#walk((p) => p[0])); }
  values() { return pairsOf(this.#walk((p) => p[1])); }
  entries() { return pairsOf(this.#walk((p) => [p[0], p[1]])); }
  toString() { return serialised(this.#pairs); }
  get [Symbol.toStringTag]() { return "URLSearchParams"; }
}
web.hidden(URLSearchParams.prototype, Symbol.iterator, URLSearchParams.prototype.entries);

function needs(args, n, method) {
  if (args.length < n) throw new TypeError(`${method} needs ${n} argument${n > 1 ? "s" : ""}`);
}
const usv = (value) => `${value}`.toWellFormed();

// Iterators of the web have a prototype of their own with next alone.
const iterators = Object.setPrototypeOf({ next() { return this[internal].next(); }, get [Symbol.toStringTag]() { return "Iterator"; } }, Iterator.prototype);
function pairsOf(generator) {
  return Object.defineProperty(Object.create(iterators), internal, { value: generator });
}

// collected reads pairs, or the properties of an object.
function collected(init) {
  const iterate = init[Symbol.iterator];
  if (iterate !== undefined && iterate !== null) {
    if (init instanceof URLSearchParams && iterate === URLSearchParams.prototype.entries) return [...init];
    return Array.from(init, (pair) => {
      if (pair === null || typeof pair !== "object") throw new TypeError("a pair is no sequence");
      const two = [...pair];
      if (two.length !== 2) throw new TypeError("a pair has two members");
      return [usv(two[0]), usv(two[1])];
    });
  }
  const pairs = new Map();
  for (const key of Reflect.ownKeys(init)) {
    if (!Object.getOwnPropertyDescriptor(init, key)?.enumerable) continue;
    if (typeof key === "symbol") throw new TypeError("a name is a symbol");
    pairs.set(usv(key), usv(init[key]));
  }
  return [...pairs];
}

// application/x-www-form-urlencoded, both ways.
function parsed(query) {
  const pairs = [];
  if (query === "") return pairs;
  for (const piece of query.split("&")) {
    if (piece === "") continue;
    const at = piece.indexOf("=");
    pairs.push(at < 0 ? [decoded(piece), ""] : [decoded(piece.slice(0, at)), decoded(piece.slice(at + 1))]);
  }
  return pairs;
}
function decoded(string) {
  if (string.includes("+")) string = string.replaceAll("+", " ");
  if (!string.includes("%")) return string.toWellFormed();
  try {
    return decodeURIComponent(string).toWellFormed();
  } catch {
    return web.call("percent", string);
  }
}
const escapes = { __proto__: null, "%20": "+", "!": "%21", "'": "%27", "(": "%28", ")": "%29", "~": "%7E" };
const encoded = (string) =>
  /^[\w*.-]*$/.test(string) ? string : encodeURIComponent(string).replace(/%20|[!'()~]/g, (found) => escapes[found]);
const serialised = (pairs) => pairs.map((p) => `${encoded(p[0])}=${encoded(p[1])}`).join("&");

// normal is an address as URL would serialise it, or null.
function normal(address, base = undefined) {
  address = `${address}`;
  const found = layout(address, base);
  if (found === true) return address;
  return found === null ? null : found.slice(0, found.indexOf("\n"));
}

return { URL, URLSearchParams, normal, parsed, serialised, pairsOf };
