package reconcile_test

import (
	"maps"
	"slices"
	"strings"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile"
)

// poke wakes the loop.
func (w *world) poke(t *rapid.T) {
	w.loop.Trigger()
	synctest.Wait()
	w.awake(t)
}

// amid lets something happen in the middle of a pass, before a step of it: a
// push with its poke, a poke alone, or the death of the process, after which a
// new one begins with what the ledger has.
func (w *world) amid(t *rapid.T) {
	step := rapid.SampledFrom(stepNames).Draw(t, "step")
	what := rapid.SampledFrom([]string{"push", "poke", "die"}).Draw(t, "what")
	c, files := w.draw(t)
	w.steps.before(step, func() {
		switch what {
		case "push":
			w.have(c, files, w.repo.tip.Revision)
			w.repo.pokes <- struct{}{}
		case "poke":
			w.loop.Trigger()
		case "die":
			w.steps.set(true)
		}
	})
	w.loop.Trigger()
	synctest.Wait()
	w.steps.before("", nil)
	if what == "die" {
		w.end()
		w.boot()
	}
	w.awake(t)
}

// awake holds the loop to that no poke is lost: where nothing is wrong and
// nobody holds anything, it knows the newest revision, and is there unless it
// says why not. One with which nothing is wrong is live.
func (w *world) awake(t *rapid.T) {
	if w.broken || len(w.ledger.holds) > 0 {
		return
	}
	s, tip := w.loop.Status(), w.repo.tip.Revision
	switch {
	case s.Applied == tip:
	case s.Problem == nil:
		t.Fatalf("poked, it is %s at %.7s, without a word of %.7s", s.Phase, s.Applied, tip)
	case s.Desired != tip && w.descends(tip, s.Applied):
		t.Fatalf("poked, it wants %.7s and the newest is %.7s: %s", s.Desired, tip, s.Problem.Message)
	case s.Problem.Kind == fault.Invalid && strings.Contains(s.Problem.Message, "something is wrong"): // the verdict of a fault that is mended by now stays
	case w.sound(tip, s):
		t.Fatalf("poked, it is %s at %.7s, and nothing is wrong with %.7s: %s", s.Phase, s.Applied, tip, s.Problem.Message)
	}
}

// descends reports whether a revision comes after another.
func (w *world) descends(revision, base string) bool {
	w.repo.mu.Lock()
	defer w.repo.mu.Unlock()
	for at := revision; at != ""; at = w.repo.parents[at] {
		if at == base {
			return true
		}
	}
	return base == ""
}

// sound reports whether a revision can be taken as it is: all of it is valid,
// and it removes nothing.
func (w *world) sound(revision string, s *reconcile.Status) bool {
	c := w.pushed[revision]
	if c.Refused || len(c.Broken) > 0 || !w.descends(revision, s.Applied) {
		return false
	}
	for name := range c.Apps {
		if _, err := w.trees[revision].Tree.ID("apps/" + name); err != nil {
			return false
		}
	}
	names := slices.Collect(maps.Keys(c.Apps))
	return !slices.ContainsFunc(s.Apps, func(a reconcile.AppStatus) bool { return !slices.Contains(names, a.Name) })
}
