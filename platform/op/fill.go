package op

import (
	"errors"
	"reflect"

	"github.com/fazt-sh/fazt/platform/fault"
)

// bind fills the call's input and globals from what is left of the line once the
// target and the command's own n words are taken out.
func (p *parser) bind(c *Call, o *operation, n int) error {
	if o.err != nil {
		return fault.New(fault.Internal, "%q: %w", o.row.Name, o.err)
	}
	own := len(o.fields)
	globals := p.unshadowed(o)
	fields := append(append([]field{}, o.fields...), globals...)
	b, err := newBinder(fields, false)
	if err != nil {
		return fault.New(fault.Internal, "%q: %w", o.row.Name, err)
	}
	if err := p.fits(o, b, n); err != nil {
		return err
	}
	// One box holds both structs, so that one pass of the parser fills them.
	box := reflect.New(boxOf(o.in)).Elem()
	for i := range fields {
		b.fields[i].index = append([]int{boolInt(i >= own)}, fields[i].index...)
	}
	given := make([]bool, len(fields))
	if err := b.bind(p.rest(n), box, given); err != nil {
		return asUsage(err, o)
	}
	in, g := box.Field(0), box.Field(1)
	if err := o.complete(in, given[:own], true); err != nil {
		return asUsage(err, o)
	}
	flags := operation{row: o.row, fields: p.globalsOnly(globals)}
	if err := flags.complete(g, given[own:], true); err != nil {
		return asUsage(err, o)
	}
	c.Globals = g.Interface().(Globals)
	c.In = in.Interface()
	if object, needed := c.NeedsConfirm(); needed {
		c.SetConfirm(c.Globals.Confirm)
		if c.Globals.Yes {
			c.SetConfirm(object)
		}
	}
	return nil
}

func boxOf(in reflect.Type) reflect.Type {
	return reflect.StructOf([]reflect.StructField{
		{Name: "In", Type: in}, {Name: "Globals", Type: reflect.TypeFor[Globals]()},
	})
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// unshadowed returns the global flags but those the row has itself: a row's own
// --timeout is part of its input.
func (p *parser) unshadowed(o *operation) []field {
	own := map[string]bool{}
	for _, f := range o.fields {
		own[f.flag] = !f.positional
	}
	var out []field
	for _, f := range p.globals {
		if !own[f.flag] {
			out = append(out, f)
		}
	}
	return out
}

// globalsOnly returns fields as they are outside of the box.
func (p *parser) globalsOnly(fields []field) []field {
	out := make([]field, 0, len(fields))
	for _, f := range fields {
		for _, g := range p.globals {
			if g.flag == f.flag {
				out = append(out, g)
			}
		}
	}
	return out
}

// fits refuses unknown flags and surplus arguments, with better words than a
// parser that does not know the command.
func (p *parser) fits(o *operation, b *binder, n int) error {
	known := make([]string, 0, 2*len(b.fields))
	for _, f := range b.fields {
		if f.flag == "" || f.positional {
			continue
		}
		known = append(known, "--"+f.flag)
		if f.negatable {
			known = append(known, "--no-"+f.flag)
		}
	}
	if err := p.strayFlag("fazt help "+o.row.Name, known); err != nil {
		return err
	}
	room := len(b.args)
	if room > 0 && b.fields[b.args[room-1]].kind.many() {
		return nil
	}
	arguments := p.words(len(p.positions))[n:]
	for _, t := range p.tokens {
		if t.after {
			arguments = append(arguments, t.text)
		}
	}
	if len(arguments) > room {
		return usageHint("usage: "+o.usageLine(), "%q does not take the argument %s", o.row.Name, quoted(arguments[room]))
	}
	return nil
}

// rest returns the arguments without the target and the command's n words, and
// those after "--" behind it again.
func (p *parser) rest(n int) []string {
	var out, after []string
	skip := map[int]bool{}
	for _, i := range p.positions[:n] {
		skip[i] = true
	}
	for i, t := range p.tokens {
		switch {
		case t.after:
			after = append(after, t.text)
		case skip[i], t.taken:
		default:
			out = append(out, t.text)
		}
	}
	if after != nil {
		out = append(append(out, "--"), after...)
	}
	return out
}

func asUsage(err error, o *operation) error {
	var e *fault.Error
	if !errors.As(err, &e) || e.Kind == fault.Internal {
		return err
	}
	c := *e
	if c.Hint == "" {
		c.Hint = "usage: " + o.usageLine()
	}
	return usageError{&c}
}

// NeedsConfirm returns the name of what the call would destroy, and whether the
// operation asks for it. The command line asks the person and calls SetConfirm.
func (c *Call) NeedsConfirm() (object string, needed bool) {
	if c.Op.o == nil || c.Op.o.confirm() == nil {
		return "", false
	}
	return c.Op.o.object().text(reflect.ValueOf(c.In)), true
}

// SetConfirm fills the input's Confirm field.
func (c *Call) SetConfirm(name string) {
	f := c.Op.o.confirm()
	box := reflect.New(c.Op.o.in).Elem()
	box.Set(reflect.ValueOf(c.In))
	box.FieldByIndex(f.index).SetString(name)
	c.In = box.Interface()
}
