package provider

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Issuer vouches for programs: it signs what they are, and they show that.
type Issuer struct {
	asked *issuer
	now   func() time.Time
}

const (
	mostToken = 16 << 10    // of what programs show, in bytes
	mostAge   = time.Hour   // since it was signed
	mostSkew  = time.Minute // of two clocks
	askWindow = time.Minute // in which an issuer is asked
	mostAsked = 3           // times for one address, whatever is shown
)

// NewIssuer returns an issuer by its address. It is asked nothing before a token comes
// that could be one of its own, and then few times a minute, so that strangers cannot
// have it asked at will. A nil transport dials.
func NewIssuer(address string, transport http.RoundTripper, now func() time.Time) *Issuer {
	pace := &paced{next: bounded{transport}, now: now, asked: map[string]*window{}}
	web := &http.Client{Transport: pace, Timeout: askTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &Issuer{asked: &issuer{config: Config{Issuer: address}, web: web}, now: now}
}

// shown is what a token says before anybody believes it.
type shown struct {
	Issuer   string   `json:"iss"`
	Audience audience `json:"aud"`
	Ends     float64  `json:"exp"`
}

// audience is a text or a list of them (RFC 7519, 4.1.3).
type audience []string

// UnmarshalJSON implements json.Unmarshaler.
func (a *audience) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(a))
}

// read reads it. What is no token says nothing.
func read(token string) (s shown) {
	parts := strings.Split(token, ".")
	if len(token) > mostToken || len(parts) != 3 {
		return shown{}
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &s) != nil {
		return shown{}
	}
	return s
}

// IssuerOf is who a token says has signed it, empty for a text that is none. Nobody
// has looked at whether that is true.
func IssuerOf(token string) string { return read(token).Issuer }

// Claims are what a token says that is sound: signed by the issuer, for an audience,
// good now and not older than an hour. The error's kind is Unauthenticated for one
// that is not, and Unavailable if the issuer cannot be asked.
func (i *Issuer) Claims(ctx context.Context, token, audience string) (map[string]any, error) {
	said, now := read(token), i.now()
	switch { // before anybody is asked; it is judged again once it is believed
	case said.Issuer != i.asked.config.Issuer:
		return nil, errUnsound("it is another issuer's")
	case !slices.Contains(said.Audience, audience):
		return nil, errUnsound("it is not for " + audience)
	case said.Ends <= float64(now.Unix()):
		return nil, errUnsound("it has ended")
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	known, err := i.asked.find(ctx)
	if err != nil {
		return nil, err
	}
	check := known.Verifier(&oidc.Config{ClientID: audience, SupportedSigningAlgs: []string{oidc.RS256, oidc.ES256}, Now: i.now})
	id, err := check.Verify(ctx, token)
	if err != nil {
		return nil, errUnsound(hush(err, token).Error())
	}
	switch age := now.Sub(id.IssuedAt); {
	case id.IssuedAt.IsZero():
		return nil, errUnsound("it does not say when it was signed")
	case age > mostAge:
		return nil, errUnsound("it is older than an hour")
	case age < -mostSkew:
		return nil, errUnsound("it was signed in the future")
	}
	claims := map[string]any{}
	if err := id.Claims(&claims); err != nil {
		return nil, errUnsound("its claims cannot be read")
	}
	return claims, nil
}

func errUnsound(why string) error {
	return fault.New(fault.Unauthenticated, "this token is not to be believed: %s", why).WithHint("let the job ask for a new one, for this node")
}

// paced lets few requests through.
type paced struct {
	next http.RoundTripper
	now  func() time.Time

	mu    sync.Mutex
	asked map[string]*window // guarded by mu: by address
}

// window is a span in which an address was asked some times.
type window struct {
	began time.Time
	count int
}

// RoundTrip implements http.RoundTripper.
func (p *paced) RoundTrip(r *http.Request) (*http.Response, error) {
	if !p.take(r.URL.String()) {
		return nil, fault.New(fault.Unavailable, "it was asked often enough for now")
	}
	return p.next.RoundTrip(r)
}

func (p *paced) take(address string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	w, now := p.asked[address], p.now()
	if w == nil || now.Sub(w.began) >= askWindow {
		w = &window{began: now}
		p.asked[address] = w
	}
	w.count++
	return w.count <= mostAsked
}
