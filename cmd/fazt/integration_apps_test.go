//go:build integration

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// bombsHCL has the same bombs in an app that may compute for a moment and in one
// that runs into its other limits first, the one that nothing stops by itself, and
// two bystanders.
const bombsHCL = `edge {
  domain = "localhost"
}
limits {
  requests_per_ip = { rate = 100000, burst = 100000 }
}
app "still" {
  content = "still"
}
app "hello" {
  content = "hello"
  runtime {
    entry = "main.js"
    cpu   = "20s"
    wall  = "60s"
  }
}
app "quick" {
  content = "bombs"
  runtime {
    entry = "main.js"
    cpu   = "300ms"
    wall  = "60s"
  }
}
app "late" {
  content = "bombs"
  runtime {
    entry = "main.js"
    cpu   = "300ms"
    wall  = "1s"
  }
}
app "wide" {
  content = "bombs"
  runtime {
    entry = "main.js"
    cpu   = "60s"
    wall  = "90s"
  }
}
`

// appBombs are by the app that they go off in, with the code of the answer. The
// last asks nobody whether it may go on.
var appBombs = []struct{ app, code, want string }{
	{"quick", "for (;;);", "limit_cpu"},
	{"quick", "for (;;) await 0", "limit_cpu"},
	{"quick", `/^(?=(a+)+b)/.test("a".repeat(40))`, "limit_cpu"},
	{"quick", "for (const x of (function* () { for (;;) yield 1 })());", "limit_cpu"},
	{"wide", `"x".repeat(2**40)`, "exception"},
	{"wide", "const a = []; for (;;) a.push({})", "limit_memory"},
	{"wide", "new Uint8Array(2**30)", "limit_memory"},
	{"wide", "(function f() { f() })()", "limit_stack"},
	{"wide", `JSON.parse("[".repeat(3e6))`, "limit_stack"},
	{"late", "await new Promise(() => {})", "limit_wall"},
	{"wide", "for (let i = 0; i < 10000; i++) setTimeout(() => {}, 1000)", "limit_timers"},
	{"wide", `for (;;) console.log("x".repeat(1e4))`, "limit_log"},
	{"wide", `return new Response("x".repeat(6 << 20))`, "limit_reply"},
	{"quick", `"a".repeat(3e7).indexOf("a".repeat(1e7) + "b")`, "limit_cpu"},
}

// bystander asks an app until it is stopped. While something is being killed an
// answer may be 503, if the next one is well. It returns how long each good answer
// took.
func (p *process) bystander(host, says string, stop <-chan struct{}) (took []time.Duration, retried int, err error) {
	v := p.visitor(0)
	defer v.close()
	for refused := false; ; {
		select {
		case <-stop:
			return took, retried, nil
		default:
		}
		began := time.Now()
		got, err := v.get(host, "/")
		switch {
		case err != nil:
			return took, retried, fmt.Errorf("%s: %w", host, err)
		case got.status == http.StatusOK && got.body == says:
			took, refused = append(took, time.Since(began)), false
		case got.status == http.StatusServiceUnavailable && !refused:
			refused = true
			retried++
		default:
			return took, retried, fmt.Errorf("%s: %d %q", host, got.status, got.body)
		}
	}
}

// p99Of is what one answer in a hundred takes longer than.
func p99Of(took []time.Duration) time.Duration {
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[len(took)*99/100]
}

// calm is the p99 of apps that are asked at once while nothing else goes on.
func (p *process) calm(says map[string]string) map[string]time.Duration {
	p.w.t.Helper()
	stop := make(chan struct{})
	over := time.AfterFunc(3*time.Second, func() { close(stop) })
	defer over.Stop()
	var mu sync.Mutex
	var asking sync.WaitGroup
	found := map[string]time.Duration{}
	for host, word := range says {
		asking.Go(func() {
			took, _, err := p.bystander(host, word, stop)
			if err != nil {
				p.w.t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			found[host] = p99Of(took)
		})
	}
	asking.Wait()
	return found
}

// TestIntegrationAppsBombs: whatever an app's code does, its visitor is told the
// limit, and the node and its other apps go on.
func TestIntegrationAppsBombs(t *testing.T) {
	t.Parallel()
	w := newPlainWorld(t)
	var code strings.Builder
	code.WriteString("const bombs = [\n")
	for _, b := range appBombs {
		fmt.Fprintf(&code, "async () => { %s },\n", b.code)
	}
	code.WriteString("];\nexport default { fetch: async (request) => await bombs[Number(new URL(request.url).pathname.slice(1))]() ?? new Response(\"defused\") };\n")
	w.write(map[string]string{"site/fazt.hcl": bombsHCL, "site/still/index.html": "still", "site/bombs/main.js": code.String(),
		"site/hello/main.js": `export default { fetch: () => new Response("hello") };`})
	p := w.serve("state")
	w.want(0, "generation 1", "apply", "--yes", "--state", p.state, w.path("site"))

	stop := make(chan struct{})
	var probes sync.WaitGroup
	calm := p.calm(map[string]string{"still.localhost": "still", "hello.localhost": "hello"})
	watch := func(host, says string, allowed int) {
		probes.Go(func() {
			took, retried, err := p.bystander(host, says, stop)
			if err != nil || retried > allowed || len(took) == 0 {
				t.Errorf("%s was asked %d times, %d refused, %d may be: %v", host, len(took), retried, allowed, err)
			}
			amid := p99Of(took)
			t.Logf("%s: %d answers, %d refused; p99 %s amid bombs, %s without, ratio %.1f", host, len(took), retried,
				amid.Round(10*time.Microsecond), calm[host].Round(10*time.Microsecond), float64(amid)/float64(max(calm[host], 1)))
		})
	}
	watch("still.localhost", "still", 0)
	watch("hello.localhost", "hello", 1) // one process of code is killed
	for i, b := range appBombs {
		got := p.getJSON(b.app+".localhost", fmt.Sprintf("/%d", i))
		var said struct{ Error struct{ Code string } }
		if err := json.Unmarshal([]byte(got.body), &said); err != nil || got.status < 500 || said.Error.Code != b.want {
			t.Errorf("%s: %d %q, want the code %s", b.code, got.status, got.body, b.want)
		}
	}
	close(stop)
	probes.Wait()
	p.alive()
	p.stop()
}

// getJSON reads one answer as a program does.
func (p *process) getJSON(host, path string) received {
	p.w.t.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://"+host+path, nil)
	must(p.w.t, err)
	r.Header.Set("Accept", "application/json")
	v := p.visitor(0)
	defer v.close()
	resp, err := v.http.Do(r)
	must(p.w.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(p.w.t, err)
	return received{status: resp.StatusCode, header: resp.Header, body: string(body)}
}

// twins keep things in stores of the same names, and evaluate what they are asked
// to, looking through what comes out.
const twins = `
const forbidden = ["process", "require", "module", "exports", "Deno", "Bun", "std", "os", "scriptArgs", "loadScript", "__fazt", "__fazt_post", "__fazt_module", "left", "polluted", "planted"];
function look(found, value, depth, seen) {
  if (value === null || (typeof value !== "object" && typeof value !== "function") || depth > 3 || seen.has(value)) return;
  seen.add(value);
  for (const k of Reflect.ownKeys(value).slice(0, 300)) {
    if (forbidden.includes(k)) found.push(k);
    try { look(found, value[k], depth + 1, seen) } catch {}
  }
}
const attempt = async (f) => { try { return await f() } catch (e) { return e.name } };
export default {
  async fetch(request, env, ctx) {
    const url = new URL(request.url), arg = decodeURIComponent(url.search.slice(1));
    switch (url.pathname) {
      case "/keep":
        await env.K.put(arg, arg);
        await env.D.collection("c").insert({ _id: arg });
        await env.B.put(arg, arg);
        await env.DB.prepare("INSERT INTO note (text) VALUES (?)").bind(arg).run();
        globalThis.left = arg;
        Object.prototype.polluted = arg;
        return new Response("kept");
      case "/list":
        return Response.json({
          kv: (await env.K.list()).keys.map((k) => k.name),
          docs: (await env.D.collection("c").find({}).toArray()).map((d) => d._id),
          blobs: (await env.B.list()).objects.map((o) => o.key),
          sql: (await env.DB.prepare("SELECT text FROM note").all()).results.map((r) => r.text),
        });
      case "/escape": {
        const found = [];
        globalThis.planted = true; // what looks through the global object finds it
        const got = await attempt(() => new (async () => {}).constructor("env", "ctx", "request", "return (" + arg + ")")(env, ctx, request));
        look(found, got, 0, new Set());
        return Response.json({ found, text: typeof got === "string" ? got : "" });
      }
    }
    return new Response("nothing here", { status: 404 });
  },
};`

const twinHCL = `app "%[1]s" {
  content = "twin"
  runtime {
    entry = "main.js"
    cpu   = "20s"
    wall  = "60s"
  }
  kv "K" {}
  docs "D" {}
  blobs "B" {}
  sql "DB" { migrations = "migrations" }
}
`

// appEscapes are ways out that sandboxes had, and ways to the other app.
var appEscapes = []string{
	"globalThis",
	`[].constructor.constructor("return this")()`,
	`(async () => {}).constructor("return globalThis")()`,
	`env.constructor.constructor("return this")()`,
	`env.K.get.constructor("return this")()`,
	`request.constructor.constructor("return this")()`,
	`(0, eval)("this")`,
	"process.env",
	`require("fs").readFileSync("/etc/passwd", "utf8")`,
	`import("fs")`,
	`import("/etc/passwd")`,
	`Deno.readTextFileSync("/etc/passwd")`,
	`[globalThis.left, ({}).polluted].filter(Boolean).join()`,
	`env.DB.exec("ATTACH DATABASE '../other/data.db' AS other")`,
	`fetch("http://one.localhost/list").then((r) => r.text())`,
}

// TestIntegrationAppsApart: two apps whose stores have the same names share
// nothing, and no way out of one leads to the other or to the machine.
func TestIntegrationAppsApart(t *testing.T) {
	t.Parallel()
	w := newPlainWorld(t)
	hcl := "edge {\n  domain = \"localhost\"\n}\n" + fmt.Sprintf(twinHCL, "one") + fmt.Sprintf(twinHCL, "two")
	w.write(map[string]string{"site/fazt.hcl": hcl, "site/twin/main.js": twins,
		"site/twin/migrations/1_note.sql": "CREATE TABLE note (text TEXT);\n"})
	p := w.serve("state")
	w.want(0, "generation 1", "apply", "--yes", "--state", p.state, w.path("site"))
	list := func(app string, want ...string) {
		t.Helper()
		var has map[string][]string
		must(t, json.Unmarshal([]byte(p.serves(app+".localhost", "/list", "kv").body), &has))
		for _, store := range []string{"kv", "docs", "blobs", "sql"} {
			if !slices.Equal(has[store], want) {
				t.Errorf("%s of %s has %q, want %q", store, app, has[store], want)
			}
		}
	}
	p.serves("one.localhost", "/keep?of-one", "kept")
	list("two")
	p.serves("two.localhost", "/keep?of-two", "kept")
	list("one", "of-one")
	list("two", "of-two")
	p.serves("one.localhost", "/keep?again-one", "kept") // what it leaves in its global object is the newest
	for _, code := range appEscapes {
		var got struct {
			Found []string
			Text  string
		}
		must(t, json.Unmarshal([]byte(p.serves("two.localhost", "/escape?"+url.PathEscape(code), "found").body), &got))
		if code == "globalThis" && !slices.Contains(got.Found, "planted") {
			t.Errorf("nothing was looked through: %q", got.Found)
		}
		found := slices.DeleteFunc(got.Found, func(k string) bool { return k == "left" || k == "polluted" || k == "planted" }) // its own
		if len(found) > 0 || strings.Contains(got.Text, "-one") || strings.Contains(got.Text, "root:") {
			t.Errorf("%s found %q, %q", code, found, got.Text)
		}
	}
	list("two", "of-two")
	p.stop()
}
