package main

import (
	"bytes"
	"io"
	"log/slog"
	"reflect"
	"slices"
	"testing"

	"github.com/fazt-sh/fazt/platform"
	"github.com/fazt-sh/fazt/platform/blob"
	"github.com/fazt-sh/fazt/platform/release"
	"github.com/fazt-sh/fazt/platform/sqlite"
	"github.com/fazt-sh/fazt/spec"
)

// recordedApp is an app as a pass records it.
func recordedApp(t *testing.T) spec.Object {
	t.Helper()
	form := []byte(`{"content":"www","headers":[{"path":"/*","set":{"X-A":"1 & 2"}}],"hosts":["a.localtest"],"protect":true}`)
	digest, err := spec.Digest(spec.KindApp, form)
	if err != nil {
		t.Fatal(err)
	}
	return spec.Object{
		Addr: "app.a", Kind: spec.KindApp, Name: "a", Spec: form, Digest: digest, Immutable: digest, Revision: "3f9c2e1",
		Content: &spec.Content{Tree: "t", Files: []spec.File{{Path: "index.html", ID: "i", Size: 5, Blob: "b"}},
			Sources: []spec.File{{Path: "api/main.ts", ID: "m", Size: 7}, {Path: "api/node_modules", ID: "n"}}, Split: "api/main.ts",
			Program: &spec.Program{Code: "c", Map: "m", Digest: "d", Inputs: []string{"api/main.ts"}}},
		Range: spec.Range{Filename: "fazt.hcl", Start: spec.Pos{Line: 1}},
	}
}

// A changed byte of a record is never served: whatever it is, the object is the
// one that was recorded, or it is lost and the next one is not.
func TestFlippedRecord(t *testing.T) {
	ground, err := platform.Open(t.Context(), t.TempDir(), slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer ground.Close()
	app, other := recordedApp(t), recordedApp(t)
	other.Addr, other.Name = "app.b", "b"
	row, err := rowOf(app)
	if err != nil {
		t.Fatal(err)
	}
	second, err := rowOf(other)
	if err != nil {
		t.Fatal(err)
	}
	write := func(fn func(tx *sqlite.Tx) error) {
		t.Helper()
		if err := ground.DB.Write(t.Context(), fn); err != nil {
			t.Fatal(err)
		}
	}
	write(func(tx *sqlite.Tx) error {
		return ground.Releases.Commit(tx, release.Change{Generation: release.Generation{Number: 1}, Put: []release.Object{row, second}})
	})
	check := func(name string, want spec.Object) (lost bool) {
		t.Helper()
		_, rows, err := ground.Releases.Current(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		objects, bad := objectsOf(rows)
		if len(objects)+len(bad) != 2 || len(bad) > 0 && (bad[0].addr != "app.a" || objects[0].Addr != "app.b") {
			t.Fatalf("%s: %v, lost %v", name, objects, bad)
		}
		if len(bad) == 0 && !reflect.DeepEqual(objects[0], want) {
			t.Errorf("%s is served as %+v", name, objects[0])
		}
		return len(bad) > 0
	}
	flip := func(i int) []byte {
		body := bytes.Clone(row.Body)
		body[i] ^= 1 << (i % 8)
		return body
	}
	for i := range row.Body {
		write(func(tx *sqlite.Tx) error {
			_, err := tx.Exec(`UPDATE object SET body = CAST(? AS TEXT) WHERE addr = 'app.a'`, flip(i))
			return err
		})
		if !check(string(flip(i)), app) {
			t.Errorf("byte %d changed and nobody saw it", i)
		}
	}
	write(func(tx *sqlite.Tx) error {
		_, err := tx.Exec(`UPDATE object SET body = ? WHERE addr = 'app.a'`, string(row.Body))
		return err
	})
	if check("as it was", app) {
		t.Error("the record is lost as it was")
	}
}

// What a record refers to stays in the store: the files, and the program that
// was made of the sources. The sources themselves are the repository's.
func TestRecordsReferToPrograms(t *testing.T) {
	row, err := rowOf(recordedApp(t))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	if err := digestsOf(row.Manifest, func(d blob.Digest) { found = append(found, string(d)) }); err != nil || !slices.Equal(found, []string{"b", "c", "m"}) {
		t.Errorf("the record refers to %q, %v", found, err)
	}
}

// A record of the time before rows had sums is judged by its digest: what a
// visitor meets is as it was recorded, or lost.
func TestFlippedRecordWithoutSum(t *testing.T) {
	app := recordedApp(t)
	row, err := rowOf(app)
	if err != nil {
		t.Fatal(err)
	}
	lost := 0
	for i := range row.Body {
		for bit := range 8 {
			bad := row
			bad.Body = bytes.Clone(row.Body)
			bad.Body[i] ^= 1 << bit
			objects, missing := objectsOf([]release.Object{bad})
			if lost += len(missing); len(missing) > 0 {
				continue
			}
			o := objects[0]
			o.Range, o.At, o.Immutable, o.HoldsData, o.Unmanaged = app.Range, app.At, app.Immutable, app.HoldsData, app.Unmanaged
			if digest, err := spec.Digest(o.Kind, o.Spec); err != nil || digest != app.Digest {
				t.Errorf("%s: %v", bad.Body, err)
			}
			if o.Spec = app.Spec; !reflect.DeepEqual(o, app) {
				t.Errorf("%s is served as %+v", bad.Body, o)
			}
		}
	}
	if lost == 0 {
		t.Error("nothing was ever lost")
	}
}

// A record that is damaged still tells where its app's data is, where that can be so: the
// folder is there, and nobody else has it. It tells whether a block declares the app, too.
func TestDamagedRecordNamesItsData(t *testing.T) {
	there := []string{"notes-1", "shop-2"}
	others := []spec.Object{{Addr: "app.shop", Data: "shop-2"}}
	for body, want := range map[string]spec.Object{
		`{"addr":"app.n0tes","data":"notes-1"}`:                  {Data: "notes-1"},
		`{"addr":"app.notes","data":"notes-1","unmanaged":true}`: {Data: "notes-1", Unmanaged: true},
		`{"addr":"app.notes","data":"notes-7"}`:                  {},
		`{"addr":"app.notes","data":"shop-2"}`:                   {},
		`{"addr":"app.notes"}`:                                   {},
		`{"addr":`:                                               {},
	} {
		if got := (lostRow{body: []byte(body)}).object(there, others); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", body, got, want)
		}
	}
}
