package storage

import (
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/fazt-sh/fazt/platform/sqlite"
)

// ownColumns is how many columns of a document come before those it is sorted by.
const ownColumns = 5

// orderBy returns how documents are sorted, by the columns it adds. The id comes
// last, in the direction of the field before, so that an index can be read in one
// direction.
func orderBy(sorts []Sort, columns *clause) (string, *clause) {
	var by strings.Builder
	down := ""
	for i, s := range sorts {
		p, _ := parsePath(s.Field) // checked by plan
		columns.add(", ").value(p)
		if down = ""; s.Descending {
			down = " DESC"
		}
		by.WriteString(strconv.Itoa(ownColumns+1+i) + down + ", ")
	}
	return by.String() + "key" + down, columns
}

// pageBytes is what the documents of a page may have: an answer is as much, with what
// the store adds to each.
const pageBytes = maxAnswer - 256<<10

// readDocs reads a page. It ends early where its documents are more than pageBytes.
func (c *Collection) readDocs(tx *sqlite.Tx, query string, args []any, q Query) (page DocPage, err error) {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return page, err
	}
	defer rows.Close()
	size := 0
	look := c.look(q)
	last, next := make([]any, len(q.Sort)), make([]any, len(q.Sort))
	for rows.Next() {
		d, err := scanDoc(rows, next)
		if err != nil {
			return page, err
		}
		if shown, err := look.passes(d); err != nil {
			return page, err
		} else if !shown {
			continue
		}
		if size += len(d.Body); len(page.Docs) == q.Limit || size > pageBytes && len(page.Docs) > 0 {
			page.Cursor = sortCursor(page.Docs[len(page.Docs)-1].ID, last)
			break
		}
		copy(last, next)
		if d.Body, err = project(d.Body, q.Fields); err != nil {
			return page, err
		}
		page.Docs = append(page.Docs, d)
	}
	return page, rows.Err()
}

// scanDoc reads a document, and the columns it is sorted by.
func scanDoc(rows *sql.Rows, by []any) (d Doc, err error) {
	var created, updated int64
	into := []any{&d.ID, &d.Version, &created, &updated, (*[]byte)(&d.Body)}
	for i := range by {
		into = append(into, &by[i])
	}
	err = rows.Scan(into...)
	d.Created, d.Updated = fromMillis(created), fromMillis(updated)
	return d, err
}

// project returns the named fields of a document, and its id.
func project(body json.RawMessage, fields []string) (json.RawMessage, error) {
	if len(fields) == 0 {
		return body, nil
	}
	o, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	some := object{{"_id", o.get("_id")}}
	for _, f := range fields {
		if v := o.get(f); v != nil {
			some.set(f, v)
		}
	}
	return some.bytes(), nil
}

// A cursor of documents holds the last one's id and what it was sorted by. It can
// only choose where among the documents that match the page begins.
type docCursor struct {
	ID   string            `json:"i"`
	Last []json.RawMessage `json:"l,omitempty"`
}

func sortCursor(id string, last []any) string {
	c := docCursor{ID: id}
	for _, v := range last {
		if f, ok := v.(float64); ok && math.IsInf(f, 0) {
			v = json.Number(strconv.FormatFloat(math.Copysign(9, f), 'f', 0, 64) + "e999") // JSON has no infinity
		}
		b, _ := json.Marshal(v) // null, a number or a string
		c.Last = append(c.Last, b)
	}
	b, _ := json.Marshal(c)
	return base64.RawURLEncoding.EncodeToString(b)
}

// maxCursor lets a cursor hold strings of documents, which are as long as those.
const maxCursor = maxSort*maxDocument*2 + 4096

func parseCursor(cursor string, sorts int) (id string, last []any, err error) {
	var at docCursor
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || checkJSON("the cursor", b, maxCursor) != nil || json.Unmarshal(b, &at) != nil || len(at.Last) != sorts {
		return "", nil, badCursor("with the same filter and sort")
	}
	for _, raw := range at.Last {
		v, ok := cursorValue(raw)
		if !ok {
			return "", nil, badCursor("with the same filter and sort")
		}
		last = append(last, v)
	}
	return at.ID, last, nil
}

// cursorValue reads what sortCursor wrote: null, a string or a number.
func cursorValue(raw json.RawMessage) (any, bool) {
	var v any
	if len(raw) > 0 && (raw[0] == '"' || raw[0] == 'n') {
		return v, json.Unmarshal(raw, &v) == nil
	}
	if i, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return i, true
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	return f, err == nil || math.IsInf(f, 0)
}

// after narrows a condition to what comes behind a cursor: the first field is
// behind, or it is the same and the second is, and so on.
func (c *clause) after(sorts []Sort, cursor string) error {
	if cursor == "" {
		return nil
	}
	id, last, err := parseCursor(cursor, len(sorts))
	if err != nil {
		return err
	}
	c.seek(sorts, last)
	c.add(" AND (")
	sign := "key > ?)"
	for i, s := range sorts {
		c.same(sorts[:i], last)
		c.behind(s, last[i])
		c.add(" OR ")
		if sign = "key > ?)"; s.Descending {
			sign = "key < ?)"
		}
	}
	c.same(sorts, last)
	c.add(sign, id)
	return nil
}

// seek adds what follows from the rest, but in a form that an index can begin to
// read at. Descending, what is missing comes last, which no single range says.
func (c *clause) seek(sorts []Sort, last []any) {
	if len(sorts) == 0 || last[0] == nil {
		return
	}
	p, _ := parsePath(sorts[0].Field)
	column, _ := p.own()
	switch {
	case !sorts[0].Descending:
		c.add(" AND ").value(p).add(" >= ?", last[0])
	case column != "":
		c.add(" AND ").value(p).add(" <= ?", last[0])
	}
}

func (c *clause) same(sorts []Sort, last []any) {
	for i, s := range sorts {
		p, _ := parsePath(s.Field)
		c.value(p).add(" IS ? AND ", last[i])
	}
}

func (c *clause) behind(s Sort, v any) {
	p, _ := parsePath(s.Field)
	switch {
	case v == nil && s.Descending: // nothing is behind what is missing
		c.add("FALSE")
	case v == nil:
		c.value(p).add(" IS NOT NULL")
	case s.Descending:
		c.add("(").value(p).add(" < ? OR ", v).value(p).add(" IS NULL)")
	default:
		c.value(p).add(" > ?", v)
	}
}
