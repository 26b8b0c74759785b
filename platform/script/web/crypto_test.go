package web_test

import "testing"

func TestRandom(t *testing.T) {
	run(t, `
test("getRandomValues", () => {
  const u = new Uint8Array(1000);
  ok("same", crypto.getRandomValues(u) === u);
  ok("random", new Set(u).size > 200);
  ok("wide", crypto.getRandomValues(new BigUint64Array(4)).some((x) => x > 0xffffffffn));
  throws("float", "TypeMismatchError", () => crypto.getRandomValues(new Float32Array(1)));
  throws("much", "QuotaExceededError", () => crypto.getRandomValues(new Uint8Array(65537)));
  throws("array", "TypeError", () => crypto.getRandomValues([1]));
  is("none", crypto.getRandomValues(new Uint8Array(0)).length, 0);
});
test("randomUUID", () => {
  const all = new Set(Array.from({ length: 200 }, () => crypto.randomUUID()));
  is("different", all.size, 200);
  for (const id of all) ok(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id));
});`)
}

// Vectors: FIPS 180-4 examples; RFC 4231 (HMAC), RFC 5869 (HKDF), RFC 6070 and RFC
// 7914 section 11 (PBKDF2), RFC 8032 (Ed25519), RFC 7748 (X25519), RFC 3394 (AES-KW),
// NIST SP 800-38A (CBC, CTR), the GCM specification's test cases 2, 4 and 16.
func TestCryptoVectors(t *testing.T) {
	run(t, `
const s = crypto.subtle;
const text = (x) => new TextEncoder().encode(x);
for (const [name, input, want] of [
  ["SHA-1", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"],
  ["sha-256", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
  ["SHA-256", "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
  ["SHA-384", "abc", "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"],
  ["SHA-512", "abc", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"],
]) test(name, async () => is("digest", hex(await s.digest(name, text(input))), want));

test("HMAC, RFC 4231 case 2", async () => {
  const k = await s.importKey("raw", text("Jefe"), { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
  const mac = await s.sign("HMAC", k, text("what do ya want for nothing?"));
  is("mac", hex(mac), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  ok("verify", await s.verify("HMAC", k, mac, text("what do ya want for nothing?")));
  ok("other", !(await s.verify("HMAC", k, mac, text("x"))));
});
test("HKDF, RFC 5869 case 1", async () => {
  const k = await s.importKey("raw", unhex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"), "HKDF", false, ["deriveBits"]);
  const b = await s.deriveBits({ name: "HKDF", hash: "SHA-256", salt: unhex("000102030405060708090a0b0c"), info: unhex("f0f1f2f3f4f5f6f7f8f9") }, k, 336);
  is("okm", hex(b), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
});
test("PBKDF2, RFC 6070 and 7914", async () => {
  const k = await s.importKey("raw", text("password"), "PBKDF2", false, ["deriveBits"]);
  is("sha-1", hex(await s.deriveBits({ name: "PBKDF2", hash: "SHA-1", salt: text("salt"), iterations: 4096 }, k, 160)), "4b007901b765489abead49d926f721d065a429c1");
  const p = await s.importKey("raw", text("passwd"), "PBKDF2", false, ["deriveBits"]);
  is("sha-256", hex(await s.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt: text("salt"), iterations: 1 }, p, 512)), "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783");
});
test("AES-CBC, SP 800-38A F.2.1", async () => {
  const k = await s.importKey("raw", unhex("2b7e151628aed2a6abf7158809cf4f3c"), "AES-CBC", false, ["encrypt", "decrypt"]);
  const iv = unhex("000102030405060708090a0b0c0d0e0f");
  const plain = unhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51");
  const out = await s.encrypt({ name: "AES-CBC", iv }, k, plain);
  is("blocks", hex(out).slice(0, 64), "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2");
  is("back", hex(await s.decrypt({ name: "AES-CBC", iv }, k, out)), hex(plain));
  await rejects("padding", "OperationError", () => s.decrypt({ name: "AES-CBC", iv }, k, new Uint8Array(out).slice(0, 32)));
  await rejects("iv", "OperationError", () => s.encrypt({ name: "AES-CBC", iv: iv.slice(1) }, k, plain));
});
test("AES-CTR, SP 800-38A F.5.1", async () => {
  const k = await s.importKey("raw", unhex("2b7e151628aed2a6abf7158809cf4f3c"), "AES-CTR", false, ["encrypt", "decrypt"]);
  const counter = unhex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
  const plain = unhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51");
  is("out", hex(await s.encrypt({ name: "AES-CTR", counter, length: 64 }, k, plain)), "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff");
  // The counter overflows within its 8 bits: the second block has the vector f0…fe00.
  const second = hex(await s.encrypt({ name: "AES-CTR", counter: unhex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfe00"), length: 8 }, k, new Uint8Array(16)));
  is("overflow", hex(await s.encrypt({ name: "AES-CTR", counter, length: 8 }, k, new Uint8Array(32))).slice(32), second);
  await rejects("too short", "OperationError", () => s.encrypt({ name: "AES-CTR", counter, length: 1 }, k, new Uint8Array(33)));
});
for (const [key, iv, plain, extra, want] of [
  ["00000000000000000000000000000000", "000000000000000000000000", "00000000000000000000000000000000", "", "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf"],
  ["feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39", "feedfacedeadbeeffeedfacedeadbeefabaddad2", "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e0915bc94fbc3221a5db94fae95ae7121a47"],
  ["feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39", "feedfacedeadbeeffeedfacedeadbeefabaddad2", "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b"],
]) test("AES-GCM " + key.length * 4, async () => {
  const k = await s.importKey("raw", unhex(key), "AES-GCM", false, ["encrypt", "decrypt"]);
  const a = { name: "AES-GCM", iv: unhex(iv), additionalData: unhex(extra) };
  const out = await s.encrypt(a, k, unhex(plain));
  is("out", hex(out), want);
  is("back", hex(await s.decrypt(a, k, out)), plain);
  const bad = new Uint8Array(out);
  bad[0] ^= 1;
  await rejects("changed", "OperationError", () => s.decrypt(a, k, bad));
  await rejects("tag", "OperationError", () => s.encrypt({ ...a, tagLength: 100 }, k, bytes()));
});
test("AES-KW, RFC 3394 4.1", async () => {
  const w = await s.importKey("raw", unhex("000102030405060708090A0B0C0D0E0F"), "AES-KW", false, ["wrapKey", "unwrapKey"]);
  const k = await s.importKey("raw", unhex("00112233445566778899AABBCCDDEEFF"), "AES-GCM", true, ["encrypt"]);
  const out = await s.wrapKey("raw", k, w, "AES-KW");
  is("wrapped", hex(out), "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5");
  is("back", hex(await s.exportKey("raw", await s.unwrapKey("raw", out, w, "AES-KW", "AES-GCM", true, ["encrypt"]))), "00112233445566778899aabbccddeeff");
  const bad = new Uint8Array(out);
  bad[5] ^= 1;
  await rejects("changed", "OperationError", () => s.unwrapKey("raw", bad, w, "AES-KW", "AES-GCM", true, ["encrypt"]));
});
test("Ed25519, RFC 8032 test 2", async () => {
  const d = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
  const x = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
  const url = (h) => unhex(h).toBase64({ alphabet: "base64url", omitPadding: true });
  const k = await s.importKey("jwk", { kty: "OKP", crv: "Ed25519", d: url(d), x: url(x) }, "Ed25519", true, ["sign"]);
  const sig = await s.sign("Ed25519", k, unhex("72"));
  is("signature", hex(sig), "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
  const p = await s.importKey("raw", unhex(x), "Ed25519", true, ["verify"]);
  ok("verify", await s.verify("Ed25519", p, sig, unhex("72")));
  ok("other", !(await s.verify("Ed25519", p, sig, unhex("73"))));
  ok("short", !(await s.verify("Ed25519", p, bytes(1), unhex("72"))));
});
test("X25519, RFC 7748 6.1", async () => {
  const mine = await s.importKey("pkcs8", unhex("302e020100300506032b656e04220420 5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"), "X25519", false, ["deriveBits"]);
  const theirs = await s.importKey("raw", unhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"), "X25519", true, []);
  is("secret", hex(await s.deriveBits({ name: "X25519", public: theirs }, mine, 256)), "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
  is("some bits", hex(await s.deriveBits({ name: "X25519", public: theirs }, mine, 12)), "4a50");
  is("all bits", (await s.deriveBits({ name: "X25519", public: theirs }, mine)).byteLength, 32);
  const zero = await s.importKey("raw", new Uint8Array(32), "X25519", true, []);
  await rejects("no secret", "OperationError", () => s.deriveBits({ name: "X25519", public: zero }, mine, 256));
});
const claims = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const url64 = (x) => Uint8Array.fromBase64(x, { alphabet: "base64url" });
test("RS256, RFC 7515 A.2", async () => {
  const n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
  const k = await s.importKey("jwk", { kty: "RSA", n, e: "AQAB", alg: "RS256" }, { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }, true, ["verify"]);
  const sig = url64("cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw");
  ok("verify", await s.verify("RSASSA-PKCS1-v1_5", k, sig, text("eyJhbGciOiJSUzI1NiJ9." + claims)));
  ok("other", !(await s.verify("RSASSA-PKCS1-v1_5", k, sig, text("x"))));
  is("algorithm", [k.algorithm.modulusLength, hex(k.algorithm.publicExponent), k.algorithm.hash.name], [2048, "010001", "SHA-256"]);
  const out = await s.exportKey("jwk", k);
  is("out", [out.n === n, out.e, out.alg, out.key_ops, out.ext], [true, "AQAB", "RS256", ["verify"], true]);
});
test("ES256, RFC 7515 A.3", async () => {
  const jwk = { kty: "EC", crv: "P-256", x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" };
  const k = await s.importKey("jwk", jwk, { name: "ECDSA", namedCurve: "P-256" }, true, ["verify"]);
  const sig = url64("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q");
  ok("verify", await s.verify({ name: "ECDSA", hash: "SHA-256" }, k, sig, text("eyJhbGciOiJFUzI1NiJ9." + claims)));
  const mine = await s.importKey("jwk", { ...jwk, d: "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI" }, { name: "ECDSA", namedCurve: "P-256" }, true, ["sign"]);
  ok("sign", await s.verify({ name: "ECDSA", hash: "SHA-512" }, k, await s.sign({ name: "ECDSA", hash: "SHA-512" }, mine, text("x")), text("x")));
  is("out", (({ kty, crv, x, y, d }) => ({ kty, crv, x, y, d }))(await s.exportKey("jwk", mine)), { ...jwk, d: "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI" });
  await rejects("another d", "DataError", () => s.importKey("jwk", { ...jwk, d: "AAAQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI" }, { name: "ECDSA", namedCurve: "P-256" }, true, ["sign"]));
});`)
}

func TestCryptoKeys(t *testing.T) {
	run(t, `
const s = crypto.subtle;
const rsa = { modulusLength: 1024, publicExponent: bytes(1, 0, 1), hash: "SHA-256" };
// algorithm, usages, forms of the (public, private) or secret key
const all = [
  [{ name: "HMAC", hash: "SHA-384" }, ["sign", "verify"], ["raw", "jwk"]],
  [{ name: "AES-GCM", length: 256 }, ["encrypt", "decrypt", "wrapKey"], ["raw", "jwk"]],
  [{ name: "AES-CBC", length: 192 }, ["encrypt", "decrypt"], ["raw", "jwk"]],
  [{ name: "AES-CTR", length: 128 }, ["encrypt"], ["raw", "jwk"]],
  [{ name: "AES-KW", length: 128 }, ["wrapKey", "unwrapKey"], ["raw", "jwk"]],
  [{ name: "RSASSA-PKCS1-v1_5", ...rsa }, ["sign", "verify"], ["spki", "jwk"], ["pkcs8", "jwk"]],
  [{ name: "RSA-PSS", ...rsa }, ["sign", "verify"], ["spki", "jwk"], ["pkcs8", "jwk"]],
  [{ name: "RSA-OAEP", ...rsa, hash: "SHA-1" }, ["encrypt", "decrypt", "wrapKey", "unwrapKey"], ["spki", "jwk"], ["pkcs8", "jwk"]],
  [{ name: "ECDSA", namedCurve: "P-256" }, ["sign", "verify"], ["raw", "spki", "jwk"], ["pkcs8", "jwk"]],
  [{ name: "ECDSA", namedCurve: "P-521" }, ["sign", "verify"], ["raw", "spki", "jwk"], ["pkcs8", "jwk"]],
  [{ name: "ECDH", namedCurve: "P-384" }, ["deriveBits"], ["raw", "spki", "jwk"], ["pkcs8", "jwk"]],
  [{ name: "Ed25519" }, ["sign", "verify"], ["raw", "spki", "jwk"], ["pkcs8", "jwk"]],
  [{ name: "X25519" }, ["deriveKey", "deriveBits"], ["raw", "spki", "jwk"], ["pkcs8", "jwk"]],
];
const plain = (x) => (x instanceof ArrayBuffer ? hex(x) : JSON.stringify(x));
for (const [algorithm, usages, ...forms] of all) {
  test("there and back: " + JSON.stringify(algorithm.name), async () => {
    const made = await s.generateKey(algorithm, true, usages);
    const keys = made.publicKey ? [made.publicKey, made.privateKey] : [made];
    for (const [i, key] of keys.entries()) {
      ok("class", key instanceof CryptoKey);
      is("type", key.type, keys.length === 1 ? "secret" : ["public", "private"][i]);
      for (const form of forms[i]) {
        const out = await s.exportKey(form, key);
        const back = await s.importKey(form, out, algorithm, true, key.usages);
        is(form, plain(await s.exportKey(form, back)), plain(out));
        is(form + " algorithm", [JSON.stringify(back.algorithm), back.type, back.usages], [JSON.stringify(key.algorithm), key.type, key.usages]);
      }
      await rejects("form", "TypeError", () => s.exportKey("pem", key));
    }
  });
}
test("sign and verify", async () => {
  for (const [make, use] of [[{ name: "RSASSA-PKCS1-v1_5", ...rsa }, "RSASSA-PKCS1-v1_5"], [{ name: "RSA-PSS", ...rsa }, { name: "RSA-PSS", saltLength: 32 }], [{ name: "ECDSA", namedCurve: "P-384" }, { name: "ECDSA", hash: "SHA-384" }], [{ name: "Ed25519" }, "ed25519"]]) {
    const { publicKey, privateKey } = await s.generateKey(make, false, ["sign", "verify"]);
    const sig = await s.sign(use, privateKey, bytes(1, 2));
    ok(make.name, await s.verify(use, publicKey, sig, bytes(1, 2)));
    ok(make.name + " other", !(await s.verify(use, publicKey, sig, bytes(1))));
    await rejects("usage", "InvalidAccessError", () => s.sign(use, publicKey, bytes(1)));
    await rejects("not extractable", "InvalidAccessError", () => s.exportKey("pkcs8", privateKey));
    ok("public keys are", publicKey.extractable && !privateKey.extractable);
  }
});
test("OAEP", async () => {
  const { publicKey, privateKey } = await s.generateKey({ name: "RSA-OAEP", ...rsa }, false, ["encrypt", "decrypt"]);
  const label = bytes(9);
  const out = await s.encrypt({ name: "RSA-OAEP", label }, publicKey, bytes(1, 2, 3));
  is("back", hex(await s.decrypt({ name: "RSA-OAEP", label }, privateKey, out)), "010203");
  await rejects("label", "OperationError", () => s.decrypt({ name: "RSA-OAEP" }, privateKey, out));
  await rejects("too long", "OperationError", () => s.encrypt({ name: "RSA-OAEP" }, publicKey, new Uint8Array(200)));
});
test("agreement and derivation", async () => {
  for (const a of [{ name: "ECDH", namedCurve: "P-256" }, { name: "X25519" }]) {
    const [x, y] = [await s.generateKey(a, false, ["deriveKey", "deriveBits"]), await s.generateKey(a, false, ["deriveKey"])];
    const k = await s.deriveKey({ name: a.name, public: y.publicKey }, x.privateKey, { name: "AES-GCM", length: 256 }, true, ["encrypt"]);
    const l = await s.deriveKey({ name: a.name, public: x.publicKey }, y.privateKey, { name: "AES-GCM", length: 256 }, true, ["encrypt"]);
    is(a.name, hex(await s.exportKey("raw", k)), hex(await s.exportKey("raw", l)));
    await rejects("too many bits", "OperationError", () => s.deriveBits({ name: a.name, public: y.publicKey }, x.privateKey, 512));
    await rejects("not mine", "InvalidAccessError", () => s.deriveBits({ name: a.name, public: y.publicKey }, y.privateKey, 128));
  }
  const p = await s.importKey("raw", bytes(1), "PBKDF2", false, ["deriveKey", "deriveBits"]);
  const k = await s.deriveKey({ name: "PBKDF2", hash: "SHA-256", salt: bytes(2), iterations: 10 }, p, { name: "HMAC", hash: "SHA-256" }, true, ["sign"]);
  is("hmac", (await s.exportKey("raw", k)).byteLength, 64);
  await rejects("too much work", "OperationError", () => s.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt: bytes(), iterations: 100000000 }, p, 256));
  await rejects("no iterations", "OperationError", () => s.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt: bytes(), iterations: 0 }, p, 256));
  await rejects("odd bits", "OperationError", () => s.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt: bytes(), iterations: 1 }, p, 7));
});
test("wrapping", async () => {
  const w = await s.generateKey({ name: "AES-GCM", length: 128 }, false, ["wrapKey", "unwrapKey"]);
  const k = await s.generateKey({ name: "HMAC", hash: "SHA-256" }, true, ["sign"]);
  const iv = new Uint8Array(12);
  const out = await s.wrapKey("jwk", k, w, { name: "AES-GCM", iv });
  const back = await s.unwrapKey("jwk", out, w, { name: "AES-GCM", iv }, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  is("same", hex(await s.sign("HMAC", back, bytes(1))), hex(await s.sign("HMAC", k, bytes(1))));
  ok("not extractable", !back.extractable);
  await rejects("encrypt", "InvalidAccessError", () => s.encrypt({ name: "AES-GCM", iv }, w, bytes(1)));
});
for (const [what, name, f] of [
  ["unknown", "NotSupportedError", () => s.digest("MD5", bytes())],
  ["unknown cipher", "NotSupportedError", () => s.generateKey("DES", true, [])],
  ["no data", "TypeError", () => s.digest("SHA-1", "x")],
  ["no name", "TypeError", () => s.digest({}, bytes())],
  ["AES length", "OperationError", () => s.generateKey({ name: "AES-GCM", length: 100 }, true, ["encrypt"])],
  ["AES key", "DataError", () => s.importKey("raw", bytes(1), "AES-GCM", true, ["encrypt"])],
  ["no usages", "SyntaxError", () => s.generateKey({ name: "AES-GCM", length: 128 }, true, [])],
  ["wrong usage", "SyntaxError", () => s.generateKey({ name: "AES-GCM", length: 128 }, true, ["sign"])],
  ["bad usage", "TypeError", () => s.generateKey({ name: "AES-GCM", length: 128 }, true, ["fly"])],
  ["curve", "NotSupportedError", () => s.generateKey({ name: "ECDSA", namedCurve: "K-256" }, true, ["sign"])],
  ["exponent", "OperationError", () => s.generateKey({ name: "RSA-PSS", ...rsa, publicExponent: bytes(3) }, true, ["sign"])],
  ["huge RSA", "OperationError", () => s.generateKey({ name: "RSA-PSS", ...rsa, modulusLength: 65536 }, true, ["sign"])],
  ["garbage pkcs8", "DataError", () => s.importKey("pkcs8", bytes(1), { name: "ECDSA", namedCurve: "P-256" }, true, ["sign"])],
  ["point off the curve", "DataError", () => s.importKey("raw", new Uint8Array(65).fill(4), { name: "ECDSA", namedCurve: "P-256" }, true, ["verify"])],
  ["giant RSA key", "DataError", () => s.importKey("jwk", { kty: "RSA", n: "A".repeat(100000), e: "AQAB" }, { name: "RSA-PSS", hash: "SHA-256" }, true, ["verify"])],
  ["giant pkcs8", "DataError", () => s.importKey("pkcs8", new Uint8Array(100000), { name: "RSA-PSS", hash: "SHA-256" }, true, ["sign"])],
  ["extractable KDF key", "SyntaxError", () => s.importKey("raw", bytes(1), "HKDF", true, ["deriveBits"])],
  ["JWK for another use", "DataError", () => s.importKey("jwk", { kty: "oct", k: "AQID", use: "enc" }, { name: "HMAC", hash: "SHA-256" }, true, ["sign"])],
  ["JWK of another algorithm", "DataError", () => s.importKey("jwk", { kty: "oct", k: "AQID", alg: "HS512" }, { name: "HMAC", hash: "SHA-256" }, true, ["sign"])],
  ["JWK not extractable", "DataError", () => s.importKey("jwk", { kty: "oct", k: "AQID", ext: false }, { name: "HMAC", hash: "SHA-256" }, true, ["sign"])],
]) test(what, () => rejects(what, name, f));
test("usages cannot be given later", async () => {
  const k = await s.generateKey({ name: "AES-GCM", length: 128 }, false, ["encrypt"]);
  k.usages.push("decrypt");
  k.algorithm.name = "AES-KW";
  await rejects("decrypt", "InvalidAccessError", () => s.decrypt({ name: "AES-GCM", iv: new Uint8Array(12) }, k, new Uint8Array(32)));
  throws("no constructor", "TypeError", () => new CryptoKey());
});`)
}
