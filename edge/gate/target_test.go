package gate_test

import (
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/edge/gate"
)

// TestTarget is the redirect table: what a sign-in was asked to lead back to, and
// where the person ends.
func TestTarget(t *testing.T) {
	for _, c := range []struct{ asked, ends string }{
		// good ones come back as they were
		{"/", "/"},
		{"/notes", "/notes"},
		{"/notes/", "/notes/"},
		{"/notes/7?sort=new&page=2", "/notes/7?sort=new&page=2"},
		{"/notes/7#comments", "/notes/7#comments"},
		{"/notes?q=a%26b#x%20y", "/notes?q=a%26b#x%20y"},
		{"/search?next=https://example.com/", "/search?next=https://example.com/"},
		{"/search?next=//evil.test", "/search?next=//evil.test"},
		{"/a%20b", "/a%20b"},
		{"/caf%C3%A9", "/caf%C3%A9"},
		{"/café", "/caf%C3%A9"},
		{"/?q=café", "/?q=caf%C3%A9"},
		{"/@user", "/@user"},
		{"/a:b", "/a:b"},
		{"/#/route/of/a/page", "/#/route/of/a/page"},
		{"/authors", "/authors"},
		// others lead to the front page, or to what is left of them on this host
		{"", "/"},
		{"notes", "/"},
		{"//evil.test", "/"},
		{"///evil.test", "/"},
		{"////evil.test/x", "/"},
		{`/\evil.test`, "/"},
		{`\\evil.test`, "/"},
		{`/\/evil.test`, "/"},
		{"/\t/evil.test", "/"},
		{"/\n/evil.test", "/"},
		{"/%09/evil.test", "/"},
		{"/%0d%0aLocation:%20https://evil.test", "/"},
		{"/x\r\nSet-Cookie: a=b", "/"},
		{"/%5cevil.test", "/"},
		{"/%2f/evil.test", "/"},
		{"/%2fevil.test", "/"},
		{"/..//evil.test", "/"},
		{"/.//evil.test", "/"},
		{"/a/../../x", "/x"},
		{"https://evil.test/", "/"},
		{"https:evil.test", "/"},
		{"http:/evil.test", "/"},
		{"javascript:alert(1)", "/"},
		{"data:text/html,x", "/"},
		{"@evil.test", "/"},
		{"/auth/logout", "/"},
		{"/auth", "/"},
		{"/x/../auth/done?code=1", "/"},
		{"/%61uth/logout", "/"},
		{"/%zz", "/"},
		{"/\x00", "/"},
		{"/" + strings.Repeat("a", 2000), "/"},
	} {
		if got := gate.Target(c.asked); got != c.ends {
			t.Errorf("%q ends at %q, want %q", c.asked, got, c.ends)
		}
	}
}

// TestTargetStaysOnItsHost holds for any text: as a browser reads it, the target is
// a path of the host it is sent from, and it is a target itself.
func TestTargetStaysOnItsHost(t *testing.T) {
	base, err := url.Parse("https://app.test/auth/done")
	if err != nil {
		t.Fatal(err)
	}
	part := rapid.SampledFrom([]string{"/", "//", `\`, "a", "..", ".", "%2f", "%5c", "%0a", "\t", "\n", ":", "@", "evil.test", "?", "#", "http:", "javascript:", "é", "%", "auth", " "})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(part, 0, 12).Draw(t, "parts"), "")
		to := gate.Target(text)
		if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\t\r\n\x00") {
			t.Fatalf("%q ends at %q", text, to)
		}
		for i := range len(to) {
			if to[i] < 0x21 || to[i] > 0x7e {
				t.Fatalf("%q ends at %q, which no header field may hold", text, to)
			}
		}
		u, err := base.Parse(to)
		if err != nil || u.Host != "app.test" || u.Scheme != "https" || u.User != nil {
			t.Fatalf("%q ends at %v, %v", text, u, err)
		}
		if again := gate.Target(to); again != to {
			t.Fatalf("%q ends at %q, and that at %q", text, to, again)
		}
	})
}

func FuzzTarget(f *testing.F) {
	f.Add("/notes?a=b#c")
	f.Add("//evil.test")
	f.Fuzz(func(t *testing.T, text string) {
		if to := gate.Target(text); !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.Contains(to, `\`) {
			t.Fatalf("%q ends at %q", text, to)
		}
	})
}
