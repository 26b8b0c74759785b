package script

import (
	"encoding/base64"
	"time"
)

// post is the script's way out. It returns nil, the bytes a body may still take,
// or the name of a limit, which core.js throws.
func (m *machine) post(args []any) (any, error) {
	msg := posted(args)
	t := m.tasks[msg.id]
	if t != nil && msg.kind == kindLog && t.logs() {
		return t.log(msg), nil
	}
	if t == nil || t.ended || t.last != nil || t.over.Load() {
		return "ended", nil
	}
	switch msg.kind {
	case kindHead:
		return t.head(msg), nil
	case kindBody:
		return t.body(msg), nil
	case kindCall:
		return t.call(msg), nil
	case kindTimer:
		return t.timer(msg), nil
	case kindEnd:
		t.alarms.clear(msg.sub)
	case kindCredit:
		if msg.n == 0 {
			t.leave(msg.sub)
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

// head answers. Short bodies go with it.
func (t *task) head(m message) any {
	if t.answered {
		return nil
	}
	t.answered = true
	whole, body := m.n&flagEnd != 0, m.body
	if t.sent += int64(len(body)); t.sent > t.program.bounds.Reply {
		return t.exceeds(limitReply)
	}
	t.told = m.n&flagDone != 0
	if whole && len(body) <= frameBytes {
		if t.told && !t.over.CompareAndSwap(false, true) {
			return "ended"
		}
		if t.told && t.machine.unsettled() {
			m.n &^= flagDone
			t.parting = &message{kind: kindDone}
		}
		t.send(m)
		if t.told {
			t.end()
		}
		return nil
	}
	m.n, m.body = m.n&^(flagEnd|flagDone), nil
	t.send(m)
	flow := t.flow(0)
	if whole {
		flow.offer(body, true)
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
	if t.flows == nil {
		t.flows = map[uint64]*outflow{}
	}
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
	if t.calls == nil {
		t.calls = map[uint64]callState{}
	}
	t.calls[m.sub] = callAsked
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

// logs tells whether the node would still take a line.
func (t *task) logs() bool { return t.parting != nil || !t.ended && !t.over.Load() }

func (t *task) log(m message) any {
	if t.logged++; t.logged > t.program.bounds.LogLines {
		return limitLog
	}
	m.head = m.head[:min(len(m.head), lineBytes+1)] // the one more tells the node that it goes on
	t.send(m)
	return nil
}

func (t *task) timer(m message) any {
	if t.alarms.pending() >= t.program.bounds.Timers {
		return limitTimers
	}
	if t.alarms.wake == nil {
		mail, wake := t.machine.mail, message{kind: kindTimer, id: t.id}
		t.alarms.wake = time.AfterFunc(time.Hour, func() { mail.push(wake) })
	}
	t.alarms.set(m.sub, time.Now().Add(time.Duration(m.n)*time.Millisecond))
	return nil
}
