package web_test

import "testing"

// The table is written by hand; the parser is also run over the web platform's own
// data by its authors.
func TestURL(t *testing.T) {
	run(t, `
const parts = (u) => [u.protocol, u.username, u.password, u.host, u.hostname, u.port, u.pathname, u.search, u.hash].join("|");
for (const [input, base, href, rest] of [
  ["https://Example.TEST/a/./b/../c?x=1#y", , "https://example.test/a/c?x=1#y", "https:|||example.test|example.test||/a/c|?x=1|#y"],
  ["http://user:pa%20ss@h:8080/", , "http://user:pa%20ss@h:8080/", "http:|user|pa%20ss|h:8080|h|8080|/||"],
  ["http://user@h", , "http://user@h/", "http:|user||h|h||/||"],
  ["http://:pw@h", , "http://:pw@h/", "http:||pw|h|h||/||"],
  ["http://h:80/", , "http://h/", "http:|||h|h||/||"],
  ["https://h:443", , "https://h/", "https:|||h|h||/||"],
  ["http://0x7f.1/", , "http://127.0.0.1/", "http:|||127.0.0.1|127.0.0.1||/||"],
  ["http://2130706433", , "http://127.0.0.1/", "http:|||127.0.0.1|127.0.0.1||/||"],
  ["http://[::1]:3000/x", , "http://[::1]:3000/x", "http:|||[::1]:3000|[::1]|3000|/x||"],
  ["http://[1:0:0:0:0:0:0:2]", , "http://[1::2]/", "http:|||[1::2]|[1::2]||/||"],
  ["http://münchen.test/ü?ü#ü", , "http://xn--mnchen-3ya.test/%C3%BC?%C3%BC#%C3%BC", "http:|||xn--mnchen-3ya.test|xn--mnchen-3ya.test||/%C3%BC|?%C3%BC|#%C3%BC"],
  ["  http://h/\n", , "http://h/", "http:|||h|h||/||"],
  ["http:\\\\h\\a\\b", , "http://h/a/b", "http:|||h|h||/a/b||"],
  ["mailto:a@b.test", , "mailto:a@b.test", "mailto:||||||a@b.test||"],
  ["data:text/plain,hi there#f", , "data:text/plain,hi there#f", "data:||||||text/plain,hi there||#f"],
  ["file:///C|/x", , "file:///C:/x", "file:||||||/C:/x||"],
  ["web+demo:/.//not-a-host/", , "web+demo:/.//not-a-host/", "web+demo:||||||//not-a-host/||"],
  ["foo://h?q", , "foo://h?q", "foo:|||h|h|||?q|"],
  ["http://h/?#", , "http://h/?#", "http:|||h|h||/||"],
  ["../x", "http://h/a/b/c", "http://h/a/x", "http:|||h|h||/a/x||"],
  ["//other/x", "https://h/", "https://other/x", "https:|||other|other||/x||"],
  ["?q", "http://h/a?b#c", "http://h/a?q", "http:|||h|h||/a|?q|"],
  ["#f", "mailto:x", "mailto:x#f", "mailto:||||||x||#f"],
  ["", "http://h/a?b#c", "http://h/a?b", "http:|||h|h||/a|?b|"],
  ["http://h/%7Efoo/%2e%2E/%zz", , "http://h/%zz", "http:|||h|h||/%zz||"],
]) {
  test(input, () => {
    const u = new URL(input, base);
    is("href", u.href, href);
    is("parts", parts(u), rest);
    is("toJSON", JSON.stringify(u), JSON.stringify(href));
    ok("canParse", URL.canParse(input, base));
    is("parse", URL.parse(input, base).href, href);
  });
}
for (const [input, base] of [["/x"], ["http://"], ["http://a b/"], ["http://h:99999/"], ["http://h:x/"], ["http://[::1"], ["http://256.1.1.1.1/"], ["http://%00/"], ["http://xn--/"], ["x", "mailto:y"], ["http://a<b"], ["https://exa%23mple.org"]]) {
  test("fails: " + input, () => {
    throws("new", "TypeError", () => new URL(input, base));
    is("canParse", URL.canParse(input, base), false);
    is("parse", URL.parse(input, base), null);
  });
}
for (const [href, part, value, want] of [
  ["http://h/", "protocol", "https", "https://h/"],
  ["http://h/", "protocol", "foo", "http://h/"],
  ["foo://h/", "protocol", "bar:", "bar://h/"],
  ["http://h/", "username", "a b", "http://a%20b@h/"],
  ["http://h/", "password", "@", "http://:%40@h/"],
  ["mailto:x", "username", "a", "mailto:x"],
  ["http://h:81/", "host", "g:82", "http://g:82/"],
  ["http://h:81/", "host", "g", "http://g:81/"],
  ["http://h/", "hostname", "a:b", "http://h/"],
  ["http://h/", "port", "8080x", "http://h:8080/"],
  ["http://h:81/", "port", "", "http://h/"],
  ["http://h/", "port", "70000", "http://h/"],
  ["http://h/a", "pathname", "b c/../d", "http://h/d"],
  ["http://h/", "search", "a b", "http://h/?a%20b"],
  ["http://h/?x#y", "search", "", "http://h/#y"],
  ["http://h/", "hash", "a b", "http://h/#a%20b"],
  ["http://h/", "href", "https://g/", "https://g/"],
]) {
  test(part + " of " + href, () => {
    const u = new URL(href);
    u[part] = value;
    is("href", u.href, want);
  });
}
test("lengths", () => {
  const k = 1 << 16;
  for (const [what, text] of Object.entries({
    at: "http://" + "@".repeat(k) + "h/", user: "http://" + "u".repeat(k) + "@h/", password: "\thttp:/\n/u:" + "p".repeat(k) + "@h/", "opaque host": "x://" + "a".repeat(k), "backslash in it": "x://a\\" + "a".repeat(k) + "@h",
    segments: "http://h/" + "a/".repeat(k), "file slashes": "file:" + "/".repeat(k), backslashes: "http:" + "\\a".repeat(k), "no slashes": "http:" + "u".repeat(k) + "@h",
  })) is(what, URL.canParse(text), false);
  is("relative", URL.canParse("//" + "u".repeat(k) + "@h", "http://h"), false);
  is("base", URL.canParse("x", "http://h/" + "a/".repeat(k)), false);
  for (const [what, text] of Object.entries({ data: "data:text/plain;base64," + "a".repeat(k), path: "https://h/" + "a".repeat(k), query: "https://h/?" + "a/@".repeat(k), hash: "https://h/#" + "/".repeat(k), opaque: "x:" + "a@".repeat(k) })) is(what, URL.parse(text)?.href, text);
  is("relative path", URL.parse("/" + "a".repeat(k), "http://h")?.href, "http://h/" + "a".repeat(k));
  const u = new URL("x://h/");
  u.host = "a".repeat(k);
  u.pathname = "a/".repeat(k);
  is("setters", u.href, "x://h/");
});
test("origin", () => {
  is("https", new URL("https://h:8443/x").origin, "https://h:8443");
  is("blob", new URL("blob:https://h/id").origin, "https://h");
  is("file", new URL("file:///x").origin, "null");
  is("other", new URL("foo://h").origin, "null");
});
test("href fails", () => throws("href", "TypeError", () => { new URL("http://h/").href = "x"; }));
test("class", () => {
  is("tag", String(Object.prototype.toString.call(new URL("http://h"))), "[object URL]");
  is("name", URL.name, "URL");
  throws("no new", "TypeError", () => URL("http://h"));
  throws("none", "TypeError", () => new URL());
  ok("same params", ((u) => u.searchParams === u.searchParams)(new URL("http://h")));
});`)
}

func TestURLSearchParams(t *testing.T) {
	run(t, `
for (const [input, want, pairs] of [
  ["a=1&b=2", "a=1&b=2", [["a", "1"], ["b", "2"]]],
  ["?a=1", "a=1", [["a", "1"]]],
  ["a+b=c+d", "a+b=c+d", [["a b", "c d"]]],
  ["a%20b=%2B", "a+b=%2B", [["a b", "+"]]],
  ["&&a&&=b&c=d=e", "a=&=b&c=d%3De", [["a", ""], ["", "b"], ["c", "d=e"]]],
  ["%e2%98%83=%E2%98%83", "%E2%98%83=%E2%98%83", [["☃", "☃"]]],
  ["a=%zz%41", "a=%25zzA", [["a", "%zzA"]]],
  ["a=%ff", "a=%EF%BF%BD", [["a", "�"]]],
  ["a=!'()~*-._", "a=%21%27%28%29%7E*-._", [["a", "!'()~*-._"]]],
  ["a=\uD800", "a=%EF%BF%BD", [["a", "�"]]],
  ["%EF%BB%BFa=1", "%EF%BB%BFa=1", [["\uFEFFa", "1"]]],
  ["", "", []],
]) {
  test(JSON.stringify(input), () => {
    const p = new URLSearchParams(input);
    is("pairs", [...p], pairs);
    is("string", p.toString(), want);
    is("size", p.size, pairs.length);
  });
}
test("from objects", () => {
  is("record", new URLSearchParams({ a: 1, b: "x y" }).toString(), "a=1&b=x+y");
  is("pairs", new URLSearchParams([["a", 1], ["a", 2]]).toString(), "a=1&a=2");
  is("params", new URLSearchParams(new URLSearchParams("x=1")).toString(), "x=1");
  is("map", new URLSearchParams(new Map([["k", "v"]])).toString(), "k=v");
  is("form", new URLSearchParams(((f) => (f.append("a", "b"), f))(new FormData())).toString(), "a=b");
  throws("three", "TypeError", () => new URLSearchParams([["a", "b", "c"]]));
  throws("string pair", "TypeError", () => new URLSearchParams(["ab"]));
  throws("symbol", "TypeError", () => new URLSearchParams({ [Symbol()]: 1 }));
});
test("changes", () => {
  const p = new URLSearchParams("a=1&b=2&a=3");
  is("get", p.get("a"), "1");
  is("none", p.get("x"), null);
  is("all", p.getAll("a"), ["1", "3"]);
  ok("has", p.has("a", "3") && !p.has("a", "2"));
  p.set("a", "9");
  is("set", p.toString(), "a=9&b=2");
  p.append("a", "8");
  p.delete("a", "9");
  is("delete", p.toString(), "b=2&a=8");
  p.set("z", "0");
  p.sort();
  is("sort", p.toString(), "a=8&b=2&z=0");
  throws("few", "TypeError", () => p.append("a"));
});
test("sort is by code unit and stable", () => {
  const p = new URLSearchParams("\uFFFD=1&\u{1F308}=2&b=3&b=4");
  p.sort();
  is("order", [...p.values()], ["3", "4", "2", "1"]);
});
test("iteration sees changes", () => {
  const p = new URLSearchParams("a=1&b=2&c=3");
  const seen = [];
  for (const [k] of p) { seen.push(k); if (k === "a") p.delete("b"); }
  is("seen", seen, ["a", "c"]);
  ok("same", URLSearchParams.prototype[Symbol.iterator] === URLSearchParams.prototype.entries);
  is("keys", [...p.keys()], ["a", "c"]);
  const out = [];
  p.forEach((v, k) => out.push(k + v));
  is("forEach", out, ["a1", "c3"]);
});
test("of a URL", () => {
  const u = new URL("http://h/?a=1#f");
  const p = u.searchParams;
  p.append("b", "x y");
  is("href", u.href, "http://h/?a=1&b=x+y#f");
  u.search = "?c=3";
  is("follows", p.toString(), "c=3");
  p.delete("c");
  is("empty", u.href, "http://h/#f");
  u.href = "http://g/?d";
  is("href set", p.toString(), "d=");
});`)
}

func TestURLPattern(t *testing.T) {
	run(t, `
for (const [pattern, input, groups] of [
  [{ pathname: "/users/:id" }, "https://h/users/7", { id: "7" }],
  [{ pathname: "/users/:id" }, "https://h/users/", null],
  [{ pathname: "/a/:x?" }, "https://h/a", { x: undefined }],
  [{ pathname: "/f/*" }, "https://h/f/a/b", { 0: "a/b" }],
  [{ pathname: "/n/:n(\\d+)" }, "https://h/n/x", null],
  [{ pathname: "/n/:n(\\d+)" }, "https://h/n/12", { n: "12" }],
  [{ pathname: "/:a/:b+" }, "https://h/1/2/3", { a: "1", b: "2/3" }],
  [{ pathname: "/{old}?new" }, "https://h/new", {}],
]) {
  test(JSON.stringify(pattern) + " " + input, () => {
    const p = new URLPattern(pattern);
    is("test", p.test(input), groups !== null);
    const got = p.exec(input);
    is("groups", got === null ? null : got.pathname.groups, groups);
  });
}
test("string", () => {
  const p = new URLPattern("https://:sub.example.test/x?q=:q");
  is("sub", p.exec("https://a.example.test/x?q=1").hostname.groups.sub, "a");
  is("base", new URLPattern("/y", "https://h").test("https://h/y"), true);
  is("members", [p.protocol, p.pathname, p.search], ["https", "/x", "q=:q"]);
  throws("bad", "TypeError", () => new URLPattern({ pathname: "/(" }));
});`)
}
