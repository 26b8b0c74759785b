package function

import (
	"net/http"
	"slices"
	"strings"
)

// address is the URL as the visitor sees it. Host and path have been judged by
// the edge.
func address(r *http.Request, scheme string) string {
	url := scheme + "://" + r.Host + r.URL.EscapedPath()
	if r.URL.RawQuery != "" {
		url += "?" + r.URL.RawQuery
	}
	return url
}

// requestHeader is what the program sees of a request's header, in a fixed order.
// What belongs to the connection or to the platform is left out; what names the
// client is the edge's finding, whatever the client wrote.
func requestHeader(r *http.Request, v Visitor) [][2]string {
	names := make([]string, 0, len(r.Header))
	for name := range r.Header {
		if !forConnection(name, r.Header["Connection"]) && !forwarding(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	fields := [][2]string{{"host", r.Host}}
	for _, name := range names {
		for _, value := range values(name, r.Header[name]) {
			fields = append(fields, [2]string{strings.ToLower(name), widen(value)})
		}
	}
	if v.IP != "" {
		fields = append(fields, [2]string{"x-forwarded-for", v.IP}, [2]string{"x-real-ip", v.IP})
	}
	return append(fields, [2]string{"x-forwarded-proto", v.Scheme})
}

// values are those of a field that the program may see.
func values(name string, list []string) []string {
	switch name {
	case "Cookie":
		if rest := ownCookies(list); rest != "" {
			return []string{rest}
		}
		return nil
	case "Authorization":
		return slices.DeleteFunc(slices.Clone(list), platformToken)
	default:
		return list
	}
}

// forConnection tells whether a field is about one connection (RFC 9110, 7.6.1)
// or the platform's own.
func forConnection(name string, connection []string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer",
		"Transfer-Encoding", "Upgrade", "Http2-Settings", "Expect":
		return true
	}
	if strings.HasPrefix(name, "Fazt-") {
		return true
	}
	for _, list := range connection {
		for named := range strings.SplitSeq(list, ",") {
			if strings.EqualFold(strings.TrimSpace(named), name) {
				return true
			}
		}
	}
	return false
}

// forwarding tells whether a field says who the client is. Only the edge does.
func forwarding(name string) bool {
	return strings.HasPrefix(name, "X-Forwarded-") || name == "Forwarded" || name == "X-Real-Ip"
}

// What the names of the platform's cookies begin with: behind TLS, of which browsers
// take the prefix in any case, and at a developer's machine.
const (
	platformCookie = "__host-fazt"
	devCookie      = "fazt-dev"
)

// ownCookies is one Cookie field without the platform's.
func ownCookies(lines []string) string {
	var own []string
	for _, line := range lines {
		for pair := range strings.SplitSeq(line, ";") {
			pair = strings.Trim(pair, " \t")
			if pair != "" && !isPlatformCookie(pair) {
				own = append(own, pair)
			}
		}
	}
	return strings.Join(own, "; ")
}

func isPlatformCookie(pair string) bool {
	name, _, _ := strings.Cut(pair, "=")
	name = strings.TrimSpace(name)
	begins := func(with string) bool { return len(name) >= len(with) && strings.EqualFold(name[:len(with)], with) }
	return begins(platformCookie) || begins(devCookie)
}

// platformToken tells whether credentials are a token of the platform's own: it
// means a node, and no app.
func platformToken(authorization string) bool {
	_, credentials, _ := strings.Cut(strings.TrimSpace(authorization), " ")
	return strings.HasPrefix(strings.TrimSpace(credentials), "fzt_")
}

// widen makes text of the bytes of a field, one character each, as Fetch has it.
func widen(value string) string {
	if isASCII(value) {
		return value
	}
	runes := make([]rune, len(value))
	for i := range len(value) {
		runes[i] = rune(value[i])
	}
	return string(runes)
}

// narrow is the way back. It fails on a character that is no byte.
func narrow(value string) (string, bool) {
	if isASCII(value) {
		return value, true
	}
	bytes := make([]byte, 0, len(value))
	for _, r := range value {
		if r > 0xff {
			return "", false
		}
		bytes = append(bytes, byte(r))
	}
	return string(bytes), true
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
