package rule

import (
	"strings"
	"unicode/utf8"
)

// ask works out an expression. False means that it cannot be.
func (e *expr) ask(a *Asked) (any, bool) {
	switch {
	case e.Value != nil:
		return e.Value.Any, true
	case len(e.Path) > 0:
		return a.at(e.Path), true
	case e.Call != "":
		return e.call(a)
	}
	switch e.Op {
	case "not":
		v, ok := e.Operand[0].truth(a)
		return !v, ok
	case "and", "or":
		return e.join(a)
	case "==", "!=":
		same, ok := e.same(a)
		return same == (e.Op == "=="), ok
	}
	return e.order(a)
}

// join is Kleene's: of two that are joined by or, one that is true is enough, whatever
// becomes of the other, and of two joined by and, one that is false.
func (e *expr) join(a *Asked) (any, bool) {
	enough := e.Op == "or"
	left, ok := e.Operand[0].truth(a)
	if ok && left == enough {
		return left, true
	}
	right, too := e.Operand[1].truth(a)
	return right, too && (ok || right == enough)
}

// truth is what must be true or false.
func (e *expr) truth(a *Asked) (bool, bool) {
	v, ok := e.ask(a)
	yes, is := v.(bool)
	return yes, ok && is
}

// at is the value of a path, nil where there is none.
func (a *Asked) at(path []string) any {
	from := a.Doc
	if path[0] == "user" {
		from = a.User
	}
	if from == nil {
		return nil
	}
	var v any = from
	for _, step := range path[1:] {
		fields, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = fields[step]
	}
	return v
}

// isNull tells whether the word null is written here.
func (e *expr) isNull() bool { return e.Value != nil && e.Value.Any == nil }

// both works out the two operands.
func (e *expr) both(a *Asked) (left, right any, ok bool) {
	left, ok = e.Operand[0].ask(a)
	if !ok {
		return nil, nil, false
	}
	right, ok = e.Operand[1].ask(a)
	return left, right, ok
}

// same compares two values. One that is not there can be compared with the word
// null alone.
func (e *expr) same(a *Asked) (same, ok bool) {
	left, right, ok := e.both(a)
	if !ok {
		return false, false
	}
	if left == nil || right == nil {
		return left == nil && right == nil, e.Operand[0].isNull() || e.Operand[1].isNull()
	}
	return equal(left, right, 0)
}

// order compares two numbers or two texts.
func (e *expr) order(a *Asked) (any, bool) {
	left, right, ok := e.both(a)
	if !ok {
		return false, false
	}
	order, ok := compare(left, right)
	switch e.Op {
	case "<":
		return order < 0, ok
	case "<=":
		return order <= 0, ok
	case ">":
		return order > 0, ok
	}
	return order >= 0, ok
}

func (e *expr) call(a *Asked) (any, bool) {
	switch e.Call {
	case "can":
		action, resource := e.Operand[0].Value.Any.(string), e.Operand[1].Value.Any.(string)
		return a.Can != nil && a.Can(action, resource), true
	case "lower":
		v, ok := e.Operand[0].ask(a)
		text, is := v.(string)
		return strings.ToLower(text), ok && is
	case "length":
		v, ok := e.Operand[0].ask(a)
		n, is := length(v)
		return n, ok && is
	case "startswith":
		left, right, ok := e.both(a)
		text, is := left.(string)
		start, too := right.(string)
		return strings.HasPrefix(text, start), ok && is && too
	}
	return e.contains(a)
}

// contains looks for a value in a list. One that is not there is in none.
func (e *expr) contains(a *Asked) (any, bool) {
	left, right, ok := e.both(a)
	list, is := items(left)
	if !ok || !is || right == nil && !e.Operand[1].isNull() {
		return false, false
	}
	for _, v := range list {
		same, ok := equal(v, right, 0)
		if !ok {
			return false, false
		}
		if same {
			return true, true
		}
	}
	return false, true
}

// length counts the elements of a list, the fields of an object, the characters of
// a text.
func length(v any) (int64, bool) {
	switch v := v.(type) {
	case string:
		return int64(utf8.RuneCountInString(v)), true
	case map[string]any:
		return int64(len(v)), true
	}
	list, ok := items(v)
	return int64(len(list)), ok
}
