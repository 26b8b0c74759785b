package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
)

// The variables by which the actions of a forge (GitHub, and those that do as it does)
// let a job ask for a token that says which job it is.
const (
	envJobTokenURL = "ACTIONS_ID_TOKEN_REQUEST_URL"
	envJobTokenKey = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
)

// jobToken asks the forge of this job for a token that is good at a node alone, so
// that no secret of the node is kept there.
func (p *program) jobToken(ctx context.Context, node string) (string, error) {
	at, key := p.getenv(envJobTokenURL), p.getenv(envJobTokenKey)
	u, err := url.Parse(at)
	switch {
	case at == "" || key == "":
		return "", fault.New(fault.NotFound, "@ci has no token").
			WithHint("set FAZT_TOKEN_FILE; or let the job sign in by itself: a workload block on the node, and `permissions: id-token: write` in the workflow")
	case err != nil || u.Scheme != "https" && !loopback(u.Hostname()):
		return "", fault.New(fault.Invalid, "%s is not an https address", envJobTokenURL)
	}
	q := u.Query()
	q.Set("audience", node)
	u.RawQuery = q.Encode()
	token, err := askJobToken(ctx, u.String(), key)
	for tries := 1; fault.KindOf(err) == fault.Unavailable && tries < 3; tries++ { // forges have bad moments
		if err := waited(ctx, time.Second); err != nil {
			return "", err
		}
		token, err = askJobToken(ctx, u.String(), key)
	}
	return token, err
}

func askJobToken(ctx context.Context, at, key string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return "", err
	}
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("Accept", "application/json")
	web := &http.Client{Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := web.Do(r)
	if err != nil {
		return "", fault.Wrap(fault.Unavailable, err, "ask the forge who this job is")
	}
	defer resp.Body.Close()
	var said struct {
		Value string `json:"value"`
	}
	err = json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&said)
	switch {
	case resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests:
		return "", fault.New(fault.Unavailable, "the forge does not say who this job is (%d)", resp.StatusCode).WithHint("run the job again")
	case resp.StatusCode != http.StatusOK || err != nil || said.Value == "":
		return "", fault.New(fault.Forbidden, "the forge does not say who this job is (%d)", resp.StatusCode).WithHint("the workflow needs `permissions: id-token: write`")
	}
	return said.Value, nil
}
