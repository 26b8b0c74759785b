package edge

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// canonicalPath decides, once and for routing, policy and handlers alike, which
// path a request means: decoded one time, rooted, without empty or "."
// segments. What could mean two things to two readers is refused: an encoded
// slash, a backslash however spelt, "..", control characters, bytes that are
// not UTF-8. The second result is false where the client spelt a path that had
// to be cleaned, so that it can be sent to the one true spelling.
func canonicalPath(u *url.URL) (path string, same bool, err error) {
	path = u.Path
	if path == "" && u.Host != "" && u.Opaque == "" {
		return "/", true, nil // absolute form without a path
	}
	if path == "" || path[0] != '/' || encodesSlash(u.RawPath) {
		return "", false, errPath
	}
	if plainPath(path) {
		return path, true, nil
	}
	return cleanPath(path)
}

// encodesSlash reports a %2f in a raw path. The other forbidden characters show
// in the decoded path; this one hides there as a separator.
func encodesSlash(raw string) bool {
	for i := 0; i+2 < len(raw); i++ {
		if raw[i] == '%' && raw[i+1] == '2' && raw[i+2]|0x20 == 'f' {
			return true
		}
	}
	return false
}

// plainPath is the quick test nearly every request passes: printable ASCII
// with nothing that needs a second look.
func plainPath(path string) bool {
	before := byte(0)
	for i := 0; i < len(path); i++ {
		c := path[i]
		if c < 0x20 || c >= 0x7f || c == '\\' || before == '/' && (c == '/' || c == '.') {
			return false
		}
		before = c
	}
	return true
}

func cleanPath(path string) (clean string, same bool, err error) {
	if !utf8.ValidString(path) || strings.ContainsFunc(path, forbiddenRune) {
		return "", false, errPath
	}
	var b strings.Builder
	segments := strings.Split(path[1:], "/")
	for i, segment := range segments {
		last := i == len(segments)-1
		switch {
		case segment == "..":
			return "", false, errPath
		case (segment == "" || segment == ".") && !last:
			continue
		case segment == ".":
			segment = ""
		}
		b.WriteByte('/')
		b.WriteString(segment)
	}
	return b.String(), b.String() == path, nil
}

func forbiddenRune(r rune) bool { return r == '\\' || unicode.IsControl(r) }

// selfRedirect is the Location for a cleaned path: path and query only, so it
// cannot leave the host.
func selfRedirect(path, query string) string {
	location := (&url.URL{Path: path}).EscapedPath()
	if query != "" {
		location += "?" + query
	}
	return location
}
