package gate_test

import (
	"context"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/edge/gate"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
)

// closed is a world where nobody new is let in without an invitation.
func closed(t *testing.T) *world {
	w := newWorld(t)
	w.policy.Invited, w.policy.Signup = true, func(context.Context, string) bool { return false }
	return w
}

func (w *world) invite(n identity.NewInvite) (link, text string) {
	text, _, err := w.people.Invite(w.t.Context(), n)
	if err != nil {
		w.t.Fatal(err)
	}
	return "https://" + consoleHost + gate.InvitePath(text), text
}

// come follows an invitation and signs in at the provider as somebody.
func (b *browser) come(link, name string) (status int, at, page string) {
	b.t.Helper()
	b.vouch = identity.Claim{Issuer: "https://id.test", Subject: name, Email: name + "@example.com", Verified: true}
	resp, _ := b.get(link)
	resp, page = b.get("https://" + consoleHost + "/auth/start/company?a=" + url.QueryEscape(resp.Request.URL.Query().Get("a")))
	return resp.StatusCode, resp.Request.URL.String(), page
}

// TestInvitation is the whole way: who comes by a link gets an account, once for each
// use, and nobody else does.
func TestInvitation(t *testing.T) {
	w := closed(t)
	login := "https://" + consoleHost + "/auth/login"
	if status, _, _ := w.browser().come(login, "eve"); status != 403 {
		t.Errorf("without one: %d", status)
	}
	link, text := w.invite(identity.NewInvite{By: "local:1000"})
	for range 3 { // programs that look into mails open what is in them
		if resp, page := w.browser().get(link); resp.StatusCode != 200 || !strings.Contains(page, "to use your invitation") || strings.Contains(page+resp.Request.URL.String(), text) {
			t.Fatalf("%d %s", resp.StatusCode, page)
		}
	}
	b := w.browser()
	if status, at, page := b.come(link, "bo"); status != 200 || at != "https://"+consoleHost+"/" || !strings.Contains(page, "bo@example.com") {
		t.Fatalf("%d at %s: %s", status, at, page)
	}
	if at, body := b.signIn("https://" + notesHost + "/x"); at != "https://"+notesHost+"/x" || body != "hello bo@example.com" {
		t.Errorf("ends at %s: %s", at, body)
	}
	if status, _, page := w.browser().come(link, "cy"); status != 403 || !strings.Contains(page, "ask for an invitation") {
		t.Errorf("the same one again: %d %s", status, page)
	}
	if status, _, _ := w.browser().come(login, "bo"); status != 200 {
		t.Errorf("who has an account needs none: %d", status)
	}
	for _, name := range []string{"eve", "cy"} {
		if _, err := w.people.Person(t.Context(), name+"@example.com"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%s left an account: %v", name, err)
		}
	}
}

// TestInvitationOfAnAddress lets its owner in, by the link or without, and by the link
// nobody else.
func TestInvitationOfAnAddress(t *testing.T) {
	w := closed(t)
	login := "https://" + consoleHost + "/auth/login"
	link, _ := w.invite(identity.NewInvite{Email: "bo@example.com"})
	if status, _, _ := w.browser().come(link, "eve"); status != 403 {
		t.Errorf("somebody else by the link: %d", status)
	}
	if status, _, _ := w.browser().come(login, "bo"); status != 200 {
		t.Errorf("the owner without the link: %d", status)
	}
	w.policy.Mail, w.policy.Code = &inbox{}, true
	link, _ = w.invite(identity.NewInvite{Email: "cy@example.com"})
	b := w.browser()
	resp, page := b.get(link)
	sealed := resp.Request.URL.Query().Get("a")
	if !strings.Contains(page, sealed) {
		t.Fatal("the form loses the invitation")
	}
	b.do("POST", "https://"+consoleHost+"/auth/mail", url.Values{"email": {"cy@example.com"}, "a": {sealed}})
	code := codeInMail.FindStringSubmatch(w.policy.Mail.(*inbox).mails[0])[1]
	if resp, page = b.do("POST", "https://"+consoleHost+"/auth/code", url.Values{"code": {code}, "a": {sealed}}); resp.StatusCode != 200 {
		t.Errorf("by mail: %d %s", resp.StatusCode, page)
	}
	if _, err := w.people.Person(t.Context(), "cy@example.com"); err != nil {
		t.Error(err)
	}
}

var sealedInPage = regexp.MustCompile(`a=[\w-]+`)

// TestInvitationTellsNothing: before somebody has shown who they are, a good one, a
// used one and one that is made up are the same. One counts where the policy says so.
func TestInvitationTellsNothing(t *testing.T) {
	w := closed(t)
	good, text := w.invite(identity.NewInvite{Uses: 2})
	used, _ := w.invite(identity.NewInvite{})
	w.browser().come(used, "bo")
	made := "https://" + consoleHost + gate.InvitePath(strings.Repeat("x", len(text)))
	answer := func(link string) string {
		resp, page := w.browser().get(link)
		return resp.Status + sealedInPage.ReplaceAllString(page, "a=…")
	}
	if a, b, c := answer(good), answer(used), answer(made); a != b || b != c {
		t.Errorf("%s\n%s\n%s", a, b, c)
	}
	if resp, _ := w.browser().get("https://" + consoleHost + gate.InvitePath(strings.Repeat("x", 5000))); resp.StatusCode != 404 {
		t.Errorf("%d", resp.StatusCode)
	}
	w.policy.Invited = false
	if status, _, _ := w.browser().come(good, "cy"); status != 403 {
		t.Errorf("where members alone are let in: %d", status)
	}
}
