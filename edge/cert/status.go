package cert

import (
	"cmp"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/mholt/acmez/v3/acme"
)

// State is how a host stands. The text is shown to people and to programs.
type State string

// The states.
const (
	OK          State = "ok"
	Renewing    State = "renewing"    // it has a certificate, and the next is being ordered
	Waiting     State = "waiting"     // for its first certificate from where the policy says
	Failing     State = "failing"     // the last try failed; what it has is served
	NeedsDNS    State = "needs_dns"   // a wildcard, and nothing answers the DNS challenge
	Unsupported State = "unsupported" // no certificate can be had that way
	FromFile    State = "file"
)

// Status is what is known of one host. The fields from Issuer to Names describe
// the certificate that is served, and are empty where there is none.
type Status struct {
	Host      string    `json:"host"`
	State     State     `json:"state"`
	Issuer    string    `json:"issuer,omitempty"` // "Let's Encrypt R12"
	Serial    string    `json:"serial,omitempty"` // lower-case hex
	NotBefore time.Time `json:"not_before,omitzero"`
	NotAfter  time.Time `json:"not_after,omitzero"`
	Names     []string  `json:"names,omitempty"` // all that the certificate certifies
	Error     string    `json:"error,omitempty"` // one line: the last failure, or why there can be none
	Next      time.Time `json:"next,omitzero"`   // the next order; of a queued host an estimate; zero while one is running or where there is none
}

// List returns the wanted hosts by name.
func (m *Manager) List() []Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	list := make([]Status, 0, len(m.hosts))
	for _, h := range m.hosts {
		list = append(list, m.status(h))
	}
	m.estimate(list, now)
	slices.SortFunc(list, func(a, b Status) int { return cmp.Compare(a.Host, b.Host) })
	return list
}

// status describes a host, where it is covered by what its wildcard does.
func (m *Manager) status(h *host) Status {
	s := Status{Host: h.name, State: h.verdict, Error: h.reason}
	pair := h.pair
	if cover := m.hosts[h.cover]; cover != nil {
		h = cover
		if cover.pair != nil {
			pair = cover.pair
		}
	}
	if pair != nil {
		leaf := pair.Leaf
		s.Issuer = strings.Join(append(slices.Clone(leaf.Issuer.Organization), leaf.Issuer.CommonName), " ")
		s.Serial = hex.EncodeToString(leaf.SerialNumber.Bytes())
		s.NotBefore, s.NotAfter, s.Names = leaf.NotBefore, leaf.NotAfter, slices.Clone(leaf.DNSNames)
		for _, ip := range leaf.IPAddresses {
			s.Names = append(s.Names, ip.String())
		}
	}
	if s.State != "" {
		return s
	}
	s.State, s.Error = m.state(h), h.problem
	if at, ok := h.due(); ok && h.cancel == nil {
		s.Next = at.Round(0)
	}
	return s
}

func (m *Manager) state(h *host) State {
	switch {
	case m.policy.Mode == Files && h.pair != nil && h.problem == "":
		return FromFile
	case h.settled() && h.cancel != nil:
		return Renewing
	case h.problem != "":
		return Failing
	case h.settled():
		return OK
	}
	return Waiting
}

// estimate tells queued hosts when their turn comes: the budget allows so many
// orders a minute.
func (m *Manager) estimate(list []Status, now time.Time) {
	var queued []*host
	for _, h := range m.hosts {
		if at, ok := h.due(); ok && h.cancel == nil && !h.settled() && !at.After(now) {
			queued = append(queued, h)
		}
	}
	slices.SortFunc(queued, first)
	turn := make(map[string]time.Time, len(queued))
	for i, h := range queued {
		turn[h.name] = now.Add(time.Duration(i/perMinute) * time.Minute).Round(0)
	}
	for i, s := range list {
		if at, ok := turn[m.hosts[s.Host].queue()]; ok {
			list[i].Next = at
		}
	}
}

// queue is the name under which a host waits: its own or its wildcard's.
func (h *host) queue() string { return cmp.Or(h.cover, h.name) }

// line is an error for a person: one line without control characters, of
// bounded length, and of a CA's problem only what the CA has to say.
func line(err error) string {
	text := err.Error()
	if p := (acme.Problem{}); errors.As(err, &p) && p.Detail != "" {
		kind := p.Type[strings.LastIndexByte(p.Type, ':')+1:]
		text = "the CA says: " + p.Detail + " (" + kind + ")"
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > lineMax {
		text = string(r[:lineMax]) + "…"
	}
	return text
}

const lineMax = 300
