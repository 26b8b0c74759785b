package web

import (
	"net/url"
	"strconv"
	"strings"

	whatwg "github.com/nlnwa/whatwg-url/url"
)

func urlOperations(ops map[string]Function) {
	p := whatwg.NewParser()
	ops["url"] = func(args []any) (any, error) { return parseURL(p, args), nil }
	ops["url.set"] = func(args []any) (any, error) { return setURL(p, args) }
	ops["percent"] = func(args []any) (any, error) { return percentDecode(text(args, 0)), nil }
}

// The library joins authorities and paths piece by piece, so that its time grows with
// the square of their length: 32 KiB of user names take seconds, which the engine
// cannot interrupt. So what is beyond these bounds is no URL; the rest of an address
// may have any length. At the bounds it takes some milliseconds.
const (
	maxAuthority = 2048 // a host has 253 characters at most
	maxSegments  = 4096
)

// bounded tells whether an address, perhaps relative to another, has an authority
// and a path that can be parsed in time.
func bounded(s string) bool {
	if len(s) <= maxAuthority {
		return true // and most are: nothing of them need be looked at
	}
	s = strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' || r == '\r' {
			return -1
		}
		return r
	}, s)
	s = strings.TrimLeftFunc(s, func(r rune) bool { return r <= ' ' })
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		s = s[:i]
	}
	if len(s) <= maxAuthority {
		return true
	}
	if strings.Count(s, "/")+strings.Count(s, "\\") > maxSegments {
		return false
	}
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || strings.ContainsAny(scheme, "/\\") {
		scheme, rest = "", s
	}
	host := strings.TrimLeft(rest, "/\\")
	if !special(scheme) && len(rest)-len(host) < 2 {
		return true // a path
	}
	ends := "/"
	if special(scheme) {
		ends = "/\\"
	}
	if i := strings.IndexAny(host, ends); i >= 0 {
		host = host[:i]
	}
	return len(host) <= maxAuthority
}

func special(scheme string) bool {
	switch strings.ToLower(scheme) {
	case "http", "https", "ws", "wss", "ftp", "file":
		return true
	}
	return false
}

// parseURL takes an address and perhaps a base, and returns the layout of what
// they make, or true for a plain address, which is all of it. No URL is an answer,
// nil: the prelude throws where the standard does.
func parseURL(p whatwg.Parser, args []any) any {
	if plain(text(args, 0)) {
		return true // whatever the base is
	}
	if !bounded(text(args, 0)) || !bounded(text(args, 1)) {
		return nil
	}
	u, err := p.Parse(text(args, 0))
	if given(args, 1) {
		u, err = p.ParseRef(text(args, 1), text(args, 0))
	}
	if err != nil {
		return nil
	}
	return layout(u)
}

// setURL takes a serialised address, the name of a part and its new value. A value
// that does not fit leaves the address as it is.
func setURL(p whatwg.Parser, args []any) (any, error) {
	u, err := p.Parse(text(args, 0))
	if err != nil {
		return nil, err
	}
	if name, value := text(args, 1), text(args, 2); fits(name, value) {
		set(u, name, value)
	}
	return layout(u), nil
}

// fits tells whether a new value keeps an address within the bounds.
func fits(name, value string) bool {
	switch name {
	case "pathname":
		return strings.Count(value, "/")+strings.Count(value, "\\") <= maxSegments
	case "search", "hash":
		return true
	}
	return len(value) <= maxAuthority
}

func set(u *whatwg.Url, name, value string) {
	switch name {
	case "protocol":
		u.SetProtocol(value)
	case "username":
		u.SetUsername(value)
	case "password":
		u.SetPassword(value)
	case "host":
		u.SetHost(value)
	case "hostname":
		u.SetHostname(value)
	case "port":
		u.SetPort(value)
	case "pathname":
		u.SetPathname(value)
	case "search":
		u.SetSearch(value)
	case "hash":
		u.SetHash(value)
	}
}

// layout is the serialised address, a line feed, and the offsets at which its parts
// begin and end. The prelude cuts parts out of the address when they are read: one
// string costs 1.2 µs on its way to the engine, an array of ten 3.3 µs.
func layout(u *whatwg.Url) string {
	href := u.Href(false)
	b := make([]byte, 0, len(href)+48)
	b = append(append(b, href...), '\n')
	for i, n := range offsets(u, href) {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(n), 10)
	}
	return string(b)
}

// offsets are, in this order: the end of the protocol, begin and end of the user
// name, of the password and of the host name, the end of the host with its port,
// the begin of the path, of the query and of the fragment.
func offsets(u *whatwg.Url, href string) [11]int {
	var at [11]int
	at[0] = len(u.Protocol())
	n := at[0]
	if strings.HasPrefix(href[n:], "//") {
		n += 2
	}
	at[1], at[2] = n, n+len(u.Username())
	at[3], at[4] = at[2], at[2]
	if p := len(u.Password()); p > 0 {
		at[3], at[4] = at[2]+1, at[2]+1+p
	}
	n = at[4]
	if at[1] < n {
		n++ // the @
	}
	at[5], at[6], at[7] = n, n+len(u.Hostname()), n+len(u.Host())
	at[8] = at[7]
	if strings.HasPrefix(href[at[8]:], "/.//") && !strings.HasPrefix(u.Pathname(), "/.//") {
		at[8] += 2 // keeps a path that begins with // from being read as a host
	}
	at[9] = at[8] + len(u.Pathname())
	at[10] = len(href)
	if i := strings.IndexByte(href[at[9]:], '#'); i >= 0 {
		at[10] = at[9] + i
	}
	return at
}

// percentDecode decodes what looks like %41 and leaves the rest, for text that
// decodeURIComponent refuses.
func percentDecode(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, err := url.PathUnescape(s[i : i+3]); err == nil {
				b = append(b, c...)
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return replaced(b)
}
