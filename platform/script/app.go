package script

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
)

// App is an opened program. Its methods may be called from many goroutines.
type App struct {
	host     *Host
	worker   *worker
	id       uint64
	program  Program
	bounds   Bounds
	traces   *trace
	handlers []string // set before Open returns

	mu       sync.Mutex // guards the rest
	closed   bool
	strikes  int
	until    time.Time // of the quarantine
	why      string
	refuge   *worker     // where it runs while it is suspected
	pardon   *time.Timer // ends the suspicion
	env      []Env       // the last, and
	envBytes []byte
	envs     uint64 // its number
}

// Handlers returns what the module handles: "fetch", "scheduled", "queue".
func (a *App) Handlers() []string { return slices.Clone(a.handlers) }

// Mapped replaces the places in a text that the program made, such as the stack of
// an error that it caught, by those in its developer's files.
func (a *App) Mapped(text string) string { return a.traces.mapped(text) }

// Close lets invocations finish and gives the machines back.
func (a *App) Close() {
	a.mu.Lock()
	closed := a.closed
	a.closed = true
	a.mu.Unlock()
	if closed {
		return
	}
	a.host.mu.Lock()
	delete(a.host.apps, a)
	a.host.mu.Unlock()
	a.leaveRefuge(nil)
	if a.worker != a.host.shared {
		a.worker.dismiss(2 * a.bounds.Wall)
		return
	}
	a.worker.mu.Lock()
	l := a.worker.life
	a.worker.mu.Unlock()
	if l != nil {
		l.close(a)
	}
}

// open has the child evaluate the module, once more if the child ended meanwhile.
func (a *App) open(ctx context.Context) error {
	err := a.try(ctx)
	if errors.Is(err, errLost) {
		err = a.try(ctx)
	}
	var e *Exception
	if errors.As(err, &e) {
		return fault.Wrap(fault.Invalid, e, "evaluate %s%s", a.program.Name, at(e.Stack))
	}
	return err
}

// at is the first place of a stack, for a message.
func at(stack string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(stack), "\n")
	if i := strings.LastIndex(line, "("); i >= 0 {
		return " at " + strings.TrimSuffix(line[i+1:], ")")
	}
	if place, ok := strings.CutPrefix(strings.TrimSpace(line), "at "); ok {
		return " at " + place
	}
	return ""
}

func (a *App) try(ctx context.Context) error {
	l, err := a.worker.alive(ctx)
	if err != nil {
		return err
	}
	l.mu.Lock()
	o := l.open(a)
	if l.ended {
		o.answer(errLost)
	}
	l.mu.Unlock()
	select {
	case <-o.done:
		if until, why := a.Quarantined(); !until.IsZero() {
			return a.limited(why)
		}
		return o.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Quarantined returns until when the app gets no requests because it did not stop
// when its time was up, and what it did ("limit_cpu"). The time is zero if it is
// not in quarantine.
func (a *App) Quarantined() (until time.Time, why string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if time.Now().Before(a.until) {
		return a.until, a.why
	}
	return time.Time{}, ""
}

const (
	shortQuarantine = 10 * time.Second
	longQuarantine  = 10 * time.Minute
)

// strike puts the app in quarantine, twice as long as the last time unless that
// was long ago: what does not stop takes the child from everybody.
func (a *App) strike(why string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if now.Sub(a.until) > longQuarantine {
		a.strikes = 0
	}
	a.until = now.Add(min(shortQuarantine<<min(a.strikes, 10), longQuarantine))
	a.strikes++
	a.why = why
	a.host.config.Log.Warn("a function did not stop and is held back", "app", a.program.Name, "why", why, "until", a.until)
}

// isClosed tells whether Close was called.
func (a *App) isClosed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.closed
}

// lost is why an invocation ends whose child has gone.
func (a *App) lost() error {
	if until, why := a.Quarantined(); !until.IsZero() {
		return a.limited(why)
	}
	return errLost
}

func (a *App) limited(why string) error {
	if strings.HasPrefix(why, "limit_") {
		return limitError(why, a.bounds)
	}
	return fault.New(fault.Exhausted, "the function broke the engine: %s", why)
}

// blocked is the error of a request that comes during the quarantine, or nil.
func (a *App) blocked() error {
	until, why := a.Quarantined()
	if until.IsZero() {
		return nil
	}
	wait := time.Until(until).Round(time.Second)
	return fault.New(fault.Exhausted, "%s is not run for %s, as it did not stop when its time was up", a.program.Name, wait).
		WithSubject(why).WithHint("deploy a version that stops, or wait")
}

// Fetch has the module answer a request. ctx ends when the client has gone, which
// aborts it. The error is an *Exception that the script threw, Exhausted with a
// limit as its subject, or Unavailable; requests that may be repeated are tried
// once more when somebody else's script took the child with it.
func (a *App) Fetch(ctx context.Context, r Request, b Bindings) (*Response, error) {
	again := repeatable(r)
	inv, err := a.invoke(ctx, &r, nil, b)
	if errors.Is(err, errLost) && again {
		a.host.stats.retries.Add(1)
		inv, err = a.invoke(ctx, &r, nil, b)
	}
	if err != nil {
		return nil, err
	}
	return inv.response, nil
}

// repeatable tells whether a request that was not answered may be made again.
func repeatable(r Request) bool {
	return r.Body == nil && (r.Method == "GET" || r.Method == "HEAD" || r.Method == "OPTIONS")
}

// Event calls the handler of that kind and returns what it returned, as JSON, or
// nil. For a queue that is {"ack": [id], "retry": [{"id", "delaySeconds"}]}:
// messages in neither are done.
func (a *App) Event(ctx context.Context, e Event, b Bindings) (json.RawMessage, error) {
	inv, err := a.invoke(ctx, nil, &e, b)
	if err != nil {
		return nil, err
	}
	return inv.result, nil
}

// invoke begins an invocation and waits for its answer.
func (a *App) invoke(ctx context.Context, r *Request, e *Event, b Bindings) (*invocation, error) {
	if err := a.blocked(); err != nil {
		return nil, err
	}
	l, err := a.home().alive(ctx)
	if err != nil {
		return nil, err
	}
	a.host.stats.invocations.Add(1)
	inv := newInvocation(a, l, b)
	m, err := inv.first(r, e)
	if err != nil {
		return nil, err
	}
	if err := inv.begin(m, b.Env()); err != nil {
		return nil, err
	}
	if r != nil {
		inv.upload(r.Body)
	}
	return inv, inv.wait(ctx)
}

// encodeEnv returns env as the child wants it, and its number. The caller's
// bindings rarely change, so the last is remembered.
func (a *App) encodeEnv(env []Env) (uint64, []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(env) == 0 {
		return 0, nil
	}
	if len(env) == len(a.env) && &env[0] == &a.env[0] {
		return a.envs, a.envBytes
	}
	type item struct {
		Name  string          `json:"name"`
		Kind  string          `json:"kind"`
		Value json.RawMessage `json:"value,omitempty"`
	}
	items := make([]item, len(env))
	for i, e := range env {
		items[i] = item(e)
	}
	encoded, err := json.Marshal(items)
	if err != nil {
		encoded = []byte("[]") // a Value that is no JSON: its name is missing
	}
	if string(encoded) != string(a.envBytes) {
		a.envBytes = encoded
		a.envs++
	}
	a.env = env
	return a.envs, a.envBytes
}
