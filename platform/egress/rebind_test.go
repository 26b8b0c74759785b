package egress_test

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"

	"github.com/fazt-sh/fazt/platform/egress"
	"github.com/fazt-sh/fazt/platform/fault"
)

// rebinder is a name server that answers each question differently, with no
// time to live.
func rebinder(t *testing.T, answer func(asked int64, q dns.Question) []dns.RR) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int64
	server := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, r *dns.Msg) {
		m := new(dns.Msg).SetReply(r)
		m.Answer = answer(asked.Add(1), r.Question[0])
		_ = w.WriteMsg(m)
	})}
	go func() { _ = server.ActivateAndServe() }()
	t.Cleanup(func() { _ = server.Shutdown() })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func record(t *testing.T, q dns.Question, addr string) dns.RR {
	t.Helper()
	a := netip.MustParseAddr(addr)
	kind := "A"
	if a.Is6() {
		kind = "AAAA"
	}
	if q.Qtype != dns.StringToType[kind] {
		return nil
	}
	rr, err := dns.NewRR(q.Name + " 0 IN " + kind + " " + addr)
	if err != nil {
		t.Error(err)
	}
	return rr
}

// A name whose answers change between questions, or mix families, never leads to
// loopback: a thousand tries, no hit. Those that pass were made to the public
// address.
func TestRebinding(t *testing.T) {
	world := newInternet(t)
	world.serve("public.example.com", func(w http.ResponseWriter, r *http.Request) {})
	public := world.names["public.example.com"][0]
	port := world.canary.port
	world.routes[netip.AddrPortFrom(public, uint16(port))] = world.routes[netip.AddrPortFrom(public, 80)]

	resolver := rebinder(t, func(asked int64, q dns.Question) (out []dns.RR) {
		turns := [][]string{{public.String()}, {public.String()}, {public.String()}, {"127.0.0.1"}, {public.String(), "127.0.0.1"}, {"127.0.0.1", public.String()}, {public.String(), "::1"}, {"::1", "::ffff:127.0.0.1"}}
		for _, a := range turns[asked%int64(len(turns))] {
			if rr := record(t, q, a); rr != nil {
				out = append(out, rr)
			}
		}
		return out
	})
	passed, refused := 0, 0
	for i := range 1000 {
		// A new client each time: no connection of before is used.
		c := world.client(egress.Config{
			Rules: []egress.Rule{{Host: "rebind.example.com", Ports: []int{port}}},
			Lookup: func(ctx context.Context, host string) ([]netip.Addr, error) {
				return resolver.LookupNetIP(ctx, "ip", host)
			},
		})
		resp, err := c.Do(t.Context(), get(t, "http://rebind.example.com:"+strconv.Itoa(port)+"/"))
		switch {
		case err == nil:
			resp.Body.Close()
			passed++
		case codeOf(err) == egress.CodeAddress || codeOf(err) == egress.CodeUnreachable:
			refused++
		default:
			t.Fatalf("try %d: %v", i, err)
		}
		c.Close()
	}
	if n := world.canary.hits.Load(); n != 0 {
		t.Errorf("%d hits on loopback", n)
	}
	if passed < 100 || refused < 100 {
		t.Errorf("%d passed, %d refused: the name server does not change its answers", passed, refused)
	}
}

// A request asks once, and a connection that was judged serves again; after it
// has ended the name is asked and judged again.
func TestOneQuestionForOneConnection(t *testing.T) {
	world := newInternet(t)
	world.serve("api.example.com", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/close" {
			w.Header().Set("Connection", "close")
		}
	})
	var asked atomic.Int64
	c := world.client(egress.Config{Rules: []egress.Rule{{Host: "api.example.com", Ports: []int{80, 443}}}, Lookup: func(ctx context.Context, host string) ([]netip.Addr, error) {
		if asked.Add(1) > 1 {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		}
		return world.lookup(ctx, host)
	}})
	for _, path := range []string{"/", "/", "/close"} {
		resp, err := c.Do(t.Context(), get(t, "http://api.example.com"+path))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
	_, err := c.Do(t.Context(), get(t, "http://api.example.com/"))
	wantCode(t, err, fault.Forbidden, egress.CodeAddress)
}
