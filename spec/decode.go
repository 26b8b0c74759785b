package spec

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// decoded is a block whose arguments were found and, where the row gives them
// a plain type, evaluated.
type decoded struct {
	block  *block
	row    Block
	prefix string // before an argument's name in messages and places: "limits."
	attrs  map[string]*hcl.Attribute
	values map[string]any // by argument; absent where null or faulty
	blocks []*decoded     // that stand inside it, in their order
}

// decodeBlock reads a block by its row: unknown and missing arguments, then
// the value of each. It reports everything it finds.
func (l *load) decodeBlock(b *block, s *scope, r *reporter) *decoded {
	d := l.shape(b, r)
	d.evaluateAll(s, r)
	return d
}

// shape finds a block's arguments and the blocks inside it without evaluating
// any.
func (l *load) shape(b *block, r *reporter) *decoded {
	row, _ := l.lang.block(b.Type)
	return shapeOf(b, row, "", r)
}

func shapeOf(b *block, row Block, prefix string, r *reporter) *decoded {
	d := &decoded{block: b, row: row, prefix: prefix, values: map[string]any{}}
	read := readBody(b.Body, row, b.written(), r)
	d.attrs = read.attrs
	nth := map[string]int{}
	for _, inner := range read.blocks {
		inner.parent = b
		known, _ := findBlock(row.Blocks, inner.Type)
		if first := d.inside(inner.Type); known.Once && first != nil {
			r.error(codeTwice, inner.Place, inner.written()+" is declared twice", cmp.Or(known.Why, "keep one of them"), declaredAt("first declared here", first.block.Place)...)
			continue
		}
		step := inner.step()
		if !known.Once && len(inner.Labels) == 0 {
			step = NthBlock(inner.Type, nth[inner.Type])
			nth[inner.Type]++
		}
		d.blocks = append(d.blocks, shapeOf(inner, known, prefix+step+".", r))
	}
	d.judgeMissing(read.refused, r)
	return d
}

// judgeMissing reports required arguments that are not there.
func (d *decoded) judgeMissing(refused []string, r *reporter) {
	var missing []string
	for _, a := range d.row.Attributes {
		if a.Required && d.attrs[a.Name] == nil && !meant(a.Name, refused, attributeNames(d.row.Attributes)) {
			missing = append(missing, a.Name)
		}
	}
	if len(missing) > 0 {
		a, _ := attribute(d.row.Attributes, missing[0])
		help := "add " + missing[0] + " = …: " + a.Doc
		r.error(codeMissing, d.block.Place, fmt.Sprintf("%s has no %s", d.block.written(), strings.Join(missing, " and no ")), help)
	}
}

// inside is the first block of a type that stands in this one, or nil.
func (d *decoded) inside(name string) *decoded {
	for _, b := range d.blocks {
		if b.block.Type == name {
			return b
		}
	}
	return nil
}

// again is the same block without its values, to be evaluated once more: an
// app with for_each is evaluated for each key.
func (d *decoded) again() *decoded {
	c := *d
	c.values, c.blocks = map[string]any{}, make([]*decoded, len(d.blocks))
	for i, b := range d.blocks {
		c.blocks[i] = b.again()
	}
	return &c
}

// evaluateAll gives every argument of the block and of those inside it its
// value, but for those that have been evaluated already.
func (d *decoded) evaluateAll(s *scope, r *reporter, done ...string) {
	for _, a := range d.row.Attributes {
		if !slices.Contains(done, a.Name) {
			d.evaluate(a, s, r)
		}
	}
	for _, b := range d.blocks {
		b.evaluateAll(s, r)
	}
}

// evaluate gives one argument its value, unless it is judged elsewhere.
func (d *decoded) evaluate(row Attribute, s *scope, r *reporter) {
	a := d.attrs[row.Name]
	if a == nil {
		return
	}
	switch row.Type {
	case TypeExpression, TypeType, TypeName, TypeNames, TypeAddress:
		return
	case TypeApp:
		if addr, ok := s.app(a.Expr, d.prefix+row.Name, r); ok {
			d.values[row.Name] = addr
		}
		return
	case TypeResources:
		if list, ok := s.resources(a.Expr, d.spot(row.Name), row, r); ok {
			d.values[row.Name] = list
		}
		return
	}
	v, ok := s.value(a.Expr, r)
	if !ok {
		return
	}
	if value, ok := decode(row, v, d.spot(row.Name), r); ok && value != nil {
		d.values[row.Name] = value
	}
}

// string is a text argument, empty where it has no value.
func (d *decoded) string(name string) string { s, _ := d.values[name].(string); return s }

// bool is a truth argument, or its default.
func (d *decoded) bool(name string, missing bool) bool {
	if b, ok := d.values[name].(bool); ok {
		return b
	}
	return missing
}

// number is a whole argument, or a size or a duration: zero where it has no
// value.
func (d *decoded) number(name string) int64 { n, _ := d.values[name].(int64); return n }

// decimal is an argument that need not be whole, zero where it has no value.
func (d *decoded) decimal(name string) float64 { n, _ := d.values[name].(float64); return n }

// spot is where an argument's value was written.
func (d *decoded) spot(name string) *spot {
	return &spot{expr: d.attrs[name].Expr, name: d.prefix + name}
}

// at is the range of an argument's value, or the block's opening where it is
// absent.
func (d *decoded) at(name string) hcl.Range {
	if a := d.attrs[name]; a != nil {
		return a.Expr.Range()
	}
	return d.block.Place
}

// places are the ranges of the arguments that are there, by name, and of those
// of the blocks inside: limits, limits.body.
func (d *decoded) places() map[string]Range {
	at := make(map[string]Range, len(d.attrs))
	d.addPlaces(at)
	return at
}

func (d *decoded) addPlaces(at map[string]Range) {
	for name, a := range d.attrs {
		at[d.prefix+name] = rangeOf(a.Expr.Range())
	}
	for _, b := range d.blocks {
		at[strings.TrimSuffix(b.prefix, ".")] = rangeOf(b.block.Place)
		b.addPlaces(at)
	}
}
