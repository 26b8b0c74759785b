package platform_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fazt-sh/fazt/platform"
	"github.com/fazt-sh/fazt/platform/blob"
	"github.com/fazt-sh/fazt/platform/release"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// words are a file list as this test writes it.
func words(list []byte, visit func(blob.Digest)) error {
	for _, word := range strings.Fields(string(list)) {
		visit(blob.Digest(word))
	}
	return nil
}

// serve puts texts into the store and records them as what is served; what begins
// with a 7 is not compressed.
func serve(t *testing.T, p *platform.Platform, texts ...string) (list []blob.Digest) {
	t.Helper()
	b := p.Blobs.Batch()
	var manifest []string
	for _, text := range texts {
		d, _, err := b.Put(t.Context(), strings.NewReader(text), text[0] != 7)
		if err != nil {
			t.Fatal(err)
		}
		list, manifest = append(list, d), append(manifest, string(d))
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := p.DB.Write(t.Context(), func(tx *sqlite.Tx) error {
		return p.Releases.Commit(tx, release.Change{Generation: release.Generation{Number: 1}, Put: []release.Object{
			{Addr: "app.a", Kind: "app", Name: "a", Manifest: []byte(strings.Join(manifest, " "))}}})
	}); err != nil {
		t.Fatal(err)
	}
	return list
}

func blobFile(p *platform.Platform, d blob.Digest) string {
	return filepath.Join(p.Dir, "blob", string(d[:2]), string(d[2:]))
}

func spoil(t *testing.T, name string) {
	t.Helper()
	body, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	body[len(body)/2] ^= 4
	if err := os.WriteFile(name, body, 0o600); err != nil {
		t.Fatal(err)
	}
}

// What is served is read again each hour, at no more than its rate: damage is
// told, a form alone goes alone, and what nobody serves is nobody's.
func TestScrub(t *testing.T) {
	const large = 16 << 20
	synctest.Test(t, func(t *testing.T) {
		p := open(t, t.TempDir())
		defer p.Close()
		page := strings.Repeat("the same line again\n", 1000)
		list := serve(t, p, "small", page, string(bytes.Repeat([]byte{7}, large)), "good", "missing")
		spoil(t, blobFile(p, list[0]))
		spoil(t, blobFile(p, list[1])+".br")
		if err := os.Remove(blobFile(p, list[4])); err != nil {
			t.Fatal(err)
		}
		told := make(chan blob.Digest, 8)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		began := time.Now()
		go func() {
			done <- p.Run(ctx, platform.Files{Digests: words, Damaged: func(d blob.Digest) { told <- d }})
		}()
		found := map[blob.Digest]bool{<-told: true}
		found[<-told] = true
		if !found[list[0]] || !found[list[4]] {
			t.Errorf("damaged are %v", found)
		}
		time.Sleep(time.Minute) // it is through
		synctest.Wait()
		if _, there := p.Blobs.Stat(list[1], blob.Brotli); there {
			t.Error("a damaged form is still there")
		}
		for _, d := range list[1:4] {
			if err := p.Blobs.Verify(d); err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(began); took < time.Hour {
			t.Errorf("it began after %s", took)
		}
		cancel()
		if err := <-done; err != nil || len(told) > 0 {
			t.Errorf("%v, and %d more", err, len(told))
		}
	})
}

// A folder that was not closed is read again at the start, as slowly.
func TestScrubAfterACrash(t *testing.T) {
	const large = 16 << 20
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		p := open(t, dir)
		list := serve(t, p, string(bytes.Repeat([]byte{7}, large)))
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "lock"), []byte("4194304999\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		spoil(t, blobFile(p, list[0]))
		p = open(t, dir)
		defer p.Close()
		ctx, cancel := context.WithCancel(t.Context())
		told, done, began := make(chan blob.Digest, 1), make(chan error), time.Now()
		go func() {
			done <- p.Run(ctx, platform.Files{Digests: words, Damaged: func(d blob.Digest) { told <- d }})
		}()
		<-told
		if took := time.Since(began); took < 400*time.Millisecond || took > time.Minute {
			t.Errorf("%d MiB took %s", large>>20, took)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
