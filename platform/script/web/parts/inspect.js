// inspect turns any value into a readable bounded line, as Node writes them; format
// is what console.log does with its arguments.
const custom = Symbol.for("nodejs.util.inspect.custom");
const maxItems = 100; // of an array, a map or an object
const maxLength = 16384; // characters of a line
const quote = (s) => `'${s.replace(/[\\'\n\r\t\0]/g, (c) => ({ "\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0" })[c])}'`;
const nameOf = (key) => (typeof key === "symbol" ? `[${String(key)}]` : /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key) ? key : quote(key));

// What to show of an object of the web, whose state is in getters.
const shown = {
  __proto__: null,
  URL: ["href"],
  Request: ["method", "url", "headers", "bodyUsed"],
  Response: ["status", "statusText", "headers", "bodyUsed"],
  Blob: ["size", "type"],
  File: ["name", "size", "type", "lastModified"],
  AbortSignal: ["aborted"],
  AbortController: ["signal"],
  Event: ["type", "defaultPrevented"],
  CustomEvent: ["type", "detail"],
  ErrorEvent: ["type", "message", "error"],
  MessageEvent: ["type", "data"],
  CryptoKey: ["type", "extractable", "algorithm", "usages"],
  ReadableStream: ["locked"],
  WritableStream: ["locked"],
  TransformStream: ["readable", "writable"],
  TextDecoder: ["encoding", "fatal", "ignoreBOM"],
  URLPattern: ["protocol", "hostname", "pathname"],
};
const pairs = new Set(["Headers", "FormData", "URLSearchParams"]);

class Inspector {
  constructor(options) {
    this.options = options;
    this.depth = options.depth === null ? Infinity : (options.depth ?? 2);
    this.room = Math.min(options.maxLength ?? maxLength, 1 << 20);
    this.path = [];
  }
  // spent keeps count of what was written, so that a wide value ends too.
  spent(text) {
    this.room -= text.length;
    return text;
  }
  value(v, level) {
    if (this.room <= 0) return "…";
    switch (typeof v) {
      case "string": return this.spent(quote(v.length > this.room ? `${v.slice(0, this.room)}… ${v.length - this.room} more characters` : v));
      case "number": return this.spent(Object.is(v, -0) ? "-0" : String(v));
      case "bigint": return this.spent(`${v}n`);
      case "function": return this.functionOf(v, level);
      case "object": return v === null ? this.spent("null") : this.object(v, level);
    }
    return this.spent(String(v)); // undefined, boolean, symbol
  }
  functionOf(f, level) {
    let text = "";
    try { text = Function.prototype.toString.call(f); } catch {}
    const kind = /^class\b/.test(text) ? "class" : f.constructor?.name || "Function";
    const base = kind === "class" && typeof Object.getPrototypeOf(f) === "function" && Object.getPrototypeOf(f).name ? ` extends ${Object.getPrototypeOf(f).name}` : "";
    const head = kind === "class" ? `[class ${f.name || "(anonymous)"}${base}]` : `[${kind}${f.name ? `: ${f.name}` : " (anonymous)"}]`;
    const keys = Object.keys(f);
    return keys.length ? this.braces(`${head} `, f, keys, level) : this.spent(head);
  }
  object(o, level) {
    if (this.path.includes(o)) return this.spent("[Circular]");
    this.path.push(o);
    try {
      return this.known(o, level);
    } finally {
      this.path.pop();
    }
  }
  known(o, level) {
    const own = o[custom];
    if (typeof own === "function" && own !== inspect) {
      const got = own.call(o, this.depth - level, { ...this.options, depth: this.depth - level }, inspect);
      return typeof got === "string" ? this.spent(got) : this.value(got, level);
    }
    if (Error.isError(o)) return this.error(o, level);
    if (o instanceof Date) return this.spent(Number.isNaN(+o) ? "Invalid Date" : o.toISOString());
    if (o instanceof RegExp) return this.spent(String(o));
    const name = className(o);
    if (level > this.depth) return this.spent(Array.isArray(o) ? "[Array]" : `[${name ?? "Object: null prototype"}]`);
    if (Array.isArray(o) || (ArrayBuffer.isView(o) && !(o instanceof DataView))) return this.array(o, name, level);
    if (o instanceof Map) return this.list(`Map(${o.size}) {`, o, "}", level, ([k, v]) => `${this.value(k, level + 1)} => ${this.value(v, level + 1)}`);
    if (o instanceof Set) return this.list(`Set(${o.size}) {`, o, "}", level, (v) => this.value(v, level + 1));
    if (o instanceof ArrayBuffer) return this.spent(`ArrayBuffer { byteLength: ${o.byteLength} }`);
    if (o instanceof Promise) return this.spent("Promise {}");
    if (o instanceof Boolean || o instanceof Number || o instanceof String) return this.spent(`[${name}: ${this.value(o.valueOf(), level)}]`);
    return this.plain(o, name, level);
  }
  plain(o, name, level) {
    const tag = o[Symbol.toStringTag];
    if (shown[tag] && !Object.hasOwn(o, Symbol.toStringTag)) {
      const state = {};
      for (const key of shown[tag]) state[key] = o[key];
      return this.braces(`${name ?? tag} `, state, shown[tag], level);
    }
    if (pairs.has(tag) && typeof o.entries === "function")
      return this.list(`${tag} {`, o.entries(), "}", level, ([k, v]) => `${nameOf(k)}: ${this.value(v, level + 1)}`);
    const prefix = name === null ? "[Object: null prototype] " : name === "Object" ? "" : `${name} `;
    const label = typeof tag === "string" && tag !== "" && tag !== name ? `${prefix}[${tag}] ` : prefix;
    return this.braces(label, o, ownKeys(o), level);
  }
  braces(prefix, o, keys, level) {
    this.spent(prefix);
    if (keys.length === 0) return `${prefix}{}`;
    const items = [];
    for (const key of keys) {
      if (items.length >= maxItems || this.room <= 0) {
        items.push(`... ${keys.length - items.length} more`);
        break;
      }
      items.push(this.property(o, key, level));
    }
    return `${prefix}{ ${items.join(", ")} }`;
  }
  property(o, key, level) {
    const d = Object.getOwnPropertyDescriptor(o, key);
    const name = this.spent(`${nameOf(key)}: `);
    if (d && (d.get || d.set)) return name + this.spent(d.get ? (d.set ? "[Getter/Setter]" : "[Getter]") : "[Setter]");
    return name + this.value(d ? d.value : o[key], level + 1);
  }
  array(a, name, level) {
    const prefix = name === "Array" ? "" : `${name}(${a.length}) `;
    const extra = Array.isArray(a) ? ownKeys(a).filter((k) => typeof k === "symbol" || !/^(0|[1-9]\d*)$/.test(k)) : [];
    const items = [];
    for (let i = 0; i < a.length; i++) {
      if (items.length >= maxItems || this.room <= 0) {
        items.push(`... ${a.length - i} more item${a.length - i > 1 ? "s" : ""}`);
        break;
      }
      if (Array.isArray(a) && !(i in a)) {
        // A hole of any width is one item; a giant one must not be walked.
        const next = ownKeys(a).find((k) => typeof k === "string" && /^\d+$/.test(k) && +k > i);
        const end = next === undefined ? a.length : +next;
        items.push(this.spent(`<${end - i} empty item${end - i > 1 ? "s" : ""}>`));
        i = end - 1;
      } else {
        items.push(this.value(a[i], level + 1));
      }
    }
    for (const key of extra) items.push(this.property(a, key, level));
    return items.length ? `${prefix}[ ${items.join(", ")} ]` : `${prefix}[]`;
  }
  list(open, iterable, close, level, write) {
    this.spent(open);
    const items = [];
    for (const item of iterable) {
      if (items.length >= maxItems || this.room <= 0) {
        items.push("... more");
        break;
      }
      items.push(write(item));
    }
    return items.length ? `${open} ${items.join(", ")} ${close}` : `${open}${close}`;
  }
  error(e, level) {
    const head = headline(e);
    const stack = typeof e.stack === "string" ? e.stack.replace(/\n+$/, "") : "";
    let text = stack === "" ? `[${head}]` : stack.startsWith(head) ? stack : `${head}\n${stack}`;
    if (level > 0 && stack !== "") text = text.replaceAll("\n", "\n  ");
    this.spent(text);
    const keys = ownKeys(e).filter((k) => !["stack", "message", "name", "cause", "errors"].includes(k));
    if (level <= this.depth) for (const key of ["cause", "errors"]) if (Object.hasOwn(e, key)) keys.push(key);
    if (keys.length) text += this.braces(" ", e, keys, level);
    return text;
  }
}

function headline(e) {
  let name = "Error";
  let message = "";
  try { name = `${e.name ?? name}`; } catch {}
  try { message = `${e.message ?? ""}`; } catch {}
  return message === "" ? name : `${name}: ${message}`;
}
function ownKeys(o) {
  return Reflect.ownKeys(o).filter((k) => Object.getOwnPropertyDescriptor(o, k)?.enumerable);
}
function className(o) {
  for (let p = Object.getPrototypeOf(o); p !== null; p = Object.getPrototypeOf(p)) {
    const d = Object.getOwnPropertyDescriptor(p, "constructor");
    if (d && typeof d.value === "function" && d.value.name) return d.value.name;
  }
  return null;
}

function inspect(value, options = undefined) {
  if (typeof options !== "object" || options === null) options = {};
  try {
    return cut(new Inspector(options).value(value, 0), options.maxLength ?? maxLength);
  } catch (error) {
    return `[a value that cannot be shown: ${headline(error)}]`;
  }
}
inspect.custom = custom;
const cut = (text, most) => (text.length > most ? `${text.slice(0, most)}…` : text);

// format takes the arguments of console.log.
function format(values) {
  const [first, ...rest] = values;
  if (values.length === 1 && typeof first === "string") return cut(first, maxLength);
  let text = "";
  if (typeof first === "string") {
    text = first.replace(/%([sdifjoOc%])/g, (all, kind) => {
      if (kind === "%") return values.length > 1 ? "%" : all;
      return rest.length ? directive(kind, rest.shift()) : all;
    });
  } else if (values.length) {
    rest.unshift(first);
  }
  for (const v of rest) text += (text === "" && typeof first !== "string" ? "" : " ") + (typeof v === "string" ? v : inspect(v));
  return cut(text, maxLength);
}
function directive(kind, v) {
  switch (kind) {
    case "s": return typeof v === "string" ? v : typeof v === "object" && v !== null ? inspect(v, { depth: 0 }) : typeof v === "bigint" ? `${v}n` : Object.is(v, -0) ? "-0" : String(v);
    case "d": return typeof v === "bigint" ? `${v}n` : typeof v === "symbol" || typeof v === "object" ? "NaN" : String(Number(v));
    case "i": return typeof v === "bigint" ? `${v}n` : typeof v === "symbol" || typeof v === "object" ? "NaN" : String(parseInt(v, 10));
    case "f": return typeof v === "symbol" ? "NaN" : String(parseFloat(v));
    case "j": try { return String(JSON.stringify(v)); } catch { return "[Circular]"; }
    case "c": return "";
  }
  return inspect(v, { depth: 4 });
}

return { inspect, format };
