package script

import (
	"encoding/json"
	"slices"
)

// program is an app's code in the child, with its machines. The engine's mutex
// guards all of it.
type program struct {
	engine           *engine
	id               uint64
	declared, bounds Bounds
	size             int    // of the source
	source           string // until there is code
	code             []byte // compiled
	opened           bool   // the node knows the handlers
	closed           bool
	failed           *failure // why there can be no machine
	envs             map[uint64]string

	machines []*machine // all that are not yet gone
	waiting  []*task    // for a machine
	starting int        // invocations that have not had a turn
}

// place gives t a machine or a place in the queue. It reports whether it could.
// Where invocations share machines, one that has to wait for another is also a
// reason to have more of them.
func (p *program) place(t *task) bool {
	best := p.best()
	if (best == nil || best.load > 0) && p.mayGrow() {
		if grown := p.grow(); best == nil {
			best = grown
		}
	}
	if best != nil {
		best.take(t)
		return true
	}
	if len(p.machines) == 0 {
		return false // there is no memory for any
	}
	p.waiting = append(p.waiting, t)
	return true
}

// best returns the machine that has least to do, or nil.
func (p *program) best() (best *machine) {
	for _, m := range p.machines {
		if m.free() && (best == nil || m.load < best.load) {
			best = m
		}
	}
	return best
}

// mayGrow tells whether there may be one more machine. More than cores only help
// while some are on their way out, or to have pristine ones in stock.
func (p *program) mayGrow() bool {
	cores, usable := p.engine.settings.Cores, 0
	for _, m := range p.machines {
		if !m.retired {
			usable++
		}
	}
	if !p.bounds.Fresh && usable >= cores || len(p.machines) >= 2*cores {
		return false
	}
	return p.engine.room(machineBytes)
}

// grow adds a machine, which boots on its own.
func (p *program) grow() *machine {
	m := newMachine(p)
	p.machines = append(p.machines, m)
	p.engine.count(1)
	p.engine.running.Go(m.run)
	return m
}

// gone is told when a machine has ended. What waits gets another one.
func (p *program) gone(m *machine) {
	p.machines = slices.DeleteFunc(p.machines, func(o *machine) bool { return o == m })
	p.engine.count(-1)
	if p.closed && len(p.machines) == 0 {
		delete(p.engine.programs, p.id)
	}
	queue := p.waiting
	p.waiting = nil
	for _, t := range queue {
		switch {
		case p.failed != nil:
			p.engine.drop(t, *p.failed)
		case p.engine.closed || !p.place(t):
			p.engine.drop(t, failure{Lost: true})
		}
	}
	p.stock()
}

// stock keeps a pristine machine ready where every invocation gets its own.
func (p *program) stock() {
	if p.bounds.Fresh && !p.closed && !p.engine.closed && p.failed == nil && p.best() == nil && p.mayGrow() {
		p.grow()
	}
}

func (p *program) unqueue(t *task) {
	p.waiting = slices.DeleteFunc(p.waiting, func(o *task) bool { return o == t })
}

// fail records that the module cannot be used.
func (p *program) fail(f failure) {
	p.failed = &f
	p.engine.link.send(message{kind: kindOpened, id: p.id, n: flagError, head: f.encode()})
}

// open tells the node what the module handles, once.
func (p *program) open(handlers json.RawMessage) {
	if !p.opened {
		p.opened = true
		p.engine.link.send(message{kind: kindOpened, id: p.id, head: handlers})
	}
}

// close lets machines finish what they have and go.
func (p *program) close() {
	p.closed = true
	for _, m := range p.machines {
		m.retire()
	}
	if len(p.machines) == 0 {
		delete(p.engine.programs, p.id)
	}
}

// told is what ctx.limits is made of.
func (p *program) told() []byte {
	b, err := json.Marshal(p.declared)
	if err != nil {
		panic(err) // numbers
	}
	return b
}
