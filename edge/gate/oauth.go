package gate

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strings"

	"github.com/fazt-sh/fazt/edge/gate/provider"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
)

// state is what travels to a provider and back, sealed: the provider and the
// address bar see nothing of it.
type state struct {
	ID       string `json:"i"` // spent once
	Way      string `json:"w"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	Bind     string `json:"b"` // the browser, as the console knows it
	Journey  string `json:"j,omitempty"`
}

// attemptOf is the state as the provider's client needs it.
func attemptOf(s state, sealed string, v Visit, r *http.Request) provider.Attempt {
	return provider.Attempt{State: sealed, Nonce: s.Nonce, Verifier: s.Verifier, Callback: v.origin(v.Host, r) + Prefix + "callback/" + s.Way}
}

// toProvider sends a browser to a provider.
func (g *Gate) toProvider(p *Policy, w http.ResponseWriter, r *http.Request, v Visit, name string) error {
	way, ok := p.way(name)
	if !ok {
		return errNothing
	}
	s := state{ID: rand.Text(), Way: name, Nonce: rand.Text(), Verifier: rand.Text() + rand.Text(), Bind: binding(w, r, v.Secure), Journey: r.URL.Query().Get("a")}
	if _, err := g.journeyOf(s.Journey); err != nil {
		return err
	}
	sealed, err := g.seal(kindState, journeyAge, s)
	if err != nil {
		return err
	}
	to, err := way.Provider.Address(r.Context(), attemptOf(s, sealed, v, r))
	if err != nil {
		return unreachable(err, way)
	}
	redirect(w, to)
	return nil
}

// fromProvider takes somebody back whom a provider vouches for.
func (g *Gate) fromProvider(p *Policy, w http.ResponseWriter, r *http.Request, v Visit, name string) error {
	way, ok := p.way(name)
	if !ok {
		return errNothing
	}
	q := r.URL.Query()
	var s state
	if err := g.unseal(kindState, q.Get("state"), &s); err != nil {
		return err
	}
	if s.Way != name || !bound(r, v.Secure, s.Bind) {
		return errJourney
	}
	if _, err := g.journeyOf(s.Journey); err != nil {
		return err
	}
	if err := g.spend(r.Context(), s.ID, journeyAge); err != nil {
		return err
	}
	if q.Get("error") != "" || q.Get("code") == "" {
		return fault.New(fault.Forbidden, "%s did not let you in", way.Label).WithHint("try again, or sign in another way")
	}
	claim, err := way.Provider.Claim(r.Context(), attemptOf(s, q.Get("state"), v, r), q.Get("code"))
	if err != nil {
		return unreachable(err, way)
	}
	if err := way.allows(claim); err != nil {
		return err
	}
	return g.admit(p, w, r, v, s.Journey, name, claim)
}

// allows refuses a claim by somebody outside of the domains that are let in. Only
// an address that the provider has verified counts.
func (w Way) allows(c identity.Claim) error {
	if len(w.Domains) == 0 {
		return nil
	}
	_, domain, _ := strings.Cut(c.Email, "@")
	if c.Verified && slices.Contains(w.Domains, strings.ToLower(domain)) {
		return nil
	}
	return fault.New(fault.Forbidden, "only people of %s sign in here", strings.Join(w.Domains, ", ")).
		WithHint("sign in with an address of yours there")
}

// unreachable makes one kind of failure of all that a provider does not do.
func unreachable(err error, way Way) error {
	if kind := fault.KindOf(err); kind == fault.Forbidden || kind == fault.Invalid {
		return err
	}
	return fault.Wrap(fault.Unavailable, err, "%s does not answer as it should", way.Label).WithHint("try again in a moment, or sign in another way")
}
