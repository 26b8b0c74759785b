// TextEncoder, TextDecoder, their streams, atob and btoa. Bytes go to Go and back
// as base64.
const { call } = web.part("exception");
const { fromBase64 } = Uint8Array;
const { toBase64 } = Uint8Array.prototype;

const base64 = (bytes) => toBase64.call(bytes);
const unbase64 = (string) => fromBase64.call(Uint8Array, string);
const encode = (string) => (string === "" ? new Uint8Array(0) : unbase64(web.call("utf8", string)));
const decode = (bytes) => (bytes.length === 0 ? "" : web.call("text", base64(bytes)));
// The Encoding Standard's "UTF-8 decode": like decode, less a byte order mark.
function read(bytes) {
  const string = decode(bytes);
  return string.charCodeAt(0) === 0xfeff ? string.slice(1) : string;
}

// view is any buffer source as a Uint8Array over the same memory.
function view(source, what = "the argument") {
  if (source instanceof Uint8Array && !source.buffer.detached) return source;
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  if (source instanceof ArrayBuffer) return source.detached ? new Uint8Array(0) : new Uint8Array(source);
  throw new TypeError(`${what} is neither ArrayBuffer nor a view of one`);
}

class TextEncoder {
  get encoding() { return "utf-8"; }
  encode(input = "") { return encode(`${input}`); }
  encodeInto(source, destination) {
    if (!(destination instanceof Uint8Array)) throw new TypeError("the destination is no Uint8Array");
    source = `${source}`;
    // What cannot fit need not be encoded: a code unit takes a byte at least.
    let part = source.slice(0, destination.length);
    let bytes = encode(part);
    if (bytes.length > destination.length || part.length < source.length) part = fitting(source, destination.length);
    bytes = encode(part);
    destination.set(bytes);
    return { read: part.length, written: bytes.length };
  }
  get [Symbol.toStringTag]() { return "TextEncoder"; }
}

// fitting is the longest beginning that takes at most so many bytes.
function fitting(string, room) {
  let end = 0;
  for (const char of string) {
    const code = char.codePointAt(0);
    room -= code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (room < 0) break;
    end += char.length;
  }
  return string.slice(0, end);
}

class TextDecoder {
  #encoding;
  #fatal;
  #ignoreBOM;
  #pending = null; // bytes of a character that is not whole
  #started = false; // a byte order mark is one at the beginning alone

  constructor(label = "utf-8", options = undefined) {
    label = `${label}`.replace(/^[\t\n\f\r ]+|[\t\n\f\r ]+$/g, "").toLowerCase();
    const name = label === "utf-8" || label === "utf8" ? "utf-8" : web.call("encoding", label);
    if (name === null) throw new RangeError(`no encoding has the label "${label}"`);
    if (options !== undefined && options !== null && typeof options !== "object" && typeof options !== "function")
      throw new TypeError("the options are no object");
    this.#encoding = name;
    this.#fatal = !!options?.fatal;
    this.#ignoreBOM = !!options?.ignoreBOM;
  }
  get encoding() { return this.#encoding; }
  get fatal() { return this.#fatal; }
  get ignoreBOM() { return this.#ignoreBOM; }
  decode(input = undefined, options = undefined) {
    let bytes = input === undefined ? new Uint8Array(0) : view(input, "the input");
    const stream = !!options?.stream;
    if (this.#pending) bytes = joined([this.#pending, bytes]);
    this.#pending = null;
    let text;
    try {
      text = bytes.length ? call("decode", base64(bytes), this.#encoding, this.#fatal, stream) : stream ? "0" : "";
    } catch (error) {
      this.#started = false;
      throw error;
    }
    if (stream) {
      const rest = text.charCodeAt(0) - 48;
      if (rest) this.#pending = bytes.slice(bytes.length - rest);
      text = text.slice(1);
    }
    if (!this.#started && text !== "" && !this.#ignoreBOM && text.charCodeAt(0) === 0xfeff && this.#encoding.startsWith("utf-")) text = text.slice(1);
    this.#started = stream && (this.#started || bytes.length > (this.#pending?.length ?? 0));
    return text;
  }
  get [Symbol.toStringTag]() { return "TextDecoder"; }
}

function joined(chunks) {
  let length = 0;
  for (const c of chunks) length += c.length;
  const all = new Uint8Array(length);
  let at = 0;
  for (const c of chunks) {
    all.set(c, at);
    at += c.length;
  }
  return all;
}

// A class that is a pair of streams is made over a TransformStream when first used.
class TextEncoderStream {
  #transform;
  constructor() {
    let high = ""; // a surrogate that waits for its other half
    this.#transform = new (web.part("streams").TransformStream)({
      transform(chunk, controller) {
        let string = high + `${chunk}`;
        const last = string.charCodeAt(string.length - 1);
        high = last >= 0xd800 && last <= 0xdbff ? string.slice(-1) : "";
        if (high) string = string.slice(0, -1);
        if (string) controller.enqueue(encode(string));
      },
      flush(controller) { if (high) controller.enqueue(encode(high)); },
    });
  }
  get encoding() { return "utf-8"; }
  get readable() { return this.#transform.readable; }
  get writable() { return this.#transform.writable; }
  get [Symbol.toStringTag]() { return "TextEncoderStream"; }
}

class TextDecoderStream {
  #transform;
  #decoder;
  constructor(label = "utf-8", options = undefined) {
    const decoder = (this.#decoder = new TextDecoder(label, options));
    this.#transform = new (web.part("streams").TransformStream)({
      transform(chunk, controller) {
        const text = decoder.decode(view(chunk, "the chunk"), { stream: true });
        if (text) controller.enqueue(text);
      },
      flush(controller) {
        const text = decoder.decode();
        if (text) controller.enqueue(text);
      },
    });
  }
  get encoding() { return this.#decoder.encoding; }
  get fatal() { return this.#decoder.fatal; }
  get ignoreBOM() { return this.#decoder.ignoreBOM; }
  get readable() { return this.#transform.readable; }
  get writable() { return this.#transform.writable; }
  get [Symbol.toStringTag]() { return "TextDecoderStream"; }
}

function invalidCharacter(message) {
  const { DOMException } = web.part("exception");
  return new DOMException(message, "InvalidCharacterError");
}

function btoa(data) {
  if (arguments.length === 0) throw new TypeError("btoa needs a string");
  const bytes = web.call("bytes", `${data}`);
  if (bytes === null) throw invalidCharacter("btoa takes characters up to U+00FF");
  return bytes;
}

function atob(data) {
  if (arguments.length === 0) throw new TypeError("atob needs a string");
  let string = `${data}`.replace(/[\t\n\f\r ]+/g, "");
  if (string.length % 4 === 0) string = string.replace(/==?$/, "");
  if (string.length % 4 === 1 || /[^+/0-9A-Za-z]/.test(string)) throw invalidCharacter("atob takes base64");
  try {
    return web.call("binary", base64(unbase64(string)));
  } catch {
    throw invalidCharacter("atob takes base64");
  }
}

return { TextEncoder, TextDecoder, TextEncoderStream, TextDecoderStream, atob, btoa, encode, decode, read, view, joined, base64, unbase64 };
