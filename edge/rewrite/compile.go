package rewrite

import "fmt"

// Compile builds the table. Redirects keep their order: the first that matches
// wins. Of the headers later ones win. What cannot work is refused: wrong rules,
// too many, or forced redirects that lead in a circle. The error is Problems.
func Compile(redirects []Redirect, headers []Header) (*Table, error) {
	t := &Table{rules: make([]rule, 0, len(redirects))}
	problems := append(t.addRedirects(redirects), t.addHeaders(headers)...)
	if len(problems) == 0 {
		problems = t.circles(func(string) (bool, string) { return true, "" })
	}
	if len(problems) > 0 {
		return nil, problems.Err()
	}
	return t, nil
}

func (t *Table) addRedirects(redirects []Redirect) (problems Problems) {
	if len(redirects) > maxRedirects {
		return Problems{redirectProblem(0, "%d redirects, more than the %d an app may have", len(redirects), maxRedirects)}
	}
	for _, r := range redirects {
		compiled, err := parseRule(r)
		if err != nil {
			problems = append(problems, problemOf(RedirectsFile, r.Line, fmt.Sprintf("redirect %q: ", r.From), err))
			continue
		}
		t.add(compiled, r.Force)
	}
	if n := len(t.all.patterns); n > maxPatterns {
		problems = append(problems, redirectProblem(0, "%d redirects with placeholders, splats or queries, more than the %d an app may have", n, maxPatterns))
	}
	return problems
}

func (t *Table) add(r rule, force bool) {
	i := len(t.rules)
	t.rules = append(t.rules, r)
	t.all.add(i, &r)
	if force {
		t.forced.add(i, &r)
	}
}

func (m *matcher) add(i int, r *rule) {
	if !r.isExact() {
		m.patterns = append(m.patterns, candidate{r.pattern.prefix(), i})
		return
	}
	if m.exact == nil {
		m.exact = map[string]int{}
	}
	path := exactPath(&r.pattern)
	if _, taken := m.exact[path]; !taken {
		m.exact[path] = i
	}
}

// exactPath is the one path a fixed pattern matches.
func exactPath(p *pattern) string {
	path := ""
	for _, t := range p.tokens {
		path += string(t)
	}
	return path
}

func (t *Table) addHeaders(headers []Header) (problems Problems) {
	if len(headers) > maxHeaders {
		return Problems{headerProblem(0, "%d header rules, more than the %d an app may have", len(headers), maxHeaders)}
	}
	for _, h := range headers {
		compiled, err := parseHeader(h)
		if err != nil {
			problems = append(problems, problemOf(HeadersFile, h.Line, fmt.Sprintf("headers of %q: ", h.Path), err))
			continue
		}
		t.headers = append(t.headers, compiled)
	}
	return problems
}

// maxHops is where browsers give up.
const maxHops = 20

// CheckLoops refuses redirects that lead on for ever. resolve tells for a path
// whether the app answers it and, if it does so by sending the client to another
// path, to which. Names are tried with a sample value. The error is Problems.
func (t *Table) CheckLoops(resolve func(path string) (exists bool, moved string)) error {
	if t == nil {
		return nil
	}
	return t.circles(resolve).Err()
}

// circles finds each circle once, at its first rule.
func (t *Table) circles(resolve func(string) (bool, string)) (problems Problems) {
	told := map[*rule]bool{}
	for i := range t.rules {
		r := &t.rules[i]
		if told[r] || !t.loops(r, resolve, told) {
			continue
		}
		p := redirectProblem(r.line, "redirect %q leads in a circle", r.from)
		p.Circle = true
		problems = append(problems, p)
	}
	return problems
}

// loops tells whether a rule's sample leads on for ever, and marks the rules it
// came by then.
func (t *Table) loops(start *rule, resolve func(string) (bool, string), told map[*rule]bool) bool {
	path, query := sample(start)
	if exists, _ := resolve(path); exists {
		if r, _, ok := t.find(path, query, true); !ok || r != start {
			return false // not what answers this path
		}
	}
	way := make([]*rule, 0, maxHops)
	for range maxHops {
		exists, moved := resolve(path)
		r, c, ok := t.find(path, query, exists)
		switch {
		case !ok && moved == "":
			return false
		case !ok:
			path = moved
		case !r.redirects() || r.target.origin != "":
			return false
		default:
			path, query = r.target.servedPath(&c), ""
			way = append(way, r)
		}
	}
	for _, r := range way {
		told[r] = true
	}
	return true
}

// sample is a request that a rule's pattern matches.
func sample(r *rule) (path, query string) {
	for _, t := range r.pattern.tokens {
		if t == "" {
			t = "x"
		}
		path += string(t)
	}
	if r.pattern.splat {
		path += "x" + r.pattern.suffix
	}
	for _, p := range r.params {
		query += "&" + p.name + "=" + p.value
	}
	return path, query
}
