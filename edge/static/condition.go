package static

import (
	"net/http"
	"strings"
)

// precondition evaluates If-Match and If-None-Match in the order of RFC 9110,
// 13.2.2: 412, 304, or 200 to go on. The conditions on dates do not apply, as
// answers have an ETag and no date: two releases may carry the same time.
func precondition(h http.Header, etag string) int {
	if match := h["If-Match"]; len(match) > 0 {
		if !listed(match, etag, false) {
			return http.StatusPreconditionFailed
		}
	}
	if none := h["If-None-Match"]; len(none) > 0 && listed(none, etag, true) {
		return http.StatusNotModified
	}
	return http.StatusOK
}

// ifRange tells whether a Range header counts: the client's copy is of these
// very bytes. A date never proves that.
func ifRange(h http.Header, etag string) bool {
	values := h["If-Range"]
	return len(values) == 0 || len(values) == 1 && strings.Trim(values[0], " \t") == etag
}

// listed finds a strong tag in lists of tags. A weak one in the list counts only
// if weak is set.
func listed(fields []string, etag string, weak bool) bool {
	for _, field := range fields {
		for {
			field = strings.TrimLeft(field, " \t,")
			if field == "*" || strings.HasPrefix(field, "* ") {
				return true
			}
			opaque, isWeak := strings.CutPrefix(field, "W/")
			if opaque == "" || opaque[0] != '"' {
				break // not a list of tags
			}
			end := strings.IndexByte(opaque[1:], '"') + 2
			if end == 1 {
				break
			}
			if opaque[:end] == etag && (weak || !isWeak) {
				return true
			}
			field = opaque[end:]
		}
	}
	return false
}
