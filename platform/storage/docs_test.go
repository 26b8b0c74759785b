package storage_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/storage"
)

func insert(t testing.TB, c *storage.Collection, docs ...string) []storage.Doc {
	t.Helper()
	var raw []json.RawMessage
	for _, d := range docs {
		raw = append(raw, json.RawMessage(d))
	}
	done, err := c.Insert(t.Context(), raw...)
	ok(t, err)
	return done
}

func find(t testing.TB, c *storage.Collection, q storage.Query) []string {
	t.Helper()
	page, err := c.Find(t.Context(), q)
	ok(t, err)
	return ids(page.Docs)
}

func ids(docs []storage.Doc) (ids []string) {
	for _, d := range docs {
		ids = append(ids, d.ID)
	}
	return ids
}

func TestDocs(t *testing.T) {
	c, ctx := open(t, storage.Settings{}).Docs("PAGES", nil).Collection("page"), t.Context()
	made := insert(t, c, `{"title": "a", "_version": 9}`, `{"_id": "x", "z": 1, "a": {"b": [1, 2]}}`, `{"title": "c"}`)
	if !slices.IsSorted([]string{made[0].ID, made[2].ID}) || len(made[0].ID) != 36 || made[1].Version <= made[0].Version {
		t.Errorf("made %+v", made)
	}
	d, there, err := c.Get(ctx, "x")
	if ok(t, err); !there || string(d.Body) != `{"_id":"x","z":1,"a":{"b":[1,2]}}` || d.Version != made[1].Version || d.Created.IsZero() {
		t.Errorf("got %+v, %s", d, d.Body)
	}
	if d, _, _ := c.Get(ctx, made[0].ID); string(d.Body) != `{"_id":"`+made[0].ID+`","title":"a"}` {
		t.Errorf("got %s", d.Body)
	}
	_, err = c.Insert(ctx, json.RawMessage(`{"_id": "new"}`), json.RawMessage(`{"_id": "x"}`))
	is(t, err, fault.Conflict)
	if _, there, _ := c.Get(ctx, "new"); there {
		t.Error("half of an insert is there")
	}
	changed, err := c.Update(ctx, storage.Selector{ID: "x", IfVersion: d.Version}, json.RawMessage(`{"_id": "x", "y": true}`))
	if ok(t, err); len(changed) != 1 || changed[0].Version <= d.Version {
		t.Errorf("changed %+v", changed)
	}
	_, err = c.Update(ctx, storage.Selector{ID: "x", IfVersion: d.Version}, json.RawMessage(`{"y": false}`))
	is(t, err, fault.Conflict)
	_, err = c.Update(ctx, storage.Selector{ID: "none"}, json.RawMessage(`{"y": false}`))
	is(t, err, fault.NotFound)
	if n, err := c.Remove(ctx, storage.Selector{Filter: json.RawMessage(`{"y": true}`)}); n != 1 || err != nil {
		t.Errorf("%d removed, %v", n, err)
	}
	if n, err := c.Count(ctx, nil, false); n != 2 || err != nil {
		t.Errorf("%d left, %v", n, err)
	}
}

func TestDocsRefuse(t *testing.T) {
	a := open(t, storage.Settings{})
	c, ctx := a.Docs("PAGES", nil).Collection("page"), t.Context()
	insert(t, c, `{"_id": "x", "s": "a", "n": 1, "list": []}`)
	for _, doc := range []string{
		``, `[]`, `{`, `1`, "{\"a\": \"\xff\"}", `{"_id": 1}`, `{"_id": "a\u0000b"}`, strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65),
		strings.Repeat("[", 1000), `{"$set": 1}`, `{"a": 1, "$b": 1}`, `{"a": "` + strings.Repeat("a", 1<<20) + `"}`,
	} {
		_, err := c.Insert(ctx, json.RawMessage(doc))
		is(t, err, fault.Invalid)
	}
	for _, filter := range []string{
		`[]`, `{"$where": "1"}`, `{"a": {"$regex": ".*"}}`, `{"a": {"$gt": null}}`, `{"a": {"$gt": [1]}}`, `{"$or": []}`, `{"$and": {}}`, `{"a": {"$in": 1}}`,
		`{"a": {"$in": [[1]]}}`, `{"a..b": 1}`, `{"": 1}`, `{"a\u0000": 1}`, `{"a": {"$exists": 1}}`, `{"a": {"$eq": 1, "b": 2}}`, `{"a": 1e999}`,
		strings.Repeat(`{"$not":`, 12) + "{}" + strings.Repeat("}", 12), `{"$or": [` + strings.Repeat(`{"a":1},`, 150) + `{"a":1}]}`, `{"$or": [` + strings.Repeat(`{},`, 150) + `{}]}`,
	} {
		_, err := c.Find(ctx, storage.Query{Filter: json.RawMessage(filter)})
		if is(t, err, fault.Invalid); err == nil {
			t.Errorf("%s passed", filter)
		}
	}
	for _, change := range []string{
		`[]`, `{"$set": 1}`, `{"$rename": {"a": "b"}}`, `{"$set": {"a": 1}, "b": 2}`, `{"$set": {"_id": "y"}}`, `{"$set": {"_id.a": "y"}}`, `{"_id": "y"}`,
		`{"$inc": {"s": 1}}`, `{"$inc": {"n": "1"}}`, `{"$push": {"s": 1}}`, `{"$pull": {"n": 1}}`, `{"$set": {"s.a": 1}}`, `{"$set": {"_version": 7}}`,
		`{"a": 1, "$set": {"b": 1}}`, `{"$set": {"$b": 1}}`,
	} {
		_, err := c.Update(ctx, storage.Selector{ID: "x"}, json.RawMessage(change))
		if is(t, err, fault.Invalid); err == nil {
			t.Errorf("%s passed", change)
		}
	}
	_, err := c.Update(ctx, storage.Selector{Filter: json.RawMessage(`{}`)}, json.RawMessage(`{"a": 1}`))
	is(t, err, fault.Invalid)
	_, err = c.Remove(ctx, storage.Selector{})
	is(t, err, fault.Invalid)
	for _, byFilter := range []storage.Selector{{IfVersion: 1, Filter: json.RawMessage(`{}`)}, {IfVersion: 9, Filter: json.RawMessage(`{"_id":"x"}`)}} {
		_, err = c.Remove(ctx, byFilter)
		is(t, err, fault.Invalid)
		_, err = c.Update(ctx, byFilter, json.RawMessage(`{"$set": {"a": 1}}`))
		is(t, err, fault.Invalid)
	}
	_, err = a.Docs("PAGES", nil).Collection("").Count(ctx, nil, false)
	is(t, err, fault.Invalid)
	_, err = a.Docs("PAGES", []storage.Index{{Name: "by", On: nil}}).Collection("page").Count(ctx, nil, false)
	is(t, err, fault.Invalid)
}

func TestChange(t *testing.T) {
	c, ctx := open(t, storage.Settings{}).Docs("PAGES", nil).Collection("page"), t.Context()
	for i, x := range []struct{ old, change, want string }{
		{`{"a":1}`, `{"$set": {"a": 2, "b.c": {"d": 1}}}`, `{"a":2,"b":{"c":{"d":1}}}`},
		{`{"z":1,"a":{"b":1,"c":2}}`, `{"$unset": {"a.b": true, "none.deep": 1}}`, `{"z":1,"a":{"c":2}}`},
		{`{"n":1}`, `{"$inc": {"n": 2, "m": -1, "deep.k": 0.5}}`, `{"n":3,"m":-1,"deep":{"k":0.5}}`},
		{`{"n":9223372036854775807}`, `{"$inc": {"n": 1}}`, `{"n":9223372036854776000}`},
		{`{"n":9007199254740993}`, `{"$inc": {"n": 1}}`, `{"n":9007199254740994}`},
		{`{"l":[1]}`, `{"$push": {"l": {"$each": [2, {"a": 3}]}, "m": [4]}}`, `{"l":[1,2,{"a":3}],"m":[[4]]}`},
		{`{"l":[1,"1",{"a":1,"b":2},1.0,null]}`, `{"$pull": {"l": 1}}`, `{"l":["1",{"a":1,"b":2},null]}`},
		{`{"l":[1,{"a":1,"b":[2]}]}`, `{"$pull": {"l": {"b": [2], "a": 1}}}`, `{"l":[1]}`},
		{`{"a":1}`, `{"$pull": {"l": 1}}`, `{"a":1}`},
		{`{"<b>":"</b>"}`, `{"$set": {"a\"b": "é<"}}`, `{"<b>":"</b>","a\"b":"é<"}`},
	} {
		id := fmt.Sprint(i)
		insert(t, c, `{"_id":"`+id+`",`+x.old[1:])
		_, err := c.Update(ctx, storage.Selector{ID: id}, json.RawMessage(x.change))
		ok(t, err)
		d, _, err := c.Get(ctx, id)
		ok(t, err)
		if want := `{"_id":"` + id + `",` + x.want[1:]; string(d.Body) != want {
			t.Errorf("%s %s = %s, want %s", x.old, x.change, d.Body, want)
		}
	}
}

// A filter that no index serves is answered while there are few documents, and
// refused afterwards, with the index that would help.
func TestScan(t *testing.T) {
	ctx := t.Context()
	indexes := []storage.Index{{Name: "by_parent", On: []string{"parent", "order"}}, {Name: "slug", On: []string{"slug"}, Unique: true}}
	c := open(t, storage.Settings{}).Docs("PAGES", indexes).Collection("page")
	var docs []json.RawMessage
	for i := range 1000 {
		docs = append(docs, json.RawMessage(fmt.Sprintf(`{"_id":"%04d","parent":"p%d","order":%d,"slug":"s%d","other":{"n":%d}}`, i, i%10, i, i, i)))
	}
	_, err := c.Insert(ctx, docs...)
	ok(t, err)
	unserved := storage.Query{Filter: json.RawMessage(`{"other.n": 7}`)}
	if got := find(t, c, unserved); !slices.Equal(got, []string{"0007"}) {
		t.Errorf("got %q", got)
	}
	insert(t, c, `{"_id": "more", "slug": "s"}`)
	_, err = c.Find(ctx, unserved)
	is(t, err, fault.Invalid)
	if hint := fault.HintOf(err); !strings.Contains(hint, `declare index "by_other_n" { on = ["other.n"] }`) {
		t.Errorf("hint: %s", hint)
	}
	unserved.Scan = true
	if got := find(t, c, unserved); !slices.Equal(got, []string{"0007"}) {
		t.Errorf("got %q", got)
	}
	_, err = c.Find(ctx, storage.Query{Sort: []storage.Sort{{Field: "order"}}})
	is(t, err, fault.Invalid)
	_, err = c.Update(ctx, storage.Selector{Filter: json.RawMessage(`{"other.n": {"$gt": 7}}`)}, json.RawMessage(`{"$set": {"a": 1}}`))
	is(t, err, fault.Invalid)
	_, err = c.Aggregate(ctx, storage.Aggregation{Values: []storage.Aggregate{{Op: "count"}}})
	is(t, err, fault.Invalid)
	_, err = c.Update(ctx, storage.Selector{Filter: json.RawMessage(`{}`)}, json.RawMessage(`{"$set": {"a": 1}}`))
	is(t, err, fault.Exhausted)
	_, err = c.Insert(ctx, json.RawMessage(`{"slug": "s7"}`))
	is(t, err, fault.Conflict)

	for _, q := range []storage.Query{
		{Filter: json.RawMessage(`{"parent": "p1", "other.n": 11}`)},
		{Filter: json.RawMessage(`{"parent": "p1", "order": {"$gt": 5}}`), Sort: []storage.Sort{{Field: "order"}}},
		{Filter: json.RawMessage(`{"slug": {"$in": ["s1", "s2", 3]}}`)},
		{Filter: json.RawMessage(`{"$or": [{"slug": "s1"}, {"parent": "p2"}]}`)},
		{Filter: json.RawMessage(`{"_id": {"$gte": "0990"}}`)},
		{Sort: []storage.Sort{{Field: "parent", Descending: true}, {Field: "order", Descending: true}}},
		{},
	} {
		if got := find(t, c, q); len(got) == 0 {
			t.Errorf("%s: nothing", q.Filter)
		}
	}
	if n, err := c.Remove(ctx, storage.Selector{Filter: json.RawMessage(`{}`)}); n != 1001 || err != nil {
		t.Errorf("removed %d, %v", n, err)
	}
}

// Removing by a filter takes all that match, and is counted; of more than go at once
// none goes.
func TestRemoveByFilter(t *testing.T) {
	a, ctx := open(t, storage.Settings{}), t.Context()
	c := a.Docs("PAGES", nil).Collection("page")
	thousand := make([]json.RawMessage, 1000)
	for i := range thousand {
		thousand[i] = json.RawMessage(fmt.Sprintf(`{"n":%d,"text":"ü"}`, i))
	}
	fill := func(thousands int) {
		for range thousands {
			_, err := c.Insert(ctx, thousand...)
			ok(t, err)
		}
	}
	empty := func(f string, want int) {
		n, err := c.Remove(ctx, storage.Selector{Filter: json.RawMessage(f), Scan: true})
		if ok(t, err); n != want {
			t.Errorf("%s removed %d, want %d", f, n, want)
		}
	}
	fill(10)
	insert(t, c, `{"_id":"more"}`)
	_, err := c.Remove(ctx, storage.Selector{Filter: json.RawMessage(`{}`)})
	is(t, err, fault.Exhausted)
	empty(`{"n":{"$gte":500}}`, 5000)
	empty(`{}`, 5001)
	if u, err := a.Usage(ctx); err != nil || u.Docs != 0 {
		t.Errorf("%d bytes are counted of nothing: %v", u.Docs, err)
	}
	empty(`{}`, 0)
}

// A document that a unique index has already is told by the name that was declared.
func TestUniqueNamesTheIndex(t *testing.T) {
	indexes := []storage.Index{{Name: "by_slug", On: []string{"site", "slug"}, Unique: true}, {Name: "moment", On: []string{"_created"}}}
	c, ctx := open(t, storage.Settings{}).Docs("PAGES", indexes).Collection("page"), t.Context()
	insert(t, c, `{"_id":"a","site":1,"slug":"x"}`, `{"_id":"b","site":2,"slug":"x"}`)
	_, inserted := c.Insert(ctx, json.RawMessage(`{"_id":"c","site":1,"slug":"x"}`))
	_, updated := c.Update(ctx, storage.Selector{ID: "b"}, json.RawMessage(`{"$set":{"site":1}}`))
	_, again := c.Insert(ctx, json.RawMessage(`{"_id":"a"}`))
	for err, says := range map[error]string{inserted: `the unique index "by_slug", on site, slug, has another like it`, updated: `"by_slug"`, again: `document "a" is in "page" already`} {
		is(t, err, fault.Conflict)
		if !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "fazt_doc") {
			t.Errorf("%v, want %s", err, says)
		}
	}
}

// A page of large documents is no more than an answer takes, and the next goes on.
func TestPagesOfLargeDocuments(t *testing.T) {
	c := open(t, storage.Settings{}).Docs("PAGES", nil).Collection("page")
	for i := range 10 {
		insert(t, c, fmt.Sprintf(`{"_id":"%d","text":"%s"}`, i, strings.Repeat("x", 1<<20-50)))
	}
	page, err := c.Find(t.Context(), storage.Query{})
	if ok(t, err); len(page.Docs) != 7 || page.Cursor == "" {
		t.Errorf("%d documents, cursor %q", len(page.Docs), page.Cursor)
	}
	if rest := find(t, c, storage.Query{Cursor: page.Cursor}); !slices.Equal(rest, []string{"7", "8", "9"}) {
		t.Errorf("the next page: %q", rest)
	}
	_, err = c.Find(t.Context(), storage.Query{Cursor: "zzz"})
	if is(t, err, fault.Invalid); !strings.Contains(fault.HintOf(err), "with the same filter and sort") {
		t.Errorf("hint: %s", fault.HintOf(err))
	}
}

// Removing what is not there is no error, but where a version of it is asked for.
func TestRemoveOfNothing(t *testing.T) {
	c := open(t, storage.Settings{}).Docs("PAGES", nil).Collection("page")
	if n, err := c.Remove(t.Context(), storage.Selector{ID: "none"}); n != 0 || err != nil {
		t.Errorf("removed %d, %v", n, err)
	}
	_, err := c.Remove(t.Context(), storage.Selector{ID: "none", IfVersion: 1})
	is(t, err, fault.NotFound)
}

// What is taken for served is what SQLite finds by an index.
func TestServedIsByIndex(t *testing.T) {
	ctx := t.Context()
	indexes := []storage.Index{{Name: "by_parent", On: []string{"parent", "a.b"}}, {Name: `q`, On: []string{`it's "q"`}}, {Name: "new", On: []string{"_created"}}}
	c := open(t, storage.Settings{}).Docs("PAGES", indexes).Collection("page")
	for filter, want := range map[string]bool{
		`{"parent": "x"}`:                          true,
		`{"parent": 3, "c": 1}`:                    true,
		`{"parent": true}`:                         true,
		`{"parent": null}`:                         true,
		`{"parent": 1.5}`:                          true,
		`{"parent": {"$gt": "a", "$lte": "b"}}`:    true,
		`{"parent": {"$in": ["x", "y"]}}`:          true,
		`{"parent": {"$in": ["x", 1, null]}}`:      true,
		`{"it's \"q\"": 1}`:                        true,
		`{"_created": {"$gt": 1}}`:                 true,
		`{"_updated": {"$gt": 1}}`:                 false,
		`{"_id": "x"}`:                             true,
		`{"$or": [{"parent": "x"}, {"_id": "y"}]}`: true,
		`{"$and": [{"c": 1}, {"parent": "x"}]}`:    true,
		`{"a.b": 1}`:                               false,
		`{"parent": {"$ne": 1}}`:                   false,
		`{"parent": {"$not": {"$gt": 1}}}`:         false,
		`{"$or": [{"parent": "x"}, {"c": 1}]}`:     false,
		`{"parent": {"$contains": "x"}}`:           false,
		`{"parent": {"$exists": true}}`:            false,
	} {
		served, plan, err := c.Served(ctx, filter)
		ok(t, err)
		// Every index begins with owner and collection; a served filter compares more.
		byIndex := strings.Contains(plan, "collection=? AND ")
		if served != want || served && !byIndex {
			t.Errorf("%s: served %v, want %v, by\n%s", filter, served, want, plan)
		}
	}
}

func TestAggregate(t *testing.T) {
	c, ctx := open(t, storage.Settings{}).Docs("PAGES", nil).Collection("page"), t.Context()
	insert(t, c, `{"team":"a","n":1}`, `{"team":"a","n":2.5}`, `{"team":"b","n":"word"}`, `{"n":4}`, `{"team":true,"n":9223372036854775807}`)
	groups, err := c.Aggregate(ctx, storage.Aggregation{Group: []string{"team"}, Values: []storage.Aggregate{
		{Op: "count"}, {Op: "sum", Field: "n"}, {Op: "avg", Field: "n"}, {Op: "min", Field: "n"}, {Op: "max", Field: "n"}}})
	ok(t, err)
	want := `["a"] [2 3.5 1.75 1 2.5]
["b"] [1 <nil> <nil> word word]
[null] [1 4 4 4 4]
[true] [1 9223372036854775807 9.223372036854776e+18 9223372036854775807 9223372036854775807]`
	var got []string
	for _, g := range groups {
		got = append(got, fmt.Sprintf("%s %v", g.Key, g.Values))
	}
	if g := strings.Join(got, "\n"); g != want {
		t.Errorf("got\n%s\nwant\n%s", g, want)
	}
	_, err = c.Aggregate(ctx, storage.Aggregation{Filter: json.RawMessage(`{"n": {"$gte": 4}}`), Values: []storage.Aggregate{{Op: "sum", Field: "n"}}})
	is(t, err, fault.Invalid) // the sum is beyond 64 bits
	_, err = c.Aggregate(ctx, storage.Aggregation{Values: []storage.Aggregate{{Op: "total(1)", Field: "n"}}})
	is(t, err, fault.Invalid)
}

// Indexes that are no longer declared go, and only when that is asked for.
func TestPrune(t *testing.T) {
	a, ctx := open(t, storage.Settings{}), context.Background()
	with := a.Docs("PAGES", []storage.Index{{Name: "u", On: []string{"u"}, Unique: true}})
	without := a.Docs("PAGES", nil)
	insert(t, with.Collection("c"), `{"u":1}`)
	ok(t, without.Ensure(ctx))
	_, err := without.Collection("c").Insert(ctx, json.RawMessage(`{"u":1}`))
	is(t, err, fault.Conflict)
	ok(t, without.Prune(ctx))
	insert(t, without.Collection("c"), `{"u":1}`)
	err = with.Ensure(ctx)
	is(t, err, fault.Conflict) // the documents contradict it now
}

// The largest filters that are let in are within SQLite's own bounds.
func TestLargestFilters(t *testing.T) {
	c, ctx := open(t, storage.Settings{}).Docs("PAGES", []storage.Index{{Name: "a", On: []string{"a"}}}).Collection("page"), t.Context()
	insert(t, c, `{"a":1}`)
	list := `[null, true, false, "x", 2` + strings.Repeat(`, 3`, 995) + `]`
	for name, filter := range map[string]string{
		"or":     `{"$or": [` + strings.Repeat(`{"b":2},`, 149) + `{"a":1}]}`,
		"empty":  `{"$or": [` + strings.Repeat(`{},`, 149) + `{}]}`,
		"and":    `{"$and": [` + strings.Repeat(`{"b":{"$ne":2}},`, 149) + `{"a":1}]}`,
		"nested": strings.Repeat(`{"$or":[{"b":2},{"$and":[{"a":1},`, 4) + `{"$or": [{"$and": [` + strings.Repeat(`{"b":{"$in":[null, true, false, "x", 2]}},`, 61) + `{}]},` + strings.Repeat(`{"b":{"$in":[null, true, false, "x", 2]}},`, 61) + `{"a":1}]}` + strings.Repeat(`]}]}`, 4),
		"not":    strings.Repeat(`{"$not":`, 10) + `{"a":1}` + strings.Repeat(`}`, 10),
		"list":   `{"a":{"$nin":` + list + `}}`,
		"deep":   `{"` + strings.Repeat("a.", 63) + `a":{"$ne":1}}`,
	} {
		page, err := c.Find(ctx, storage.Query{Filter: json.RawMessage(filter)})
		if err != nil || len(page.Docs) != 1 {
			t.Errorf("%s: %d, %v", name, len(page.Docs), err)
		}
	}
	var order []storage.Sort
	for i := range 8 {
		order = append(order, storage.Sort{Field: fmt.Sprint("f", i), Descending: i%2 > 0})
	}
	insert(t, c, `{"f3":1}`, `{"f7":"x"}`)
	q := storage.Query{Sort: order, Limit: 1}
	for range 2 {
		page, err := c.Find(ctx, q)
		ok(t, err)
		q.Cursor = page.Cursor
	}
	if got := find(t, c, q); len(got) != 1 {
		t.Errorf("the third page: %q", got)
	}
}
