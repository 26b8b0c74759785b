package script

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/fazt-sh/fazt/platform/child"
)

// Role is the name under which the program's main gives Child to child.Main,
// unless Config says otherwise.
const Role = "worker"

// Child is the child's side: it runs programs for the node at the other end of
// c until that closes.
func Child(ctx context.Context, c *child.Conn) error {
	debug.SetGCPercent(400) // what Go holds here is little, and dies soon
	return serve(ctx, c)
}

// settings is what the node tells its child first.
type settings struct {
	Cores  int   `json:"cores"`  // turns at a time
	Queue  int   `json:"queue"`  // invocations that wait for their first turn
	Memory int64 `json:"memory"` // bytes of all machines together
}

// engine is a child: programs, their machines and what these are doing.
type engine struct {
	link    *link
	prelude *prelude
	turns   chan struct{} // one in it for each turn that is being run
	running sync.WaitGroup

	mu       sync.Mutex // guards the rest
	settings settings
	programs map[uint64]*program
	tasks    map[uint64]*task
	starting int // invocations that wait for their first turn
	machines int
	closed   bool
}

// serve runs a child over any connection.
func serve(ctx context.Context, c frames) error {
	p, err := newPrelude()
	if err != nil {
		return err
	}
	e := &engine{link: newLink(c), prelude: p, programs: map[uint64]*program{}, tasks: map[uint64]*task{}}
	e.apply(settings{})
	ctx, cancel := context.WithCancel(ctx)
	wrote := make(chan error, 1)
	go func() { wrote <- e.link.write() }()
	e.running.Go(func() { e.tidy(ctx) })
	err = e.link.read(e.receive)
	cancel()
	e.close()
	e.link.close()
	<-wrote
	return gone(err)
}

// apply takes settings. It comes before any program.
func (e *engine) apply(s settings) {
	if s.Cores <= 0 {
		s.Cores = runtime.GOMAXPROCS(0)
	}
	if s.Queue <= 0 {
		s.Queue = 1024
	}
	if s.Memory <= 0 {
		s.Memory = 512 << 20
	}
	e.settings = s
	e.turns = make(chan struct{}, s.Cores)
}

// close stops every machine and waits for them.
func (e *engine) close() {
	e.mu.Lock()
	e.closed = true
	for _, p := range e.programs {
		p.close()
		for _, m := range p.machines {
			m.abandon()
		}
	}
	e.mu.Unlock()
	e.running.Wait()
}

// receive takes one message of the node's.
func (e *engine) receive(m message) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch m.kind {
	case kindOpen:
		return e.open(m)
	case kindClose:
		if p := e.programs[m.id]; p != nil {
			p.close()
		}
	case kindEnv:
		if p := e.programs[m.id]; p != nil {
			p.envs[m.sub] = string(m.head)
			delete(p.envs, m.sub-keptEnvs)
		}
	case kindInvoke:
		e.invoke(m)
	default:
		e.pass(m)
	}
	return nil
}

// pass hands a message to the machine of its invocation. e.mu is held.
func (e *engine) pass(m message) {
	t := e.tasks[m.id]
	switch {
	case t == nil:
	case t.machine != nil:
		if m.kind == kindCancel {
			time.AfterFunc(farewell, t.cut)
		}
		t.machine.mail.push(m)
	case m.kind == kindCancel:
		e.drop(t, failure{Lost: true})
	case m.kind == kindWall:
		e.drop(t, failure{Limit: limitWall})
	default:
		t.early = append(t.early, m)
	}
}

// open takes the settings, or a program. e.mu is held.
func (e *engine) open(m message) error {
	if m.id == 0 {
		var s settings
		if err := json.Unmarshal(m.head, &s); err != nil {
			return err
		}
		e.apply(s)
		return nil
	}
	var b Bounds
	if err := json.Unmarshal(m.head, &b); err != nil {
		return err
	}
	p := &program{engine: e, id: m.id, declared: b, bounds: b.scaled(), source: string(m.body), size: len(m.body), opened: m.n != 0, envs: map[uint64]string{}}
	e.programs[p.id] = p
	p.grow()
	return nil
}

// invoke finds a machine for an invocation. e.mu is held.
func (e *engine) invoke(m message) {
	p := e.programs[m.sub]
	if p == nil || p.closed {
		e.refuse(m.id, failure{Lost: true})
		return
	}
	if p.failed != nil {
		e.refuse(m.id, *p.failed)
		return
	}
	t := newTask(p, m)
	if e.starting >= e.settings.Queue || p.starting >= max(e.settings.Queue/2, 1) || !p.place(t) {
		t.wall.Stop()
		e.refuse(m.id, failure{Busy: true})
		return
	}
	e.tasks[t.id] = t
	e.starting++
	p.starting++
}

// count tells the node how many machines there are. e.mu is held.
func (e *engine) count(more int) {
	e.machines += more
	e.link.send(message{kind: kindMachines, n: uint64(e.machines)})
}

// begun counts an invocation as started. e.mu is held.
func (e *engine) begun(t *task) {
	if !t.begun {
		t.begun = true
		e.starting--
		t.program.starting--
	}
}

// drop ends an invocation that waits for a machine. e.mu is held.
func (e *engine) drop(t *task, f failure) {
	t.wall.Stop()
	e.begun(t)
	delete(e.tasks, t.id)
	t.program.unqueue(t)
	t.say(&f)
}

// crashed tells the node that a program's machine is out of hand, so that it
// ends this process.
func (e *engine) crashed(p *program, how string) {
	e.link.send(message{kind: kindStuck, id: p.id, head: []byte(how)})
}

func (e *engine) refuse(id uint64, f failure) {
	e.link.send(message{kind: kindDone, id: id, head: f.encode()})
}

// keptEnvs is how many env an app may change while an invocation with an old one
// waits.
const keptEnvs = 8

const (
	idleTime  = 5 * time.Minute // after which a machine goes
	mostTasks = 1000            // invocations in one machine at a time
	mostServe = 1000            // invocations of one machine in all
	tidyEvery = 30 * time.Second
)

// tidy closes machines that nobody uses.
func (e *engine) tidy(ctx context.Context) {
	for tick := time.NewTicker(tidyEvery); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case now := <-tick.C:
			e.closeIdle(now.Add(-idleTime))
		}
	}
}

// closeIdle closes the machines that have had nothing to do since.
func (e *engine) closeIdle(since time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range e.programs {
		for _, m := range p.machines {
			if m.spare() && m.idle.Before(since) {
				m.retire()
			}
		}
	}
}

// memory returns what all machines hold. e.mu is held.
func (e *engine) memory() (held int64) {
	for _, p := range e.programs {
		for _, m := range p.machines {
			held += m.holds.Load()
		}
	}
	return held
}

// room makes room for more bytes by closing idle machines, those first that were
// used longest ago. It reports whether there is enough. e.mu is held.
func (e *engine) room(bytes int64) bool {
	for e.memory()+bytes > e.settings.Memory {
		var oldest *machine
		for _, p := range e.programs {
			for _, m := range p.machines {
				if m.spare() && (oldest == nil || m.idle.Before(oldest.idle)) {
					oldest = m
				}
			}
		}
		if oldest == nil {
			return false
		}
		oldest.holds.Store(0) // it gives all of it back
		oldest.retire()
	}
	return true
}

// grown looks whether all machines have room after m has grown. If they do not,
// the largest goes.
func (e *engine) grown(m *machine) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.room(0) {
		return true
	}
	for _, p := range e.programs {
		for _, o := range p.machines {
			if o.holds.Load() > m.holds.Load() {
				return true // it will be asked after its next turn
			}
		}
	}
	return false
}

// gone is nil for a node that has closed the connection.
func gone(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}
