package limit_test

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/edge/limit"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func TestWhoIsOneClient(t *testing.T) {
	same := func(a, b netip.Addr, prefix int, want bool) {
		t.Helper()
		if got := limit.KeyOf(a, prefix) == limit.KeyOf(b, prefix); got != want {
			t.Errorf("%s and %s by /%d: the same is %v", a, b, prefix, got)
		}
	}
	same(addr("192.0.2.1"), addr("192.0.2.1"), 64, true)
	same(addr("192.0.2.1"), addr("192.0.2.2"), 64, false)
	same(addr("192.0.2.1"), addr("::ffff:192.0.2.1"), 64, true)
	same(addr("192.0.2.1"), addr("::ffff:192.0.2.1%eth0"), 64, true)
	same(addr("192.0.2.1"), addr("::192.0.2.1"), 128, false)
	same(addr("2001:db8:1:2::1"), addr("2001:db8:1:2:ffff::9"), 64, true)
	same(addr("2001:db8:1:2::1"), addr("2001:db8:1:3::1"), 64, false)
	same(addr("2001:db8:1:2::1"), addr("2001:db8:1:3::1"), 56, true)
	same(addr("2001:db8:1:2::1"), addr("2001:db8:1:2::2"), 128, false)
	same(addr("fe80::1%eth0"), addr("fe80::1%eth1"), 128, true)
	same(netip.Addr{}, netip.Addr{}, 64, true)
	same(netip.Addr{}, addr("::"), 64, false)
	same(netip.Addr{}, addr("0.0.0.0"), 64, false)
	same(addr("::"), addr("0.0.0.0"), 64, false)
	for _, nonsense := range []int{0, -1, 129} {
		same(addr("2001:db8:1:2::1"), addr("2001:db8:1:2::2"), nonsense, true)
		same(addr("2001:db8:1:2::1"), addr("2001:db8:1:3::1"), nonsense, false)
	}
}

// Two IPv6 addresses are one client exactly if they share the prefix.
func TestAPrefixIsOneClient(t *testing.T) {
	address := rapid.Custom(func(t *rapid.T) netip.Addr {
		var b [16]byte
		for i := range b {
			b[i] = byte(rapid.IntRange(0, 3).Draw(t, "byte"))
		}
		return netip.AddrFrom16(b)
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b, bits := address.Draw(t, "a"), address.Draw(t, "b"), rapid.IntRange(1, 128).Draw(t, "bits")
		if got, want := limit.KeyOf(a, bits) == limit.KeyOf(b, bits), netip.PrefixFrom(a, bits).Contains(b); got != want {
			t.Errorf("the same is %v, want %v", got, want)
		}
	})
}
