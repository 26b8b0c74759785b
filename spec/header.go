package spec

import (
	"fmt"
	"slices"
	"strings"
)

// headersRow is the row of an app's response headers.
func headersRow() Attribute {
	return Attribute{
		Name: "headers", Type: TypeObjects, Effect: EffectHot, Risk: RiskLow, Since: "0.1.0",
		Doc:     "response headers by path; later ones win, an empty value removes a header",
		Example: `headers = [{ path = "/*", set = { "X-Frame-Options" = "DENY" } }]`,
		Attributes: []Attribute{
			{Name: "path", Type: TypeString, Required: true, Doc: "a path; :name stands for one part of it, a * at its end for the rest", Since: "0.1.0"},
			{Name: "set", Type: TypeStringMap, Required: true, Doc: "header names and values", Since: "0.1.0"},
		},
	}
}

// reservedHeaders belong to the connection, to the message's framing or to the
// file that is served: setting them would break an answer.
func reservedHeaders() []string {
	return []string{
		"Accept-Ranges", "Age", "Connection", "Content-Encoding", "Content-Length", "Content-Range", "Date", "Etag",
		"Keep-Alive", "Last-Modified", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer",
		"Transfer-Encoding", "Upgrade",
	}
}

// headersOf are an app's headers in canonical form.
func headersOf(d *decoded, r *reporter) []Header {
	list, _ := d.values["headers"].([]object)
	var headers []Header
	for _, o := range list {
		h := Header{Path: o.string("path"), Set: map[string]string{}}
		if _, fault := fromFault(h.Path); fault != "" {
			r.error(codeHeader, o.place.key("path").at(), fmt.Sprintf("%s is not a path: %s", quoted(h.Path), fault), `write it as "/*" or "/assets/*"`)
		}
		set, _ := o.values["set"].(map[string]string)
		if len(set) == 0 {
			r.error(codeHeader, o.place.key("set").at(), "no header is set", `write set = { "X-Frame-Options" = "DENY" }`)
		}
		for _, written := range sortedKeys(set) {
			name, value := canonicalHeader(written), strings.Trim(set[written], " \t")
			fault := headerFault(name, value)
			if _, twice := h.Set[name]; twice && fault == "" {
				fault = "it is there twice"
			}
			if fault != "" {
				r.error(codeHeader, o.place.key("set").keyAt(written), fmt.Sprintf("header %s cannot be set: %s", quoted(written), fault), "")
			}
			h.Set[name] = value
		}
		headers = append(headers, h)
	}
	return headers
}

// headerFault judges one header.
func headerFault(name, value string) string {
	switch {
	case name == "" || strings.ContainsFunc(name, func(c rune) bool { return !isToken(c) }):
		return "its name is not a header's name"
	case strings.HasPrefix(name, "Fazt-"):
		return "names that begin with Fazt- belong to the node"
	case slices.Contains(reservedHeaders(), name):
		return "it belongs to the connection or to the file"
	case strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }):
		return "its value has a control character"
	}
	return ""
}

// isToken tells whether RFC 9110 allows a character in a header's name.
func isToken(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", c)
}

// canonicalHeader writes a header's name as net/http does: the first letter
// and every letter after a hyphen in upper case, the others in lower case.
func canonicalHeader(name string) string {
	b := []byte(name)
	upper := true
	for i, c := range b {
		switch {
		case upper && c >= 'a' && c <= 'z':
			b[i] = c - 'a' + 'A'
		case !upper && c >= 'A' && c <= 'Z':
			b[i] = c - 'A' + 'a'
		}
		upper = c == '-'
	}
	return string(b)
}
