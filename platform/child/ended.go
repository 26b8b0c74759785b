package child

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Reason says why a child did not end well.
type Reason string

// The reasons.
const (
	Memory  Reason = "memory"  // it asked for more than Limits.Data
	CPU     Reason = "cpu"     // it computed for longer than Limits.CPU
	Wall    Reason = "wall"    // it was there for longer than Limits.Wall
	Failed  Reason = "failed"  // its role returned an error
	Crashed Reason = "crashed" // it panicked, or somebody else killed it
	Killed  Reason = "killed"  // Kill was called
)

// Ended is how a child ended. Find it with errors.As.
type Ended struct {
	Role   string
	Reason Reason
	Limit  string // the limit that was hit, as people read it; empty for other reasons
	Detail string // the first line that tells something, for logs
	Stderr string // what the child complained about, for logs
}

// Error is one sentence.
func (e *Ended) Error() string {
	switch e.Reason {
	case Memory:
		return fmt.Sprintf("%q needed more than %s of memory", e.Role, e.Limit)
	case CPU:
		return fmt.Sprintf("%q computed for more than %s", e.Role, e.Limit)
	case Wall:
		return fmt.Sprintf("%q took more than %s", e.Role, e.Limit)
	case Killed:
		return fmt.Sprintf("%q was stopped", e.Role)
	default:
		return fmt.Sprintf("%q %s: %s", e.Role, e.Reason, e.Detail)
	}
}

// ReasonOf returns why the child behind err ended, or "" if err is not about
// the end of a child.
func ReasonOf(err error) Reason {
	var e *Ended
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

// verdict turns the end of the process into nil or one error.
func (p *Process) verdict(err error) error {
	state := p.cmd.ProcessState
	if err == nil || state != nil && state.Success() {
		return nil
	}
	e := &Ended{Role: p.role, Stderr: p.Stderr(), Detail: headline(p.Stderr(), err)}
	switch killed := p.ended.Load(); {
	case killed != nil:
		e.Reason = *killed
	case p.ctx.Err() != nil:
		return fmt.Errorf("%q: %w", p.role, p.ctx.Err())
	default:
		e.Reason = p.reason(state, e.Stderr)
	}
	return p.classed(e)
}

func (p *Process) classed(e *Ended) error {
	kind := fault.Internal
	switch e.Reason {
	case Memory:
		kind, e.Limit = fault.Exhausted, size(p.limits.Data)
		if p.limits.Data == 0 {
			e.Limit = "all there is"
		}
	case CPU:
		kind, e.Limit = fault.Exhausted, p.limits.cpu().String()
	case Wall:
		kind, e.Limit = fault.Exhausted, p.limits.Wall.String()
	case Killed:
		kind = fault.Unavailable
	}
	return &fault.Error{Op: "child.Wait", Kind: kind, Err: e}
}

// reason reads an end that we did not cause.
func (p *Process) reason(state *os.ProcessState, stderr string) Reason {
	status, _ := state.Sys().(syscall.WaitStatus)
	used := state.UserTime() + state.SystemTime()
	limit := p.limits.cpu()
	switch {
	case status.Signaled() && status.Signal() == syscall.SIGXCPU:
		return CPU
	// The kernel kills by a clock that counts ticks, which on a machine that
	// shares its cores ran a fifth ahead of the time it reports.
	case status.Signaled() && status.Signal() == syscall.SIGKILL && limit > 0 && used >= limit/2:
		return CPU
	case outOfMemory(stderr):
		return Memory
	case status.Exited() && status.ExitStatus() == exitFailed:
		return Failed
	default:
		return Crashed
	}
}

// outOfMemory knows the last words of Go's runtime, of its threads and of the
// race detector. A stack that outgrew its bound is memory as well. So is a
// fault inside the runtime itself: Go code without cgo has no other way there
// than an allocation of the collector's that was refused and not checked.
func outOfMemory(stderr string) bool {
	for _, words := range []string{"out of memory", "cannot allocate", "cannot map pages", "cannot reserve arena",
		"stack overflow", "stack exceeds", "failed to create new OS thread", "pthread_create failed", "failed to allocate",
		"SIGSEGV: segmentation violation\nPC=", "unexpected signal during runtime execution"} {
		if strings.Contains(stderr, words) {
			return true
		}
	}
	return false
}

// headline is the line of a complaint that says what happened.
func headline(stderr string, err error) string {
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	for _, line := range lines {
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			return line
		}
	}
	if lines[0] != "" {
		return lines[0]
	}
	if err == nil {
		return "no reason given"
	}
	return err.Error()
}

func size(bytes int64) string {
	if bytes >= 1<<30 && bytes%(1<<30) == 0 {
		return fmt.Sprintf("%d GiB", bytes>>30)
	}
	return fmt.Sprintf("%d MiB", bytes>>20)
}

// cpu is the limit as the kernel keeps it, in whole seconds.
func (l Limits) cpu() time.Duration {
	return (l.CPU + time.Second - 1).Truncate(time.Second)
}

const (
	headBytes = 4 << 10
	tailBytes = 8 << 10
)

// excerpt is a writer that remembers the beginning and the end.
type excerpt struct {
	mu   sync.Mutex // guards the rest
	head []byte
	tail []byte // what came after head; its last tailBytes count
	cut  bool
}

func (x *excerpt) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := len(p)
	if room := headBytes - len(x.head); room > 0 {
		k := min(room, len(p))
		x.head, p = append(x.head, p[:k]...), p[k:]
	}
	x.tail = append(x.tail, p...)
	if extra := len(x.tail) - tailBytes; extra > 0 {
		x.cut = true
		x.tail = append(x.tail[:0], x.tail[extra:]...)
	}
	return n, nil
}

func (x *excerpt) String() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.cut {
		return string(x.head) + "\n[...]\n" + string(x.tail)
	}
	return string(x.head) + string(x.tail)
}
