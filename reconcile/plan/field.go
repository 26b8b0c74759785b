package plan

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// fields lists what differs between two sets of attributes, by path. Either may
// be nil; an attribute that says what it would say anyway is left out then.
func fields(was, want map[string]any) []Field {
	if was == nil || want == nil {
		for _, side := range []map[string]any{was, want} {
			if on, _ := side["enabled"].(bool); on {
				delete(side, "enabled")
			}
		}
	}
	out := []Field{}
	compare("", was, want, &out)
	return out
}

// compare adds the differences of two values under a path. Absent is nil.
func compare(path string, was, want any, out *[]Field) {
	wasMap, ok1 := was.(map[string]any)
	wantMap, ok2 := want.(map[string]any)
	if ok1 && ok2 {
		compareMaps(path, wasMap, wantMap, out)
		return
	}
	wasList, ok1 := was.([]any)
	wantList, ok2 := want.([]any)
	if ok1 && ok2 && !(allStrings(wasList) && allStrings(wantList)) {
		compareLists(path, wasList, wantList, out)
		return
	}
	_, sealed1 := was.(sealedValue)
	_, sealed2 := want.(sealedValue)
	switch {
	case reflect.DeepEqual(was, want):
	case sealed1 || sealed2:
		*out = append(*out, secretField(path, was, want))
	default:
		*out = append(*out, Field{Path: path, Before: raw(was), After: raw(want)})
	}
}

// compareMaps goes through the keys of both in order.
func compareMaps(path string, was, want map[string]any, out *[]Field) {
	keys := slices.Collect(maps.Keys(was))
	for key := range want {
		if _, both := was[key]; !both {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		compare(join(path, key), was[key], want[key], out)
	}
}

// compareLists keeps the elements that both lists have in the same order, so
// that one rule put in front does not look like a change of all. Elements that
// stand in each other's place are compared inside.
func compareLists(path string, was, want []any, out *[]Field) {
	at := func(i int) string { return path + "[" + strconv.Itoa(i) + "]" }
	i, j := 0, 0
	for _, m := range append(matches(was, want), [2]int{len(was), len(want)}) {
		for ; i < m[0] && j < m[1]; i, j = i+1, j+1 {
			compare(at(j), was[i], want[j], out)
		}
		for ; i < m[0]; i++ {
			*out = append(*out, Field{Path: at(i), Before: raw(was[i])})
		}
		for ; j < m[1]; j++ {
			*out = append(*out, Field{Path: at(j), After: raw(want[j])})
		}
		i, j = m[0]+1, m[1]+1
	}
}

// matches pairs the indices of equal elements in order, as many as possible:
// the longest common subsequence. Lists too long for its square table only
// match where they begin and end alike.
func matches(was, want []any) [][2]int {
	const most = 1 << 20 // cells
	a, b := texts(was), texts(want)
	var pairs, tail [][2]int
	for len(pairs) < min(len(a), len(b)) && a[len(pairs)] == b[len(pairs)] {
		pairs = append(pairs, [2]int{len(pairs), len(pairs)})
	}
	start := len(pairs)
	endA, endB := len(a), len(b)
	for endA > start && endB > start && a[endA-1] == b[endB-1] {
		endA, endB = endA-1, endB-1
		tail = append(tail, [2]int{endA, endB})
	}
	if (endA-start)*(endB-start) <= most {
		for _, m := range common(a[start:endA], b[start:endB]) {
			pairs = append(pairs, [2]int{m[0] + start, m[1] + start})
		}
	}
	slices.Reverse(tail)
	return append(pairs, tail...)
}

// common is the longest common subsequence by the table of the textbooks.
func common(a, b []string) [][2]int {
	rest := make([][]int, len(a)+1) // longest from here on
	for i := range rest {
		rest[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			rest[i][j] = max(rest[i+1][j], rest[i][j+1])
			if a[i] == b[j] {
				rest[i][j] = rest[i+1][j+1] + 1
			}
		}
	}
	var pairs [][2]int
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			pairs = append(pairs, [2]int{i, j})
			i, j = i+1, j+1
		case rest[i+1][j] >= rest[i][j+1]:
			i++
		default:
			j++
		}
	}
	return pairs
}

// texts is the elements as canonical JSON, to compare them quickly.
func texts(list []any) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = string(raw(v))
	}
	return out
}

// allStrings reports whether a list is one of plain words.
func allStrings(list []any) bool {
	for _, v := range list {
		if _, ok := v.(string); !ok {
			return false
		}
	}
	return true
}

// raw writes a value as canonical JSON; nothing for an absent one.
func raw(v any) json.RawMessage {
	if v == nil {
		return nil
	}
	text, err := encode(v)
	if err != nil { // v was decoded from JSON
		return nil
	}
	return text
}

// join extends a path by a key, quoted where it is no plain word.
func join(path, key string) string {
	switch {
	case path == "":
		return key
	case plainWord(key):
		return path + "." + key
	default:
		return path + "[" + strconv.Quote(key) + "]"
	}
}

// plainWord reports whether a key reads as a name in the language.
func plainWord(key string) bool {
	odd := func(r rune) bool {
		return !(r == '_' || r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z')
	}
	return key != "" && strings.IndexFunc(key, odd) < 0
}

// attribute returns the attribute of the block that a path lies in.
func attribute(path string) string {
	if i := strings.IndexAny(path, ".["); i >= 0 {
		return path[:i]
	}
	return path
}

// argument returns a path's attribute with the key that comes next, if it is
// no element of a list: limits.body, tls.dns.
func argument(path string) string {
	name := attribute(path)
	rest, inside := strings.CutPrefix(path[len(name):], ".")
	if !inside {
		return name
	}
	return name + "." + attribute(rest)
}
