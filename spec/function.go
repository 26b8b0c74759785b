package spec

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// functionBlock is the row of a function that the author writes.
func functionBlock() Block {
	return Block{
		Name:    "function",
		Labels:  []string{"name"},
		Doc:     "A function for expressions. Its result may name its parameters and variables, and call other functions, but not itself.",
		Example: "function \"site\" {\n  params = [name]\n  result = \"${name}.${var.domain}\"\n}",
		Since:   "0.1.0",
		Attributes: []Attribute{
			{Name: "params", Type: TypeNames, Required: true, Doc: "the names of its parameters", Example: "params = [name, port]", Since: "0.1.0"},
			{Name: "variadic_param", Type: TypeName, Doc: "the name of a list of all further arguments", Since: "0.1.0"},
			{Name: "result", Type: TypeExpression, Required: true, Doc: "what a call yields", Since: "0.1.0"},
		},
	}
}

// userFunction is a function block, bound to a scope for each file.
type userFunction struct {
	name   string
	at     hcl.Range
	params []string
	rest   string
	result hcl.Expression
}

// function reads one function block.
func (l *load) function(b *block) {
	r := l.report.about("", b.written())
	defer l.keep(r)
	d := l.decodeBlock(b, l.plainScope(), r)
	if r.failed() {
		return
	}
	f := &userFunction{name: b.label(), at: b.name(), result: d.attrs["result"].Expr}
	exprs, diags := hcl.ExprList(d.attrs["params"].Expr)
	if diags.HasErrors() {
		r.error(codeType, d.at("params"), `"params" must be a list of names`, "write params = [first, second], without quotes")
		return
	}
	for _, e := range exprs {
		f.params = append(f.params, l.paramName(e, f.params, r))
	}
	if a := d.attrs["variadic_param"]; a != nil {
		f.rest = l.paramName(a.Expr, f.params, r)
	}
	if !r.failed() {
		l.shared.functions = append(l.shared.functions, f)
	}
}

func (l *load) paramName(e hcl.Expression, before []string, r *reporter) string {
	name := hcl.ExprAsKeyword(e)
	switch {
	case name == "":
		r.error(codeType, e.Range(), "a parameter must be a name", "write it without quotes")
	case slices.Contains(before, name):
		r.error(codeTwice, e.Range(), fmt.Sprintf("parameter %q is there twice", name), "")
	}
	return name
}

// errDepth is what a call too deep inside others yields.
var errDepth = errors.New("functions call each other more than 64 deep")

// userFunctions adds the author's functions to a scope. They share its file
// functions, so that what they read counts for the file that calls them.
func (l *load) userFunctions(s *scope) {
	vars, depth := cty.ObjectVal(l.shared.vars), 0
	for _, f := range l.shared.functions {
		s.calls[f.name] = f.bind(vars, s.ctx, &depth)
	}
}

// maxCalls bounds how deep the author's functions call each other. Recursion
// is refused beforehand where it can be seen; the JSON form hides its calls.
const maxCalls = 64

// bind makes the callable. Every value is welcome as an argument; what comes
// of it is the expression's affair.
func (f *userFunction) bind(vars cty.Value, outer *hcl.EvalContext, depth *int) function.Function {
	param := func(name string) function.Parameter {
		return function.Parameter{Name: name, Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true, AllowDynamicType: true}
	}
	spec := &function.Spec{Type: function.StaticReturnType(cty.DynamicPseudoType)}
	for _, name := range f.params {
		spec.Params = append(spec.Params, param(name))
	}
	if f.rest != "" {
		rest := param(f.rest)
		spec.VarParam = &rest
	}
	spec.Impl = func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		if *depth++; *depth > maxCalls {
			*depth = 0
			return cty.DynamicVal, errDepth
		}
		defer func() { *depth = max(0, *depth-1) }()
		ctx := &hcl.EvalContext{Variables: map[string]cty.Value{"var": vars}, Functions: outer.Functions}
		for i, name := range f.params {
			ctx.Variables[name] = args[i]
		}
		if f.rest != "" {
			ctx.Variables[f.rest] = cty.TupleVal(args[len(f.params):])
		}
		v, diags := f.result.Value(ctx)
		if diags.HasErrors() {
			at := subject(diags[0])
			return cty.DynamicVal, fmt.Errorf("%s:%d: %s", at.Filename, at.Start.Line, sentence(diags[0].Detail))
		}
		return v, nil
	}
	return function.New(spec)
}

// judgeFunctions checks what the author's functions name and that none reaches
// itself: a conditional evaluates both its sides, so recursion would not end.
func (l *load) judgeFunctions() {
	s := l.plainScope()
	l.userFunctions(s)
	calls := map[string][]string{}
	sound := l.shared.functions[:0:0]
	for _, f := range l.shared.functions {
		r := l.report.about("", fmt.Sprintf("function %q", f.name))
		inner := *s
		inner.names = map[string]names{"var": l.shared.names["var"]}
		for _, p := range append(slices.Clone(f.params), f.rest) {
			if p != "" {
				inner.names[p] = names{what: "parameter", whole: true}
			}
		}
		if inner.judge(f.result, r) {
			sound = append(sound, f)
		}
		l.keep(r)
		for _, c := range callsIn(f.result) {
			calls[f.name] = append(calls[f.name], c.Name)
		}
	}
	l.shared.functions = slices.DeleteFunc(sound, func(f *userFunction) bool { return l.recursive(f, calls) })
}

// recursive reports a function that calls itself, directly or through others.
func (l *load) recursive(f *userFunction, calls map[string][]string) bool {
	from := map[string]string{}
	queue := []string{f.name}
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		for _, callee := range calls[name] {
			if callee == f.name {
				way := []string{f.name}
				for ; name != f.name; name = from[name] {
					way = append(way, name)
				}
				slices.Reverse(way[1:])
				l.report.error(codeCycle, f.at, "this function calls itself: "+strings.Join(append(way, f.name), " → "), "functions cannot be recursive")
				return true
			}
			if _, seen := from[callee]; !seen {
				from[callee] = name
				queue = append(queue, callee)
			}
		}
	}
	return false
}
