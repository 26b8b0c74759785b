package cert_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/edge/cert"
	"github.com/fazt-sh/fazt/platform/fault"
)

// A handshake's look-up allocates nothing, whether the name is known or not.
func TestLookupAllocatesNothing(t *testing.T) {
	m, _ := quietNode(t, t.TempDir()+"/cert", nil)
	m.Want(internal("a.test", "*.wild.test"))
	awaitState(t, m, cert.OK, "a.test", "*.wild.test")
	for _, name := range []string{"a.test", "x.wild.test", "unknown.test", "a-name-that-is-rather-long-as-random-ones-are.unknown.test"} {
		if n := testing.AllocsPerRun(100, func() { _, _ = m.Lookup(t.Context(), name) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// A name gets a certificate that certifies it, if it is wanted or its wildcard
// is, and else none; also while hosts come and go, without a new order for what
// is there.
func TestLookupLaw(outer *testing.T) {
	m, _ := quietNode(outer, outer.TempDir()+"/cert", nil)
	label := rapid.SampledFrom([]string{"a", "b", "*"})
	rapid.Check(outer, func(t *rapid.T) {
		var hosts []string
		wanted := map[string]bool{}
		for _, l := range rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
			return label.Draw(t, "label") + "." + rapid.SampledFrom([]string{"x.test", "y.test"}).Draw(t, "parent")
		}), 0, 5).Draw(t, "hosts") {
			hosts = append(hosts, l)
			wanted[l] = true
		}
		m.Want(internal(hosts...))
		await(outer, m, "all", func(s map[string]cert.Status) bool {
			for _, s := range s {
				if s.State != cert.OK {
					return false
				}
			}
			return len(s) == len(wanted)
		})
		name := rapid.SampledFrom([]string{"a", "b", "c", "a.b"}).Draw(t, "name") + "." + rapid.SampledFrom([]string{"x.test", "y.test", "z.test"}).Draw(t, "of")
		_, parent, _ := strings.Cut(name, ".")
		pair, err := m.Lookup(outer.Context(), rapid.SampledFrom([]string{name, strings.ToUpper(name), name + "."}).Draw(t, "spelling"))
		switch want := wanted[name] || wanted["*."+parent]; {
		case err != nil || (pair != nil) != want:
			t.Fatalf("%s of %v: %v %v", name, hosts, pair != nil, err)
		case want && pair.Leaf.VerifyHostname(name) != nil:
			t.Fatalf("%s of %v gets one for %v", name, hosts, pair.Leaf.DNSNames)
		}
	})
}

// Hosts that leave are refused at once, and are served again without an order
// when they come back.
func TestWantShrinksAndGrows(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir()+"/cert", nil)
	dns := newNameserver(t, "grow.test.")
	p := newPebble(t, n.http, n.https, dns.addr, 0)
	both := p.policy(t, n, "a.grow.test", "b.grow.test")
	n.Want(both)
	awaitState(t, n.Manager, cert.OK, "a.grow.test", "b.grow.test")
	before := p.orders.Load()

	one := both
	one.Hosts = []string{"a.grow.test"}
	n.Want(one)
	if _, err := n.dial("b.grow.test", p.roots()); err == nil {
		t.Error("a host that left is served")
	}
	if _, err := n.dial("a.grow.test", p.roots()); err != nil {
		t.Errorf("a host that stayed is not: %v", err)
	}
	n.Want(both)
	if _, err := n.dial("b.grow.test", p.roots()); err != nil {
		t.Errorf("a host that came back is not served: %v", err)
	}
	n.Want(cert.Policy{Mode: cert.Off, Hosts: both.Hosts})
	if _, err := n.dial("a.grow.test", p.roots()); err == nil || len(n.List()) != 0 {
		t.Error("served with tls off")
	}
	n.Want(both)
	awaitState(t, n.Manager, cert.OK, "a.grow.test", "b.grow.test")
	if got := p.orders.Load() - before; got != 0 {
		t.Errorf("%d orders for what was on the disk", got)
	}
}

// When certificates come from elsewhere, the old ones serve until the new are
// there.
func TestChangeOfSource(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir()+"/cert", nil)
	dns := newNameserver(t, "change.test.")
	p := newPebble(t, n.http, n.https, dns.addr, 0)
	n.Want(internal("a.change.test"))
	own := awaitState(t, n.Manager, cert.OK, "a.change.test")["a.change.test"]

	dead := p.policy(t, n, "a.change.test")
	dead.CA = "https://127.0.0.1:1/dir"
	n.Want(dead)
	s := awaitState(t, n.Manager, cert.Failing, "a.change.test")["a.change.test"]
	if s.Serial != own.Serial {
		t.Errorf("not served meanwhile: %+v", s)
	}
	n.Want(p.policy(t, n, "a.change.test"))
	awaitState(t, n.Manager, cert.OK, "a.change.test")
	if _, err := n.dial("a.change.test", p.roots()); err != nil {
		t.Error(err)
	}
}

// What no CA certifies is a state with a reason, and no order.
func TestUnsupported(t *testing.T) {
	f := newFakeCA(t, month)
	m, _ := quietNode(t, t.TempDir()+"/cert", f)
	refused := []string{"ä.example.com", "localhost", "app.localhost", "127.0.0.1", "::1", "10.0.0.1", "db.internal", "a.*.test", "*"}
	m.Want(cert.Policy{Mode: cert.ACME, Hosts: append([]string{"ok.example.com", "*.example.com"}, refused...)})
	hosts := awaitState(t, m, cert.OK, "ok.example.com")
	for _, h := range refused {
		if s := hosts[h]; s.State != cert.Unsupported || s.Error == "" {
			t.Errorf("%+v", s)
		}
	}
	if s := hosts["*.example.com"]; s.State != cert.NeedsDNS || s.Error == "" {
		t.Errorf("%+v", s)
	}
	if got := f.all(); len(got) != 1 {
		t.Errorf("ordered: %v", got)
	}
}

// One order serves a wildcard and all the hosts that it covers.
func TestWildcardCovers(t *testing.T) {
	f := newFakeCA(t, month)
	m, _ := quietNode(t, t.TempDir()+"/cert", f)
	hosts := append(names(30, "h%d.example.com"), "*.example.com", "example.com", "a.b.example.com")
	m.Want(cert.Policy{Mode: cert.ACME, DNS: &cert.DNS{Provider: "cloudflare"}, Hosts: hosts})
	awaitState(t, m, cert.OK, hosts...)
	ordered := map[string]int{}
	for _, o := range f.all() {
		ordered[o.name]++
	}
	if fmt.Sprint(ordered) != "map[*.example.com:1 a.b.example.com:1 example.com:1]" {
		t.Errorf("%v", ordered)
	}
	if err := m.Renew(t.Context(), "h3.example.com"); err != nil {
		t.Error(err)
	}
	if last := f.all()[3]; last.name != "*.example.com" {
		t.Errorf("%s was renewed for a host that its wildcard covers", last.name)
	}
}

// Who waits for a renewal is told when there will be none.
func TestRenewOfWhatIsDropped(t *testing.T) {
	for name, next := range map[string]cert.Policy{
		"off":     {},
		"other":   {Mode: cert.ACME, Hosts: []string{"b.example.com"}},
		"covered": {Mode: cert.ACME, DNS: &cert.DNS{}, Hosts: []string{"a.example.com", "*.example.com"}},
		"files":   {Mode: cert.Files, Hosts: []string{"a.example.com"}},
	} {
		dir := t.TempDir() + "/cert"
		synctest.Test(t, func(t *testing.T) {
			f := newFakeCA(t, month)
			f.takes = time.Minute
			m, stop := quietNode(t, dir, f)
			defer stop()
			m.Want(cert.Policy{Mode: cert.ACME, DNS: next.DNS, Hosts: []string{"a.example.com"}})
			done := make(chan error, 1)
			go func() { done <- m.Renew(t.Context(), "a.example.com") }()
			synctest.Wait()
			m.Want(next)
			err := <-done
			orders := 0 // for the host; the next policy's own may have begun
			for _, o := range f.all() {
				if o.name == "a.example.com" {
					orders++
				}
			}
			if fault.KindOf(err) != fault.Conflict || orders != 1 {
				t.Errorf("%s: %d orders, %v", name, orders, err)
			}
		})
	}
}

func BenchmarkUnknownName(b *testing.B) {
	m := cert.New(cert.Config{Dir: b.TempDir()})
	m.Want(internal(names(10_000, "h%d.example.com")...))
	b.ReportAllocs()
	for b.Loop() {
		_, _ = m.Lookup(b.Context(), "6d0f1e.unknown.example.com")
	}
}
