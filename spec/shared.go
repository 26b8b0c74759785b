package spec

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// shared is what all apps are evaluated under. It is complete before the first
// app is, and never changes after.
type shared struct {
	reader    *reader
	vars      map[string]cty.Value
	locals    map[string]cty.Value
	functions []*userFunction
	machines  []machine
	own       *machine // the node that this load is for; nil when nobody can say
	nodeValue cty.Value
	edge      Object
	limits    *Object              // nil without a limits block
	secrets   []Object             // by address
	people    map[string]cty.Value // of group and role: what their names stand for
	things    []Object             // about people
	personas  []Persona            // by name
	domain    string
	checks    []*block
	moves     []*block             // moved and removed ones
	namesApps bool                 // something shared depends on which apps there are
	names     map[string]names     // of every root that all apps see
	values    map[string]cty.Value // likewise
	digest    string
}

// evaluateShared evaluates every block that is not an app.
func (l *load) evaluateShared() {
	l.shared = shared{nodeValue: cty.DynamicVal, reader: l.newReader(), vars: map[string]cty.Value{}, locals: map[string]cty.Value{}, names: map[string]names{}, people: map[string]cty.Value{}}
	blocks := l.sharedBlocks()
	l.declare("var", "variable", blocks["variable"])
	l.declare("function", "function", blocks["function"])
	l.declare("node", "node", blocks["node"])
	l.declare("check", "check", blocks["check"])
	l.declare("secret", "secret", blocks["secret"])
	l.namePeople(blocks["group"], blocks["role"])
	l.shared.names["node"].places["name"] = hcl.Range{}
	l.shared.names["node"].places["labels"] = hcl.Range{}
	l.shared.names["node.labels"] = names{what: "label", places: map[string]hcl.Range{}}
	l.judgeLabels()

	if b := l.once(blocks["fazt"]); b != nil {
		l.fazt(b)
	}
	for _, b := range blocks["variable"] {
		l.variable(b)
	}
	l.undeclaredVars()
	for _, b := range blocks["function"] {
		l.function(b)
	}
	l.judgeFunctions()
	l.resolve(append(l.localVertices(blocks["locals"]), l.nodes(blocks["node"])))
	l.shared.values = map[string]cty.Value{
		"var": cty.ObjectVal(l.shared.vars), "local": cty.ObjectVal(l.shared.locals), "node": l.shared.nodeValue,
	}
	maps.Copy(l.shared.values, l.shared.people)
	l.secrets(blocks["secret"])
	if b := l.once(blocks["edge"]); b != nil {
		l.at(Alone, rangeOf(b.name()))
		l.edge(b)
	} else {
		l.edge(nil)
	}
	l.limits(l.once(blocks["limits"]))
	l.oauths(blocks["oauth"])
	mail := l.once(blocks["mail"])
	l.mailThing(mail)
	l.loginThing(l.once(blocks["login"]), mail != nil)
	l.groups(blocks["group"])
	l.roles(blocks["role"])
	l.workloads(blocks["workload"])
	l.dev(l.once(blocks["dev"]))
	l.shared.checks = blocks["check"]
	l.shared.moves = append(blocks["moved"], blocks["removed"]...)
	l.shared.digest = l.digestShared()
}

// sharedBlocks gathers all blocks but apps by type, in the order of files.
func (l *load) sharedBlocks() map[string][]*block {
	blocks := map[string][]*block{}
	for _, f := range l.files {
		for _, b := range f.blocks {
			if b.Type != "app" {
				blocks[b.Type] = append(blocks[b.Type], b)
			}
		}
	}
	return blocks
}

// declare notes the names that blocks of one type declare and reports those
// that are no names or declared twice.
func (l *load) declare(root, what string, blocks []*block) {
	n := names{what: what, places: map[string]hcl.Range{}}
	for _, b := range blocks {
		valid, help := hclsyntax.ValidIdentifier(b.label()), "letters, digits, _ and -, beginning with a letter"
		if slices.Contains([]string{"node", "group", "role", "oauth", "workload"}, what) {
			valid, help = validName(b.label()), nameHelp
		}
		if first, twice := n.places[b.label()]; twice {
			l.report.twice(b.name(), b.written(), first)
		} else if !valid {
			l.report.error(codeName, b.name(), fmt.Sprintf("%s is not a name for %s", quoted(b.label()), article(what)), help)
		}
		if _, builtin := l.builtins[b.label()]; builtin && what == "function" {
			l.report.error(codeTwice, b.name(), fmt.Sprintf("function %q is built in", b.label()), "choose another name")
		}
		if _, twice := n.places[b.label()]; !twice {
			n.places[b.label()] = b.name()
		}
	}
	l.shared.names[root] = n
}

// article is a word with its indefinite article.
func article(what string) string {
	if strings.ContainsRune("aeiou", rune(what[0])) {
		return "an " + what
	}
	return "a " + what
}

// localVertices declares every local of every locals block.
func (l *load) localVertices(blocks []*block) []*vertex {
	n := names{what: "local", places: map[string]hcl.Range{}}
	var list []*vertex
	for _, b := range blocks {
		r := l.report.about("", b.written())
		attrs := l.shape(b, r).attrs
		for _, name := range sortedKeys(attrs) {
			a := attrs[name]
			if first, twice := n.places[name]; twice {
				l.report.twice(a.NameRange, fmt.Sprintf("local %q", name), first)
				continue
			}
			n.places[name] = a.NameRange
			l.shared.locals[name] = cty.DynamicVal
			list = append(list, l.local(a))
		}
		l.keep(r)
	}
	l.shared.names["local"] = n
	return list
}

// judgeLabels reports labels of apps that are no names: they refuse the
// revision, since nobody can say which app was meant.
func (l *load) judgeLabels() {
	for _, f := range l.files {
		for _, b := range f.apps {
			if name := b.Addr.Name(); !validName(name) {
				l.report.error(codeName, hclRange(b.Range), fmt.Sprintf("%s is not a name for an app", quoted(name)), nameHelp)
			}
		}
	}
}

// newReader returns file functions' access to the tree, with nothing read yet.
func (l *load) newReader() *reader {
	return &reader{tree: l.tree, reads: map[string]string{}}
}

// reads are the files that shared things read.
func (s *shared) reads() map[string]string {
	if s.reader == nil {
		return nil
	}
	return s.reader.reads
}

// scope returns one that knows the built-in functions and no name.
func (l *load) scope(rd *reader) *scope {
	calls := maps.Clone(l.builtins)
	maps.Copy(calls, tableOf(slices.Values(fileFunctions(rd))))
	return &scope{
		ctx:   &hcl.EvalContext{Variables: map[string]cty.Value{}, Functions: calls},
		names: map[string]names{}, calls: calls, own: l.shared.names["function"].places, poison: l.report.failed(), partial: l.partial,
	}
}

// plainScope is the scope of what is evaluated before anything has a name.
func (l *load) plainScope() *scope { return l.scope(l.shared.reader) }

// fullScope knows everything that is shared.
func (l *load) fullScope(rd *reader) *scope {
	s := l.scope(rd)
	for _, root := range []string{"var", "local", "node", "node.labels", "group", "role"} {
		s.names[root] = l.shared.names[root]
	}
	if l.shared.values["secret"] != cty.NilVal {
		s.names["secret"] = l.shared.names["secret"]
	}
	s.ctx.Variables = maps.Clone(l.shared.values)
	s.names["app"] = names{what: "app"}
	s.apps = func() names {
		n := l.apps()
		s.ctx.Variables["app"] = n.value
		return names{what: "app", places: n.places}
	}
	s.appRefs = map[string]bool{}
	l.userFunctions(s)
	return s
}

// digestShared is the digest of everything that an app's evaluation depends on
// besides its own file and what that reads.
func (l *load) digestShared() string {
	parts := []string{LanguageVersion, l.in.Node, fmt.Sprint(l.in.AllApps), l.in.Domain}
	for _, name := range sortedKeys(l.in.Vars) {
		parts = append(parts, "var", name, l.in.Vars[name])
	}
	for _, f := range l.files {
		if f.blocks != nil && !f.onlyApps() {
			parts = append(parts, "file", f.path, f.id, digest(string(f.src)))
		}
	}
	for _, name := range sortedKeys(l.shared.reader.reads) {
		parts = append(parts, "read", name, l.shared.reader.reads[name])
	}
	return digest(parts...)
}
