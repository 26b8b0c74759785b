package binding_test

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/platform/binding"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/script"
	"pgregory.net/rapid"
)

// SQL in the words of bindings.js.
func TestSQL(t *testing.T) {
	open(t).walk(t, "DB", []step{
		{method: "exec", args: `{"sql":"create table t (a integer primary key, b any); create index i on t (b);"}`, want: `{"count":2,"duration":#.#}`},
		{method: "query", args: `{"sql":"insert into t (b) values (?), (?), (?)","params":["x",{"$b":"AP8="},null]}`,
			want: `{"columns":[],"rows":[],"changes":3,"written":3,"last":3,"duration":#.#}`},
		{method: "query", args: `{"sql":"select * from t where a < ?1","params":[3]}`,
			want: `{"columns":["a","b"],"rows":[[1,"x"],[2,{"$b":"AP8="}]],"changes":0,"written":0,"last":0,"duration":#.#}`},
		{method: "query", args: `{"sql":"select a from t order by a","first":true}`,
			want: `{"columns":["a"],"rows":[[1]],"changes":0,"written":0,"last":0,"duration":#.#}`},
		{method: "query", args: `{"sql":"select ?, ?, 9e999, typeof(?), typeof(?)","params":[{"$i":"9007199254740993"},1.5,1.0,1]}`,
			want: `{"columns":["?","?","9e999","typeof(?)","typeof(?)"],"rows":[[{"$i":"9007199254740993"},1.5,{"$n":"Infinity"},"real","integer"]],"changes":0,"written":0,"last":0,"duration":#.#}`},
		{method: "batch", args: `{"statements":[{"sql":"delete from t where a = 1"},{"sql":"select count(*) as n from t"}]}`,
			want: `{"results":[{"columns":[],"rows":[],"changes":1,"written":1,"last":3,"duration":#.#},{"columns":["n"],"rows":[[2]],"changes":0,"written":0,"last":0,"duration":#.#}]}`},
		{method: "batch", args: `{"statements":[{"sql":"delete from t"},{"sql":"nonsense"}]}`, kind: fault.Invalid},
		{method: "query", args: `{"sql":"select count(*) from t"}`, want: `{"columns":["count(*)"],"rows":[[2]],"changes":0,"written":0,"last":0,"duration":#.#}`},
		{method: "query", args: `{"sql":"insert into t (a) values (2)"}`, kind: fault.Conflict},
		{method: "query", args: `{"sql":"select * from fazt_key"}`, kind: fault.Forbidden},
		{method: "query", args: `{"sql":"attach 'x.db' as x"}`, kind: fault.Forbidden},
		{method: "query", args: `{"sql":"select 1","user":"ana"}`, kind: fault.Invalid},
		{method: "query", args: `{"sql":"select ?","params":[{"$i":"9223372036854775808"}]}`, kind: fault.Invalid},
		{method: "query", args: `{"sql":"select ?","params":[{"$b":"AA==","$i":"1"}]}`, kind: fault.Invalid},
		{method: "query", args: `{"sql":"select ?","params":[true]}`, kind: fault.Invalid},
		{method: "query", args: `{"sql":"select ?","params":[[1]]}`, kind: fault.Invalid},
		{method: "query", args: `{"sql":"select ?","params":[1e999]}`, kind: fault.Invalid},
		{method: "query", args: `{"sql":"select 1","tx":"guess"}`, kind: fault.Conflict},
		{method: "query", args: `{"sql":"select 1; delete from t"}`, kind: fault.Invalid},
		{method: "query", args: `{"sql":"insert into t (b) values (?); insert into t (b) values (?)","params":["x","y"]}`, kind: fault.Invalid},
		{method: "batch", args: `{"statements":[{"sql":"delete from t; delete from t"}]}`, kind: fault.Invalid},
		{method: "query", args: `{"sql":"select ?","params":[1,2]}`, kind: fault.Invalid},
		{method: "query", args: `{"sql":"select ?, ?","params":[1]}`, kind: fault.Invalid},
		{method: "query", args: `{"sql":""}`, kind: fault.Invalid},
		{method: "query", args: `{"sql":"select count(*) from t; -- all"}`, want: `{"columns":["count(*)"],"rows":[[2]],"changes":0,"written":0,"last":0,"duration":#.#}`},
		{method: "commit", args: `{"tx":""}`, kind: fault.Conflict},
	})
}

func (w *world) begin(t *testing.T, ctx context.Context) string {
	t.Helper()
	r := w.call(ctx, "DB", "begin", `{}`)
	if r.err != nil {
		t.Fatal(r.err)
	}
	var v struct{ Tx string }
	if err := json.Unmarshal([]byte(r.value), &v); err != nil {
		t.Fatal(err)
	}
	return v.Tx
}

// A transaction is kept, undone by the code, or undone by the end of its
// invocation, and nobody else can speak in it.
func TestTransactions(t *testing.T) {
	w := open(t)
	in := func(tx, sql string) reply {
		return w.call(t.Context(), "DB", "query", `{"sql":"`+sql+`","tx":"`+tx+`"}`)
	}
	count := func() string {
		return w.call(t.Context(), "DB", "query", `{"sql":"select count(*) as n from t"}`).value
	}
	w.call(t.Context(), "DB", "exec", `{"sql":"create table t (a)"}`)
	ctx, cancel := context.WithCancel(t.Context())
	for _, c := range []struct {
		name string
		end  func(tx string)
		want string
	}{
		{"kept", func(tx string) { w.call(t.Context(), "DB", "commit", `{"tx":"`+tx+`"}`) }, `"rows":[[1]]`},
		{"undone", func(tx string) { w.call(t.Context(), "DB", "rollback", `{"tx":"`+tx+`"}`) }, `"rows":[[1]]`},
		{"left", func(string) { cancel() }, `"rows":[[1]]`},
	} {
		tx := w.begin(t, ctx)
		if r := in(tx, "insert into t values (1)"); r.err != nil {
			t.Fatal(r.err)
		}
		stranger := w.For(t.Context(), script.Info{})
		_, err := stranger.Call(t.Context(), script.Call{Target: "DB", Method: "query", Args: json.RawMessage(`{"sql":"select 1","tx":"` + tx + `"}`)})
		if fault.KindOf(err) != fault.Conflict {
			t.Errorf("%s: another invocation got %v", c.name, err)
		}
		c.end(tx)
		// The next writer has its turn as soon as the transaction is over.
		if r := w.call(t.Context(), "DB", "query", `{"sql":"update t set a = a"}`); r.err != nil {
			t.Fatal(r.err)
		}
		if got := count(); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s", c.name, got)
		}
		if r := in(tx, "insert into t values (1)"); r.err == nil {
			t.Errorf("%s: a statement after the end passed", c.name)
		}
	}
}

// In JavaScript a transaction is a function.
func TestTransactionFunction(t *testing.T) {
	w, h := open(t), engine(t)
	got := w.run(t, h, `
		await env.DB.exec("create table t (a)");
		const n = (db) => db.prepare("select count(*) as n from t").first("n");
		const said = [];
		said.push(await env.DB.transaction(async (tx) => { await tx.prepare("insert into t values (1)").run(); return n(tx); }));
		try {
			await env.DB.transaction(async (tx) => { await tx.batch([tx.prepare("insert into t values (2)")]); throw new Error("no"); });
		} catch (e) { said.push(e.message); }
		try {
			await env.DB.transaction((tx) => tx.transaction(() => {}));
		} catch (e) { said.push(e.code); }
		let late;
		await env.DB.transaction(async (tx) => { late = tx; });
		try { await late.exec("insert into t values (3)"); } catch (e) { said.push(e.code); }
		const both = await Promise.all([1, 2].map((i) => env.DB.transaction(async (tx) => { await tx.exec("insert into t values (4)"); return n(tx); })));
		said.push(both.sort(), await n(env.DB));
		return said;`)
	if want := `[1,"no","invalid","conflict",[2,3],3]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Rows have their columns as members, whatever their names.
func TestSQLColumns(t *testing.T) {
	w, h := open(t), engine(t)
	got := w.run(t, h, `
		const row = await env.DB.prepare('select 1 as "__proto__", 2 as "constructor", 3 as a, 4 as a').first();
		return [Object.entries(row), Object.getPrototypeOf(row) === Object.prototype];`)
	if want := `[[["__proto__",1],["constructor",2],["a",4]],true]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Values go to SQL and come back as what they were.
func TestSQLValues(t *testing.T) {
	w, h := open(t), engine(t)
	got := w.run(t, h, `
		const back = async (v) => (await env.DB.prepare("select ?, typeof(?1)").bind(v).raw())[0];
		const list = [];
		for (const v of [null, 1, -1.5, 1e21, "ü\u0000", "", true, 2n ** 62n, -5n, new Uint8Array([1, 2]), new ArrayBuffer(0)]) {
			const [value, type] = await back(v);
			list.push([typeof value === "bigint" ? value + "n" : value instanceof ArrayBuffer ? [...new Uint8Array(value)] : value, type]);
		}
		return list;`)
	want := `[[null,"null"],[1,"integer"],[-1.5,"real"],[1e+21,"real"],["ü\u0000","text"],["","text"],[1,"integer"],["4611686018427387904n","integer"],[-5,"integer"],[[1,2],"blob"],[[],"blob"]]`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// What is sent back is JSON, whatever is in the database.
func TestSQLReplyIsJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := []any{nil, rapid.Int64().Draw(t, "i"), rapid.Float64().Draw(t, "f"), math.Inf(-1), math.NaN(), rapid.String().Draw(t, "s"),
			string(rapid.SliceOf(rapid.Byte()).Draw(t, "bad")), rapid.SliceOf(rapid.Byte()).Draw(t, "b")}
		text := binding.AppendValues(values)
		var back []any
		if err := json.Unmarshal(text, &back); err != nil || len(back) != len(values) {
			t.Fatalf("%v in %s", err, text)
		}
		if s, ok := back[5].(string); !ok || s != values[5] {
			t.Fatalf("%q became %q", values[5], back[5])
		}
		if f, ok := back[2].(float64); ok && f != values[2] {
			t.Fatalf("%v became %v", values[2], f)
		}
	})
}
