//go:build integration

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/sqlite"
)

// keepers is an app that keeps a thing in each store under an id, and says of ids
// whether it has them "whole", as "half", or "none". A thing is as long as its
// store keeps it in more than one piece, and all of it depends on the id.
const keepers = `
const long = (id, n) => (id + "|").repeat(Math.ceil(n / (id.length + 1)));
const judge = (got, want) => got === null || got === undefined ? "none" : got === want ? "whole" : "half";
const stores = {
  kv: {
    put: (env, id) => env.K.put(id, long(id, 9000)),
    look: async (env, id) => judge(await env.K.get(id), long(id, 9000)),
  },
  docs: {
    put: (env, id) => env.D.collection("c").insert({ _id: id, text: long(id, 9000), end: id }),
    look: async (env, id) => {
      const d = await env.D.collection("c").get(id);
      return judge(d && d.text + d.end, long(id, 9000) + id);
    },
  },
  sql: {
    put: (env, id) => env.DB.transaction(async (tx) => {
      await tx.prepare("INSERT INTO leg (id, side) VALUES (?, 'left')").bind(id).run();
      await tx.prepare("INSERT INTO leg (id, side) VALUES (?, 'right')").bind(id).run();
    }),
    look: async (env, id) => ["none", "half", "whole"][await env.DB.prepare("SELECT count(*) AS n FROM leg WHERE id = ?").bind(id).first("n")],
  },
  blobs: {
    put: (env, id) => env.B.put(id, long(id, 90000)),
    look: async (env, id) => {
      const b = await env.B.get(id);
      return judge(b && await b.text(), long(id, 90000));
    },
  },
};
export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    if (url.pathname === "/put") {
      await stores[url.searchParams.get("store")].put(env, url.searchParams.get("id"));
      return new Response("kept");
    }
    const said = {};
    for (const id of (await request.text()).split(" ")) said[id] = await stores[id.split("-")[0]].look(env, id);
    return Response.json(said);
  },
};`

const keepersHCL = `edge {
  domain = "localhost"
}
limits {
  requests_per_ip = { rate = 100000, burst = 100000 }
}
app "keep" {
  content = "keep"
  runtime {
    entry = "main.js"
    cpu   = "20s"
  }
  kv "K" {}
  docs "D" {}
  blobs "B" {}
  sql "DB" { migrations = "migrations" }
}
`

// clerk is what the clients of an app know: what was answered, and what was asked
// for when the node died.
type clerk struct {
	mu          sync.Mutex
	acked, open []string // guarded by mu
}

// write keeps one thing after the other until the node does not answer.
func (k *clerk) write(p *process, cycle, writer int) error {
	v := p.visitor(0)
	defer v.close()
	stores := []string{"kv", "docs", "sql", "blobs"}
	for n := 0; ; n++ {
		store := stores[(writer+n)%len(stores)]
		id := fmt.Sprintf("%s-%d-%d-%d", store, cycle, writer, n)
		got, err := v.get("keep.localhost", "/put?store="+store+"&id="+id)
		answered := err == nil && got.status == http.StatusOK && got.body == "kept"
		k.mu.Lock()
		if answered {
			k.acked = append(k.acked, id)
		} else {
			k.open = append(k.open, id)
		}
		k.mu.Unlock()
		switch {
		case err != nil:
			return nil
		case !answered:
			return fmt.Errorf("%s: %d %q", id, got.status, got.body)
		}
	}
}

// verdicts asks the app what it has of the ids.
func (p *process) verdicts(ids []string) map[string]string {
	p.w.t.Helper()
	v := p.visitor(0)
	defer v.close()
	all := map[string]string{}
	for len(ids) > 0 {
		some := ids[:min(len(ids), 100)]
		ids = ids[len(some):]
		resp, err := v.http.Post("http://keep.localhost/look", "text/plain", strings.NewReader(strings.Join(some, " ")))
		must(p.w.t, err)
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		must(p.w.t, err)
		if resp.StatusCode != http.StatusOK {
			p.w.t.Fatalf("look: %d %s\n%s", resp.StatusCode, body, p.log())
		}
		must(p.w.t, json.Unmarshal(body, &all))
	}
	return all
}

// lost counts the acknowledged things that are not there and the open ones that
// are there in part.
func (p *process) lost(acked, open []string) (n int) {
	p.w.t.Helper()
	for id, is := range p.verdicts(acked) {
		if is != "whole" {
			p.w.t.Errorf("%s was acknowledged and is there as %s", id, is)
			n++
		}
	}
	for id, is := range p.verdicts(open) {
		if is == "half" {
			p.w.t.Errorf("%s was not acknowledged and is there by half", id)
			n++
		}
	}
	return n
}

// TestIntegrationAppsKill kills a node under eight clients that write to each
// store of an app. What was acknowledged is there after the next start, what was
// not is there in whole or not at all, and the database is sound at the end.
func TestIntegrationAppsKill(t *testing.T) {
	t.Parallel()
	const writers = 8
	cycles, random := number(t, "FAZT_KILLS", 5), seeded(t, 7)
	w := newPlainWorld(t)
	w.write(map[string]string{"site/fazt.hcl": keepersHCL, "site/keep/main.js": keepers,
		"site/keep/migrations/1_leg.sql": "CREATE TABLE leg (id TEXT, side TEXT, PRIMARY KEY (id, side));\n"})
	p := w.serve("state")
	w.want(0, "generation 1", "apply", "--yes", "--state", p.state, w.path("site"))
	var all clerk
	losses := 0
	for cycle := range cycles {
		var now clerk
		failures := make(chan error, writers)
		for writer := range writers {
			go func() { failures <- now.write(p, cycle, writer) }()
		}
		<-time.After(time.Duration(random.Int64N(int64(time.Second)))) // the moment is the subject
		p.kill()
		for range writers {
			if err := <-failures; err != nil {
				t.Error(err)
			}
		}
		p = w.serve("state")
		losses += p.lost(now.acked, now.open)
		all.acked, all.open = append(all.acked, now.acked...), append(all.open, now.open...)
	}
	losses += p.lost(all.acked, all.open) // also after the kills that came later
	p.stop()
	if len(all.acked) == 0 {
		t.Error("nothing was ever acknowledged")
	}
	sound(t, p.state)
	t.Logf("%d kills, %d acknowledged writes, %d in flight, %d lost or by half", cycles, len(all.acked), len(all.open), losses)
}

// sound fails the test unless each app's database is whole.
func sound(t *testing.T, state string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(state, "app", "*", "data.db"))
	must(t, err)
	if len(files) == 0 {
		t.Fatalf("no app of %s has a database", state)
	}
	for _, file := range files {
		db, err := sqlite.Open(t.Context(), file, sqlite.Options{})
		must(t, err)
		var said string
		err = db.Read(t.Context(), func(tx *sqlite.Tx) error { return tx.QueryRow(`PRAGMA integrity_check`).Scan(&said) })
		must(t, err)
		must(t, db.Close())
		if said != "ok" {
			t.Errorf("%s: %s", file, said)
		}
	}
}
