package bundle_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/platform/bundle"
	"github.com/fazt-sh/fazt/platform/fault"
)

const get = `export const GET = () => new Response("got")`

// A folder is a program that answers for its route files, and keeps the events
// of its main file.
func TestFolder(t *testing.T) {
	r, err := packFrom(t, tree("api/route.ts", get, "api/notes/[id]/route.ts", get, "api/notes/new/route.js", get, "api/files/[...path]/route.ts", get,
		"api/main.ts", `export default { scheduled() { return "it is time" } }`, "api/_parts/route.ts", "not looked at", "api/notes/helper.ts", "nor this"), "api")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`[["api", 0], ["notes", 0], ["id", 1]]`, `["path", 2]`, "it is time"} {
		if !strings.Contains(string(r.Code), want) {
			t.Errorf("there is no %s in\n%s", want, r.Code)
		}
	}
	if want := []string{"api/files/[...path]/route.ts", "api/main.ts", "api/notes/[id]/route.ts", "api/notes/new/route.js", "api/route.ts"}; !slices.Equal(r.Inputs, want) {
		t.Errorf("inputs %q", r.Inputs)
	}
	if strings.Contains(string(r.Map), `"../`) {
		t.Error("a source is outside the folder")
	}
}

func TestRouteOrder(t *testing.T) {
	got, err := bundle.Table([]string{"api/[...all]/route.ts", "api/[id]/route.ts", "api/[[...all]]/route.ts", "api/a/[b]/route.ts", "api/(group)/a/b/route.ts", "api/a/route.ts", "api/route.ts"})
	want := []string{"api/route.ts", "api/a/route.ts", "api/(group)/a/b/route.ts", "api/a/[b]/route.ts", "api/[id]/route.ts", "api/[...all]/route.ts", "api/[[...all]]/route.ts"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestRouteRefusals(t *testing.T) {
	for says, files := range map[string][]string{
		"answer the same paths":         {"api/[a]/route.ts", "api/[b]/route.ts"},
		"api/route.js":                  {"api/route.ts", "api/route.js"},
		"answer the same":               {"api/(x)/a/route.ts", "api/a/route.ts"},
		"below the rest":                {"api/[...a]/b/route.ts"},
		`a folder "[a"`:                 {"api/[a/route.ts"},
		`a folder "[[a]]"`:              {"api/[[a]]/route.ts"},
		`a folder "x[a]"`:               {"api/x[a]/route.ts"},
		`a folder "[...a]]"`:            {"api/[...a]]/route.ts"},
		"the folder \"api\" has no rou": nil,
	} {
		files := append([]string{"api/x.ts", ""}, pairs(files)...)
		_, err := packFrom(t, tree(files...), "api")
		invalid(t, err)
		if !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %s", err, says)
		}
	}
	_, err := packFrom(t, tree("api/route.ts", "x"), "../api")
	if fault.KindOf(err) != fault.Invalid {
		t.Errorf("an entry outside: %v", err)
	}
}

func pairs(names []string) []string {
	var all []string
	for _, n := range names {
		all = append(all, n, get)
	}
	return all
}

// The order of routes is theirs, not that in which they were found.
func TestRouteOrderIsTotal(t *testing.T) {
	segment := rapid.SampledFrom([]string{"a", "b", "[x]", "(g)"})
	rapid.Check(t, func(t *rapid.T) {
		var files []string
		for range rapid.IntRange(1, 8).Draw(t, "routes") {
			parts := append(rapid.SliceOfN(segment, 0, 3).Draw(t, "parts"), rapid.SampledFrom([]string{"", "[...r]", "[[...r]]"}).Draw(t, "last"))
			files = append(files, strings.ReplaceAll("api/"+strings.Join(parts, "/")+"/route.ts", "//", "/"))
		}
		slices.Sort(files)
		files = slices.Compact(files)
		one, err := bundle.Table(files)
		two, again := bundle.Table(rapid.Permutation(files).Draw(t, "found"))
		if !slices.Equal(one, two) || (err == nil) != (again == nil) {
			t.Fatalf("%q %v\n%q %v", one, err, two, again)
		}
	})
}
