package web_test

import "testing"

func TestFileAPI(t *testing.T) {
	run(t, `
test("parts", async () => {
  const b = new Blob(["aü", bytes(1, 2), bytes(3).buffer, new Blob(["x"]), 5], { type: "Text/Plain" });
  is("size", b.size, 8);
  is("type", b.type, "text/plain");
  is("bytes", hex(await b.bytes()), "61c3bc0102037835");
  is("none", new Blob().size, 0);
  is("bad type", new Blob([], { type: "a\u0000" }).type, "");
  is("lone", hex(await new Blob(["\uD800"]).arrayBuffer()), "efbfbd");
  is("endings", await new Blob(["a\r\nb\rc"], { endings: "native" }).text(), "a\nb\nc");
  for (const bad of [1, "x", null, {}]) throws("parts " + bad, "TypeError", () => new Blob(bad));
  throws("endings", "TypeError", () => new Blob([], { endings: "x" }));
});
test("slice", async () => {
  const b = new Blob(["abcdef"], { type: "a/b" });
  for (const [args, want] of [[[], "abcdef"], [[1, 3], "bc"], [[-2], "ef"], [[2, -2], "cd"], [[4, 2], ""], [[0, 100], "abcdef"]]) is("slice " + args, await b.slice(...args).text(), want);
  is("type", [b.slice().type, b.slice(0, 1, "X/Y").type], ["", "x/y"]);
});
test("apart", async () => {
  const u = bytes(65);
  const b = new Blob([u]);
  u[0] = 66;
  is("copied", await b.text(), "A");
  (await b.bytes())[0] = 67;
  is("given copies", await b.text(), "A");
});
test("stream", async () => {
  const b = new Blob(["x".repeat(150000)]);
  const chunks = await collect(b.stream());
  is("chunks", chunks.length, 3);
  is("length", chunks.reduce((n, c) => n + c.length, 0), 150000);
  is("empty", await collect(new Blob().stream()), []);
});
test("file", async () => {
  const f = new File(["x"], "a/b.txt", { type: "t/x", lastModified: 5 });
  is("members", [f.name, f.size, f.type, f.lastModified, f instanceof Blob], ["a/b.txt", 1, "t/x", 5, true]);
  ok("now", Math.abs(new File([], "x").lastModified - Date.now()) < 60000);
  throws("no name", "TypeError", () => new File([]));
  ok("slice is a blob", !(f.slice() instanceof File));
});`)
}

func TestFormData(t *testing.T) {
	run(t, `
test("entries", () => {
  const f = new FormData();
  f.append("a", 1);
  f.append("a", "2");
  f.append("f", new Blob(["x"], { type: "t/x" }));
  f.append("g", new File(["y"], "n"), "m");
  is("get", [f.get("a"), f.getAll("a").length, f.has("z"), f.get("z")], ["1", 2, false, null]);
  is("blob", [f.get("f") instanceof File, f.get("f").name, f.get("f").type], [true, "blob", "t/x"]);
  is("renamed", f.get("g").name, "m");
  f.set("a", "3");
  is("keys", [...f.keys()], ["a", "f", "g"]);
  f.delete("f");
  is("left", [...f].length, 2);
  throws("name for a string", "TypeError", () => f.append("a", "b", "c"));
  throws("few", "TypeError", () => f.append("a"));
  throws("form", "TypeError", () => new FormData({}));
});
async function through(f) {
  const r = new Response(f);
  return [r.headers.get("content-type"), await r.clone().text(), await r.formData()];
}
test("multipart both ways", async () => {
  const f = new FormData();
  f.append("plain", "ä\nb");
  f.append('q"\r\n%22', "v");
  f.append("file", new File([bytes(0, 255, 13, 10)], 'na"me\n☃.bin', { type: "a/b" }));
  f.append("empty", new File([], ""));
  const [type, text, g] = await through(f);
  ok("type", /^multipart\/form-data; boundary=----fazt[0-9A-Za-z]{20}$/.test(type));
  ok("escaped", text.includes('name="q%22%0D%0A%22"'));
  ok("no type", text.includes("Content-Type: application/octet-stream"));
  is("plain", g.get("plain"), "ä\r\nb");
  is("bytes", hex(await g.get("file").bytes()), "00ff0d0a");
  is("file", [g.get("file").name, g.get("file").type], ['na"me\n☃.bin', "a/b"]);
  is("empty", [g.get("empty").name, g.get("empty").size], ["", 0]);
  is("names", [...g.keys()], ["plain", 'q"\r\n"', "file", "empty"]);
});
const form = (body, boundary = "X") => new Response(body, { headers: { "content-type": "multipart/form-data; boundary=" + boundary } }).formData();
test("from elsewhere", async () => {
  const f = await form('preamble\r\n--X\r\ncontent-disposition: form-data; name=a\r\n\r\n1\r\n--X\r\nContent-Disposition: form-data; name="b"; filename="C:\\\\x.txt"\r\n\r\ny\r\n--X--\r\nafter');
  is("a", f.get("a"), "1");
  is("default type", f.get("b").type, "text/plain");
  is("text", await f.get("b").text(), "y");
  is("none", [...(await form("--X--\r\n"))], []);
});
for (const [what, body, boundary] of [
  ["no end", '--X\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'],
  ["no name", "--X\r\nContent-Disposition: form-data\r\n\r\n1\r\n--X--"],
  ["no disposition", "--X\r\n\r\n1\r\n--X--"],
  ["nothing", ""],
  ["other boundary", "--Y--", "X"],
  ["no boundary", "--X--", ""],
]) test(what, () => rejects(what, "TypeError", form(body, boundary)));`)
}
