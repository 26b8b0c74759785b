package script_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/script"
)

// stubborn is a native loop that asks nobody whether it may go on.
const stubborn = `if (request.url.endsWith("/bomb")) "a".repeat(3e7).indexOf("a".repeat(1e7) + "b"); return new Response("calm")`

// Who does not stop when its time is up takes the child with it, and waits; the
// others' requests are answered by the next child as if nothing had happened.
func TestStuck(t *testing.T) {
	h := host(t, script.Config{Cores: 2})
	bomb := open(t, h, handler(stubborn), script.Bounds{CPU: 100 * time.Millisecond})
	asked := make(chan struct{}, 2)
	w := &world{calls: map[string]func(context.Context, script.Call) (script.Reply, error){
		"fetch.fetch": func(ctx context.Context, _ script.Call) (script.Reply, error) {
			asked <- struct{}{}
			if len(asked) == 1 { // the first one waits for ever
				<-ctx.Done()
				return script.Reply{}, ctx.Err()
			}
			return script.Reply{Value: value(map[string]any{"status": 200, "headers": [][2]string{}, "url": "http://x.test/"})}, nil
		},
	}}
	neighbour := open(t, h, handler(`await fetch("http://x.test/"); return new Response("well")`), script.Bounds{})

	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() {
		if _, body := fetch(t, neighbour, get("http://app.test/"), w); body != "well" {
			t.Errorf("the neighbour says %q", body)
		}
	})
	for len(asked) == 0 {
		time.Sleep(time.Millisecond)
	}
	_, err := bomb.Fetch(t.Context(), get("http://app.test/bomb"), &world{})
	if outcome(err) != "limit_cpu" || fault.KindOf(err) != fault.Exhausted {
		t.Errorf("the bomb: %v", err)
	}
	all.Wait()
	if until, why := bomb.Quarantined(); until.IsZero() || why != "limit_cpu" {
		t.Errorf("quarantined until %v for %q", until, why)
	}
	_, err = bomb.Fetch(t.Context(), get("http://app.test/calm"), &world{})
	if outcome(err) != "limit_cpu" || !strings.Contains(err.Error(), "did not stop") {
		t.Errorf("in quarantine: %v", err)
	}
	s := h.Stats()
	if s.Respawns != 1 || s.Retries != 1 || !slices.Equal(s.Quarantined, []string{"test"}) {
		t.Errorf("%+v", s)
	}
}

// A module that does not stop while it is evaluated never becomes an app.
func TestStuckAtOpen(t *testing.T) {
	h := host(t, script.Config{})
	code := `"a".repeat(3e7).indexOf("a".repeat(1e7) + "b"); ` + hello
	_, err := h.Open(t.Context(), script.Program{Name: "bad", Code: []byte(code)}, script.Bounds{CPU: 100 * time.Millisecond})
	if outcome(err) != "limit_cpu" {
		t.Errorf("%v", err)
	}
	if _, body := fetch(t, open(t, h, hello, script.Bounds{}), get("http://app.test/x"), &world{}); body != "hello /x" {
		t.Errorf("%q", body)
	}
}
