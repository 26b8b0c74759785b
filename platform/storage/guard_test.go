package storage_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/storage"
)

// note is a document as a guard of these tests reads it.
type note struct {
	Owner string `json:"owner"`
	Open  bool   `json:"open"`
	N     int    `json:"n"`
}

func noteOf(d storage.Doc) (n note) {
	_ = json.Unmarshal(d.Body, &n) // the tests write nothing else
	return n
}

// ofAna lets ana read what is hers or open, and create, change and remove what is hers.
func ofAna() storage.Guard {
	hers := func(d storage.Doc) bool { return noteOf(d).Owner == "ana" }
	return storage.Guard{Read: func(d storage.Doc) bool { return noteOf(d).Open || hers(d) }, Create: hers, Update: hers, Delete: hers}
}

// all reads every page of a query.
func all(t *rapid.T, c *storage.Collection, q storage.Query) (docs []storage.Doc) {
	for {
		page, err := c.Find(t.Context(), q)
		ok(t, err)
		docs = append(docs, page.Docs...)
		if page.Cursor == "" {
			return docs
		}
		q.Skip, q.Cursor = 0, page.Cursor
	}
}

// TestGuardHides: behind a guard a collection is one that holds nothing but what may be
// read, whatever is asked; and what is changed through it is what may be changed.
func TestGuardHides(t *testing.T) {
	app := open(t, storage.Settings{})
	round := 0
	rapid.Check(t, func(t *rapid.T) {
		round++
		name := fmt.Sprint("c", round)
		set := app.Docs("PAGES", nil)
		mine, whole := set.Guarded(ofAna()).Collection(name), set.Collection(name)
		for range rapid.IntRange(0, 30).Draw(t, "documents") {
			n := note{rapid.SampledFrom([]string{"ana", "max", ""}).Draw(t, "owner"), rapid.Bool().Draw(t, "open"), rapid.IntRange(0, 4).Draw(t, "n")}
			b, err := json.Marshal(n)
			ok(t, err)
			_, err = whole.Insert(t.Context(), b)
			ok(t, err)
		}
		filter := json.RawMessage(fmt.Sprintf(`{"n":{"$gte":%d}}`, rapid.IntRange(0, 4).Draw(t, "least")))
		q := storage.Query{Filter: filter, Limit: rapid.IntRange(1, 7).Draw(t, "limit"), Skip: rapid.IntRange(0, 3).Draw(t, "skip")}
		if rapid.Bool().Draw(t, "sorted") {
			q.Sort = []storage.Sort{{Field: "n", Descending: rapid.Bool().Draw(t, "down")}}
		}
		matching := all(t, whole, storage.Query{Filter: filter, Sort: q.Sort})
		shown := slices.DeleteFunc(slices.Clone(matching), func(d storage.Doc) bool { return !ofAna().Read(d) })
		if got, want := ids(all(t, mine, q)), ids(shown[min(q.Skip, len(shown)):]); !slices.Equal(got, want) {
			t.Fatalf("found %v, want %v", got, want)
		}
		if n, err := mine.Count(t.Context(), filter, false); err != nil || n != int64(len(shown)) {
			t.Fatalf("counted %d, want %d: %v", n, len(shown), err)
		}
		for _, d := range matching {
			if _, there, err := mine.Get(t.Context(), d.ID); err != nil || there != ofAna().Read(d) {
				t.Fatalf("%s is there: %v, %v", d.Body, there, err)
			}
		}
		changed, err := mine.Update(t.Context(), storage.Selector{Filter: filter}, json.RawMessage(`{"$set":{"seen":true}}`))
		ok(t, err)
		hers := slices.DeleteFunc(slices.Clone(matching), func(d storage.Doc) bool { return !ofAna().Update(d) })
		if !sameSet(ids(changed), ids(hers)) {
			t.Fatalf("changed %v, want %v", ids(changed), ids(hers))
		}
		removed, err := mine.Remove(t.Context(), storage.Selector{Filter: filter})
		ok(t, err)
		left := all(t, whole, storage.Query{Filter: filter})
		if removed != len(hers) || len(left) != len(matching)-len(hers) {
			t.Fatalf("removed %d and left %d, of %d and %d", removed, len(left), len(hers), len(matching))
		}
	})
}

func sameSet(a, b []string) bool {
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// TestGuardRefuses: by its id a document that is hidden is not there, one that may be
// read and not changed is refused, and nothing is made into what may not be.
func TestGuardRefuses(t *testing.T) {
	set := open(t, storage.Settings{}).Docs("PAGES", nil)
	mine, whole := set.Guarded(ofAna()).Collection("notes"), set.Collection("notes")
	insert(t, whole, `{"_id":"hers","owner":"ana"}`, `{"_id":"open","owner":"max","open":true}`, `{"_id":"hidden","owner":"max"}`)
	for _, c := range []struct {
		id   string
		kind fault.Kind
	}{{"open", fault.Forbidden}, {"hidden", fault.NotFound}, {"none", fault.NotFound}} {
		_, err := mine.Update(t.Context(), storage.Selector{ID: c.id}, json.RawMessage(`{"$set":{"n":1}}`))
		is(t, err, c.kind)
		_, err = mine.Update(t.Context(), storage.Selector{ID: c.id}, json.RawMessage(`{"$set":{"owner":"ana"}}`))
		is(t, err, c.kind)
		_, err = mine.Remove(t.Context(), storage.Selector{ID: c.id})
		is(t, err, c.kind)
	}
	_, err := mine.Update(t.Context(), storage.Selector{ID: "hers"}, json.RawMessage(`{"$set":{"owner":"max"}}`))
	is(t, err, fault.Forbidden)
	_, err = mine.Update(t.Context(), storage.Selector{Filter: json.RawMessage(`{}`)}, json.RawMessage(`{"$set":{"owner":"max"}}`))
	is(t, err, fault.Forbidden)
	_, err = mine.Insert(t.Context(), json.RawMessage(`{"owner":"ana"}`), json.RawMessage(`{"owner":"max"}`))
	is(t, err, fault.Forbidden)
	_, err = mine.Aggregate(t.Context(), storage.Aggregation{Values: []storage.Aggregate{{Op: "count"}}})
	is(t, err, fault.Invalid)
	if n, err := whole.Count(t.Context(), json.RawMessage(`{"owner":"max"}`), false); err != nil || n != 2 {
		t.Errorf("%d are max's: %v", n, err)
	}
	_, err = set.Guarded(storage.Guard{}).Collection("notes").Insert(t.Context(), json.RawMessage(`{"owner":"ana"}`))
	is(t, err, fault.Forbidden)
	if n, err := set.Guarded(storage.Guard{}).Collection("notes").Count(t.Context(), nil, false); err != nil || n != 0 {
		t.Errorf("without a rule %d are shown: %v", n, err)
	}
}

// TestGuardOfMany: who hides nearly everything does not make one call look at it all.
func TestGuardOfMany(t *testing.T) {
	set := open(t, storage.Settings{}).Docs("PAGES", nil)
	whole, nobody := set.Collection("notes"), set.Guarded(storage.Guard{}).Collection("notes")
	thousand := make([]json.RawMessage, 1000)
	for i := range thousand {
		thousand[i] = json.RawMessage(`{}`)
	}
	for range 11 {
		_, err := whole.Insert(t.Context(), thousand...)
		ok(t, err)
	}
	_, err := nobody.Find(t.Context(), storage.Query{})
	is(t, err, fault.Exhausted)
	_, err = set.Guarded(storage.Guard{Read: anything, Delete: anything}).Collection("notes").Remove(t.Context(), storage.Selector{Filter: json.RawMessage(`{}`)})
	is(t, err, fault.Exhausted)
	page, err := nobody.Find(t.Context(), storage.Query{Scan: true})
	if err != nil || len(page.Docs) != 0 {
		t.Errorf("%d documents, %v", len(page.Docs), err)
	}
}

func anything(storage.Doc) bool { return true }
