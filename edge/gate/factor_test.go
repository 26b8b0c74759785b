package gate_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/identity"
)

// inbox is where mails of a test arrive.
type inbox struct{ mails []string }

func (i *inbox) Send(_ context.Context, to, subject, text string, _ time.Time) error {
	i.mails = append(i.mails, to+"\n"+subject+"\n"+text)
	return nil
}

var codeInMail = regexp.MustCompile(`(?m)^    (\S+)$`)

// journeyAt begins at an app's page and stops where one chooses how to sign in.
func (b *browser) journeyAt(page string) (sealed string) {
	b.t.Helper()
	u, err := url.Parse(page)
	if err != nil {
		b.t.Fatal(err)
	}
	resp, _ := b.get("https://" + u.Host + "/auth/start?to=" + url.QueryEscape(u.RequestURI()))
	return resp.Request.URL.Query().Get("a")
}

var onward = regexp.MustCompile(`content="0;url=([^"]+)"`)

// on follows the page that comes after a form.
func (b *browser) on(body string) (at, next string) {
	b.t.Helper()
	m := onward.FindStringSubmatch(body)
	if m == nil {
		b.t.Fatalf("nothing leads on: %s", body)
	}
	to := strings.NewReplacer("&amp;", "&", "&#43;", "+", "&#61;", "=").Replace(m[1])
	if strings.HasPrefix(to, "/") {
		to = "https://" + consoleHost + to
	}
	resp, next := b.get(to)
	return resp.Request.URL.String(), next
}

// TestByMail signs in without any provider, by a code or by a link, in the browser
// that asked for it alone.
func TestByMail(t *testing.T) {
	w := newWorld(t)
	mails := &inbox{}
	w.policy.Mail, w.policy.Link, w.policy.Code, w.policy.Ways = mails, true, true, nil
	b := w.browser()
	sealed := b.journeyAt("https://" + notesHost + "/n/7?a=b")
	if _, page := b.get("https://" + consoleHost + "/auth/login?a=" + sealed); !strings.Contains(page, `name="email"`) {
		t.Fatal(page)
	}
	form := url.Values{"email": {"Ana@Example.com"}, "a": {sealed}}
	if _, page := b.do("POST", "https://"+consoleHost+"/auth/mail", form); !strings.Contains(page, "ana@example.com") || len(mails.mails) != 1 {
		t.Fatalf("%s %q", page, mails.mails)
	}
	if _, page := b.do("POST", "https://"+consoleHost+"/auth/code", url.Values{"code": {"wrong"}, "a": {sealed}}); !strings.Contains(page, `href="/auth/login?a=`+sealed+`"`) {
		t.Errorf("who mistyped the address cannot go back: %s", page)
	}
	found := codeInMail.FindAllStringSubmatch(mails.mails[0], -1)
	code, link := found[0][1], found[1][1]
	if resp, _ := w.browser().do("POST", "https://"+consoleHost+"/auth/code", url.Values{"code": {code}, "a": {sealed}}); resp.StatusCode != 401 {
		t.Errorf("the code in another browser: %d", resp.StatusCode)
	}
	_, page := b.do("POST", "https://"+consoleHost+"/auth/code", url.Values{"code": {code}, "a": {sealed}})
	if at, body := b.on(page); at != "https://"+notesHost+"/n/7?a=b" || body != "hello ana@example.com" {
		t.Errorf("ends at %s: %s", at, body)
	}
	if resp, _ := b.do("POST", "https://"+consoleHost+"/auth/link", url.Values{"t": {link}, "a": {sealed}}); resp.StatusCode != 401 {
		t.Errorf("the link of a code that was used: %d", resp.StatusCode)
	}

	other := w.browser()
	sealed = other.journeyAt("https://" + notesHost + "/x")
	other.do("POST", "https://"+consoleHost+"/auth/mail", url.Values{"email": {"bo@example.com"}, "a": {sealed}})
	link = codeInMail.FindAllStringSubmatch(mails.mails[1], -1)[1][1]
	resp, page := other.get(link)
	if resp.StatusCode != 200 || !strings.Contains(page, `action="/auth/link"`) {
		t.Fatalf("a link is opened by programs too, and signs nobody in by that: %d %s", resp.StatusCode, page)
	}
	u, _ := url.Parse(link)
	_, page = other.do("POST", "https://"+consoleHost+"/auth/link", u.Query())
	if at, body := other.on(page); at != "https://"+notesHost+"/x" || body != "hello bo@example.com" {
		t.Errorf("ends at %s: %s", at, body)
	}
}

// TestMailTellsNothing is row S5: who may sign in, who may not and who is nobody get
// one answer.
func TestMailTellsNothing(t *testing.T) {
	w := newWorld(t)
	w.policy.Mail, w.policy.Signup = &inbox{}, func(_ context.Context, email string) bool { return email == "ana@example.com" }
	answer := func(email string) string {
		b := w.browser()
		resp, page := b.do("POST", "https://"+consoleHost+"/auth/mail", url.Values{"email": {email}})
		return resp.Status + strings.ReplaceAll(page, email, "…")
	}
	if a, b := answer("ana@example.com"), answer("nobody@example.com"); a != b {
		t.Errorf("%s\n%s", a, b)
	}
}

// TestTriesAreCounted is row S6: after a few wrong codes none is looked at any more.
func TestTriesAreCounted(t *testing.T) {
	w := newWorld(t)
	w.policy.Mail, w.policy.Code = &inbox{}, true
	b := w.browser()
	b.do("POST", "https://"+consoleHost+"/auth/mail", url.Values{"email": {"ana@example.com"}})
	last := 0
	for range 8 {
		resp, _ := b.do("POST", "https://"+consoleHost+"/auth/code", url.Values{"code": {"000000"}})
		last = resp.StatusCode
	}
	if last != 429 {
		t.Errorf("the eighth try is answered %d", last)
	}
	if resp, _ := b.do("POST", "https://"+consoleHost+"/auth/mail", url.Values{"email": {"no address"}}); resp.StatusCode != 400 {
		t.Errorf("%d", resp.StatusCode)
	}
}

// totp is what an authenticator shows (RFC 6238: HMAC-SHA-1, 30 seconds, 6 digits).
func totp(t *testing.T, key string, now time.Time) string {
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha1.New, secret)
	_ = binary.Write(mac, binary.BigEndian, now.Unix()/30)
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[at:at+4])&0x7fffffff%1_000_000)
}

// TestSecondFactor asks whose role wants one, once for each sign-in, and lets them
// nowhere before.
func TestSecondFactor(t *testing.T) {
	w := newWorld(t)
	w.policy.Factor = func(who *identity.Person) bool { return who.Email == "ana@example.com" }
	b := w.browser()
	page := "https://" + notesHost + "/x"
	_, body := b.signIn(page)
	if !strings.Contains(body, "Set up a second step") {
		t.Fatal(body)
	}
	if _, direct := b.get("https://" + notesHost + "/x"); strings.HasPrefix(direct, "hello") {
		t.Error("somebody is in without a second factor")
	}
	key := regexp.MustCompile(`<code>(\w+)</code>`).FindStringSubmatch(body)[1]
	a := regexp.MustCompile(`name="a" value="([^"]*)"`).FindStringSubmatch(body)[1]
	code := func() string {
		return totp(t, key, w.time())
	}
	_, body = b.do("POST", "https://"+consoleHost+"/auth/factor/new", url.Values{"code": {code()}, "a": {a}})
	kept := regexp.MustCompile(`(?s)<pre>(.*?)</pre>`).FindStringSubmatch(body)
	if kept == nil {
		t.Fatal(body)
	}
	if at, body := b.signIn(page); at != page || body != "hello ana@example.com" {
		t.Errorf("ends at %s: %s", at, body)
	}

	// Another browser needs the device, or one of the codes, once.
	enter := func(code string) string {
		w.pass(time.Minute)
		b := w.browser()
		_, body := b.signIn(page)
		if !strings.Contains(body, "Enter the code of your device") {
			t.Fatal(body)
		}
		a := regexp.MustCompile(`name="a" value="([^"]*)"`).FindStringSubmatch(body)[1]
		resp, body := b.do("POST", "https://"+consoleHost+"/auth/factor", url.Values{"code": {code}, "a": {a}})
		if resp.StatusCode != 200 {
			return resp.Status
		}
		_, body = b.on(body)
		return body
	}
	w.pass(time.Minute)
	recovery := strings.Fields(kept[1])[0]
	for _, c := range []struct{ code, want string }{{recovery, "hello ana@example.com"}, {recovery, "401 Unauthorized"}, {"000000", "401 Unauthorized"}} {
		if got := enter(c.code); got != c.want {
			t.Errorf("%s: %s", c.code, got)
		}
	}
	w.pass(time.Minute)
	fresh := w.browser()
	_, body = fresh.signIn(page)
	a = regexp.MustCompile(`name="a" value="([^"]*)"`).FindStringSubmatch(body)[1]
	_, body = fresh.do("POST", "https://"+consoleHost+"/auth/factor", url.Values{"code": {code()}, "a": {a}})
	if at, body := fresh.on(body); at != page || body != "hello ana@example.com" {
		t.Errorf("ends at %s: %s", at, body)
	}
}

// TestHalfASession is what somebody has who gave one factor of two: the way to the
// other, and nothing by which they could give it to themselves.
func TestHalfASession(t *testing.T) {
	w := newWorld(t)
	w.policy.Passkeys = true
	w.policy.Factor = func(*identity.Person) bool { return true }
	b := w.browser()
	_, body := b.signIn("https://" + notesHost + "/x")
	if !strings.Contains(body, "Set up a second step") {
		t.Fatal(body)
	}
	if resp, body := b.get("https://" + consoleHost + "/"); resp.Request.URL.Path != "/auth/factor" || strings.Contains(body, "Where you are signed in") {
		t.Errorf("the account is at %s: %s", resp.Request.URL, body)
	}
	for _, path := range []string{"/auth/passkey/new", "/auth/passkey/add", "/auth/passkey/remove", "/auth/session/end"} {
		if resp, body := b.do("POST", "https://"+consoleHost+path, url.Values{"id": {"AAAA"}}); resp.StatusCode != 401 {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}

	// Who has a passkey gives that, and does not set up something else instead.
	ana, err := w.people.Person(t.Context(), "ana@example.com")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.people.AddPasskey(t.Context(), identity.Passkey{ID: []byte{1}, Person: ana.ID, Name: "key", Data: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	_, body = w.browser().signIn("https://" + notesHost + "/x")
	if strings.Contains(body, "authenticator") || strings.Contains(body, `name="code"`) || !strings.Contains(body, `data-step="use"`) {
		t.Error(body)
	}
	if resp, body := b.do("POST", "https://"+consoleHost+"/auth/factor/new", url.Values{"code": {"000000"}}); resp.StatusCode != 403 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}
