package source_test

import (
	"fmt"
	"testing"

	"github.com/fazt-sh/fazt/reconcile/source"
)

// What the fetch of one commit costs in a repository of 1,000 apps whose
// history is packed, as after a clone, and grows by loose objects, as by pushes.
func BenchmarkFetchOneCommit(b *testing.B) {
	o := newOrigin(b)
	o.commit("all", manyApps(1000))
	o.run("gc", "-q")
	g := openGit(b, source.GitConfig{URL: o.dir})
	last := mustFetch(b, g, "").Revision
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		o.commit("one", map[string]string{fmt.Sprintf("apps/%04d/index.html", n%1000): fmt.Sprint("<p>", n)})
		b.StartTimer()
		last = mustFetch(b, g, last).Revision
	}
}
