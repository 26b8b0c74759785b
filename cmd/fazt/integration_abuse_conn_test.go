//go:build integration

package main

import (
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// crowd opens connections from addresses 127.1.0.1 on, in turn, says something
// on each and waits for its end. dialing is how many do so at a time; connected
// ones wait on their own.
func (s *siege) crowd(n, addresses, dialing int, say string) (closed, reset, other int64) {
	var ended [endOther + 1]atomic.Int64
	var waiting, dialers sync.WaitGroup
	turns := make(chan int)
	for range dialing {
		dialers.Go(func() {
			for i := range turns {
				c, err := callerAt(1, 1+i%addresses).Dial("tcp", s.addr)
				if err != nil {
					ended[endOther].Add(1)
					continue
				}
				_ = c.SetDeadline(time.Now().Add(patience))
				_, _ = io.WriteString(c, say) // a reset shows when reading
				waiting.Go(func() {
					defer c.Close()
					how, got := endOf(c)
					if how == endReset && got > 0 {
						how = endOther // a refusal says nothing
					}
					ended[how].Add(1)
				})
			}
		})
	}
	for i := range n {
		turns <- i
	}
	close(turns)
	dialers.Wait()
	waiting.Wait()
	return ended[endClosed].Load(), ended[endReset].Load(), ended[endOther].Load()
}

const halfHeader = "GET / HTTP/1.1\r\nHost: " + abused + "\r\nX-Half: "

// TestIntegrationAbuseHalfHeaders (E1): thousands who never finish a header get
// fifty connections for each address and five seconds for each connection.
func TestIntegrationAbuseHalfHeaders(t *testing.T) {
	const n, addresses = 10_000, 40
	s := besiege(t, "", "", 0)
	quiet := s.probeWhile(func() {})
	t.Logf("quiet: %s", quiet)
	before := s.counts()
	var closed, reset, other int64
	s.served(s.probeWhile(func() { closed, reset, other = s.crowd(n, addresses, 200, halfHeader) }))
	t.Logf("%d senders: %d held and closed, %d refused, %d otherwise", n, closed, reset, other)
	s.bounded(before, 200)
	if closed < 50*addresses || closed+reset != n {
		t.Errorf("%d held, %d refused, %d otherwise", closed, reset, other)
	}
	after := s.counts()
	if got := after.turned("address"); int64(got) != reset {
		t.Errorf("the node counts %d refused, the senders %d", got, reset)
	}
	if got := s.status().Traffic.Turned["address"]; got != reset {
		t.Errorf("fazt status counts %d refused, the senders %d", got, reset)
	}
	s.settles(before)
}

// TestIntegrationAbuseHeaderTime: with no cap in the way, the header's time
// alone ends those who never finish one.
func TestIntegrationAbuseHeaderTime(t *testing.T) {
	t.Parallel()
	s := besiege(t, "", `connections_per_ip = 10000; header_timeout = "1s"`, 0)
	before := s.counts()
	if closed, reset, other := s.crowd(300, 1, 50, halfHeader); closed != 300 {
		t.Errorf("%d closed, %d reset, %d otherwise", closed, reset, other)
	}
	s.settles(before)
}

// TestIntegrationAbuseAddressCap (E5): the fifty-first connection of an address
// is reset without a byte, and before a handshake; one that goes makes room.
func TestIntegrationAbuseAddressCap(t *testing.T) {
	t.Parallel()
	s := besiege(t, behindTLS, "", 0, tlsToo()...)
	one := callerAt(1, 1)
	var held []net.Conn
	for range 50 {
		c, err := s.encrypted(one, "http/1.1")
		must(t, err)
		held = append(held, c)
	}
	before := s.counts()
	const more = 20
	for range more {
		if c, err := s.encrypted(one, "http/1.1"); err == nil {
			t.Error("a connection above the cap has a handshake")
		} else if n, err := c.NetConn().Read(make([]byte, 1)); n > 0 || err == nil {
			t.Error("a connection above the cap got an answer")
		}
	}
	plain := s.dial(one, s.addr)
	_, _ = io.WriteString(plain, halfHeader)
	if how, n := endOf(plain); how != endReset || n > 0 {
		t.Errorf("above the cap on the plain address: end %d after %d bytes", how, n)
	}
	after := s.counts()
	if got := after.turned("address") - before.turned("address"); got != more+1 {
		t.Errorf("%d refusals counted, want %d", got, more+1)
	}
	if got := after.refused("handshake") - before.refused("handshake"); got != 0 {
		t.Errorf("%d handshakes were begun for refused connections", got)
	}
	if err := s.probeFrom(callerAt(2, 1)); err != nil {
		t.Errorf("another address: %v", err)
	}
	must(t, held[0].Close())
	s.eventually("one connection less", func(c counts) bool { return c.open() == 49 })
	if c, err := s.encrypted(one, "http/1.1"); err != nil {
		t.Errorf("after one has gone: %v", err)
	} else if status, err := ask(c, "GET", "/"); status != 200 {
		t.Errorf("after one has gone: %d %v", status, err)
	}
}

// TestIntegrationAbuseIdleHoard (E4): those who keep connections that they do
// not use lose the oldest to newcomers, and the rest to the clock.
func TestIntegrationAbuseIdleHoard(t *testing.T) {
	t.Parallel()
	const most, addresses, each = 200, 40, 10
	s := besiege(t, "", `connections = 200; idle_timeout = "3s"`, 0)
	before := s.counts()
	hoarded := make(chan ends, addresses*each)
	for i := range addresses * each {
		c := s.dial(callerAt(1, 1+i%addresses), s.addr)
		if status, err := ask(c, "GET", "/"); status != 200 {
			t.Fatalf("newcomer %d: %d %v", i, status, err)
		}
		go func() {
			how, _ := endOf(c)
			hoarded <- how
		}()
	}
	full := s.counts()
	if full.open() > most || full.turned("idle") < addresses*each-most {
		t.Errorf("%d open, %d evicted", full.open(), full.turned("idle"))
	}
	if err := s.probeFrom(callerAt(2, 1)); err != nil {
		t.Errorf("a new client: %v", err)
	}
	for range addresses * each {
		if how := <-hoarded; how == endOther {
			t.Error("an idle connection was not closed")
		}
	}
	if turned := s.counts().turned("total"); turned != 0 {
		t.Errorf("%d refused where somebody was idle", turned)
	}
	s.settles(before)
}

// TestIntegrationAbuseStrangersForwarding (E6): what a stranger says of its
// address changes nothing: it is one client, whatever it says.
func TestIntegrationAbuseStrangersForwarding(t *testing.T) {
	t.Parallel()
	const burst, n = 20, 200
	s := besiege(t, "", "requests_per_ip = { rate = 1, burst = 20 }", 0)
	began := time.Now()
	c := s.dial(callerAt(1, 1), s.addr)
	served, refused := 0, 0
	for i := range n {
		forged := net.IPv4(203, 0, byte(i>>8), byte(i)).String()
		status, err := ask(c, "GET", "/", "X-Forwarded-For: "+forged, "Forwarded: for="+forged, "X-Real-IP: "+forged)
		must(t, err)
		switch status {
		case 200:
			served++
		case 429:
			refused++
		}
	}
	if most := burst + int(time.Since(began).Seconds()) + 1; served+refused != n || served < burst || served > most {
		t.Errorf("%d served and %d refused of %d, want %d to %d served", served, refused, n, burst, most)
	}
	if got := s.counts().refused("client"); got != refused {
		t.Errorf("%d refusals counted, want %d", got, refused)
	}
	for name, value := range map[string]string{"long": strings.Repeat("192.0.2.1, ", 90_000) + "192.0.2.1", "no address": "' OR 1 --"} {
		c := s.dial(callerAt(2, 1), s.addr)
		go io.WriteString(c, "GET / HTTP/1.1\r\nHost: "+abused+"\r\nX-Forwarded-For: "+value+"\r\n\r\n")
		if status, err := answered(c); status != 200 && status != 431 {
			t.Errorf("%s: %d %v", name, status, err)
		}
	}
}

// TestIntegrationAbuseTrustedProxy (E7): a trusted proxy may have more
// connections than an address, and each of its clients has a bucket.
func TestIntegrationAbuseTrustedProxy(t *testing.T) {
	t.Parallel()
	s := besiege(t, `trusted_proxies = ["127.1.0.1"]`, "requests_per_ip = { rate = 1, burst = 20 }", 0)
	proxy := callerAt(1, 1)
	for i := range 200 {
		client := "X-Forwarded-For: " + net.IPv4(203, 0, 113, byte(i)).String()
		if status, err := ask(s.dial(proxy, s.addr), "GET", "/", client); status != 200 {
			t.Fatalf("client %d: %d %v", i, status, err)
		}
	}
	began := time.Now()
	c, served := s.dial(proxy, s.addr), 0
	for range 100 {
		status, err := ask(c, "GET", "/", "X-Forwarded-For: 198.51.100.1")
		must(t, err)
		if status == 200 {
			served++
		}
	}
	if most := 20 + int(time.Since(began).Seconds()) + 1; served < 20 || served > most {
		t.Errorf("%d requests of one client served, want 20 to %d", served, most)
	}
	if status, err := ask(c, "GET", "/", "X-Forwarded-For: 198.51.100.2"); status != 200 {
		t.Errorf("the next client: %d %v", status, err)
	}
}
