//go:build integration

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/sqlite"
)

// stores is an app that puts a word into the store that the path names.
func stores() map[string]string {
	return map[string]string{
		"site/fazt.hcl": "edge {\n  domain = \"localhost\"\n}\nlimits {\n  requests_per_ip = { rate = 100000, burst = 100000 }\n}\napp \"still\" {\n  content = \"still\"\n}\n" +
			"app \"notes\" {\n  content = \"notes\"\n  runtime {\n    entry = \"main.js\"\n  }\n" +
			"  kv \"K\" {}\n  docs \"D\" {}\n  sql \"DB\" {\n    migrations = \"sql\"\n  }\n  blobs \"FILES\" {}\n}\n",
		"site/still/index.html":         "still",
		"site/notes/sql/0001_begin.sql": "CREATE TABLE note (word TEXT PRIMARY KEY, pad TEXT NOT NULL);\n",
		"site/notes/main.js": `const pad = "x".repeat(2000);
const all = async (page, list = []) => {
  for (let cursor; ;) {
    const [words, next] = await page(cursor);
    list.push(...words);
    if (next === undefined) return list;
    cursor = next;
  }
};
export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const word = url.search.slice(1);
    switch (url.pathname) {
      case "/kv": await env.K.put(word, pad); break;
      case "/docs": await env.D.collection("c").insert({ _id: word, pad }); break;
      case "/sql": await env.DB.prepare("insert into note values (?, ?)").bind(word, pad).run(); break;
      case "/blobs": await env.FILES.put(word, pad.repeat(8)); break;
      case "/read": return new Response(await env.K.get("seed"));
      case "/all": return Response.json({
        kv: await all(async (cursor) => { const p = await env.K.list({ limit: 1000, cursor }); return [p.keys.map((k) => k.name), p.list_complete ? undefined : p.cursor]; }),
        docs: await all(async (after = "") => { const p = await env.D.collection("c").find({ _id: { $gt: after } }, { sort: { _id: 1 }, limit: 200, scan: true }).toArray(); return [p.map((d) => d._id), p.at(-1)?._id]; }),
        sql: (await env.DB.prepare("select word from note").raw()).map((r) => r[0]),
        blobs: await all(async (cursor) => { const p = await env.FILES.list({ limit: 1000, cursor }); return [p.objects.map((o) => o.key), p.truncated ? p.cursor : undefined]; }),
      });
    }
    return new Response("kept");
  },
};
`,
	}
}

// filling writes into one store until it is stopped.
type filling struct {
	store   string
	mu      sync.Mutex
	kept    []string // guarded by mu
	refused int      // guarded by mu: in a row
	odd     string   // guarded by mu: an answer that should not be
	worst   time.Duration
}

func (f *filling) run(v *visitor, stop <-chan struct{}) {
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		word, began := fmt.Sprintf("%s-%d", f.store, n), time.Now()
		got, err := v.get("notes.localhost", "/"+f.store+"?"+word)
		f.mu.Lock()
		switch {
		case err != nil:
			f.odd = err.Error()
		case got.status == http.StatusOK:
			f.kept, f.refused = append(f.kept, word), 0
		case got.status == http.StatusInsufficientStorage && strings.Contains(got.body, "disk_full"):
			f.refused++
			f.worst = max(f.worst, time.Since(began))
		default:
			f.odd = fmt.Sprint(got.status, " ", got.body)
		}
		f.mu.Unlock()
	}
}

func (f *filling) now() (kept []string, refused int, odd string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.kept), f.refused, f.odd
}

// TestIntegrationAppsDiskFull: while apps fill the disk, and on the full one, all
// that is read is answered, writes are refused with the reason, and what somebody
// says at the command line works. With room again writes go on by themselves, and
// nothing that was acknowledged is missing.
func TestIntegrationAppsDiskFull(t *testing.T) {
	w := newPlainWorld(t)
	must(t, os.Mkdir(w.path("state"), 0o700))
	if err := syscall.Mount("tmpfs", w.path("state"), "tmpfs", 0, "size=64m,mode=0700"); err != nil {
		t.Skipf("no small file system can be made here: %v", err)
	}
	t.Cleanup(func() { must(t, syscall.Unmount(w.path("state"), syscall.MNT_DETACH)) })
	w.write(stores())
	p := w.serve("state", "--backup-every", "0")
	w.want(0, "", "apply", w.path("site"), "--yes", "--state", p.state)
	for _, word := range []string{"seed", "gone"} {
		w.want(0, "", "kv", "put", "notes", word, word, "--state", p.state)
	}
	var disk syscall.Statfs_t
	must(t, syscall.Statfs(p.state, &disk))
	filler := w.path("state/filler") // so that the apps have the rest to themselves
	must(t, os.WriteFile(filler, make([]byte, int64(disk.Bavail)*disk.Bsize-(8<<20)), 0o600))

	stop, reading, group := make(chan struct{}), make(chan error, 2), sync.WaitGroup{}
	var all []*filling
	for i, store := range []string{"kv", "docs", "sql", "blobs"} {
		f := &filling{store: store}
		all = append(all, f)
		group.Go(func() { f.run(p.visitor(byte(i+1)), stop) })
	}
	for host, says := range map[string]string{"still.localhost/": "still", "notes.localhost/read": "seed"} {
		group.Go(func() {
			v, n := p.visitor(9), 0
			for ; ; n++ {
				select {
				case <-stop:
					reading <- nil
					return
				default:
				}
				name, path, _ := strings.Cut(host, "/")
				if got, err := v.get(name, "/"+path); err != nil || got.status != http.StatusOK || got.body != says {
					reading <- fmt.Errorf("%s after %d: %d %q, %v", host, n, got.status, got.body, err)
					return
				}
			}
		})
	}
	until := func(what string, ok func(f *filling) bool) {
		t.Helper()
		for _, f := range all {
			for deadline := time.Now().Add(patience); !ok(f); {
				if _, _, odd := f.now(); odd != "" || time.Now().After(deadline) {
					kept, refused, _ := f.now()
					t.Fatalf("%s: %s: %d kept, %d refused, %s\n%s", what, f.store, len(kept), refused, odd, p.log())
				}
				time.Sleep(20 * time.Millisecond)
			}
		}
	}
	until("filling up", func(f *filling) bool { _, refused, _ := f.now(); return refused > 30 })
	for _, args := range [][]string{{"pause", "--reason", "full"}, {"resume"}, {"kv", "delete", "notes", "gone"}, {"status"}, {"app", "usage", "notes"}} {
		if e := w.fazt(append(args, "--state", p.state)...); e.exit != 0 {
			t.Errorf("fazt %s on a full disk: exit %d\n%s%s", strings.Join(args, " "), e.exit, e.stdout, e.stderr)
		}
	}
	before := map[string]int{}
	for _, f := range all {
		kept, _, _ := f.now()
		before[f.store] = len(kept)
	}
	must(t, os.Remove(filler))
	until("with room again", func(f *filling) bool { kept, _, _ := f.now(); return len(kept) > before[f.store]+10 })
	close(stop)
	group.Wait()
	for range cap(reading) {
		if err := <-reading; err != nil {
			t.Error(err)
		}
	}

	var there map[string][]string
	must(t, json.Unmarshal([]byte(p.serves("notes.localhost", "/all", "{").body), &there))
	for _, f := range all {
		kept, _, odd := f.now()
		if odd != "" {
			t.Errorf("%s: %s", f.store, odd)
		}
		has := map[string]bool{}
		for _, word := range there[f.store] {
			has[word] = true
		}
		lost := slices.DeleteFunc(slices.Clone(kept), func(word string) bool { return has[word] })
		if len(lost) > 0 {
			t.Errorf("%s lost %d of %d writes that were acknowledged: %s …", f.store, len(lost), len(kept), lost[0])
		}
		t.Logf("%s: %d kept, %d of them before the disk was full, the slowest refusal took %s", f.store, len(kept), before[f.store], f.worst.Round(time.Millisecond))
	}
	p.stop()
	audit(t, p.state)
	files, err := filepath.Glob(p.state + "/app/*/*.db")
	must(t, err)
	if len(files) == 0 {
		t.Error("no database was checked")
	}
	for _, name := range files {
		db, err := sqlite.Open(context.Background(), name, sqlite.Options{})
		must(t, err)
		must(t, db.Check(context.Background()))
		must(t, db.Close())
	}
}
