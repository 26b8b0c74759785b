package edge

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/queue"
	"github.com/fazt-sh/fazt/platform/storage"
	"github.com/fazt-sh/fazt/spec"
)

// jobStore is one app's queues and schedules, shared by all its releases: what a
// request of the old release sends, the new one gets.
type jobStore struct {
	store *queue.Store
	uses  int // backends that have it
	app   spec.App
}

// openJobs finds or makes the jobs of an app's data. A release that is only staged
// adds its queues, as its requests may come the moment it is published; schedules
// are those of the release in service until then.
func (s *Server) openJobs(ctx context.Context, data string, store *storage.App, app spec.App) (*queue.Store, error) {
	for _, c := range schedulesOf(app) {
		if _, err := queue.Next(c.Spec, c.Zone, s.config.Now()); err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "cron %q", c.Name)
		}
	}
	s.jobsMu.Lock()
	defer s.jobsMu.Unlock()
	have := s.jobs[data]
	if have == nil {
		made, err := queue.Open(ctx, store.DB(), queue.Options{Now: s.config.Now, Log: s.log})
		if err == nil {
			err = made.Declare(ctx, queuesOf(app), schedulesOf(app))
		}
		if err != nil {
			return nil, err
		}
		s.jobs[data] = &jobStore{store: made, uses: 1, app: app}
		return made, nil
	}
	both := queuesOf(app)
	for _, q := range queuesOf(have.app) {
		if !slices.ContainsFunc(both, func(other queue.Queue) bool { return other.Name == q.Name }) {
			both = append(both, q)
		}
	}
	if err := have.store.Declare(ctx, both, schedulesOf(have.app)); err != nil {
		return nil, err
	}
	have.uses++
	return have.store, nil
}

// closeJobs gives back what openJobs gave.
func (s *Server) closeJobs(data string) {
	s.jobsMu.Lock()
	defer s.jobsMu.Unlock()
	have := s.jobs[data]
	if have == nil {
		return
	}
	if have.uses--; have.uses == 0 {
		delete(s.jobs, data)
	}
}

func queuesOf(app spec.App) (list []queue.Queue) {
	for _, q := range app.Queues {
		q = q.Filled()
		retries := *q.Retries
		if retries == 0 {
			retries = -1 // none at all
		}
		list = append(list, queue.Queue{Name: q.Name, Retries: retries, Batch: q.Batch, Parallel: q.Concurrency,
			Lease: millis(app.Runtime.Filled().WallMS) + leaseSpare, Pause: millis(q.BackoffMS), Keep: millis(q.KeepMS)})
	}
	return list
}

// leaseSpare is how much longer than the code may run a delivery is its own: an
// answer on its way is not to be asked for twice.
const leaseSpare = 30 * time.Second

func schedulesOf(app spec.App) (list []queue.Schedule) {
	for _, c := range app.Cron {
		c = c.Filled()
		list = append(list, queue.Schedule{Name: c.Name, Spec: c.At, Zone: c.Zone, NoCatchUp: c.CatchUp == spec.CatchUpNone})
	}
	return list
}

// runners run the queues and schedules of the apps of the current snapshot, one for
// each app that has some, over all of its releases.
type runners struct {
	server  *Server
	running map[string]*runner // by the folder of the app's data
	group   sync.WaitGroup
}

// runner is one app's queues and schedules at work.
type runner struct {
	addr atomic.Pointer[spec.Addr] // where the app is now
	site *site                     // the release that was declared last
	stop context.CancelFunc
}

// runJobs follows the snapshots until ctx ends, and returns when nothing runs any
// more.
func (s *Server) runJobs(ctx context.Context) {
	j := &runners{server: s, running: map[string]*runner{}}
	defer j.group.Wait()
	for {
		changed := s.Changed()
		j.settle(ctx)
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// Changed returns what is closed when another snapshot is current.
func (s *Server) Changed() <-chan struct{} { return s.current.Load().retired }

// settle starts and stops runners so that they are those of the current snapshot.
func (j *runners) settle(ctx context.Context) {
	n := j.server.acquire()
	defer n.release()
	wanted := map[string]*site{}
	for _, site := range n.sites {
		if site.backend != nil && site.backend.jobs != nil {
			wanted[site.data] = site
		}
	}
	for data, r := range j.running {
		if wanted[data] == nil {
			r.stop()
			delete(j.running, data)
		}
	}
	for data, site := range wanted {
		if err := j.follow(ctx, data, site); err != nil {
			j.server.log.Error("an app's jobs do not run", "component", "edge", "app", site.addr, "error", err)
		}
	}
}

// follow has the jobs of an app's data run as its release in service says.
func (j *runners) follow(ctx context.Context, data string, site *site) error {
	r := j.running[data]
	if r != nil && r.site == site {
		return nil
	}
	app := site.backend.app
	if err := site.backend.jobs.Declare(ctx, queuesOf(app), schedulesOf(app)); err != nil {
		return err
	}
	j.server.jobsMu.Lock()
	if have := j.server.jobs[data]; have != nil {
		have.app = app
	}
	j.server.jobsMu.Unlock()
	if r == nil {
		// Its own hold on the data: the release may go while a delivery is under way.
		store, err := j.server.config.Storage.Open(ctx, data, storageSettings(app))
		if err != nil {
			return err
		}
		r = j.start(ctx, data, site, store)
	}
	r.site = site
	addr := site.addr
	r.addr.Store(&addr)
	return nil
}

func (j *runners) start(ctx context.Context, data string, site *site, store *storage.App) *runner {
	ctx, stop := context.WithCancel(ctx)
	r := &runner{stop: stop}
	j.running[data] = r
	jobs := site.backend.jobs
	j.group.Go(func() {
		defer store.Close()
		err := jobs.Run(ctx, func(ctx context.Context, d queue.Delivery) (queue.Answer, error) {
			return j.server.deliver(ctx, *r.addr.Load(), data, d)
		})
		if err != nil && ctx.Err() == nil {
			j.server.log.Error("an app's jobs stopped", "component", "edge", "app", *r.addr.Load(), "error", err)
		}
	})
	return r
}
