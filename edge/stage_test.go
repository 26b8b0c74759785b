package edge_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/spec"
)

func TestObjectsAreTheDesiredOnesWithTheirBlobs(t *testing.T) {
	b := newBench(t, edge.Config{})
	node := object(spec.KindNode, "node.one", spec.Node{Name: "one"})
	app := b.app("a", "r1", spec.App{}, files{"index.html": "home", "b.txt": "b"})
	st := b.stage("r1", app, node)
	got := st.Objects()
	if len(got) != 2 || got[1].Addr != node.Addr || got[0].Digest != app.Digest || got[0].Content.Tree != app.Content.Tree {
		t.Fatalf("%+v", got)
	}
	for i, want := range []string{digest("b"), digest("home")} {
		if got[0].Content.Files[i].Blob != want {
			t.Errorf("%+v", got[0].Content.Files[i])
		}
	}
	if app.Content.Files[0].Blob != "" {
		t.Error("the caller's manifest was written into")
	}
	if observed, _ := b.Observe(context.Background()); len(observed) != 0 {
		t.Error("observed before publish")
	}
	st.Publish(7)
	if observed, _ := b.Observe(context.Background()); len(observed) != 2 || b.Generation() != 7 {
		t.Errorf("generation %d: %+v", b.Generation(), observed)
	}
}

// Unchanged bytes are never read: not those of unchanged apps, not those of
// unchanged files, not those of an app under another name, and the same bytes
// in several places once.
func TestOnlyNewBytesAreRead(t *testing.T) {
	b := newBench(t, edge.Config{})
	one := b.app("one", "r1", spec.App{}, files{"index.html": "one", "logo.svg": "logo"})
	two := b.app("two", "r1", spec.App{}, files{"index.html": "two", "logo.svg": "logo", "copy.svg": "logo"})
	b.publish("r1", one, two)
	if read := b.asked(); len(read) != 3 {
		t.Errorf("read %q", read)
	}
	one2 := b.app("one", "r2", spec.App{}, files{"index.html": "one, changed", "logo.svg": "logo"})
	b.publish("r2", one2, two)
	if read := b.asked(); !slices.Equal(read, []string{"app.one/index.html"}) {
		t.Errorf("read %q", read)
	}
	renamed := b.app("uno", "r3", spec.App{Hosts: []string{"one.example.com"}}, files{"index.html": "one, changed", "logo.svg": "logo"})
	b.publish("r3", two, renamed)
	if read := b.asked(); len(read) != 0 {
		t.Errorf("read %q", read)
	}
	if w := b.get("http://one.example.com/"); w.Body.String() != "one, changed" || w.Header().Get("Fazt-Revision") != "r3" {
		t.Errorf("%v %s", w.Header(), w.Body)
	}
	b.publish("r4", b.app("two", "r4", spec.App{Disabled: true}, files{"index.html": "two", "logo.svg": "logo", "copy.svg": "logo"}))
	if read := b.asked(); len(read) != 0 {
		t.Errorf("a change of declaration read %q", read)
	}
}

// An app without a change keeps its handler over swaps, and leases and
// snapshots are returned.
func TestUnchangedAppsKeepTheirLease(t *testing.T) {
	b := newBench(t, edge.Config{})
	var apps []spec.Object
	for i := range 20 {
		apps = append(apps, b.app(fmt.Sprintf("app-%02d", i), "r0", spec.App{}, files{"index.html": fmt.Sprint("page ", i)}))
	}
	b.publish("r0", apps...)
	if got := b.Stats(); got != (edge.Stats{Snapshots: 1, Leases: 20}) {
		t.Fatalf("%+v", got)
	}
	changed := b.app("app-07", "r1", spec.App{}, files{"index.html": "new"})
	apps[7] = changed
	apps[8].Revision = "r1" // a release of the same files made anew shares them too
	staged := b.stage("r1", apps...)
	if got := b.Stats(); got.Leases != 21 {
		t.Errorf("staging one change holds %d leases", got.Leases)
	}
	staged.Discard()
	staged.Publish(99)
	if got := b.Stats(); got.Leases != 20 || b.Generation() != 1 {
		t.Errorf("after discard: %+v, generation %d", got, b.Generation())
	}
	b.publish("r1", apps...)
	if got := b.Stats(); got != (edge.Stats{Snapshots: 1, Leases: 20}) {
		t.Errorf("%+v", got)
	}
	for host, want := range map[string]string{"app-06": "r0 page 6", "app-07": "r1 new", "app-08": "r1 page 8"} {
		w := b.get("http://" + host + ".example.com/")
		if got := w.Header().Get("Fazt-Revision") + " " + w.Body.String(); got != want {
			t.Errorf("%s: %s", host, got)
		}
	}
	b.publish("r2")
	if got := b.Stats(); got != (edge.Stats{Snapshots: 1}) {
		t.Errorf("%+v", got)
	}
}

func TestAFaultStaysWithItsApp(t *testing.T) {
	b := newBench(t, edge.Config{})
	good := files{"index.html": "good"}
	b.publish("r1", b.app("a", "r1", spec.App{}, good), b.app("b", "r1", spec.App{}, good), b.app("c", "r1", spec.App{}, good),
		b.app("d", "r1", spec.App{}, good), b.app("e", "r1", spec.App{}, good))
	before, _ := b.Observe(context.Background())

	badRules := b.app("a", "r2", spec.App{}, files{"index.html": "new", "_redirects": "/a /b\n\nbad line without a target and with a status 999\n/only-one\n"})
	missing := b.app("b", "r2", spec.App{}, files{"index.html": "new b"})
	delete(b.tree, "app.b/index.html")
	lying := b.app("c", "r2", spec.App{}, files{"index.html": "new c"})
	lying.Content.Files[0].Size = 3
	unread := b.app("d", "r2", spec.App{}, nil)
	unread.Content = nil
	moves := b.app("e", "r2", spec.App{}, files{"index.html": "new e"})
	absent := b.app("f", "r2", spec.App{}, files{"index.html": "new f"})
	delete(b.tree, "app.f/index.html")

	st := b.stage("r2", badRules, missing, lying, unread, moves, absent)
	var faults []string
	for _, f := range st.Faults() {
		faults = append(faults, string(f.Addr))
		if f.Err == nil || f.Err.Error() == "" {
			t.Errorf("%s: no reason", f.Addr)
		}
	}
	if !slices.Equal(faults, []string{"app.a", "app.b", "app.c", "app.d", "app.f"}) {
		t.Errorf("faults %q", faults)
	}
	if err := st.Faults()[0].Err; !strings.Contains(err.Error(), "_redirects:3") || fault.KindOf(err) != fault.Invalid {
		t.Errorf("no place: %v", err)
	}
	for i, o := range st.Objects() {
		if i < 4 && (o.Revision != "r1" || o.Content != before[i].Content) {
			t.Errorf("%s is not as it was", o.Addr)
		}
	}
	if n := len(st.Objects()); n != 5 {
		t.Errorf("%d objects", n)
	}
	st.Publish(2)
	for host, want := range map[string]string{"a": "r1 good", "b": "r1 good", "c": "r1 good", "d": "r1 good", "e": "r2 new e"} {
		w := b.get("http://" + host + ".example.com/")
		if got := w.Header().Get("Fazt-Revision") + " " + w.Body.String(); got != want {
			t.Errorf("%s: %s", host, got)
		}
	}
	if w := b.get("http://f.example.com/"); w.Code != 421 {
		t.Errorf("%d", w.Code)
	}
	if got := b.Stats(); got.Leases != 5 {
		t.Errorf("%+v", got)
	}
}

// A host changes hands only if the one that has it lets go.
func TestAHostStaysWithTheAppThatIsHeldBack(t *testing.T) {
	b := newBench(t, edge.Config{})
	hosts := func(h ...string) spec.App { return spec.App{Hosts: h} }
	b.publish("r1",
		b.app("a", "r1", hosts("a.test"), files{"index.html": "a1"}),
		b.app("b", "r1", hosts("b.test"), files{"index.html": "b1"}),
		b.app("c", "r1", hosts("c.test"), files{"index.html": "c1"}))
	// Every app moves one host on; the first cannot be staged, so all must stay.
	broken := b.app("a", "r2", hosts("c.test"), files{"index.html": "a2"})
	delete(b.tree, "app.a/index.html")
	st := b.stage("r2", broken,
		b.app("b", "r2", hosts("a.test"), files{"index.html": "b2"}),
		b.app("c", "r2", hosts("b.test"), files{"index.html": "c2"}),
		b.app("d", "r2", hosts("d.test", "c.test"), files{"index.html": "d2"}))
	if n := len(st.Faults()); n != 4 {
		t.Fatalf("faults %v", st.Faults())
	}
	if err := st.Faults()[1].Err; fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "app.a") {
		t.Errorf("%v", err)
	}
	st.Publish(2)
	for _, name := range []string{"a", "b", "c"} {
		if w := b.get("http://" + name + ".test/"); w.Body.String() != name+"1" {
			t.Errorf("%s: %s", name, w.Body)
		}
	}
	// Once the first is well again, all move at once.
	b.publish("r3",
		b.app("a", "r3", hosts("c.test"), files{"index.html": "a3"}),
		b.app("b", "r3", hosts("a.test"), files{"index.html": "b3"}),
		b.app("c", "r3", hosts("b.test"), files{"index.html": "c3"}))
	for host, want := range map[string]string{"a.test": "b3", "b.test": "c3", "c.test": "a3"} {
		if w := b.get("http://" + host + "/"); w.Body.String() != want {
			t.Errorf("%s: %s", host, w.Body)
		}
	}
}

func TestBootFromTheStoreAlone(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, edge.Config{Blobs: openBlobs(t, dir)})
	b.publish("r1",
		b.app("gone", "r1", spec.App{}, files{"index.html": "these bytes go missing"}),
		b.app("short", "r1", spec.App{}, files{"index.html": "these bytes are cut"}),
		b.app("well", "r1", spec.App{}, files{"index.html": "these bytes stay", "_headers": "/*\n  X-Kept: yes\n"}))
	remembered, _ := b.Observe(context.Background())
	place := func(content string) string { d := digest(content); return filepath.Join(dir, d[:2], d[2:]) }
	if err := os.Remove(place("these bytes go missing")); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(place("these bytes are cut"), 5); err != nil {
		t.Fatal(err)
	}

	again := newBench(t, edge.Config{Blobs: openBlobs(t, dir)})
	st, err := again.Stage(context.Background(), edge.Desired{Revision: "r1", Objects: remembered})
	if err != nil {
		t.Fatal(err)
	}
	faults := st.Faults()
	if len(faults) != 2 || faults[0].Addr != "app.gone" || faults[1].Addr != "app.short" {
		t.Errorf("%v", faults)
	}
	st.Publish(41)
	w := again.get("http://well.example.com/")
	if w.Body.String() != "these bytes stay" || w.Header().Get("X-Kept") != "yes" || w.Header().Get("Fazt-Revision") != "r1" {
		t.Errorf("%v %s", w.Header(), w.Body)
	}
	// With a source at hand the same manifest heals.
	again.tree = b.tree
	again.publish("r1", remembered...)
	if w := again.get("http://short.example.com/"); w.Body.String() != "these bytes are cut" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if read := again.asked(); !slices.Equal(read, []string{"app.gone/index.html", "app.short/index.html"}) {
		t.Errorf("read %q", read)
	}
}

func TestWhatConcernsAllFailsTheStage(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, edge.Config{Blobs: openBlobs(t, dir)})
	b.publish("r1", b.app("a", "r1", spec.App{}, files{"index.html": "old"}))
	desired := edge.Desired{Revision: "r2", Files: b.open, Objects: []spec.Object{b.app("a", "r2", spec.App{}, files{"index.html": "new"})}}

	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := b.Stage(cancelled, desired); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	badEdge := desired
	badEdge.Objects = append([]spec.Object{object(spec.KindEdge, "edge", spec.Edge{TrustedProxies: []string{"10.0.0.0/99"}})}, desired.Objects...)
	if _, err := b.Stage(context.Background(), badEdge); fault.KindOf(err) != fault.Invalid {
		t.Errorf("edge: %v", err)
	}
	twice := desired
	twice.Objects = append(desired.Objects, desired.Objects...)
	if _, err := b.Stage(context.Background(), twice); fault.KindOf(err) != fault.Invalid {
		t.Errorf("twice: %v", err)
	}
	if err := os.RemoveAll(dir); err != nil { // a disk that is gone, also for root
		t.Fatal(err)
	}
	if _, err := b.Stage(context.Background(), desired); err == nil {
		t.Error("staged onto a disk that is gone")
	}
	if got := b.Stats(); got != (edge.Stats{Snapshots: 1, Leases: 1}) {
		t.Errorf("failed stages left %+v", got)
	}
}

// A source that never ends is cut off at the size its manifest promised.
func TestAFileIsReadNoFurtherThanItsManifestSays(t *testing.T) {
	b := newBench(t, edge.Config{})
	endless := &counting{}
	st, err := b.Stage(context.Background(), edge.Desired{
		Revision: "r1",
		Objects:  []spec.Object{b.app("a", "r1", spec.App{}, files{"index.html": "ten bytes."})},
		Files:    func(spec.Object, string) (io.ReadCloser, error) { return endless, nil },
	})
	if err != nil || len(st.Faults()) != 1 {
		t.Fatalf("%v, %v", err, st)
	}
	if endless.read > 11 {
		t.Errorf("read %d bytes of a file of 10", endless.read)
	}
	if !endless.closed {
		t.Error("the source is left open")
	}
}

type counting struct {
	read   int
	closed bool
}

func (c *counting) Read(p []byte) (int, error) { c.read += len(p); return len(p), nil }
func (c *counting) Close() error               { c.closed = true; return nil }
