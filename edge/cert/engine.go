package cert

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"hash/fnv"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"
	"go.uber.org/zap"

	"github.com/fazt-sh/fazt/platform/fault"
)

// engine orders certificates from one source.
type engine struct {
	storage    *storage
	issuer     string            // the folder of its certificates
	zone       string            // of the DNS provider, if the policy names it
	ports, dns *certmagic.Config // by challenge at a port or without any, and by DNS; nil where there is no such way
}

// issuer is the folder of the policy's certificates.
func (m *Manager) issuer(p Policy) string {
	switch {
	case m.config.issuer != nil:
		return m.config.issuer.IssuerKey()
	case p.Mode == Internal:
		return m.authority.IssuerKey()
	}
	return (&certmagic.ACMEIssuer{CA: p.CA}).IssuerKey()
}

// source returns the engine of a policy. It is kept once it could be made, and
// made anew at the next order where a credential was missing.
func (m *Manager) source(ctx context.Context, p Policy) (*engine, error) {
	m.mu.Lock()
	kept := m.engine
	fits := m.policy.sameSource(p)
	cache := m.cache
	m.mu.Unlock()
	switch {
	case !fits || cache == nil:
		return nil, fault.New(fault.Conflict, "the policy has changed")
	case kept != nil:
		return kept, nil
	}
	e, err := m.build(cache, p)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.engine == nil && m.policy.sameSource(p) {
		m.engine = e
	}
	return e, nil
}

func (m *Manager) build(cache *certmagic.Cache, p Policy) (*engine, error) {
	e := &engine{storage: m.storage, issuer: m.issuer(p)}
	switch {
	case m.config.issuer != nil:
		e.ports = m.configure(cache)
		e.ports.Issuers = []certmagic.Issuer{m.config.issuer}
		e.dns = e.ports
		return e, nil
	case p.Mode == Internal:
		e.ports = m.configure(cache)
		e.ports.Issuers = []certmagic.Issuer{m.authority}
		return e, nil
	}
	roots, err := m.roots(p.CARoot)
	if err != nil {
		return nil, err
	}
	if m.config.HTTPPort > 0 || m.config.TLSPort > 0 {
		e.ports, _ = m.acme(cache, p, roots, nil)
	}
	if p.DNS != nil {
		provider, err := m.provider(*p.DNS)
		if err != nil {
			return nil, err
		}
		e.zone = canonical(p.DNS.Zone)
		e.dns, _ = m.acme(cache, p, roots, &certmagic.DNS01Solver{DNSManager: certmagic.DNSManager{
			DNSProvider: provider, TTL: time.Minute, Resolvers: m.config.Resolvers, Logger: zap.NewNop(),
		}})
	}
	return e, nil
}

func (m *Manager) configure(cache *certmagic.Cache) *certmagic.Config {
	return certmagic.New(cache, certmagic.Config{
		Storage: m.storage, Logger: zap.NewNop(), OCSP: certmagic.OCSPConfig{DisableStapling: true},
	})
}

// nobody is the account's address where the policy names none. CertMagic asks
// the terminal for an empty one; the CA is not told of this one, and the
// account's folder is the same for both.
const nobody = "default"

func (m *Manager) acme(cache *certmagic.Cache, p Policy, roots *x509.CertPool, dns *certmagic.DNS01Solver) (*certmagic.Config, *certmagic.ACMEIssuer) {
	config := m.configure(cache)
	template := certmagic.ACMEIssuer{
		CA: p.CA, Email: p.Email, Agreed: true, TrustedRoots: roots, Logger: zap.NewNop(), ListenHost: m.config.ListenHost,
		DisableHTTPChallenge: m.config.HTTPPort <= 0, AltHTTPPort: m.config.HTTPPort,
		DisableTLSALPNChallenge: m.config.TLSPort <= 0, AltTLSALPNPort: m.config.TLSPort,
	}
	if dns != nil {
		template.DNS01Solver = dns
	}
	if template.Email == "" {
		template.Email = nobody
		template.NewAccountFunc = func(_ context.Context, _ *certmagic.ACMEIssuer, a acme.Account) (acme.Account, error) {
			a.Contact = nil
			return a, nil
		}
	}
	issuer := certmagic.NewACMEIssuer(config, template)
	config.Issuers = []certmagic.Issuer{issuer}
	return config, issuer
}

// answer makes the challenges of the policy's CA answerable, those of orders of
// an earlier process too.
func (m *Manager) answer(p Policy) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p.Mode != ACME || m.cache == nil || m.config.issuer != nil || m.answers.Load() != nil || !m.policy.sameSource(p) {
		return
	}
	config, issuer := m.acme(m.cache, p, nil, nil)
	m.answers.Store(&answers{config: config, issuer: issuer})
}

// order gets a certificate for host and stores it. failures is the number of
// tries that failed before: it chooses among the ways there are, and leads
// CertMagic to Let's Encrypt's staging CA until a retry would succeed.
func (e *engine) order(ctx context.Context, host string, failures int) (*tls.Certificate, error) {
	if err := e.storage.mend(ctx, e.issuer, host); err != nil {
		return nil, err
	}
	undo := e.storage.keep(ctx, e.issuer, host)
	if err := e.try(ctx, host, failures); err != nil {
		return nil, err
	}
	pair, err := e.storage.pair(ctx, e.issuer, host)
	if err != nil {
		return nil, errors.Join(fault.Wrap(fault.Unavailable, err, "what the CA sent makes no certificate"), undo())
	}
	return pair, nil
}

// try makes one order, and another if the first was refused for naming what it
// replaces.
func (e *engine) try(ctx context.Context, host string, failures int) error {
	ctx = context.WithValue(ctx, certmagic.AttemptsCtxKey, &failures)
	renews := e.storage.Exists(ctx, certmagic.StorageKeys.SiteMeta(e.issuer, host))
	err := e.way(host, failures).RenewCertSync(ctx, host, true)
	if !renews || !unrelated(err) {
		return err
	}
	if err := e.storage.forget(ctx, e.issuer, host); err != nil {
		return err
	}
	return e.way(host, failures).RenewCertSync(ctx, host, true)
}

// unrelated tells whether a CA refused an order because of the certificate that
// it says it replaces: one of another account, after a change of the address or
// a loss, or one that the CA does not know. Nothing was validated yet.
func unrelated(err error) bool {
	p := acme.Problem{}
	return errors.As(err, &p) && p.Resource == nil && (p.Type == acme.ProblemTypeUnauthorized || p.Type == acme.ProblemTypeMalformed)
}

// way is how the n-th try for a host is made. A wildcard takes DNS. For other
// names both ways are tried in turn where there are two: a zone that is named is
// a reason to begin with DNS, as the ports may not be reachable; otherwise DNS
// comes second, as the host may not be in a zone of the provider.
func (e *engine) way(host string, n int) *certmagic.Config {
	switch {
	case e.dns == nil:
		return e.ports
	case e.ports == nil || strings.HasPrefix(host, "*"):
		return e.dns
	}
	inZone := e.zone != "" && (host == e.zone || strings.HasSuffix(host, "."+e.zone))
	if inZone == (n%2 == 0) {
		return e.dns
	}
	return e.ports
}

// askEvery is how often the CA is asked when it wants a certificate renewed, if
// it does not say itself.
const askEvery = 6 * time.Hour

// wish is what a CA answers when it is asked about a renewal.
type wish struct{ early, again time.Time }

// ask asks the CA about one certificate for which it is time, one at a time: a
// CA that must revoke says so here, ahead of the usual renewal. m.mu is held.
func (m *Manager) ask(ctx context.Context, now time.Time, begin func(func() outcome)) {
	a := m.answers.Load()
	if a == nil || m.asking {
		return
	}
	for _, h := range m.hosts {
		if !h.own() || !h.settled() || h.asked.After(now) {
			continue
		}
		if h.asked.IsZero() {
			h.asked = now.Add(spread(h.name))
			continue
		}
		m.asking = true
		policy, pair := m.policy, *h.pair
		begin(func() outcome {
			return outcome{host: h, wish: m.question(ctx, policy, certmagic.Certificate{Certificate: pair})}
		})
		return
	}
}

func (m *Manager) question(ctx context.Context, p Policy, pair certmagic.Certificate) *wish {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	w := &wish{again: time.Now().Add(askEvery)}
	e, err := m.source(ctx, p)
	if err != nil {
		return w
	}
	config := e.ports
	if config == nil {
		config = e.dns
	}
	asked, ok := config.Issuers[0].(certmagic.RenewalInfoGetter)
	if !ok {
		return w
	}
	info, err := asked.GetRenewalInfo(ctx, pair)
	if err != nil {
		return w // it has no opinion, or cannot be reached
	}
	w.early = info.SelectedTime
	if info.RetryAfter != nil && info.RetryAfter.After(w.again) {
		w.again = *info.RetryAfter
	}
	return w
}

// spread puts the first questions about many certificates apart.
func spread(name string) time.Duration {
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(name))
	return time.Duration(sum.Sum64() % uint64(askEvery))
}
