package script

import (
	"encoding/base64"
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
	begun   bool        // under the engine's mutex
	stopped atomic.Bool // its time is up or its caller has gone, so its turn is cut
	heard   atomic.Bool // that its caller has gone
	wall    *time.Timer

	env    string // what the machine must be told first
	used   time.Duration
	calls  map[uint64]bool // true while their reply's body flows
	timers map[uint64]*time.Timer
	flows  map[uint64]*outflow // bodies to the node: 0 is the response, else of a call
	logged int
	sent   int64    // bytes of the response
	over   bool     // done was said; nothing follows
	told   bool     // the script said so
	last   *failure // how it ends once its response is out
}

func newTask(p *program, m message) *task {
	t := &task{id: m.id, program: p, invoke: m, calls: map[uint64]bool{}, timers: map[uint64]*time.Timer{}, flows: map[uint64]*outflow{}}
	t.wall = time.AfterFunc(p.bounds.Wall, t.expire)
	return t
}

// expire ends t, in the middle of a turn if need be.
func (t *task) expire() {
	e := t.program.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.tasks[t.id] == t {
		t.stop()
		e.pass(message{kind: kindWall, id: t.id})
	}
}

// farewell is how long a turn may go on after the caller has gone. Turns take
// less than a millisecond, and a machine whose turn is cut is lost with all that
// waitUntil keeps.
const farewell = 100 * time.Millisecond

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

// wants tells whether a message is one for the script, after taking what is not.
func (t *task) wants(m message) bool {
	switch m.kind {
	case kindCancel:
		t.heard.Store(true)
		t.stopped.Store(false) // what is left to do may be done
	case kindCredit:
		return t.granted(m)
	case kindTimer:
		_, ok := t.timers[m.sub]
		delete(t.timers, m.sub)
		return ok
	case kindReply:
		if m.n&flagBody == 0 {
			delete(t.calls, m.sub)
		} else {
			t.calls[m.sub] = true
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

// drop forgets the body of a call, which its reply has overtaken.
func (t *task) drop(sub uint64) {
	if f := t.flows[sub]; f != nil && sub != 0 {
		f.stop()
		delete(t.flows, sub)
	}
}

// post is the script's way out. It returns nil, the bytes a body may still take,
// or the name of a limit, which core.js throws.
func (m *machine) post(args []any) (any, error) {
	msg := posted(args)
	t := m.tasks[msg.id]
	if t == nil || t.over || t.last != nil {
		return "ended", nil
	}
	switch msg.kind {
	case kindHead:
		return t.head(msg), nil
	case kindBody:
		return t.body(msg), nil
	case kindCall:
		return t.call(msg), nil
	case kindLog:
		return t.log(msg), nil
	case kindTimer:
		return t.timer(msg), nil
	case kindEnd:
		t.clear(msg.sub)
	case kindCredit:
		if msg.n == 0 {
			delete(t.calls, msg.sub)
		}
		t.send(msg)
	case kindDone:
		t.done(msg)
	}
	return nil, nil
}

// posted reads core.js's arguments: kind, id, sub, n, head, body. What is no
// such thing is zero.
func posted(args []any) (m message) {
	var numbers [4]uint64
	for i := range min(len(args), len(numbers)) {
		switch v := args[i].(type) {
		case int:
			numbers[i] = uint64(max(v, 0))
		case float64:
			if v > 0 && v < 1<<53 {
				numbers[i] = uint64(v)
			}
		}
	}
	m = message{kind: kind(numbers[0]), id: numbers[1], sub: numbers[2], n: numbers[3]}
	if len(args) > 4 {
		m.head = posting(args[4], false)
	}
	encoded := false
	if m.kind == kindHead || m.kind == kindCall || m.kind == kindBody {
		encoded = m.n&flagBytes != 0
		m.n &^= flagBytes
	}
	if len(args) > 5 {
		m.body = posting(args[5], encoded)
	}
	return m
}

func posting(v any, encoded bool) []byte {
	s, ok := v.(string)
	if !ok {
		return nil
	}
	if !encoded {
		return []byte(s)
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil
	}
	return b
}

func (t *task) send(m message) {
	m.id = t.id
	t.program.engine.link.send(m)
}

// head answers. Short bodies go with it.
func (t *task) head(m message) any {
	if t.flows[0] != nil {
		return nil
	}
	whole, body := m.n&flagEnd != 0, m.body
	t.flow(0)
	if t.sent += int64(len(body)); t.sent > t.program.bounds.Reply {
		return t.exceeds(limitReply)
	}
	if done := m.n&flagDone != 0; done {
		t.told = true
	}
	if whole && len(body) <= frameBytes {
		t.flows[0].stop()
		t.send(m)
		if m.n&flagDone != 0 {
			t.end()
		}
		return nil
	}
	m.n, m.body = m.n&^(flagEnd|flagDone), nil
	t.send(m)
	if whole {
		t.flows[0].offer(body, true)
		if t.told {
			t.after(nil)
		}
	}
	return nil
}

// flow begins a body to the node.
func (t *task) flow(sub uint64) *outflow {
	f := newOutflow(func(b []byte, end bool) {
		n := uint64(0)
		if end {
			n = flagEnd
		}
		t.send(message{kind: kindBody, sub: sub, n: n, body: b})
	})
	t.flows[sub] = f
	return f
}

// body sends a chunk and tells how many bytes more may come at once.
func (t *task) body(m message) any {
	f := t.flows[m.sub]
	if f == nil {
		return "ended"
	}
	if m.n&flagError != 0 {
		f.stop()
		t.send(m)
		return nil
	}
	if m.sub == 0 {
		if t.sent += int64(len(m.body)); t.sent > t.program.bounds.Reply {
			return t.exceeds(limitReply)
		}
	}
	left, wanted := f.offer(m.body, m.n&flagEnd != 0)
	if !wanted {
		return "ended"
	}
	if left < 0 && t.machine.kept() > t.program.bounds.Memory {
		return t.exceeds(limitMemory)
	}
	return left
}

// kept is what bodies hold outside of the engine's heap.
func (m *machine) kept() (bytes int64) {
	for _, t := range m.tasks {
		for _, f := range t.flows {
			bytes += int64(f.kept())
		}
	}
	return bytes
}

// exceeds ends t for a limit that it hit while it spoke to us.
func (t *task) exceeds(limit string) any {
	t.machine.limit(t, limit)
	return limit
}

// call begins a host call.
func (t *task) call(m message) any {
	if len(t.calls) >= t.program.bounds.Calls {
		return limitCalls
	}
	t.calls[m.sub] = false
	if m.n&flagEnd != 0 && len(m.body) > frameBytes {
		body := m.body
		m.body, m.n = nil, m.n&^flagEnd
		t.send(m)
		t.flow(m.sub).offer(body, true)
		return nil
	}
	if m.n&flagBody != 0 && m.n&flagEnd == 0 {
		t.flow(m.sub)
	}
	t.send(m)
	return nil
}

// lineBytes is what is kept of a line that was logged.
const lineBytes = 64 << 10

func (t *task) log(m message) any {
	if t.logged++; t.logged > t.program.bounds.LogLines {
		return limitLog
	}
	if len(m.head) > lineBytes {
		m.head = append(m.head[:lineBytes:lineBytes], " [...]"...)
	}
	t.send(m)
	return nil
}

func (t *task) timer(m message) any {
	if len(t.timers) >= t.program.bounds.Timers {
		return limitTimers
	}
	mail, fired := t.machine.mail, message{kind: kindTimer, id: t.id, sub: m.sub}
	t.timers[m.sub] = time.AfterFunc(time.Duration(m.n)*time.Millisecond, func() { mail.push(fired) })
	return nil
}

func (t *task) clear(sub uint64) {
	if timer := t.timers[sub]; timer != nil {
		timer.Stop()
		delete(t.timers, sub)
	}
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
		t.machine.limit(t, f.Limit)
		return
	}
	t.after(&f)
}

// limited tells whether what was thrown is a limit: one that post named, or what
// the engine throws at one.
func (t *task) limited(f failure) string {
	switch f.Limit {
	case limitCalls, limitTimers, limitLog, limitReply:
		return f.Limit
	}
	said := f.Message
	if f.Name == "null" {
		said = f.Name
	}
	switch f.Name {
	case "InternalError", "SyntaxError", "RangeError", "null":
		return t.program.limitOf(said, int64(*t.machine.heap))
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
	t.send(message{kind: kindDone, body: body})
	t.end()
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
	t.finish(f)
}

// finish says that t is over, and how; nil or an empty failure is well.
func (t *task) finish(f *failure) {
	if t.over {
		return
	}
	m := message{kind: kindDone}
	if f != nil && *f != (failure{}) {
		m.head = f.encode()
	}
	t.send(m)
	t.end()
}

// end has t released when the turn is over.
func (t *task) end() {
	t.over = true
	t.machine.ended = append(t.machine.ended, t)
}

// release stops whatever would still wake t.
func (t *task) release() {
	t.wall.Stop()
	for _, timer := range t.timers {
		timer.Stop()
	}
	for _, f := range t.flows {
		f.stop()
	}
}
