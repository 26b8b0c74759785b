package op

import (
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Globals are the flags every command understands.
type Globals struct {
	JSON      bool          `name:"json" help:"print the answer as JSON; streams as one JSON value a line"`
	Quiet     bool          `short:"q" help:"print no progress and no notices"`
	Debug     bool          `help:"print what happens on the way, to stderr"`
	Color     string        `default:"auto" enum:"auto,always,never" help:"when to colour"`
	NoInput   bool          `help:"never ask; fail instead"`
	Yes       bool          `help:"answer yes to every question"`
	Confirm   string        `placeholder:"NAME" help:"confirm by name what is going to be destroyed"`
	Timeout   time.Duration `help:"give up after this long, such as 30s"`
	Directory string        `short:"C" placeholder:"DIR" help:"run as if started in DIR"`
	State     string        `placeholder:"DIR" help:"state folder of this machine's node"`
	Curl      bool          `help:"print the request as a curl command instead of sending it"`
	Help      bool          `short:"h" help:"show help"`
	Version   bool          `help:"show the version"`
}

// Call is a parsed command line.
type Call struct {
	Op      Op                  // not valid when only help or the version was asked for
	In      any                 // the operation's In, as a value
	Globals Globals             // what the global flags say
	Target  string              // the peer's name without "@"; empty for this machine
	Words   []string            // the command's words as typed; with Globals.Help what help is about
	Getenv  func(string) string // the caller's environment; Parse leaves it nil
}

// usageError is a mistake on the command line: exit code 64.
type usageError struct{ fault *fault.Error }

func (usageError) Exit() int       { return 64 }
func (e usageError) Error() string { return e.fault.Error() }
func (e usageError) Unwrap() error { return e.fault }

// Usage makes an error of a kind with exit code 64: the command line is wrong.
func Usage(format string, args ...any) error {
	return usageError{fault.New(fault.Invalid, format, args...)}
}

func usageHint(hint, format string, args ...any) error {
	e := fault.New(fault.Invalid, format, args...)
	e.Hint = hint
	return usageError{e}
}

// Parse finds the operation and fills its input. The first argument that is no
// flag picks the target if it begins with "@"; the command is the longest run of
// words that names a row; flags may stand anywhere before "--". With --help or
// --version nothing is required. Errors are usage errors (exit code 64); the Call
// returned beside one still has the global flags, so the error can be printed as
// asked for.
func Parse(t Table, args []string) (Call, error) {
	p := parser{table: t, globals: globalFields(), arity: t.arity()}
	c := Call{}
	scanErr := p.scan(args)
	c.Globals = p.readGlobals()
	if scanErr != nil {
		return c, scanErr
	}
	if err := p.target(&c); err != nil {
		return c, err
	}
	o, n := p.find()
	c.Words = p.words(n)
	switch {
	case c.Globals.Help || c.Globals.Version:
		if o != nil {
			c.Op = Op{o}
		} else {
			c.Words = p.words(len(p.positions))
		}
		return c, nil
	case o == nil && len(p.positions) == 0:
		c.Globals.Help = true
		return c, p.strayFlag("fazt help", globalNames(p.globals))
	case o == nil:
		return c, p.unknownCommand()
	case o.row.Local && c.Target != "":
		return c, usageHint("run it without @"+c.Target, "%q runs on this machine", o.row.Name)
	}
	for _, arg := range args { // JSON would have other bytes in the place of these
		if !utf8.ValidString(arg) {
			return c, usageHint("bytes go by a file or by standard input", "the argument %q is no text in UTF-8", arg)
		}
	}
	c.Op = Op{o}
	err := p.bind(&c, o, n)
	return c, err
}

// A parser holds one command line while it is taken apart.
type parser struct {
	table     Table
	globals   []field
	arity     map[string]bool // "--limit" and "-q" to: takes a value
	tokens    []token
	positions []int // tokens that are words: neither flags nor their values
}

// token is one argument of the command line.
type token struct {
	text    string
	flag    bool // begins with "-" and stands before "--"
	partner bool // its value is the next token
	after   bool // stands after "--"
	taken   bool // was the target
}

func globalFields() []field {
	fields, err := fieldsOf(reflect.TypeFor[Globals]())
	if err != nil {
		panic(err) // a constant struct; the tests parse with it
	}
	for i := range fields {
		if fields[i].confirm {
			fields[i].flag, fields[i].confirm = "confirm", false
		}
	}
	return fields
}

func globalNames(fields []field) []string {
	var names []string
	for _, f := range fields {
		names = append(names, "--"+f.flag)
	}
	return names
}

// scan classes the arguments. A token that begins with "-" is never a value, so
// flags can be told from words without knowing the command.
func (p *parser) scan(args []string) error {
	for i := 0; i < len(args); i++ {
		text := args[i]
		if text == "--" {
			for _, rest := range args[i+1:] {
				p.tokens = append(p.tokens, token{text: rest, after: true})
			}
			return nil
		}
		if len(text) < 2 || text[0] != '-' {
			p.positions = append(p.positions, len(p.tokens))
			p.tokens = append(p.tokens, token{text: text})
			continue
		}
		wants := p.wantsValue(text)
		p.tokens = append(p.tokens, token{text: text, flag: true, partner: wants})
		if !wants {
			continue
		}
		if i+1 == len(args) || len(args[i+1]) > 1 && args[i+1][0] == '-' {
			p.tokens = p.tokens[:len(p.tokens)-1]
			return usageHint("write "+text+"=VALUE if the value begins with a dash", "%s needs a value", text)
		}
		i++
		p.tokens = append(p.tokens, token{text: args[i]})
	}
	return nil
}

// wantsValue tells whether a flag token takes the next argument.
func (p *parser) wantsValue(text string) bool {
	if strings.HasPrefix(text, "--") {
		return p.arity[text]
	}
	for i, letter := range text[1:] {
		if p.arity["-"+string(letter)] {
			return i+len(string(letter)) == len(text)-1
		}
	}
	return false
}

// readGlobals reads the global flags alone, as far as they can be read: it is
// what help and error messages go by before a command is known.
func (p *parser) readGlobals() Globals {
	g := reflect.New(reflect.TypeFor[Globals]()).Elem()
	b, err := newBinder(p.globals, false)
	if err != nil {
		panic(err)
	}
	given := make([]bool, len(p.globals))
	for i, t := range p.tokens {
		if !t.flag || !p.global(t.text) {
			continue
		}
		tokens := []string{t.text}
		if t.partner {
			tokens = append(tokens, p.tokens[i+1].text)
		}
		_ = b.bind(tokens, g, given) // reported when the whole line is bound
	}
	for i := range p.globals {
		if initial, err := p.globals[i].initial(); err == nil && !given[i] {
			g.FieldByIndex(p.globals[i].index).Set(initial)
		}
	}
	return g.Interface().(Globals)
}

func (p *parser) global(text string) bool {
	name, _, _ := strings.Cut(text, "=")
	return slices.ContainsFunc(p.globals, func(f field) bool {
		return name == "--"+f.flag || f.short != "" && strings.HasPrefix(name, "-"+f.short)
	})
}

// target takes a leading "@name" off the words.
func (p *parser) target(c *Call) error {
	if len(p.positions) == 0 || !strings.HasPrefix(p.word(0), "@") {
		return nil
	}
	c.Target = p.word(0)[1:]
	p.tokens[p.positions[0]].taken = true
	p.positions = p.positions[1:]
	if c.Target == "" {
		return Usage("\"@\" names no peer")
	}
	if len(p.positions) > 0 && strings.HasPrefix(p.word(0), "@") {
		return usageHint("run the command once for each", "two targets: @%s and %s", c.Target, p.word(0))
	}
	return nil
}

func (p *parser) word(i int) string { return p.tokens[p.positions[i]].text }

func (p *parser) words(n int) []string {
	words := make([]string, 0, n)
	for i := range n {
		words = append(words, p.word(i))
	}
	return words
}

// find returns the row with the longest name the words begin with, and how many
// words that is.
func (p *parser) find() (*operation, int) {
	for n := min(len(p.positions), 4); n > 0; n-- {
		if o, ok := p.table.Find(p.words(n)...); ok {
			return o.o, n
		}
	}
	return nil, 0
}

// unknownCommand says what is near the words, or what begins with them.
func (p *parser) unknownCommand() error {
	words := p.words(len(p.positions))
	var verbs, names []string
	for _, o := range p.table {
		name := o.Row().Name
		names = append(names, name)
		if noun, verb, ok := strings.Cut(name, " "); ok && noun == words[0] {
			verbs = append(verbs, verb)
		}
	}
	if len(verbs) > 0 {
		return p.unknownVerb(words, verbs)
	}
	for n := min(len(words), 2); n > 0; n-- {
		if near := nearest(strings.Join(words[:n], " "), names); near != "" {
			return usageHint("did you mean \"fazt "+near+"\"?", "unknown command %q", strings.Join(words[:n], " "))
		}
	}
	if near := nearest(words[0], nouns(names)); near != "" {
		return usageHint("did you mean \"fazt "+near+"\"?", "unknown command %q", words[0])
	}
	return usageHint("fazt help lists the commands", "unknown command %q", words[0])
}

func (p *parser) unknownVerb(words, verbs []string) error {
	slices.Sort(verbs)
	hint := "fazt " + words[0] + " " + strings.Join(verbs, "|")
	if len(words) == 1 {
		return usageHint(hint, "%q needs a verb", words[0])
	}
	if near := nearest(words[1], verbs); near != "" {
		hint = "did you mean \"fazt " + words[0] + " " + near + "\"?"
	}
	return usageHint(hint, "unknown command %q", words[0]+" "+words[1])
}

func nouns(names []string) []string {
	var out []string
	for _, name := range names {
		noun, _, _ := strings.Cut(name, " ")
		if !slices.Contains(out, noun) {
			out = append(out, noun)
		}
	}
	return out
}

// strayFlag refuses flags that none of the known ones is; help lists those.
func (p *parser) strayFlag(help string, known []string) error {
	for _, t := range p.tokens {
		name, _, _ := strings.Cut(t.text, "=")
		if !t.flag || !strings.HasPrefix(name, "--") || slices.Contains(known, name) {
			continue
		}
		if near := nearest(name, known); near != "" {
			return usageHint("did you mean "+near+"?", "unknown flag %s", name)
		}
		return usageHint(help+" lists the flags", "unknown flag %s", name)
	}
	return nil
}
