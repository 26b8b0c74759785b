package rewrite

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// target is a parsed To. Its host is fixed when it is parsed: what a request
// holds can reach the path, the query and the fragment only.
type target struct {
	origin   string // "https://example.com", or empty for the same host
	path     template
	query    template
	fragment template
	fixed    string // the whole location if nothing in it depends on the request
}

// template is text with names in it. For the path, literals are escaped.
type template []piece

// piece is a literal, or the capture with this index if it is empty.
type piece struct {
	literal string
	capture int
	slashes bool // the capture may hold slashes that part a path: it is the splat
}

// parseTarget reads a To that may use names.
func parseTarget(text string, names []string) (target, error) {
	var t target
	if err := checkTarget(text); err != nil {
		return t, err
	}
	origin, rest, err := splitOrigin(text)
	if err != nil {
		return t, err
	}
	t.origin = origin
	rest, fragment, _ := strings.Cut(rest, "#")
	path, query, _ := strings.Cut(rest, "?")
	for _, part := range []struct {
		into *template
		text string
	}{{&t.path, path}, {&t.query, query}, {&t.fragment, fragment}} {
		if *part.into, err = parseTemplate(part.text, names, true); err != nil {
			return t, err
		}
		if err := part.into.escapeLiterals(); err != nil {
			return t, fmt.Errorf("%q is not escaped correctly", text)
		}
	}
	if t.path.isFixed() && t.query.isFixed() && t.fragment.isFixed() {
		t.fixed = t.location(&captures{}, "")
	}
	return t, nil
}

func checkTarget(text string) error {
	switch {
	case strings.HasPrefix(text, "//"):
		return fmt.Errorf("%q leaves the host without saying how; write https:// before it", text)
	case strings.ContainsRune(text, '\\'):
		return fmt.Errorf("%q holds a backslash", text)
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return fmt.Errorf("%q holds a space or a control character", text)
	}
	return nil
}

// splitOrigin takes the scheme and host off a target.
func splitOrigin(text string) (origin, rest string, err error) {
	if strings.HasPrefix(text, "/") {
		return "", text, nil
	}
	scheme, after, found := strings.Cut(text, "://")
	if scheme = strings.ToLower(scheme); !found || scheme != "https" && scheme != "http" {
		return "", "", fmt.Errorf("%q must begin with a slash, http:// or https://", text)
	}
	end := strings.IndexAny(after, "/?#")
	if end < 0 {
		end = len(after)
	}
	origin = scheme + "://" + after[:end]
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.User != nil || strings.ContainsAny(u.Host, "*") {
		return "", "", fmt.Errorf("%q has no plain host", text)
	}
	if rest = after[end:]; !strings.HasPrefix(rest, "/") {
		rest = "/" + rest
	}
	return origin, rest, nil
}

// parseTemplate splits text at its names. A strict one refuses names that are
// not known; otherwise they are text.
func parseTemplate(text string, names []string, strict bool) (template, error) {
	var t template
	start := 0
	for i := 0; i < len(text); i++ {
		if text[i] != ':' {
			continue
		}
		name := text[i+1:][:nameLength(text[i+1:])]
		if name == "" {
			continue
		}
		capture := slices.Index(names, name)
		if capture < 0 && strict {
			return nil, fmt.Errorf("%q is not a name of this rule; a colon is written %%3A", ":"+name)
		}
		if capture < 0 {
			continue
		}
		if start < i {
			t = append(t, piece{literal: text[start:i]})
		}
		t = append(t, piece{capture: capture, slashes: name == splatName})
		i += len(name)
		start = i + 1
	}
	if start < len(text) {
		t = append(t, piece{literal: text[start:]})
	}
	return t, nil
}

func (t template) isFixed() bool {
	return !slices.ContainsFunc(t, func(p piece) bool { return p.literal == "" })
}

// expand writes the template with each capture escaped by escape.
func (t template) expand(b *strings.Builder, c *captures, escape func(string) string) {
	for _, p := range t {
		if p.literal != "" {
			b.WriteString(p.literal)
			continue
		}
		value := escape(c.values[p.capture])
		if !p.slashes {
			value = strings.ReplaceAll(value, "/", "%2F")
		}
		b.WriteString(value)
	}
}

// escapeLiterals escapes what may not stand in a URL as it is, and refuses a
// percent sign that escapes nothing.
func (t template) escapeLiterals() error {
	for i, p := range t {
		if _, err := url.PathUnescape(p.literal); err != nil {
			return err
		}
		t[i].literal = escape(p.literal, true)
	}
	return nil
}

// location builds the URL; query is what the request adds to the target's own.
func (t *target) location(c *captures, query string) string {
	var b strings.Builder
	b.WriteString(t.origin)
	b.WriteString(t.escapedPath(c))
	var own strings.Builder
	t.query.expand(&own, c, url.QueryEscape)
	if own.Len() > 0 || query != "" {
		b.WriteByte('?')
		b.WriteString(own.String())
		if own.Len() > 0 && query != "" {
			b.WriteByte('&')
		}
		b.WriteString(escape(query, true))
	}
	if len(t.fragment) > 0 {
		b.WriteByte('#')
		t.fragment.expand(&b, c, escapePath)
	}
	return b.String()
}

// escapedPath expands the path. It never begins with two slashes, which a
// browser would take for a host.
func (t *target) escapedPath(c *captures) string {
	var b strings.Builder
	t.path.expand(&b, c, escapePath)
	path := b.String()
	for strings.HasPrefix(path, "//") {
		path = path[1:]
	}
	return path
}

// servedPath expands the path for the app's own handler, not escaped.
func (t *target) servedPath(c *captures) string {
	path, err := url.PathUnescape(t.escapedPath(c))
	if err != nil {
		return "/" // escapedPath is well-formed, so this is out of reach
	}
	return path
}

func escapePath(s string) string { return escape(s, false) }

// escape percent-encodes all bytes but those that a path may hold. With url set
// those with a meaning of their own in a URL and escapes stay too.
func escape(s string, url bool) string {
	keep := func(c byte) bool {
		return isLetter(c) || c >= '0' && c <= '9' || strings.IndexByte("-._~!$&'()*+,;=:@/", c) >= 0 ||
			url && strings.IndexByte("%?[]", c) >= 0
	}
	i := 0
	for i < len(s) && keep(s[i]) {
		i++
	}
	if i == len(s) {
		return s
	}
	var b strings.Builder
	b.WriteString(s[:i])
	for ; i < len(s); i++ {
		if keep(s[i]) {
			b.WriteByte(s[i])
		} else {
			fmt.Fprintf(&b, "%%%02X", s[i])
		}
	}
	return b.String()
}

// checkServed refuses what a rewrite in place cannot do.
func (t *target) checkServed() error {
	if t.origin != "" {
		return errors.New("status 200 and 404 serve a path of this app; another host cannot be proxied")
	}
	return nil
}
