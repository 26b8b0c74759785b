package script_test

import (
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/script"
)

// A binding that a module keeps is good in every request, and asks for the one whose
// turn it is.
func TestBindingsMayBeKept(t *testing.T) {
	h := host(t, script.Config{Cores: 1})
	a := open(t, h, `let kept
export default { async fetch(request, env) {
	kept ??= env.K
	return new Response(await kept.get("x"))
} }`, script.Bounds{})
	for _, who := range []string{"ana", "bo", "cy"} {
		w := &world{env: []script.Env{{Name: "K", Kind: "kv"}}, calls: map[string]func(context.Context, script.Call) (script.Reply, error){
			"K.get": func(context.Context, script.Call) (script.Reply, error) {
				return script.Reply{Value: json.RawMessage(`"` + who + `"`)}, nil
			},
		}}
		if _, body := fetch(t, a, get("http://app.test/"), w); body != who {
			t.Errorf("%s is told %q", who, body)
		}
		settled(t, h)
	}
}

// What ends the work that goes on after an answer is in the log, with the request it
// is of and where the script was.
func TestLimitAfterTheAnswer(t *testing.T) {
	h := host(t, script.Config{Cores: 1})
	for _, c := range []struct {
		body, want string
		bounds     script.Bounds
	}{
		{`setTimeout(function spin() { for (;;); }, 1); ctx.waitUntil(new Promise(() => {}))`, "error after the answer: limit_cpu: ", script.Bounds{CPU: 300 * time.Millisecond}},
		{`ctx.waitUntil(new Promise(() => {}))`, "error after the answer: limit_wall: ", script.Bounds{Wall: 300 * time.Millisecond}},
	} {
		w := &world{}
		a := open(t, h, handler(c.body+`; return new Response("now")`), c.bounds)
		if _, body := fetch(t, a, get("http://app.test/"), w); body != "now" {
			t.Errorf("%s: answered %q", c.body, body)
		}
		for w.log() == "" { // it is the last thing that happens
			runtime.Gosched()
		}
		if said := w.log(); !strings.HasPrefix(said, c.want) || strings.Contains(c.body, "spin") && !strings.Contains(said, "    at spin (test:2:") {
			t.Errorf("%s: the log has\n%s", c.body, said)
		}
		for _, l := range w.lines {
			if l.RequestID != "r1" {
				t.Errorf("%s: a line of request %q", c.body, l.RequestID)
			}
		}
	}
}

// A limit says where the script was, and of a deep stack its top.
func TestLimitsSayWhere(t *testing.T) {
	h := host(t, script.Config{Cores: 1})
	for _, c := range []struct{ body, limit, where string }{
		{"const spin = () => { for (;;); }; spin()", "limit_cpu", "    at spin (test:2:"},
		{"const deep = () => { deep() }; deep()", "limit_stack", "    at deep (test:2:"},
		{"const late = () => { for (;;) setTimeout(() => {}, 1000) }; late()", "limit_timers", "    at late (test:2:"},
		{"const many = () => { for (;;) console.log(1) }; many()", "limit_log", "    at many (test:2:"},
	} {
		a := open(t, h, handler(c.body), script.Bounds{CPU: 300 * time.Millisecond})
		_, err := a.Fetch(t.Context(), get("http://app.test/"), &world{})
		limited, is := errors.AsType[*script.Limited](err)
		if !is || limited.Limit != c.limit || !strings.HasPrefix(script.Trace(err), c.limit+": ") || !strings.Contains(script.StackOf(err), c.where) {
			t.Errorf("%s: %s", c.body, script.Trace(err))
		}
		if n := strings.Count(script.StackOf(err), "\n"); n > 20 {
			t.Errorf("%s: %d lines of a stack", c.body, n)
		}
	}
}
