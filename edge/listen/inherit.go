package listen

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"

	"github.com/coreos/go-systemd/v22/activation"

	"github.com/fazt-sh/fazt/platform/fault"
)

// handed is the number of sockets that a process of ours passed on. The
// protocol of socket activation names the receiver in LISTEN_PID, so that no
// grandchild mistakes its own descriptors for listeners. systemd knows that
// number, as it sets the variables between fork and exec; a Go program does
// both in one step and never can. So we pass the count under a name of our own,
// to one process, which vouches for itself: it takes the variable away before
// it starts anybody, and believes no descriptor that is not a socket which
// listens.
const handed = "FAZT_LISTEN_FDS"

// Inherited returns the listeners this process was started with, by socket
// activation or by a hand-over (see Files), in their order; none is no error.
// It takes them once: a second call finds nothing. A descriptor that is not a
// listening stream socket is fault.Invalid, and then none is kept.
func Inherited() ([]net.Listener, error) {
	vouch()
	var listeners []net.Listener
	var first error
	for i, f := range activation.Files(true) {
		l, err := adopt(f)
		if err == nil {
			listeners = append(listeners, l)
		} else if first == nil {
			first = fault.Wrap(fault.Invalid, err, "socket %d that this process was started with cannot be used", i).
				WithSubject(f.Name()).WithHint("sockets passed to fazt are streams that listen: ListenStream= in a systemd socket unit")
		}
	}
	if first != nil {
		closeAll(listeners)
		return nil, first
	}
	return listeners, nil
}

// vouch turns our marker into the protocol's variables, with the number that
// only this process knows.
func vouch() {
	count, passed := os.LookupEnv(handed)
	if !passed {
		return
	}
	_ = os.Unsetenv(handed)
	_ = os.Setenv("LISTEN_FDS", count)
	_ = os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
}

// adopt makes a listener of a descriptor, which it closes.
func adopt(f *os.File) (net.Listener, error) {
	defer f.Close() // a listener has its own
	l, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	listening := false
	if err := control(l, func(fd uintptr) { listening = accepting(fd) }); err != nil || !listening {
		_ = l.Close()
		return nil, fmt.Errorf("%s does not listen", f.Name())
	}
	if _, tcp := l.(*net.TCPListener); tcp {
		_ = control(l, deferAccept)
	}
	return l, nil
}

func control(l net.Listener, f func(fd uintptr)) error {
	socket, ok := l.(syscall.Conn)
	if !ok {
		return fmt.Errorf("a %s socket is no stream", l.Addr().Network())
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(f)
}

// Files returns descriptors of listeners and the environment with which a
// process that is given them as exec.Cmd's ExtraFiles finds them by Inherited.
// The listeners go on: the kernel gives a connection to whoever accepts first.
// The caller closes the files once the process has started.
func Files(listeners []net.Listener) (files []*os.File, env []string, err error) {
	for _, l := range listeners {
		f, err := fileOf(l)
		if err != nil {
			for _, f := range files {
				_ = f.Close()
			}
			return nil, nil, fault.Wrap(fault.Invalid, err, "cannot hand over the listener on %s", l.Addr()).
				WithSubject(l.Addr().String()).WithHint("stop this process before the next one starts")
		}
		files = append(files, f)
	}
	return files, []string{handed + "=" + strconv.Itoa(len(files))}, nil
}

func fileOf(l net.Listener) (*os.File, error) {
	if guarded, ok := l.(*listener); ok {
		l = guarded.Listener
	}
	socket, ok := l.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("%T has no descriptor", l)
	}
	return duplicate(socket, l.Addr().String())
}

// duplicate copies a socket's descriptor and leaves the socket as it is. The File
// method of a listener makes one that os/exec turns to blocking mode, which it
// shares with the listener: an Accept that begins after that ends with the next
// visitor, and not when the listener is closed.
func duplicate(socket syscall.Conn, name string) (*os.File, error) {
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil, err
	}
	copied := -1
	control := raw.Control(func(fd uintptr) {
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		if copied, err = syscall.Dup(int(fd)); err == nil {
			syscall.CloseOnExec(copied)
		}
	})
	if err = errors.Join(control, err); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(copied), name), nil
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		_ = l.Close()
	}
}
