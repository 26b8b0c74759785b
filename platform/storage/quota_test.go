package storage_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
	"github.com/fazt-sh/fazt/platform/storage"
)

// What is over the quota is refused as a whole, and what fits goes on.
func TestQuota(t *testing.T) {
	a, ctx := open(t, storage.Settings{Storage: 1000}), t.Context()
	k, c, f := a.Keys("CACHE"), a.Docs("PAGES", nil).Collection("page"), a.Files("FILES", 400)
	x := func(n int) string { return strings.Repeat("x", n) }
	_, err := k.Put(ctx, "a", text(x(399)), storage.PutOptions{})
	ok(t, err)
	insert(t, c, `{"_id":"1","x":"`+x(300-18)+`"}`)
	_, err = f.Put(ctx, "f", strings.NewReader(x(300)), storage.FileOptions{})
	ok(t, err)
	full, err := a.Usage(ctx)
	if ok(t, err); full.Keys != 400 || full.Docs != 300 || full.Files != 300 {
		t.Fatalf("%+v", full)
	}
	for name, try := range map[string]func() error{
		"key":      func() error { _, err := k.Put(ctx, "b", text(""), storage.PutOptions{}); return err },
		"more":     func() error { _, err := k.Put(ctx, "a", text(x(400)), storage.PutOptions{}); return err },
		"user":     func() error { _, err := k.User("ana").Put(ctx, "b", text(""), storage.PutOptions{}); return err },
		"document": func() error { _, err := c.Insert(ctx, json.RawMessage(`{}`)); return err },
		"change": func() error {
			_, err := c.Update(ctx, storage.Selector{ID: "1"}, json.RawMessage(`{"$set":{"y":1}}`))
			return err
		},
		"file": func() error { _, err := f.Put(ctx, "g", strings.NewReader("x"), storage.FileOptions{}); return err },
		"other file": func() error {
			_, err := a.Files("OTHER", 0).Put(ctx, "g", strings.NewReader("x"), storage.FileOptions{})
			return err
		},
	} {
		err := try()
		if is(t, err, fault.Exhausted); err == nil || !strings.Contains(err.Error(), "storage quota") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if u, _ := a.Usage(ctx); u.Keys+u.Docs+u.Files != 1000 {
		t.Errorf("what was refused has changed it: %+v", u)
	}
	// Less is always possible, and makes room.
	_, err = k.Put(ctx, "a", text(x(99)), storage.PutOptions{})
	ok(t, err)
	insert(t, c, `{"_id":"2"}`)
	_, err = f.Put(ctx, "g", strings.NewReader(x(101)), storage.FileOptions{}) // beyond the store's own
	is(t, err, fault.Exhausted)
	_, err = f.Put(ctx, "g", strings.NewReader(x(100)), storage.FileOptions{})
	ok(t, err)
}

// The file of the database is bounded too, whatever fills it.
func TestQuotaOfSQL(t *testing.T) {
	a, ctx := open(t, storage.Settings{Storage: 1 << 20}), t.Context()
	s := a.SQL("DB")
	_, err := s.Exec(ctx, `CREATE TABLE blob (x)`)
	ok(t, err)
	n := 0
	for ; err == nil && n < 100; n++ {
		_, err = s.Run(ctx, st(`INSERT INTO blob VALUES (zeroblob(100000))`))
	}
	is(t, err, fault.Exhausted)
	if u, err := a.Usage(ctx); n < 10 || n > 25 || err != nil || u.Database > 3<<20 {
		t.Errorf("%d rows of 100 kB, %+v, %v", n, u, err)
	}
	_, err = s.Run(ctx, st(`DELETE FROM blob`))
	ok(t, err)
	_, err = s.Run(ctx, st(`INSERT INTO blob VALUES (zeroblob(100000))`))
	ok(t, err)
}

// sums adds up rows, as the counters should.
func sums(t *rapid.T, a *storage.App) (s string) {
	err := a.DB().Read(context.Background(), func(tx *sqlite.Tx) error {
		var keys, docs, files int64
		err := tx.QueryRow(`SELECT (SELECT ifnull(sum(length(key) + length(value) + ifnull(length(meta), 0)), 0) FROM fazt_key),
			(SELECT ifnull(sum(octet_length(body)), 0) FROM fazt_doc_2),
			(SELECT ifnull(sum(size), 0) FROM fazt_file) + (SELECT ifnull(sum(size), 0) FROM fazt_part)`).Scan(&keys, &docs, &files)
		s = fmt.Sprint(keys, docs, files)
		return err
	})
	ok(t, err)
	return s
}

// After whatever was done, and whatever of it was refused, counters are what the
// rows add up to, and the disk has the bytes that rows name.
func TestCounters(t *testing.T) {
	if testing.Short() {
		t.Skip("too slow under the race detector: make test runs it")
	}
	dir := t.TempDir()
	p := pool(t, dir)
	round := 0
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		round++
		id := fmt.Sprint("app-", round)
		a, err := p.Open(ctx, id, storage.Settings{Storage: 600, Durability: sqlite.Normal})
		ok(t, err)
		defer a.Close()
		k, docs, f := a.Keys("K"), a.Docs("D", []storage.Index{{Name: "u", On: []string{"u"}, Unique: true}}), a.Files("F", 300)
		_, err = k.Delete(ctx, "none")
		ok(t, err)
		ok(t, docs.Ensure(ctx))
		key := rapid.SampledFrom([]string{"a", "b", "c"})
		size := rapid.IntRange(0, 150)
		x := func(t *rapid.T) string { return strings.Repeat("é", size.Draw(t, "size")/2) }
		upload := ""
		mayFail := func(err error) {
			if kind := fault.KindOf(err); err != nil && kind != fault.Exhausted && kind != fault.Conflict && kind != fault.NotFound && kind != fault.Invalid {
				t.Fatal(err)
			}
		}
		user := func(t *rapid.T) string { return rapid.SampledFrom([]string{"ana", "bo"}).Draw(t, "user") }
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				_, err := k.User(user(t)).Put(ctx, key.Draw(t, "key"), text(x(t)), storage.PutOptions{Meta: []byte(`{"m":1}`)})
				mayFail(err)
			},
			"incr":   func(t *rapid.T) { _, err := k.Incr(ctx, key.Draw(t, "key"), 7, storage.PutOptions{}); mayFail(err) },
			"delete": func(t *rapid.T) { _, err := k.User(user(t)).Delete(ctx, "a", "b"); mayFail(err) },
			"insert": func(t *rapid.T) {
				_, err := docs.User(user(t)).Collection("c").Insert(ctx, marshal(map[string]any{"_id": key.Draw(t, "id"), "x": x(t)}), marshal(map[string]any{"u": 1}))
				mayFail(err)
			},
			"update": func(t *rapid.T) {
				_, err := docs.User(user(t)).Collection("c").Update(ctx, storage.Selector{Filter: []byte(`{}`)}, marshal(map[string]any{"$set": map[string]any{"x": x(t)}}))
				mayFail(err)
			},
			"remove": func(t *rapid.T) {
				_, err := docs.User(user(t)).Collection("c").Remove(ctx, storage.Selector{ID: key.Draw(t, "id")})
				mayFail(err)
			},
			"file": func(t *rapid.T) {
				_, err := f.Put(ctx, key.Draw(t, "key"), strings.NewReader(x(t)), storage.FileOptions{})
				mayFail(err)
			},
			"unfile": func(t *rapid.T) { _, err := f.Delete(ctx, key.Draw(t, "key")); mayFail(err) },
			"part": func(t *rapid.T) {
				if upload == "" {
					upload, err = f.CreateUpload(ctx, "up", storage.FileOptions{})
					ok(t, err)
				}
				_, err := f.PutPart(ctx, "up", upload, rapid.IntRange(1, 2).Draw(t, "part"), strings.NewReader(x(t)))
				mayFail(err)
			},
			"complete": func(t *rapid.T) {
				p, err := f.PutPart(ctx, "up", upload, 1, strings.NewReader("x"))
				mayFail(err)
				if _, err = f.CompleteUpload(ctx, "up", upload, []storage.Part{p}); err == nil {
					upload = ""
				}
				mayFail(err)
			},
			"abort": func(t *rapid.T) { ok(t, f.AbortUpload(ctx, "up", upload)); upload = "" },
			"": func(t *rapid.T) {
				u, err := a.Usage(ctx)
				ok(t, err)
				if counted, there := fmt.Sprint(u.Keys, u.Docs, u.Files), sums(t, a); counted != there || u.Keys+u.Docs+u.Files > 600 || u.Files > 300 {
					t.Fatalf("counted %s, there are %s", counted, there)
				}
			},
		})
		var named int
		ok(t, a.DB().Read(ctx, func(tx *sqlite.Tx) error {
			return tx.QueryRow(`SELECT (SELECT count(*) FROM fazt_file) + (SELECT count(*) FROM fazt_part)`).Scan(&named)
		}))
		if n := blobs(t, filepath.Join(dir, id, "files")); n != named {
			t.Fatalf("%d blobs on the disk, %d in rows", n, named)
		}
	})
}
