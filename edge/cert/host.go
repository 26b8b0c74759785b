package cert

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/caddyserver/certmagic"

	"github.com/fazt-sh/fazt/platform/fault"
)

// host is one wanted name. Manager.mu guards all of it.
type host struct {
	name    string
	seq     int    // order of arrival
	cover   string // the wanted wildcard whose certificate serves it: it has no order of its own
	verdict State  // NeedsDNS or Unsupported; empty if there is a way to a certificate
	reason  string // of the verdict

	pair   *tls.Certificate // what is served; nil until there is one
	stale  bool             // pair is from another source than the policy's, and serves until there is one from there
	loaded bool             // what the disk has is known
	early  time.Time        // when the CA wants pair to be renewed, if that is sooner
	asked  time.Time        // when the CA is next asked for early

	failures int                // since the last success
	next     time.Time          // not before then, after a failure
	problem  string             // the last failure in one line; empty after a success
	cancel   context.CancelFunc // of the running order; nil if there is none
	waiters  []chan error       // of Renew
}

// successor is the host of a new policy. Where certificates come and go, the old
// one serves until there is another.
func (h *host) successor(name string, seq int, orders bool) *host {
	n := &host{name: name, seq: seq}
	if h != nil && h.pair != nil && orders {
		n.pair, n.stale = h.pair, true
	}
	return n
}

// orders tells whether certificates are ordered, not read.
func (p Policy) orders() bool { return p.Mode == ACME || p.Mode == Internal }

// drop ends the work for a host that gets no certificate of its own any more in
// this form. Those who wait for it then wait for its successor under p, if that
// gets one.
func (h *host) drop(successor *host, p Policy) {
	if h.cancel != nil {
		h.cancel()
	}
	if successor != nil && successor.own() && p.orders() {
		successor.waiters = append(successor.waiters, h.waiters...)
		h.waiters = nil
		return
	}
	h.tell(fault.New(fault.Conflict, "%q gets its certificate another way since, or none", h.name).WithSubject(h.name))
}

func (h *host) tell(err error) {
	for _, w := range h.waiters {
		w <- err // has room
	}
	h.waiters = nil
}

// own tells whether the host gets a certificate of its own.
func (h *host) own() bool { return h.cover == "" && h.verdict == "" }

// settled tells whether the host has a certificate from where the policy says.
func (h *host) settled() bool { return h.pair != nil && !h.stale }

// due is when a certificate is next to be ordered: at once where the time is
// zero, never for a host that gets none. A failure puts it off, Renew does not
// wait.
func (h *host) due() (time.Time, bool) {
	if !h.own() || !h.loaded {
		return time.Time{}, false
	}
	if len(h.waiters) > 0 {
		return time.Time{}, true
	}
	at := h.next
	if h.settled() {
		if renew := renewal(h.pair.Leaf, h.early); renew.After(at) {
			at = renew
		}
	}
	return at, true
}

// renewal is when a certificate is renewed: with a third of its life left, or
// when the CA wishes if that is sooner.
func renewal(leaf *x509.Certificate, early time.Time) time.Time {
	life := leaf.NotAfter.Sub(leaf.NotBefore)
	at := leaf.NotBefore.Add(life - life/3)
	if !early.IsZero() && early.Before(at) {
		return early
	}
	return at
}

// cover returns the wildcard of p that certifies name, if one does and can be
// had.
func (p Policy) cover(name string, c Config) string {
	if !p.orders() {
		return ""
	}
	_, rest, ok := strings.Cut(name, ".")
	wild := "*." + rest
	if _, wanted := slices.BinarySearch(p.Hosts, wild); !ok || !wanted || name == wild {
		return ""
	}
	for _, n := range []string{wild, name} {
		if verdict, _ := p.judge(n, c); verdict != "" {
			return ""
		}
	}
	return wild
}

// judge says why there can be no certificate for name, if there can be none.
func (p Policy) judge(name string, c Config) (State, string) {
	if p.Mode == Files {
		return "", ""
	}
	foreign := func(r rune) bool { return r > unicode.MaxASCII }
	if !certmagic.SubjectQualifiesForCert(name) || strings.LastIndex(name, "*") > 0 || strings.ContainsFunc(name, foreign) {
		return Unsupported, "no certificate can name it"
	}
	if p.Mode != ACME {
		return "", ""
	}
	switch wild := strings.HasPrefix(name, "*"); {
	case local(name):
		return Unsupported, "no CA certifies localhost and addresses: use tls mode internal or files for it"
	case p.CA == certmagic.LetsEncryptProductionCA && !certmagic.SubjectQualifiesForPublicCert(name):
		return Unsupported, "no public CA certifies this name: use tls mode internal or files for it"
	case wild && p.DNS == nil:
		return NeedsDNS, "a certificate for a wildcard takes the DNS challenge: give tls a dns provider"
	case p.DNS == nil && c.HTTPPort <= 0 && c.TLSPort <= 0:
		return Unsupported, "this node answers no challenge: let it listen for http or https, or give tls a dns provider"
	}
	return "", ""
}

// local tells whether a name is this machine's, or an address.
func local(name string) bool {
	_, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil || name == "localhost" || strings.HasSuffix(name, ".localhost")
}
