package edge_test

import (
	"context"
	"errors"
	"io/fs"
	"testing"
	"testing/fstest"
	"time"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/spec"
)

// An app that is never well is given up when its stage is overtaken, for the
// reason that is given and however long it might still be asked. The rest of the
// stage is as it would be without it.
func TestAStageThatIsOvertakenGivesUpWhatIsNotProven(t *testing.T) {
	b := newBench(t, edge.Config{})
	b.publish("r1", b.app("ill", "r1", spec.App{}, files{"index.html": "old"}), b.app("well", "r1", spec.App{}, files{"index.html": "old"}))
	overtaken := errors.New("something newer came")
	day := spec.App{Health: &spec.Health{Path: "/missing", DeadlineMS: 24 * 3600 * 1000}}
	next := edge.Desired{
		Revision: "r2", Files: b.open, Folder: func(spec.Object) (fs.FS, error) { return fstest.MapFS{}, nil },
		Objects:   []spec.Object{b.app("ill", "r2", day, files{"index.html": "new"}), b.app("well", "r2", spec.App{}, files{"index.html": "new"})},
		Overtaken: func(context.Context) error { return overtaken },
	}
	st, err := b.Stage(t.Context(), next)
	if err != nil {
		t.Fatal(err)
	}
	if faults := st.Faults(); len(faults) != 1 || faults[0].Addr != "app.ill" || !errors.Is(faults[0].Err, overtaken) {
		t.Errorf("faults %+v", faults)
	}
	st.Publish(2)
	for host, want := range map[string]string{"ill": "old", "well": "new"} {
		if got := b.get("http://" + host + ".example.com/").Body.String(); got != want {
			t.Errorf("%s says %q", host, got)
		}
	}

	ctx, stop := context.WithCancel(t.Context())
	next.Overtaken = func(ctx context.Context) error { stop(); <-ctx.Done(); return nil }
	if _, err := b.Stage(ctx, next); !errors.Is(err, context.Canceled) {
		t.Errorf("a stage that is stopped ends with %v", err)
	}
}

// A release that is new goes on being watched after a restart, for what is left.
func TestWatchingGoesOnAfterBoot(t *testing.T) {
	b := newBench(t, edge.Config{})
	well := spec.App{Health: &spec.Health{Path: "/", WindowMS: 60_000}}
	young, old := b.app("young", "r1", well, files{"index.html": "a"}), b.app("old", "r1", well, files{"index.html": "a"})
	st, err := b.Stage(t.Context(), edge.Desired{
		Revision: "r1", Files: b.open, Objects: []spec.Object{old, young, b.app("ripe", "r1", well, files{"index.html": "a"})},
		Ages: map[spec.Addr]time.Duration{"app.young": 20 * time.Second, "app.old": time.Hour},
	})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	st.Publish(1)
	list := b.Watched(time.Now())
	if len(list) != 1 || list[0].Addr != young.Addr || !list[0].Reverts || list[0].Until.Sub(began) > 40*time.Second {
		t.Errorf("watched %+v", list)
	}
}
