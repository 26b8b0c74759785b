package edge

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/fazt-sh/fazt/edge/cert"
	"github.com/fazt-sh/fazt/edge/gate"
	"github.com/fazt-sh/fazt/edge/listen"
	"github.com/fazt-sh/fazt/platform/mail"
	"github.com/fazt-sh/fazt/spec"
	"github.com/fazt-sh/fazt/spec/access"
)

// snapshot is everything a request is answered from. It is built by Stage,
// never changed after Publish and let go as a whole.
type snapshot struct {
	generation uint64
	published  bool     // false in the empty snapshot a server starts with
	revision   string   // of the pass; of an app's answers it is the app's own
	header     []string // revision as the value of Fazt-Revision, shared by all answers
	objects    []spec.Object
	sites      map[spec.Addr]*site
	faults     []Fault
	domain     string // the edge's domain, empty if none is declared
	table      table
	trusted    []netip.Prefix
	proxied    bool // trusted peers send the PROXY header
	tls        spec.TLS
	secure     bool // there are certificates
	http3      bool
	limits     limits
	people     *people      // never nil
	mail       *mail.Config // nil sends none
	private    []string     // Cache-Control of what not everybody may see, shared by all answers

	refs    atomic.Int64  // one for the publisher, one per request
	retired chan struct{} // closed once a newer snapshot is current
	ended   func(*snapshot)
}

func newSnapshot(ended func(*snapshot)) *snapshot {
	n := &snapshot{retired: make(chan struct{}), ended: ended, header: []string{revisionNone}, private: []string{"private, no-cache"}, limits: limitsOf(spec.Limits{}), people: newPeople(&gate.Policy{}, access.Compile(nil))}
	n.refs.Store(1)
	return n
}

// acquire takes one reference, unless the last is already gone: load and then
// add would bring a snapshot back to life whose leases are returned.
func (n *snapshot) acquire() bool {
	for {
		refs := n.refs.Load()
		if refs == 0 {
			return false
		}
		if n.refs.CompareAndSwap(refs, refs+1) {
			return true
		}
	}
}

// release returns one reference. Whoever returns the last one returns the
// leases as well.
func (n *snapshot) release() {
	if n.refs.Add(-1) == 0 {
		n.ended(n)
	}
}

// begin notes of each release that nobody saw before since when it is in service.
func (n *snapshot) begin(now time.Time) {
	for _, site := range n.sites {
		if site.fresh && site.born.IsZero() {
			site.born = now
		}
	}
}

// caps are the snapshot's limits on connections.
func (n *snapshot) caps() listen.Caps {
	l := n.limits.allowed
	return listen.Caps{Total: l.Connections, PerIP: l.ConnectionsPerIP, IPv6Prefix: l.IPv6Prefix, Trusted: n.trusted,
		ProxyProtocol: n.proxied, WriteTimeout: n.limits.timers.write, HeaderTimeout: n.limits.timers.header}
}

// certificates is what the snapshot's hosts need.
func (n *snapshot) certificates() cert.Policy {
	p := cert.Policy{Mode: cert.Mode(n.tls.Mode), Email: n.tls.Email, CA: n.tls.CA, CARoot: n.tls.CARoot, Hosts: n.table.hosts()}
	if d := n.tls.DNS; d != nil {
		p.DNS = &cert.DNS{Provider: d.Provider, Credential: d.Credential, Server: d.Server, Zone: d.Zone, KeyName: d.KeyName, Algorithm: d.Algorithm}
	}
	for _, f := range n.tls.Files {
		p.Files = append(p.Files, cert.Pair{Cert: f.Cert, Key: f.Key})
	}
	return p
}

// lease is a counted hold of snapshots on something worth keeping across
// swaps: today an app's finished handler. The first holder is the one who made
// it; a new snapshot takes its leases before the old one returns them.
type lease struct {
	holders atomic.Int64
	open    *atomic.Int64 // how many leases of this server are held
	ended   func()        // closes what was held; nil: nothing is to be closed
}

func newLease(open *atomic.Int64) *lease {
	return &lease{open: open}
}

func (l *lease) take() {
	if l.holders.Add(1) == 1 {
		l.open.Add(1)
	}
}

func (l *lease) give() {
	if l.holders.Add(-1) == 0 {
		l.open.Add(-1)
		if l.ended != nil {
			l.ended()
		}
	}
}
