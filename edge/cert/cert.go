// Package cert keeps the certificates of the hosts the node serves: ordered from
// an ACME CA, signed by the node's own CA, or read from files. It renews them in
// time and hands them out at the handshake.
//
// The edge wants a policy at each publish and takes TLS for its listeners and
// Challenge for its plain ones. Hosts come from the applied configuration alone:
// a name that somebody merely asks for costs a look-up in memory and never an
// order. Run is the only one that talks to the CA and writes certificates;
// everybody else reads one table, replaced whole.
//
// CertMagic speaks ACME, stores accounts and certificates and answers
// challenges. When to order, and for whom first, is decided here, as the node
// must say of each host what it waits for. The package refuses to know routes,
// releases and the language.
package cert

import (
	"context"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Mode says where certificates come from.
type Mode string

// The modes. The zero value is Off.
const (
	Off      Mode = "off"
	ACME     Mode = "acme"     // ordered from a CA
	Internal Mode = "internal" // signed by the CA in the state folder
	Files    Mode = "files"    // read from files named by credentials
)

// Policy is what a revision asks for.
type Policy struct {
	Mode   Mode
	Email  string   // of the ACME account; may be empty
	CA     string   // URL of the ACME directory; empty is Let's Encrypt
	CARoot string   // credential with the certificates that vouch for the CA's own address; empty is the system's
	DNS    *DNS     // how the DNS challenge is answered; nil: not at all
	Files  []Pair   // of Files
	Hosts  []string // exact names, and wildcards such as "*.example.com", in ASCII as the DNS has them
}

// DNS says who answers for a zone.
type DNS struct {
	Provider   string // "cloudflare" or "rfc2136"
	Credential string // of the API token, or of the TSIG secret in base64
	Server     string // host:port of the primary name server; rfc2136
	Zone       string // where it is not the one that the name servers name
	KeyName    string // of the TSIG key; rfc2136
	Algorithm  string // "hmac-sha256" if empty; rfc2136
}

// Pair names the credentials of one certificate with its chain, and of its key.
type Pair struct{ Cert, Key string }

// Config is what a Manager needs. Dir is required.
type Config struct {
	Dir        string                           // created with 0700 where its parent is
	Credential func(name string) (string, bool) // the path of a credential's file; nil knows none
	Log        *slog.Logger                     // nil discards

	// HTTPPort and TLSPort are where this node serves Challenge and TLS, the
	// ports to which 80 and 443 lead from outside. 0: it does not, so that
	// challenge is not used. They must be bound before Run orders, or CertMagic
	// binds them itself. ListenHost is the address, where it is not all.
	HTTPPort, TLSPort int
	ListenHost        string

	Resolvers  []string // host:port of the name servers that know the zones; empty: the system's, then the zones' own
	Cloudflare string   // URL of the API, where it is not Cloudflare's

	issuer certmagic.Issuer // in place of the CA, in tests
}

// Manager keeps the certificates of one node.
type Manager struct {
	config    Config
	log       *slog.Logger
	storage   *storage
	authority *authority
	table     atomic.Pointer[table]
	answers   atomic.Pointer[answers]
	wake      chan struct{}

	mu     sync.Mutex
	cache  *certmagic.Cache // nil before Open and after Close
	policy Policy
	hosts  map[string]*host
	seq    int // of the newest host
	engine *engine
	starts []time.Time // of the orders of the last minute
	asking bool        // a question about a renewal is under way
	change chan struct{}
	files  map[Pair]*file
}

// Serve tells where this node answers what a CA asks, in place of Config's
// ports: they are known once they are bound. It comes before Run; what is wanted
// already is judged again.
func (m *Manager) Serve(host string, httpPort, tlsPort int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.config.ListenHost, m.config.HTTPPort, m.config.TLSPort = host, httpPort, tlsPort
	for name, h := range m.hosts {
		h.verdict, h.reason = m.policy.judge(name, m.config)
	}
	m.engine = nil
	m.publish()
}

// New returns a manager that wants nothing.
func New(c Config) *Manager {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Credential == nil {
		c.Credential = func(string) (string, bool) { return "", false }
	}
	s := newStorage(c.Dir)
	m := &Manager{
		config: c, log: c.Log, storage: s, authority: &authority{storage: s},
		wake: make(chan struct{}, 1), hosts: map[string]*host{}, policy: Policy{Mode: Off},
		change: make(chan struct{}),
	}
	m.table.Store(&table{})
	return m
}

// Open makes the folder for certificates, or finds out that it can be used, and
// reads the node's own CA if it has one. The error's kind is Unavailable.
func (m *Manager) Open() error {
	if err := m.storage.open(); err != nil {
		return err
	}
	if err := m.authority.load(context.Background()); err != nil {
		m.log.Warn("the node's own CA cannot be used", "err", err) // it is the state of each host that needs it
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	// The cache stays empty, as table is what handshakes read; CertMagic's
	// configurations cannot be made without one.
	m.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) {
			return nil, fault.New(fault.Internal, "nothing is kept in this cache")
		},
		Logger: zap.NewNop(),
	})
	return nil
}

// Close stops what Open started. Run must have returned.
func (m *Manager) Close() error {
	m.mu.Lock()
	cache := m.cache
	m.cache = nil
	m.mu.Unlock()
	if cache != nil {
		cache.Stop()
	}
	return nil
}

// CA returns the certificate of the node's own CA as PEM, for those who want to
// trust it, or nil as long as there is none: Run makes it when a policy first
// asks for Internal.
func (m *Manager) CA() []byte { return m.authority.pem() }

// Want makes p the policy. It neither blocks nor fails: what cannot be is a
// state of the host. Hosts that p does not name are at once no longer served nor
// renewed; what was stored for them stays on the disk.
func (m *Manager) Want(p Policy) {
	p = p.normal()
	m.mu.Lock()
	m.adopt(p)
	m.mu.Unlock()
	m.poke()
}

// Changed returns a channel that is closed when List has something new. Ask for
// it before List, and nothing is missed in between.
func (m *Manager) Changed() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.change
}

// announce tells those who follow. m.mu is held.
func (m *Manager) announce() {
	close(m.change)
	m.change = make(chan struct{})
}

func (m *Manager) poke() {
	select {
	case m.wake <- struct{}{}:
	default: // it is awake already
	}
}

// adopt replaces the policy and carries over what stays true. m.mu is held.
func (m *Manager) adopt(p Policy) {
	same := p.sameSource(m.policy)
	if same && slices.Equal(p.Hosts, m.policy.Hosts) {
		return
	}
	old := m.hosts
	m.hosts = make(map[string]*host, len(p.Hosts))
	for _, name := range p.Hosts {
		h := old[name]
		if h == nil || !same {
			m.seq++
			h = h.successor(name, m.seq, p.orders())
		}
		h.cover = p.cover(name, m.config)
		h.verdict, h.reason = p.judge(name, m.config)
		m.hosts[name] = h
	}
	for name, h := range old {
		if m.hosts[name] != h || !h.own() {
			h.drop(m.hosts[name], p)
		}
	}
	if !same {
		m.engine, m.files = nil, nil
		m.answers.Store(nil)
	}
	m.policy = p
	m.publish()
}

// normal returns a copy of p with its defaults and with hosts as they are
// compared.
func (p Policy) normal() Policy {
	if p.Mode == "" {
		p.Mode = Off
	}
	if p.CA == "" {
		p.CA = certmagic.LetsEncryptProductionCA
	}
	hosts := make([]string, 0, len(p.Hosts))
	for _, h := range p.Hosts {
		if h = canonical(h); h != "" {
			hosts = append(hosts, h)
		}
	}
	if p.Mode == Off {
		hosts = nil
	}
	slices.Sort(hosts)
	p.Hosts, p.Files = slices.Compact(hosts), slices.Clone(p.Files)
	if p.DNS != nil {
		d := *p.DNS
		p.DNS = &d
	}
	return p
}

// sameSource tells whether p takes its certificates from where q does.
func (p Policy) sameSource(q Policy) bool {
	p.Hosts, q.Hosts = nil, nil
	return reflect.DeepEqual(p, q)
}

// canonical is a host as it is looked up: lower case, without one trailing dot.
func canonical(host string) string {
	return strings.TrimSuffix(strings.ToLower(host), ".")
}
