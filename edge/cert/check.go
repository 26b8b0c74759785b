package cert

import (
	"crypto/x509"
	"net/netip"
	"net/url"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Check tells whether p can work on this node, before it is applied: whether its
// credentials are there and good, and whether its wildcards can be ordered. It
// asks nobody but the disk. The error's kind is Invalid.
func (m *Manager) Check(p Policy) error {
	p = p.normal()
	switch p.Mode {
	case Off, Internal:
		return nil
	case Files:
		return m.checkFiles(p)
	case ACME:
		return m.checkACME(p)
	}
	return fault.New(fault.Invalid, "there is no tls mode %q", p.Mode).WithHint("the modes are acme, internal, files and off")
}

func (m *Manager) checkFiles(p Policy) error {
	if len(p.Files) == 0 {
		return fault.New(fault.Invalid, "tls mode files names no files").WithHint(`add files = [{ cert = "NAME", key = "NAME" }], with the names of credentials`)
	}
	for _, pair := range p.Files {
		if _, err := m.readPair(pair); err != nil {
			return err
		}
	}
	return nil
}

func (m *Manager) checkACME(p Policy) error {
	if err := checkDirectory(p.CA); err != nil {
		return err
	}
	if _, err := m.roots(p.CARoot); err != nil {
		return err
	}
	if p.DNS != nil {
		if _, err := m.provider(*p.DNS); err != nil {
			return err
		}
	}
	for _, h := range p.Hosts {
		if verdict, reason := p.judge(h, m.config); verdict == NeedsDNS {
			return fault.New(fault.Invalid, "%q cannot get a certificate: %s", h, reason).WithSubject(h).
				WithHint(`add dns = { provider = "cloudflare", credential = "NAME" } to tls, or name each host instead of %q`, h)
		}
	}
	return nil
}

// checkDirectory judges the address of a CA: https, or http on this machine.
func checkDirectory(ca string) error {
	u, err := url.Parse(ca)
	if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return fault.New(fault.Invalid, "%q is not the address of an ACME directory", ca).
			WithHint("it is an https address, such as https://acme-v02.api.letsencrypt.org/directory")
	}
	return nil
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && addr.IsLoopback()
}

// roots returns what vouches for the CA's own address; nil is the system's.
func (m *Manager) roots(credential string) (*x509.CertPool, error) {
	if credential == "" {
		return nil, nil
	}
	raw, err := m.read(credential)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(raw) {
		return nil, fault.New(fault.Invalid, "credential %q holds no certificate", credential).WithSubject(credential).
			WithHint("ca_root names a PEM file with the root of the CA's own https address")
	}
	return pool, nil
}
