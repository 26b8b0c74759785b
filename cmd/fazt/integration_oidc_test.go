//go:build integration

package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// oidcSite is an app that is for one person, by a provider that nobody here wrote:
// once with the secret the provider knows, once with another.
const oidcSite = `edge {
  domain = "node.test"
  tls    = { mode = "internal" }
}
oauth "peer" {
  issuer        = "%[1]s"
  client_id     = "fazt"
  client_secret = secret.peer
}
oauth "wrong" {
  issuer        = "%[1]s"
  client_id     = "fazt"
  client_secret = secret.wrong
}
role "editor" {
  members = ["ana@example.com"]
}
app "notes" {
  content = "www"
  access { allow = [role.editor] }
}
`

// TestIntegrationOIDC signs in by oidc-provider from npm, a certified provider, as it
// is: PKCE is required, and an address is told at its userinfo endpoint alone. It
// installs from npm, so it runs where it is asked for: make conformance-oidc.
func TestIntegrationOIDC(t *testing.T) {
	if os.Getenv("FAZT_OIDC") == "" {
		t.Skip("it installs from npm: make conformance-oidc")
	}
	w := newPlainWorld(t)
	node := w.want(0, "recipient", "node", "init", "fra-1", "--state", w.path("state")).stdout
	p := w.serve("state", "--node", "fra-1", "--listen-tls", "127.0.0.1:0")
	_, port, err := net.SplitHostPort(p.secureAddr())
	must(t, err)
	callback := "https://fazt.node.test:" + port + "/auth/callback/"
	issuer := w.oidcProvider("the secret of a test", callback+"peer", callback+"wrong")
	w.write(map[string]string{"site/fazt.hcl": node + fmt.Sprintf(oidcSite, issuer), "site/www/n/7.html": "a note"})
	for name, value := range map[string]string{"peer": "the secret of a test", "wrong": "another"} {
		set := exec.CommandContext(t.Context(), w.bin, "secret", "set", name, w.path("site"))
		set.Dir, set.Env, set.Stdin = w.dir, w.env, strings.NewReader(value)
		if e := w.finish(set); e.exit != 0 {
			t.Fatalf("%s%s", e.stdout, e.stderr)
		}
	}
	w.want(0, "", "apply", w.path("site"), "--yes", "--state", p.state)
	for _, host := range []string{"fazt.node.test", "notes.node.test"} {
		p.await("certificate issued", "host="+host)
	}
	_, _, err = p.call("/v1/cert/list", "{}")
	must(t, err)

	t.Run("In", func(t *testing.T) {
		b := newPerson(t, port)
		b.toProvider("peer")
		q := b.asked.Query()
		for name, want := range map[string]string{"code_challenge_method": "S256", "response_type": "code", "redirect_uri": callback + "peer", "client_id": "fazt"} {
			if q.Get(name) != want {
				t.Errorf("the provider is asked with %s=%q, want %q", name, q.Get(name), want)
			}
		}
		for _, name := range []string{"nonce", "state", "code_challenge"} {
			if len(q.Get(name)) < 20 {
				t.Errorf("the provider is asked with %s=%q", name, q.Get(name))
			}
		}
		b.post(url.Values{"prompt": {"login"}, "login": {"ana"}, "password": {"x"}})
		b.post(url.Values{"prompt": {"consent"}})
		if want := "https://notes.node.test:" + port + "/n/7?sort=new"; b.at.String() != want || !strings.Contains(b.page, "a note") {
			t.Errorf("ends at %s, want %s: %s", b.at, want, b.page)
		}
		b.get("https://notes.node.test:" + port + "/auth/user")
		if !strings.Contains(b.page, `"email":"ana@example.com"`) {
			t.Errorf("nobody, or somebody else: %s", b.page)
		}
	})
	t.Run("Refused", func(t *testing.T) {
		b := newPerson(t, port)
		b.toProvider("peer")
		b.get(b.at.String() + "/abort")
		if b.status != http.StatusForbidden || !strings.Contains(b.page, "did not let you in") {
			t.Errorf("%d at %s: %s", b.status, b.at, b.page)
		}
	})
	t.Run("WrongSecret", func(t *testing.T) {
		b := newPerson(t, port)
		b.toProvider("wrong")
		b.post(url.Values{"prompt": {"login"}, "login": {"ana"}, "password": {"x"}})
		b.post(url.Values{"prompt": {"consent"}})
		if b.status != http.StatusForbidden || !strings.Contains(b.page, "client_secret is wrong") {
			t.Errorf("%d at %s: %s", b.status, b.at, b.page)
		}
	})
}

// oidcProvider installs and starts the provider, and is its address.
func (w *world) oidcProvider(args ...string) (issuer string) {
	w.t.Helper()
	must(w.t, os.CopyFS(w.path("oidc"), os.DirFS("testdata/oidc")))
	install := exec.CommandContext(w.t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = w.path("oidc")
	if out, err := install.CombinedOutput(); err != nil {
		w.t.Fatalf("npm ci: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(w.t.Context(), "node", append([]string{"provider.mjs"}, args...)...)
	cmd.Dir = w.path("oidc")
	out, err := cmd.StdoutPipe()
	must(w.t, err)
	must(w.t, cmd.Start())
	w.t.Cleanup(func() { _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	must(w.t, err)
	return strings.TrimSpace(line)
}

// person is a browser without scripts, and where it is.
type person struct {
	t      *testing.T
	client *http.Client
	port   string
	asked  *url.URL // with what the provider was asked
	at     *url.URL
	status int
	page   string
}

func newPerson(t *testing.T, port string) *person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	p := &person{t: t, port: port}
	p.client = &http.Client{Jar: jar, Timeout: patience, CheckRedirect: p.follow, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			_, at, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, err
			}
			return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", at))
		},
	}}
	return p
}

func (p *person) follow(r *http.Request, _ []*http.Request) error {
	if r.URL.Query().Get("code_challenge") != "" {
		p.asked = r.URL
	}
	return nil
}

func (p *person) do(r *http.Request) {
	p.t.Helper()
	r.Header.Set("Accept", "text/html")
	answer, err := p.client.Do(r)
	must(p.t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	must(p.t, err)
	p.at, p.status, p.page = answer.Request.URL, answer.StatusCode, string(body)
}

func (p *person) get(address string) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), "GET", address, nil)
	must(p.t, err)
	p.do(r)
}

var formAction = regexp.MustCompile(`<form[^>]* action="([^"]+)"`)

// post sends the form of the page.
func (p *person) post(values url.Values) {
	p.t.Helper()
	found := formAction.FindStringSubmatch(p.page)
	if found == nil {
		p.t.Fatalf("no form at %s (%d): %s", p.at, p.status, p.page)
	}
	to, err := p.at.Parse(html.UnescapeString(found[1]))
	must(p.t, err)
	r, err := http.NewRequestWithContext(p.t.Context(), "POST", to.String(), strings.NewReader(values.Encode()))
	must(p.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	p.do(r)
}

// toProvider goes from a note to the provider's page.
func (p *person) toProvider(way string) {
	p.t.Helper()
	p.get("https://notes.node.test:" + p.port + "/auth/start?to=" + url.QueryEscape("/n/7?sort=new"))
	p.get("https://fazt.node.test:" + p.port + "/auth/start/" + way + "?a=" + url.QueryEscape(p.at.Query().Get("a")))
	if p.asked == nil {
		p.t.Fatalf("the provider was not asked; at %s (%d): %s", p.at, p.status, p.page)
	}
}
