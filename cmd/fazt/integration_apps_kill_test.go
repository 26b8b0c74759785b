//go:build integration

package main

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/sqlite"
)

// TestIntegrationAppsKill kills a node under eight writers, again and again. What was
// acknowledged is there afterwards, in tables, keys and files; of two rows that belong
// together there are both or none; and the app's file is whole.
func TestIntegrationAppsKill(t *testing.T) {
	t.Parallel()
	w := newPlainWorld(t)
	site := keeping()
	site["site/notes/main.js"] = strings.Replace(site["site/notes/main.js"],
		`await env.DB.prepare("insert into note (word) values (?)").bind(word).run();`,
		`const put = env.DB.prepare("insert into note (word) values (?)"); await env.DB.batch([put.bind(word), put.bind("other-" + word)]);`, 1)
	site["site/fazt.hcl"] += unhurried
	w.write(site)
	seed := uint64(number(t, "FAZT_SEED", int(time.Now().UnixMilli()%1e9)))
	random := rand.New(rand.NewPCG(seed, 0))
	acknowledged, cycles := 0, number(t, "FAZT_KILLS", 5)
	for cycle := range cycles {
		p := w.serve("state", "--backup-every", "0", "--no-safe-mode")
		if cycle == 0 {
			w.want(0, "", "apply", w.path("site"), "--yes", "--state", p.state)
		}
		writing := p.writeAs(8, 400, cycle)
		time.Sleep(time.Duration(100+random.IntN(400)) * time.Millisecond)
		p.kill()
		p.ended()
		close(writing.stop)
		writing.group.Wait()
		p = w.serve("state", "--backup-every", "0", "--no-safe-mode")
		rows, keys, files := p.kept("notes.localhost")
		for _, word := range writing.journal() {
			if !rows[word] || !keys[word] || strings.HasSuffix(word, "0") && !files[word] {
				t.Errorf("seed %d, cycle %d: %s was acknowledged and is lost: row %v, key %v, file %v", seed, cycle, word, rows[word], keys[word], files[word])
			}
		}
		for word := range rows {
			if other, is := strings.CutPrefix(word, "other-"); is && !rows[other] || !is && !rows["other-"+word] {
				t.Errorf("seed %d, cycle %d: half of a batch is there: %s", seed, cycle, word)
			}
		}
		acknowledged += len(writing.journal())
		p.stop()
	}
	whole(t, w.path("state"))
	t.Logf("seed %d: %d kills under eight writers, %d acknowledged writes, none lost", seed, cycles, acknowledged)
	if acknowledged < cycles {
		t.Errorf("only %d writes in %d cycles", acknowledged, cycles)
	}
}

// whole checks the files of all apps.
func whole(t *testing.T, state string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(state, "app", "*", "data.db"))
	must(t, err)
	if len(found) == 0 {
		t.Error("no app has a file")
	}
	for _, path := range found {
		db, err := sqlite.Open(context.Background(), path, sqlite.Options{Reserved: "fazt_"})
		must(t, err)
		if err := db.Check(context.Background()); err != nil {
			t.Error(err)
		}
		must(t, db.Close())
	}
}
