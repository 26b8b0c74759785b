package spec

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// localsBlock is the row of named values.
func localsBlock() Block {
	return Block{
		Name:    "locals",
		Doc:     "Values with names. Expressions name them `local.NAME`. They may name variables, the node and each other, in any order.",
		Example: "locals {\n  base = \"apps.${var.domain}\"\n  prod = node.labels.env == \"prod\"\n}",
		Since:   "0.1.0",
		AnyName: true,
	}
}

// vertex is one definition that others may name: a local, or all node blocks
// together.
type vertex struct {
	name  string // local.base, node
	at    hcl.Range
	exprs []hcl.Expression
	eval  func(needs map[string]bool) // runs when everything in needs has its value
	state int                         // 0 not begun, 1 on the path, 2 done
}

// local returns the vertex of one local.
func (l *load) local(a *hcl.Attribute) *vertex {
	return &vertex{name: "local." + a.Name, at: a.NameRange, exprs: []hcl.Expression{a.Expr}, eval: func(needs map[string]bool) {
		r := l.report.about("", "locals")
		v, ok := l.definitionScope(needs).value(a.Expr, r)
		if ok {
			l.shared.locals[a.Name] = v
		}
		l.keep(r)
	}}
}

// definitionScope knows variables, the node and the locals that are needed.
// Holding no more than those keeps a thousand locals cheap.
func (l *load) definitionScope(needs map[string]bool) *scope {
	s := l.plainScope()
	s.poison = true
	s.ctx.Variables["var"] = cty.ObjectVal(l.shared.vars)
	locals := map[string]cty.Value{}
	for name := range needs {
		if local, ok := strings.CutPrefix(name, "local."); ok {
			locals[local] = l.shared.locals[local]
		}
	}
	s.ctx.Variables["local"] = cty.ObjectVal(locals)
	if needs["node"] {
		s.ctx.Variables["node"] = l.shared.nodeValue
	}
	maps.Copy(s.ctx.Variables, l.shared.people)
	for _, root := range []string{"var", "local", "node", "node.labels", "group", "role"} {
		s.names[root] = l.shared.names[root]
	}
	l.userFunctions(s)
	return s
}

// resolve evaluates definitions in the order of their references. Those of a
// cycle are reported once, with every place of it, and get no value.
func (l *load) resolve(list []*vertex) {
	byName := map[string]*vertex{}
	for _, v := range list {
		byName[v.name] = v
	}
	var path []*vertex
	var visit func(v *vertex)
	visit = func(v *vertex) {
		v.state = 1
		path = append(path, v)
		needs := needsOf(v.exprs)
		for _, name := range sortedKeys(needs) {
			next := byName[name]
			switch {
			case next == nil || next.state == 2:
			case next.state == 1:
				l.cycle(path[slices.Index(path, next):])
			default:
				visit(next)
			}
		}
		path = path[:len(path)-1]
		v.state = 2
		l.at(Alone, rangeOf(v.at))
		v.eval(needs)
	}
	for _, v := range list {
		if v.state == 0 {
			visit(v)
		}
	}
}

// needsOf names the definitions that expressions refer to.
func needsOf(exprs []hcl.Expression) map[string]bool {
	needs := map[string]bool{}
	for _, expr := range exprs {
		for _, t := range expr.Variables() {
			switch t.RootName() {
			case "local":
				if name := stepName(t, 1); name != "" {
					needs["local."+name] = true
				}
			case "node":
				needs["node"] = true
			}
		}
	}
	return needs
}

// cycle reports definitions that need each other.
func (l *load) cycle(members []*vertex) {
	var names []string
	var related []Related
	for _, v := range members {
		names = append(names, v.name)
		related = append(related, declaredAt(v.name+" is defined here", v.at)...)
		if v.name == "node" { // nobody can say which labels there are
			labels := l.shared.names["node.labels"]
			labels.places = nil
			l.shared.names["node.labels"] = labels
		}
	}
	names = append(names, members[0].name)
	what := "these definitions need each other: "
	if len(members) == 1 {
		what = "this definition needs itself: "
	}
	l.report.error(codeCycle, members[0].at, what+strings.Join(names, " → "), fmt.Sprintf("write one of them without naming %s", members[0].name), related[1:]...)
}
