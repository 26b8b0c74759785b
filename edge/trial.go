package edge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/binding"
	"github.com/fazt-sh/fazt/platform/bundle"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/script"
	"github.com/fazt-sh/fazt/platform/script/web"
)

// Trial is a file of an app's tests to run. Its functions are called one after the
// other, but for Said.
type Trial struct {
	Files fs.FS             // the app's folder
	File  string            // in it: "api/notes.test.ts"
	Grep  string            // a regular expression of JavaScript that names must fit; empty: all
	Begin func(name string) // a test begins
	End   func(Tested)
	Said  func(script.Line) // what the test's own code logs
}

// Tested is how a test ended.
type Tested struct {
	Name    string
	Skipped bool
	Error   string // what was wrong; empty: nothing
	Stack   string // of it, in the developer's files
	Excerpt string // their lines at its first place
	Took    time.Duration
}

// The bounds of a file of tests. Each test has 5 s of its own, by the clock.
const (
	trialCPU    = 10 * time.Second
	trialWall   = 10 * time.Minute
	trialMemory = 256 << 20
	trialLines  = 10_000
)

// The names under which the harness has what an app has not.
const (
	trialApp  = "__fazt_app"
	trialTest = "__fazt_test"
)

// visitorIP is whom tests come from, an address of documentation.
const visitorIP = "192.0.2.1"

// Test runs a file of tests against the release in service, which it reaches as a
// visitor does and whose bindings it has. It returns how many tests there were. The
// server must have been made for a trial, and runs one at a time.
func (b *Backend) Test(ctx context.Context, t Trial) (ran int, err error) {
	if !b.server.config.Trial {
		return 0, fault.New(fault.Conflict, "tests are not run on a node that serves")
	}
	t = b.site.backend.veiled(t)
	made, err := b.bundleTests(ctx, t)
	if err != nil {
		return 0, err
	}
	sum := sha256.Sum256(made.Code)
	program, err := b.server.config.Scripts.Open(ctx, script.Program{
		Name: t.File, Digest: hex.EncodeToString(sum[:]), Code: made.Code, Map: made.Map,
	}, script.Bounds{Memory: trialMemory, CPU: trialCPU, Wall: trialWall, LogLines: trialLines, Trace: true})
	if err != nil {
		return 0, err
	}
	defer program.Close()
	h := newHarness(b, t, program, made.Map)
	bound, err := b.site.backend.binding.With(map[string]binding.Fetcher{trialApp: visited{b.server, b.site}, trialTest: h}, t.Said)
	if err != nil {
		return 0, err
	}
	b.server.elsewhere.harness.Store(h)
	defer b.server.elsewhere.harness.Store(nil)
	defer h.end()
	return h.run(ctx, bound)
}

func (b *Backend) bundleTests(ctx context.Context, t Trial) (made bundle.Result, err error) {
	scratch, err := os.MkdirTemp(b.server.config.Temp, "bundle-")
	if err != nil {
		return made, fault.Wrap(fault.Unavailable, err, "bundle %q", t.File)
	}
	defer os.RemoveAll(scratch)
	return bundle.Bundle(ctx, bundle.Job{Name: b.Name, Files: t.Files, Entry: t.File, Test: true, Dir: scratch, Node: web.Node()})
}

// run calls the program, whose one answer is at the end.
func (h *harness) run(ctx context.Context, bound *binding.App) (ran int, err error) {
	ask := url.Values{"origin": {"https://" + h.backend.App.Hosts[0]}, "grep": {h.trial.Grep}}
	info := script.Info{IP: visitorIP, App: h.backend.Name, Release: h.backend.site.revision[0]}
	answer, err := h.program.Fetch(ctx, script.Request{Method: "POST", URL: "https://test.internal/?" + ask.Encode(), Info: info}, bound.For(ctx, info))
	if err != nil {
		return 0, h.broken(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, h.broken(err)
	}
	return ran, json.Unmarshal(text, &ran)
}

// broken is an error that ended the whole file, with the test that ran when it did.
func (h *harness) broken(err error) error {
	name, took := h.stop()
	if name == "" {
		return h.backend.site.backend.told(err)
	}
	h.trial.End(Tested{Name: name, Error: "it ended the file: " + script.Trace(err), Took: took})
	return nil
}

// stop says which test ran until now, if one did.
func (h *harness) stop() (name string, took time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if name, h.name = h.name, ""; name != "" {
		took = time.Since(h.began)
	}
	return name, took
}

// ended tells how a test ended.
func (h *harness) ended(said endSaid) {
	_, took := h.stop()
	t := Tested{Name: said.Name, Skipped: said.Skipped, Error: said.Error, Took: took}
	if t.Error != "" {
		var own []string
		for line := range strings.Lines(h.program.Mapped(said.Stack)) {
			if !bundle.InHarness(line) && strings.TrimSpace(line) != "" {
				own = append(own, strings.TrimRight(line, "\n"))
			}
		}
		t.Stack = strings.Join(own, "\n")
		t.Excerpt = excerpt(h.places, t.Stack)
	}
	h.trial.End(t)
}
