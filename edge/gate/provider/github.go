package provider

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/oauth2"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
)

// github has OAuth and an API instead of signed claims.
type github struct {
	config    Config
	web       *http.Client
	home, api string
}

func (p *github) oauth(a Attempt) oauth2.Config {
	return oauth2.Config{ClientID: p.config.ClientID, ClientSecret: p.config.secret(), RedirectURL: a.Callback,
		Endpoint: oauth2.Endpoint{AuthURL: p.home + "/login/oauth/authorize", TokenURL: p.home + "/login/oauth/access_token"},
		Scopes:   append([]string{"read:user", "user:email"}, p.config.Scopes...)}
}

// Address implements Client.
func (p *github) Address(_ context.Context, a Attempt) (string, error) {
	o := p.oauth(a)
	return o.AuthCodeURL(a.State, oauth2.S256ChallengeOption(a.Verifier)), nil
}

// Claim implements Client. Of the addresses of an account the primary one counts,
// where GitHub has verified it.
func (p *github) Claim(ctx context.Context, a Attempt, code string) (identity.Claim, error) {
	token, err := exchange(ctx, p.web, p.oauth(a), a, code)
	if err != nil {
		return identity.Claim{}, err
	}
	var user struct {
		ID    int64  `json:"id"`
		Login string `json:"login"`
		Name  string `json:"name"`
	}
	if err := p.ask(ctx, token, "/user", &user); err != nil {
		return identity.Claim{}, err
	}
	if user.ID == 0 {
		return identity.Claim{}, fault.New(fault.Invalid, "GitHub says nothing of who this is")
	}
	var addresses []struct {
		Email    string `json:"email"`
		Primary  bool   `json:"primary"`
		Verified bool   `json:"verified"`
	}
	if err := p.ask(ctx, token, "/user/emails", &addresses); err != nil {
		return identity.Claim{}, err
	}
	claim := identity.Claim{Issuer: "https://github.com", Subject: strconv.FormatInt(user.ID, 10), Name: user.Name}
	if claim.Name == "" {
		claim.Name = user.Login
	}
	for _, one := range addresses {
		if one.Primary {
			claim.Email, claim.Verified = strings.ToLower(one.Email), one.Verified
		}
	}
	return claim, nil
}

// ask reads one answer of the API.
func (p *github) ask(ctx context.Context, token *oauth2.Token, path string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.api+path, nil)
	if err != nil {
		return err
	}
	token.SetAuthHeader(r)
	r.Header.Set("Accept", "application/vnd.github+json")
	answer, err := p.web.Do(r)
	if err != nil {
		return fault.Wrap(fault.Unavailable, hush(err, token.AccessToken), "ask GitHub")
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fault.New(fault.Unavailable, "GitHub answers %d to %s", answer.StatusCode, path)
	}
	if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
		return fault.Wrap(fault.Unavailable, err, "what GitHub answers to %s", path)
	}
	return nil
}
