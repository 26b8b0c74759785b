package cert

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"

	"github.com/fazt-sh/fazt/platform/fault"
)

// table is what handshakes look things up in. It never changes; publish
// replaces it.
type table struct {
	exact   map[string]*tls.Certificate // nil: wanted, and none there yet
	wild    map[string]*tls.Certificate // of "*.example.com" by ".example.com"
	loading chan struct{}               // closed when the disk has been asked for the hosts of this table; nil: it has been
}

// find returns the certificate for a canonical name: its own, or that of its
// wildcard. wanted tells whether it is the name of a host at all. One that has
// ended is found too: the visitor's clock decides, not this machine's.
func (t *table) find(name string) (pair *tls.Certificate, wanted bool) {
	pair, wanted = t.exact[name]
	if pair != nil {
		return pair, true
	}
	if dot := strings.IndexByte(name, '.'); dot > 0 {
		wild, ok := t.wild[name[dot:]]
		return wild, ok || wanted
	}
	return nil, wanted
}

// publish makes what the hosts have the table of the next handshake. m.mu is
// held.
func (m *Manager) publish() {
	t := &table{exact: make(map[string]*tls.Certificate, len(m.hosts)), wild: map[string]*tls.Certificate{}}
	loaded := true
	for name, h := range m.hosts {
		loaded = loaded && h.loaded
		if suffix, wild := strings.CutPrefix(name, "*"); wild {
			t.wild[suffix] = h.pair
			continue
		}
		t.exact[name] = h.pair
		if cover := m.hosts[h.cover]; cover != nil && cover.pair != nil {
			t.exact[name] = cover.pair
		}
	}
	if !loaded {
		t.loading = make(chan struct{})
	}
	if old := m.table.Swap(t); old.loading != nil {
		close(old.loading) // who waits looks again
	}
	m.announce()
}

// TLS returns what a listener needs: TLS 1.2 with forward secrecy and AEAD, or
// 1.3. A name that is not the name of a host gets the alert unrecognized_name,
// without a look at the disk.
func (m *Manager) TLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		CipherSuites: []uint16{ // of 1.2; those of 1.3 are not a choice
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305,
		},
		NextProtos:     []string{"h2", "http/1.1", acmez.ACMETLS1Protocol},
		GetCertificate: m.certificate,
	}
}

// certificate answers a handshake. crypto/tls sends unrecognized_name where
// there is neither a certificate nor an error.
func (m *Manager) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := canonical(hello.ServerName)
	if len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == acmez.ACMETLS1Protocol {
		return m.challenge(hello, name)
	}
	return m.lookup(hello.Context(), name)
}

// lookup waits for nothing but the first look at the disk, and for that only if
// the name is wanted, so that a start refuses nobody who has a certificate.
func (m *Manager) lookup(ctx context.Context, name string) (*tls.Certificate, error) {
	for {
		t := m.table.Load()
		pair, wanted := t.find(name)
		switch {
		case pair != nil || !wanted:
			return pair, nil
		case t.loading == nil:
			return nil, fault.New(fault.Unavailable, "there is no certificate for %q yet", name).WithSubject(name)
		}
		select {
		case <-t.loading:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// answers is how challenges of the policy's CA are answered; it needs none of
// the credentials that orders need.
type answers struct {
	config *certmagic.Config
	issuer *certmagic.ACMEIssuer
}

// challenge is the handshake of a CA that validates a name by TLS-ALPN-01.
func (m *Manager) challenge(hello *tls.ClientHelloInfo, name string) (*tls.Certificate, error) {
	_, wanted := m.table.Load().find(name)
	a := m.answers.Load()
	if !wanted || a == nil {
		return nil, nil
	}
	return a.config.GetCertificate(hello)
}

// challengePath is reserved on every host, so that no app can answer a CA.
const challengePath = "/.well-known/acme-challenge/"

// Challenge answers r and returns true if r is for the path of the HTTP-01
// challenge, with 404 where no order waits for that answer.
func (m *Manager) Challenge(w http.ResponseWriter, r *http.Request) bool {
	if !strings.HasPrefix(r.URL.Path, challengePath) {
		return false
	}
	_, wanted := m.table.Load().find(canonical(hostname(r.Host)))
	if a := m.answers.Load(); wanted && a != nil && a.issuer.HandleHTTPChallenge(w, r) {
		return true
	}
	http.NotFound(w, r)
	return true
}

// hostname is the part of a Host header that names the host.
func hostname(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return hostport
}
