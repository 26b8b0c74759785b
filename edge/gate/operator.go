package gate

import (
	"net/http"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
)

// Operator finds out who asks the node's API for something at the console's host:
// the person behind a token, or who is signed in at the console. A request that
// brings a token is judged by that alone, so that a wrong one is never taken for the
// person at the browser.
func (g *Gate) Operator(p *Policy, r *http.Request, v Visit) (*identity.Person, *identity.Token, error) {
	if !v.Secure && !g.config.Plain {
		return nil, nil, errClear
	}
	if given := r.Header["Authorization"]; len(given) > 0 {
		t, ok := g.bearer(given, v)
		if !ok {
			return nil, nil, errToken
		}
		return t.Person, t, nil
	}
	if g.foreign(r) {
		return nil, nil, errOrigin
	}
	if s := g.whole(p, r, v, consoleCookie); s != nil {
		return s.Person, nil, nil
	}
	return nil, nil, errOperator
}

var (
	errClear    = fault.New(fault.Forbidden, "the API is asked over https alone").WithHint("a token that was sent in the clear is known to others: revoke it")
	errToken    = fault.New(fault.Unauthenticated, "the token is wrong, has ended or was revoked").WithHint("take another one, and give it to: fazt peer add NAME URL --token-file FILE")
	errOperator = fault.New(fault.Unauthenticated, "the API is for who is known").WithHint("send a token (Authorization: Bearer fzt_…), or sign in at this host")
)

// bearer is the token of a request that brings one.
func (g *Gate) bearer(given []string, v Visit) (*identity.Token, bool) {
	scheme, text, _ := strings.Cut(given[0], " ")
	if len(given) > 1 || !strings.EqualFold(scheme, "Bearer") {
		return nil, false
	}
	return g.config.People.Token(text, v.address(), g.config.Now())
}

// foreign tells whether a page of another origin made a browser send a request. Apps
// have hosts of the same site, to which a browser gives the console's cookie, so what
// is only read is refused too.
func (g *Gate) foreign(r *http.Request) bool {
	asked := r.WithContext(r.Context())
	asked.Method = http.MethodPost // which is not let through unseen
	return g.origins.Check(asked) != nil
}
