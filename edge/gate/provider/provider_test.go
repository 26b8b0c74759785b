package provider_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/fazt-sh/fazt/edge/gate/provider"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
)

// idp is an issuer that says what a test has it say.
type idp struct {
	*httptest.Server
	key    *rsa.PrivateKey
	claims map[string]any
	info   map[string]any                     // what the userinfo endpoint says
	sign   func(claims map[string]any) string // nil: soundly
	broken func(w http.ResponseWriter) bool   // answers in place of the token endpoint
	asked  atomic.Int64
}

func newIDP(t *testing.T) *idp {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &idp{key: key}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		i.asked.Add(1)
		reply(w, map[string]any{"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys", "userinfo_endpoint": i.URL + "/userinfo",
			"id_token_signing_alg_values_supported": []string{"RS256"}})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: i.key.Public(), KeyID: "1", Algorithm: "RS256", Use: "sig"}}})
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		if i.broken != nil && i.broken(w) {
			return
		}
		sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
		if r.PostFormValue("code") != "good" || base64.RawURLEncoding.EncodeToString(sum[:]) != challenge {
			w.WriteHeader(http.StatusBadRequest)
			reply(w, map[string]string{"error": "invalid_grant"})
			return
		}
		sign := i.sign
		if sign == nil {
			sign = i.soundly
		}
		reply(w, map[string]any{"access_token": "at", "token_type": "Bearer", "id_token": sign(i.claims)})
	})
	mux.HandleFunc("/userinfo", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer at" || i.info == nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		reply(w, i.info)
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	i.claims = map[string]any{"iss": i.URL, "sub": "7", "aud": "client", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(),
		"nonce": "nonce", "email": "Ana@Example.com", "email_verified": true, "name": "Ana"}
	return i
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func (i *idp) soundly(claims map[string]any) string {
	return signed(jose.RS256, i.key, claims)
}

func signed(alg jose.SignatureAlgorithm, key any, claims map[string]any) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "1"))
	if err != nil {
		panic(err)
	}
	text, _ := json.Marshal(claims)
	made, err := signer.Sign(text)
	if err != nil {
		panic(err)
	}
	compact, _ := made.CompactSerialize()
	return compact
}

func unsigned(claims map[string]any) string {
	text, _ := json.Marshal(claims)
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(text) + "."
}

var attempt = provider.Attempt{State: "state", Nonce: "nonce", Verifier: "verifier-verifier-verifier-verifier-verifier", Callback: "https://fazt.test/auth/callback/company"}

var challenge = func() string {
	sum := sha256.Sum256([]byte(attempt.Verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}()

func (i *idp) client() provider.Client {
	return provider.New(provider.Config{Name: "company", Issuer: i.URL, ClientID: "client", Secret: func() string { return "s3cret" }})
}

// TestAddress sends a browser off with everything that binds the answer to it.
func TestAddress(t *testing.T) {
	i := newIDP(t)
	text, err := i.client().Address(t.Context(), attempt)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	for name, want := range map[string]string{"response_type": "code", "client_id": "client", "state": "state", "nonce": "nonce", "code_challenge": challenge,
		"code_challenge_method": "S256", "redirect_uri": attempt.Callback, "scope": "openid email profile"} {
		if q.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, q.Get(name), want)
		}
	}
	if strings.Contains(text, "s3cret") || strings.Contains(text, attempt.Verifier) {
		t.Errorf("%s tells what it must not", text)
	}
}

func TestClaim(t *testing.T) {
	i := newIDP(t)
	c, err := i.client().Claim(t.Context(), attempt, "good")
	if err != nil {
		t.Fatal(err)
	}
	if c.Issuer != i.URL || c.Subject != "7" || c.Email != "ana@example.com" || !c.Verified || c.Name != "Ana" {
		t.Errorf("%+v", c)
	}
	i.claims["email_verified"] = false
	if c, err := i.client().Claim(t.Context(), attempt, "good"); err != nil || c.Verified {
		t.Errorf("%+v, %v", c, err)
	}
	delete(i.claims, "email_verified")
	if c, err := i.client().Claim(t.Context(), attempt, "good"); err != nil || c.Verified {
		t.Errorf("who says nothing vouches for nothing: %+v, %v", c, err)
	}
}

// TestLies is row O1 of the threat model, the provider's side: whatever is not what
// it should be is no claim.
func TestLies(t *testing.T) {
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set := func(name string, v any) func(*idp) {
		return func(i *idp) {
			if v == nil {
				delete(i.claims, name)
			} else {
				i.claims[name] = v
			}
		}
	}
	for name, lie := range map[string]func(*idp){
		"another nonce":     set("nonce", "other"),
		"no nonce":          set("nonce", nil),
		"another audience":  set("aud", "other"),
		"no audience":       set("aud", nil),
		"another issuer":    set("iss", "https://evil.test"),
		"no issuer":         set("iss", nil),
		"expired":           set("exp", time.Now().Add(-time.Hour).Unix()),
		"no end":            set("exp", nil),
		"not yet":           set("nbf", time.Now().Add(time.Hour).Unix()),
		"unsigned":          func(i *idp) { i.sign = unsigned },
		"another's key":     func(i *idp) { i.sign = func(c map[string]any) string { return signed(jose.RS256, other, c) } },
		"another algorithm": func(i *idp) { i.sign = func(c map[string]any) string { return signed(jose.ES256, curve, c) } },
		"the public key as a secret": func(i *idp) {
			i.sign = func(c map[string]any) string { return signed(jose.HS256, publicBytes(i.key.Public()), c) }
		},
		"no token": func(i *idp) { i.sign = func(map[string]any) string { return "" } },
		"garbage":  func(i *idp) { i.sign = func(map[string]any) string { return "a.b.c" } },
	} {
		i := newIDP(t)
		lie(i)
		c, err := i.client().Claim(t.Context(), attempt, "good")
		if err == nil || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
}

func publicBytes(k crypto.PublicKey) []byte {
	text, _ := json.Marshal(k)
	return text
}

// TestWrongCode is the person's failure and not the provider's.
func TestWrongCode(t *testing.T) {
	i := newIDP(t)
	if _, err := i.client().Claim(t.Context(), attempt, "bad"); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("%v", err)
	}
	stolen := attempt
	stolen.Verifier = "another-verifier-another-verifier-another-verifier"
	if _, err := i.client().Claim(t.Context(), stolen, "good"); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("a code without its verifier: %v", err)
	}
}

// TestDown is row O4: a provider that fails, floods or sends elsewhere cannot be
// asked, and what it says or was sent stands in no error.
func TestDown(t *testing.T) {
	for name, broken := range map[string]func(w http.ResponseWriter) bool{
		"500": func(w http.ResponseWriter) bool { w.WriteHeader(500); return true },
		"a redirect": func(w http.ResponseWriter) bool {
			w.Header().Set("Location", "https://evil.test/token")
			w.WriteHeader(http.StatusTemporaryRedirect)
			return true
		},
		"a flood": func(w http.ResponseWriter) bool {
			w.Header().Set("Content-Type", "application/json")
			for range 50 {
				if _, err := w.Write([]byte(strings.Repeat(" ", 1<<20))); err != nil {
					return true
				}
			}
			return true
		},
	} {
		i := newIDP(t)
		i.broken = broken
		_, err := i.client().Claim(t.Context(), attempt, "good")
		if err == nil || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), attempt.Verifier) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// silent is a provider that takes requests and does not answer those of one path, or
// begins an answer and does not go on.
type silent struct {
	at    string
	begun bool
}

// RoundTrip implements http.RoundTripper.
func (s silent) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Request: r}
	switch {
	case r.URL.Path != s.at:
		answer.Body = io.NopCloser(strings.NewReader(`{"issuer":"https://id.test","authorization_endpoint":"https://id.test/a","token_endpoint":"https://id.test/token","jwks_uri":"https://id.test/keys"}`))
		return answer, nil
	case s.begun:
		answer.Body = endless{r.Context()}
		return answer, nil
	}
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// endless is a body that does not come.
type endless struct{ ctx context.Context }

// Read implements io.Reader.
func (e endless) Read([]byte) (int, error) {
	<-e.ctx.Done()
	return 0, e.ctx.Err()
}

// Close implements io.Closer.
func (endless) Close() error { return nil }

// TestSilent: a provider that hangs keeps nobody waiting for longer than five seconds,
// however many come.
func TestSilent(t *testing.T) {
	for _, at := range []string{"/.well-known/openid-configuration", "/token"} {
		for _, begun := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				c := provider.New(provider.Config{Name: "company", Issuer: "https://id.test", ClientID: "client", Transport: silent{at, begun}})
				var all sync.WaitGroup
				for range 20 {
					all.Go(func() {
						began := time.Now()
						_, err := c.Claim(t.Context(), attempt, "good")
						if took := time.Since(began); fault.KindOf(err) != fault.Unavailable || took == 0 || took > 5*time.Second {
							t.Errorf("%s, begun %v: after %s: %v", at, begun, took, err)
						}
					})
				}
				all.Wait()
			})
		}
	}
}

// TestAsksOnce keeps what a provider says of itself, and asks again one that did
// not answer.
func TestAsksOnce(t *testing.T) {
	i := newIDP(t)
	c := i.client()
	for range 3 {
		if _, err := c.Address(t.Context(), attempt); err != nil {
			t.Fatal(err)
		}
	}
	if n := i.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	silent := provider.New(provider.Config{Name: "company", Issuer: "http://127.0.0.1:1", ClientID: "client"})
	for range 2 {
		if _, err := silent.Address(gone, attempt); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%v", err)
		}
	}
}

// TestUserInfo: an address that the token lacks is asked for, and what is said of
// somebody else is not believed.
func TestUserInfo(t *testing.T) {
	i := newIDP(t)
	claim := func() (identity.Claim, error) {
		return i.client().Claim(t.Context(), attempt, "good")
	}
	for _, name := range []string{"email", "email_verified", "name"} {
		delete(i.claims, name)
	}
	i.info = map[string]any{"sub": "7", "email": "Ana@Example.com", "email_verified": true, "name": "Ana"}
	if c, err := claim(); err != nil || c != (identity.Claim{Issuer: i.URL, Subject: "7", Email: "ana@example.com", Verified: true, Name: "Ana"}) {
		t.Errorf("%+v %v", c, err)
	}
	i.info["email_verified"] = false
	if c, err := claim(); err != nil || c.Verified {
		t.Errorf("an address that nobody verified: %+v %v", c, err)
	}
	i.info["sub"] = "8"
	if c, err := claim(); fault.KindOf(err) != fault.Invalid {
		t.Errorf("somebody else: %+v %v", c, err)
	}
	i.info = nil
	if c, err := claim(); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("no answer: %+v %v", c, err)
	}
}
