package queue_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/queue"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// rig is a store with what an app would see of it.
type rig struct {
	*queue.Store
	db *sqlite.DB
}

func open(t testing.TB, path string, o queue.Options, queues []queue.Queue, schedules ...queue.Schedule) rig {
	t.Helper()
	db, err := sqlite.Open(context.Background(), path, sqlite.Options{Reserved: "fazt_", Durability: sqlite.Normal})
	if err != nil {
		t.Fatal(err)
	}
	s, err := queue.Open(context.Background(), db, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Declare(context.Background(), queues, schedules); err != nil {
		t.Fatal(err)
	}
	return rig{s, db}
}

func (r rig) close(t testing.TB) {
	t.Helper()
	if err := r.db.Close(); err != nil {
		t.Error(err)
	}
}

// during runs the store while fn runs, in a bubble of time.
func (r rig) during(t testing.TB, deliver queue.Deliver, fn func()) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := r.Run(ctx, deliver); err != nil {
			t.Error(err)
		}
	})
	fn()
	stop()
	wg.Wait()
}

func (r rig) send(t testing.TB, name string, bodies ...string) {
	t.Helper()
	for _, b := range bodies {
		if _, err := r.Send(context.Background(), name, queue.Message{Body: []byte(b)}); err != nil {
			t.Fatal(err)
		}
	}
}

func (r rig) status(t testing.TB, name string) queue.Status {
	t.Helper()
	list, err := r.Queues(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		if s.Queue == name {
			return s
		}
	}
	return queue.Status{}
}

// log keeps what was delivered.
type log struct {
	mu    sync.Mutex
	lines []string
}

func (l *log) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

func (l *log) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer func() { l.lines = nil }()
	return strings.Join(l.lines, " ")
}

// bodies writes down what comes and takes it.
func (l *log) bodies(_ context.Context, d queue.Delivery) (queue.Answer, error) {
	for _, j := range d.Batch.Jobs {
		l.add("%s", j.Body)
	}
	return queue.Answer{}, nil
}

var mail = []queue.Queue{{Name: "MAIL"}}

// Jobs come in the order they were sent, those of a higher priority first, those
// with a delay when it is over, in batches; and are gone.
func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, filepath.Join(t.TempDir(), "data.db"), queue.Options{}, []queue.Queue{{Name: "MAIL", Batch: 3}})
		defer r.close(t)
		if _, err := r.Send(t.Context(), "MAIL",
			queue.Message{Body: []byte("a")},
			queue.Message{Body: []byte("b")},
			queue.Message{Body: []byte("late"), Delay: time.Hour, Priority: 9},
			queue.Message{Body: []byte("first"), Priority: 1},
			queue.Message{Body: []byte("last"), Priority: -1},
			queue.Message{Body: []byte("c")},
		); err != nil {
			t.Fatal(err)
		}
		var seen log
		r.during(t, func(ctx context.Context, d queue.Delivery) (queue.Answer, error) {
			seen.add("%s:", d.Batch.Queue)
			return seen.bodies(ctx, d)
		}, func() {
			synctest.Wait()
			time.Sleep(59 * time.Minute)
			if got := seen.take(); got != "MAIL: first a b MAIL: c last" {
				t.Errorf("%q", got)
			}
			time.Sleep(2 * time.Minute)
			if got := seen.take(); got != "MAIL: late" {
				t.Errorf("later %q", got)
			}
			r.send(t, "MAIL", "d")
			time.Sleep(time.Second)
			if got := seen.take(); got != "MAIL: d" {
				t.Errorf("then %q", got)
			}
		})
		if s := r.status(t, "MAIL"); s != (queue.Status{Queue: "MAIL", Declared: true}) {
			t.Errorf("%+v", s)
		}
	})
}

// What fails is tried again, later and later, then it lies among the dead, from
// where it can be taken up or thrown away.
func TestRetriesAndTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, filepath.Join(t.TempDir(), "data.db"), queue.Options{Jitter: func() float64 { return 1 }},
			[]queue.Queue{{Name: "MAIL", Retries: 3, Batch: 1}, {Name: "ONCE", Retries: -1}})
		defer r.close(t)
		r.send(t, "MAIL", "bad", "good")
		r.send(t, "ONCE", "bad")
		began := time.Now()
		var seen log
		deliver := func(_ context.Context, d queue.Delivery) (queue.Answer, error) {
			for _, j := range d.Batch.Jobs {
				seen.add("%s%d@%d", j.Body, j.Attempts, int(time.Since(began).Seconds()))
				if string(j.Body) == "bad" {
					return queue.Answer{}, errors.New("no")
				}
			}
			return queue.Answer{}, nil
		}
		r.during(t, deliver, func() {
			time.Sleep(24 * time.Hour)
			got := strings.Fields(seen.take())
			slices.Sort(got)
			if strings.Join(got, " ") != "bad1@0 bad1@0 bad2@5 bad3@20 bad4@65 good1@0" {
				t.Errorf("%q", got)
			}
			dead, err := r.Jobs(t.Context(), "MAIL", "dead", 0, 10)
			if err != nil || len(dead) != 1 || dead[0].Attempts != 4 || dead[0].Error != "no" || string(dead[0].Body) != "bad" || dead[0].Due.IsZero() {
				t.Fatalf("%+v, %v", dead, err)
			}
			if s := r.status(t, "MAIL"); s.Dead != 1 || s.Ready+s.Delayed+s.Running != 0 || !s.Oldest.IsZero() {
				t.Errorf("%+v", s)
			}
			if n, err := r.Retry(t.Context(), "MAIL", dead[0].ID); n != 1 || err != nil {
				t.Error(n, err)
			}
			time.Sleep(24 * time.Hour)
			if got := strings.Fields(seen.take()); len(got) != 4 {
				t.Errorf("again %q", got)
			}
			if n, err := r.Purge(t.Context(), "MAIL", 0); n != 0 || err != nil {
				t.Error(n, err)
			}
			if n, err := r.Purge(t.Context(), "MAIL"); n != 1 || err != nil {
				t.Error(n, err)
			}
			if r.status(t, "MAIL").Dead != 0 || r.status(t, "ONCE").Dead != 1 {
				t.Error("the wrong ones were purged")
			}
		})
	})
}

// The app decides for each job of a batch.
func TestAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, filepath.Join(t.TempDir(), "data.db"), queue.Options{Jitter: func() float64 { return 0 }}, mail)
		defer r.close(t)
		r.send(t, "MAIL", "ack", "retry", "wait", "rest")
		began := time.Now()
		var seen log
		r.during(t, func(_ context.Context, d queue.Delivery) (queue.Answer, error) {
			a := queue.Answer{Retry: map[int64]time.Duration{}}
			for _, j := range d.Batch.Jobs {
				seen.add("%s@%d", j.Body, int(time.Since(began).Seconds()))
				if j.Attempts > 1 {
					continue
				}
				switch string(j.Body) {
				case "ack":
					a.Ack = append(a.Ack, j.ID)
				case "retry":
					a.Retry[j.ID] = queue.Backoff
				case "wait":
					a.Retry[j.ID] = time.Minute
				}
			}
			if len(d.Batch.Jobs) == 4 {
				return a, errors.New("the handler threw, having taken one")
			}
			return a, nil
		}, func() { time.Sleep(time.Hour) })
		if got := seen.take(); got != "ack@0 retry@0 wait@0 rest@0 retry@2 rest@2 wait@60" {
			t.Errorf("%q", got)
		}
	})
}

// An app that cannot be called, and a node that stops, cost no attempt.
func TestUndelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, filepath.Join(t.TempDir(), "data.db"), queue.Options{}, []queue.Queue{{Name: "MAIL", Retries: -1}})
		defer r.close(t)
		r.send(t, "MAIL", "a")
		r.during(t, func(context.Context, queue.Delivery) (queue.Answer, error) {
			return queue.Answer{}, fault.New(fault.Unavailable, "no room")
		}, func() { time.Sleep(time.Hour) })
		r.during(t, func(ctx context.Context, _ queue.Delivery) (queue.Answer, error) {
			<-ctx.Done()
			return queue.Answer{}, ctx.Err()
		}, func() { time.Sleep(time.Minute) })
		if s := r.status(t, "MAIL"); s.Dead != 0 || s.Running != 0 {
			t.Errorf("%+v", s)
		}
		var seen log
		r.during(t, seen.bodies, func() { time.Sleep(time.Minute) })
		if got := seen.take(); got != "a" {
			t.Errorf("%q", got)
		}
	})
}

// A delivery that does not end is ended with its lease, and counts.
func TestLeaseEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, filepath.Join(t.TempDir(), "data.db"), queue.Options{}, []queue.Queue{{Name: "MAIL", Retries: 1, Lease: time.Minute}})
		defer r.close(t)
		r.send(t, "MAIL", "a")
		var seen log
		r.during(t, func(ctx context.Context, d queue.Delivery) (queue.Answer, error) {
			seen.add("%d", d.Batch.Jobs[0].Attempts)
			<-ctx.Done()
			return queue.Answer{}, ctx.Err()
		}, func() { time.Sleep(time.Hour) })
		if got := seen.take(); got != "1 2" || r.status(t, "MAIL").Dead != 1 {
			t.Errorf("%q, %+v", got, r.status(t, "MAIL"))
		}
	})
}

// A key is one job at a time.
func TestKeys(t *testing.T) {
	r := open(t, filepath.Join(t.TempDir(), "data.db"), queue.Options{}, []queue.Queue{{Name: "MAIL"}, {Name: "OTHER"}})
	defer r.close(t)
	send := func(name, key string) int64 {
		t.Helper()
		ids, err := r.Send(t.Context(), name, queue.Message{Key: key})
		if err != nil || len(ids) != 1 {
			t.Fatal(ids, err)
		}
		return ids[0]
	}
	first := send("MAIL", "k")
	if again := send("MAIL", "k"); again != first {
		t.Errorf("%d beside %d", again, first)
	}
	if other := send("OTHER", "k"); other == first {
		t.Error("a key counts in its queue")
	}
	if a, b := send("MAIL", ""), send("MAIL", ""); a == b {
		t.Error("no key is no key")
	}
	synctest.Test(t, func(t *testing.T) {
		var seen log
		r := open(t, filepath.Join(t.TempDir(), "data.db"), queue.Options{}, mail)
		defer r.close(t)
		r.during(t, seen.bodies, func() {
			for range 3 { // done, so it may come again
				r.Send(t.Context(), "MAIL", queue.Message{Body: []byte("x"), Key: "k"})
				time.Sleep(time.Second)
			}
		})
		if got := seen.take(); got != "x x x" {
			t.Errorf("%q", got)
		}
	})
}

// A job in a transaction of the caller exists if that does.
func TestPut(t *testing.T) {
	r := open(t, filepath.Join(t.TempDir(), "data.db"), queue.Options{}, mail)
	defer r.close(t)
	no := errors.New("no")
	for _, end := range []error{no, nil} {
		if err := r.db.Write(t.Context(), func(tx *sqlite.Tx) error {
			_, err := r.Put(tx, "MAIL", queue.Message{Body: []byte("x")})
			return errors.Join(err, end)
		}); !errors.Is(err, end) {
			t.Error(err)
		}
	}
	if s := r.status(t, "MAIL"); s.Ready != 1 {
		t.Errorf("%+v", s)
	}
}

// What is out of bounds, and what guests must not touch.
func TestRefused(t *testing.T) {
	r := open(t, filepath.Join(t.TempDir(), "data.db"), queue.Options{}, mail, queue.Schedule{Name: "digest", Spec: "@daily"})
	defer r.close(t)
	for want, m := range map[string]queue.Message{
		"body": {Body: make([]byte, 300<<10)}, "delay": {Delay: 1000 * 24 * time.Hour}, "past": {Delay: -1}, "key": {Key: strings.Repeat("k", 600)},
	} {
		if _, err := r.Send(t.Context(), "MAIL", queue.Message{}, m); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, err := r.Send(t.Context(), "NONE", queue.Message{}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("no such queue: %v", err)
	}
	if _, err := r.Send(t.Context(), "MAIL", make([]queue.Message, 1001)...); fault.KindOf(err) != fault.Invalid {
		t.Errorf("too many: %v", err)
	}
	if _, err := r.Jobs(t.Context(), "MAIL", "odd", 0, 1); fault.KindOf(err) != fault.Invalid {
		t.Errorf("no such state: %v", err)
	}
	if err := r.Trigger(t.Context(), "none"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("no such schedule: %v", err)
	}
	for _, c := range []queue.Schedule{{Name: "x", Spec: "no"}, {Name: "x", Spec: "@daily", Zone: "no"}, {Name: "", Spec: "@daily"}} {
		if err := r.Declare(t.Context(), nil, []queue.Schedule{c}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if plans, err := r.Schedules(t.Context()); err != nil || len(plans) != 1 || r.status(t, "MAIL").Ready != 0 {
		t.Errorf("a refusal left something behind: %+v, %v", plans, err)
	}
	for _, q := range []string{`SELECT * FROM fazt_job`, `DELETE FROM fazt_run`, `UPDATE fazt_schedule SET next = 0`, `SELECT * FROM fazt_migration_queue`} {
		if err := r.db.Write(t.Context(), func(tx *sqlite.Tx) error {
			_, err := tx.Guest().Exec(q)
			return err
		}); fault.KindOf(err) != fault.Forbidden {
			t.Errorf("%s: %v", q, err)
		}
	}
}

// Jobs of a queue that the app no longer has wait for it to come back.
func TestUndeclaredQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, filepath.Join(t.TempDir(), "data.db"), queue.Options{}, mail)
		defer r.close(t)
		r.send(t, "MAIL", "a")
		var seen log
		if err := r.Declare(t.Context(), nil, nil); err != nil {
			t.Fatal(err)
		}
		r.during(t, seen.bodies, func() {
			time.Sleep(time.Hour)
			if s := r.status(t, "MAIL"); seen.take() != "" || s.Ready != 1 || s.Declared {
				t.Errorf("%+v", s)
			}
			if err := r.Declare(t.Context(), mail, nil); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		})
		if got := seen.take(); got != "a" {
			t.Errorf("%q", got)
		}
	})
}

// As many deliveries at once as the queue says, and a slow queue holds no other
// one up.
func TestParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, filepath.Join(t.TempDir(), "data.db"), queue.Options{}, []queue.Queue{{Name: "SLOW", Batch: 1, Parallel: 3}, {Name: "MAIL"}})
		defer r.close(t)
		r.send(t, "SLOW", "a", "b", "c", "d", "e", "f", "g")
		var seen log
		now, most := 0, 0
		var mu sync.Mutex
		r.during(t, func(ctx context.Context, d queue.Delivery) (queue.Answer, error) {
			if d.Batch.Queue == "MAIL" {
				return seen.bodies(ctx, d)
			}
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(time.Minute)
			mu.Lock()
			now--
			mu.Unlock()
			return queue.Answer{}, nil
		}, func() {
			time.Sleep(time.Second)
			r.send(t, "MAIL", "x")
			time.Sleep(time.Second)
			if got := seen.take(); got != "x" {
				t.Errorf("%q", got)
			}
			time.Sleep(3 * time.Minute)
		})
		if s := r.status(t, "SLOW"); most != 3 || s.Ready+s.Running != 0 {
			t.Errorf("%d at once, %+v", most, s)
		}
	})
}

// A queue says how long to wait before the second attempt, and how long what failed
// for good is kept.
func TestPauseAndKeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mail := queue.Queue{Name: "MAIL", Retries: 1, Pause: 10 * time.Minute, Keep: 24 * time.Hour}
		r := open(t, filepath.Join(t.TempDir(), "data.db"), queue.Options{Jitter: func() float64 { return 1 }}, []queue.Queue{mail})
		defer r.close(t)
		began := time.Now()
		var seen log
		fail := func(_ context.Context, d queue.Delivery) (queue.Answer, error) {
			seen.add("%s@%d", d.Batch.Jobs[0].Body, int(time.Since(began).Minutes()))
			return queue.Answer{}, errors.New("no")
		}
		r.send(t, "MAIL", "old")
		r.during(t, fail, func() { time.Sleep(time.Hour) })
		if got := seen.take(); got != "old@0 old@10" {
			t.Errorf("%q", got)
		}
		time.Sleep(25 * time.Hour)
		if s := r.status(t, "MAIL"); s.Dead != 1 {
			t.Errorf("before anything happens: %+v", s)
		}
		r.send(t, "MAIL", "new")
		r.during(t, fail, func() { time.Sleep(time.Hour) })
		if s := r.status(t, "MAIL"); s.Dead != 1 {
			t.Errorf("the old one is still there: %+v", s)
		}
	})
}
