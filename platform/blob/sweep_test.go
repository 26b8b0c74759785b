package blob_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/platform/blob"
)

// using marks some blobs as in use.
func using(list ...blob.Digest) func(context.Context) (func(blob.Digest) bool, error) {
	return func(context.Context) (func(blob.Digest) bool, error) {
		return func(d blob.Digest) bool {
			for _, u := range list {
				if u == d {
					return true
				}
			}
			return false
		}, nil
	}
}

// stored puts texts into a store.
func stored(t testing.TB, s *blob.Store, texts ...string) (list []blob.Digest) {
	t.Helper()
	b := s.Batch()
	for _, text := range texts {
		list = append(list, put(t, b, text, true))
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	return list
}

func there(s *blob.Store, d blob.Digest) bool { _, ok := s.Stat(d, blob.Identity); return ok }

// What has no use goes in the second sweep that finds it so, or at once where
// somebody is sure; what has one stays, with its variants.
func TestSweep(t *testing.T) {
	s := open(t, t.TempDir())
	long := fmt.Sprintf("%04000d", 7)
	list := stored(t, s, "kept", long, "gone")
	for round, want := range []int{0, 1} {
		swept, err := s.Sweep(t.Context(), using(list[0], list[1]), false)
		if err != nil || swept.Blobs != want || swept.Unused != 1-want {
			t.Fatalf("sweep %d: %+v, %v", round, swept, err)
		}
	}
	if there(s, list[2]) || !there(s, list[0]) || s.Verify(list[1]) != nil {
		t.Error("the wrong ones are left")
	}
	swept, err := s.Sweep(t.Context(), using(list[0]), true)
	if err != nil || swept.Blobs != 1 || swept.Bytes <= int64(len(long)) || there(s, list[1]) {
		t.Errorf("sure: %+v, %v", swept, err)
	}
}

// What comes back into use between two sweeps stays.
func TestSweepForgets(t *testing.T) {
	s := open(t, t.TempDir())
	list := stored(t, s, "a")
	for _, used := range [][]blob.Digest{nil, list, nil} {
		if swept, err := s.Sweep(t.Context(), using(used...), false); err != nil || swept.Blobs != 0 {
			t.Fatalf("%+v, %v", swept, err)
		}
	}
}

// What somebody uses under a hold stays, also when the hold ends while a sweep
// that knows nothing of it is at work; nothing else is kept for it.
func TestSweepMindsHolds(t *testing.T) {
	s := open(t, t.TempDir())
	list := stored(t, s, "a", "b")
	release := s.Hold()
	s.Use(list[0])
	if swept, err := s.Sweep(t.Context(), using(), true); err != nil || swept.Blobs != 1 || !there(s, list[0]) {
		t.Errorf("under a hold: %+v, %v", swept, err)
	}
	swept, err := s.Sweep(t.Context(), func(ctx context.Context) (func(blob.Digest) bool, error) {
		release()
		release()
		return using()(ctx)
	}, true)
	if err != nil || swept.Blobs != 0 || !there(s, list[0]) {
		t.Errorf("the hold ended meanwhile: %+v, %v", swept, err)
	}
	if swept, err := s.Sweep(t.Context(), using(), true); err != nil || swept.Blobs != 1 {
		t.Errorf("with nobody there: %+v, %v", swept, err)
	}
	s.Use(list[1]) // without a hold it is nobody's
	if swept, err := s.Sweep(t.Context(), using(), true); err != nil || swept.Unused != 0 {
		t.Errorf("without a hold: %+v, %v", swept, err)
	}
}

// What is put under a hold is used by that.
func TestSweepMindsPuts(t *testing.T) {
	s := open(t, t.TempDir())
	list := stored(t, s, "a")
	defer s.Hold()()
	again := stored(t, s, "a", "c")
	if swept, err := s.Sweep(t.Context(), using(), true); err != nil || swept.Blobs != 0 || again[0] != list[0] {
		t.Errorf("%+v, %v", swept, err)
	}
}

// What a sweep leaves is what is in use, and nothing else is lost.
func TestSweepLaw(t *testing.T) {
	s := open(t, t.TempDir())
	rapid.Check(t, func(r *rapid.T) {
		texts := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,8}`), 1, 8, rapid.ID[string]).Draw(r, "texts")
		list := stored(t, s, texts...)
		used := list[:rapid.IntRange(0, len(list)).Draw(r, "used")]
		if _, err := s.Sweep(t.Context(), using(used...), true); err != nil {
			r.Fatal(err)
		}
		for i, d := range list {
			if there(s, d) != (i < len(used)) {
				r.Fatalf("%q is there: %v", texts[i], there(s, d))
			}
		}
	})
}

// A variant whose blob is gone, as a crash leaves it, goes too.
func TestSweepTakesOrphanedVariants(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	list := stored(t, s, fmt.Sprintf("%04000d", 7))
	name := filepath.Join(dir, string(list[0][:2]), string(list[0][2:]))
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sweep(t.Context(), using(), true); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Stat(list[0], blob.Brotli); ok {
		t.Error("its variant is left")
	}
}
