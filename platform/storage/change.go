package storage

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
)

// change is what becomes of a document: a whole new one, or steps.
type change struct {
	whole json.RawMessage
	steps []step
}

type step struct {
	op    string
	path  path
	value json.RawMessage
}

// maxSteps bounds a change: each step reads the member of the document it is in.
const maxSteps = 100

func parseChange(b json.RawMessage) (change, error) {
	if err := checkJSON("the change", b, 2*maxDocument); err != nil {
		return change{}, err
	}
	o, err := parseObject(b)
	if err != nil {
		return change{}, fault.Wrap(fault.Invalid, err, "the change")
	}
	if len(o) == 0 || !strings.HasPrefix(o[0].name, "$") {
		return change{whole: b}, nil
	}
	var c change
	for _, m := range o {
		if err := c.add(m); err != nil {
			return c, err
		}
	}
	return c, nil
}

func (c *change) add(m member) error {
	switch m.name {
	case "$set", "$unset", "$inc", "$push", "$pull":
	default:
		return fault.New(fault.Invalid, "unknown operator %q in the change", m.name).WithHint("there are $set $unset $inc $push $pull")
	}
	fields, err := parseObject(m.value)
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "%s", m.name)
	}
	if len(c.steps)+len(fields) > maxSteps {
		return fault.New(fault.Invalid, "the change has more than %d steps", maxSteps)
	}
	for _, f := range fields {
		p, err := parsePath(f.name)
		if err != nil {
			return err
		}
		if column, _ := p.own(); column != "" || p[0] == "_id" {
			return fault.New(fault.Invalid, "%q of a document cannot change", f.name)
		}
		if strings.HasPrefix(f.name, "$") && m.name != "$unset" {
			return fault.New(fault.Invalid, "the field %s begins with $, as operators do", excerpt([]byte(f.name)))
		}
		c.steps = append(c.steps, step{m.name, p, compact(f.value)})
	}
	return nil
}

// apply makes the new document of an old one.
func (d *Docs) apply(c change, old Doc) (Doc, error) {
	if c.whole != nil {
		return d.document(c.whole, old.ID)
	}
	o, err := parseObject(old.Body)
	if err != nil {
		return old, err
	}
	for _, s := range c.steps {
		value, err := edit(o.get(s.path[0]), s.path[1:], s.do)
		if err != nil {
			return old, fault.Wrap(fault.Invalid, err, "%s of %s", s.op, s.path)
		}
		if value == nil {
			o.remove(s.path[0])
			continue
		}
		o.set(s.path[0], value)
	}
	doc := Doc{ID: old.ID, Body: o.bytes()}
	return doc, checkJSON("the document", doc.Body, maxDocument)
}

// edit replaces the value at a path by what fn makes of it: nil stands for nothing,
// before and after. Objects on the way are made where they are missing.
func edit(b json.RawMessage, p path, fn func(json.RawMessage) (json.RawMessage, error)) (json.RawMessage, error) {
	if len(p) == 0 {
		return fn(b)
	}
	var o object
	if b != nil {
		var err error
		if o, err = parseObject(b); err != nil {
			return nil, err
		}
	}
	old := o.get(p[0])
	value, err := edit(old, p[1:], fn)
	switch {
	case err != nil:
		return nil, err
	case value != nil:
		o.set(p[0], value)
	case old == nil:
		return b, nil // nothing there, and nothing to be
	default:
		o.remove(p[0])
	}
	return o.bytes(), nil
}

func (s step) do(old json.RawMessage) (json.RawMessage, error) {
	switch s.op {
	case "$unset":
		return nil, nil
	case "$inc":
		return increase(old, s.value)
	case "$push":
		return push(old, s.value)
	case "$pull":
		return pull(old, s.value)
	}
	return s.value, nil
}

// increase adds numbers: as integers where both are and the sum is one.
func increase(old, by json.RawMessage) (json.RawMessage, error) {
	if old == nil {
		old = json.RawMessage("0")
	}
	a, err := number(old)
	if err != nil {
		return nil, err
	}
	b, err := number(by)
	if err != nil {
		return nil, err
	}
	i, isInt := a.(int64)
	k, isToo := b.(int64)
	if sum := i + k; isInt && isToo && (sum > i) == (k > 0) {
		return json.Marshal(sum)
	}
	sum := float(a) + float(b)
	if math.IsInf(sum, 0) {
		return nil, fault.New(fault.Invalid, "the sum is out of range")
	}
	return json.Marshal(sum)
}

func number(b json.RawMessage) (any, error) {
	v, err := parseScalar(b)
	switch v.(type) {
	case int64, json.Number:
		return v, err
	}
	return nil, fault.New(fault.Invalid, "%s is not a number", excerpt(b))
}

func float(v any) float64 {
	if i, ok := v.(int64); ok {
		return float64(i)
	}
	f, _ := v.(json.Number).Float64() // in range, as parseNumber found
	return f
}

// push adds a value to a list, or those of {"$each": [...]}.
func push(old, value json.RawMessage) (json.RawMessage, error) {
	list, err := elements(old)
	if err != nil {
		return nil, err
	}
	more := []json.RawMessage{value}
	if isObject(value) {
		o, err := parseObject(value)
		if err != nil {
			return nil, err
		}
		if each := o.get("$each"); each != nil && len(o) == 1 {
			if more, err = elements(each); err != nil {
				return nil, err
			}
		}
	}
	return joined(append(list, more...)), nil
}

// pull removes the elements that are equal to a value, member by member.
func pull(old, value json.RawMessage) (json.RawMessage, error) {
	list, err := elements(old)
	if err != nil || old == nil {
		return nil, err
	}
	kept := list[:0]
	for _, e := range list {
		if !sameJSON(e, value) {
			kept = append(kept, e)
		}
	}
	return joined(kept), nil
}

func elements(b json.RawMessage) (list []json.RawMessage, err error) {
	if b == nil {
		return nil, nil
	}
	if !isArray(b) {
		return nil, fault.New(fault.Invalid, "%s is not a list", excerpt(b))
	}
	return list, json.Unmarshal(b, &list)
}

func joined(list []json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	b.WriteByte('[')
	for i, e := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(e)
	}
	b.WriteByte(']')
	return b.Bytes()
}

// sameJSON compares values: the order of members does not matter, nor how a number
// or a string is written.
func sameJSON(a, b json.RawMessage) bool {
	switch {
	case isObject(a) && isObject(b):
		return sameObjects(a, b)
	case isArray(a) && isArray(b):
		x, _ := elements(a)
		y, _ := elements(b)
		for i := 0; len(x) == len(y) && i < len(x); i++ {
			if !sameJSON(x[i], y[i]) {
				return false
			}
		}
		return len(x) == len(y)
	case isObject(a) || isObject(b) || isArray(a) || isArray(b):
		return false
	}
	x, errX := parseScalar(a)
	y, errY := parseScalar(b)
	if errX != nil || errY != nil {
		return string(a) == string(b)
	}
	_, first := x.(json.Number)
	_, second := y.(json.Number)
	if first || second {
		return isNumber(x) && isNumber(y) && float(x) == float(y)
	}
	return x == y
}

func isNumber(v any) bool {
	switch v.(type) {
	case int64, json.Number:
		return true
	}
	return false
}

func sameObjects(a, b json.RawMessage) bool {
	x, errX := parseObject(a)
	y, errY := parseObject(b)
	if errX != nil || errY != nil || len(x) != len(y) {
		return false
	}
	at := make(map[string]json.RawMessage, len(y))
	for _, m := range y {
		at[m.name] = m.value
	}
	for _, m := range x {
		v, ok := at[m.name]
		if !ok || !sameJSON(m.value, v) {
			return false
		}
	}
	return true
}
