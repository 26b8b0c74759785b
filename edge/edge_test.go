package edge_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/platform/blob"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/spec"
)

// bench is a server with a store and a source of files.
type bench struct {
	*edge.Server
	t     testing.TB
	blobs *blob.Store
	log   *buffer
	gen   uint64

	mu   sync.Mutex
	tree map[string]string // "app.x/path" to bytes; guarded by mu
	read []string          // what the source was asked for; guarded by mu
}

func newBench(t testing.TB, c edge.Config) *bench {
	t.Helper()
	b := &bench{t: t, log: &buffer{}, tree: map[string]string{}}
	if c.Blobs == nil {
		c.Blobs = openBlobs(t, t.TempDir())
	}
	b.blobs = c.Blobs
	c.Log = slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	b.Server = edge.New(c)
	return b
}

func openBlobs(t testing.TB, dir string) *blob.Store {
	t.Helper()
	blobs, err := blob.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return blobs
}

// buffer is a log that several goroutines write.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// files is an app's content by path.
type files map[string]string

// app makes the object of an app and lets the source have its files.
func (b *bench) app(name, revision string, declared spec.App, content files) spec.Object {
	b.mu.Lock()
	defer b.mu.Unlock()
	if declared.Hosts == nil {
		declared.Hosts = []string{name + ".example.com"}
	}
	o := object(spec.KindApp, "app."+name, declared)
	o.Revision = revision
	o.Content = &spec.Content{Tree: gitID(fmt.Sprint("tree", content))}
	for _, path := range slices.Sorted(maps.Keys(content)) {
		b.tree["app."+name+"/"+path] = content[path]
		o.Content.Files = append(o.Content.Files, spec.File{Path: path, ID: gitID(content[path]), Size: int64(len(content[path]))})
	}
	return o
}

func object(kind spec.Kind, addr string, declared any) spec.Object {
	canonical, _ := json.Marshal(declared)
	sum := sha256.Sum256(append([]byte(kind), canonical...))
	_, name, _ := strings.Cut(addr, ".")
	return spec.Object{Addr: spec.Addr(addr), Kind: kind, Name: name, Spec: canonical, Digest: hex.EncodeToString(sum[:])}
}

func gitID(content string) string {
	sum := sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(content), content))
	return hex.EncodeToString(sum[:])
}

func digest(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

// open is the source of files of a Desired.
func (b *bench) open(app spec.Object, path string) (io.ReadCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := string(app.Addr) + "/" + path
	b.read = append(b.read, key)
	content, ok := b.tree[key]
	if !ok {
		return nil, fmt.Errorf("open %s: %w", key, fs.ErrNotExist)
	}
	return io.NopCloser(strings.NewReader(content)), nil
}

// asked returns what the source was asked for since the last call.
func (b *bench) asked() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	read := b.read
	b.read = nil
	slices.Sort(read)
	return read
}

func (b *bench) stage(revision string, objects ...spec.Object) *edge.Staged {
	b.t.Helper()
	st, err := b.Stage(context.Background(), edge.Desired{Revision: revision, Objects: objects, Files: b.open})
	if err != nil {
		b.t.Fatal(err)
	}
	return st
}

// publish stages, wants no faults, and publishes.
func (b *bench) publish(revision string, objects ...spec.Object) {
	b.t.Helper()
	st := b.stage(revision, objects...)
	for _, f := range st.Faults() {
		b.t.Fatalf("%s: %v", f.Addr, f.Err)
	}
	b.gen++
	st.Publish(b.gen)
}

// get asks for a URL in memory.
func (b *bench) get(url string, accept ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	r := httptest.NewRequest("GET", url, nil)
	for _, a := range accept {
		r.Header.Add("Accept", a)
	}
	return b.send(r)
}

func (b *bench) send(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w
}

// run binds a loopback port and serves until the test ends or stop is called.
func (b *bench) run() (address string, stop func() error) {
	b.t.Helper()
	if err := b.Open([]string{"127.0.0.1:0"}, nil); err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	b.t.Cleanup(func() { _ = stop() })
	return b.Addrs()[0].String(), stop
}

// eventually waits for what other goroutines are about to do.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain: " + what)
		}
	}
}

func TestBeforeTheFirstPublishTheNodeSaysSo(t *testing.T) {
	b := newBench(t, edge.Config{})
	w := b.get("http://any.example.com/")
	if w.Code != 503 || w.Header().Get("Fazt-Revision") != "none" || !strings.Contains(w.Body.String(), "Not available") {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	if b.Ready() || b.Generation() != 0 || b.Revision() != "" {
		t.Error("ready before the first publish")
	}
}

func TestAnAppIsServedWithItsRevision(t *testing.T) {
	b := newBench(t, edge.Config{})
	b.publish("r2",
		b.app("blog", "r1", spec.App{}, files{"index.html": "<h1>blog</h1>"}),
		b.app("shop", "r2", spec.App{Hosts: []string{"shop.test", "*.shop.test"}}, files{"index.html": "<h1>shop</h1>"}))
	for url, want := range map[string]string{
		"http://blog.example.com/":      "r1 <h1>blog</h1>",
		"http://BLOG.example.com.:443/": "r1 <h1>blog</h1>",
		"http://shop.test/":             "r2 <h1>shop</h1>",
		"http://eu.shop.test/":          "r2 <h1>shop</h1>",
	} {
		w := b.get(url)
		if got := w.Header().Get("Fazt-Revision") + " " + w.Body.String(); w.Code != 200 || got != want {
			t.Errorf("%s: %d %s", url, w.Code, got)
		}
	}
	if w := b.get("http://a.eu.shop.test/"); w.Code != 421 || w.Header().Get("Fazt-Revision") != "r2" {
		t.Errorf("a wildcard is one label: %d %v", w.Code, w.Header())
	}
	if !b.Ready() || b.Generation() != 1 || b.Revision() != "r2" {
		t.Errorf("generation %d, revision %q", b.Generation(), b.Revision())
	}
}

func TestADisabledAppIsKnownAndSilent(t *testing.T) {
	b := newBench(t, edge.Config{})
	b.publish("r1", b.app("secret-project", "r1", spec.App{Disabled: true}, files{"index.html": "hello"}))
	w := b.get("http://secret-project.example.com/")
	if w.Code != 503 || strings.Contains(w.Body.String(), "hello") || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if objects, _ := b.Observe(context.Background()); len(objects) != 1 || objects[0].Content.Files[0].Blob != digest("hello") {
		t.Errorf("observed %+v", objects)
	}
}

func TestReservedPathsAreNoAppsPaths(t *testing.T) {
	b := newBench(t, edge.Config{})
	b.publish("r1", b.app("blog", "r1", spec.App{Spa: true}, files{
		"index.html": "spa", "auth/x.html": "mine", "_fazt/x.html": "mine", ".well-known/acme-challenge/x": "mine",
		"auth.html": "page", ".well-known/security.txt": "contact"}))
	for _, path := range []string{"/auth/x.html", "/auth/", "/_fazt/x.html", "/_fazt/reload", "/.well-known/acme-challenge/x"} {
		if w := b.get("http://blog.example.com" + path); w.Code != 404 {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	for path, want := range map[string]string{"/auth.html": "page", "/.well-known/security.txt": "contact"} {
		if w := b.get("http://blog.example.com" + path); w.Code == 404 || w.Code == 200 && w.Body.String() != want {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestErrorsReadWellAndTellNothing(t *testing.T) {
	b := newBench(t, edge.Config{})
	b.PublishHandler("a.test", func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("ETag", `"x"`)
		w.Header().Set("Content-Encoding", "br")
		if r.URL.Path == "/panic" {
			panic("secret in a panic")
		}
		return errors.New("secret in an error")
	})
	for _, path := range []string{"/error", "/panic"} {
		w := b.get("http://a.test"+path, "application/json")
		var body struct {
			Error struct{ Kind, Message, Ref string }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Fatal(err)
		}
		if w.Code != 500 || body.Error.Kind != "internal" || len(body.Error.Ref) < 8 || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		if log := b.log.String(); !strings.Contains(log, body.Error.Ref) || !strings.Contains(log, "secret in") {
			t.Errorf("%s: the reference leads nowhere: %s", path, log)
		}
		page := b.get("http://a.test"+path, "text/html,application/xhtml+xml,*/*;q=0.8")
		if !strings.HasPrefix(page.Body.String(), "<!doctype html>") || !strings.Contains(page.Body.String(), "Reference") {
			t.Errorf("%s: %s", path, page.Body)
		}
		for _, name := range []string{"Etag", "Content-Encoding"} {
			if page.Header().Get(name) != "" {
				t.Errorf("%s: %s of the page that did not come about", path, name)
			}
		}
		if page.Header().Get("Fazt-Revision") != "test" || page.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", path, page.Header())
		}
	}
	if stats := b.Stats(); stats.Requests != 0 {
		t.Errorf("requests held after a panic: %+v", stats)
	}
}

func TestAnAppCannotSayWhatTheNodeSays(t *testing.T) {
	b := newBench(t, edge.Config{})
	b.PublishHandler("a.test", func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Fazt-Revision", "forged")
		_, err := io.WriteString(w, "page")
		return err
	})
	if w := b.get("http://a.test/"); w.Header().Get("Fazt-Revision") != "test" {
		t.Errorf("%v", w.Header())
	}
	st := b.stage("r1",
		b.app("by-config", "r1", spec.App{Headers: []spec.Header{{Path: "/*", Set: map[string]string{"fazt-revision": "forged"}}}}, files{"index.html": "x"}),
		b.app("by-file", "r1", spec.App{}, files{"index.html": "x", "_headers": "/*\n  Fazt-Generation: 9\n"}))
	defer st.Discard()
	if faults := st.Faults(); len(faults) != 2 {
		t.Errorf("faults %v", faults)
	}
}

// A half answer must not look like a whole one: the connection ends instead.
func TestAnAnswerThatBreaksIsCut(t *testing.T) {
	b := newBench(t, edge.Config{})
	b.PublishHandler("a.test", func(w http.ResponseWriter, r *http.Request) error {
		_, _ = io.WriteString(w, "half a page")
		return errors.New("the disk went away")
	})
	address, _ := b.run()
	r, _ := http.NewRequest("GET", "http://"+address+"/", nil)
	r.Host = "a.test"
	response, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		_, err = io.ReadAll(response.Body)
		response.Body.Close()
	}
	if err == nil {
		t.Error("a cut answer read as complete")
	}
	eventually(t, "the request ends", func() bool { return b.Stats().Requests == 0 })
}

// Each error has its status, a kind that agrees with it, and a sentence that
// repeats nothing of what was asked.
func TestErrorsHaveTheirStatus(t *testing.T) {
	b := newBench(t, edge.Config{})
	var answer error
	b.PublishHandler("a.test", func(http.ResponseWriter, *http.Request) error { return answer })
	for _, c := range []struct {
		err    error
		status int
		kind   fault.Kind
	}{
		{fault.New(fault.Invalid, "secret"), 400, fault.Invalid},
		{fault.New(fault.Unauthenticated, "secret"), 401, fault.Unauthenticated},
		{fault.New(fault.Forbidden, "secret"), 403, fault.Forbidden},
		{fmt.Errorf("secret: %w", fault.New(fault.NotFound, "secret")), 404, fault.NotFound},
		{fault.New(fault.Conflict, "secret"), 409, fault.Conflict},
		{fault.New(fault.Exhausted, "secret"), 429, fault.Exhausted},
		{fault.New(fault.Unavailable, "secret"), 503, fault.Unavailable},
		{&http.MaxBytesError{Limit: 1}, 413, fault.Exhausted},
		{fmt.Errorf("secret: %w", os.ErrDeadlineExceeded), 408, fault.Invalid},
		{&fs.PathError{Op: "open", Path: "secret", Err: syscall.EMFILE}, 503, fault.Unavailable},
		{errors.New("secret"), 500, fault.Internal},
		{withStatus(405), 405, fault.Invalid},
		{withStatus(418), 418, fault.Invalid},
		{withStatus(507), 507, fault.Unavailable},
	} {
		answer = c.err
		w := b.get("http://a.test/secret?secret", "application/problem+json")
		var body struct {
			Error struct {
				Kind    fault.Kind
				Message string
			}
		}
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Fatal(err)
		}
		if w.Code != c.status || body.Error.Kind != c.kind || body.Error.Message == "" || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%v: %d %s", c.err, w.Code, w.Body)
		}
		r := httptest.NewRequest("HEAD", "http://a.test/secret", nil)
		if w := b.send(r); w.Code != c.status || w.Body.Len() != 0 || w.Header().Get("Content-Length") == "" {
			t.Errorf("HEAD %v: %d %v %s", c.err, w.Code, w.Header(), w.Body)
		}
	}
}

type withStatus int

func (s withStatus) Error() string { return "secret" }
func (s withStatus) Status() int   { return int(s) }
