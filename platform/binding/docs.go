package binding

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"strconv"

	"github.com/fazt-sh/fazt/platform/rule"
	"github.com/fazt-sh/fazt/platform/script"
	"github.com/fazt-sh/fazt/platform/storage"
)

// Docs is a set of collections, and what its rules let people do.
type Docs struct {
	Store *storage.Docs
	Rules map[string]*rule.Rule // by what they allow: read, create, update, delete
}

// in is the collection that is meant, whose, and as whom.
type in struct {
	user
	AsCaller   bool   `json:"asCaller"`
	Collection string `json:"collection"`
}

func (a in) of(d Docs, r request) *storage.Collection {
	set := d.Store
	if a.AsCaller {
		set = set.Guarded(d.guard(r.info))
	}
	if a.User != nil {
		set = set.User(*a.User)
	}
	return set.Collection(a.Collection)
}

// docMethods is a set of collections.
func docMethods(_ string, d Docs) methods {
	return methods{
		"insert": on(func(ctx context.Context, r request, a struct {
			in
			Docs []json.RawMessage `json:"docs"`
		}) (script.Reply, error) {
			inserted, err := a.of(d, r).Insert(ctx, a.Docs...)
			return sendMetas(inserted, err)
		}),
		"get": on(func(ctx context.Context, r request, a struct {
			in
			ID string `json:"id"`
		}) (script.Reply, error) {
			doc, ok, err := a.of(d, r).Get(ctx, a.ID)
			if err != nil || !ok {
				return done(err)
			}
			return script.Reply{Value: whole(doc)}, nil
		}),
		"find":   on(findDocs(d)),
		"update": on(updateDocs(d)),
		"remove": on(func(ctx context.Context, r request, a struct {
			in
			selector
		}) (script.Reply, error) {
			n, err := a.of(d, r).Remove(ctx, a.selector.storage())
			if err != nil {
				return script.Reply{}, err
			}
			return value(n)
		}),
		"count": on(func(ctx context.Context, r request, a struct {
			in
			Filter json.RawMessage `json:"filter"`
			Scan   bool            `json:"scan"`
		}) (script.Reply, error) {
			n, err := a.of(d, r).Count(ctx, a.Filter, a.Scan)
			if err != nil {
				return script.Reply{}, err
			}
			return value(n)
		}),
		"aggregate": on(aggregateDocs(d)),
	}
}

// selector chooses documents to change.
type selector struct {
	ID        string          `json:"id"`
	Filter    json.RawMessage `json:"filter"`
	IfVersion int64           `json:"ifVersion"`
	Scan      bool            `json:"scan"`
}

func (s selector) storage() storage.Selector {
	return storage.Selector{ID: s.ID, Filter: s.Filter, IfVersion: s.IfVersion, Scan: s.Scan}
}

// docMeta is a document without its body, by the names it has within it.
type docMeta struct {
	ID      string `json:"_id"`
	Version int64  `json:"_version"`
	Created int64  `json:"_created"` // milliseconds of the epoch
	Updated int64  `json:"_updated"`
}

func metaOf(d storage.Doc) docMeta {
	return docMeta{d.ID, d.Version, d.Created.UnixMilli(), d.Updated.UnixMilli()}
}

func sendMetas(docs []storage.Doc, err error) (script.Reply, error) {
	if err != nil {
		return script.Reply{}, err
	}
	metas := make([]docMeta, len(docs))
	for i, d := range docs {
		metas[i] = metaOf(d)
	}
	return value(metas)
}

// whole is a document with what the store knows of it. Its body is an object that
// begins with "_id", so that there is always a member to go on from.
func whole(d storage.Doc) json.RawMessage {
	b := bytes.TrimSuffix(bytes.TrimRight(d.Body, " \n\t\r"), []byte("}"))
	b = append(bytes.Clone(b), `,"_version":`...)
	b = strconv.AppendInt(b, d.Version, 10)
	b = strconv.AppendInt(append(b, `,"_created":`...), d.Created.UnixMilli(), 10)
	b = strconv.AppendInt(append(b, `,"_updated":`...), d.Updated.UnixMilli(), 10)
	return append(b, '}')
}

type findArgs struct {
	in
	Filter json.RawMessage `json:"filter"`
	Sort   []sortArg       `json:"sort"`
	Limit  int             `json:"limit"`
	Skip   int             `json:"skip"`
	Cursor string          `json:"cursor"`
	Fields []string        `json:"fields"`
	Scan   bool            `json:"scan"`
}

type sortArg struct {
	Field string `json:"field"`
	Down  bool   `json:"down"`
}

func findDocs(d Docs) func(context.Context, request, findArgs) (script.Reply, error) {
	return func(ctx context.Context, r request, a findArgs) (script.Reply, error) {
		q := storage.Query{Filter: a.Filter, Limit: a.Limit, Skip: a.Skip, Cursor: a.Cursor, Fields: a.Fields, Scan: a.Scan}
		for _, s := range a.Sort {
			q.Sort = append(q.Sort, storage.Sort{Field: s.Field, Descending: s.Down})
		}
		page, err := a.of(d, r).Find(ctx, q)
		if err != nil {
			return script.Reply{}, err
		}
		out := struct {
			Docs   []json.RawMessage `json:"docs"`
			Cursor string            `json:"cursor,omitempty"`
		}{make([]json.RawMessage, len(page.Docs)), page.Cursor}
		for i, doc := range page.Docs {
			if out.Docs[i] = doc.Body; len(a.Fields) == 0 {
				out.Docs[i] = whole(doc)
			}
		}
		return value(out)
	}
}

type aggregateArgs struct {
	in
	Filter json.RawMessage `json:"filter"`
	Group  []string        `json:"group"`
	Values []struct {
		Op    string `json:"op"`
		Field string `json:"field"`
	} `json:"values"`
	Scan bool `json:"scan"`
}

// groupReply is a group in the order of asking.
type groupReply struct {
	Key    []json.RawMessage `json:"key"`
	Values []any             `json:"values"`
}

func aggregateDocs(d Docs) func(context.Context, request, aggregateArgs) (script.Reply, error) {
	return func(ctx context.Context, r request, a aggregateArgs) (script.Reply, error) {
		what := storage.Aggregation{Filter: a.Filter, Group: a.Group, Scan: a.Scan}
		for _, v := range a.Values {
			what.Values = append(what.Values, storage.Aggregate{Op: v.Op, Field: v.Field})
		}
		groups, err := a.of(d, r).Aggregate(ctx, what)
		if err != nil {
			return script.Reply{}, err
		}
		out := make([]groupReply, len(groups))
		for i, g := range groups {
			for k, v := range g.Values {
				if f, ok := v.(float64); ok && (math.IsInf(f, 0) || math.IsNaN(f)) {
					g.Values[k] = nil // as JSON.stringify has it
				}
			}
			out[i] = groupReply{g.Key, g.Values}
		}
		return value(map[string]any{"groups": out})
	}
}

type updateArgs struct {
	in
	selector
	Change json.RawMessage `json:"change"`
}

func updateDocs(d Docs) func(context.Context, request, updateArgs) (script.Reply, error) {
	return func(ctx context.Context, r request, a updateArgs) (script.Reply, error) {
		changed, err := a.of(d, r).Update(ctx, a.selector.storage(), a.Change)
		return sendMetas(changed, err)
	}
}
