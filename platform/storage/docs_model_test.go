package storage_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/storage"
)

// The model of documents is Go values and a judge of filters written anew.
type modelDoc map[string]any

func lookup(v any, field string) (any, bool) {
	for name := range strings.SplitSeq(field, ".") {
		o, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = o[name]; !ok {
			return nil, false
		}
	}
	return v, true
}

func sameKind(a, b any) bool { return reflect.TypeOf(a) == reflect.TypeOf(b) }

func judge(doc modelDoc, filter map[string]any) bool {
	for name, want := range filter {
		var good bool
		switch name {
		case "$and":
			good = !slices.ContainsFunc(want.([]any), func(f any) bool { return !judge(doc, f.(map[string]any)) })
		case "$or":
			good = slices.ContainsFunc(want.([]any), func(f any) bool { return judge(doc, f.(map[string]any)) })
		case "$not":
			good = !judge(doc, want.(map[string]any))
		default:
			v, there := lookup(map[string]any(doc), name)
			good = judgeField(v, there, want)
		}
		if !good {
			return false
		}
	}
	return true
}

func judgeField(v any, there bool, want any) bool {
	ops, isOps := want.(map[string]any)
	if !isOps || len(ops) == 0 {
		return reflect.DeepEqual(v, want)
	}
	for op, w := range ops {
		if !strings.HasPrefix(op, "$") {
			return reflect.DeepEqual(v, want)
		}
		if !judgeTerm(v, there, op, w) {
			return false
		}
	}
	return true
}

func judgeTerm(v any, there bool, op string, w any) bool {
	in := func() bool {
		return slices.ContainsFunc(w.([]any), func(x any) bool { return reflect.DeepEqual(v, x) })
	}
	switch op {
	case "$eq":
		return reflect.DeepEqual(v, w)
	case "$ne":
		return !reflect.DeepEqual(v, w)
	case "$in":
		return in()
	case "$nin":
		return !in()
	case "$exists":
		return there == w.(bool)
	case "$not":
		return !judgeField(v, there, w)
	case "$contains":
		list, isList := v.([]any)
		s, isString := v.(string)
		part, alike := w.(string)
		return isList && slices.ContainsFunc(list, func(x any) bool { return reflect.DeepEqual(x, w) }) || isString && alike && strings.Contains(s, part)
	}
	if !sameKind(v, w) {
		return false
	}
	c := 0
	if f, ok := v.(float64); ok {
		c = cmp.Compare(f, w.(float64))
	} else {
		c = strings.Compare(v.(string), w.(string))
	}
	return op == "$gt" && c > 0 || op == "$gte" && c >= 0 || op == "$lt" && c < 0 || op == "$lte" && c <= 0
}

// rank orders values as lists are: nothing, numbers with booleans, text.
func rank(v any) (kind int, number float64, text string) {
	switch v := v.(type) {
	case nil:
		return 0, 0, ""
	case bool:
		if v {
			return 1, 1, ""
		}
		return 1, 0, ""
	case float64:
		return 1, v, ""
	case string:
		return 2, 0, v
	}
	b, _ := json.Marshal(v)
	return 2, 0, string(b)
}

func compareBy(a, b modelDoc, order []storage.Sort) int {
	for _, s := range order {
		x, _ := lookup(map[string]any(a), s.Field)
		y, _ := lookup(map[string]any(b), s.Field)
		kx, nx, tx := rank(x)
		ky, ny, ty := rank(y)
		c := cmp.Or(cmp.Compare(kx, ky), cmp.Compare(nx, ny), cmp.Compare(tx, ty))
		if s.Descending {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	c := strings.Compare(a["_id"].(string), b["_id"].(string))
	if len(order) > 0 && order[len(order)-1].Descending {
		return -c
	}
	return c
}

func values() *rapid.Generator[any] {
	return rapid.OneOf(
		rapid.SampledFrom([]any{nil, true, false, 0.0, 1.0, -1.0, 1.5, 1e300, "", "a", "ab", "1", "[1]", "null", "true", "it's", "x\x00y", `"`}),
		rapid.SampledFrom([]any{[]any{}, []any{1.0}, []any{"a", nil, true}, map[string]any{}, map[string]any{"x": 1.0}}),
		rapid.Map(rapid.String(), func(s string) any { return strings.ToValidUTF8(s, "") }))
}

func fields() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{"a", "b", "c.d", "c", `o'"o`, "_id"})
}

func filters(depth int) *rapid.Generator[map[string]any] {
	return rapid.Custom(func(t *rapid.T) map[string]any {
		f := map[string]any{}
		for range rapid.IntRange(0, 2).Draw(t, "terms") {
			f[fields().Draw(t, "field")] = condition(t, depth)
		}
		if depth > 0 && rapid.Bool().Draw(t, "nested") {
			kids := rapid.SliceOfN(rapid.Map(filters(depth-1), func(m map[string]any) any { return m }), 1, 3)
			f[rapid.SampledFrom([]string{"$and", "$or"}).Draw(t, "join")] = kids.Draw(t, "kids")
		}
		if depth > 0 && rapid.Bool().Draw(t, "negated") {
			f["$not"] = filters(depth-1).Draw(t, "kid")
		}
		return f
	})
}

func condition(t *rapid.T, depth int) any {
	scalar := rapid.SampledFrom([]any{nil, true, false, 0.0, 1.0, 1.5, "a", "1", "x\x00y"})
	comparable := rapid.SampledFrom([]any{0.0, 1.0, 1.5, -1e300, "a", "", "[1]"})
	switch op := rapid.SampledFrom([]string{"", "$eq", "$ne", "$in", "$nin", "$exists", "$contains", "$gt", "$gte", "$lt", "$lte", "$not"}).Draw(t, "op"); op {
	case "":
		return values().Draw(t, "value")
	case "$eq", "$ne", "$contains":
		return map[string]any{op: values().Draw(t, "value")}
	case "$in", "$nin":
		return map[string]any{op: rapid.SliceOfN(scalar, 0, 4).Draw(t, "list")}
	case "$exists":
		return map[string]any{op: rapid.Bool().Draw(t, "want")}
	case "$not":
		if depth == 0 {
			return 1.0
		}
		return map[string]any{op: map[string]any{"$gt": comparable.Draw(t, "value")}}
	default:
		return map[string]any{op: comparable.Draw(t, "value"), "$exists": true}
	}
}

// A collection finds, in order, what a judge of each document would; with indexes
// or without, in pages of any size.
func TestDocsModel(t *testing.T) {
	if testing.Short() {
		t.Skip("too slow under the race detector: make test runs it")
	}
	a := open(t, storage.Settings{})
	indexes := []storage.Index{{Name: "ab", On: []string{"a", "b"}}, {Name: "cd", On: []string{"c.d"}}, {Name: "odd", On: []string{`o'"o`}}}
	round := 0
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		round++
		name := fmt.Sprint("c", round)
		with, without := a.Docs("WITH", indexes).Collection(name), a.Docs("WITHOUT", nil).Collection(name)
		var model []modelDoc
		for i := range rapid.IntRange(1, 12).Draw(t, "documents") {
			d := modelDoc{"_id": fmt.Sprint("d", i)}
			for _, f := range []string{"a", "b", `o'"o`} {
				if rapid.Bool().Draw(t, "has") {
					d[f] = values().Draw(t, f)
				}
			}
			if rapid.Bool().Draw(t, "deep") {
				d["c"] = map[string]any{"d": values().Draw(t, "c.d")}
			}
			model = append(model, d)
			for _, c := range []*storage.Collection{with, without} {
				_, err := c.Insert(ctx, marshal(d))
				ok(t, err)
			}
		}
		for range 4 {
			filter := filters(2).Draw(t, "filter")
			var order []storage.Sort
			for _, f := range rapid.SliceOfNDistinct(fields(), 0, 2, rapid.ID).Draw(t, "order") {
				order = append(order, storage.Sort{Field: f, Descending: rapid.Bool().Draw(t, "descending")})
			}
			var want []string
			slices.SortFunc(model, func(a, b modelDoc) int { return compareBy(a, b, order) })
			for _, d := range model {
				if judge(d, filter) {
					want = append(want, d["_id"].(string))
				}
			}
			limit := rapid.IntRange(1, 5).Draw(t, "limit")
			for _, c := range []*storage.Collection{with, without} {
				got := findAll(t, c, storage.Query{Filter: marshal(filter), Sort: order, Limit: limit})
				if !slices.Equal(got, want) {
					t.Fatalf("%s sorted by %v: %q, want %q of %s", marshal(filter), order, got, want, marshal(model))
				}
				if n, err := c.Count(ctx, marshal(filter), false); err != nil || int(n) != len(want) {
					t.Fatalf("%s: counted %d of %d, %v", marshal(filter), n, len(want), err)
				}
			}
		}
	})
}

func marshal(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func findAll(t *rapid.T, c *storage.Collection, q storage.Query) (all []string) {
	for {
		page, err := c.Find(context.Background(), q)
		ok(t, err)
		all = append(all, ids(page.Docs)...)
		if q.Cursor = page.Cursor; q.Cursor == "" {
			return all
		}
	}
}

// Whatever a filter says, nothing of it becomes part of a statement but operators,
// and SQLite understands the statement.
func FuzzFilter(f *testing.F) {
	c := open(f, storage.Settings{}).Docs("PAGES", []storage.Index{{Name: "a", On: []string{"a", "b.c"}}}).Collection("page")
	_, err := c.Insert(f.Context(), json.RawMessage(`{"a":1,"b":{"c":"x"}}`))
	ok(f, err)
	for _, seed := range []string{
		`{}`, `{"a": 1}`, `{"a": {"$in": [1, "x", null, true]}}`, `{"$or": [{"b.c": {"$gt": "x"}}, {"$not": {"zebra": {"$contains": "'; DROP TABLE fazt_key --"}}}]}`,
		`{"'); DROP TABLE fazt_key; --": 1e5}`, `{"a": {"$not": {"$lte": 1.5}}, "q\"": {"$exists": false}}`, `{"_id": {"$nin": []}, "_version": 3}`, `{"a": [1, {"b": 2}]}`,
	} {
		f.Add(seed)
	}
	words := map[string]bool{}
	for _, w := range strings.Fields("json_extract json_type json_each body key version created updated SELECT value type FROM WHERE EXISTS AS e " +
		"instr IN IS NOT NULL TRUE FALSE AND OR text integer real array object true false a b c 0 1") {
		words[w] = true
	}
	f.Fuzz(func(t *testing.T, filter string) {
		sql, args, err := storage.FilterSQL([]byte(filter), []storage.Index{{Name: "a", On: []string{"a", "b.c"}}})
		if err != nil {
			is(t, err, fault.Invalid)
			return
		}
		for _, w := range strings.FieldsFunc(sql, func(r rune) bool { return strings.ContainsRune(` ()=<>?,'."$`, r) }) {
			if !words[w] {
				t.Fatalf("%q in %s", w, sql)
			}
		}
		if strings.Count(sql, "?") != len(args) {
			t.Fatalf("%d arguments for %s", len(args), sql)
		}
		if _, err := c.Find(t.Context(), storage.Query{Filter: json.RawMessage(filter)}); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	})
}

// A cursor is not trusted.
func FuzzDocCursor(f *testing.F) {
	c := open(f, storage.Settings{}).Docs("PAGES", nil).Collection("page")
	for i, v := range []any{1, "x", nil, 1.5, math.MaxInt64} {
		_, err := c.Insert(f.Context(), marshal(map[string]any{"n": v, "k": i % 2}))
		ok(f, err)
	}
	page, err := c.Find(f.Context(), storage.Query{Limit: 1, Sort: []storage.Sort{{Field: "n"}}})
	ok(f, err)
	f.Add(page.Cursor, true)
	f.Add("eyJpIjoiIn0", false)
	f.Fuzz(func(t *testing.T, cursor string, descending bool) {
		_, err := c.Find(t.Context(), storage.Query{Cursor: cursor, Sort: []storage.Sort{{Field: "n", Descending: descending}}})
		if err != nil {
			is(t, err, fault.Invalid)
		}
	})
}
