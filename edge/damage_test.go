package edge_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/spec"
)

// spoil changes a byte of a blob on the disk.
func spoil(t *testing.T, dir, text string) {
	t.Helper()
	d := digest(text)
	bad := []byte(text)
	bad[0] ^= 1
	if err := os.WriteFile(filepath.Join(dir, d[:2], d[2:]), bad, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestDamagedFileIsToldAndMended: a visitor is told to come back, whoever can
// fetch the bytes hears of it, and with them the same snapshot serves again.
func TestDamagedFileIsToldAndMended(t *testing.T) {
	dir := t.TempDir()
	var lost []string
	b := newBench(t, edge.Config{Blobs: openBlobs(t, dir), Lost: func(blob string) { lost = append(lost, blob) }})
	app := b.app("a", "r1", spec.App{}, files{"index.html": "home", "b.txt": "b"})
	b.publish("r1", app)
	spoil(t, dir, "home")
	for range 2 {
		if got := b.get("http://a.example.com/"); got.Code != http.StatusServiceUnavailable {
			t.Errorf("damaged bytes: %d %q", got.Code, got.Body)
		}
	}
	if !slices.Contains(lost, digest("home")) || slices.Contains(lost, digest("b")) {
		t.Errorf("lost %v", lost)
	}
	if got := b.get("http://a.example.com/b.txt"); got.Code != 200 {
		t.Errorf("the other file: %d", got.Code)
	}
	served, err := b.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	file := served[0].Content.Files[1]
	if err := b.Mend(context.Background(), file, strings.NewReader("hone")); fault.KindOf(err) != fault.Invalid {
		t.Errorf("other bytes: %v", err)
	}
	if err := b.Mend(context.Background(), file, strings.NewReader("home")); err != nil {
		t.Fatal(err)
	}
	if got := b.get("http://a.example.com/"); got.Code != 200 || got.Body.String() != "home" {
		t.Errorf("mended: %d %q", got.Code, got.Body)
	}
}

// TestDamagedRulesAreNotRead: an app whose rules changed on the disk cannot be
// staged from there.
func TestDamagedRulesAreNotRead(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, edge.Config{Blobs: openBlobs(t, dir)})
	rules := "/old /new 302\n"
	app := b.app("a", "r1", spec.App{}, files{"index.html": "home", "_redirects": rules})
	b.publish("r1", app)
	kept, err := b.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	spoil(t, dir, rules)
	next := edge.New(edge.Config{Blobs: openBlobs(t, dir)})
	st, err := next.Stage(t.Context(), edge.Desired{Revision: "r1", Objects: kept})
	if err != nil || len(st.Faults()) != 1 {
		t.Errorf("%+v, %v", st, err)
	}
}

// TestVerifiedStage: a release that is put back is read again; what is damaged is
// fetched where it can be, and otherwise the app's fault.
func TestVerifiedStage(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, edge.Config{Blobs: openBlobs(t, dir)})
	first := b.app("a", "r1", spec.App{}, files{"index.html": "one"})
	b.publish("r1", first)
	kept, err := b.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.publish("r2", b.app("a", "r2", spec.App{}, files{"index.html": "two"}))
	spoil(t, dir, "one")
	st, err := b.Stage(t.Context(), edge.Desired{Revision: "r1", Objects: kept, Verify: true})
	if err != nil || len(st.Faults()) != 1 || !strings.Contains(st.Faults()[0].Err.Error(), "index.html") {
		t.Fatalf("%+v, %v", st, err)
	}
	st.Discard()
	b.app("a", "r1", spec.App{}, files{"index.html": "one"})
	st, err = b.Stage(t.Context(), edge.Desired{Revision: "r1", Objects: kept, Verify: true, Files: b.open})
	if err != nil || len(st.Faults()) != 0 {
		t.Fatalf("%+v, %v", st, err)
	}
	st.Publish(3)
	if got := b.get("http://a.example.com/"); got.Body.String() != "one" {
		t.Errorf("%d %q", got.Code, got.Body)
	}
}
