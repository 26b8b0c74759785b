package spec

import (
	"cmp"
	"iter"
	"maps"
	"slices"

	"github.com/zclconf/go-cty/cty/function"
)

// sortedKeys are a map's keys in order.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	return slices.Sorted(maps.Keys(m))
}

// sortBy sorts a list in place by a key, keeping equals in order.
func sortBy[T any, K cmp.Ordered](list []T, key func(T) K) {
	slices.SortStableFunc(list, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
}

// tableOf indexes functions by name.
func tableOf(list iter.Seq[builtin]) map[string]function.Function {
	table := map[string]function.Function{}
	for b := range list {
		table[b.name] = b.fn
	}
	return table
}
