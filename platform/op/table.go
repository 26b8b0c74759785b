package op

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Table is all operations of a program, in the order of its help.
type Table []Op

// Find returns the operation called words.
func (t Table) Find(words ...string) (Op, bool) {
	name := strings.Join(words, " ")
	for _, o := range t {
		if o.o.row.Name == name {
			return o, true
		}
	}
	return Op{}, false
}

// Check reports every row that breaks a rule of the table, joined: names unique
// and of lower-case words, summaries short, lower case and without a full stop,
// inputs made of documented fields of known types, one meaning of a flag's value
// in all rows, examples that parse, a permission where a node is asked, and a
// confirmed object where one is destroyed.
func (t Table) Check() error {
	var errs []error
	seen := map[string]bool{}
	for _, o := range t {
		for _, err := range o.o.check() {
			errs = append(errs, fmt.Errorf("%q: %w", o.o.row.Name, err))
		}
		if seen[o.o.row.Name] {
			errs = append(errs, fmt.Errorf("%q is there twice", o.o.row.Name))
		}
		seen[o.o.row.Name] = true
	}
	errs = append(errs, t.checkArity()...)
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	for _, o := range t {
		for _, e := range o.o.row.Examples {
			if err := t.checkExample(o, e); err != nil {
				errs = append(errs, fmt.Errorf("%q: example %q: %w", o.o.row.Name, e.Command, err))
			}
		}
	}
	return errors.Join(errs...)
}

func (o *operation) check() []error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if o.err != nil {
		return []error{o.err}
	}
	if !properName(o.row.Name) {
		fail("a name is made of lower-case words")
	}
	if s := o.row.Summary; s == "" || utf8.RuneCountInString(s) > 72 || strings.HasSuffix(s, ".") || startsUpper(s) {
		fail("a summary has 1 to 72 characters, begins in lower case and has no full stop")
	}
	if !slices.Contains([]Effect{Read, Change, Destroy}, o.row.Effect) {
		fail("the effect is read, change or destroy, not %q", o.row.Effect)
	}
	if o.row.Effect == Destroy && !o.row.Local && (o.confirm() == nil || o.object() == nil) {
		fail("what destroys has a text field that names the object, and a text field Confirm")
	}
	switch known := slices.Contains(Permissions(), o.row.Needs); {
	case o.row.Needs == "" && !o.row.Local && !o.row.Offline:
		fail("who asks a node for something needs a permission: say which in Needs")
	case o.row.Needs != "" && !known:
		fail("there is no permission %q", o.row.Needs)
	}
	for code := range o.row.Exits {
		if code < 0 || code > 255 {
			fail("%d is no exit code", code)
		}
	}
	return append(errs, o.checkFields()...)
}

func (o *operation) checkFields() []error {
	var errs []error
	globals := globalFields()
	flags, keys := map[string]bool{}, map[string]bool{}
	for _, f := range o.fields {
		fail := func(text string) { errs = append(errs, fmt.Errorf("field %s %s", f.name, text)) }
		if f.help == "" && !f.confirm {
			fail("has no help")
		}
		if f.flag != "" && flags[f.flag] {
			fail("repeats the flag " + f.flag)
		}
		if f.json != "" && keys[f.json] {
			fail("repeats the key " + f.json)
		}
		flags[f.flag], keys[f.json] = true, true
		clash := slices.ContainsFunc(globals, func(g field) bool {
			return g.flag == f.flag && f.flag != "timeout" || g.short != "" && g.short == f.short
		})
		if clash && !f.positional {
			fail("takes the place of a global flag")
		}
	}
	if _, err := newBinder(o.fields, false); err != nil {
		errs = append(errs, err)
	}
	return errs
}

// checkArity refuses a flag that takes a value in one row and none in another:
// words could not be told from values before the command is known.
func (t Table) checkArity() []error {
	var errs []error
	arity := map[string]bool{}
	for _, f := range globalFields() {
		f.addArity(arity)
	}
	for _, o := range t {
		own := map[string]bool{}
		for _, f := range o.o.fields {
			f.addArity(own)
		}
		for _, name := range sortedKeys(own) {
			if takes, ok := arity[name]; ok && takes != own[name] {
				errs = append(errs, fmt.Errorf("%q: %s takes a value in one row and none in another", o.o.row.Name, name))
			}
			arity[name] = own[name]
		}
	}
	return errs
}

// arity tells for every flag of the table whether it takes a value.
func (t Table) arity() map[string]bool {
	arity := map[string]bool{}
	for _, o := range t {
		for _, f := range o.o.fields {
			f.addArity(arity)
		}
	}
	for _, f := range globalFields() {
		f.addArity(arity)
	}
	return arity
}

func (f *field) addArity(arity map[string]bool) {
	if f.flag == "" || f.positional {
		return
	}
	arity["--"+f.flag] = f.kind != kindBool
	if f.short != "" {
		arity["-"+f.short] = f.kind != kindBool
	}
	if f.negatable {
		arity["--no-"+f.flag] = false
	}
}

func (t Table) checkExample(o Op, e Example) error {
	words, err := split(e.Command)
	if err != nil {
		return err
	}
	c, err := Parse(t, words)
	if err != nil {
		return err
	}
	if c.Op.o == nil || !reflect.DeepEqual(c.Op.o.row.Name, o.o.row.Name) {
		return errors.New("is not of this operation")
	}
	return nil
}

// split takes an example apart as a shell would: single and double quotes, no
// expansion. What follows a "|" or ">" belongs to another program.
func split(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quote rune
	open := false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, open = r, true
		case r == ' ':
			if open || word.Len() > 0 {
				words = append(words, word.String())
			}
			word.Reset()
			open = false
		case (r == '|' || r == '>' || r == '<') && word.Len() == 0:
			return words, nil
		default:
			word.WriteRune(r)
		}
	}
	if quote != 0 {
		return nil, errors.New("has an open quote")
	}
	if open || word.Len() > 0 {
		words = append(words, word.String())
	}
	return words, nil
}

func properName(name string) bool {
	for word := range strings.SplitSeq(name, " ") {
		if word == "" || strings.IndexFunc(word, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
		}) >= 0 {
			return false
		}
	}
	return name != "openapi.json"
}

func startsUpper(s string) bool {
	r, size := utf8.DecodeRuneInString(s)
	second, _ := utf8.DecodeRuneInString(s[size:])
	return unicode.IsUpper(r) && !unicode.IsUpper(second) // "HTTP" and "DNS" may begin a line
}
