package script

import (
	"context"
	"time"
)

// UseBindings has machines of this process get other factories.
func UseBindings(source string) {
	bindingsSource, keysSource, sqlSource, docsSource, blobsSource, fetchSource = source, "", "", "", "", ""
}

// Mapped maps the places in a text by a source map.
func Mapped(name string, sourceMap []byte, text string) string {
	return newTrace(name, sourceMap).mapped(text)
}

// Window is how much of a body may be under way.
const Window = window

// Kill kills the shared child, and tells whether there was one.
func (h *Host) Kill() bool {
	h.shared.mu.Lock()
	defer h.shared.mu.Unlock()
	if h.shared.life == nil {
		return false
	}
	h.shared.life.kill()
	return true
}

// Message is a message with its fields open.
type Message struct {
	Kind       byte
	ID, Sub, N uint64
	Head, Body []byte
}

// Encode appends messages to one frame.
func Encode(all []Message) (frame []byte) {
	for _, m := range all {
		frame = message{kind(m.Kind), m.ID, m.Sub, m.N, m.Head, m.Body}.appendTo(frame)
	}
	return frame
}

// Decode reads a frame.
func Decode(frame []byte) (all []Message, err error) {
	for len(frame) > 0 {
		var m message
		if m, frame, err = next(frame); err != nil {
			return nil, err
		}
		all = append(all, Message{byte(m.kind), m.id, m.sub, m.n, m.head, m.body})
	}
	return all, nil
}

// The kinds that a child sends.
const (
	KindOpened = byte(kindOpened)
	KindHead   = byte(kindHead)
	KindCall   = byte(kindCall)
	KindLog    = byte(kindLog)
	KindDone   = byte(kindDone)
	KindStuck  = byte(kindStuck)
	KindBody   = byte(kindBody)
	KindCredit = byte(kindCredit)
)

// LastKind is the last kind that a message can have.
const LastKind = byte(lastKind)

// Receive has a host take a frame from a child that has an app and an invocation
// of it under way. It returns the body that came, and what would end the child.
func Receive(frame []byte) (body []byte, err error) {
	h := New(Config{InProcess: true})
	a := &App{host: h, id: 1, program: Program{Name: "test"}, bounds: Bounds{Reply: 1 << 20}.withDefaults(), worker: h.shared, traces: newTrace("test", nil)}
	ours, _ := pipe()
	l := &life{worker: h.shared, link: newLink(ours), running: running{kill: func() {}}, opened: map[uint64]*opening{}, invocations: map[uint64]*invocation{}}
	inv := newInvocation(a, l, silent{})
	if err := inv.begin(message{kind: kindInvoke, id: inv.id, sub: a.id}, nil); err != nil {
		return nil, err
	}
	for len(frame) > 0 && err == nil {
		var m message
		if m, frame, err = next(frame); err == nil {
			m.id = 1 // of the app and, as it is the first, of the invocation
			err = l.receive(m)
		}
	}
	h.shared.end(l)
	inv.body.mu.Lock()
	defer inv.body.mu.Unlock()
	for _, c := range inv.body.chunks {
		body = append(body, c...)
	}
	return body, err
}

type silent struct{}

func (silent) Env() []Env                                { return nil }
func (silent) Call(context.Context, Call) (Reply, error) { return Reply{}, nil }
func (silent) Log(Line)                                  {}

// Raced tells whether this is a build with the race detector.
const Raced = raceFactor > 1

// PID returns the process of the shared child, or 0.
func (h *Host) PID() int {
	h.shared.mu.Lock()
	defer h.shared.mu.Unlock()
	if h.shared.life == nil {
		return 0
	}
	return h.shared.life.pid
}

// Refuges returns how many suspects have a child of their own.
func (h *Host) Refuges() int { return int(h.refuges.Load()) }

// Idle opens a program in an engine of its own and tells how many machines it has
// before and after those that nobody used are closed.
func Idle(code string) (before, after int, err error) {
	ours, theirs := pipe()
	p, err := newPrelude()
	if err != nil {
		return 0, 0, err
	}
	e := &engine{link: newLink(theirs), prelude: p, programs: map[uint64]*program{}, tasks: map[uint64]*task{}}
	e.apply(settings{})
	go e.link.write()
	defer e.link.close()
	e.receive(message{kind: kindOpen, id: 1, head: []byte(`{"Memory":67108864,"CPU":60000000000}`), body: []byte(code)})
	if err := newLink(ours).read(func(m message) error {
		if m.kind == kindOpened {
			return errEnded
		}
		return nil
	}); err != errEnded {
		return 0, 0, err
	}
	e.mu.Lock()
	before = len(e.programs[1].machines)
	e.mu.Unlock()
	e.closeIdle(time.Now().Add(time.Hour))
	e.running.Wait()
	return before, len(e.programs[1].machines), nil
}

// Crew returns what runs host calls.
func Crew() func(func()) { return newCrew().do }

// CrewGone waits longer than a goroutine of a crew does.
func CrewGone() { time.Sleep(2 * idleCrew) }
