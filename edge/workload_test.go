package edge_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/spec"
	"github.com/fazt-sh/fazt/spec/access"
)

// forge signs for its jobs, by RS256 (RFC 7518, 3.3).
type forge struct {
	*httptest.Server
	key   *rsa.PrivateKey
	asked int
}

func newForge(t *testing.T) *forge {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	f := &forge{key: key}
	text := base64.RawURLEncoding.EncodeToString
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.asked++
		said := map[string]any{"issuer": f.URL, "jwks_uri": f.URL + "/keys"}
		if r.URL.Path == "/keys" {
			said = map[string]any{"keys": []map[string]string{{"kty": "RSA", "alg": "RS256", "kid": "1", "n": text(key.N.Bytes()), "e": text(big.NewInt(int64(key.E)).Bytes())}}}
		}
		_ = json.NewEncoder(w).Encode(said)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *forge) token(t *testing.T, claims map[string]any) string {
	t.Helper()
	all := map[string]any{"iss": f.URL, "aud": consoleAt, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix()}
	for name, v := range claims {
		all[name] = v
	}
	body, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	signed := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"1"}`)) + "." + base64.RawURLEncoding.EncodeToString(body)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, f.key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// TestAJobAsksTheAPI by a token of its forge, for this node: it has the roles of its
// workload, from what is served when it asks, and is no person.
func TestAJobAsksTheAPI(t *testing.T) {
	f := newForge(t)
	job := func(ref string) spec.Object {
		return object(spec.KindWorkload, "workload.ci", spec.Workload{Issuer: f.URL, Claims: map[string]string{"repository": "me/site", "ref": ref}, Roles: []string{"role:hand"}})
	}
	d := newDesk(t, job("main"))
	main := f.token(t, map[string]any{"repository": "me/site", "ref": "main"})
	ask := func(token string) asked {
		t.Helper()
		_, got := d.ask("POST", consoleAt+"/v1/apply", nil, "Authorization", "Bearer "+token)
		return got[0]
	}
	got := ask(main)
	if got.err != nil || got.who.Person != nil || got.who.Token != nil || got.who.Program == nil || got.who.Program.Name != "ci" || got.who.Program.Note != "repository=me/site" {
		t.Fatalf("%+v", got)
	}
	now := time.Now()
	if v := got.who.View; !v.Can("deploy", access.Node, now) || v.Can("people", access.Node, now) || v.Owner() {
		t.Errorf("it has %v", v.Roles())
	}
	if got := ask(f.token(t, map[string]any{"repository": "evil/site", "ref": "main"})); fault.KindOf(got.err) != fault.Unauthenticated {
		t.Errorf("another repository: %+v", got)
	}
	if got := ask(d.token); got.err != nil || got.who.Person == nil {
		t.Errorf("a token of a person's: %+v", got)
	}
	d.publish("r2", append(d.objects("deploy"), job("release"))...)
	if got := ask(main); fault.KindOf(got.err) != fault.Unauthenticated {
		t.Errorf("after its branch was taken away: %+v", got)
	}
	if got := ask(f.token(t, map[string]any{"repository": "me/site", "ref": "release"})); got.err != nil {
		t.Errorf("the branch that is declared: %v", got.err)
	}
	if f.asked != 2 {
		t.Errorf("the issuer was asked %d times, and its keys were known", f.asked)
	}
	d.publish("r3", d.objects("deploy")...)
	if got := ask(main); fault.KindOf(got.err) != fault.Unauthenticated {
		t.Errorf("without a workload: %+v", got)
	}
}
