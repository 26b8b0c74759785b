package child

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"github.com/landlock-lsm/go-landlock/landlock"
)

// Role is what a child does: it reads frames from its parent and answers. It
// returns when its work is done or the parent has closed; an error ends the
// child with reason Failed.
type Role func(ctx context.Context, c *Conn) error

const (
	socketFD   = 3
	exitFailed = 1
	exitUsage  = 64
)

// Main runs a role if the program was started as a child, and says so; the
// caller then ends the process with exit. It is the first thing in main, and in
// the TestMain of every package whose tests start children, which would run
// themselves again otherwise. args are the program's, name first.
func Main(args []string, roles map[string]Role) (ran bool, exit int) {
	if len(args) < 2 {
		return false, 0
	}
	role, ok := roles[args[1]]
	if !ok {
		return false, 0
	}
	if err := run(role, args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		if errors.Is(err, errByHand) {
			return true, exitUsage
		}
		return true, exitFailed
	}
	return true, 0
}

var errByHand = errors.New("fazt: this is a part of fazt that fazt starts by itself")

// run sets the bounds before it reads a byte.
func run(role Role, args []string) error {
	if !parented() {
		return errByHand
	}
	l, err := parseArguments(args)
	if err != nil {
		return err
	}
	if err := l.bind(); err != nil {
		return err
	}
	enclose(l.Folder)
	if err := syscall.SetNonblock(socketFD, true); err != nil { // waiting for the parent takes no thread
		return err
	}
	return role(context.Background(), newConn(os.NewFile(socketFD, "parent"), l.Frame))
}

// parented reports whether there is a parent at the other end of the socket.
func parented() bool {
	name, err := syscall.Getsockname(socketFD)
	if err != nil {
		return false
	}
	_, unix := name.(*syscall.SockaddrUnix)
	return unix
}

// arguments is how limits travel to the child.
func (l Limits) arguments(role string) []string {
	return []string{role,
		"-data=" + strconv.FormatInt(l.Data, 10), "-cpu=" + l.CPU.String(),
		"-files=" + strconv.FormatUint(l.Files, 10), "-frame=" + strconv.Itoa(l.Frame), "-folder=" + l.Folder}
}

func parseArguments(args []string) (Limits, error) {
	var l Limits
	f := flag.NewFlagSet("child", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.Int64Var(&l.Data, "data", 0, "")
	f.DurationVar(&l.CPU, "cpu", 0, "")
	f.Uint64Var(&l.Files, "files", defaultFiles, "")
	f.IntVar(&l.Frame, "frame", defaultFrame, "")
	f.StringVar(&l.Folder, "folder", "", "")
	return l, f.Parse(args)
}

// bind bounds this process. RLIMIT_DATA and not RLIMIT_AS, under which a Go
// program does not start; never RLIMIT_NPROC, which starves Go's threads. The
// collector works harder from seven eighths on, and a stack may have half.
func (l Limits) bind() error {
	limits := []struct {
		name     string
		resource int
		value    uint64
		set      bool
	}{
		{"core", syscall.RLIMIT_CORE, 0, true},
		{"files", syscall.RLIMIT_NOFILE, l.Files, true},
		{"cpu", syscall.RLIMIT_CPU, uint64(l.cpu() / time.Second), l.CPU > 0},
		{"data", syscall.RLIMIT_DATA, uint64(l.Data), l.Data > 0},
	}
	for _, r := range limits {
		if !r.set {
			continue
		}
		if err := syscall.Setrlimit(r.resource, &syscall.Rlimit{Cur: r.value, Max: r.value}); err != nil {
			return fmt.Errorf("limit %s to %d: %w", r.name, r.value, err)
		}
	}
	if l.Data > 0 {
		debug.SetMemoryLimit(l.Data / 8 * 7)
		debug.SetMaxStack(int(l.Data / 2))
	}
	return nil
}

// enclose takes away network and files, but reading those of one folder, on
// kernels that have Landlock. Without it the child is still bounded; it has no
// secrets to lose, and a role that opens paths that others name checks them.
func enclose(folder string) {
	var rules []landlock.Rule
	if folder != "" {
		rules = append(rules, landlock.RODirs(folder))
	}
	if err := landlock.V11.BestEffort().Restrict(rules...); err != nil {
		fmt.Fprintf(os.Stderr, "without landlock: %v\n", err)
	}
}
