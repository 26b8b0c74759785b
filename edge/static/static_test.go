package static_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/edge/rewrite"
	"github.com/fazt-sh/fazt/edge/static"
	"github.com/fazt-sh/fazt/platform/blob"
	"github.com/fazt-sh/fazt/platform/fault"
)

// site is a handler over files given as text, and the folder its bytes are in.
type site struct {
	*static.Handler
	dir string
}

// options fills a store with files and returns what New needs.
func options(t testing.TB, dir string, files map[string]string) static.Options {
	t.Helper()
	store, err := blob.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	batch := store.Batch()
	o := static.Options{Store: store, Cache: static.NewCache(0)}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		d, n, err := batch.Put(context.Background(), strings.NewReader(files[path]), static.Compressible(path))
		if err != nil {
			t.Fatal(err)
		}
		o.Files = append(o.Files, static.File{Path: path, Blob: d, Size: n})
	}
	if err := batch.Commit(); err != nil {
		t.Fatal(err)
	}
	return o
}

func newSite(t testing.TB, files map[string]string, change ...func(*static.Options)) site {
	t.Helper()
	dir := t.TempDir()
	o := options(t, dir, files)
	for _, f := range change {
		f(&o)
	}
	h, err := static.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return site{h, dir}
}

func rules(t testing.TB, redirects, headers string) func(*static.Options) {
	t.Helper()
	r, problems := rewrite.ParseRedirects([]byte(redirects))
	h, more := rewrite.ParseHeaders([]byte(headers))
	if len(problems)+len(more) > 0 {
		t.Fatal(problems, more)
	}
	table, err := rewrite.Compile(r, h)
	if err != nil {
		t.Fatal(err)
	}
	return func(o *static.Options) { o.Rules = table }
}

func spa(o *static.Options) { o.Spa = true }

// ask sends a request with headers given as name, value pairs. An error becomes
// a response of its status with the code in the body, as the edge renders it.
func (s site) ask(method, target string, headers ...string) *http.Response {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	if err := s.ServeHTTP(w, r); err != nil {
		status := fault.KindOf(err).Status()
		var own interface{ Status() int }
		if errors.As(err, &own) {
			status = own.Status()
		}
		w.WriteHeader(status)
		fmt.Fprint(w, "error: ", err)
	}
	return w.Result()
}

func (s site) get(target string, headers ...string) *http.Response {
	return s.ask(http.MethodGet, target, headers...)
}

// listFiles returns the files of a store.
func listFiles(t testing.TB, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			names = append(names, path)
		}
		return err
	})
	if err != nil || len(names) == 0 {
		t.Fatal("no files", err)
	}
	return names
}

// removeBytes deletes every file of the store, so that whatever is read
// afterwards comes from memory.
func (s site) removeBytes(t testing.TB) {
	t.Helper()
	for _, name := range listFiles(t, s.dir) {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

var pages = map[string]string{
	"index.html":         "home",
	"about.html":         "about",
	"docs/index.html":    "docs",
	"docs/setup.html":    "setup",
	"both.html":          "both page",
	"both/index.html":    "both folder",
	"plain":              "plain file",
	"plain.html":         "plain page",
	"404.html":           "lost",
	"docs/404.html":      "lost in docs",
	"docs/deep/er/a.txt": "a",
	"style.css":          "css",
	"a b/ü.html":         "odd",
	`\evil/index.html`:   "backslash",
	"404/index.html":     "a folder of that name",
}

// Every page has one address, and every other way to write it leads there in one
// step with its query.
func TestAddresses(t *testing.T) {
	s := newSite(t, pages)
	for target, want := range map[string]string{
		"/":                    "200 home",
		"/index.html":          "301 /",
		"/index":               "301 /",
		"/about":               "200 about",
		"/about.html":          "301 /about",
		"/about/":              "301 /about",
		"/about/?a=1&b=%20":    "301 /about?a=1&b=%20",
		"/about.html/":         "301 /about",
		"/docs":                "301 /docs/",
		"/docs/":               "200 docs",
		"/docs/index.html":     "301 /docs/",
		"/docs/index":          "301 /docs/",
		"/docs/setup":          "200 setup",
		"/docs/setup/":         "301 /docs/setup",
		"/both":                "200 both page",
		"/both/":               "200 both folder",
		"/both.html":           "301 /both",
		"/both/index.html":     "301 /both/",
		"/plain":               "200 plain file",
		"/plain.html":          "200 plain page",
		"/style.css":           "200 css",
		"/style.css/":          "301 /style.css",
		"/a%20b/%C3%BC":        "200 odd",
		"/a%20b/%C3%BC.html":   "301 /a%20b/%C3%BC",
		"/%5Cevil":             "301 /%5Cevil/",
		"/404":                 "301 /404/",
		"/404/":                "200 a folder of that name",
		"/404.html":            "200 lost",
		"/nothing":             "404 lost",
		"/docs/nothing":        "404 lost in docs",
		"/docs/deep/er/x/y/z":  "404 lost in docs",
		"/docs/deep/":          "404 lost in docs",
		"/about//":             "404 lost",
		"/docs/../about.html":  "404 lost in docs",
		"/About":               "404 lost",
		"//about":              "404 lost",
		"/%2e%2e/%2e%2e/x":     "404 lost",
		"/docs%00":             "404 lost",
		"/.html":               "404 lost",
		"/index.html.html":     "404 lost",
		"/style.css/index":     "404 lost",
		"/docs/setup.html/abc": "404 lost in docs",
	} {
		resp := s.get(target)
		got := fmt.Sprint(resp.StatusCode, " ", readAll(t, resp))
		if l := resp.Header.Get("Location"); l != "" {
			got = fmt.Sprint(resp.StatusCode, " ", l)
		}
		if got != want {
			t.Errorf("%s = %q, want %q", target, got, want)
		}
	}
}

// Whatever the files are called, a redirect of ours leads to an answer.
func TestMovedOnce(t *testing.T) {
	names := []string{"index.html", "a.html", "a", "a/index.html", "a/b.html", "a.html.html", "index.html.html", "404.html",
		"index/index.html", "a/404.html", "404.html.html", "a/b/index.html", "b.html/index.html", "x/index"}
	for set := range 1 << len(names) {
		if set%7 != 0 { // a sample is enough
			continue
		}
		files := map[string]string{}
		for i, name := range names {
			if set>>i&1 == 1 && !(name == "a" && set&(1<<3|1<<4|1<<9|1<<11) != 0) {
				files[name] = name
			}
		}
		checkMoves(t, files, names)
	}
}

func checkMoves(t *testing.T, files map[string]string, names []string) {
	t.Helper()
	find := static.FindOnly(slices.Sorted(maps.Keys(files)))
	for _, name := range names {
		for _, path := range []string{"/" + name, "/" + name + "/", "/" + strings.TrimSuffix(name, ".html"),
			"/" + strings.TrimSuffix(name, "index.html")} {
			_, moved := find(path)
			if moved == "" {
				continue
			}
			if file, again := find(moved); file == "" || again != "" {
				t.Fatalf("%v: %s leads to %s, which is %q %q", slices.Sorted(maps.Keys(files)), path, moved, file, again)
			}
		}
		if _, ok := files[name]; !ok {
			continue
		}
		file, moved := find("/" + name)
		if moved != "" {
			file, _ = find(moved)
		}
		if file != name {
			t.Fatalf("%v: /%s leads to %q", slices.Sorted(maps.Keys(files)), name, file)
		}
	}
}

func TestWithoutErrorPage(t *testing.T) {
	s := newSite(t, map[string]string{"index.html": "home", "a/404.html": "lost in a"})
	r := httptest.NewRequest("GET", "/none", nil)
	w := httptest.NewRecorder()
	if err := s.ServeHTTP(w, r); fault.KindOf(err) != fault.NotFound || len(w.Header()) != 0 {
		t.Errorf("err = %v, headers %v: the edge renders this one", err, w.Header())
	}
	if got := readAll(t, s.get("/a/none")); got != "lost in a" {
		t.Errorf("in a: %q", got)
	}
	if resp := s.get("/" + strings.Repeat("a/", 3000)); resp.StatusCode != 404 {
		t.Errorf("deep: %d", resp.StatusCode)
	}
}

func TestErrorPageIsNotKept(t *testing.T) {
	s := newSite(t, pages, rules(t, "", "/*\n  Cache-Control: max-age=99\n  X-A: b\n"))
	resp := s.get("/nothing", "If-None-Match", "*", "If-Match", `"x"`, "Range", "bytes=0-1")
	h := resp.Header
	if resp.StatusCode != 404 || readAll(t, resp) != "lost" {
		t.Errorf("status %d", resp.StatusCode)
	}
	if h.Get("Etag") != "" || h.Get("Cache-Control") != "public, max-age=0, must-revalidate" || h.Get("X-A") != "b" {
		t.Errorf("headers %v", h)
	}
	if s.get("/about").Header.Get("Cache-Control") != "max-age=99" {
		t.Error("the rule does not hold for a page")
	}
}

func TestSinglePageApp(t *testing.T) {
	s := newSite(t, pages, spa)
	for _, c := range []struct {
		method, target, accept string
		status                 int
	}{
		{"GET", "/inbox/7", "text/html,*/*;q=0.8", 200},
		{"GET", "/inbox/7", "*/*", 200},
		{"HEAD", "/inbox/7", "", 200},
		{"GET", "/inbox/7", "application/json", 404},
		{"GET", "/inbox/7", "image/png", 404},
		{"GET", "/inbox/7.png", "*/*", 404},
		{"GET", "/v1.2/inbox", "text/html", 200},
		{"POST", "/inbox/7", "text/html", 405},
		{"GET", "/docs/setup", "text/html", 200},
	} {
		headers := []string{"Accept", c.accept}
		if c.accept == "" {
			headers = nil
		}
		resp := s.ask(c.method, c.target, headers...)
		if resp.StatusCode != c.status {
			t.Errorf("%s %s (%s) = %d, want %d", c.method, c.target, c.accept, resp.StatusCode, c.status)
		}
	}
	resp := s.get("/inbox/7")
	if got := readAll(t, resp); got != "home" {
		t.Errorf("body %q", got)
	}
	if s.get("/inbox/7", "If-None-Match", resp.Header.Get("Etag")).StatusCode != 304 {
		t.Error("the page has the same validator at every path")
	}
}

func TestMethods(t *testing.T) {
	s := newSite(t, pages)
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "TRACE", "get", "X"} {
		resp := s.ask(method, "/")
		if resp.StatusCode != 405 || resp.Header.Get("Allow") != "GET, HEAD, OPTIONS" {
			t.Errorf("%s = %d, %v", method, resp.StatusCode, resp.Header)
		}
	}
	if resp := s.ask("OPTIONS", "/"); resp.StatusCode != 204 || resp.Header.Get("Allow") == "" {
		t.Errorf("OPTIONS = %d", resp.StatusCode)
	}
	get, head := s.get("/about"), s.ask("HEAD", "/about")
	if readAll(t, head) != "" || fmt.Sprint(get.Header) != fmt.Sprint(head.Header) {
		t.Errorf("HEAD differs from GET: %v, %v", head.Header, get.Header)
	}
}

func TestHeadersOfAPage(t *testing.T) {
	got := newSite(t, pages).get("/about").Header
	for name, want := range map[string]string{
		"Content-Type":            "text/html; charset=utf-8",
		"Content-Length":          "5",
		"Cache-Control":           "public, max-age=0, must-revalidate",
		"X-Content-Type-Options":  "nosniff",
		"Referrer-Policy":         "strict-origin-when-cross-origin",
		"Content-Security-Policy": "base-uri 'self'; frame-ancestors 'self'",
		"Last-Modified":           "",
		"Vary":                    "",
	} {
		if got.Get(name) != want {
			t.Errorf("%s = %q, want %q", name, got.Get(name), want)
		}
	}
	if e := got.Get("Etag"); len(e) != 34 || e[0] != '"' {
		t.Errorf("etag %s", e)
	}
}

func TestRules(t *testing.T) {
	s := newSite(t, map[string]string{"index.html": "home", "new.html": "new", "old.html": "old", "app/index.html": "app",
		"app/real.txt": "real", "gone.html": "gone", "big.txt": strings.Repeat("text ", 1000)},
		rules(t, "/old /new 302\n/lost/* /new 301\n/forced /new 307!\n/app/* /app/ 200\n/gone/* /gone 404\n/nowhere /none 200\n"+
			"/post https://example.com/ 308\n/old.html /new 301!\n",
			"/new\n  X-A: 1\n  ! Referrer-Policy\n  Content-Security-Policy: default-src 'self'\n/big.txt\n  Vary: Origin\n  ! Content-Type\n"+
				"/app/*\n  X-App: yes\n/lost/*\n  X-Lost: yes\n  Cache-Control: max-age=9\n"))
	for _, c := range []struct {
		method, target string
		status         int
		location, body string
	}{
		{"GET", "/old", 200, "", "old"},
		{"GET", "/old.html", 301, "/new", ""},
		{"GET", "/lost/a?b=c", 301, "/new?b=c", ""},
		{"POST", "/forced", 307, "/new", ""},
		{"GET", "/app/inbox", 200, "", "app"},
		{"POST", "/app/inbox", 405, "", ""},
		{"GET", "/app/real.txt", 200, "", "real"},
		{"GET", "/gone/x", 404, "", "gone"},
		{"GET", "/nowhere", 404, "", ""},
		{"PUT", "/post", 308, "https://example.com/", ""},
	} {
		resp := s.ask(c.method, c.target)
		got := readAll(t, resp)
		if resp.StatusCode != c.status || resp.Header.Get("Location") != c.location || c.body != "" && got != c.body {
			t.Errorf("%s %s = %d %q %q", c.method, c.target, resp.StatusCode, resp.Header.Get("Location"), got)
		}
	}
	h := s.get("/new").Header
	if h.Get("X-A") != "1" || h.Get("Referrer-Policy") != "" || h.Get("Content-Security-Policy") != "default-src 'self'" {
		t.Errorf("/new: %v", h)
	}
	h = s.get("/big.txt").Header
	if v := h["Vary"]; !slices.Equal(v, []string{"Accept-Encoding", "Origin"}) {
		t.Errorf("vary %q", v)
	}
	if v, set := h["Content-Type"]; len(v) > 0 || !set {
		t.Errorf("a removed type %v, %v would be guessed", v, set)
	}
	if s.get("/app/inbox").Header.Get("X-App") != "yes" || s.get("/app/").Header.Get("X-App") != "yes" {
		t.Error("the rules of the path asked for hold for a rewrite")
	}
	h = s.get("/lost/a").Header
	if h.Get("X-Lost") != "yes" || h.Get("Cache-Control") != "public, max-age=0, must-revalidate" {
		t.Errorf("redirect: %v", h)
	}
}

// A redirect that never ends depends on the files, so New finds it.
func TestRedirectLoopIsRefused(t *testing.T) {
	o := options(t, t.TempDir(), map[string]string{"x.html": "x"})
	rules(t, "/x /x.html 301!", "")(&o)
	if _, err := static.New(o); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "_redirects:1") {
		t.Error(err)
	}
	rules(t, "/y /x.html", "")(&o)
	if _, err := static.New(o); err != nil {
		t.Error(err)
	}
}

// What must not be served is not, however it is asked for.
func TestHiddenFiles(t *testing.T) {
	files := map[string]string{"index.html": "home", ".well-known/security.txt": "contact", ".well-known/matrix/client": "{}"}
	secret := []string{".env", ".git/config", "a/.htpasswd", "_headers", "_redirects", "fazt.hcl", "FAZT.HCL", "x/app.fazt.hcl",
		"app.Fazt.Json", "key.AGE", "terraform.tfstate", ".well-known/.hidden", "a/.well-known/x"}
	for _, name := range secret {
		files[name] = "secret"
	}
	s := newSite(t, files)
	for _, name := range secret {
		if resp := s.get("/" + name); resp.StatusCode != 404 || strings.Contains(readAll(t, resp), "secret") {
			t.Errorf("%s = %d", name, resp.StatusCode)
		}
	}
	if resp := s.get("/.well-known/security.txt"); readAll(t, resp) != "contact" {
		t.Error("security.txt is for everybody")
	}
	if got := s.get("/.well-known/matrix/client").Header.Get("Content-Type"); got != "text/plain; charset=utf-8" {
		t.Errorf("type %q", got)
	}
}

func TestNewRefuses(t *testing.T) {
	good := options(t, t.TempDir(), map[string]string{"a.txt": "abc"})
	for name, c := range map[string]struct {
		change func(*static.File)
		kind   fault.Kind
	}{
		"parent":   {func(f *static.File) { f.Path = "../a" }, fault.Invalid},
		"rooted":   {func(f *static.File) { f.Path = "/a" }, fault.Invalid},
		"empty":    {func(f *static.File) { f.Path = "" }, fault.Invalid},
		"control":  {func(f *static.File) { f.Path = "a\nb" }, fault.Invalid},
		"missing":  {func(f *static.File) { f.Blob = blob.Digest(strings.Repeat("0", 64)) }, fault.NotFound},
		"no blob":  {func(f *static.File) { f.Blob = "" }, fault.NotFound},
		"cut":      {func(f *static.File) { f.Size = 4 }, fault.Internal},
		"as it is": {func(f *static.File) {}, ""},
	} {
		o := good
		o.Files = slices.Clone(good.Files)
		c.change(&o.Files[0])
		if _, err := static.New(o); fault.KindOf(err) != c.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
	good.Files = append(good.Files, good.Files[0])
	if _, err := static.New(good); fault.KindOf(err) != fault.Invalid {
		t.Errorf("twice: %v", err)
	}
}

func TestHashedNamesAreKeptForEver(t *testing.T) {
	for name, want := range map[string]bool{
		"assets/app-5f3a9b1c.js":            true,
		"app.5f3a9b1c.js":                   true,
		"main.8e0d62a03c5b.chunk.js":        false,
		"app-5f3a9b1c.min.js":               true,
		"app.5f3a9b1c.js.map":               true,
		"chunk-4QXOTJFP.css":                true,
		"_astro/hoisted.js":                 true,
		"docs/_astro/logo.Bx_q.webp":        true,
		"_next/static/x/_buildManifest.js":  true,
		"_app/immutable/start.js":           true,
		"_astro/page.html":                  false,
		"app-5f3a9b1c.html":                 false,
		"report-20260101.json":              false,
		"photo-deadbeef.jpg":                false,
		"README-CHANGELOG.js":               false,
		"app-5f3a9b1.js":                    false,
		"app.js":                            false,
		"5f3a9b1c5f3a9b1c.js":               false,
		"index.html":                        false,
		"hello-worldwide.js":                false,
		"hero-4k2160p.mp4":                  false,
		"font.0123456789abcdef0123.woff2":   true,
		"doc-5f3a9b1c.pdf":                  false,
		"my_astro/x.js":                     false,
		"a/_next/data/b.json":               false,
		"_app/version.json":                 false,
		"logo-5f3a9b1c":                     false,
		"app-5F3A9B1C.js":                   false,
		"icon-AB234567.svg":                 true,
		"static/js/vendors~5f3a9b1c5.js":    false,
		"assets/index-5f3a9b1c5f3a9b1c.css": true,
	} {
		if got := static.HashedName(name); got != want {
			t.Errorf("%s = %v", name, got)
		}
	}
	s := newSite(t, map[string]string{"app-5f3a9b1c.js": "x"})
	if got := s.get("/app-5f3a9b1c.js").Header.Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
		t.Errorf("cache-control %q", got)
	}
}

func TestSnippet(t *testing.T) {
	insert := func(o *static.Options) { o.Snippet = []byte("<s>") }
	s := newSite(t, map[string]string{"index.html": "<body>a</body> b </BODY> c", "no.html": "text", "404.html": "lost</body>",
		"a.txt": "</body>", "app-5f3a9b1c.js": "x"}, insert, rules(t, "", "/*\n  Cache-Control: max-age=9\n  X-A: b\n"))
	for target, want := range map[string]string{"/": "<body>a</body> b <s></BODY> c", "/no": "text<s>", "/x": "lost<s></body>", "/a.txt": "</body>"} {
		if got := readAll(t, s.get(target)); got != want {
			t.Errorf("%s = %q", target, got)
		}
	}
	h := s.get("/", "Accept-Encoding", "br", "If-None-Match", "*", "Range", "bytes=0-1").Header
	if h.Get("Cache-Control") != "no-store" || h.Get("Etag") != "" || h.Get("Content-Encoding") != "" || h.Get("X-A") != "b" {
		t.Errorf("headers %v", h)
	}
	if head := s.ask("HEAD", "/"); head.ContentLength != int64(len(readAll(t, s.get("/")))) || readAll(t, head) != "" {
		t.Errorf("HEAD: %d", head.ContentLength)
	}
}

func TestContentTypes(t *testing.T) {
	for name, want := range map[string]string{
		"a.html": "text/html; charset=utf-8", "A.HTML": "text/html; charset=utf-8", "a.js": "text/javascript; charset=utf-8",
		"a.svg": "image/svg+xml; charset=utf-8", "a.wasm": "application/wasm", "a.json": "application/json", "a.woff2": "font/woff2",
		"a": "application/octet-stream", "a.unknown": "application/octet-stream", "a.tar.gz": "application/gzip",
		".well-known/apple-app-site-association": "application/json",
	} {
		if got := static.ContentType(name); got != want {
			t.Errorf("%s = %q", name, got)
		}
	}
	if !static.Compressible("a.css") || static.Compressible("a.png") || static.Compressible("a") {
		t.Error("text is compressed, pictures are not")
	}
}
