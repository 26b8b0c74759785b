// Package rewrite is one compiled table of an app's redirects, rewrites and
// response headers, whether they were declared in HCL or in the _redirects and
// _headers files that Netlify and Cloudflare Pages know. The edge builds it when
// an app is staged and asks it before the app's handler, static or function. It
// refuses to know files, hosts and requests: it maps a path and a query to an
// answer, in time bounded by the number of patterns and the length of the path.
package rewrite

import (
	"net/http"
	"strings"
)

// Limits of one app, so that the time per request and per release is bounded.
// Cloudflare allows 2,000 fixed and 100 dynamic redirects and 100 header rules
// with lines of 1,000 and 2,000 characters, which all fit.
const (
	maxRedirects = 10_000  // redirects altogether
	maxPatterns  = 500     // of them with a placeholder, a splat or a query
	maxHeaders   = 500     // header rules
	maxNames     = 8       // placeholders of one rule
	maxLine      = 2_000   // bytes of a line
	maxFile      = 1 << 20 // bytes of a file
	maxProblems  = 100     // reported for one file
)

// Redirect answers requests for From. From is a path in which ":name" stands for
// one part and one "*" for anything; a trailing slash makes no difference, and
// "/docs/*" matches "/docs" too. To is a path or an http or https URL that may
// use the names and ":splat" after its host.
type Redirect struct {
	From   string
	Query  []Param // parameters a request must have, whatever else it has
	To     string
	Status int  // 301, 302, 303, 307, 308; 200 and 404 serve To in place; 0 is 301
	Force  bool // also where a file exists
	Line   int  // in _redirects; 0 if it was declared elsewhere
}

// Param is a query parameter that a redirect asks for: a fixed value, or ":name"
// for any.
type Param struct{ Name, Value string }

// Header changes response headers on the paths that Path matches; its syntax is
// that of Redirect.From. Values may use the names and ":splat".
type Header struct {
	Path   string
	Set    map[string]string // an empty value removes the header
	Detach []string          // names removed before Set applies
	Join   bool              // Set adds to what earlier rules set, separated by a comma, instead of replacing it
	Line   int               // in _headers; 0 if it was declared elsewhere
}

// Match is what a redirect asks for.
type Match struct {
	Status   int
	Location string // of a redirect: a URL, or a path of the same host; with its query, escaped
	Path     string // of a 200 or 404: the path to serve in place, not escaped
}

// Field is a header to set; no values means to remove it. The values are shared:
// nobody may change them.
type Field struct {
	Name   string // canonical
	Values []string
}

// Table holds the rules of one app. It is immutable; a nil table matches
// nothing.
type Table struct {
	rules   []rule
	all     matcher // every redirect
	forced  matcher // those that apply where a file exists too
	headers []headerRule
}

// matcher finds the first of its rules that matches.
type matcher struct {
	exact    map[string]int // path without a trailing slash → index of the first rule
	patterns []candidate    // the other rules, in order
}

// candidate is a rule that may match paths that begin with prefix.
type candidate struct {
	prefix string
	rule   int
}

// Redirect returns the first declared redirect that matches a canonical decoded
// path and a raw query. If the path exists as a file only forced ones count.
func (t *Table) Redirect(path, query string, exists bool) (Match, bool) {
	if t == nil {
		return Match{}, false
	}
	r, c, ok := t.find(path, query, exists)
	if !ok {
		return Match{}, false
	}
	return r.answer(&c, query), true
}

// find returns the first matching rule and what its names captured.
func (t *Table) find(path, query string, exists bool) (*rule, captures, bool) {
	m := &t.all
	if exists {
		m = &t.forced
	}
	limit := len(t.rules)
	exact, found := m.exact[trimSlash(path)]
	if found {
		limit = exact
	}
	for _, p := range m.patterns {
		if p.rule > limit {
			break
		}
		if !strings.HasPrefix(path, p.prefix) {
			continue
		}
		if c, ok := t.rules[p.rule].matches(path, query); ok {
			return &t.rules[p.rule], c, true
		}
	}
	if !found {
		return nil, captures{}, false
	}
	return &t.rules[exact], captures{}, true
}

// Headers applies the header rules for a canonical decoded path to h.
func (t *Table) Headers(path string, h http.Header) {
	for _, f := range t.Fields(path) {
		if f.Values == nil {
			delete(h, f.Name)
		} else {
			h[f.Name] = f.Values
		}
	}
}

// Fields returns what the header rules ask for on a path, one field per name, so
// that a caller can keep it; nil if no rule matches.
func (t *Table) Fields(path string) []Field {
	if t == nil {
		return nil
	}
	var fields []Field
	for i := range t.headers {
		if !strings.HasPrefix(path, t.headers[i].pattern.prefix()) {
			continue
		}
		if c, ok := t.headers[i].pattern.match(path); ok {
			fields = t.headers[i].apply(fields, &c)
		}
	}
	return fields
}

// trimSlash removes one trailing slash, but not the root's.
func trimSlash(path string) string {
	if n := len(path); n > 1 && path[n-1] == '/' {
		return path[:n-1]
	}
	return path
}
