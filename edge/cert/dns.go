package cert

import (
	"strings"

	"github.com/caddyserver/certmagic"
	"github.com/libdns/libdns"
	"github.com/miekg/dns"

	"github.com/fazt-sh/fazt/platform/fault"
)

// provider returns who answers the DNS challenge.
func (m *Manager) provider(d DNS) (certmagic.DNSProvider, error) {
	secret := func() (string, error) { return m.secret(d.Credential) }
	if _, err := secret(); err != nil {
		return nil, err
	}
	switch d.Provider {
	case "cloudflare":
		return newCloudflare(m.config.Cloudflare, d.Zone, secret), nil
	case "rfc2136":
		return newUpdater(d, secret)
	}
	return nil, fault.New(fault.Invalid, "there is no dns provider %q", d.Provider).WithHint("the providers are cloudflare and rfc2136")
}

// secret reads the one line of a credential. It is read at each use, so that a
// new token takes effect without a restart.
func (m *Manager) secret(credential string) (string, error) {
	raw, err := m.read(credential)
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(raw))
	if text == "" || strings.ContainsAny(text, "\r\n\x00 ") {
		return "", fault.New(fault.Invalid, "credential %q must hold one line", credential).WithSubject(credential).
			WithHint("its file holds the token or secret and nothing else")
	}
	return text, nil
}

// inZone returns the zone to change and the absolute name of a record, both
// with a trailing dot. CertMagic finds the zone by asking name servers; the
// policy may know better.
func inZone(found, configured string, r libdns.RR) (zone, name string) {
	zone = dns.Fqdn(found)
	name = dns.Fqdn(libdns.AbsoluteName(r.Name, zone))
	if configured != "" {
		zone = dns.Fqdn(canonical(configured))
	}
	return zone, name
}
