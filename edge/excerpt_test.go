package edge_test

import (
	"testing"

	"github.com/fazt-sh/fazt/edge"
)

// A stack is shown with the source of its first place that is the app's own.
func TestExcerpt(t *testing.T) {
	const sourceMap = `{"version":3,"sources":["api/main.ts","api/min.js"],"sourcesContent":["one\ntwo\n\tthree()\nfour\nfive\nsix\nseven\neight\n",""]}`
	for _, c := range []struct{ stack, want string }{
		{"    at f (node:buffer:1:1)\n    at g (api/main.ts:3:2)\n    at api/main.ts:1:1\n",
			"api/main.ts:3:2\n  1 | one\n  2 | two\n> 3 |   three()\n    |   ^\n  4 | four\n  5 | five\n  6 | six\n"},
		{"    at api/main.ts:1:99\n", "api/main.ts:1:99\n> 1 | one\n  2 | two\n  3 |   three()\n  4 | four\n"},
		{"    at g (api/main.ts:99:1)\n", ""},
		{"    at g (other.ts:1:1)\n", ""},
		{"no stack", ""},
	} {
		if got := edge.Excerpt([]byte(sourceMap), c.stack); got != c.want {
			t.Errorf("%q: got\n%s\nwant\n%s", c.stack, got, c.want)
		}
	}
	if got := edge.Excerpt([]byte("{"), "    at g (api/main.ts:3:2)"); got != "" {
		t.Errorf("a map that cannot be read: %q", got)
	}
}
