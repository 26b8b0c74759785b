package reconcile_test

import (
	"context"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile"
	"github.com/fazt-sh/fazt/spec"
)

// clinic takes what is fetched again.
type clinic struct {
	mu     sync.Mutex
	mended []string // paths; guarded by mu
	err    error    // guarded by mu
}

func (c *clinic) mend(_ context.Context, f spec.File, from io.Reader) error {
	text, err := io.ReadAll(from)
	if err != nil || hash(string(text))[:40] != f.ID {
		return fault.New(fault.Invalid, "%s holds other bytes: %v", f.Path, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.mended = append(c.mended, f.Path)
	}
	return c.err
}

func (c *clinic) set(err error) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	return slices.Clone(c.mended)
}

// file is the first file of an app in service.
func (r *rig) file(t *testing.T, addr spec.Addr) spec.File {
	t.Helper()
	served, err := r.edge.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(served, func(o spec.Object) bool { return o.Addr == addr })
	return served[i].Content.Files[0]
}

// TestDamagedFileIsFetchedAgain: from the revision its release was made of, also
// while that app is held back and the newest revision is another; nothing that
// is served changes, and no generation is made.
func TestDamagedFileIsFetchedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, c := build(), &clinic{}
		r.repo.push(commit(apps("a", "b"), "one"))
		conf := r.config()
		conf.Mend = c.mend
		r.start(t, conf)
		defer r.end()
		if _, err := r.loop.Adjust(t.Context(), reconcile.Adjustment{Hold: []reconcile.Hold{{Kind: reconcile.Paused, Addr: "app.a"}}, Trigger: "pause"}); err != nil {
			t.Fatal(err)
		}
		r.repo.push(commit(apps("a", "b"), "two"))
		r.sync(t)
		generation, f := r.loop.Status().Generation, r.file(t, "app.a")

		c.set(fault.New(fault.Exhausted, "the disk is full"))
		r.loop.Damaged(f.Blob)
		synctest.Wait()
		want := []reconcile.Damage{{Addr: "app.a", Path: f.Path}}
		if got := r.loop.Status().Damaged; !slices.Equal(got, want) {
			t.Errorf("damaged are %v, want %v", got, want)
		}
		fetched := r.repo.count()
		r.loop.Damaged(f.Blob) // each visitor says so
		synctest.Wait()
		if r.repo.count() != fetched {
			t.Error("a file that cannot be fetched sets off a pass for each visitor")
		}
		if mended := c.set(nil); len(mended) > 0 {
			t.Fatalf("mended %v", mended)
		}
		r.sync(t)
		if mended := c.set(nil); !slices.Equal(mended, []string{f.Path}) || len(r.loop.Status().Damaged) > 0 {
			t.Errorf("mended %v, left %v", mended, r.loop.Status().Damaged)
		}
		r.loop.Damaged("served by nobody")
		synctest.Wait()
		if s := r.loop.Status(); len(s.Damaged) > 0 || s.Generation != generation {
			t.Errorf("generation %d, damaged %v", s.Generation, s.Damaged)
		}
	})
}

// TestDamagedFileWithoutRepository: the status has it until the folder is
// applied again, although that changes nothing.
func TestDamagedFileWithoutRepository(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, c := build(), &clinic{}
		conf := r.config()
		conf.Source, conf.Mend = nil, c.mend
		r.start(t, conf)
		defer r.end()
		again := reconcile.ApplyRequest{Artifact: commit(apps("a", "b"), "one"), Actor: "local:0"}
		if _, err := r.loop.Apply(t.Context(), again); err != nil {
			t.Fatal(err)
		}
		r.loop.Damaged(r.file(t, "app.b").Blob)
		synctest.Wait()
		if got := r.loop.Status().Damaged; len(got) == 0 || got[len(got)-1].Addr != "app.b" {
			t.Fatalf("damaged are %v", got)
		}
		result, err := r.loop.Apply(t.Context(), again)
		if err != nil || result.Outcome != reconcile.Unchanged || len(c.set(nil)) != 1 || len(r.loop.Status().Damaged) > 0 {
			t.Errorf("%+v, %v, left %v", result, err, r.loop.Status().Damaged)
		}
	})
}
