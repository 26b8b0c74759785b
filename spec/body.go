package spec

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// block is one block of a file, its arguments found by the table and not yet
// evaluated.
type block struct {
	Type   string
	Labels []string
	Place  hcl.Range // its opening line, type to last label
	Names  []hcl.Range
	Body   hcl.Body
	parent *block // that it stands in; nil at the top of a file
}

// content is what readBody finds in a body.
type content struct {
	attrs   map[string]*hcl.Attribute
	blocks  []*block
	refused []string // names that were reported
}

// label is the block's first label, empty where it has none.
func (b *block) label() string {
	if len(b.Labels) == 0 {
		return ""
	}
	return b.Labels[0]
}

// written is the block's opening as a person wrote it: app "notes", and for a
// block inside it limits of app "notes".
func (b *block) written() string {
	s := b.Type
	for _, l := range b.Labels {
		s += fmt.Sprintf(" %q", l)
	}
	if b.parent != nil {
		s += " of " + b.parent.written()
	}
	return s
}

// step is the block's part of a path into the block around it: limits,
// sql["DB"].
func (b *block) step() string {
	s := b.Type
	for _, l := range b.Labels {
		s += fmt.Sprintf("[%q]", l)
	}
	return s
}

// name is the place of the first label, or of the block's type where there is
// no label.
func (b *block) name() hcl.Range {
	if len(b.Names) > 0 {
		return b.Names[0]
	}
	return b.Place
}

// readBody takes a body apart by its row of the table: every argument and
// block that the row does not have is reported by name. A whole file is a body
// too: its row has the blocks of the language, and where is empty.
func readBody(body hcl.Body, row Block, where string, r *reporter) content {
	if native, ok := body.(*hclsyntax.Body); ok {
		return readNative(native, row, where, r)
	}
	return readJSON(body, row, where, r)
}

func readNative(body *hclsyntax.Body, row Block, where string, r *reporter) content {
	c := content{attrs: map[string]*hcl.Attribute{}}
	for _, a := range inOrder(body.Attributes) {
		if knownArgument(row, a.Name, a.NameRange, where, r) {
			c.attrs[a.Name] = a.AsHCLAttribute()
			continue
		}
		c.refused = append(c.refused, a.Name)
	}
	for _, b := range body.Blocks {
		read := &block{Type: b.Type, Labels: b.Labels, Place: b.DefRange(), Names: b.LabelRanges, Body: b.Body}
		if knownBlock(row, read, b.TypeRange, where, r) {
			c.blocks = append(c.blocks, read)
			continue
		}
		c.refused = append(c.refused, b.Type)
	}
	return c
}

// meant tells whether one of the names that were reported is a slip for this
// one: then it is there, misspelt, and not missing.
func meant(name string, reported, allowed []string) bool {
	return slices.ContainsFunc(reported, func(word string) bool { return nearest(word, allowed) == name })
}

// inOrder sorts arguments by place, so that reports come in reading order.
func inOrder(attrs hclsyntax.Attributes) []*hclsyntax.Attribute {
	var list []*hclsyntax.Attribute
	for _, a := range attrs {
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b *hclsyntax.Attribute) int { return a.NameRange.Start.Byte - b.NameRange.Start.Byte })
	return list
}

// readJSON reads the JSON form, where only the table can tell an argument from
// a block.
func readJSON(body hcl.Body, row Block, where string, r *reporter) content {
	c := content{attrs: map[string]*hcl.Attribute{}}
	wanted := &hcl.BodySchema{}
	for _, b := range row.Blocks {
		wanted.Blocks = append(wanted.Blocks, hcl.BlockHeaderSchema{Type: b.Name, LabelNames: b.Labels})
	}
	found, rest, diags := body.PartialContent(wanted)
	for _, d := range diags {
		r.error(codeBlock, subject(d), sentence(d.Summary), sentence(d.Detail))
	}
	for _, b := range found.Blocks {
		read := &block{Type: b.Type, Labels: b.Labels, Place: b.DefRange, Names: b.LabelRanges, Body: b.Body}
		if knownBlock(row, read, b.TypeRange, where, r) {
			c.blocks = append(c.blocks, read)
		}
	}
	attrs, diags := rest.JustAttributes()
	for _, d := range diags {
		r.error(codeArgTwice, subject(d), sentence(d.Summary), sentence(d.Detail))
	}
	for _, name := range sortedKeys(attrs) {
		a := attrs[name]
		if where == "" {
			unknownBlock(row, name, a.NameRange, where, r)
			continue
		}
		if knownArgument(row, name, a.NameRange, where, r) {
			c.attrs[name] = a
			continue
		}
		c.refused = append(c.refused, name)
	}
	return c
}

// knownArgument tells whether the row has the argument, and reports it where
// it has not.
func knownArgument(row Block, name string, at hcl.Range, where string, r *reporter) bool {
	_, ok := attribute(row.Attributes, name)
	_, isBlock := findBlock(row.Blocks, name)
	switch {
	case ok || row.AnyName:
		return true
	case where == "":
		r.error(codeStray, at, fmt.Sprintf("argument %q stands outside any block", name), "arguments belong into a block; a value for several of them goes into locals { }")
	case slices.Contains(row.Later, name):
		r.error(codeLater, at, fmt.Sprintf("argument %q is not supported by this version", name), "leave it out; a later version of fazt will take it")
	case isBlock:
		r.error(codeArgument, at, fmt.Sprintf("%q in %s is a block, not an argument", name, where), "write "+name+" { … }, without an equals sign")
	default:
		names := attributeNames(row.Attributes)
		help := didYouMean(name, names, "arguments")
		if near := nearest(name, blockNames(row.Blocks)); near != "" && nearest(name, names) == "" {
			help = "did you mean the block " + near + " { … }?"
		}
		r.error(codeArgument, at, fmt.Sprintf("unknown argument %q in %s", name, where), help)
	}
	return false
}

// knownBlock tells whether the row has the block with these labels, and
// reports it where it has not.
func knownBlock(row Block, b *block, at hcl.Range, where string, r *reporter) bool {
	known, ok := findBlock(row.Blocks, b.Type)
	switch {
	case !ok || known.IsLater:
		unknownBlock(row, b.Type, at, where, r)
		return false
	case len(b.Labels) != len(known.Labels):
		want := b.Type + " {"
		for _, l := range known.Labels {
			want = fmt.Sprintf("%s %q {", b.Type, l)
		}
		r.error(codeLabels, b.Place, fmt.Sprintf("%s takes %s, not %d", b.Type, count(len(known.Labels), "label"), len(b.Labels)), "write "+want)
		return false
	}
	return true
}

// unknownBlock reports a block that the row does not have, or has for a later
// version. where is empty at the top of a file.
func unknownBlock(row Block, name string, at hcl.Range, where string, r *reporter) {
	known, ok := findBlock(row.Blocks, name)
	_, isArgument := attribute(row.Attributes, name)
	blocks := blockNames(row.Blocks)
	switch {
	case ok && known.IsLater || slices.Contains(row.Later, name):
		r.error(codeLaterBlock, at, fmt.Sprintf("block %q is not supported by this version", name), "leave it out; a later version of fazt will take it")
	case where == "":
		r.error(codeBlock, at, fmt.Sprintf("unknown block %q", name), didYouMean(name, blocks, "blocks"))
	case isArgument:
		r.error(codeBlock, at, fmt.Sprintf("%q in %s is an argument, not a block", name, where), "write "+name+" = { … }")
	default:
		names := slices.Concat(attributeNames(row.Attributes), blocks, row.Later)
		r.error(codeBlock, at, fmt.Sprintf("unknown block %q in %s", name, where), didYouMean(name, names, "arguments"))
	}
}

// subject is where the parser points, the zero range where it does not.
func subject(d *hcl.Diagnostic) hcl.Range {
	if d.Subject == nil {
		return hcl.Range{}
	}
	return *d.Subject
}
