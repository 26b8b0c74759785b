package script_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/script"
)

func post(body io.Reader, header ...[2]string) script.Request {
	r := get("http://app.test/")
	r.Method, r.Body, r.Header = "POST", body, header
	return r
}

// A body arrives as it was sent, however it is cut and read.
func TestRequestBodies(t *testing.T) {
	h := host(t, script.Config{})
	text := strings.Repeat("äöü0123456789", 20000)
	for _, code := range []string{
		`return new Response(await request.text())`,
		`return new Response(await request.bytes())`,
		`return new Response(request.body)`,
		`return new Response(request.body.pipeThrough(new TransformStream()))`,
		`const parts = []; for await (const c of request.body) parts.push(c); return new Response(await new Blob(parts).text())`,
	} {
		a := open(t, h, handler(code), script.Bounds{})
		for _, s := range []string{"", "x", text[:1000], text} {
			for _, known := range []bool{false, true} {
				r := post(&dribble{r: strings.NewReader(s), n: 7001})
				if known {
					r.Header = [][2]string{{"Content-Length", itoa5(len(s))}}
				}
				if status, body := fetch(t, a, r, &world{}); status != 200 || body != s {
					t.Errorf("%s: %d bytes came back as %d", code, len(s), len(body))
				}
			}
		}
	}
	a := open(t, h, handler(`const j = await request.json(); return new Response(j.a)`), script.Bounds{})
	if _, body := fetch(t, a, post(strings.NewReader(`{"a":"b"}`)), &world{}); body != "b" {
		t.Errorf("json: %q", body)
	}
	a = open(t, h, handler(`return new Response(await request.text().catch((e) => e.code))`), script.Bounds{Body: 100})
	if _, body := fetch(t, a, post(strings.NewReader(text)), &world{}); body != "limit_body" {
		t.Errorf("a body over its limit: %.50q", body)
	}
	plain := open(t, h, handler(`return new Response(await request.text())`), script.Bounds{Body: 100})
	for _, r := range []script.Request{post(strings.NewReader(text)), post(strings.NewReader(text), [2]string{"content-length", "1000"})} {
		if _, err := plain.Fetch(t.Context(), r, &world{}); outcome(err) != "limit_body" || fault.KindOf(err) != fault.Exhausted {
			t.Errorf("a body over its limit: %v", err)
		}
	}
	if _, body := fetch(t, a, post(io.MultiReader(strings.NewReader("x"), &broken{})), &world{}); body != "internal" {
		t.Errorf("a body that breaks: %.50q", body)
	}
	a = open(t, h, handler(`return new Response("early")`), script.Bounds{})
	if _, body := fetch(t, a, post(&endless{}), &world{}); body != "early" {
		t.Errorf("a body nobody reads: %.50q", body)
	}
}

func itoa5(n int) string { return string(value(n)) }

// dribble returns a few bytes at a time.
type dribble struct {
	r io.Reader
	n int
}

func (d *dribble) Read(p []byte) (int, error) { return d.r.Read(p[:min(len(p), d.n)]) }

type broken struct{}

func (*broken) Read([]byte) (int, error) { return 0, errors.New("wire: cut") }

// endless counts what was taken of it.
type endless struct{ taken atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	e.taken.Add(int64(len(p)))
	return len(p), nil
}

// Chunks come as they are written, before the script ends.
func TestResponseStreams(t *testing.T) {
	h := host(t, script.Config{})
	release := make(chan struct{})
	w := &world{env: []script.Env{{Name: "KEYS", Kind: "kv"}}, calls: map[string]func(context.Context, script.Call) (script.Reply, error){
		"KEYS.get": func(context.Context, script.Call) (script.Reply, error) { <-release; return script.Reply{}, nil },
	}}
	a := open(t, h, handler(`
		const e = new TextEncoder();
		return new Response(new ReadableStream({ async start(c) {
			c.enqueue(e.encode("data: one\n\n"));
			await env.KEYS.get("x");
			c.enqueue(e.encode("data: two\n\n"));
			c.close();
		} }), { headers: { "content-type": "text/event-stream" } })`), script.Bounds{})
	res, err := a.Fetch(t.Context(), get("http://app.test/"), w)
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	if n, err := res.Body.Read(buf); err != nil || string(buf[:n]) != "data: one\n\n" || res.Header[0] != [2]string{"content-type", "text/event-stream"} {
		t.Fatalf("%q %v %v", buf[:n], err, res.Header)
	}
	close(release)
	if rest, err := io.ReadAll(res.Body); err != nil || string(rest) != "data: two\n\n" {
		t.Errorf("%q %v", rest, err)
	}
	for code, want := range map[string]string{
		`c.enqueue(new Uint8Array(5)); c.error(new Error("midway"))`: "Error",
		`c.enqueue("text")`: "TypeError",
		`for (let i = 0; i < 12; i++) c.enqueue(new Uint8Array(500000)); c.close()`: "limit_reply",
	} {
		a := open(t, h, handler(`return new Response(new ReadableStream({ start(c) { `+code+` } }))`), script.Bounds{})
		res, err := a.Fetch(t.Context(), get("http://app.test/"), w)
		if err == nil {
			_, err = io.Copy(io.Discard, res.Body)
		}
		if outcome(err) != want {
			t.Errorf("%s ends with %v", code, err)
		}
	}
	a = open(t, h, handler(`return new Response("x".repeat(3e6))`), script.Bounds{})
	if status, body := fetch(t, a, get("http://app.test/"), w); status != 200 || len(body) != 3e6 {
		t.Errorf("a long body: %d, %d bytes", status, len(body))
	}
}

// Who does not read stops the sender, in both directions: nothing grows.
func TestBackPressure(t *testing.T) {
	h := host(t, script.Config{})
	var made atomic.Int64
	w := &world{env: []script.Env{{Name: "KEYS", Kind: "kv"}}, calls: map[string]func(context.Context, script.Call) (script.Reply, error){
		"KEYS.get": func(_ context.Context, c script.Call) (script.Reply, error) {
			made.Add(32768)
			return script.Reply{}, nil
		},
	}}
	a := open(t, h, handler(`
		return new Response(new ReadableStream({ async pull(c) { await env.KEYS.get("made"); c.enqueue(new Uint8Array(32768)) } }, { highWaterMark: 0 }))`),
		script.Bounds{Reply: 100 << 20})
	res, err := a.Fetch(t.Context(), get("http://app.test/"), w)
	if err != nil {
		t.Fatal(err)
	}
	io.CopyN(io.Discard, res.Body, 1<<20)
	settle(&made)
	if n := made.Load(); n > 1<<20+2*script.Window {
		t.Errorf("of an endless stream of which 1 MiB was read, %d bytes were made", n)
	}
	res.Body.Close()

	a = open(t, h, handler(`const reader = request.body.getReader(); for (let n = 0; n < 1 << 20;) n += (await reader.read()).value.length; await env.KEYS.get("x"); await ctx.signal; return new Response(request.body.locked ? "read enough" : "")`), script.Bounds{Body: 1 << 40})
	e := new(endless)
	if _, body := fetch(t, a, post(e), w); body != "read enough" {
		t.Errorf("%q", body)
	}
	settle(&e.taken)
	if n := e.taken.Load(); n > 1<<20+2*script.Window {
		t.Errorf("of an endless body of which 1 MiB was read, %d bytes were taken", n)
	}
}

// settle waits until a count has not moved for a while.
func settle(n *atomic.Int64) {
	for last, same := int64(-1), 0; same < 20; time.Sleep(5 * time.Millisecond) {
		if now := n.Load(); now == last {
			same++
		} else {
			last, same = now, 0
		}
	}
}

// A client that leaves aborts what was done for it, but not what waitUntil keeps.
func TestCancel(t *testing.T) {
	h := host(t, script.Config{Cores: 2})
	started, stopped, kept := make(chan struct{}, 1), make(chan error, 1), make(chan string, 1)
	w := &world{env: []script.Env{{Name: "KEYS", Kind: "kv"}}, calls: map[string]func(context.Context, script.Call) (script.Reply, error){
		"KEYS.slow": func(ctx context.Context, _ script.Call) (script.Reply, error) {
			started <- struct{}{}
			<-ctx.Done()
			stopped <- ctx.Err()
			return script.Reply{}, ctx.Err()
		},
		"KEYS.started": func(context.Context, script.Call) (script.Reply, error) {
			started <- struct{}{}
			return script.Reply{}, nil
		},
		"KEYS.kept": func(_ context.Context, c script.Call) (script.Reply, error) {
			kept <- string(c.Args)
			return script.Reply{}, nil
		},
	}}
	leave := func(code string) error {
		a := open(t, h, handler(code), script.Bounds{CPU: 20 * time.Second})
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		defer all.Wait()
		all.Go(func() {
			<-started
			cancel()
		})
		_, err := a.Fetch(ctx, get("http://app.test/"), w)
		return err
	}
	if err := leave(`await env.KEYS.ask("slow"); return new Response("x")`); !errors.Is(err, context.Canceled) {
		t.Errorf("a call under way: %v", err)
	}
	if err := <-stopped; !errors.Is(err, context.Canceled) {
		t.Errorf("the host call ended with %v", err)
	}
	if err := leave(`ctx.signal.addEventListener("abort", () => ctx.waitUntil(env.KEYS.ask("kept", ctx.signal.reason.name))); await env.KEYS.ask("slow")`); !errors.Is(err, context.Canceled) {
		t.Errorf("a listener: %v", err)
	}
	if got := <-kept; got != `"AbortError"` {
		t.Errorf("waitUntil in a listener was told %s", got)
	}
	if err := leave(`env.KEYS.ask("started"); for (;;);`); !errors.Is(err, context.Canceled) {
		t.Errorf("a loop: %v", err)
	}
	// The loop was cut long before its 20 s of CPU, or this waits for a free core.
	if err := leave(`env.KEYS.ask("started"); for (;;);`); !errors.Is(err, context.Canceled) {
		t.Errorf("a loop: %v", err)
	}
	if err := leave(`env.KEYS.ask("started"); for (;;);`); !errors.Is(err, context.Canceled) {
		t.Errorf("a loop: %v", err)
	}
	fetch(t, open(t, h, hello, script.Bounds{}), get("http://app.test/"), w)
}

// Closing a body early ends the stream's source.
func TestCloseBody(t *testing.T) {
	h := host(t, script.Config{})
	ended := make(chan string, 1)
	w := &world{env: []script.Env{{Name: "KEYS", Kind: "kv"}}, calls: map[string]func(context.Context, script.Call) (script.Reply, error){
		"KEYS.ended": func(_ context.Context, c script.Call) (script.Reply, error) {
			ended <- string(c.Args)
			return script.Reply{}, nil
		},
		"KEYS.endless": func(ctx context.Context, c script.Call) (script.Reply, error) {
			return script.Reply{Body: &closer{ctx: ctx, closed: ended}}, nil
		},
	}}
	a := open(t, h, handler(`return new Response(new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(1000)) }, cancel(e) { ctx.waitUntil(env.KEYS.ask("ended", e.name)) } }))`), script.Bounds{})
	res, err := a.Fetch(t.Context(), get("http://app.test/"), w)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Read(make([]byte, 10))
	res.Body.Close()
	if got := <-ended; got != `"AbortError"` {
		t.Errorf("the source was cancelled with %s", got)
	}
	a = open(t, h, handler(`const { body } = await env.KEYS.ask("endless"); await body.cancel(); return new Response("gave up")`), script.Bounds{})
	if _, body := fetch(t, a, get("http://app.test/"), w); body != "gave up" {
		t.Errorf("%q", body)
	}
	if got := <-ended; got != "closed" {
		t.Errorf("a reply that the script gave up: %s", got)
	}
}

// closer is a body that never comes, and says when it is closed.
type closer struct {
	ctx    context.Context
	once   sync.Once
	closed chan string
}

func (c *closer) Read([]byte) (int, error) { <-c.ctx.Done(); return 0, c.ctx.Err() }
func (c *closer) Close() error {
	c.once.Do(func() { c.closed <- "closed" })
	return nil
}
