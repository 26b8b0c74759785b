package op

import (
	"fmt"
	"io"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/fazt-sh/fazt/platform/fault"
)

// A binder reads flags and positionals into the fields of one input. Command
// lines and queries go through the same one; in a query positionals are named
// like flags.
type binder struct {
	parser *kong.Kong
	fields []field
	flags  map[string]int // long flag to index in fields
	args   []int          // positionals in order
}

// newBinder builds the parser for fields. named turns positionals into flags.
// Every value reaches us as text, so that messages are the same on all ways in.
func newBinder(fields []field, named bool) (*binder, error) {
	b := &binder{fields: fields, flags: map[string]int{}}
	var grammar []reflect.StructField
	for i, f := range fields {
		if f.flag == "" {
			continue
		}
		positional := f.positional && !named
		if positional {
			b.args = append(b.args, i)
		} else {
			b.flags[f.flag] = i
		}
		grammar = append(grammar, reflect.StructField{
			Name: "F" + strconv.Itoa(i), Type: f.textType(), Tag: f.grammar(positional, named),
		})
	}
	target := reflect.New(reflect.StructOf(grammar))
	parser, err := kong.New(target.Interface(), kong.NoDefaultHelp(), kong.Writers(io.Discard, io.Discard), kong.Name("fazt"))
	b.parser = parser
	return b, err
}

// textType is what the parser fills for a field: only flags without a value are
// anything but text.
func (f *field) textType() reflect.Type {
	switch {
	case f.kind == kindBool:
		return reflect.TypeFor[bool]()
	case f.kind.many():
		return reflect.TypeFor[[]string]()
	default:
		return reflect.TypeFor[string]()
	}
}

func (f *field) grammar(positional, named bool) reflect.StructTag {
	tag := fmt.Sprintf(`name:%q`, f.flag)
	if positional {
		tag += ` arg:"" optional:""`
	}
	if f.kind.many() {
		tag += ` sep:"none"`
	}
	if f.short != "" && !positional && !named {
		tag += fmt.Sprintf(` short:%q`, f.short)
	}
	if f.negatable && !named {
		tag += ` negatable:""`
	}
	return reflect.StructTag(tag)
}

// bind parses tokens and fills in; given tells which fields had a value.
func (b *binder) bind(tokens []string, in reflect.Value, given []bool) error {
	ctx, err := b.parser.Parse(tokens)
	if err != nil {
		return fault.New(fault.Invalid, "%s", err)
	}
	for _, path := range ctx.Path {
		i, value := -1, (*kong.Value)(nil)
		switch {
		case path.Flag != nil:
			i, value = b.flags[path.Flag.Name], path.Flag.Value
		case path.Positional != nil:
			i, value = b.args[path.Positional.Position], path.Positional
		default:
			continue
		}
		f := &b.fields[i]
		if err := f.set(in.FieldByIndex(f.index), texts(value.Target)); err != nil {
			return fault.New(fault.Invalid, "%s %w", f.label(true), err)
		}
		given[i] = true
	}
	return nil
}

func texts(v reflect.Value) []string {
	switch v.Kind() {
	case reflect.Bool:
		return []string{strconv.FormatBool(v.Bool())}
	case reflect.Slice:
		return v.Interface().([]string)
	default:
		return []string{v.String()}
	}
}

// query reads an input from the query of a GET request.
func (o *operation) query(q url.Values) (reflect.Value, error) {
	in := reflect.New(o.in).Elem()
	if o.err != nil {
		return in, fault.New(fault.Internal, "%q: %w", o.row.Name, o.err)
	}
	b, err := newBinder(o.fields, true)
	if err != nil {
		return in, fault.New(fault.Internal, "%q: %w", o.row.Name, err)
	}
	var tokens, known []string
	for name := range b.flags {
		known = append(known, name)
	}
	slices.Sort(known)
	for _, key := range sortedKeys(q) {
		if _, ok := b.flags[key]; !ok {
			return in, o.takesNo(key, known)
		}
		for _, value := range q[key] {
			tokens = append(tokens, queryToken(b.fields[b.flags[key]].kind, key, value))
		}
	}
	given := make([]bool, len(o.fields))
	if err := b.bind(tokens, in, given); err != nil {
		return in, err
	}
	return in, o.complete(in, given, false)
}

// queryToken is one pair of a query as a flag; "?all" alone means "?all=true".
func queryToken(k kind, key, value string) string {
	if k == kindBool && value == "" {
		return "--" + key
	}
	return "--" + key + "=" + value
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// usageLine is the command with its arguments and flags on one line.
func (o *operation) usageLine() string {
	words := []string{"fazt"}
	if !o.row.Local {
		words = append(words, "[@peer]")
	}
	words = append(words, o.row.Name)
	flags := false
	for _, f := range o.fields {
		if f.flag == "" || !f.positional {
			flags = flags || f.flag != "" && !f.hidden
			continue
		}
		word := f.value()
		if f.kind.many() {
			word += "..."
		}
		if !f.required {
			word = "[" + word + "]"
		}
		words = append(words, word)
	}
	if flags {
		words = append(words, "[flags]")
	}
	return strings.Join(words, " ")
}
