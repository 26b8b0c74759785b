package platform_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fazt-sh/fazt/platform"
	"github.com/fazt-sh/fazt/platform/release"
	"github.com/fazt-sh/fazt/platform/sqlite"
	"github.com/fazt-sh/fazt/platform/storage"
)

// dataOf reads the records of these tests.
func dataOf(body []byte) (string, error) {
	var o struct{ Data string }
	err := json.Unmarshal(body, &o)
	return o.Data, err
}

// housing is a platform with an app in service and one in the trash, and data of
// both, of nobody, and of somebody who is about to come.
func housing(t *testing.T) *platform.Platform {
	t.Helper()
	p := open(t, t.TempDir())
	object := func(name string) release.Object {
		return release.Object{Addr: "app." + name, Name: name, Kind: "app", Body: []byte(`{"Data":"` + name + `-1"}`)}
	}
	for i, c := range []release.Change{
		{Put: []release.Object{object("a"), object("b")}},
		{Drop: []string{"app.b"}, Park: []release.Parking{{Addr: "app.b", Until: time.Now().Add(1000 * time.Hour)}}},
	} {
		c.Generation = release.Generation{Number: uint64(i + 1), Revision: "r"}
		if err := p.DB.Write(t.Context(), func(tx *sqlite.Tx) error { return p.Releases.Commit(tx, c) }); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"a-1", "b-1", "gone-1", "coming-1"} {
		a, err := p.Apps.Open(t.Context(), id, storage.Settings{})
		if err != nil {
			t.Fatal(err)
		}
		if id != "coming-1" {
			a.Close()
		} else {
			t.Cleanup(a.Close)
		}
	}
	return p
}

// left lists the data that is in its place, and what is set aside.
func left(t *testing.T, p *platform.Platform) (there []string, aside []string) {
	t.Helper()
	there, err := p.Apps.List()
	list, failed := p.Apps.Asides()
	if err := errors.Join(err, failed); err != nil {
		t.Fatal(err)
	}
	for _, a := range list {
		aside = append(aside, a.ID)
	}
	return there, aside
}

// chores runs them for a while.
func chores(t *testing.T, p *platform.Platform, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- p.Run(ctx, platform.Files{Digests: words, Data: dataOf}) }()
	time.Sleep(d)
	synctest.Wait()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Data is set aside when no object has it, in service or in the trash, and nobody is
// about to; it is forgotten after its days, not earlier.
func TestDataOfNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := housing(t)
		chores(t, p, 2*time.Hour)
		there, aside := left(t, p)
		if !slices.Equal(there, []string{"a-1", "b-1", "coming-1"}) || !slices.Equal(aside, []string{"gone-1"}) {
			t.Fatalf("%q is there, aside are %q", there, aside)
		}
		chores(t, p, platform.AsideFor-5*time.Hour)
		if _, aside := left(t, p); len(aside) != 1 {
			t.Fatal("forgotten before its days were over")
		}
		chores(t, p, 10*time.Hour)
		there, aside = left(t, p)
		if !slices.Equal(there, []string{"a-1", "b-1", "coming-1"}) || len(aside) > 0 {
			t.Fatalf("%q is there, aside are %q", there, aside)
		}
	})
}

// While any record is damaged, or lies aside, no data is touched: only that may know
// whose it is.
func TestDataStaysBesideADamagedRecord(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, p *platform.Platform){
		"a row in service":   func(t *testing.T, p *platform.Platform) { spoilRow(t, p, `UPDATE object SET body = '{}'`) },
		"a row in the trash": func(t *testing.T, p *platform.Platform) { spoilRow(t, p, `UPDATE trash SET body = '{}'`) },
		"no JSON":            func(t *testing.T, p *platform.Platform) { spoilRow(t, p, `UPDATE object SET body = 'x', sum = NULL`) },
		"a record aside": func(t *testing.T, p *platform.Platform) {
			if err := os.WriteFile(filepath.Join(p.Dir, "node.db.damaged-20261123T100000Z"), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := housing(t)
				spoil(t, p)
				chores(t, p, 3*time.Hour)
				if there, aside := left(t, p); len(there) != 4 || len(aside) > 0 {
					t.Errorf("%q is there, aside are %q", there, aside)
				}
			})
		})
	}
}

func spoilRow(t *testing.T, p *platform.Platform, statement string) {
	t.Helper()
	if err := p.DB.Write(t.Context(), func(tx *sqlite.Tx) error { _, err := tx.Exec(statement); return err }); err != nil {
		t.Fatal(err)
	}
}
