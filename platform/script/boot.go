package script

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"modernc.org/quickjs"
)

// start makes the engine and evaluates the module, as the machine's first turn.
func (m *machine) start() bool {
	e := m.program.engine
	handlers, f := m.first()
	e.mu.Lock()
	defer e.mu.Unlock()
	if f != nil {
		m.failed = f
		if !m.program.opened {
			m.program.fail(*f)
		}
		return false
	}
	m.ready, m.idle = true, time.Now()
	m.holds.Store(int64(*m.heap))
	m.program.open(handlers)
	m.program.stock()
	return true
}

// first is boot as a turn.
func (m *machine) first() (json.RawMessage, *failure) {
	turns := m.program.engine.turns
	turns <- struct{}{}
	defer func() { <-turns }()
	m.stuck.start(m.program.bootTime())
	defer m.stuck.stop()
	return m.boot()
}

// bootTime is what a machine may take to come up: what an invocation may, but a
// second at least, as most of it is not the app's, and for the compiler, which took
// 0.2 µs a byte on an idle core, a microsecond.
func (p *program) bootTime() time.Duration {
	return max(p.bounds.CPU, raceFactor*time.Second) + time.Duration(p.size)*raceFactor*time.Microsecond
}

// boot returns the handlers of the module as JSON.
func (m *machine) boot() (json.RawMessage, *failure) {
	if f := m.create(); f != nil {
		return nil, f
	}
	if err := m.evaluate(); err != nil {
		return nil, m.failure(err)
	}
	told, err := m.say(message{kind: kindOpen, head: m.program.told()})
	if err != nil {
		return nil, m.failure(err)
	}
	said, _ := told.(string)
	var refused failure
	if said == "" || json.Unmarshal([]byte(said), &refused) == nil && refused.Refused != "" {
		return nil, &refused
	}
	return json.RawMessage(said), nil
}

// create makes a bounded engine with its globals.
func (m *machine) create() *failure {
	vm, err := quickjs.NewVM()
	if err != nil {
		return &failure{Lost: true}
	}
	b := m.program.bounds
	vm.SetMemoryLimit(uintptr(b.Memory))
	vm.SetMaxStackSize(stackFrames)
	vm.SetCanBlock(false)
	vm.SetEvalTimeout(m.program.bootTime())
	rt := runtimeOf(vm)
	m.heap, m.next = meter(rt)
	m.rejected = track(vm, rt)
	m.mu.Lock()
	m.vm = vm
	abandoned := m.abandoned
	m.mu.Unlock()
	if m.dispatch, err = m.program.engine.prelude.install(vm, m.post); err != nil {
		return m.failure(err)
	}
	if abandoned {
		return &failure{Lost: true}
	}
	return nil
}

// evaluate runs the module. Bytecode is read in a tenth of the time, but the
// library waits for a module that awaits something at its top level in a loop
// that nothing interrupts. So the first machine evaluates a source in which the
// word occurs, and sees whether it was done at once.
func (m *machine) evaluate() error {
	p := m.program
	p.engine.mu.Lock()
	code, source := p.code, p.source
	p.engine.mu.Unlock()
	if code != nil {
		return evaluate(m.vm, code)
	}
	source += exports("__fazt_module")
	if !strings.Contains(source, "await") {
		code, err := m.compile(source)
		if err != nil {
			return err
		}
		return evaluate(m.vm, code)
	}
	m.vm.SetMaxStackSize(0) // the parser is deeper than most programs
	promise, err := m.vm.EvalValue(source, quickjs.EvalModule)
	m.vm.SetMaxStackSize(stackFrames)
	if err != nil {
		return err
	}
	defer promise.Free()
	if m.evaluated() {
		_, err := m.compile(source)
		return err
	}
	return m.await(promise)
}

// evaluated tells whether the module's last line was reached.
func (m *machine) evaluated() bool {
	v, err := m.vm.Eval("typeof __fazt_module === 'object'", quickjs.EvalGlobal)
	return err == nil && v == true
}

// await runs the jobs of a module that waits for promises of its own. What comes
// from outside never comes before there is an invocation.
func (m *machine) await(promise quickjs.Value) error {
	var rejected error
	then, err := promise.Then(nil, func(v quickjs.Value) { rejected = quickjs.ErrorFromValue(v) })
	if err != nil {
		return err
	}
	defer then.Free()
	if _, err := m.vm.ExecutePendingJobs(); err != nil {
		return err
	}
	if rejected == nil && !m.evaluated() {
		return errAwaits
	}
	return rejected
}

var errAwaits = errors.New("the module waits at its top level for something that only a handler can wait for: move it into the handler")

// compile keeps the bytecode for the machines to come.
func (m *machine) compile(source string) ([]byte, error) {
	vm, err := quickjs.NewVM()
	if err != nil {
		return nil, err
	}
	defer vm.Close()
	vm.SetMemoryLimit(uintptr(max(m.program.bounds.Memory, compileBytes)))
	code, err := vm.Compile(source, quickjs.EvalModule)
	if err != nil {
		return nil, err
	}
	e := m.program.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	m.program.code, m.program.source = code, ""
	return code, nil
}

// compileBytes is what compiling may take whatever the app's own bound is.
const compileBytes = 256 << 20

// failure is an error of evaluation, as the node is told of it.
func (m *machine) failure(err error) *failure {
	var e *quickjs.Error
	thrown := errors.As(err, &e)
	if limit := m.program.verdict(err, int64(*m.heap)); limit != "" {
		f := &failure{Limit: limit}
		if thrown {
			f.Stack = topmost(e.Stack)
		}
		return f
	}
	if errors.Is(err, errAwaits) {
		return &failure{Refused: err.Error()}
	}
	if !thrown {
		return &failure{Name: "Error", Message: err.Error()}
	}
	if strings.Contains(e.Message, "'Deno' is not defined") {
		return &failure{Refused: "Deno.serve is not known here: write `export default { fetch: handler }`"}
	}
	f := &failure{Name: e.Name, Message: e.Message, Stack: e.Stack}
	if f.Name == "" {
		f.Name, f.Message = "Error", e.Error()
	}
	if e.LineNumber > 0 && !strings.Contains(f.Stack, evalName) {
		f.Stack = fmt.Sprintf("    at %s:%d:%d\n", evalName, e.LineNumber, e.ColumnNumber)
	}
	return f
}
