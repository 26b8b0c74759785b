package spec

import (
	"errors"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

var errZero = errors.New("division by zero")

// refuseZero has the divisions of a native body fail where the divisor is zero:
// the language's own yield infinity, which a text would show. The JSON form
// hides its expressions until they are evaluated.
func refuseZero(body hcl.Body) {
	native, ok := body.(hclsyntax.Node)
	if !ok {
		return
	}
	divide, modulo := withoutZero(stdlib.DivideFunc), withoutZero(stdlib.ModuloFunc)
	hclsyntax.VisitAll(native, func(n hclsyntax.Node) hcl.Diagnostics {
		if operation, ok := n.(*hclsyntax.BinaryOpExpr); ok {
			switch operation.Op {
			case hclsyntax.OpDivide:
				operation.Op = divide
			case hclsyntax.OpModulo:
				operation.Op = modulo
			}
		}
		return nil
	})
}

// withoutZero is an operation of two numbers whose second must not be zero.
func withoutZero(fn function.Function) *hclsyntax.Operation {
	number := func(name string) function.Parameter {
		return function.Parameter{Name: name, Type: cty.Number, AllowDynamicType: true}
	}
	strict := function.New(&function.Spec{
		Params: []function.Parameter{number("a"), number("b")},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if args[1].RawEquals(cty.Zero) {
				return cty.NilVal, errZero
			}
			return fn.Call(args)
		},
	})
	return &hclsyntax.Operation{Impl: strict, Type: cty.Number}
}
