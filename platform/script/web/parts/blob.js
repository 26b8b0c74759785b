// Blob, File and FormData, and the two encodings of forms. The bytes of a blob are
// kept whole in memory: a function's uploads are bounded by its body anyway.
const { encode, read, base64, view, joined } = web.part("encoding");
const { call } = web.part("exception");
const { pairsOf, parsed } = web.part("url");

let bytesOf;
let blobOf;
const internal = Symbol();
const lowered = (type) => (/[^\x20-\x7e]/.test(type) ? "" : type.toLowerCase());

class Blob {
  #bytes;
  #type = "";

  static {
    bytesOf = (blob) => blob.#bytes;
    blobOf = (bytes, type) => {
      const blob = new Blob(undefined, internal);
      blob.#bytes = bytes;
      blob.#type = lowered(type);
      return blob;
    };
  }
  constructor(parts = undefined, options = undefined) {
    if (options === internal) return;
    this.#bytes = gathered(parts, options);
    if (options?.type !== undefined) this.#type = lowered(`${options.type}`);
  }
  get size() { return this.#bytes.length; }
  get type() { return this.#type; }
  slice(start = 0, end = this.#bytes.length, type = "") {
    return blobOf(this.#bytes.subarray(clamp(start, this.#bytes.length), clamp(end, this.#bytes.length)), `${type}`);
  }
  async text() { return read(this.#bytes); }
  async bytes() { return this.#bytes.slice(); }
  async arrayBuffer() { return this.#bytes.slice().buffer; }
  stream() {
    let at = 0;
    const bytes = this.#bytes;
    return new (web.part("streams").ReadableStream)({
      type: "bytes",
      pull(controller) {
        if (at < bytes.length) controller.enqueue(bytes.slice(at, (at = Math.min(at + 65536, bytes.length))));
        if (at < bytes.length) return;
        controller.close();
        controller.byobRequest?.respond(0);
      },
    });
  }
  get [Symbol.toStringTag]() { return "Blob"; }
}

// clamp reads an offset as slice does: from the end where it is negative.
function clamp(offset, length) {
  offset = Math.trunc(Number(offset)) || 0;
  return offset < 0 ? Math.max(length + offset, 0) : Math.min(offset, length);
}

function gathered(parts, options) {
  if (options !== undefined && options !== null && typeof options !== "object" && typeof options !== "function") throw new TypeError("the options are no object");
  const endings = options?.endings ?? "transparent";
  if (endings !== "transparent" && endings !== "native") throw new TypeError(`endings cannot be ${JSON.stringify(`${endings}`.slice(0, 100))}`);
  if (parts === undefined) return new Uint8Array(0);
  if (parts === null || typeof parts !== "object" || typeof parts[Symbol.iterator] !== "function") throw new TypeError("the parts of a blob are a sequence");
  const chunks = [];
  for (const part of parts) {
    if (part instanceof Blob) chunks.push(bytesOf(part));
    else if (part instanceof ArrayBuffer || ArrayBuffer.isView(part)) chunks.push(view(part));
    else chunks.push(encode(endings === "native" ? `${part}`.replace(/\r\n?|\n/g, "\n") : `${part}`));
  }
  return joined(chunks);
}

class File extends Blob {
  #name;
  #modified;
  constructor(parts, name, options = undefined) {
    if (arguments.length < 2) throw new TypeError("File needs parts and a name");
    super(parts, options);
    this.#name = `${name}`.toWellFormed();
    this.#modified = options?.lastModified === undefined ? Date.now() : Math.trunc(Number(options.lastModified)) || 0;
  }
  get name() { return this.#name; }
  get lastModified() { return this.#modified; }
  get webkitRelativePath() { return ""; }
  get [Symbol.toStringTag]() { return "File"; }
}

let entriesOf;
class FormData {
  #entries = [];

  static { entriesOf = (form) => form.#entries; }
  constructor(form = undefined) {
    if (form !== undefined) throw new TypeError("FormData takes no form: there is no document");
  }
  append(name, value, filename = undefined) {
    this.#entries.push(entry(arguments, "append"));
  }
  set(name, value, filename = undefined) {
    const made = entry(arguments, "set");
    const first = this.#entries.findIndex((e) => e[0] === made[0]);
    if (first < 0) this.#entries.push(made);
    else this.#entries = this.#entries.filter((e, i) => i <= first || e[0] !== made[0]).map((e, i) => (i === first ? made : e));
  }
  delete(name) {
    needs(arguments, 1, "delete");
    name = `${name}`.toWellFormed();
    this.#entries = this.#entries.filter((e) => e[0] !== name);
  }
  get(name) {
    needs(arguments, 1, "get");
    name = `${name}`.toWellFormed();
    return this.#entries.find((e) => e[0] === name)?.[1] ?? null;
  }
  getAll(name) {
    needs(arguments, 1, "getAll");
    name = `${name}`.toWellFormed();
    return this.#entries.filter((e) => e[0] === name).map((e) => e[1]);
  }
  has(name) {
    needs(arguments, 1, "has");
    name = `${name}`.toWellFormed();
    return this.#entries.some((e) => e[0] === name);
  }
  forEach(callback, self = undefined) {
    if (typeof callback !== "function") throw new TypeError("forEach needs a function");
    for (const [name, value] of this) callback.call(self, value, name, this);
  }
  *#walk(pick) { for (let i = 0; i < this.#entries.length; i++) yield pick(this.#entries[i]); }
  keys() { return pairsOf(this.#walk((e) => e[0])); }
  values() { return pairsOf(this.#walk((e) => e[1])); }
  entries() { return pairsOf(this.#walk((e) => [e[0], e[1]])); }
  get [Symbol.toStringTag]() { return "FormData"; }
}
web.hidden(FormData.prototype, Symbol.iterator, FormData.prototype.entries);

function needs(args, n, method) {
  if (args.length < n) throw new TypeError(`${method} needs ${n} argument${n > 1 ? "s" : ""}`);
}

// entry is a name and a string or a File, from the arguments of append and set.
function entry(args, method) {
  needs(args, 2, method);
  const [name, value, filename] = args;
  if (!(value instanceof Blob)) {
    if (args.length > 2 && filename !== undefined) throw new TypeError("a file name needs a Blob");
    return [`${name}`.toWellFormed(), `${value}`.toWellFormed()];
  }
  if (value instanceof File && filename === undefined) return [`${name}`.toWellFormed(), value];
  const called = filename !== undefined ? `${filename}` : value instanceof File ? value.name : "blob";
  return [`${name}`.toWellFormed(), fileOf(bytesOf(value), called, value.type, value.lastModified)];
}
function fileOf(bytes, name, type, lastModified = undefined) {
  return new File([blobOf(bytes, "")], name, { type, lastModified });
}

// multipart writes a form; names are escaped as browsers do it.
const escaped = (name) => name.replace(/\r\n?|\n/g, "\r\n").replace(/\n/g, "%0A").replace(/\r/g, "%0D").replace(/"/g, "%22");
const nameOfFile = (name) => name.replace(/\n/g, "%0A").replace(/\r/g, "%0D").replace(/"/g, "%22");
function multipart(form) {
  const boundary = `----fazt${web.call("random", 15).replace(/[+/]/g, "0")}`;
  const chunks = [];
  for (const [name, value] of entriesOf(form)) {
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="${escaped(name)}"`;
    if (typeof value === "string") {
      chunks.push(encode(`${head}\r\n\r\n${value.replace(/\r\n?|\n/g, "\r\n")}\r\n`));
    } else {
      chunks.push(encode(`${head}; filename="${nameOfFile(value.name)}"\r\nContent-Type: ${value.type || "application/octet-stream"}\r\n\r\n`));
      chunks.push(bytesOf(value), encode("\r\n"));
    }
  }
  chunks.push(encode(`--${boundary}--\r\n`));
  return { bytes: joined(chunks), boundary };
}

// formOf reads a body of either type.
function formOf(bytes, type) {
  const form = new FormData();
  const essence = type.split(";", 1)[0].trim().toLowerCase();
  if (essence === "application/x-www-form-urlencoded") {
    for (const [name, value] of parsed(read(bytes))) form.append(name, value);
    return form;
  }
  if (essence !== "multipart/form-data") throw new TypeError(`a body of the type ${JSON.stringify(type.slice(0, 100))} is no form`);
  // name, file name, type, text or bytes: four of each entry
  const flat = call("multipart", base64(bytes), type);
  for (let i = 0; i + 3 < flat.length; i += 4) {
    if (flat[i + 1] === null) form.append(flat[i], flat[i + 3]);
    else form.append(flat[i], fileOf(web.part("encoding").unbase64(flat[i + 3]), flat[i + 1], flat[i + 2]));
  }
  return form;
}

return { Blob, File, FormData, bytesOf, blobOf, multipart, formOf };
