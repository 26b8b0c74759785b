package spec

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// ruleText is the expression of a rule as a person writes it.
type ruleText string

func (t ruleText) tokens() hclwrite.Tokens {
	return hclwrite.Tokens{{Type: hclsyntax.TokenIdent, Bytes: []byte(t)}}
}

// String is the expression as it is written; it is read back as the same one.
func (e *Expr) String() string {
	switch {
	case e == nil:
		return "null"
	case e.Value != nil:
		return string(hclwrite.TokensForValue(literalValue(e.Value.Any)).Bytes())
	case len(e.Path) > 0:
		return pathText(e.Path)
	case e.Call != "":
		args := make([]string, len(e.Operand))
		for i, a := range e.Operand {
			args[i] = a.String()
		}
		return e.Call + "(" + strings.Join(args, ", ") + ")"
	case e.Op == "not" && len(e.Operand) == 1:
		return "!" + e.Operand[0].within("")
	case len(e.Operand) == 2:
		sign := map[string]string{"and": "&&", "or": "||"}[e.Op]
		if sign == "" {
			sign = e.Op
		}
		left := e.Operand[0].within("")
		if e.Op == "and" || e.Op == "or" {
			left = e.Operand[0].within(e.Op) // a && b && c is (a && b) && c
		}
		return fmt.Sprintf("%s %s %s", left, sign, e.Operand[1].within(""))
	}
	return "null"
}

// within is the expression as an operand, in parentheses unless it is of the
// operation around it.
func (e *Expr) within(op string) string {
	if e == nil || e.Op == "" || e.Op == op || e.Op == "not" {
		return e.String()
	}
	return "(" + e.String() + ")"
}

func pathText(path []string) string {
	var b strings.Builder
	b.WriteString(path[0])
	for _, step := range path[1:] {
		if hclsyntax.ValidIdentifier(step) {
			b.WriteString("." + step)
			continue
		}
		b.WriteString("[" + string(hclwrite.TokensForValue(cty.StringVal(step)).Bytes()) + "]")
	}
	return b.String()
}

// literalValue is a plain value, also one that was read from JSON.
func literalValue(v any) cty.Value {
	switch v := v.(type) {
	case string:
		return cty.StringVal(v)
	case bool:
		return cty.BoolVal(v)
	case int64:
		return cty.NumberIntVal(v)
	case float64:
		return cty.NumberFloatVal(v)
	case []any:
		list := make([]cty.Value, len(v))
		for i, e := range v {
			list[i] = literalValue(e)
		}
		return cty.TupleVal(list)
	}
	return cty.NullVal(cty.DynamicPseudoType)
}
