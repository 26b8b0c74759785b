package storage_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/platform/sqlite"
	"github.com/fazt-sh/fazt/platform/storage"
)

// strange makes keys that have got across somewhere else.
func strange(r *rand.Rand, n int) []string {
	parts := []string{"../", "..\\", "/", "//", ".", "\x00", "%2e%2e%2f", "%00", "notes-1", "notes-2", "B1", "B2", "ana", "bo", "fazt_key", "'", "\"", "--", ";", "*", "%", "_",
		"\u202e", "é", "e\u0301", "\U0010ffff", "\ufeff", " ", "\n", "\r\n", "a", "A", "{", "$", "?", "1", "0", "-1", strings.Repeat("x", 200)}
	seen := map[string]bool{}
	var keys []string
	for len(keys) < n {
		var b strings.Builder
		for range 1 + r.IntN(6) {
			b.WriteString(parts[r.IntN(len(parts))])
		}
		if key := b.String(); len(key) <= 512 && !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
	}
	return keys
}

// place is one app, binding and user.
type place struct {
	name  string
	keys  *storage.Keys
	docs  *storage.Collection
	files *storage.Files
}

func places(t *testing.T) (all []place) {
	p := pool(t, filepath.Join(t.TempDir(), "app"))
	for _, app := range []string{"notes-1", "notes-2"} {
		a := openIn(t, p, app, storage.Settings{Durability: sqlite.Normal})
		for _, bind := range []string{"B1", "B2"} {
			all = append(all, place{app + bind, a.Keys(bind), a.Docs(bind, nil).Collection("c"), a.Files(bind, 0)},
				place{app + bind + "other collection", a.Keys(bind + "c"), a.Docs(bind, nil).Collection("c2"), a.Files(bind+"c", 0)})
			for _, user := range []string{"ana", "bo", "../ana", "B1", "notes-1"} {
				all = append(all, place{app + bind + user, a.Keys(bind).User(user), a.Docs(bind, nil).User(user).Collection("c"), a.Files(bind, 0).User(user)})
			}
		}
	}
	return all
}

// Whatever a key, a document or a file is called: what one place keeps under it is
// found there, and nowhere else.
func TestPlacesAreApart(t *testing.T) {
	if testing.Short() {
		t.Skip("too slow under the race detector: make test runs it")
	}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	keys := strange(r, 10_000)
	all := places(t)
	at := func(i int) int { return (i*7 + i/100) % len(all) }
	ctx := t.Context()
	for i, key := range keys {
		_, err := all[at(i)].keys.Put(ctx, key, text(all[at(i)].name), storage.PutOptions{})
		ok(t, err)
	}
	id := func(key string) string { return strings.ReplaceAll(key, "\x00", "NUL") } // a document's name has none
	for n, p := range all {
		var docs []json.RawMessage
		for i, key := range keys {
			if at(i) == n {
				docs = append(docs, marshal(map[string]any{"_id": fmt.Sprint(i, id(key)), "in": p.name}))
			}
		}
		_, err := p.docs.Insert(ctx, docs...)
		ok(t, err)
	}
	some := keys[:300] // a file costs two syncs
	for i, key := range some {
		putFile(t, all[at(i)].files, key, all[at(i)].name)
	}
	for n, p := range all {
		found := map[string]storage.Entry{}
		for part := range slices.Chunk(keys, 1000) {
			more, err := p.keys.GetMany(ctx, part...)
			ok(t, err)
			for k, e := range more {
				found[k] = e
			}
		}
		listed := keysOf(t, p.keys)
		docs := docsOf(t, p.docs)
		for i, key := range keys {
			here := at(i) == n
			e, there := found[key]
			if there != here || here && string(e.Data) != p.name || listed[key] != here {
				t.Fatalf("seed %d: key %q of %s in %s: %v %q, listed %v", seed, key, all[at(i)].name, p.name, there, e.Data, listed[key])
			}
			if in, there := docs[fmt.Sprint(i, id(key))]; there != here || here && in != p.name {
				t.Fatalf("seed %d: document %q of %s in %s", seed, key, all[at(i)].name, p.name)
			}
		}
		for i, key := range some {
			f, err := p.files.Get(ctx, key, nil, storage.Condition{})
			if here := at(i) == n; (err == nil) != here {
				t.Fatalf("seed %d: file %q of %s in %s: %v", seed, key, all[at(i)].name, p.name, err)
			}
			if err == nil {
				b, _ := io.ReadAll(f.Body)
				if f.Body.Close(); string(b) != p.name {
					t.Fatalf("seed %d: file %q of %s says %q", seed, key, p.name, b)
				}
			}
		}
		if n%3 == 0 { // deleting goes no further either
			_, err := p.keys.Delete(ctx, keys[:1000]...)
			ok(t, err)
			_, err = p.docs.Remove(ctx, storage.Selector{Filter: json.RawMessage(`{}`)})
			ok(t, err)
		}
	}
	for n, p := range all {
		if n%3 != 0 && len(docsOf(t, p.docs)) == 0 {
			t.Errorf("%s has lost its documents to others", p.name)
		}
	}
}

func keysOf(t *testing.T, k *storage.Keys) map[string]bool {
	found := map[string]bool{}
	for o := (storage.ListOptions{}); ; {
		page, err := k.List(context.Background(), o)
		ok(t, err)
		for _, i := range page.Keys {
			found[i.Key] = true
		}
		if o.Cursor = page.Cursor; o.Cursor == "" {
			return found
		}
	}
}

func docsOf(t *testing.T, c *storage.Collection) map[string]string {
	found := map[string]string{}
	for q := (storage.Query{Limit: 1000}); ; {
		page, err := c.Find(context.Background(), q)
		ok(t, err)
		for _, d := range page.Docs {
			var body struct{ In string }
			ok(t, json.Unmarshal(d.Body, &body))
			found[d.ID] = body.In
		}
		if q.Cursor = page.Cursor; q.Cursor == "" {
			return found
		}
	}
}
