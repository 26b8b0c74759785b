package platform

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"github.com/fazt-sh/fazt/platform/fault"
)

// The kernel takes socket paths of at most 107 bytes. Longer ones than this are
// reached through the descriptor of their folder.
const longPath = 100

// ListenUnix binds the socket name in the folder dir, for its owner only. A
// socket that a dead process left is replaced; one that is answered is in use,
// Exhausted. Close removes the socket.
func ListenUnix(dir, name string) (net.Listener, error) {
	folder, err := os.Open(dir)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "listen in %q", dir)
	}
	// Of two that start at once, the second must find the first one's socket
	// alive and not take it for a leftover.
	if err := flock(folder, syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fault.Wrap(fault.Unavailable, err, "listen in %q", dir), folder.Close())
	}
	defer flock(folder, syscall.LOCK_UN)
	l, err := bind(folder, socketPath(folder, dir, name))
	if err != nil {
		folder.Close()
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, fault.New(fault.Exhausted, "socket %q is in use by another process", filepath.Join(dir, name)).
				WithSubject(filepath.Join(dir, name))
		}
		return nil, fault.Wrap(fault.Unavailable, err, "listen on %q", filepath.Join(dir, name))
	}
	return &listener{UnixListener: l, folder: folder, addr: net.UnixAddr{Net: "unix", Name: filepath.Join(dir, name)}}, nil
}

// socketPath is a path to the socket that the kernel takes, good while folder
// is open.
func socketPath(folder *os.File, dir, name string) string {
	path := filepath.Join(dir, name)
	if len(path) <= longPath {
		return path
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", folder.Fd(), name)
}

func bind(folder *os.File, path string) (*net.UnixListener, error) {
	addr := &net.UnixAddr{Net: "unix", Name: path}
	l, err := net.ListenUnix("unix", addr)
	if errors.Is(err, syscall.EADDRINUSE) && abandoned(addr) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		l, err = net.ListenUnix("unix", addr)
	}
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// abandoned reports whether nobody listens at a socket that exists.
func abandoned(addr *net.UnixAddr) bool {
	c, err := net.DialUnix("unix", nil, addr)
	if err == nil {
		c.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// listener keeps the folder open, as its socket may be removed through it.
type listener struct {
	*net.UnixListener
	folder *os.File
	addr   net.UnixAddr
}

// Addr returns the socket's own path, whichever way it was bound.
func (l *listener) Addr() net.Addr { return &l.addr }

// Close stops listening and removes the socket.
func (l *listener) Close() error {
	return errors.Join(l.UnixListener.Close(), l.folder.Close())
}

// DialUnix connects to the socket name in the folder dir. The error's kind is
// Unavailable if nobody listens there, Forbidden if we may not connect.
func DialUnix(ctx context.Context, dir, name string) (net.Conn, error) {
	path := filepath.Join(dir, name)
	folder, err := os.Open(dir)
	if err != nil {
		return nil, dialFault(err, path)
	}
	defer folder.Close()
	c, err := new(net.Dialer).DialContext(ctx, "unix", socketPath(folder, dir, name))
	if err != nil {
		return nil, dialFault(err, path)
	}
	return c, nil
}

func dialFault(err error, path string) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fault.Wrap(fault.Forbidden, err, "connect to %q", path).WithSubject(path).WithHint("run this as the user that runs the node")
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTDIR):
		return fault.New(fault.Unavailable, "no node runs at %q", filepath.Dir(filepath.Dir(path))).WithSubject(path).WithHint("start one with fazt serve")
	default:
		return fault.Wrap(fault.Unavailable, err, "connect to %q", path).WithSubject(path)
	}
}
