// Package script runs an app's JavaScript within bounds. The engine lives in
// supervised children that compute and nothing else: no files, no network, no
// handle of the node's. Both ends of the protocol between node and child are
// here. edge opens a Program and calls it for requests and events; what the
// script may reach is what the caller's Bindings answer. The package refuses to
// know HTTP servers, storage and the language.
package script

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Program is one ES module, bundled: it imports nothing.
type Program struct {
	Name   string // for people: "notes", "notes@9f2c1ab"
	Digest string // sha256 of Code in hex
	Code   []byte
	Map    []byte // source map v3, or nil
}

// Bounds are what one invocation may use. Zero values take the defaults.
type Bounds struct {
	Memory   int64         // bytes of a machine's heap; 64 MiB
	CPU      time.Duration // computing, over all turns of an invocation; 2 s
	Wall     time.Duration // from the call to the last promise; 30 s
	Calls    int           // host calls in flight; 100
	Timers   int           // timers pending; 1,000
	LogLines int           // of at most 64 KiB; 1,000
	Body     int64         // bytes of a request; 1 MiB
	Reply    int64         // bytes of a response; 5 MiB
	Fresh    bool          // a pristine machine for every invocation
	Own      bool          // a child of its own
	Trace    bool          // errors of host calls say who called, for 10 µs a call
}

// withDefaults fills what is not set.
func (b Bounds) withDefaults() Bounds {
	fill(&b.Memory, 64<<20)
	fill(&b.CPU, 2*time.Second)
	fill(&b.Wall, 30*time.Second)
	fill(&b.Calls, 100)
	fill(&b.Timers, 1000)
	fill(&b.LogLines, 1000)
	fill(&b.Body, 1<<20)
	fill(&b.Reply, 5<<20)
	return b
}

// scaled gives a program built with -race its time.
func (b Bounds) scaled() Bounds {
	b.CPU *= raceFactor
	b.Wall *= raceFactor
	return b
}

func fill[T int | int64 | time.Duration](v *T, standard T) {
	if *v <= 0 {
		*v = standard
	}
}

// Request is what fetch is called with. URL is absolute.
type Request struct {
	Method, URL string
	Header      [][2]string
	Body        io.Reader // nil for none; read as the script asks for it
	Info        Info
}

// Info is what ctx tells the script beside the request.
type Info struct {
	IP, RequestID, App, Release string
	Person                      Person // nil for somebody nobody knows
}

// Person is who is signed in. Auth is what an app may know of them, as the JSON
// that ctx.auth is made of: {"app" (its address), "user" ({"id", "email", "name",
// "roles", "groups"}), "owner", "grants" ([{"actions", "on", "until" (milliseconds)}])}.
// Can tells whether they may do something to a resource, by its whole address.
type Person interface {
	Auth(app string) string
	Can(action, resource string) bool
}

// auth is the person of an invocation as the script gets it.
func (i Info) auth() string {
	if i.Person == nil {
		return ""
	}
	return i.Person.Auth(i.App)
}

// Response is what fetch answered. Body is never nil; closing it before its end
// cancels the invocation. Its Read fails with the error that ended the script; it
// has a method Len, which tells the length of a body that is there as a whole, -1
// of one that comes bit by bit.
type Response struct {
	Status int
	Header [][2]string
	Body   io.ReadCloser
}

// Event is what scheduled ("scheduled": {"cron", "scheduledTime"}) and queue
// ("queue": {"queue", "messages": [{"id", "timestamp", "attempts", "body"}]})
// are called with. Times are milliseconds of the epoch.
type Event struct {
	Kind string
	Data json.RawMessage
	Info Info
}

// Bindings is the world as one app sees it. All methods are called from many
// goroutines. Log must not block.
type Bindings interface {
	Env() []Env
	Call(ctx context.Context, c Call) (Reply, error)
	Log(Line)
}

// Env is one name in env. Kind is "text", whose Value is a JSON string, or that
// of a factory in bindings.js, which gets Value as its configuration.
type Env struct {
	Name, Kind string
	Value      json.RawMessage
}

// Call is one host call. Target is the name in env, or "fetch" for the global.
type Call struct {
	Target, Method string
	Args           json.RawMessage
	Body           io.Reader // nil for none; not to be used after Call has returned
}

// Reply answers a Call. Body is nil for none; it is closed here.
type Reply struct {
	Value json.RawMessage
	Body  io.ReadCloser
}

// Line is one line that the script logged. Level is debug, info, warn or error.
type Line struct {
	Time                   time.Time
	Level, Text, RequestID string
	Cut                    bool // Text is the beginning of what was logged, and may end within anything
}

// Limited is a limit that the script went over.
type Limited struct {
	Limit string // its name: "limit_cpu"
	Stack string // where the script was, as in Exception; empty where nobody knows
	err   error
}

// Trace is the limit as developers read it: with what it is and where it was hit.
func (e *Limited) Trace() string {
	return strings.TrimRight(e.Limit+": "+e.Error()+"\n"+e.Stack, "\n")
}

// Error implements error.
func (e *Limited) Error() string { return e.err.Error() }

// Unwrap returns the fault, which is Exhausted and has the limit as its subject.
func (e *Limited) Unwrap() error { return e.err }

// Trace is an error of this package as developers read it, with the stack where
// there is one.
func Trace(err error) string {
	if e, is := errors.AsType[interface {
		error
		Trace() string
	}](err); is {
		return e.Trace()
	}
	return fault.Message(err)
}

// StackOf is where the script was when it failed, empty where nobody knows.
func StackOf(err error) string {
	if e, is := errors.AsType[*Limited](err); is {
		return e.Stack
	}
	if e, is := errors.AsType[*Exception](err); is {
		return e.Stack
	}
	return ""
}

// Exception is what the script threw.
type Exception struct {
	Name, Message string
	Stack         string // one "    at place" a line, mapped to the developer's files
	Hint          string // what to do about a call that was refused; empty where nobody knows
	Code          string // of a call that was refused: a fault's kind, or "disk_full"; or whatever the code gave its error
}

// Trace is the exception as developers read it: with what to do, and its stack.
func (e *Exception) Trace() string {
	text := e.Error()
	if e.Hint != "" {
		text += "\nhint: " + e.Hint
	}
	return strings.TrimRight(text+"\n"+e.Stack, "\n")
}

// Error is the first line of what a browser's console would show.
func (e *Exception) Error() string {
	if e.Message == "" {
		return e.Name
	}
	return e.Name + ": " + e.Message
}
