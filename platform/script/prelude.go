package script

import (
	"embed"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"modernc.org/quickjs"
	"modernc.org/quickjs/intl"

	"github.com/fazt-sh/fazt/platform/script/web"
)

//go:embed core.js core_flow.js core_console.js
var coreFiles embed.FS

// The factories of what is in env: the last five go on where the first ends.
var (
	//go:embed bindings.js
	bindingsSource string
	//go:embed bindings_kv.js
	keysSource string
	//go:embed bindings_sql.js
	sqlSource string
	//go:embed bindings_docs.js
	docsSource string
	//go:embed bindings_blobs.js
	blobsSource string
	//go:embed bindings_fetch.js
	fetchSource string
)

// prelude is what every machine starts with: the Web's globals, the factories of
// bindings, and the glue to this package. It is compiled once per process, as
// reading bytecode takes a tenth of the time of compiling.
type prelude struct {
	sources  map[string]string // of the parts that are loaded at first use
	kernel   []byte
	bindings []byte
	core     []byte

	mu    sync.Mutex // guards parts
	parts map[string][]byte
}

func newPrelude() (*prelude, error) {
	p := &prelude{sources: web.Parts(), parts: map[string][]byte{}}
	for _, c := range []struct {
		to     *[]byte
		source string
		flags  int
	}{
		{&p.kernel, web.Source(), quickjs.EvalGlobal},
		{&p.bindings, asScript(bindingsSource+keysSource+sqlSource+docsSource+blobsSource+fetchSource, "__fazt_bindings"), quickjs.EvalGlobal},
		{&p.core, core(), quickjs.EvalGlobal},
	} {
		var err error
		if *c.to, err = compileHidden(c.source, c.flags); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// exports is a last line for a module that leaves what it exports in a global.
// The engine calls everything that it evaluates <eval>, so this is the module
// itself, and a global is the only way to it that the library has.
func exports(global string) string {
	return "\n;import * as __fazt_self from '<eval>'; globalThis." + global + " = __fazt_self;"
}

// core is the glue as one script, which evaluates to the function that is called
// for everything that happens.
func core() string {
	source := constants()
	for _, name := range []string{"core.js", "core_flow.js", "core_console.js"} {
		text, err := coreFiles.ReadFile(name)
		if err != nil {
			panic(err) // embedded, so it is there
		}
		source += string(text)
	}
	return "(() => {" + source + "return dispatch;})()"
}

// constants tells core.js the numbers of wire.go.
func constants() string {
	return fmt.Sprintf(`"use strict";
const OPEN=%d,ENV=%d,INVOKE=%d,REPLY=%d,CANCEL=%d,HEAD=%d,CALL=%d,LOG=%d,DONE=%d,BODY=%d,CREDIT=%d,TIMER=%d,FORGET=%d,REJECTED=%d;
const F_END=%d,F_BYTES=%d,F_DONE=%d,F_BODY=%d,F_ERROR=%d,F_EVENT=%d,F_SIGNAL=%d,F_SHIFT=%d;
`, kindOpen, kindEnv, kindInvoke, kindReply, kindCancel, kindHead, kindCall, kindLog, kindDone, kindBody, kindCredit, kindTimer, kindEnd, kindRejected,
		flagEnd, flagBytes, flagDone, flagBody, flagError, flagEvent, flagSignal, 1<<flagShift)
}

// compile returns bytecode, or what the engine says of the source.
func compile(source string, flags int) ([]byte, error) {
	vm, err := quickjs.NewVM()
	if err != nil {
		return nil, err
	}
	defer vm.Close()
	return vm.Compile(source, flags)
}

// hiddenLines is how many empty lines come before what is ours, so that its
// places can be told from those of apps in a stack: the engine has one name for
// everything that the library evaluates.
const (
	evalName    = "<eval>"
	hiddenLines = 1 << 19
)

func compileHidden(source string, flags int) ([]byte, error) {
	return compile(strings.Repeat("\n", hiddenLines)+source, flags)
}

// asScript makes a script that leaves in a global what a module exports. Two
// modules would have the same name, and the app's is one.
func asScript(module, global string) string {
	var names []string
	script := exported.ReplaceAllStringFunc(module, func(line string) string {
		m := exported.FindStringSubmatch(line)
		if m[3] != "" {
			names = append(names, renamed.ReplaceAllString(m[3], "$2: $1"))
			return ""
		}
		names = append(names, m[2])
		return strings.TrimPrefix(line, "export ")
	})
	return "(() => {" + script + "\nglobalThis." + global + " = {" + strings.Join(names, ", ") + "};\n})()"
}

var exported = regexp.MustCompile(`(?m)^export ((?:const|let|class|function|async function) (\w+)|\{([^}]*)\};?)`)

var renamed = regexp.MustCompile(`(\w+)\s+as\s+(\w+)`)

// part returns the bytecode of a part.
func (p *prelude) part(name string) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if code, ok := p.parts[name]; ok {
		return code, nil
	}
	source, ok := p.sources[name]
	if !ok {
		return nil, fmt.Errorf("no part %q", strings.ToValidUTF8(name, ""))
	}
	code, err := compileHidden(source, quickjs.EvalGlobal)
	if err == nil {
		p.parts[name] = code
	}
	return code, err
}

// install gives a new machine its globals. It returns the function through which
// core.js hears of everything that happens.
func (p *prelude) install(vm *quickjs.VM, post web.Function) (dispatch quickjs.Value, err error) {
	for name, f := range web.Functions() {
		if name == web.PartName {
			continue
		}
		if err := vm.RegisterHostFunc(name, f); err != nil {
			return dispatch, err
		}
	}
	if err := vm.RegisterHostFunc("__fazt_post", post); err != nil {
		return dispatch, err
	}
	// The zone is that of Date, which in a child without files of the system is UTC.
	if err := vm.RegisterHostFunc(web.IntlName, func([]any) (any, error) { return nil, intl.Register(vm, intl.TimeZone("UTC")) }); err != nil {
		return dispatch, err
	}
	if err := vm.RegisterFunc(web.PartName, p.loader(vm), false); err != nil {
		return dispatch, err
	}
	for _, code := range [][]byte{p.kernel, p.bindings} {
		if err := evaluate(vm, code); err != nil {
			return dispatch, err
		}
	}
	return vm.EvalBytecodeValue(p.core)
}

// loader returns the host function that hands out evaluated parts.
func (p *prelude) loader(vm *quickjs.VM) func(name string) quickjs.Value {
	return func(name string) quickjs.Value {
		code, err := p.part(name)
		if err != nil {
			return quickjs.UndefinedValue
		}
		v, err := vm.EvalBytecodeValue(code)
		if err != nil {
			return quickjs.UndefinedValue
		}
		return v
	}
}

func evaluate(vm *quickjs.VM, code []byte) error {
	v, err := vm.EvalBytecodeValue(code)
	if err == nil {
		v.Free()
	}
	return err
}
