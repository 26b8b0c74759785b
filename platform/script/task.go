package script

import (
	"encoding/json"
	"strings"
	"sync/atomic"
	"time"
)

// task is one invocation in the child. Its machine's goroutine owns it from the
// first turn on.
type task struct {
	id      uint64
	program *program
	machine *machine // set once, under the engine's mutex
	invoke  message
	early   []message   // what came before it had a machine; as begun,
	begun   bool        // under the engine's mutex
	stopped atomic.Bool // its time is up or its caller has gone, so its turn is cut
	heard   atomic.Bool // that its caller has gone
	over    atomic.Bool // the node was told how it ended
	wall    *time.Timer

	env      string // what the machine must be told first
	used     time.Duration
	calls    map[uint64]callState // in flight
	alarms   alarms
	flows    map[uint64]*outflow // bodies to the node: 0 is the response, else of a call
	logged   int
	answered bool
	sent     int64    // bytes of the response
	ended    bool     // nothing follows, and it is released after the turn
	told     bool     // the script said so
	last     *failure // how it ends once its response is out
	parting  *message // the last word, while the turn may still log something
}

func newTask(p *program, m message) *task {
	t := &task{id: m.id, program: p, invoke: m}
	t.wall = time.AfterFunc(p.bounds.Wall, t.expire)
	return t
}

// expire ends t, in the middle of a turn if need be. The node hears of it at once,
// as others may have the cores for longer than it would wait.
func (t *task) expire() {
	e := t.program.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.tasks[t.id] == t {
		t.stop()
		t.say(&failure{Limit: limitWall})
		e.pass(message{kind: kindWall, id: t.id})
	}
}

// farewell is how long a turn may go on after the caller has gone. Turns take
// less than a millisecond, and a machine whose turn is cut is lost with all that
// waitUntil keeps.
const farewell = raceFactor * 500 * time.Millisecond

// cut stops a turn that goes on although the caller has gone, if nobody else's
// work is lost with the machine.
func (t *task) cut() {
	e := t.program.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.tasks[t.id] == t && t.machine.load == 1 && !t.heard.Load() {
		t.stop()
	}
}

// stop cuts the turn that t may be having. The engine's mutex is held.
func (t *task) stop() {
	t.stopped.Store(true)
	if t.machine != nil {
		t.machine.interrupt(t)
	}
}

// left is what t may still compute.
func (t *task) left() time.Duration { return t.program.bounds.CPU - t.used }

// stalled tells whether nothing that is under way would wake t again: where there is
// no memory to say how t ends, or for a job of the engine's, t waits for nobody.
func (t *task) stalled() bool {
	reading := t.invoke.n&flagBody != 0 && t.invoke.n&flagEnd == 0
	return !t.ended && !reading && len(t.calls) == 0 && len(t.flows) == 0 && t.alarms.pending() == 0
}

// wants tells whether a message is one for the script, after taking what is not.
// Of a wake-up it says for which timer.
func (t *task) wants(m *message) bool {
	switch m.kind {
	case kindCancel:
		t.heard.Store(true)
		t.stopped.Store(false) // what is left to do may be done
	case kindCredit:
		return t.granted(*m)
	case kindTimer:
		sub, due := t.alarms.due(time.Now())
		m.sub = sub
		return due
	case kindReply:
		if m.n&flagBody == 0 || t.calls[m.sub] == callLeft {
			delete(t.calls, m.sub)
		} else {
			t.calls[m.sub] = callAnswered
		}
		t.drop(m.sub)
	case kindBody:
		if m.n&flagEnd != 0 {
			delete(t.calls, m.sub)
		}
	}
	return true
}

// granted lets a body flow on. The script is told if it may produce more.
func (t *task) granted(m message) bool {
	f := t.flows[m.sub]
	if f == nil {
		return false
	}
	more := f.grant(m.n)
	if m.sub == 0 && t.last != nil && f.kept() == 0 {
		t.finish(t.last)
		return false
	}
	return more
}

// callState is how far a call in flight is.
type callState byte

const (
	callAsked    callState = iota
	callAnswered           // its body comes
	callLeft               // the script has given it up, and the node has not heard of it
)

// leave gives up a call, or the body of its reply. What was asked is in flight until
// the node answers all the same.
func (t *task) leave(sub uint64) {
	state, ok := t.calls[sub]
	switch {
	case !ok:
	case state == callAnswered:
		delete(t.calls, sub)
	default:
		t.calls[sub] = callLeft
		t.drop(sub)
	}
}

// drop forgets the body of a call, which its reply has overtaken.
func (t *task) drop(sub uint64) {
	if f := t.flows[sub]; f != nil && sub != 0 {
		f.stop()
		delete(t.flows, sub)
	}
}

func (t *task) send(m message) {
	m.id = t.id
	t.program.engine.link.send(m)
}

// done is the script's last word.
func (t *task) done(m message) {
	t.told = true
	if len(m.head) == 0 {
		t.result(m.body)
		return
	}
	var f failure
	if err := json.Unmarshal(m.head, &f); err != nil {
		f = failure{Name: "Error", Message: strings.ToValidUTF8(string(m.head), "")}
	}
	if f.Limit = t.limited(f); f.Limit != "" {
		t.machine.limitAt(t, f.Limit, f.Stack)
		return
	}
	t.after(&f)
}

// limited tells whether what was thrown is a limit: one that post named, or what
// the engine throws at one.
func (t *task) limited(f failure) string {
	switch f.Limit {
	case limitCalls, limitTimers, limitLog, limitReply, limitBody:
		return f.Limit
	}
	switch f.Message {
	case "stack overflow", "out of memory":
		return t.program.limitOf(f.Message, 0)
	case "interrupted": // cannot be caught, but rejects the promise of an async function
		if t.stopped.Load() {
			return limitWall
		}
		return limitCPU
	}
	if f.Message == nullThrown { // the engine's word at its limit: what filled the heap may be free again
		return t.program.limitOf("", int64(*t.machine.next))
	}
	return t.program.limitOf("", int64(*t.machine.heap))
}

// result ends an event.
func (t *task) result(body []byte) {
	if len(body) == 0 {
		t.after(nil)
		return
	}
	if int64(len(body)) > t.program.bounds.Reply {
		t.machine.limit(t, limitReply)
		return
	}
	t.close(message{kind: kindDone, body: body})
}

// after ends t when its response is out.
func (t *task) after(f *failure) {
	if flow := t.flows[0]; flow != nil && flow.kept() > 0 {
		if f == nil {
			f = &failure{}
		}
		t.last = f
		return
	}
	t.close(lastWord(f))
}

// finish says that t is over, and how; nil or an empty failure is well.
func (t *task) finish(f *failure) {
	t.say(f)
	t.end()
}

// close ends t as the script says, unless the node knows how it ended. It hears of it
// when nothing of the turn can be logged any more.
func (t *task) close(m message) {
	if t.over.CompareAndSwap(false, true) {
		t.parting = &m
		if !t.machine.unsettled() {
			t.part()
		}
	}
	t.end()
}

// part says what close has left.
func (t *task) part() {
	if t.parting != nil {
		t.send(*t.parting)
		t.parting = nil
	}
}

// say tells the node how t ended, once.
func (t *task) say(f *failure) {
	if t.over.CompareAndSwap(false, true) {
		t.send(lastWord(f))
	}
}

func lastWord(f *failure) message {
	m := message{kind: kindDone}
	if f != nil && *f != (failure{}) {
		m.head = f.encode()
	}
	return m
}

// end has t released when the turn is over.
func (t *task) end() {
	if !t.ended {
		t.ended = true
		t.machine.ended = append(t.machine.ended, t)
	}
}

// release stops whatever would still wake t.
func (t *task) release() {
	t.wall.Stop()
	t.alarms.stop()
	for _, f := range t.flows {
		f.stop()
	}
}
