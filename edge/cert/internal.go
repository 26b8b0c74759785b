package cert

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"path/filepath"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/fazt-sh/fazt/platform/fault"
)

const (
	rootCert, rootKey = "internal/root.crt", "internal/root.key"
	internalIssuer    = "internal" // in the storage's paths

	rootYears = 10
	leafLife  = 90 * 24 * time.Hour
	slack     = time.Hour // certificates begin in the past, for clients whose clock is late
)

// authority is the node's own CA: one root that signs the hosts' certificates.
// It is a certmagic.Issuer, so they are stored and renewed like those of any
// other CA. The root is never replaced by itself, as people trust it by hand.
type authority struct {
	storage *storage

	mu   sync.Mutex
	cert *x509.Certificate // nil as long as there is none; guarded by mu
	key  crypto.Signer     // guarded by mu
}

// IssuerKey implements certmagic.Issuer.
func (*authority) IssuerKey() string { return internalIssuer }

func (a *authority) pem() []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cert == nil {
		return nil
	}
	return encode("CERTIFICATE", a.cert.Raw)
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// load reads the root, if there is one.
func (a *authority) load(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.read(ctx)
}

func (a *authority) read(ctx context.Context) error {
	cert, err := a.storage.Load(ctx, rootCert)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	key, keyErr := a.storage.Load(ctx, rootKey)
	if err = errors.Join(err, keyErr); err == nil {
		pair, bad := parse(cert, key, "")
		if bad == nil {
			a.cert, a.key = pair.Leaf, pair.PrivateKey.(crypto.Signer)
			return nil
		}
		err = bad
	}
	return a.broken(err, "cannot be read")
}

func (a *authority) broken(err error, what string) error {
	dir := filepath.Join(a.storage.Path, filepath.Dir(rootCert))
	return fault.Wrap(fault.Unavailable, err, "the node's own CA %s", what).WithSubject(dir).
		WithHint("restore %s from a backup; or remove it, and trust the new CA that the node makes then", dir)
}

// root returns the CA, made if there is none.
func (a *authority) root(ctx context.Context, now time.Time) (*x509.Certificate, crypto.Signer, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cert == nil {
		if err := a.read(ctx); err != nil {
			return nil, nil, err
		}
	}
	if a.cert == nil {
		if err := a.create(ctx, now); err != nil {
			return nil, nil, err
		}
	}
	if !now.Before(a.cert.NotAfter) {
		return nil, nil, a.broken(errors.New(a.cert.NotAfter.UTC().Format(time.DateOnly)), "has ended")
	}
	return a.cert, a.key, nil
}

// create makes the root. The key is written first: without its certificate
// nobody has trusted it yet.
func (a *authority) create(ctx context.Context, now time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	number, err := serial()
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: number,
		Subject:      pkix.Name{Organization: []string{"fazt"}, CommonName: "internal CA " + hex.EncodeToString(number.Bytes()[:3])},
		NotBefore:    now.Add(-slack),
		NotAfter:     now.AddDate(rootYears, 0, 0),
		KeyUsage:     x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		IsCA:         true, BasicConstraintsValid: true, MaxPathLenZero: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := certmagic.PEMEncodePrivateKey(key)
	if err != nil {
		return err
	}
	if err := a.storage.Store(ctx, rootKey, private); err != nil {
		return err
	}
	if err := a.storage.Store(ctx, rootCert, encode("CERTIFICATE", der)); err != nil {
		return err
	}
	a.cert, err = x509.ParseCertificate(der)
	a.key = key
	return err
}

// Issue implements certmagic.Issuer.
func (a *authority) Issue(ctx context.Context, request *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	now := time.Now()
	root, key, err := a.root(ctx, now)
	if err != nil {
		return nil, err
	}
	number, err := serial()
	if err != nil {
		return nil, err
	}
	end := now.Add(leafLife)
	if end.After(root.NotAfter) {
		end = root.NotAfter
	}
	template := &x509.Certificate{
		SerialNumber: number,
		NotBefore:    now.Add(-slack),
		NotAfter:     end,
		DNSNames:     request.DNSNames, IPAddresses: request.IPAddresses,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, root, request.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return &certmagic.IssuedCertificate{Certificate: encode("CERTIFICATE", der)}, nil
}

// serial returns 127 random bits, which a CA's numbers must begin with.
func serial() (*big.Int, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	return n.SetBit(n, 126, 1), nil
}
