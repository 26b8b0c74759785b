package script

import (
	"encoding/json"
	"sync"

	"github.com/fazt-sh/fazt/platform/fault"
)

// life is one child from its start to its end.
type life struct {
	worker *worker
	link   *link
	running

	mu          sync.Mutex // guards the rest
	ended       bool
	machines    int // in the child
	opened      map[uint64]*opening
	invocations map[uint64]*invocation
}

// opening is a program in one life.
type opening struct {
	app  *App
	env  uint64        // the last that was sent
	done chan struct{} // closed when the child has answered
	err  error
}

// suspect tells the apps that had work in a child that crashed.
func (l *life) suspect() {
	l.mu.Lock()
	apps := map[*App]bool{}
	for _, inv := range l.invocations {
		apps[inv.app] = true
	}
	l.mu.Unlock()
	for a := range apps {
		a.suspect(l.worker)
	}
}

func (l *life) busy() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.invocations) > 0
}

// open sends a's program if this life does not have it. l.mu is held.
func (l *life) open(a *App) *opening {
	if o := l.opened[a.id]; o != nil {
		return o
	}
	o := &opening{app: a, done: make(chan struct{})}
	l.opened[a.id] = o
	head, err := json.Marshal(a.bounds)
	if err != nil {
		panic(err) // numbers
	}
	var again uint64
	if a.handlers != nil {
		again = 1
	}
	l.link.send(message{kind: kindOpen, id: a.id, n: again, head: head, body: a.program.Code})
	if again == 1 {
		o.answer(nil)
	}
	return o
}

func (o *opening) answer(err error) {
	select {
	case <-o.done:
	default:
		o.err = err
		close(o.done)
	}
}

// close forgets a program.
func (l *life) close(a *App) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if o := l.opened[a.id]; o != nil {
		o.answer(errLost)
		delete(l.opened, a.id)
		l.link.send(message{kind: kindClose, id: a.id})
	}
}

// receive takes one message of the child's. An error ends the child: it did what
// no child of ours does.
func (l *life) receive(m message) error {
	l.mu.Lock()
	inv, o := l.invocations[m.id], l.opened[m.id]
	switch {
	case m.kind == kindMachines:
		l.machines = int(min(m.n, 1<<20))
	case m.kind == kindDone || m.kind == kindHead && m.n&flagDone != 0:
		delete(l.invocations, m.id)
	}
	l.mu.Unlock()
	switch {
	case m.kind == kindOpened:
		if o != nil {
			return o.receive(m)
		}
	case m.kind == kindStuck:
		if o != nil {
			o.app.strike(string(m.head))
		}
		return errStuck
	case inv != nil:
		return inv.receive(m)
	}
	return nil
}

var errStuck = fault.New(fault.Unavailable, "a function did not stop")

// receive takes what the child says of the program.
func (o *opening) receive(m message) error {
	if m.n&flagError != 0 {
		var f failure
		if err := json.Unmarshal(m.head, &f); err != nil {
			return err
		}
		o.answer(f.err(o.app.bounds, o.app.traces))
		return nil
	}
	var handlers []string
	if err := json.Unmarshal(m.head, &handlers); err != nil {
		return err
	}
	select {
	case <-o.done: // opened again
	default:
		o.app.handlers = handlers
		o.answer(nil)
	}
	return nil
}
