package reconcile_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile"
	"github.com/fazt-sh/fazt/spec"
)

// What no block declares comes from no revision: where the target cannot serve it at the
// start it stays on record, is tried again by each stage, and says why it is away.
func TestTheUnmanagedThatIsLostStaysOnRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := following(t)
		b, _ := r.served("app.b")
		b.Addr, b.Name, b.Unmanaged = "app.c", "c", true
		b.Spec = []byte(`{"content":"apps/b","hosts":["c.example.com"]}`)
		b.Digest = digest(b.Kind, b.Spec)
		r.adjust(t, reconcile.Adjustment{Trigger: "restore", Put: []spec.Object{b}, Data: map[spec.Addr]string{"app.c": "of-monday"}})
		lost, _ := r.served("app.c")
		r.end()
		away := fault.New(fault.Unavailable, "its key is away")
		r.edge.with(func() {
			r.edge.served = slices.DeleteFunc(r.edge.served, func(o spec.Object) bool { return o.Addr == "app.c" })
			r.edge.faults = map[spec.Addr]error{"app.c": away}
		})
		next := r.config()
		next.Last = r.ledger.state
		next.Last.Lost, next.Last.Why = []spec.Object{lost}, map[spec.Addr]error{"app.c": away}
		r.ended = make(chan struct{})
		r.start(t, next)
		defer r.end()
		r.repo.push(commit(apps("a", "b"), "two"))
		if result := r.sync(t); result.Outcome != reconcile.Applied || result.Plan.Counts.Unmanaged != 1 || result.Plan.Counts.Park != 0 {
			t.Errorf("%+v", result)
		}
		s := r.loop.Status()
		if a := r.state("app.c"); a.State != reconcile.AppUnavailable || a.Message != "cannot be loaded: its key is away" || !slices.Equal(s.Lost, []spec.Addr{"app.c"}) {
			t.Errorf("the app is %+v, and lost is %v", a, s.Lost)
		}
		if !strings.Contains(r.ledger.view(), "app.c") {
			t.Fatalf("the ledger has\n%s", r.ledger.view())
		}
		r.edge.with(func() { r.edge.faults = nil })
		r.repo.push(commit(apps("a", "b"), "three"))
		r.sync(t)
		if c, _ := r.served("app.c"); c.Data != "of-monday" || !c.Unmanaged || len(r.loop.Status().Lost) > 0 || r.state("app.c").State != reconcile.AppUnmanaged {
			t.Errorf("it is %+v, and lost is %v", c, r.loop.Status().Lost)
		}
	})
}
