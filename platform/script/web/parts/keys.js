// CryptoKey and the forms in which keys come and go. A key is kept as text: base64 of
// its bytes (secret), of PKCS #8 (private) or of SPKI (public), where scripts cannot
// reach it.
const { call, DOMException } = web.part("exception");
const { base64, unbase64 } = web.part("encoding");
const fail = (name, message) => { throw new DOMException(message, name); };

// --- CryptoKey -------------------------------------------------------------------

const order = ["encrypt", "decrypt", "sign", "verify", "deriveKey", "deriveBits", "wrapKey", "unwrapKey"];
const internal = Symbol();
let secret; // the text of a key

class CryptoKey {
  #type;
  #extractable;
  #algorithm;
  #usages;
  #text;
  static { secret = (key) => key.#text; }
  constructor(key, type, extractable, algorithm, usages, text) {
    if (key !== internal) throw new TypeError("Illegal constructor");
    this.#type = type;
    this.#extractable = extractable;
    this.#algorithm = algorithm;
    this.#usages = order.filter((u) => usages.includes(u));
    this.#text = text;
  }
  get type() { return this.#type; }
  get extractable() { return this.#extractable; }
  get algorithm() { return this.#algorithm; }
  get usages() { return this.#usages; }
  get [Symbol.toStringTag]() { return "CryptoKey"; }
}

// What a script may do with a key is read from these, as it could change what the
// getters above return.
const facts = new WeakMap();
function make(type, extractable, algorithm, usages, text) {
  extractable = !!extractable;
  const key = new CryptoKey(internal, type, extractable, { ...algorithm }, usages, text);
  facts.set(key, { ...algorithm, hash: algorithm.hash?.name, type, extractable, usages: [...usages] });
  return key;
}
function fact(key) {
  const f = facts.get(key);
  if (f === undefined) throw new TypeError("the key is no CryptoKey");
  return f;
}
function may(key, usage, name) {
  const f = fact(key);
  if (name !== undefined && f.name !== name) fail("InvalidAccessError", `the key is for ${f.name}, not for ${name}`);
  if (!f.usages.includes(usage)) fail("InvalidAccessError", `the key may not be used for ${usage}`);
  return f;
}
function usable(usages, allowed) {
  usages = [...new Set(Array.from(usages, (u) => `${u}`))];
  for (const u of usages) {
    if (!order.includes(u)) throw new TypeError(`there is no usage ${JSON.stringify(u.slice(0, 100))}`);
    if (!allowed.includes(u)) fail("SyntaxError", `the key cannot have the usage ${u}`);
  }
  return usages;
}

// --- Algorithms --------------------------------------------------------------------

const hashes = { __proto__: null, "SHA-1": 64, "SHA-256": 64, "SHA-384": 128, "SHA-512": 128 };
const both = ["encrypt", "decrypt", "wrapKey", "unwrapKey"];
const derive = ["deriveKey", "deriveBits"];

// kind says what family of keys an algorithm has; the usages are those of a secret
// key, or of a private and a public one.
const algorithms = {
  __proto__: null,
  "HMAC": { kind: "hmac", secret: ["sign", "verify"] },
  "AES-CTR": { kind: "aes", jwk: "CTR", secret: both },
  "AES-CBC": { kind: "aes", jwk: "CBC", secret: both },
  "AES-GCM": { kind: "aes", jwk: "GCM", secret: both },
  "AES-KW": { kind: "aes", jwk: "KW", secret: ["wrapKey", "unwrapKey"] },
  "RSASSA-PKCS1-v1_5": { kind: "rsa", jwk: "RS", private: ["sign"], public: ["verify"] },
  "RSA-PSS": { kind: "rsa", jwk: "PS", private: ["sign"], public: ["verify"] },
  "RSA-OAEP": { kind: "rsa", jwk: "RSA-OAEP", private: ["decrypt", "unwrapKey"], public: ["encrypt", "wrapKey"] },
  "ECDSA": { kind: "ec", private: ["sign"], public: ["verify"] },
  "ECDH": { kind: "ec", private: derive, public: [] },
  "Ed25519": { kind: "okp", private: ["sign"], public: ["verify"] },
  "X25519": { kind: "okp", private: derive, public: [] },
  "HKDF": { kind: "kdf", secret: derive },
  "PBKDF2": { kind: "kdf", secret: derive },
};
const curves = { __proto__: null, "P-256": 32, "P-384": 48, "P-521": 66 };
const canonical = { __proto__: null };
for (const name in algorithms) canonical[name.toLowerCase()] = name;
for (const name in hashes) canonical[name.toLowerCase()] = name;

// normal is an algorithm as an object with the standard's name.
function normal(algorithm, names) {
  const object = typeof algorithm === "object" && algorithm !== null ? algorithm : { name: `${algorithm}` };
  if (object.name === undefined) throw new TypeError("the algorithm has no name");
  const name = canonical[`${object.name}`.toLowerCase()];
  if (name === undefined || (names !== undefined && !names.includes(name)))
    fail("NotSupportedError", `the algorithm ${`${object.name}`.slice(0, 100)} is not supported here`);
  return { object, name };
}
function hashed(object) {
  if (object.hash === undefined) throw new TypeError("the algorithm names no hash");
  return normal(object.hash, Object.keys(hashes)).name;
}
const rsa = (name, modulusLength, publicExponent, hash) => ({ name, modulusLength, publicExponent, hash: { name: hash } });

function needsUsage(usages) {
  if (usages.length === 0) fail("SyntaxError", "the key has no usages");
}

// --- Import ----------------------------------------------------------------------------

const suffix = { __proto__: null, "SHA-1": "1", "SHA-256": "256", "SHA-384": "384", "SHA-512": "512" };

// alg is the name of an algorithm in a JSON Web Key, or undefined where there is none.
function alg(f) {
  switch (algorithms[f.name].kind) {
    case "hmac": return `HS${suffix[f.hash]}`;
    case "aes": return `A${f.length}${algorithms[f.name].jwk}`;
    case "rsa":
      if (f.name === "RSA-OAEP") return f.hash === "SHA-1" ? "RSA-OAEP" : `RSA-OAEP-${suffix[f.hash]}`;
      return `${algorithms[f.name].jwk}${suffix[f.hash]}`;
  }
  if (f.name === "Ed25519") return "Ed25519";
  return undefined;
}

function checkJWK(jwk, f, extractable, usages, use) {
  if (jwk.use !== undefined && usages.length > 0 && jwk.use !== use) fail("DataError", "the JSON Web Key is for another use");
  if (jwk.key_ops !== undefined) {
    if (!Array.isArray(jwk.key_ops) || !usages.every((u) => jwk.key_ops.includes(u))) fail("DataError", "the JSON Web Key does not allow the usages");
  }
  if (jwk.ext === false && extractable) fail("DataError", "the JSON Web Key is not extractable");
  const wanted = alg(f);
  if (jwk.alg !== undefined && wanted !== undefined && jwk.alg !== wanted && !(f.name === "Ed25519" && jwk.alg === "EdDSA"))
    fail("DataError", `the JSON Web Key is for ${`${jwk.alg}`.slice(0, 100)}, not for ${wanted}`);
}

function imported(format, data, { object, name }, extractable, usages) {
  const about = algorithms[name];
  const jwk = format === "jwk" ? data : null;
  if (about.secret) return importedSecret(format, data, jwk, object, name, about, extractable, usages);
  let type;
  let got; // curve or "RSA", text, bits, exponent
  if (jwk) {
    const kty = { rsa: "RSA", ec: "EC", okp: "OKP" }[about.kind];
    if (jwk.kty !== kty) fail("DataError", `the JSON Web Key is no ${kty} key`);
    [type, ...got] = call("jwk.read", JSON.stringify(jwk));
  } else if (format === "raw") {
    if (about.kind === "rsa") fail("NotSupportedError", "RSA keys have no raw form");
    type = "public";
    got = call("key.fromRaw", about.kind === "ec" ? `${object.namedCurve}` : name, base64(data));
  } else {
    type = format === "pkcs8" ? "private" : "public";
    got = call(`key.${type}`, base64(data));
  }
  usages = usable(usages, about[type]);
  if (type === "private") needsUsage(usages);
  const algorithm = fitting(got, object, name, about.kind);
  if (jwk) checkJWK(jwk, { ...algorithm, hash: algorithm.hash?.name }, extractable, usages, /RSA-OAEP|ECDH|X25519/.test(name) ? "enc" : "sig");
  return make(type, extractable, algorithm, usages, got[1]);
}
// fitting is the algorithm of a key that was read, if it is one of that algorithm.
function fitting([curve, , bits, exponent], object, name, kind) {
  if (kind === "rsa") {
    if (curve !== "RSA") fail("DataError", "the key is none of RSA");
    return rsa(name, Number(bits), unbase64(exponent), hashed(object));
  }
  const wanted = kind === "ec" ? `${object.namedCurve}` : name;
  if (kind === "ec" && !curves[wanted]) fail("NotSupportedError", `there is no curve ${wanted.slice(0, 100)}`);
  if (curve !== wanted) fail("DataError", `the key is none of ${wanted}`);
  return kind === "ec" ? { name, namedCurve: wanted } : { name };
}

function importedSecret(format, data, jwk, object, name, about, extractable, usages) {
  if (format !== "raw" && !(jwk && about.kind !== "kdf")) fail("NotSupportedError", `keys of ${name} have no form ${format}`);
  usages = usable(usages, about.secret);
  needsUsage(usages);
  let bytes = data;
  if (jwk) {
    if (jwk.kty !== "oct" || typeof jwk.k !== "string") fail("DataError", "the JSON Web Key is no secret");
    try {
      bytes = Uint8Array.fromBase64(jwk.k, { alphabet: "base64url" });
    } catch {
      fail("DataError", "the JSON Web Key is no base64url");
    }
  }
  const algorithm = secretAlgorithm(object, name, about, bytes.length * 8, extractable);
  if (jwk) checkJWK(jwk, { ...algorithm, hash: algorithm.hash?.name }, extractable, usages, about.kind === "hmac" ? "sig" : "enc");
  return make("secret", extractable, algorithm, usages, base64(bytes));
}
function secretAlgorithm(object, name, about, bits, extractable) {
  if (about.kind === "kdf") {
    if (extractable) fail("SyntaxError", `keys of ${name} cannot be extractable`);
    return { name };
  }
  if (about.kind === "aes") {
    if (![128, 192, 256].includes(bits)) fail("DataError", "an AES key has 128, 192 or 256 bits");
    return { name, length: bits };
  }
  if (bits === 0) fail("DataError", "the key is empty");
  if (object.length !== undefined && Number(object.length) !== bits) fail("DataError", "the key has another length");
  return { name, hash: { name: hashed(object) }, length: bits };
}

// --- Export ------------------------------------------------------------------------------

// exported is bytes, or the object of a JSON Web Key.
function exported(format, key) {
  const f = fact(key);
  const about = algorithms[f.name];
  if (about.kind === "kdf") fail("NotSupportedError", `keys of ${f.name} cannot be exported`);
  if (!f.extractable) fail("InvalidAccessError", "the key is not extractable");
  const text = secret(key);
  if (format === "jwk") {
    const jwk = f.type === "secret" ? { kty: "oct", k: unbase64(text).toBase64({ alphabet: "base64url", omitPadding: true }) } : JSON.parse(call("jwk.write", f.type, text));
    const a = alg(f);
    if (a !== undefined) jwk.alg = a;
    jwk.key_ops = order.filter((u) => f.usages.includes(u));
    jwk.ext = f.extractable;
    return jwk;
  }
  if (format === "raw" && f.type === "secret") return unbase64(text);
  if (format === "raw" && f.type === "public" && about.kind !== "rsa") return unbase64(call("key.raw", text));
  if (format === "pkcs8" && f.type !== "secret") {
    if (f.type !== "private") fail("InvalidAccessError", "the key is no private key");
    return unbase64(text);
  }
  if (format === "spki" && f.type !== "secret") {
    if (f.type !== "public") fail("InvalidAccessError", "the key is no public key");
    return unbase64(text);
  }
  if (format === "raw" && f.type === "private") fail("InvalidAccessError", "the key is no public key");
  fail("NotSupportedError", `keys of ${f.name} have no form ${format}`);
}
function formatted(format) {
  format = `${format}`;
  if (!["raw", "pkcs8", "spki", "jwk"].includes(format)) throw new TypeError(`there is no form ${JSON.stringify(format.slice(0, 100))}`);
  return format;
}

return { CryptoKey, internal, secret, make, fact, may, usable, needsUsage, hashes, algorithms, curves, normal, hashed, rsa, imported, exported, formatted, fail };
