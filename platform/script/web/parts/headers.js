// Headers. Names are lower case and checked once; what the engine hands over is
// taken as it is, and made lower case when somebody looks.
const { pairsOf } = web.part("url");

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const unfit = /[\0\r\n]|[^\0-\xff]/;

let list; // the pairs of Headers as they are, for the engine
let adopt; // Headers over pairs that need no check

class Headers {
  #pairs = []; // [name, value]; names are lower case once #low is true
  #low = true;
  #sorted = null;
  #fixed = false;

  static {
    list = (headers) => headers.#pairs;
    adopt = (pairs, fixed) => {
      const headers = new Headers();
      headers.#pairs = pairs;
      headers.#low = false;
      headers.#fixed = fixed;
      return headers;
    };
  }
  constructor(init = undefined) {
    if (init === undefined) return;
    if (init === null || (typeof init !== "object" && typeof init !== "function")) throw new TypeError("the headers are no object");
    const iterate = init[Symbol.iterator];
    if (init instanceof Headers && iterate === Headers.prototype.entries) {
      this.#pairs = init.#lower().map((p) => [p[0], p[1]]);
    } else if (iterate !== undefined && iterate !== null) {
      if (typeof iterate !== "function") throw new TypeError("the headers cannot be iterated");
      for (const pair of init) this.#add(pair);
    } else {
      const keys = Object.getOwnPropertySymbols(init).length === 0 ? Object.keys(init) : Reflect.ownKeys(init).filter((k) => Object.getOwnPropertyDescriptor(init, k)?.enumerable);
      for (const key of keys) this.#push(named(key), valued(init[key]));
    }
  }
  #add(pair) {
    if (pair === null || typeof pair !== "object") throw new TypeError("a header is no pair");
    const two = [...pair];
    if (two.length !== 2) throw new TypeError("a header is a name and a value");
    this.#push(named(two[0]), valued(two[1]));
  }
  #push(name, value) {
    this.#pairs.push([name, value]);
    this.#sorted = null;
  }
  #lower() {
    if (!this.#low) {
      for (const p of this.#pairs) p[0] = p[0].toLowerCase();
      this.#low = true;
    }
    return this.#pairs;
  }
  #open() {
    if (this.#fixed) throw new TypeError("the headers are immutable: copy them with new Headers(headers) or new Response(body, response)");
    this.#sorted = null;
    return this.#lower();
  }
  append(name, value) {
    needs(arguments, 2, "append");
    name = named(name);
    value = valued(value);
    this.#open().push([name, value]);
  }
  set(name, value) {
    needs(arguments, 2, "set");
    name = named(name);
    value = valued(value);
    const pairs = this.#open();
    const first = pairs.findIndex((p) => p[0] === name);
    if (first < 0) {
      pairs.push([name, value]);
    } else {
      pairs[first][1] = value;
      if (pairs.some((p, i) => i > first && p[0] === name)) this.#pairs = pairs.filter((p, i) => i <= first || p[0] !== name);
    }
  }
  delete(name) {
    needs(arguments, 1, "delete");
    name = named(name);
    this.#pairs = this.#open().filter((p) => p[0] !== name);
  }
  get(name) {
    needs(arguments, 1, "get");
    name = named(name);
    let found = null;
    for (const p of this.#lower()) if (p[0] === name) found = found === null ? p[1] : `${found}, ${p[1]}`;
    return found;
  }
  has(name) {
    needs(arguments, 1, "has");
    name = named(name);
    return this.#lower().some((p) => p[0] === name);
  }
  getSetCookie() {
    return this.#lower().filter((p) => p[0] === "set-cookie").map((p) => p[1]);
  }
  forEach(callback, self = undefined) {
    if (typeof callback !== "function") throw new TypeError("forEach needs a function");
    for (const [name, value] of this) callback.call(self, value, name, this);
  }
  // What is iterated: sorted by name, combined except for set-cookie.
  #combined() {
    if (this.#sorted !== null) return this.#sorted;
    const cookies = [];
    const all = new Map();
    for (const [name, value] of this.#lower()) {
      if (name === "set-cookie") cookies.push([name, value]);
      else all.set(name, all.has(name) ? `${all.get(name)}, ${value}` : value);
    }
    return (this.#sorted = [...all, ...cookies].sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0)));
  }
  *#walk(pick) {
    for (let i = 0; i < this.#combined().length; i++) yield pick(this.#combined()[i]);
  }
  keys() { return pairsOf(this.#walk((p) => p[0])); }
  values() { return pairsOf(this.#walk((p) => p[1])); }
  entries() { return pairsOf(this.#walk((p) => [p[0], p[1]])); }
  get [Symbol.toStringTag]() { return "Headers"; }
}
web.hidden(Headers.prototype, Symbol.iterator, Headers.prototype.entries);

function needs(args, n, method) {
  if (args.length < n) throw new TypeError(`${method} needs ${n} argument${n > 1 ? "s" : ""}`);
}
// Programs use the same few names, so that what was checked is remembered.
const checked = new Map();
function named(name) {
  const known = checked.get(name);
  if (known !== undefined) return known;
  if (typeof name === "symbol") throw new TypeError("the name of a header is a symbol");
  const string = `${name}`;
  if (!token.test(string)) throw new TypeError(`no header can have the name ${JSON.stringify(string.slice(0, 100))}`);
  const low = string.toLowerCase();
  if (checked.size < 200 && typeof name === "string" && name.length < 64) checked.set(name, low);
  return low;
}
const plain = /^[!-~](?:[ -~]*[!-~])?$/;
function valued(value) {
  value = `${value}`;
  if (plain.test(value)) return value;
  value = value.replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, "");
  if (unfit.test(value)) throw new TypeError(`a header cannot have the value ${JSON.stringify(value.slice(0, 100))}`);
  return value;
}

return { Headers, list, adopt, token };
