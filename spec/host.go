package spec

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// ErrAddress is why ParseHost refuses an IP literal: nodes answer at names.
var ErrAddress = errors.New("an IP address is not a host name")

const (
	maxHost  = 253 // characters of a name in DNS, without the last dot
	maxLabel = 63
)

// ParseHost returns the canonical form of a host name as it stands in a
// configuration or in a request: lower case, without a port, without the one
// dot that may end it, and in ASCII (the lookup form of IDNA, "xn--…"). Two
// spellings of one name have equal results, and a result parses to itself.
//
// It refuses what is no host name: empty labels, underscores, hyphens at the
// ends of a label, more than 63 characters in a label or 253 in all, wildcards,
// and IP addresses in any notation, whose error is ErrAddress.
//
// A name that is canonical already costs no allocation, unless it holds an
// xn-- label, which must be decoded to be checked.
func ParseHost(s string) (string, error) {
	if len(s) > 4*maxHost {
		return "", fmt.Errorf("host of %d bytes is too long", len(s))
	}
	name, err := cutPort(s)
	if err != nil {
		return "", err
	}
	name = strings.TrimSuffix(name, ".")
	if isCanonical(name) && !hasEncodedLabel(name) {
		return name, nil
	}
	return canonicalHost(name)
}

// ParseHostPattern is ParseHost for a declared host, which may begin with "*."
// to stand for every name one label below the rest.
func ParseHostPattern(s string) (string, error) {
	rest, wildcard := strings.CutPrefix(s, "*.")
	host, err := ParseHost(rest)
	if err != nil || !wildcard {
		return host, err
	}
	if len(host)+2 > maxHost {
		return "", fmt.Errorf("host %q is longer than %d characters", s, maxHost)
	}
	return "*." + host, nil
}

// hostFinding says what is wrong with a host that a configuration declares, and
// what was probably meant; no summary means nothing. A request's host has a port
// where it is not the usual one, and a declared one answers at all of them.
func hostFinding(text, form string, err error) (summary, help string) {
	if scheme, rest, isURL := strings.Cut(text, "://"); isURL {
		name, _, _ := strings.Cut(rest, "/")
		return fmt.Sprintf("%s is a URL, not a host", quoted(text)), meantHost(name, "write the name alone, without "+scheme+"://")
	}
	if err == nil && strings.Contains(text, ":") {
		return fmt.Sprintf("host %s has a port, and a host has none", quoted(text)), meantHost(text, "write the name alone")
	}
	if err != nil {
		return sentence(err.Error()), "write it as " + form
	}
	return "", ""
}

// meantHost suggests a name without its port.
func meantHost(text, otherwise string) string {
	name, _, _ := strings.Cut(text, ":")
	if _, err := ParseHostPattern(name); err != nil {
		return otherwise
	}
	return fmt.Sprintf("did you mean %q?", name)
}

// cutPort takes the port off. A name in brackets or with several colons is an
// IPv6 address.
func cutPort(s string) (string, error) {
	i := strings.IndexByte(s, ':')
	switch {
	case strings.HasPrefix(s, "[") || (i >= 0 && strings.IndexByte(s[i+1:], ':') >= 0):
		if address := strings.Trim(strings.TrimSuffix(s, "]"), "["); isIPv6(address) {
			return "", fmt.Errorf("host %q: %w", s, ErrAddress)
		}
		return "", fmt.Errorf("host %q is not a name with an optional port", s)
	case i < 0:
		return s, nil
	}
	if !isPort(s[i+1:]) {
		return "", fmt.Errorf("host %q has a port that is not a number from 0 to 65535", s)
	}
	return s[:i], nil
}

// isIPv6 tells whether s is an address, with or without a bracket and port.
func isIPv6(s string) bool {
	if i := strings.IndexByte(s, ']'); i >= 0 {
		s = s[:i]
	}
	_, err := netip.ParseAddr(s)
	return err == nil
}

// isPort accepts what a URL may have after the colon, which can be nothing.
func isPort(s string) bool {
	if len(s) > 5 {
		return false
	}
	n := 0
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) {
			return false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n <= 65535
}

// canonicalHost does what the short way of ParseHost could not: case, Unicode,
// and saying what is wrong.
func canonicalHost(name string) (string, error) {
	if name == "" {
		return "", errors.New("host is empty")
	}
	if !utf8.ValidString(name) {
		return "", fmt.Errorf("host %q is not UTF-8", name)
	}
	out := name
	if !isASCII(name) || hasEncodedLabel(strings.ToLower(name)) {
		mapped, err := idna.Lookup.ToASCII(name)
		if err != nil {
			return "", hostFault(name, name)
		}
		out = strings.TrimSuffix(mapped, ".")
	}
	out = strings.ToLower(out)
	if !isCanonical(out) {
		return "", hostFault(name, out)
	}
	return out, nil
}

// isCanonical tells whether a name consists of labels of lower-case letters,
// digits and inner hyphens, within the lengths, and is no IPv4 address.
func isCanonical(name string) bool {
	if name == "" || len(name) > maxHost {
		return false
	}
	start := 0
	for i := 0; i <= len(name); i++ {
		if i < len(name) && name[i] != '.' {
			if c := name[i]; (c < 'a' || c > 'z') && !isDigit(c) && c != '-' {
				return false
			}
			continue
		}
		if n := i - start; n == 0 || n > maxLabel || name[start] == '-' || name[i-1] == '-' {
			return false
		}
		start = i + 1
	}
	return !isIPv4(name)
}

// isIPv4 tells whether a client would take the name for an address: that is so
// if its last label is a number, also in hexadecimal ("0x7f.1").
func isIPv4(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

// hasEncodedLabel tells whether some label claims to be an encoded one.
func hasEncodedLabel(name string) bool {
	return strings.HasPrefix(name, "xn--") || strings.Contains(name, ".xn--")
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// hostFault says what is wrong with a name; out is how far it was converted.
func hostFault(name, out string) error {
	switch {
	case isIPv4(out):
		return fmt.Errorf("host %q: %w", name, ErrAddress)
	case strings.Contains(out, "_"):
		return fmt.Errorf("host %q has an underscore, which no host name may have", name)
	case strings.Contains(out, "*"):
		return fmt.Errorf(`host %q has a "*" that is not the whole first label of a declared host`, name)
	case strings.HasPrefix(out, ".") || strings.HasSuffix(out, ".") || strings.Contains(out, ".."):
		return fmt.Errorf("host %q has an empty label", name)
	case len(out) > maxHost:
		return fmt.Errorf("host %q is longer than %d characters", name, maxHost)
	}
	for label := range strings.SplitSeq(out, ".") {
		switch {
		case len(label) > maxLabel:
			return fmt.Errorf("host %q has a label longer than %d characters", name, maxLabel)
		case strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-"):
			return fmt.Errorf("host %q has a label that begins or ends with a hyphen", name)
		}
	}
	return fmt.Errorf("host %q has a character that no host name may have", name)
}
