package provider_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/fazt-sh/fazt/edge/gate/provider"
	"github.com/fazt-sh/fazt/platform/fault"
)

const node = "https://fazt.test"

// counted counts what an issuer is asked, and fails where it is told to.
type counted struct {
	asked atomic.Int64
	down  atomic.Bool
}

func (c *counted) RoundTrip(r *http.Request) (*http.Response, error) {
	c.asked.Add(1)
	if c.down.Load() {
		return nil, errors.New("no route")
	}
	return http.DefaultTransport.RoundTrip(r)
}

// job is what a forge signs for a job.
func (i *idp) job(change ...any) map[string]any {
	claims := map[string]any{"iss": i.URL, "aud": node, "sub": "repo:me/site:ref:refs/heads/main", "repository": "me/site",
		"iat": time.Now().Unix(), "nbf": time.Now().Unix(), "exp": time.Now().Add(5 * time.Minute).Unix()}
	for n := 0; n < len(change); n += 2 {
		if name := change[n].(string); change[n+1] == nil {
			delete(claims, name)
		} else {
			claims[name] = change[n+1]
		}
	}
	return claims
}

// TestWorkloadClaims believes what an issuer signed for this node, and keeps its keys.
func TestWorkloadClaims(t *testing.T) {
	i, web := newIDP(t), &counted{}
	issuer := provider.NewIssuer(i.URL, web, time.Now)
	for range 3 {
		claims, err := issuer.Claims(t.Context(), i.soundly(i.job("aud", []string{"other", node})), node)
		if err != nil || claims["repository"] != "me/site" {
			t.Fatalf("%v %v", claims, err)
		}
	}
	if n := web.asked.Load(); n != 2 {
		t.Errorf("the issuer was asked %d times, want once for itself and once for its keys", n)
	}
}

// TestWorkloadLies: no token that is not what it should be is believed, and what can be
// told from its text has nobody asked.
func TestWorkloadLies(t *testing.T) {
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := newIDP(t)
	ago := func(d time.Duration) int64 { return time.Now().Add(-d).Unix() }
	for name, lie := range map[string]struct {
		token  string
		unseen bool // nobody is asked
	}{
		"another audience":           {i.soundly(i.job("aud", "https://other.test")), true},
		"no audience":                {i.soundly(i.job("aud", nil)), true},
		"another issuer":             {i.soundly(i.job("iss", "https://evil.test")), true},
		"ended":                      {i.soundly(i.job("exp", ago(time.Second))), true},
		"no end":                     {i.soundly(i.job("exp", nil)), true},
		"no token":                   {"", true},
		"garbage":                    {"a.b.c", true},
		"too long":                   {i.soundly(i.job("x", strings.Repeat("x", 20<<10))), true},
		"not yet":                    {i.soundly(i.job("nbf", time.Now().Add(time.Hour).Unix())), false},
		"old":                        {i.soundly(i.job("iat", ago(61*time.Minute), "nbf", nil)), false},
		"of the future":              {i.soundly(i.job("iat", time.Now().Add(time.Hour).Unix())), false},
		"no time":                    {i.soundly(i.job("iat", nil)), false},
		"unsigned":                   {unsigned(i.job()), false},
		"another's key":              {signed(jose.RS256, other, i.job()), false},
		"another algorithm":          {signed(jose.ES256, curve, i.job()), false},
		"an algorithm not allowed":   {signed(jose.RS512, i.key, i.job()), false},
		"the public key as a secret": {signed(jose.HS256, publicBytes(i.key.Public()), i.job()), false},
	} {
		web := &counted{}
		claims, err := provider.NewIssuer(i.URL, web, time.Now).Claims(t.Context(), lie.token, node)
		if fault.KindOf(err) != fault.Unauthenticated || len(claims) > 0 {
			t.Errorf("%s: %v %v", name, claims, err)
		}
		if err != nil && lie.token != "" && strings.Contains(err.Error(), lie.token) {
			t.Errorf("%s: the error tells the token", name)
		}
		if n := web.asked.Load(); lie.unseen && n > 0 {
			t.Errorf("%s: the issuer was asked %d times", name, n)
		}
	}
}

// TestWorkloadAsksSeldom: whatever strangers show, an issuer is asked few times a
// minute; who is known by a kept key is let in meanwhile, and a new key is found.
func TestWorkloadAsksSeldom(t *testing.T) {
	i, web, now := newIDP(t), &counted{}, time.Now()
	issuer := provider.NewIssuer(i.URL, web, func() time.Time { return now })
	claims := func(token string) error { _, err := issuer.Claims(t.Context(), token, node); return err }
	if err := claims(i.soundly(i.job())); err != nil {
		t.Fatal(err)
	}
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if err := claims(signed(jose.RS256, stranger, i.job())); fault.KindOf(err) != fault.Unauthenticated {
			t.Fatal(err)
		}
	}
	if n := web.asked.Load(); n != 4 {
		t.Errorf("the issuer was asked %d times in a minute", n)
	}
	if err := claims(i.soundly(i.job())); err != nil {
		t.Errorf("by a key that is kept: %v", err)
	}
	i.key = stranger // the issuer has another key
	now = now.Add(time.Minute)
	err = claims(i.soundly(i.job()))
	if err != nil { // it was told the answer to who asked before, which had just come
		err = claims(i.soundly(i.job()))
	}
	if err != nil {
		t.Errorf("by a new key: %v", err)
	}
}

// TestWorkloadDown: an issuer that cannot be asked is no reason to believe anybody, and
// it is asked again.
func TestWorkloadDown(t *testing.T) {
	i, web := newIDP(t), &counted{}
	issuer := provider.NewIssuer(i.URL, web, time.Now)
	web.down.Store(true)
	if _, err := issuer.Claims(t.Context(), i.soundly(i.job()), node); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("%v", err)
	}
	web.down.Store(false)
	if _, err := issuer.Claims(t.Context(), i.soundly(i.job()), node); err != nil {
		t.Errorf("%v", err)
	}
}

// FuzzIssuerOf reads what strangers send before anybody has looked at it: whatever it
// is, only a text of three parts can name an issuer.
func FuzzIssuerOf(f *testing.F) {
	for _, text := range []string{"", "a.b.c", unsigned(map[string]any{"iss": "https://id.test", "aud": []string{"x"}, "exp": 1}), unsigned(map[string]any{"iss": 1}), unsigned(map[string]any{"aud": map[string]any{}})} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if issuer := provider.IssuerOf(text); issuer != "" && strings.Count(text, ".") != 2 {
			t.Errorf("%q is a token of %q", text, issuer)
		}
	})
}
