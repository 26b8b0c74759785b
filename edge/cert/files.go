package cert

import (
	"crypto/tls"
	"errors"
	"io"
	"os"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
)

// fileLook is how often files are looked at for a change.
const fileLook = 3 * time.Second

// credentialMax bounds what is read of a credential's file.
const credentialMax = 1 << 20

// file is what is known of one pair of files.
type file struct {
	cert, key os.FileInfo
	pair      *tls.Certificate // the last that was good; nil if none was
	err       error            // of the last read
}

// path returns the file of a credential, or says how to give it.
func (m *Manager) path(credential string) (string, error) {
	path, ok := m.config.Credential(credential)
	if credential == "" || !ok {
		return "", fault.New(fault.Invalid, "the node has no credential %q", credential).WithSubject(credential).
			WithHint("start the node with --credential %s=PATH", credential)
	}
	return path, nil
}

// read returns what is in the file of a credential.
func (m *Manager) read(credential string) ([]byte, error) {
	path, err := m.path(credential)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(credential, err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, credentialMax+1))
	switch {
	case err != nil:
		return nil, unreadable(credential, err)
	case len(raw) > credentialMax:
		return nil, fault.New(fault.Invalid, "credential %q is larger than a megabyte", credential).WithSubject(credential)
	}
	return raw, nil
}

func unreadable(credential string, err error) error {
	return fault.Wrap(fault.Invalid, err, "credential %q cannot be read", credential).WithSubject(credential).
		WithHint("the file that --credential names must be readable for the node's user")
}

// readPair reads a certificate and its key.
func (m *Manager) readPair(p Pair) (*tls.Certificate, error) {
	cert, err := m.read(p.Cert)
	if err != nil {
		return nil, err
	}
	key, err := m.read(p.Key)
	if err != nil {
		return nil, err
	}
	pair, err := parse(cert, key, "")
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "credentials %q and %q make no certificate", p.Cert, p.Key).WithSubject(p.Cert).
			WithHint("%s must be PEM with the certificate and then its chain, %s PEM with its private key", p.Cert, p.Key)
	}
	return pair, nil
}

// reload reads the files that have changed and gives each host the certificate
// that ends last among those that name it. Only Run calls it.
func (m *Manager) reload(p Policy) {
	m.mu.Lock()
	known := m.files
	m.mu.Unlock()
	changed := known == nil
	files := make(map[Pair]*file, len(p.Files))
	for _, pair := range p.Files {
		f, fresh := m.refresh(pair, known[pair])
		files[pair] = f
		changed = changed || fresh
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.policy.sameSource(p) {
		return // Run was woken for the new one
	}
	m.files = files
	complete := true
	for _, h := range m.hosts {
		complete = complete && h.loaded
	}
	if changed || !complete {
		m.assign(p)
	}
}

// refresh reads a pair if its files are others than those known, or could not be
// used. A bad one leaves what was good in use.
func (m *Manager) refresh(p Pair, known *file) (*file, bool) {
	cert, key := m.stat(p.Cert), m.stat(p.Key)
	if known != nil && known.err == nil && unchanged(cert, known.cert) && unchanged(key, known.key) {
		return known, false
	}
	f := &file{cert: cert, key: key}
	if f.pair, f.err = m.readPair(p); f.err != nil {
		if known != nil && known.err != nil && known.err.Error() == f.err.Error() {
			return known, false
		}
		m.log.Warn("certificate file not used", "cert", p.Cert, "key", p.Key, "err", f.err)
		if known != nil {
			f.pair = known.pair
		}
		return f, true
	}
	m.log.Info("certificate file read", "cert", p.Cert, "names", f.pair.Leaf.DNSNames, "until", f.pair.Leaf.NotAfter)
	return f, true
}

// stat describes the file of a credential; nil if there is none.
func (m *Manager) stat(credential string) os.FileInfo {
	path, err := m.path(credential)
	if err != nil {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	return info
}

func unchanged(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// assign gives the hosts their certificates. m.mu is held.
func (m *Manager) assign(p Policy) {
	for _, h := range m.hosts {
		best, err := m.best(p, h.name)
		h.loaded, h.pair, h.problem = true, nil, ""
		switch {
		case best != nil:
			h.pair, err = best.pair, best.err
		case err == nil:
			err = errUnnamed
		}
		if err != nil {
			h.problem = line(err)
		}
	}
	m.publish()
}

// errUnnamed says that no file has a certificate for a host.
var errUnnamed = errors.New("no certificate of the files names it")

// best returns the file whose certificate for host ends last, or an error of any
// file if there is none.
func (m *Manager) best(p Policy, host string) (best *file, err error) {
	for _, pair := range p.Files {
		f := m.files[pair]
		if f.err != nil && err == nil {
			err = f.err
		}
		if f.pair == nil || f.pair.Leaf.VerifyHostname(host) != nil {
			continue
		}
		if best == nil || f.pair.Leaf.NotAfter.After(best.pair.Leaf.NotAfter) {
			best = f
		}
	}
	return best, err
}
