package cert_test

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/edge/cert"
	"github.com/fazt-sh/fazt/platform/fault"
)

// A CA comes to the ports of the node, and what it certifies is served.
func TestOrders(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"http-01", "tls-alpn-01"} {
		t.Run(way, func(t *testing.T) {
			dir := t.TempDir() + "/cert"
			n := newNode(t, dir, func(c *cert.Config) {
				if way == "http-01" {
					c.TLSPort = 0
				} else {
					c.HTTPPort = 0
				}
			})
			dns := newNameserver(t, "orders.test.")
			p := newPebble(t, n.http, n.https, dns.addr, 0)
			n.Want(p.policy(t, n, "a.orders.test", "B.orders.test."))
			hosts := awaitState(t, n.Manager, cert.OK, "a.orders.test", "b.orders.test")
			for _, name := range []string{"a.orders.test", "B.ORDERS.test"} {
				if _, err := n.dial(name, p.roots()); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			if s := hosts["a.orders.test"]; s.Serial == "" || s.NotAfter.IsZero() || len(s.Names) != 1 || s.Error != "" || s.Next.IsZero() {
				t.Errorf("status lacks something: %+v", s)
			}
			if got := p.orders.Load(); got != 2 {
				t.Errorf("%d orders for two hosts", got)
			}
			account, err := filepath.Glob(filepath.Join(dir, "acme", "*", "users", "*", "*.json"))
			if err != nil || len(account) != 1 {
				t.Fatalf("accounts: %v %v", account, err)
			}
			if raw, err := os.ReadFile(account[0]); err != nil || strings.Contains(string(raw), "mailto") {
				t.Errorf("the CA was told an address that nobody gave: %s %v", raw, err)
			}
		})
	}
}

// Half of a CA's answers may be that it wants another nonce.
func TestOrdersThroughBadNonces(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	t.Setenv("PEBBLE_WFE_NONCEREJECT", "50")
	n := newNode(t, t.TempDir()+"/cert", nil)
	dns := newNameserver(t, "nonce.test.")
	p := newPebble(t, n.http, n.https, dns.addr, 0)
	n.Want(p.policy(t, n, "a.nonce.test"))
	awaitState(t, n.Manager, cert.OK, "a.nonce.test")
}

// What a visitor's client may ask for is no reason to go to the CA, nor to the
// disk.
func TestUnknownNamesCostNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/cert"
	n := newNode(t, dir, nil)
	dns := newNameserver(t, "unknown.test.")
	p := newPebble(t, n.http, n.https, dns.addr, 0)
	n.Want(p.policy(t, n, "a.unknown.test"))
	awaitState(t, n.Manager, cert.OK, "a.unknown.test")
	before := p.orders.Load()

	if err := os.Rename(dir, dir+".away"); err != nil { // whoever looks at the disk now fails
		t.Fatal(err)
	}
	for i := range 10_000 {
		name := fmt.Sprintf("%x.unknown.test", rand.Uint64())
		if pair, err := n.Lookup(t.Context(), name); pair != nil || err != nil {
			t.Fatalf("%q: %v %v", name, pair, err)
		}
		if i%200 != 0 {
			continue
		}
		if _, err := n.dial(name, p.roots()); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
			t.Fatalf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", "evil.a.unknown.test", "unknown.test", "a.unknown.test.evil.test", "*.unknown.test", ".", "127.0.0.1"} {
		if pair, err := n.Lookup(t.Context(), name); pair != nil || err != nil {
			t.Errorf("%q: %v %v", name, pair, err)
		}
	}
	challenge := &tls.Config{ServerName: "b.unknown.test", NextProtos: []string{"acme-tls/1"}, InsecureSkipVerify: true}
	if conn, err := tls.Dial("tcp", n.addr, challenge); err == nil {
		conn.Close()
		t.Error("a challenge for an unknown name was answered")
	}
	if _, err := n.dial("a.unknown.test", p.roots()); err != nil {
		t.Errorf("the wanted name: %v", err)
	}
	if got := p.orders.Load(); got != before {
		t.Errorf("%d orders for names that nobody wants", got-before)
	}
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
}

// What has been issued is served whatever becomes of the CA, also by the next
// process, and from the first handshake on.
func TestCAIsGone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/cert"
	n := newNode(t, dir, nil)
	dns := newNameserver(t, "gone.test.")
	p := newPebble(t, n.http, n.https, dns.addr, 0)
	policy := p.policy(t, n, "a.gone.test")
	n.Want(policy)
	serial := awaitState(t, n.Manager, cert.OK, "a.gone.test")["a.gone.test"].Serial
	p.server.Close()

	if err := n.Renew(t.Context(), "a.gone.test"); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("renewed without a CA: %v", err)
	}
	s := awaitState(t, n.Manager, cert.Failing, "a.gone.test")["a.gone.test"]
	if s.Serial != serial || s.Error == "" || s.Next.IsZero() {
		t.Errorf("%+v", s)
	}
	if _, err := n.dial("a.gone.test", p.roots()); err != nil {
		t.Errorf("the old certificate is no longer served: %v", err)
	}
	n.stop()

	next := newNode(t, dir, nil)
	next.credentials = n.credentials
	next.Want(policy)
	leaf, err := next.dial("a.gone.test", p.roots())
	if err != nil || hex.EncodeToString(leaf.SerialNumber.Bytes()) != serial {
		t.Errorf("the next process does not serve it: %v", err)
	}
}

// No app can answer in place of the node, however it is asked.
func TestChallengePathIsReserved(t *testing.T) {
	n := newNode(t, t.TempDir()+"/cert", nil)
	n.Want(cert.Policy{Mode: cert.Internal, Hosts: []string{"a.reserved.test"}})
	for _, host := range []string{"a.reserved.test", "unknown.test", "127.0.0.1"} {
		for path, want := range map[string]int{"/.well-known/acme-challenge/token": 404, "/.well-known/acme-challenge/": 404, "/": http.StatusTeapot} {
			r, _ := http.NewRequest(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", n.http, path), nil)
			r.Host = host
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, response.Body)
			response.Body.Close()
			if response.StatusCode != want {
				t.Errorf("%s%s: %d, want %d", host, path, response.StatusCode, want)
			}
		}
	}
}

// Certificates of a few seconds are renewed in time for a visitor, by the real
// clock.
func TestShortLived(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	n := newNode(t, t.TempDir()+"/cert", nil)
	dns := newNameserver(t, "short.test.")
	p := newPebble(t, n.http, n.https, dns.addr, 12)
	n.Want(p.policy(t, n, "a.short.test"))
	seen := map[string]bool{}
	await(t, n.Manager, "two certificates", func(hosts map[string]cert.Status) bool {
		s := hosts["a.short.test"]
		if s.Serial == "" || seen[s.Serial] {
			return false
		}
		seen[s.Serial] = true
		if _, err := n.dial("a.short.test", p.roots()); err != nil {
			t.Errorf("certificate %d: %v", len(seen), err)
		}
		return len(seen) == 2
	})
}

// A CA that wants a certificate replaced is heard.
func TestCAWantsRenewal(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir()+"/cert", nil)
	dns := newNameserver(t, "wish.test.")
	p := newPebble(t, n.http, n.https, dns.addr, 0)
	n.Want(p.policy(t, n, "a.wish.test"))
	old := awaitState(t, n.Manager, cert.OK, "a.wish.test")["a.wish.test"].Serial
	leaf, err := n.dial("a.wish.test", p.roots())
	if err != nil {
		t.Fatal(err)
	}
	p.renewNow(t, leaf, `{"suggestedWindow":{"start":"2020-01-01T00:00:00Z","end":"2020-01-02T00:00:00Z"}}`)
	n.AskNow()
	await(t, n.Manager, "another certificate", func(hosts map[string]cert.Status) bool {
		return hosts["a.wish.test"].Serial != old && hosts["a.wish.test"].State == cert.OK
	})
}

func TestRenew(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir()+"/cert", nil)
	dns := newNameserver(t, "renew.test.")
	p := newPebble(t, n.http, n.https, dns.addr, 0)
	n.Want(p.policy(t, n, "a.renew.test", "*.renew.test", "localhost"))
	old := awaitState(t, n.Manager, cert.OK, "a.renew.test")["a.renew.test"].Serial
	if err := n.Renew(t.Context(), "A.renew.test."); err != nil {
		t.Fatal(err)
	}
	if now := n.List()[1]; now.Serial == old || now.State != cert.OK {
		t.Errorf("not renewed: %+v", now)
	}
	for host, want := range map[string]fault.Kind{"b.renew.test": fault.NotFound, "*.renew.test": fault.Invalid, "localhost": fault.Invalid} {
		if err := n.Renew(t.Context(), host); fault.KindOf(err) != want {
			t.Errorf("%s: %v, want %s", host, err, want)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.Renew(ended, "a.renew.test"); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a caller who is gone: %v", err)
	}
}
