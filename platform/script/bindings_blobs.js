// Files: the shape of Cloudflare's R2, and signed addresses.

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
  return { offset: perhaps(`${what}.offset`, offset, 0), length: perhaps(`${what}.length`, length, 1), suffix: perhaps(`${what}.suffix`, suffix, 1) };
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
    this.checksums = { sha256: v.etag };
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
    const args = { key: this.key, upload: this.uploadId, part: whole("uploadPart: partNumber", partNumber, 1, 10000) };
    const { value: v } = await this.#port.send("uploadPart", args, body ?? s);
    return { partNumber: v.part, etag: v.etag };
  }
  async complete(parts) {
    if (!Array.isArray(parts)) refuse("complete: parts", `must be an array, not ${show(parts)}`);
    const list = parts.map((p, i) => ({ part: whole(`complete: parts[${i}].partNumber`, p?.partNumber, 1, 10000), etag: text(`complete: parts[${i}].etag`, p?.etag) }));
    return new BlobInfo((await this.#port.send("complete", { key: this.key, upload: this.uploadId, parts: list })).value);
  }
  async abort() {
    await this.#port.send("abort", { key: this.key, upload: this.uploadId });
  }
}

const PUT = ["httpMetadata", "customMetadata", "onlyIf", "md5", "sha256", "storageClass"];
const BLOB_LIST = ["limit", "prefix", "cursor", "delimiter", "startAfter", "include"];

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
      limit: perhaps(`${what}: limit`, set.limit, 1, 1000), prefix: word("prefix"), cursor: word("cursor"), delimiter: word("delimiter"), after: word("startAfter"),
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

fix(BlobInfo, BlobBody, Upload, Blobs);

export const blobs = factory(Blobs);
