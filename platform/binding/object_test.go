package binding_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// An argument that cannot be is named, before the node is asked.
func TestArgumentChecks(t *testing.T) {
	w, h := open(t, others), engine(t)
	const meant = "must be null, a boolean, a finite number, a string, an array, a plain object or a Date, not "
	cases := []struct{ call, says string }{
		{`env.CACHE.get(1)`, `CACHE.get: key: must be a string, not 1`},
		{`env.CACHE.get()`, `CACHE.get: key: must be a string, not undefined`},
		{`env.CACHE.get("a", "xml")`, `CACHE.get: type must be one of text, json, arrayBuffer, stream, not "xml"`},
		{`env.CACHE.getMany(["a", 2])`, `CACHE.getMany: keys[1]: must be a string, not 2`},
		{`env.CACHE.put("a", { a: 1 })`, `CACHE.put: value: must be a string, an ArrayBuffer, a view of one, a ReadableStream or a Blob, not an object`},
		{`env.CACHE.put("a", "b", { ttl: 5 })`, `CACHE.put: has no option "ttl"; there are expiration, expirationTtl, metadata`},
		{`env.CACHE.put("a", "b", { expirationTtl: 0.5 })`, `CACHE.put: expirationTtl: must be a whole number from 1 to 9007199254740991, not 0.5`},
		{`env.CACHE.put("a", "b", { metadata: () => 1 })`, `CACHE.put: metadata: cannot be JSON: it is a function`},
		{`env.CACHE.putIfVersion("a", "b")`, `CACHE.putIfVersion: version: must be a whole number from 0 to 9007199254740991, not undefined`},
		{`env.CACHE.user("")`, `CACHE.user: must be a user with an id or the id itself, not ""`},
		{`env.CACHE.user(null)`, `CACHE.user: must be a user with an id or the id itself, not null`},
		{`env.CACHE.user({ id: 1 }).user("b")`, `CACHE.user: this is a user's view already`},
		{`env.DB.prepare(5)`, `DB.prepare: query: must be a string, not 5`},
		{`env.DB.prepare("select ?").bind(undefined)`, `bind: parameter 1: must be null, a number, a string, a boolean, a bigint or bytes, not undefined`},
		{`env.DB.prepare("select ?").bind(NaN)`, `bind: parameter 1: NaN is no value of SQL`},
		{`env.DB.prepare("select ?").bind(2n ** 64n)`, `bind: parameter 1: does not fit 64 bits`},
		{`env.DB.prepare("select 1 as a").first("b")`, `first: column: there is no column "b"`},
		{`env.DB.batch(["select 1"])`, `DB.batch: statements[0]: must come from prepare`},
		{`env.DB.user("ana")`, `DB.user: tables of SQL have no view of one user; keep the id in a column and compare it`},
		{`env.PAGES.collection()`, `PAGES.collection: name: must be a string, not undefined`},
		{`env.PAGES.collection("c").insert([])`, `PAGES.collection("c").insert: document: must be an object, not an array`},
		{`env.PAGES.collection("c").find({}, { sort: { a: "up" } })`, `PAGES.collection("c").find: sort: a must be 1 or -1, not "up"`},
		{`env.PAGES.collection("c").update(null, {})`, `PAGES.collection("c").update: wants the id of a document or a filter, not null`},
		{`env.PAGES.collection("c").remove({ a: 1 }, { ifVersion: 2 })`,
			`PAGES.collection("c").remove: ifVersion: is of one document, which its id names; compare _version in the filter`},
		{`env.PAGES.collection("c").update({ a: 1 }, { $set: { a: 2 } }, { ifVersion: 2 })`,
			`PAGES.collection("c").update: ifVersion: is of one document, which its id names; compare _version in the filter`},
		{`env.PAGES.collection("c").remove({ tag: undefined })`, `PAGES.collection("c").remove: filter.tag: ` + meant + `undefined`},
		{`env.PAGES.collection("c").findOne({ $or: [{ a: 1 }, { "b.c": undefined }] })`, `PAGES.collection("c").find: filter.$or[1].b.c: ` + meant + `undefined`},
		{`env.PAGES.collection("c").find({ n: { $gt: NaN } })`, `PAGES.collection("c").find: filter.n.$gt: ` + meant + `NaN`},
		{`env.PAGES.collection("c").count({ n: { $in: [1, -Infinity] } })`, `PAGES.collection("c").count: filter.n.$in[1]: ` + meant + `-Infinity`},
		{`env.PAGES.collection("c").count({ s: /a/ })`, `PAGES.collection("c").count: filter.s: ` + meant + `an object of RegExp`},
		{`env.PAGES.collection("c").count({ s: new Map() })`, `PAGES.collection("c").count: filter.s: ` + meant + `an object of Map`},
		{`env.PAGES.collection("c").count({ s: () => 1 })`, `PAGES.collection("c").count: filter.s: ` + meant + `a function`},
		{`env.PAGES.collection("c").count({ s: Symbol() })`, `PAGES.collection("c").count: filter.s: ` + meant + `a symbol`},
		{`env.PAGES.collection("c").count({ s: 1n })`, `PAGES.collection("c").count: filter.s: ` + meant + `a bigint`},
		{`env.PAGES.collection("c").count({ s: new Date("never") })`, `PAGES.collection("c").count: filter.s: ` + meant + `an object that is an invalid Date`},
		{`env.PAGES.collection("c").count((() => { const f = {}; f.$not = f; return f; })())`,
			`PAGES.collection("c").count: filter` + strings.Repeat(".$not", 101) + `: is nested deeper than 100, or in a circle`},
		{`env.PAGES.collection("c").aggregate({ filter: { a: undefined } })`, `PAGES.collection("c").aggregate: filter.a: ` + meant + `undefined`},
		{`env.PAGES.collection("c").update("a", { $set: { a: undefined } })`, `PAGES.collection("c").update: change.$set.a: ` + meant + `undefined`},
		{`env.PAGES.collection("c").update("a", { $inc: { a: NaN } })`, `PAGES.collection("c").update: change.$inc.a: ` + meant + `NaN`},
		{`env.PAGES.collection("c").aggregate({ values: { a: { mean: "b" } } })`,
			`PAGES.collection("c").aggregate: values.a: must be one of { count: field }, { sum: field }, { avg: field }, { min: field }, { max: field }`},
		{`env.FILES.put("a", 5)`, `FILES.put: value: must be a string, an ArrayBuffer, a view of one, a ReadableStream or a Blob, not 5`},
		{`env.FILES.put("a", "b", { httpMetadata: { type: "x" } })`,
			`FILES.put: httpMetadata: has no option "type"; there are contentType, contentLanguage, contentDisposition, contentEncoding, cacheControl, cacheExpiry`},
		{`env.FILES.get("a", { range: { suffix: 1, offset: 2 } })`, `FILES.get: range: suffix stands alone`},
		{`env.FILES.signedUrl("a", { method: "DELETE" })`, `FILES.signedUrl: method: must be GET or PUT, not "DELETE"`},
		{`env.FILES.delete(["a", 1])`, `FILES.delete: key: must be a string, not 1`},
		{`env.MAIL.send(undefined)`, `MAIL.send: body: cannot be JSON: it is undefined`},
		{`env.MAIL.sendBatch([1])`, `MAIL.sendBatch: messages[0]: must be an object with a body, not 1`},
		{`env.MAIL.send(1, { delaySeconds: -1 })`, `MAIL.send: delaySeconds: must be a whole number from 0 to 9007199254740991, not -1`},
	}
	var code strings.Builder
	code.WriteString("const said = [];\nconst hear = async (f) => { try { await f(); said.push('nothing'); } catch (e) { said.push(e.code + ' ' + e.message); } };\n")
	for _, c := range cases {
		fmt.Fprintf(&code, "await hear(() => %s);\n", c.call)
	}
	var said []string
	if err := json.Unmarshal([]byte(w.run(t, h, code.String()+"return said;")), &said); err != nil || len(said) != len(cases) {
		t.Fatalf("%v, %d answers", err, len(said))
	}
	for i, c := range cases {
		if said[i] != "invalid "+c.says {
			t.Errorf("%s\n got %s\nwant invalid %s", c.call, said[i], c.says)
		}
	}
}

// One request cannot change what the next one gets, nor reach behind an object.
func TestObjectsAreClosed(t *testing.T) {
	w, h := open(t, others), engine(t)
	got := w.run(t, h, `
		const open = [];
		const look = (path, o) => {
			for (let p = o; p && p !== Object.prototype && p !== Function.prototype; p = Object.getPrototypeOf(p)) if (!Object.isFrozen(p)) open.push(path);
			if (!Object.isFrozen(o.constructor)) open.push(path + ".constructor");
		};
		for (const [name, o] of Object.entries(env)) if (typeof o === "object") look(name, o);
		const c = env.PAGES.collection("c");
		look("collection", c); look("found", c.find()); look("statement", env.DB.prepare("select 1"));
		look("upload", await env.FILES.createMultipartUpload("a")); look("file", await env.FILES.put("b", "x"));
		look("body", await env.FILES.get("b"));
		const leaks = [env.CACHE.port, env.CACHE["#port"], env.CACHE.call, Object.getOwnPropertyNames(env.CACHE), env.DB.prepare("x").sql];
		let made;
		try { made = new env.CACHE.constructor({ name: "OTHER", call: () => 1, send: async (m, a) => ({ value: null }), write: async (m, a, map) => map(null) }); made = await made.get("k"); } catch (e) { made = e.message; }
		return [open, leaks, made];`)
	if want := `[[],[null,null,null,[],null],null]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Errors of the node reach the code with a kind and a sentence.
func TestErrorsOfTheNode(t *testing.T) {
	w, h := open(t, others), engine(t)
	got := w.run(t, h, `
		const said = [];
		const hear = async (f) => { try { await f(); said.push("nothing"); } catch (e) { said.push(e instanceof Error, e.code); } };
		await hear(() => env.DB.prepare("nonsense").run());
		await hear(() => env.DB.exec("select * from fazt_key"));
		await hear(() => env.PAGES.collection("c").update("none", { $set: { a: 1 } }));
		await hear(() => fetch("https://example.com/"));
		await hear(() => env.CACHE.put("k".repeat(600), "x"));
		return said;`)
	if want := `[true,"invalid",true,"forbidden",true,"not_found",true,"forbidden",true,"invalid"]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A filter and an operator mean what they say, also with a Date; a document is what
// JSON.stringify makes of it.
func TestFiltersAreExact(t *testing.T) {
	w, h := open(t), engine(t)
	got := w.run(t, h, `
const pages = env.PAGES.collection("page");
await pages.insertMany([{ _id: "a", tag: "x", at: new Date(0), none: undefined, n: NaN }, { _id: "b", tag: null }]);
const said = [];
for (const ask of [() => pages.remove({ tag: undefined }), () => pages.update({ tag: undefined }, { $set: { n: 1 } }), () => pages.update("a", { $set: { tag: undefined } })])
  await ask().catch((e) => said.push(e.code));
said.push(await pages.count(), (await pages.findOne({ at: new Date(0) }))._id, await pages.count({ tag: null }), (await pages.findOne(Object.assign(Object.create(null), { tag: "x" }))).n);
said.push(await pages.update("b", { $set: { at: new Date(1) } }) !== null, (await pages.get("b")).at);
await pages.update("b", { tag: "whole", none: undefined });
said.push(await pages.count({ none: { $exists: true } }), await pages.remove("never"), await pages.remove("never", { ifVersion: 1 }).catch((e) => e.code), await pages.remove({}));
return said;`)
	if want := `["invalid","invalid","invalid",2,"a",1,null,true,"1970-01-01T00:00:00.001Z",0,0,"not_found",2]`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
