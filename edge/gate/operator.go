package gate

import (
	"net/http"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
)

// Operator is who asks the node's API: a person, or a program that an issuer vouches
// for.
type Operator struct {
	Person  *identity.Person
	Token   *identity.Token // of the person's, by which they ask; nil for who is signed in
	Program *Program        // without a person
}

// Operator finds out who asks the node's API for something at the console's host:
// the person behind a token, who is signed in at the console, or the program of a
// token that an issuer signed. A request that brings a token is judged by that alone,
// so that a wrong one is never taken for the person at the browser.
func (g *Gate) Operator(p *Policy, r *http.Request, v Visit) (Operator, error) {
	if !v.Secure && !g.config.Plain {
		return Operator{}, errClear
	}
	if given := r.Header["Authorization"]; len(given) > 0 {
		return g.bearer(p, r, given, v)
	}
	if g.reaches(r) || g.crossed(r) {
		return Operator{}, errOrigin
	}
	if s := g.whole(p, r, v, consoleCookie); s != nil {
		return Operator{Person: s.Person}, nil
	}
	return Operator{}, errOperator
}

var (
	errClear    = fault.New(fault.Forbidden, "the API is asked over https alone").WithHint("a token that was sent in the clear is known to others: revoke it")
	errToken    = fault.New(fault.Unauthenticated, "the token is wrong, has ended or was revoked").WithHint("take another one: fazt peer add NAME URL")
	errOperator = fault.New(fault.Unauthenticated, "the API is for who is known").WithHint("send a token (Authorization: Bearer fzt_…), or sign in at this host")
)

// bearer is who stands behind the token of a request that brings one. Those of
// issuers have parts, and ours have none.
func (g *Gate) bearer(p *Policy, r *http.Request, given []string, v Visit) (Operator, error) {
	scheme, text, _ := strings.Cut(given[0], " ")
	if len(given) > 1 || !strings.EqualFold(scheme, "Bearer") {
		return Operator{}, errToken
	}
	if len(p.Workloads) > 0 && strings.Count(text, ".") == 2 {
		made, err := g.Program(r.Context(), p, text)
		return Operator{Program: made}, err
	}
	t, ok := g.config.People.Token(text, v.address(), g.config.Now())
	if !ok {
		return Operator{}, errToken
	}
	return Operator{Person: t.Person, Token: t}, nil
}
