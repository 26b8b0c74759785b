package binding_test

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/platform/binding"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/script"
	"github.com/fazt-sh/fazt/platform/storage"
)

// Whatever code calls with, nothing panics, every refusal has a kind, every answer
// is JSON, and nothing of another app is reached.
func FuzzCall(f *testing.F) {
	for _, seed := range [][3]string{
		{"CACHE", "get", `{"key":"../../other-1/data.db"}`},
		{"CACHE", "put", `{"key":"a\u0000b","text":"x","ttl":1,"metadata":{}}`},
		{"CACHE", "putIfVersion", `{"user":"other-1"}`},
		{"CACHE", "list", `{"cursor":"Ly4u","prefix":"\uffff","limit":-1}`},
		{"CACHE", "incr", `{"key":"n","by":9223372036854775807}`},
		{"DB", "query", `{"sql":"select * from fazt_key","params":[{"$b":"!"}]}`},
		{"DB", "batch", `{"statements":[{"sql":"attach '../other-1/data.db' as o"}]}`},
		{"DB", "exec", `{"sql":"vacuum into '../x.db'"}`},
		{"DB", "commit", `{"tx":"x"}`},
		{"PAGES", "find", `{"collection":"c","filter":{"a'b\"":{"$in":[{}]}},"sort":[{"field":"$"}],"cursor":"e30"}`},
		{"PAGES", "update", `{"collection":"c","id":"a","change":{"$push":{"a":{"$each":[[[]]]}}}}`},
		{"PAGES", "aggregate", `{"collection":"c","group":["a.b"],"values":[{"op":"sum","field":"x"}]}`},
		{"FILES", "put", `{"key":"/../../../../etc/passwd","http":{"contentType":"x"},"onlyIf":{"before":-9223372036854775808}}`},
		{"FILES", "get", `{"key":"a","range":{"offset":-1,"suffix":9223372036854775807}}`},
		{"FILES", "complete", `{"key":"a","upload":"../x","parts":[{"part":-1,"etag":""}]}`},
		{"FILES", "sign", `{"key":"\ud800","method":"GET","expires":9223372036854775807}`},
		{"MAIL", "send", `{"messages":[{"body":{},"delay":1e400}]}`},
		{"fetch", "fetch", `{"url":"http://[::1","method":"GET","headers":[["\r\n","x"]]}`},
	} {
		f.Add(seed[0], seed[1], seed[2], []byte("body"))
	}
	canary := strings.Repeat("canary", 4)
	dir := f.TempDir()
	pool := storage.NewPool(dir, storage.Options{})
	neighbour, err := pool.Open(f.Context(), "other-1", storage.Settings{})
	if err != nil {
		f.Fatal(err)
	}
	if _, err := neighbour.Keys("CACHE").Put(f.Context(), "k", storage.Value{Data: []byte(canary)}, storage.PutOptions{}); err != nil {
		f.Fatal(err)
	}
	store, err := pool.Open(f.Context(), "notes-1", storage.Settings{Storage: 1 << 20})
	if err != nil {
		f.Fatal(err)
	}
	w := open(f, func(c *binding.Config, _ *storage.App) {
		c.Keys = map[string]*storage.Keys{"CACHE": store.Keys("CACHE")}
		c.SQL = map[string]*storage.SQL{"DB": store.SQL("DB")}
		c.Docs = map[string]binding.Docs{"PAGES": {Store: store.Docs("PAGES", nil)}}
		c.Files = map[string]*storage.Files{"FILES": store.Files("FILES", 0)}
		c.Egress = &client{}
	})
	f.Cleanup(func() {
		neighbour.Close()
		store.Close()
		pool.Close()
	})
	f.Fuzz(func(t *testing.T, target, method, args string, body []byte) {
		inv := w.For(t.Context(), script.Info{})
		r, err := inv.Call(t.Context(), script.Call{Target: target, Method: method, Args: json.RawMessage(args), Body: strings.NewReader(string(body))})
		if kind := fault.KindOf(err); kind == fault.Internal {
			t.Fatalf("%s.%s(%s): %v", target, method, args, err)
		}
		var content []byte
		if r.Body != nil {
			content, _ = io.ReadAll(r.Body)
			r.Body.Close()
		}
		if err == nil && !json.Valid(r.Value) {
			t.Fatalf("%s.%s(%s) answers %s", target, method, args, r.Value)
		}
		if strings.Contains(string(r.Value)+string(content), canary) {
			t.Fatalf("%s.%s(%s) reaches another app", target, method, args)
		}
		stayedInside(t, dir)
	})
}

// stayedInside wants nothing on the disk but the folders of the two apps.
func stayedInside(t *testing.T, dir string) {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil || len(all) != 2 {
		t.Fatalf("%v, %v", all, err)
	}
	for _, app := range all {
		inside, err := os.ReadDir(filepath.Join(dir, app.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		for _, e := range inside {
			if n := e.Name(); !strings.HasPrefix(n, "data.db") && n != "files" {
				t.Fatalf("%s has %s", app.Name(), n)
			}
		}
	}
}
