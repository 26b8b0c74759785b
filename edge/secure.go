package edge

import (
	"net"
	"net/http"
	"strconv"

	"github.com/fazt-sh/fazt/spec"
)

// hsts tells a browser to come by TLS only, for a year. Names below this one are
// left out: they may be somebody else's.
const hsts = "max-age=31536000"

// scheme sends a visitor of plain HTTP to the same address behind TLS, where the
// node has certificates and the peer is not a proxy that ends TLS itself. Only
// what a browser may repeat is sent on: a body, or the token of a command, would
// have crossed the net in clear already, so anything else is refused.
func (s *Server) scheme(x *exchange, r *http.Request) (done bool, err error) {
	if r.TLS != nil || !x.snap.secure {
		return false, nil
	}
	host, err := spec.ParseHost(r.Host)
	if s.securePort == 0 || err != nil || within(x.snap.trusted, peerAddress(r.RemoteAddr)) {
		return false, nil
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead || x.site.commands(r.URL.Path) {
		x.Header().Set("Connection", "close")
		return true, errPlain
	}
	x.Header().Set("Location", "https://"+secureHost(host, s.securePort)+r.URL.RequestURI())
	x.Header().Set("Content-Length", "0")
	x.WriteHeader(http.StatusPermanentRedirect)
	return true, nil
}

// secureHost is a canonical host with the port of TLS.
func secureHost(host string, port int) string {
	if port == 443 {
		return host
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}
