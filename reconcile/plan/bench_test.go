package plan_test

import (
	"testing"

	"github.com/fazt-sh/fazt/reconcile/plan"
)

// BenchmarkDiff is the planner's part of a pass on a node of 10,000 apps.
func BenchmarkDiff(b *testing.B) {
	actual := manyApps(10_000, "old ")
	one := manyApps(10_000, "old ")
	one[5000] = manyApps(5001, "new ")[5000]
	for _, c := range []struct {
		name string
		in   plan.Input
	}{
		{"unchanged", plan.Input{Actual: actual, Desired: actual}},
		{"one-changed", plan.Input{Actual: actual, Desired: one}},
		{"all-new", plan.Input{Desired: actual}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				plan.Diff(c.in)
			}
		})
	}
}
