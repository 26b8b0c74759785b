//go:build integration

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/identity"
)

// as is the program of somebody with a home and an environment of their own.
func (o *operators) as(t *testing.T, env map[string]string) (p *program, said *bytes.Buffer) {
	home := t.TempDir()
	said = &bytes.Buffer{}
	return &program{stdin: strings.NewReader(""), stdout: said, stderr: said, dir: home, getenv: func(name string) string {
		if v, ok := env[name]; ok {
			return v
		}
		return map[string]string{"HOME": home, "FAZT_NO_INPUT": "1", "NO_COLOR": "1"}[name]
	}}, said
}

// want runs a command line of somebody's.
func want(t *testing.T, p *program, said *bytes.Buffer, exit int, text string, args ...string) {
	t.Helper()
	said.Reset()
	if got := p.run(t.Context(), args); got != exit || !strings.Contains(said.String(), text) {
		t.Errorf("fazt %s: exit %d, want %d with %q\n%s", strings.Join(args, " "), got, exit, text, said)
	}
}

// TestIntegrationDevice lets a machine in at a node's console: it shows a code, somebody
// who is signed in there answers, and from then on it commands the node over TLS, as far
// as its scopes and their roles go, until its token is revoked.
func TestIntegrationDevice(t *testing.T) {
	o := newOperators(t, "")
	ana := o.person(t, holderOf(0b111)) // observe, plan, deploy
	session, _, err := o.ground.People.Begin(t.Context(), identity.New{Person: ana.ID, Audience: "localhost", Idle: time.Hour, Absolute: time.Hour})
	must(t, err)
	page := func(method, address string, form url.Values) string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
		must(t, err)
		r.Header.Set("Cookie", "__Host-fazt="+session)
		r.Header.Set("Origin", o.console) // as browsers say
		r.Header.Set("Accept", "text/html")
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := o.client.Do(r)
		must(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		must(t, err)
		return string(text)
	}

	p, said := o.as(t, nil)
	shown, tell := io.Pipe()
	p.stderr = tell
	done := make(chan int, 1)
	go func() {
		done <- p.run(context.WithoutCancel(t.Context()), []string{"peer", "add", "prod", o.console, "--pin", o.ownPin()})
		tell.Close()
	}()
	at := ""
	for lines := bufio.NewScanner(shown); lines.Scan(); {
		if at = regexp.MustCompile(`https://\S+`).FindString(lines.Text()); at != "" {
			break
		}
	}
	go io.Copy(io.Discard, shown)
	question := page("GET", at, nil)
	memory := regexp.MustCompile(`name="memory" value="([^"]+)"`).FindStringSubmatch(question)
	host, _ := os.Hostname()
	if memory == nil || !strings.Contains(question, "fazt on "+host) {
		t.Fatalf("%s shows %s", at, question)
	}
	if answer := page("POST", o.console+"/auth/device/answer", url.Values{"memory": {memory[1]}, "answer": {"approve"}}); !strings.Contains(answer, "It is let in") {
		t.Fatal(answer)
	}
	if exit := <-done; exit != 0 {
		t.Fatalf("exit %d\n%s", exit, said)
	}
	p.stderr = said
	if info, err := os.Stat(filepath.Join(p.getenv("HOME"), ".local", "state", "fazt", "tokens.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the token is kept as %v (%v)", info, err)
	}
	want(t, p, said, 0, "live", "@prod", "app", "list")
	want(t, p, said, 0, "No changes", "@prod", "plan", o.site)
	want(t, p, said, 4, "people", "@prod", "user", "list")

	list, err := o.ground.People.Tokens(t.Context(), ana.ID)
	must(t, err)
	page("POST", o.console+"/auth/token/revoke", url.Values{"id": {list[0].ID}})
	want(t, p, said, 4, "revoked", "@prod", "app", "list")
}

// jobForge signs for jobs of me/site, for whom they ask (RS256, RFC 7518, 3.3).
func jobForge(t *testing.T, ref *string) *httptest.Server {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	text := base64.RawURLEncoding.EncodeToString
	var f *httptest.Server
	f = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var said any = map[string]any{"issuer": f.URL, "jwks_uri": f.URL + "/keys"}
		switch r.URL.Path {
		case "/keys":
			said = map[string]any{"keys": []map[string]string{{"kty": "RSA", "alg": "RS256", "kid": "1", "n": text(key.N.Bytes()), "e": text(big.NewInt(int64(key.E)).Bytes())}}}
		case "/job":
			claims, _ := json.Marshal(map[string]any{"iss": f.URL, "aud": r.URL.Query().Get("audience"), "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
				"repository": "me/site", "ref": *ref, "sha": "3f9c2e1", "run_id": "77"})
			signed := text([]byte(`{"alg":"RS256","kid":"1"}`)) + "." + text(claims)
			sum := sha256.Sum256([]byte(signed))
			signature, _ := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
			said = map[string]string{"value": signed + "." + text(signature)}
		}
		_ = json.NewEncoder(w).Encode(said)
	}))
	t.Cleanup(f.Close)
	return f
}

// TestIntegrationWorkload has a job plan with nothing but what its forge signs for it,
// and no more than its workload's roles; the journal says which job it was.
func TestIntegrationWorkload(t *testing.T) {
	ref := "main"
	o, f := newOperators(t, ""), jobForge(t, &ref)
	writeFiles(t, o.site, map[string]string{"ci.fazt.hcl": fmt.Sprintf(`workload "ci" {
  issuer   = %q
  audience = %q
  claims   = { repository = "me/site", ref = "main" }
  roles    = [role.can-0, role.can-1, role.can-2]
}
`, f.URL, o.console)})
	if exit, out := o.fazt("apply", o.site, "--yes", "--allow-access"); exit != 0 {
		t.Fatalf("%s%s", out, &o.talk)
	}
	p, said := o.as(t, map[string]string{"FAZT_URL": o.console, "FAZT_PIN": o.ownPin(), envJobTokenURL: f.URL + "/job?api=1", envJobTokenKey: "key"})
	want(t, p, said, 0, "No changes", "@ci", "plan", o.site)
	want(t, p, said, 0, "", "@ci", "pause", "--reason", "a job did it")
	want(t, p, said, 4, "people", "@ci", "user", "list")
	if _, out := o.fazt("events", "--json"); !strings.Contains(out, "workload:ci") || !strings.Contains(out, "repository=me/site sha=3f9c2e1 run_id=77") {
		t.Errorf("the journal does not say which job it was: %s", out)
	}
	ref = "a branch of somebody's"
	want(t, p, said, 4, "its ref is not that of a workload here", "@ci", "plan", o.site)
}
