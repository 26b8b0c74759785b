package main

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/platform/archive"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/spec"
)

// packed is an archive of pieces, as a hostile writer would make it: whole.
func packed(t *testing.T, h archive.Head, pieces map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := archive.NewWriter(&b, h)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(pieces)) {
		if err := w.Add(name, int64(len(pieces[name])), strings.NewReader(pieces[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// An archive may be whole and yet not that of an app: its declaration must be what it
// says, its files those that they are named for, its data a backup. Nothing of it is
// put to use then, and nothing left behind.
func TestArchivesOfNoApp(t *testing.T) {
	r := newRig(t)
	r.fill(t)
	good, _, err := r.observe(t.Context(), "app.hello")
	if err != nil {
		t.Fatal(err)
	}
	object := func(change func(*spec.Object)) string {
		o := good
		c := *o.Content
		c.Files = slices.Clone(c.Files)
		o.Content = &c
		change(&o)
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	same := func(*spec.Object) {}
	blob := good.Content.Files[0].Blob
	backup := archive.Head{Kind: kindBackup, App: "hello"}
	for name, c := range map[string]struct {
		head   archive.Head
		pieces map[string]string
	}{
		"no declaration":      {backup, nil},
		"no JSON":             {backup, map[string]string{"app.json": "{"}},
		"another kind":        {archive.Head{Kind: "letter", App: "hello"}, map[string]string{"app.json": object(same)}},
		"another app's":       {archive.Head{Kind: kindBackup, App: "notes"}, map[string]string{"app.json": object(same)}},
		"another digest":      {backup, map[string]string{"app.json": object(func(o *spec.Object) { o.Digest = strings.Repeat("0", 64) })}},
		"another declaration": {backup, map[string]string{"app.json": object(func(o *spec.Object) { o.Spec = json.RawMessage(`{"content":"x","hosts":["x.localhost"]}`) })}},
		"another name":        {archive.Head{Kind: kindBackup, App: "../x"}, map[string]string{"app.json": object(func(o *spec.Object) { o.Name = "../x" })}},
		"no app":              {backup, map[string]string{"app.json": object(func(o *spec.Object) { o.Kind = spec.KindEdge })}},
		"no files":            {backup, map[string]string{"app.json": object(func(o *spec.Object) { o.Content = nil })}},
		"a piece too many":    {backup, map[string]string{"app.json": object(same), "other/piece": "x"}},
		"data that is none":   {backup, map[string]string{"app.json": object(func(o *spec.Object) { o.Data = "hello-1" }), "data/manifest.json": "{}"}},
		"data that lacks":     {backup, map[string]string{"app.json": object(func(o *spec.Object) { o.Data = "hello-1" })}},
		"other bytes":         {archive.Head{Kind: kindExport, App: "hello"}, map[string]string{"app.json": object(same), "blob/" + blob[:2] + "/" + blob[2:]: "other"}},
		"a digest that leads": {archive.Head{Kind: kindExport, App: "hello"}, map[string]string{"app.json": object(func(o *spec.Object) { o.Content.Files[0].Blob = "../../../../etc/passwd" })}},
		"a short digest":      {archive.Head{Kind: kindExport, App: "hello"}, map[string]string{"app.json": object(func(o *spec.Object) { o.Content.Files[0].Blob = "" })}},
	} {
		b := packed(t, c.head, c.pieces)
		if _, err := r.tryRestore(t.Context(), bytes.NewReader(b), int64(len(b))); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: as a test: %v", name, err)
		}
		u, err := r.unpack(t.Context(), bytes.NewReader(b), int64(len(b)), true)
		if err == nil {
			_, err = r.putBeside(context.Background(), u, "beside", true)
			u.Close()
		}
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: for good: %v", name, err)
		}
		if _, there, _ := r.observe(t.Context(), "app.beside"); there {
			t.Fatalf("%s: it is served", name)
		}
	}
	if left, err := os.ReadDir(r.ground.Temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	ids, err := r.ground.Apps.List()
	if err != nil || !slices.Equal(ids, []string{"notes-1"}) {
		t.Errorf("there is the data of %v, %v", ids, err)
	}
}
