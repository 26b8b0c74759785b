package queue_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/queue"
)

// Once does what is ready in one queue and returns: what waits for its moment stays,
// unless it is asked for, and other queues are not touched.
func TestOnce(t *testing.T) {
	ctx := context.Background()
	r := open(t, filepath.Join(t.TempDir(), "jobs.db"), queue.Options{}, []queue.Queue{{Name: "mail", Batch: 2}, {Name: "other"}})
	defer r.close(t)
	r.send(t, "mail", `"a"`, `"b"`, `"c"`)
	r.send(t, "other", `"x"`)
	if _, err := r.Send(ctx, "mail", queue.Message{Body: []byte(`"later"`), Delay: time.Hour}); err != nil {
		t.Fatal(err)
	}
	var took [][]string
	again := func(_ context.Context, d queue.Delivery) (a queue.Answer, err error) {
		var bodies []string
		a.Retry = map[int64]time.Duration{}
		for _, j := range d.Batch.Jobs {
			if bodies = append(bodies, string(j.Body)); string(j.Body) == `"b"` && j.Attempts == 1 {
				a.Retry[j.ID] = queue.Backoff
			}
		}
		took = append(took, bodies)
		return a, nil
	}
	for _, step := range []struct {
		delayed bool
		want    [][]string
	}{
		{false, [][]string{{`"a"`, `"b"`}, {`"c"`}}},
		{false, nil},
		{true, [][]string{{`"b"`, `"later"`}}},
		{true, nil},
	} {
		took = nil
		ids, err := r.Once(ctx, "mail", step.delayed, again)
		if err != nil || !slices.EqualFunc(took, step.want, slices.Equal) || len(ids) != len(slices.Concat(step.want...)) {
			t.Errorf("Once, delayed %v: %q, %d ids, %v; want %q", step.delayed, took, len(ids), err, step.want)
		}
	}
	if s := r.status(t, "other"); s.Ready != 1 {
		t.Errorf("the other queue holds %+v", s)
	}
	if _, err := r.Once(ctx, "none", false, again); err == nil {
		t.Error("a queue that nobody declared was delivered")
	}
}
