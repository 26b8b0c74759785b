//go:build browser

package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// hostsSite is served over TLS: two apps for editors, one for everybody whose author
// is up to no good, and a provider elsewhere. The code of notes tells all it is told.
const hostsSite = `edge {
  domain = "node.test"
  tls    = { mode = "internal" }
}
oauth "company" {
  issuer    = "%s"
  client_id = "client"
  label     = "Company"
}
role "editor" {
  members = ["ana@example.com"]
}
app "notes" {
  content = "notes"
  runtime {
    entry  = "api/main.ts"
    routes = ["/api/*"]
  }
  access { allow = [role.editor] }
}
app "desk" {
  content = "desk"
  access { allow = [role.editor] }
}
app "evil" {
  content = "evil"
}
`

// vouching is an OpenID Connect provider that lets everybody in as Ana, once its
// page was passed.
type vouching struct {
	*httptest.Server
	key *rsa.PrivateKey

	mu    sync.Mutex
	asked map[string]url.Values // by code: with what somebody was sent; guarded by mu
}

func newVouching(t *testing.T) *vouching {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	v := &vouching{key: key, asked: map[string]url.Values{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": v.URL, "authorization_endpoint": v.URL + "/authorize", "token_endpoint": v.URL + "/token",
			"jwks_uri": v.URL + "/keys", "id_token_signing_alg_values_supported": []string{"RS256"}})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		n, e := key.N.Bytes(), big.NewInt(int64(key.E)).Bytes()
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": []map[string]string{{"kty": "RSA", "kid": "1", "alg": "RS256", "use": "sig",
			"n": base64.RawURLEncoding.EncodeToString(n), "e": base64.RawURLEncoding.EncodeToString(e)}}})
	})
	mux.HandleFunc("GET /authorize", v.authorize)
	mux.HandleFunc("POST /token", v.token)
	v.Server = httptest.NewServer(mux)
	t.Cleanup(v.Close)
	return v
}

func (v *vouching) authorize(w http.ResponseWriter, r *http.Request) {
	q, code := r.URL.Query(), rand.Text()
	v.mu.Lock()
	v.asked[code] = q
	v.mu.Unlock()
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {q.Get("state")}}.Encode(), http.StatusSeeOther)
}

func (v *vouching) token(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	q := v.asked[r.PostFormValue("code")]
	delete(v.asked, r.PostFormValue("code"))
	v.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if q == nil || q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"invalid_grant"}`)
		return
	}
	claims, _ := json.Marshal(map[string]any{"iss": v.URL, "sub": "7", "aud": "client", "nonce": q.Get("nonce"), "iat": time.Now().Unix(),
		"exp": time.Now().Add(time.Hour).Unix(), "email": "ana@example.com", "email_verified": true, "name": "Ana"})
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"1"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	digest := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, v.key, crypto.SHA256, digest[:])
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "at", "token_type": "Bearer", "id_token": text + "." + base64.RawURLEncoding.EncodeToString(signature)})
}

// serveTLS serves the desk's site over TLS by the node's own CA, and is the port.
func (d *desk) serveTLS(hosts int) (port string) {
	d.t.Helper()
	told := d.start("serve", "--state", d.path("state"), "--listen", "127.0.0.1:0", "--listen-tls", "127.0.0.1:0", "--interval", "1h")
	told.await("msg=serving")
	addr := attr(told.await("msg=serving"), "addr")
	told.await("msg=commands")
	d.run(".", "fazt", "apply", "site", "--yes", "--state", d.path("state"))
	for range hosts {
		told.await("certificate issued")
	}
	d.run(".", "fazt", "cert", "list", "--state", d.path("state")) // which waits until the one that was logged is in use
	return addr[strings.LastIndexByte(addr, ':'):]
}

// TestBrowserHosts is what one host of a node may know of another, over TLS, with a
// provider elsewhere.
func TestBrowserHosts(t *testing.T) {
	browser := startChromium(t, chromedp.Flag("host-resolver-rules", "MAP *.test 127.0.0.1"), chromedp.Flag("ignore-certificate-errors", true))
	d := newPeopleDesk(t, fmt.Sprintf(hostsSite, newVouching(t).URL))
	d.write("evil/index.html", "<!doctype html><html lang=en><link rel=icon href='data:,'><title>Evil</title><h1>Evil</h1>")
	d.write("notes/api/main.ts", "export default { fetch(request, env, ctx) { return Response.json({ headers: [...request.headers], user: ctx.auth.user() }) } }\n")
	port := d.serveTLS(4)
	for name, test := range map[string]func(*testing.T, *tab, string){
		"SecretToApps": seeSecretToApps, "Cookies": seeCookies, "OtherSites": seeOtherSites, "Fixation": seeFixation,
	} {
		t.Run(name, func(t *testing.T) { test(t, newTab(t, browser), port) })
	}
}

// enter signs in by the provider from a page of notes.
func (p *tab) enter(port string) {
	p.t.Helper()
	p.visit("https://notes.node.test" + port + "/n/7?sort=new#c3")
	p.heading("Sign in")
	p.press("Company")
	p.heading("Note 7")
	if at := p.where(); at != "https://notes.node.test"+port+"/n/7?sort=new#c3" {
		p.t.Errorf("ends at %s", at)
	}
}

// cookies are those that the browser has for a host, by name.
func (p *tab) cookies(host, port string) map[string]*network.Cookie {
	p.t.Helper()
	found := map[string]*network.Cookie{}
	for _, c := range tell(p, network.GetCookies, network.GetCookiesParams{URLs: []string{"https://" + host + port + "/"}}).Cookies {
		found[c.Name] = c
	}
	return found
}

// The cookies of sessions over TLS.
const (
	consoleCookie = "__Host-fazt"
	appCookie     = "__Host-fazt-app"
)

// askBare asks a host as no browser would, with the cookies it is given.
func askBare(t *testing.T, host, port, path, accept, cookies string) (status int, location, body string) {
	t.Helper()
	client := &http.Client{Timeout: deadline, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: host}, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := http.NewRequestWithContext(t.Context(), "GET", "https://127.0.0.1"+port+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host + port
	r.Header.Set("Cookie", cookies)
	r.Header.Set("Accept", accept)
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header.Get("Location"), string(text)
}

// seeSecretToApps: an app that tells all it is told has no token of the platform, and
// its own visitor's is worth nothing at another host (S1).
func seeSecretToApps(t *testing.T, p *tab, port string) {
	p.enter(port)
	app, console := p.cookies("notes.node.test", port)[appCookie], p.cookies("fazt.node.test", port)[consoleCookie]
	if app == nil || console == nil {
		t.Fatal("a session has no cookie of its name")
	}
	for _, c := range []*network.Cookie{app, console} {
		if !c.HTTPOnly || !c.Secure || c.SameSite != network.CookieSameSiteLax || strings.HasPrefix(c.Domain, ".") || c.Path != "/" {
			t.Errorf("%s is of %s%s: http only %v, secure %v, same site %s", c.Name, c.Domain, c.Path, c.HTTPOnly, c.Secure, c.SameSite)
		}
	}
	eval[bool](p, `document.cookie = "own=1"; true`)
	told := eval[string](p, `fetch("/api/all", { headers: { "X-Mine": "1" } }).then(r => r.text()).then(t => t + document.cookie)`)
	if !strings.Contains(told, "ana@example.com") || !strings.Contains(told, "own=1") {
		t.Errorf("the app does not know its visitor, or its own cookie: %s", told)
	}
	for _, secret := range []string{app.Value, console.Value, "__Host-"} {
		if strings.Contains(told, secret) {
			t.Errorf("the app is told %q: %s", secret, told)
		}
	}
	if status, _, body := askBare(t, "notes.node.test", port, "/n/7", "application/json", appCookie+"="+app.Value); status != http.StatusOK || !strings.Contains(body, "Note 7") {
		t.Fatalf("the cookie is not good where it belongs: %d", status)
	}
	for _, name := range []string{appCookie, consoleCookie} {
		if status, _, _ := askBare(t, "desk.node.test", port, "/", "application/json", name+"="+app.Value); status != http.StatusUnauthorized {
			t.Errorf("notes' session as %s at desk: %d", name, status)
		}
		if status, to, body := askBare(t, "fazt.node.test", port, "/", "text/html", name+"="+app.Value); status != http.StatusSeeOther || to != "/auth/login" || strings.Contains(body, "ana@") {
			t.Errorf("notes' session as %s at the console: %d %s", name, status, to)
		}
	}
	if status, _, _ := askBare(t, "desk.node.test", port, "/", "application/json", appCookie+"="+console.Value); status != http.StatusUnauthorized {
		t.Errorf("the console's session at desk: %d", status)
	}
	p.clean("browsing notes")
}

// seeCookies: two cookies of one name are none, and too many are refused (S2).
func seeCookies(t *testing.T, p *tab, port string) {
	p.enter(port)
	own := appCookie + "=" + p.cookies("notes.node.test", port)[appCookie].Value
	for _, both := range []string{own + "; " + appCookie + "=x", appCookie + "=x; " + own, own + "; " + own} {
		if status, _, _ := askBare(t, "notes.node.test", port, "/n/7", "application/json", both); status != http.StatusUnauthorized {
			t.Errorf("two cookies of one name: %d", status)
		}
	}
	if status, _, _ := askBare(t, "notes.node.test", port, "/n/7", "text/html", own+strings.Repeat("; junk=1", 100)); status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a hundred cookies: %d", status)
	}
	// Another app of the node may plant cookies of the whole domain, but none of a
	// name that counts.
	p.visit("https://evil.node.test" + port + "/")
	for _, name := range []string{appCookie, consoleCookie} {
		eval[bool](p, `document.cookie = "`+name+`=planted; domain=node.test; path=/; secure"; true`)
	}
	p.visit("https://notes.node.test" + port + "/n/7")
	p.heading("Note 7")
	// But so many that no host takes them. Who meets that has a way out.
	p.visit("https://evil.node.test" + port + "/")
	eval[bool](p, `for (let i = 0; i < 70; i++) document.cookie = "junk" + i + "=1; domain=node.test; path=/; secure"; true`)
	for late := time.Now().Add(deadline); len(p.cookies("notes.node.test", port)) < 70; { // a page's script does not await the browser's store
		if time.Now().After(late) {
			t.Fatal("the browser does not keep the cookies")
		}
		eval[bool](p, `new Promise(done => setTimeout(done, 20, true))`)
	}
	p.visit("https://notes.node.test" + port + "/n/7")
	p.heading("Too many headers")
	p.press("Clear the cookies of this site")
	p.await("location.pathname === '/auth/login'")
	p.heading("Sign in")
}

// seeOtherSites: what a page of another app sends is refused, by the console and by
// other apps, and whoever looked at it is still signed in (S3).
func seeOtherSites(t *testing.T, p *tab, port string) {
	p.enter(port)
	evil := "https://evil.node.test" + port + "/"
	for _, target := range []string{"https://fazt.node.test" + port + "/auth/logout?all=1", "https://notes.node.test" + port + "/auth/logout", "https://fazt.node.test" + port + "/auth/session/end",
		"https://notes.node.test" + port + "/api/all"} {
		for how, script := range map[string]string{
			"fetch":  `fetch(%q, { method: "POST", mode: "no-cors", credentials: "include" }).then(() => true, () => true)`,
			"beacon": `navigator.sendBeacon(%q, "id=1")`,
			"form":   `(f => { f.method = "post"; f.action = %q; document.body.append(f); f.submit(); return true })(document.createElement("form"))`,
		} {
			p.visit(evil)
			p.forget()
			eval[bool](p, fmt.Sprintf(script, target))
			p.answered(how, target, http.StatusForbidden)
		}
	}
	p.visit("https://notes.node.test" + port + "/n/7")
	p.heading("Note 7")
	p.visit("https://fazt.node.test" + port + "/")
	p.heading("Ana")
}

// answered waits for the answer to a request.
func (p *tab) answered(how, address string, want int64) {
	p.t.Helper()
	for late := time.Now().Add(deadline); ; {
		seen := p.sent(strings.TrimPrefix(address, "https://"))
		if at := slices.IndexFunc(seen, func(w wire) bool { return w.status != 0 }); at >= 0 {
			if seen[at].status != want {
				p.t.Errorf("%s to %s: %d, want %d", how, address, seen[at].status, want)
			}
			return
		}
		if time.Now().After(late) {
			p.t.Fatalf("%s to %s was never answered", how, address)
		}
		time.Sleep(10 * time.Millisecond) // not in the page, which a form leaves
	}
}

// seeFixation: what a browser brings along is no session after signing in, and each
// sign-in has another (S4).
func seeFixation(t *testing.T, p *tab, port string) {
	var seen []string
	for host, name := range map[string]string{"notes.node.test": appCookie, "fazt.node.test": consoleCookie} {
		value := strings.Repeat("A", 43)
		seen = append(seen, value)
		tell(p, network.SetCookie, network.SetCookieParams{Name: name, Value: value, URL: "https://" + host + port + "/", Secure: new(true), HTTPOnly: new(true)})
	}
	for range 2 {
		p.enter(port)
		app, console := p.cookies("notes.node.test", port)[appCookie].Value, p.cookies("fazt.node.test", port)[consoleCookie].Value
		for _, value := range []string{app, console} {
			if slices.Contains(seen, value) {
				t.Errorf("a session has a token from before: %s", value)
			}
			seen = append(seen, value)
		}
		p.do(chromedp.Click("#out"))
		p.heading("Sign in")
		if status, _, _ := askBare(t, "notes.node.test", port, "/n/7", "application/json", appCookie+"="+app); status != http.StatusUnauthorized {
			t.Errorf("a session goes on after signing out: %d", status)
		}
	}
}
