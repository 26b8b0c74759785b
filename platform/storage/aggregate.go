package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// Count returns how many documents match.
func (c *Collection) Count(ctx context.Context, filter json.RawMessage, scan bool) (n int64, err error) {
	f, err := parseFilter(filter)
	if err != nil {
		return 0, err
	}
	t, err := c.table(ctx)
	if err != nil {
		return 0, err
	}
	w := c.where(f)
	err = c.docs.db.Read(ctx, func(tx *sqlite.Tx) error {
		if advice, scans := c.scans(f, nil); scans && !scan {
			if err := c.mayScan(tx, t, advice); err != nil {
				return err
			}
		}
		if c.docs.guard != nil {
			n = 0
			return (&lookout{of: c, scan: scan}).each(tx, t, w, func(Doc) bool { n++; return false })
		}
		return tx.QueryRow(`SELECT count(*) FROM `+t.name+` WHERE `+w.sql.String(), w.args...).Scan(&n)
	})
	return n, err
}

// Aggregation says what to compute over the documents that match, for each group.
type Aggregation struct {
	Filter json.RawMessage
	Group  []string // fields whose values make a group, at most 8; none is one group of all
	Values []Aggregate
	Scan   bool // may look at every document although no index serves the filter
}

// Aggregate is one value of a group. Sum and avg are over numbers, min and max over
// numbers and strings; what is neither does not count.
type Aggregate struct {
	Op    string // count, sum, avg, min, max
	Field string // empty for count
}

// Group is one group: what its fields are, as JSON in the order of
// Aggregation.Group with null for a missing one, and its values in the order of
// Aggregation.Values: nil, int64, float64 or string.
type Group struct {
	Key    []json.RawMessage
	Values []any
}

// Aggregate computes over the documents that match, at most 1000 groups in the
// order of their keys. The error's kind is Exhausted if there are more, Invalid behind
// a guard: it is computed without a look at each document.
func (c *Collection) Aggregate(ctx context.Context, a Aggregation) (groups []Group, err error) {
	if c.docs.guard != nil {
		return nil, fault.New(fault.Invalid, "%q cannot aggregate as somebody whom its rules concern", c.docs.name).
			WithHint("count, or find and compute; the app's code itself may aggregate")
	}
	f, err := parseFilter(a.Filter)
	if err != nil {
		return nil, err
	}
	query, err := a.columns(newClause(c.docs.indexes))
	if err != nil {
		return nil, err
	}
	t, err := c.table(ctx)
	if err != nil {
		return nil, err
	}
	w := c.where(f)
	query.add(" FROM "+t.name+" WHERE "+w.sql.String(), w.args...)
	query.add(a.groups()+" LIMIT ?", maxPage+1)
	err = c.docs.db.Read(ctx, func(tx *sqlite.Tx) error {
		if !a.Scan && !served(f, c.docs.indexes) {
			if err := c.mayScan(tx, t, wanted(f)); err != nil {
				return err
			}
		}
		rows, err := tx.Query(query.sql.String(), query.args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		groups, err = a.read(rows)
		return err
	})
	if code(err)&0xff == codeError {
		return nil, fault.Wrap(fault.Invalid, err, "aggregate %q", c.name) // a sum beyond 64 bits
	}
	return groups, err
}

// columns begins the statement.
func (a Aggregation) columns(c *clause) (*clause, error) {
	if len(a.Group) > maxSort || len(a.Values) > 4*maxSort {
		return nil, fault.New(fault.Invalid, "too many fields to group by or to compute")
	}
	c.add("SELECT ")
	for _, g := range a.Group {
		p, err := parsePath(g)
		if err != nil {
			return nil, err
		}
		c.grouped(p).add(", ")
	}
	for _, v := range a.Values {
		if err := v.column(c); err != nil {
			return nil, err
		}
		c.add(", ")
	}
	return c.add("NULL"), nil
}

// grouped appends a field as JSON, which keeps apart what json_extract does not.
func (c *clause) grouped(p path) *clause {
	if column, _ := p.own(); column != "" {
		return c.add("json_quote(" + column + ")")
	}
	return c.add("ifnull(body -> ?, 'null')", p.sqlite())
}

func (v Aggregate) column(c *clause) error {
	if v.Op == "count" && v.Field == "" {
		c.add("count(*)")
		return nil
	}
	p, err := parsePath(v.Field)
	if err != nil {
		return err
	}
	kinds := "('integer', 'real')"
	switch v.Op {
	case "count":
		c.add("count(").kind(p).add(")")
		return nil
	case "min", "max":
		kinds = "('integer', 'real', 'text')"
	case "sum", "avg":
	default:
		return fault.New(fault.Invalid, "cannot compute %q", v.Op).WithHint("there are count, sum, avg, min and max")
	}
	c.add(v.Op + "(").value(p).add(") FILTER (WHERE ").kind(p).add(" IN " + kinds + ")")
	return nil
}

func (a Aggregation) groups() string {
	if len(a.Group) == 0 {
		return ""
	}
	var by []string
	for i := range a.Group {
		by = append(by, strconv.Itoa(i+1))
	}
	list := strings.Join(by, ", ")
	return " GROUP BY " + list + " ORDER BY " + list
}

func (a Aggregation) read(rows *sql.Rows) (groups []Group, err error) {
	for rows.Next() {
		if len(groups) == maxPage {
			return nil, fault.New(fault.Exhausted, "there are more than %d groups", maxPage).WithHint("narrow the filter")
		}
		g := Group{Key: make([]json.RawMessage, len(a.Group)), Values: make([]any, len(a.Values))}
		var into []any
		for i := range g.Key {
			into = append(into, (*[]byte)(&g.Key[i]))
		}
		for i := range g.Values {
			into = append(into, &g.Values[i])
		}
		if err := rows.Scan(append(into, new(any))...); err != nil {
			return nil, err
		}
		groups = append(groups, g)
	}
	return groups, rows.Err()
}
