package rewrite

import (
	"fmt"
	"net/url"
	"strings"
)

// rule is a compiled redirect.
type rule struct {
	pattern pattern
	params  []param
	target  target
	status  int
	from    string // as declared, for messages
	line    int
}

// param is a query parameter a rule asks for: any value, captured, or a fixed
// one.
type param struct {
	name, value string
	captured    bool
}

// parseRule compiles one redirect.
func parseRule(r Redirect) (rule, error) {
	p, err := parsePattern(r.From)
	if err != nil {
		return rule{}, err
	}
	out := rule{pattern: p, status: r.Status, from: r.From, line: r.Line}
	names := p.names
	for _, q := range r.Query {
		name, captured := strings.CutPrefix(q.Value, ":")
		out.params = append(out.params, param{q.Name, q.Value, captured})
		if !captured {
			continue
		}
		if p.splat && len(p.names) > maxNames {
			return rule{}, fmt.Errorf("more than %d placeholders", maxNames)
		}
		p.names = names
		if err := p.addName(name); err != nil {
			return rule{}, err
		}
		names = p.names
	}
	if out.status == 0 {
		out.status = 301
	}
	if out.target, err = parseTarget(r.To, names); err != nil {
		return rule{}, err
	}
	return out, out.checkStatus()
}

func (r *rule) checkStatus() error {
	switch r.status {
	case 301, 302, 303, 307, 308:
		return r.checkSelf()
	case 200, 404:
		return r.target.checkServed()
	default:
		return fmt.Errorf("status %d is not one of 200, 301, 302, 303, 307, 308, 404", r.status)
	}
}

// checkSelf refuses a fixed path that leads to itself, which a browser would
// follow until it gives up.
func (r *rule) checkSelf() error {
	if !r.isExact() || r.target.fixed == "" || r.target.origin != "" {
		return nil
	}
	if c, ok := r.pattern.match(r.target.servedPath(&captures{})); ok && c.n == 0 {
		return circleError(r.from)
	}
	return nil
}

// isExact tells whether a map lookup of the path decides.
func (r *rule) isExact() bool { return r.pattern.fixed() && len(r.params) == 0 }

// redirects tells whether the answer sends the client elsewhere.
func (r *rule) redirects() bool { return r.status != 200 && r.status != 404 }

func (r *rule) matches(path, query string) (captures, bool) {
	c, ok := r.pattern.match(path)
	if !ok {
		return c, false
	}
	for _, p := range r.params {
		value, ok := lookup(query, p.name)
		if !ok || !p.captured && value != p.value {
			return c, false
		}
		if p.captured {
			c.add(value)
		}
	}
	return c, true
}

// answer builds the match. The request's query goes along, but for the
// parameters that the rule used.
func (r *rule) answer(c *captures, query string) Match {
	if !r.redirects() {
		return Match{Status: r.status, Path: r.target.servedPath(c)}
	}
	for _, p := range r.params {
		query = without(query, p.name)
	}
	if query == "" && r.target.fixed != "" {
		return Match{Status: r.status, Location: r.target.fixed}
	}
	return Match{Status: r.status, Location: r.target.location(c, query)}
}

// lookup returns the first value of a parameter in a raw query.
func lookup(query, name string) (string, bool) {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		key, value, _ := strings.Cut(pair, "=")
		if unescapeQuery(key) == name {
			return unescapeQuery(value), true
		}
	}
	return "", false
}

// without returns a raw query less the parameters of a name.
func without(query, name string) string {
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		key, _, _ := strings.Cut(pair, "=")
		if pair != "" && unescapeQuery(key) != name {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "&")
}

func unescapeQuery(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}
