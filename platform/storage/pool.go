package storage

import (
	"container/list"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"

	"github.com/fazt-sh/fazt/platform/fault"
)

// idleApps is how many apps stay open although nobody uses them. An open app has
// at most five connections, each with its descriptors and up to 2 MiB of page cache.
const idleApps = 64

// Pool holds the apps that are open, each once for all who use it. Its methods
// may be called from any goroutine.
type Pool struct {
	dir   string
	most  int
	halt  func(context.Context) error
	trace func(query string)

	mu     sync.Mutex
	slots  map[string]*slot // guarded by mu
	idle   *list.List       // of *slot that nobody uses, the longest idle first; guarded by mu
	tidy   bool             // what a crash left between apps is gone; guarded by mu
	closed bool             // guarded by mu
	known  map[string]bool  // ids whose database must be there, see Expect; guarded by mu
}

// slot is one app of a pool. Its fields are guarded by the pool's mu.
type slot struct {
	id   string
	core *core // nil while the app is not open
	uses int
	at   *list.Element // its place among the idle
	busy chan struct{} // closed when what is done to the slot is over; nil when nothing is
}

// NewPool returns a pool of the apps in dir, which must exist or be allowed to be
// made.
func NewPool(dir string, o Options) *Pool {
	if o.Idle == 0 {
		o.Idle = idleApps
	}
	return &Pool{dir: dir, most: max(o.Idle, 0), halt: o.Halt, trace: o.Trace, slots: map[string]*slot{}, idle: list.New(), known: map[string]bool{}}
}

// Open returns the storage of an app, which it makes at the first time. Opens are
// counted: every App must be closed, and the folder is let go only when all are,
// and when more than Options.Idle others wait likewise. A quota that differs from
// the last one is in force at once. The error's kind is Invalid for an id that is
// none, Unavailable if what was expected is gone or the disk refuses.
func (p *Pool) Open(ctx context.Context, id string, s Settings) (*App, error) {
	sl, err := p.claim(ctx, id, true)
	if err != nil {
		return nil, err
	}
	if sl.core != nil {
		sl.core.configure(s)
		return p.handle(sl), nil
	}
	s.halt, s.trace = p.halt, p.trace
	var c *core
	if err = p.missing(id); err == nil {
		c, err = openCore(ctx, filepath.Join(p.dir, id), id, s)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		sl.core, sl.uses = c, 1
	}
	p.doneLocked(sl)
	if err != nil {
		return nil, err
	}
	return p.handle(sl), nil
}

func (p *Pool) handle(sl *slot) *App {
	return &App{core: sl.core, release: sync.OnceFunc(func() { p.release(sl) })}
}

// claim finds or makes the slot of an app when nothing is done to it. With share,
// a slot that is open comes back with one more use; any other comes back busy, for
// the caller alone, who ends that with doneLocked.
func (p *Pool) claim(ctx context.Context, id string, share bool) (*slot, error) {
	if !appID().MatchString(id) {
		return nil, fault.New(fault.Invalid, "%q is no id of an app", id)
	}
	for {
		sl, wait, err := p.tryClaim(id, share)
		if wait == nil {
			return sl, err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, fault.Wrap(fault.Unavailable, context.Cause(ctx), "open the storage of %q", id)
		}
	}
}

func (p *Pool) tryClaim(id string, share bool) (_ *slot, wait <-chan struct{}, _ error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, nil, fault.New(fault.Unavailable, "the storage of all apps is closed")
	}
	if !p.tidy {
		if err := clearDots(p.dir, goneName); err != nil {
			return nil, nil, err
		}
		p.tidy = true
	}
	sl, ok := p.slots[id]
	switch {
	case !ok:
		sl = &slot{id: id}
		p.slots[id] = sl
	case sl.busy != nil:
		return nil, sl.busy, nil
	case share:
		sl.uses++
		p.wakeLocked(sl)
		return sl, nil, nil
	case sl.uses > 0:
		return nil, nil, fault.New(fault.Conflict, "the storage of %q is in use", id).WithSubject(id)
	}
	p.wakeLocked(sl)
	sl.busy = make(chan struct{})
	return sl, nil, nil
}

// wakeLocked takes a slot out of the idle ones.
func (p *Pool) wakeLocked(sl *slot) {
	if sl.at != nil {
		p.idle.Remove(sl.at)
		sl.at = nil
	}
}

// doneLocked ends what was done to a slot, and forgets one that is not open.
func (p *Pool) doneLocked(sl *slot) {
	if sl.core == nil {
		delete(p.slots, sl.id)
	}
	close(sl.busy)
	sl.busy = nil
}

func (p *Pool) release(sl *slot) {
	p.mu.Lock()
	if sl.uses--; sl.uses == 0 && sl.busy == nil {
		sl.at = p.idle.PushBack(sl)
	}
	var oldest *slot
	if p.idle.Len() > p.most || p.closed && sl.at != nil {
		oldest = p.idle.Front().Value.(*slot)
		p.wakeLocked(oldest)
		oldest.busy = make(chan struct{})
	}
	p.mu.Unlock()
	if oldest != nil {
		_ = p.shut(oldest) // the log that stays is read at the next opening
	}
}

// shut closes a slot that is busy for the caller, and ends that.
func (p *Pool) shut(sl *slot) error {
	err := sl.core.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	sl.core = nil
	p.doneLocked(sl)
	return err
}

// Remove deletes everything an app has kept. The error's kind is Conflict while
// the app is open somewhere. An app that has kept nothing is removed as well.
func (p *Pool) Remove(ctx context.Context, id string) error {
	sl, err := p.seize(ctx, id)
	if err != nil {
		return err
	}
	defer p.end(sl)
	// One rename, so that a crash leaves the whole or nothing of it.
	gone := filepath.Join(p.dir, ".removed-"+id)
	if err := os.RemoveAll(gone); err != nil {
		return diskFault(err, "remove %q", gone)
	}
	if err := os.Rename(filepath.Join(p.dir, id), gone); err != nil && !errors.Is(err, os.ErrNotExist) {
		return diskFault(err, "remove the storage of %q", id)
	}
	p.forget(id)
	if err := os.RemoveAll(gone); err != nil {
		return diskFault(err, "remove %q", gone)
	}
	return nil
}

// seize takes an app for the caller alone, closed. End it with end.
func (p *Pool) seize(ctx context.Context, id string) (*slot, error) {
	sl, err := p.claim(ctx, id, false)
	if err != nil || sl.core == nil {
		return sl, err
	}
	_ = sl.core.close() // the log that stays is read at the next opening
	p.mu.Lock()
	defer p.mu.Unlock()
	sl.core = nil
	return sl, nil
}

func (p *Pool) end(sl *slot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doneLocked(sl)
}

// Close closes what nobody uses; what is in use is closed when its last user
// lets it go. Nothing is opened afterwards.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed = true
	var all []*slot
	for e := p.idle.Front(); e != nil; e = p.idle.Front() {
		sl := e.Value.(*slot)
		p.wakeLocked(sl)
		sl.busy = make(chan struct{})
		all = append(all, sl)
	}
	p.mu.Unlock()
	var errs []error
	for _, sl := range all {
		errs = append(errs, p.shut(sl))
	}
	return errors.Join(errs...)
}
