// Package binding is what one app can reach: keys, SQL, documents, files, queues,
// other apps, its own files and the hosts that its egress rules name. The edge
// makes an App of every release from handles that are the app's already, and gives
// each invocation of its code an Invocation, which is the script.Bindings that the
// engine asks. Whatever comes in was written by the code, so it is decoded
// strictly, and a name that is not in the table does not exist: no argument ever
// says which app, database or folder is meant. It refuses to know HTTP servers,
// configuration and JavaScript; bindings.js in platform/script is its other half.
package binding

import (
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/script"
	"github.com/fazt-sh/fazt/platform/secret"
	"github.com/fazt-sh/fazt/platform/storage"
)

// Config is everything an app was given, by the names its code knows it by.
type Config struct {
	Text     map[string]secret.Value
	Keys     map[string]*storage.Keys
	SQL      map[string]*storage.SQL
	Docs     map[string]Docs
	Files    map[string]*storage.Files
	Queues   map[string]Queue
	Services map[string]Fetcher // other apps
	Assets   map[string]Fetcher // the files of the release
	Egress   Client             // what fetch reaches; nil is nothing
	Origin   string             // of the app, "https://notes.example.com", for signed addresses; empty makes them paths
	Log      func(script.Line)  // what the code logs; nil discards. It must not block
}

// Fetcher answers requests within the node. The body of the answer is closed.
type Fetcher interface {
	Fetch(ctx context.Context, r script.Request) (*script.Response, error)
}

// App is what one app can reach. It is immutable and safe for several goroutines.
type App struct {
	config  Config
	env     []script.Env
	targets map[string]methods
	calls   atomic.Uint64
	faults  atomic.Uint64
}

// envName is what a name in env may be: the engine makes a property of it.
var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)

// New checks the names and builds the table. The error's kind is Invalid for a name
// that is none or is taken.
func New(c Config) (*App, error) {
	if c.Log == nil {
		c.Log = func(script.Line) {}
	}
	a := &App{config: c, targets: map[string]methods{}}
	for name, value := range c.Text {
		text, err := json.Marshal(value.Reveal())
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "env %s", name)
		}
		if err := a.add(name, "text", text, nil); err != nil {
			return nil, err
		}
	}
	if err := a.addStores(); err != nil {
		return nil, err
	}
	a.targets["fetch"] = egressMethods(c.Egress) // not a name in env
	slices.SortFunc(a.env, func(x, y script.Env) int { return strings.Compare(x.Name, y.Name) })
	return a, nil
}

// addStores makes a target of everything that has methods.
func (a *App) addStores() error {
	c := a.config
	for _, err := range []error{
		addAll(a, "kv", c.Keys, keyMethods),
		addAll(a, "sql", c.SQL, sqlMethods),
		addAll(a, "docs", c.Docs, docMethods),
		addAll(a, "blobs", c.Files, a.fileMethods),
		addAll(a, "queue", c.Queues, queueMethods),
		addAll(a, "service", c.Services, fetchMethods),
		addAll(a, "assets", c.Assets, fetchMethods),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

func addAll[T any](a *App, kind string, all map[string]T, build func(name string, of T) methods) error {
	for name, of := range all {
		if err := a.add(name, kind, nil, build(name, of)); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) add(name, kind string, value json.RawMessage, m methods) error {
	taken := slices.ContainsFunc(a.env, func(e script.Env) bool { return e.Name == name })
	switch {
	case !envName.MatchString(name) || name == "fetch" || name == "__proto__":
		return fault.New(fault.Invalid, "%q cannot be a name in env", name).WithHint("use letters, digits and _")
	case taken:
		return fault.New(fault.Invalid, "two bindings are named %q", name).WithHint("give one of them another name")
	}
	a.env = append(a.env, script.Env{Name: name, Kind: kind, Value: value})
	if m != nil {
		a.targets[name] = m
	}
	return nil
}

// Stats are calls since New.
type Stats struct {
	Calls  uint64 // of the code, to whatever it has
	Faults uint64 // those of them that were refused or failed
}

// Stats returns the counts.
func (a *App) Stats() Stats { return Stats{Calls: a.calls.Load(), Faults: a.faults.Load()} }

// With returns what a and more services can reach, for a program that looks at an
// app from outside: its tests. What that logs goes to log.
func (a *App) With(services map[string]Fetcher, log func(script.Line)) (*App, error) {
	c := a.config
	c.Services, c.Log = maps.Clone(c.Services), log
	if c.Services == nil {
		c.Services = map[string]Fetcher{}
	}
	maps.Copy(c.Services, services)
	return New(c)
}

// For returns the bindings of one invocation. The context is that of the request
// or event which the code is called for: an app that is asked by another knows it
// by that.
func (a *App) For(ctx context.Context, info script.Info) *Invocation {
	hops, _ := ctx.Value(hopsKey{}).(int)
	return &Invocation{app: a, info: info, hops: hops}
}

// Invocation is the script.Bindings of one invocation: it knows on whose behalf
// the code runs and which transactions it has open. It need not be closed: what it
// holds ends with the context of the call that made it.
type Invocation struct {
	app  *App
	info script.Info
	hops int // apps that asked each other before this one
	transactions
}

// Env implements script.Bindings.
func (i *Invocation) Env() []script.Env { return i.app.env }

// Log implements script.Bindings.
func (i *Invocation) Log(l script.Line) { i.app.config.Log(l) }

// Call implements script.Bindings. Errors are faults whose message the code may
// see; those of kind Internal are for the node.
func (i *Invocation) Call(ctx context.Context, c script.Call) (script.Reply, error) {
	i.app.calls.Add(1)
	reply, err := i.call(ctx, c)
	if err != nil {
		i.app.faults.Add(1)
	}
	return reply, err
}

func (i *Invocation) call(ctx context.Context, c script.Call) (script.Reply, error) {
	target, ok := i.app.targets[c.Target]
	if !ok {
		return script.Reply{}, fault.New(fault.NotFound, "there is no binding %q", clip(c.Target)).WithHint("declare it in the app's block")
	}
	m, ok := target[c.Method]
	if !ok {
		return script.Reply{}, fault.New(fault.Invalid, "%s has no method %q", c.Target, clip(c.Method))
	}
	return m(ctx, request{i, c})
}

// clip shortens what the code wrote, for a message.
func clip(s string) string {
	const most = 60
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
