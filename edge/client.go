package edge

import (
	"net/http"
	"net/netip"
	"strings"
)

// maxHops bounds the walk through a forwarding chain a stranger wrote.
const maxHops = 32

// clientAddress is the only place that decides who sent a request; the access
// log uses it and every limit will. The peer of the connection is the client
// unless it is a trusted proxy: then it is the right-most address of
// X-Forwarded-For that is not one. A hop that does not parse ends the walk at
// the last address somebody trusted vouched for. Forwarded and X-Real-IP are
// never read, as proxies pass them on unchecked.
func clientAddress(r *http.Request, trusted []netip.Prefix) netip.Addr {
	client := peerAddress(r.RemoteAddr)
	if len(trusted) == 0 || !within(trusted, client) {
		return client
	}
	hops := 0
	lines := r.Header["X-Forwarded-For"]
	for i := len(lines) - 1; i >= 0; i-- {
		for rest, more := lines[i], true; more; hops++ {
			var hop string
			rest, hop, more = cutLast(rest)
			addr, err := netip.ParseAddr(strings.TrimSpace(hop))
			if err != nil || hops >= maxHops {
				return client
			}
			client = addr.Unmap().WithZone("")
			if !within(trusted, client) {
				return client
			}
		}
	}
	return client
}

// cutLast splits a comma-separated list before its last member.
func cutLast(list string) (rest, last string, more bool) {
	i := strings.LastIndexByte(list, ',')
	if i < 0 {
		return "", list, false
	}
	return list[:i], list[i+1:], true
}

func peerAddress(remote string) netip.Addr {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{} // a pipe or a unix socket has no address
	}
	return peer.Addr().Unmap().WithZone("")
}

func within(prefixes []netip.Prefix, addr netip.Addr) bool {
	for _, prefix := range prefixes {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// clientScheme is how the visitor's address bar begins: that of the connection, or
// what a trusted proxy says of its own.
func clientScheme(r *http.Request, trusted []netip.Prefix) string {
	if r.TLS != nil {
		return "https"
	}
	if len(trusted) > 0 && within(trusted, peerAddress(r.RemoteAddr)) && r.Header.Get("X-Forwarded-Proto") == "https" {
		return "https"
	}
	return "http"
}
