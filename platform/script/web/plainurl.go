package web

import (
	"strconv"
	"strings"
)

// plain tells whether an address is written as it would be serialised: http or https,
// a host of plain names, perhaps a port, a path and perhaps a query, and nothing to
// normalise in any of them. It says no of long ones, and of others that it need not
// know. Nearly every address that a handler sees is plain, as its own is, and the
// parser takes twenty times as long.
func plain(s string) bool {
	protocol, usual := "http://", "80"
	if strings.HasPrefix(s, "https:") {
		protocol, usual = "https://", "443"
	}
	rest, ok := strings.CutPrefix(s, protocol)
	authority, after, slash := strings.Cut(rest, "/")
	if !ok || !slash || len(s) > maxAuthority {
		return false
	}
	host, port, ported := strings.Cut(authority, ":")
	path, query, asked := strings.Cut(after, "?")
	return plainHost(host) && (!ported || plainPort(port, usual)) && plainPath(path) && (!asked || plainQuery(query))
}

// plainHost tells whether a host is one of lower-case names. The last one begins with
// a letter, or it may be the end of a number; two hyphens may begin another alphabet.
func plainHost(host string) bool {
	if len(host) > 253 || strings.Contains(host, "--") {
		return false
	}
	last := byte('.')
	begins := false // the last name with a letter
	for _, c := range []byte(host) {
		switch {
		case 'a' <= c && c <= 'z':
			begins = begins || last == '.'
		case '0' <= c && c <= '9':
			begins = begins && last != '.'
		case c == '-' || c == '.':
			if last == '.' || last == '-' {
				return false
			}
		default:
			return false
		}
		last = c
	}
	return begins && last != '-' && last != '.'
}

// plainPort tells whether a port is a number that is written out.
func plainPort(port, usual string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && port == strconv.FormatUint(n, 10) && port != usual
}

// plainPath tells whether no segment is to be encoded or resolved.
func plainPath(path string) bool {
	last := byte('/')
	for _, c := range []byte(path) {
		switch {
		case c == '.' && last == '/':
			return false
		case c != '/' && c != '.' && !plainByte(c):
			return false
		}
		last = c
	}
	return true
}

func plainQuery(query string) bool {
	for _, c := range []byte(query) {
		if !plainByte(c) && !strings.ContainsRune("&=%./?", rune(c)) {
			return false
		}
	}
	return query != ""
}

// plainByte tells whether a byte stands for itself wherever it is.
func plainByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_~!$*+,;:@()", c) >= 0
}
