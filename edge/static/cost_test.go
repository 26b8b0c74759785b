package static_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fazt-sh/fazt/edge/static"
)

// discard is a ResponseWriter without a cost of its own.
type discard struct {
	header http.Header
	bytes  int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Write(p []byte) (int, error) { d.bytes += len(p); return len(p), nil }

func hot(t testing.TB) (site, []*http.Request) {
	t.Helper()
	s := newSite(t, map[string]string{"about.html": text, "docs/index.html": text, "p.png": picture, "404.html": "lost"},
		rules(t, "/old/* /new/:splat\n/x /y", "/*\n  X-A: b\n/about\n  X-B: c\n"))
	var requests []*http.Request
	for _, target := range []string{"/about", "/docs/", "/p.png"} {
		r := httptest.NewRequest("GET", target, nil)
		r.Header.Set("Accept-Encoding", "gzip, deflate, br, zstd")
		requests = append(requests, r)
	}
	fresh := httptest.NewRequest("GET", "/about", nil)
	fresh.Header.Set("If-None-Match", s.get("/about").Header.Get("Etag"))
	return s, append(requests, fresh)
}

// A hit allocates nothing: not to find the file, nor to choose its form, nor to
// set its headers, nor to send it.
func TestHitAllocatesNothing(t *testing.T) {
	s, requests := hot(t)
	for _, r := range requests {
		w := &discard{header: http.Header{}}
		if n := testing.AllocsPerRun(100, func() {
			if err := s.ServeHTTP(w, r); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", r.URL, n)
		}
	}
}

// A hot small file needs no file: all forms are served after the store is gone,
// also by the next release that has the same bytes.
func TestHotFilesComeFromMemory(t *testing.T) {
	dir := t.TempDir()
	o := options(t, dir, map[string]string{"a.txt": text, "large.png": large})
	var next *static.Handler
	s := site{nil, dir}
	for _, h := range []**static.Handler{&s.Handler, &next} {
		var err error
		if *h, err = static.New(o); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range []string{"", "gzip", "br", "zstd"} {
		readAll(t, s.get("/a.txt", "Accept-Encoding", e))
	}
	s.removeBytes(t)
	for _, s := range []site{s, {next, dir}} {
		if got := readAll(t, s.get("/a.txt")); got != text {
			t.Errorf("%d bytes", len(got))
		}
		for _, e := range []string{"gzip", "br", "zstd"} {
			if resp := s.get("/a.txt", "Accept-Encoding", e); resp.StatusCode != 200 || resp.Header.Get("Content-Encoding") != e {
				t.Errorf("%s = %d", e, resp.StatusCode)
			}
		}
		if resp := s.get("/large.png"); resp.StatusCode != 503 {
			t.Errorf("a large file is not in memory, but %d", resp.StatusCode)
		}
	}
}

// The cache never holds more than its limit, and what is asked for all the time
// survives a walk over everything else.
func TestCacheIsBounded(t *testing.T) {
	const files, limit = 40, 100_000
	all := map[string]string{}
	for i := range files {
		all[fmt.Sprintf("%d.png", i)] = strings.Repeat(fmt.Sprintf("%09d,", i), 1000)
	}
	cache := static.NewCache(limit)
	s := newSite(t, all, func(o *static.Options) { o.Cache = cache })
	for round := range 3 {
		for i := range files {
			if got := readAll(t, s.get(fmt.Sprintf("/%d.png", i))); got != all[fmt.Sprintf("%d.png", i)] {
				t.Fatalf("round %d, file %d: other bytes", round, i)
			}
			readAll(t, s.get("/0.png"))
			if n := cache.Bytes(); n > limit || n == 0 {
				t.Fatalf("%d bytes", n)
			}
		}
	}
	s.removeBytes(t)
	if resp := s.get("/0.png"); resp.StatusCode != 200 {
		t.Error("the hot file was dropped")
	}
}

// Readers of many files through a small cache all get the right bytes.
func TestCacheUnderLoad(t *testing.T) {
	all := map[string]string{}
	for i := range 30 {
		all[fmt.Sprintf("%d.png", i)] = strings.Repeat(fmt.Sprintf("%09d,", i), 300)
	}
	s := newSite(t, all, func(o *static.Options) { o.Cache = static.NewCache(30_000) })
	var readers sync.WaitGroup
	for g := range 8 {
		readers.Go(func() {
			for i := range 200 {
				name := fmt.Sprintf("%d.png", (g*7+i*i)%30)
				resp := s.get("/" + name)
				b, err := io.ReadAll(resp.Body)
				if err != nil || string(b) != all[name] {
					t.Errorf("%s: %d bytes, %v", name, len(b), err)
				}
			}
		})
	}
	readers.Wait()
}

// A file larger than memory's share may grow too big for the cache or be damaged
// on disk; neither is served as if it were whole.
func TestDamagedBytesAreNotServed(t *testing.T) {
	for name, content := range map[string]string{"small.png": picture, "large.png": large} {
		s := newSite(t, map[string]string{name: content})
		for _, file := range listFiles(t, s.dir) {
			if err := os.Truncate(file, 100); err != nil {
				t.Fatal(err)
			}
		}
		r := httptest.NewRequest("GET", "/"+name, nil)
		if err := s.ServeHTTP(httptest.NewRecorder(), r); err == nil {
			t.Errorf("%s: served", name)
		}
	}
}

// counted counts what reaches the connection by ReadFrom, which is how the
// standard library calls sendfile.
type counted struct {
	*net.TCPConn
	files *atomic.Int64
}

func (c counted) ReadFrom(r io.Reader) (int64, error) {
	if l, ok := r.(*io.LimitedReader); ok {
		if _, ok := l.R.(*os.File); ok {
			c.files.Add(1)
		}
	}
	return c.TCPConn.ReadFrom(r)
}

type countedListener struct {
	net.Listener
	files *atomic.Int64
}

func (l countedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return counted{c.(*net.TCPConn), l.files}, nil
}

// Large files and parts of them go to the connection as files; small ones do
// not.
func TestLargeFilesAreSentByTheSystem(t *testing.T) {
	s := mixed(t)
	var files atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.ServeHTTP(w, r); err != nil {
			t.Error(err)
		}
	}))
	server.Listener = countedListener{server.Listener, &files}
	server.Start()
	defer server.Close()
	for _, c := range []struct {
		path, ranged, want string
		files              int64
	}{
		{"/large.png", "", large, 1},
		{"/large.png", "bytes=100000-599999", large[100000:600000], 1},
		{"/p.png", "", picture, 0},
	} {
		files.Store(0)
		r, _ := http.NewRequest("GET", server.URL+c.path, nil)
		if c.ranged != "" {
			r.Header.Set("Range", c.ranged)
		}
		resp, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		got := readAll(t, resp)
		resp.Body.Close()
		if got != c.want || files.Load() != c.files {
			t.Errorf("%s %s: %d bytes, %d as a file", c.path, c.ranged, len(got), files.Load())
		}
	}
}

func BenchmarkHit(b *testing.B) {
	for _, size := range []int{1 << 10, 100 << 10} {
		name := fmt.Sprintf("%dk", size>>10)
		content := strings.Repeat("x", size)
		s := newSite(b, map[string]string{"f.png": content})
		body := []byte(content)
		bare := func(w http.ResponseWriter, _ *http.Request) error {
			h := w.Header()
			h.Set("Content-Type", "image/png")
			h.Set("Content-Length", fmt.Sprint(size))
			_, err := w.Write(body)
			return err
		}
		for _, c := range []struct {
			name  string
			serve func(http.ResponseWriter, *http.Request) error
		}{{"static", s.ServeHTTP}, {"bare", bare}} {
			b.Run(c.name+"_"+name, func(b *testing.B) {
				r := httptest.NewRequest("GET", "/f.png", nil)
				r.Header.Set("Accept-Encoding", "gzip, deflate, br")
				b.ReportAllocs()
				for b.Loop() {
					w := discard{header: http.Header{}}
					if err := c.serve(&w, r); err != nil || w.bytes != size {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
