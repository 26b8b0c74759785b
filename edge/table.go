package edge

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/fazt-sh/fazt/spec"
)

// handler answers a request or says why not; the edge renders the error.
type handler interface {
	ServeHTTP(w http.ResponseWriter, r *http.Request) error
}

// answer is a handler that is a function. The edge's own handlers get the
// exchange they answer in, and with it the snapshot.
type answer func(x *exchange, r *http.Request) error

// ServeHTTP implements handler. Within the edge w is always an exchange.
func (f answer) ServeHTTP(w http.ResponseWriter, r *http.Request) error {
	return f(w.(*exchange), r)
}

// refuse is the handler that always gives one error.
func refuse(err error) handler {
	return answer(func(*exchange, *http.Request) error { return err })
}

// route is a part of a site: every path that begins with prefix, or one path.
type route struct {
	prefix  string // begins with a slash, and ends with one where it is not exact
	handler handler
	exact   bool
}

// route returns the handler of a canonical path: the exact one, or the one with the
// longest prefix. Routes are ordered so, and end with "/".
func (s *site) route(path string) handler {
	for i := range s.routes {
		r := &s.routes[i]
		if r.exact && path == r.prefix || !r.exact && strings.HasPrefix(path, r.prefix) {
			return r.handler
		}
	}
	return refuse(errNothing)
}

// orderRoutes puts exact routes first and then the longest prefixes.
func orderRoutes(routes []route) {
	slices.SortStableFunc(routes, func(a, b route) int {
		if a.exact != b.exact {
			return map[bool]int{true: -1, false: 1}[a.exact]
		}
		return len(b.prefix) - len(a.prefix)
	})
}

// table finds a site by host: the exact name first, then the wildcard of its
// last labels. There is no default site.
type table struct {
	exact map[string]*site
	wild  map[string]*site // "example.com" for "*.example.com"
	list  *site            // answers at IP addresses; dev only
}

func newTable(size int) table {
	return table{exact: make(map[string]*site, size), wild: map[string]*site{}}
}

// claim gives a canonical host to a site, or returns the one that has it.
func (t *table) claim(host string, s *site) (holder *site) {
	names := t.exact
	if rest, ok := strings.CutPrefix(host, "*."); ok {
		names, host = t.wild, rest
	}
	if holder := names[host]; holder != nil {
		return holder
	}
	names[host] = s
	return nil
}

// hosts are all claimed names, sorted.
func (t *table) hosts() []string {
	names := slices.Collect(maps.Keys(t.exact))
	for rest := range t.wild {
		names = append(names, "*."+rest)
	}
	slices.Sort(names)
	return names
}

// name is the canonical form of a host that a site answers at. A host in that form,
// with a port or without, costs nothing.
func (t *table) name(host string, of *site) string {
	bare := host
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		bare = host[:i]
	}
	if t.exact[bare] == of {
		return bare
	}
	name, err := spec.ParseHost(host)
	if err != nil {
		return ""
	}
	return name
}

// find returns the site for a host as a client spelt it, or nil. A host that
// is spelt as a key is its own canonical form already.
func (t *table) find(host string) *site {
	if s := t.exact[host]; s != nil {
		return s
	}
	name, err := spec.ParseHost(host)
	if err != nil {
		if errors.Is(err, spec.ErrAddress) {
			return t.list
		}
		return nil
	}
	if s := t.exact[name]; s != nil {
		return s
	}
	_, rest, _ := strings.Cut(name, ".")
	return t.wild[rest]
}
