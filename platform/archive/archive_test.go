package archive_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/platform/archive"
	"github.com/fazt-sh/fazt/platform/fault"
)

var head = archive.Head{Kind: "backup", App: "notes", Time: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC), Version: "0.4.0"}

// write makes an archive of pieces.
func write(t interface{ Fatal(...any) }, pieces map[string]string) []byte {
	var b bytes.Buffer
	w, err := archive.NewWriter(&b, head)
	for _, name := range slices.Sorted(maps.Keys(pieces)) {
		err = errors.Join(err, w.Add(name, int64(len(pieces[name])), strings.NewReader(pieces[name])))
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read returns the pieces of an archive that is whole.
func read(r io.Reader, l archive.Limits) (map[string]string, error) {
	a, err := archive.NewReader(r, l)
	if err != nil {
		return nil, err
	}
	pieces := map[string]string{}
	for {
		name, size, err := a.Next()
		if err == io.EOF {
			return pieces, nil
		}
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(a)
		if err != nil {
			return nil, err
		}
		if int64(len(text)) != size {
			return nil, fmt.Errorf("%s has %d bytes and said %d", name, len(text), size)
		}
		pieces[name] = string(text)
	}
}

func drawPieces(t *rapid.T) map[string]string {
	names := rapid.SampledFrom([]string{"app.json", "data/data.db", "data/files/ab/cd", "data/files/ab/ef", "data/manifest.json", "blob/00/11"})
	return rapid.MapOf(names, rapid.StringMatching(`[a-z]{0,600}`)).Draw(t, "pieces")
}

// What is written is read, and a flipped bit or an early end anywhere is found,
// unless it changes nothing that anybody reads.
func TestArchive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := drawPieces(t)
		b := write(t, pieces)
		got, err := read(iotest.OneByteReader(bytes.NewReader(b)), archive.Limits{})
		if err != nil || !maps.Equal(got, pieces) {
			t.Fatalf("%v, %v", got, err)
		}
		bent := bytes.Clone(b)
		bent[rapid.IntRange(0, len(b)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if got, err = read(bytes.NewReader(bent), archive.Limits{}); err == nil && !maps.Equal(got, pieces) || err != nil && fault.KindOf(err) != fault.Invalid {
			t.Fatalf("bent: %v, %v", got, err)
		}
		cut := rapid.IntRange(0, len(b)-1024-512).Draw(t, "cut") // behind are the last piece, and the end mark of the tar
		if got, err = read(bytes.NewReader(b[:cut]), archive.Limits{}); fault.KindOf(err) != fault.Invalid {
			t.Fatalf("cut: %v, %v", got, err)
		}
	})
}

// hostile is a tar whose entries are written as they are told.
func hostile(t *testing.T, entries ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range entries {
		text := h.Linkname
		if h.Typeflag == tar.TypeReg {
			h.Size, h.Linkname = int64(len(text)), ""
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			io.WriteString(w, text)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func file(name, text string) tar.Header {
	return tar.Header{Typeflag: tar.TypeReg, Name: name, Linkname: text, Mode: 0o600}
}

func TestHostileArchives(t *testing.T) {
	first := file("fazt.json", `{"format":1,"kind":"backup","app":"notes"}`)
	last := file("end.json", `{}`)
	for name, b := range map[string][]byte{
		"nothing":          {},
		"no tar":           []byte(strings.Repeat("no tar ", 300)),
		"no head":          hostile(t, file("app.json", "{}"), last),
		"no JSON":          hostile(t, file("fazt.json", "{"), last),
		"no end":           hostile(t, first, file("app.json", "{}")),
		"an end of others": hostile(t, first, file("app.json", "{}"), last),
		"up":               hostile(t, first, file("../app.json", "{}"), last),
		"up within":        hostile(t, first, file("data/../../app.json", "{}"), last),
		"absolute":         hostile(t, first, file("/etc/passwd", "{}"), last),
		"hidden":           hostile(t, first, file("data/.ssh", "{}"), last),
		"backslash":        hostile(t, first, file(`data\app`, "{}"), last),
		"deep":             hostile(t, first, file("a/b/c/d/e/f/g", "{}"), last),
		"a link":           hostile(t, first, tar.Header{Typeflag: tar.TypeSymlink, Name: "data", Linkname: "/etc"}, last),
		"a hard link":      hostile(t, first, tar.Header{Typeflag: tar.TypeLink, Name: "data", Linkname: "/etc/passwd"}, last),
		"a device":         hostile(t, first, tar.Header{Typeflag: tar.TypeChar, Name: "data"}, last),
		"a folder":         hostile(t, first, tar.Header{Typeflag: tar.TypeDir, Name: "data"}, last),
		"twice":            hostile(t, first, file("a", "1"), file("a", "2"), last),
		"out of order":     hostile(t, first, file("b", "1"), file("a", "2"), last),
		"two heads":        hostile(t, first, first, last),
		"other format":     hostile(t, file("fazt.json", `{"format":2,"version":"9.0.0"}`), last),
		"a huge head":      hostile(t, file("fazt.json", `{"format":1,"app":"`+strings.Repeat("x", 1<<17)+`"}`), last),
		"a huge end":       hostile(t, first, file("end.json", strings.Repeat(" ", 1<<17))),
		"strange records":  hostile(t, first, tar.Header{Typeflag: tar.TypeReg, Name: "a", PAXRecords: map[string]string{"FAZT.x": "y"}, Format: tar.FormatPAX}, last),
	} {
		pieces, err := read(bytes.NewReader(b), archive.Limits{})
		if fault.KindOf(err) != fault.Invalid || fault.HintOf(err) == "" {
			t.Errorf("%s: %v, %v", name, pieces, err)
		}
	}
	_, err := read(bytes.NewReader(hostile(t, file("fazt.json", `{"format":2,"version":"9.0.0"}`))), archive.Limits{})
	if err == nil || !strings.Contains(fault.HintOf(err), "9.0.0") {
		t.Errorf("another version's: %v, %s", err, fault.HintOf(err))
	}
}

// A size is judged before its bytes are awaited: this one never come.
func TestHugeSizes(t *testing.T) {
	for _, size := range []int64{1 << 40, 1<<62 + 1} {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		text, _ := json.Marshal(archive.Head{Format: 1})
		if err := errors.Join(w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "fazt.json", Size: int64(len(text))})); err != nil {
			t.Fatal(err)
		}
		w.Write(text)
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "data/data.db", Size: size, Format: tar.FormatPAX}); err != nil {
			t.Fatal(err)
		}
		a, err := archive.NewReader(&b, archive.Limits{Bytes: 1 << 30})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := a.Next(); fault.KindOf(err) != fault.Exhausted {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	b := write(t, map[string]string{"a": "1", "b": "2", "c": "3"})
	if _, err := read(bytes.NewReader(b), archive.Limits{Pieces: 3}); fault.KindOf(err) != fault.Exhausted {
		t.Errorf("more pieces than may be: %v", err)
	}
}

// A disk that fails is not the archive's fault.
func TestReaderThatFails(t *testing.T) {
	b := write(t, map[string]string{"a": strings.Repeat("x", 5000)})
	broken := io.MultiReader(bytes.NewReader(b[:3000]), iotest.ErrReader(errors.New("the disk is gone")))
	if _, err := read(broken, archive.Limits{}); fault.KindOf(err) != fault.Unavailable {
		t.Error(err)
	}
}

func TestWriterRefuses(t *testing.T) {
	w, err := archive.NewWriter(io.Discard, head)
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"a name of its own": w.Add("end.json", 0, strings.NewReader("")),
		"a bad name":        w.Add("../a", 0, strings.NewReader("")),
	} {
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := w.Add("a", 5, strings.NewReader("1234")); err == nil {
		t.Error("fewer bytes than it was told")
	}
}

func TestUnpack(t *testing.T) {
	b := write(t, map[string]string{"app.json": "{}", "data/data.db": "rows", "data/files/ab/cd": "bytes"})
	a, err := archive.NewReader(bytes.NewReader(b), archive.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if h := a.Head(); h.App != "notes" || !h.Time.Equal(head.Time) || h.Kind != "backup" {
		t.Errorf("it is %+v", h)
	}
	dir := t.TempDir()
	var app struct{}
	err = a.Unpack(t.Context(), dir, true, func(name string) (bool, error) { return name == "app.json", takeJSON(a, name, &app) })
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"data/data.db": "rows", "data/files/ab/cd": "bytes"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "app.json")); err == nil {
		t.Error("what somebody else took is written")
	}
	if info, err := os.Stat(filepath.Join(dir, "data/data.db")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v", info.Mode())
	}
}

// Nothing that lies in the folder already leads out of it, and nothing is written
// over.
func TestUnpackStaysInside(t *testing.T) {
	outside := t.TempDir()
	for name, prepare := range map[string]func(dir string) error{
		"a link":       func(dir string) error { return os.Symlink(outside, filepath.Join(dir, "data")) },
		"a file there": func(dir string) error { return os.WriteFile(filepath.Join(dir, "data"), nil, 0o600) },
	} {
		dir := t.TempDir()
		if err := prepare(dir); err != nil {
			t.Fatal(err)
		}
		a, err := archive.NewReader(bytes.NewReader(write(t, map[string]string{"data/x": "1"})), archive.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Unpack(t.Context(), dir, false, nil); err == nil {
			t.Errorf("%s: it was written", name)
		}
		if left, _ := os.ReadDir(outside); len(left) > 0 {
			t.Errorf("%s: outside there is %v", name, left)
		}
	}
	a, err := archive.NewReader(bytes.NewReader(write(t, map[string]string{"a": "1", "a/b": "2"})), archive.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Unpack(t.Context(), t.TempDir(), false, nil); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a file that is a folder: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	a, err = archive.NewReader(bytes.NewReader(write(t, map[string]string{"a": "1"})), archive.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Unpack(ended, t.TempDir(), false, nil); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("nobody waits for it: %v", err)
	}
}

// Whatever comes, the reader stops, keeps to its bounds and says what is wrong;
// what it takes for whole can be written again as it was.
func FuzzReader(f *testing.F) {
	good := write(f, map[string]string{"app.json": "{}", "data/data.db": "rows", "data/files/ab/cd": "bytes"})
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add(bytes.Replace(good, []byte("rows"), []byte("sows"), 1))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		pieces, err := read(bytes.NewReader(b), archive.Limits{Bytes: 1 << 20, Pieces: 100})
		if err != nil {
			if kind := fault.KindOf(err); kind != fault.Invalid && kind != fault.Exhausted {
				t.Errorf("%s: %v", kind, err)
			}
			return
		}
		again, err := read(bytes.NewReader(write(t, pieces)), archive.Limits{})
		if err != nil || !maps.Equal(again, pieces) {
			t.Errorf("%v became %v, %v", pieces, again, err)
		}
	})
}

// Whatever a header says, nothing is written outside the folder, and what is written
// is there under its own name.
func FuzzUnpack(f *testing.F) {
	f.Add("data/data.db", uint8(tar.TypeReg), "rows", "")
	f.Add("../out", uint8(tar.TypeReg), "rows", "")
	f.Add("data", uint8(tar.TypeSymlink), "", "/etc")
	f.Add("data/"+strings.Repeat("x", 300), uint8(tar.TypeReg), "", "")
	f.Fuzz(func(t *testing.T, name string, flag uint8, text, link string) {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range []tar.Header{
			{Typeflag: tar.TypeReg, Name: "fazt.json", Linkname: `{"format":1}`},
			{Typeflag: flag, Name: name, Linkname: link}, {Typeflag: tar.TypeReg, Name: name + "x", Linkname: text},
		} {
			body := h.Linkname
			if h.Typeflag == tar.TypeReg {
				h.Size, h.Linkname = int64(len(body)), ""
			}
			if w.WriteHeader(&h) != nil {
				return // no tar can say that
			}
			if h.Typeflag == tar.TypeReg {
				io.WriteString(w, body)
			}
		}
		w.Close()
		outer := t.TempDir()
		dir := filepath.Join(outer, "inner")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		a, err := archive.NewReader(&b, archive.Limits{Bytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Unpack(t.Context(), dir, false, nil); err == nil {
			t.Error("it has no end, and is whole")
		}
		if entries, err := os.ReadDir(outer); err != nil || len(entries) != 1 {
			t.Errorf("outside there is %v, %v", entries, err)
		}
		filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			if err != nil || e.Type()&^os.ModeDir != 0 {
				t.Errorf("%s is %v, %v", path, e.Type(), err)
			}
			return nil
		})
	})
}

func takeJSON(a *archive.Reader, name string, v any) error {
	if name != "app.json" {
		return nil
	}
	return a.JSON(100, v)
}
