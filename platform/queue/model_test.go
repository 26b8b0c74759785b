package queue_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/queue"
)

// fate is what happens at one attempt of a job.
type fate string

// book is what the world outside knows of the jobs.
type book struct {
	mu       sync.Mutex
	fates    map[int64][]fate
	attempts map[int64]int
	over     map[int64]bool // taken by the app
	wrong    []string
}

func (b *book) deliver(ctx context.Context, d queue.Delivery) (queue.Answer, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := queue.Answer{Retry: map[int64]time.Duration{}}
	var err error
	var hang bool
	for _, j := range d.Batch.Jobs {
		if b.over[j.ID] {
			b.wrong = append(b.wrong, fmt.Sprintf("job %d came again though it was taken", j.ID))
		}
		b.attempts[j.ID]++
		if b.attempts[j.ID] != j.Attempts {
			b.wrong = append(b.wrong, fmt.Sprintf("attempt %d of job %d calls itself %d", b.attempts[j.ID], j.ID, j.Attempts))
		}
		next := fate("ack")
		if left := b.fates[j.ID]; len(left) > 0 {
			next, b.fates[j.ID] = left[0], left[1:]
		}
		switch next {
		case "fail", "hang":
			err = errors.New("no")
			hang = hang || next == "hang"
		case "again":
			a.Retry[j.ID] = time.Minute
		case "absent":
			b.attempts[j.ID]-- // as if it had not come, with all the batch: these come alone
			return a, fault.New(fault.Unavailable, "no room")
		case "ack":
			a.Ack = append(a.Ack, j.ID)
			b.over[j.ID] = true
		}
	}
	if hang {
		b.mu.Unlock()
		<-ctx.Done()
		b.mu.Lock()
		err = ctx.Err()
	}
	return a, err
}

// Whatever the app makes of its jobs, and however often the node stops, each is
// taken once, or dead after as many attempts as it has; none is lost, none comes
// again.
func TestNoJobIsLost(t *testing.T) {
	if testing.Short() {
		t.Skip("too slow under the race detector: make test runs it")
	}
	folder, n := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		path := filepath.Join(folder, fmt.Sprint(n))
		q := queue.Queue{Name: "MAIL", Retries: rapid.IntRange(1, 3).Draw(rt, "retries"), Batch: rapid.IntRange(1, 4).Draw(rt, "batch"),
			Parallel: rapid.IntRange(1, 3).Draw(rt, "parallel"), Lease: time.Minute}
		kinds := []string{"ack", "fail", "again", "hang"}
		if q.Batch == 1 {
			kinds = append(kinds, "absent")
		}
		jobs := rapid.SliceOfN(rapid.SliceOfN(rapid.SampledFrom(kinds), 0, 6), 1, 12).Draw(rt, "jobs")
		stops := rapid.SliceOfN(rapid.IntRange(1, 2000), 0, 4).Draw(rt, "stops")
		synctest.Test(t, func(t *testing.T) {
			b := &book{fates: map[int64][]fate{}, attempts: map[int64]int{}, over: map[int64]bool{}}
			r := open(t, path, queue.Options{}, []queue.Queue{q})
			defer r.close(t)
			for i, fates := range jobs {
				ids, err := r.Send(t.Context(), "MAIL", queue.Message{Delay: time.Duration(i%3) * time.Minute})
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range fates {
					b.mu.Lock()
					b.fates[ids[0]] = append(b.fates[ids[0]], fate(f))
					b.mu.Unlock()
				}
			}
			for _, seconds := range stops {
				r.during(t, b.deliver, func() { time.Sleep(time.Duration(seconds) * time.Second) })
				b.recount(t, r)
			}
			r.during(t, b.deliver, func() { time.Sleep(100 * time.Hour) })
			b.check(t, r, len(jobs), q.Retries)
		})
		if t.Failed() {
			rt.FailNow()
		}
	})
}

// recount forgets the attempts that a stop took back.
func (b *book) recount(t *testing.T, r rig) {
	t.Helper()
	jobs, err := r.Jobs(t.Context(), "MAIL", "", 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, j := range jobs {
		if j.State == "running" {
			t.Errorf("job %d runs though nothing does", j.ID)
		}
		if d := b.attempts[j.ID] - j.Attempts; d < 0 || d > 1 {
			t.Errorf("job %d has %d attempts, %d were made", j.ID, j.Attempts, b.attempts[j.ID])
		}
		b.attempts[j.ID] = j.Attempts
	}
}

func (b *book) check(t *testing.T, r rig, sent, retries int) {
	t.Helper()
	jobs, err := r.Jobs(t.Context(), "MAIL", "", 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	over := 0
	for _, taken := range b.over {
		if taken {
			over++
		}
	}
	if over+len(jobs) != sent {
		t.Errorf("%d sent, %d taken, %d there", sent, over, len(jobs))
	}
	for _, j := range jobs {
		if j.State != "dead" || j.Attempts != 1+retries || b.over[j.ID] {
			t.Errorf("%+v, taken %v", j, b.over[j.ID])
		}
	}
	for _, w := range b.wrong {
		t.Error(w)
	}
}
