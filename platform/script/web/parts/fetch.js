// Request and Response. A body that came as text or bytes stays that until somebody
// asks for a stream, so that simple answers never load the streams.
const { encode, read, view, joined } = web.part("encoding");
const { normal } = web.part("url");
const { Headers, list, adopt, token } = web.part("headers");

// --- Bodies --------------------------------------------------------------------

// A body is { source, stream, used }: source is a string, a Uint8Array or null
// where the stream is all there is.
const isStream = (value) => web.loaded("streams") && value instanceof web.part("streams").ReadableStream;
const isBlob = (value) => web.loaded("blob") && value instanceof web.part("blob").Blob;
const isForm = (value) => web.loaded("blob") && value instanceof web.part("blob").FormData;

// extract makes a body of what a constructor was given, with the type it implies.
function extract(init) {
  if (typeof init === "string") return [bodyOf(init.toWellFormed()), "text/plain;charset=UTF-8"];
  if (init instanceof ArrayBuffer || ArrayBuffer.isView(init)) return [bodyOf(view(init).slice()), null];
  if (isStream(init)) {
    if (init.locked || init._disturbed) throw new TypeError("the stream is locked or has been read from");
    return [bodyOf(null, init), null];
  }
  if (isBlob(init)) return [bodyOf(web.part("blob").bytesOf(init)), init.type || null];
  if (init instanceof web.part("url").URLSearchParams) return [bodyOf(init.toString()), "application/x-www-form-urlencoded;charset=UTF-8"];
  if (isForm(init)) {
    const { bytes, boundary } = web.part("blob").multipart(init);
    return [bodyOf(bytes), `multipart/form-data; boundary=${boundary}`];
  }
  if (typeof init === "object" && init !== null && typeof init[Symbol.asyncIterator] === "function")
    return [bodyOf(null, web.part("streams").ReadableStream.from(init)), null];
  return [bodyOf(`${init}`.toWellFormed()), "text/plain;charset=UTF-8"];
}
const bodyOf = (source, stream = null) => ({ source, stream, used: false });

const used = (body) => body !== null && (body.used || (body.stream !== null && body.stream._disturbed));
const locked = (body) => body !== null && body.stream !== null && body.stream.locked;

function streamOf(body) {
  if (body === null) return null;
  if (body.stream === null) {
    let rest = body.source;
    body.stream = new (web.part("streams").ReadableStream)({
      type: "bytes",
      pull(controller) {
        const bytes = typeof rest === "string" ? encode(rest) : rest;
        if (bytes.length) controller.enqueue(bytes.slice());
        controller.close();
        controller.byobRequest?.respond(0);
      },
    });
    // Who has taken the body already leaves a stream that has been read.
    if (body.used) void body.stream.cancel();
  }
  return body.stream;
}

// take is what a body holds, a string or bytes, for the one reader that may have it.
function take(body) {
  if (body === null) return "";
  if (used(body) || locked(body)) throw new TypeError("the body has been read already");
  body.used = true;
  return body.stream === null ? body.source : drain(body.stream);
}
async function drain(stream) {
  const reader = stream.getReader();
  const chunks = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return chunks.length === 1 ? chunks[0] : joined(chunks);
    if (!(value instanceof Uint8Array)) {
      const error = new TypeError("a chunk of the body is no Uint8Array");
      void reader.cancel(error).catch(() => {});
      throw error;
    }
    chunks.push(value);
  }
}
const asText = (got) => (typeof got === "string" ? (got.charCodeAt(0) === 0xfeff ? got.slice(1) : got) : read(got));
const asBytes = (got) => (typeof got === "string" ? encode(got) : got.slice());

// mixin gives a class the methods of a body; body and type say where they find it.
function mixin(prototype, bodyIn, typeOf) {
  const methods = {
    async text() { return asText(await take(bodyIn(this))); },
    async json() { return JSON.parse(asText(await take(bodyIn(this)))); },
    async bytes() { return asBytes(await take(bodyIn(this))); },
    async arrayBuffer() { return asBytes(await take(bodyIn(this))).buffer; },
    async blob() {
      const bytes = asBytes(await take(bodyIn(this)));
      return web.part("blob").blobOf(bytes, typeOf(this) ?? "");
    },
    async formData() {
      const type = typeOf(this);
      return web.part("blob").formOf(asBytes(await take(bodyIn(this))), type ?? "");
    },
  };
  for (const name in methods) web.hidden(prototype, name, methods[name]);
  Object.defineProperty(prototype, "body", { configurable: true, enumerable: true, get() { return streamOf(bodyIn(this)); } });
  Object.defineProperty(prototype, "bodyUsed", { configurable: true, enumerable: true, get() { return used(bodyIn(this)); } });
}

function copied(body) {
  if (body === null) return null;
  if (used(body) || locked(body)) throw new TypeError("the body has been read already, so it cannot be cloned");
  if (body.stream === null) return bodyOf(body.source);
  const [mine, other] = body.stream.tee();
  body.stream = mine;
  body.source = null;
  return bodyOf(null, other);
}

// forEngine hands a body over: null, a string, bytes or a stream that nobody else reads.
function forEngine(body) {
  if (body === null) return null;
  if (used(body) || locked(body)) throw new TypeError("the body has been read already: return a clone or a new one");
  body.used = true;
  return body.stream ?? body.source;
}

// --- Request -------------------------------------------------------------------

const methods = { __proto__: null, get: "GET", head: "HEAD", post: "POST", put: "PUT", delete: "DELETE", options: "OPTIONS" };
function methodOf(method) {
  method = `${method}`;
  if (!token.test(method)) throw new TypeError(`no method is called ${JSON.stringify(method.slice(0, 100))}`);
  const low = method.toLowerCase();
  if (low === "connect" || low === "trace" || low === "track") throw new TypeError(`the method ${method} is not allowed`);
  return methods[low] ?? method;
}

// The members of a request that say how a browser would fetch; here they are kept
// and shown. The first value is the default.
const choices = {
  __proto__: null,
  mode: ["cors", "same-origin", "no-cors", "navigate"],
  credentials: ["same-origin", "omit", "include"],
  cache: ["default", "no-store", "reload", "no-cache", "force-cache", "only-if-cached"],
  redirect: ["follow", "error", "manual"],
  referrerPolicy: ["", "no-referrer", "no-referrer-when-downgrade", "same-origin", "origin", "strict-origin", "origin-when-cross-origin", "strict-origin-when-cross-origin", "unsafe-url"],
  priority: ["auto", "high", "low"],
  duplex: ["half"],
};
const internal = Symbol();
let requestParts;
let request;

class Request {
  #method = "GET";
  #url;
  #headers = null; // made when somebody asks
  #from = null; // who has the headers and the signal, until somebody asks: { pairs(), signal }
  #body = null;
  #signal = null; // a signal, a function that makes one, or null
  #options = null; // of choices, integrity, keepalive, referrer: what was given

  static {
    request = (method, url, body, from) => {
      const r = new Request(internal);
      r.#method = method;
      r.#url = url;
      r.#from = from;
      if (body !== null) r.#body = typeof body === "string" || body instanceof Uint8Array ? bodyOf(body) : bodyOf(null, body);
      return r;
    };
    requestParts = (r) => ({
      method: r.#method,
      url: r.#url,
      headers: list(r.headers),
      body: forEngine(r.#body),
      redirect: r.#options?.redirect ?? "follow",
      signal: r.#signal === null && r.#from === null ? null : r.signal,
    });
  }

  constructor(input, init = undefined) {
    if (input === internal) return;
    if (input === undefined) throw new TypeError("Request needs an address or a Request");
    if (init !== undefined && init !== null && typeof init !== "object" && typeof init !== "function") throw new TypeError("the options are no object");
    init ??= {};
    const from = input instanceof Request ? input : null;
    if (from === null) {
      this.#url = normal(`${input}`);
      if (this.#url === null) throw new TypeError(`Invalid URL: ${`${input}`.slice(0, 200)}`);
      if (/^[^/?#]*\/\/[^/?#]*@/.test(this.#url)) throw new TypeError("the address of a request may hold no user name or password");
    } else {
      this.#url = from.#url;
      this.#method = from.#method;
      this.#options = from.#options;
    }
    this.#choose(init);
    if (init.method !== undefined) this.#method = methodOf(init.method);
    this.#headers = new Headers(init.headers !== undefined ? init.headers : from !== null ? from.headers : undefined);
    this.#follow(init, from);
    this.#fill(init, from);
  }
  #choose(init) {
    for (const name in choices) {
      const value = init[name];
      if (value === undefined) continue;
      if (!choices[name].includes(`${value}`)) throw new TypeError(`${name} cannot be ${JSON.stringify(`${value}`.slice(0, 100))}`);
      if (name === "mode" && value === "navigate") throw new TypeError("mode cannot be navigate");
      (this.#options = { ...this.#options })[name] = `${value}`;
    }
    for (const name of ["integrity", "keepalive", "referrer"]) {
      if (init[name] !== undefined) (this.#options = { ...this.#options })[name] = name === "keepalive" ? !!init[name] : `${init[name]}`;
    }
    if (this.#options?.cache === "only-if-cached" && this.#options.mode !== "same-origin") throw new TypeError("only-if-cached needs the mode same-origin");
  }
  #follow(init, from) {
    const { signal } = init;
    if (signal !== undefined && signal !== null) {
      if (!(signal instanceof web.part("event").AbortSignal)) throw new TypeError("the signal is no AbortSignal");
      this.#signal = () => web.part("event").AbortSignal.any([signal]);
    } else if (from !== null && signal === undefined && (from.#signal !== null || from.#from !== null)) {
      this.#signal = () => web.part("event").AbortSignal.any([from.signal]);
    }
  }
  #fill(init, from) {
    const own = init.body !== undefined && init.body !== null;
    if ((own || (from !== null && from.#body !== null && init.body === undefined)) && (this.#method === "GET" || this.#method === "HEAD"))
      throw new TypeError(`a request with the method ${this.#method} has no body`);
    if (own) {
      const [body, type] = extract(init.body);
      if (body.source === null && init.duplex === undefined) throw new TypeError('a body that is a stream needs duplex: "half"');
      this.#body = body;
      if (type !== null && !this.#headers.has("content-type")) this.#headers.append("content-type", type);
    } else if (from !== null && from.#body !== null && init.body === undefined) {
      if (used(from.#body) || locked(from.#body)) throw new TypeError("the body of the request has been read already");
      this.#body = bodyOf(from.#body.source, from.#body.stream);
      // A stream goes over to the new request and leaves the old one with a used one.
      if (from.#body.stream !== null) this.#body = bodyOf(null, from.#body.stream.pipeThrough(new (web.part("streams").TransformStream)()));
      from.#body.used = true;
    }
  }
  get method() { return this.#method; }
  get url() { return this.#url; }
  get headers() {
    return (this.#headers ??= adopt(this.#from.pairs(), false));
  }
  get signal() {
    if (typeof this.#signal === "function") this.#signal = this.#signal();
    if (this.#signal === null && this.#from !== null) this.#signal = this.#from.signal;
    return (this.#signal ??= new (web.part("event").AbortController)().signal);
  }
  get destination() { return ""; }
  get referrer() { return this.#options?.referrer ?? "about:client"; }
  get integrity() { return this.#options?.integrity ?? ""; }
  get keepalive() { return this.#options?.keepalive ?? false; }
  get isReloadNavigation() { return false; }
  get isHistoryNavigation() { return false; }
  clone() {
    const copy = new Request(internal);
    copy.#body = copied(this.#body);
    copy.#method = this.#method;
    copy.#url = this.#url;
    copy.#headers = new Headers(this.headers);
    copy.#options = this.#options;
    copy.#signal = this.#signal === null && this.#from === null ? null : () => web.part("event").AbortSignal.any([this.signal]);
    return copy;
  }
  static {
    for (const name in choices) {
      if (name === "priority") continue;
      Object.defineProperty(this.prototype, name, { configurable: true, enumerable: true, get() { return this.#options?.[name] ?? choices[name][0]; } });
    }
    mixin(this.prototype, (r) => r.#body, (r) => r.headers.get("content-type"));
  }
  get [Symbol.toStringTag]() { return "Request"; }
}

// --- Response ------------------------------------------------------------------

const bodiless = (status) => status !== 200 && (status === 101 || status === 103 || status === 204 || status === 205 || status === 304);
const usual = Object.freeze({ statusText: "", url: "", redirected: false, type: "default", fixed: false });
let response;
let sent;

class Response {
  #status = 200;
  #headers = null; // made when somebody asks
  #pairs = null; // of headers that nobody has asked for, or a content type alone
  #body = null;
  #more = usual; // what few have: statusText, url, redirected, type, and whether the headers are fixed

  static {
    response = (parts) => {
      const r = new Response(null, internal);
      r.#status = parts.status;
      r.#pairs = parts.headers;
      r.#more = { statusText: parts.statusText ?? "", url: parts.url ?? "", redirected: !!parts.redirected, type: "basic", fixed: true };
      const body = parts.body;
      if (body !== null && body !== undefined)
        r.#body = typeof body === "string" || body instanceof Uint8Array ? bodyOf(body) : bodyOf(null, body);
      return r;
    };
    // sent hands a Response over by calling send(to, status, headers, body): headers are
    // pairs, or a content type alone.
    sent = (r, send, to = undefined) => {
      if (!(#status in r)) throw new TypeError("no Response was returned");
      if (r.#more.type === "error") throw new TypeError("the Response is an error: Response.error() cannot be sent");
      return send(to, r.#status, r.#headers === null ? (r.#pairs ?? []) : list(r.#headers), forEngine(r.#body));
    };
  }

  constructor(body = null, init = undefined) {
    if (init === internal) return;
    if (init !== undefined) this.#initialise(init);
    if (body === null || body === undefined) return;
    if (bodiless(this.#status)) throw new TypeError(`a response with the status ${this.#status} has no body`);
    if (typeof body === "string") { // as most are; a pair to take apart costs a microsecond
      this.#body = bodyOf(body.toWellFormed());
      this.#typed("text/plain;charset=UTF-8");
      return;
    }
    const [made, type] = extract(body);
    this.#body = made;
    if (type !== null) this.#typed(type);
  }
  #initialise(init) {
    if (init === null) return;
    if (typeof init !== "object" && typeof init !== "function") throw new TypeError("the options are no object");
    const { status, statusText, headers } = init;
    if (status !== undefined) {
      this.#status = Math.trunc(Number(status)) || 0;
      if (this.#status < 200 || this.#status > 599) throw new RangeError(`the status ${this.#status} is not between 200 and 599`);
    }
    if (statusText !== undefined) {
      this.#more = { ...usual, statusText: `${statusText}` };
      if (/[^\t\x20-\x7e\x80-\xff]/.test(this.#more.statusText)) throw new TypeError("the status text has characters that cannot be sent");
    }
    if (headers !== undefined) this.#headers = new Headers(headers);
  }
  #typed(type) {
    if (this.#headers === null) this.#pairs = type;
    else if (!this.#headers.has("content-type")) this.#headers.append("content-type", type);
  }
  static json(data, init = undefined) {
    const string = JSON.stringify(data);
    if (string === undefined) throw new TypeError("the data cannot be written as JSON");
    const r = new Response(null, internal);
    if (init !== undefined) r.#initialise(init);
    if (bodiless(r.#status)) throw new TypeError(`a response with the status ${r.#status} has no body`);
    r.#body = bodyOf(string);
    r.#typed("application/json");
    return r;
  }
  static redirect(url, status = 302) {
    if (arguments.length === 0) throw new TypeError("Response.redirect needs an address");
    const address = normal(`${url}`);
    if (address === null) throw new TypeError(`Invalid URL: ${`${url}`.slice(0, 200)} (a redirect needs an absolute address: new URL("/path", request.url))`);
    if (![301, 302, 303, 307, 308].includes(Number(status))) throw new RangeError(`${status} is no status of a redirect`);
    const r = new Response(null, internal);
    r.#status = Number(status);
    r.#pairs = [["location", address]];
    r.#more = { ...usual, fixed: true };
    return r;
  }
  static error() {
    const r = new Response(null, internal);
    r.#status = 0;
    r.#more = { ...usual, type: "error", fixed: true };
    return r;
  }
  get type() { return this.#more.type; }
  get url() { return this.#more.url; }
  get redirected() { return this.#more.redirected; }
  get status() { return this.#status; }
  get ok() { return this.#status >= 200 && this.#status <= 299; }
  get statusText() { return this.#more.statusText; }
  get headers() {
    const pairs = this.#pairs;
    return (this.#headers ??= adopt(typeof pairs === "string" ? [["content-type", pairs]] : (pairs ?? []), this.#more.fixed));
  }
  clone() {
    const copy = new Response(null, internal);
    copy.#body = copied(this.#body);
    copy.#status = this.#status;
    copy.#pairs = list(this.headers).map((p) => [p[0], p[1]]);
    copy.#more = this.#more;
    return copy;
  }
  static {
    mixin(this.prototype, (r) => r.#body, (r) => r.headers.get("content-type"));
  }
  get [Symbol.toStringTag]() { return "Response"; }
}

return { Request, Response, request, requestParts, response, sent };
