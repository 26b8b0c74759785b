package binding_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/platform/binding"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/queue"
	"github.com/fazt-sh/fazt/platform/script"
	"github.com/fazt-sh/fazt/platform/storage"
)

// Documents in the words of bindings.js.
func TestDocs(t *testing.T) {
	meta := func(id string) string { return `{"_id":"` + id + `","_version":#,"_created":#,"_updated":#}` }
	open(t).walk(t, "PAGES", []step{
		{method: "get", args: `{"collection":"c","id":"a"}`, want: "null"},
		{method: "insert", args: `{"collection":"c","docs":[{"_id":"a","views":1,"_version":99},{"_id":"b","views":2}]}`, want: "[" + meta("a") + "," + meta("b") + "]"},
		{method: "insert", args: `{"collection":"c","docs":[{"_id":"a"}]}`, kind: fault.Conflict},
		{method: "insert", args: `{"collection":"c","docs":[1]}`, kind: fault.Invalid},
		{method: "insert", args: `{"collection":"","docs":[{}]}`, kind: fault.Invalid},
		{method: "get", args: `{"collection":"c","id":"a"}`, want: `{"_id":"a","views":1,"_version":#,"_created":#,"_updated":#}`},
		{method: "get", args: `{"collection":"c","id":"a","user":"ana"}`, want: "null"},
		{method: "find", args: `{"collection":"c","sort":[{"field":"views","down":true}],"limit":1,"fields":["views"]}`, want: `{"docs":[{"_id":"b","views":2}],"cursor":"` + find(t) + `"}`},
		{method: "find", args: `{"collection":"c","filter":{"views":{"$gt":1}}}`, want: `{"docs":[{"_id":"b","views":2,"_version":#,"_created":#,"_updated":#}]}`},
		{method: "find", args: `{"collection":"c","filter":{"$where":"x"}}`, kind: fault.Invalid},
		{method: "update", args: `{"collection":"c","id":"a","change":{"$inc":{"views":4}}}`, want: "[" + meta("a") + "]"},
		{method: "update", args: `{"collection":"c","id":"a","change":{"$set":{"views":5}}}`, want: "[]"},
		{method: "update", args: `{"collection":"c","id":"none","change":{"$set":{"views":5}}}`, kind: fault.NotFound},
		{method: "update", args: `{"collection":"c","id":"a","ifVersion":1,"change":{"$set":{"views":6}}}`, kind: fault.Conflict},
		{method: "count", args: `{"collection":"c"}`, want: "2"},
		{method: "aggregate", args: `{"collection":"c","group":["kind"],"values":[{"op":"sum","field":"views"},{"op":"avg","field":"none"}]}`,
			want: `{"groups":[{"key":[null],"values":[7,null]}]}`},
		{method: "aggregate", args: `{"collection":"c","values":[{"op":"drop","field":"views"}]}`, kind: fault.Invalid},
		{method: "remove", args: `{"collection":"c","filter":{"views":{"$lt":3}}}`, want: "1"},
		{method: "remove", args: `{"collection":"c"}`, kind: fault.Invalid},
		{method: "remove", args: `{"collection":"c","id":"a"}`, want: "1"},
	})
}

// find is the cursor behind the first page of TestDocs.
func find(t *testing.T) string {
	w := open(t)
	w.call(t.Context(), "PAGES", "insert", `{"collection":"c","docs":[{"_id":"a","views":1},{"_id":"b","views":2}]}`)
	r := w.call(t.Context(), "PAGES", "find", `{"collection":"c","sort":[{"field":"views","down":true}],"limit":1}`)
	var page struct{ Cursor string }
	if err := json.Unmarshal([]byte(r.value), &page); err != nil || page.Cursor == "" {
		t.Fatalf("%v in %s", err, r.value)
	}
	return page.Cursor
}

// Files in the words of bindings.js.
func TestFiles(t *testing.T) {
	const etag = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" // of hello
	info := `{"key":"a/x.txt","version":#,"size":5,"etag":"` + etag + `","uploaded":#,"http":{"cacheControl":"no-store","contentType":"text/plain"},"custom":{"by":"ana"}`
	open(t).walk(t, "FILES", []step{
		{method: "head", args: `{"key":"a/x.txt"}`, want: "null"},
		{method: "get", args: `{"key":"a/x.txt"}`, want: "null"},
		{method: "put", args: `{"key":"a/x.txt","http":{"contentType":"text/plain","cacheControl":"no-store"},"custom":{"by":"ana"}}`, body: "hello", want: info + "}"},
		{method: "head", args: `{"key":"a/x.txt"}`, want: info + "}"},
		{method: "get", args: `{"key":"a/x.txt"}`, want: info + "}", content: "hello"},
		{method: "get", args: `{"key":"a/x.txt","range":{"offset":1,"length":2}}`, want: info + `,"range":{"offset":1,"length":2}}`, content: "el"},
		{method: "get", args: `{"key":"a/x.txt","range":{"suffix":2}}`, want: info + `,"range":{"offset":3,"length":2}}`, content: "lo"},
		{method: "get", args: `{"key":"a/x.txt","range":{"offset":9}}`, kind: fault.Invalid},
		{method: "get", args: `{"key":"a/x.txt","onlyIf":{"noneMatch":["` + etag + `"]}}`, want: info + `,"unmet":true}`},
		{method: "get", args: `{"key":"a/x.txt","onlyIf":{"after":1}}`, want: info + "}", content: "hello"},
		{method: "get", args: `{"key":"a/x.txt","user":"ana"}`, want: "null"},
		{method: "put", args: `{"key":"a/x.txt","onlyIf":{"noneMatch":["*"]}}`, body: "other", want: "null"},
		{method: "put", args: `{"key":"bad","sha256":"` + strings.Repeat("0", 64) + `"}`, body: "hello", kind: fault.Invalid},
		{method: "put", args: `{"key":"bad","md5":"5d41402abc4b2a76b9719d911017c592","sha256":"` + etag + `"}`, body: "hellO", kind: fault.Invalid},
		{method: "put", args: `{"key":"bad","http":{"contentDisposition":"a\r\nb"}}`, body: "x", kind: fault.Invalid},
		{method: "put", args: `{"key":"bad","http":{"set-cookie":"a"}}`, body: "x", kind: fault.Invalid},
		{method: "head", args: `{"key":"bad"}`, want: "null"},
		{method: "put", args: `{"key":"a/sum","md5":"5d41402abc4b2a76b9719d911017c592","sha256":"` + etag + `"}`, body: "hello",
			want: `{"key":"a/sum","version":#,"size":5,"etag":"` + etag + `","uploaded":#,"http":{"contentType":"application/octet-stream"}}`},
		{method: "put", args: `{"key":"empty"}`, want: `{"key":"empty","version":#,"size":0,"etag":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","uploaded":#,"http":{"contentType":"application/octet-stream"}}`},
		{method: "list", args: `{"delimiter":"/","limit":2}`, want: `{"objects":[{"key":"empty","version":#,"size":0,"etag":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","uploaded":#,"http":{"contentType":"application/octet-stream"}}],"prefixes":["a/"]}`},
		{method: "list", args: `{"after":"a/x.txt","limit":1}`, want: `{"objects":[{"key":"empty","version":#,"size":0,"etag":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","uploaded":#,"http":{"contentType":"application/octet-stream"}}],"prefixes":[]}`},
		{method: "delete", args: `{"keys":["a/x.txt","none"]}`, want: "null"},
		{method: "head", args: `{"key":"a/x.txt"}`, want: "null"},
		{method: "sign", args: `{"key":"a","method":"DELETE","expires":1}`, kind: fault.Invalid},
		{method: "sign", args: `{"key":"a","method":"GET","expires":604801}`, kind: fault.Invalid},
		{method: "sign", args: `{"key":"","method":"GET","expires":1}`, kind: fault.Invalid},
	})
}

// Streams and conditions in the words of the code.
func TestFilesOfCode(t *testing.T) {
	w, h := open(t), engine(t)
	got := w.run(t, h, `
		const stream = new ReadableStream({ start(c) { for (const s of ["a", "b", "c"]) c.enqueue(new TextEncoder().encode(s.repeat(50000))); c.close(); } });
		const put = await env.FILES.put("big", stream, { httpMetadata: new Headers({ "content-type": "text/html" }) });
		const got = await env.FILES.get("big", { range: new Headers({ range: "bytes=49999-50000" }) });
		const said = [put.size, await got.text(), got.range, got.bodyUsed];
		try { await got.text(); } catch (e) { said.push(e.code); }
		const same = await env.FILES.get("big", { onlyIf: new Headers({ "if-none-match": put.httpEtag }) });
		said.push("body" in same, same.etag === put.etag);
		said.push(await env.FILES.put("big", "x", { onlyIf: { etagMatches: "other" } }));
		const headers = new Headers();
		put.writeHttpMetadata(headers);
		said.push(Object.fromEntries(headers), Object.isFrozen(put), put.uploaded instanceof Date);
		const kv = new Uint8Array(100000).fill(7);
		await env.CACHE.put("s", new Blob([kv]).stream());
		said.push((await env.CACHE.get("s", "arrayBuffer")).byteLength, (await (await env.CACHE.get("s", "stream")).getReader().read()).value[0]);
		return said;`)
	want := `[150000,"ab",{"offset":49999,"length":2},true,"invalid",false,true,null,` +
		`{"content-disposition":"attachment","content-security-policy":"sandbox","content-type":"text/html","x-content-type-options":"nosniff"},true,true,100000,7]`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// What fazt.d.ts says of files is so.
func TestFilesAreAsDeclared(t *testing.T) {
	w, h := open(t), engine(t)
	got := w.run(t, h, `
		for (const key of ["a", "b", "b/1", "c/1", "c/2"]) await env.FILES.put(key, "hello");
		const keys = async (o) => { const { objects, delimitedPrefixes } = await env.FILES.list(o); return [...objects.map((f) => f.key), ...delimitedPrefixes].join(" "); };
		const said = [await keys({ startAfter: "b" }), await keys({ startAfter: "b", prefix: "c/" }), await keys({ startAfter: "c/1", delimiter: "/" }), await keys({ startAfter: "z" })];
		const { cursor } = await env.FILES.list({ startAfter: "a", limit: 2 });
		said.push(await keys({ startAfter: "a", cursor }));
		const file = await env.FILES.head("a");
		said.push(file.checksums.sha256 === file.etag, typeof file.version);
		return said;`)
	if want := `["b/1 c/1 c/2","c/1 c/2","c/","","c/1 c/2",true,"number"]`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A stream that was read, or fails, keeps nothing, and who awaits the call hears why.
func TestStreamsThatAreNone(t *testing.T) {
	w, h := open(t), engine(t)
	got := w.run(t, h, `
		const said = [];
		const hear = async (f) => { try { await f(); said.push("kept"); } catch (e) { said.push(e.constructor.name + ": " + e.message); } };
		const read = new Request("http://x.test/", { method: "POST", body: "hello" });
		await read.text();
		const part = new Response("hello").body, reader = part.getReader();
		const upload = await env.FILES.createMultipartUpload("big");
		for (const put of [(v) => env.CACHE.put("k", v), (v) => env.CACHE.putIfVersion("k", v, 0), (v) => env.FILES.put("k", v), (v) => upload.uploadPart(1, v)]) {
			await hear(() => put(read.body));
			await hear(() => put(part));
			await hear(() => put(new ReadableStream({ pull() { throw new RangeError("the disk of the source"); } })));
			await hear(() => put(new ReadableStream({ start(c) { c.enqueue(new Uint8Array(70000)); c.enqueue("text"); c.close(); } })));
		}
		said.push(await env.CACHE.get("k"), await env.FILES.head("k"));
		return said.join("\n").replaceAll(": value", "");`)
	var said, want string
	for _, put := range []string{"CACHE.put", "CACHE.putIfVersion", "FILES.put", "uploadPart"} {
		want += strings.Repeat("TypeError: "+put+": the stream is locked or has been read from\n", 2) + "RangeError: the disk of the source\n" +
			"TypeError: a chunk of the body is no Uint8Array: pipe text through a TextEncoderStream\n"
	}
	if want += "\n"; json.Unmarshal([]byte(got), &said) != nil || said != want {
		t.Errorf("got\n%s\nwant\n%s", said, want)
	}
}

// Jobs are in the queue when send resolves, each once under its key.
func TestQueue(t *testing.T) {
	w := open(t)
	w.walk(t, "MAIL", []step{
		{method: "send", args: `{"messages":[{"body":{"a":1},"unique":"k"},{"body":null,"delay":60,"priority":5}]}`, want: `{"ids":["1","2"]}`},
		{method: "send", args: `{"messages":[{"body":2,"unique":"k"}]}`, want: `{"ids":["1"]}`},
		{method: "send", args: `{"messages":[{}]}`, kind: fault.Invalid},
		{method: "send", args: `{"messages":[{"body":1,"delay":-1}]}`, kind: fault.Invalid},
		{method: "send", args: `{"messages":[{"body":1,"delay":99999999999}]}`, kind: fault.Invalid},
		{method: "send", args: `{"messages":[{"body":"` + strings.Repeat("x", 257<<10) + `"}]}`, kind: fault.Invalid},
	})
	jobs, err := w.jobs.Jobs(t.Context(), "MAIL", "", 0, 10)
	if err != nil || len(jobs) != 2 || string(jobs[0].Body) != `{"a":1}` || jobs[1].State != "delayed" || jobs[1].Priority != 5 {
		t.Errorf("%+v, %v", jobs, err)
	}
}

// A batch comes to the code as it was sent, and only what the code said of its own
// messages is heard.
func TestDeliveries(t *testing.T) {
	batch := &queue.Batch{Queue: "MAIL", Jobs: []queue.Job{{ID: 7, Body: []byte(`{"a":1}`), Attempts: 2}, {ID: 8, Body: []byte("\xff")}}}
	e, err := binding.Event(queue.Delivery{Batch: batch}, script.Info{App: "notes"})
	if err != nil || e.Kind != "queue" || e.Info.App != "notes" || !like(string(e.Data),
		`{"messages":[{"id":"7","timestamp":-#,"attempts":2,"body":{"a":1}},{"id":"8","timestamp":-#,"attempts":0,"body":null}],"queue":"MAIL"}`) {
		t.Errorf("%s %s, %v", e.Kind, e.Data, err)
	}
	a, err := binding.Answer(json.RawMessage(`{"ack":["7","99","x"],"retry":[{"id":"8"},{"id":"98","delaySeconds":1}]}`), batch)
	if err != nil || len(a.Ack) != 1 || a.Ack[0] != 7 || len(a.Retry) != 1 || a.Retry[8] != queue.Backoff {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := binding.Answer(json.RawMessage(`[1]`), batch); err == nil {
		t.Error("nonsense was understood")
	}
	e, err = binding.Event(queue.Delivery{Tick: &queue.Tick{Schedule: "digest", Spec: "0 7 * * *"}}, script.Info{})
	if err != nil || e.Kind != "scheduled" || !like(string(e.Data), `{"cron":"0 7 * * *","name":"digest","scheduledTime":-#}`) {
		t.Errorf("%s %s, %v", e.Kind, e.Data, err)
	}
}

// What an app stores is bounded by its configuration, and the code hears it.
func TestQuota(t *testing.T) {
	w := open(t, func(c *binding.Config, a *storage.App) { c.Files["FILES"] = a.Files("FILES", 10) })
	got := w.run(t, engine(t), `
		await env.FILES.put("a", "12345");
		try { await env.FILES.put("b", "1234567"); return "kept"; } catch (e) { return [e.code, (await env.FILES.list()).objects.length]; }`)
	if got != `["exhausted",1]` {
		t.Errorf("got %s", got)
	}
}
