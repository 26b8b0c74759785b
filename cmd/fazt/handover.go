package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/fazt-sh/fazt/edge/listen"
	"github.com/fazt-sh/fazt/platform/fault"
)

// A new binary takes over without a connection lost: the running process gives
// it the listening sockets, the new one reads its settings and says that it is
// ready, the old one accepts no more, finishes its requests, closes its state
// folder and is gone; the new one, which waited for that folder, publishes and
// accepts. Who comes meanwhile waits in the kernel's queue. What goes wrong
// before the new one is ready changes nothing.
const (
	successorVar  = "FAZT_READY_FD" // where a successor says that it is ready
	successorTime = 30 * time.Second
	takeOverTime  = time.Minute // for the old process to finish and go
)

// handOverAsked returns where SIGUSR2 arrives, from now on: until somebody listens
// for it, it would end the process.
func handOverAsked() (asked chan os.Signal, stop func()) {
	asked = make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR2)
	return asked, func() { signal.Stop(asked) }
}

// succeed waits to be asked and starts the process that comes next. It returns
// without an error when that one is ready, so that this one can end.
func (n *node) succeed(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.cfg.handOver:
		}
		pid, err := n.startSuccessor()
		if err == nil {
			n.cfg.log.Info("handing over", "pid", pid)
			n.tellSupervisor(mainPID(pid))
			return nil
		}
		n.cfg.log.Error("no hand-over, this process goes on", "error", err)
	}
}

// startSuccessor starts the binary at this process's path with its arguments,
// and waits until it is ready.
func (n *node) startSuccessor() (pid int, err error) {
	binary, err := os.Executable()
	if err != nil {
		return 0, err
	}
	plain, secure := n.edge.Listeners()
	files, env, err := listen.Files(append(plain, secure...))
	if err != nil {
		return 0, err
	}
	ready, said, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer ready.Close()
	next := exec.Command(binary, n.cfg.args...)
	next.Stdout, next.Stderr = os.Stdout, os.Stderr
	next.ExtraFiles = append(files, said)
	// Descriptors 0 to 2 are the standard ones, the files follow in order.
	next.Env = slices.Concat(successorEnv(), env, []string{successorVar + "=" + strconv.Itoa(3+len(files))})
	err = next.Start()
	for _, f := range next.ExtraFiles {
		_ = f.Close()
	}
	if err != nil {
		return 0, fault.Wrap(fault.Unavailable, err, "start %s", binary)
	}
	if err := awaitReady(ready); err != nil {
		_ = next.Process.Kill()
		return 0, errors.Join(fault.Wrap(fault.Unavailable, err, "%s was not ready", binary), next.Wait())
	}
	pid = next.Process.Pid // Release forgets it
	return pid, next.Process.Release()
}

// successorEnv is this process's environment without the one variable that is
// about this process: systemd's watchdog would wait in vain for a successor that
// takes WATCHDOG_PID to mean another one.
func successorEnv() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "WATCHDOG_PID=") })
}

// awaitReady reads the successor's one line. A successor that ends closes the
// pipe.
func awaitReady(from *os.File) error {
	if err := from.SetReadDeadline(time.Now().Add(successorTime)); err != nil {
		return err
	}
	said, err := io.ReadAll(io.LimitReader(from, int64(len(readyWord))))
	if err == nil && string(said) != readyWord {
		err = fmt.Errorf("it ended before it had read its settings")
	}
	return err
}

const readyWord = "ready\n"

// predecessor is the process this one takes over from, nil where there is none.
type predecessor struct{ told *os.File }

// takePredecessor finds out whether this process was started to take over. The
// variable is taken away, so that children do not believe they were.
func takePredecessor() *predecessor {
	fd, err := strconv.Atoi(os.Getenv(successorVar))
	_ = os.Unsetenv(successorVar)
	if err != nil || fd < 3 {
		return nil
	}
	syscall.CloseOnExec(fd)
	return &predecessor{os.NewFile(uintptr(fd), "predecessor")}
}

// release tells the old process that it may go.
func (p *predecessor) release() error {
	_, err := p.told.WriteString(readyWord)
	return errors.Join(err, p.told.Close())
}

// sockets hands out listeners this process was started with, in place of
// binding their addresses again.
type sockets struct{ left []net.Listener }

// listen takes the inherited listener of an address, or binds it. A port of 0
// takes what a predecessor chose for it.
func (s *sockets) listen(network, addr string) (net.Listener, error) {
	for i, l := range s.left {
		if sameAddr(l.Addr(), addr) {
			s.left = slices.Delete(s.left, i, i+1)
			return l, nil
		}
	}
	return listen.Listen(context.Background(), network, addr)
}

// sameAddr tells whether a socket is what binding an address would give.
func sameAddr(have net.Addr, want string) bool {
	tcp, ok := have.(*net.TCPAddr)
	if !ok {
		return false
	}
	host, portText, err := net.SplitHostPort(want)
	if err != nil {
		return false
	}
	port, err := net.LookupPort("tcp", portText)
	if err != nil || port != tcp.Port && port != 0 {
		return false
	}
	ip := net.ParseIP(host)
	return tcp.IP.Equal(ip) || tcp.IP.IsUnspecified() && (host == "" || ip != nil && ip.IsUnspecified())
}

// close gives back what nobody wanted.
func (s *sockets) close() {
	for _, l := range s.left {
		_ = l.Close()
	}
}
