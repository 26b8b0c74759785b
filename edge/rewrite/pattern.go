package rewrite

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// splatName is how a target names what the "*" of a pattern matched.
const splatName = "splat"

// pattern matches paths: tokens from the left, then if splat is set anything
// that ends in suffix.
type pattern struct {
	tokens []token
	splat  bool
	suffix string   // after the splat
	names  []string // of the captures, in order
}

// token is a literal, or a placeholder if it is empty.
type token string

// captures are what the names of a rule stand for in one request, not escaped.
type captures struct {
	values [maxNames + 1]string // the splat is one more
	n      int
}

func (c *captures) add(value string) {
	c.values[c.n] = value
	c.n++
}

// fixed tells whether the pattern matches one path only.
func (p *pattern) fixed() bool { return !p.splat && len(p.names) == 0 }

// prefix is what every path begins with that the pattern can match, to pass over
// most patterns quickly.
func (p *pattern) prefix() string { return strings.TrimSuffix(string(p.tokens[0]), "/") }

// match compares in one walk over the path and allocates nothing.
func (p *pattern) match(path string) (c captures, ok bool) {
	rest := path
	if !p.splat {
		rest = trimSlash(path)
	}
	for i, t := range p.tokens {
		if t == "" {
			end := strings.IndexByte(rest, '/')
			if end < 0 {
				end = len(rest)
			}
			if end == 0 {
				return c, false
			}
			c.add(rest[:end])
			rest = rest[end:]
			continue
		}
		after, ok := strings.CutPrefix(rest, string(t))
		if !ok {
			return p.folder(i, rest, c)
		}
		rest = after
	}
	if !p.splat {
		return c, rest == ""
	}
	value, ok := strings.CutSuffix(rest, p.suffix)
	if ok {
		c.add(value)
	}
	return c, ok
}

// folder lets "/docs/*" match "/docs": all but the slash before the splat did.
func (p *pattern) folder(i int, rest string, c captures) (captures, bool) {
	ok := p.splat && p.suffix == "" && i == len(p.tokens)-1 && rest+"/" == string(p.tokens[i])
	if ok {
		c.add("")
	}
	return c, ok
}

// parsePattern reads the From of a redirect or the path of a header rule.
func parsePattern(text string) (pattern, error) {
	switch {
	case strings.Contains(text, "://"), strings.HasPrefix(text, "//"):
		return pattern{}, fmt.Errorf("%q names a host; rules match paths of the app, whose hosts are declared with it", text)
	case !strings.HasPrefix(text, "/"):
		return pattern{}, fmt.Errorf("%q must begin with a slash", text)
	case strings.ContainsAny(text, "?#"):
		return pattern{}, fmt.Errorf("%q has a query or a fragment; a query is matched by name=value after the path", text)
	}
	head, tail, splat := strings.Cut(text, "*")
	if strings.Contains(tail, "*") {
		return pattern{}, fmt.Errorf("%q has more than one splat", text)
	}
	p := pattern{splat: splat}
	if !splat {
		head = trimSlash(head)
	}
	if err := p.parseHead(head); err != nil {
		return pattern{}, err
	}
	var err error
	if p.suffix, err = literal(tail); err != nil {
		return pattern{}, err
	}
	if splat {
		p.names = append(p.names, splatName)
	}
	return p, nil
}

// parseHead splits what is before the splat into literals and placeholders.
func (p *pattern) parseHead(head string) error {
	text := ""
	for i, part := range strings.Split(head, "/") {
		if i > 0 {
			text += "/"
		}
		name, found := strings.CutPrefix(part, ":")
		if !found || name == "" || !isLetter(name[0]) {
			lit, err := literal(part)
			if err != nil {
				return err
			}
			text += lit
			continue
		}
		if err := p.addName(name); err != nil {
			return err
		}
		p.tokens = append(p.tokens, token(text), "")
		text = ""
	}
	if text != "" {
		p.tokens = append(p.tokens, token(text))
	}
	return nil
}

func (p *pattern) addName(name string) error {
	switch {
	case nameLength(name) != len(name):
		return fmt.Errorf("placeholder %q may hold letters, digits and underscores only, and is a whole part of the path", ":"+name)
	case name == splatName:
		return errors.New(`":splat" stands for what "*" matched and cannot be a placeholder`)
	case slices.Contains(p.names, name):
		return fmt.Errorf("placeholder %q is there twice", ":"+name)
	case len(p.names) == maxNames:
		return fmt.Errorf("more than %d placeholders", maxNames)
	}
	p.names = append(p.names, name)
	return nil
}

// literal decodes a fixed piece of a pattern.
func literal(text string) (string, error) {
	if i := strings.IndexByte(text, ':'); i >= 0 && i+1 < len(text) && isLetter(text[i+1]) {
		return "", fmt.Errorf("%q has a placeholder inside; a placeholder is a whole part of the path, and a colon is written %%3A", text)
	}
	lit, err := url.PathUnescape(text)
	if err != nil {
		return "", fmt.Errorf("%q is not escaped correctly", text)
	}
	if strings.ContainsFunc(lit, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }) {
		return "", fmt.Errorf("%q holds a control character or a backslash", text)
	}
	return lit, nil
}

// nameLength is the length of the placeholder name that s begins with, 0 if none.
func nameLength(s string) int {
	n := 0
	for n < len(s) && (isLetter(s[n]) || n > 0 && (s[n] == '_' || s[n] >= '0' && s[n] <= '9')) {
		n++
	}
	return n
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
