package web_test

import "testing"

func TestEncoding(t *testing.T) {
	run(t, `
const enc = new TextEncoder();
test("encode", () => {
  is("ascii", hex(enc.encode("abc")), "616263");
  is("two", hex(enc.encode("ü")), "c3bc");
  is("four", hex(enc.encode("😀")), "f09f9880");
  is("lone", hex(enc.encode("a\uD83Db")), "61efbfbd62");
  is("nul", hex(enc.encode("\0")), "00");
  is("none", enc.encode().length, 0);
  is("long", new TextDecoder().decode(enc.encode("ü".repeat(100000))).length, 100000);
});
test("encodeInto", () => {
  for (const [text, room, read, out] of [["abc", 2, 2, "6162"], ["aü", 2, 1, "6100"], ["aü", 3, 2, "61c3bc"], ["😀", 3, 0, "000000"], ["😀x", 5, 3, "f09f988078"], ["", 1, 0, "00"], ["\uD83D", 3, 1, "efbfbd"]]) {
    const u = new Uint8Array(room);
    const got = enc.encodeInto(text, u);
    is(text + " read", got.read, read);
    is(text, hex(u), out);
  }
});
for (const [label, name] of [["utf8", "utf-8"], [" UTF-8\n", "utf-8"], ["unicode-1-1-utf-8", "utf-8"], ["latin1", "windows-1252"], ["ascii", "windows-1252"], ["iso-8859-1", "windows-1252"], ["utf-16", "utf-16le"], ["UTF-16BE", "utf-16be"], ["sjis", "shift_jis"], ["gb2312", "gbk"], ["koi8-r", "koi8-r"], ["iso-8859-15", "iso-8859-15"]])
  test("label " + JSON.stringify(label), () => is("name", new TextDecoder(label).encoding, name));
for (const label of ["utf-7", "x", "", "replacement", "utf-32"]) test("no label " + label, () => throws("new", "RangeError", () => new TextDecoder(label)));
for (const [label, input, want] of [
  ["utf-8", "c3bc", "ü"],
  ["utf-8", "efbbbf41", "A"],
  ["utf-8", "e282", "\uFFFD"],
  ["utf-8", "e28241", "\uFFFDA"],
  ["utf-8", "f0808041", "\uFFFD\uFFFD\uFFFDA"],
  ["utf-8", "eda080", "\uFFFD\uFFFD\uFFFD"],
  ["utf-8", "c0af", "\uFFFD\uFFFD"],
  ["utf-8", "f4908080", "\uFFFD\uFFFD\uFFFD\uFFFD"],
  ["utf-8", "00", "\0"],
  ["utf-16le", "fffe4100", "A"],
  ["utf-16le", "3dd800de", "😀"],
  ["utf-16le", "3dd8", "\uFFFD"],
  ["utf-16le", "3dd84100", "\uFFFDA"],
  ["utf-16le", "410042", "A\uFFFD"],
  ["utf-16be", "feff0041", "A"],
  ["windows-1252", "8081e4ff", "€\x81äÿ"],
  ["iso-8859-15", "a4", "€"],
  ["windows-1251", "cfF0", "Пр"],
  ["shift_jis", "93fa967b", "日本"],
  ["gbk", "c4e3bac3", "你好"],
  ["euc-kr", "b0a1", "가"],
  ["big5", "a741", "你"],
]) test(label + " " + input, () => is("text", new TextDecoder(label).decode(unhex(input)), want));
test("fatal", () => {
  for (const [label, input] of [["utf-8", "ff"], ["utf-8", "e282"], ["utf-16le", "00d8"], ["utf-16le", "41"], ["shift_jis", "ff"]])
    throws(label + input, "TypeError", () => new TextDecoder(label, { fatal: true }).decode(unhex(input)));
  is("U+FFFD itself", new TextDecoder("utf-8", { fatal: true }).decode(unhex("efbfbd")), "\uFFFD");
  is("U+FFFD in UTF-16", new TextDecoder("utf-16le", { fatal: true }).decode(unhex("fdff")), "\uFFFD");
});
test("byte order mark", () => {
  is("kept", new TextDecoder("utf-8", { ignoreBOM: true }).decode(unhex("efbbbf41")), "\uFEFFA");
  is("one", new TextDecoder().decode(unhex("efbbbfefbbbf")), "\uFEFF");
  const d = new TextDecoder();
  is("in pieces", d.decode(unhex("efbb"), { stream: true }) + d.decode(unhex("bf41"), { stream: true }) + d.decode(unhex("efbbbf")), "A\uFEFF");
  is("again", d.decode(unhex("efbbbf42")), "B");
});
test("in pieces", () => {
  for (const [label, input, want] of [["utf-8", "61c3bce282acf09f9880", "aü€😀"], ["utf-16le", "3dd800de4100", "😀A"], ["shift_jis", "93fa967b", "日本"], ["utf-16be", "00410042", "AB"], ["gb18030", "8130813041", "\x80A"]]) {
    const d = new TextDecoder(label);
    let out = "";
    for (const b of unhex(input)) out += d.decode(bytes(b), { stream: true });
    is(label, out + d.decode(), want);
  }
  const d = new TextDecoder();
  is("cut off", d.decode(unhex("e282"), { stream: true }) + d.decode(), "\uFFFD");
  is("broken off", d.decode(unhex("f09f"), { stream: true }) + d.decode(unhex("41"), { stream: true }), "\uFFFDA");
  const f = new TextDecoder("utf-8", { fatal: true });
  f.decode(unhex("e2"), { stream: true });
  throws("fatal at the end", "TypeError", () => f.decode());
});
test("inputs", () => {
  const u = unhex("0041420000");
  is("view", new TextDecoder().decode(new DataView(u.buffer, 1, 2)), "AB");
  is("buffer", new TextDecoder().decode(unhex("41").slice().buffer), "A");
  is("Uint16", new TextDecoder("utf-16le").decode(new Uint16Array([0x41])), "A");
  throws("string", "TypeError", () => new TextDecoder().decode("x"));
});
test("streams", async () => {
  const s = new TextEncoderStream();
  const w = s.writable.getWriter();
  for (const c of ["a", "\uD83D", "\uDE00", "\uD83D"]) w.write(c);
  w.close();
  is("encode", hex((await collect(s.readable)).reduce((a, b) => bytes(...a, ...b), bytes())), "61f09f9880efbfbd");
  const d = new TextDecoderStream("utf-8", { fatal: true });
  const v = d.writable.getWriter();
  v.closed.catch(() => {});
  v.write(unhex("e2")).catch(() => {});
  v.close().catch(() => {});
  await rejects("fatal", "TypeError", () => collect(d.readable));
});
test("base64", () => {
  is("btoa", btoa("hi\xff"), "aGn/");
  is("atob", atob("aGn/"), "hi\xff");
  is("spaces", atob(" aG k\n="), "hi");
  is("no padding", atob("aGk"), "hi");
  is("loose bits", atob("YR"), "a");
  is("empty", [atob(""), btoa("")], ["", ""]);
  for (const bad of ["a", "aGk=x", "a===", "aG=k", "-_", "=", "ab\0"]) throws("atob " + bad, "InvalidCharacterError", () => atob(bad));
  throws("btoa", "InvalidCharacterError", () => btoa("☃"));
  is("number", btoa(12), "MTI=");
});`)
}
