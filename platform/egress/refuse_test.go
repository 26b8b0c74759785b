package egress_test

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/platform/egress"
	"github.com/fazt-sh/fazt/platform/fault"
)

// spellings are ways to write an address of the node's own network, or to hide
// it behind the name of a host that may be asked.
func spellings(port int) []string {
	hosts := strings.Fields(`
		127.0.0.1 127.1 127.0.1 127.0.0.1. 127.000.000.001 127.255.255.254 0.0.0.0 0 0.0 00.0.0.0 0x0 0x
		0x7f.1 0x7f.0.0.1 0X7F.0.0.1 0x7f000001 0x7f.0x0.0x0.0x1 0177.0.0.1 0177.1 017700000001 2130706433 2130706433. 4294967295
		[::] [::1] [0:0:0:0:0:0:0:1] [::ffff:127.0.0.1] [::ffff:7f00:1] [0:0:0:0:0:ffff:127.0.0.1] [::127.0.0.1] [::ffff:0:127.0.0.1]
		[64:ff9b::127.0.0.1] [64:ff9b::7f00:1] [64:ff9b:1::127.0.0.1] [2002:7f00:1::] [2002:7f00:1::1] [2001:0:7f00:1::] [2001:0:4136:e378:8000:63bf:80ff:fffe]
		[fe80::1] [fe80::1%25lo] [fe80::1%25eth0] [fc00::1] [fd00:ec2::254] [fec0::1] [ff02::1] [2001:db8::1] [5f00::1] [100::1]
		169.254.169.254 169.254.169.254. 0xa9fea9fe 2852039166 0xa9.0xfe.0xa9.0xfe 0251.0376.0251.0376 169.254.43518 [::ffff:169.254.169.254] [::ffff:a9fe:a9fe]
		10.0.0.1 172.16.0.1 192.168.0.1 192.168.257 100.64.0.1 100.100.100.200 198.18.0.1 192.0.0.192 224.0.0.1 255.255.255.255
		localhost localhost. LOCALHOST metadata internal
		１２７.０.０.１ 127。0。0。1 127.0.0.1%E3%80%82 ①②⑦.⓪.⓪.① ⑯⑨。②⑤④。⑯⑨｡②⑤④ 127.0.0.1%2eapi.example.com
		api.example.com@127.0.0.1 api:x@api.example.com api.example.com%00.127.0.0.1 api.example.com%2f@127.0.0.1 127.0.0.1#@api.example.com 127.0.0.1?@api.example.com 127.0.0.1\@api.example.com
		.api.example.com api..example.com api.example.com.. -.example.com api.example.com.127.0.0.1 api.example.com.0x7f *.example.com xapi-example.com example.com.evil.test evilexample.com
		api.example.org api.example.com.evil.test localtest.test 127.0.0.1.nip.test`)
	var all []string
	for _, h := range hosts {
		if before, after, cut := strings.Cut(h, "@"); cut && strings.ContainsAny(before, "#?\\") {
			all = append(all, "http://"+strings.Replace(before, "127.0.0.1", "127.0.0.1:"+strconv.Itoa(port)+"/", 1)+"@"+after)
			continue
		}
		all = append(all, "http://"+h+":"+strconv.Itoa(port)+"/")
	}
	return append(all, "http:127.0.0.1", "http:///127.0.0.1/", "http://", "//127.0.0.1:"+strconv.Itoa(port)+"/", "file:///etc/passwd", "gopher://127.0.0.1:6379/_x",
		"ftp://api.example.com/", "unix:///run/fazt.sock", "data:text/plain,x", "http://api.example.com:0/", "http://api.example.com:080/", "http://api.example.com:"+strconv.Itoa(port+65536)+"/", "http://api.example.com:22/")
}

// None of the spellings is asked for, as an address and as the goal of a
// redirect, even where a rule names it, if a rule can.
func TestSpellings(t *testing.T) {
	net := newInternet(t)
	var goal string
	net.serve("start.example.com", func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Location"] = []string{goal}
		w.WriteHeader(http.StatusFound)
	})
	all := spellings(net.canary.port)
	if len(all) < 110 {
		t.Fatalf("%d spellings", len(all))
	}
	for _, text := range all {
		rules := []egress.Rule{{Host: "start.example.com"}, {Host: "api.example.com", Ports: []int{80, 443, net.canary.port}}}
		u, parseErr := url.Parse(text)
		if parseErr == nil {
			if named := (egress.Rule{Host: u.Hostname(), Ports: []int{net.canary.port}}); ruleCan(named) && !strings.Contains(u.Hostname(), "example.com") {
				rules = append(rules, named)
			}
			for _, follow := range []bool{true, false} {
				c := net.client(egress.Config{Rules: rules})
				if resp, err := ask(c, &http.Request{Method: "GET", URL: u}, follow); err == nil {
					t.Errorf("%q is asked for: %s", text, resp.Request.URL)
				} else if k := fault.KindOf(err); k != fault.Forbidden && k != fault.Invalid {
					t.Errorf("%q: %s: %v", text, k, err)
				}
			}
		}
		goal = text
		before := net.dials.Load()
		// The start answers any path: only a goal that stays there may be followed.
		resp, err := net.client(egress.Config{Rules: rules}).Do(t.Context(), get(t, "https://start.example.com/"))
		if err == nil {
			t.Errorf("a redirect to %q is followed to %s", text, resp.Request.URL)
		}
		if n := net.dials.Load() - before; n != 1 && codeOf(err) != egress.CodeRedirects {
			t.Errorf("a redirect to %q made %d connections", text, n)
		}
	}
	if n := net.canary.hits.Load(); n != 0 {
		t.Errorf("%d connections to loopback", n)
	}
}

func ask(c *egress.Client, req *http.Request, follow bool) (*http.Response, error) {
	if follow {
		return c.Do(context.Background(), req)
	}
	return c.Once(context.Background(), req)
}

func ruleCan(r egress.Rule) bool {
	_, err := egress.New(egress.Config{Rules: []egress.Rule{r}})
	return err == nil
}

// A name with any answer that is not public is refused, wherever that stands
// among public ones, and nothing is connected to.
func TestAnswers(t *testing.T) {
	closed := strings.Fields(`0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 127.0.0.1 127.255.255.255 169.254.0.1 169.254.169.254
		172.16.0.0 172.31.255.255 192.0.0.1 192.0.0.255 192.0.2.1 192.88.99.1 192.168.0.0 192.168.255.255 198.18.0.0 198.19.255.255 198.51.100.1 203.0.113.1
		224.0.0.0 239.255.255.255 240.0.0.1 255.255.255.255 8.8.4.4 2620:fe::9
		:: ::1 ::2 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:0:0 ::ffff:8.8.4.4 ::127.0.0.1 ::8.8.8.8 ::ffff:0:8.8.8.8 64:ff9b::127.0.0.1 64:ff9b::10.1.2.3 64:ff9b::8.8.4.4 64:ff9b:1::8.8.8.8
		100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:20::1 2001:db8::1 2002:7f00:1:: 2002:808:808::1 3fff::1 4000::1 5f00::1
		fc00::1 fdff:ffff::1 fe80::1 fe80::1%lo febf::1 fec0::1 ff02::1 ff0e::1 2a00:1450::1%eth0`)
	own := []netip.Addr{netip.MustParseAddr("8.8.4.4"), netip.MustParseAddr("2620:fe::9")}
	public := netip.MustParseAddr("93.184.216.34")
	for _, text := range closed {
		bad := netip.MustParseAddr(text)
		for _, answers := range [][]netip.Addr{{bad}, {public, bad}, {bad, public}, {public, public, bad, public}} {
			net := newInternet(t)
			net.names["api.example.com"] = answers
			c := net.client(egress.Config{Rules: []egress.Rule{{Host: "api.example.com", Ports: []int{net.canary.port}}}, Own: func() []netip.Addr { return own }})
			req := get(t, "http://api.example.com/")
			req.URL.Host += ":" + strconv.Itoa(net.canary.port)
			_, err := c.Do(t.Context(), req)
			wantCode(t, err, fault.Forbidden, egress.CodeAddress)
			if strings.Contains(err.Error(), text) && text != "::" {
				t.Errorf("the code learns what is in the node's network: %v", err)
			}
			if net.dials.Load() != 0 {
				t.Errorf("%v: connected", answers)
			}
		}
	}
}

// Addresses of servers that anybody may ask are open, behind NAT64 too.
func TestPublicAnswers(t *testing.T) {
	for _, text := range strings.Fields(`1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 93.184.216.34 100.63.255.255 100.128.0.0 172.15.255.255 172.32.0.0 192.0.1.0 198.17.255.255 198.20.0.0 223.255.255.255
		2606:4700::1111 2a00:1450:4001:80b::200e 2001:200::1 2001:4860:4860::8888 2003::1 3ffe::1 64:ff9b::8.8.8.8 ::ffff:8.8.8.8`) {
		net := newInternet(t)
		net.serve("other.example.com", func(w http.ResponseWriter, r *http.Request) {})
		addr := netip.MustParseAddr(text)
		net.names["api.example.com"] = []netip.Addr{addr}
		net.routes[netip.AddrPortFrom(addr, 80)] = net.routes[netip.AddrPortFrom(net.names["other.example.com"][0], 80)]
		resp, err := net.client(egress.Config{Rules: []egress.Rule{{Host: "api.example.com", Ports: []int{80, 443}}}}).Do(t.Context(), get(t, "http://api.example.com/"))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		resp.Body.Close()
	}
}

// What no rule lets pass is refused before a name is resolved.
func TestRules(t *testing.T) {
	net := newInternet(t)
	for _, name := range []string{"api.example.com", "x.example.com", "a.b.example.com", "example.com", "other.test"} {
		net.serve(name, func(w http.ResponseWriter, r *http.Request) {})
	}
	looked := 0
	c := net.client(egress.Config{
		Rules: []egress.Rule{{Host: "API.Example.com.", Methods: []string{"GET"}, Ports: []int{80, 443}}, {Host: "*.example.com", Ports: []int{443}}},
		Lookup: func(ctx context.Context, host string) ([]netip.Addr, error) {
			looked++
			return net.lookup(ctx, host)
		},
	})
	for _, k := range []struct {
		method, url string
		passes      bool
	}{
		{"GET", "http://api.example.com/", true},
		{"GET", "https://API.EXAMPLE.COM./x?y#z", true},
		{"GET", "https://api.example.com:443/", true},
		{"GET", "https://x.example.com/", true},
		{"GET", "https://a.b.example.com/", false},
		{"POST", "http://api.example.com/", false}, // the exact rule wins
		{"POST", "https://api.example.com/", false},
		{"TRACE", "https://x.example.com/", false},
		{"CONNECT", "https://x.example.com/", false},
		{"GET", "http://a.b.example.com/", false},
		{"GET", "https://api.example.com:8443/", false},
		{"GET", "https://example.com/", false},
		{"GET", "https://other.test/", false},
		{"GET", "https://xexample.com/", false},
	} {
		req := get(t, k.url)
		req.Method = k.method
		before := looked
		resp, err := c.Do(t.Context(), req)
		if k.passes {
			if err != nil {
				t.Errorf("%s %s: %v", k.method, k.url, err)
				continue
			}
			resp.Body.Close()
			continue
		}
		if err == nil {
			t.Errorf("%s %s passes", k.method, k.url)
		} else if codeOf(err) != egress.CodeDenied || looked != before {
			t.Errorf("%s %s: %v, %d names resolved", k.method, k.url, err, looked-before)
		}
	}
	for _, host := range []string{"", "*", "*.", "com", "*.com", "*.*.example.com", "a.*.example.com", "*example.com", "127.0.0.1", "*.0.0.1", "[::1]", "::1", "exämple.com", "a b.example.com", "http://example.com", "example.com:80", "example.com/x", strings.Repeat("a.", 150) + "example.com"} {
		if ruleCan(egress.Rule{Host: host}) {
			t.Errorf("a rule may name %q", host)
		}
	}
	for _, r := range []egress.Rule{
		{Host: "api.example.com", Ports: []int{0}}, {Host: "api.example.com", Ports: []int{65536}}, {Host: "api.example.com", Methods: []string{"get"}},
		{Host: "api.example.com", Header: map[string]func() string{"Host": nil}}, {Host: "api.example.com", Header: map[string]func() string{"a b": nil}},
	} {
		if ruleCan(r) {
			t.Errorf("a rule may be %+v", r)
		}
	}
	if _, err := egress.New(egress.Config{Rules: []egress.Rule{{Host: "a.example.com"}, {Host: "A.example.com."}}}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("two rules name one host: %v", err)
	}
}

// Without rules nothing passes.
func TestDeniedByDefault(t *testing.T) {
	net := newInternet(t)
	_, err := net.client(egress.Config{}).Do(t.Context(), get(t, "https://api.example.com/"))
	wantCode(t, err, fault.Forbidden, egress.CodeDenied)
	if fault.HintOf(err) != `add to the app: egress "api.example.com" { }` {
		t.Error(fault.HintOf(err))
	}
}
