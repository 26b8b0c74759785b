package spec

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// variableBlock is the row of a value that the command line may set.
func variableBlock() Block {
	return Block{
		Name:    "variable",
		Labels:  []string{"name"},
		Doc:     "A value that the command line may set with `--var NAME=VALUE`. Expressions name it `var.NAME`.",
		Example: "variable \"domain\" {\n  type        = string\n  default     = \"localhost\"\n  description = \"apps answer at NAME.<domain>\"\n}",
		Since:   "0.1.0",
		Attributes: []Attribute{
			{Name: "type", Type: TypeType, Doc: "what the value must be: string, number, bool, list(…), set(…), map(…), object({…}), tuple([…]), any", Default: "any", Since: "0.1.0"},
			{Name: "default", Type: TypeExpression, Doc: "the value where nobody sets one; it may call functions and name nothing. A variable without a default must be set", Since: "0.1.0"},
			{Name: "description", Type: TypeString, Doc: "a sentence for people", Since: "0.1.0"},
			{Name: "nullable", Type: TypeBool, Doc: "whether null is a value of it", Default: "true", Since: "0.1.0"},
		},
		Later: []string{"sensitive", "validation"},
	}
}

// variable evaluates one variable block: the value of --var, or the default.
func (l *load) variable(b *block) {
	name := b.label()
	l.at(Alone, rangeOf(b.name()))
	r := l.report.about("", b.written())
	defer l.keep(r)
	l.shared.vars[name] = cty.DynamicVal
	d := l.decodeBlock(b, l.plainScope(), r)
	want := cty.DynamicPseudoType
	if a := d.attrs["type"]; a != nil {
		t, diags := typeexpr.TypeConstraint(a.Expr)
		for _, found := range diags {
			r.error(codeType, subject(found), sentence(found.Summary), typeHelp(found))
		}
		if diags.HasErrors() {
			return
		}
		want = t
	}
	v, at, ok := l.variableValue(b, d, want, r)
	if !ok {
		return
	}
	converted, err := convert.Convert(v, want)
	nullable, set := d.values["nullable"].(bool)
	switch {
	case err != nil:
		r.error(codeType, at, fmt.Sprintf("variable %q must be %s, not %s", name, want.FriendlyNameForConstraint(), show(v)), sentence(err.Error()))
	case converted.IsNull() && set && !nullable:
		r.error(codeValue, at, fmt.Sprintf("variable %q must not be null", name), "set it, or leave out nullable = false")
	default:
		l.shared.vars[name] = converted
	}
}

// typeHelp says what a type can be where a word is none.
func typeHelp(d *hcl.Diagnostic) string {
	word, isWord := strings.CutPrefix(d.Detail, `The keyword "`)
	word, _, _ = strings.Cut(word, `"`)
	if !isWord {
		return sentence(d.Detail)
	}
	return didYouMean(word, []string{"string", "number", "bool", "any", "list(…)", "set(…)", "map(…)", "object({…})", "tuple([…])"}, "types")
}

// variableValue is the value before its conversion, and its place.
func (l *load) variableValue(b *block, d *decoded, want cty.Type, r *reporter) (cty.Value, hcl.Range, bool) {
	name := b.label()
	if text, set := l.in.Vars[name]; set {
		v, err := parseVar(text, want)
		if err != nil {
			r.error(codeVar, hcl.Range{}, fmt.Sprintf("--var %s must be %s, not %s", name, want.FriendlyNameForConstraint(), quoted(text)), err.Error(), declaredAt("the variable is declared here", b.name())...)
			return cty.NilVal, hcl.Range{}, false
		}
		return v, b.name(), true
	}
	a := d.attrs["default"]
	if a == nil {
		r.error(codeNoValue, b.name(), fmt.Sprintf("variable %q has no value", name), fmt.Sprintf("give it a default, or set it with --var %s=VALUE", name))
		return cty.NilVal, hcl.Range{}, false
	}
	v, ok := l.plainScope().value(a.Expr, r)
	return v, a.Expr.Range(), ok
}

// parseVar reads the text of --var: as it stands for a text, as an expression
// without names for everything else.
func parseVar(text string, want cty.Type) (cty.Value, error) {
	if want == cty.String || want == cty.DynamicPseudoType {
		return cty.StringVal(text), nil
	}
	if d := precheck("--var", []byte(text)); d != nil {
		return cty.NilVal, errors.New(d.Summary)
	}
	expr, diags := hclsyntax.ParseExpression([]byte(text), "--var", hcl.InitialPos)
	if diags.HasErrors() {
		return cty.NilVal, errors.New(sentence(diags[0].Summary))
	}
	if len(expr.Variables()) > 0 {
		return cty.NilVal, errors.New("write it as in the configuration; a name means nothing here, and text in it needs quotes")
	}
	v, diags := expr.Value(nil)
	if diags.HasErrors() {
		return cty.NilVal, errors.New(sentence(diags[0].Summary))
	}
	if v, err := convert.Convert(v, want); err == nil {
		return v, nil
	}
	return cty.NilVal, fmt.Errorf("it is %s", show(v))
}

// undeclaredVars reports --var names that no variable block declares.
func (l *load) undeclaredVars() {
	declared := l.shared.names["var"].places
	for _, name := range sortedKeys(l.in.Vars) {
		if _, ok := declared[name]; !ok && !l.partial {
			l.report.error(codeVar, hcl.Range{}, fmt.Sprintf("--var %s: no such variable is declared", name), didYouMean(name, sortedKeys(declared), "declared"))
		}
	}
}
