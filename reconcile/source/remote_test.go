package source_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile/source"
)

const canary = "canary-token-31337"

func withToken(c source.GitConfig) source.GitConfig {
	c.Credentials.Username, c.Credentials.Password = "deploy", canary
	return c
}

func TestCredentialsReachTheConfiguredHost(t *testing.T) {
	o := newOrigin(t)
	o.commit("first", map[string]string{"a.txt": "a"})
	var refused atomic.Int64
	s := serve(t, o, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if user, password, _ := r.BasicAuth(); user != "deploy" || password != canary {
				refused.Add(1)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	c := s.config(t)
	_, err := openGit(t, c).Fetch(t.Context(), "")
	wantFault(t, err, fault.Unauthenticated, "401", "access token")

	mustFetch(t, openGit(t, withToken(s.config(t))), "")
	c.URL = strings.Replace(c.URL, "https://", "https://deploy:"+canary+"@", 1)
	c.Dir = mirrorDir(t)
	g := openGit(t, c)
	mustFetch(t, g, "")
	if refused.Load() != 1 {
		t.Errorf("%d requests came without the token", refused.Load())
	}
	if strings.Contains(g.String(), canary) || !strings.HasSuffix(g.String(), "/origin/.git @ main") {
		t.Errorf("String() is %q", g)
	}
}

func TestRedirectsElsewhereAreNotFollowed(t *testing.T) {
	var strayed atomic.Int64
	elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strayed.Add(1) }))
	defer elsewhere.Close()
	o := newOrigin(t)
	o.commit("first", map[string]string{"a.txt": "a"})
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		s := serve(t, o, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == method {
					http.Redirect(w, r, elsewhere.URL+r.URL.RequestURI(), http.StatusTemporaryRedirect)
					return
				}
				next.ServeHTTP(w, r)
			})
		})
		_, err := openGit(t, withToken(s.config(t))).Fetch(t.Context(), "")
		wantFault(t, err, fault.Forbidden, "redirects", elsewhere.URL, "--repo")
		if strings.Contains(fmt.Sprint(err), canary) {
			t.Error("the error holds the token")
		}
	}
	if strayed.Load() != 0 {
		t.Errorf("%d requests left the origin", strayed.Load())
	}
}

func TestRenamedRepositoryOnTheSameHostIsFollowed(t *testing.T) {
	o := newOrigin(t)
	id := o.commit("first", map[string]string{"a.txt": "a"})
	s := serve(t, o, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if rest, old := strings.CutPrefix(r.URL.RequestURI(), "/old"); old {
				http.Redirect(w, r, "/origin/.git"+rest, http.StatusMovedPermanently)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	c := withToken(s.config(t))
	c.URL = s.URL + "/old"
	if a := mustFetch(t, openGit(t, c), ""); a.Revision != id {
		t.Errorf("%s", a.Revision)
	}
}

// answer is a server that says one thing to every request.
func answer(t *testing.T, status int, kind, body string) source.GitConfig {
	t.Helper()
	s := &server{Server: httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))}
	t.Cleanup(s.Close)
	return withToken(s.config(t))
}

const advertisement = "application/x-git-upload-pack-advertisement"

func TestWhatServersSay(t *testing.T) {
	id := strings.Repeat("ab", 20)
	for _, c := range []struct {
		status     int
		kind, body string
		want       fault.Kind
		says       string
	}{
		{401, "", "", fault.Unauthenticated, "401"},
		{403, "", "", fault.Unauthenticated, "403"},
		{404, "", "", fault.NotFound, "no repository at"},
		{429, "", "", fault.Unavailable, "429"},
		{500, "", "secret stack trace", fault.Unavailable, "500"},
		{200, "text/html", "<form>sign in", fault.Unavailable, "not as a git server"},
		{200, advertisement, "", fault.Unavailable, "ended early"},
		{200, advertisement, "zzzz", fault.Unavailable, "pkt-len"},
		{200, advertisement, pkt("ERR go \x1b[31maway\n"), fault.Unavailable, "it says: go [31maway"},
		{200, advertisement, pkt("garbage") + "0000", fault.Unavailable, "malformed"},
		{200, advertisement, pkt(strings.Repeat("ab", 32)+" refs/heads/main\x00object-format=sha256\n") + "0000", fault.Invalid, "sha256"},
		{200, advertisement, pkt(id+" refs/heads/../../../etc/x\x00ofs-delta\n") + "0000", fault.NotFound, `has no "main"`},
		{200, advertisement, pkt(strings.Repeat("0", 40)+" capabilities^{}\x00ofs-delta\n") + "0000", fault.NotFound, "is empty"},
	} {
		t.Run(fmt.Sprintf("%d %s", c.status, c.says), func(t *testing.T) {
			_, err := openGit(t, answer(t, c.status, c.kind, c.body)).Fetch(t.Context(), "")
			wantFault(t, err, c.want, c.says)
			if text := fmt.Sprintf("%v %+v", err, err); strings.Contains(text, canary) || strings.ContainsRune(text, 0x1b) {
				t.Errorf("unclean error: %q", text)
			}
		})
	}
}

func pkt(line string) string { return fmt.Sprintf("%04x%s", len(line)+4, line) }

// spoil serves an origin and lets a test change the packs on their way.
func spoil(t *testing.T, o *origin, change func([]byte) []byte) source.GitConfig {
	t.Helper()
	return serve(t, o, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodPost {
				next.ServeHTTP(w, r)
				return
			}
			heard := httptest.NewRecorder()
			next.ServeHTTP(heard, r)
			w.Header().Set("Content-Type", heard.Header().Get("Content-Type"))
			_, _ = w.Write(change(heard.Body.Bytes()))
		})
	}).config(t)
}

func TestSpoiltPacksLeaveNothingBehind(t *testing.T) {
	for name, change := range map[string]func([]byte) []byte{
		"cut":         func(b []byte) []byte { return b[:len(b)/2] },
		"nothing":     func([]byte) []byte { return nil },
		"flipped":     func(b []byte) []byte { b[len(b)/2] ^= 0x10; return b },
		"not a pack":  func(b []byte) []byte { return bytes.Replace(b, []byte("PACK"), []byte("JUNK"), 1) },
		"wrong count": func(b []byte) []byte { i := bytes.Index(b, []byte("PACK")); b[i+11]++; return b },
		"many promised": func(b []byte) []byte {
			i := bytes.Index(b, []byte("PACK"))
			copy(b[i+8:], "\xff\xff\xff\xff")
			return b
		},
		"an error instead": func([]byte) []byte { return []byte(pkt("NAK\n") + pkt("\x03repository on \x07fire") + "0000") },
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			o.commit("first", map[string]string{"a.txt": incompressible(10 << 10)})
			c := spoil(t, o, change)
			_, err := openGit(t, c).Fetch(t.Context(), "")
			if kind := fault.KindOf(err); kind != fault.Unavailable && kind != fault.Exhausted {
				t.Errorf("kind %s: %v", kind, err)
			}
			if strings.ContainsRune(fmt.Sprint(err), 7) {
				t.Errorf("unclean error: %q", err)
			}
			if left := packFiles(t, c.Dir); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"https://example.com/a/b.git":      "https://example.com/a/b.git @ main",
		"https://u:p@example.com/a":        "https://example.com/a @ main",
		"https://token@example.com:8443/a": "https://example.com:8443/a @ main",
		"http://127.0.0.1:3000/a":          "http://127.0.0.1:3000/a @ main",
		"ssh://git@example.com:2222/a/b":   "ssh://git@example.com:2222/a/b @ main",
		"ssh://example.com/a":              "ssh://git@example.com/a @ main",
		"git@example.com:a/b.git":          "ssh://git@example.com/a/b.git @ main",
		"/srv/git/a":                       "/srv/git/a @ main",
		"file:///srv/git/a":                "/srv/git/a @ main",
	} {
		g, err := source.NewGit(source.GitConfig{URL: text, Dir: "x"})
		if err != nil || g.String() != want {
			t.Errorf("%s: %v, %v", text, g, err)
		}
	}
	for text, says := range map[string]string{
		"git://example.com/a":                "not fetched over git://",
		"http://example.com/a":               "not fetched over http://",
		"ftp://example.com/a":                "not fetched over ftp://",
		"ext::sh -c touch% /tmp/x":           "no repository address",
		"ext://x/y":                          "not fetched over ext://",
		"example.com:a/b":                    "no repository address",
		"a/b":                                "no repository address",
		"":                                   "no repository address",
		"file://elsewhere/a":                 "another machine",
		"https://example.com":                "no host or no path",
		"https://example.com/a?x=" + canary:  "no query",
		"ssh://git:" + canary + "@example/a": "password",
		"ssh://-oProxyCommand=x/a":           "dash",
		"git@-oProxyCommand:x":               "dash",
		"git@example.com:--upload-pack=x":    "dash",
		"https://" + canary + "@[::1/a":      "cannot be read",
	} {
		_, err := source.NewGit(source.GitConfig{URL: text, Dir: "x"})
		wantFault(t, err, fault.Invalid, says)
		if strings.Contains(fmt.Sprint(err), canary) {
			t.Errorf("%v holds the secret", err)
		}
	}
	for _, ref := range []string{"a..b", "../x", "a b", "a\nb", "-", "a.lock", "a//b", "a^", "refs/heads/"} {
		if _, err := source.NewGit(source.GitConfig{URL: "/srv/a", Ref: ref, Dir: "x"}); err == nil && ref != "-" {
			t.Errorf("ref %q was accepted", ref)
		}
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	c := withToken(source.GitConfig{URL: "/srv/a", Dir: "x"})
	if text := fmt.Sprintf("%v %+v %#v %s", c, c, c, c.Credentials.Password); strings.Contains(text, canary) {
		t.Errorf("%s", text)
	}
}
