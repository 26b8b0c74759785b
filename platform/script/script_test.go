package script_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/child"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/script"
)

// generic is a factory that passes everything on, so that these tests know no
// binding.
const generic = `
export const uploads = new WeakSet();
export const kv = (name, config, call) => Object.freeze({
  name, config,
  get: async (key) => (await call("get", { key })).value,
  ask: (method, args, body) => call(method, args, body),
});
`

func TestMain(m *testing.M) {
	script.UseBindings(generic)
	if ran, exit := child.Main(os.Args, map[string]child.Role{script.Role: script.Child}); ran {
		os.Exit(exit)
	}
	os.Exit(m.Run())
}

// host runs a host until the test ends.
func host(t testing.TB, c script.Config) *script.Host {
	t.Helper()
	if c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	h := script.New(c)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return h
}

// open opens a module that must be a good one.
func open(t testing.TB, h *script.Host, code string, b script.Bounds) *script.App {
	t.Helper()
	a, err := h.Open(context.Background(), script.Program{Name: "test", Code: []byte(code)}, b)
	if err != nil {
		t.Fatalf("open: %v%s", err, stack(err))
	}
	t.Cleanup(a.Close)
	return a
}

func stack(err error) string {
	if e, ok := errors.AsType[*script.Exception](err); ok {
		return "\n" + e.Stack
	}
	return ""
}

// world answers host calls out of functions by "target.method".
type world struct {
	env   []script.Env
	calls map[string]func(ctx context.Context, c script.Call) (script.Reply, error)

	mu    sync.Mutex
	lines []script.Line
}

func (w *world) Env() []script.Env { return w.env }

func (w *world) Call(ctx context.Context, c script.Call) (script.Reply, error) {
	if f := w.calls[c.Target+"."+c.Method]; f != nil {
		return f(ctx, c)
	}
	return script.Reply{}, fault.New(fault.NotFound, "no %s.%s", c.Target, c.Method)
}

func (w *world) Log(l script.Line) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, l)
}

func (w *world) log() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var b strings.Builder
	for _, l := range w.lines {
		b.WriteString(l.Level + " " + l.Text + "\n")
	}
	return b.String()
}

func get(url string) script.Request {
	return script.Request{Method: "GET", URL: url, Info: script.Info{IP: "192.0.2.1", RequestID: "r1", App: "test", Release: "1"}}
}

// fetch returns status and body.
func fetch(t testing.TB, a *script.App, r script.Request, b script.Bindings) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	res, err := a.Fetch(ctx, r, b)
	if err != nil {
		t.Fatalf("fetch: %v%s", err, stack(err))
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("body: %v", err)
	}
	return res.Status, string(body)
}

const hello = `export default { fetch(request) { return new Response("hello " + new URL(request.url).pathname) } }`

func TestHello(t *testing.T) {
	for name, c := range map[string]script.Config{"child": {}, "in process": {InProcess: true}} {
		t.Run(name, func(t *testing.T) {
			h := host(t, c)
			a := open(t, h, hello, script.Bounds{})
			if got := a.Handlers(); len(got) != 1 || got[0] != "fetch" {
				t.Errorf("handlers %v", got)
			}
			for range 3 {
				if status, body := fetch(t, a, get("http://app.test/x?y=1"), &world{}); status != 200 || body != "hello /x" {
					t.Errorf("%d %q", status, body)
				}
			}
		})
	}
}

func value(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
