package rewrite

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// headerRule is a compiled Header.
type headerRule struct {
	pattern pattern
	remove  []string
	set     []headerValue
	join    bool
}

// headerValue is one header to set: values if it is the same for every path.
type headerValue struct {
	name   string
	text   template
	values []string
}

func parseHeader(h Header) (headerRule, error) {
	p, err := parsePattern(h.Path)
	if err != nil {
		return headerRule{}, err
	}
	out := headerRule{pattern: p, join: h.Join}
	for _, name := range h.Detach {
		canonical, err := headerName(name)
		if err != nil {
			return headerRule{}, err
		}
		out.remove = append(out.remove, canonical)
	}
	for _, name := range slices.Sorted(maps.Keys(h.Set)) {
		if err := out.add(name, h.Set[name]); err != nil {
			return headerRule{}, err
		}
	}
	return out, nil
}

func (r *headerRule) add(name, value string) error {
	canonical, err := headerName(name)
	if err != nil {
		return err
	}
	if err := checkHeaderValue(name, value); err != nil {
		return err
	}
	if slices.ContainsFunc(r.set, func(v headerValue) bool { return v.name == canonical }) {
		return fmt.Errorf("header %q is there twice", canonical)
	}
	if value == "" {
		r.remove = append(r.remove, canonical)
		return nil
	}
	text, err := parseTemplate(value, r.pattern.names, false)
	if err != nil {
		return err
	}
	v := headerValue{name: canonical, text: text}
	if text.isFixed() {
		v.values = []string{value}
	}
	r.set = append(r.set, v)
	return nil
}

// apply adds the rule to the fields of the rules before it.
func (r *headerRule) apply(fields []Field, c *captures) []Field {
	for _, name := range r.remove {
		fields = put(fields, Field{Name: name})
	}
	for _, v := range r.set {
		values := v.values
		if values == nil {
			var b strings.Builder
			v.text.expand(&b, c, escapePath)
			values = []string{b.String()}
		}
		if r.join {
			values = joined(fields, v.name, values)
		}
		fields = put(fields, Field{v.name, values})
	}
	return fields
}

func joined(fields []Field, name string, values []string) []string {
	i := slices.IndexFunc(fields, func(f Field) bool { return f.Name == name })
	if i < 0 || fields[i].Values == nil {
		return values
	}
	return []string{fields[i].Values[0] + ", " + values[0]}
}

// put replaces the field of the same name or appends one.
func put(fields []Field, f Field) []Field {
	i := slices.IndexFunc(fields, func(g Field) bool { return g.Name == f.Name })
	if i < 0 {
		return append(fields, f)
	}
	fields[i] = f
	return fields
}

// headerName returns the canonical name, or why an app may not set it.
func headerName(name string) (string, error) {
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return !isToken(r) }) {
		return "", fmt.Errorf("%q is not a header name", name)
	}
	canonical := http.CanonicalHeaderKey(name)
	switch canonical {
	case "Accept-Ranges", "Age", "Allow", "Connection", "Content-Encoding", "Content-Length", "Content-Range", "Date",
		"Etag", "Keep-Alive", "Location", "Proxy-Authenticate", "Proxy-Connection", "Server", "Te", "Trailer",
		"Transfer-Encoding", "Upgrade":
		return "", fmt.Errorf("header %q is decided by the server for each answer and cannot be set", canonical)
	case "Set-Cookie":
		return "", fmt.Errorf("header %q cannot be set: every visitor would get the same cookie", canonical)
	case "Basic-Auth":
		return "", fmt.Errorf("%q is not supported and would show the password to everybody", canonical)
	}
	if strings.HasPrefix(canonical, "Fazt-") {
		return "", fmt.Errorf("header %q is the server's own and cannot be set", canonical)
	}
	return canonical, nil
}

func isToken(r rune) bool {
	return r < 0x7f && (isLetter(byte(r)) || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r))
}

func checkHeaderValue(name, value string) error {
	if value != strings.TrimSpace(value) ||
		strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return fmt.Errorf("the value of header %q holds a control character or begins or ends with space", name)
	}
	return nil
}
