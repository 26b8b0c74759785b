package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// credential is a certificate with its key.
type credential struct {
	*x509.Certificate
	key *ecdsa.PrivateKey
}

// sign makes a certificate for localhost, of itself where by is nil.
func sign(t *testing.T, by *credential, change func(*x509.Certificate)) *credential {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IsCA: by == nil, BasicConstraintsValid: true}
	if change != nil {
		change(c)
	}
	parent, parentKey := c, key
	if by != nil {
		parent, parentKey = by.Certificate, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &credential{made, key}
}

// A pin trusts one key and what it signed, for the host that was asked, in its time.
// That a certificate is shown beside proves nothing: everybody can show the node's CA.
func TestPinned(t *testing.T) {
	root, other := sign(t, nil, nil), sign(t, nil, nil)
	leaf := sign(t, root, nil)
	old := sign(t, root, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	foreign := sign(t, root, func(c *x509.Certificate) { c.DNSNames = []string{"elsewhere.example"} })
	self := sign(t, nil, func(c *x509.Certificate) { c.IsCA = false })
	for name, c := range map[string]struct {
		pin   *credential
		chain []*credential
		good  bool
	}{
		"the CA":                           {root, []*credential{leaf, root}, true},
		"the certificate itself":           {leaf, []*credential{leaf}, true},
		"a certificate without a CA":       {self, []*credential{self}, true},
		"another CA":                       {other, []*credential{leaf, root}, false},
		"the CA is not shown":              {root, []*credential{leaf}, false},
		"the CA is shown by somebody else": {root, []*credential{self, root}, false},
		"one of the CA's beside another":   {leaf, []*credential{self, leaf}, false},
		"it has ended":                     {root, []*credential{old, root}, false},
		"another host":                     {root, []*credential{foreign, root}, false},
		"another host, pinned itself":      {foreign, []*credential{foreign}, false},
		"nothing":                          {root, nil, false},
	} {
		var chain []*x509.Certificate
		for _, s := range c.chain {
			chain = append(chain, s.Certificate)
		}
		if err := vouched(pinOf(c.pin.Certificate), chain, "localhost"); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
	if vouched(pinOf(root.Certificate), []*x509.Certificate{leaf.Certificate, root.Certificate}, "") == nil {
		t.Error("without a host")
	}
}

// A node whose CA nobody knows is added with its pin, which stands with the peer, and
// reached by that alone. What is wrong is told before anything is written down, and
// the token goes nowhere else.
func TestPeerAddOverTLS(t *testing.T) {
	o := newOperators(t, "")
	token, _ := o.token(t, everybody(), "observe")
	writeFiles(t, filepath.Dir(o.site), map[string]string{"good": token, "wrong": "fzt_x"})
	add := func(url, file string, more ...string) (int, string) {
		exit, _ := o.fazt(append([]string{"peer", "add", "prod", url, "--token-file", filepath.Join(filepath.Dir(o.site), file)}, more...)...)
		return exit, o.talk.String()
	}
	exit, said := add(o.console, "good")
	if exit != 5 || !strings.Contains(said, "its pin is "+o.ownPin()) || !strings.Contains(said, "fazt cert list") {
		t.Errorf("without a pin: %d %s", exit, said)
	}
	if _, list := o.fazt("cert", "list"); !strings.Contains(list, o.ownPin()) {
		t.Errorf("the node says %s", list)
	}
	if exit, said = add(o.console, "wrong", "--pin", o.ownPin()); exit != 4 || !strings.Contains(said, "token is wrong") {
		t.Errorf("with a wrong token: %d %s", exit, said)
	}
	if exit, said = add(o.console, "good", "--pin", "sha256:"+strings.Repeat("0", 64)); exit != 5 || !strings.Contains(said, "pinned key") {
		t.Errorf("with another pin: %d %s", exit, said)
	}
	if exit, said = add(o.console, "good", "--pin", "sha256:x"); exit != 3 {
		t.Errorf("with no pin at all: %d %s", exit, said)
	}
	if exit, said = add(strings.Replace(o.console, "localhost", "127.0.0.1", 1), "good", "--pin", o.ownPin()); exit != 7 {
		t.Errorf("with an address that the certificate has not: %d %s", exit, said)
	}
	if exit, said = o.fazt("@prod", "status"); exit != 6 {
		t.Errorf("something was written down: %d %s", exit, said)
	}
	if exit, said = add(o.console, "good", "--pin", o.ownPin()); exit != 0 {
		t.Fatalf("%d %s", exit, said)
	}
	if exit, said = add(o.console, "good"); exit != 0 { // the token again; the pin stays
		t.Fatalf("%d %s", exit, said)
	}
	if exit, out := o.fazt("@prod", "status"); exit != 0 || !strings.Contains(out, "generation") {
		t.Errorf("%d %s%s", exit, out, &o.talk)
	}
	if exit, out := o.fazt("peer", "list", "--json"); exit != 0 || !strings.Contains(out, o.ownPin()) || strings.Contains(out, token) {
		t.Errorf("%d %s", exit, out)
	}
}

// A peer that sends its callers elsewhere is not followed, with the token least of all.
func TestNobodyIsFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("asked with %q", r.Header.Get("Authorization"))
	}))
	defer elsewhere.Close()
	node := httptest.NewTLSServer(http.RedirectHandler(elsewhere.URL+"/v1/", http.StatusTemporaryRedirect))
	defer node.Close()
	node.Config.ErrorLog = nil
	pinned := peer{Name: "prod", URL: node.URL, Pin: pinOf(node.Certificate()), token: "fzt_secret"}
	_, err := (&program{}).reach(pinned).Listing(t.Context())
	if err == nil || !strings.Contains(err.Error(), "sends its callers elsewhere") {
		t.Error(err)
	}
}
