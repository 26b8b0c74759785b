package gate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/edge/gate"
	"github.com/fazt-sh/fazt/platform/identity"
)

const console = "https://" + consoleHost

// TestEveryDoorCounts: wherever something can be guessed, tries are counted, and after
// so many none is looked at.
func TestEveryDoorCounts(t *testing.T) {
	for name, c := range map[string]struct {
		most int
		try  func(b *browser) int
	}{
		"a mail": {5, func(b *browser) int { return b.post("/auth/mail", url.Values{"email": {"ana@example.com"}}) }},
		"mails": {20, func(b *browser) int {
			return b.post("/auth/mail", url.Values{"email": {fmt.Sprint(len(b.visited)) + "@example.com"}})
		}},
		"a code":          {5, func(b *browser) int { return b.post("/auth/code", url.Values{"code": {"000000"}}) }},
		"a link":          {5, func(b *browser) int { return b.post("/auth/link", url.Values{"t": {"x"}}) }},
		"a second factor": {5, func(b *browser) int { return b.post("/auth/factor", url.Values{"code": {"000000"}}) }},
		"a new one":       {5, func(b *browser) int { return b.post("/auth/factor/new", url.Values{"code": {"000000"}}) }},
		"a passkey":       {20, func(b *browser) int { return b.post("/auth/passkey/ask", nil) }},
		"a program": {20, func(b *browser) int {
			return b.world.browser().say(console+"/auth/device", map[string]any{"name": "x", "scopes": []string{"plan"}}, &struct{}{})
		}},
		"code of a program": {5, func(b *browser) int { resp, _ := b.get(console + "/auth/device?code=AAAA-AA"); return resp.StatusCode }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.policy.Mail, w.policy.Code, w.policy.Link, w.policy.Passkeys = &inbox{}, true, true, true
			b := w.browser()
			b.signIn("https://" + notesHost + "/")
			for i := range c.most + 1 {
				if status := c.try(b); (status == http.StatusTooManyRequests) != (i == c.most) {
					t.Fatalf("try %d is answered %d", i+1, status)
				}
			}
		})
	}
}

func (b *browser) post(path string, form url.Values) int {
	b.t.Helper()
	resp, _ := b.do("POST", console+path, form)
	return resp.StatusCode
}

// TestProvidersAreNotMixedUp: what one provider was asked, another does not answer (RFC
// 9700, 4.4).
func TestProvidersAreNotMixedUp(t *testing.T) {
	w := newWorld(t)
	w.policy.Ways = append(w.policy.Ways, gate.Way{Name: "other", Label: "Other", Provider: w})
	b := w.browser()
	callback := b.steps("https://" + notesHost + "/x")
	if resp, body := b.get(strings.Replace(callback, "/callback/company", "/callback/other", 1)); resp.StatusCode != 400 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if _, body := b.get(callback); body != "hello ana@example.com" {
		t.Errorf("the one that was asked: %s", body)
	}
}

// TestCodeOfAnotherHost is worth nothing even to a browser that has brought along what
// bound it.
func TestCodeOfAnotherHost(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	done := b.codeOf("https://" + notesHost + "/x")
	bound := cookieOf(b, notesHost)
	if !strings.Contains(bound, "__Host-fazt-go=") {
		t.Fatal(bound)
	}
	resp, body := w.browser().do("GET", strings.Replace(done, notesHost, booksHost, 1), nil, "Cookie", bound)
	if resp.StatusCode != 400 || strings.Contains(body, "hello") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if resp, _ := w.browser().do("GET", done, nil, "Cookie", bound); resp.Request.URL.Path == "/auth/done" {
		t.Errorf("and nothing at its own: %s", resp.Request.URL)
	}
}

// TestOwnSessionsAlone are ended at the console.
func TestOwnSessionsAlone(t *testing.T) {
	w := newWorld(t)
	ana, bo := w.browser(), w.browser()
	ana.signIn("https://" + notesHost + "/")
	who, err := w.people.Person(t.Context(), "ana@example.com")
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := w.people.Sessions(t.Context(), who.ID)
	if err != nil || len(sessions) != 2 {
		t.Fatal(sessions, err)
	}
	w.vouch = identity.Claim{Issuer: "https://id.test", Subject: "8", Email: "bo@example.com", Verified: true}
	bo.signIn("https://" + notesHost + "/")
	for _, s := range sessions {
		if status := bo.post("/auth/session/end", url.Values{"id": {s.ID}}); status != 404 {
			t.Errorf("somebody else's: %d", status)
		}
	}
	for _, b := range []*browser{ana, bo} {
		if _, body := b.get("https://" + notesHost + "/"); !strings.HasPrefix(body, "hello") {
			t.Errorf("signed out: %s", body)
		}
	}
}

// key sends what a page's script says of a passkey, and returns why it was refused.
func (b *browser) key(step, memory string) (status int, why string) {
	b.t.Helper()
	body, _ := json.Marshal(map[string]any{"memory": memory, "key": map[string]string{"id": "AAAA"}, "name": "x"})
	r, err := http.NewRequestWithContext(b.t.Context(), "POST", console+"/auth/passkey/"+step, bytes.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Origin", console)
	resp, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	var said struct{ Memory string }
	if json.Unmarshal(text, &said); said.Memory != "" {
		return resp.StatusCode, said.Memory
	}
	return resp.StatusCode, string(text)
}

// TestQuestionsOfKeys are answered once, by the browser that was asked, for what and for
// whom they were asked.
func TestQuestionsOfKeys(t *testing.T) {
	const over = "this sign-in took too long, was finished already, or began in another browser"
	w := newWorld(t)
	w.policy.Passkeys = true
	ana := w.browser()
	ana.signIn("https://" + notesHost + "/")
	w.vouch = identity.Claim{Issuer: "https://id.test", Subject: "8", Email: "bo@example.com", Verified: true}
	bo := w.browser()
	bo.signIn("https://" + notesHost + "/")
	for step, ask := range map[string]string{"use": "ask", "add": "new"} {
		_, memory := ana.key(ask, "")
		for name, refused := range map[string]func() (int, string){
			"in another browser": func() (int, string) { return bo.key(step, memory) },
			"of another kind":    func() (int, string) { return ana.key(map[string]string{"use": "add", "add": "use"}[step], memory) },
		} {
			if status, why := refused(); status != 400 || !strings.Contains(why, over) {
				t.Errorf("%s %s: %d %s", step, name, status, why)
			}
		}
		if _, why := ana.key(step, memory); strings.Contains(why, over) {
			t.Errorf("%s is not looked at: %s", step, why)
		}
		if status, why := ana.key(step, memory); status != 400 || !strings.Contains(why, over) {
			t.Errorf("%s again: %d %s", step, status, why)
		}
	}
	// Of one browser, where somebody else has signed in meanwhile.
	_, memory := ana.key("new", "")
	ana.signIn(console + "/")
	callback := ana.steps(console + "/")
	ana.get(callback)
	if status, why := ana.key("add", memory); status != 400 || !strings.Contains(why, over) {
		t.Errorf("a key for somebody else: %d %s", status, why)
	}
}
