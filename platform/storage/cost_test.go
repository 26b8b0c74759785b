package storage_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/fazt-sh/fazt/platform/storage"
)

// What the common calls cost in statements, quotas counted, so that no
// statement more comes in unseen.
func TestStatementsOfACall(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	p := storage.NewPool(filepath.Join(t.TempDir(), "app"), storage.Options{Trace: func(q string) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, q)
	}})
	t.Cleanup(func() { ok(t, p.Close()) })
	a, ctx := openIn(t, p, "notes-41", storage.Settings{Storage: 1 << 20}), t.Context()
	k, c := a.Keys("CACHE"), a.Docs("PAGES", nil).Collection("page")
	put := func() error { _, err := k.Put(ctx, "a", text("x"), storage.PutOptions{}); return err }
	add := func(docs ...json.RawMessage) error { _, err := c.Insert(ctx, docs...); return err }
	ok(t, put()) // what is done once is done
	ok(t, add(json.RawMessage(`{"_id":"1"}`)))
	for _, call := range []struct {
		name string
		do   func() error
		want int
	}{
		{"Put", put, 2},
		{"Put of a new key", func() error { _, err := k.Put(ctx, "b", text("x"), storage.PutOptions{}); return err }, 2},
		{"Incr", func() error { _, err := k.Incr(ctx, "n", 1, storage.PutOptions{}); return err }, 3},
		{"Get", func() error { _, _, err := k.Get(ctx, "a"); return err }, 1},
		{"Insert", func() error { return add(json.RawMessage(`{}`)) }, 2},
		{"Get of a document", func() error { _, _, err := c.Get(ctx, "1"); return err }, 1},
		{"Usage", func() error { _, err := a.Usage(ctx); return err }, 1},
	} {
		mu.Lock()
		asked = nil
		mu.Unlock()
		ok(t, call.do())
		mu.Lock()
		asked = without(asked, "WHERE expires <=") // once a second
		if len(asked) > call.want {
			t.Errorf("%s: %d statements, %d are enough:\n%s", call.name, len(asked), call.want, strings.Join(asked, "\n"))
		}
		mu.Unlock()
	}
	all, err := a.Inspect(ctx)
	ok(t, err)
	for _, s := range all.Stores {
		if s.Kind == "keys" && (s.Items != 3 || s.Bytes != 6) { // a, b and n, of a byte each
			t.Errorf("three keys are counted as %d with %d bytes", s.Items, s.Bytes)
		}
	}
}

func without(list []string, part string) (rest []string) {
	for _, s := range list {
		if !strings.Contains(s, part) {
			rest = append(rest, s)
		}
	}
	return rest
}
