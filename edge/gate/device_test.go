package gate_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/identity"
)

const devices = "https://" + consoleHost + "/auth/device"

// program is something that waits to be let in. It is no browser.
type program struct {
	*browser
	Code, Secret string
	Verify       string `json:"verify_url"`
	Expires      int    `json:"expires_in"`
	Interval     int
}

// say posts JSON as programs do, and reads JSON.
func (b *browser) say(address string, in, out any) (status int) {
	b.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		b.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(b.t.Context(), "POST", address, strings.NewReader(string(body)))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	resp, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := json.Unmarshal(text, out); err != nil {
		b.t.Fatalf("%d %s: %v", resp.StatusCode, text, err)
	}
	if resp.Header.Get("Access-Control-Allow-Origin") != "" || resp.Header.Get("Cache-Control") != "no-store" {
		b.t.Errorf("%s: %v", address, resp.Header)
	}
	return resp.StatusCode
}

func (w *world) program(name string) *program {
	w.t.Helper()
	p := &program{browser: w.browser()}
	if status := p.say(devices, map[string]any{"name": name, "scopes": []string{"plan", "deploy"}}, p); status != 200 || p.Code == "" {
		w.t.Fatalf("%d %+v", status, p)
	}
	return p
}

func (p *program) poll() (status int, token string) {
	p.t.Helper()
	var got struct{ Token string }
	return p.say(devices+"/token", map[string]string{"secret": p.Secret}, &got), got.Token
}

var memoryInPage = regexp.MustCompile(`name="memory" value="([^"]+)"`)

// answer answers the question of a page.
func (b *browser) answer(page, word string) (status int, said string) {
	b.t.Helper()
	m := memoryInPage.FindStringSubmatch(page)
	if m == nil {
		b.t.Fatalf("nothing is asked: %s", page)
	}
	resp, said := b.do("POST", devices+"/answer", url.Values{"memory": {m[1]}, "answer": {word}})
	return resp.StatusCode, said
}

// TestDevice lets a program in that waits: by somebody who came through the sign-in,
// saw who asks from where for what, and said yes. Its token is good for what they saw.
func TestDevice(t *testing.T) {
	w := newWorld(t)
	w.policy.May = func(_ *identity.Person, scope string) bool { return scope == "plan" }
	p := w.program("fazt on laptop")
	if p.Verify != devices || p.Expires != 600 || p.Interval != 5 || len(p.Secret) < 40 {
		t.Fatalf("%+v", p)
	}
	if status, token := p.poll(); status != http.StatusAccepted || token != "" {
		t.Fatalf("before anybody answers: %d %q", status, token)
	}
	if status, _ := p.poll(); status != http.StatusTooManyRequests {
		t.Errorf("asked again at once: %d", status)
	}
	b := w.browser()
	resp, _ := b.get(p.Verify + "?code=" + p.Code)
	if resp.Request.URL.Path != "/auth/login" {
		t.Fatalf("a stranger is at %s", resp.Request.URL)
	}
	resp, page := b.get("https://" + consoleHost + "/auth/start/company?a=" + url.QueryEscape(resp.Request.URL.Query().Get("a")))
	if resp.Request.URL.String() != p.Verify+"?code="+p.Code {
		t.Fatalf("after the sign-in one is at %s", resp.Request.URL)
	}
	for _, text := range []string{p.Code, "fazt on laptop", "192.0.2.7", "2026-11-27 09:00:00 UTC", "judge a change", "change the node", "ana@example.com"} {
		if !strings.Contains(page, text) {
			t.Errorf("the page does not say %q", text)
		}
	}
	if strings.Count(page, "not yours to give") != 1 {
		t.Errorf("what the person may not is not told apart: %s", page)
	}
	if status, said := b.answer(page, "approve"); status != 200 || !strings.Contains(said, "It is let in") {
		t.Fatalf("%d %s", status, said)
	}
	status, token := p.poll()
	got, ok := w.people.Token(token, "", w.time())
	if status != 200 || !ok || got.Name != "fazt on laptop" || strings.Join(got.Scopes, " ") != "plan deploy" || got.Person.Email != "ana@example.com" {
		t.Fatalf("%d %+v", status, got)
	}
	if status, _ := p.poll(); status != http.StatusNotFound {
		t.Errorf("the token was given twice: %d", status)
	}
	if e := w.events[len(w.events)-1]; e.Action != "device approve" || e.Target != "fazt on laptop" || e.Outcome != "ok" || e.Actor != "person:"+got.Person.ID {
		t.Errorf("recorded as %+v", e)
	}
	if status, _ := b.answer(page, "refuse"); status != http.StatusNotFound {
		t.Errorf("answered twice: %d", status)
	}
	w.seesTokens(b, token, got.ID)
}

// seesTokens lists a token at the account and ends it there. Nobody ends another's.
func (w *world) seesTokens(b *browser, token, id string) {
	w.t.Helper()
	revoke := "https://" + consoleHost + "/auth/token/revoke"
	other := w.browser()
	w.vouch.Subject, w.vouch.Email = "8", "eve@example.com"
	other.signIn("https://" + notesHost + "/")
	eve, err := w.people.Person(w.t.Context(), "eve@example.com")
	if err != nil {
		w.t.Fatal(err)
	}
	own, _, err := w.people.CreateToken(w.t.Context(), identity.NewToken{Person: eve.ID, Name: "eve's own", Scopes: []string{"plan"}})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, page := other.get("https://" + consoleHost + "/"); strings.Contains(page, id) || !strings.Contains(page, "eve&#39;s own") {
		w.t.Errorf("somebody else sees the token, or not their own: %s", page)
	}
	if resp, _ := other.do("POST", revoke, url.Values{"id": {id}}); resp.StatusCode != http.StatusNotFound {
		w.t.Errorf("somebody else revokes it: %d", resp.StatusCode)
	}
	for _, text := range []string{token, own} {
		if _, ok := w.people.Token(text, "", w.time()); !ok {
			w.t.Error("somebody else revoked it, or their own by its id")
		}
	}
	if _, page := b.get("https://" + consoleHost + "/"); !strings.Contains(page, id) || !strings.Contains(page, "fazt on laptop") {
		w.t.Errorf("the account does not list it: %s", page)
	}
	b.do("POST", revoke, url.Values{"id": {id}})
	if _, ok := w.people.Token(token, "", w.time()); ok {
		w.t.Error("it works after it was revoked")
	}
	if e := w.events[len(w.events)-1]; e.Action != "token revoke" || e.Target != "fazt on laptop" {
		w.t.Errorf("recorded as %+v", e)
	}
}

// TestDeviceRefused tells the program no, once, and records it.
func TestDeviceRefused(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.signIn("https://" + notesHost + "/")
	p := w.program("fazt on laptop")
	_, page := b.get(devices + "?code=" + url.QueryEscape(strings.ToLower(strings.ReplaceAll(p.Code, "-", " "))))
	b.answer(page, "refuse")
	if status, _ := p.poll(); status != http.StatusForbidden {
		t.Errorf("%d", status)
	}
	if e := w.events[len(w.events)-1]; e.Action != "device refuse" || e.Target != "fazt on laptop" {
		t.Errorf("recorded as %+v", e)
	}
	late := w.program("late")
	_, page = b.get(devices + "?code=" + late.Code)
	w.pass(10 * time.Minute)
	if status, _ := late.poll(); status != http.StatusNotFound {
		t.Errorf("after its time: %d", status)
	}
	if status, _ := b.answer(page, "approve"); status < 400 {
		t.Errorf("it is let in after its time: %d", status)
	}
}

// TestDeviceNeedsAWholeSession: half a session, another person and another site let
// nothing in.
func TestDeviceNeedsAWholeSession(t *testing.T) {
	w := newWorld(t)
	p := w.program("fazt on laptop")
	b := w.browser()
	b.signIn("https://" + notesHost + "/")
	_, page := b.get(devices + "?code=" + p.Code)

	other := w.browser()
	w.vouch.Subject, w.vouch.Email = "8", "eve@example.com"
	other.signIn("https://" + notesHost + "/")
	if status, _ := other.answer(page, "approve"); status != http.StatusBadRequest {
		t.Errorf("somebody else's question: %d", status)
	}
	if status, _ := w.browser().answer(page, "approve"); status != http.StatusUnauthorized {
		t.Errorf("a stranger: %d", status)
	}
	memory := memoryInPage.FindStringSubmatch(page)[1]
	if resp, _ := b.do("POST", devices+"/answer", url.Values{"memory": {memory}, "answer": {"approve"}}, "Sec-Fetch-Site", "cross-site"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("another site: %d", resp.StatusCode)
	}
	w.policy.Factor = func(*identity.Person) bool { return true }
	if resp, _ := b.get(devices + "?code=" + p.Code); resp.Request.URL.Path != "/auth/factor" {
		t.Errorf("without the second factor one is at %s", resp.Request.URL)
	}
	if status, _ := b.answer(page, "approve"); status != http.StatusUnauthorized {
		t.Errorf("half a session: %d", status)
	}
	if status, token := p.poll(); status != http.StatusAccepted || token != "" {
		t.Errorf("%d %q", status, token)
	}
}

// TestDeviceGuesses are counted, also where they come from many addresses, and so
// are programs that ask.
func TestDeviceGuesses(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.signIn("https://" + notesHost + "/")
	for i := range 5 {
		if resp, page := b.get(devices + "?code=AAAA-AA"); resp.StatusCode != http.StatusNotFound || !strings.Contains(page, "No device waits by that code") && !strings.Contains(page, "no device waits by that code") {
			t.Fatalf("guess %d: %d %s", i, resp.StatusCode, page)
		}
	}
	p := w.program("fazt on laptop")
	if resp, _ := b.get(devices + "?code=" + p.Code); resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("the sixth guess: %d", resp.StatusCode)
	}
	status := 200
	for range 20 {
		var got any
		status = w.browser().say(devices, map[string]any{"name": "x", "scopes": []string{"plan"}}, &got)
	}
	if status != http.StatusTooManyRequests {
		t.Errorf("20 more programs of one address: %d", status)
	}
}

// TestDeviceIsStrict takes what programs say, and nothing that a page can send or that
// would deceive who decides.
func TestDeviceIsStrict(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	for name, body := range map[string]any{
		"no scope":           map[string]any{"name": "x"},
		"an unknown scope":   map[string]any{"name": "x", "scopes": []string{"plan", "everything"}},
		"no name":            map[string]any{"scopes": []string{"plan"}},
		"a name of spaces":   map[string]any{"name": "  ", "scopes": []string{"plan"}},
		"a name that turns":  map[string]any{"name": "a\u202eb", "scopes": []string{"plan"}},
		"a name of lines":    map[string]any{"name": "a\nb", "scopes": []string{"plan"}},
		"a name too long":    map[string]any{"name": strings.Repeat("x", 101), "scopes": []string{"plan"}},
		"what is no object":  []string{"x"},
		"more than is taken": map[string]any{"name": "x", "scopes": []string{"plan", strings.Repeat("y", 8<<10)}},
	} {
		var got any
		if status := b.say(devices, body, &got); status != http.StatusBadRequest {
			t.Errorf("%s: %d %v", name, status, got)
		}
	}
	if resp, _ := b.do("POST", devices, url.Values{"name": {"x"}, "scopes": {"plan"}}); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a form: %d", resp.StatusCode)
	}
	var got any
	if status := b.say(devices+"/token", map[string]string{"secret": "no"}, &got); status != http.StatusNotFound {
		t.Errorf("a secret that is none: %d", status)
	}
}
