//go:build browser

// The rig of the browser tests: one chromium for all of them, a tab with its own
// storage for each, and nodes that serve a copy of the example. Nothing here
// sleeps: it waits until the page says so, for at most the deadline.

package main

import (
	"bufio"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// deadline is how long a page may take for one thing. It is far more than any
// takes, so that a busy machine fails no test.
const deadline = 30 * time.Second

// startChromium starts the browser, or says why the tests cannot run: on a desk
// without chromium that is no fault, where changes are judged it is. What more is
// asked of it comes last and wins.
func startChromium(t *testing.T, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("there is no chromium: apt-get install chromium")
		}
		t.Skip("there is no chromium: apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("chromium"), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		// Names under localhost lead here by themselves; this one is a foreign host.
		chromedp.Flag("host-resolver-rules", "MAP foreign.example 127.0.0.1"))
	ctx, stop := chromedp.NewExecAllocator(context.Background(), append(options, more...)...)
	t.Cleanup(stop)
	ctx, shut := chromedp.NewContext(ctx)
	t.Cleanup(shut)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("chromium does not start: %v", err)
	}
	return ctx
}

// wire is one request of a tab, as its network panel shows it.
type wire struct {
	url         string
	status      int64 // as the node answered: 304 where the page saw 200
	cached      bool  // answered by the browser itself
	ifNoneMatch string
	header      network.Headers
}

// tab is a page of a test with storage and cache of its own.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	problems []string                    // guarded by mu: console errors, failed requests
	wires    map[network.RequestID]*wire // guarded by mu
	order    []*wire                     // guarded by mu
}

// newTab opens a tab that has the keyboard. If its test fails, what it showed
// last is kept in a folder that the log names.
func newTab(t *testing.T, browser context.Context) *tab {
	t.Helper()
	ctx, shut := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(shut)
	p := &tab{t: t, ctx: ctx, wires: map[network.RequestID]*wire{}}
	if err := chromedp.Listen(ctx, p.hear); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.keepPicture)
	tell(p, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	p.scheme("light")
	p.width(1280)
	return p
}

// tell sends one protocol command.
func tell[P, R any](p *tab, cmd cdp.Command[P, R], params P) R {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, deadline)
	defer cancel()
	out, err := chromedp.Call(ctx, cmd, params)
	if err != nil {
		p.t.Fatalf("%s: %v", cmd.Method, err)
	}
	return out
}

// do takes steps in a tab.
func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, deadline)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatalf("%v at %s", err, p.where())
	}
}

// eval is the value of an expression; a promise is waited for.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, deadline)
	defer cancel()
	out, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return out
}

// await waits until an expression is true, also across reloads of the page.
func (p *tab) await(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, deadline)
	defer cancel()
	for {
		_, err := chromedp.Run(ctx, chromedp.Poll[bool](expression,
			chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(deadline)))
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			p.t.Fatalf("never true at %s: %s (%v)", p.where(), expression, err)
		}
	}
}

// visit goes to an address and returns the answer to it, after redirects.
func (p *tab) visit(address string) *network.Response {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, deadline)
	defer cancel()
	answer, err := chromedp.Run(ctx, chromedp.NavigateResponse(address))
	if err != nil {
		p.t.Fatalf("visit %s: %v", address, err)
	}
	return answer
}

func (p *tab) where() string {
	ctx, cancel := context.WithTimeout(p.ctx, deadline)
	defer cancel()
	at, err := chromedp.Run(ctx, chromedp.Location())
	if err != nil {
		return "nowhere"
	}
	return at
}

func (p *tab) width(pixels int64) {
	p.t.Helper()
	p.do(chromedp.EmulateViewport(pixels, 800))
}

// scheme is "light" or "dark". Motion is reduced, so that a measure is not
// taken while colours still move.
func (p *tab) scheme(name string) {
	p.t.Helper()
	tell(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
}

// hear notes what the page asks for and what goes wrong in it.
func (p *tab) hear(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		w := p.wireLocked(e.RequestID)
		if w.url != "" { // a redirect begins the request again
			w = &wire{}
			p.wires[e.RequestID] = w
			p.order = append(p.order, w)
		}
		w.url = e.Request.URL
		if foreign(e.Request.URL, e.DocumentURL) {
			p.problems = append(p.problems, "off-origin: "+e.Request.URL)
		}
	case *network.EventRequestWillBeSentExtraInfo:
		w := p.wireLocked(e.RequestID)
		w.ifNoneMatch = headerOf(e.Headers, "If-None-Match")
	case *network.EventResponseReceived:
		w := p.wireLocked(e.RequestID)
		w.header = e.Response.Headers
		w.cached = w.cached || e.Response.FromDiskCache
		if w.status == 0 {
			w.status = e.Response.Status
		}
		if e.Response.Status >= 400 {
			p.problems = append(p.problems, fmt.Sprintf("%d: %s", e.Response.Status, e.Response.URL))
		}
	case *network.EventResponseReceivedExtraInfo:
		p.wireLocked(e.RequestID).status = e.StatusCode
	case *network.EventRequestServedFromCache:
		p.wireLocked(e.RequestID).cached = true
	case *network.EventLoadingFailed:
		if !e.Canceled { // a stream of a page that is left
			p.problems = append(p.problems, e.ErrorText+": "+p.wireLocked(e.RequestID).url)
		}
	case *runtime.EventExceptionThrown:
		p.problems = append(p.problems, "exception: "+e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError {
			p.problems = append(p.problems, fmt.Sprintf("console: %v", e.Args))
		}
	case *cdplog.EventEntryAdded:
		if e.Entry.Level == cdplog.EntryLevelError {
			p.problems = append(p.problems, e.Entry.Text+" "+e.Entry.URL)
		}
	}
}

// wireLocked finds a request, or begins it: what goes over the wire may be
// told before the page's side of it.
func (p *tab) wireLocked(id network.RequestID) *wire {
	w := p.wires[id]
	if w == nil {
		w = &wire{}
		p.wires[id] = w
		p.order = append(p.order, w)
	}
	return w
}

func foreign(request, document string) bool {
	asked, err := url.Parse(request)
	from, err2 := url.Parse(document)
	web := err == nil && err2 == nil && strings.HasPrefix(asked.Scheme, "http")
	return web && asked.Host != from.Host
}

func headerOf(h network.Headers, name string) string {
	for n, value := range h {
		if strings.EqualFold(n, name) {
			return fmt.Sprint(value)
		}
	}
	return ""
}

// clean fails the test if something went wrong in the page since the last
// question.
func (p *tab) clean(of string) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, problem := range p.problems {
		p.t.Errorf("%s: %s", of, problem)
	}
	p.problems = nil
}

// forget drops what went wrong on purpose, and all requests so far.
func (p *tab) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problems, p.order, p.wires = nil, nil, map[network.RequestID]*wire{}
}

// sent returns the requests whose address ends so.
func (p *tab) sent(suffix string) (found []wire) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.order {
		if strings.HasSuffix(w.url, suffix) {
			found = append(found, *w)
		}
	}
	return found
}

// tabTo presses the tab key until the focus is on an element that a visitor
// can see has it.
func (p *tab) tabTo(selector string) {
	p.t.Helper()
	for range 60 {
		p.do(chromedp.KeyEvent("\t"))
		if eval[bool](p, `document.activeElement.matches(`+"`"+selector+"`"+`)`) {
			if !eval[bool](p, `(s => s.outlineStyle !== "none" || s.boxShadow !== "none")(getComputedStyle(document.activeElement))`) {
				p.t.Errorf("nothing shows that %s has the focus", selector)
			}
			return
		}
	}
	p.t.Fatalf("the tab key does not reach %s at %s", selector, p.where())
}

// keepPicture keeps what a failed test saw.
func (p *tab) keepPicture() {
	if !p.t.Failed() {
		return
	}
	dir, err := os.MkdirTemp("", "fazt-browser-*")
	if err != nil {
		p.t.Log(err)
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, deadline)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "page.png"), picture, 0o644)
	}
	p.t.Logf("the page as it was: %s/page.png %v", dir, err)
}

// desk is a folder of one test with what its programs need around them.
type desk struct {
	t   *testing.T
	dir string
	env []string
}

func newDesk(t *testing.T) *desk {
	d := &desk{t: t, dir: t.TempDir()}
	d.env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "GIT_") || strings.HasPrefix(v, "FAZT_")
	})
	d.env = append(d.env, "HOME="+d.dir, "XDG_CONFIG_HOME="+d.path("config"), "XDG_STATE_HOME="+d.path("local"),
		"FAZT_NO_INPUT=1", "NO_COLOR=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Asha", "GIT_AUTHOR_EMAIL=asha@example.com",
		"GIT_COMMITTER_NAME=Asha", "GIT_COMMITTER_EMAIL=asha@example.com")
	return d
}

// newSiteDesk has a copy of the example in its folder site.
func newSiteDesk(t *testing.T) *desk {
	t.Helper()
	d := newDesk(t)
	if err := os.CopyFS(d.path("site"), os.DirFS(exampleSite())); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *desk) path(name string) string { return filepath.Join(d.dir, name) }

// edit replaces a text in a file of the site.
func (d *desk) edit(name, before, after string) {
	d.t.Helper()
	body, err := os.ReadFile(d.path("site/" + name))
	if err != nil {
		d.t.Fatal(err)
	}
	if !strings.Contains(string(body), before) {
		d.t.Fatalf("%s does not hold %q", name, before)
	}
	body = []byte(strings.ReplaceAll(string(body), before, after))
	if err := os.WriteFile(d.path("site/"+name), body, 0o644); err != nil {
		d.t.Fatal(err)
	}
}

// write puts a file into the site.
func (d *desk) write(name, text string) {
	d.t.Helper()
	file := d.path("site/" + name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

// run runs a program to its end in a folder of the desk.
func (d *desk) run(dir string, args ...string) string {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = d.path(dir), d.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		d.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// push commits the site as it is and pushes it.
func (d *desk) push(subject string) (commit string) {
	d.t.Helper()
	d.run("site", "git", "add", "-A")
	d.run("site", "git", "commit", "-q", "-m", subject)
	d.run("site", "git", "push", "-q", "../origin.git", "HEAD:main")
	return d.run("site", "git", "rev-parse", "HEAD")
}

// start runs `fazt` with these arguments until the test is over. What it says
// is told line by line.
func (d *desk) start(args ...string) *teller {
	d.t.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		d.t.Fatal(err)
	}
	cmd := exec.Command("fazt", args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = d.dir, d.env, in, in
	err = cmd.Start()
	in.Close()
	if err != nil {
		d.t.Fatal(err)
	}
	told := &teller{t: d.t, lines: make(chan string, 1<<12)}
	go told.listen(out)
	d.t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	})
	return told
}

// dev is `fazt dev` on the site, once it serves it, and the port it serves at.
func (d *desk) dev() (told *teller, port string) {
	d.t.Helper()
	return d.devOf("styles")
}

// devOf is dev of a site that has another app.
func (d *desk) devOf(app string) (told *teller, port string) {
	d.t.Helper()
	told = d.start("dev", "site", "--port", "0", "--no-open")
	line := told.await("http://" + app + ".localhost:")
	address := strings.Fields(line)[1] // behind it may stand which node leaves the app out
	return told, address[strings.LastIndexByte(address, ':'):]
}

// serve is `fazt serve`, once it takes commands, and the port it serves at.
func (d *desk) serve(args ...string) (port string) {
	d.t.Helper()
	told := d.start(append([]string{"serve", "--state", d.path("state"), "--listen", "127.0.0.1:0", "--interval", "1h"}, args...)...)
	addr := attr(told.await("msg=serving"), "addr")
	told.await("msg=commands")
	return addr[strings.LastIndexByte(addr, ':'):]
}

// teller hands on what a program says.
type teller struct {
	t     *testing.T
	lines chan string // closed at the end of the program; beyond its room lines are dropped
}

func (l *teller) listen(out *os.File) {
	defer out.Close()
	defer close(l.lines)
	for s := bufio.NewScanner(out); s.Scan(); {
		select {
		case l.lines <- s.Text():
		default:
		}
	}
}

// await waits for the next line that holds a text.
func (l *teller) await(text string) string {
	l.t.Helper()
	late := time.After(deadline)
	var said []string
	for {
		select {
		case line, more := <-l.lines:
			said = append(said, line)
			if strings.Contains(line, text) {
				return line
			}
			if !more {
				l.t.Fatalf("the program ended before it said %q:\n%s", text, strings.Join(said, "\n"))
			}
		case <-late:
			l.t.Fatalf("the program never said %q:\n%s", text, strings.Join(said, "\n"))
		}
	}
}
