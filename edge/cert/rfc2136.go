package cert

import (
	"cmp"
	"context"
	"encoding/base64"
	"net"
	"time"

	"github.com/libdns/libdns"
	"github.com/miekg/dns"

	"github.com/fazt-sh/fazt/platform/fault"
)

const (
	updateTime  = 10 * time.Second
	updateFudge = 300 // seconds by which clocks may differ, as RFC 8945 recommends
)

// updater makes and removes TXT records by dynamic updates (RFC 2136) over TCP,
// signed with TSIG (RFC 8945).
type updater struct {
	server    string // host:port
	zone      string // empty: the one that was found
	key       string // name of the TSIG key
	algorithm string
	secret    func() (string, error)
}

func newUpdater(d DNS, secret func() (string, error)) (*updater, error) {
	u := &updater{server: d.Server, zone: d.Zone, key: dns.CanonicalName(d.KeyName), secret: secret,
		algorithm: dns.CanonicalName(cmp.Or(d.Algorithm, "hmac-sha256"))}
	if d.Server == "" || d.KeyName == "" {
		return nil, fault.New(fault.Invalid, "dns provider rfc2136 needs server and key_name").
			WithHint(`such as server = "ns1.example.com:53", key_name = "fazt"`)
	}
	if _, _, err := net.SplitHostPort(u.server); err != nil {
		u.server = net.JoinHostPort(u.server, "53")
	}
	switch u.algorithm {
	case dns.HmacSHA224, dns.HmacSHA256, dns.HmacSHA384, dns.HmacSHA512:
	default:
		return nil, fault.New(fault.Invalid, "there is no TSIG algorithm %q", d.Algorithm).WithHint("hmac-sha256 and hmac-sha512 are usual")
	}
	if s, err := secret(); err != nil || !base64Text(s) {
		return nil, fault.New(fault.Invalid, "credential %q holds no TSIG secret in base64", d.Credential).WithSubject(d.Credential).
			WithHint("it is the secret of the key as the name server's configuration has it")
	}
	return u, nil
}

func base64Text(s string) bool {
	_, err := base64.StdEncoding.DecodeString(s)
	return err == nil
}

// AppendRecords implements libdns.RecordAppender.
func (u *updater) AppendRecords(ctx context.Context, zone string, records []libdns.Record) ([]libdns.Record, error) {
	return u.update(ctx, zone, records, (*dns.Msg).Insert)
}

// DeleteRecords implements libdns.RecordDeleter.
func (u *updater) DeleteRecords(ctx context.Context, zone string, records []libdns.Record) ([]libdns.Record, error) {
	return u.update(ctx, zone, records, (*dns.Msg).Remove)
}

func (u *updater) update(ctx context.Context, zone string, records []libdns.Record, change func(*dns.Msg, []dns.RR)) ([]libdns.Record, error) {
	secret, err := u.secret()
	if err != nil {
		return nil, err
	}
	m := new(dns.Msg)
	var rrs []dns.RR
	var done []libdns.Record
	for _, r := range records {
		rr := r.RR()
		apex, name := inZone(zone, u.zone, rr)
		m.SetUpdate(apex)
		rrs = append(rrs, &dns.TXT{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: uint32(rr.TTL.Seconds())}, Txt: []string{rr.Data}})
		done = append(done, libdns.TXT{Name: rr.Name, TTL: rr.TTL, Text: rr.Data})
	}
	if len(rrs) == 0 {
		return nil, nil
	}
	change(m, rrs)
	m.SetTsig(u.key, u.algorithm, updateFudge, time.Now().Unix())
	client := &dns.Client{Net: "tcp", Timeout: updateTime, TsigSecret: map[string]string{u.key: secret}}
	answer, _, err := client.ExchangeContext(ctx, m, u.server)
	switch {
	case err != nil:
		return nil, fault.Wrap(fault.Unavailable, err, "the name server %s takes no update", u.server).WithSubject(u.server)
	case answer.Rcode != dns.RcodeSuccess:
		return nil, fault.New(fault.Unavailable, "the name server %s refuses the update: %s", u.server, dns.RcodeToString[answer.Rcode]).WithSubject(u.server)
	}
	return done, nil
}
