//go:build browser

package main

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// peopleSite has two apps that are not for everybody, and people to be.
const peopleSite = `edge {
  domain = "localhost"
}
mail {
  from = "Notes <notes@example.com>"
  smtp = "smtp://127.0.0.1:9"
}
role "editor" {
  members = ["ana@example.com"]
}
role "owner" {
  members = ["jo@example.com"]
}
login {
  second_factor = [role.owner]
}
dev {
  user "ana" {
    email = "ana@example.com"
    name  = "Ana"
  }
  user "bo" {
    email = "bo@example.com"
    name  = "Bo"
  }
  user "jo" {
    email = "jo@example.com"
    name  = "Jo"
  }
}
app "notes" {
  content = "notes"
  access { allow = [role.editor, role.owner] }
}
app "desk" {
  content = "desk"
  access { allow = [role.editor] }
}
`

// newPeopleDesk is a site with peopleSite.
func newPeopleDesk(t *testing.T, config string) *desk {
	t.Helper()
	d := newDesk(t)
	page := "<!doctype html><html lang=en><meta name=viewport content='width=device-width'><link rel=icon href='data:,'><title>%s</title><main><h1>%s</h1>" +
		"<form method=post action='/auth/logout?to=/n/7'><button id=out>Sign out</button></form></main>"
	d.write("fazt.hcl", config)
	d.write("notes/n/7.html", fmt.Sprintf(page, "Note 7", "Note 7"))
	d.write("desk/index.html", fmt.Sprintf(page, "Desk", "Desk"))
	return d
}

// TestBrowserPeople is what somebody sees who signs in, in `fazt dev`.
func TestBrowserPeople(t *testing.T) {
	browser := startChromium(t)
	_, port := newPeopleDesk(t, peopleSite).devOf("notes")
	on := func(test func(*testing.T, *tab, string)) func(*testing.T) {
		return func(t *testing.T) { test(t, newTab(t, browser), port) }
	}
	t.Run("SignIn", on(seeSignIn))
	t.Run("Account", func(t *testing.T) { seeAccount(t, newTab(t, browser), newTab(t, browser), port) })
	t.Run("Forbidden", on(seeForbidden))
	t.Run("ByMail", on(seeMail))
	t.Run("SecondFactor", on(seeSecondFactor))
	t.Run("Trouble", on(seeTrouble))
}

// heading waits for a page by its first heading.
func (p *tab) heading(text string) {
	p.t.Helper()
	p.await(fmt.Sprintf("document.readyState === 'complete' && document.querySelector('h1')?.textContent === %q", text))
}

// press clicks the button or link with a text.
func (p *tab) press(text string) {
	p.t.Helper()
	if !eval[bool](p, fmt.Sprintf("(e => { e?.setAttribute('data-press', ''); return !!e })([...document.querySelectorAll('button, a')].find(e => e.textContent.includes(%q)))", text)) {
		p.t.Fatalf("there is no %q to press at %s", text, p.where())
	}
	p.do(chromedp.Click("[data-press]"))
}

// choose signs in as a persona of the development sign-in, from the page that asks
// how.
func (p *tab) choose(persona string) {
	p.t.Helper()
	p.await(`document.readyState === "complete" && document.querySelector('a[href^="/auth/start/dev"]') !== null`) // not the page before it, of the same heading
	p.press("the development sign-in")
	p.heading("Who are you?")
	p.press(persona)
}

// gatePage looks at a page of the gate as everybody may come to it. With
// FAZT_PICTURES set, it keeps pictures of it there.
func (p *tab) gatePage(name string) {
	p.t.Helper()
	p.judge(name)
	p.tabTo("a, button, input")
	if dir := os.Getenv("FAZT_PICTURES"); dir != "" {
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int64{320, 1280} {
				p.scheme(scheme)
				p.width(width)
				picture, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
				if err == nil {
					err = os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%s-%d.png", name, scheme, width)), picture, 0o644)
				}
				if err != nil {
					p.t.Error(err)
				}
			}
		}
	}
}

// seeSignIn: one click, back on the page that was asked for; the next app knows who
// it is; signed out, both ask again.
func seeSignIn(t *testing.T, p *tab, port string) {
	page := "http://notes.localhost" + port + "/n/7?sort=new#c3"
	p.visit(page)
	p.heading("Sign in")
	p.gatePage("welcome")
	p.press("the development sign-in")
	p.heading("Who are you?")
	p.gatePage("personas")
	p.press("Ana")
	p.heading("Note 7")
	if at := p.where(); at != page {
		t.Errorf("ends at %s, want %s", at, page)
	}
	desk := "http://desk.localhost" + port + "/"
	p.visit(desk)
	p.heading("Desk")
	if at := p.where(); at != desk {
		t.Errorf("the second app ends at %s", at)
	}
	p.do(chromedp.Click("#out"))
	p.heading("Sign in")
	p.visit(page)
	p.heading("Sign in")
	p.clean("signing in")
}

// seeAccount: a person sees where they are signed in, and ends what is elsewhere.
func seeAccount(t *testing.T, here, there *tab, port string) {
	page, console := "http://notes.localhost"+port+"/n/7", "http://fazt.localhost"+port+"/"
	for _, p := range []*tab{here, there} {
		p.visit(page)
		p.choose("Ana")
		p.heading("Note 7")
	}
	here.visit(console)
	here.heading("Ana")
	if n := eval[int](here, "document.querySelectorAll('.sessions li').length"); n < 4 {
		t.Errorf("two browsers with two sessions each: %d are listed", n)
	}
	if agent := eval[string](here, "document.querySelector('.sessions p').textContent"); agent != "Chrome on Linux" {
		t.Errorf("this browser is listed as %q", agent)
	}
	here.gatePage("account")
	if !eval[bool](here, "(b => { b?.setAttribute('data-end', ''); return !!b })([...document.querySelectorAll('.sessions li')].find(l => !l.querySelector('.here') && l.querySelector('strong').textContent === 'fazt.localhost')?.querySelector('button'))") {
		t.Fatal("the other browser is not listed")
	}
	here.do(chromedp.Click("[data-end]"))
	here.await("document.readyState === 'complete' && !document.querySelector('[data-end]') && document.querySelectorAll('.sessions li').length === document.querySelectorAll('.here').length")
	there.visit(page)
	there.heading("Sign in")
	here.visit(page)
	here.heading("Note 7")
	here.visit(console)
	here.press("Sign out here")
	here.heading("Sign in")
	here.clean("the account")
	there.clean("the other browser")
}

// seeForbidden: somebody who is known and lacks the role is told who they are, and
// may be somebody else.
func seeForbidden(t *testing.T, p *tab, port string) {
	page := "http://notes.localhost" + port + "/n/7?sort=new"
	p.visit(page)
	p.choose("Bo")
	p.heading("You may not see this")
	p.forget() // the browser notes the 403
	p.gatePage("forbidden")
	if answer := p.visit(page); answer.Status != http.StatusForbidden {
		t.Errorf("answered with %d", answer.Status)
	}
	p.press("somebody else")
	p.choose("Ana")
	p.heading("Note 7")
	if at := p.where(); at != page {
		t.Errorf("somebody else ends at %s, want %s", at, page)
	}
}

// seeMail: the page of the code, and that of a link.
func seeMail(_ *testing.T, p *tab, port string) {
	p.visit("http://notes.localhost" + port + "/n/7")
	p.heading("Sign in")
	p.do(chromedp.SendKeys("#email", "ana@example.com\r"))
	p.await("document.title === 'Look into your mail' && document.readyState === 'complete'")
	p.gatePage("code")
	p.do(chromedp.SendKeys("#code", "000000\r"))
	p.await("document.querySelector('[role=alert]')?.textContent.startsWith('this code is wrong')")
	p.forget() // the browser notes the 401
	p.gatePage("code-wrong")
	p.visit("http://fazt.localhost" + port + "/auth/link?t=x&a=")
	p.gatePage("link")
}

// seeSecondFactor: an owner sets up a device, gets codes for when it is lost, and is
// on the page they came from.
func seeSecondFactor(t *testing.T, p *tab, port string) {
	page := "http://notes.localhost" + port + "/n/7"
	p.visit(page)
	p.choose("Jo")
	p.heading("Set up a second step")
	p.gatePage("factor-new")
	p.do(chromedp.SendKeys("#code", totp(t, eval[string](p, "document.querySelector('code').textContent"))+"\r"))
	p.heading("Keep these codes")
	p.gatePage("recovery")
	code := strings.Fields(eval[string](p, "document.querySelector('pre').textContent"))[0]
	p.press("Continue")
	p.heading("Note 7")
	p.do(chromedp.Click("#out"))
	p.choose("Jo")
	p.heading("Second step")
	p.gatePage("factor")
	p.do(chromedp.SendKeys("#code", "AAAAA-AAAAA\r"))
	p.await("document.querySelector('[role=alert]')?.textContent.startsWith('this code is wrong')")
	p.forget() // the browser notes the 401
	p.gatePage("factor-wrong")
	p.do(chromedp.SendKeys("#code", code+"\r"))
	p.heading("Note 7")
	if at := p.where(); at != page {
		t.Errorf("ends at %s, want %s", at, page)
	}
	p.clean("the second step")
}

// totp is what an authenticator shows (RFC 6238: HMAC-SHA-1, 30 seconds, 6 digits).
func totp(t *testing.T, key string) string {
	t.Helper()
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.TrimRight(key, "="))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha1.New, secret)
	_ = binary.Write(mac, binary.BigEndian, time.Now().Unix()/30)
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[at:at+4])&0x7fffffff%1_000_000)
}

// seeTrouble: what cannot go on is told on a page, with what to do.
func seeTrouble(_ *testing.T, p *tab, port string) {
	p.visit("http://fazt.localhost" + port + "/auth/login?a=nonsense")
	p.heading("Not signed in")
	p.forget() // the browser notes the 400
	p.gatePage("trouble")
}
