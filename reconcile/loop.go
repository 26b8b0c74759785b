package reconcile

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/fazt-sh/fazt/platform/clock"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile/plan"
	"github.com/fazt-sh/fazt/spec"
)

// The times of the loop.
const (
	DefaultInterval = 60 * time.Second
	firstRetry      = 5 * time.Second
	lastRetry       = 5 * time.Minute
	jitter          = 0.1 // of every interval, both ways
)

// Config is what a loop is made of.
type Config struct {
	Source Source // nil: nothing is followed, revisions come by Apply
	Loader Loader
	Target Target
	Judge  func(spec.Tree, spec.Object) spec.Diagnostics // what the target refuses of an app with its content; nil: nothing is known before Stage
	Ledger Ledger
	// Mend gives the target the bytes of a file that it serves and has lost. nil:
	// it loses none.
	Mend func(ctx context.Context, file spec.File, from io.Reader) error
	Log  *slog.Logger
	Last State // what the ledger remembers; its generation is already served

	Node    string            // name of the node, as in spec.Input
	Domain  string            // as in spec.Input
	Vars    map[string]string // as in spec.Input
	AllApps bool              // as in spec.Input
	Engine  string            // version of the program, for plans
	Lineage string            // of the ledger: an emptied one has another

	Interval time.Duration  // between polls; 0 is DefaultInterval, below 0 the source is only watched
	Random   func() float64 // in [0, 1); nil is the usual one
	Clock    *clock.Clock   // for what ends by itself; nil is one that begins with the loop

	// Passed is told the result of each pass over the source, on the loop's
	// goroutine; nil tells nobody.
	Passed func(Result)
}

// Loop moves one node. Its methods may be called from any goroutine; the work
// is done by the one that runs Run.
type Loop struct {
	config Config
	log    *slog.Logger
	status atomic.Pointer[Status]
	units  atomic.Pointer[[]spec.Unit]   // of the last load; a load only reads what changed since
	absent atomic.Pointer[[]spec.Object] // of lost, apps that no block declares; only Run's goroutine replaces it
	memory atomic.Pointer[memory]        // holds and the trash; only Run's goroutine replaces it
	busy   atomic.Pointer[lease]         // who applies
	wounds wounds                        // files that are damaged

	pokes chan cause // one slot
	syncs chan *syncCall
	calls chan *call
	done  chan struct{} // closed when Run has returned

	// Only Run's goroutine touches what follows.
	last     State
	left     map[string]string      // of last, as far as no app took it up
	lost     []spec.Object          // of last, as far as still nobody brought it back; only setLost replaces it
	why      map[spec.Addr]error    // of lost, as far as it is known
	loaded   *loaded                // the followed revision
	quiet    *quiet                 // the last plan, where nothing was to be done
	waiting  []*syncCall            // for what the next pass brings
	attempts int                    // failures in a row
	drifts   int                    // passes in a row that did not hold
	noted    string                 // the last outcome the ledger was told
	reported map[spec.Addr]string   // the last failed deployment the ledger was told, by app
	kept     map[spec.Addr]keptBack // apps that stay on an old release
	apps     []AppStatus            // what they are by themselves, whoever holds them back
}

// cause is what set a pass off.
type cause struct {
	trigger string // "poll", "watch", "sync", "apply", "start", "trigger", "damage"
	actor   string
}

// own is a cause within the loop.
func own(trigger string) cause { return cause{trigger: trigger, actor: "loop"} }

// New returns a loop that does nothing yet.
func New(c Config) *Loop {
	if c.Interval == 0 {
		c.Interval = DefaultInterval
	}
	if c.Random == nil {
		c.Random = rand.Float64
	}
	if c.Clock == nil {
		c.Clock = clock.New(time.Time{}, nil)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	l := &Loop{
		config: c, log: c.Log.With("component", "reconcile"), last: c.Last,
		pokes: make(chan cause, 1), syncs: make(chan *syncCall), calls: make(chan *call),
		done: make(chan struct{}), why: map[spec.Addr]error{}, left: maps.Clone(c.Last.Left), reported: map[spec.Addr]string{},
	}
	maps.Copy(l.why, c.Last.Why)
	l.setLost(slices.Clone(c.Last.Lost))
	l.apps = l.appsOf(appStatuses(c.Last.Served, plan.Plan{}, nil))
	first := &Status{
		Phase: Idle, Since: time.Now(), Applied: c.Last.Applied, Published: c.Last.Published, Generation: c.Last.Generation, Node: c.Last.Node,
		Lost: addrsOf(l.lost), LostWhy: l.lostWhy(),
	}
	if c.Source != nil {
		first.Source = c.Source.String()
	}
	l.status.Store(first)
	l.remember((&memory{}).with(c.Last.Holds, nil).withParked(c.Last.Parked, nil))
	return l
}

// Status returns how things are. It never blocks and must not be changed.
func (l *Loop) Status() *Status { return l.status.Load() }

// Trigger asks for a pass soon. It never blocks; several calls before the pass
// begins are one.
func (l *Loop) Trigger() { l.poke(own("trigger")) }

// poke fills the one slot, or finds it filled.
func (l *Loop) poke(c cause) {
	select {
	case l.pokes <- c:
	default:
	}
}

// Run follows the source and serves requests until ctx ends. A pass that has
// committed by then is finished, one that has not is undone. It is called once.
func (l *Loop) Run(ctx context.Context) error {
	defer close(l.done)
	watched := l.watch(ctx)
	timer := time.NewTimer(0)
	if l.config.Source == nil {
		timer.Stop()
	}
	defer timer.Stop()
	timed := own("start")
	for {
		var why cause
		select {
		case <-ctx.Done():
			l.turnAway()
			<-watched
			return nil
		case <-timer.C:
			why, timed = timed, own("poll")
		case why = <-l.pokes:
		case call := <-l.syncs:
			l.waiting = append(l.waiting, call)
			why = call.cause
		case c := <-l.calls:
			l.expire(ctx)
			l.serve(ctx, c)
			l.schedule(timer)
			continue
		}
		l.expire(ctx)
		if l.config.Source == nil {
			l.mend(ctx, nil)
			l.schedule(timer) // a poke with nothing to follow
			continue
		}
		l.collect()
		p := &pass{cause: why, once: l.onceAsked()}
		result := l.pass(ctx, p)
		l.answer(ctx, result)
		l.resume(p)
		l.schedule(timer)
		if l.config.Passed != nil {
			l.config.Passed(result)
		}
	}
}

// watch runs the source's watcher and returns a channel that is closed when it
// has ended. Without it the loop still polls.
func (l *Loop) watch(ctx context.Context) <-chan struct{} {
	ended := make(chan struct{})
	if l.config.Source == nil {
		close(ended)
		return ended
	}
	go func() {
		defer close(ended)
		err := l.config.Source.Watch(ctx, func() { l.poke(own("watch")) })
		if err != nil && !errors.Is(err, context.Canceled) {
			l.log.Warn("the source cannot be watched", "source", l.config.Source.String(), "error", err)
		}
	}()
	return ended
}

// schedule sets the timer to the next attempt that needs no poke.
func (l *Loop) schedule(timer *time.Timer) {
	timer.Stop()
	delay := l.delay()
	if l.config.Source == nil {
		delay = -1
	}
	next := *l.Status()
	next.Next = time.Time{}
	if delay >= 0 {
		next.Next = time.Now().Add(delay)
	}
	l.status.Store(&next)
	if end := l.memory.Load().nextExpiry(); !end.IsZero() {
		until := min(end.Sub(l.config.Clock.Sure()), clock.Confirm) // a jump is confirmed by looking
		if until <= 0 {
			until = firstRetry // the ledger did not take its end
		}
		if delay < 0 || until < delay {
			delay = until
		}
	}
	if delay >= 0 {
		timer.Reset(delay)
	}
}

// delay is the time until the next attempt; below 0 there is none.
func (l *Loop) delay() time.Duration {
	if l.attempts > 0 {
		delay := firstRetry << min(l.attempts-1, 6)
		return min(l.spread(delay), lastRetry)
	}
	delay := l.config.Interval
	if delay < 0 {
		return delay
	}
	return l.spread(delay)
}

// spread moves a time a little, so that many nodes do not ask at once.
func (l *Loop) spread(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (1 + jitter*(2*l.config.Random()-1)))
}

// errStopping answers requests that come too late.
func errStopping() error {
	return fault.New(fault.Unavailable, "the node is stopping")
}
