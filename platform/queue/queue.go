// Package queue keeps the jobs and schedules of one app, as rows in the app's
// database: a job that was sent is delivered at least once, whatever happens to
// the process, until the app takes it or it has failed too often and lies among
// the dead; a schedule runs when its moment comes, once. The edge runs it and
// hands it a function that calls the app; bindings send jobs; commands look at
// what is there. It refuses to know what a job says and how an app is called.
package queue

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"regexp"
	"sync"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

//go:embed migration/*.sql
var migrations embed.FS

// Options tune a store. The zero value is right for a node.
type Options struct {
	Now    func() time.Time // the wall clock; nil is the machine's
	Jitter func() float64   // from 0 to 1, spreads retries; nil is random
	Log    *slog.Logger     // nil is silent
}

// Queue is what an app says about one of its queues. Zero fields take the
// defaults.
type Queue struct {
	Name     string
	Retries  int           // deliveries after the first, before a job is dead; 0 is 5, less than 0 none
	Batch    int           // jobs in one delivery, at most; 0 is 10
	Parallel int           // deliveries at once; 0 is 1
	Lease    time.Duration // how long a delivery may take; 0 is 5 minutes
	Pause    time.Duration // before the second attempt, three times as long before each next one; 0 is 5 seconds
	Keep     time.Duration // how long a dead job is kept; 0 is for ever
}

// Schedule is what an app says about one of its schedules.
type Schedule struct {
	Name string
	Spec string // five fields, or six with seconds in front: "0 7 * * 1-5"; or @daily and the like
	Zone string // IANA name, "Europe/Berlin"; empty is UTC

	// NoCatchUp leaves out a run whose moment passed while nobody looked. Else one
	// is made up for, however many were missed.
	NoCatchUp bool
}

// Store is the jobs and schedules of one database. Its methods may be called
// from any goroutine.
type Store struct {
	db     *sqlite.DB
	now    func() time.Time
	jitter func() float64
	log    *slog.Logger
	poke   chan struct{} // one slot: there may be something to do

	mu        sync.Mutex
	queues    map[string]Queue  // guarded by mu
	schedules map[string]rhythm // guarded by mu
}

// nameForm is what queues and schedules are called: names of bindings.
var nameForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,63}$`) })

// Open prepares the tables in db. Nothing is delivered before Run, and nothing
// can be sent before Declare.
func Open(ctx context.Context, db *sqlite.DB, o Options) (*Store, error) {
	files, err := fs.Sub(migrations, "migration")
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx, "queue", files); err != nil {
		return nil, err
	}
	s := &Store{db: db, now: o.Now, jitter: o.Jitter, log: o.Log, poke: make(chan struct{}, 1)}
	if s.now == nil {
		s.now = time.Now
	}
	if s.jitter == nil {
		s.jitter = rand.Float64
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s, nil
}

// Declare says what queues and schedules the app has now; it may be called again
// while Run runs. Jobs of a queue that is gone stay where they are. A schedule
// that is new or has changed counts from now on, one that is the same goes on,
// one that is gone is forgotten with its history. The error's kind is Invalid if
// a schedule makes no sense; nothing has changed then.
func (s *Store) Declare(ctx context.Context, queues []Queue, schedules []Schedule) error {
	known := map[string]Queue{}
	for _, q := range queues {
		if !nameForm().MatchString(q.Name) {
			return fault.New(fault.Invalid, "%q is no name for a queue", q.Name)
		}
		known[q.Name] = q.withDefaults()
	}
	rhythms := map[string]rhythm{}
	for _, c := range schedules {
		if !nameForm().MatchString(c.Name) {
			return fault.New(fault.Invalid, "%q is no name for a schedule", c.Name)
		}
		r, err := parseRhythm(c.Spec, c.Zone)
		if err == nil {
			_, err = r.next(s.now())
		}
		if err != nil {
			return fault.Wrap(fault.Invalid, err, "schedule %q", c.Name).WithSubject(c.Name)
		}
		r.noCatchUp = c.NoCatchUp
		rhythms[c.Name] = r
	}
	err := s.keep(ctx, func(tx *sqlite.Tx) error {
		for _, q := range known {
			if err := s.bury(tx, q); err != nil {
				return err
			}
		}
		return s.putSchedules(tx, rhythms)
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.queues, s.schedules = known, rhythms
	s.mu.Unlock()
	s.Poke()
	return nil
}

func (q Queue) withDefaults() Queue {
	if q.Retries == 0 {
		q.Retries = 5
	}
	q.Retries = max(q.Retries, 0)
	if q.Batch <= 0 {
		q.Batch = 10
	}
	if q.Parallel <= 0 {
		q.Parallel = 1
	}
	if q.Lease <= 0 {
		q.Lease = 5 * time.Minute
	}
	return q
}

// Poke makes Run look. Only who puts jobs into a transaction of its own calls it,
// when that is committed.
func (s *Store) Poke() {
	select {
	case s.poke <- struct{}{}:
	default:
	}
}

// keep is a transaction of ours, which a full database must not stop: jobs that
// are done are what makes room.
func (s *Store) keep(ctx context.Context, fn func(*sqlite.Tx) error) error {
	return s.db.Write(ctx, func(tx *sqlite.Tx) error {
		tx.Unbounded()
		return fn(tx)
	})
}

// declared returns a queue that the app has.
func (s *Store) declared(name string) (Queue, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, ok := s.queues[name]
	if !ok {
		return q, fault.New(fault.NotFound, "there is no queue %q", name).WithSubject(name)
	}
	return q, nil
}

// snapshot returns what is declared now. The maps are not changed any more.
func (s *Store) snapshot() (map[string]Queue, map[string]rhythm) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queues, s.schedules
}

func millis(t time.Time) int64 { return t.UnixMilli() }

func at(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
