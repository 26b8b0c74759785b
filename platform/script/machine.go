package script

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"modernc.org/libquickjs"
	"modernc.org/quickjs"
)

// stackFrames is how deep calls may go. The engine's own limit costs up to 1 GB
// of stack.
const stackFrames = 1000

// machine is one engine with an app's module in it, owned by the goroutine of
// run. Everything that happens comes as a message, and each message is a turn:
// one call of core.js and all promise jobs that follow from it.
type machine struct {
	program *program
	mail    *mailbox
	stuck   *watch
	holds   atomic.Int64 // bytes of the heap after the last turn

	// guarded by the engine's mutex
	load    int // invocations that are not over
	served  int
	ready   bool
	retired bool // gets no more invocations
	idle    time.Time

	// the owner's
	vm       *quickjs.VM
	dispatch quickjs.Value
	heap     *libquickjs.Tsize_t
	next     *libquickjs.Tsize_t // size of the heap at the next collection: half as much again as it was at the last
	rejected *rejections
	tasks    map[uint64]*task
	env      uint64    // the number of what the script knows as env
	ended    []*task   // in this turn
	unread   []message // of a batch, when it died
	dead     bool      // the engine must not run any more
	failed   *failure  // why it did not start

	mu        sync.Mutex // guards the rest: what an interrupt would hit
	current   *task
	abandoned bool
}

func newMachine(p *program) *machine {
	m := &machine{program: p, mail: newMailbox(), tasks: map[uint64]*task{}, idle: time.Now()}
	m.stuck = newWatch(func() { p.engine.crashed(p, limitCPU) }, processTime)
	m.holds.Store(machineBytes)
	return m
}

// free tells whether m takes one more invocation. The engine's mutex is held.
func (m *machine) free() bool {
	most := mostTasks
	if m.program.bounds.Fresh {
		most = 1
	}
	return !m.retired && m.load < most
}

// spare tells whether m could be closed and nobody would notice. The engine's
// mutex is held.
func (m *machine) spare() bool { return m.load == 0 && m.ready && !m.retired }

// take gives m an invocation. The engine's mutex is held.
func (m *machine) take(t *task) {
	m.load++
	m.served++
	t.machine = m
	m.mail.push(t.invoke)
	for _, msg := range t.early {
		m.mail.push(msg)
	}
	t.early = nil
	if m.program.bounds.Fresh || m.served >= mostServe {
		m.retired = true
	}
}

// retire lets m end when it has nothing left to do. The engine's mutex is held.
func (m *machine) retire() {
	m.retired = true
	if m.load == 0 {
		m.mail.close()
	}
}

// abandon stops m where it is.
func (m *machine) abandon() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.abandoned = true
	if m.vm != nil {
		m.vm.Interrupt()
	}
	m.mail.close()
}

// run is the life of a machine.
func (m *machine) run() {
	debug.SetPanicOnFault(true)
	defer m.end()
	if !m.start() {
		return
	}
	var batch []message
	for !m.dead {
		if batch = m.mail.wait(batch); batch == nil {
			return
		}
		m.work(batch)
	}
}

// broken ends a machine whose turn the engine refused to finish: its jobs may
// never stop.
func (m *machine) broken(t *task, err error) {
	f := m.failure(err)
	if t.stopped.Load() && f.Limit == limitCPU {
		f.Limit = limitWall // or the caller has gone, who does not ask
	}
	t.finish(f)
	m.condemn()
}

// condemn ends what else runs here as lost.
func (m *machine) condemn() {
	m.dead = true
	for _, t := range m.tasks {
		t.finish(&failure{Lost: true})
	}
}

// limit ends t for a limit. The machine is not used for others again.
func (m *machine) limit(t *task, limit string) { m.limitAt(t, limit, "") }

// limitAt is limit for who knows where the script was.
func (m *machine) limitAt(t *task, limit, stack string) {
	t.finish(&failure{Limit: limit, Stack: topmost(stack)})
	e := m.program.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	m.retire()
}

// settle lets go of what ended in this turn.
func (m *machine) settle() {
	if len(m.ended) == 0 {
		return
	}
	e := m.program.engine
	for _, t := range m.ended {
		t.part()
		t.release()
		delete(m.tasks, t.id)
		if !m.dead && !t.told {
			m.vm.SetEvalTimeout(time.Second)
			m.enter(message{kind: kindEnd, id: t.id})
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, t := range m.ended {
		delete(e.tasks, t.id)
		m.load--
	}
	m.ended = m.ended[:0]
	m.idle = time.Now()
	if m.retired {
		m.retire()
	}
}

// grave drops what a job threw and nobody caught: the engine goes on after it.
func (p *program) grave(err error) error {
	if err != nil && p.verdict(err, 0) == "" {
		return nil
	}
	return err
}

// verdict names the limit behind an error of the engine, or "". Under memory
// pressure what is thrown may be null, for want of memory to make an error.
func (p *program) verdict(err error, heap int64) string {
	var e *quickjs.Error
	said := err.Error()
	if errors.As(err, &e) {
		said = e.Error()
	}
	if said == "null" {
		return limitMemory
	}
	return p.limitOf(said, heap)
}

func (p *program) limitOf(said string, heap int64) string {
	switch {
	case strings.Contains(said, "interrupted"), strings.Contains(said, "aborted draining"):
		return limitCPU
	case strings.Contains(said, "stack overflow"):
		return limitStack
	case strings.Contains(said, "out of memory"), heap > p.bounds.Memory/10*9:
		return limitMemory
	}
	return ""
}

// end gives the engine back. A panic in it leaves a machine that can only be
// thrown away.
func (m *machine) end() {
	if p := recover(); p != nil {
		m.dead = true
		m.program.engine.crashed(m.program, fmt.Sprintf("panic in the engine: %v", p))
	}
	m.stuck.stop()
	m.condemn()
	m.settle()
	m.mu.Lock()
	vm := m.vm
	m.vm = nil
	m.mu.Unlock()
	if vm != nil {
		m.rejected.stop()
		if m.dispatch.VM() != nil {
			m.dispatch.Free()
		}
		vm.Close()
	}
	e := m.program.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	m.lost()
	m.program.gone(m)
}

// lost ends invocations that were never begun. The engine's mutex is held.
func (m *machine) lost() {
	m.retired = true
	m.mail.close()
	f := failure{Lost: true}
	if m.failed != nil {
		f = *m.failed
	}
	for _, msg := range append(m.unread, m.mail.rest()...) {
		if t := m.program.engine.tasks[msg.id]; t != nil && msg.kind == kindInvoke {
			m.program.engine.drop(t, f)
		}
	}
}
