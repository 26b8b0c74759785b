// node:string_decoder: bytes that come in pieces become text without broken
// characters.
import { Buffer } from "node:buffer";

const aliases = { "": "utf8", "utf-8": "utf8", ucs2: "utf16le", "ucs-2": "utf16le", "utf-16le": "utf16le", binary: "latin1" };
const known = ["utf8", "utf16le", "latin1", "ascii", "hex", "base64", "base64url"];

export class StringDecoder {
  #decoder = null;
  #rest = null; // bytes of a base64 group that is not whole
  constructor(encoding = "utf8") {
    const name = `${encoding}`.toLowerCase();
    this.encoding = aliases[name] ?? name;
    if (!known.includes(this.encoding)) throw Object.assign(new TypeError(`Unknown encoding: ${encoding}`), { code: "ERR_UNKNOWN_ENCODING" });
    if (this.encoding.startsWith("utf")) this.#decoder = new TextDecoder(this.encoding === "utf8" ? "utf-8" : "utf-16le", { ignoreBOM: true });
  }
  write(chunk) {
    if (typeof chunk === "string") return chunk;
    const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (this.#decoder) return this.#decoder.decode(bytes, { stream: true });
    if (!this.encoding.startsWith("base64")) return Buffer.from(bytes).toString(this.encoding);
    const all = this.#rest ? Buffer.concat([this.#rest, bytes]) : Buffer.from(bytes);
    const whole = all.length - (all.length % 3);
    this.#rest = all.subarray(whole);
    return all.subarray(0, whole).toString(this.encoding);
  }
  end(chunk) {
    let text = chunk === undefined ? "" : this.write(chunk);
    if (this.#decoder) text += this.#decoder.decode();
    if (this.#rest) text += this.#rest.toString(this.encoding);
    this.#rest = null;
    return text;
  }
}
export default { StringDecoder };
