package plan_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/reconcile/plan"
	"github.com/fazt-sh/fazt/spec"
)

// A new migration that takes something away is a high risk where there is
// something to take: not for an app that is new.
func TestMigrationsThatTakeAwayAreARisk(t *testing.T) {
	app := func(sources ...spec.File) spec.Object {
		text, err := json.Marshal(spec.App{Content: "a", Runtime: &spec.Runtime{Entry: "main.js"}, SQL: &spec.SQL{Name: "DB", Migrations: "sql"}})
		if err != nil {
			t.Fatal(err)
		}
		return spec.Object{Addr: "app.a", Kind: spec.KindApp, Name: "a", Spec: text, Digest: "one", HoldsData: true, Content: &spec.Content{Sources: sources}}
	}
	begin := spec.File{Path: "sql/0001_begin.sql", ID: "1"}
	adds := spec.File{Path: "sql/0002_more.sql", ID: "2"}
	drops := spec.File{Path: "sql/0002_less.sql", ID: "3", Drops: true}
	for _, c := range []struct {
		name   string
		actual []spec.Object
		wanted spec.Object
		warned bool
	}{
		{"a new one that drops", []spec.Object{app(begin)}, app(begin, drops), true},
		{"a new one that adds", []spec.Object{app(begin)}, app(begin, adds), false},
		{"one that has run", []spec.Object{app(begin, drops)}, app(begin, drops, spec.File{Path: "sql/0003_more.sql", ID: "4"}), false},
		{"a new app", nil, app(begin, drops), false},
	} {
		p := plan.Diff(plan.Input{Actual: c.actual, Desired: []spec.Object{c.wanted}, Node: "local", Generation: 1})
		if len(p.Changes) != 1 {
			t.Fatalf("%s: %+v", c.name, p.Changes)
		}
		warned := false
		for _, r := range p.Changes[0].Risks {
			warned = warned || r.Risk == spec.RiskHigh && strings.Contains(r.Message, "0002_less.sql takes away")
		}
		if warned != c.warned || warned != (p.Changes[0].Risk == spec.RiskHigh) {
			t.Errorf("%s: risk %s, %+v", c.name, p.Changes[0].Risk, p.Changes[0].Risks)
		}
	}
}
