package script

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/fazt-sh/fazt/platform/child"
	"github.com/fazt-sh/fazt/platform/fault"
)

// Config bounds the children of a Host. Zero values take the defaults.
type Config struct {
	Role      string // what the program's main calls Child; "worker"
	Data      int64  // bytes of memory of one child, as the kernel counts them; 2 GiB
	Memory    int64  // bytes of all machines of one child; 512 MiB
	Cores     int    // turns at a time in one child; as many as there are
	Queue     int    // invocations that wait for their first turn in one child; 1,024, of one app half as many
	Log       *slog.Logger
	InProcess bool // for unit tests: the engine runs here, and nothing stops a native loop
}

// Host runs programs in children that it watches.
type Host struct {
	config  Config
	shared  *worker
	hire    chan *worker  // to Run
	gone    chan struct{} // closed when Run ends
	ids     atomic.Uint64
	refuges atomic.Int32
	stats   counters
	crew    crew

	hiring  sync.Mutex // guards sharing
	sharing bool       // the shared worker was employed

	mu   sync.Mutex // guards apps
	apps map[*App]bool
}

// New returns a host without children; they start with Run.
func New(c Config) *Host {
	c.Role = cmp.Or(c.Role, Role)
	c.Data = cmp.Or(c.Data, 2<<30)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	h := &Host{config: c, hire: make(chan *worker), gone: make(chan struct{}), apps: map[*App]bool{}, crew: newCrew()}
	h.shared = newWorker(h, "shared")
	return h
}

// Run starts children, watches them and starts them again when they end. It
// returns nil when ctx is cancelled and all of them are gone.
func (h *Host) Run(ctx context.Context) error {
	defer close(h.gone)
	var workers sync.WaitGroup
	defer workers.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case w := <-h.hire:
			workers.Go(func() { w.run(ctx) })
		}
	}
}

// Open makes a program ready: compiled, evaluated and with a warm machine. Its
// error is Invalid with a mapped place if the module does not evaluate or has no
// handler, Exhausted if it hits a limit. Close the App when no request can come.
func (h *Host) Open(ctx context.Context, p Program, b Bounds) (*App, error) {
	if len(p.Code) > mostCode {
		return nil, fault.New(fault.Invalid, "the bundle of %s is over %s", p.Name, size(mostCode)).WithHint("leave out what is not needed")
	}
	a := &App{host: h, id: h.ids.Add(1), program: p, bounds: b.withDefaults(), worker: h.shared, traces: newTrace(p.Name, p.Map)}
	if b.Own {
		a.worker = newWorker(h, p.Name)
	}
	if err := h.employ(ctx, a.worker); err != nil {
		return nil, err
	}
	if err := a.open(ctx); err != nil {
		a.Close()
		return nil, err
	}
	h.mu.Lock()
	h.apps[a] = true
	h.mu.Unlock()
	return a, nil
}

// mostCode is the longest bundle.
const mostCode = 16 << 20

// employ has Run look after a worker. The shared one starts with the first program
// that needs it: a node that serves files only has no child.
func (h *Host) employ(ctx context.Context, w *worker) error {
	if w == h.shared {
		h.hiring.Lock()
		defer h.hiring.Unlock()
		if h.sharing {
			return nil
		}
	}
	select {
	case h.hire <- w:
		if w == h.shared {
			h.sharing = true
		}
		return nil
	case <-h.gone:
		return errEnded
	case <-ctx.Done():
		return ctx.Err()
	}
}

// counters are what Stats is made of.
type counters struct {
	invocations, calls, respawns, retries atomic.Uint64
	messagesIn, messagesOut               atomic.Uint64
	framesIn, framesOut                   atomic.Uint64
}

// Stats is what has happened since New. Messages per frame are what batching
// saves in system calls.
type Stats struct {
	Invocations, Calls      uint64
	MessagesIn, MessagesOut uint64 // from and to children
	FramesIn, FramesOut     uint64
	Respawns, Retries       uint64
	Running                 int // invocations in flight
	Machines                int // engines with a module in them
	Quarantined             []string
}

// Stats returns the counts of this moment.
func (h *Host) Stats() Stats {
	c := &h.stats
	s := Stats{
		Invocations: c.invocations.Load(), Calls: c.calls.Load(), Respawns: c.respawns.Load(), Retries: c.retries.Load(),
		MessagesIn: c.messagesIn.Load(), MessagesOut: c.messagesOut.Load(), FramesIn: c.framesIn.Load(), FramesOut: c.framesOut.Load(),
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	workers := map[*worker]bool{h.shared: true}
	for a := range h.apps {
		workers[a.worker], workers[a.home()] = true, true
		if until, _ := a.Quarantined(); !until.IsZero() {
			s.Quarantined = append(s.Quarantined, a.program.Name)
		}
	}
	for w := range workers {
		w.count(&s)
	}
	return s
}

// childLimits bound a child. It has no time limit of its own, as it lives as
// long as the node; each turn in it has.
func (h *Host) childLimits(nice int) child.Limits {
	return child.Limits{Nice: nice, Data: h.config.Data, Files: 16, Frame: mostCode + mostReply}
}
