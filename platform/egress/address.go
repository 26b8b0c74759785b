package egress

import (
	"context"
	"net"
	"net/netip"
	"slices"

	"github.com/fazt-sh/fazt/platform/fault"
)

// closedPrefixes are the ranges of IANA's special-purpose registries that are not
// somebody's public server. Of IPv6 only 2000::/3 is open at all.
func closedPrefixes() []netip.Prefix {
	var out []netip.Prefix
	for _, text := range []string{
		"0.0.0.0/8",       // this network; Linux connects 0.0.0.0 to itself
		"10.0.0.0/8",      // private
		"100.64.0.0/10",   // carriers' NAT
		"127.0.0.0/8",     // loopback
		"169.254.0.0/16",  // link-local: the metadata of clouds
		"172.16.0.0/12",   // private
		"192.0.0.0/24",    // protocol assignments
		"192.0.2.0/24",    // documentation
		"192.88.99.0/24",  // 6to4 relays
		"192.168.0.0/16",  // private
		"198.18.0.0/15",   // benchmarks
		"198.51.100.0/24", // documentation
		"203.0.113.0/24",  // documentation
		"224.0.0.0/3",     // multicast, reserved, broadcast
		"2001::/23",       // protocol assignments: Teredo and others that hold an IPv4 address
		"2001:db8::/32",   // documentation
		"2002::/16",       // 6to4: holds an IPv4 address
		"3fff::/20",       // documentation
	} {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}

// judge returns why an address must not be connected to, empty if it may.
func (c *Client) judge(addr netip.Addr, own []netip.Addr) string {
	if addr.Zone() != "" {
		return "it has a zone"
	}
	inner := embedded(addr)
	for _, p := range c.closed {
		if p.Contains(inner) {
			return "it is in " + p.String()
		}
	}
	if inner.Is6() && !netip.MustParsePrefix("2000::/3").Contains(inner) {
		return "it is not in 2000::/3"
	}
	if slices.ContainsFunc(own, func(o netip.Addr) bool { return embedded(o.WithZone("")) == inner }) {
		return "it is this node's own"
	}
	return ""
}

// embedded is the IPv4 address that packets to an IPv6 one end at: mapped ones
// (::ffff:0:0/96), and those behind the well-known NAT64 prefix, which the DNS of
// networks without IPv4 answers with. Other forms that hold one are closed.
func embedded(addr netip.Addr) netip.Addr {
	addr = addr.Unmap()
	if netip.MustParsePrefix("64:ff9b::/96").Contains(addr) {
		b := addr.As16()
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return addr
}

// resolve asks for a name once. All of the answers must be public: one that is
// not means that the name is not to be trusted.
func (c *Client) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	addrs, err := c.config.Lookup(ctx, host+".")
	if err != nil || len(addrs) == 0 {
		return nil, fault.New(fault.Unavailable, "%s has no address", host).WithCode(CodeUnreachable).WithSubject(host).
			WithHint("check the name, and the node's DNS")
	}
	own := c.config.Own()
	for _, a := range addrs {
		if why := c.judge(a, own); why != "" {
			c.tell(host, a.String()+": "+why)
			return nil, fault.New(fault.Forbidden, "%s has an address that is not public", host).WithCode(CodeAddress).WithSubject(host).
				WithHint("egress reaches public servers only, and never this node; the node's log names the address")
		}
	}
	return addrs, nil
}

// systemLookup never follows a search list, as the name ends with a dot.
func systemLookup(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

// interfaceAddrs are the machine's own addresses; without them nothing is known
// to be the node's but what the ranges say.
func interfaceAddrs() []netip.Addr {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var out []netip.Addr
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			out = append(out, p.Addr())
		}
	}
	return out
}
