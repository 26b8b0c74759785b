// node:crypto, the part that can stand on the host: random numbers, hashes and
// derivation. For signatures and ciphers there is crypto.subtle.
import { Buffer } from "node:buffer";

const node = globalThis[Symbol.for("fazt.node")];
const { crypto: webcrypto } = globalThis;
export const { subtle } = webcrypto;

const bytesOf = (data, encoding) => {
  if (typeof data === "string") return Buffer.from(data, encoding === "buffer" ? "utf8" : encoding);
  if (ArrayBuffer.isView(data) || data instanceof ArrayBuffer) return node.view(data);
  throw Object.assign(new TypeError('The "data" argument must be of type string or an instance of Buffer, TypedArray, or DataView'), { code: "ERR_INVALID_ARG_TYPE" });
};
const given = (bytes, encoding) => {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return encoding === undefined || encoding === "buffer" ? buffer : buffer.toString(encoding);
};
// later answers a callback in a turn of its own, or with what was thrown.
const later = (callback, work) => {
  let result;
  try {
    result = [null, work()];
  } catch (error) {
    result = [error];
  }
  queueMicrotask(() => callback(...result));
};

class Digest {
  #digest;
  #done = false;
  constructor(name, key = undefined) { this.#digest = new node.Digest(name, key); }
  update(data, encoding = "utf8") {
    if (this.#done) throw Object.assign(new Error("Digest already called"), { code: "ERR_CRYPTO_HASH_FINALIZED" });
    this.#digest.update(bytesOf(data, encoding));
    return this;
  }
  digest(encoding = undefined) {
    if (this.#done) throw Object.assign(new Error("Digest already called"), { code: "ERR_CRYPTO_HASH_FINALIZED" });
    this.#done = true;
    return given(this.#digest.sum(), encoding);
  }
}
export class Hash extends Digest {}
export class Hmac extends Digest {}

export const createHash = (name) => new Hash(name);
export const createHmac = (name, key) => new Hmac(name, bytesOf(key, "utf8"));
export const hash = (name, data, encoding = "hex") => createHash(name).update(data).digest(encoding);
export const getHashes = () => [...node.hashes];
export function timingSafeEqual(a, b) {
  const [x, y] = [node.view(a), node.view(b)];
  if (x.length !== y.length) throw Object.assign(new RangeError("Input buffers must have the same byte length"), { code: "ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH" });
  return node.equal(x, y);
}

export function randomFillSync(view, offset = 0, size = undefined) {
  const bytes = node.view(view).subarray(offset, size === undefined ? undefined : offset + size);
  for (let at = 0; at < bytes.length; at += 65536) webcrypto.getRandomValues(bytes.subarray(at, at + 65536));
  return view;
}
export function randomFill(view, ...rest) {
  const callback = rest.pop();
  later(callback, () => randomFillSync(view, ...rest));
}
export function randomBytes(size, callback = undefined) {
  if (!Number.isInteger(size) || size < 0 || size > 0x7fffffff) throw Object.assign(new RangeError('The value of "size" is out of range'), { code: "ERR_OUT_OF_RANGE" });
  const make = () => randomFillSync(Buffer.alloc(size));
  if (callback === undefined) return make();
  later(callback, make);
}
export function randomInt(min, max, callback = undefined) {
  if (max === undefined || typeof max === "function") [min, max, callback] = [0, min, max];
  const range = max - min;
  if (!Number.isSafeInteger(min) || !Number.isSafeInteger(max) || range <= 0 || range > 2 ** 48) throw Object.assign(new RangeError("The range of randomInt is out of range"), { code: "ERR_OUT_OF_RANGE" });
  const pick = () => {
    // What would favour small numbers is thrown away.
    const limit = 2 ** 48 - (2 ** 48 % range);
    for (;;) {
      const n = randomBytes(6).readUIntBE(0, 6);
      if (n < limit) return min + (n % range);
    }
  };
  if (callback === undefined) return pick();
  later(callback, pick);
}
export const randomUUID = () => webcrypto.randomUUID();
export const getRandomValues = (array) => webcrypto.getRandomValues(array);

export const pbkdf2Sync = (password, salt, iterations, length, name) => given(node.pbkdf2(name, bytesOf(password), bytesOf(salt), iterations, length));
export const pbkdf2 = (password, salt, iterations, length, name, callback) => later(callback, () => pbkdf2Sync(password, salt, iterations, length, name));
export const hkdfSync = (name, key, salt, info, length) => node.hkdf(name, bytesOf(key), bytesOf(salt), bytesOf(info), length).buffer;
export const hkdf = (name, key, salt, info, length, callback) => later(callback, () => hkdfSync(name, key, salt, info, length));

export { webcrypto };
export default { webcrypto, subtle, Hash, Hmac, createHash, createHmac, hash, getHashes, timingSafeEqual, randomFillSync, randomFill, randomBytes, randomInt, randomUUID, getRandomValues, pbkdf2Sync, pbkdf2, hkdfSync, hkdf };
