package cert_test

import (
	"encoding/json"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

func quote(s string) string {
	raw, _ := json.Marshal(s)
	return string(raw)
}

// nameserver is the DNS of a test: every name of its zone is 127.0.0.1, TXT
// records come by updates or from a test.
type nameserver struct {
	addr string
	zone string // "example.test."

	mu      sync.Mutex
	txt     map[string][]string // by absolute name
	history []string            // every TXT that was ever there
}

const tsigName, tsigSecret = "fazt.", "c2VjcmV0IG9mIHRoZSB0ZXN0"

// newNameserver answers for a zone over UDP and TCP. The zone must be one that
// no other test uses: CertMagic remembers zones.
func newNameserver(t *testing.T, zone string) *nameserver {
	t.Helper()
	s := &nameserver{zone: zone, txt: map[string][]string{}}
	packets, stream := samePort(t)
	s.addr = stream.Addr().String()
	for _, server := range []*dns.Server{{PacketConn: packets}, {Listener: stream}} {
		server.Handler, server.TsigSecret = s, map[string]string{tsigName: tsigSecret}
		server.MsgAcceptFunc = func(dns.Header) dns.MsgAcceptAction { return dns.MsgAccept } // updates too
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		go func() { _ = server.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { _ = server.Shutdown() })
	}
	return s
}

// samePort binds a port for UDP and TCP. The kernel chooses one for TCP, which
// somebody else may have for UDP.
func samePort(t *testing.T) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 10 {
		stream := listen(t)
		if packets, err := net.ListenPacket("udp", stream.Addr().String()); err == nil {
			return packets, stream
		}
	}
	t.Fatal("no port is free for both UDP and TCP")
	return nil, nil
}

func (s *nameserver) add(name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.txt[name] = append(s.txt[name], value)
	s.history = append(s.history, name)
}

func (s *nameserver) remove(name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.txt[name] = slices.DeleteFunc(s.txt[name], func(v string) bool { return v == value })
	if len(s.txt[name]) == 0 {
		delete(s.txt, name)
	}
}

// left is what nobody has removed, and seen what has been there.
func (s *nameserver) left() map[string][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.txt
}

func (s *nameserver) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.history)
}

// ServeDNS implements dns.Handler.
func (s *nameserver) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	a := new(dns.Msg)
	a.SetReply(q)
	defer func() { _ = w.WriteMsg(a) }()
	if q.Opcode == dns.OpcodeUpdate {
		s.update(w, q, a)
		return
	}
	question := q.Question[0]
	name := strings.ToLower(question.Name)
	if !dns.IsSubDomain(s.zone, name) {
		a.Rcode = dns.RcodeNameError
		return
	}
	head := dns.RR_Header{Name: name, Rrtype: question.Qtype, Class: dns.ClassINET, Ttl: 1}
	switch question.Qtype {
	case dns.TypeA:
		a.Answer = append(a.Answer, &dns.A{Hdr: head, A: net.IPv4(127, 0, 0, 1)})
	case dns.TypeSOA:
		if name == s.zone {
			a.Answer = append(a.Answer, &dns.SOA{Hdr: head, Ns: "ns." + s.zone, Mbox: "ops." + s.zone, Refresh: 3600})
		}
	case dns.TypeTXT:
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, v := range s.txt[name] {
			a.Answer = append(a.Answer, &dns.TXT{Hdr: head, Txt: []string{v}})
		}
	}
}

// update takes a dynamic update that is signed with the test's key.
func (s *nameserver) update(w dns.ResponseWriter, q, a *dns.Msg) {
	sig := q.IsTsig()
	if sig == nil || w.TsigStatus() != nil || q.Question[0].Name != s.zone {
		a.Rcode = dns.RcodeRefused
		return
	}
	for _, rr := range q.Ns {
		txt, ok := rr.(*dns.TXT)
		switch {
		case !ok:
			a.Rcode = dns.RcodeRefused
		case txt.Hdr.Class == dns.ClassNONE:
			s.remove(txt.Hdr.Name, txt.Txt[0])
		default:
			s.add(txt.Hdr.Name, txt.Txt[0])
		}
	}
	a.SetTsig(sig.Hdr.Name, sig.Algorithm, 300, int64(sig.TimeSigned))
}
