package plan_test

import (
	"encoding/json"
	"io"
	"testing"

	"github.com/fazt-sh/fazt/reconcile/plan"
)

// A kept plan comes from a file that anybody may have written: whatever it
// holds, it is refused or shown, and never trusted for its name.
func FuzzSaved(f *testing.F) {
	in := plan.Input{Desired: manyApps(2, "x"), Node: "local"}
	good, err := json.Marshal(plan.Save(in, plan.Diff(in), "tree", "node", "2026-01-02T03:04:05Z"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"format_version":"1.0","plan":{"plan_id":"p-000000000000"}}`))
	f.Add([]byte(`{"plan":{"changes":[{"fields":[{"before":1}],"files":null}]}}`))
	now := plan.Save(in, plan.Diff(in), "tree", "node", "")
	f.Fuzz(func(t *testing.T, text []byte) {
		var s plan.Saved
		if json.Unmarshal(text, &s) != nil {
			return
		}
		d := plan.Compare(s, now)
		_ = d.WriteText(io.Discard, plan.TextOptions{})
		if s.Check() == nil && d.Fits() && len(s.Plan.Changes) != len(now.Plan.Changes) {
			t.Errorf("%d changes fit %d", len(s.Plan.Changes), len(now.Plan.Changes))
		}
	})
}
