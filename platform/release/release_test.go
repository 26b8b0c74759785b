package release_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/release"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// ground is a store whose statements are counted.
type ground struct {
	*release.Store
	db      *sqlite.DB
	queries []string
}

func open(t testing.TB) *ground {
	t.Helper()
	g := &ground{}
	var err error
	g.db, err = sqlite.Open(context.Background(), filepath.Join(t.TempDir(), "node.db"), sqlite.Options{
		Trace: func(q string) { g.queries = append(g.queries, q) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.db.Close() })
	if g.Store, err = release.Open(context.Background(), g.db); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *ground) commit(c release.Change) error {
	return g.db.Write(context.Background(), func(tx *sqlite.Tx) error { return g.Commit(tx, c) })
}

func (g *ground) must(t testing.TB, c release.Change) {
	t.Helper()
	if err := g.commit(c); err != nil {
		t.Fatal(err)
	}
}

func app(i, files int) release.Object {
	var list []map[string]any
	for f := range files {
		list = append(list, map[string]any{"path": fmt.Sprintf("page/%d.html", f), "id": strings.Repeat("a", 40), "size": f})
	}
	manifest, err := json.Marshal(list)
	if err != nil {
		panic(err)
	}
	return release.Object{Addr: fmt.Sprintf("app.a%05d", i), Kind: "app", Name: fmt.Sprintf("a%05d", i), Revision: "r1",
		Digest: strings.Repeat("d", 64), Body: []byte(`{"content":"site"}`), Manifest: manifest}
}

func TestCommitAndCurrent(t *testing.T) {
	g := open(t)
	if gen, list, err := g.Current(t.Context()); err != nil || gen.Number != 0 || list != nil {
		t.Fatalf("an empty store: %+v, %v, %v", gen, list, err)
	}
	edge := release.Object{Addr: "edge", Kind: "edge", Name: "edge", Revision: "r1", Digest: "e", Body: []byte(`{"tls":"off"}`)}
	at := time.Date(2026, 11, 22, 1, 2, 3, 4, time.UTC)
	want := release.Generation{Number: 1, Revision: "r1", Node: "fra-1", Author: "Asha <asha@example.com>", Subject: "begin", Time: at}
	g.must(t, release.Change{Generation: want, Put: []release.Object{edge, app(1, 3), app(2, 500), app(3, 0)}})

	gen, list, err := g.Current(t.Context())
	if err != nil || gen != want {
		t.Fatalf("%+v, %v", gen, err)
	}
	if !reflect.DeepEqual(list, []release.Object{app(1, 3), app(2, 500), app(3, 0), edge}) {
		t.Errorf("objects = %.600v", list)
	}

	changed := app(2, 499)
	changed.Revision = "r2"
	g.must(t, release.Change{Generation: release.Generation{Number: 2, Revision: "r2"}, Put: []release.Object{changed}, Drop: []string{"app.a00001", "app.none"}})
	gen, list, err = g.Current(t.Context())
	if err != nil || gen.Number != 2 || gen.Time.IsZero() {
		t.Fatalf("%+v, %v", gen, err)
	}
	if !reflect.DeepEqual(list, []release.Object{changed, app(3, 0), edge}) {
		t.Errorf("objects = %.600v", list)
	}
}

func TestGenerationsOnlyGrow(t *testing.T) {
	g := open(t)
	g.must(t, release.Change{Generation: release.Generation{Number: 5, Revision: "r1"}, Put: []release.Object{app(1, 1)}})
	for _, n := range []uint64{0, 4, 5} {
		err := g.commit(release.Change{Generation: release.Generation{Number: n}, Drop: []string{"app.a00001"}})
		if fault.KindOf(err) != fault.Conflict {
			t.Errorf("generation %d after 5: %v", n, err)
		}
	}
	if _, list, err := g.Current(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("a refused commit changed something: %v, %v", list, err)
	}
}

// The work of a commit follows the change, and of a boot the number of tables,
// whatever the size of the node.
func TestStatements(t *testing.T) {
	g := open(t)
	apps := make([]release.Object, 1000)
	for i := range apps {
		apps[i] = app(i, 2)
	}
	g.must(t, release.Change{Generation: release.Generation{Number: 1}, Put: apps})

	g.queries = nil
	if _, list, err := g.Current(t.Context()); err != nil || len(list) != 1000 || len(list[999].Manifest) == 0 {
		t.Fatalf("%d objects, %v", len(list), err)
	}
	if len(g.queries) != 4 { // two, and what begins and ends a view
		t.Errorf("a boot of 1,000 apps takes %d statements: %q", len(g.queries), g.queries)
	}

	g.queries = nil
	one := app(7, 2)
	one.Digest = "other"
	g.must(t, release.Change{Generation: release.Generation{Number: 2}, Put: []release.Object{one}})
	for _, q := range g.queries {
		if strings.HasPrefix(q, "INSERT INTO list") {
			t.Error("an unchanged file list was written again")
		}
	}
	if len(g.queries) > 4 {
		t.Errorf("a commit of one app takes %d statements: %q", len(g.queries), g.queries)
	}
}

// A long file list takes little room.
func TestManifestIsPacked(t *testing.T) {
	g := open(t)
	o := app(1, 20000)
	g.must(t, release.Change{Generation: release.Generation{Number: 1}, Put: []release.Object{o}})
	var stored int
	if err := g.db.Read(t.Context(), func(tx *sqlite.Tx) error {
		return tx.QueryRow(`SELECT length(packed) FROM list`).Scan(&stored)
	}); err != nil {
		t.Fatal(err)
	}
	if stored*4 > len(o.Manifest) {
		t.Errorf("%d bytes of files are stored as %d", len(o.Manifest), stored)
	}
	if _, list, err := g.Current(t.Context()); err != nil || !bytes.Equal(list[0].Manifest, o.Manifest) {
		t.Errorf("the file list did not come back: %v", err)
	}
}

func TestDamagedManifestNamesItsApp(t *testing.T) {
	g := open(t)
	g.must(t, release.Change{Generation: release.Generation{Number: 1}, Put: []release.Object{app(1, 100), app(2, 1)}})
	for _, damage := range []string{`substr(packed, 1, 20)`, `x'01ffff'`, `x'07'`, `x''`} {
		if err := g.db.Write(t.Context(), func(tx *sqlite.Tx) error {
			_, err := tx.Exec(`UPDATE list SET packed = ` + damage + ` WHERE digest = (SELECT list FROM object WHERE addr = 'app.a00001')`)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		_, list, err := g.Current(t.Context())
		if err != nil || len(list) != 2 || list[1].Damaged != nil {
			t.Fatalf("%s: the others are lost too: %v", damage, err)
		}
		if bad := list[0].Damaged; fault.KindOf(bad) != fault.Internal || !strings.Contains(bad.Error(), "app.a00001") {
			t.Errorf("%s: %v", damage, bad)
		}
	}
}

// A list that was damaged is written again by the release that has it.
func TestDamagedManifestIsReplaced(t *testing.T) {
	g := open(t)
	o := app(1, 100)
	g.must(t, release.Change{Generation: release.Generation{Number: 1}, Put: []release.Object{o}})
	for i, damage := range []string{`x'01ffff'`, `CAST(substr(packed, 1, 50) || x'5b' || substr(packed, 52) AS BLOB)`} {
		g.exec(t, `UPDATE list SET packed = `+damage)
		g.must(t, release.Change{Generation: release.Generation{Number: uint64(i + 2)}, Put: []release.Object{o}})
		if _, list, err := g.Current(t.Context()); err != nil || list[0].Damaged != nil || !bytes.Equal(list[0].Manifest, o.Manifest) {
			t.Errorf("%s: %v, %v", damage, err, list[0].Damaged)
		}
	}
}

// A row is what was written, or marked: whatever column changed, and wherever
// the row went since. What was written before there were sums is taken as it is.
func TestDamagedRow(t *testing.T) {
	g := open(t)
	o := app(1, 3)
	g.must(t, release.Change{Generation: release.Generation{Number: 1}, Put: []release.Object{o, app(2, 3)},
		Deployments: []release.Deployment{{App: o.Name, Outcome: release.Live}}})
	g.must(t, release.Change{Generation: release.Generation{Number: 2}, Park: []release.Parking{{Addr: o.Addr, Until: time.Now().Add(time.Hour)}}})
	read := map[string]func() release.Object{
		"object": func() release.Object { _, list, err := g.Current(t.Context()); fatal(t, err); return list[0] },
		"kept":   func() release.Object { r, err := g.Release(t.Context(), 1); fatal(t, err); return r },
		"trash":  func() release.Object { list, err := g.Trash(t.Context()); fatal(t, err); return list[0].Object },
	}
	for table, row := range read {
		if bad := row().Damaged; bad != nil {
			t.Errorf("%s: %v", table, bad)
		}
		for _, column := range []string{"kind", "revision", "digest", "body", "list"} {
			g.exec(t, `CREATE TEMP TABLE good AS SELECT `+column+` AS was FROM `+table+` WHERE addr = 'app.a00001'`)
			bad := `'x' || ` + column
			if column == "list" {
				bad = `(SELECT digest FROM list WHERE digest <> ` + table + `.list)`
			}
			g.exec(t, `UPDATE `+table+` SET `+column+` = `+bad+` WHERE addr = 'app.a00001'`)
			if got := row(); fault.KindOf(got.Damaged) != fault.Internal || got.Addr != o.Addr {
				t.Errorf("%s.%s: %v", table, column, got.Damaged)
			}
			g.exec(t, `UPDATE `+table+` SET `+column+` = (SELECT was FROM good) WHERE addr = 'app.a00001'`)
			g.exec(t, `DROP TABLE good`)
		}
		g.exec(t, `UPDATE `+table+` SET sum = NULL`)
		if bad := row().Damaged; bad != nil {
			t.Errorf("%s without a sum: %v", table, bad)
		}
	}
}

func fatal(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// exec does to the tables what no program does.
func (g *ground) exec(t testing.TB, query string) {
	t.Helper()
	fatal(t, g.db.Write(t.Context(), func(tx *sqlite.Tx) error { _, err := tx.Exec(query); return err }))
}

func TestDeployments(t *testing.T) {
	g := open(t)
	d := func(app, revision, outcome string) release.Deployment {
		return release.Deployment{App: app, Revision: revision, Trigger: "poll", Actor: "loop", Outcome: outcome,
			Duration: time.Second, Files: 3, Bytes: 1 << 40, Error: "why"}
	}
	first := []release.Deployment{d("a", "r1", release.Live), d("b", "r1", release.Live)}
	g.must(t, release.Change{Generation: release.Generation{Number: 1}, Deployments: first})
	if first[0].ID != 1 || first[1].Label() != "d-2" || first[0].Generation != 1 {
		t.Errorf("after a commit: %+v", first)
	}
	if err := g.db.Write(t.Context(), func(tx *sqlite.Tx) error {
		return g.Record(tx, []release.Deployment{d("a", "r2", release.Live), d("b", "r2", release.Failed), d("c", "r2", "rolled_back")})
	}); err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct {
		filter release.Filter
		want   []uint64
	}{
		{release.Filter{}, []uint64{5, 4, 3, 2, 1}},
		{release.Filter{Limit: 2}, []uint64{5, 4}},
		{release.Filter{App: "a"}, []uint64{3, 1}},
		{release.Filter{Failed: true}, []uint64{5, 4}},
		{release.Filter{App: "b", Failed: true}, []uint64{4}},
		{release.Filter{ID: 2}, []uint64{2}},
		{release.Filter{ID: 9}, nil},
	} {
		list, err := g.Store.Deployments(t.Context(), c.filter)
		var ids []uint64
		for _, d := range list {
			ids = append(ids, d.ID)
		}
		if err != nil || !reflect.DeepEqual(ids, c.want) {
			t.Errorf("%+v = %v, %v", c.filter, ids, err)
		}
	}

	latest, err := g.Latest(t.Context())
	if err != nil || len(latest) != 2 || latest["a"].ID != 3 || latest["b"].ID != 2 {
		t.Errorf("latest = %+v, %v", latest, err)
	}
	if got := latest["a"]; got.Duration != time.Second || got.Bytes != 1<<40 || got.Error != "why" || got.Time.IsZero() {
		t.Errorf("a deployment came back as %+v", got)
	}
}

func TestLatestOfNothing(t *testing.T) {
	if latest, err := open(t).Latest(t.Context()); err != nil || len(latest) != 0 {
		t.Errorf("%v, %v", latest, err)
	}
}

func TestParseID(t *testing.T) {
	for _, s := range []string{"d-118", "118"} {
		if id, err := release.ParseID(s); err != nil || id != 118 {
			t.Errorf("%s = %d, %v", s, id, err)
		}
	}
	for _, s := range []string{"", "d-", "d-0", "-1", "x", "d-99999999999999999999"} {
		if _, err := release.ParseID(s); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestNotes(t *testing.T) {
	g := open(t)
	at := time.Date(2026, 11, 22, 1, 2, 3, 4, time.UTC)
	if err := g.db.Write(t.Context(), func(tx *sqlite.Tx) error {
		for _, n := range []struct {
			mark     release.Mark
			revision string
		}{{release.Seen, "r1"}, {release.Attempted, "r1"}, {release.Seen, "r2"}} {
			if err := g.Note(tx, n.mark, n.revision, at); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	notes, err := g.Notes(t.Context())
	want := map[release.Mark]release.Sighting{release.Seen: {Revision: "r2", Time: at}, release.Attempted: {Revision: "r1", Time: at}}
	if err != nil || !reflect.DeepEqual(notes, want) {
		t.Errorf("%v, %v", notes, err)
	}
}

// The store is a map from address to object, whatever the sequence of changes.
func TestCommitLaw(t *testing.T) {
	g := open(t)
	model := map[string]release.Object{}
	var number uint64
	rapid.Check(t, func(r *rapid.T) {
		number++
		c := release.Change{Generation: release.Generation{Number: number, Revision: fmt.Sprint("r", number)}}
		for _, i := range rapid.SliceOfDistinct(rapid.IntRange(0, 9), rapid.ID).Draw(r, "touched") {
			o := app(i, rapid.IntRange(0, 60).Draw(r, "files"))
			if rapid.Bool().Draw(r, "drop") {
				c.Drop = append(c.Drop, o.Addr)
				delete(model, o.Addr)
				continue
			}
			if rapid.Bool().Draw(r, "without files") {
				o.Manifest = nil
			}
			o.Revision = c.Generation.Revision
			c.Put = append(c.Put, o)
			model[o.Addr] = o
		}
		if err := g.commit(c); err != nil {
			r.Fatal(err)
		}
		gen, list, err := g.Current(t.Context())
		if err != nil || gen.Revision != c.Generation.Revision || len(list) != len(model) {
			r.Fatalf("%+v, %d objects of %d, %v", gen, len(list), len(model), err)
		}
		for _, o := range list {
			if !reflect.DeepEqual(o, model[o.Addr]) {
				r.Fatalf("%s = %+v, want %+v", o.Addr, o, model[o.Addr])
			}
		}
	})
}

func BenchmarkCurrent10k(b *testing.B) {
	g := open(b)
	apps := make([]release.Object, 10000)
	for i := range apps {
		apps[i] = app(i, 20)
	}
	g.must(b, release.Change{Generation: release.Generation{Number: 1}, Put: apps})
	for b.Loop() {
		if _, list, err := g.Current(context.Background()); err != nil || len(list) != 10000 {
			b.Fatal(err)
		}
	}
}

func BenchmarkCommit10k(b *testing.B) {
	apps := make([]release.Object, 10000)
	for i := range apps {
		apps[i] = app(i, 20)
	}
	for b.Loop() {
		open(b).must(b, release.Change{Generation: release.Generation{Number: 1}, Put: apps})
	}
}
