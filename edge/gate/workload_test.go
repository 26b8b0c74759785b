package gate_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/fazt-sh/fazt/edge/gate"
	"github.com/fazt-sh/fazt/edge/gate/provider"
	"github.com/fazt-sh/fazt/platform/fault"
)

// forge signs for its jobs.
type forge struct {
	*httptest.Server
	key   *rsa.PrivateKey
	asked int
	by    *provider.Issuer
}

func newForge(t *testing.T) *forge {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	f := &forge{key: key}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.asked++
		var said any = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "1", Algorithm: "RS256", Use: "sig"}}}
		if r.URL.Path != "/keys" {
			said = map[string]any{"issuer": f.URL, "jwks_uri": f.URL + "/keys"}
		}
		_ = json.NewEncoder(w).Encode(said)
	}))
	t.Cleanup(f.Close)
	f.by = provider.NewIssuer(f.URL, nil, time.Now)
	return f
}

// token is one for a job of me/site on main, for this node, with other claims.
func (f *forge) token(t *testing.T, other map[string]any) string {
	t.Helper()
	claims := map[string]any{"iss": f.URL, "aud": "https://" + consoleHost, "exp": time.Now().Add(5 * time.Minute).Unix(), "iat": time.Now().Unix(),
		"repository": "me/site", "ref": "refs/heads/main", "sha": "3f9c2e1", "run_id": "77"}
	for name, v := range other {
		claims[name] = v
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: f.key}, (&jose.SignerOptions{}).WithHeader("kid", "1"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	made, err := signer.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := made.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

func (f *forge) workload(name string, claims map[string]string, roles ...string) gate.Workload {
	return gate.Workload{Name: name, Issuer: f.URL, Audience: "https://" + consoleHost, Claims: claims, Roles: roles, By: f.by}
}

// TestProgram: a job is who its claims say, each to the letter, and has what all its
// workloads have.
func TestProgram(t *testing.T) {
	w, f := newWorld(t), newForge(t)
	w.policy.Workloads = []gate.Workload{
		f.workload("main", map[string]string{"repository": "me/site", "ref": "refs/heads/main"}, "deployer"),
		f.workload("site", map[string]string{"repository": "me/site"}, "planner"),
	}
	for name, c := range map[string]struct {
		other map[string]any
		want  string
	}{
		"the job":            {nil, "main+site deployer,planner"},
		"another branch":     {map[string]any{"ref": "refs/heads/x"}, "site planner"},
		"another repository": {map[string]any{"repository": "evil/site"}, ""},
		"a longer name":      {map[string]any{"repository": "me/site2"}, ""},
		"another case":       {map[string]any{"repository": "Me/Site"}, ""},
		"no claim":           {map[string]any{"repository": nil}, ""},
		"an empty claim":     {map[string]any{"repository": ""}, ""},
		"a list":             {map[string]any{"repository": []string{"me/site"}}, ""},
		"an object":          {map[string]any{"repository": map[string]string{"name": "me/site"}}, ""},
		"another audience":   {map[string]any{"aud": "https://other.test"}, ""},
		"another issuer":     {map[string]any{"iss": "https://other.test"}, ""},
	} {
		found, err := w.gate.Program(t.Context(), w.policy, f.token(t, c.other))
		got := ""
		if found != nil {
			got = found.Name + " " + strings.Join(slices.Sorted(slices.Values(found.Roles)), ",")
			if found.Note != "repository=me/site sha=3f9c2e1 run_id=77" {
				t.Errorf("%s: the note is %q", name, found.Note)
			}
		}
		if got != c.want || c.want == "" && fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("%s: %q, want %q (%v)", name, got, c.want, err)
		}
		if err != nil && strings.Contains(err.Error()+fault.HintOf(err), "me/site") {
			t.Errorf("%s: a stranger is told what is wanted: %v", name, err)
		}
	}
}

// TestProgramOfNoClaims is nobody, also if a block came to have none; a claim that is
// wanted to be empty fits no token.
func TestProgramOfNoClaims(t *testing.T) {
	w, f := newWorld(t), newForge(t)
	for _, claims := range []map[string]string{nil, {}, {"environment": ""}} {
		w.policy.Workloads = []gate.Workload{f.workload("any", claims, "owner")}
		for _, other := range []map[string]any{nil, {"environment": ""}} {
			if found, err := w.gate.Program(t.Context(), w.policy, f.token(t, other)); found != nil || err == nil {
				t.Errorf("%v and %v: %+v", claims, other, found)
			}
		}
	}
}

// TestProgramOfAStranger has no issuer asked that no workload names.
func TestProgramOfAStranger(t *testing.T) {
	w, f, other := newWorld(t), newForge(t), newForge(t)
	w.policy.Workloads = []gate.Workload{other.workload("other", map[string]string{"repository": "me/site"}, "deployer")}
	for _, token := range []string{f.token(t, nil), "", "x", "a.b.c"} {
		if found, err := w.gate.Program(t.Context(), w.policy, token); found != nil || fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("%+v %v", found, err)
		}
	}
	if f.asked+other.asked > 0 {
		t.Errorf("issuers were asked %d and %d times", f.asked, other.asked)
	}
}
