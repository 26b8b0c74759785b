// Package child runs work that may not be trusted with this process: it starts
// the same program again as a child that has nothing but a socket to its
// parent, bounds what the child may use, watches it, and says in one sentence
// how it ended. cmd/fazt names the roles (the loader, later the worker); their
// callers speak to them in frames. It refuses to know what is in a frame.
//
// A bound is there because some faults cannot be caught in process: a deep text
// overflows the stack, a nested loop eats all memory. Here that is an error of
// kind Exhausted.
package child

import (
	"context"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Limits bound one child. Zero means no limit of that sort unless said
// otherwise. A program built with -race gets eight times the memory and time,
// which is what its instruments need.
type Limits struct {
	Data  int64         // bytes of memory; a Go program needs 128 MiB to do anything
	CPU   time.Duration // of the child's whole life, rounded up to seconds
	Wall  time.Duration // from Start
	Files uint64        // open files; 0 is 32
	Frame int           // bytes of the longest frame, both ways; 0 is 64 MiB
	Nice  int           // how much later than others it comes to a processor, to 19; 0 is as this process

	// Folder is the one folder whose files the child may read, absolute and
	// without symbolic links on the way; empty for a child without files.
	Folder string
}

const (
	defaultFiles = 32
	defaultFrame = 64 << 20
)

// Process is a started child. Its methods may be called from any goroutine.
type Process struct {
	role   string
	limits Limits
	ctx    context.Context
	cmd    *exec.Cmd
	conn   *Conn
	stderr *excerpt
	wall   *time.Timer
	ended  atomic.Pointer[Reason] // why we killed it, if we did
	wait   func() error
}

// Start starts a child in a role that the program's main gave to Main. The
// child dies with ctx, with this process, and at its limits. Every Start needs
// a Wait.
func Start(ctx context.Context, role string, l Limits) (*Process, error) {
	l = l.scaled()
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "start %q", role)
	}
	defer theirs.Close()
	p := &Process{role: role, limits: l, ctx: ctx, conn: newConn(ours, l.Frame), stderr: new(excerpt)}
	p.cmd = command(ctx, role, l, theirs, p.stderr)
	if err := p.cmd.Start(); err != nil {
		ours.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fault.Wrap(fault.Unavailable, err, "start %q", role)
	}
	if l.Nice > 0 {
		// Of its group, which it is alone in: of a process, Linux would take the one thread.
		// Where it is not allowed the child is no later than others.
		_ = syscall.Setpriority(syscall.PRIO_PGRP, p.PID(), l.Nice)
	}
	p.wait = sync.OnceValue(p.finish)
	if l.Wall > 0 {
		p.wall = time.AfterFunc(l.Wall, func() { p.kill(Wall) })
	}
	return p, nil
}

// scaled fills the defaults and gives a raced program its share.
func (l Limits) scaled() Limits {
	l.Data *= raceFactor
	l.CPU *= raceFactor
	l.Wall *= raceFactor
	if l.Files == 0 {
		l.Files = defaultFiles
	}
	if l.Frame <= 0 {
		l.Frame = defaultFrame
	}
	return l
}

// command is this program again, whatever happened to its file meanwhile, with
// nothing inherited but the socket. Pdeathsig ends it when we are killed; it
// follows the thread that forks, and Go keeps its threads. The group of its own
// keeps a terminal's Ctrl-C for us, who end the child in good order.
func command(ctx context.Context, role string, l Limits, socket *os.File, stderr *excerpt) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", l.arguments(role)...)
	cmd.Args[0] = "fazt"
	cmd.Env = environment()
	cmd.Dir = "/"
	cmd.Stderr = stderr
	cmd.ExtraFiles = []*os.File{socket}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	return cmd
}

// socketPair returns two connected ends; ours can be waited for without a thread.
func socketPair() (ours, theirs *os.File, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	if err := syscall.SetNonblock(fds[0], true); err != nil {
		syscall.Close(fds[0])
		syscall.Close(fds[1])
		return nil, nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fds[0]), "child"), os.NewFile(uintptr(fds[1]), "parent"), nil
}

// Conn returns the frames to and from the child. When it says io.EOF or any
// other error, Wait knows the reason.
func (p *Process) Conn() *Conn { return p.conn }

// PID returns the child's process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Stderr returns what the child complained about: the first 4 KiB, where a
// crash says what it is, and the last 8 KiB.
func (p *Process) Stderr() string { return p.stderr.String() }

// Kill ends the child now. Wait then returns an error of reason Killed.
func (p *Process) Kill() { p.kill(Killed) }

func (p *Process) kill(r Reason) {
	p.ended.CompareAndSwap(nil, &r)
	p.cmd.Process.Kill() // an error means that it has ended
}

// Wait closes our end of the connection, which tells a child in good health to
// end, and returns when it has: nil for a role that returned nil. Read the
// answers first. The error carries an *Ended; its kind is Exhausted if a limit
// was hit. Waiting again returns the same.
func (p *Process) Wait() error { return p.wait() }

func (p *Process) finish() error {
	p.conn.file.Close()
	err := p.cmd.Wait()
	if p.wall != nil {
		p.wall.Stop()
	}
	return p.verdict(err)
}
