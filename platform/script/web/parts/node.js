// What the node: shims stand on and the web has no name for. Frozen: a function may
// use it, but not change it for others.
const { call } = web.part("exception");
const { base64, unbase64, encode, decode, view } = web.part("encoding");

const hashes = { __proto__: null, md5: "MD5", sha1: "SHA-1", sha256: "SHA-256", sha384: "SHA-384", sha512: "SHA-512" };
const forgotten = new FinalizationRegistry((id) => web.call("hash.close", id));

// Digest is a hash that was begun, or an HMAC where there is a key.
class Digest {
  #id;
  constructor(name, key = undefined) {
    const known = hashes[`${name}`.toLowerCase().replace("-", "")];
    if (known === undefined) throw new Error(`Digest method not supported: ${name}`);
    this.#id = key === undefined ? call("hash.open", known) : call("hash.open", known, base64(key));
    forgotten.register(this, this.#id, this);
  }
  update(bytes) { call("hash.push", this.#id, base64(bytes)); }
  sum() {
    forgotten.unregister(this);
    return unbase64(call("hash.sum", this.#id));
  }
}

return Object.freeze({
  Digest,
  hashes: Object.freeze(Object.keys(hashes)),
  pbkdf2: (hash, password, salt, iterations, length) => unbase64(call("pbkdf2", hashes[hash.toLowerCase().replace("-", "")] ?? hash, base64(password), base64(salt), iterations, length)),
  hkdf: (hash, key, salt, info, length) => unbase64(call("hkdf", hashes[hash.toLowerCase().replace("-", "")] ?? hash, base64(key), base64(salt), base64(info), length)),
  equal: (a, b) => call("equal", base64(a), base64(b)),
  inspect: web.part("inspect").inspect,
  format: web.part("inspect").format,
  utf8: Object.freeze({ encode, decode }),
  view,
});
