package script

import (
	"encoding/base64"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"modernc.org/libquickjs"
	"modernc.org/quickjs"
)

// stackFrames is how deep calls may go. The engine's own limit costs up to 1 GB
// of stack.
const stackFrames = 1000

// slice is how long a machine with much to do keeps its turn when others wait.
const slice = 10 * time.Millisecond

// machine is one engine with an app's module in it, owned by the goroutine of
// run. Everything that happens comes as a message, and each message is a turn:
// one call of core.js and all promise jobs that follow from it.
type machine struct {
	program *program
	mail    *mailbox
	stuck   *time.Timer  // fires when a turn does not end
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

// take gives m an invocation. The engine's mutex is held.
func (m *machine) take(t *task) {
	m.load++
	m.served++
	t.machine = m
	m.mail.push(t.invoke)
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

// work runs a turn for each message, while it is this machine's time.
func (m *machine) work(batch []message) {
	turns := m.program.engine.turns
	turns <- struct{}{}
	defer func() { <-turns }()
	defer func() { m.unread = batch }()
	for begun := time.Now(); len(batch) > 0 && !m.dead; {
		msg := batch[0]
		batch = batch[1:]
		m.turn(msg)
		if time.Since(begun) > slice {
			<-turns
			turns <- struct{}{}
			begun = time.Now()
		}
	}
}

// turn hands a message to the script, if there is anything to hand over.
func (m *machine) turn(msg message) {
	t := m.tasks[msg.id]
	switch {
	case msg.kind == kindInvoke:
		t = m.begin(msg.id)
	case t == nil:
		return // it is over
	case msg.kind == kindWall:
		m.limit(t, limitWall)
		m.settle()
		return
	case !t.wants(msg):
		m.settle()
		return
	}
	if t != nil {
		m.call(t, msg)
	}
}

// begin is the first turn of an invocation.
func (m *machine) begin(id uint64) *task {
	e := m.program.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.tasks[id]
	if t == nil {
		return nil
	}
	e.begun(t)
	m.tasks[id] = t
	if env := t.invoke.n >> flagShift; m.env != env {
		m.env, t.env = env, m.program.envs[env]
	}
	return t
}

// call runs one turn for t within what is left of its budget.
func (m *machine) call(t *task, msg message) {
	if m.dead || !m.arm(t) {
		return
	}
	begun := time.Now()
	err := m.enter(msg)
	if err == nil && !t.stopped.Load() {
		m.vm.SetEvalTimeout(max(t.left()-time.Since(begun), 1))
		_, err = m.vm.ExecutePendingJobs()
		err = m.program.grave(err)
	}
	m.disarm()
	t.used += time.Since(begun)
	held := int64(*m.heap)
	m.holds.Store(held)
	if err != nil {
		m.broken(t, err)
	}
	m.settle()
}

// arm makes t the one that an interrupt hits.
func (m *machine) arm(t *task) bool {
	m.mu.Lock()
	m.current = t
	abandoned := m.abandoned
	m.mu.Unlock()
	left := max(t.left(), 1)
	m.vm.SetEvalTimeout(left)
	m.stuck.Reset(2*left + stuckGrace)
	return !abandoned
}

// stuckGrace is what a turn may take over twice its budget before its child is
// killed: the engine asks for interrupts every 10,000 steps, and a busy computer
// gives others their time too.
const stuckGrace = 500 * time.Millisecond

func (m *machine) disarm() {
	m.stuck.Stop()
	m.mu.Lock()
	m.current = nil
	m.mu.Unlock()
}

// interrupt stops t's turn, if it is having one. It may be called by anybody.
func (m *machine) interrupt(t *task) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.current == t && m.vm != nil {
		m.vm.Interrupt()
	}
}

// enter calls core.js, which hears first what env is if that has changed.
func (m *machine) enter(msg message) error {
	if t := m.tasks[msg.id]; t != nil && t.env != "" {
		env := t.env
		t.env = ""
		if err := m.enter(message{kind: kindEnv, id: msg.id, head: []byte(env)}); err != nil {
			return err
		}
	}
	_, err := m.say(msg)
	return err
}

func (m *machine) say(msg message) (any, error) {
	body, flags := script(msg)
	return m.dispatch.Call(quickjs.UndefinedValue, int(msg.kind), float64(msg.id), float64(msg.sub), float64(msg.n|flags), string(msg.head), body)
}

// script is what core.js gets for bytes: text where a body is whole and may be
// asked for as text, else base64, which the engine decodes at 1 GB/s. It has no
// other way for bytes.
func script(m message) (string, uint64) {
	if m.kind != kindBody && utf8.Valid(m.body) {
		return string(m.body), 0
	}
	return base64.StdEncoding.EncodeToString(m.body), flagBytes
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
		if !t.over {
			t.finish(&failure{Lost: true})
		}
	}
}

// limit ends t for a limit. The machine is not used for others again.
func (m *machine) limit(t *task, limit string) {
	t.finish(&failure{Limit: limit})
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
	return p.limitOf(said, heap)
}

func (p *program) limitOf(said string, heap int64) string {
	switch {
	case strings.Contains(said, "interrupted"), strings.Contains(said, "aborted draining"):
		return limitCPU
	case strings.Contains(said, "stack overflow"):
		return limitStack
	case strings.Contains(said, "out of memory"), said == "null", heap > p.bounds.Memory/10*9:
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
	if m.stuck != nil {
		m.stuck.Stop()
	}
	m.condemn()
	m.settle()
	m.mu.Lock()
	vm := m.vm
	m.vm = nil
	m.mu.Unlock()
	if vm != nil {
		m.dispatch.Free()
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
