package script_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/script"
)

// A signal ends a request to elsewhere wherever it is, with its reason, and the node
// stops what it does for it.
func TestAbortFetch(t *testing.T) {
	for name, code := range map[string]string{
		"before the answer": `const p = fetch("http://x.test/silent", { signal: c.signal }); await env.KEYS.ask("asked"); c.abort(why); await p`,
		"a reader":          `const x = await fetch("http://x.test/", { signal: c.signal }); const r = x.body.getReader(); await r.read(); c.abort(why); await r.read()`,
		"a reader waits":    `const x = await fetch("http://x.test/", { signal: c.signal }); const r = x.body.getReader(); await r.read(); const p = r.read(); await null; c.abort(why); await p`,
		"a reader closed":   `const x = await fetch("http://x.test/", { signal: c.signal }); const r = x.body.getReader(); c.abort(why); await r.closed`,
		"text":              `const x = await fetch("http://x.test/", { signal: c.signal }); const p = x.text(); c.abort(why); await p`,
		"untouched, read":   `const x = await fetch("http://x.test/", { signal: c.signal }); c.abort(why); await x.body.getReader().read()`,
		"untouched, text":   `const x = await fetch("http://x.test/", { signal: c.signal }); c.abort(why); await x.text()`,
		"a clone":           `const x = await fetch("http://x.test/", { signal: c.signal }); const y = x.clone(); c.abort(why); await y.text()`,
		"an upload": `let gone; const body = new ReadableStream({ cancel(e) { gone = e } });
			const p = fetch("http://x.test/silent", { signal: c.signal, method: "POST", duplex: "half", body }); await env.KEYS.ask("asked"); c.abort(why); await p.catch(() => {}); throw gone`,
	} {
		t.Run(name, func(t *testing.T) {
			asked, ended := make(chan struct{}, 1), make(chan struct{})
			w := &world{env: []script.Env{{Name: "KEYS", Kind: "kv"}}, calls: map[string]func(context.Context, script.Call) (script.Reply, error){
				"fetch.fetch": func(ctx context.Context, c script.Call) (script.Reply, error) {
					context.AfterFunc(ctx, func() { close(ended) })
					if strings.Contains(string(c.Args), "silent") {
						asked <- struct{}{}
						<-ctx.Done()
						return script.Reply{}, ctx.Err()
					}
					from, to := io.Pipe()
					go to.Write([]byte("beginning"))
					return script.Reply{Value: []byte(`{"status":200,"headers":[],"url":"http://x.test/"}`), Body: from}, nil
				},
				"KEYS.asked": func(context.Context, script.Call) (script.Reply, error) {
					<-asked
					return script.Reply{}, nil
				},
				"KEYS.ended": func(ctx context.Context, _ script.Call) (script.Reply, error) {
					select {
					case <-ended:
					case <-ctx.Done():
					}
					return script.Reply{}, ctx.Err()
				},
			}}
			a := open(t, host(t, script.Config{}), handler(`
const c = new AbortController(), why = new Error("the reason");
let said = "nothing was thrown";
try { `+code+` } catch (e) { said = e === why ? "the reason" : e.name + ": " + e.message; }
await env.KEYS.ask("ended"); // the request to elsewhere, while this one goes on
return new Response(said);`), script.Bounds{})
			if _, body := fetch(t, a, get("http://app.test/"), w); body != "the reason" {
				t.Error(body)
			}
		})
	}
}

// What the network does to a request is a TypeError, as the standard has it, with the
// code and the hint of the node.
func TestFetchFails(t *testing.T) {
	w := &world{env: []script.Env{{Name: "KEYS", Kind: "kv"}}, calls: map[string]func(context.Context, script.Call) (script.Reply, error){
		"fetch.fetch": func(_ context.Context, c script.Call) (script.Reply, error) {
			if strings.Contains(string(c.Args), "breaks") {
				return script.Reply{Value: []byte(`{"status":200,"headers":[],"url":"http://x.test/"}`), Body: io.NopCloser(&broken{})}, nil
			}
			return script.Reply{}, fault.New(fault.Forbidden, "no egress rule names x.test").WithHint("add one")
		},
	}}
	a := open(t, host(t, script.Config{}), handler(`
const said = [];
for (const make of [() => fetch("http://x.test/"), async () => (await fetch("http://x.test/breaks")).text(), () => env.KEYS.get("k")])
  await make().catch((e) => said.push([e instanceof TypeError, e.name, e.code, e.hint].join()));
return new Response(said.join(" "));`), script.Bounds{})
	if _, body := fetch(t, a, get("http://app.test/"), w); body != "true,TypeError,forbidden,add one true,TypeError,internal, false,Error,not_found," {
		t.Error(body)
	}
}

// A call that was given up is in flight until the node has ended it, so that aborting
// is no way around the most of them.
func TestAbortedCallsCount(t *testing.T) {
	a := open(t, host(t, script.Config{}), handler(`
const said = [];
for (let i = 0; i < 6; i++) {
  const c = new AbortController();
  const p = fetch("http://x.test/", { signal: c.signal }); // nothing is heard of it in this turn
  c.abort();
  said.push(p.catch((e) => e.code));
}
return new Response((await Promise.all(said)).join());`), script.Bounds{Calls: 5})
	if _, body := fetch(t, a, get("http://app.test/"), &world{}); body != "20,20,20,20,20,limit_calls" {
		t.Error(body)
	}
}
