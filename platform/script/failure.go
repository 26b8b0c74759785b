package script

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
)

// The limits by the names that callers and journals know.
const (
	limitCPU    = "limit_cpu"
	limitMemory = "limit_memory"
	limitWall   = "limit_wall"
	limitStack  = "limit_stack"
	limitCalls  = "limit_calls"
	limitTimers = "limit_timers"
	limitLog    = "limit_log"
	limitBody   = "limit_body"
	limitReply  = "limit_reply"
)

// nullThrown is the message of who threw null: core.js has it too.
const nullThrown = "null was thrown"

// failure is how an invocation, or the evaluation of a module, went wrong, as
// the child tells it.
type failure struct {
	Limit   string `json:"limit,omitempty"`
	Name    string `json:"name,omitempty"`
	Message string `json:"message,omitempty"`
	Stack   string `json:"stack,omitempty"`
	Hint    string `json:"hint,omitempty"`
	Code    string `json:"code,omitempty"`
	Refused string `json:"refused,omitempty"` // the module has no shape that we know; says what to change
	Lost    bool   `json:"lost,omitempty"`    // it was stopped because of something else
	Busy    bool   `json:"busy,omitempty"`    // it was never begun
}

// mostFrames is how many lines of its stack a limit has: one of depth has a thousand.
const mostFrames = 20

// topmost is the beginning of a stack.
func topmost(stack string) string {
	lines := strings.SplitAfterN(stack, "\n", mostFrames+1)
	return strings.Join(lines[:min(len(lines), mostFrames)], "")
}

func (f failure) encode() []byte {
	b, err := json.Marshal(f)
	if err != nil {
		panic(err) // strings and booleans
	}
	return b
}

var (
	errLost   = fault.New(fault.Unavailable, "the function was stopped for a reason that is not its own").WithHint("try again")
	errBusy   = fault.New(fault.Unavailable, "too many requests wait for a function").WithHint("try again in a second")
	errClosed = fault.New(fault.Unavailable, "this release is no longer served").WithHint("try again")
	errEnded  = fault.New(fault.Unavailable, "functions are not running")
)

// err is the failure as this package's callers get it.
func (f failure) err(b Bounds, traces *trace) error {
	switch {
	case f.Limit != "":
		return &Limited{Limit: f.Limit, Stack: traces.mapped(f.Stack), err: limitError(f.Limit, b)}
	case f.Refused != "":
		return fault.New(fault.Invalid, "%s", f.Refused)
	case f.Busy:
		return errBusy
	case f.Lost:
		return errLost
	}
	return &Exception{Name: f.Name, Message: f.Message, Stack: traces.mapped(f.Stack), Hint: f.Hint, Code: f.Code}
}

// limitError names a limit, its value and what to do.
func limitError(limit string, b Bounds) *fault.Error {
	says, declares := "", ""
	switch limit {
	case limitCPU:
		says, declares = fmt.Sprintf("the function computed for more than %s", short(b.CPU)), "cpu"
	case limitMemory:
		says, declares = fmt.Sprintf("the function needed more than %s of memory", size(b.Memory)), "memory"
	case limitWall:
		says, declares = fmt.Sprintf("the function took more than %s", short(b.Wall)), "wall"
	case limitStack:
		says = fmt.Sprintf("the function called itself more than %d times deep", stackFrames)
	case limitCalls:
		says = fmt.Sprintf("the function had more than %d calls in flight", b.Calls)
	case limitTimers:
		says = fmt.Sprintf("the function had more than %d timers", b.Timers)
	case limitLog:
		says = fmt.Sprintf("the function logged more than %d lines", b.LogLines)
	case limitBody:
		says = fmt.Sprintf("the body of the request is over %s", size(b.Body))
	case limitReply:
		says = fmt.Sprintf("the response is over %s", size(b.Reply))
	default:
		says = "the function went over a limit"
	}
	e := fault.New(fault.Exhausted, "%s", says).WithSubject(limit)
	if declares != "" {
		e = e.WithHint("raise %q in the app's runtime block, or do less", declares)
	}
	return e
}

func short(d time.Duration) string { return d.String() }

func size(n int64) string {
	if n >= 1<<20 && n%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", (n+1023)>>10)
}
