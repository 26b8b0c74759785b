package gate_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// TestTwoCookies of one name are none, whichever comes first, and are taken away; and
// what merely looks like the name is not it.
func TestTwoCookies(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.signIn("https://" + notesHost + "/")
	notes, console := cookieOf(b, notesHost), cookieOf(b, consoleHost)
	stranger := w.browser()
	stranger.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for host, c := range map[string]struct{ own, name string }{notesHost: {notes, "__Host-fazt-app"}, consoleHost: {console, "__Host-fazt"}} {
		for _, twice := range []string{c.own + "; " + c.own, c.own + "; " + c.name + "=x", c.name + "=x; " + c.own, c.own + "; " + c.name + "="} {
			resp, body := stranger.do("GET", "https://"+host+"/", nil, "Cookie", twice)
			if strings.Contains(body, "ana@example.com") || resp.StatusCode != 303 {
				t.Errorf("%s takes %q: %d %s", host, twice, resp.StatusCode, body)
			}
			i := slices.IndexFunc(resp.Cookies(), func(k *http.Cookie) bool { return k.Name == c.name })
			if i < 0 || resp.Cookies()[i].MaxAge >= 0 || resp.Cookies()[i].Value != "" {
				t.Errorf("%s leaves them: %v", host, resp.Cookies())
			}
		}
		for _, like := range []string{"\u2000" + c.name, c.name + "\u2000", strings.ToUpper(c.name), c.name + "x", "__Host-__Host-fazt"} {
			looks := strings.ReplaceAll(c.own, c.name+"=", like+"=")
			if _, body := stranger.do("GET", "https://"+host+"/", nil, "Cookie", looks); strings.Contains(body, "ana@example.com") {
				t.Errorf("%s takes %q", host, looks)
			}
			if _, body := stranger.do("GET", "https://"+host+"/", nil, "Cookie", looks+"; "+c.own); !strings.Contains(body, "ana@example.com") {
				t.Errorf("%s does not take its own beside %q", host, looks)
			}
		}
	}
}

// TestOtherOrigins: a page of another host, of another site or of the same, changes
// nothing at the console and acts for nobody at an app; nor does what comes with
// cookies and does not say from where.
func TestOtherOrigins(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.signIn("https://" + notesHost + "/")
	paths := []string{"logout?all=1", "session/end", "mail", "code", "link", "factor", "factor/new", "token/revoke", "device/answer",
		"passkey/ask", "passkey/use", "passkey/new", "passkey/add", "passkey/remove"}
	w.policy.Mail, w.policy.Code, w.policy.Passkeys = &inbox{}, true, true
	for name, header := range map[string][]string{
		"an app of this site":                 {"Sec-Fetch-Site", "same-site", "Origin", "https://" + booksHost},
		"another site":                        {"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.test"},
		"a sandboxed frame":                   {"Origin", "null"},
		"an app of this site, an old browser": {"Origin", "https://" + booksHost},
		"who does not say":                    {"Origin", ""},
	} {
		for _, path := range paths {
			if resp, body := b.do("POST", "https://"+consoleHost+"/auth/"+path, url.Values{}, header...); resp.StatusCode != 403 {
				t.Errorf("%s posts %s: %d %s", name, path, resp.StatusCode, body)
			}
		}
		if resp, _ := b.do("POST", "https://"+notesHost+"/auth/logout", nil, header...); resp.StatusCode != 403 {
			t.Errorf("%s signs somebody out of an app: %d", name, resp.StatusCode)
		}
		if name == "who does not say" {
			continue // which programs of an app may do
		}
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
			if resp, body := b.do(method, "https://"+notesHost+"/x", nil, header...); resp.StatusCode != 403 || strings.Contains(body, "hello") {
				t.Errorf("%s sends %s to an app: %d %s", name, method, resp.StatusCode, body)
			}
		}
	}
	if resp, body := b.do("POST", "https://"+notesHost+"/x", nil); body != "hello ana@example.com" {
		t.Errorf("a page of the app itself: %d %s", resp.StatusCode, body)
	}
	if len(w.events) != 1 {
		t.Errorf("something was done: %+v", w.events)
	}
}
