package egress

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
)

// checkRules returns the rules with canonical hosts, exact ones first.
func checkRules(rules []Rule) ([]Rule, error) {
	out := slices.Clone(rules)
	seen := map[string]bool{}
	for i := range out {
		r := &out[i]
		below, wild := strings.CutPrefix(r.Host, "*.")
		host, ok := canonicalHost(below)
		if !ok {
			return nil, fault.New(fault.Invalid, "%q cannot be the host of an egress rule", r.Host).WithSubject(r.Host).
				WithHint("write a full name such as api.example.com, or *.example.com for the names one level below; addresses cannot be named")
		}
		if r.Host = host; wild {
			r.Host = "*." + host
		}
		if seen[r.Host] {
			return nil, fault.New(fault.Invalid, "two egress rules name %s", r.Host).WithSubject(r.Host).WithHint("make them one")
		}
		seen[r.Host] = true
		if err := r.check(); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(out, func(a, b Rule) int { return strings.Compare(b.Host, a.Host) }) // "*" sorts last
	return out, nil
}

func (r Rule) check() error {
	for _, p := range r.Ports {
		if p < 1 || p > 65535 {
			return fault.New(fault.Invalid, "the egress rule of %s names port %d", r.Host, p).WithSubject(r.Host).WithHint("ports are 1 to 65535")
		}
	}
	for _, m := range r.Methods {
		if !isToken(m) || m != strings.ToUpper(m) {
			return fault.New(fault.Invalid, "the egress rule of %s names the method %q", r.Host, m).WithSubject(r.Host).WithHint("methods are words in capitals: GET")
		}
	}
	for name := range r.Header {
		if notForCode(http.CanonicalHeaderKey(name)) || !isToken(name) {
			return fault.New(fault.Invalid, "the egress rule of %s cannot set the header %q", r.Host, name).WithSubject(r.Host).
				WithHint("headers that belong to the connection are fazt's own")
		}
	}
	return nil
}

func isToken(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
	})
}

func (r Rule) matches(host string) bool {
	if below, wild := strings.CutPrefix(r.Host, "*."); wild {
		_, rest, _ := strings.Cut(host, ".")
		return rest == below
	}
	return r.Host == host
}

// target is a request's destination once a rule has let it pass.
type target struct {
	scheme, host, port string
	rule               Rule
}

func (t target) same(other target) bool {
	return t.scheme == other.scheme && t.host == other.host && t.port == other.port
}

// url is u with the host in the one form that was judged, so that nothing after
// this reads it differently.
func (t target) url(u *url.URL) *url.URL {
	c := *u
	c.Scheme, c.Host, c.Fragment, c.RawFragment = t.scheme, t.host, "", ""
	if t.port != portOf(t.scheme) {
		c.Host += ":" + t.port
	}
	return &c
}

func portOf(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}

// target judges where a request wants to go by its words alone.
func (c *Client) target(method string, u *url.URL) (target, error) {
	t := target{scheme: strings.ToLower(u.Scheme), port: u.Port()}
	var ok bool
	switch t.host, ok = canonicalHost(u.Hostname()); {
	case t.scheme != "http" && t.scheme != "https":
		return t, invalidURL("only http and https can be asked for, not %q", clip(u.Scheme))
	case u.User != nil:
		return t, invalidURL("a user name or password in the address of a request is refused").WithHint("send an Authorization header")
	case !ok || u.Opaque != "":
		return t, c.refuse(fault.New(fault.Forbidden, "%q is not the full name of a host", clip(u.Host)).WithCode(CodeDenied).
			WithHint("addresses and other spellings of them are refused; name the host as its egress block does"))
	case t.port == "":
		t.port = portOf(t.scheme)
	}
	i := slices.IndexFunc(c.rules, func(r Rule) bool { return r.matches(t.host) })
	if i < 0 {
		return t, c.refuse(fault.New(fault.Forbidden, "no egress rule names %s", t.host).WithCode(CodeDenied).WithSubject(t.host).
			WithHint("add to the app: egress %q { }", t.host))
	}
	t.rule = c.rules[i]
	if !t.rule.takesPort(t.port) {
		return t, c.refuse(fault.New(fault.Forbidden, "the egress rule of %s does not let port %s pass", t.host, clip(t.port)).WithCode(CodeDenied).WithSubject(t.host))
	}
	// TRACE answers with the request, the header that the code must not see included.
	if method == http.MethodConnect || method == http.MethodTrace || len(t.rule.Methods) > 0 && !slices.Contains(t.rule.Methods, method) {
		return t, c.refuse(fault.New(fault.Forbidden, "the egress rule of %s does not let the method %s pass", t.host, clip(method)).WithCode(CodeDenied).WithSubject(t.host))
	}
	return t, nil
}

func (r Rule) takesPort(text string) bool {
	port, err := strconv.Atoi(text)
	if err != nil || strconv.Itoa(port) != text {
		return false
	}
	if len(r.Ports) == 0 {
		return port == 443
	}
	return slices.Contains(r.Ports, port)
}

// canonicalHost returns a name in lower case without its final dot. It is not ok
// for what could be read as an address anywhere, for names of one label, and
// for what is not ASCII letters, digits, - and _.
func canonicalHost(name string) (string, bool) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	labels := strings.Split(name, ".")
	if len(name) > 253 || len(labels) < 2 || isNumber(labels[len(labels)-1]) {
		return "", false
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return "", false
	}
	for _, label := range labels {
		if len(label) < 1 || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || strings.ContainsFunc(label, notInLabel) {
			return "", false
		}
	}
	return name, true
}

func notInLabel(c rune) bool {
	return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_'
}

// isNumber tells whether browsers read a name that ends in this label as an
// IPv4 address: digits, or 0x and hex digits.
func isNumber(label string) bool {
	hex, isHex := strings.CutPrefix(label, "0x")
	if isHex && strings.Trim(hex, "0123456789abcdef") == "" {
		return true
	}
	return strings.Trim(label, "0123456789") == ""
}
