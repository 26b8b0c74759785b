package binding_test

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/platform/binding"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/queue"
	"github.com/fazt-sh/fazt/platform/script"
	"github.com/fazt-sh/fazt/platform/secret"
	"github.com/fazt-sh/fazt/platform/storage"
)

// world is an app with one binding of each kind.
type world struct {
	*binding.App
	inv   *binding.Invocation
	store *storage.App
	jobs  *queue.Store
	lines []script.Line
}

func open(t testing.TB, change ...func(*binding.Config, *storage.App)) *world {
	t.Helper()
	pool := storage.NewPool(t.TempDir(), storage.Options{})
	store, err := pool.Open(t.Context(), "notes-1", storage.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{store: store}
	c := binding.Config{
		Text:   map[string]secret.Value{"TITLE": secret.NewValue("Notes")},
		Keys:   map[string]*storage.Keys{"CACHE": store.Keys("CACHE")},
		SQL:    map[string]*storage.SQL{"DB": store.SQL("DB")},
		Docs:   map[string]binding.Docs{"PAGES": {Store: store.Docs("PAGES", []storage.Index{{Name: "by_views", On: []string{"views"}}})}},
		Files:  map[string]*storage.Files{"FILES": store.Files("FILES", 0)},
		Origin: "https://notes.test",
		Log:    func(l script.Line) { w.lines = append(w.lines, l) },
	}
	jobs, err := queue.Open(t.Context(), store.DB(), queue.Options{})
	if err == nil {
		err = jobs.Declare(t.Context(), []queue.Queue{{Name: "MAIL"}}, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.jobs = jobs
	c.Queues = map[string]binding.Queue{"MAIL": {Store: jobs, Name: "MAIL"}}
	for _, f := range change {
		f(&c, store)
	}
	if w.App, err = binding.New(c); err != nil {
		t.Fatal(err)
	}
	w.inv = w.For(t.Context(), script.Info{IP: "192.0.2.7", RequestID: "req-1", App: "notes", Release: "r1"})
	t.Cleanup(func() {
		store.Close()
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// reply is a reply whose body was read.
type reply struct {
	value, body string
	err         error
}

func (r reply) kind() fault.Kind { return fault.KindOf(r.err) }

func (w *world) call(ctx context.Context, target, method, args string, body ...string) (out reply) {
	c := script.Call{Target: target, Method: method, Args: json.RawMessage(args)}
	if len(body) > 0 {
		c.Body = strings.NewReader(body[0])
	}
	r, err := w.inv.Call(ctx, c)
	out.err = err
	out.value = string(r.Value)
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		r.Body.Close()
		if out.body = string(b); out.err == nil {
			out.err = err
		}
	}
	return out
}

// step is a call and what it comes to.
type step struct {
	method, args string
	body         string
	want         string // of the value, where a # stands for any number
	content      string // of the body
	kind         fault.Kind
}

// walk makes calls in order.
func (w *world) walk(t *testing.T, target string, steps []step) {
	t.Helper()
	for i, s := range steps {
		var body []string
		if s.body != "" {
			body = []string{s.body}
		}
		r := w.call(t.Context(), target, s.method, s.args, body...)
		if r.kind() != s.kind || !like(r.value, s.want) || r.body != s.content {
			t.Errorf("%d: %s.%s(%s) = %s %q %v (%s)\nwant %s %q %s", i, target, s.method, s.args, r.value, r.body, r.err, r.kind(), s.want, s.content, s.kind)
		}
	}
}

// like compares a text with one in which # stands for digits.
func like(have, want string) bool {
	parts := strings.Split(want, "#")
	rest, ok := strings.CutPrefix(have, parts[0])
	for _, p := range parts[1:] {
		cut := strings.TrimLeft(rest, "0123456789")
		if !ok || len(cut) == len(rest) {
			return false
		}
		rest, ok = strings.CutPrefix(cut, p)
	}
	return ok && rest == ""
}

// The code finds in env what it was given, and secrets only as its own text.
func TestEnv(t *testing.T) {
	w := open(t)
	var names []string
	for _, e := range w.inv.Env() {
		names = append(names, e.Name+" "+e.Kind+" "+string(e.Value))
	}
	want := "CACHE kv |DB sql |FILES blobs |MAIL queue |PAGES docs |TITLE text \"Notes\""
	if got := strings.Join(names, "|"); got != want {
		t.Errorf("env is %s, want %s", got, want)
	}
}

// Names that are taken twice or that no property can have are refused.
func TestNames(t *testing.T) {
	text := map[string]secret.Value{"A": secret.NewValue("x")}
	for name, c := range map[string]binding.Config{
		"twice":       {Text: text, Assets: map[string]binding.Fetcher{"A": nil}},
		"fetch":       {Assets: map[string]binding.Fetcher{"fetch": nil}},
		"a prototype": {Assets: map[string]binding.Fetcher{"__proto__": nil}},
		"a space":     {Assets: map[string]binding.Fetcher{"a b": nil}},
		"nothing":     {Assets: map[string]binding.Fetcher{"": nil}},
	} {
		if _, err := binding.New(c); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is not declared does not exist, and arguments are exactly what a method
// takes.
func TestStrangeCalls(t *testing.T) {
	w := open(t)
	for _, c := range []struct {
		target, method, args string
		kind                 fault.Kind
	}{
		{"OTHER", "get", `{"key":"a"}`, fault.NotFound},
		{"", "get", `{"key":"a"}`, fault.NotFound},
		{"TITLE", "get", `{"key":"a"}`, fault.NotFound},
		{"CACHE", "drop", `{}`, fault.Invalid},
		{"CACHE", "", `{}`, fault.Invalid},
		{"CACHE", "query", `{"sql":"select 1"}`, fault.Invalid},
		{"CACHE", "get", ``, fault.Invalid},
		{"CACHE", "get", `null x`, fault.Invalid},
		{"CACHE", "get", `[]`, fault.Invalid},
		{"CACHE", "get", `{"key":1}`, fault.Invalid},
		{"CACHE", "get", `{"key":"a"} {}`, fault.Invalid},
		{"CACHE", "get", `{"key":"a","app":"other-1"}`, fault.Invalid},
		{"CACHE", "get", `{"key":"a","user":""}`, fault.Invalid},
		{"CACHE", "get", `{"key":"a","user":{"id":"x"}}`, fault.Invalid},
		{"fetch", "fetch", `{"url":"https://example.com/","method":"GET"}`, fault.Forbidden},
		{"fetch", "get", `{}`, fault.Invalid},
	} {
		if r := w.call(t.Context(), c.target, c.method, c.args); r.kind() != c.kind {
			t.Errorf("%s.%s(%s): %v", c.target, c.method, c.args, r.err)
		}
	}
	if s := w.Stats(); s.Calls != 16 || s.Faults != 16 {
		t.Errorf("counted %+v", s)
	}
}
