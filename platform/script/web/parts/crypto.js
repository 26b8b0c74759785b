// The Web Cryptography API over Go's standard library.
const { call } = web.part("exception");
const { base64, unbase64, encode, decode, view } = web.part("encoding");
const { CryptoKey, internal, secret, make, fact, may, usable, needsUsage, hashes, algorithms, curves, normal, hashed, rsa, imported, exported, formatted, fail } = web.part("keys");

const bytesIn = (source, what) => base64(view(source, what));
function member(object, name, length = undefined) {
  if (object[name] === undefined) throw new TypeError(`the algorithm has no ${name}`);
  const bytes = view(object[name], name);
  if (length !== undefined && bytes.length !== length) fail("OperationError", `${name} must have ${length} bytes`);
  return base64(bytes);
}
function whole(value, what, most) {
  const n = Number(value);
  if (!Number.isFinite(n) || n < 0 || n > most) throw new TypeError(`${what} is out of range`);
  return Math.trunc(n);
}

// --- Encrypt and decrypt -------------------------------------------------------------

function cipher(decrypting, { object, name }, key, data) {
  const text = secret(key);
  switch (name) {
    case "AES-GCM": {
      const tag = object.tagLength === undefined ? 128 : Number(object.tagLength);
      if (![32, 64, 96, 104, 112, 120, 128].includes(tag)) fail("OperationError", "there is no such length of the tag");
      const extra = object.additionalData === undefined ? "" : bytesIn(object.additionalData, "additionalData");
      return call(decrypting ? "gcm.decrypt" : "gcm.encrypt", text, data, member(object, "iv"), extra, tag);
    }
    case "AES-CBC":
      return call(decrypting ? "cbc.decrypt" : "cbc.encrypt", text, data, member(object, "iv", 16), "", 0);
    case "AES-CTR": {
      const counter = member(object, "counter", 16);
      const length = whole(object.length, "length", 255);
      if (length < 1 || length > 128) fail("OperationError", "a counter has 1 to 128 bits");
      return call("ctr", text, data, counter, "", length);
    }
  }
  // RSA-OAEP
  if (fact(key).type !== (decrypting ? "private" : "public")) fail("InvalidAccessError", `the key is no ${decrypting ? "private" : "public"} key`);
  const label = object.label === undefined ? "" : bytesIn(object.label, "label");
  return call(decrypting ? "rsa.decrypt" : "rsa.encrypt", fact(key).hash, text, data, label);
}
const ciphers = ["AES-GCM", "AES-CBC", "AES-CTR", "RSA-OAEP"];
const bufferOf = (text) => unbase64(text).buffer;

// --- Sign and verify -------------------------------------------------------------------

const signers = ["HMAC", "RSASSA-PKCS1-v1_5", "RSA-PSS", "ECDSA", "Ed25519"];

// signature runs op.sign, or op.verify where there is something to verify.
function signature({ object, name }, key, data, given) {
  const f = fact(key);
  const verb = given === undefined ? "sign" : "verify";
  if (f.type !== "secret" && f.type !== (given === undefined ? "private" : "public"))
    fail("InvalidAccessError", `the key is no ${given === undefined ? "private" : "public"} key`);
  const text = secret(key);
  const rest = given === undefined ? [] : [given];
  switch (name) {
    case "HMAC":
      return call(given === undefined ? "hmac" : "hmac.verify", f.hash, text, data, ...rest);
    case "ECDSA":
      return call(`ecdsa.${verb}`, hashed(object), text, data, ...rest);
    case "Ed25519":
      return call(`ed25519.${verb}`, text, data, ...rest);
    case "RSA-PSS":
      return call(`rsa.${verb}`, f.hash, text, data, whole(object.saltLength, "saltLength", 0xffffffff), ...rest);
  }
  return call(`rsa.${verb}`, f.hash, text, data, -1, ...rest);
}

// --- Generate ------------------------------------------------------------------------

function lengthOfAES(object) {
  const length = Number(object.length);
  if (![128, 192, 256].includes(length)) fail("OperationError", "an AES key has 128, 192 or 256 bits");
  return length;
}
function lengthOfHMAC(object, hash) {
  if (object.length === undefined) return hashes[hash] * 8;
  const length = whole(object.length, "length", 65536);
  if (length === 0 || length % 8 !== 0) fail("OperationError", "an HMAC key has a multiple of 8 bits");
  return length;
}

function generate({ object, name }, extractable, usages) {
  const about = algorithms[name];
  if (about.secret) {
    usages = usable(usages, about.secret);
    let algorithm;
    if (about.kind === "aes") {
      algorithm = { name, length: lengthOfAES(object) };
    } else {
      const hash = hashed(object);
      algorithm = { name, hash: { name: hash }, length: lengthOfHMAC(object, hash) };
    }
    needsUsage(usages);
    return make("secret", extractable, algorithm, usages, web.call("random", algorithm.length / 8));
  }
  usages = usable(usages, [...about.private, ...about.public]);
  const { algorithm, text } = pair(object, name, about.kind);
  const mine = usages.filter((u) => about.private.includes(u));
  needsUsage(mine);
  return {
    publicKey: make("public", true, algorithm, usages.filter((u) => about.public.includes(u)), call("key.other", text)),
    privateKey: make("private", extractable, algorithm, mine, text),
  };
}
function pair(object, name, kind) {
  if (kind === "okp") return { algorithm: { name }, text: call("ec.generate", name) };
  if (kind === "ec") {
    const namedCurve = `${object.namedCurve}`;
    if (!curves[namedCurve]) fail("NotSupportedError", `there is no curve ${namedCurve.slice(0, 100)}`);
    return { algorithm: { name, namedCurve }, text: call("ec.generate", namedCurve) };
  }
  const hash = hashed(object);
  const exponent = object.publicExponent;
  if (!(exponent instanceof Uint8Array)) throw new TypeError("publicExponent is no Uint8Array");
  if (exponent.toHex().replace(/^(00)+/, "") !== "010001") fail("OperationError", "the public exponent of a new key must be 65537");
  const modulusLength = whole(object.modulusLength, "modulusLength", 0xffffffff);
  return { algorithm: rsa(name, modulusLength, new Uint8Array([1, 0, 1]), hash), text: call("rsa.generate", modulusLength) };
}

// --- Derive --------------------------------------------------------------------------------

const derivers = ["ECDH", "X25519", "HKDF", "PBKDF2"];

function bits({ object, name }, key, length) {
  if (name === "HKDF" || name === "PBKDF2") {
    if (length === null || length === undefined || length % 8 !== 0) fail("OperationError", "the number of bits must be a multiple of 8");
    const hash = hashed(object);
    const salt = member(object, "salt");
    if (name === "HKDF") return unbase64(call("hkdf", hash, secret(key), salt, member(object, "info"), length / 8));
    const iterations = whole(object.iterations, "iterations", 0xffffffff);
    if (iterations === 0) fail("OperationError", "PBKDF2 needs iterations");
    return unbase64(call("pbkdf2", hash, secret(key), salt, iterations, length / 8));
  }
  const other = object.public;
  const [mine, theirs] = [fact(key), fact(other)];
  if (mine.type !== "private" || theirs.type !== "public" || theirs.name !== name || theirs.namedCurve !== mine.namedCurve)
    fail("InvalidAccessError", "the two keys are none of the same exchange");
  const shared = unbase64(call("ecdh", secret(key), secret(other)));
  if (length === null || length === undefined) return shared;
  if (length > shared.length * 8) fail("OperationError", `the secret has ${shared.length * 8} bits`);
  const cut = shared.slice(0, Math.ceil(length / 8));
  if (length % 8 !== 0) cut[cut.length - 1] &= 0xff << (8 - (length % 8));
  return cut;
}

// lengthFor is how many bits a derived key of that algorithm has.
function lengthFor({ object, name }) {
  switch (algorithms[name].kind) {
    case "aes": return lengthOfAES(object);
    case "hmac": return lengthOfHMAC(object, hashed(object));
    case "kdf": return null;
  }
  return fail("NotSupportedError", `keys of ${name} cannot be derived`);
}

// --- SubtleCrypto ----------------------------------------------------------------------------

class SubtleCrypto {
  constructor(key) { if (key !== internal) throw new TypeError("Illegal constructor"); }
  async digest(algorithm, data) {
    const { name } = normal(algorithm, Object.keys(hashes));
    return bufferOf(call("digest", name, bytesIn(data, "the data")));
  }
  async encrypt(algorithm, key, data) {
    const a = normal(algorithm, ciphers);
    const text = bytesIn(data, "the data");
    may(key, "encrypt", a.name);
    return bufferOf(cipher(false, a, key, text));
  }
  async decrypt(algorithm, key, data) {
    const a = normal(algorithm, ciphers);
    const text = bytesIn(data, "the data");
    may(key, "decrypt", a.name);
    return bufferOf(cipher(true, a, key, text));
  }
  async sign(algorithm, key, data) {
    const a = normal(algorithm, signers);
    const text = bytesIn(data, "the data");
    may(key, "sign", a.name);
    return bufferOf(signature(a, key, text));
  }
  async verify(algorithm, key, sign, data) {
    const a = normal(algorithm, signers);
    const [given, text] = [bytesIn(sign, "the signature"), bytesIn(data, "the data")];
    may(key, "verify", a.name);
    return signature(a, key, text, given);
  }
  async generateKey(algorithm, extractable, usages) {
    const a = normal(algorithm, Object.keys(algorithms).filter((n) => algorithms[n].kind !== "kdf"));
    return generate(a, extractable, usages);
  }
  async importKey(format, data, algorithm, extractable, usages) {
    const a = normal(algorithm, Object.keys(algorithms));
    format = formatted(format);
    if (format === "jwk") {
      if (typeof data !== "object" || data === null || ArrayBuffer.isView(data) || data instanceof ArrayBuffer) throw new TypeError("a JSON Web Key is an object");
    } else {
      data = view(data, "the key");
    }
    return imported(format, data, a, !!extractable, usages);
  }
  async exportKey(format, key) {
    const out = exported(formatted(format), key);
    return format === "jwk" ? out : out.buffer;
  }
  async deriveBits(algorithm, key, length = null) {
    const a = normal(algorithm, derivers);
    may(key, "deriveBits", a.name);
    return bits(a, key, length).buffer;
  }
  async deriveKey(algorithm, key, derived, extractable, usages) {
    const a = normal(algorithm, derivers);
    const d = normal(derived, Object.keys(algorithms));
    may(key, "deriveKey", a.name);
    const length = lengthFor(d);
    const data = length === null && (a.name === "HKDF" || a.name === "PBKDF2") ? fail("OperationError", "the derived key has no length") : bits(a, key, length);
    return imported("raw", data, d, !!extractable, usages);
  }
  async wrapKey(format, key, wrapping, algorithm) {
    const a = normal(algorithm, [...ciphers, "AES-KW"]);
    may(wrapping, "wrapKey", a.name);
    let data = exported(formatted(format), key);
    if (format === "jwk") data = encode(JSON.stringify(data));
    const text = base64(data);
    return bufferOf(a.name === "AES-KW" ? call("kw", secret(wrapping), text, "", "", 0) : cipher(false, a, wrapping, text));
  }
  async unwrapKey(format, wrapped, unwrapping, algorithm, keyAlgorithm, extractable, usages) {
    const a = normal(algorithm, [...ciphers, "AES-KW"]);
    const k = normal(keyAlgorithm, Object.keys(algorithms));
    format = formatted(format);
    const text = bytesIn(wrapped, "the wrapped key");
    may(unwrapping, "unwrapKey", a.name);
    let data = unbase64(a.name === "AES-KW" ? call("kw.unwrap", secret(unwrapping), text, "", "", 0) : cipher(true, a, unwrapping, text));
    if (format === "jwk") {
      try {
        data = JSON.parse(decode(data));
      } catch {
        fail("DataError", "what was wrapped is no JSON Web Key");
      }
    }
    return imported(format, data, k, !!extractable, usages);
  }
  get [Symbol.toStringTag]() { return "SubtleCrypto"; }
}

// --- Crypto -------------------------------------------------------------------------------------

const integers = [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, BigInt64Array, BigUint64Array];
const subtle = new SubtleCrypto(internal);

class Crypto {
  constructor(key) { if (key !== internal) throw new TypeError("Illegal constructor"); }
  get subtle() { return subtle; }
  getRandomValues(array) {
    if (!ArrayBuffer.isView(array)) throw new TypeError("getRandomValues needs a typed array");
    if (!integers.some((type) => array instanceof type)) fail("TypeMismatchError", "getRandomValues fills arrays of integers");
    if (array.byteLength > 65536) fail("QuotaExceededError", "getRandomValues gives at most 65536 bytes");
    if (array.byteLength) view(array).set(unbase64(web.call("random", array.byteLength)));
    return array;
  }
  randomUUID() {
    const bytes = unbase64(web.call("random", 16));
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = bytes.toHex();
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }
  get [Symbol.toStringTag]() { return "Crypto"; }
}

return { Crypto, CryptoKey, SubtleCrypto, crypto: new Crypto(internal) };
