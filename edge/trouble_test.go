package edge_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/spec"
)

// In dev an app that was never served says why at its own address, escaped; a served
// one goes on, and elsewhere nobody hears of it.
func TestAppsSayWhyTheyAreNotServed(t *testing.T) {
	for _, dev := range []bool{true, false} {
		b := newBench(t, edge.Config{Dev: dev})
		b.publish("r1", b.app("served", "r1", spec.App{Hosts: []string{"served.localhost"}}, files{"index.html": devPage}))
		b.Trouble([]edge.Trouble{{Addr: "app.new", Name: "new", Text: "error: <b> at api/main.ts:1\n"}, {Addr: "app.served", Name: "served", Text: "error: other\n"}})
		w := b.get("http://new.localhost:8787/any/path")
		if want := map[bool]int{true: 503, false: 421}[dev]; w.Code != want {
			t.Errorf("dev %v: %d", dev, w.Code)
		}
		page := w.Body.String()
		if got := strings.Contains(page, "error: &lt;b&gt; at api/main.ts:1") && strings.Contains(page, `data-release="gone"`); got != dev || strings.Contains(page, "other") {
			t.Errorf("dev %v: %s", dev, page)
		}
		if w := b.get("http://served.localhost/"); w.Code != 200 {
			t.Errorf("dev %v: %d", dev, w.Code)
		}
		if w := b.get("http://other.localhost/"); w.Code != 421 {
			t.Errorf("dev %v: %d", dev, w.Code)
		}
	}
}

// Where nothing was served yet, every address says why.
func TestAnEmptyNodeSaysWhy(t *testing.T) {
	b := newBench(t, edge.Config{Dev: true})
	if w := b.get("http://a.localhost/"); w.Code != 503 || strings.Contains(w.Body.String(), "fazt-trouble") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	b.Trouble([]edge.Trouble{{Text: "error: broken"}})
	if w := b.get("http://a.localhost/"); w.Code != 503 || !strings.Contains(w.Body.String(), "error: broken") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// A page hears of what is wrong with its own app, and when it is mended.
func TestPagesHearOfTrouble(t *testing.T) {
	b := newBench(t, edge.Config{Dev: true})
	b.publish("r1", b.app("a", "r1", spec.App{Hosts: []string{"a.localhost"}}, files{"index.html": devPage}))
	address, stop := b.run()
	b.Trouble([]edge.Trouble{{Addr: "app.other", Name: "other", Text: "not yours"}, {Addr: "app.a", Name: "a", Text: "line one\nline two\n"}})
	stream := openStream(t, address, "a.localhost", releaseOf(t, b.get("http://a.localhost/").Body.String()))
	heard(t, stream, `event: trouble`+"\n"+`data: "line one\nline two"`)
	b.Trouble(nil)
	heard(t, stream, `event: trouble`+"\n"+`data: ""`)
	stream.Body.Close()
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// heard reads a stream up to a text, which has to come.
func heard(t *testing.T, stream *http.Response, want string) {
	t.Helper()
	var all strings.Builder
	for part := make([]byte, 1); !strings.Contains(all.String(), want); {
		n, err := stream.Body.Read(part)
		if err != nil {
			t.Fatalf("%v after %q", err, &all)
		}
		all.Write(part[:n])
	}
}
