//go:build browser

package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestBrowserDevice is what somebody sees who lets a program in: the sign-in first, a
// question that says who asks for what, and the token in their account, which they end.
func TestBrowserDevice(t *testing.T) {
	browser := startChromium(t)
	_, port := newPeopleDesk(t, peopleSite).devOf("notes")
	p := newTab(t, browser)
	console := "http://fazt.localhost" + port
	waiting := startDevice(t, port)

	p.visit(console + "/auth/device?code=" + waiting.Code)
	p.choose("Ana")
	p.heading("Let this program in?")
	if shown := eval[string](p, "document.querySelector('.code').textContent"); shown != waiting.Code {
		t.Errorf("it shows the code %q, want %q", shown, waiting.Code)
	}
	p.gatePage("device-question")
	p.press("Let it in")
	p.heading("It is let in")
	p.gatePage("device-answered")
	if status, token := waiting.poll(t, port); status != 200 || token == "" {
		t.Errorf("%d %q", status, token)
	}
	p.press("Your account")
	p.await("[...document.querySelectorAll('strong')].some((e) => e.textContent === 'fazt on laptop')")
	p.gatePage("account-programs")
	p.press("Revoke")
	p.await("![...document.querySelectorAll('strong')].some((e) => e.textContent === 'fazt on laptop')")

	p.press("Let a program in")
	p.heading("Let a program in")
	p.gatePage("device-code")
	p.do(chromedp.SendKeys("#code", "AAAA-AA\r"))
	p.await("document.querySelector('[role=alert]') !== null")
	p.forget() // the browser notes the 404
	p.gatePage("device-wrong")
	again := startDevice(t, port)
	p.do(chromedp.SendKeys("#code", again.Code+"\r"))
	p.heading("Let this program in?")
	p.press("Refuse")
	p.heading("It stays out")
	if status, _ := again.poll(t, port); status != http.StatusForbidden {
		t.Errorf("a refused program hears %d", status)
	}
	p.clean("letting a program in")
}

// waitingDevice is a program that waits, without a browser.
type waitingDevice struct{ Code, Secret, Token string }

func startDevice(t *testing.T, port string) (made waitingDevice) {
	t.Helper()
	made.say(t, port, "/auth/device", map[string]any{"name": "fazt on laptop", "scopes": []string{"observe", "plan", "deploy"}})
	return made
}

func (d *waitingDevice) poll(t *testing.T, port string) (status int, token string) {
	t.Helper()
	status = d.say(t, port, "/auth/device/token", map[string]string{"secret": d.Secret})
	return status, d.Token
}

func (d *waitingDevice) say(t *testing.T, port, path string, in any) (status int) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1"+port+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "fazt.localhost" + port
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(d); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}
