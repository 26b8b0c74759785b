package plan_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/fazt-sh/fazt/reconcile/plan"
	"github.com/fazt-sh/fazt/spec"
)

// manyApps makes n apps with one file, which says what.
func manyApps(n int, what string) []spec.Object {
	list := make([]spec.Object, n)
	for i := range list {
		name := fmt.Sprintf("a%04d", i)
		text := fmt.Sprintf(`{"content":"apps/%s","hosts":["%s.example.com"]}`, name, name)
		list[i] = spec.Object{
			Addr: spec.Addr("app." + name), Kind: spec.KindApp, Spec: []byte(text), Digest: hash(text), Immutable: hash(""),
			Content: contentOf(map[string]string{"index.html": what + name}),
		}
	}
	return list
}

func TestTextFoldsTheQuietButNoRemoval(t *testing.T) {
	before := manyApps(1000, "old ")
	after := manyApps(1000, "new ")[50:]
	p := plan.Diff(plan.Input{Actual: before, Desired: after, Node: "local"})
	var short, full bytes.Buffer
	_ = p.WriteText(&short, plan.TextOptions{})
	_ = p.WriteText(&full, plan.TextOptions{Full: true})
	if n := strings.Count(short.String(), "\n  . app."); n != 49 { // the first one begins the text
		t.Errorf("%d of 50 removals shown", n+1)
	}
	if n := strings.Count(short.String(), "\n  ~ app."); n != 20 {
		t.Errorf("%d quiet changes shown, want 20", n)
	}
	if want := "... 930 changes more, none with a warning: 0 to create, 930 to update"; !strings.Contains(short.String(), want) {
		t.Errorf("the fold does not say %q", want)
	}
	if n := strings.Count(full.String(), "\n  ~ app."); n != 950 {
		t.Errorf("--full shows %d of 950", n)
	}
	if !strings.HasSuffix(short.String(), p.Summary()+"\n") {
		t.Error("the sums are not last")
	}
}

func TestMarkdownStaysWithinAComment(t *testing.T) {
	p := plan.Diff(plan.Input{Actual: manyApps(3000, "old "), Desired: manyApps(4000, "new ")[1000:], Node: "local"})
	var out bytes.Buffer
	_ = p.WriteMarkdown(&out)
	if n := utf8.RuneCount(out.Bytes()); n > plan.MarkdownLimit {
		t.Errorf("%d characters", n)
	}
	if !strings.HasPrefix(out.String(), "### `Plan p-") || !strings.Contains(out.String(), "changes not shown here") {
		t.Errorf("neither the sums first nor the rest last:\n%.300s", &out)
	}
}

func TestColourAddsNothingButColour(t *testing.T) {
	p := plan.Diff(plan.Input{Actual: manyApps(3, "old "), Desired: manyApps(4, "new ")[1:], Node: "local"})
	var plain, painted bytes.Buffer
	_ = p.WriteText(&plain, plan.TextOptions{})
	_ = p.WriteText(&painted, plan.TextOptions{Color: true})
	bare := painted.String()
	for _, code := range []string{"31", "32", "33", "2", "0"} {
		bare = strings.ReplaceAll(bare, "\x1b["+code+"m", "")
	}
	if bare != plain.String() || bare == painted.String() {
		t.Errorf("without its colours:\n%s\nplain:\n%s", bare, &plain)
	}
}

func TestALongListOfRulesIsComparedWithoutASquareTable(t *testing.T) {
	rules := func(n int, tail string) []byte {
		var b strings.Builder
		b.WriteString(`{"hosts":["a"],"redirects":[`)
		for i := range n {
			fmt.Fprintf(&b, `{"from":"/%d","to":"/%s"},`, i, tail)
		}
		return []byte(strings.TrimSuffix(b.String(), ",") + "]}")
	}
	one, two := manyApps(1, ""), manyApps(1, "")
	one[0].Spec, one[0].Digest = rules(5000, "x"), "1"
	two[0].Spec, two[0].Digest = rules(5000, "y"), "2"
	fields := plan.Diff(plan.Input{Actual: one, Desired: two}).Changes[0].Fields
	changed := 0
	for _, f := range fields {
		if strings.HasSuffix(f.Path, "].to") {
			changed++
		}
	}
	if changed != 5000 {
		t.Errorf("%d rules changed, want 5000", changed)
	}
}

func TestStallingABlockStallsItsInstances(t *testing.T) {
	site := func(key, host string) spec.Object {
		text := `{"hosts":["` + host + `"]}`
		return spec.Object{Addr: spec.Addr(`app.site["` + key + `"]`), Kind: spec.KindApp, Spec: []byte(text), Digest: hash(text)}
	}
	actual := []spec.Object{site("a", "a.example"), site("b", "b.example")}
	got := plan.Wanted(plan.Input{Actual: actual, Stalled: map[spec.Addr]spec.Diagnostics{"app.site": nil}})
	if len(got) != 2 {
		t.Errorf("app.site stalled, and %d of its 2 instances stay", len(got))
	}
	if got := plan.Wanted(plan.Input{Actual: actual, Stalled: map[spec.Addr]spec.Diagnostics{"app.sit": nil}}); len(got) != 0 {
		t.Errorf("app.sit stalled, and %d instances of app.site stay", len(got))
	}
}
