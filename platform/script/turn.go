package script

import (
	"encoding/base64"
	"time"
	"unicode/utf8"

	"modernc.org/quickjs"
)

// slice is how long a machine with much to do keeps its turn when others wait.
const slice = 10 * time.Millisecond

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
	case !t.wants(&msg):
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
	if err == nil {
		err = m.drain(t, begun)
	}
	spent := m.rejected.spent
	null := m.rejected.forget()
	m.disarm()
	t.used += time.Since(begun)
	before, held := m.holds.Load(), int64(*m.heap)
	m.holds.Store(held)
	switch {
	case err != nil && spent:
		m.limit(t, limitMemory)
		m.condemn()
	case err != nil:
		m.broken(t, err)
	case t.left() <= 0:
		m.limit(t, limitCPU) // in many short turns
	case null && t.stalled() && m.program.limitOf("", int64(*m.next)) != "":
		m.limit(t, limitMemory)
		m.condemn()
	case held > before+machineBytes/2 && !m.program.engine.grown(m):
		m.limit(t, limitMemory)
		m.condemn()
	}
	m.settle()
}

// drain runs what is left of a turn: its jobs, then whoever listens for the promises
// that nobody handled, and the jobs of those.
func (m *machine) drain(t *task, begun time.Time) error {
	for _, listened := range []bool{true, false} {
		if t.stopped.Load() {
			return nil
		}
		m.vm.SetEvalTimeout(max(t.left()-time.Since(begun), 1))
		_, err := m.vm.ExecutePendingJobs()
		if err = m.program.grave(err); err != nil || !m.rejected.any() {
			return err
		}
		if err := m.complain(t, begun, listened); err != nil {
			return err
		}
	}
	return nil
}

// arm makes t the one that an interrupt hits.
func (m *machine) arm(t *task) bool {
	m.mu.Lock()
	m.current = t
	abandoned := m.abandoned
	m.mu.Unlock()
	left := max(t.left(), 1)
	m.vm.SetEvalTimeout(left)
	m.stuck.start(left)
	return !abandoned
}

func (m *machine) disarm() {
	m.stuck.stop()
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
	return m.dispatch.Call(quickjs.UndefinedValue, int(msg.kind), msg.id, msg.sub, msg.n|flags, string(msg.head), body)
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
