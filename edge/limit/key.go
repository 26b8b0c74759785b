package limit

import "net/netip"

// defaultPrefix is what one customer of a provider has at least: counting single
// IPv6 addresses would count nothing.
const defaultPrefix = 64

// Key is what counts as one client: a family and a masked address. The zero Key
// is everybody whose address is not known.
type Key [17]byte

// KeyOf returns the key of an address: an IPv4 address as a whole, also where it
// is written as IPv6, and the first ipv6Prefix bits of any other, 64 if that is
// not from 1 to 128. A zone is dropped. All invalid addresses share one key.
func KeyOf(a netip.Addr, ipv6Prefix int) Key {
	var k Key
	a = a.Unmap()
	switch {
	case a.Is4():
		v4 := a.As4()
		k[0] = 4
		copy(k[1:], v4[:])
	case a.Is6():
		if ipv6Prefix < 1 || ipv6Prefix > 128 {
			ipv6Prefix = defaultPrefix
		}
		masked, _ := a.Prefix(ipv6Prefix) // the length is one that IPv6 has
		v6 := masked.Addr().As16()
		k[0] = 6
		copy(k[1:], v6[:])
	}
	return k
}
