package cert

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"

	"github.com/caddyserver/certmagic"

	"github.com/fazt-sh/fazt/platform/fault"
)

// errNone says that the disk has nothing for a host.
var errNone = errors.New("no stored certificate")

// storage is the folder of certificates, accounts and challenges. Its locks live
// in memory: another process is kept out by the lock of the state folder, so a
// killed one leaves no lock to wait for.
type storage struct {
	*certmagic.FileStorage

	mu   sync.Mutex
	held map[string]chan struct{} // closed by Unlock; guarded by mu
}

func newStorage(dir string) *storage {
	return &storage{FileStorage: &certmagic.FileStorage{Path: dir}, held: map[string]chan struct{}{}}
}

// open makes the folder private and tries whether it can be written to.
func (s *storage) open() error {
	err := os.Mkdir(s.Path, 0o700)
	if errors.Is(err, fs.ErrExist) {
		err = os.Chmod(s.Path, 0o700)
	}
	if err == nil {
		err = s.try()
	}
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "cannot keep certificates in %q", s.Path).WithSubject(s.Path).
			WithHint("the folder must be one that this user can read and write, on a disk with space: certificates and their keys are kept there")
	}
	return nil
}

func (s *storage) try() error {
	f, err := os.CreateTemp(s.Path, "try-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// Lock implements certmagic.Locker.
func (s *storage) Lock(ctx context.Context, name string) error {
	for {
		s.mu.Lock()
		other, taken := s.held[name]
		if !taken {
			s.held[name] = make(chan struct{})
		}
		s.mu.Unlock()
		if !taken {
			return nil
		}
		select {
		case <-other:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// TryLock implements certmagic.TryLocker in place of the file's.
func (s *storage) TryLock(_ context.Context, name string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.held[name]; taken {
		return false, nil
	}
	s.held[name] = make(chan struct{})
	return true, nil
}

// Unlock implements certmagic.Locker.
func (s *storage) Unlock(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if held, ok := s.held[name]; ok {
		close(held)
		delete(s.held, name)
	}
	return nil
}

// pair reads what is stored for a host: errNone where there is nothing, any
// other error where it cannot be read or makes no certificate for the host.
func (s *storage) pair(ctx context.Context, issuer, host string) (*tls.Certificate, error) {
	cert, err := s.Load(ctx, certmagic.StorageKeys.SiteCert(issuer, host))
	if err != nil {
		return nil, missing(err)
	}
	key, err := s.Load(ctx, certmagic.StorageKeys.SitePrivateKey(issuer, host))
	if err != nil {
		return nil, missing(err)
	}
	pair, err := parse(cert, key, host)
	if err == nil && issuer == internalIssuer {
		s.addRoot(ctx, pair)
	}
	return pair, err
}

// addRoot has the node's own CA shown beside what it signed, so that who wrote down
// its key knows it whichever certificate there is.
func (s *storage) addRoot(ctx context.Context, pair *tls.Certificate) {
	text, err := s.Load(ctx, rootCert)
	if err != nil {
		return
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return
	}
	if root, err := x509.ParseCertificate(block.Bytes); err == nil && len(pair.Certificate) == 1 && pair.Leaf.CheckSignatureFrom(root) == nil {
		pair.Certificate = append(pair.Certificate, root.Raw)
	}
}

func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errNone
	}
	return err
}

// parse makes a certificate of PEM, for a host unless that is empty.
func parse(cert, key []byte, host string) (*tls.Certificate, error) {
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	if host != "" {
		if err := pair.Leaf.VerifyHostname(host); err != nil {
			return nil, err
		}
	}
	return &pair, nil
}

// keep remembers what is stored for a host, so that undo can put it back when
// what came after makes no certificate.
func (s *storage) keep(ctx context.Context, issuer, host string) (undo func() error) {
	key, cert := certmagic.StorageKeys.SitePrivateKey(issuer, host), certmagic.StorageKeys.SiteCert(issuer, host)
	oldKey, errKey := s.Load(ctx, key)
	oldCert, errCert := s.Load(ctx, cert)
	if errKey != nil || errCert != nil {
		return func() error { return nil }
	}
	return func() error {
		return errors.Join(s.Store(ctx, key, oldKey), s.Store(ctx, cert, oldCert))
	}
}

// forget removes the description of a certificate, so that the next order is
// not the renewal of another. The certificate and its key stay: the order writes
// over them.
func (s *storage) forget(ctx context.Context, issuer, host string) error {
	return s.Delete(ctx, certmagic.StorageKeys.SiteMeta(issuer, host))
}

// mend removes damaged descriptions and accounts, so that an order starts anew
// where it would fail for ever.
func (s *storage) mend(ctx context.Context, issuer, host string) error {
	raw, err := s.Load(ctx, certmagic.StorageKeys.SiteMeta(issuer, host))
	if err == nil && json.Unmarshal(raw, new(certmagic.CertificateResource)) != nil {
		if err := s.forget(ctx, issuer, host); err != nil {
			return err
		}
	}
	accounts, err := s.List(ctx, "acme", true)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, key := range accounts {
		if strings.Contains(key, "/users/") && s.torn(ctx, key) {
			err = errors.Join(err, s.Delete(ctx, key))
		}
	}
	return err
}

// torn tells whether a file of an account is damaged.
func (s *storage) torn(ctx context.Context, key string) bool {
	raw, err := s.Load(ctx, key)
	if err != nil {
		return false
	}
	switch path.Ext(key) {
	case ".json":
		return json.Unmarshal(raw, &map[string]any{}) != nil
	case ".key":
		_, err := certmagic.PEMDecodePrivateKey(raw)
		return err != nil
	}
	return false
}
