package script

import (
	"cmp"
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/fazt-sh/fazt/platform/child"
	"github.com/fazt-sh/fazt/platform/fault"
)

// worker is one child, seen from the node, through all its lives.
type worker struct {
	host *Host
	name string
	nice int           // of the child; 0 is as the node
	quit chan struct{} // closed to let it go

	mu       sync.Mutex // guards the rest
	life     *life      // nil while there is no child
	up       chan struct{}
	let      bool // quit is closed
	finished bool // there will be no child again
}

func newWorker(h *Host, name string) *worker {
	return &worker{host: h, name: name, quit: make(chan struct{}), up: make(chan struct{})}
}

// run keeps a child alive until ctx ends or it is dismissed.
func (w *worker) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer w.finish()
	go func() {
		select {
		case <-w.quit:
			cancel()
		case <-ctx.Done():
		}
	}()
	var pause backoff
	for ctx.Err() == nil {
		begun := time.Now()
		err := w.live(ctx)
		if ctx.Err() != nil {
			return
		}
		w.host.stats.respawns.Add(1)
		w.host.config.Log.Warn("a child that runs functions ended", "child", w.name, "error", err)
		pause.wait(ctx, time.Since(begun))
	}
}

// backoff is how long to wait before a child is started again: not at all after
// the first end, then longer each time until one lives for a minute.
type backoff struct{ next time.Duration }

const (
	firstPause = 100 * time.Millisecond
	longPause  = 5 * time.Second
	goodLife   = time.Minute
)

func (b *backoff) wait(ctx context.Context, lived time.Duration) {
	if lived >= goodLife {
		b.next = 0
	}
	timer := time.NewTimer(b.next)
	defer timer.Stop()
	b.next = min(max(firstPause, 2*b.next), longPause)
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// live is one life.
func (w *worker) live(ctx context.Context) error {
	c, err := w.start(ctx)
	if err != nil {
		return err
	}
	l := &life{worker: w, link: newLink(c.frames), running: c, opened: map[uint64]*opening{}, invocations: map[uint64]*invocation{}}
	wrote := make(chan struct{})
	go func() {
		defer close(wrote)
		l.link.write()
	}()
	l.link.send(message{kind: kindOpen, head: w.host.settings()})
	w.begin(l)
	err = l.link.read(l.receive)
	if gone(err) != nil {
		c.kill() // it does what it should not
	} else {
		defer time.AfterFunc(longDeath, c.kill).Stop()
	}
	l.link.close()
	reason := c.wait()
	<-wrote
	if ctx.Err() == nil && child.ReasonOf(reason) != child.Killed {
		l.suspect()
	}
	w.end(l)
	return cmp.Or(reason, err)
}

// longDeath is what a child gets to end after it has closed the connection.
const longDeath = time.Second

// running is a child that was started.
type running struct {
	frames frames
	kill   func()
	wait   func() error
	pid    int // 0 within this process
}

// start starts a child, or the engine in this process.
func (w *worker) start(ctx context.Context) (running, error) {
	if w.host.config.InProcess {
		ours, theirs := pipe()
		done := make(chan error, 1)
		go func() { done <- serve(ctx, theirs) }()
		stop := context.AfterFunc(ctx, func() { ours.Close() })
		kill := func() { stop(); ours.Close() }
		return running{ours, kill, func() error { kill(); return <-done }, 0}, nil
	}
	p, err := child.Start(ctx, w.host.config.Role, w.host.childLimits(w.nice))
	if err != nil {
		return running{}, err
	}
	return running{p.Conn(), p.Kill, p.Wait, p.PID()}, nil
}

func (h *Host) settings() []byte {
	b, err := json.Marshal(settings{Cores: h.config.Cores, Queue: h.config.Queue, Memory: h.config.Memory})
	if err != nil {
		panic(err) // numbers
	}
	return b
}

func (w *worker) begin(l *life) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.life = l
	close(w.up)
}

// end tells everybody who waits for this life.
func (w *worker) end(l *life) {
	w.mu.Lock()
	w.life, w.up = nil, make(chan struct{})
	w.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	for _, o := range l.opened {
		o.answer(errLost)
	}
	for id, inv := range l.invocations {
		delete(l.invocations, id)
		inv.finish(inv.app.lost())
	}
	w.host.stats.add(l.link)
}

func (c *counters) add(l *link) {
	c.messagesIn.Add(l.in.Load())
	c.messagesOut.Add(l.out.Load())
	c.framesIn.Add(l.framesIn.Load())
	c.framesOut.Add(l.framesOut.Load())
}

// count adds what the present life has done to s.
func (w *worker) count(s *Stats) {
	w.mu.Lock()
	l := w.life
	w.mu.Unlock()
	if l == nil {
		return
	}
	s.MessagesIn += l.link.in.Load()
	s.MessagesOut += l.link.out.Load()
	s.FramesIn += l.link.framesIn.Load()
	s.FramesOut += l.link.framesOut.Load()
	l.mu.Lock()
	defer l.mu.Unlock()
	s.Running += len(l.invocations)
	s.Machines += l.machines
}

// finish says that there will be no child again.
func (w *worker) finish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.finished = true
	close(w.up)
}

// dismiss ends the child, when what it has in hand is done or a while later.
func (w *worker) dismiss(later time.Duration) {
	w.mu.Lock()
	l := w.life
	w.mu.Unlock()
	if l != nil && l.busy() {
		time.AfterFunc(later, w.stop)
		return
	}
	w.stop()
}

func (w *worker) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.let {
		w.let = true
		close(w.quit)
	}
}

// patience is how long a caller waits for a child that is being started.
const patience = 5 * time.Second

// alive waits for a child.
func (w *worker) alive(ctx context.Context) (*life, error) {
	w.mu.Lock()
	l, up, finished := w.life, w.up, w.finished
	w.mu.Unlock()
	if finished {
		return nil, errEnded
	}
	if l != nil {
		return l, nil
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-up:
		return w.alive(ctx)
	case <-timer.C:
		return nil, fault.New(fault.Unavailable, "functions are being started").WithHint("try again in a few seconds")
	case <-w.host.gone:
		return nil, errEnded
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
