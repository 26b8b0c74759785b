package binding_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/fazt-sh/fazt/platform/binding"
	"github.com/fazt-sh/fazt/platform/queue"
	"github.com/fazt-sh/fazt/platform/rule"
	"github.com/fazt-sh/fazt/platform/script"
	"github.com/fazt-sh/fazt/platform/storage"
)

// engine runs programs in this process until the test ends.
func engine(t testing.TB) *script.Host {
	t.Helper()
	h := script.New(script.Config{InProcess: true})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := h.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	return h
}

func load(t testing.TB, h *script.Host, code string) *script.App {
	t.Helper()
	a, err := h.Open(t.Context(), script.Program{Name: "test", Code: []byte(code)}, script.Bounds{})
	if err != nil {
		t.Fatalf("%v in\n%s", err, code)
	}
	t.Cleanup(a.Close)
	return a
}

// run runs the body of a handler, and returns what it returned as JSON.
func (w *world) run(t testing.TB, h *script.Host, body string) string {
	t.Helper()
	text, err := w.try(t, h, body)
	if err != nil {
		if thrown, ok := errors.AsType[*script.Exception](err); ok {
			t.Fatalf("%v\n%s\nin\n%s", err, thrown.Stack, body)
		}
		t.Fatalf("%v in\n%s", err, body)
	}
	return text
}

func (w *world) try(t testing.TB, h *script.Host, body string) (string, error) {
	t.Helper()
	a := load(t, h, "export default { async fetch(request, env, ctx) { const result = await (async () => {\n"+body+
		"\n})(); return result instanceof Response ? result : new Response(JSON.stringify(result) ?? 'undefined'); } };")
	resp, err := a.Fetch(t.Context(), script.Request{Method: "GET", URL: "https://notes.test/"}, w.inv)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

// fetcher answers as a function does.
type fetcher func(ctx context.Context, r script.Request) (*script.Response, error)

func (f fetcher) Fetch(ctx context.Context, r script.Request) (*script.Response, error) {
	return f(ctx, r)
}

func text(status int, body string) *script.Response {
	return &script.Response{Status: status, Header: [][2]string{{"content-type", "text/plain"}}, Body: io.NopCloser(strings.NewReader(body))}
}

// others gives an app files of its release and another app.
func others(c *binding.Config, _ *storage.App) {
	c.Assets = map[string]binding.Fetcher{"ASSETS": fetcher(func(_ context.Context, r script.Request) (*script.Response, error) {
		if to, ok := strings.CutSuffix(r.URL, "index.html"); ok { // as the files of a site do
			return &script.Response{Status: 301, Header: [][2]string{{"location", to}}, Body: io.NopCloser(strings.NewReader(""))}, nil
		}
		return text(200, r.Method+" "+r.URL), nil
	})}
	c.Services = map[string]binding.Fetcher{"OTHER": fetcher(func(_ context.Context, r script.Request) (*script.Response, error) {
		body := []byte{}
		if r.Body != nil {
			body, _ = io.ReadAll(r.Body)
		}
		return text(200, string(body)), nil
	})}
}

// Every example of the reference does what it says: each throws if it does not.
func TestExamplesOfTheReference(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "reference", "bindings.md"))
	if err != nil {
		t.Fatal(err)
	}
	h, examples := engine(t), strings.Split(string(page), "```js\n")[1:]
	if len(examples) < 7 {
		t.Fatalf("the page has %d examples", len(examples))
	}
	for _, e := range examples {
		code, _, _ := strings.Cut(e, "```")
		w := open(t, others)
		if strings.Contains(code, "async function queue(") {
			w.consume(t, h, code)
			continue
		}
		w.run(t, h, code)
	}
}

// consume runs a consumer of two messages, the second of which has come too often.
func (w *world) consume(t *testing.T, h *script.Host, code string) {
	t.Helper()
	batch := &queue.Batch{Queue: "MAIL", Jobs: []queue.Job{{ID: 1, Body: []byte(`1`), Attempts: 1}, {ID: 2, Body: []byte(`2`), Attempts: 4}}}
	e, err := binding.Event(queue.Delivery{Batch: batch}, script.Info{})
	if err != nil {
		t.Fatal(err)
	}
	result, err := load(t, h, code+"\nexport default { queue };").Event(t.Context(), e, w.inv)
	if err != nil {
		t.Fatal(err)
	}
	a, err := binding.Answer(result, batch)
	if err != nil || len(a.Ack) != 1 || a.Ack[0] != 2 || a.Retry[1].Seconds() != 60 {
		t.Errorf("the consumer decided %+v, %v: %s", a, err, result)
	}
}

// The plain form of a call takes a shorter way, and refuses what the others refuse: by
// a promise, never by throwing.
func TestPlainCallsRefuseAsTheOthersDo(t *testing.T) {
	w, h := open(t), engine(t)
	got := w.run(t, h, `
const loop = {}; loop.self = loop;
const pages = env.PAGES.collection("page");
const said = [];
for (const ask of [
  () => env.CACHE.get(1), () => env.CACHE.get(1, "text"), () => env.CACHE.put(1, "x"), () => env.CACHE.put("k", 1), () => env.CACHE.put("k"),
  () => pages.get(1), () => pages.insert(1), () => pages.insert(loop), () => pages.insert({ toJSON() {} }), () => pages.insert({ n: 1n }),
  () => pages.insert({ _id: 1 }), () => env.CACHE.get(""),
]) {
  let asked;
  try { asked = ask(); } catch (e) { throw new Error("thrown at once: " + ask + e); }
  said.push(await asked.then(() => "accepted", (e) => e.code));
}
return said.join(" ");`)
	if want := strings.TrimSuffix(strings.Repeat("invalid ", 12), " "); got != strconv.Quote(want) {
		t.Errorf("got  %s", got)
	}
}

// What the plain form writes is read by the others, whatever the text.
func TestPlainCallsKeepWhatTheyGet(t *testing.T) {
	w, h := open(t), engine(t)
	w.run(t, h, `
for (const text of ["", "plain", "\"quoted\\", "\u0000 \ud83d\ude00", "\u2028"]) {
  await env.CACHE.put("k", text);
  if ((await env.CACHE.get("k")) !== text || (await env.CACHE.getWithMetadata("k")).value !== text) throw new Error(JSON.stringify(text));
  const pages = env.PAGES.collection("page");
  const { _id } = await pages.insert({ text, when: new Date(0), none: undefined });
  const kept = await pages.get(_id);
  if (kept.text !== text || kept.when !== "1970-01-01T00:00:00.000Z" || "none" in kept) throw new Error(JSON.stringify(kept));
  if ((await env.PAGES.user("ana").collection("page").insert({ text }))._id === _id) throw new Error("one user's");
}`)
}

// ana is somebody who is signed in.
type ana struct{}

func (ana) Auth(string) string {
	return `{"app":"app.notes","user":{"id":"7","email":"ana@example.com","roles":[],"groups":["staff"]},"owner":false,"grants":[]}`
}
func (ana) Can(action, resource string) bool { return action == "clean" && resource == "app.notes" }

// Rules hold for whoever makes the request, which the code cannot say, for the app's
// documents and for those of a user.
func TestRulesHoldForTheCaller(t *testing.T) {
	rules := map[string]*rule.Rule{}
	for action, text := range map[string]string{
		"read":   `{"op":"==","args":[{"path":["doc","owner"]},{"path":["user","email"]}]}`,
		"create": `{"op":"<","args":[{"path":["doc","n"]},{"value":{"any":5}}]}`,
		"delete": `{"call":"can","args":[{"value":{"any":"clean"}},{"value":{"any":"app.notes"}}]}`,
	} {
		r, err := rule.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		rules[action] = r
	}
	w := open(t, func(c *binding.Config, store *storage.App) {
		c.Docs = map[string]binding.Docs{"PAGES": {Store: store.Docs("PAGES", nil), Rules: rules}}
	})
	const code = `
const said = [];
const hear = async (what) => { try { said.push(await what()); } catch (e) { said.push(e.code); } };
for (const of of [env.PAGES, env.PAGES.user("7")]) {
  const all = of.collection("page"), mine = of.asCaller().collection("page");
  if (await all.get("a") === null) await all.insertMany([{ _id: "a", owner: "ana@example.com" }, { _id: "b" }]);
  await hear(() => mine.count());
  await hear(() => mine.find().toArray().then((l) => l.map((d) => d._id).join()));
  await hear(() => mine.get("b"));
  await hear(() => mine.insert({ n: 7 }));
  await hear(() => mine.update("a", { $set: { x: 1 } }));
  await hear(() => mine.remove({ _id: "none" }));
  await hear(() => mine.aggregate({}));
}
return said.join(" ");`
	h := engine(t)
	for _, c := range []struct {
		who  script.Person
		want string
	}{
		{nil, "0   forbidden not_found 0 invalid"},
		{ana{}, "1 a  forbidden forbidden 0 invalid"},
	} {
		w.inv = w.For(t.Context(), script.Info{App: "notes", Person: c.who})
		if got, want := w.run(t, h, code), strconv.Quote(c.want+" "+c.want); got != want {
			t.Errorf("as %v: %s, want %s", c.who, got, want)
		}
	}
}
