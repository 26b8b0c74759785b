package storage

import (
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// maxScan is the number of documents up to which a filter may look at each of them:
// 0.8 ms for small ones.
const maxScan = 1000

// served reports whether an index finds what a filter may match, or "_id" does: no
// more is read than what one comparison leaves over.
func served(n node, indexes []Index) bool {
	switch n.op {
	case "and":
		for _, k := range n.kids {
			if served(k, indexes) {
				return true
			}
		}
		return false
	case "or":
		for _, k := range n.kids {
			if !served(k, indexes) {
				return false
			}
		}
		return len(n.kids) > 0
	case "eq", "in", "gt", "gte", "lt", "lte":
		return leads(n.path, indexes)
	}
	return false
}

// leads reports whether an index begins with a field.
func leads(p path, indexes []Index) bool {
	if column, _ := p.own(); column == "key" {
		return true
	}
	for _, i := range indexes {
		if i.On[0] == p.String() {
			return true
		}
	}
	return false
}

// ordered reports whether an index has the documents in this order.
func ordered(order []Sort, indexes []Index) bool {
	if len(order) == 0 || order[0].Field == "_id" {
		return true
	}
	for _, s := range order {
		if s.Descending != order[0].Descending {
			return false
		}
	}
	for _, i := range indexes {
		fits := len(order) <= len(i.On)
		for k := 0; fits && k < len(order); k++ {
			fits = order[k].Field == i.On[k]
		}
		if fits {
			return true
		}
	}
	return false
}

// wanted names the field an index would have to begin with, empty if none would
// help.
func wanted(n node) string {
	switch n.op {
	case "and", "or":
		for _, k := range n.kids {
			if f := wanted(k); f != "" {
				return f
			}
		}
		return ""
	case "eq", "in", "gt", "gte", "lt", "lte":
		return n.path.String()
	}
	return ""
}

// mayScan refuses what would look at more than maxScan documents.
func (c *Collection) mayScan(tx *sqlite.Tx, t docTable, field string) error {
	var n int
	if err := tx.QueryRow(`SELECT count(*) FROM (SELECT 1 FROM `+t.name+` WHERE owner = ? AND collection = ? LIMIT ?)`,
		c.docs.owner, c.name, maxScan+1).Scan(&n); err != nil || n <= maxScan {
		return err
	}
	err := fault.New(fault.Invalid, "this would look at every document of %q, which are more than %d", c.name, maxScan)
	if field == "" {
		return err.WithHint("compare an indexed field as well, or ask with scan")
	}
	return err.WithHint("declare index %q { on = [%q] }, or ask with scan", "by_"+strings.ReplaceAll(field, ".", "_"), field)
}
