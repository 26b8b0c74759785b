package reconcile_test

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile"
	"github.com/fazt-sh/fazt/reconcile/plan"
	"github.com/fazt-sh/fazt/reconcile/source"
	"github.com/fazt-sh/fazt/spec"
)

// inBubble checks a law with some hundred cases. rapid ends early when a day of
// the bubble is over, so there are as many bubbles as it takes.
func inBubble(t *testing.T, law func(*rapid.T)) {
	t.Helper()
	for cases := 0; cases < 100 && !t.Failed(); {
		synctest.Test(t, func(t *testing.T) {
			rapid.Check(timeless{t}, func(rt *rapid.T) {
				cases++
				law(rt)
			})
		})
	}
}

// timeless hides the test's deadline, which is of the real clock.
type timeless struct{ *testing.T }

// world is a node, a repository and whatever can befall them.
type world struct {
	*rig
	pushed  map[string]config // by revision
	partial map[string]bool   // revisions that cannot be read in full
	trees   map[string]source.Artifact
	number  int  // of revisions
	checked int  // commits looked at
	broken  bool // something is wrong until it is mended
	paused  bool // before the last action
	once    bool // a pass was asked for by name
	view    string
	guarded map[spec.Addr]bool // apps that a revision protected, as of the last commit that was looked at
	alone   bool               // it follows nothing: revisions come by Apply
	saved   []savedPlan
	data    map[spec.Addr]string // what apps keep their data in, as of the last commit that was looked at
	owner   map[string]spec.Addr // whose data ever was what
	asked   map[string]bool      // data that a restore gave
}

// TestLawsOfTheLoop lets commits, broken ones, rewritten histories, rollbacks,
// pauses, pins, approvals, faults and crashes happen in any order. After each:
// what is served was once asked for and valid, hosts have one app, what is
// served is what is remembered, generations grow by one, only a commit changes
// what is served, nothing is removed that the revision names or that is
// protected, or by a revision that cannot be read in full, a version in quarantine is not served, an app has the data that it
// had until a restore gives it other, nobody else's ever, and a paused node changes only when it is told to. A revision that can go live does so in the pass that
// is asked for it. In the end, with the faults and holds gone, one pass brings
// the node to the revision.
func TestLawsOfTheLoop(t *testing.T) {
	inBubble(t, func(rt *rapid.T) {
		w := newWorld()
		w.repo.parents = map[string]string{}
		w.push(rt)
		w.boot()
		defer func() { w.end() }()
		rt.Repeat(map[string]func(*rapid.T){
			"push":     w.push,
			"rewrite":  w.rewrite,
			"break":    w.breakSomething,
			"mend":     func(*rapid.T) { w.mend() },
			"crash":    func(*rapid.T) { w.end(); w.boot() },
			"poke":     w.poke,
			"sync":     w.sync,
			"rollback": w.rollback,
			"withdraw": w.withdraw,
			"restore":  w.restore,
			"hold":     w.hold,
			"resume":   w.resume,
			"amid":     w.amid,
			"wait": func(rt *rapid.T) {
				time.Sleep(time.Duration(rapid.IntRange(1, 120).Draw(rt, "seconds")) * time.Second)
				synctest.Wait()
			},
			"": w.check,
		})
		w.settle(rt)
	})
}

func newWorld() *world {
	return &world{
		rig: build(), pushed: map[string]config{}, trees: map[string]source.Artifact{}, guarded: map[spec.Addr]bool{}, partial: map[string]bool{},
		data: map[spec.Addr]string{}, owner: map[string]spec.Addr{}, asked: map[string]bool{},
	}
}

// boot starts the loop as a node does: it serves what the ledger remembers.
func (w *world) boot() {
	w.edge.with(func() {
		w.edge.served = nil
		for _, o := range w.ledger.objects {
			w.edge.served = append(w.edge.served, o)
		}
		slices.SortFunc(w.edge.served, func(a, b spec.Object) int { return strings.Compare(string(a.Addr), string(b.Addr)) })
		w.edge.number = w.ledger.state.Generation
	})
	w.steps.set(false)
	c := w.config()
	c.Last = w.ledger.last()
	if w.alone {
		c.Source = nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.loop, w.stop, w.ended = reconcile.New(c), cancel, make(chan struct{})
	go func(loop *reconcile.Loop, ended chan struct{}) {
		defer close(ended)
		_ = loop.Run(ctx) // it returns nothing but nil
	}(w.loop, w.ended)
	synctest.Wait()
}

// push makes a revision that may be good, partly broken or refused, on top of
// the newest one.
func (w *world) push(t *rapid.T) {
	c, files := w.draw(t)
	w.have(c, files, w.repo.tip.Revision)
}

// rewrite pushes a revision on top of an older one.
func (w *world) rewrite(t *rapid.T) {
	older := w.repo.parents[w.repo.tip.Revision]
	c, files := w.draw(t)
	w.have(c, files, w.repo.parents[older])
}

// draw makes a configuration and its files.
func (w *world) draw(t *rapid.T) (config, fstest.MapFS) {
	names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 0, 4, rapid.ID[string]).Draw(t, "apps")
	hosts := rapid.Permutation([]string{"a.example.com", "b.example.com", "c.example.com", "d.example.com"}).Draw(t, "hosts")
	w.number++
	c := config{Apps: map[string]spec.App{}, Refused: rapid.IntRange(0, 9).Draw(t, "refused") == 0, Number: w.number}
	files := fstest.MapFS{}
	for i, name := range names {
		c.Apps[name] = spec.App{
			Content: "apps/" + name, Hosts: hosts[i : i+1], Spa: rapid.Bool().Draw(t, "spa"),
			KV:      rapid.SampledFrom([][]spec.KV{nil, {{Name: "K"}}}).Draw(t, "keeps"),
			Protect: rapid.IntRange(0, 4).Draw(t, "protect") == 0, OnRemove: rapid.SampledFrom([]spec.OnRemove{"", spec.Delete}).Draw(t, "on remove"),
		}
		switch rapid.IntRange(0, 6).Draw(t, "health") {
		case 0:
			c.Broken = append(c.Broken, name)
		case 1: // no content
			continue
		}
		page := rapid.SampledFrom([]string{"one", "two", "three"}).Draw(t, "page")
		files["apps/"+name+"/index.html"] = &fstest.MapFile{Data: []byte(name + page)}
	}
	return c, files
}

func (w *world) have(c config, files fstest.MapFS, parent string) {
	a := artifact(c, files)
	w.pushed[a.Revision], w.trees[a.Revision] = c, a
	w.partial[a.Revision] = len(c.Broken) > 0
	for name := range c.Apps {
		if files["apps/"+name+"/index.html"] == nil {
			w.partial[a.Revision] = true
		}
	}
	w.repo.mu.Lock()
	defer w.repo.mu.Unlock()
	w.repo.tip = a
	if parent != "" {
		w.repo.parents[a.Revision] = parent
	}
}

// sync asks for the newest revision. It is the answer, whoever asked before.
func (w *world) sync(t *rapid.T) {
	w.once = rapid.Bool().Draw(t, "once")
	result, err := w.loop.Sync(context.Background(), reconcile.SyncRequest{Wait: true, Once: w.once})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	s := w.loop.Status()
	done := result.Outcome == reconcile.Applied || result.Outcome == reconcile.Unchanged
	if done && (s.Applied != result.Revision || result.Revision != w.repo.tip.Revision) {
		t.Fatalf("%s, and yet it is at %.7s, the newest is %.7s", result.Outcome, s.Applied, w.repo.tip.Revision)
	}
	if w.broken || len(w.ledger.holds) > 0 || result.Outcome == reconcile.Stuck && result.Revision == "" {
		return
	}
	if result.Revision != w.repo.tip.Revision {
		t.Fatalf("asked for the newest revision, it speaks of %.7s", result.Revision)
	}
}

// rollback puts an earlier release of an app back.
func (w *world) rollback(t *rapid.T) {
	var releases []spec.Object
	w.ledger.with(func() {
		for _, o := range w.ledger.releases {
			if _, there := w.ledger.objects[o.Addr]; there && o.Kind == spec.KindApp {
				releases = append(releases, o)
			}
		}
	})
	if len(releases) == 0 {
		return
	}
	o := rapid.SampledFrom(releases).Draw(t, "release")
	w.adjust(rollback(o, "it is bad"))
}

// withdraw takes an app out of service.
func (w *world) withdraw(t *rapid.T) {
	addr := spec.Addr("app." + rapid.SampledFrom([]string{"a", "b"}).Draw(t, "app"))
	if _, there := w.served(addr); there {
		w.adjust(reconcile.Adjustment{Trigger: "rollback", Drop: []spec.Addr{addr}, Hold: []reconcile.Hold{{Kind: reconcile.RolledBack, Addr: addr}}})
	}
}

// restore gives an app in service the data of a backup.
func (w *world) restore(t *rapid.T) {
	addr := spec.Addr("app." + rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "app"))
	if o, there := w.served(addr); !there || o.Data == "" {
		return
	}
	data := "backup-" + strconv.Itoa(len(w.asked))
	w.asked[data] = true
	before := len(w.ledger.commits)
	result, err := w.loop.Adjust(context.Background(), reconcile.Adjustment{Trigger: "restore", Data: map[spec.Addr]string{addr: data}, Reason: "of monday"})
	if err != nil {
		if !w.broken {
			t.Fatalf("nothing is wrong, and %s does not get its data: %v", addr, err)
		}
		return
	}
	synctest.Wait() // the source is looked at anew, and may commit something more
	c := w.ledger.commits[before]
	if len(c.Put) != 1 || c.Put[0].Data != data || len(c.Deployments) != 1 || c.Deployments[0].Subject != "of monday" || len(result.Plan.Changes) != 1 {
		t.Fatalf("%s got its data, and the record has %+v, the plan %+v", addr, c, result.Plan.Changes)
	}
}

// hold pauses, pins or approves something, for good or for a while.
func (w *world) hold(t *rapid.T) {
	h := rapid.SampledFrom([]reconcile.Hold{
		{Kind: reconcile.Paused}, {Kind: reconcile.Paused, Addr: "app.a"},
		{Kind: reconcile.Pinned}, {Kind: reconcile.Approved},
	}).Draw(t, "hold")
	if h.Kind == reconcile.Pinned || h.Kind == reconcile.Approved {
		h.Revision = rapid.SampledFrom(slices.Sorted(maps.Keys(w.repo.seen))).Draw(t, "revision")
	}
	if rapid.Bool().Draw(t, "for a while") {
		h.Until = time.Now().Add(time.Minute)
	}
	w.adjust(reconcile.Adjustment{Trigger: string(h.Kind), Hold: []reconcile.Hold{h}})
}

// resume ends a hold.
func (w *world) resume(t *rapid.T) {
	var keys []reconcile.HoldKey
	w.ledger.with(func() { keys = slices.Collect(maps.Keys(w.ledger.holds)) })
	if len(keys) == 0 {
		return
	}
	slices.SortFunc(keys, func(a, b reconcile.HoldKey) int {
		return strings.Compare(string(a.Kind)+string(a.Addr), string(b.Kind)+string(b.Addr))
	})
	w.adjust(reconcile.Adjustment{Trigger: "resume", Free: []reconcile.HoldKey{rapid.SampledFrom(keys).Draw(t, "hold")}})
}

// adjust may be refused: by a fault, a protection, a host that somebody else
// has by now.
func (w *world) adjust(a reconcile.Adjustment) {
	_, _ = w.loop.Adjust(context.Background(), a)
	synctest.Wait()
}

// breakSomething sets a fault, which stays until it is mended.
func (w *world) breakSomething(t *rapid.T) {
	w.broken = true
	kind := rapid.SampledFrom([]fault.Kind{fault.Unavailable, fault.Invalid, fault.Exhausted}).Draw(t, "kind")
	err := fault.New(kind, "something is wrong")
	switch rapid.SampledFrom([]string{"repo", "loader", "stage", "app", "panic", "ledger"}).Draw(t, "what") {
	case "repo":
		w.repo.fail(err)
	case "loader":
		w.loader.mu.Lock()
		w.loader.err = err
		w.loader.mu.Unlock()
	case "stage":
		w.edge.with(func() { w.edge.err = err })
	case "app":
		name := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "app")
		w.edge.with(func() { w.edge.faults[spec.Addr("app."+name)] = err })
	case "panic":
		w.edge.with(func() { w.edge.panics = true })
	case "ledger":
		w.ledger.with(func() { w.ledger.err = err })
	}
}

func (w *world) mend() {
	w.broken = false
	w.repo.fail(nil)
	w.loader.mu.Lock()
	w.loader.err = nil
	w.loader.mu.Unlock()
	w.edge.with(func() { w.edge.err, w.edge.panics = nil, false; clear(w.edge.faults) })
	w.ledger.with(func() { w.ledger.err = nil })
}

// check holds the node to the laws.
func (w *world) check(t *rapid.T) {
	if served, remembered := w.edge.view(), w.ledger.view(); served != remembered {
		t.Fatalf("served:\n%s\nremembered:\n%s", served, remembered)
	}
	var commits []reconcile.Commit
	var served []spec.Object
	var number uint64
	var holds map[reconcile.HoldKey]reconcile.Hold
	w.ledger.with(func() {
		commits, holds = w.ledger.commits, maps.Clone(w.ledger.holds)
	})
	w.edge.with(func() { served, number = w.edge.served, w.edge.number })
	if number != uint64(len(commits)) {
		t.Fatalf("generation %d after %d commits", number, len(commits))
	}
	if view := w.edge.view(); view != w.view {
		if w.checked == len(commits) {
			t.Fatalf("nothing was committed, and yet served was:\n%s\nand is:\n%s", w.view, view)
		}
		w.view = view
	}
	fresh := commits[w.checked:]
	for ; w.checked < len(commits); w.checked++ {
		w.checkCommit(t, commits[w.checked], uint64(w.checked+1))
	}
	_, paused := holds[reconcile.HoldKey{Kind: reconcile.Paused}]
	if paused && w.paused && !w.once {
		for _, c := range fresh {
			if !adjusts(c) {
				t.Fatalf("paused, it took a revision (%s)", c.Entry.Action)
			}
		}
	}
	w.paused, w.once = paused, false
	owner := map[string]spec.Addr{}
	for _, o := range served {
		if o.Kind != spec.KindApp {
			continue
		}
		w.checkApp(t, o, owner)
		back, is := holds[reconcile.HoldKey{Kind: reconcile.RolledBack, Addr: o.Addr}]
		if is && slices.Contains(strings.Fields(back.Version), plan.Version(o)) {
			t.Fatalf("%s serves a version in quarantine", o.Addr)
		}
	}
}

func (w *world) checkCommit(t *rapid.T, c reconcile.Commit, number uint64) {
	if c.Generation != number {
		t.Fatalf("generation %d is commit %d", c.Generation, number)
	}
	for _, addr := range c.Drop {
		_, named := w.pushed[c.Revision].Apps[strings.TrimPrefix(string(addr), "app.")]
		if named && !adjusts(c) {
			t.Fatalf("%s was removed by a revision that names it", addr)
		}
		if w.partial[c.Revision] && !adjusts(c) {
			t.Fatalf("%s was removed by a revision that cannot be read in full", addr)
		}
		if w.guarded[addr] {
			t.Fatalf("%s was protected and is gone", addr)
		}
		delete(w.guarded, addr)
	}
	w.guard(t, c)
	w.keep(t, c)
}

// keep follows what apps keep their data in. One that is deleted, or purged, is
// another one when it is there again.
func (w *world) keep(t *rapid.T, c reconcile.Commit) {
	for _, addr := range c.Delete {
		delete(w.data, addr)
	}
	for _, o := range c.Put {
		if o.Kind != spec.KindApp {
			continue
		}
		was := w.data[o.Addr]
		switch of, known := w.owner[o.Data]; {
		case was != "" && o.Data != was && !(c.Entry.Action == "restore" && w.asked[o.Data]):
			t.Fatalf("%s had its data in %q, and %s gives it %q", o.Addr, was, c.Entry.Action, o.Data)
		case o.Data == "" && o.HoldsData:
			t.Fatalf("%s keeps data, and has no place for it", o.Addr)
		case o.Data != "" && known && (of != o.Addr || o.Data != was):
			t.Fatalf("%s has the data %q, which was that of %s", o.Addr, o.Data, of)
		}
		if o.Data != "" {
			w.data[o.Addr], w.owner[o.Data] = o.Data, o.Addr
		}
	}
}

// adjusts reports whether a commit is somebody's word, not a revision's.
func adjusts(c reconcile.Commit) bool { return c.Entry.Attempted == "" }

// guard follows what a commit protects. Only a revision puts a protection on or
// takes it off: an app that goes back keeps what it has.
func (w *world) guard(t *rapid.T, c reconcile.Commit) {
	for _, o := range c.Put {
		was, there := w.guarded[o.Addr]
		if adjusts(c) && there && was != protected(o) {
			t.Fatalf("%s was protected (%v), and went back to being so (%v)", o.Addr, was, protected(o))
		}
		if o.Kind == spec.KindApp {
			w.guarded[o.Addr] = protected(o)
		}
	}
}

func protected(o spec.Object) bool {
	var app spec.App
	return o.Kind == spec.KindApp && json.Unmarshal(o.Spec, &app) == nil && app.Protect
}

// checkApp looks whether the app is what the revision of its release asked for.
func (w *world) checkApp(t *rapid.T, o spec.Object, owner map[string]spec.Addr) {
	c, known := w.pushed[o.Revision]
	declared, named := c.Apps[o.Name]
	if !known || !named || c.Refused || slices.Contains(c.Broken, o.Name) {
		t.Fatalf("%s is served from revision %.7s, which has no such valid app", o.Addr, o.Revision)
	}
	var app spec.App
	if err := json.Unmarshal(o.Spec, &app); err != nil || app.Hosts[0] != declared.Hosts[0] || app.Spa != declared.Spa {
		t.Fatalf("%s is %s, revision %.7s has %v", o.Addr, o.Spec, o.Revision, declared)
	}
	for _, f := range o.Content.Files {
		if id, err := w.trees[o.Revision].Tree.ID(app.Content + "/" + f.Path); err != nil || id != f.ID || f.Blob == "" {
			t.Fatalf("%s serves %s as %s with digest %q, revision %.7s has %s", o.Addr, f.Path, f.ID, f.Blob, o.Revision, id)
		}
	}
	if other, taken := owner[app.Hosts[0]]; taken {
		t.Fatalf("%s is answered by %s and %s", app.Hosts[0], other, o.Addr)
	}
	owner[app.Hosts[0]] = o.Addr
}

// settle takes all faults and holds away and asks for one pass. A protected app
// needs two commits to go.
func (w *world) settle(t *rapid.T) {
	w.mend()
	w.adjust(reconcile.Adjustment{Trigger: "resume", Free: slices.Collect(maps.Keys(w.ledger.holds))})
	open := apps("a", "b", "c", "d")
	open.Number = -1
	w.finish(t, open)
	w.finish(t, apps("a", "d"))
	s := w.loop.Status()
	if s.Phase != reconcile.Synced || s.Applied != w.repo.tip.Revision || w.ledger.state.Applied != s.Applied || len(s.Apps) != 2 {
		t.Fatalf("it is %s at %.7s, the ledger at %.7s, with %d apps", s.Phase, s.Applied, w.ledger.state.Applied, len(s.Apps))
	}
	for _, name := range []string{"a", "d"} {
		if !slices.ContainsFunc(w.edge.served, func(o spec.Object) bool { return o.Name == name }) {
			t.Fatalf("%s is not served", name)
		}
	}
}

// finish brings the node to a good revision in one pass.
func (w *world) finish(t *rapid.T, c config) {
	a := commit(c, "the end")
	w.pushed[a.Revision], w.trees[a.Revision] = c, a
	w.repo.push(a)
	w.repo.mu.Lock()
	w.repo.parents[a.Revision] = w.loop.Status().Applied
	w.repo.mu.Unlock()
	result, err := w.loop.Sync(context.Background(), reconcile.SyncRequest{Wait: true, Revision: a.Revision})
	if err != nil || result.Outcome != reconcile.Applied && result.Outcome != reconcile.Unchanged {
		t.Fatalf("with the faults gone it is %s: %+v, %v", result.Outcome, result.Problem, err)
	}
	synctest.Wait()
	w.check(t)
}
