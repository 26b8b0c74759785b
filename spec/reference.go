package spec

import (
	"fmt"
	"io"
	"strings"
)

//go:generate go test . -run TestReferencePageIsCurrent -update

// Markdown writes the reference page of the language: docs/reference/language.md.
// Every block shows an example first.
func (s Schema) Markdown(w io.Writer) error {
	p := &page{w: w}
	p.line("# The configuration language")
	p.line("")
	p.line("Version %s. This page is generated from the table that reads the language; `fazt schema` prints the table as JSON.", s.Version)
	p.line("")
	p.text("All files named `fazt.hcl`, `*.fazt.hcl` and `*.fazt.json` of a repository form one configuration, except below `node_modules`, `vendor` and folders that begin with a dot or an underscore. " +
		"Which file a block stands in means nothing; its label is its identity. " +
		"An error inside an app stalls that app, which keeps what it serves; an error in anything else refuses the revision.")
	var later []string
	for _, b := range s.Blocks {
		if b.IsLater {
			later = append(later, "`"+b.Name+"`")
			continue
		}
		p.block(b)
	}
	p.line("## Blocks of later versions")
	p.line("")
	p.text("These are refused by name: " + strings.Join(later, ", ") + ".")
	p.references(s.Refs)
	p.functions(s.Functions)
	return p.err
}

// page writes Markdown and keeps the first error.
type page struct {
	w   io.Writer
	err error
}

func (p *page) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func (p *page) text(s string) {
	p.line("%s", s)
	p.line("")
}

func (p *page) code(s string) {
	p.line("```hcl")
	p.line("%s", s)
	p.line("```")
	p.line("")
}

func (p *page) block(b Block) {
	p.line("## %s", heading(b))
	p.line("")
	p.code(b.Example)
	p.text(b.Doc)
	if len(b.Attributes) > 0 {
		p.attributes(b.Attributes)
	}
	for _, a := range b.Attributes {
		p.details(a)
	}
	if len(b.Later) > 0 {
		p.text("Refused by name until a later version: `" + strings.Join(b.Later, "`, `") + "`.")
	}
	for _, inner := range b.Blocks {
		p.inner("###", b.Name, inner)
	}
}

// inner is a block that stands inside another one.
func (p *page) inner(level, of string, b Block) {
	p.line("%s %s in %s", level, heading(b), of)
	p.line("")
	p.code(b.Example)
	often := "It may be there several times."
	if b.Once {
		often = "There is at most one."
	}
	if b.Why != "" {
		often = "There is at most one: " + b.Why + "."
	}
	p.text("A block inside `" + of + "`. " + b.Doc + " " + often)
	if len(b.Attributes) > 0 {
		p.attributes(b.Attributes)
	}
	for _, a := range b.Attributes {
		p.details(a)
	}
	if len(b.Later) > 0 {
		p.text("Refused by name until a later version: `" + strings.Join(b.Later, "`, `") + "`.")
	}
	for _, inner := range b.Blocks {
		p.inner(level+"#", b.Name, inner)
	}
}

// heading is a block's type and labels.
func heading(b Block) string {
	title := b.Name
	for _, l := range b.Labels {
		title += fmt.Sprintf(" %q", strings.ToUpper(l))
	}
	return title
}

// attributes is the table of a block's arguments or an object's keys.
func (p *page) attributes(list []Attribute) {
	p.line("| name | type | default | meaning |")
	p.line("|---|---|---|---|")
	for _, a := range list {
		p.line("| `%s` | %s | %s | %s |", a.Name, cell(string(a.Type)), fallback(a), cell(meaning(a)))
	}
	p.line("")
}

// details are the example and the keys of an argument that needs more than a
// line, and what a change of it does.
func (p *page) details(a Attribute) {
	if a.Example != "" {
		p.code(a.Example)
	}
	if len(a.Attributes) == 0 {
		return
	}
	p.text("Keys of `" + a.Name + "`:")
	p.attributes(a.Attributes)
	for _, key := range a.Attributes {
		p.details(key)
	}
}

func fallback(a Attribute) string {
	switch {
	case a.Required:
		return "required"
	case a.Default == "":
		return "none"
	default:
		return "`" + cell(a.Default) + "`"
	}
}

func meaning(a Attribute) string {
	s := a.Doc
	if len(a.Allowed) > 0 {
		s += ". Allowed: " + strings.Join(a.Allowed, ", ")
	}
	if bounds := a.bounds(); bounds != "" {
		s += ". Allowed: " + bounds
	}
	if len(a.Later) > 0 {
		s += ". Not supported by this version: " + strings.Join(a.Later, ", ")
	}
	if a.Effect != "" {
		s += ". Changing it: " + strings.ReplaceAll(string(a.Effect), "_", " ") + ", risk " + string(a.Risk)
	}
	return s
}

// cell escapes what would end a table's cell.
func cell(s string) string { return strings.NewReplacer("|", `\|`, "<", "&lt;").Replace(s) }

func (p *page) references(list []ReferenceSchema) {
	p.line("## What expressions can name")
	p.line("")
	p.line("| reference | meaning |")
	p.line("|---|---|")
	for _, r := range list {
		p.line("| `%s` | %s |", r.Name, cell(r.Doc))
	}
	p.line("")
}

func (p *page) functions(list []FunctionSchema) {
	p.line("## Functions")
	p.line("")
	p.text("Equal arguments give equal results: no function reads the time, the environment or the network. " +
		"The file functions read the repository and nothing outside it.")
	p.line("| function | result |")
	p.line("|---|---|")
	for _, f := range list {
		p.line("| `%s(%s)` | %s |", f.Name, cell(f.Args), cell(f.Doc))
	}
}
