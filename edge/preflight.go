package edge

import (
	"crypto/rand"
	"io"
	"net/http"
	"strings"

	"github.com/fazt-sh/fazt/edge/cert"
	"github.com/fazt-sh/fazt/spec"
)

// Preflight lets this node be recognised from outside, at the path where a CA
// would look: until end is called, path answers word at every host.
func (s *Server) Preflight() (path, word string, end func()) {
	name := "fazt-" + rand.Text()
	word = rand.Text()
	s.words.Store(name, word)
	return prefixACME + name, word, func() { s.words.Delete(name) }
}

// reserved answers below the path that a CA asks at, which no app has.
func (s *Server) reserved(x *exchange, r *http.Request) (bool, error) {
	name, ours := strings.CutPrefix(r.URL.Path, prefixACME)
	if !ours {
		return false, nil
	}
	if word, ok := s.words.Load(name); ok {
		x.Header().Set("Content-Type", "text/plain")
		x.Header().Set("Cache-Control", "no-store")
		_, err := io.WriteString(x, word.(string))
		return true, err
	}
	return s.config.Certs != nil && s.config.Certs.Challenge(x, r), nil
}

// TLSMode is where the published snapshot has its certificates from: off, where
// it has none.
func (s *Server) TLSMode() string {
	n := s.current.Load()
	if !n.secure || s.config.Certs == nil {
		return string(cert.Off)
	}
	return n.tls.Mode
}

// Limits are the published snapshot's, defaults filled.
func (s *Server) Limits() spec.Limits { return s.current.Load().limits.allowed }

// Hosts are all names that apps have, sorted; "*.example.com" is a wildcard.
func (s *Server) Hosts() []string {
	n := s.acquire()
	defer n.release()
	return n.table.hosts()
}

// Serves tells which app has a host.
func (s *Server) Serves(host string) (spec.Addr, bool) {
	n := s.acquire()
	defer n.release()
	site := n.table.find(host)
	if site == nil {
		return "", false
	}
	return site.addr, true
}
