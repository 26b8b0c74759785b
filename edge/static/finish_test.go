package static_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/fazt-sh/fazt/edge/static"
	"github.com/fazt-sh/fazt/platform/blob"
)

// A form is served once it is there, under a tag of its own; until then
// everybody gets the bytes as they are, and is told that this may change. What
// is damaged is not compressed, and what does not pay is tried once.
func TestFinish(t *testing.T) {
	dir := t.TempDir()
	store, err := blob.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	page, bad := hexText(100_000), "<p>"+hexText(50_000)
	b := store.Batch()
	o := static.Options{Store: store, Cache: static.NewCache(0)}
	for name, text := range map[string]string{"page.html": page, "bad.html": bad, "tiny.html": "<p>", "p.png": page + "."} {
		d, size, err := b.Put(t.Context(), strings.NewReader(text), false)
		if err != nil {
			t.Fatal(err)
		}
		o.Files = append(o.Files, static.File{Path: name, Blob: d, Size: size})
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	h, err := static.New(o)
	if err != nil {
		t.Fatal(err)
	}
	s := site{h, dir}
	for _, f := range o.Files {
		if f.Path == "bad.html" {
			s.spoilBlob(t, f.Blob)
		}
	}
	before := s.get("/page", "Accept-Encoding", "br")
	if got := readAll(t, before); got != page || before.Header.Get("Content-Encoding") != "" || before.Header.Get("Vary") != "Accept-Encoding" {
		t.Errorf("before: %d bytes, %v", len(got), before.Header)
	}
	var visitors sync.WaitGroup
	for range 4 {
		visitors.Go(func() {
			for range 50 {
				resp := s.get("/page", "Accept-Encoding", "br")
				if tag := resp.Header.Get("Etag"); strings.Contains(tag, "-br") != (resp.Header.Get("Content-Encoding") == "br") || resp.StatusCode != 200 {
					t.Errorf("%d, %v", resp.StatusCode, resp.Header)
				}
				readAll(t, resp)
			}
		})
	}
	if made, err := h.Finish(t.Context()); made != 1 || err != nil {
		t.Errorf("made %d, %v", made, err)
	}
	visitors.Wait()
	for _, form := range []string{"br", "zstd", "gzip"} {
		if resp := s.get("/page", "Accept-Encoding", form); resp.Header.Get("Content-Encoding") != form || resp.Header.Get("Etag") == before.Header.Get("Etag") {
			t.Errorf("%s: %v", form, resp.Header)
		}
	}
	if made, err := h.Finish(t.Context()); made != 0 || err != nil {
		t.Errorf("again: made %d, %v", made, err)
	}
	if got := strings.Count(exist(t, s), "br"); got != 1 {
		t.Errorf("%d files have forms", got)
	}
}
