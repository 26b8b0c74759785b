package edge_test

import (
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/spec"
	"pgregory.net/rapid"
)

// idTree is a folder whose ids nobody asks for.
type idTree struct{ fstest.MapFS }

func (idTree) ID(string) (string, error) { return "", nil }

// What Judge finds before anything is fetched is what Stage would refuse.
func TestJudgeAndStageAgree(t *testing.T) {
	b := newBench(t, edge.Config{})
	redirect := rapid.SampledFrom([]string{"/a /b", "/b /a", "/a /b 301!", "/b /a 301!", "/* /x/:splat 302!", "/page /page.html 301!",
		"/bad", "/a /a", "/a /:name", "# nothing", "/*/* /b"})
	header := rapid.SampledFrom([]string{"/*", "  X-A: b", "  nocolon", "  Content-Length: 1", "  ! X-A", "/:a/:a"})
	path := rapid.SampledFrom([]string{"/a", "/b", "/a/", "/page", "/%zz", "/page.html"})
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		content := files{"index.html": "home"}
		for name, line := range map[string]*rapid.Generator[string]{"_redirects": redirect, "_headers": header} {
			for _, l := range rapid.SliceOfN(line, 0, 3).Draw(t, name) {
				content[name] += l + "\n"
			}
		}
		if rapid.Bool().Draw(t, "page") {
			content["page.html"] = "page"
		}
		app := spec.App{Content: "www", Disabled: rapid.Bool().Draw(t, "disabled")}
		for range rapid.IntRange(0, 2).Draw(t, "declared") {
			app.Redirects = append(app.Redirects, spec.Redirect{From: path.Draw(t, "from"), To: path.Draw(t, "to"), Status: 301, Force: rapid.Bool().Draw(t, "force")})
		}
		object := b.app("a", fmt.Sprint("r", n), app, content)
		tree := idTree{fstest.MapFS{}}
		for name, text := range content {
			tree.MapFS["www/"+name] = &fstest.MapFile{Data: []byte(text)}
		}
		found := edge.Judge(tree, object)
		staged := b.stage(object.Revision, object)
		defer staged.Discard()
		if faults := staged.Faults(); len(found) > 0 != (len(faults) > 0) {
			t.Fatalf("found %v, and staging says %v of %q, %+v", found, faults, content, app.Redirects)
		}
	})
}
