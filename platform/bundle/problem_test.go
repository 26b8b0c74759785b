package bundle_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fazt-sh/fazt/platform/bundle"
	"github.com/fazt-sh/fazt/platform/fault"
)

// What cannot work says where, why and what to do.
func TestRefuses(t *testing.T) {
	if testing.Short() {
		t.Skip("too slow under the race detector: make test runs it")
	}
	for name, c := range map[string]struct {
		files       fstest.MapFS
		place, says string
		hint        string
		chain       string
	}{
		"a missing file": {tree("api/main.ts", `import "./a";`+hello, "api/a.ts", "import \"../lib/b\"\n", "lib/b.ts", "\n\timport {x} from './gone';x()"),
			"lib/b.ts:2:18", `could not resolve "./gone"`, "no such file", "api/a.ts api/main.ts"},
		"the nearest chain": {tree("api/main.ts", `import "./far"; import "./near";`+hello, "api/far.ts", `import "./further"`, "api/further.ts", `import "./bad"`,
			"api/near.ts", `import "./bad"`, "api/bad.ts", `import "./gone"`), "api/bad.ts:1:8", "could not resolve", "", "api/near.ts api/main.ts"},
		"a missing package": {tree("api/main.ts", `import { z } from "@scope/zod/mini"; z();`+hello), "api/main.ts:1:19", `could not resolve "@scope/zod/mini"`, "npm install --omit=dev @scope/zod", ""},
		"a path that is not exported": {tree("api/main.ts", `import "p/inner";`+hello, "node_modules/p/package.json", `{"exports": {".": "./a.js"}}`, "node_modules/p/a.js", "", "node_modules/p/inner.js", ""),
			"api/main.ts:1:8", `could not resolve "p/inner"`, "", ""},
		"a module of node": {tree("api/main.ts", `import { readFile } from "node:fs/promises"; readFile();`+hello), "api/main.ts:1:26", `"node:fs/promises" is a part of Node`, "env.ASSETS", ""},
		"a package that needs node": {tree("api/main.ts", `import c from "c"; c();`+hello, "node_modules/c/index.js", `module.exports = require("child_process")`),
			"node_modules/c/index.js:1:26", `"child_process" is a part of Node`, "queue", "api/main.ts"},
		"node through a stand-in's folder": {tree("api/main.ts", `import "node:../app/api/main";`+hello), "api/main.ts:1:8", `is a part of Node`, "", ""},
		"an address":                       {tree("api/main.ts", `import "https://esm.sh/zod";`+hello), "api/main.ts:1:8", "is an address", "node_modules", ""},
		"a registry":                       {tree("api/main.ts", `import "npm:hono@4";`+hello), "api/main.ts:1:8", "names a registry", "by its name", ""},
		"another platform":                 {tree("api/main.ts", `import { connect } from "cloudflare:sockets"; connect();`+hello), "api/main.ts:1:25", "another platform", "env", ""},
		"wasm":                             {tree("api/main.ts", `import m from "./m.wasm"; m();`+hello, "api/m.wasm", "\x00asm"), "api/main.ts:1:15", "WebAssembly", "plain JavaScript", ""},
		"machine code":                     {tree("api/main.ts", `require("./m.node");`+hello, "api/m.node", "\x7fELF"), "api/main.ts:1:9", "machine code", "", ""},
		"a picture":                        {tree("api/main.ts", `import p from "./p.png"; p();`+hello, "api/p.png", "PNG"), "api/main.ts:1:15", "could not resolve", "only code, JSON and text", ""},
		"a file above":                     {tree("api/main.ts", `import "../../shared/a.ts";`+hello), "api/main.ts:1:8", "outside the app's folder", "", ""},
		"a file of the machine":            {tree("api/main.ts", `import p from "/etc/passwd"; p();`+hello), "api/main.ts:1:15", "a path of a machine", "", ""},
		"a way out by tsconfig": {tree("api/main.ts", `import p from "@/hostname"; p();`+hello, "tsconfig.json", `{"compilerOptions": {"paths": {"@/*": ["../../../../../../../../etc/*"]}}}`),
			"api/main.ts:1:15", `"@/hostname"`, "", ""},
		"a way out by a package": {tree("api/main.ts", `import p from "p"; p();`+hello, "node_modules/p/package.json", `{"main": "../../../../../../../../etc/passwd"}`), "api/main.ts:1:15", `"p"`, "", ""},
		"a missing base":         {tree("api/main.ts", hello, "tsconfig.json", `{"extends": "./base"}`), "base.json", "no such file to extend", "", ""},
		"bases in a circle":      {tree("api/main.ts", hello, "tsconfig.json", `{"extends": "./tsconfig.json"}`), "tsconfig.json", "extend one another", "", ""},
		"a broken tsconfig":      {tree("api/main.ts", hello, "tsconfig.json", `{"extends": `), "tsconfig.json", "", "", ""},
		"a slip of the pen":      {tree("api/main.ts", "// a\nlet x = ;"), "api/main.ts:2:9", `unexpected ";"`, "", ""},
		"a missing export": {tree("api/main.ts", `import { b } from "./a"; b();`+hello, "api/a.ts", "export const a = 1"),
			"api/main.ts:1:10", `no matching export in "api/a.ts" for import "b"`, "", ""},
		"jsx without react": {tree("api/main.tsx", `export default () => <a/>`), "api/main.tsx:1:22", `could not resolve "react/jsx-runtime"`, "jsxImportSource", ""},
		"nothing exported":  {tree("api/main.ts", "const a = 1"), "api/main.ts", "exports no handler", "export default", ""},
		"Deno":              {tree("api/main.ts", "\n  Deno.serve({ port: 1 }, () => new Response())"), "api/main.ts:2:3", "Deno.serve", "export default { fetch: handler }", ""},
		"a service worker":  {tree("api/main.ts", "self.addEventListener('fetch', (e) => e.respondWith(new Response()))"), "api/main.ts:1:6", "listener", "export default", ""},
		"express":           {tree("api/main.ts", "app.get('/', (req: X, res: Y) => { res.send(1) })"), "api/main.ts:1:15", "(req, res)", "Response", ""},
		"no such entry":     {tree("api/main.js", hello), "api/main.ts", `no file "api/main.ts"`, `did you mean "api/main.js"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			entry := "api/main.ts"
			if _, ok := c.files["api/main.tsx"]; ok {
				entry = "api/main.tsx"
			}
			_, err := packFrom(t, c.files, entry)
			e := invalid(t, err)
			said, _, _ := strings.Cut(err.Error(), "\n")
			if !strings.Contains(said, c.says) || !strings.Contains(said, c.place) || !strings.Contains(fault.HintOf(err), c.hint) {
				t.Errorf("%s\nhint: %s", err, fault.HintOf(err))
			}
			if e != nil && strings.Join(e.Problems[0].Chain, " ") != c.chain {
				t.Errorf("chain %q", e.Problems[0].Chain)
			}
			if text := err.Error(); strings.Contains(text, "root:") || strings.Contains(text, "esbuild") {
				t.Errorf("it tells too much: %s", text)
			}
		})
	}
}

// The message shows the line, marks the place and names who imports whom.
func TestMessage(t *testing.T) {
	_, err := pack(t, tree("api/main.ts", `import "../lib/b";`+hello, "lib/b.ts", "\n\timport { x } from './gone'; x();"))
	want := `lib/b.ts:2:20: could not resolve "./gone"
   2 | 	import { x } from './gone'; x();
     | 	                  ^^^^^^^^
  imported by api/main.ts`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

// All that is wrong is told at once, in the order of files and lines.
func TestAllProblems(t *testing.T) {
	_, err := pack(t, tree("api/main.ts", "import \"./b\";\nimport \"fs\";\nimport \"./a\";"+hello, "api/a.ts", `import "gone"`, "api/b.ts", "let = 1 = 2"))
	e := invalid(t, err)
	var places []string
	for _, p := range e.Problems {
		places = append(places, p.File)
	}
	if got := strings.Join(places, " "); got != "api/a.ts api/b.ts api/main.ts" {
		t.Errorf("%s in\n%v", got, err)
	}
}

// A base that is not deployed with the app is not read, and that is told.
func TestBaseOutside(t *testing.T) {
	for _, base := range []string{"../tsconfig.base.json", "/etc/passwd"} {
		r, err := pack(t, tree("api/main.ts", hello, "api/tsconfig.json", `{"extends": "`+base+`"}`, "tsconfig.json", `{"extends": "./gone"}`))
		if base[0] == '.' {
			r, err = packFrom(t, tree("main.ts", hello, "tsconfig.json", `{"extends": "`+base+`"}`), "main.ts")
		}
		if err != nil || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0].Text, "is not read") {
			t.Errorf("%s: %v, %v", base, r.Warnings, err)
		}
	}
}

// What looks like another platform's way is told, and the program is made.
func TestWarnings(t *testing.T) {
	r, err := pack(t, tree("api/main.ts", "// Deno.serve(x) is not used\nimport './a';\nexport default (req, res) => res.end('no')", "api/a.ts", "declare const app: any; if (0) app.listen(3000)"))
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, w := range r.Warnings {
		said = append(said, w.Place()+" "+w.Text)
	}
	if got := strings.Join(said, "; "); got != "api/a.ts:1:32 a server of one's own cannot listen here; api/main.ts:3:17 this is a handler of Node's, with (req, res)" {
		t.Error(got)
	}
}

// The parent survives whatever the child meets, and says whose fault it was.
func TestBombs(t *testing.T) {
	if testing.Short() {
		t.Skip("too slow under the race detector: make test runs it")
	}
	for name, text := range map[string]string{
		"open":       strings.Repeat("[", 100_000),
		"nested":     "export default " + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000),
		"functions":  "export default " + strings.Repeat("(x=>", 100_000),
		"elements":   "export default " + strings.Repeat("<a>", 100_000),
		"types":      "let x: " + strings.Repeat("A<", 100_000),
		"templates":  "export default " + strings.Repeat("`${", 100_000),
		"not":        "export default " + strings.Repeat("!", 1_000_000) + "1",
		"additions":  "export default 1" + strings.Repeat("+1", 1_000_000),
		"long lines": "export default [" + strings.Repeat(`"a",`, 1_000_000) + "]",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := packFrom(t, tree("api/main.tsx", text), "api/main.tsx")
			if err != nil && fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s: %.300v", fault.KindOf(err), err)
			}
			if err != nil && len(err.Error()) > 2000 {
				t.Errorf("a message of %d bytes", len(err.Error()))
			}
		})
	}
}

// Sizes and names that no program needs are refused before anything is started.
func TestTreeBounds(t *testing.T) {
	for name, c := range map[string]struct {
		add  func(fstest.MapFS)
		says string
	}{
		"a giant file": {func(f fstest.MapFS) { f["api/big.ts"] = &fstest.MapFile{Data: make([]byte, 8<<20+1)} }, `"api/big.ts" has more than 8 MiB`},
		"many files":   {func(f fstest.MapFS) { addMany(f, 20_001, ".js") }, "more than 20000 files of code"},
		"many others":  {func(f fstest.MapFS) { addMany(f, 100_001, ".png") }, "more than 100000 files"},
		"a link": {func(f fstest.MapFS) {
			f["api/l.ts"] = &fstest.MapFile{Data: []byte("/etc/passwd"), Mode: os.ModeSymlink}
		}, `"api/l.ts" is a symbolic link`},
		"a linked folder": {func(f fstest.MapFS) { f["node_modules/p"] = &fstest.MapFile{Mode: os.ModeSymlink} }, "is a symbolic link"},
		"a backslash":     {func(f fstest.MapFS) { f[`api/a\..\b.ts`] = &fstest.MapFile{} }, "is no name"},
		"a line break":    {func(f fstest.MapFS) { f["api/a\nb.ts"] = &fstest.MapFile{} }, "is no name"},
		"no text":         {func(f fstest.MapFS) { f["api/a\xff.ts"] = &fstest.MapFile{} }, "is no name"},
		"a long name":     {func(f fstest.MapFS) { f["api/"+strings.Repeat("a", 256)+".ts"] = &fstest.MapFile{} }, "is no name"},
		"a deep file":     {func(f fstest.MapFS) { f[strings.Repeat("a/", 40)+"a.ts"] = &fstest.MapFile{} }, "folders deep"},
	} {
		t.Run(name, func(t *testing.T) {
			files := tree("api/main.ts", hello)
			c.add(files)
			_, err := pack(t, files)
			invalid(t, err)
			if !strings.Contains(err.Error(), c.says) {
				t.Error(err)
			}
		})
	}
	files := tree("api/main.ts", hello, "node_modules/.bin/x.js", "", ".git/a.js", "")
	files["node_modules/.bin/y"] = &fstest.MapFile{Mode: os.ModeSymlink}
	files["odd\n/picture.png"] = &fstest.MapFile{}
	files["node_modules/typescript/index.js"] = &fstest.MapFile{Data: make([]byte, 8<<20+1)}
	if _, err := pack(t, files); err != nil {
		t.Errorf("what no bundle needs: %v", err)
	}
}

func addMany(f fstest.MapFS, n int, ext string) {
	for i := range n {
		f["many/"+strconv.Itoa(i)+ext] = &fstest.MapFile{}
	}
}

// A program that would be too large is refused with its size.
func TestOutputBound(t *testing.T) {
	files := tree("api/main.ts", `import a from "./a.txt"; import b from "./b.txt"; export default () => a + b`)
	for _, name := range []string{"api/a.txt", "api/b.txt"} {
		files[name] = &fstest.MapFile{Data: []byte(strings.Repeat("x", 5<<20))}
	}
	_, err := pack(t, files)
	if e := invalid(t, err); e == nil || !strings.Contains(err.Error(), "the program has 10240 KiB") {
		t.Error(err)
	}
}

// A package.json or tsconfig.json above the scratch folder says nothing.
func TestNothingFromAbove(t *testing.T) {
	if testing.Short() {
		t.Skip("too slow under the race detector: make test runs it")
	}
	above := t.TempDir()
	for name, text := range map[string]string{"package.json": `{"imports": {"#x": "./x.js"}, "type": "commonjs"}`, "x.js": "", "tsconfig.json": `{"compilerOptions": {"jsx": "react"}}`} {
		if err := os.WriteFile(filepath.Join(above, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(above, "scratch")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := bundle.Bundle(t.Context(), bundle.Job{Files: tree("api/main.ts", `import "#x";`+hello), Entry: "api/main.ts", Dir: dir})
	if invalid(t, err); !strings.Contains(err.Error(), `could not resolve "#x"`) {
		t.Error(err)
	}
}

func FuzzBundle(f *testing.F) {
	f.Add(hello, "{}")
	f.Add(`import "./main"; export default <a>{...b}</a>`, `{"compilerOptions": {"paths": {"*": ["../*"]}}}`)
	f.Add("export default class { @a static #b = `${1}` }", `{"extends": ["./package.json", ""], "compilerOptions": null}`)
	f.Fuzz(func(t *testing.T, text, config string) {
		_, err := packFrom(t, tree("api/main.tsx", text, "tsconfig.json", config), "api/main.tsx")
		if err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", fault.KindOf(err), err)
		}
	})
}

// Where the kernel does not hold the folder's bounds, the bundler does.
func TestUnenclosed(t *testing.T) {
	above, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"secret.js": `export default "a secret"`, "secret.json": `{"extends": "a secret"}`, "node_modules/stray/index.js": `export default "a secret"`} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(above, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(above, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	main := func(from string) string { return `import x from "` + from + `"; export default () => x` }
	for name, files := range map[string]fstest.MapFS{
		"relative":        tree("api/main.ts", main("../../../secret.js")),
		"absolute":        tree("api/main.ts", main(filepath.Join(above, "secret.js"))),
		"address":         tree("api/main.ts", main("file://"+filepath.Join(above, "secret.js"))),
		"paths":           tree("api/main.ts", main("@/secret.js"), "tsconfig.json", `{"compilerOptions": {"paths": {"@/*": ["../../*"]}}}`),
		"absolute paths":  tree("api/main.ts", main("@/secret.js"), "tsconfig.json", `{"compilerOptions": {"paths": {"@/*": ["`+above+`/*"]}}}`),
		"base":            tree("api/main.ts", main("secret"), "tsconfig.json", `{"compilerOptions": {"baseUrl": "../.."}}`),
		"absolute base":   tree("api/main.ts", main("secret"), "tsconfig.json", `{"compilerOptions": {"baseUrl": "`+above+`"}}`),
		"main":            tree("api/main.ts", main("p"), "node_modules/p/package.json", `{"main": "../../../../secret.js"}`),
		"exports":         tree("api/main.ts", main("p"), "node_modules/p/package.json", `{"exports": "./../../../../secret.js"}`),
		"browser":         tree("api/main.ts", main("p"), "node_modules/p/package.json", `{"main": "./a.js", "browser": {"./a.js": "../../../../secret.js"}}`, "node_modules/p/a.js", ""),
		"imports":         tree("api/main.ts", main("#x"), "package.json", `{"imports": {"#x": "./../../secret.js"}}`),
		"a stray package": tree("api/main.ts", main("stray")),
		"jsx":             tree("api/main.tsx", `/** @jsxImportSource ../../.. */ export default () => <a/>`),
		"required":        tree("api/main.ts", `export default () => require("../../../secret.js")`),
		"lazily":          tree("api/main.ts", `export default () => import("../../../secret.js")`),
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(above, strings.ReplaceAll(name, " ", "-"))
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			code, problems, err := bundle.Unenclosed(t.Context(), bundle.Job{Files: files, Entry: entryOf(files)}, dir)
			if err != nil || len(problems) == 0 {
				t.Errorf("%v, it was let through:\n%s", err, code)
			}
			for _, p := range problems {
				if strings.Contains(p.String()+p.Hint, "a secret") {
					t.Errorf("it is quoted: %s", p)
				}
			}
		})
	}
}
