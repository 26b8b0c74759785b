package gate_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/edge/gate"
	"github.com/fazt-sh/fazt/edge/gate/provider"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// The hosts of a test.
const (
	consoleHost = "fazt.test"
	notesHost   = "notes.test"
	booksHost   = "books.test"
)

// world is a node with two apps, both for people who are signed in, as a browser
// meets it.
type world struct {
	t      *testing.T
	gate   *gate.Gate
	people *identity.Directory
	policy *gate.Policy
	mu     sync.Mutex
	now    time.Time
	events []gate.Event
	vouch  identity.Claim // what the provider says
	fail   error          // or what it fails with
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "node.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	w := &world{t: t, now: time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)}
	w.people = openPeople(t, db, w.time)
	w.vouch = identity.Claim{Issuer: "https://id.test", Subject: "7", Email: "ana@example.com", Verified: true, Name: "Ana"}
	w.gate = gate.New(gate.Config{People: w.people, Now: w.time, Scopes: map[string]string{"plan": "judge a change", "deploy": "change the node"}, Note: func(_ context.Context, e gate.Event) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.events = append(w.events, e)
	}})
	w.policy = &gate.Policy{Console: consoleHost, Idle: 12 * time.Hour, Absolute: 7 * 24 * time.Hour,
		Ways:   []gate.Way{{Name: "company", Label: "Company", Provider: w}},
		Signup: func(context.Context, string) bool { return true }}
	return w
}

func (w *world) time() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// Address and Claim make the world its own provider.
func (w *world) Address(_ context.Context, a provider.Attempt) (string, error) {
	return "https://id.test/authorize?" + url.Values{"state": {a.State}, "back": {a.Callback}}.Encode(), nil
}

func (w *world) Claim(_ context.Context, a provider.Attempt, code string) (identity.Claim, error) {
	if code != "good" || a.Nonce == "" || a.Verifier == "" {
		return identity.Claim{}, fault.New(fault.Forbidden, "no")
	}
	return w.vouch, w.fail
}

// ServeHTTP is the edge, as far as the gate is concerned.
func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	v := gate.Visit{Host: r.URL.Hostname(), Secure: r.URL.Scheme == "https", Client: netip.MustParseAddr("192.0.2.7")}
	var err error
	switch {
	case v.Host == "id.test":
		q := r.URL.Query()
		http.Redirect(rw, r, q.Get("back")+"?"+url.Values{"state": {q.Get("state")}, "code": {"good"}}.Encode(), http.StatusSeeOther)
	case v.Host == consoleHost:
		err = w.gate.Console(w.policy, rw, r, v)
	case strings.HasPrefix(r.URL.Path, gate.Prefix):
		err = w.gate.App(w.policy, rw, r, v)
	default:
		if s := w.gate.Session(w.policy, r, v); s != nil {
			_, _ = io.WriteString(rw, "hello "+s.Person.Email)
			return
		}
		err = w.gate.Refuse(w.policy, rw, r, v)
	}
	if err != nil {
		rw.WriteHeader(fault.KindOf(err).Status())
		_, _ = io.WriteString(rw, fault.Message(err))
	}
}

// browser visits a world. It follows redirects as browsers do, and keeps what it
// visited.
type browser struct {
	*world
	http.Client
	visited []string
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	b := &browser{world: w}
	b.Client = http.Client{Jar: jar, Transport: b}
	return b
}

// RoundTrip implements http.RoundTripper.
func (b *browser) RoundTrip(r *http.Request) (*http.Response, error) {
	b.visited = append(b.visited, r.URL.String())
	if len(b.visited) > 100 {
		return nil, errors.New("a circle")
	}
	r.RequestURI = r.URL.RequestURI()
	rec := httptest.NewRecorder()
	r.Host = r.URL.Host
	if r.Body == nil {
		r.Body = http.NoBody
	}
	b.ServeHTTP(rec, r)
	resp := rec.Result()
	resp.Request = r
	if resp.StatusCode/100 == 3 && resp.StatusCode != http.StatusSeeOther {
		b.t.Errorf("%s is sent on with %s: what was typed would go along", r.URL, resp.Status)
	}
	return resp, nil
}

func (b *browser) do(method, address string, form url.Values, header ...string) (*http.Response, string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if method != http.MethodGet {
		r.Header.Set("Origin", r.URL.Scheme+"://"+r.URL.Host)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp, string(body)
}

func (b *browser) get(address string) (*http.Response, string) {
	b.t.Helper()
	return b.do(http.MethodGet, address, nil)
}

// signIn goes from an app's page through the provider, and says where it ended.
func (b *browser) signIn(page string) (at, body string) {
	b.t.Helper()
	u, err := url.Parse(page)
	if err != nil {
		b.t.Fatal(err)
	}
	resp, body := b.get(u.Scheme + "://" + u.Host + "/auth/start?to=" + url.QueryEscape(u.RequestURI()+fragment(u)))
	if resp.Request.URL.Host == consoleHost {
		resp, body = b.get("https://" + consoleHost + "/auth/start/company?a=" + url.QueryEscape(resp.Request.URL.Query().Get("a")))
	}
	return resp.Request.URL.String(), body
}

func fragment(u *url.URL) string {
	if u.Fragment == "" {
		return ""
	}
	return "#" + u.EscapedFragment()
}

// TestJourney is the promise of a sign-in: the person is on the page they came from,
// on the app's own host, and by one sign-in at every app.
func TestJourney(t *testing.T) {
	b := newWorld(t).browser()
	resp, page := b.get("https://" + notesHost + "/n/7?sort=new")
	if resp.Request.URL.Path != "/auth/login" || resp.StatusCode != 200 || !strings.Contains(page, "/auth/start?to=%2Fn%2F7%3Fsort%3Dnew") {
		t.Fatalf("%s %d %s", resp.Request.URL, resp.StatusCode, page)
	}
	at, body := b.signIn("https://" + notesHost + "/n/7?sort=new#c3")
	if at != "https://"+notesHost+"/n/7?sort=new#c3" || body != "hello ana@example.com" {
		t.Fatalf("ends at %s with %q", at, body)
	}
	before := len(b.visited)
	if at, body = b.signIn("https://" + booksHost + "/"); at != "https://"+booksHost+"/" || body != "hello ana@example.com" {
		t.Fatalf("ends at %s with %q", at, body)
	}
	for _, address := range b.visited[before:] {
		if strings.Contains(address, "id.test") {
			t.Error("the second app asked the provider again")
		}
	}
}

// TestScriptsAreTold does not lead anybody to a page who asked for data.
func TestScriptsAreTold(t *testing.T) {
	b := newWorld(t).browser()
	for _, header := range [][]string{{"Accept", "application/json"}, {"Sec-Fetch-Mode", "cors"}} {
		if resp, _ := b.do("GET", "https://"+notesHost+"/api", nil, header...); resp.StatusCode != 401 {
			t.Errorf("%v: %d", header, resp.StatusCode)
		}
	}
	if resp, _ := b.do("POST", "https://"+notesHost+"/x", url.Values{}); resp.StatusCode != 401 {
		t.Errorf("POST: %d", resp.StatusCode)
	}
}

// TestOverPlainHTTP lets nobody in: what could be heard is no secret.
func TestOverPlainHTTP(t *testing.T) {
	b := newWorld(t).browser()
	if resp, _ := b.get("http://" + notesHost + "/x"); resp.StatusCode != 401 {
		t.Errorf("%d", resp.StatusCode)
	}
	if resp, _ := b.get("http://" + consoleHost + "/auth/login"); resp.StatusCode != 403 {
		t.Errorf("%d", resp.StatusCode)
	}
	b.signIn("https://" + notesHost + "/")
	if resp, _ := b.do("GET", "http://"+notesHost+"/x", nil, "Cookie", cookieOf(b, notesHost)); resp.StatusCode != 401 {
		t.Errorf("a session was taken over plain HTTP: %d", resp.StatusCode)
	}
}

func cookieOf(b *browser, host string) string {
	var parts []string
	for _, c := range b.Jar.Cookies(&url.URL{Scheme: "https", Host: host, Path: "/"}) {
		parts = append(parts, c.Name+"="+c.Value)
	}
	return strings.Join(parts, "; ")
}

// TestCookiesStayAtHome is row S1: each host has a session of its own, under
// attributes that keep it there, and it is worth nothing elsewhere.
func TestCookiesStayAtHome(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.signIn("https://" + notesHost + "/")
	b.signIn("https://" + booksHost + "/")
	notes := cookieOf(b, notesHost)
	if !strings.Contains(notes, "__Host-fazt-app=") || strings.Contains(notes, "__Host-fazt=") {
		t.Fatalf("%s has %q", notesHost, notes)
	}
	stranger := w.browser()
	for _, address := range []string{"https://" + booksHost + "/", "https://" + consoleHost + "/"} {
		renamed := strings.ReplaceAll(notes, "__Host-fazt-app=", "__Host-fazt=")
		for _, cookie := range []string{notes, renamed} {
			if _, body := stranger.do("GET", address, nil, "Cookie", cookie, "Accept", "application/json"); strings.Contains(body, "ana@example.com") {
				t.Errorf("the session of %s is one at %s", notesHost, address)
			}
		}
	}
	if _, body := stranger.do("GET", "https://"+notesHost+"/", nil, "Cookie", notes); !strings.Contains(body, "ana@example.com") {
		t.Error("and none at its own host")
	}
}

// TestSetCookie is the first line of the secure defaults.
func TestSetCookie(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, _ := b.get("https://" + notesHost + "/auth/start?to=/")
	for _, c := range resp.Cookies() {
		if c.Name != "__Host-fazt-go" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || len(c.Value) < 22 {
			t.Errorf("%+v", c)
		}
	}
	if len(resp.Cookies()) != 1 {
		t.Errorf("%d cookies", len(resp.Cookies()))
	}
}

// steps runs a journey up to the provider's answer, which it returns.
func (b *browser) steps(page string) (callback string) {
	b.t.Helper()
	stop := b.CheckRedirect
	b.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.Path, "/auth/callback/") {
			callback = r.URL.String()
			return http.ErrUseLastResponse
		}
		return nil
	}
	b.signIn(page)
	b.CheckRedirect = stop
	if callback == "" {
		b.t.Fatal("the provider was not asked")
	}
	return callback
}

// TestBoundToTheBrowser is row O1: a journey that began elsewhere, was finished
// already or took too long signs nobody in.
func TestBoundToTheBrowser(t *testing.T) {
	w := newWorld(t)
	page := "https://" + notesHost + "/x"
	ana, eve := w.browser(), w.browser()
	callback := ana.steps(page)
	if resp, body := eve.get(callback); resp.StatusCode != 400 || strings.Contains(body, "hello") {
		t.Errorf("in another browser: %d %s", resp.StatusCode, body)
	}
	if _, body := ana.get(callback); body != "hello ana@example.com" {
		t.Errorf("in its own: %s", body)
	}
	if resp, _ := ana.get(callback); resp.StatusCode != 400 {
		t.Errorf("twice: %d", resp.StatusCode)
	}
	late := w.browser()
	callback = late.steps(page)
	w.pass(11 * time.Minute)
	if resp, _ := late.get(callback); resp.StatusCode != 400 {
		t.Errorf("late: %d", resp.StatusCode)
	}
	for _, changed := range []string{strings.Replace(callback, "state=", "state=A", 1), strings.Split(callback, "?")[0], strings.Split(callback, "?")[0] + "?code=good&state="} {
		if resp, _ := late.get(changed); resp.StatusCode != 400 {
			t.Errorf("%s: %d", changed, resp.StatusCode)
		}
	}
}

// codeOf runs a journey up to the app's own host, and returns where it was sent.
func (b *browser) codeOf(page string) (done string) {
	b.t.Helper()
	stop := b.CheckRedirect
	b.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == "/auth/done" {
			done = r.URL.String()
			return http.ErrUseLastResponse
		}
		return nil
	}
	b.signIn(page)
	b.CheckRedirect = stop
	if done == "" {
		b.t.Fatal("there was no code")
	}
	return done
}

// TestCodeIsForOneHost holds for what the console hands over: one browser, one host,
// one time, one minute.
func TestCodeIsForOneHost(t *testing.T) {
	w := newWorld(t)
	ana := w.browser()
	done := ana.codeOf("https://" + notesHost + "/x")
	if resp, _ := ana.get(strings.Replace(done, notesHost, booksHost, 1)); resp.StatusCode != 400 {
		t.Errorf("another host: %d", resp.StatusCode)
	}
	if resp, _ := w.browser().get(done); resp.StatusCode != 400 {
		t.Errorf("another browser: %d", resp.StatusCode)
	}
	if _, body := ana.get(done); body != "hello ana@example.com" {
		t.Errorf("its own: %s", body)
	}
	if resp, _ := ana.get(done); resp.StatusCode != 400 {
		t.Errorf("twice: %d", resp.StatusCode)
	}
	done = ana.codeOf("https://" + booksHost + "/x")
	w.pass(2 * time.Minute)
	if resp, _ := ana.get(done); resp.StatusCode != 400 {
		t.Errorf("late: %d", resp.StatusCode)
	}
}

// TestOneWinner is row S7 at the gate: of many who come with one code, one gets a
// session.
func TestOneWinner(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	done := b.codeOf("https://" + notesHost + "/x")
	cookies := cookieOf(b, notesHost)
	var won atomic.Int64
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			r := httptest.NewRequest("GET", done, nil)
			r.Header.Set("Cookie", cookies)
			rec := httptest.NewRecorder()
			w.ServeHTTP(rec, r)
			for _, c := range rec.Result().Cookies() {
				if c.Name == "__Host-fazt-app" && c.Value != "" {
					won.Add(1)
				}
			}
		})
	}
	all.Wait()
	if n := won.Load(); n != 1 {
		t.Errorf("%d winners", n)
	}
}

// TestSignOut ends the session of this browser everywhere, or of all browsers.
func TestSignOut(t *testing.T) {
	w := newWorld(t)
	one, other := w.browser(), w.browser()
	for _, b := range []*browser{one, other} {
		b.signIn("https://" + notesHost + "/")
		b.signIn("https://" + booksHost + "/")
	}
	signedIn := func(b *browser, host string) bool {
		_, body := b.do("GET", "https://"+host+"/", nil, "Accept", "application/json")
		return strings.HasPrefix(body, "hello")
	}
	if resp, _ := one.do("POST", "https://"+notesHost+"/auth/logout", nil, "Origin", "https://evil.test"); resp.StatusCode != 403 || !signedIn(one, notesHost) {
		t.Errorf("another site signed somebody out: %d", resp.StatusCode)
	}
	one.do("POST", "https://"+notesHost+"/auth/logout", nil, "Origin", "https://"+notesHost)
	if signedIn(one, notesHost) || signedIn(one, booksHost) || !signedIn(other, notesHost) {
		t.Error("sign-out ends all of one browser, and no other")
	}
	one.signIn("https://" + notesHost + "/")
	other.do("POST", "https://"+booksHost+"/auth/logout?all=1", nil)
	if signedIn(one, notesHost) || signedIn(other, notesHost) || signedIn(other, booksHost) {
		t.Error("sign-out everywhere left somebody")
	}
}

// TestNewSessionAtSignIn is row S4: who signs in gets a session of their own, and
// the one that the browser had is worth nothing any more.
func TestNewSessionAtSignIn(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.signIn("https://" + notesHost + "/")
	old := cookieOf(b, consoleHost)
	callback := b.steps("https://" + consoleHost + "/")
	b.get(callback)
	if now := cookieOf(b, consoleHost); now == old {
		t.Fatal("the session is the old one")
	}
	if resp, body := w.browser().do("GET", "https://"+consoleHost+"/", nil, "Cookie", old); strings.Contains(body, "ana@example.com") {
		t.Errorf("the old session is good: %d", resp.StatusCode)
	}
}

// TestDomains lets in whom a way is for, by verified address alone.
func TestDomains(t *testing.T) {
	w := newWorld(t)
	w.policy.Ways[0].Domains = []string{"example.com"}
	for _, c := range []struct {
		email    string
		verified bool
		in       bool
	}{{"ana@example.com", true, true}, {"ana@example.com", false, false}, {"ana@evil.test", true, false}, {"ana@sub.example.com", true, false}, {"", true, false}, {"ana@example.com.evil.test", true, false}} {
		w.vouch = identity.Claim{Issuer: "https://id.test", Subject: c.email, Email: c.email, Verified: c.verified}
		_, body := w.browser().signIn("https://" + notesHost + "/")
		if in := strings.HasPrefix(body, "hello"); in != c.in {
			t.Errorf("%+v: %s", c, body)
		}
	}
}

// TestPagesOfThePlatform carry what the secure defaults say, and hold no code.
func TestPagesOfThePlatform(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	for _, address := range []string{"https://" + notesHost + "/auth/login?to=/x", "https://" + consoleHost + "/auth/login", "https://" + consoleHost + "/auth/callback/company?state=x&code=y"} {
		resp, page := b.get(address)
		for name, want := range map[string]string{"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Cross-Origin-Opener-Policy": "same-origin"} {
			if resp.Header.Get(name) != want {
				t.Errorf("%s: %s is %q", address, name, resp.Header.Get(name))
			}
		}
		csp := resp.Header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: %s", address, csp)
		}
		if strings.Contains(page, "<script>") || strings.Contains(page, "style=") || strings.Contains(page, " onclick") {
			t.Errorf("%s has what its policy forbids: %s", address, page)
		}
	}
}

// TestProviderFails shows a page that says so, and signs nobody in. Who is signed in
// already does not notice.
func TestProviderFails(t *testing.T) {
	w := newWorld(t)
	before := w.browser()
	before.signIn("https://" + notesHost + "/")
	w.fail = errors.New("tls: secret detail")
	if _, body := before.get("https://" + notesHost + "/"); body != "hello ana@example.com" {
		t.Errorf("who was signed in: %s", body)
	}
	if at, body := before.signIn("https://" + booksHost + "/"); body != "hello ana@example.com" {
		t.Errorf("who goes on to the next app is at %s: %s", at, body)
	}
	b := w.browser()
	b.signIn("https://" + notesHost + "/")
	resp, page := b.get(b.steps("https://" + notesHost + "/"))
	if resp.StatusCode != 503 || !strings.Contains(page, "Company does not answer") {
		t.Errorf("%d %s", resp.StatusCode, page)
	}
}

// TestRecord says who signed in by what, and who was turned away.
func TestRecord(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.signIn("https://" + notesHost + "/")
	w.policy.Signup = func(context.Context, string) bool { return false }
	w.vouch = identity.Claim{Issuer: "https://id.test", Subject: "8", Email: "eve@evil.test", Verified: true}
	w.browser().signIn("https://" + notesHost + "/")
	if len(w.events) != 2 || w.events[0].Action != "sign in" || w.events[0].Outcome != "ok" || !strings.HasPrefix(w.events[0].Actor, "person:") ||
		w.events[1].Outcome != "forbidden" || w.events[1].Actor != "anonymous" {
		t.Errorf("%+v", w.events)
	}
}

// TestForbidden: a page says who one is and how to be somebody else; a script gets
// an error.
func TestForbidden(t *testing.T) {
	w := newWorld(t)
	g := gate.New(gate.Config{People: w.people})
	r := httptest.NewRequest("GET", "https://"+notesHost+"/n/7?a=b", nil)
	if err := g.Forbid(httptest.NewRecorder(), r, &identity.Person{Email: "bo@example.com"}); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("to a script: %v", err)
	}
	r.Header.Set("Accept", "text/html")
	answer := httptest.NewRecorder()
	err := g.Forbid(answer, r, &identity.Person{Email: "bo@example.com"})
	if body := answer.Body.String(); err != nil || answer.Code != 403 || !strings.Contains(body, "bo@example.com") || !strings.Contains(body, `action="/auth/logout?to=%2fn%2f7%3fa%3db"`) && !strings.Contains(body, `action="/auth/logout?to=%2Fn%2F7%3Fa%3Db"`) {
		t.Errorf("to a person: %v %d %s", err, answer.Code, body)
	}
}
