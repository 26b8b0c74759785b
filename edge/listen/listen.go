// Package listen is the protected listener: what happens to a connection before
// a byte of it is understood. Listen binds an address and Inherited takes over
// bound ones; a Guard, shared by all listeners of a server, decides which
// connections it may hand on, how much each part of an answer may take, and who
// goes when it gets crowded. Where a proxy in front tells who the client is, it
// reads that too.
//
// The edge wraps its listeners with a Guard and gives them to net/http, below
// TLS: a connection that is refused here has cost no goroutine and no
// handshake. The package starts no goroutine of its own, and refuses to know
// what connections carry.
package listen

import (
	"context"
	"net"
	"strings"
	"syscall"
)

// Listen binds an address, HOST:PORT, of a network as in net.Listen. "tcp"
// without a host takes IPv4 and IPv6 where the machine has both.
func Listen(ctx context.Context, network, addr string) (net.Listener, error) {
	config := net.ListenConfig{Control: deferred}
	return config.Listen(ctx, network, addr)
}

// deferred has the kernel keep connections that say nothing.
func deferred(network, _ string, raw syscall.RawConn) error {
	if !strings.HasPrefix(network, "tcp") {
		return nil
	}
	return raw.Control(deferAccept)
}
