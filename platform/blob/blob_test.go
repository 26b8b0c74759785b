package blob_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/fazt-sh/fazt/platform/blob"
	"github.com/fazt-sh/fazt/platform/fault"
	"pgregory.net/rapid"
)

func open(t testing.TB, dir string) *blob.Store {
	t.Helper()
	s, err := blob.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t testing.TB, b *blob.Batch, body string, compress bool) blob.Digest {
	t.Helper()
	d, n, err := b.Put(context.Background(), strings.NewReader(body), compress)
	if err != nil {
		t.Fatal(err)
	}
	if n != int64(len(body)) || d != digest(body) {
		t.Fatalf("put = %s, %d bytes", d, n)
	}
	return d
}

func keep(t testing.TB, s *blob.Store, body string, compress bool) blob.Digest {
	t.Helper()
	b := s.Batch()
	d := put(t, b, body, compress)
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	return d
}

func digest(body string) blob.Digest {
	sum := sha256.Sum256([]byte(body))
	return blob.Digest(hex.EncodeToString(sum[:]))
}

func read(t testing.TB, s *blob.Store, d blob.Digest, e blob.Encoding) string {
	t.Helper()
	f, err := s.Open(d, e)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	body, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// files lists the regular files under dir.
func files(t testing.TB, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

var page = strings.Repeat("<p>the same paragraph again, as pages have it</p>\n", 200)

// What was committed is read back, in every encoding, also by the next process;
// what was not is not there.
func TestCommit(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	b := s.Batch()
	d := put(t, b, page, true)
	if _, ok := s.Stat(d, blob.Identity); ok {
		t.Error("a blob is visible before its batch is committed")
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	b.Discard()
	s = open(t, dir)
	if got := read(t, s, d, blob.Identity); got != page {
		t.Errorf("identity = %d bytes", len(got))
	}
	for _, e := range []blob.Encoding{blob.Brotli, blob.Zstd, blob.Gzip} {
		if n, ok := s.Stat(d, e); !ok || n > int64(len(page))*95/100 {
			t.Errorf("%s: %d bytes, %v", e, n, ok)
		}
	}
	if err := s.Verify(d); err != nil {
		t.Error(err)
	}
	zr, err := gzip.NewReader(strings.NewReader(read(t, s, d, blob.Gzip)))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(zr); err != nil || string(got) != page {
		t.Errorf("gunzipped %d bytes: %v", len(got), err)
	}
}

// Whatever is put is what is read, with and without compression, small and
// streamed.
func TestRoundTrip(t *testing.T) {
	s := open(t, t.TempDir())
	rapid.Check(t, func(rt *rapid.T) {
		unit := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(rt, "unit")
		body := bytes.Repeat(unit, rapid.IntRange(0, 40).Draw(rt, "times"))
		b := s.Batch()
		defer b.Discard()
		d, _, err := b.Put(t.Context(), bytes.NewReader(body), rapid.Bool().Draw(rt, "compress"))
		if err != nil {
			rt.Fatal(err)
		}
		if err := b.Commit(); err != nil {
			rt.Fatal(err)
		}
		if read(t, s, d, blob.Identity) != string(body) {
			rt.Fatal("other bytes")
		}
		if err := s.Verify(d); err != nil {
			rt.Fatal(err)
		}
	})
}

func TestLargeIsStreamed(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	large := strings.Repeat(page, 300) // 3 MB
	d := keep(t, s, large, true)
	if read(t, s, d, blob.Identity) != large {
		t.Error("other bytes")
	}
	if err := s.Verify(d); err != nil {
		t.Error(err)
	}
	if got := len(files(t, dir)); got != 4 {
		t.Errorf("%d files, want the bytes and three variants", got)
	}
	keep(t, s, large, true)
	if got := len(files(t, dir)); got != 4 {
		t.Errorf("%d files after the same again", got)
	}
}

// A variant has to earn its place.
func TestVariantsThatDoNotPay(t *testing.T) {
	random := make([]byte, 10_000)
	rand.Read(random)
	for name, c := range map[string]struct {
		body     string
		compress bool
	}{
		"small":          {page[:255], true},
		"incompressible": {string(random), true},
		"not asked":      {page, false},
		"empty":          {"", true},
	} {
		dir := t.TempDir()
		keep(t, open(t, dir), c.body, c.compress)
		if got := files(t, dir); len(got) != 1 {
			t.Errorf("%s: %d files", name, len(got))
		}
	}
}

// The variants come when they are first asked for, also if the bytes were there
// before.
func TestCompressLater(t *testing.T) {
	s := open(t, t.TempDir())
	d := keep(t, s, page, false)
	keep(t, s, page, true)
	if _, ok := s.Stat(d, blob.Brotli); !ok {
		t.Error("no variant")
	}
}

func TestKnownBlobIsNotWrittenAgain(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	d := keep(t, s, page, true)
	before, err := os.Stat(files(t, dir)[0])
	if err != nil {
		t.Fatal(err)
	}
	b := s.Batch()
	put(t, b, page, true)
	if left := files(t, filepath.Join(dir, "tmp")); len(left) != 0 {
		t.Errorf("wrote %v", left)
	}
	b.Discard()
	after, err := os.Stat(files(t, dir)[0])
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("the file was replaced: %v", err)
	}
	if err := s.Verify(d); err != nil {
		t.Error("discard took what another batch had committed:", err)
	}
}

// A blob cut short by a failing disk is noticed by its size and written anew.
func TestTruncatedBlobIsReplaced(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	d := keep(t, s, page, false)
	if err := os.Truncate(files(t, dir)[0], 10); err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(d); fault.KindOf(err) != fault.Internal {
		t.Errorf("verify of a truncated blob = %v", err)
	}
	keep(t, s, page, false)
	if err := s.Verify(d); err != nil {
		t.Error(err)
	}
}

func TestVerifyFindsDamage(t *testing.T) {
	for _, e := range []string{"", ".br", ".zst", ".gz"} {
		dir := t.TempDir()
		s := open(t, dir)
		d := keep(t, s, page, true)
		name := filepath.Join(dir, string(d[:2]), string(d[2:])+e)
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		body[len(body)/2] ^= 0x40
		if err := os.WriteFile(name, body, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.Verify(d); fault.KindOf(err) != fault.Internal {
			t.Errorf("%q: %v", e, err)
		}
		if err := s.Remove(d); err != nil {
			t.Fatal(err)
		}
		if err := s.Verify(d); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%q after remove: %v", e, err)
		}
		keep(t, s, page, true)
		if err := s.Verify(d); err != nil {
			t.Errorf("%q put again: %v", e, err)
		}
	}
}

func TestDiscardLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	b := s.Batch()
	d := put(t, b, page, true)
	put(t, b, strings.Repeat(page, 300), true)
	b.Discard()
	if left := files(t, dir); len(left) != 0 {
		t.Errorf("left %v", left)
	}
	if _, ok := s.Stat(d, blob.Identity); ok {
		t.Error("a discarded blob is there")
	}
	if _, _, err := b.Put(t.Context(), strings.NewReader("x"), false); err == nil {
		t.Error("put into an ended batch")
	}
	if err := b.Commit(); err == nil {
		t.Error("commit of an ended batch")
	}
}

// A batch that cannot be made durable leaves none of its names: a later one
// would take them for kept.
func TestFailedCommitLeavesNoNames(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	b := s.Batch()
	var last blob.Digest
	for i := range 20 {
		last = put(t, b, fmt.Sprint(page, i), true)
	}
	inTheWay := filepath.Join(dir, string(last[:2]))
	if err := os.WriteFile(inTheWay, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.Commit(); err == nil {
		t.Fatal("committed")
	}
	b.Discard()
	if left := files(t, dir); len(left) != 1 {
		t.Errorf("left %v", left)
	}
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	d := keep(t, s, page, true)
	if err := s.Verify(d); err != nil {
		t.Error(err)
	}
}

func TestOpenRemovesHalfWrittenFiles(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir).Batch()
	put(t, b, page, true)
	if len(files(t, dir)) == 0 {
		t.Fatal("nothing was in flight")
	}
	open(t, dir)
	if left := files(t, dir); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

// A source that fails half-way stages nothing, and the same bytes can be put
// later in the same batch.
func TestFailedPut(t *testing.T) {
	for name, size := range map[string]int{"small": 1, "large": 300} {
		dir := t.TempDir()
		s := open(t, dir)
		b := s.Batch()
		body := strings.Repeat(page, size)
		broken := io.MultiReader(strings.NewReader(body), iotest.ErrReader(io.ErrUnexpectedEOF))
		if _, _, err := b.Put(t.Context(), broken, true); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %v", name, err)
		}
		if left := files(t, dir); len(left) != 0 {
			t.Errorf("%s: left %v", name, left)
		}
		d := put(t, b, body, true)
		if err := b.Commit(); err != nil {
			t.Fatal(err)
		}
		if err := s.Verify(d); err != nil {
			t.Error(err)
		}
	}
}

func TestPutEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := open(t, t.TempDir()).Batch()
	defer b.Discard()
	_, _, err := b.Put(ctx, strings.NewReader(page), false)
	if !errors.Is(err, context.Canceled) || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("err = %v", err)
	}
}

// Goroutines that put the same and different bytes into several batches at once
// end with every blob whole and no temporary file.
func TestConcurrentPuts(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	var batches sync.WaitGroup
	for range 3 {
		batches.Go(func() {
			b := s.Batch()
			var puts sync.WaitGroup
			for i := range 8 {
				puts.Go(func() {
					for j := range 10 {
						body := strings.Repeat(page, 1+(i+j)%10)
						if d, _, err := b.Put(context.Background(), strings.NewReader(body), true); err != nil || d != digest(body) {
							t.Error(d, err)
						}
					}
				})
			}
			puts.Wait()
			if err := b.Commit(); err != nil {
				t.Error(err)
			}
		})
	}
	batches.Wait()
	for i := range 10 {
		if err := s.Verify(digest(strings.Repeat(page, 1+i))); err != nil {
			t.Error(err)
		}
	}
	if left := files(t, filepath.Join(dir, "tmp")); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

// A digest is the only thing that reaches the file system, so a path that
// pretends to be one gets nowhere.
func TestDigestsOnly(t *testing.T) {
	s := open(t, t.TempDir())
	for _, d := range []blob.Digest{"", "ab", "../../../../etc/passwd", blob.Digest(strings.Repeat("A", 64)),
		blob.Digest("../" + strings.Repeat("a", 61))} {
		if _, ok := s.Stat(d, blob.Identity); ok {
			t.Errorf("stat %q", d)
		}
		if _, err := s.Open(d, blob.Identity); fault.KindOf(err) != fault.Invalid {
			t.Errorf("open %q: %v", d, err)
		}
		if err := s.Remove(d); fault.KindOf(err) != fault.Invalid {
			t.Errorf("remove %q: %v", d, err)
		}
	}
	if _, err := s.Open(digest("absent"), blob.Identity); fault.KindOf(err) != fault.NotFound {
		t.Errorf("absent: %v", err)
	}
}
