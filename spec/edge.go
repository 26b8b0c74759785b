package spec

import (
	"fmt"
	"net/netip"
	"slices"
)

// defaultDomain is where apps answer when nobody says so.
const defaultDomain = "localhost"

// edgeBlock is the row of how the node faces the network.
func edgeBlock() Block {
	return Block{
		Name:    "edge",
		Doc:     "How a node faces the network. There is at most one.",
		Example: "edge {\n  domain          = var.domain\n  trusted_proxies = [\"10.0.0.0/8\"]\n  tls             = { mode = \"acme\", email = \"ops@example.com\" }\n}",
		Since:   "0.1.0",
		Once:    true,
		Attributes: []Attribute{
			{Name: "domain", Type: TypeString, Default: `"localhost"`, Doc: "an app without hosts answers at `NAME.<domain>`", Effect: EffectHot, Risk: RiskHigh, Since: "0.1.0"},
			{Name: "console", Type: TypeString, Default: `fazt.<domain>`, Doc: "the host of the node itself, where people sign in; no app can have it. Without it the node has one where anything is said about people", Effect: EffectHot, Risk: RiskHigh, Since: "0.5.0"},
			{Name: "trusted_proxies", Type: TypeStrings, Doc: "addresses and CIDR ranges that may name the client in X-Forwarded-For", Example: `trusted_proxies = ["10.0.0.0/8", "::1"]`, Effect: EffectHot, Risk: RiskMedium, Since: "0.1.0"},
			{Name: "proxy_protocol", Type: TypeBool, Default: "false", Doc: "trusted proxies name the client with the PROXY protocol, version 1 or 2, and are refused without it", Effect: EffectHot, Risk: RiskMedium, Since: "0.3.0"},
			tlsRow(),
			{Name: "http3", Type: TypeBool, Default: "false", Doc: "answer HTTP/3 too, over UDP on the port of TLS", Effect: EffectHot, Risk: RiskMedium, Since: "0.3.0"},
		},
	}
}

// edge evaluates the edge block; nil stands for a configuration without one.
func (l *load) edge(b *block) {
	e := Edge{Domain: defaultDomain}
	var at Range
	var places map[string]Range
	if b != nil {
		r := l.report.about("edge", b.written())
		s := l.fullScope(l.shared.reader)
		d := l.shape(b, r)
		d.evaluateAll(s, r, "tls")
		d.evaluateTLS(s, r)
		l.shared.namesApps = len(s.appRefs) > 0
		e.Domain, e.Console = l.domain(d, r), console(d, r)
		e.TrustedProxies = prefixes(d, r)
		e.ProxyProtocol, e.HTTP3 = d.bool("proxy_protocol", false), d.bool("http3", false)
		e.TLS = tlsOf(d, r)
		e.judge(d, r)
		at, places = rangeOf(b.Place), d.places()
		l.keep(r)
	}
	if l.in.Domain != "" {
		e.Domain = l.in.Domain
	}
	l.shared.domain = e.Domain
	l.shared.edge = l.lang.newObject("edge", KindEdge, e)
	l.shared.edge.Range, l.shared.edge.At = at, places
}

// judge reports settings that mean nothing without others. What another fault
// hides is not judged.
func (e Edge) judge(d *decoded, r *reporter) {
	if r.failed() {
		return
	}
	if e.ProxyProtocol && len(e.TrustedProxies) == 0 {
		r.error(codeTogether, d.at("proxy_protocol"), `"proxy_protocol" has no meaning without "trusted_proxies"`, "name the proxies in trusted_proxies: nobody else may speak for a client")
	}
	if e.HTTP3 && !e.TLS.On() {
		r.error(codeTogether, d.at("http3"), `"http3" has no meaning without "tls"`, `set the mode of tls, such as tls = { mode = "acme", email = "ops@example.com" }`)
	}
}

// domain is the canonical form of edge.domain.
func (l *load) domain(d *decoded, r *reporter) string {
	text, ok := d.values["domain"].(string)
	if !ok {
		return defaultDomain
	}
	host, err := ParseHost(text)
	if summary, help := hostFinding(text, `"example.com"`, err); summary != "" {
		r.error(codeHost, d.at("domain"), summary, help)
		return defaultDomain
	}
	return host
}

// console is the canonical form of edge.console, empty where it is not set.
func console(d *decoded, r *reporter) string {
	text, ok := d.values["console"].(string)
	if !ok {
		return ""
	}
	host, err := ParseHost(text)
	if summary, help := hostFinding(text, `"admin.example.com"`, err); summary != "" {
		r.error(codeHost, d.at("console"), summary, help)
	}
	return host
}

// prefixes are the trusted proxies in canonical form: masked, each once,
// sorted.
func prefixes(d *decoded, r *reporter) []string {
	list, _ := d.values["trusted_proxies"].([]string)
	var found []netip.Prefix
	for i, text := range list {
		p, err := parsePrefix(text)
		if err != nil {
			r.error(codeValue, d.spot("trusted_proxies").index(i).at(), fmt.Sprintf("%s is not an address or a CIDR range", quoted(text)), `write it as "10.0.0.0/8" or "2001:db8::1"`)
			continue
		}
		found = append(found, p)
	}
	slices.SortFunc(found, func(a, b netip.Prefix) int { return a.Compare(b) })
	var canonical []string
	for _, p := range slices.Compact(found) {
		canonical = append(canonical, p.String())
	}
	return canonical
}

func parsePrefix(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	return p.Masked(), err
}

// once keeps the first of blocks that a configuration has at most one of, and
// reports the others.
func (l *load) once(blocks []*block) *block {
	if len(blocks) == 0 {
		return nil
	}
	for _, b := range blocks[1:] {
		l.report.twice(b.Place, b.written(), blocks[0].Place)
	}
	return blocks[0]
}
