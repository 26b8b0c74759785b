package web_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/platform/script/web"
	"modernc.org/quickjs"
	"modernc.org/quickjs/intl"
)

func TestHostFunctionsAreGoneFromUserCode(t *testing.T) {
	run(t, `
test("names", () => {
  delete globalThis.__fazt; // as the engine does
  const left = Object.getOwnPropertyNames(globalThis).filter((n) => n.startsWith("__fazt"));
  is("left", left.join(), "");
});`)
}

// A part may also come as source, for an engine that keeps no bytecode.
func TestPartsFromSource(t *testing.T) {
	vm, err := quickjs.NewVM()
	must(t, err)
	defer vm.Close()
	for name, f := range web.Functions() {
		must(t, vm.RegisterHostFunc(name, f))
	}
	_, err = vm.Eval(web.Source(), quickjs.EvalGlobal)
	must(t, err)
	runIn(t, vm, `test("a part", () => is("path", new URL("https://x.test/a/../b").pathname, "/b"));`)
}

// Intl is the engine's; it is loaded when somebody asks and not before.
func TestIntlWaits(t *testing.T) {
	for what, use := range map[string]string{
		"global":  `new Intl.NumberFormat("en-US").format(1234.5) === "1,234.5"`,
		"method":  `new Date(0).toLocaleDateString("en-US", { weekday: "long", timeZone: "UTC" }) === "Thursday"`,
		"numbers": `(1234.5).toLocaleString("en-US") === "1,234.5"`,
	} {
		t.Run(what, func(t *testing.T) {
			vm, err := quickjs.NewVM()
			must(t, err)
			defer vm.Close()
			loads := 0
			must(t, vm.RegisterHostFunc(web.IntlName, func([]any) (any, error) {
				loads++
				return nil, intl.Register(vm, intl.TimeZone("UTC"))
			}))
			setup(t, vm)
			if loads != 0 {
				t.Error("it was loaded at once")
			}
			for range 2 {
				got, err := vm.Eval(use, quickjs.EvalGlobal)
				must(t, err)
				if got != true || loads != 1 {
					t.Errorf("got %v after %d loads", got, loads)
				}
			}
		})
	}
	run(t, `test("none", () => is("type", typeof Intl, "undefined"));`)
}

// Classes of errors that were written for other engines get their stack.
func TestCaptureStackTrace(t *testing.T) {
	run(t, `
class Failed extends Error { constructor(m) { super(m); Error.captureStackTrace(this, Failed); } }
test("an error", () => {
  function here() { return new Failed("x"); }
  const e = here();
  ok("place", /^ +at Failed[^]*\n +at here /.test(e.stack) && !e.stack.includes("captureStackTrace"));
  is("hidden", Object.keys(e), []);
  is("text", String(e), "Error: x");
});
test("anything", () => {
  const o = {};
  is("nothing", Error.captureStackTrace(o), undefined);
  is("type", typeof o.stack, "string");
  throws("no object", "TypeError", () => Error.captureStackTrace(1));
});
test("symbols", () => {
  is("name", String(Symbol.dispose), "Symbol(Symbol.dispose)");
  is("own", Symbol.keyFor(Symbol.asyncDispose), undefined);
  Symbol.dispose = 1;
  is("stays", typeof Symbol.dispose, "symbol");
});`)
}

// What is built is what package.json asks for, and comes with its licence.
func TestVendoredFilesAreOfTheirVersion(t *testing.T) {
	raw, err := os.ReadFile("vendor_js/package.json")
	must(t, err)
	var wanted struct{ DevDependencies map[string]string }
	must(t, json.Unmarshal(raw, &wanted))
	for file, name := range map[string]string{
		"vendor_js/streams.js": "web-streams-polyfill", "vendor_js/urlpattern.js": "urlpattern-polyfill",
		"node/buffer.js": "buffer", "node/events.js": "events", "node/path.js": "path-browserify",
	} {
		built, err := os.ReadFile(file)
		must(t, err)
		if banner := fmt.Sprintf("// %s %s, MIT", name, wanted.DevDependencies[name]); !strings.HasPrefix(string(built), banner) {
			t.Errorf("%s does not begin with %q: run go generate", file, banner)
		}
		_, err = os.Stat("vendor_js/" + name + ".LICENSE")
		must(t, err)
	}
}

func BenchmarkMachine(b *testing.B) {
	compiled()
	scripts := map[string]string{
		"empty":  "",
		"fetch":  `Request; Response; Headers; URL`,
		"stream": `Response; ReadableStream`,
		"all":    `for (const n of Object.getOwnPropertyNames(globalThis)) globalThis[n]`,
	}
	for _, name := range []string{"bare", "empty", "fetch", "stream", "all"} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				vm, err := quickjs.NewVM()
				must(b, err)
				if name != "bare" {
					setup(b, vm)
					_, err = vm.Eval(scripts[name], quickjs.EvalGlobal)
					must(b, err)
				}
				vm.Close()
			}
		})
	}
}
