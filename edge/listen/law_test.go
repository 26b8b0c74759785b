package listen_test

import (
	"net"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/edge/listen"
)

// visitor is an open connection as the model knows it.
type visitor struct {
	fake    *fake
	conn    net.Conn
	addr    netip.Addr
	trusted bool
}

// model is a guard that counts by looking at everybody.
type model struct {
	*house
	caps listen.Caps
	open []*visitor
	idle []*visitor // the longest first
}

func (m *model) count(of func(*visitor) bool) (n int) {
	for _, v := range m.open {
		if of(v) {
			n++
		}
	}
	return n
}

// share reports whether an address has its share, counted anew.
func (m *model) share(a netip.Addr) bool {
	ceilings := map[int]int{64: 1, 56: 4, 48: 16}
	if a.Is4() {
		ceilings = map[int]int{32: 1}
	}
	for bits, times := range ceilings {
		around, _ := a.Prefix(bits)
		if m.caps.PerIP > 0 && m.count(func(v *visitor) bool { return !v.trusted && around.Contains(v.addr) }) >= times*m.caps.PerIP {
			return true
		}
	}
	return false
}

// goes is who makes way for a newcomer, nil for nobody.
func (m *model) goes(trusted bool) *visitor {
	byProxy := func(v *visitor) bool { return v.trusted }
	proxies, half := m.count(byProxy), (m.caps.Total+1)/2
	first := slices.IndexFunc(m.idle, byProxy)
	switch {
	case m.caps.Total == 0:
		return nil
	case trusted && first >= 0 && 10*proxies >= 9*half:
		return m.idle[first]
	case trusted && proxies >= half, 10*len(m.open) < 9*m.caps.Total, len(m.idle) == 0:
		return nil
	default:
		return m.idle[0]
	}
}

func (m *model) leave(v *visitor) {
	same := func(o *visitor) bool { return o == v }
	m.open, m.idle = slices.DeleteFunc(m.open, same), slices.DeleteFunc(m.idle, same)
}

// come lets somebody in or not, as the model would have it.
func (m *model) come(t *rapid.T) {
	v := &visitor{addr: addr(rapid.SampledFrom([]string{
		"192.0.2.1", "192.0.2.2", "192.0.2.3", "10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8::2",
		"2001:db8:0:1::1", "2001:db8:0:2::1", "2001:db8:0:3::1", "2001:db8:0:4::1", "2001:db8:0:100::1", "2001:db8:1::1",
	}).Draw(t, "address"))}
	v.trusted = slices.ContainsFunc(m.caps.Trusted, func(p netip.Prefix) bool { return p.Contains(v.addr) })
	v.fake = from(v.addr)
	room := v.trusted || !m.share(v.addr)
	var gone *visitor
	if room {
		if gone = m.goes(v.trusted); gone != nil {
			m.leave(gone)
		}
		trusted := m.count(func(v *visitor) bool { return v.trusted })
		room = m.caps.Total == 0 || len(m.open) < m.caps.Total && (!v.trusted || trusted < (m.caps.Total+1)/2)
	}
	v.conn = m.arrive(v.fake)
	if got := v.conn != nil; got != room {
		t.Fatalf("%s got in: %v, want %v: %+v under %+v", v.addr, got, room, m.Stats(), m.caps)
	}
	if gone != nil && gone.fake.closed.Load() != 1 {
		t.Fatalf("%s was idle longest and stayed", gone.addr)
	}
	if room {
		m.open = append(m.open, v)
	}
}

// A guard lets in whom counting anew would let in, parts with whom that would
// part with, closes nobody else, and is empty when everybody is gone.
func TestAGuardCountsRight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{caps: listen.Caps{Total: 12, PerIP: 2, Trusted: prefixes("10.0.0.0/8")}}
		m.house = newHouse(m.caps)
		one := func(t *rapid.T, of []*visitor) *visitor {
			if len(of) == 0 {
				t.Skip("nobody")
			}
			return rapid.SampledFrom(of).Draw(t, "one")
		}
		t.Repeat(map[string]func(*rapid.T){
			"come":       m.come,
			"come again": m.come,
			"leave": func(t *rapid.T) {
				v := one(t, m.open)
				m.leave(v)
				_ = v.conn.Close()
				m.Idle(v.conn, rapid.Bool().Draw(t, "and says so"))
			},
			"rest": func(t *rapid.T) {
				v := one(t, m.open)
				m.Idle(v.conn, true)
				if !slices.Contains(m.idle, v) {
					m.idle = append(m.idle, v)
				}
			},
			"work": func(t *rapid.T) {
				v := one(t, m.open)
				m.Idle(v.conn, false)
				m.idle = slices.DeleteFunc(m.idle, func(o *visitor) bool { return o == v })
			},
			"set": func(t *rapid.T) {
				m.caps = listen.Caps{
					Total: rapid.IntRange(0, 15).Draw(t, "total"), PerIP: rapid.IntRange(0, 4).Draw(t, "per address"),
					Trusted: rapid.SampledFrom([][]netip.Prefix{nil, prefixes("10.0.0.0/8"), prefixes("10.0.0.1/32", "2001:db8::/64")}).Draw(t, "trusted"),
				}
				m.Set(m.caps)
			},
			"": func(t *rapid.T) {
				trusted := m.count(func(v *visitor) bool { return v.trusted })
				if s := m.Stats(); s.Open != len(m.open) || s.Idle != len(m.idle) || s.Trusted != trusted {
					t.Fatalf("%+v, want %d open, %d idle, %d trusted", s, len(m.open), len(m.idle), trusted)
				}
				for _, v := range m.open {
					if v.fake.closed.Load() != 0 {
						t.Fatalf("%s is closed", v.addr)
					}
				}
			},
		})
		for _, v := range m.open {
			_ = v.conn.Close()
		}
		if s := m.Stats(); s.Open != 0 || s.Idle != 0 || s.Trusted != 0 || s.Networks != 0 {
			t.Fatalf("%+v are left", s)
		}
	})
}
