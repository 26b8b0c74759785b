package release_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"
	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/release"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// live publishes an object as a deployment of its own and returns that.
func (g *ground) live(t testing.TB, number uint64, o release.Object) release.Deployment {
	t.Helper()
	list := []release.Deployment{{App: o.Name, Revision: o.Revision, Outcome: release.Live, Time: time.Unix(int64(number), 0)}}
	g.must(t, release.Change{Generation: release.Generation{Number: number, Revision: o.Revision}, Put: []release.Object{o}, Deployments: list})
	return list[0]
}

func version(o release.Object, n int) release.Object {
	o.Revision = fmt.Sprint("r", n)
	o.Digest = strings.Repeat(fmt.Sprint(n%10), 64)
	o.Manifest = []byte(fmt.Sprintf(`{"tree":"%d"}`, n))
	return o
}

// What went live can be had again, as it was, until twenty newer ones did.
func TestReleasesAreKept(t *testing.T) {
	g := open(t)
	var made []release.Deployment
	for n := range 25 {
		made = append(made, g.live(t, uint64(n+1), version(app(1, 1), n)))
	}
	g.live(t, 26, app(2, 1))
	if _, err := g.Retain(t.Context(), time.Now(), release.KeptReleases); err != nil {
		t.Fatal(err)
	}
	for n, d := range made {
		o, err := g.Release(t.Context(), d.ID)
		switch {
		case n < 5 && fault.KindOf(err) != fault.NotFound:
			t.Errorf("release %d of 25: %v", n, err)
		case n >= 5 && (err != nil || !reflect.DeepEqual(o, version(app(1, 1), n))):
			t.Errorf("release %d of 25 is %+v, %v", n, o, err)
		}
	}
	kept, err := g.Kept(t.Context(), "app.a00001")
	if err != nil || len(kept) != 20 || kept[0].ID != made[24].ID {
		t.Errorf("%d are listed, the newest is %+v, %v", len(kept), kept[0], err)
	}
	lists := 0
	if err := g.Lists(t.Context(), func([]byte) error { lists++; return nil }); err != nil || lists != 21 {
		t.Errorf("%d file lists for 21 releases, %v", lists, err)
	}
}

// Failed attempts are history for a month, live ones as long as their releases.
func TestHistoryEnds(t *testing.T) {
	g := open(t)
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	old, fresh := now.Add(-31*24*time.Hour), now.Add(-29*24*time.Hour)
	if err := g.db.Write(t.Context(), func(tx *sqlite.Tx) error {
		return g.Record(tx, []release.Deployment{
			{App: "a", Outcome: release.Failed, Time: old}, {App: "a", Outcome: release.Failed, Time: fresh}, {App: "a", Outcome: release.Live, Time: old},
		})
	}); err != nil {
		t.Fatal(err)
	}
	if d, err := g.Retain(t.Context(), now, release.KeptReleases); err != nil || d.Deployments != 1 {
		t.Errorf("%+v, %v", d, err)
	}
	if list, err := g.Store.Deployments(t.Context(), release.Filter{}); err != nil || len(list) != 2 {
		t.Errorf("%d are left, %v", len(list), err)
	}
}

// An app in the trash is all there until its date, and so are its releases.
func TestTrash(t *testing.T) {
	g := open(t)
	d := g.live(t, 1, app(1, 3))
	g.live(t, 2, app(2, 3))
	at := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	until := at.Add(30 * 24 * time.Hour)
	g.must(t, release.Change{
		Generation: release.Generation{Number: 3, Revision: "r3", Time: at}, Drop: []string{"app.a00001"},
		Park: []release.Parking{{Addr: "app.a00001", Until: until, Reason: "removed_from_config", Revision: "r3"}},
	})
	if _, list, err := g.Current(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("%d objects are in service, %v", len(list), err)
	}
	want := []release.Parked{{Object: app(1, 3), Reason: "removed_from_config", Gone: "r3", Since: at, Until: until}}
	for _, now := range []time.Time{at, until} {
		if _, err := g.Retain(t.Context(), now, release.KeptReleases); err != nil {
			t.Fatal(err)
		}
		trash, err := g.Trash(t.Context())
		if err != nil || !reflect.DeepEqual(trash, want) {
			t.Errorf("at %s the trash is %+v, %v", now, trash, err)
		}
		if _, err := g.Release(t.Context(), d.ID); err != nil {
			t.Errorf("its release: %v", err)
		}
	}
	if dropped, err := g.Retain(t.Context(), until.Add(1), release.KeptReleases); err != nil || dropped.Parked != 1 || !dropped.Any() {
		t.Errorf("past its date: %+v, %v", dropped, err)
	}
	if _, err := g.Release(t.Context(), d.ID); fault.KindOf(err) != fault.NotFound {
		t.Errorf("past its date, its release: %v", err)
	}
}

// What leaves the trash is in service only.
func TestUnpark(t *testing.T) {
	g := open(t)
	g.live(t, 1, app(1, 1))
	g.must(t, release.Change{Generation: release.Generation{Number: 2}, Drop: []string{"app.a00001"}, Park: []release.Parking{{Addr: "app.a00001"}}})
	g.must(t, release.Change{Generation: release.Generation{Number: 3}, Put: []release.Object{app(1, 1)}, Unpark: []string{"app.a00001"}})
	trash, err := g.Trash(t.Context())
	_, list, err2 := g.Current(t.Context())
	if err != nil || err2 != nil || len(trash) != 0 || len(list) != 1 {
		t.Errorf("%d in the trash, %d in service, %v, %v", len(trash), len(list), err, err2)
	}
}

// Deleting takes the releases along.
func TestDelete(t *testing.T) {
	g := open(t)
	d := g.live(t, 1, app(1, 1))
	g.must(t, release.Change{Generation: release.Generation{Number: 2}, Drop: []string{"app.a00001"}, Delete: []string{"app.a00001"}})
	if _, err := g.Release(t.Context(), d.ID); fault.KindOf(err) != fault.NotFound {
		t.Error(err)
	}
}

// A new address takes history and releases along.
func TestMove(t *testing.T) {
	g := open(t)
	d := g.live(t, 1, app(1, 1))
	to := app(1, 1)
	to.Addr, to.Name = "app.new", "new"
	g.must(t, release.Change{
		Generation: release.Generation{Number: 2}, Put: []release.Object{to},
		Move: []release.Move{{From: "app.a00001", To: "app.new", FromName: "a00001", ToName: "new"}},
	})
	if o, err := g.Release(t.Context(), d.ID); err != nil || o.Addr != "app.new" || o.Name != "new" {
		t.Errorf("its release is %+v, %v", o, err)
	}
	list, err := g.Store.Deployments(t.Context(), release.Filter{App: "new"})
	_, objects, err2 := g.Current(t.Context())
	if err != nil || err2 != nil || len(list) != 1 || len(objects) != 1 {
		t.Errorf("%d deployments, %d objects, %v, %v", len(list), len(objects), err, err2)
	}
}

// Holds are a map by kind and address, whatever the sequence of changes.
func TestHoldsLaw(t *testing.T) {
	g := open(t)
	model := map[release.HoldKey]release.Hold{}
	rapid.Check(t, func(r *rapid.T) {
		key := release.HoldKey{Kind: rapid.SampledFrom([]string{"pause", "pin"}).Draw(r, "kind"), Addr: rapid.SampledFrom([]string{"", "app.a"}).Draw(r, "addr")}
		h := release.Hold{Kind: key.Kind, Addr: key.Addr, Reason: rapid.String().Draw(r, "reason"), Actor: "local:0", Deployment: 7, Version: "v", Revision: "r",
			Since: time.Unix(rapid.Int64Range(1, 1e9).Draw(r, "since"), 1).UTC()}
		if rapid.Bool().Draw(r, "ends") {
			h.Until = h.Since.Add(time.Hour)
		}
		var free []release.HoldKey
		if rapid.Bool().Draw(r, "free") {
			free = append(free, key)
			delete(model, key)
		}
		var put []release.Hold
		if rapid.Bool().Draw(r, "put") {
			put, model[key] = append(put, h), h
		}
		if err := g.db.Write(t.Context(), func(tx *sqlite.Tx) error { return g.SetHolds(tx, put, free) }); err != nil {
			r.Fatal(err)
		}
		list, err := g.Holds(t.Context())
		if err != nil || len(list) != len(model) {
			r.Fatalf("%d of %d holds, %v", len(list), len(model), err)
		}
		for _, h := range list {
			if want := model[release.HoldKey{Kind: h.Kind, Addr: h.Addr}]; h != want {
				r.Fatalf("%+v, want %+v", h, want)
			}
		}
	})
}

// A process that has lost its folder writes nothing any more.
func TestAnOldLeaseCannotWrite(t *testing.T) {
	g := open(t)
	if err := g.Lease(t.Context(), "first"); err != nil {
		t.Fatal(err)
	}
	g.live(t, 1, app(1, 1))
	second, err := release.Open(t.Context(), g.db)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Lease(t.Context(), "second"); err != nil {
		t.Fatal(err)
	}
	for what, write := range map[string]func(tx *sqlite.Tx) error{
		"commit": func(tx *sqlite.Tx) error {
			return g.Commit(tx, release.Change{Generation: release.Generation{Number: 2}})
		},
		"record": func(tx *sqlite.Tx) error { return g.Record(tx, []release.Deployment{{App: "a"}}) },
		"hold":   func(tx *sqlite.Tx) error { return g.SetHolds(tx, []release.Hold{{Kind: "pause"}}, nil) },
	} {
		if err := g.db.Write(t.Context(), write); fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "second") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := g.db.Write(t.Context(), func(tx *sqlite.Tx) error {
		return second.Commit(tx, release.Change{Generation: release.Generation{Number: 2}})
	}); err != nil {
		t.Errorf("the new holder: %v", err)
	}
}

// A plan is spent with its commit; a folder keeps its lineage.
func TestSpentAndLineage(t *testing.T) {
	g := open(t)
	g.must(t, release.Change{Generation: release.Generation{Number: 1}, Plan: "p-1"})
	for plan, want := range map[string]bool{"p-1": true, "p-2": false} {
		if spent, err := g.Spent(t.Context(), plan); err != nil || spent != want {
			t.Errorf("%s: %v, %v", plan, spent, err)
		}
	}
	one, err := g.Lineage(t.Context())
	again, err2 := g.Lineage(t.Context())
	other, err3 := open(t).Lineage(t.Context())
	if err != nil || err2 != nil || err3 != nil || one == "" || one != again || one == other {
		t.Errorf("%q, %q, %q", one, again, other)
	}
}

// A folder of the first version opens with all it has.
func TestOpensTheFirstSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node.db")
	schema, err := os.ReadFile("migration/00001_release.sql")
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range append(strings.Split(string(schema), ";\n"),
		`INSERT INTO generation VALUES (4, 'r4', 'local', '', '', 1)`,
		`INSERT INTO object VALUES ('app.a00001', 'app', 'a00001', 'r4', 'd', '{"content":"site"}'), ('edge', 'edge', '', 'r1', 'e', '{}')`,
		`INSERT INTO manifest VALUES ('app.a00001', x'44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a', x'007b7d')`,
	) {
		if _, err := db.Exec(statement); err != nil && strings.TrimSpace(statement) != "" {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	table := migrationTable(t)
	for _, statement := range []string{table, `INSERT INTO ` + strings.Fields(table)[2] + ` (version_id, is_applied) VALUES (0, 1), (1, 1)`} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	ground, err := sqlite.Open(context.Background(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer ground.Close()
	store, err := release.Open(t.Context(), ground)
	if err != nil {
		t.Fatal(err)
	}
	gen, list, err := store.Current(t.Context())
	if err != nil || gen.Number != 4 || len(list) != 2 || string(list[0].Manifest) != "{}" || list[1].Manifest != nil {
		t.Errorf("%+v, %+v, %v", gen, list, err)
	}
}

// migrationTable is the statement that makes the table of applied migrations,
// taken from a database of this version.
func migrationTable(t *testing.T) (statement string) {
	t.Helper()
	g := open(t)
	if err := g.db.Read(t.Context(), func(tx *sqlite.Tx) error {
		return tx.QueryRow(`SELECT sql FROM sqlite_schema WHERE sql LIKE '%version_id%'`).Scan(&statement)
	}); err != nil {
		t.Fatal(err)
	}
	return statement
}
