package storage_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
	"github.com/fazt-sh/fazt/platform/storage"
)

// What was put is there with its type and what was said of it, until it is deleted.
func TestKeys(t *testing.T) {
	k := open(t, storage.Settings{}).Keys("CACHE")
	ctx := t.Context()
	if _, there, err := k.Get(ctx, "a"); there || err != nil {
		t.Fatal("a key that nobody put", err)
	}
	v1, err := k.Put(ctx, "a", text("x"), storage.PutOptions{Meta: []byte(`{"n": 1}`)})
	ok(t, err)
	e, there, err := k.Get(ctx, "a")
	ok(t, err)
	if !there || string(e.Data) != "x" || !e.Text || string(e.Meta) != `{"n": 1}` || e.Version != v1 || !e.Expires.IsZero() {
		t.Errorf("got %+v", e)
	}
	v2, err := k.Put(ctx, "a", storage.Value{}, storage.PutOptions{})
	ok(t, err)
	if e, _, _ := k.Get(ctx, "a"); v2 <= v1 || e.Text || len(e.Data) != 0 || e.Meta != nil {
		t.Errorf("after the second put, %+v", e)
	}
	all, err := k.GetMany(ctx, "a", "b")
	if ok(t, err); len(all) != 1 || all["a"].Key != "a" {
		t.Errorf("many: %v", all)
	}
	if n, err := k.Delete(ctx, "a", "b"); n != 1 || err != nil {
		t.Errorf("%d deleted, %v", n, err)
	}
	if _, there, _ := k.Get(ctx, "a"); there {
		t.Error("deleted, and still there")
	}
}

func TestKeysRefuse(t *testing.T) {
	a := open(t, storage.Settings{})
	k, ctx := a.Keys("CACHE"), t.Context()
	for name, try := range map[string]func() error{
		"no key": func() error { _, err := k.Put(ctx, "", text("x"), storage.PutOptions{}); return err },
		"long key": func() error {
			_, err := k.Put(ctx, strings.Repeat("a", 513), text("x"), storage.PutOptions{})
			return err
		},
		"no text": func() error { _, err := k.Put(ctx, "\xff", text("x"), storage.PutOptions{}); return err },
		"long value": func() error {
			_, err := k.Put(ctx, "a", storage.Value{Data: make([]byte, 4<<20+1)}, storage.PutOptions{})
			return err
		},
		"metadata": func() error { _, err := k.Put(ctx, "a", text("x"), storage.PutOptions{Meta: []byte("{")}); return err },
		"long metadata": func() error {
			_, err := k.Put(ctx, "a", text("x"), storage.PutOptions{Meta: []byte(`"` + strings.Repeat("a", 1024) + `"`)})
			return err
		},
		"short ttl": func() error {
			_, err := k.Put(ctx, "a", text("x"), storage.PutOptions{TTL: time.Millisecond})
			return err
		},
		"past": func() error {
			_, err := k.Put(ctx, "a", text("x"), storage.PutOptions{Expires: time.Unix(1, 0)})
			return err
		},
		"bucket":         func() error { _, _, err := a.Keys("../CACHE").Get(ctx, "a"); return err },
		"user":           func() error { _, _, err := k.User("").Get(ctx, "a"); return err },
		"limit":          func() error { _, err := k.List(ctx, storage.ListOptions{Limit: 1001}); return err },
		"cursor":         func() error { _, err := k.List(ctx, storage.ListOptions{Cursor: "?"}); return err },
		"no cursor":      func() error { _, err := k.List(ctx, storage.ListOptions{Cursor: "zzz"}); return err },
		"no place":       func() error { _, err := k.List(ctx, storage.ListOptions{Cursor: "zzzz"}); return err },
		"behind no key":  func() error { _, err := k.List(ctx, storage.ListOptions{Cursor: "YWI"}); return err },
		"foreign cursor": func() error { _, err := k.List(ctx, storage.ListOptions{Prefix: "b", Cursor: "YQ"}); return err },
	} {
		t.Run(name, func(t *testing.T) { is(t, try(), fault.Invalid) })
	}
}

// Conditions hold although many try at once.
func TestKeysAreConsistent(t *testing.T) {
	k, ctx := open(t, storage.Settings{Durability: sqlite.Normal}).Keys("CACHE"), t.Context()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				if _, err := k.Incr(ctx, "n", 1, storage.PutOptions{}); err != nil {
					t.Error(err)
				}
				for {
					e, _, err := k.Get(ctx, "v")
					if err == nil {
						_, err = k.PutIfVersion(ctx, "v", text(string(e.Data)+"x"), e.Version, storage.PutOptions{})
					}
					if err == nil {
						break
					}
					if fault.KindOf(err) != fault.Conflict {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	n, _, _ := k.Get(ctx, "n")
	if v, _, _ := k.Get(ctx, "v"); string(n.Data) != "80" || len(v.Data) != 80 {
		t.Errorf("80 times each: %s, %d", n.Data, len(v.Data))
	}
	// A key that was deleted and made again is not the one it was.
	old, err := k.Put(ctx, "a", text("1"), storage.PutOptions{})
	ok(t, err)
	k.Delete(ctx, "a")
	k.Put(ctx, "a", text("1"), storage.PutOptions{})
	_, err = k.PutIfVersion(ctx, "a", text("2"), old, storage.PutOptions{})
	is(t, err, fault.Conflict)
	_, err = k.PutIfVersion(ctx, "a", text("2"), 0, storage.PutOptions{})
	is(t, err, fault.Conflict)
}

func TestIncr(t *testing.T) {
	k, ctx := open(t, storage.Settings{}).Keys("CACHE"), t.Context()
	if n, err := k.Incr(ctx, "n", -7, storage.PutOptions{}); n != -7 || err != nil {
		t.Fatal(n, err)
	}
	k.Put(ctx, "max", text(fmt.Sprint(int64(math.MaxInt64))), storage.PutOptions{})
	_, err := k.Incr(ctx, "max", 1, storage.PutOptions{})
	is(t, err, fault.Invalid)
	const exact = 1<<53 - 1 // the largest that every script has as it is
	if n, err := k.Incr(ctx, "exact", exact, storage.PutOptions{}); n != exact || err != nil {
		t.Error(n, err)
	}
	for _, by := range []int64{1, -2*exact - 1, math.MaxInt64, math.MinInt64} {
		_, err = k.Incr(ctx, "exact", by, storage.PutOptions{})
		is(t, err, fault.Invalid)
	}
	if n, err := k.Incr(ctx, "exact", -2*exact, storage.PutOptions{}); n != -exact || err != nil {
		t.Error(n, err)
	}
	k.Put(ctx, "word", text("word"), storage.PutOptions{})
	_, err = k.Incr(ctx, "word", 1, storage.PutOptions{})
	if is(t, err, fault.Invalid); err.Error() != `the value of key "word" is no whole number` {
		t.Error(err)
	}
}

// A key that has expired is never returned, and its bytes come back.
func TestExpiry(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := storage.NewPool(dir, storage.Options{})
		defer p.Close()
		a, err := p.Open(t.Context(), "notes", storage.Settings{})
		ok(t, err)
		defer a.Close()
		k, ctx := a.Keys("CACHE"), t.Context()
		for i := range 100 {
			_, err := k.Put(ctx, fmt.Sprint("gone", i), text("x"), storage.PutOptions{TTL: time.Minute})
			ok(t, err)
		}
		_, err = k.Incr(ctx, "rate", 1, storage.PutOptions{TTL: time.Minute})
		ok(t, err)
		time.Sleep(59 * time.Second)
		_, err = k.Incr(ctx, "rate", 1, storage.PutOptions{TTL: time.Minute}) // keeps the first minute
		ok(t, err)
		if e, there, _ := k.Get(ctx, "gone1"); !there || e.Expires.IsZero() {
			t.Error("gone too early")
		}
		time.Sleep(2 * time.Second)
		if _, there, _ := k.Get(ctx, "gone1"); there {
			t.Error("returned though expired")
		}
		if page, err := k.List(ctx, storage.ListOptions{}); len(page.Keys) != 0 || err != nil {
			t.Errorf("listed though expired: %v, %v", page, err)
		}
		if n, err := k.Delete(ctx, "gone1"); n != 0 || err != nil {
			t.Errorf("deleted though expired: %d, %v", n, err)
		}
		if _, err := k.PutIfVersion(ctx, "gone2", text("new"), 0, storage.PutOptions{}); err != nil {
			t.Error("an expired key is in the way:", err)
		}
		if n, err := k.Incr(ctx, "rate", 1, storage.PutOptions{TTL: time.Minute}); n != 1 || err != nil {
			t.Errorf("an expired count goes on: %d, %v", n, err)
		}
		for range 5 {
			_, err := k.Put(ctx, "a", text(""), storage.PutOptions{})
			ok(t, err)
		}
		u, err := a.Usage(ctx)
		if want := int64(len("a") + len("gone2new") + len("rate1")); err != nil || u.Keys != want {
			t.Errorf("%d bytes of keys after the sweep, want %d: %v", u.Keys, want, err)
		}
	})
}

// A bucket is a map that sorts by bytes.
func TestKeysModel(t *testing.T) {
	if testing.Short() {
		t.Skip("too slow under the race detector: make test runs it")
	}
	a := open(t, storage.Settings{})
	round := 0
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		round++
		k := a.Keys(fmt.Sprint("B", round))
		model := map[string]string{}
		key := rapid.OneOf(rapid.SampledFrom([]string{"a", "a/", "a/b", "ab", "b", "\x00", "é", "a\x00b", "\U0010ffff"}), rapid.StringN(1, 8, 16))
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				at, v := key.Draw(t, "key"), rapid.String().Draw(t, "value")
				_, err := k.Put(ctx, at, text(v), storage.PutOptions{})
				ok(t, err)
				model[at] = v
			},
			"delete": func(t *rapid.T) {
				at := key.Draw(t, "key")
				n, err := k.Delete(ctx, at)
				ok(t, err)
				if _, there := model[at]; there != (n == 1) {
					t.Fatalf("deleted %d of %q", n, at)
				}
				delete(model, at)
			},
			"get": func(t *rapid.T) {
				at := key.Draw(t, "key")
				e, there, err := k.Get(ctx, at)
				ok(t, err)
				if v, want := model[at]; there != want || string(e.Data) != v {
					t.Fatalf("%q = %q, %v; want %q, %v", at, e.Data, there, v, want)
				}
			},
			"list": func(t *rapid.T) {
				prefix := rapid.SampledFrom([]string{"", "a", "a/", "é", "z", "\U0010ffff"}).Draw(t, "prefix")
				got := listAll(t, k, prefix, rapid.IntRange(1, 5).Draw(t, "limit"))
				var want []string
				for _, at := range slices.Sorted(maps.Keys(model)) {
					if strings.HasPrefix(at, prefix) {
						want = append(want, at)
					}
				}
				if !slices.Equal(got, want) {
					t.Fatalf("%q: %q, want %q", prefix, got, want)
				}
			},
		})
	})
}

func listAll(t *rapid.T, k *storage.Keys, prefix string, limit int) (all []string) {
	for cursor := ""; ; {
		page, err := k.List(context.Background(), storage.ListOptions{Prefix: prefix, Limit: limit, Cursor: cursor})
		ok(t, err)
		for _, i := range page.Keys {
			all = append(all, i.Key)
		}
		if cursor = page.Cursor; cursor == "" {
			return all
		}
		if len(page.Keys) != limit {
			t.Fatalf("a page of %d that is not the last", len(page.Keys))
		}
	}
}

// A list goes through the names, not through what expired between them or what
// others have.
func FuzzListCursor(f *testing.F) {
	k := open(f, storage.Settings{}).Keys("CACHE")
	for _, key := range []string{"a", "b/1", "b/2", "c"} {
		_, err := k.Put(f.Context(), key, text(key), storage.PutOptions{})
		ok(f, err)
	}
	f.Add("b", "Yi8x")
	f.Add("", "")
	f.Add("b/", "Yw")
	f.Fuzz(func(t *testing.T, prefix, cursor string) {
		page, err := k.List(t.Context(), storage.ListOptions{Prefix: prefix, Cursor: cursor})
		if err != nil {
			is(t, err, fault.Invalid)
			return
		}
		for _, i := range page.Keys {
			if !strings.HasPrefix(i.Key, prefix) {
				t.Errorf("%q in the list of %q", i.Key, prefix)
			}
		}
	})
}
