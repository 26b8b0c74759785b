package edge

import (
	"errors"
	"net"
	"syscall"

	"github.com/fazt-sh/fazt/platform/fault"
)

// bound is an address that is listened on.
type bound struct {
	net.Listener
	secure bool // TLS
}

// Open binds the addresses, host:port each, all or none: plain ones and those
// for TLS. The kernel keeps connections waiting until Run accepts them. A port
// that is taken is fault.Unavailable and names the address.
func (s *Server) Open(plain, secure []string) error {
	if len(plain)+len(secure) == 0 {
		return fault.New(fault.Invalid, "no address to listen on")
	}
	if len(secure) > 0 && s.config.Certs == nil {
		return fault.New(fault.Invalid, "no certificates for %q", secure[0])
	}
	var all []bound
	for i, addr := range append(append([]string(nil), plain...), secure...) {
		l, err := s.config.Listen("tcp", addr)
		if err != nil {
			for _, b := range all {
				_ = b.Close()
			}
			return listenFault(addr, err)
		}
		all = append(all, bound{l, i >= len(plain)})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners = append(s.listeners, all...)
	if len(secure) > 0 {
		s.securePort = portOf(all[len(plain)].Addr())
	}
	return nil
}

func listenFault(addr string, err error) error {
	var number syscall.Errno
	cause := err
	if errors.As(err, &number) {
		cause = number // without "listen tcp" and the address once more
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fault.Wrap(fault.Unavailable, cause, "cannot listen on %q", addr).WithSubject(addr).
			WithHint("another process has this port: stop it, or choose another address with --listen")
	case errors.Is(err, syscall.EACCES):
		return fault.Wrap(fault.Forbidden, cause, "cannot listen on %q", addr).WithSubject(addr).
			WithHint("ports below 1024 need CAP_NET_BIND_SERVICE")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fault.Wrap(fault.Unavailable, cause, "cannot listen on %q", addr).WithSubject(addr).
			WithHint("this machine does not have that address")
	default:
		return fault.Wrap(fault.Invalid, cause, "cannot listen on %q", addr).WithSubject(addr).
			WithHint("an address is HOST:PORT, such as 127.0.0.1:8080")
	}
}

// Close gives the bound addresses back. It is for a server that never comes to
// Run, and harmless after it.
func (s *Server) Close() error {
	for _, b := range s.bound() {
		_ = b.Close() // an error means that Run has closed it
	}
	return nil
}

func (s *Server) bound() []bound {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]bound(nil), s.listeners...)
}

// Addrs are the bound addresses in the order of Open: plain ones, then those
// for TLS.
func (s *Server) Addrs() []net.Addr {
	var addrs []net.Addr
	for _, b := range s.bound() {
		addrs = append(addrs, b.Addr())
	}
	return addrs
}

// SecureAddrs are the bound addresses for TLS.
func (s *Server) SecureAddrs() []net.Addr {
	var addrs []net.Addr
	for _, b := range s.bound() {
		if b.secure {
			addrs = append(addrs, b.Addr())
		}
	}
	return addrs
}

// Listeners are the bound sockets, to be handed to the process that comes next.
func (s *Server) Listeners() (plain, secure []net.Listener) {
	for _, b := range s.bound() {
		if b.secure {
			secure = append(secure, b.Listener)
		} else {
			plain = append(plain, b.Listener)
		}
	}
	return plain, secure
}

// portOf is the port of a bound address.
func portOf(a net.Addr) int {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return 0 // a pipe of a test
	}
	return tcp.Port
}
