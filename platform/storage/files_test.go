package storage_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/storage"
)

func putFile(t testing.TB, f *storage.Files, key, body string) storage.FileInfo {
	t.Helper()
	info, err := f.Put(t.Context(), key, strings.NewReader(body), storage.FileOptions{})
	ok(t, err)
	return info
}

func readFile(t interface {
	Helper()
	Fatal(...any)
}, f *storage.Files, key string, part *storage.Range) string {
	t.Helper()
	file, err := f.Get(context.Background(), key, part, storage.Condition{})
	ok(t, err)
	defer file.Body.Close()
	b, err := io.ReadAll(file.Body)
	ok(t, err)
	if int64(len(b)) != file.Length {
		t.Fatal("the body has another length than it says")
	}
	return string(b)
}

// blobs counts what is on the disk.
func blobs(t interface{ Fatal(...any) }, dir string) (n int) {
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			n++
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return n
}

func etag(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	f, ctx := openIn(t, pool(t, dir), "notes", storage.Settings{}).Files("FILES", 0), t.Context()
	info, err := f.Put(ctx, "a/b.txt", strings.NewReader("hello"), storage.FileOptions{Type: "text/plain", Meta: []byte(`{"by":"ana"}`)})
	ok(t, err)
	head, there, err := f.Head(ctx, "a/b.txt")
	ok(t, err)
	if !there || head.ETag != etag("hello") || head.Size != 5 || head.Type != "text/plain" || string(head.Meta) != `{"by":"ana"}` || head.Version != info.Version || !head.Modified.Equal(info.Modified) {
		t.Errorf("head %+v of %+v", head, info)
	}
	for want, part := range map[string]*storage.Range{"hello": nil, "ello": {Offset: 1}, "ll": {Offset: 2, Length: 2}, "llo": {Suffix: 3}, "lo": {Offset: 3, Length: 99}} {
		if got := readFile(t, f, "a/b.txt", part); got != want {
			t.Errorf("%+v: %q, want %q", part, got, want)
		}
	}
	for _, part := range []storage.Range{{Offset: 5}, {Offset: -1}, {Suffix: 1, Offset: 1}} {
		_, err := f.Get(ctx, "a/b.txt", &part, storage.Condition{})
		is(t, err, fault.Invalid)
	}
	// A reader of the old bytes goes on while they are replaced.
	file, err := f.Get(ctx, "a/b.txt", nil, storage.Condition{})
	ok(t, err)
	putFile(t, f, "a/b.txt", "good bye")
	b, err := io.ReadAll(file.Body)
	if file.Body.Close(); string(b) != "hello" || err != nil {
		t.Errorf("read %q, %v", b, err)
	}
	if got := readFile(t, f, "a/b.txt", nil); got != "good bye" || blobs(t, dir+"/notes/files") != 1 {
		t.Errorf("%q in %d blobs", got, blobs(t, dir+"/notes/files"))
	}
	if n, err := f.Delete(ctx, "a/b.txt", "none"); n != 1 || err != nil || blobs(t, dir+"/notes/files") != 0 {
		t.Errorf("%d deleted, %v, %d blobs left", n, err, blobs(t, dir+"/notes/files"))
	}
	_, err = f.Get(ctx, "a/b.txt", nil, storage.Condition{})
	is(t, err, fault.NotFound)
	putFile(t, f, "empty", "")
	if got := readFile(t, f, "empty", nil); got != "" {
		t.Errorf("empty: %q", got)
	}
}

func TestFilesRefuse(t *testing.T) {
	dir := t.TempDir()
	f, ctx := openIn(t, pool(t, dir), "notes", storage.Settings{}).Files("FILES", 0), t.Context()
	for name, o := range map[string]storage.FileOptions{
		"type": {Type: "text/html\r\nSet-Cookie: a=b"}, "metadata": {Meta: []byte("{")}, "long": {Meta: []byte(`"` + strings.Repeat("a", 8<<10) + `"`)},
	} {
		_, err := f.Put(ctx, "a", strings.NewReader("x"), o)
		if is(t, err, fault.Invalid); err == nil {
			t.Errorf("%s passed", name)
		}
	}
	broken := errors.New("the client is gone")
	_, err := f.Put(ctx, "a", io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken)), storage.FileOptions{})
	if !errors.Is(err, broken) {
		t.Errorf("a broken stream says %v", err)
	}
	if _, there, _ := f.Head(ctx, "a"); there || blobs(t, dir+"/notes/files") != 0 {
		t.Errorf("half a file is there: %v, %d blobs", there, blobs(t, dir+"/notes/files"))
	}
}

func TestConditions(t *testing.T) {
	f, ctx := open(t, storage.Settings{}).Files("FILES", 0), t.Context()
	info := putFile(t, f, "a", "1")
	tag, before, after := info.ETag, info.Modified.Add(-time.Hour), info.Modified.Add(time.Hour)
	second := info.Modified.Truncate(time.Second)
	for _, x := range []struct {
		c         storage.Condition
		has, none bool // with the file, without it
	}{
		{storage.Condition{}, true, true},
		{storage.Condition{Match: []string{"x", tag}}, true, false},
		{storage.Condition{Match: []string{"x"}}, false, false},
		{storage.Condition{Match: []string{"*"}}, true, false},
		{storage.Condition{NoneMatch: []string{tag}}, false, true},
		{storage.Condition{NoneMatch: []string{"*"}}, false, true},
		{storage.Condition{NoneMatch: []string{"x"}}, true, true},
		{storage.Condition{ModifiedSince: before}, true, false},
		{storage.Condition{ModifiedSince: after}, false, false},
		{storage.Condition{ModifiedSince: second}, false, false},
		{storage.Condition{UnmodifiedSince: before}, false, false},
		{storage.Condition{UnmodifiedSince: second}, true, false},
	} {
		file, err := f.Get(ctx, "a", nil, x.c)
		ok(t, err)
		if (file.Body != nil) != x.has {
			t.Errorf("%+v with the file: %v", x.c, file.Body != nil)
		}
		if file.Body != nil {
			file.Body.Close()
		}
		_, err = f.Put(ctx, "new", strings.NewReader("x"), storage.FileOptions{If: x.c})
		if x.none {
			ok(t, err)
		} else {
			is(t, err, fault.Conflict)
		}
		f.Delete(ctx, "new")
	}
	// Of many who want to be the first, one is.
	var wg sync.WaitGroup
	won := make(chan int, 8)
	for i := range 8 {
		wg.Go(func() {
			if _, err := f.Put(ctx, "first", strings.NewReader(fmt.Sprint(i)), storage.FileOptions{If: storage.Condition{NoneMatch: []string{"*"}}}); err == nil {
				won <- i
			}
		})
	}
	wg.Wait()
	if len(won) != 1 || readFile(t, f, "first", nil) != fmt.Sprint(<-won) {
		t.Errorf("%d were first", len(won)+1)
	}
}

func TestMultipart(t *testing.T) {
	dir := t.TempDir()
	a, ctx := openIn(t, pool(t, dir), "notes", storage.Settings{}), t.Context()
	f := a.Files("FILES", 30)
	id, err := f.CreateUpload(ctx, "big", storage.FileOptions{Type: "video/mp4"})
	ok(t, err)
	part := func(n int, body string) storage.Part {
		t.Helper()
		p, err := f.PutPart(ctx, "big", id, n, strings.NewReader(body))
		ok(t, err)
		return p
	}
	p2, p9 := part(2, "world"), part(9, "!")
	part(1, "wrong")
	p1 := part(1, "hello ")
	_, err = f.PutPart(ctx, "big", id, 3, strings.NewReader(strings.Repeat("x", 20)))
	is(t, err, fault.Exhausted)
	for _, try := range [][]storage.Part{nil, {p2, p1}, {p1, {Number: 2, ETag: "x"}}, {p1, {Number: 5, ETag: p2.ETag}}} {
		_, err := f.CompleteUpload(ctx, "big", id, try)
		is(t, err, fault.Invalid)
	}
	_, err = f.CompleteUpload(ctx, "other", id, []storage.Part{p1})
	is(t, err, fault.NotFound)
	_, err = f.User("ana").CompleteUpload(ctx, "big", id, []storage.Part{p1})
	is(t, err, fault.NotFound)
	if _, there, _ := f.Head(ctx, "big"); there {
		t.Error("there before it is complete")
	}
	info, err := f.CompleteUpload(ctx, "big", id, []storage.Part{p1, p2, p9})
	ok(t, err)
	if got := readFile(t, f, "big", nil); got != "hello world!" || info.ETag != etag(got) || info.Type != "video/mp4" {
		t.Errorf("%q, %+v", got, info)
	}
	_, err = f.CompleteUpload(ctx, "big", id, []storage.Part{p1, p2})
	is(t, err, fault.NotFound)

	id, err = f.CreateUpload(ctx, "big", storage.FileOptions{})
	ok(t, err)
	part(1, "away")
	ok(t, f.AbortUpload(ctx, "big", id))
	ok(t, f.AbortUpload(ctx, "big", id))
	u, err := a.Usage(ctx)
	if ok(t, err); u.Files != 12 || blobs(t, dir+"/notes/files") != 1 {
		t.Errorf("%d bytes counted, %d blobs", u.Files, blobs(t, dir+"/notes/files"))
	}
}

// Uploads that nobody ends go, with their bytes.
func TestOldUploads(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := storage.NewPool(dir, storage.Options{})
		defer p.Close()
		a, err := p.Open(t.Context(), "notes", storage.Settings{})
		ok(t, err)
		defer a.Close()
		f, ctx := a.Files("FILES", 0), t.Context()
		id, err := f.CreateUpload(ctx, "a", storage.FileOptions{})
		ok(t, err)
		_, err = f.PutPart(ctx, "a", id, 1, strings.NewReader("part"))
		ok(t, err)
		time.Sleep(8 * 24 * time.Hour)
		_, err = f.CreateUpload(ctx, "b", storage.FileOptions{})
		ok(t, err)
		_, err = f.PutPart(ctx, "a", id, 2, strings.NewReader("part"))
		is(t, err, fault.NotFound)
		if u, err := a.Usage(ctx); err != nil || u.Files != 0 || blobs(t, dir+"/notes/files") != 0 {
			t.Errorf("%d bytes, %d blobs, %v", u.Files, blobs(t, dir+"/notes/files"), err)
		}
	})
}

// What a crash leaves without a row is removed at the next opening, and nothing else.
func TestOrphans(t *testing.T) {
	dir := t.TempDir()
	p := pool(t, dir)
	a := openIn(t, p, "notes", storage.Settings{})
	f := a.Files("FILES", 0)
	putFile(t, f, "a", "kept")
	id, err := f.CreateUpload(t.Context(), "b", storage.FileOptions{})
	ok(t, err)
	_, err = f.PutPart(t.Context(), "b", id, 1, strings.NewReader("kept too"))
	ok(t, err)
	files := filepath.Join(dir, "notes", "files")
	a.Close()
	ok(t, p.Close())
	if _, err := os.Stat(filepath.Join(files, ".dirty")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("an orderly close leaves the mark:", err)
	}
	for _, name := range []string{".dirty", ".tmp/half", "ab/cdef", "00/11", "../.migrate-1.db", "../../.restore-notes/x"} {
		ok(t, os.MkdirAll(filepath.Dir(filepath.Join(files, name)), 0o700))
		ok(t, os.WriteFile(filepath.Join(files, name), []byte("orphan"), 0o600))
	}
	f = openIn(t, pool(t, dir), "notes", storage.Settings{}).Files("FILES", 0)
	if n := blobs(t, files); n != 2 || readFile(t, f, "a", nil) != "kept" {
		t.Errorf("%d blobs after the opening", n)
	}
	for _, name := range []string{".tmp/half", "../.migrate-1.db", "../../.restore-notes"} {
		if _, err := os.Stat(filepath.Join(files, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s stays: %v", name, err)
		}
	}
}

func TestSign(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		p := storage.NewPool(dir, storage.Options{})
		defer p.Close()
		a, err := p.Open(t.Context(), "notes", storage.Settings{})
		ok(t, err)
		defer a.Close()
		b, err := p.Open(t.Context(), "other", storage.Settings{})
		ok(t, err)
		defer b.Close()
		f := a.Files("FILES", 0)
		s := f.Sign("GET", "a", time.Now().Add(time.Minute))
		ok(t, f.Verify("GET", "a", s))
		for name, err := range map[string]error{
			"method": f.Verify("PUT", "a", s), "key": f.Verify("GET", "b", s), "user": f.User("ana").Verify("GET", "a", s), "moved": f.Verify("GETa", "", s),
			"store": a.Files("OTHER", 0).Verify("GET", "a", s), "app": b.Files("FILES", 0).Verify("GET", "a", s), "nothing": f.Verify("GET", "a", ""),
			"later": f.Verify("GET", "a", "_"+s[1:]), "cut": f.Verify("GET", "a", s[:len(s)-4]),
		} {
			if is(t, err, fault.Forbidden); err == nil {
				t.Errorf("%s passed", name)
			}
		}
		time.Sleep(time.Minute)
		is(t, f.Verify("GET", "a", s), fault.Forbidden)
	})
}

// A store is a map that sorts by bytes and folds at a delimiter.
func TestFilesModel(t *testing.T) {
	if testing.Short() {
		t.Skip("too slow under the race detector: make test runs it")
	}
	a := open(t, storage.Settings{})
	round := 0
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		round++
		f := a.Files(fmt.Sprint("F", round), 0)
		model := map[string]string{}
		for range rapid.IntRange(0, 12).Draw(t, "files") {
			key := rapid.StringOfN(rapid.RuneFrom([]rune("ab/é")), 1, 5, -1).Draw(t, "key")
			body := rapid.String().Draw(t, "body")
			_, err := f.Put(ctx, key, strings.NewReader(body), storage.FileOptions{})
			ok(t, err)
			model[key] = body
		}
		for key, body := range model {
			if got := readFile(t, f, key, nil); got != body {
				t.Fatalf("%q = %q, want %q", key, got, body)
			}
		}
		prefix := rapid.SampledFrom([]string{"", "a", "a/", "é", "/"}).Draw(t, "prefix")
		delimiter := rapid.SampledFrom([]string{"", "/", "é", "a/"}).Draw(t, "delimiter")
		limit := rapid.IntRange(1, 4).Draw(t, "limit")
		var want []string
		for _, key := range slices.Sorted(maps.Keys(model)) {
			rest, under := strings.CutPrefix(key, prefix)
			if !under {
				continue
			}
			if i := strings.Index(rest, delimiter); delimiter != "" && i >= 0 {
				key = "> " + prefix + rest[:i+len(delimiter)]
			}
			if !slices.Contains(want, key) {
				want = append(want, key)
			}
		}
		var got []string
		o := storage.FileListOptions{ListOptions: storage.ListOptions{Prefix: prefix, Limit: limit}, Delimiter: delimiter}
		for {
			page, err := f.List(ctx, o)
			ok(t, err)
			for _, i := range page.Files {
				got = append(got, i.Key)
			}
			for _, p := range page.Prefixes {
				got = append(got, "> "+p)
			}
			if o.Cursor = page.Cursor; o.Cursor == "" {
				break
			}
			if len(page.Files)+len(page.Prefixes) != limit {
				t.Fatalf("a page of %d that is not the last", len(page.Files)+len(page.Prefixes))
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("%q by %q: %q, want %q", prefix, delimiter, got, want)
		}
	})
}

// Large bodies go through in pieces.
func TestLargeFile(t *testing.T) {
	f := open(t, storage.Settings{}).Files("FILES", 0)
	body := make([]byte, 3<<20)
	rand.Read(body)
	info, err := f.Put(t.Context(), "a", bytes.NewReader(body), storage.FileOptions{})
	ok(t, err)
	if info.Size != int64(len(body)) || info.ETag != etag(string(body)) || readFile(t, f, "a", &storage.Range{Offset: 1 << 20, Length: 5}) != string(body[1<<20:1<<20+5]) {
		t.Errorf("%+v", info)
	}
}
