package web_test

import "testing"

func TestSmoke(t *testing.T) {
	run(t, `
test("x", async () => {
  for (const n of ["Headers","Request","Response","URL","URLSearchParams","URLPattern","TextEncoder","TextDecoder","Blob","File","FormData","ReadableStream","TransformStream","AbortController","AbortSignal","Event","DOMException","navigator","performance","atob","btoa","queueMicrotask"]) { try { ok(n, globalThis[n]); } catch (e) { fail(n, e.message + e.stack, ""); } }
  const u = new URL("https://u:p@Ex.test:8080/a/../b?x=1#h");
  is("href", u.href, "https://u:p@ex.test:8080/b?x=1#h");
  is("parts", [u.protocol,u.username,u.password,u.host,u.hostname,u.port,u.pathname,u.search,u.hash,u.origin], ["https:","u","p","ex.test:8080","ex.test","8080","/b","?x=1","#h","https://ex.test:8080"]);
  u.searchParams.append("y","z z"); is("sp", u.href, "https://u:p@ex.test:8080/b?x=1&y=z+z#h");
  const r = new Response("hä", {headers: {"X-A": "1"}});
  is("ct", r.headers.get("content-type"), "text/plain;charset=UTF-8");
  is("text", await r.text(), "hä");
  const s = new Response(new ReadableStream({start(c){c.enqueue(new TextEncoder().encode("abc"));c.close()}}));
  const c = s.clone();
  is("s", await s.text(), "abc"); is("c", await c.text(), "abc");
  const f = new FormData(); f.append("a","b"); f.append("f", new File(["x\r\ny"],'q"uo\n.txt',{type:"text/plain"}));
  const rq = new Request("https://x.test/", {method:"post", body:f});
  ok("ct", rq.headers.get("content-type").startsWith("multipart/form-data; boundary="));
  const g = await rq.formData(); is("a", g.get("a"), "b"); is("f", await g.get("f").text(), "x\r\ny"); is("n", g.get("f").name, 'q"uo\n.txt');
  is("b64", btoa(atob("aGk=")), "aGk=");
  ok("pat", new URLPattern({pathname:"/a/:id"}).test("https://x.test/a/1"));
  const t = new TextDecoderStream(); const w = t.writable.getWriter(); w.write(bytes(0xe2,0x82)); w.write(bytes(0xac)); w.close(); is("tds", (await collect(t.readable)).join(), "€");
});`)
}
