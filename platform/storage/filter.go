package storage

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
)

// node is a filter as a tree. A term compares one field with a value, the others
// have the filters they join.
type node struct {
	op   string // and, or, not; or a term's: eq, ne, gt, gte, lt, lte, in, nin, exists, contains
	path path
	val  any // nil, bool, int64, json.Number, string, a raw array or object; []any of in and nin; bool of exists
	kids []node
}

// A filter has at most maxTerms comparisons and groups and is nested at most maxNest
// deep, so that its statement stays below what SQLite is bound to (a depth of 200).
const (
	maxTerms  = 150
	maxNest   = 10
	maxIn     = 1000
	maxFilter = 256 << 10
)

// terms are the operators of a field.
func isTerm(op string) bool {
	switch op {
	case "$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$contains":
		return true
	}
	return false
}

// parseFilter reads a filter. Nothing and {} match everything.
func parseFilter(b json.RawMessage) (node, error) {
	if len(b) == 0 {
		return node{op: "and"}, nil
	}
	if err := checkJSON("the filter", b, maxFilter); err != nil {
		return node{}, err
	}
	p := filterParser{}
	return p.filter(b, 0)
}

type filterParser struct{ terms int }

// filter reads {"field": value or operators, "$and": [...], ...}.
func (p *filterParser) filter(b json.RawMessage, nest int) (node, error) {
	if nest > maxNest {
		return node{}, fault.New(fault.Invalid, "the filter is nested deeper than %d", maxNest)
	}
	o, err := parseObject(b)
	if err != nil {
		return node{}, fault.Wrap(fault.Invalid, err, "filter")
	}
	all := node{op: "and"}
	for _, m := range o {
		n, err := p.member(m, nest)
		if err != nil {
			return node{}, err
		}
		all.kids = append(all.kids, n)
	}
	if len(all.kids) == 1 {
		return all.kids[0], nil
	}
	return all, p.count()
}

// count bounds what becomes a part of the statement, which SQLite nests as deep as
// there are parts.
func (p *filterParser) count() error {
	if p.terms++; p.terms > maxTerms {
		return fault.New(fault.Invalid, "the filter has more than %d parts", maxTerms)
	}
	return nil
}

func (p *filterParser) member(m member, nest int) (node, error) {
	switch m.name {
	case "$and", "$or":
		return p.list(m, nest)
	case "$not":
		kid, err := p.filter(m.value, nest+1)
		return node{op: "not", kids: []node{kid}}, err
	}
	if strings.HasPrefix(m.name, "$") {
		return node{}, unknownOperator(m.name)
	}
	f, err := parsePath(m.name)
	if err != nil {
		return node{}, err
	}
	return p.field(f, m.value, nest)
}

func (p *filterParser) list(m member, nest int) (node, error) {
	var kids []json.RawMessage
	if err := json.Unmarshal(m.value, &kids); err != nil || len(kids) == 0 {
		return node{}, fault.New(fault.Invalid, "%s wants a list of filters, at least one", m.name)
	}
	n := node{op: m.name[1:]}
	for _, k := range kids {
		kid, err := p.filter(k, nest+1)
		if err != nil {
			return node{}, err
		}
		n.kids = append(n.kids, kid)
	}
	return n, nil
}

// field reads what is said of one field: a value, or an object of operators.
func (p *filterParser) field(f path, b json.RawMessage, nest int) (node, error) {
	if !isObject(b) {
		return p.term(f, "$eq", b)
	}
	o, err := parseObject(b)
	if err != nil {
		return node{}, err
	}
	if len(o) == 0 || !strings.HasPrefix(o[0].name, "$") {
		return p.term(f, "$eq", b)
	}
	all := node{op: "and"}
	for _, m := range o {
		var n node
		if m.name == "$not" && isObject(m.value) && nest < maxNest {
			var kid node
			kid, err = p.field(f, m.value, nest+1)
			n = node{op: "not", kids: []node{kid}}
		} else {
			n, err = p.term(f, m.name, m.value)
		}
		if err != nil {
			return node{}, err
		}
		all.kids = append(all.kids, n)
	}
	if len(all.kids) == 1 {
		return all.kids[0], nil
	}
	return all, nil
}

func (p *filterParser) term(f path, op string, b json.RawMessage) (n node, err error) {
	if err := p.count(); err != nil {
		return n, err
	}
	if !isTerm(op) {
		return n, unknownOperator(op)
	}
	n = node{op: op[1:], path: f}
	switch op {
	case "$in", "$nin":
		n.val, err = parseList(op, b)
	case "$exists":
		var want bool
		if json.Unmarshal(b, &want) != nil {
			return n, fault.New(fault.Invalid, "%s of %s wants true or false", op, f)
		}
		n.val = want
	default:
		n.val, err = parseScalar(b)
	}
	if err != nil {
		return n, err
	}
	switch n.val.(type) {
	case int64, json.Number, string:
	default:
		if op == "$gt" || op == "$gte" || op == "$lt" || op == "$lte" {
			return n, fault.New(fault.Invalid, "%s of %s wants a number or a string", op, f)
		}
	}
	return n, nil
}

func parseList(op string, b json.RawMessage) (list []any, err error) {
	var raw []json.RawMessage
	if json.Unmarshal(b, &raw) != nil {
		return nil, fault.New(fault.Invalid, "%s wants a list", op)
	}
	if len(raw) > maxIn {
		return nil, fault.New(fault.Invalid, "%s has %d values, %d are the most", op, len(raw), maxIn)
	}
	list = []any{}
	for _, r := range raw {
		v, err := parseScalar(r)
		if err != nil {
			return nil, err
		}
		if _, nested := v.(json.RawMessage); nested {
			return nil, fault.New(fault.Invalid, "%s wants strings, numbers, true, false or null", op)
		}
		list = append(list, v)
	}
	return list, nil
}

// parseScalar returns a value as SQLite has it. An array or an object stays JSON.
func parseScalar(b json.RawMessage) (any, error) {
	b = compact(b)
	switch {
	case len(b) == 0:
		return nil, fault.New(fault.Invalid, "a value is missing")
	case b[0] == '[' || b[0] == '{':
		return b, nil
	case b[0] == '"':
		var s string
		err := json.Unmarshal(b, &s)
		return s, err
	case string(b) == "null":
		return nil, nil
	case b[0] == 't' || b[0] == 'f':
		return b[0] == 't', nil
	}
	return parseNumber(string(b))
}

// parseNumber reads a number as SQLite does: an integer of 64 bits where it is
// written as one. Others stay as they are written, so that it is SQLite that reads
// both the document's and this one.
func parseNumber(s string) (any, error) {
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return i, nil
	}
	if _, err := strconv.ParseFloat(s, 64); err != nil {
		return nil, fault.New(fault.Invalid, "the number %s is out of range", excerpt([]byte(s)))
	}
	return json.Number(s), nil
}

func unknownOperator(op string) error {
	return fault.New(fault.Invalid, "unknown operator %q in the filter", op).
		WithHint("there are $eq $ne $gt $gte $lt $lte $in $nin $exists $contains, and $and $or $not")
}
