package script_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/script"
)

// A child that is killed under load costs nobody an answer who may be asked again,
// and the others hear that they may try again.
func TestKilledUnderLoad(t *testing.T) {
	h := host(t, script.Config{})
	a := open(t, h, hello, script.Bounds{})
	var answered, unavailable atomic.Int64
	var all sync.WaitGroup
	stop := make(chan struct{})
	for i := range 8 {
		all.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				r := get(fmt.Sprintf("http://app.test/%d/%d", i, n))
				if i%2 == 1 {
					r.Method = "POST"
				}
				res, err := a.Fetch(t.Context(), r, &world{})
				switch {
				case err == nil:
					if b, err := io.ReadAll(res.Body); err != nil || !strings.HasSuffix(string(b), fmt.Sprintf("/%d/%d", i, n)) {
						t.Errorf("%q %v", b, err)
					}
					answered.Add(1)
				case fault.KindOf(err) == fault.Unavailable:
					unavailable.Add(1)
				default:
					t.Errorf("%v", err)
				}
			}
		})
	}
	for kills := 0; kills < 3; {
		before := answered.Load()
		for answered.Load() < before+50 {
			time.Sleep(time.Millisecond)
		}
		if h.Kill() {
			kills++
		}
	}
	close(stop)
	all.Wait()
	fetch(t, a, get("http://app.test/"), &world{}) // by the child after the third
	if s := h.Stats(); s.Respawns < 3 || answered.Load() < 150 {
		t.Errorf("%d answered, %d not, %+v", answered.Load(), unavailable.Load(), s)
	}
}

// An app with a child of its own is not in the shared one, and the child goes
// with it.
func TestOwnChild(t *testing.T) {
	h := host(t, script.Config{})
	shared, own := open(t, h, hello, script.Bounds{}), open(t, h, hello, script.Bounds{Own: true})
	for !h.Kill() {
		runtime.Gosched()
	}
	fetch(t, own, get("http://app.test/"), &world{})
	fetch(t, shared, get("http://app.test/"), &world{})
	own.Close()
	if _, err := own.Fetch(t.Context(), get("http://app.test/"), &world{}); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("after Close: %v", err)
	}
}

// Nothing is left when a host has ended: no goroutine, no waiting caller.
func TestGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, c := range []script.Config{{}, {InProcess: true}} {
		h := script.New(c)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- h.Run(ctx) }()
		a := open(t, h, handler(`if (request.url.endsWith("/wait")) await new Promise((r) => setTimeout(r, 60000)); return new Response(request.body)`), script.Bounds{})
		for range 20 {
			fetch(t, a, post(strings.NewReader(strings.Repeat("x", 100000))), &world{})
		}
		waits := make(chan error, 1)
		go func() {
			_, err := a.Fetch(context.Background(), get("http://app.test/wait"), &world{})
			waits <- err
		}()
		for h.Stats().Running == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
		if err := <-waits; fault.KindOf(err) != fault.Unavailable {
			t.Errorf("who waited hears %v", err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, err := a.Fetch(context.Background(), get("http://app.test/"), &world{}); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("after the end: %v", err)
		}
		a.Close()
	}
	for try := 0; runtime.NumGoroutine() > before; try++ {
		if try == 500 {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines before, %d after\n%s", before, runtime.NumGoroutine(), buf[:runtime.Stack(buf, true)])
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// While one request waits for the node, the machine serves others; that many wait
// at once costs as long as one.
func TestConcurrency(t *testing.T) {
	h := host(t, script.Config{Cores: 1})
	var inside atomic.Int64
	full := make(chan struct{})
	const many = 200
	w := &world{env: []script.Env{{Name: "KEYS", Kind: "kv"}}, calls: map[string]func(context.Context, script.Call) (script.Reply, error){
		"KEYS.get": func(context.Context, script.Call) (script.Reply, error) {
			if inside.Add(1) == many {
				close(full)
			}
			<-full
			return script.Reply{Value: value("v")}, nil
		},
	}}
	a := open(t, h, `let machines = 0; export default { async fetch(request, env) { machines++; return new Response(request.url + await env.KEYS.get("x")) } }`, script.Bounds{})
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() {
			if _, body := fetch(t, a, get(fmt.Sprintf("http://app.test/%d", i)), w); body != fmt.Sprintf("http://app.test/%dv", i) {
				t.Errorf("request %d was answered %q", i, body)
			}
		})
	}
	all.Wait()
}

// More than the queue holds is refused at once, and later there is room again.
func TestQueue(t *testing.T) {
	h := host(t, script.Config{Cores: 1, Queue: 4})
	a := open(t, h, handler(`const end = Date.now() + 20; while (Date.now() < end); return new Response("x")`), script.Bounds{})
	var all sync.WaitGroup
	var served, busy atomic.Int64
	for range 100 {
		all.Go(func() {
			_, err := a.Fetch(t.Context(), get("http://app.test/"), &world{})
			switch {
			case err == nil:
				served.Add(1)
			case fault.KindOf(err) == fault.Unavailable && fault.HintOf(err) != "":
				busy.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if served.Load() < 2 || busy.Load() == 0 {
		t.Errorf("%d served, %d refused", served.Load(), busy.Load())
	}
	fetch(t, a, get("http://app.test/"), &world{})
}

// Who is opened again and again takes no memory for it, as what was closed goes.
func TestOpenAndClose(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another: the race detector sees nothing in it")
	}
	h := host(t, script.Config{Memory: 16 << 20})
	for i := range 40 {
		a, err := h.Open(t.Context(), script.Program{Name: "test", Code: []byte(fmt.Sprintf(`const pad = "x".repeat(1e6); export default { fetch() { return new Response("%d" + pad.length) } }`, i))}, script.Bounds{})
		if err != nil {
			t.Fatal(err)
		}
		if _, body := fetch(t, a, get("http://app.test/"), &world{}); body != fmt.Sprintf("%d1000000", i) {
			t.Errorf("%q", body)
		}
		if i%2 == 0 {
			a.Close()
		}
	}
}

// A child that crashes names nobody: who had work in it runs apart for a while,
// and answers as before.
func TestSuspects(t *testing.T) {
	h := host(t, script.Config{})
	asked := make(chan struct{}, 10)
	release := make(chan struct{})
	w := &world{env: []script.Env{{Name: "KEYS", Kind: "kv"}}, calls: map[string]func(context.Context, script.Call) (script.Reply, error){
		"KEYS.get": func(ctx context.Context, _ script.Call) (script.Reply, error) {
			asked <- struct{}{}
			select {
			case <-release:
			case <-ctx.Done():
			}
			return script.Reply{}, nil
		},
	}}
	suspect := open(t, h, handler(`await env.KEYS.get("x"); return new Response("x")`), script.Bounds{})
	bystander := open(t, h, hello, script.Bounds{})
	done := make(chan error, 1)
	go func() {
		res, err := suspect.Fetch(t.Context(), get("http://app.test/"), w)
		if err == nil {
			res.Body.Close()
		}
		done <- err
	}()
	<-asked
	if err := syscall.Kill(h.PID(), syscall.SIGABRT); err != nil {
		t.Fatal(err)
	}
	<-asked // it was tried again
	fetch(t, bystander, get("http://app.test/"), w)
	if h.Refuges() != 1 {
		t.Errorf("%d refuges", h.Refuges())
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	fetch(t, suspect, get("http://app.test/"), w)
	suspect.Close()
	if h.Refuges() != 0 {
		t.Errorf("%d refuges", h.Refuges())
	}
}

// Code that was ended as it computed without end runs apart for a while, where it
// holds nobody up; what it may otherwise do it does as before.
func TestWhoComputesWithoutEndRunsApart(t *testing.T) {
	h := host(t, script.Config{})
	a := open(t, h, handler(`if (request.url.endsWith("/bomb")) for (;;); return new Response("well")`), script.Bounds{CPU: 50 * time.Millisecond})
	bystander := open(t, h, hello, script.Bounds{})
	shared := h.PID()
	for range 2 {
		_, err := a.Fetch(t.Context(), get("http://app.test/bomb"), &world{})
		if f, is := errors.AsType[*fault.Error](err); !is || f.Subject != "limit_cpu" {
			t.Fatal(err)
		}
		if h.Refuges() != 1 {
			t.Errorf("%d refuges", h.Refuges())
		}
		if _, body := fetch(t, a, get("http://app.test/"), &world{}); body != "well" {
			t.Error(body)
		}
	}
	fetch(t, bystander, get("http://app.test/"), &world{})
	if h.PID() != shared || h.Refuges() != 1 {
		t.Errorf("%d refuges, and the shared child is another: %v", h.Refuges(), h.PID() != shared)
	}
	a.Close()
	if h.Refuges() != 0 {
		t.Errorf("%d refuges", h.Refuges())
	}
}

// A visitor who goes while the answer flows is noticed in more than one way. What
// waitUntil was given goes on.
func TestWhoGoesTakesNothingAlong(t *testing.T) {
	h := host(t, script.Config{Cores: 1})
	asked, release := make(chan string, 10), make(chan struct{})
	w := &world{env: []script.Env{{Name: "KEYS", Kind: "kv"}}, calls: map[string]func(context.Context, script.Call) (script.Reply, error){
		"KEYS.get": func(ctx context.Context, c script.Call) (script.Reply, error) {
			asked <- string(c.Args)
			select {
			case <-release:
			case <-ctx.Done():
			}
			return script.Reply{}, ctx.Err()
		},
	}}
	a := open(t, h, handler(`if (request.url.endsWith("/next")) return new Response("next");
		ctx.waitUntil(new Promise((r) => ctx.signal.addEventListener("abort", r)).then(() => env.KEYS.get("first")).then(() => env.KEYS.get("second")));
		return new Response(new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(4)); return new Promise((r) => setTimeout(r, 1)) } }))`), script.Bounds{})
	ctx, leave := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() {
		res, err := a.Fetch(ctx, get("http://app.test/"), w)
		if err == nil {
			asked <- "answered"
			<-ctx.Done()
			err = res.Body.Close() // the second word of it
		}
		over <- err
	}()
	<-asked // the handler runs, and what it waits for is under way
	leave()
	if err := <-over; err != nil {
		t.Error(err)
	}
	hears := func(key string) {
		t.Helper()
		select {
		case args := <-asked:
			if !strings.Contains(args, key) {
				t.Errorf("asked %s, not %s", args, key)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("what waitUntil was given ended with the visitor")
		}
	}
	hears("first")
	fetch(t, a, get("http://app.test/next"), w) // behind whatever was said of the first
	close(release)
	hears("second")
}

// Machines that hold much are closed when others need the room.
func TestMemoryBudget(t *testing.T) {
	h := host(t, script.Config{Memory: 48 << 20, Data: 400 << 20})
	w := &world{}
	for i := range 20 {
		a := open(t, h, `let kept; export default { fetch() { kept ??= new Array(1e6).fill(0); return new Response("" + kept.length) } }`, script.Bounds{})
		if _, body := fetch(t, a, get("http://app.test/"), w); body != "1000000" {
			t.Errorf("app %d says %s", i, body)
		}
	}
	if s := h.Stats(); s.Respawns > 0 {
		t.Errorf("the child was started again %d times", s.Respawns)
	}
}

// A machine serves a thousand requests and goes; so does one that nobody uses.
func TestTurnover(t *testing.T) {
	h := host(t, script.Config{Cores: 1})
	a := open(t, h, `let n = 0; export default { fetch() { return new Response(String(++n)) } }`, script.Bounds{})
	for i := range 1003 {
		if _, body := fetch(t, a, get("http://app.test/"), &world{}); body != fmt.Sprint(i%1000+1) {
			t.Fatalf("request %d is number %s of its machine", i, body)
		}
	}
	if before, after, err := script.Idle(hello); before != 1 || after != 0 || err != nil {
		t.Errorf("%d machines before and %d after they were idle: %v", before, after, err)
	}
}
