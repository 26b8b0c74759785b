package gate

import (
	"net/url"
	"path"
	"strings"
)

// targetBytes bounds what is remembered of where somebody came from: it travels in
// addresses, sealed.
const targetBytes = 1024

// Target is where somebody ends after signing in: path, query and fragment of a
// text that is a path on the host itself, and "/" for everything else. The result
// is built anew from what was parsed, so that no browser can read another host
// into it.
func Target(text string) string {
	if len(text) > targetBytes || !strings.HasPrefix(text, "/") || strings.ContainsFunc(text, unfit) {
		return "/"
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" || !strings.HasPrefix(u.Path, "/") || strings.Contains(u.Path, "//") {
		return "/"
	}
	if strings.ContainsFunc(u.Path, unfit) { // what was escaped
		return "/"
	}
	clean := path.Clean(u.Path)
	if strings.HasSuffix(u.Path, "/") && clean != "/" {
		clean += "/"
	}
	if clean == strings.TrimSuffix(Prefix, "/") || strings.HasPrefix(clean, Prefix) {
		return "/" // the way in is not where it leads
	}
	made := url.URL{Path: clean, Fragment: u.Fragment, RawFragment: u.RawFragment}
	made.RawQuery = asciiOnly(u.RawQuery)
	return made.String()
}

// unfit tells whether a character may mean something to a browser that it does not
// mean to us: line ends, tabs (which browsers drop) and backslashes (which they
// take for slashes).
func unfit(r rune) bool { return r < 0x20 || r == 0x7f || r == '\\' || r == '\u2028' || r == '\u2029' }

// asciiOnly escapes what a header field should not carry.
func asciiOnly(query string) string {
	var b strings.Builder
	for i := range len(query) {
		if c := query[i]; c > 0x20 && c < 0x7f && c != '"' && c != '<' && c != '>' {
			b.WriteByte(c)
		} else {
			b.WriteString("%" + string("0123456789ABCDEF"[c>>4]) + string("0123456789ABCDEF"[c&15]))
		}
	}
	return b.String()
}

// escapeQuery is a text as the value of a query's parameter.
func escapeQuery(text string) string { return url.QueryEscape(text) }
