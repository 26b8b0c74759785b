package spec

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

func ruleBlock() Block {
	return Block{
		Name: "rule", Labels: []string{"action"}, Since: "0.5.0",
		Doc: "Which documents whoever makes a request may read, create, update or delete. Without a rule for it they may not. " +
			"The expression is not evaluated when the configuration is read but for each document: it may name `user` (id, email, name, roles, groups; null where nobody is signed in) and `doc`, compare, use `&&`, `||` and `!`, " +
			"and call contains(list, value), length(value), lower(text), startswith(text, start) and can(\"action\", \"resource\"). " +
			"What is not there is null, which equals nothing but the word null; what cannot be worked out is neither true nor false, and lets nobody through. " +
			"The app's code reaches documents so by `env.NAME.asCaller()`.",
		Example: "rule \"read\" { when = contains(user.groups, doc.team) }",
		Attributes: []Attribute{
			{Name: "when", Type: TypeExpression, Required: true, Doc: "when it is allowed", Effect: EffectHot, Risk: RiskMedium, Since: "0.5.0"},
		},
	}
}

// ruleActions are what rules are for.
func ruleActions() []string { return []string{"read", "create", "update", "delete"} }

// docRules are the rules of a store of documents, by name.
func docRules(docs *decoded, r *reporter) []Rule {
	var list []Rule
	first := map[string]*decoded{}
	for _, d := range docs.blocks {
		name := d.block.label()
		switch other := first[name]; {
		case d.block.Type != "rule":
			continue
		case other != nil:
			r.twice(d.block.name(), d.block.written(), other.block.name())
			continue
		case !slices.Contains(ruleActions(), name):
			r.error(codeName, d.block.name(), fmt.Sprintf("%s is not what a rule can be for", quoted(name)), didYouMean(name, ruleActions(), "allowed"))
		}
		first[name] = d
		rule := Rule{Name: name}
		if a := d.attrs["when"]; a != nil {
			rule.When = lower(a.Expr, r)
		}
		list = append(list, rule)
	}
	sortBy(list, func(r Rule) string { return r.Name })
	return list
}

// maxRule is how many parts the expression of a rule may have.
const maxRule = 256

// lower turns an expression into plain data, nil where it has a fault.
func lower(expr hcl.Expression, r *reporter) *Expr {
	at := expr.Range()
	if _, native := expr.(hclsyntax.Node); !native {
		parsed, ok := parsedRule(expr, r)
		if !ok {
			return nil
		}
		expr = parsed
	} else {
		at = hcl.Range{}
	}
	l := &lowering{report: r, whole: at}
	e := l.expr(expr)
	if l.parts > maxRule {
		l.refuse(expr.Range(), "this rule is too long", fmt.Sprintf("a rule has at most %d parts; keep what it asks for in a field of the document", maxRule))
	}
	if l.failed {
		return nil
	}
	return e
}

// parsedRule is the expression in a text, as the JSON form has it.
func parsedRule(expr hcl.Expression, r *reporter) (hcl.Expression, bool) {
	v, diags := expr.Value(nil) // without a context a text is one, and no template
	if diags.HasErrors() || v.IsNull() || !v.IsKnown() {
		r.error(codeRule, expr.Range(), "this is no rule", `write an expression as a text, such as "doc.owner == user.email"`)
		return nil, false
	}
	switch v.Type() {
	case cty.Bool:
		return hcl.StaticExpr(v, expr.Range()), true
	case cty.String:
	default:
		r.error(codeRule, expr.Range(), "this is no rule", `write an expression as a text, such as "doc.owner == user.email"`)
		return nil, false
	}
	text := []byte(v.AsString())
	if d := precheck("rule", text); d != nil {
		r.error(d.Code, expr.Range(), d.Summary, d.Detail)
		return nil, false
	}
	parsed, diags := hclsyntax.ParseExpression(text, expr.Range().Filename, hcl.InitialPos)
	if diags.HasErrors() {
		r.error(codeRule, expr.Range(), "this rule cannot be read: "+sentence(diags[0].Summary), sentence(diags[0].Detail))
		return nil, false
	}
	return parsed, true
}

// lowering is one rule on its way.
type lowering struct {
	report *reporter
	whole  hcl.Range // where every fault is shown; zero: each at its own place
	parts  int
	failed bool
}

func (l *lowering) refuse(at hcl.Range, summary, help string) *Expr {
	if l.whole.Filename != "" {
		at = l.whole
	}
	if !l.failed || l.whole.Filename == "" {
		l.report.error(codeRule, at, summary, help)
	}
	l.failed = true
	return nil
}

const ruleHelp = `a rule compares user and doc, with &&, || and !, and calls contains, length, lower, startswith and can`

// expr lowers one expression. The parser has bounded its depth.
func (l *lowering) expr(expr hcl.Expression) *Expr {
	l.parts++
	switch e := expr.(type) {
	case *hclsyntax.ParenthesesExpr:
		return l.expr(e.Expression)
	case *hclsyntax.ScopeTraversalExpr:
		return l.path(e)
	case *hclsyntax.FunctionCallExpr:
		return l.call(e)
	case *hclsyntax.BinaryOpExpr:
		if op := binaryName(e.Op); op != "" {
			return &Expr{Op: op, Operand: []*Expr{l.expr(e.LHS), l.expr(e.RHS)}}
		}
		return l.refuse(e.SrcRange, "a rule does not calculate", ruleHelp)
	case *hclsyntax.UnaryOpExpr:
		if e.Op == hclsyntax.OpLogicalNot {
			return &Expr{Op: "not", Operand: []*Expr{l.expr(e.Val)}}
		}
	}
	if v, ok := constant(expr); ok {
		return &Expr{Value: &Literal{Any: v}}
	}
	return l.refuse(expr.Range(), "a rule cannot have this", ruleHelp)
}

// binaryName is an operation of rules, empty for one that they do not have.
func binaryName(op *hclsyntax.Operation) string {
	switch op {
	case hclsyntax.OpLogicalAnd:
		return "and"
	case hclsyntax.OpLogicalOr:
		return "or"
	case hclsyntax.OpEqual:
		return "=="
	case hclsyntax.OpNotEqual:
		return "!="
	case hclsyntax.OpLessThan:
		return "<"
	case hclsyntax.OpLessThanOrEqual:
		return "<="
	case hclsyntax.OpGreaterThan:
		return ">"
	case hclsyntax.OpGreaterThanOrEqual:
		return ">="
	}
	return ""
}

// path lowers user.email and doc.team.
func (l *lowering) path(e *hclsyntax.ScopeTraversalExpr) *Expr {
	root := e.Traversal.RootName()
	if root != "user" && root != "doc" {
		help := "a rule knows user and doc, as it is asked for each document; values of the configuration have no names in it"
		if near := nearest(root, []string{"user", "doc"}); near != "" {
			help = fmt.Sprintf("did you mean %q?", near)
		}
		return l.refuse(e.SrcRange, fmt.Sprintf("nothing is called %q in a rule", root), help)
	}
	path := []string{root}
	for i := range e.Traversal[1:] {
		step := stepName(e.Traversal, i+1)
		if step == "" {
			return l.refuse(e.SrcRange, "a rule names fields only", "write doc.field, or contains(doc.list, value) to look into a list")
		}
		path = append(path, step)
	}
	return &Expr{Path: path}
}

// ruleCalls are the functions of rules and how many arguments each has.
func ruleCalls() map[string]int {
	return map[string]int{"can": 2, "contains": 2, "length": 1, "lower": 1, "startswith": 2}
}

func (l *lowering) call(e *hclsyntax.FunctionCallExpr) *Expr {
	want, known := ruleCalls()[e.Name]
	switch {
	case !known:
		return l.refuse(e.NameRange, fmt.Sprintf("a rule cannot call %q", e.Name), didYouMean(e.Name, sortedKeys(ruleCalls()), "it can call"))
	case len(e.Args) != want || e.ExpandFinal:
		return l.refuse(e.Range(), fmt.Sprintf("%s takes %s", e.Name, count(want, "argument")), "")
	}
	made := &Expr{Call: e.Name}
	for _, a := range e.Args {
		if text, ok := constant(a); e.Name == "can" && (!ok || !isText(text)) {
			return l.refuse(a.Range(), "can is asked with an action and a resource as texts", `write can("read", "app.notes")`)
		}
		made.Operand = append(made.Operand, l.expr(a))
	}
	return made
}

func isText(v any) bool {
	s, ok := v.(string)
	return ok && strings.TrimSpace(s) != ""
}

// constant is the plain value of an expression that names nothing: a text, a
// number, true, false, null or a list of these.
func constant(expr hcl.Expression) (any, bool) {
	if !isConstant(expr) {
		return nil, false
	}
	v, diags := expr.Value(nil)
	if diags.HasErrors() {
		return nil, false
	}
	return plainValue(v)
}

// isConstant tells whether an expression is written as a value.
func isConstant(expr hcl.Expression) bool {
	switch e := expr.(type) {
	case *hclsyntax.LiteralValueExpr:
		return true
	case *hclsyntax.TemplateExpr:
		return e.IsStringLiteral()
	case *hclsyntax.UnaryOpExpr:
		_, number := e.Val.(*hclsyntax.LiteralValueExpr)
		return number && e.Op == hclsyntax.OpNegate
	case *hclsyntax.TupleConsExpr:
		return !slices.ContainsFunc(e.Exprs, func(e hclsyntax.Expression) bool { return !isConstant(e) })
	}
	_, native := expr.(hclsyntax.Node)
	return !native
}

// plainValue is a value as JSON has it.
func plainValue(v cty.Value) (any, bool) {
	switch {
	case v.IsNull():
		return nil, true
	case v.Type() == cty.String:
		return v.AsString(), true
	case v.Type() == cty.Bool:
		return v.True(), true
	case v.Type() == cty.Number:
		return plainNumber(v.AsBigFloat())
	case !v.Type().IsTupleType():
		return nil, false
	}
	list := make([]any, 0, v.LengthInt())
	for _, e := range v.AsValueSlice() {
		one, ok := plainValue(e)
		if !ok {
			return nil, false
		}
		list = append(list, one)
	}
	return list, true
}

// plainNumber is a number that JSON and everybody who reads it agree on.
func plainNumber(f *big.Float) (any, bool) {
	if n, exact := f.Int64(); exact == big.Exact && n > -1<<53 && n < 1<<53 {
		return n, true
	}
	n, _ := f.Float64()
	return n, !f.IsInf() && n-n == 0
}
