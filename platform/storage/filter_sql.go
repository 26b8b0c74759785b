package storage

import (
	"encoding/json"
	"strings"
)

// clause is a condition as it is written: SQL and what is bound to it. Of what a
// request brings, nothing becomes SQL but the number and the kinds of its
// operators, and fields that are declared in an index.
type clause struct {
	sql     strings.Builder
	args    []any
	indexed map[string]bool // fields of declared indexes
}

func newClause(indexes []Index) *clause {
	c := &clause{indexed: map[string]bool{}}
	for _, i := range indexes {
		for _, f := range i.On {
			c.indexed[f] = true
		}
	}
	return c
}

// add appends SQL with its arguments.
func (c *clause) add(sql string, args ...any) *clause {
	c.sql.WriteString(sql)
	c.args = append(c.args, args...)
	return c
}

// field appends a function of a field: json_extract is its value, json_type its
// type. SQLite uses an index of an expression where it reads the same expression.
func (c *clause) field(function string, p path) *clause {
	if column, kind := p.own(); column != "" {
		if function == "json_type" {
			return c.add("'" + kind + "'")
		}
		return c.add(column)
	}
	if c.indexed[p.String()] {
		return c.add(function + "(body, " + p.literal() + ")")
	}
	return c.add(function+"(body, ?)", p.sqlite())
}

func (c *clause) value(p path) *clause { return c.field("json_extract", p) }
func (c *clause) kind(p path) *clause  { return c.field("json_type", p) }

// filter appends a tree.
func (c *clause) filter(n node) {
	switch n.op {
	case "and", "or":
		c.join(n)
	case "not":
		c.add("(")
		c.filter(n.kids[0])
		c.add(") IS NOT TRUE")
	case "ne":
		c.filter(node{op: "not", kids: []node{{op: "eq", path: n.path, val: n.val}}})
	case "nin":
		c.filter(node{op: "not", kids: []node{{op: "in", path: n.path, val: n.val}}})
	case "in":
		c.in(n)
	case "contains":
		c.contains(n)
	case "exists":
		c.kind(n.path)
		if n.val.(bool) {
			c.add(" IS NOT NULL")
		} else {
			c.add(" IS NULL")
		}
	default:
		c.compare(c.operand(n.path), n.op, n.val)
	}
}

func (c *clause) join(n node) {
	if len(n.kids) == 0 {
		c.add("TRUE")
		return
	}
	for i, k := range n.kids {
		if i > 0 && n.op == "and" {
			c.add(" AND ")
		} else if i > 0 {
			c.add(" OR ")
		}
		c.add("(")
		c.filter(k)
		c.add(")")
	}
}

// operand appends what is compared, a field or an element: its value, its type.
type operand struct{ value, kind func() *clause }

func (c *clause) operand(p path) operand {
	return operand{func() *clause { return c.value(p) }, func() *clause { return c.kind(p) }}
}

// compare appends a comparison that is true only for a value of the same type:
// json_extract makes no difference between true and 1, nor between "[1]" and [1].
func (c *clause) compare(o operand, op string, val any) {
	sign := sign(op)
	switch v := val.(type) {
	case nil:
		o.value().add(" IS NULL")
	case bool:
		kind := "'false'"
		if v {
			kind = "'true'"
		}
		o.value().add(sign+"? AND ", v)
		o.kind().add(" = " + kind)
	case int64:
		o.value().add(sign+"? AND ", v)
		o.kind().add(" IN ('integer', 'real')")
	case json.Number:
		o.value().add(sign+"json_extract(?, '$') AND ", string(v))
		o.kind().add(" IN ('integer', 'real')")
	case string:
		o.value().add(sign+"? AND ", v)
		o.kind().add(" = 'text'")
	case json.RawMessage:
		o.value().add(sign+"? AND ", string(v))
		o.kind().add(" IN ('array', 'object')")
	}
}

func sign(op string) string {
	switch op {
	case "gt":
		return " > "
	case "gte":
		return " >= "
	case "lt":
		return " < "
	case "lte":
		return " <= "
	}
	return " = "
}

// in appends membership in a list: one search for the strings and one for the
// numbers, whose lists are bound as JSON so that the statement is the same for all.
func (c *clause) in(n node) {
	var strs, nums []any
	var parts []func()
	seen := map[any]bool{} // null, true and false need one comparison each
	for _, v := range n.val.([]any) {
		switch v.(type) {
		case string:
			strs = append(strs, v)
		case int64, json.Number:
			nums = append(nums, v)
		default:
			if !seen[v] {
				parts = append(parts, func() { c.compare(c.operand(n.path), "eq", v) })
			}
			seen[v] = true
		}
	}
	if len(strs) > 0 {
		parts = append(parts, func() { c.search(n.path, strs, "('text')") })
	}
	if len(nums) > 0 {
		parts = append(parts, func() { c.search(n.path, nums, "('integer', 'real')") })
	}
	if len(parts) == 0 {
		c.add("FALSE")
	}
	for i, part := range parts { // a needless OR would hide the index from SQLite
		if i > 0 {
			c.add(" OR ")
		}
		c.add("(")
		part()
		c.add(")")
	}
}

func (c *clause) search(p path, list []any, kinds string) {
	b, _ := json.Marshal(list) // strings and numbers have a form
	c.value(p).add(" IN (SELECT value FROM json_each(?)) AND ", string(b)).kind(p).add(" IN " + kinds)
}

// contains appends: an array has this element, or a string has this part.
func (c *clause) contains(n node) {
	part, isText := n.val.(string)
	if column, kind := n.path.own(); column != "" {
		if isText && kind == "text" {
			c.add("instr("+column+", ?) > 0", part)
		} else {
			c.add("FALSE")
		}
		return
	}
	c.add("(").kind(n.path).add(" = 'array' AND EXISTS (SELECT 1 FROM json_each(body, ?) AS e WHERE ", n.path.sqlite())
	c.compare(operand{func() *clause { return c.add("e.value") }, func() *clause { return c.add("e.type") }}, "eq", n.val)
	c.add(")")
	if isText {
		c.add(" OR ").kind(n.path).add(" = 'text' AND instr(").value(n.path).add(", ?) > 0", part)
	}
	c.add(")")
}
