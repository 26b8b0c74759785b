//go:build integration

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestIntegrationSwap publishes generation after generation under visitors who
// keep their connections. No request fails, every answer is wholly of the
// release that its Fazt-Revision names, and memory does not grow with the
// number of generations.
func TestIntegrationSwap(t *testing.T) {
	t.Parallel()
	swaps := number(t, "FAZT_SWAPS", 200)
	w := newPlainWorld(t)
	const pages = 4
	name := func(i int) string { return fmt.Sprintf("page%d.txt", i) }
	body := func(side string, i int) string { return strings.Repeat(fmt.Sprintf("%s %d\n", side, i), 1+400*i) }
	for _, side := range []string{"red", "blue"} {
		w.write(map[string]string{side + "/fazt.hcl": oneApp + unhurried, side + "/www/index.html": "<p>" + side})
		for i := range pages {
			w.write(map[string]string{side + "/www/" + name(i): body(side, i)})
		}
	}
	p := w.serve("state")
	sides := map[string]string{} // revision → side
	for _, side := range []string{"red", "blue"} {
		w.want(0, "generation", "apply", "--yes", "--state", p.state, w.path(side))
		sides[p.serves("a.localhost", "/", "<p>"+side).revision] = side
	}
	if len(sides) != 2 {
		t.Fatalf("revisions: %v", sides)
	}

	var requests atomic.Int64
	stop := make(chan struct{})
	var crowd sync.WaitGroup
	for n := range byte(16) {
		crowd.Go(func() {
			v := p.visitor(n + 1)
			defer v.close()
			for round := 0; ; round++ {
				select {
				case <-stop:
					return
				default:
				}
				i := round % pages
				for path, want := range map[string]func(string) string{
					"/":           func(side string) string { return "<p>" + side },
					"/" + name(i): func(side string) string { return body(side, i) },
				} {
					got, err := v.get("a.localhost", path)
					side, known := sides[got.revision]
					if err != nil || got.status != http.StatusOK || !known || got.body != want(side) {
						t.Errorf("%s from 127.0.%d.1: %v %d, Fazt-Revision %q (%s), %q", path, n+1, err, got.status, got.revision, side, got.body[:min(len(got.body), 60)])
						return
					}
					requests.Add(1)
				}
			}
		})
	}
	began := p.memory()
	early := 0
	for n := range swaps {
		e := w.fazt("apply", "--yes", "--state", p.state, w.path([]string{"red", "blue"}[n%2]))
		if e.exit != 0 || !strings.Contains(e.stdout, "generation "+strconv.Itoa(3+n)) {
			t.Errorf("swap %d: exit %d\n%s%s", n, e.exit, e.stdout, e.stderr)
			break
		}
		if n == swaps/4 {
			early = p.memory()
		}
	}
	late := p.memory()
	close(stop)
	crowd.Wait()
	t.Logf("%d generations, %d requests, resident %d kB at the start, %d after a quarter, %d at the end", swaps, requests.Load(), began, early, late)
	if late > early+early/4+16<<10 {
		t.Errorf("memory grows with generations: %d kB after %d, %d kB after %d", early, swaps/4, late, swaps)
	}
	if s := p.status(); s.Generation != uint64(2+swaps) {
		t.Errorf("generation %d, want %d", s.Generation, 2+swaps)
	}
	p.stop()
}

// unhurried lets visitors ask as fast as a machine can, which no person does.
const unhurried = "limits {\n  requests_per_ip = { rate = 1000000, burst = 1000000 }\n}\n"

// memory is the resident memory in kB.
func (p *process) memory() int {
	p.w.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	must(p.w.t, err)
	found := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(text)
	if found == nil {
		p.w.t.Fatalf("no VmRSS:\n%s", text)
	}
	n, err := strconv.Atoi(string(found[1]))
	must(p.w.t, err)
	return n
}

// traced attaches strace to a node. calls kills the node and returns what it
// called until then: strace ends by itself with what it watches, while letting
// go of something that runs on does not succeed everywhere.
func (p *process) traced(t *testing.T) (calls func() []systemCall) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "trace")
	ended := p.attach(t, "-f", "-o", out)
	return func() []systemCall {
		t.Helper()
		p.kill()
		select {
		case <-ended:
		case <-time.After(patience):
			t.Fatal("strace does not end with the node")
		}
		text, err := os.ReadFile(out)
		must(t, err)
		return systemCalls(string(text))
	}
}

// attach has strace follow the node. The channel is closed when strace has
// ended.
func (p *process) attach(t *testing.T, args ...string) (over <-chan struct{}) {
	t.Helper()
	cmd := exec.Command(tool(t, "strace"), append(args, "-p", strconv.Itoa(p.cmd.Process.Pid))...)
	says, err := cmd.StderrPipe()
	must(t, err)
	must(t, cmd.Start())
	ended := make(chan struct{})
	t.Cleanup(func() { cmd.Process.Kill(); <-ended })
	var said bytes.Buffer
	attached := make(chan bool, 1)
	go func() {
		defer close(ended)
		lines := bufio.NewScanner(io.TeeReader(says, &said))
		for lines.Scan() {
			if strings.Contains(lines.Text(), " attached") {
				attached <- true
				break
			}
		}
		_, _ = io.Copy(io.Discard, says)
		_ = cmd.Wait()
		close(attached)
	}()
	select {
	case ok := <-attached:
		if !ok && os.Getenv("CI") == "true" {
			t.Fatalf("strace: %s", said.Bytes())
		}
		if !ok {
			t.Skipf("strace may not attach here: %s", said.Bytes())
		}
	case <-time.After(patience):
		t.Fatal("strace does not attach")
	}
	return ended
}

// systemCall is one line of a trace. A call that another thread interrupted in
// the listing is one call still.
type systemCall struct {
	thread, name, arguments string
	result                  int
	injected                bool // strace let it fail
}

func systemCalls(trace string) (calls []systemCall) {
	begun := map[string]string{} // by thread
	form := regexp.MustCompile(`^([a-z0-9_]+)\((.*)\) += (-?\d+|\?)(?:.*(\(INJECTED\)))?`)
	for line := range strings.Lines(trace) {
		thread, call, _ := strings.Cut(strings.TrimSpace(line), " ")
		call = strings.TrimSpace(call)
		if head, unfinished := strings.CutSuffix(call, " <unfinished ...>"); unfinished {
			begun[thread] = head
			continue
		}
		if strings.HasPrefix(call, "<... ") {
			_, rest, _ := strings.Cut(call, "resumed>")
			call = begun[thread] + rest
			delete(begun, thread)
		}
		if m := form.FindStringSubmatch(call); m != nil {
			result, _ := strconv.Atoi(m[3])
			calls = append(calls, systemCall{thread, m[1], m[2], result, m[4] != ""})
		}
	}
	return calls
}

// TestIntegrationSystemCalls: a small file that was asked for before costs the
// node one write of the connection and the reads of the request, nothing else;
// a large one leaves by sendfile.
func TestIntegrationSystemCalls(t *testing.T) {
	tool(t, "strace")
	w := newPlainWorld(t)
	large := strings.Repeat("0123456789abcdef", 5<<20/16)
	w.write(map[string]string{"site/fazt.hcl": oneApp, "site/www/index.html": strings.Repeat("small and hot\n", 70), "site/www/large.bin": large})
	p := w.serve("state")
	w.want(0, "generation 1", "apply", "--yes", "--state", p.state, w.path("site"))
	p.stop() // after an apply the node makes ready for the next one; a fresh node only serves
	p = w.serve("state")
	v := p.visitor(0)
	defer v.close()
	get := func(path string) {
		t.Helper()
		got, err := v.get("a.localhost", path)
		if err != nil || got.status != http.StatusOK {
			t.Fatalf("%s: %v %d", path, err, got.status)
		}
	}
	for range 3 {
		get("/")
	}
	const requests = 100
	calls := p.traced(t)
	for range requests {
		get("/")
	}
	get("/large.bin")
	trace := calls()
	// The first byte of a request may be read by itself.
	asked := slices.IndexFunc(trace, func(c systemCall) bool { return c.name == "read" && strings.Contains(c.arguments, "ET /large.bin") })
	if asked < 0 {
		t.Fatalf("no request of the large file among %d calls", len(trace))
	}

	answered, others := 0, map[string]int{}
	for _, call := range trace[:asked] {
		switch {
		case call.name == "write" && strings.Contains(call.arguments, `, "HTTP/1.1 200`):
			answered++
		case call.name == "read":
		case call.name == "write" && call.result == 8: // the runtime wakes its own poller
		case slices.Contains(runtimeCalls(), call.name) && call.name != "epoll_ctl":
		default:
			others[call.name]++
		}
	}
	if answered != requests || len(others) > 0 {
		t.Errorf("%d answers were one write each, of %d; and beside the connection's there are %v", answered, requests, others)
	}
	sent := 0
	for _, call := range trace[asked:] {
		switch {
		case call.name == "sendfile" && call.result > 0:
			sent += call.result
		case call.name == "write" && call.result > 64<<10:
			t.Errorf("a write of %d bytes", call.result)
		}
	}
	if sent < len(large)-4<<10 { // net/http reads the first bytes itself
		t.Errorf("%d of %d bytes left by sendfile", sent, len(large))
	}
}

// TestIntegrationStackCostsNoSystemCall: a small hot file takes the same system
// calls through the whole stack as from bare net/http with the body in memory.
func TestIntegrationStackCostsNoSystemCall(t *testing.T) {
	tool(t, "strace")
	w := newPlainWorld(t)
	body := strings.Repeat("x", 1024)
	w.write(map[string]string{"site/fazt.hcl": oneApp, "site/www/1k.bin": body, "site/www/100k.bin": body})
	w.output("go", "build", "-o", w.path("bench"), "./bench")
	node := w.serve("state")
	w.want(0, "generation 1", "apply", "--yes", "--state", node.state, w.path("site"))
	node.stop()
	addr := freePort(t)
	bare := &process{w: w, cmd: exec.Command(w.path("bench"), "bare", addr, w.path("site/www")), addr: addr, gone: make(chan struct{})}
	must(t, bare.cmd.Start())
	go func() { _ = bare.cmd.Wait(); close(bare.gone) }()
	t.Cleanup(bare.kill)

	const requests = 200
	counts := map[string]map[string]int{}
	for name, p := range map[string]*process{"bare": bare, "fazt": w.serve("state")} {
		counts[name] = p.callsOf(t, requests, "/1k.bin")
	}
	t.Logf("system calls of %d requests: fazt %v, bare net/http %v", requests, counts["fazt"], counts["bare"])
	for name, n := range counts["fazt"] {
		if name == "read" { // as many as there are looks at a connection with nothing to read yet
			continue
		}
		if more := n - counts["bare"][name]; more > requests/10 {
			t.Errorf("%d calls of %s more than bare net/http", more, name)
		}
	}
}

// callsOf counts the system calls of requests for a page that was asked for
// before, without those of the runtime's scheduler and memory.
func (p *process) callsOf(t *testing.T, requests int, path string) map[string]int {
	t.Helper()
	v := p.visitor(0)
	defer v.close()
	get := func() (err error) { _, err = v.get("a.localhost", path); return err }
	for end := time.Now().Add(patience); get() != nil; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s never answered", p.addr)
		}
	}
	for range 3 {
		must(t, get())
	}
	calls := p.traced(t)
	for range requests {
		must(t, get())
	}
	counts := map[string]int{}
	for _, call := range calls() {
		if !slices.Contains(runtimeCalls(), call.name) && (call.name != "write" || call.result != 8) {
			counts[call.name]++
		}
	}
	return counts
}

// runtimeCalls are those of Go's scheduler, clock, memory and preemption.
func runtimeCalls() []string {
	return []string{"epoll_pwait", "epoll_wait", "epoll_ctl", "futex", "nanosleep", "clock_nanosleep", "clock_gettime", "sched_yield", "tgkill", "getpid",
		"gettid", "rt_sigreturn", "rt_sigprocmask", "restart_syscall", "madvise", "mmap", "munmap", "sigaltstack", "clone", "clone3"}
}

// TestIntegrationNoGit: following a repository on this machine starts no git,
// and nothing but the program itself.
func TestIntegrationNoGit(t *testing.T) {
	t.Parallel()
	strace := tool(t, "strace")
	w := newPlainWorld(t)
	w.write(map[string]string{"work/fazt.hcl": oneApp, "work/www/index.html": "one"})
	w.origin()
	out := w.path("trace")
	p := w.serveAs("state", exec.Command(strace, "-f", "-e", "trace=execve", "-o", out,
		w.bin, "serve", "--state", w.path("state"), "--listen", "127.0.0.1:0", "--interval", "1h", "--repo", w.path("origin.git")))
	p.sync(0, "")
	w.write(map[string]string{"work/www/index.html": "two"})
	w.push("Two")
	p.sync(0, "")
	p.serves("a.localhost", "/", "two")
	p.endTraced()
	trace, err := os.ReadFile(out)
	must(t, err)
	started := 0
	for _, call := range systemCalls(string(trace)) {
		if call.name != "execve" || call.result != 0 {
			continue
		}
		started++
		if !strings.HasPrefix(call.arguments, `"`+w.bin+`"`) && !strings.HasPrefix(call.arguments, `"/proc/self/exe"`) {
			t.Errorf("the node started %s", call.arguments)
		}
	}
	if started < 2 { // itself and its loader
		t.Errorf("%d programs in the trace:\n%s", started, trace)
	}
}
