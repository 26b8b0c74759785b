package edge

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/fazt-sh/fazt/edge/limit"
	"github.com/fazt-sh/fazt/edge/static"
	"github.com/fazt-sh/fazt/platform/blob"
	"github.com/fazt-sh/fazt/platform/fault"
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
	policy   limit.Policy
	limits   *limit.App // the running side of policy, shared by all releases of the app
	lease    *lease     // on what routes stand on
}

// Paths no app can have. Each is answered by the node, or not at all.
const (
	prefixACME = "/.well-known/acme-challenge/"
	prefixAuth = "/auth/"
	prefixFazt = "/_fazt/"
)

// buildSite makes the handlers of an app whose bytes are all in the store.
func (s *Server) buildSite(object spec.Object, content *spec.Content) (*site, error) {
	var app spec.App
	if err := json.Unmarshal(object.Spec, &app); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the canonical form of %q cannot be read", object.Addr)
	}
	if app.Runtime != nil && !app.Disabled {
		return nil, fault.New(fault.Invalid, "%q runs code, which this version of fazt cannot do yet", object.Addr).
			WithHint("take runtime out of its block, or use a newer fazt")
	}
	made := &site{addr: object.Addr, name: object.Name, digest: object.Digest, content: content,
		hosts: app.Hosts, disabled: app.Disabled, lease: newLease(&s.leases), policy: policyOf(app.Limits), limits: s.appLimits(object.Addr)}
	reload := refuse(errNothing)
	if s.config.Dev {
		made.key = releaseKey(object, content)
		reload = s.reloadHandler()
	}
	pages, err := s.pages(app, made)
	if err != nil {
		return nil, err
	}
	nothing := refuse(errNothing)
	made.routes = []route{{prefixACME, nothing}, {prefixFazt, reload}, {prefixAuth, nothing}, {"/", pages}}
	return made, nil
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
