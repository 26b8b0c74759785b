package spec

import (
	"bytes"
	"encoding/base64"
	"errors"
	"reflect"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// ageHeader is what every age file begins with.
const ageHeader = "age-encryption.org/v1\n"

// maxEnvelope is how many bytes an age file in the configuration may have: what
// is larger is no secret but a file.
const maxEnvelope = 64 << 10

// The first and the last line of an armoured age file.
const (
	armourBegin = "-----BEGIN AGE ENCRYPTED FILE-----"
	armourEnd   = "-----END AGE ENCRYPTED FILE-----"
)

// exampleEnvelope begins as envelopes do.
const exampleEnvelope = "YWdlLWVuY3J5cHRpb24ub3JnL3YxCg=="

// sealed is a value that only the node can read. In expressions it is opaque:
// nothing takes it but an argument that wants a secret.
type sealed struct {
	name     string // of the secret block; empty: straight from age()
	envelope string // canonical
}

var errSealed = errors.New("a secret cannot be put into text")

// MarshalJSON keeps functions from writing it down.
func (sealed) MarshalJSON() ([]byte, error) { return nil, errSealed }

// sealedType is the type of sealed values. Each load has its own, as types that
// hold Go values are equal to nothing but themselves.
func sealedType() cty.Type { return cty.Capsule("secret", reflect.TypeFor[sealed]()) }

// seal is an envelope as a value.
func (l *load) seal(envelope, name string) cty.Value {
	return cty.CapsuleVal(l.sealed, &sealed{name: name, envelope: envelope})
}

func isSealed(t cty.Type) bool {
	return t.IsCapsuleType() && t.EncapsulatedType() == reflect.TypeFor[sealed]()
}

// sealedOf is what a sealed value holds.
func sealedOf(v cty.Value) (sealed, bool) {
	if !isSealed(v.Type()) || v.IsNull() || !v.IsKnown() {
		return sealed{}, false
	}
	return *v.EncapsulatedValue().(*sealed), true
}

// holdsSecret tells whether a value of this type is or has a secret.
func holdsSecret(t cty.Type) bool {
	switch {
	case isSealed(t):
		return true
	case t.IsCollectionType():
		return holdsSecret(t.ElementType())
	case t.IsTupleType():
		for _, e := range t.TupleElementTypes() {
			if holdsSecret(e) {
				return true
			}
		}
	case t.IsObjectType():
		for _, e := range t.AttributeTypes() {
			if holdsSecret(e) {
				return true
			}
		}
	}
	return false
}

// argumentsOf are the arguments of a call, none of anything else.
func argumentsOf(expr hcl.Expression) []hcl.Expression {
	call, ok := expr.(*hclsyntax.FunctionCallExpr)
	if !ok {
		return nil
	}
	var list []hcl.Expression
	for _, a := range call.Args {
		list = append(list, a)
	}
	return list
}

// sealing is the function that reads an envelope.
func sealing(t cty.Type) builtin {
	return builtin{"age", "envelope", "a value sealed to a node, for the value of a secret: an age file in base64 on one line, or armoured", function.New(&function.Spec{
		Params: []function.Parameter{{Name: "envelope", Type: cty.String}},
		Type:   function.StaticReturnType(t),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			envelope, err := parseEnvelope(args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			return cty.CapsuleVal(t, &sealed{envelope: envelope}), nil
		},
	})}
}

var errEnvelope = errors.New("this is no age file in base64, nor an armoured one: seal the value to the node's recipient")

// parseEnvelope brings an envelope into canonical form: base64 on one line. It
// judges the form alone; what it says never quotes the text, which may be a
// secret that somebody forgot to seal.
func parseEnvelope(text string) (string, error) {
	text = strings.TrimSpace(text)
	if rest, armoured := strings.CutPrefix(text, armourBegin); armoured {
		body, ended := strings.CutSuffix(rest, armourEnd)
		if !ended {
			return "", errEnvelope
		}
		text = body
	}
	text = strings.Join(strings.Fields(text), "")
	if len(text) > base64.StdEncoding.EncodedLen(maxEnvelope) {
		return "", errors.New("an envelope of more than 64 KiB is too large for a secret")
	}
	file, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || !bytes.HasPrefix(file, []byte(ageHeader)) {
		return "", errEnvelope
	}
	return text, nil
}

// EnvelopeDigest is what stands for a secret's envelope in the canonical form
// of the apps that use it.
func EnvelopeDigest(envelope string) string { return digest("envelope", envelope) }
