package bundle_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fazt-sh/fazt/platform/bundle"
	"github.com/fazt-sh/fazt/platform/child"
	"github.com/fazt-sh/fazt/platform/fault"
)

func TestMain(m *testing.M) {
	if ran, exit := child.Main(os.Args, map[string]child.Role{bundle.Role: bundle.Child}); ran {
		os.Exit(exit)
	}
	os.Exit(m.Run())
}

// tree is an app's folder: pairs of name and text.
func tree(pairs ...string) fstest.MapFS {
	t := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		t[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return t
}

// pack bundles a tree from its api/main.ts.
func pack(t testing.TB, files fstest.MapFS) (bundle.Result, error) {
	t.Helper()
	return packFrom(t, files, "api/main.ts")
}

func packFrom(t testing.TB, files fstest.MapFS, entry string) (bundle.Result, error) {
	t.Helper()
	return bundle.Bundle(context.Background(), bundle.Job{Name: "notes", Files: files, Entry: entry, Dir: t.TempDir(), Node: stand()})
}

// stand are stand-ins for Node's modules.
func stand() fstest.MapFS {
	return tree("buffer.js", `export class Buffer { static from() { return "a buffer" } }`,
		"events.js", `import { Buffer } from "node:buffer"; export default class EventEmitter { b = Buffer }`,
		"util.js", `export const inspect = String; export default { inspect }`,
		"util/types.js", `export const isDate = (d) => d instanceof Date`)
}

const hello = "\nexport default { fetch() { return new Response(\"hello\") } }\n"

// What people write becomes a module that says what they meant.
func TestBundles(t *testing.T) {
	if testing.Short() {
		t.Skip("too slow under the race detector: make test runs it")
	}
	for name, c := range map[string]struct {
		files   fstest.MapFS
		has     []string // in the code
		without []string
	}{
		"plain": {tree("api/main.ts", `export default function (request) { return new Response("a") }`), []string{"as default"}, nil},
		"types": {tree("api/main.ts", `interface A { b: string }; enum E { X = 7 }
			export default { fetch(r: Request): Response { const a = { b: "c" } satisfies A; return new Response(a.b + E.X!) } }`),
			[]string{"fetch(r)", "as default"}, []string{"interface", "satisfies", ": Response"}},
		"decorators are lowered": {tree("api/main.ts", `const d = (f: any, c: any) => f; class A { @d m() {} }; export default { fetch: () => new A().m() }`), nil, []string{"@d"}},
		"jsx is react's": {tree("api/main.tsx", `export default () => <a href="b">c</a>`, "node_modules/react/package.json", `{"exports": {"./jsx-runtime": "./r.js"}}`,
			"node_modules/react/r.js", `export const jsx = (...a) => "react's"`), []string{"react's", `href: "b"`}, nil},
		"jsx of tsconfig": {tree("api/main.tsx", `export default () => <a/>`, "tsconfig.json", `{ // whose
			"compilerOptions": { "jsx": "preserve", "jsxImportSource": "other", }, }`,
			"node_modules/other/jsx-runtime.js", `export const jsx = (...a) => "other's"`), []string{"other's"}, nil},
		"jsx with a factory": {tree("api/main.jsx", `const h = (...a) => a; export default () => <a b="c"/>`, "tsconfig.json", `{"compilerOptions": {"jsxFactory": "h"}}`),
			[]string{`h("a", { b: "c" })`}, nil},
		"jsx in .js": {tree("api/main.js", `const h = (...a) => a; export default () => <a/>`, "tsconfig.json", `{"compilerOptions": {"jsx": "react", "jsxFactory": "h"}}`),
			[]string{`h("a", null)`}, nil},
		"json and text": {tree("api/main.ts", `import { n } from "../data/a.json"; import t from "./b.txt"; import h from "./c.html"; import s from "./d.css"; import q from "./e.sql";
			export default () => n + t + h + s + q`, "data/a.json", `{"n": 41, "unused": 42}`, "api/b.txt", "the text", "api/c.html", "<p>", "api/d.css", "p{}", "api/e.sql", "select 1"),
			[]string{"41", `"the text"`, `"<p>"`, `"p{}"`, `"select 1"`}, []string{"42"}},
		"json with its type": {tree("api/main.ts", `import a from "./a.json" with { type: "json" }; export default () => a.n`, "api/a.json", `{"n": 41}`), []string{"41"}, nil},
		"our condition first": {tree("api/main.ts", `import p from "p"; export default () => p`,
			"node_modules/p/package.json", `{"exports": {".": {"fazt": "./fazt.js", "node": "./node.js", "default": "./default.js"}}}`,
			"node_modules/p/fazt.js", `export default "for fazt"`, "node_modules/p/node.js", `export default "for node"`, "node_modules/p/default.js", `export default "for all"`),
			[]string{"for fazt"}, []string{"for node", "for all"}},
		"conditions of workers": {tree("api/main.ts", `import p from "p"; import q from "q/sub"; export default () => p + q`,
			"node_modules/p/package.json", `{"exports": {"node": "./node.js", "worker": {"import": "./worker.mjs", "require": "./worker.cjs"}, "default": "./node.js"}}`,
			"node_modules/p/worker.mjs", `export default "p for workers"`, "node_modules/p/worker.cjs", `module.exports = "required"`, "node_modules/p/node.js", `import "fs"`,
			"node_modules/q/package.json", `{"exports": {"./sub": {"browser": "./b.js", "default": "./node.js"}}}`,
			"node_modules/q/b.js", `export default "q for browsers"`, "node_modules/q/node.js", `import "fs"`),
			[]string{"p for workers", "q for browsers"}, []string{"required"}},
		"module and main": {tree("api/main.ts", `import p from "p"; import q from "q"; export default () => p + q`,
			"node_modules/p/package.json", `{"module": "m.js", "main": "c.js"}`, "node_modules/p/m.js", `export default "p as a module"`, "node_modules/p/c.js", `module.exports = 1`,
			"node_modules/q/package.json", `{"main": "c.js"}`, "node_modules/q/c.js", `module.exports = "q in common"`), []string{"p as a module", "q in common"}, nil},
		"left out for browsers": {tree("api/main.ts", `import p from "p"; export default () => p`,
			"node_modules/p/package.json", `{"main": "c.js", "browser": {"fs": false, "./node.js": "./web.js"}}`,
			"node_modules/p/c.js", `require("fs"); module.exports = require("./node.js")`, "node_modules/p/node.js", `require("net")`, "node_modules/p/web.js", `module.exports = "for the web"`),
			[]string{"for the web"}, nil},
		"imports of a package": {tree("api/main.ts", `import x from "#lib/x"; export default () => x`, "package.json", `{"imports": {"#lib/*": "./lib/*.ts"}}`, "lib/x.ts", `export default "an import"`),
			[]string{"an import"}, nil},
		"paths of tsconfig": {tree("api/main.ts", `import x from "@/x"; import y from "lib/y"; export default () => x + y`,
			"tsconfig.json", `{"extends": ["@tsconfig/strictest/tsconfig.json", "./config/base"], "compilerOptions": {"strict": true}}`,
			"config/base.json", `{"compilerOptions": {"baseUrl": "..", "paths": {"@/*": ["src/*"]}}}`,
			"src/x.ts", `export default "by paths"`, "lib/y.ts", `export default "by baseUrl"`), []string{"by paths", "by baseUrl"}, nil},
		"paths without a base": {tree("api/main.ts", `import x from "~x"; export default () => x`, "tsconfig.json", `{"compilerOptions": {"paths": {"~x": ["./src/x"]}}}`,
			"src/x.ts", `export default "by paths"`), []string{"by paths"}, nil},
		"the nearest tsconfig": {tree("api/main.ts", `import x from "~x"; export default () => x`, "api/tsconfig.json", `{"compilerOptions": {"paths": {"~x": ["./x"]}}}`,
			"tsconfig.json", `{"compilerOptions": {"paths": {"~x": ["./y"]}}}`, "api/x.ts", `export default "near"`), []string{"near"}, nil},
		"types of fazt": {tree("api/main.ts", `import type { Handler } from "fazt"; export default { fetch: () => new Response() } satisfies Handler`, "api/fazt.d.ts", bundle.Types()), nil, []string{"fazt"}},
		"cycles": {tree("api/main.ts", `import { a } from "./a"; export const b = () => "b"; export default () => a()`, "api/a.ts", `import { b } from "./main"; export const a = () => b() + "a"`),
			[]string{`() => "b"`}, nil},
		"node with a stand-in": {tree("api/main.ts", `import E from "node:events"; import { isDate } from "util/types"; const { inspect } = require("util"); export default () => [new E(), isDate, inspect]`),
			[]string{"a buffer", "isDate", "module.exports = all.default ?? all"}, nil},
		"a package before node's": {tree("api/main.ts", `import { Buffer } from "buffer"; export default () => Buffer`, "node_modules/buffer/index.js", `export const Buffer = "npm's"`), []string{"npm's"}, nil},
		"ready to be without":     {tree("api/main.ts", `let fs; try { fs = require("node:fs") } catch {}; export default () => fs`), []string{`require("node:fs")`}, nil},
		"production":              {tree("api/main.js", `export default () => process.env.NODE_ENV === "production" ? "fast" : "slow"`), []string{"fast"}, []string{"process.env"}},
		"lazy imports":            {tree("api/main.ts", `export default async () => (await import("./a")).a`, "api/a.ts", `export const a = "later"`), []string{"later"}, nil},
		"common modules":          {tree("api/main.cjs", `module.exports = { fetch: () => new Response(require("./a")) }`, "api/a.js", `exports.a = 1`), []string{"export default require_main()"}, nil},
		"named methods":           {tree("api/main.ts", `export const GET = () => new Response("got")`), []string{"GET"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := packFrom(t, c.files, entryOf(c.files))
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Warnings) > 0 {
				t.Errorf("warnings: %v", r.Warnings)
			}
			for _, s := range c.has {
				if !bytes.Contains(r.Code, []byte(s)) {
					t.Errorf("there is no %q in\n%s", s, r.Code)
				}
			}
			for _, s := range c.without {
				if bytes.Contains(r.Code, []byte(s)) {
					t.Errorf("there is %q in\n%s", s, r.Code)
				}
			}
		})
	}
}

func entryOf(files fstest.MapFS) string {
	for name := range files {
		if strings.HasPrefix(name, "api/main.") {
			return name
		}
	}
	return "api"
}

// The inputs are the app's own files that went in, and no others.
func TestInputs(t *testing.T) {
	r, err := pack(t, tree("api/main.ts", `import a from "./a"; import "node:events"; import type { X } from "./x"; export default () => a as X`,
		"api/a.ts", `export default 1`, "api/x.ts", `export type X = number`, "api/unused.ts", `1`, "index.html", "<p>"))
	if err != nil || !slices.Equal(r.Inputs, []string{"api/a.ts", "api/main.ts"}) {
		t.Errorf("%q, %v", r.Inputs, err)
	}
}

// The same files make the same bytes, wherever they were laid out.
func TestDeterministic(t *testing.T) {
	if testing.Short() {
		t.Skip("too slow under the race detector: make test runs it")
	}
	files := tree("tsconfig.json", `{"compilerOptions": {"paths": {"@/*": ["./lib/*"]}}}`)
	var all strings.Builder
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		files["lib/"+name+".ts"] = &fstest.MapFile{Data: []byte("export class Same { n = \"" + name + "\" }")}
		all.WriteString("import { Same as " + name + " } from \"@/" + name + "\";")
	}
	files["api/main.ts"] = &fstest.MapFile{Data: []byte(all.String() + "export default () => [a, b, c, d, e, f]")}
	one, err := pack(t, files)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(t.TempDir(), link); err != nil {
			t.Fatal(err)
		}
		two, err := bundle.Bundle(context.Background(), bundle.Job{Name: "other", Files: files, Entry: "api/../api/main.ts", Dir: link})
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(one.Code, two.Code) || !bytes.Equal(one.Map, two.Map) {
			t.Fatalf("two programs:\n%s\n%s", one.Code, two.Code)
		}
	}
}

// Nothing of the scratch folder's place is in what comes out.
func TestNoTraceOfTheMachine(t *testing.T) {
	if testing.Short() {
		t.Skip("too slow under the race detector: make test runs it")
	}
	dir := t.TempDir()
	r, err := bundle.Bundle(context.Background(), bundle.Job{Files: tree("api/main.ts", `import x from "x"; export default () => x`, "node_modules/x/index.js", "module.exports = 1"), Entry: "api/main.ts", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(r.Code, []byte(dir)) || bytes.Contains(r.Map, []byte(dir)) {
		t.Error("the scratch folder is in the program")
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := bundle.Bundle(ctx, bundle.Job{Files: tree("api/main.ts", hello), Entry: "api/main.ts", Dir: t.TempDir()})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func invalid(t *testing.T, err error) *bundle.Error {
	t.Helper()
	var e *bundle.Error
	if fault.KindOf(err) != fault.Invalid {
		t.Fatalf("%s: %v", fault.KindOf(err), err)
	}
	errors.As(err, &e)
	return e
}
