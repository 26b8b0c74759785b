package mock_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/edge/gate"
	"github.com/fazt-sh/fazt/edge/gate/mock"
	"github.com/fazt-sh/fazt/edge/gate/provider"
	"github.com/fazt-sh/fazt/platform/fault"
)

// ask sends a request to the provider's page.
func ask(t *testing.T, p *mock.Provider, method, target string, change func(r *http.Request)) (*httptest.ResponseRecorder, error) {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	r.RemoteAddr, r.Host = "127.0.0.1:4711", "fazt.localhost:8787"
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	known, err := p.Page(gate.New(gate.Config{}), w, r)
	if !known {
		t.Fatalf("%s is no page of the provider", target)
	}
	return w, err
}

// TestNobodyElseReachesIt holds the rules that keep the provider at the machine of
// its developer.
func TestNobodyElseReachesIt(t *testing.T) {
	p := mock.New()
	const page = "/auth/dev/login?state=s&challenge=c"
	if w, err := ask(t, p, "GET", page, nil); err != nil || !strings.Contains(w.Body.String(), "Development sign-in") {
		t.Fatalf("here: %v %s", err, w.Body)
	}
	for name, change := range map[string]func(*http.Request){
		"another machine":           func(r *http.Request) { r.RemoteAddr = "192.0.2.1:1" },
		"an address like a name":    func(r *http.Request) { r.RemoteAddr = "[::ffff:192.0.2.1]:1" },
		"no address":                func(r *http.Request) { r.RemoteAddr = "@" },
		"behind a proxy":            func(r *http.Request) { r.Header.Set("X-Forwarded-For", "127.0.0.1") },
		"behind another":            func(r *http.Request) { r.Header.Set("Forwarded", "for=127.0.0.1") },
		"a public host":             func(r *http.Request) { r.Host = "fazt.example.com" },
		"a host that begins so":     func(r *http.Request) { r.Host = "localhost.evil.test" },
		"a host that ends so":       func(r *http.Request) { r.Host = "evil-localhost" },
		"no host":                   func(r *http.Request) { r.Host = "" },
		"an address of the outside": func(r *http.Request) { r.Host = "192.0.2.1:8787" },
	} {
		for _, method := range []string{"GET", "POST"} {
			w, err := ask(t, p, method, page+"&as=jo@example.com:owner", change)
			if fault.KindOf(err) != fault.NotFound || w.Body.Len() > 0 || len(w.Result().Cookies()) > 0 {
				t.Errorf("%s: %s: %v %s", name, method, err, w.Body)
			}
		}
	}
}

// TestCodeIsForOneAttempt vouches once, to whoever began.
func TestCodeIsForOneAttempt(t *testing.T) {
	p := mock.New()
	p.Set([]mock.Persona{{Name: "asha", Email: "asha@example.com", Shown: "Asha", Role: "owner"}})
	mine := provider.Attempt{State: "s", Verifier: "mine"}
	to, err := p.Address(t.Context(), mine)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	code := func() string {
		form := url.Values{"as": {"asha"}, "state": {u.Query().Get("state")}, "challenge": {u.Query().Get("challenge")}}
		r := httptest.NewRequest("POST", "/auth/dev/login", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.RemoteAddr, r.Host = "[::1]:4711", "localhost:8787"
		w := httptest.NewRecorder()
		if _, err := p.Page(gate.New(gate.Config{}), w, r); err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(w.Body.String(), "code=")
		return rest[:26]
	}
	first := code()
	if _, err := p.Claim(t.Context(), provider.Attempt{Verifier: "another's"}, first); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("another's attempt: %v", err)
	}
	c, err := p.Claim(t.Context(), mine, first)
	if err != nil || c.Email != "asha@example.com" || !c.Verified || c.Name != "Asha" || c.Issuer == "" {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := p.Claim(t.Context(), mine, first); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("twice: %v", err)
	}
	if roles := p.Roles("asha@example.com"); len(roles) != 1 || roles[0] != "owner" {
		t.Errorf("%v", roles)
	}
}
