package cert_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"

	"github.com/fazt-sh/fazt/edge/cert"
)

// TestMain makes pebble quick and agreeable; a test may ask for less.
func TestMain(m *testing.M) {
	os.Setenv("PEBBLE_VA_NOSLEEP", "1")
	os.Setenv("PEBBLE_WFE_NONCEREJECT", "0")
	os.Exit(m.Run())
}

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// pebble is Let's Encrypt's CA for tests, in this process.
type pebble struct {
	server *httptest.Server
	manage http.Handler
	ca     *ca.CAImpl
	orders atomic.Int32 // requests for a new order
}

// newPebble starts a CA that comes to the ports and asks the name server. life
// is that of its certificates in seconds. PEBBLE_… variables are read here.
func newPebble(t *testing.T, httpPort, tlsPort int, dns string, life uint64) *pebble {
	t.Helper()
	store := db.NewMemoryStore()
	authority := ca.New(quiet(), store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {ValidityPeriod: life}})
	front := wfe.New(quiet(), store, va.New(quiet(), httpPort, tlsPort, false, dns, store), authority, []string{"ca.test"}, false, false, 1, 1)
	p := &pebble{ca: authority, manage: front.ManagementHandler()}
	handler := front.Handler()
	p.server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/order-plz" {
			p.orders.Add(1)
		}
		handler.ServeHTTP(w, r)
	}))
	p.server.Config.ErrorLog = quiet()
	t.Cleanup(p.server.Close)
	return p
}

// policy wants hosts certified by p; the node gets to know p's address.
func (p *pebble) policy(t *testing.T, n *node, hosts ...string) cert.Policy {
	t.Helper()
	n.credential(t, "pebble", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.server.Certificate().Raw}))
	return cert.Policy{Mode: cert.ACME, CA: p.server.URL + wfe.DirectoryPath, CARoot: "pebble", Hosts: hosts}
}

// roots trust what p certifies.
func (p *pebble) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(p.ca.GetRootCert(0).Cert)
	return pool
}

// renewNow makes p ask for the renewal of a certificate.
func (p *pebble) renewNow(t *testing.T, c *x509.Certificate, window string) {
	t.Helper()
	body := `{"certificate":` + quote(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))) + `,"ariResponse":` + quote(window) + `}`
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/set-renewal-info/", bytes.NewBufferString(body))
	r.Header.Set("User-Agent", "test")
	p.manage.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("set-renewal-info: %d %s", w.Code, w.Body)
	}
}
