package reconcile_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/reconcile"
	"github.com/fazt-sh/fazt/reconcile/plan"
	"github.com/fazt-sh/fazt/reconcile/source"
)

// savedPlan is one that somebody has in a file, with its folder.
type savedPlan struct {
	plan  plan.Saved
	art   source.Artifact
	ended time.Time
}

// TestLawsOfApply is for a node that follows nothing. Folders are applied, as
// they are, as a plan that somebody agreed to, or by a saved plan, among
// rollbacks, pauses, faults and crashes at any step. All laws of the loop hold,
// and: what is applied is live wholly, or nothing is; a plan that is not the one
// agreed to changes nothing; a saved plan is carried out once, in its time.
func TestLawsOfApply(t *testing.T) {
	inBubble(t, func(rt *rapid.T) {
		w := newWorld()
		w.alone = true
		w.boot()
		defer func() { w.end() }()
		w.first(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"apply":       func(rt *rapid.T) { w.apply(rt, reconcile.ApplyRequest{Artifact: w.folder(rt)}) },
			"agree":       w.agree,
			"save":        w.save,
			"apply saved": w.applySaved,
			"break":       w.breakSomething,
			"mend":        func(*rapid.T) { w.mend() },
			"crash":       func(*rapid.T) { w.end(); w.boot() },
			"die":         w.die,
			"rollback":    w.rollback,
			"withdraw":    w.withdraw,
			"restore":     w.restore,
			"pause":       w.pause,
			"resume":      w.resume,
			"wait": func(rt *rapid.T) {
				time.Sleep(time.Duration(rapid.IntRange(1, 120).Draw(rt, "minutes")) * time.Minute)
				synctest.Wait()
			},
			"": w.check,
		})
		w.mend()
		w.adjust(reconcile.Adjustment{Trigger: "resume", Free: slices.Collect(maps.Keys(w.ledger.holds))})
		w.finishAlone(rt)
	})
}

// first applies something, so that there is a generation.
func (w *world) first(t *rapid.T) {
	a := commit(apps("a", "b"), "first")
	w.know(a, apps("a", "b"))
	if err := w.apply(t, reconcile.ApplyRequest{Artifact: a}); err != nil {
		t.Fatal(err)
	}
	w.check(t)
}

// folder draws one that may be good, partly broken or refused.
func (w *world) folder(t *rapid.T) source.Artifact {
	c, files := w.draw(t)
	a := artifact(c, files)
	w.know(a, c)
	return a
}

func (w *world) know(a source.Artifact, c config) {
	w.pushed[a.Revision], w.trees[a.Revision] = c, a
}

// apply hands over a folder: it is live as it is, or nothing has changed.
func (w *world) apply(t *rapid.T, r reconcile.ApplyRequest) error {
	before, commits := w.edge.view(), len(w.ledger.commits)
	if r.AllowPrune = 0; rapid.Bool().Draw(t, "prune") {
		r.AllowPrune = 4
	}
	result, err := w.loop.Apply(context.Background(), r)
	synctest.Wait()
	switch {
	case err != nil && (w.edge.view() != before || len(w.ledger.commits) != commits):
		t.Fatalf("refused with %v, and yet served was:\n%s\nand is:\n%s", err, before, w.edge.view())
	case err != nil:
	case result.Outcome != reconcile.Applied && result.Outcome != reconcile.Unchanged:
		t.Fatalf("no error, and it is %s: %+v", result.Outcome, result.Problem)
	default:
		w.isAt(t, r.Artifact)
	}
	return err
}

// isAt fails unless the apps of a folder are served, as they are, and no others.
func (w *world) isAt(t *rapid.T, a source.Artifact) {
	served, declared := map[string]bool{}, w.pushed[a.Revision].Apps
	for _, o := range w.edge.served {
		app, is := declared[o.Name]
		if o.Content == nil {
			continue
		}
		for _, f := range o.Content.Files {
			if id, err := a.Tree.ID(app.Content + "/" + f.Path); !is || err != nil || id != f.ID {
				t.Fatalf("applied is %.7s, and %s serves %s as %s", a.Revision, o.Addr, f.Path, f.ID)
			}
		}
		served[o.Name] = true
	}
	if len(served) != len(declared) {
		t.Fatalf("applied is %.7s with %d apps, served are %v", a.Revision, len(declared), served)
	}
}

// agree looks at the plan first and applies what it saw; sometimes the node has
// changed in between.
func (w *world) agree(t *rapid.T) {
	a := w.folder(t)
	seen, diagnostics, err := w.loop.Plan(context.Background(), a)
	if err != nil || diagnostics.HasErrors() {
		return
	}
	if rapid.Bool().Draw(t, "something between") {
		_ = w.apply(t, reconcile.ApplyRequest{Artifact: w.folder(t)})
	}
	now, _, err := w.loop.Plan(context.Background(), a)
	if err != nil {
		return
	}
	if err := w.apply(t, reconcile.ApplyRequest{Artifact: a, ExpectPlan: seen.ID}); err == nil && now.ID != seen.ID {
		t.Fatalf("somebody agreed to %s, and %s was carried out", seen.ID, now.ID)
	}
}

// save keeps a plan for later, which is sometimes at once.
func (w *world) save(t *rapid.T) {
	a, ends := w.folder(t), time.Now().Add(time.Hour)
	saved, diagnostics, err := w.loop.SavePlan(context.Background(), a, ends)
	if err == nil && !diagnostics.HasErrors() {
		w.saved = append(w.saved, savedPlan{saved, a, ends})
		if rapid.Bool().Draw(t, "at once") {
			w.carryOut(t, w.saved[len(w.saved)-1])
		}
	}
}

// applySaved carries out a plan that was saved, perhaps long ago, perhaps again.
func (w *world) applySaved(t *rapid.T) {
	if len(w.saved) == 0 {
		return
	}
	w.carryOut(t, rapid.SampledFrom(w.saved).Draw(t, "saved"))
}

func (w *world) carryOut(t *rapid.T, s savedPlan) {
	spent, commits := w.ledger.spent[s.plan.Plan.ID], len(w.ledger.commits)
	err := w.apply(t, reconcile.ApplyRequest{Artifact: s.art, Saved: &s.plan})
	if err != nil || len(w.ledger.commits) == commits {
		return
	}
	if spent {
		t.Fatalf("%s was carried out twice", s.plan.Plan.ID)
	}
	if !time.Now().Before(s.ended) {
		t.Fatalf("%s was carried out after its time", s.plan.Plan.ID)
	}
}

// die ends the process before a step of an apply. A new one has what the ledger
// has: all of the folder, or nothing of it.
func (w *world) die(t *rapid.T) {
	a, before, commits := w.folder(t), w.edge.view(), len(w.ledger.commits)
	w.steps.before(rapid.SampledFrom(stepNames).Draw(t, "step"), func() { w.steps.set(true) })
	_, _ = w.loop.Apply(context.Background(), reconcile.ApplyRequest{Artifact: a, AllowPrune: 4})
	synctest.Wait()
	w.steps.before("", nil)
	w.end()
	w.boot()
	switch {
	case len(w.ledger.commits) > commits:
		w.isAt(t, a)
	case w.edge.view() != before:
		t.Fatalf("nothing was committed, and after the start served was:\n%s\nand is:\n%s", before, w.edge.view())
	}
}

// pause holds the node or an app, for good or for a while.
func (w *world) pause(t *rapid.T) {
	h := reconcile.Hold{Kind: reconcile.Paused}
	if rapid.Bool().Draw(t, "an app") {
		h.Addr = "app.a"
	}
	if rapid.Bool().Draw(t, "for a while") {
		h.Until = time.Now().Add(time.Hour)
	}
	w.adjust(reconcile.Adjustment{Trigger: "pause", Hold: []reconcile.Hold{h}})
}

// finishAlone brings the node to a good folder. A protected app needs two steps
// to go.
func (w *world) finishAlone(t *rapid.T) {
	for i, c := range []config{apps("a", "b", "c", "d"), apps("a", "d")} {
		a := commit(c, strings.Repeat("the end", i+1))
		w.know(a, c)
		if result, err := w.loop.Apply(context.Background(), reconcile.ApplyRequest{Artifact: a, AllowPrune: 4}); err != nil {
			t.Fatalf("with the faults gone it is %s: %v", result.Outcome, err)
		}
		synctest.Wait()
		w.isAt(t, a)
		w.check(t)
	}
}
