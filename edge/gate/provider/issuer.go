package provider

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
)

// issuer is any provider of OpenID Connect. What it says of itself, and its keys,
// are asked for when somebody signs in first, and kept: who is known by a key that
// is kept needs no answer of a provider that is down.
type issuer struct {
	config Config
	web    *http.Client

	mu      sync.Mutex
	known   *oidc.Provider // guarded by mu
	pending *question      // guarded by mu: nil while nobody asks
}

// question is one that is asked for all who wait for the answer.
type question struct {
	done  chan struct{} // closed when the rest is there
	known *oidc.Provider
	err   error
}

const (
	google    = "https://accounts.google.com"
	microsoft = "https://login.microsoftonline.com/"
)

// address is the issuer's.
func (p *issuer) address() string {
	switch {
	case p.config.Issuer != "":
		return p.config.Issuer
	case p.config.Name == "google":
		return google
	case p.config.Tenant != "":
		return microsoft + p.config.Tenant + "/v2.0"
	default:
		return microsoft + "common/v2.0"
	}
}

// everybody tells whether the issuer stands for many, each with a name of its own
// in what it signs.
func (p *issuer) everybody() bool {
	return p.config.Name == "microsoft" && p.config.Issuer == "" &&
		(p.config.Tenant == "" || slices.Contains([]string{"common", "organizations", "consumers"}, p.config.Tenant))
}

// find asks the issuer about itself, once for all who wait. Who gives up keeps nobody
// from the answer, and who comes later does not wait for those before.
func (p *issuer) find(ctx context.Context) (*oidc.Provider, error) {
	p.mu.Lock()
	known, q := p.known, p.pending
	if known == nil && q == nil {
		q = &question{done: make(chan struct{})}
		p.pending = q
		go p.ask(context.WithoutCancel(ctx), q)
	}
	p.mu.Unlock()
	if known != nil {
		return known, nil
	}
	select {
	case <-q.done:
		return q.known, q.err
	case <-ctx.Done():
		return nil, fault.Wrap(fault.Unavailable, ctx.Err(), "the issuer %s", p.address())
	}
}

func (p *issuer) ask(ctx context.Context, q *question) {
	ctx = oidc.ClientContext(ctx, p.web)
	if p.config.Name == "microsoft" && p.config.Issuer == "" {
		ctx = oidc.InsecureIssuerURLContext(ctx, p.address()) // it names a tenant in place of what was asked; claims are judged below
	}
	q.known, q.err = oidc.NewProvider(ctx, p.address())
	if q.err != nil {
		q.known, q.err = nil, fault.Wrap(fault.Unavailable, q.err, "the issuer %s", p.address())
	}
	p.mu.Lock()
	p.known, p.pending = q.known, nil
	p.mu.Unlock()
	close(q.done)
}

func (p *issuer) oauth(known *oidc.Provider, a Attempt) oauth2.Config {
	return oauth2.Config{ClientID: p.config.ClientID, ClientSecret: p.config.secret(), Endpoint: known.Endpoint(), RedirectURL: a.Callback,
		Scopes: append([]string{oidc.ScopeOpenID, "email", "profile"}, p.config.Scopes...)}
}

// Address implements Client.
func (p *issuer) Address(ctx context.Context, a Attempt) (string, error) {
	known, err := p.find(ctx)
	if err != nil {
		return "", err
	}
	o := p.oauth(known, a)
	return o.AuthCodeURL(a.State, oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)), nil
}

// Claim implements Client.
func (p *issuer) Claim(ctx context.Context, a Attempt, code string) (identity.Claim, error) {
	known, err := p.find(ctx)
	if err != nil {
		return identity.Claim{}, err
	}
	token, err := exchange(ctx, p.web, p.oauth(known, a), a, code)
	if err != nil {
		return identity.Claim{}, err
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return identity.Claim{}, fault.New(fault.Invalid, "the provider says nothing of who this is")
	}
	check := known.Verifier(&oidc.Config{ClientID: p.config.ClientID, SkipIssuerCheck: p.everybody()})
	id, err := check.Verify(oidc.ClientContext(ctx, p.web), raw)
	if err != nil {
		return identity.Claim{}, fault.Wrap(fault.Invalid, hush(err, raw), "what the provider says cannot be believed")
	}
	if id.Nonce != a.Nonce {
		return identity.Claim{}, fault.New(fault.Invalid, "what the provider says was not said to this sign-in")
	}
	claim, err := p.read(id)
	if err == nil && claim.Email == "" && p.config.Issuer != "" && known.UserInfoEndpoint() != "" {
		return p.more(ctx, known, token, claim)
	}
	return claim, err
}

// more asks who it is at the provider's userinfo endpoint: many tell an address
// there alone (OpenID Connect Core, 5.4). What is said of somebody else is a lie.
func (p *issuer) more(ctx context.Context, known *oidc.Provider, token *oauth2.Token, claim identity.Claim) (identity.Claim, error) {
	info, err := known.UserInfo(oidc.ClientContext(ctx, p.web), oauth2.StaticTokenSource(token))
	if err != nil {
		return identity.Claim{}, fault.Wrap(fault.Unavailable, hush(err, token.AccessToken), "ask the provider who this is")
	}
	if info.Subject != claim.Subject {
		return identity.Claim{}, fault.New(fault.Invalid, "the provider speaks of somebody else")
	}
	var c struct {
		Name     string `json:"name"`
		Verified any    `json:"email_verified"`
	}
	if err := info.Claims(&c); err != nil {
		return identity.Claim{}, fault.Wrap(fault.Invalid, err, "the provider's claims")
	}
	claim.Email, claim.Name = strings.ToLower(info.Email), cmp.Or(claim.Name, c.Name)
	claim.Verified = claim.Email != "" && yes(c.Verified)
	return claim, nil
}

// read takes the claims of a token that is sound.
func (p *issuer) read(id *oidc.IDToken) (identity.Claim, error) {
	var c struct {
		Email    string `json:"email"`
		Verified any    `json:"email_verified"` // a boolean, and with some a text
		Owned    any    `json:"xms_edov"`       // Microsoft: the address's domain is the tenant's
		Name     string `json:"name"`
		Tenant   string `json:"tid"`
	}
	if err := id.Claims(&c); err != nil {
		return identity.Claim{}, fault.Wrap(fault.Invalid, err, "the provider's claims")
	}
	if p.everybody() && (c.Tenant == "" || id.Issuer != microsoft+c.Tenant+"/v2.0") {
		return identity.Claim{}, fault.New(fault.Invalid, "the provider speaks in the name of another")
	}
	claim := identity.Claim{Issuer: id.Issuer, Subject: id.Subject, Email: strings.ToLower(c.Email), Name: c.Name}
	claim.Verified = c.Email != "" && (yes(c.Verified) || p.config.Name == "microsoft" && p.config.Issuer == "" && yes(c.Owned))
	return claim, nil
}

func yes(v any) bool { return v == true || v == "true" || v == "1" || v == float64(1) }
