//go:build integration

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// keeping is a site whose app keeps what it is asked to: a row of SQL and a key, and
// with each tenth a file.
func keeping() map[string]string {
	return map[string]string{
		"site/fazt.hcl": "edge {\n  domain = \"localhost\"\n}\napp \"notes\" {\n  content = \"notes\"\n  runtime {\n    entry = \"main.js\"\n  }\n" +
			"  kv \"K\" {}\n  sql \"DB\" {\n    migrations = \"sql\"\n  }\n  blobs \"FILES\" {}\n}\n",
		"site/notes/sql/0001_begin.sql": "CREATE TABLE note (word TEXT PRIMARY KEY);\n",
		"site/notes/main.js": `export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const word = url.search.slice(1);
    switch (url.pathname) {
      case "/add":
        await env.DB.prepare("insert into note (word) values (?)").bind(word).run();
        await env.K.put(word, "kept");
        if (word.endsWith("0")) await env.FILES.put(word, "bytes of " + word);
        return new Response("kept");
      case "/all": {
        const rows = (await env.DB.prepare("select word from note").raw()).map((r) => r[0]);
        const keys = [], files = [];
        for (let cursor; ;) {
          const page = await env.K.list({ limit: 1000, cursor });
          keys.push(...page.keys.map((k) => k.name));
          if (page.list_complete) break;
          cursor = page.cursor;
        }
        for (let cursor; ;) {
          const page = await env.FILES.list({ limit: 1000, cursor });
          for (const o of page.objects) {
            if ((await (await env.FILES.get(o.key)).text()) !== "bytes of " + o.key) return new Response("a file is damaged", { status: 500 });
            files.push(o.key);
          }
          if (!page.truncated) break;
          cursor = page.cursor;
        }
        return Response.json({ rows, keys, files });
      }
      case "/set":
        await env.K.put("word", word);
        return new Response("kept");
    }
    return new Response(await env.K.get("word"));
  },
};
`,
	}
}

// clients write at a rate, and know what was acknowledged.
type clients struct {
	mu     sync.Mutex
	kept   []string // guarded by mu
	failed []string // guarded by mu
	worst  time.Duration
	group  sync.WaitGroup
	stop   chan struct{}
}

// write begins n clients with so many writes a second together.
func (p *process) write(n, rate int) *clients {
	c := &clients{stop: make(chan struct{})}
	for i := range n {
		c.group.Go(func() {
			v := p.visitor(byte(i + 1))
			defer v.close()
			tick := time.NewTicker(time.Second * time.Duration(n) / time.Duration(rate))
			defer tick.Stop()
			for number := 0; ; number++ {
				select {
				case <-c.stop:
					return
				case <-tick.C:
				}
				c.one(v, fmt.Sprintf("w%d-%d", i, number))
			}
		})
	}
	return c
}

func (c *clients) one(v *visitor, word string) {
	began := time.Now()
	got, err := v.get("notes.localhost", "/add?"+word)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.worst = max(c.worst, time.Since(began))
	if err != nil || got.status != http.StatusOK {
		c.failed = append(c.failed, fmt.Sprint(word, ": ", got.status, " ", err))
		return
	}
	c.kept = append(c.kept, word)
}

// journal is what was acknowledged until now.
func (c *clients) journal() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.kept)
}

// end stops the clients and fails the test if a write was refused.
func (c *clients) end(t *testing.T) {
	close(c.stop)
	c.group.Wait()
	if len(c.failed) > 0 {
		t.Errorf("%d writes failed: %s", len(c.failed), c.failed[0])
	}
}

// kept is what an app says that it has.
func (p *process) kept(host string) (rows, keys, files map[string]bool) {
	p.w.t.Helper()
	var all struct{ Rows, Keys, Files []string }
	must(p.w.t, json.Unmarshal([]byte(p.serves(host, "/all", "{").body), &all))
	set := func(list []string) map[string]bool {
		m := map[string]bool{}
		for _, word := range list {
			m[word] = true
		}
		return m
	}
	return set(all.Rows), set(all.Keys), set(all.Files)
}

// TestIntegrationBackups makes backups of an app while 200 writes a second come in.
// Each is restored beside the app, clean, with every write that was acknowledged
// before it began; and in the end the app itself goes on with one of them, while it is
// written to.
func TestIntegrationBackups(t *testing.T) {
	w := newPlainWorld(t)
	w.write(keeping())
	p := w.serve("state", "--backup-every", "0")
	w.want(0, "", "apply", w.path("site"), "--yes", "--state", p.state)
	writing, began := p.write(8, 200), time.Now()
	for round := range number(t, "FAZT_BACKUPS", 10) {
		for len(writing.journal()) < (round+1)*100 { // not of nothing
			time.Sleep(10 * time.Millisecond)
		}
		acknowledged := writing.journal()
		w.want(0, "just now", "backup", "create", "notes", "--state", p.state)
		name := fmt.Sprintf("then-%d", round)
		w.want(0, "has the data", "restore", "notes/latest", "--as", name, "--state", p.state)
		rows, keys, files := p.kept(name + ".localhost")
		lost := 0
		for _, word := range acknowledged {
			if !rows[word] || !keys[word] || strings.HasSuffix(word, "0") && !files[word] {
				lost++
			}
		}
		if lost > 0 {
			t.Errorf("backup %d lacks %d of %d writes", round, lost, len(acknowledged))
		}
	}
	w.want(0, "has the data", "restore", "notes/latest", "--app", "notes", "--confirm", "notes", "--state", p.state)
	writing.end(t)
	took := time.Since(began)
	rows, _, _ := p.kept("notes.localhost")
	if len(rows) == 0 {
		t.Error("the app has nothing after its restore")
	}
	t.Logf("%d writes, %.0f a second, the slowest took %s", len(writing.kept), float64(len(writing.kept))/took.Seconds(), writing.worst.Round(time.Millisecond))
	p.stop()
}

// TestIntegrationBackupKilled kills a node at every durable step of a backup and of a
// restore. The next start serves the old data, whole, up to the moment at which the
// restore was recorded, and the new data from then on; and the next backup works.
func TestIntegrationBackupKilled(t *testing.T) {
	w := worldOf(t, killable)
	w.write(keeping())
	p := w.serve("state", "--backup-every", "0")
	w.want(0, "", "apply", w.path("site"), "--yes", "--state", p.state)
	p.serves("notes.localhost", "/set?old", "kept")
	w.want(0, "just now", "backup", "create", "notes", "--state", p.state)
	backup := strings.Fields(w.fazt("backup", "list", "notes", "--state", p.state).stdout)[6]
	p.serves("notes.localhost", "/set?new", "kept")
	create := []string{"backup", "create", "notes"}
	restore := []string{"restore", backup, "--app", "notes", "--confirm", "notes"}
	p.stop()
	for _, c := range []struct {
		point string
		what  []string
		word  string // what the app says afterwards
	}{
		{"backup.written", create, "new"}, {"backup.named", create, "new"}, {"backup.verified", create, "new"},
		{"restore.unpacked", restore, "new"}, {"loop.staged", restore, "new"}, {"loop.committed", restore, "old"}, {"loop.published", restore, "old"},
	} {
		cmd := exec.Command(w.bin, "serve", "--state", w.path("state"), "--listen", "127.0.0.1:0", "--no-safe-mode", "--backup-every", "0")
		cmd.Env = append(slices.Clone(w.env), "FAZT_FAILPOINT="+c.point)
		p := w.serveAs("state", cmd)
		if e := w.fazt(append(c.what, "--state", p.state)...); e.exit == 0 {
			t.Fatalf("%v at %s: not killed: %s", c.what, c.point, e.stdout)
		}
		p.ended()
		audit(t, w.path("state"))
		p = w.serve("state", "--backup-every", "0")
		p.serves("notes.localhost", "/", c.word)
		w.want(0, "restored and whole", "backup", "verify", backup, "--state", p.state)
		p.serves("notes.localhost", "/set?new", "kept")
		w.want(0, "just now", "backup", "create", "notes", "--state", p.state)
		left, err := filepath.Glob(filepath.Join(w.path("state"), "backup", "notes", ".*"))
		must(t, err)
		temp, err := os.ReadDir(filepath.Join(w.path("state"), "tmp"))
		must(t, err)
		if len(left)+len(temp) > 0 {
			t.Errorf("killed at %s: left behind are %v, %v", c.point, left, temp)
		}
		p.stop()
	}
}
