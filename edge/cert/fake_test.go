package cert_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/fazt-sh/fazt/edge/cert"
)

// order is one that a fakeCA was asked for.
type order struct {
	name string
	at   time.Time
}

// fakeCA issues without a network, for tests that live in a bubble.
type fakeCA struct {
	key         *ecdsa.PrivateKey
	life        time.Duration
	takes       time.Duration             // how long an order takes
	answer      func(order) error         // nil issues
	late        func(time.Time) time.Time // its clock; nil is ours
	garbage     bool
	stubborn    bool // it does not give up when it is told to
	mu          sync.Mutex
	orders      []order
	open        map[string]int // orders under way
	most        int            // orders under way for one name at once
	under, peak int            // orders under way for all names, and the most there were
}

func newFakeCA(t *testing.T, life time.Duration) *fakeCA {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &fakeCA{key: key, life: life, open: map[string]int{}}
}

func (*fakeCA) IssuerKey() string { return "fake" }

func (f *fakeCA) Issue(ctx context.Context, r *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	name := r.DNSNames[0]
	o := order{name, time.Now()}
	f.mu.Lock()
	f.orders = append(f.orders, o)
	f.open[name]++
	f.most = max(f.most, f.open[name])
	f.under++
	f.peak = max(f.peak, f.under)
	life, takes, answer, garbage := f.life, f.takes, f.answer, f.garbage
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.open[name]--
		f.under--
		f.mu.Unlock()
	}()
	if f.stubborn {
		ctx = context.WithoutCancel(ctx)
	}
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if answer != nil {
		if err := answer(o); err != nil {
			return nil, err
		}
	}
	if garbage {
		return &certmagic.IssuedCertificate{Certificate: []byte("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")}, nil
	}
	now := time.Now()
	if f.late != nil {
		now = f.late(now)
	}
	raw, err := signed(f.key, r.DNSNames, r.PublicKey, now, now.Add(life))
	return &certmagic.IssuedCertificate{Certificate: raw}, err
}

// change alters the CA while it is at work.
func (f *fakeCA) change(by func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	by()
}

func (f *fakeCA) all() []order {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.orders)
}

// signed is a certificate of a CA that nobody knows, as PEM.
func signed(ca *ecdsa.PrivateKey, names []string, public any, from, to time.Time) ([]byte, error) {
	number, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		return nil, err
	}
	parent := &x509.Certificate{Subject: pkix.Name{CommonName: "fake"}, SubjectKeyId: []byte{1}}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: number, DNSNames: names, NotBefore: from, NotAfter: to}, parent, public, ca)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), err
}

// quietNode is a manager at work without listeners, with f for a CA. stop ends
// it; inside a bubble it must be called.
func quietNode(t *testing.T, dir string, f *fakeCA) (m *cert.Manager, stop func()) {
	t.Helper()
	c := cert.Config{Dir: dir, HTTPPort: 80}
	if f != nil {
		c = cert.WithIssuer(c, f)
	}
	m = cert.New(c)
	if err := m.Open(); err != nil {
		t.Fatal(err)
	}
	n := &node{Manager: m}
	n.run(t)
	return m, n.stop
}
