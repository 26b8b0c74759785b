package edge

import (
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/fazt-sh/fazt/edge/cert"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/spec"
)

// Desired is what a node is to serve.
type Desired struct {
	Revision string
	Node     string
	Objects  []spec.Object // sorted by address; apps with their content read
	// Files opens a manifest entry of an app; it is only asked for bytes the
	// node does not have, from several goroutines. It is nil at boot, where
	// every byte must be in the store already.
	Files func(app spec.Object, path string) (io.ReadCloser, error)
	// Folder opens the folder of an app's content, for a release that is to be
	// built. It is nil where there is no revision.
	Folder func(app spec.Object) (fs.FS, error)
	// Overtaken returns why new releases are no longer to be asked for their
	// health, once that is so, and nil once ctx ends. It is called on another
	// goroutine and has returned when Stage returns. nil: they may take their time.
	Overtaken func(ctx context.Context) error
	// Verify has the bytes of changed apps read again that are in the store, as
	// those of a release that was kept for long. What is damaged counts as missing.
	Verify bool
	// Ages are how long releases have been in service that an earlier process took into
	// it, at boot: what was being watched still is.
	Ages map[spec.Addr]time.Duration
}

// Fault is why one app could not be staged. It stays as it is being served, or
// stays absent.
type Fault struct {
	Addr spec.Addr
	Err  error
}

// Stage builds the next snapshot beside the current one. An app of the same
// declaration and files keeps its handlers. What is wrong with one app is a
// fault of that app; an error is for what concerns all of them: a store that
// cannot be written, a cancelled context, an edge block that cannot be read.
// Nothing it does is seen by a visitor, and the bytes it imported are durable
// when it returns.
func (s *Server) Stage(ctx context.Context, d Desired) (_ *Staged, err error) {
	old := s.acquire() // its leases must outlive the choice to share them
	defer old.release()
	unhold := s.config.Blobs.Hold()
	defer func() {
		if err != nil {
			unhold()
		}
	}()
	p := &passing{server: s, old: old, desired: d, next: newSnapshot(s.end), secrets: map[string]spec.Object{}}
	if err := p.sort(); err != nil {
		return nil, err
	}
	defer func() { p.closeUnused(err) }()
	if err := p.importFiles(ctx); err != nil {
		return nil, err
	}
	if err := p.bundles(ctx); err != nil {
		return nil, err
	}
	if err := p.build(ctx); err != nil {
		return nil, err
	}
	if err := p.probe(ctx); err != nil {
		return nil, err
	}
	p.settleHosts()
	p.announceAbsent()
	p.assemble()
	return &Staged{server: s, snap: p.next, unhold: unhold}, nil
}

// passing is one Stage at work.
type passing struct {
	server  *Server
	old     *snapshot
	desired Desired
	next    *snapshot
	apps    []candidate            // in the order of desired.Objects
	secrets map[string]spec.Object // by name

	mu     sync.Mutex
	opened []*site // guarded by mu: with something to close, if nothing holds them in the end
}

// closeUnused gives back what was opened for sites that nobody will see.
func (p *passing) closeUnused(failed error) {
	for _, made := range p.opened {
		if failed != nil || p.next.sites[made.addr] != made {
			made.backend.close()
		}
	}
}

// candidate is an app on its way into the next snapshot.
type candidate struct {
	object  *spec.Object  // as desired
	app     spec.App      // its declaration, of an app that must be built
	current *site         // as served now, nil for a new app
	content *spec.Content // a copy of the desired one, to be filled
	missing []*spec.File  // of content: not in the store yet
	site    *site         // as it will be served, nil while there is none
	fault   error
}

// fail records the first fault of an app; it stays as it is now.
func (c *candidate) fail(err error) {
	if c.fault == nil {
		c.fault, c.site = err, c.current
	}
}

// sort reads the edge's own settings and decides which apps changed.
func (p *passing) sort() error {
	apps := len(p.old.sites) + 8
	p.apps = make([]candidate, 0, apps)
	p.next.sites = make(map[spec.Addr]*site, apps)
	for i := range p.desired.Objects {
		object := &p.desired.Objects[i]
		switch object.Kind {
		case spec.KindEdge:
			if err := p.readEdge(object); err != nil {
				return err
			}
		case spec.KindLimits:
			if err := p.readLimits(object); err != nil {
				return err
			}
		case spec.KindSecret:
			p.secrets[object.Name] = *object
		case spec.KindApp:
			if _, twice := p.next.sites[object.Addr]; twice {
				return fault.New(fault.Invalid, "%q is asked for twice", object.Addr)
			}
			p.next.sites[object.Addr] = nil
			p.apps = append(p.apps, p.consider(object))
		}
	}
	return nil
}

func (p *passing) readEdge(object *spec.Object) error {
	var declared spec.Edge
	if err := json.Unmarshal(object.Spec, &declared); err != nil {
		return fault.Wrap(fault.Invalid, err, "the canonical form of %q cannot be read", object.Addr)
	}
	n := p.next
	n.domain, n.proxied, n.http3, n.tls = declared.Domain, declared.ProxyProtocol, declared.HTTP3, declared.TLS
	n.secure = n.tls.Mode != "" && n.tls.Mode != string(cert.Off)
	for _, text := range declared.TrustedProxies {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return fault.Wrap(fault.Invalid, err, "trusted proxy %q of %q", text, object.Addr)
		}
		p.next.trusted = append(p.next.trusted, prefix)
	}
	return nil
}

func (p *passing) readLimits(object *spec.Object) error {
	var declared spec.Limits
	if err := json.Unmarshal(object.Spec, &declared); err != nil {
		return fault.Wrap(fault.Invalid, err, "the canonical form of %q cannot be read", object.Addr)
	}
	p.next.limits = limitsOf(declared)
	return nil
}

// consider shares the current site of an app that did not change.
func (p *passing) consider(object *spec.Object) (c candidate) {
	c = candidate{object: object, current: p.old.sites[object.Addr]}
	if object.Content == nil {
		c.fail(fault.New(fault.Invalid, "%q has no content", object.Addr))
		return c
	}
	if c.current == nil || c.current.digest != object.Digest || c.current.data != object.Data || !sameFiles(c.current.content, object.Content) {
		content := *object.Content
		content.Files = append([]spec.File(nil), content.Files...)
		c.content = &content
		if err := json.Unmarshal(object.Spec, &c.app); err != nil {
			c.fail(fault.Wrap(fault.Invalid, err, "the canonical form of %q cannot be read", object.Addr))
		}
		if c.app.Runtime != nil && !c.app.Disabled && (p.server.config.Scripts == nil || p.server.config.Storage == nil) {
			c.fail(fault.New(fault.Invalid, "%q runs code, and this server runs none", object.Addr))
		}
		return c
	}
	c.site = c.current
	if revision := p.revisionOf(object); revision != c.current.revision[0] {
		moved := *c.current
		moved.revision = []string{revision}
		c.site = &moved
	}
	return c
}

// pending tells whether an app must still be built.
func (c *candidate) pending() bool { return c.site == nil && c.fault == nil }

// sameFiles compares what would be served, and what the code is made of. Equal
// trees are equal files; unequal ones need not differ, as a tree also holds what
// is neither.
func sameFiles(a, b *spec.Content) bool {
	if a == b || a.Tree != "" && a.Tree == b.Tree && a.Split == b.Split && len(a.Files) == len(b.Files) {
		return true
	}
	same := func(a, b spec.File) bool { return a.ID == b.ID && a.Path == b.Path && a.Size == b.Size }
	return slices.EqualFunc(a.Files, b.Files, same) && slices.EqualFunc(a.Sources, b.Sources, same)
}

// revisionOf is the revision an app's answers carry.
func (p *passing) revisionOf(object *spec.Object) string {
	if object.Revision != "" {
		return object.Revision
	}
	return p.desired.Revision
}

// build makes the handlers of every app that changed.
func (p *passing) build(ctx context.Context) error {
	var pending []*candidate
	for i := range p.apps {
		if c := &p.apps[i]; c.pending() {
			pending = append(pending, c)
		}
	}
	each(len(pending), func(i int) {
		if ctx.Err() != nil {
			return
		}
		c := pending[i]
		made, err := p.buildSite(ctx, c)
		if err != nil {
			c.fail(err)
			return
		}
		c.site = made
	})
	return ctx.Err()
}

// settleHosts finds hosts that two apps would have. The one that has the host
// now keeps it, since its visitors do not expect another site; among new ones
// the first address wins. An app that gives way falls back to what it is now,
// which may in turn claim a host, so it goes on until nobody gives way.
func (p *passing) settleHosts() {
	for {
		t := newTable(max(len(p.old.table.exact), len(p.apps)))
		before := p.faults()
		for i := range p.apps {
			p.claim(&t, &p.apps[i], true)
		}
		for i := range p.apps {
			p.claim(&t, &p.apps[i], false)
		}
		if p.faults() == before {
			p.next.table = t
			return
		}
	}
}

// claim gives an app the hosts it has now, or the ones that are new to it.
func (p *passing) claim(t *table, c *candidate, now bool) {
	if c.site == nil {
		return
	}
	if c.site == c.current && !now {
		return
	}
	for _, host := range c.site.hosts {
		if has := c.current != nil && (c.site == c.current || slices.Contains(c.current.hosts, host)); has != now {
			continue
		}
		holder := t.claim(host, c.site)
		if holder != nil && holder != c.site {
			c.fail(fault.New(fault.Conflict, "host %q of %q is still served by %q", host, c.object.Addr, holder.addr).
				WithHint("it moves once %q no longer has it", holder.addr))
			return
		}
	}
}

// announceAbsent has the hosts of apps that no block declares and that cannot be served
// say so: they are on record and come back, so their visitors are not sent away.
func (p *passing) announceAbsent() {
	for i := range p.apps {
		c := &p.apps[i]
		if c.site != nil || !c.object.Unmanaged {
			continue
		}
		away := &site{addr: c.object.Addr, name: c.object.Name, disabled: true, revision: []string{p.revisionOf(c.object)},
			routes: []route{{prefix: "/", handler: refuse(errDisabled)}}}
		for _, host := range c.app.Hosts {
			p.next.table.claim(host, away)
		}
	}
}

func (p *passing) faults() int {
	n := 0
	for i := range p.apps {
		if p.apps[i].fault != nil {
			n++
		}
	}
	return n
}

// assemble fills the next snapshot and takes its leases.
func (p *passing) assemble() {
	n := p.next
	n.revision, n.header = p.desired.Revision, []string{p.desired.Revision}
	n.objects = make([]spec.Object, 0, len(p.desired.Objects))
	next := 0
	for _, object := range p.desired.Objects {
		if object.Kind != spec.KindApp {
			n.objects = append(n.objects, object)
			continue
		}
		c := &p.apps[next]
		next++
		if c.fault != nil {
			n.faults = append(n.faults, Fault{Addr: object.Addr, Err: c.fault})
		}
		if c.site == nil {
			delete(n.sites, object.Addr)
			continue
		}
		c.site.lease.take()
		n.sites[object.Addr] = c.site
		n.objects = append(n.objects, p.served(c))
	}
	p.readPeople()
	p.server.addConsole(n)
	if p.server.config.Dev {
		p.server.addDevHosts(n)
	}
}

// served is the object of an app as Observe will show it.
func (p *passing) served(c *candidate) spec.Object {
	if c.fault != nil {
		for _, object := range p.old.objects {
			if object.Addr == c.object.Addr {
				return object
			}
		}
	}
	object, content := *c.object, c.site.content
	if tree := object.Content.Tree; tree != content.Tree {
		moved := *content
		moved.Tree = tree
		content = &moved
	}
	object.Content = content
	return object
}
