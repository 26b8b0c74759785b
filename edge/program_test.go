package edge_test

import (
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/spec"
)

// A node that cannot run code says so of the app, and the others go live.
func TestAppsThatRunCodeAreRefused(t *testing.T) {
	b := newBench(t, edge.Config{})
	runs := b.app("runs", "r1", spec.App{Runtime: &spec.Runtime{Entry: "api/main.ts"}}, files{"index.html": "home"})
	st := b.stage("r1", b.app("plain", "r1", spec.App{}, files{"index.html": "plain"}), runs)
	faults := st.Faults()
	if len(faults) != 1 || faults[0].Addr != "app.runs" || !strings.Contains(fault.Message(faults[0].Err), "runs code") || fault.KindOf(faults[0].Err) != fault.Invalid {
		t.Fatalf("%+v", faults)
	}
	if got := st.Objects(); len(got) != 1 || got[0].Addr != "app.plain" {
		t.Errorf("%+v", got)
	}
	st.Publish(1)
}

// Sources make a release as files do, and a program goes along with its content.
func TestSourcesMakeARelease(t *testing.T) {
	b := newBench(t, edge.Config{})
	app := b.app("a", "r1", spec.App{Disabled: true, Runtime: &spec.Runtime{Entry: "api/main.ts"}}, files{"index.html": "home"})
	app.Content.Tree, app.Content.Sources = "", []spec.File{{Path: "api/main.ts", ID: "1"}}
	app.Content.Program = &spec.Program{Code: "code"}
	b.publish("r1", app)
	changed := app
	content := *app.Content
	content.Sources, content.Program = []spec.File{{Path: "api/main.ts", ID: "2"}}, nil
	changed.Content, changed.Revision = &content, "r2"
	b.publish("r2", changed)
	observed, err := b.Observe(t.Context())
	if err != nil || len(observed) != 1 || observed[0].Content.Sources[0].ID != "2" || observed[0].Content.Program != nil {
		t.Fatalf("%+v, %v", observed, err)
	}
	again := changed
	moved := content
	moved.Tree = "moved"
	again.Content = &moved
	b.publish("r3", again)
	if observed, _ = b.Observe(t.Context()); observed[0].Content.Tree != "moved" || observed[0].Content.Sources[0].ID != "2" {
		t.Errorf("%+v", observed[0].Content)
	}
}
