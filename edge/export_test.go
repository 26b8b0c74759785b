package edge

import (
	"net/http"
	"net/url"
	"time"

	"github.com/fazt-sh/fazt/platform/identity"
	"github.com/fazt-sh/fazt/spec"
	"github.com/fazt-sh/fazt/spec/access"
)

// Told is what the code of the app one is told of somebody at a time.
func Told(objects []spec.Object, email string, now time.Time) string {
	view := access.Compile(objects).View(access.Who{Email: email, SignedIn: true})
	snap := &snapshot{sites: map[spec.Addr]*site{"app.one": {name: "one", addr: "app.one"}}}
	return (&person{&identity.Session{Person: &identity.Person{Email: email}}, view, snap, now}).Auth("one")
}

// ClientAddress is clientAddress.
var ClientAddress = clientAddress

// CanonicalPath is canonicalPath.
func CanonicalPath(u *url.URL) (string, bool, error) { return canonicalPath(u) }

// SelfRedirect is selfRedirect.
func SelfRedirect(path, query string) string { return selfRedirect(path, query) }

// PublishHandler publishes a snapshot in which one host is answered by f.
func (s *Server) PublishHandler(host string, f func(w http.ResponseWriter, r *http.Request) error) {
	n := newSnapshot(s.end)
	n.revision, n.header = "test", []string{"test"}
	n.table = newTable(1)
	n.table.claim(host, &site{name: host, revision: n.header, routes: []route{{prefix: "/", handler: handlerFunc(f)}}})
	(&Staged{server: s, snap: n, unhold: func() {}}).Publish(1)
}

type handlerFunc func(w http.ResponseWriter, r *http.Request) error

func (f handlerFunc) ServeHTTP(w http.ResponseWriter, r *http.Request) error { return f(w, r) }

// Router is a table of hosts to names, with prefixes to names within each.
type Router struct {
	table table
	names map[*site][]string
}

// NewRouter claims hosts in order for sites of the given route prefixes, which
// must be sorted longest first.
func NewRouter(hosts []string, prefixes []string) *Router {
	r := &Router{table: newTable(len(hosts)), names: map[*site][]string{}}
	for _, host := range hosts {
		s := &site{name: host}
		for _, p := range prefixes {
			s.routes = append(s.routes, route{prefix: p, handler: refuse(&refusal{message: p})})
		}
		r.table.claim(host, s)
	}
	return r
}

// Find returns the host pattern that answers host, empty for none.
func (r *Router) Find(host string) string {
	if s := r.table.find(host); s != nil {
		return s.name
	}
	return ""
}

// Route returns the prefix that answers path on host.
func (r *Router) Route(host, path string) string {
	return r.table.find(host).route(path).ServeHTTP(&exchange{}, nil).Error()
}

// Lookup does what a request does to find its handler.
func (r *Router) Lookup(host, path string) bool {
	s := r.table.find(host)
	return s != nil && s.route(path) != nil
}

// Excerpt is excerpt.
func Excerpt(sourceMap []byte, stack string) string { return excerpt(sourceMap, stack) }

// PublishCode publishes a release of the app one whose code is f.
func (s *Server) PublishCode(f func(w http.ResponseWriter, r *http.Request) error) {
	made := &site{addr: "app.one", name: "one", revision: []string{"test"}, tally: new(tally), born: time.Now(), limits: s.appLimits("app.one"), lease: newLease(&s.leases)}
	made.lease.take()
	if old := s.current.Load().sites["app.one"]; old != nil {
		made.before = old.tally
	}
	made.routes = []route{{prefix: "/", handler: ruled{made, handlerFunc(f)}}}
	n := newSnapshot(s.end)
	n.sites, n.table = map[spec.Addr]*site{"app.one": made}, newTable(1)
	n.table.claim("one.test", made)
	(&Staged{server: s, snap: n, unhold: func() {}}).Publish(s.current.Load().generation + 1)
}
