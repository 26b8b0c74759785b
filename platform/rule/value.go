package rule

import (
	"cmp"
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// maxEqual is how deep two values are compared.
const maxEqual = 128

// items are the elements of a list.
func items(v any) ([]any, bool) {
	switch v := v.(type) {
	case []any:
		return v, true
	case []string:
		list := make([]any, len(v))
		for i, s := range v {
			list[i] = s
		}
		return list, true
	}
	return nil, false
}

// equal compares plain values. Those of unlike types differ; false as the second
// result means that one of them is no plain value.
func equal(a, b any, depth int) (same, ok bool) {
	if depth > maxEqual || !plain(a) || !plain(b) {
		return false, false
	}
	if order, both := compare(a, b); both {
		return order == 0, true
	}
	if list, is := items(a); is {
		other, too := items(b)
		return equalLists(list, other, too, depth)
	}
	if fields, is := a.(map[string]any); is {
		other, too := b.(map[string]any)
		return equalFields(fields, other, too, depth)
	}
	x, isBool := a.(bool)
	y, too := b.(bool)
	return isBool && too && x == y || a == nil && b == nil, true
}

func equalLists(a, b []any, is bool, depth int) (same, ok bool) {
	if !is || len(a) != len(b) {
		return false, true
	}
	for i := range a {
		if same, ok := equal(a[i], b[i], depth+1); !same || !ok {
			return false, ok
		}
	}
	return true, true
}

func equalFields(a, b map[string]any, is bool, depth int) (same, ok bool) {
	if !is || len(a) != len(b) {
		return false, true
	}
	for name := range a {
		if _, there := b[name]; !there {
			return false, true
		}
		if same, ok := equal(a[name], b[name], depth+1); !same || !ok {
			return false, ok
		}
	}
	return true, true
}

// plain tells whether a value is one that JSON has.
func plain(v any) bool {
	switch v.(type) {
	case nil, bool, string, map[string]any, []any, []string:
		return true
	}
	_, is := number(v)
	return is
}

// compare orders two numbers or two texts.
func compare(a, b any) (order int, ok bool) {
	if x, is := a.(string); is {
		y, too := b.(string)
		return strings.Compare(x, y), too
	}
	x, is := number(a)
	y, too := number(b)
	if !is || !too {
		return 0, false
	}
	if x.whole && y.whole {
		return cmp.Compare(x.n, y.n), true
	}
	return cmp.Compare(x.f, y.f), true
}

// numeric is a number. One that is whole is compared exactly.
type numeric struct {
	f     float64
	n     int64
	whole bool
}

func number(v any) (numeric, bool) {
	switch v := v.(type) {
	case int:
		return numeric{float64(v), int64(v), true}, true
	case int64:
		return numeric{float64(v), v, true}, true
	case float64:
		return ofFloat(v)
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return numeric{float64(n), n, true}, true
		}
		f, err := v.Float64()
		if err != nil {
			return numeric{}, false
		}
		return ofFloat(f)
	}
	return numeric{}, false
}

func ofFloat(f float64) (numeric, bool) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return numeric{}, false
	}
	if whole := math.Trunc(f); whole == f && math.Abs(f) < 1<<62 {
		return numeric{f, int64(f), true}, true
	}
	return numeric{f: f}, true
}
