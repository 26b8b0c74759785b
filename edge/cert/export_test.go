package cert

import (
	"context"
	"crypto/tls"
	"time"

	"github.com/caddyserver/certmagic"
)

// WithIssuer puts i in place of the CA.
func WithIssuer(c Config, i certmagic.Issuer) Config {
	c.issuer = i
	return c
}

// Lookup is what a handshake without challenge does.
func (m *Manager) Lookup(ctx context.Context, name string) (*tls.Certificate, error) {
	return m.lookup(ctx, canonical(name))
}

// AskNow has the CA asked about all renewals at once.
func (m *Manager) AskNow() {
	m.mu.Lock()
	for _, h := range m.hosts {
		h.asked = time.Now().Add(-time.Second)
	}
	m.mu.Unlock()
	m.poke()
}

// Backoff is the ladder after failures.
func Backoff(failures int, err error, now time.Time) time.Duration {
	return backoff(failures, err, now)
}

// Line is an error in one line.
func Line(err error) string { return line(err) }

const (
	PerMinute = perMinute
	AtOnce    = atOnce
	LineMax   = lineMax
)
