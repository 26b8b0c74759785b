package plan

import (
	"cmp"

	"github.com/fazt-sh/fazt/spec"
)

// edgeRisks says what depends on the node's front door.
func edgeRisks(c *Change) {
	if c.Action == Create {
		return
	}
	for _, f := range c.Fields {
		switch attribute(f.Path) {
		case "domain":
			c.warn(spec.RiskHigh, "apps without hosts of their own move from NAME.%s to NAME.%s; links to the old names break",
				cmp.Or(word(f.Before), "(none)"), cmp.Or(word(f.After), "(none)"))
		case "console":
			c.warn(spec.RiskHigh, "people sign in at another host: whoever is signed in does so again, and providers must know the new address")
		case "trusted_proxies":
			c.warn(spec.RiskMedium, "these addresses name the client: logs and limits will follow the new list")
		case "proxy_protocol":
			proxyRisk(c, string(f.After) == "true")
		case "http3":
			if string(f.After) == "true" {
				c.warn(spec.RiskMedium, "browsers are told of HTTP/3 and try it: UDP must reach the node on the port of TLS")
			}
		case "tls":
			tlsRisk(c, f)
		}
	}
}

func proxyRisk(c *Change, on bool) {
	if on {
		c.warn(spec.RiskMedium, "trusted proxies must speak the PROXY protocol from then on; those that do not are refused")
		return
	}
	c.warn(spec.RiskMedium, "trusted proxies must not speak the PROXY protocol any more; those that do are refused")
}

// tlsRisk says what becomes of visitors when connections are encrypted in
// another way.
func tlsRisk(c *Change, f Field) {
	if f.Path != "tls.mode" {
		return
	}
	switch before, after := word(f.Before), word(f.After); {
	case after == spec.TLSOff:
		c.warn(spec.RiskHigh, "connections are not encrypted any more; visitors who come by https find nobody")
	case after == spec.TLSInternal:
		c.warn(spec.RiskHigh, "browsers trust certificates of the node's own CA only where somebody told them to")
	case before != spec.TLSOff:
		c.warn(spec.RiskHigh, "every host gets another certificate")
	}
}
