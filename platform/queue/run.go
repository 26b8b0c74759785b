package queue

import (
	"context"
	"sync"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// Delivery is one call of the app: either field is set.
type Delivery struct {
	Batch *Batch
	Tick  *Tick
}

// Batch is jobs of one queue, in the order they should be done.
type Batch struct {
	Queue string
	Jobs  []Job
}

// Tick is a run of a schedule.
type Tick struct {
	Schedule, Spec string
	Due            time.Time // the moment it is for
	Manual         bool      // a person asked for it
}

// Answer says what became of the jobs of a batch. Those that it does not name are
// done if there was no error, and tried again if there was one.
type Answer struct {
	Ack   []int64                 // done
	Retry map[int64]time.Duration // try again, after the given time; Backoff leaves that to us
}

// Backoff asks for the usual pause before another attempt.
const Backoff = time.Duration(-1)

// Deliver calls the app. Its context ends with the lease of a batch. An error of
// kind Unavailable says that the app could not be called at all: that is no
// attempt. Every other one counts.
type Deliver func(context.Context, Delivery) (Answer, error)

// glance is how long Run sleeps at most before it looks at the wall clock, which
// may have been set. It asks the database only when something is due.
const glance = time.Minute

// hiccup is the pause after the database or the app could not be reached.
const hiccup = 5 * time.Second

// Run delivers jobs and runs of schedules until ctx ends, and waits for what is
// under way; what does not end well by then is given back. One Run at a time for
// a database, in all processes.
func (s *Store) Run(ctx context.Context, deliver Deliver) error {
	if err := s.keep(ctx, s.takeOver); err != nil {
		return err
	}
	r := &runner{Store: s, deliver: deliver, busy: map[string]int{}, ended: make(chan string)}
	defer r.wait()
	for {
		wake, err := r.dispatch(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			if fault.KindOf(err) == fault.Internal {
				return err
			}
			wake = s.now().Add(hiccup)
		}
		r.sleep(ctx, wake)
		if ctx.Err() != nil {
			return nil
		}
	}
}

// runner is what one Run knows. Its maps belong to the loop.
type runner struct {
	*Store
	deliver Deliver
	wg      sync.WaitGroup
	busy    map[string]int // deliveries under way by queue, and by "@" and schedule
	ended   chan string    // a key of busy
}

// wait takes the last answers.
func (r *runner) wait() {
	done := make(chan struct{})
	go func() {
		r.wg.Wait()
		close(done)
	}()
	for {
		select {
		case <-r.ended:
		case <-done:
			return
		}
	}
}

// sleep returns at the given moment, or when something has happened.
func (r *runner) sleep(ctx context.Context, wake time.Time) {
	for fell := r.now(); ; {
		now := r.now()
		if !now.Before(wake) || now.Before(fell) { // due, or set back
			return
		}
		t := time.NewTimer(min(wake.Sub(now), glance))
		select {
		case <-ctx.Done():
		case <-r.poke:
		case key := <-r.ended:
			r.busy[key]--
		case <-t.C:
			continue
		}
		t.Stop()
		return
	}
}

// dispatch begins what is due and returns when there is more.
func (r *runner) dispatch(ctx context.Context) (wake time.Time, err error) {
	for {
		select {
		case key := <-r.ended:
			r.busy[key]--
			continue
		default:
		}
		break
	}
	now := r.now()
	if err := r.db.Read(ctx, func(tx *sqlite.Tx) (err error) {
		wake, err = r.wake(tx, now)
		return err
	}); err != nil || now.Before(wake) {
		return wake, err
	}
	var due []func()
	err = r.keep(ctx, func(tx *sqlite.Tx) error {
		due = nil
		if err := promote(tx, now); err != nil {
			return err
		}
		batches, err := r.batches(ctx, tx, now)
		if err != nil {
			return err
		}
		ticks, err := r.ticks(ctx, tx, now)
		due = append(batches, ticks...)
		return err
	})
	if err != nil {
		return wake, err
	}
	for _, begin := range due {
		begin()
	}
	err = r.db.Read(ctx, func(tx *sqlite.Tx) (err error) {
		wake, err = r.wake(tx, now)
		return err
	})
	return wake, err
}

// wake returns the moment of what is next, which may be now or have passed.
func (r *runner) wake(tx *sqlite.Tx, now time.Time) (time.Time, error) {
	queues, rhythms := r.snapshot()
	wake := now.Add(maxDelay)
	earlier := func(t time.Time) {
		if t.Before(wake) {
			wake = t
		}
	}
	var due *int64
	if err := tx.QueryRow(`SELECT min(due) FROM fazt_job WHERE state = 1`).Scan(&due); err != nil {
		return wake, err
	}
	if due != nil {
		earlier(at(*due))
	}
	for name, q := range queues {
		if r.busy[name] >= q.Parallel {
			continue
		}
		var some bool
		if err := tx.QueryRow(`SELECT EXISTS (SELECT 1 FROM fazt_job WHERE state = 0 AND queue = ?)`, name).Scan(&some); err != nil {
			return wake, err
		}
		if some {
			earlier(now)
		}
	}
	rows, err := schedules(tx)
	for _, s := range rows {
		if _, ok := rhythms[s.name]; ok {
			if now.Before(s.asked) {
				earlier(now)
			}
			earlier(s.wake(r.busy["@"+s.name] > 0))
		}
	}
	return wake, err
}

// batches leases jobs for every delivery that there is room for.
func (r *runner) batches(ctx context.Context, tx *sqlite.Tx, now time.Time) (due []func(), err error) {
	queues, _ := r.snapshot()
	for name, q := range queues {
		for n := r.busy[name]; n < q.Parallel; n++ {
			jobs, lease, err := claim(tx, q, now)
			if err != nil {
				return nil, err
			}
			if len(jobs) == 0 {
				break
			}
			due = append(due, func() { r.start(name, func() { r.batch(ctx, q, lease, jobs) }) })
		}
	}
	return due, nil
}

func (r *runner) ticks(ctx context.Context, tx *sqlite.Tx, now time.Time) (due []func(), err error) {
	_, rhythms := r.snapshot()
	rows, err := schedules(tx)
	if err != nil {
		return nil, err
	}
	for _, s := range rows {
		of, ok := rhythms[s.name]
		if !ok {
			continue
		}
		if s, err = r.advance(tx, s, of, now); err != nil {
			return nil, err
		}
		key := "@" + s.name
		if s.tries >= maxTries && r.busy[key] == 0 {
			s.owed, s.tries = time.Time{}, 0
			if err := save(tx, s); err != nil {
				return nil, err
			}
		}
		if s.owed.IsZero() || s.due.After(now) || r.busy[key] > 0 {
			continue
		}
		run, err := begin(tx, s, now)
		if err != nil {
			return nil, err
		}
		due = append(due, func() { r.start(key, func() { r.tick(ctx, s, run) }) })
	}
	return due, nil
}

// start runs one delivery beside the loop.
func (r *runner) start(key string, run func()) {
	r.busy[key]++
	r.wg.Go(func() {
		run()
		r.ended <- key
	})
}

func (r *runner) batch(ctx context.Context, q Queue, lease string, jobs []Job) {
	bounded, cancel := context.WithTimeout(ctx, q.Lease)
	defer cancel()
	answer, err := r.deliver(bounded, Delivery{Batch: &Batch{q.Name, jobs}})
	r.record(ctx, func(tx *sqlite.Tx) error {
		if due, no := r.undelivered(ctx, err); no {
			return giveBack(tx, lease, answer.Ack, due)
		}
		return r.settle(tx, q, lease, jobs, answer, err)
	})
}

func (r *runner) tick(ctx context.Context, s row, run int64) {
	_, err := r.deliver(ctx, Delivery{Tick: &Tick{s.name, s.spec, s.owed, s.manual}})
	r.record(ctx, func(tx *sqlite.Tx) error {
		if due, no := r.undelivered(ctx, err); no {
			return postpone(tx, s.name, run, due)
		}
		return r.end(tx, s.name, run, err)
	})
}

// undelivered reports whether the app was not called, or was stopped by us, and
// when to try again.
func (r *runner) undelivered(ctx context.Context, err error) (time.Time, bool) {
	switch {
	case err != nil && ctx.Err() != nil:
		return r.now(), true
	case fault.KindOf(err) == fault.Unavailable:
		return r.now().Add(hiccup), true
	}
	return time.Time{}, false
}

// record writes down what became of a delivery, also when everything is ending.
// If that fails, a batch is delivered again when its lease is over, and a run
// when the process begins anew.
func (r *runner) record(ctx context.Context, fn func(*sqlite.Tx) error) {
	if err := r.keep(context.WithoutCancel(ctx), fn); err != nil {
		r.log.Error("what became of a job was not written down; it will be delivered again", "database", r.db.Path(), "error", err)
	}
}
