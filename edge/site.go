package edge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/edge/function"
	"github.com/fazt-sh/fazt/edge/limit"
	"github.com/fazt-sh/fazt/edge/rewrite"
	"github.com/fazt-sh/fazt/edge/static"
	"github.com/fazt-sh/fazt/platform/blob"
	"github.com/fazt-sh/fazt/spec"
)

// site is one app as it is served: a release with its finished handlers. It is
// immutable and shared by all snapshots in which the app did not change.
type site struct {
	addr     spec.Addr
	name     string
	digest   string        // of the app's object
	content  *spec.Content // with every Blob filled
	hosts    []string
	disabled bool
	key      string          // names this release to a page that waits for the next; dev only
	revision []string        // the value of Fazt-Revision
	routes   []route         // longest prefix first
	files    *static.Handler // nil for an app that is switched off
	rules    *rewrite.Table  // redirects and headers
	entry    string          // of the program, empty for an app without code
	backend  *backend        // nil for an app without code
	data     string          // names the folder of what the app keeps
	fresh    bool            // made of a revision, and not of what the node remembers
	born     time.Time       // when it was published first, of one that is fresh or was so before a restart
	health   *spec.Health    // how to tell that it works; nil: nobody asks
	tally    *tally          // of what its code answers visitors
	before   *tally          // of the release before it; nil: there was none in this process
	policy   limit.Policy
	limits   *limit.App // the running side of policy, shared by all releases of the app
	lease    *lease     // on what routes stand on
	api      bool       // below prefixAPI commands are answered
}

// commands tells whether a path is one of the node's API.
func (s *site) commands(path string) bool { return s.api && strings.HasPrefix(path, prefixAPI) }

// Paths no app can have. Each is answered by the node, or not at all.
const (
	prefixACME = "/.well-known/acme-challenge/"
	prefixAuth = "/auth/"
	prefixFazt = "/_fazt/"
)

// buildSite makes the handlers of an app whose bytes are all in the store.
func (p *passing) buildSite(ctx context.Context, c *candidate) (_ *site, err error) {
	s, object, app := p.server, c.object, c.app
	made := &site{addr: object.Addr, name: object.Name, data: object.Data, digest: object.Digest, content: c.content,
		hosts: app.Hosts, disabled: app.Disabled, lease: newLease(&s.leases), policy: policyOf(app.Limits), limits: s.appLimits(object.Addr),
		revision: []string{p.revisionOf(object)}, health: app.Health, tally: new(tally), fresh: p.desired.Folder != nil && !p.desired.Verify}
	if c.current != nil {
		made.before = c.current.tally
	}
	if app.Disabled {
		made.health = nil
	}
	if age, known := p.desired.Ages[object.Addr]; known {
		made.born = time.Now().Add(-age)
	}
	reload := refuse(errNothing)
	if s.config.Dev {
		made.key = releaseKey(*object, c.content)
		reload = s.reloadHandler()
	}
	pages, err := s.pages(app, made)
	if err != nil {
		return nil, err
	}
	nothing := refuse(errNothing)
	made.routes = []route{{prefix: prefixACME, handler: nothing}, {prefix: prefixFazt, handler: reload}, {prefix: prefixAuth, handler: answer(s.signIn)}, {prefix: "/", handler: pages}}
	if app.Runtime == nil || app.Disabled {
		return made, nil
	}
	return made, p.addBackend(ctx, c, made)
}

// addBackend gives a site the code of its app, and the paths that code answers.
func (p *passing) addBackend(ctx context.Context, c *candidate, made *site) (err error) {
	s := p.server
	made.entry = c.app.Runtime.Entry
	if made.backend, err = p.openBackend(ctx, c, made); err != nil {
		return err
	}
	made.lease.ended = made.backend.close
	p.mu.Lock()
	p.opened = append(p.opened, made)
	p.mu.Unlock()
	if made.backend.answers() {
		made.addCode(c.app.Runtime.Filled().Routes, ruled{made, made.backend.handler(s, made)})
	}
	p.addFiles(c, made)
	orderRoutes(made.routes)
	return nil
}

// addCode adds the paths that an app's code answers, in the place of its files where
// it answers all.
func (s *site) addCode(patterns []string, code handler) {
	for _, pattern := range patterns {
		prefix, below := strings.CutSuffix(pattern, "*")
		if below && prefix == "/" {
			s.routes = slices.DeleteFunc(s.routes, func(r route) bool { return r.prefix == "/" })
		}
		s.routes = append(s.routes, route{prefix: prefix, handler: code, exact: !below})
		if below && prefix != "/" {
			s.routes = append(s.routes, route{prefix: strings.TrimSuffix(prefix, "/"), handler: code, exact: true})
		}
	}
}

// ruled applies an app's redirects before its code is asked, and its headers to
// what that says: they are the operator's, and stay what they are whatever answers.
type ruled struct {
	site *site
	code handler
}

// ServeHTTP implements handler.
func (h ruled) ServeHTTP(w http.ResponseWriter, r *http.Request) error {
	path := r.URL.Path
	if m, ok := h.site.rules.Redirect(path, r.URL.RawQuery, false); ok {
		_, code := h.site.route(m.Path).(ruled)
		if m.Location != "" || !code || h.site.files.Has(m.Path) {
			return h.site.files.Follow(w, r, m)
		}
		r.URL.Path, r.URL.RawPath = m.Path, ""
	}
	if x, visitor := w.(*exchange); visitor {
		x.rules, x.code = h.site.rules.Fields(path), true
	}
	return h.code.ServeHTTP(w, r)
}

// policyOf is what an app declares of its limits; none of it is no limit.
func policyOf(l *spec.AppLimits) limit.Policy {
	if l == nil {
		return limit.Policy{}
	}
	return limit.Policy{Rate: limit.Rate{PerSecond: l.RequestsPerSecond, Burst: l.Burst}, Concurrency: l.Concurrency,
		Body: l.Body, Wall: millis(l.WallMS), EgressMonth: l.EgressMonth}
}

// pages is the handler for an app's own paths.
func (s *Server) pages(app spec.App, made *site) (handler, error) {
	rules, err := compileRules(app, made.content.Files, s.ruleFile)
	if err != nil {
		return nil, err
	}
	made.rules = rules
	if app.Disabled {
		return refuse(errDisabled), nil
	}
	options := static.Options{Store: s.config.Blobs, Spa: app.Spa, Rules: rules, Cache: s.cache}
	if lost := s.config.Lost; lost != nil {
		options.Lost = func(d blob.Digest) { lost(string(d)) }
	}
	options.Files = make([]static.File, 0, len(made.content.Files))
	for _, f := range made.content.Files {
		if !IsRuleFile(f.Path) {
			options.Files = append(options.Files, static.File{Path: f.Path, Blob: blob.Digest(f.Blob), Size: f.Size})
		}
	}
	if s.config.Dev {
		options.Snippet = reloadSnippet(made.key)
	}
	made.files, err = static.New(options)
	return made.files, err
}

// releaseKey names what a browser shows: equal keys are equal pages.
func releaseKey(object spec.Object, content *spec.Content) string {
	h := sha256.New()
	io.WriteString(h, object.Digest)
	for _, f := range content.Files {
		fmt.Fprintf(h, "\x00%s\x00%s", f.Path, f.Blob)
	}
	for _, f := range content.Sources {
		fmt.Fprintf(h, "\x00%s\x00%s", f.Path, f.ID)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// prefixBlob is where an app's files have signed addresses.
const prefixBlob = prefixFazt + "blob/"

// addFiles adds the addresses of what visitors may fetch and store by signature.
func (p *passing) addFiles(c *candidate, made *site) {
	if len(c.app.Blobs) == 0 {
		return
	}
	made.routes = append(made.routes, route{prefix: prefixBlob, handler: function.NewFiles(made.backend.binding, prefixBlob)})
	for _, b := range c.app.Blobs {
		if prefix, below := strings.CutSuffix(b.Serve, "*"); below {
			made.routes = append(made.routes, route{prefix: prefix, handler: function.NewPublic(made.backend.binding, b.Name, prefix)})
		}
	}
}
