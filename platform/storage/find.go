package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// Query chooses documents.
type Query struct {
	Filter json.RawMessage // {"field": value, "other": {"$gt": 3}}; none matches everything
	Sort   []Sort          // then, or without it, by "_id"
	Limit  int             // of a page, at most 1000; 0 is 100
	Skip   int             // documents to leave out, at most 10,000; a cursor is better
	Cursor string          // of the page before; it means something only with the same query
	Fields []string        // what is returned beside "_id"; none returns all
	Scan   bool            // may look at every document although no index serves the filter
}

// Sort is one field to sort by. Missing comes first, then numbers and booleans,
// then strings.
type Sort struct {
	Field      string
	Descending bool
}

// DocPage is a page of documents.
type DocPage struct {
	Docs   []Doc
	Cursor string // for the next page; empty after the last
}

const (
	defaultPage = 100
	maxSkip     = 10_000
	maxSort     = 8
)

// Get returns a document, and whether it is there.
func (c *Collection) Get(ctx context.Context, id string) (doc Doc, there bool, err error) {
	t, err := c.table(ctx)
	if err != nil {
		return doc, false, err
	}
	err = c.docs.db.ReadOne(ctx, func(tx *sqlite.Tx) error {
		doc, there, err = c.load(tx, t, id)
		return err
	})
	if !c.docs.shows(doc) {
		return Doc{}, false, err
	}
	return doc, there, err
}

func (c *Collection) load(tx *sqlite.Tx, t docTable, id string) (doc Doc, there bool, err error) {
	var created, updated int64
	err = tx.QueryRow(`SELECT key, version, created, updated, body FROM `+t.name+` WHERE owner = ? AND collection = ? AND key = ?`,
		c.docs.owner, c.name, id).Scan(&doc.ID, &doc.Version, &created, &updated, (*[]byte)(&doc.Body))
	if errors.Is(err, sql.ErrNoRows) {
		return doc, false, nil
	}
	doc.Created, doc.Updated = fromMillis(created), fromMillis(updated)
	return doc, err == nil, err
}

// table checks the name of the collection and returns the table of the set.
func (c *Collection) table(ctx context.Context) (docTable, error) {
	if err := checkText("the name of the collection", c.name, maxName); err != nil {
		return docTable{}, err
	}
	return c.docs.table(ctx)
}

// Find returns a page of the documents that match. The error's kind is Invalid if
// more than 1,000 would have to be looked at and no index helps.
func (c *Collection) Find(ctx context.Context, q Query) (page DocPage, err error) {
	f, err := c.plan(&q)
	if err != nil {
		return page, err
	}
	t, err := c.table(ctx)
	if err != nil {
		return page, err
	}
	where := c.where(f)
	if err := where.after(q.Sort, q.Cursor); err != nil {
		return page, err
	}
	by, columns := orderBy(q.Sort, newClause(c.docs.indexes))
	err = c.docs.db.Read(ctx, func(tx *sqlite.Tx) error {
		if advice, scans := c.scans(f, q.Sort); scans && !q.Scan {
			if err := c.mayScan(tx, t, advice); err != nil {
				return err
			}
		}
		args := slices.Concat(columns.args, where.args, c.docs.bounds(q))
		page, err = c.readDocs(tx, `SELECT key, version, created, updated, body`+columns.sql.String()+` FROM `+t.name+
			` WHERE `+where.sql.String()+` ORDER BY `+by+` LIMIT ? OFFSET ?`, args, q)
		return err
	})
	return page, err
}

// plan checks a query and reads its filter.
func (c *Collection) plan(q *Query) (node, error) {
	if q.Limit == 0 {
		q.Limit = defaultPage
	}
	if _, err := pageLimit(q.Limit); err != nil {
		return node{}, err
	}
	if q.Skip < 0 || q.Skip > maxSkip {
		return node{}, fault.New(fault.Invalid, "cannot skip %d documents, %d are the most", q.Skip, maxSkip).WithHint("go on from the cursor of the page before")
	}
	if len(q.Sort) > maxSort || len(q.Fields) > maxPage {
		return node{}, fault.New(fault.Invalid, "too many fields")
	}
	for _, s := range q.Sort {
		if _, err := parsePath(s.Field); err != nil {
			return node{}, err
		}
	}
	return parseFilter(q.Filter)
}

// scans reports whether a query looks at every document, and which index would help.
func (c *Collection) scans(f node, order []Sort) (advice string, scans bool) {
	if f.op == "and" && len(f.kids) == 0 {
		if ordered(order, c.docs.indexes) {
			return "", false
		}
		return order[0].Field, true
	}
	return wanted(f), !served(f, c.docs.indexes)
}

// where begins a condition with whose documents are meant.
func (c *Collection) where(f node) *clause {
	w := newClause(c.docs.indexes)
	w.add("owner = ? AND collection = ? AND (", c.docs.owner, c.name)
	w.filter(f)
	return w.add(")")
}
