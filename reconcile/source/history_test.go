package source_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile/source"
)

// gits are the kinds of source that have history.
func gits() map[string]func(t testing.TB, o *origin) source.GitConfig {
	return map[string]func(t testing.TB, o *origin) source.GitConfig{
		"local": func(_ testing.TB, o *origin) source.GitConfig { return source.GitConfig{URL: o.dir} },
		"https": func(t testing.TB, o *origin) source.GitConfig { return serve(t, o, nil).config(t) },
		"ssh":   func(t testing.TB, o *origin) source.GitConfig { return serveSSH(t).config(t, o) },
	}
}

func everyGit(t *testing.T, law func(t *testing.T, o *origin, c source.GitConfig)) {
	for name, config := range gits() {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			law(t, o, config(t, o))
		})
	}
}

// Whoever accepts a rewritten history names it as a further base. It is any of
// them that the head must come after, in whatever order.
func TestAnyBaseWillDo(t *testing.T) {
	everyGit(t, func(t *testing.T, o *origin, c source.GitConfig) {
		base := o.commit("base", map[string]string{"a.txt": "a"})
		applied := o.commit("applied", map[string]string{"a.txt": "b"})
		g := openGit(t, c)
		mustFetch(t, g, "")
		o.run("reset", "-q", "--hard", base)
		other := o.commit("other", map[string]string{"a.txt": "c"})

		_, err := g.Fetch(t.Context(), applied)
		wantFault(t, err, fault.Conflict, "was rewritten", "fazt approve "+other[:12])
		wantCode(t, err, "F2201")
		for _, bases := range [][]string{{applied, other}, {other, applied}, {"", other}, {applied, base}, {}, {""}, {"dir:0123456789ab", ""}} {
			if a, err := g.Fetch(t.Context(), bases...); err != nil || a.Revision != other {
				t.Errorf("bases %q: %s, %v", bases, a.Revision, err)
			}
		}
		next := o.commit("next", map[string]string{"a.txt": "d"})
		if a, err := g.Fetch(t.Context(), applied, other); err != nil || a.Revision != next {
			t.Errorf("after the accepted one: %s, %v", a.Revision, err)
		}
		_, err = g.Fetch(t.Context(), applied, strings.Repeat("ab", 20))
		wantFault(t, err, fault.Conflict, "was rewritten")
	})
}

// A source that may be rewritten takes whatever its branch says; what was applied
// stays readable.
func TestRewrittenHistoryMayBeFollowed(t *testing.T) {
	everyGit(t, func(t *testing.T, o *origin, c source.GitConfig) {
		applied := o.commit("applied", map[string]string{"a.txt": "a"})
		c.Rewritten = true
		g := openGit(t, c)
		mustFetch(t, g, "")
		o.run("checkout", "-q", "--orphan", "fresh")
		other := o.commit("other", map[string]string{"a.txt": "b"})
		o.run("branch", "-M", "main")
		if a, err := g.Fetch(t.Context(), applied); err != nil || a.Revision != other {
			t.Errorf("%s, %v", a.Revision, err)
		}
		if a, err := g.At(t.Context(), applied); err != nil || a.Revision != applied {
			t.Errorf("what was applied: %s, %v", a.Revision, err)
		}
	})
}

// Who is to accept a rewritten history is told by its name.
func TestARefusedHeadIsNamed(t *testing.T) {
	everyGit(t, func(t *testing.T, o *origin, c source.GitConfig) {
		applied := o.commit("applied", map[string]string{"a.txt": "a"})
		g := openGit(t, c)
		mustFetch(t, g, "")
		o.run("checkout", "-q", "--orphan", "fresh")
		other := o.commit("other", map[string]string{"a.txt": "b"})
		o.run("branch", "-M", "main")
		if _, err := g.Fetch(t.Context(), applied); !strings.Contains(fault.HintOf(err), "fazt approve "+other[:12]) {
			t.Errorf("%v, %s", err, fault.HintOf(err))
		}
	})
}

// A base behind the end of a shallow history is not known to be one.
func TestCutHistoryIsNotTakenForARewrittenOne(t *testing.T) {
	o := newOrigin(t)
	old := o.commit("old", map[string]string{"a.txt": "a"})
	o.commit("middle", map[string]string{"a.txt": "b"})
	head := o.commit("head", map[string]string{"a.txt": "c"})
	shallow := filepath.Join(t.TempDir(), "shallow")
	o.run("clone", "-q", "--depth", "1", "file://"+o.dir, shallow)
	cut := &origin{t, shallow}
	everyCut := map[string]source.GitConfig{"local": {URL: cut.dir}, "ssh": serveSSH(t).config(t, &origin{t, cut.dir})}
	for name, c := range everyCut {
		t.Run(name, func(t *testing.T) {
			cut.run("reset", "-q", "--hard", head)
			g := openGit(t, c)
			_, err := g.Fetch(t.Context(), old)
			wantFault(t, err, fault.Conflict, "cut short", "fazt approve "+head[:12])
			wantCode(t, err, "F2204")
			if a, err := g.Fetch(t.Context(), old, head); err != nil || a.Revision != head {
				t.Errorf("accepted: %s, %v", a.Revision, err)
			}
			// What comes after the cut is decided.
			next := cut.commit("next", map[string]string{"a.txt": "d"})
			mustFetch(t, g, head)
			cut.run("reset", "-q", "--hard", head)
			cut.commit("other", map[string]string{"a.txt": "e"})
			_, err = g.Fetch(t.Context(), next)
			wantCode(t, err, "F2201")
		})
	}
}

func TestLastChangeIsTheCommitThatMadeAPathWhatItIs(t *testing.T) {
	everyGit(t, func(t *testing.T, o *origin, c source.GitConfig) {
		first := o.commit("first", map[string]string{"apps/a/x.txt": "1", "apps/a/same.txt": "same", "apps/b/x.txt": "1"})
		changed := o.commit("change b", map[string]string{"apps/b/x.txt": "2"})
		g := openGit(t, c)
		mustFetch(t, g, "") // so the commits in between come as one copy
		o.run("checkout", "-q", "-b", "side")
		o.commit("on the side", map[string]string{"apps/a/x.txt": "3"})
		o.run("checkout", "-q", "main")
		o.run("merge", "-q", "--no-ff", "-m", "merge", "side")
		merged := o.run("rev-parse", "HEAD")
		mode := o.commit("unrelated", map[string]string{"other.txt": "x"})
		mustFetch(t, g, "")
		for path, want := range map[string]string{
			"apps/a/x.txt": merged, "apps/a": merged, "apps": merged, "apps/b/x.txt": changed, "apps/b": changed,
			"apps/a/same.txt": first, "other.txt": mode, ".": mode, "": mode, "apps/b/": changed,
		} {
			got, err := g.LastChange(t.Context(), mode[:12], path)
			if err != nil || got.Revision != want {
				t.Errorf("%q: %.12s %q, %v; want %.12s", path, got.Revision, got.Subject, err, want)
			}
		}
		got, err := g.LastChange(t.Context(), changed, "apps/a/x.txt")
		if err != nil || got.Revision != first || got.Author != "Asha <asha@example.com>" || got.Subject != "first" || got.Time.IsZero() {
			t.Errorf("at the earlier revision: %+v, %v", got, err)
		}
		for _, path := range []string{"nowhere", "apps/a/x.txt/below", "../x"} {
			_, err := g.LastChange(t.Context(), mode, path)
			wantFault(t, err, fault.NotFound, "has no")
		}
		_, err = g.LastChange(t.Context(), strings.Repeat("ab", 20), ".")
		wantFault(t, err, fault.NotFound, "no commit")
	})
}

func TestLastChangeNamesTheEndOfAShallowHistory(t *testing.T) {
	o := newOrigin(t)
	for i := range 4 {
		o.commit(fmt.Sprint(i), map[string]string{"a.txt": fmt.Sprint(i), "same.txt": "same"})
	}
	shallow := filepath.Join(t.TempDir(), "shallow")
	o.run("clone", "-q", "--depth", "2", "file://"+o.dir, shallow)
	g := openGit(t, source.GitConfig{URL: shallow})
	a := mustFetch(t, g, "")
	if got, err := g.LastChange(t.Context(), a.Revision, "a.txt"); err != nil || got.Revision != a.Revision {
		t.Errorf("%+v, %v", got, err)
	}
	_, err := g.LastChange(t.Context(), a.Revision, "same.txt")
	wantFault(t, err, fault.NotFound, "is cut", o.run("rev-parse", "HEAD~1")[:12])
}
