package static_test

import (
	"encoding/hex"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/edge/static"
	"github.com/fazt-sh/fazt/platform/blob"
)

// spoil changes a byte of each file whose name has one of the endings, or cuts
// it: a large file is only looked at for its size before it is sent.
func spoil(t *testing.T, s site, cut bool, endings ...string) {
	t.Helper()
	for _, file := range listFiles(t, s.dir) {
		for _, ending := range endings {
			if filepath.Ext(file) != ending {
				continue
			}
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if body[len(body)/2] ^= 0x20; cut {
				body = body[:len(body)-1]
			}
			if err := os.WriteFile(file, body, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func (s site) spoilBlob(t *testing.T, d blob.Digest) {
	t.Helper()
	name := filepath.Join(s.dir, string(d[:2]), string(d[2:]))
	body, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	body[0] ^= 1
	if err := os.WriteFile(name, body, 0o600); err != nil {
		t.Fatal(err)
	}
}

func exist(t *testing.T, s site) string {
	t.Helper()
	var endings []string
	err := filepath.WalkDir(s.dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			endings = append(endings, filepath.Ext(name)+".")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(endings, " ")
}

// hexText is text that compresses to about half, so that its forms are large too.
func hexText(size int) string {
	random := make([]byte, size/2)
	rand.NewChaCha8([32]byte{1}).Read(random)
	return hex.EncodeToString(random)
}

// Whatever byte changed on the disk, nobody gets it: a compressed form that is
// damaged is dropped, alone, and the same request is answered in another; the
// bytes themselves are made again from a form that is sound; and only where none
// is, somebody else is asked for them.
func TestChangedBytesAreNotServed(t *testing.T) {
	small, big := strings.Repeat("<p>a page of some length</p>", 200), hexText(1<<20)
	for _, c := range []struct {
		name, body string
		bad        []string
		left       string // of the files, once everybody has asked
		status     int
	}{
		{"page.html", small, []string{".br"}, ". .gz. .zst.", 200},
		{"page.html", small, []string{".br", ".gz", ".zst"}, ".", 200},
		{"page.html", small, []string{""}, ". .br. .gz. .zst.", 200},
		{"page.html", small, []string{"", ".br", ".gz"}, ". .zst.", 200},
		{"page.html", small, []string{"", ".br", ".gz", ".zst"}, "", 503},
		{"big.svg", big, []string{".br"}, ". .gz. .zst.", 200},
		{"big.svg", big, []string{""}, ". .br. .gz. .zst.", 200},
		{"big.png", big, []string{""}, "", 503},
	} {
		var lost []blob.Digest
		s := newSite(t, map[string]string{c.name: c.body}, func(o *static.Options) {
			o.Lost = func(d blob.Digest) { lost = append(lost, d) }
		})
		spoil(t, s, c.body == big, c.bad...)
		for range 2 {
			for _, accept := range []string{"br", "gzip", "zstd", "identity", "br, identity;q=0.1"} {
				resp := s.get("/"+strings.TrimSuffix(c.name, ".html"), "Accept-Encoding", accept)
				if resp.StatusCode != c.status {
					t.Errorf("%s without %q in %s: %d", c.name, c.bad, accept, resp.StatusCode)
				}
				if got := readAll(t, resp); resp.Header.Get("Content-Encoding") == "" && c.status == 200 && got != c.body {
					t.Errorf("%s without %q in %s: other bytes", c.name, c.bad, accept)
				}
			}
		}
		if got := exist(t, s); got != c.left {
			t.Errorf("%s without %q: %q are left, want %q", c.name, c.bad, got, c.left)
		}
		if told := len(lost) > 0; told != (c.status == 503) {
			t.Errorf("%s without %q: lost %q", c.name, c.bad, lost)
		}
	}
}

// A range of a damaged form is one of the next form's, under that one's tag.
func TestRangeOfDamagedForm(t *testing.T) {
	s := newSite(t, map[string]string{"page.html": strings.Repeat("<p>a page of some length</p>", 200)})
	spoil(t, s, false, ".br", ".gz", ".zst")
	resp := s.get("/page", "Accept-Encoding", "br", "Range", "bytes=0-2")
	if got := readAll(t, resp); resp.StatusCode != 206 || got != "<p>" || resp.Header.Get("Content-Encoding") != "" || strings.Contains(resp.Header.Get("Etag"), "br") {
		t.Errorf("%d %q %v", resp.StatusCode, got, resp.Header)
	}
}
