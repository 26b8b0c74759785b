// Package mock is the provider of fazt dev: it vouches for whoever a developer says
// they are. Everything behind it is real, the callback, the session, the rules, so
// that no app needs a branch for development. Only fazt dev imports it, and it
// answers nobody but this machine: the peer is a loopback address and the host is
// localhost, whatever else a request says.
package mock

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"

	"github.com/fazt-sh/fazt/edge/gate"
	"github.com/fazt-sh/fazt/edge/gate/provider"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
)

// Name is the provider's, in paths. No configuration may declare one of that name.
const Name = "dev"

// issuer vouches for everybody, and is believed here alone.
const issuer = "fazt dev"

// Persona is somebody to be signed in as with one click.
type Persona struct {
	Name  string // what it is called in the configuration
	Email string
	Shown string // full name
	Role  string // empty: none but what rules give
}

// Provider is the development provider. It implements provider.Client.
type Provider struct {
	mu       sync.Mutex
	personas []Persona
	roles    map[string]string  // by address: what was chosen at the last sign-in
	given    map[string]Persona // by code: who was chosen and has not arrived yet
}

// New returns a provider without personas.
func New() *Provider {
	return &Provider{roles: map[string]string{}, given: map[string]Persona{}}
}

// Set replaces the personas that are offered.
func (p *Provider) Set(list []Persona) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.personas = list
}

// Roles are those that somebody was signed in with.
func (p *Provider) Roles(email string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if role := p.roles[email]; role != "" {
		return []string{role}
	}
	return nil
}

// Address implements provider.Client: the page is on the console's own host.
func (p *Provider) Address(_ context.Context, a provider.Attempt) (string, error) {
	q := url.Values{"state": {a.State}, "challenge": {challenge(a.Verifier)}}
	return loginPath + "?" + q.Encode(), nil
}

// Claim implements provider.Client.
func (p *Provider) Claim(_ context.Context, a provider.Attempt, code string) (identity.Claim, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := code + " " + challenge(a.Verifier)
	who, ok := p.given[key]
	if !ok {
		return identity.Claim{}, fault.New(fault.Forbidden, "nobody was chosen").WithHint("begin again")
	}
	delete(p.given, key)
	p.roles[who.Email] = who.Role
	return identity.Claim{Issuer: issuer, Subject: who.Email, Email: who.Email, Verified: true, Name: who.Shown}, nil
}

// choose remembers who was chosen until they arrive, and returns the code.
func (p *Provider) choose(who Persona, challenge string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.given) > mostGiven {
		clear(p.given)
	}
	code := rand.Text()
	p.given[code+" "+challenge] = who
	return code
}

// mostGiven bounds what is remembered of sign-ins that nobody finished.
const mostGiven = 1000

func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// here tells whether a request comes from this machine and is for it. Behind a
// proxy that ends TLS every request does the first; then its host is none of these.
func here(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() || r.TLS != nil {
		return false
	}
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "X-Real-Ip"} {
		if r.Header[name] != nil {
			return false // a proxy is in between, and whoever asks is not here
		}
	}
	host := r.Host
	if bare, _, err := net.SplitHostPort(host); err == nil {
		host = bare
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || host == "127.0.0.1" || host == "::1"
}

var errElsewhere = fault.New(fault.NotFound, "there is nothing at this address")

var _ provider.Client = (*Provider)(nil)

// Way is the provider as a way to sign in.
func (p *Provider) Way() gate.Way {
	return gate.Way{Name: Name, Label: "the development sign-in", Provider: p}
}
