package edge_test

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/spec"
)

const devPage = "<!doctype html><html><body><h1>page</h1></body></html>"

func TestDevListsTheAppsAndReachesThemByName(t *testing.T) {
	b := newBench(t, edge.Config{Dev: true})
	b.publish("dir:0123456789ab",
		object(spec.KindEdge, "edge", spec.Edge{Domain: "localhost", TLS: spec.TLS{}}),
		b.app("blog", "r1", spec.App{Hosts: []string{"www.example.com"}}, files{"index.html": devPage, "a.txt": "a"}),
		b.app("off", "r1", spec.App{Hosts: []string{"off.localhost"}, Disabled: true}, files{"index.html": devPage}))
	stays := b.app("blog", "r2", spec.App{Hosts: []string{"www.example.com"}}, files{"index.html": devPage, "_redirects": "/bad\n"})
	st := b.stage("r2", object(spec.KindEdge, "edge", spec.Edge{Domain: "localhost", TLS: spec.TLS{}}), stays,
		b.app("off", "r1", spec.App{Hosts: []string{"off.localhost"}, Disabled: true}, files{"index.html": devPage}))
	st.Publish(2)

	for _, host := range []string{"localhost:8787", "127.0.0.1:8787", "[::1]:8787"} {
		w := b.get("http://" + host + "/")
		page := w.Body.String()
		for _, want := range []string{`href="http://blog.localhost:8787/"`, `href="http://off.localhost:8787/"`, ">stalled<", ">off<",
			`<td class="number wide">2<`, "2 apps on this node", "_redirects:1", "/_fazt/reload.js"} {
			if !strings.Contains(page, want) {
				t.Errorf("%s: no %s in %s", host, want, page)
			}
		}
		if w.Header().Get("Fazt-Revision") != "r2" {
			t.Errorf("%v", w.Header())
		}
	}
	for _, host := range []string{"blog.localhost:8787", "www.example.com"} {
		if w := b.get("http://" + host + "/"); w.Code != 200 || !strings.Contains(w.Body.String(), "<h1>page</h1>") {
			t.Errorf("%s: %d", host, w.Code)
		}
	}
	if w := b.get("http://localhost/other"); w.Code != 404 {
		t.Errorf("%d", w.Code)
	}
	if w := b.get("http://x.localhost/"); w.Code != 421 {
		t.Errorf("%d", w.Code)
	}
	if w := b.send(httptest.NewRequest("POST", "http://localhost/", nil)); w.Code != 405 {
		t.Errorf("%d", w.Code)
	}
}

func TestTheListEscapesWhatItShows(t *testing.T) {
	b := newBench(t, edge.Config{Dev: true})
	b.publish(`<script>alert("revision")</script>`, b.app(`<b>`, "r1", spec.App{Hosts: []string{`"><script>`}}, files{"index.html": devPage}))
	page := b.get("http://localhost/").Body.String()
	for _, raw := range []string{"<script>alert", "<b>", `"><script>`} {
		if strings.Contains(page, raw) {
			t.Errorf("%s in %s", raw, page)
		}
	}
}

func TestPagesReloadInDevOnly(t *testing.T) {
	for _, dev := range []bool{true, false} {
		b := newBench(t, edge.Config{Dev: dev})
		b.publish("r1", b.app("a", "r1", spec.App{}, files{"index.html": devPage, "data.json": "{}"}))
		w := b.get("http://a.example.com/")
		if got := strings.Contains(w.Body.String(), `<script src="/_fazt/reload.js"`); got != dev {
			t.Errorf("dev %v: %s", dev, w.Body)
		}
		if dev && w.Header().Get("Etag") != "" {
			t.Error("a page that changes under way has a validator")
		}
		if strings.Contains(b.get("http://a.example.com/data.json").Body.String(), "script") {
			t.Error("data has a script")
		}
		script := b.get("http://a.example.com/_fazt/reload.js")
		if got := script.Code == 200 && strings.Contains(script.Body.String(), `EventSource("/_fazt/reload`); got != dev {
			t.Errorf("dev %v: %d %s", dev, script.Code, script.Body)
		}
		if code := b.get("http://localhost/").Code; (code == 200) != dev {
			t.Errorf("dev %v: the list is %d", dev, code)
		}
	}
}

// The stream tells a page when its app changed, and only then; it ends with
// its snapshot, and what it missed in between it learns on connecting.
func TestReloadStream(t *testing.T) {
	before := runtime.NumGoroutine()
	b := newBench(t, edge.Config{Dev: true})
	still := b.app("still", "r1", spec.App{Hosts: []string{"still.test"}}, files{"index.html": devPage})
	b.publish("r1", b.app("a", "r1", spec.App{Hosts: []string{"a.test"}}, files{"index.html": devPage}), still)
	address, stop := b.run()
	first := releaseOf(t, b.get("http://a.test/").Body.String())

	changing, unchanged := openStream(t, address, "a.test", first), openStream(t, address, "still.test", "")
	list := openStream(t, address, "localhost", "1")
	b.publish("r2", b.app("a", "r2", spec.App{Hosts: []string{"a.test"}}, files{"index.html": devPage + "new"}), still)
	second := releaseOf(t, b.get("http://a.test/").Body.String())
	if got := readStream(t, changing); !strings.Contains(got, "event: reload\ndata: "+second) || first == second {
		t.Errorf("%q", got)
	}
	if got := readStream(t, list); !strings.Contains(got, "event: reload\ndata: 2") {
		t.Errorf("%q", got)
	}
	if got := readStream(t, unchanged); strings.Contains(got, "reload\n") {
		t.Errorf("%q", got)
	}
	eventually(t, "the retired snapshot ends", func() bool { return b.Stats() == edge.Stats{Snapshots: 1, Leases: 2} })

	if got := readStream(t, openStream(t, address, "a.test", first)); !strings.Contains(got, "event: reload\ndata: "+second) {
		t.Errorf("what was missed: %q", got)
	}
	waiting := openStream(t, address, "a.test", second)
	if err := stop(); err != nil {
		t.Error(err)
	}
	if got := readStream(t, waiting); strings.Contains(got, "reload\n") {
		t.Errorf("%q", got)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	eventually(t, "goroutines end", func() bool { return runtime.NumGoroutine() <= before })
}

func releaseOf(t *testing.T, page string) string {
	t.Helper()
	_, rest, _ := strings.Cut(page, `data-release="`)
	release, _, ok := strings.Cut(rest, `"`)
	if !ok {
		t.Fatalf("no release in %s", page)
	}
	return release
}

// openStream connects and returns once the server has begun to answer.
func openStream(t *testing.T, address, host, have string) *http.Response {
	t.Helper()
	r, _ := http.NewRequest("GET", "http://"+address+"/_fazt/reload?have="+have, nil)
	r.Host = host
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != 200 || response.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s: %d %v", host, response.StatusCode, response.Header)
	}
	return response
}

func readStream(t *testing.T, response *http.Response) string {
	t.Helper()
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	if err != nil {
		t.Error(err)
	}
	return string(all)
}

func TestReloadStreamHasAHeartbeat(t *testing.T) {
	timed(t, edge.Config{Dev: true}, func(t *testing.T, b *bench, m *memory) {
		b.publish("r1", b.app("a", "r1", spec.App{Hosts: []string{"a.test"}}, files{"index.html": devPage}))
		c := m.dial()
		go io.WriteString(c, "GET /_fazt/reload HTTP/1.1\r\nHost: a.test\r\n\r\n")
		response, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		beats := bufio.NewReader(response.Body)
		for n := 0; n < 10; {
			line, err := beats.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(line, ":") {
				n++
			}
		}
		if took := time.Since(began); took < 10*time.Second || took > 5*time.Minute {
			t.Errorf("ten beats in %s", took)
		}
		c.Close()
		synctest.Wait()
		if got := b.Stats().Requests; got != 0 {
			t.Errorf("%d requests after the page is gone", got)
		}
	})
}
