// Package provider asks others who somebody is: any issuer of OpenID Connect, and
// GitHub, which has OAuth alone. It is the door of go-oidc and oauth2. It refuses
// to know sessions, people and pages: a code comes in, and a claim goes out.
package provider

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
)

// Client vouches for people.
type Client interface {
	// Address is where a browser is sent.
	Address(ctx context.Context, a Attempt) (string, error)
	// Claim is what the provider says of the person who came back with a code. An
	// error of kind Forbidden or Invalid is the person's or the provider's saying no,
	// any other that it cannot be asked.
	Claim(ctx context.Context, a Attempt, code string) (identity.Claim, error)
}

// Attempt is one try to sign in (RFC 9700, 2.1: PKCE, state and nonce, all bound
// to the browser).
type Attempt struct {
	State    string
	Nonce    string
	Verifier string // of PKCE; the provider is shown its S256 first
	Callback string // redirect_uri, absolute
}

// Config is a provider as an oauth block declares it.
type Config struct {
	Name     string // google, github, microsoft, or one of the author's own
	Issuer   string // of those; empty for the three
	ClientID string
	Secret   func() string // nil: the provider keeps none
	Tenant   string        // microsoft alone; empty: any
	Scopes   []string      // besides openid, email and profile
	// Transport is for tests; nil dials. What is asked never follows redirects and reads
	// at most 1 MiB; who is asked for waits 5 seconds at most.
	Transport http.RoundTripper
}

// New returns the client of a provider. It asks nothing yet.
func New(c Config) Client {
	web := &http.Client{Transport: bounded{c.Transport}, Timeout: askTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if c.Name == "github" && c.Issuer == "" {
		return hasty{&github{config: c, web: web, home: "https://github.com", api: "https://api.github.com"}}
	}
	return hasty{&issuer{config: c, web: web}}
}

// hasty gives all that one visitor waits for the time of one request: an answer may
// take several.
type hasty struct{ Client }

// Address implements Client.
func (h hasty) Address(ctx context.Context, a Attempt) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	return h.Client.Address(ctx, a)
}

// Claim implements Client.
func (h hasty) Claim(ctx context.Context, a Attempt, code string) (identity.Claim, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	return h.Client.Claim(ctx, a, code)
}

const (
	askTime  = 5 * time.Second
	askBytes = 1 << 20
)

func (c Config) secret() string {
	if c.Secret == nil {
		return ""
	}
	return c.Secret()
}

// exchange changes a code for tokens.
func exchange(ctx context.Context, web *http.Client, o oauth2.Config, a Attempt, code string) (*oauth2.Token, error) {
	token, err := o.Exchange(context.WithValue(ctx, oauth2.HTTPClient, web), code, oauth2.VerifierOption(a.Verifier))
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok && refused.Response != nil && refused.Response.StatusCode < 500 {
		return nil, fault.New(fault.Forbidden, "the provider does not know this sign-in").WithHint("begin again; if it happens each time, client_id or client_secret is wrong")
	}
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, hush(err, code, o.ClientSecret), "ask the provider")
	}
	return token, nil
}

// hush keeps what must not be read in a log out of an error.
func hush(err error, secrets ...string) error {
	text := err.Error()
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "…")
		}
	}
	return errors.New(text)
}

// bounded cuts what a provider says at a length that no honest one reaches.
type bounded struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	next := b.next
	if next == nil {
		next = http.DefaultTransport
	}
	answer, err := next.RoundTrip(r)
	if err == nil {
		answer.Body = &cut{answer.Body, askBytes}
	}
	return answer, err
}

// cut is a body that fails behind its first bytes.
type cut struct {
	io.ReadCloser
	left int
}

// Read implements io.Reader.
func (c *cut) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errors.New("the answer is too large")
	}
	n, err := c.ReadCloser.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}
