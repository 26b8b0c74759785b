package web_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/script/web"
	"modernc.org/quickjs"
)

// compiled is the prelude as bytecode, as the engine keeps it.
var compiled = sync.OnceValue(func() map[string][]byte {
	vm, err := quickjs.NewVM()
	if err != nil {
		panic(err)
	}
	defer vm.Close()
	code := map[string][]byte{}
	for name, text := range web.Parts() {
		code[name] = compile(vm, name, text)
	}
	code["kernel"] = compile(vm, "kernel", web.Source())
	return code
})

func compile(vm *quickjs.VM, name, text string) []byte {
	code, err := vm.Compile(text, quickjs.EvalGlobal)
	if err != nil {
		panic(fmt.Sprintf("%s: %v", name, err))
	}
	return code
}

// machine is a virtual machine with the prelude, a virtual clock behind setTimeout
// and the functions that the test scripts assert with.
func machine(t testing.TB) *quickjs.VM {
	t.Helper()
	vm, err := quickjs.NewVM()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { vm.Close() })
	setup(t, vm)
	return vm
}

func setup(t testing.TB, vm *quickjs.VM) {
	t.Helper()
	for name, f := range web.Functions() {
		if name != web.PartName {
			must(t, vm.RegisterHostFunc(name, f))
		}
	}
	must(t, vm.RegisterFunc(web.PartName, func(name string) quickjs.Value {
		v, err := vm.EvalBytecodeValue(compiled()[name])
		if err != nil {
			panic(err)
		}
		return v
	}, false))
	_, err := vm.EvalBytecode(compiled()["kernel"])
	must(t, err)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		var e *quickjs.Error
		if errors.As(err, &e) {
			t.Fatalf("%v\n%s", err, e.Stack)
		}
		t.Fatal(err)
	}
}

// assertions are what a test script may say.
const assertions = `
const timers = []; let clock = 0, ids = 0;
globalThis.setTimeout = (f, ms = 0) => { timers.push({ at: clock + ms, f, id: ++ids }); return ids; };
globalThis.clearTimeout = (id) => { for (const t of timers) if (t.id === id) t.f = () => {}; };
globalThis.__tick = () => { timers.sort((a, b) => a.at - b.at); const t = timers.shift(); if (!t) return false; clock = t.at; t.f(); return true; };
const show = (v) => { try { return typeof v === "string" ? JSON.stringify(v) : v instanceof Uint8Array ? "bytes[" + v + "]" : typeof v === "object" && v !== null && !(v instanceof Error) ? JSON.stringify(v) : String(v); } catch (e) { return String(v); } };
const failures = [];
let count = 0;
const fail = (what, got, want) => failures.push(what + ": got " + got + ", want " + want);
function is(what, got, want) { count++; if (!Object.is(got, want) && show(got) !== show(want)) fail(what, show(got), show(want)); }
function ok(what, got) { count++; if (!got) fail(what, show(got), "something true"); }
function throws(what, name, f) {
  count++;
  try { f(); } catch (e) { if (e?.name !== name) fail(what, e?.name + ": " + e?.message, name); return; }
  fail(what, "no exception", name);
}
async function rejects(what, name, p) {
  count++;
  try { await (typeof p === "function" ? p() : p); } catch (e) { if (e?.name !== name) fail(what, e?.name + ": " + e?.message, name); return; }
  fail(what, "no rejection", name);
}
const bytes = (...list) => new Uint8Array(list);
const hex = (v) => (v instanceof Uint8Array ? v : new Uint8Array(v)).toHex();
const unhex = (s) => Uint8Array.fromHex(s.replace(/\s/g, ""));
async function collect(stream) { const all = []; for await (const c of stream) all.push(c); return all; }
const tests = [];
const test = (name, f) => tests.push([name, f]);
let finished = false;
async function runAll() {
  for (const [name, f] of tests) {
    const before = failures.length;
    try { await f(); } catch (e) { failures.push("uncaught " + (e?.name) + ": " + e?.message + "\n" + (e?.stack ?? e)); }
    for (let i = before; i < failures.length; i++) failures[i] = name + ": " + failures[i];
  }
  finished = true;
}
`

// run evaluates a script of tests and fails with what they found.
func run(t *testing.T, script string) {
	t.Helper()
	runIn(t, machine(t), script)
}

func runIn(t *testing.T, vm *quickjs.VM, script string) {
	t.Helper()
	_, err := vm.Eval(assertions+"\n"+script+"\nrunAll();", quickjs.EvalGlobal)
	must(t, err)
	settle(t, vm)
	got, err := vm.Eval(`JSON.stringify({ finished, count, failures })`, quickjs.EvalGlobal)
	must(t, err)
	report(t, got.(string))
}

// settle runs jobs and timers until nothing is left to do.
func settle(t *testing.T, vm *quickjs.VM) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if _, err := vm.ExecutePendingJobs(); err != nil {
			must(t, err)
		}
		more, err := vm.Eval(`__tick()`, quickjs.EvalGlobal)
		must(t, err)
		if more == false {
			return
		}
	}
	t.Fatal("the script never comes to rest")
}

func report(t *testing.T, result string) {
	t.Helper()
	var r struct {
		Finished bool
		Count    int
		Failures []string
	}
	must(t, json.Unmarshal([]byte(result), &r))
	if !r.Finished {
		t.Error("a test waits for something that never comes")
	}
	if r.Count == 0 {
		t.Error("nothing was asserted")
	}
	for _, f := range r.Failures {
		t.Error(f)
	}
}
