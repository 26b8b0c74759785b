package cert_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fazt-sh/fazt/edge/cert"
)

const token = "cf-t0ken-of-the-test"

// fakeCloudflare is as much of the API as TXT records take, for one zone.
func fakeCloudflare(t *testing.T, ns *nameserver) *httptest.Server {
	t.Helper()
	zone := strings.TrimSuffix(ns.zone, ".")
	records := map[string][2]string{}
	var ids atomic.Int32
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, result any) {
		_ = json.NewEncoder(w).Encode(map[string]any{"success": true, "errors": []any{}, "result": result})
	}
	mux.HandleFunc("GET /zones", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("name") != zone {
			answer(w, []any{})
			return
		}
		answer(w, []any{map[string]string{"id": "z1", "name": zone}})
	})
	mux.HandleFunc("POST /zones/z1/dns_records", func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Type, Name, Content string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Type != "TXT" || !strings.HasSuffix(in.Name, zone) {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		id := fmt.Sprint(ids.Add(1))
		name, value := in.Name+".", strings.Trim(in.Content, `"`)
		records[id] = [2]string{name, value}
		ns.add(name, value)
		answer(w, map[string]string{"id": id})
	})
	mux.HandleFunc("DELETE /zones/z1/dns_records/{id}", func(w http.ResponseWriter, r *http.Request) {
		record := records[r.PathValue("id")]
		ns.remove(record[0], record[1])
		answer(w, map[string]string{"id": r.PathValue("id")})
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"success":false,"errors":[{"code":9109,"message":"Invalid access token"}]}`)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server
}

// A wildcard is certified through DNS, serves the hosts below it, and leaves
// nothing in the zone.
func TestWildcardByDNS(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for DNS, as CertMagic looks every two seconds")
	}
	for _, provider := range []string{"cloudflare", "rfc2136"} {
		t.Run(provider, func(t *testing.T) {
			zone := provider + ".test"
			ns := newNameserver(t, zone+".")
			api := fakeCloudflare(t, ns)
			n := newNode(t, t.TempDir()+"/cert", func(c *cert.Config) {
				c.Resolvers, c.Cloudflare = []string{ns.addr}, api.URL
				c.HTTPPort, c.TLSPort = 0, 0
			})
			p := newPebble(t, 1, 1, ns.addr, 0)
			policy := p.policy(t, n, "*."+zone, "a."+zone, zone)
			n.credential(t, "token", []byte(token+"\n"))
			n.credential(t, "tsig", []byte(tsigSecret))
			policy.DNS = &cert.DNS{Provider: "cloudflare", Credential: "token"}
			if provider == "rfc2136" {
				policy.DNS = &cert.DNS{Provider: "rfc2136", Credential: "tsig", Server: ns.addr, KeyName: "fazt", Zone: zone}
			}
			if err := n.Check(policy); err != nil {
				t.Fatal(err)
			}
			n.Want(policy)
			awaitState(t, n.Manager, cert.OK, "*."+zone, "a."+zone, zone)
			for _, name := range []string{"a." + zone, "b." + zone, zone} {
				if _, err := n.dial(name, p.roots()); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			if got := p.orders.Load(); got != 2 {
				t.Errorf("%d orders for a wildcard and its apex", got)
			}
			if seen := ns.seen(); len(seen) != 2 || seen[0] != "_acme-challenge."+zone+"." {
				t.Errorf("records were made for %v", seen)
			}
			if left := ns.left(); len(left) != 0 {
				t.Errorf("left in the zone: %v", left)
			}
		})
	}
}

// A provider that refuses is the state of the host, and what is said of it does
// not hold the token.
func TestDNSRefuses(t *testing.T) {
	t.Parallel()
	for name, says := range map[string]string{"cloudflare": "Invalid access token", "rfc2136": "name server"} {
		t.Run(name, func(t *testing.T) {
			zone := name + "-refuses.test"
			ns := newNameserver(t, zone+".")
			api := fakeCloudflare(t, ns)
			n := newNode(t, t.TempDir()+"/cert", func(c *cert.Config) { c.Resolvers, c.Cloudflare = []string{ns.addr}, api.URL })
			p := newPebble(t, n.http, n.https, ns.addr, 0)
			policy := p.policy(t, n, "*."+zone)
			secret := "b3RoZXItc2VjcmV0"
			n.credential(t, "wrong", []byte(secret))
			policy.DNS = &cert.DNS{Provider: name, Credential: "wrong", Server: ns.addr, KeyName: "fazt"}
			n.Want(policy)
			s := awaitState(t, n.Manager, cert.Failing, "*."+zone)["*."+zone]
			if !strings.Contains(s.Error, says) || strings.Contains(s.Error, secret) || s.Next.IsZero() {
				t.Errorf("%+v", s)
			}
		})
	}
}

// Where ports and DNS are both possible, a host that cannot be certified one way
// is certified the other.
func TestBothWays(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for a second try and for DNS")
	}
	ns := newNameserver(t, "ways.test.")
	api := fakeCloudflare(t, ns)
	n := newNode(t, t.TempDir()+"/cert", func(c *cert.Config) { c.Resolvers, c.Cloudflare = []string{ns.addr}, api.URL })
	p := newPebble(t, n.http, n.https, ns.addr, 0)
	policy := p.policy(t, n, "a.ways.test")
	n.credential(t, "wrong", []byte("wrong"))
	policy.DNS = &cert.DNS{Provider: "cloudflare", Credential: "wrong", Zone: "ways.test"} // so DNS comes first
	n.Want(policy)
	awaitState(t, n.Manager, cert.Failing, "a.ways.test")
	awaitState(t, n.Manager, cert.OK, "a.ways.test")
}
