package spec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// spot is where a value was written. The range of a key or an element is
// searched only when something is reported, by following the steps down the
// expression as far as it is literal.
type spot struct {
	expr   hcl.Expression // of the argument; nil in a step
	parent *spot
	step   any    // int index or string key
	name   string // redirects[0].to
}

func (p *spot) index(i int) *spot {
	return &spot{parent: p, step: i, name: p.name + "[" + strconv.Itoa(i) + "]"}
}

func (p *spot) key(k string) *spot {
	return &spot{parent: p, step: k, name: p.name + "." + k}
}

// find returns the innermost expression that is certainly the value's, and
// whether it is exactly the value's.
func (p *spot) find() (hcl.Expression, bool) {
	if p.parent == nil {
		return p.expr, true
	}
	outer, exact := p.parent.find()
	if !exact {
		return outer, false
	}
	switch step := p.step.(type) {
	case int:
		if list, diags := hcl.ExprList(outer); !diags.HasErrors() && step < len(list) {
			return list[step], true
		}
	case string:
		if pair, ok := pairOf(outer, step); ok {
			return pair.Value, true
		}
	}
	return outer, false
}

// at is the value's range.
func (p *spot) at() hcl.Range {
	expr, _ := p.find()
	return expr.Range()
}

// keyAt is the range of a key of the value, or of the value itself.
func (p *spot) keyAt(key string) hcl.Range {
	expr, exact := p.find()
	if pair, ok := pairOf(expr, key); ok && exact {
		return pair.Key.Range()
	}
	return expr.Range()
}

// pairOf finds a literal key of an object expression.
func pairOf(expr hcl.Expression, key string) (hcl.KeyValuePair, bool) {
	pairs, diags := hcl.ExprMap(expr)
	if diags.HasErrors() {
		return hcl.KeyValuePair{}, false
	}
	for _, pair := range pairs {
		v, diags := pair.Key.Value(nil)
		if !diags.HasErrors() && v.Type() == cty.String && v.IsKnown() && !v.IsNull() && v.AsString() == key {
			return pair, true
		}
	}
	return hcl.KeyValuePair{}, false
}

// decode turns a value into the plain Go value of its row: string, bool,
// int64 (a number, bytes or milliseconds), float64, []string, []int64,
// map[string]string, map[string]EnvValue, sealed, object or []object. Null is absent: nil. False means that
// a fault was reported.
func decode(row Attribute, v cty.Value, p *spot, r *reporter) (any, bool) {
	if v.IsNull() {
		return nil, !row.Required || refuse(row, v, p, r)
	}
	if holdsSecret(v.Type()) && row.Type != TypeSecret && row.Type != TypeSetting && row.Type != TypeSettings {
		return nil, refuseSecret(p, r)
	}
	value, ok := decodeType(row, v, p, r)
	if ok && !row.allows(value) {
		r.error(codeValue, p.at(), fmt.Sprintf("%q must not be %s", p.name, show(v)), "allowed: "+row.bounds())
		return nil, false
	}
	return value, ok
}

func decodeType(row Attribute, v cty.Value, p *spot, r *reporter) (any, bool) {
	switch row.Type {
	case TypeString:
		return decodeString(row, v, p, r)
	case TypeBool:
		return decodeBool(row, v, p, r)
	case TypeNumber:
		return decodeNumber(row, v, p, r)
	case TypeDecimal, TypeSize, TypeDuration:
		return decodeAmount(row, v, p, r)
	case TypeCredential:
		return decodeCredential(row, v, p, r)
	case TypeStrings:
		return decodeStrings(row, v, p, r)
	case TypeNumbers:
		return decodeNumbers(row, v, p, r)
	case TypeStringMap:
		return decodeStringMap(row, v, p, r)
	case TypeSecret:
		return decodeSecret(row, v, p, r)
	case TypeSetting:
		return decodeSettingAny(row, v, p, r)
	case TypeSettings:
		return decodeSettings(row, v, p, r)
	case TypeObject:
		return decodeObject(row, v, p, r)
	case TypeObjects:
		return decodeObjects(row, v, p, r)
	}
	return v, true
}

// decodeString takes a text as it is: a number or a truth in the place of one is
// a slip.
func decodeString(row Attribute, v cty.Value, p *spot, r *reporter) (any, bool) {
	if v.Type() == cty.Number || v.Type() == cty.Bool {
		return nil, refuse(row, v, p, r)
	}
	return decodeElement(row, v, p, r)
}

// decodeElement is a text among others, where a number stands for its digits.
func decodeElement(row Attribute, v cty.Value, p *spot, r *reporter) (any, bool) {
	c, err := convert.Convert(v, cty.String)
	if err != nil || c.IsNull() {
		return nil, refuse(row, v, p, r)
	}
	s := c.AsString()
	if len(row.Allowed) > 0 && !slices.Contains(row.Allowed, s) {
		return nil, refuseValue(row, s, p, r)
	}
	return s, true
}

func decodeBool(row Attribute, v cty.Value, p *spot, r *reporter) (any, bool) {
	c, err := convert.Convert(v, cty.Bool)
	if err != nil || c.IsNull() {
		return nil, refuse(row, v, p, r)
	}
	return c.True(), true
}

func decodeNumber(row Attribute, v cty.Value, p *spot, r *reporter) (any, bool) {
	c, err := convert.Convert(v, cty.Number)
	if err != nil || c.IsNull() {
		return nil, refuse(row, v, p, r)
	}
	n, exact := c.AsBigFloat().Int64()
	if exact != 0 {
		return nil, refuse(row, v, p, r)
	}
	if s := strconv.FormatInt(n, 10); len(row.Allowed) > 0 && !slices.Contains(row.Allowed, s) {
		return nil, refuseValue(row, s, p, r)
	}
	return n, true
}

func decodeStrings(row Attribute, v cty.Value, p *spot, r *reporter) (any, bool) {
	if !isList(v) {
		return nil, refuse(row, v, p, r)
	}
	list, ok := make([]string, 0, v.LengthInt()), true
	element := Attribute{Name: row.Name, Type: TypeString, Allowed: row.Allowed, Required: true}
	for i, e := range v.AsValueSlice() {
		s, good := decodeElement(element, e, p.index(i), r)
		if ok = ok && good; good {
			list = append(list, s.(string))
		}
	}
	return list, ok
}

func decodeNumbers(row Attribute, v cty.Value, p *spot, r *reporter) (any, bool) {
	if !isList(v) {
		return nil, refuse(row, v, p, r)
	}
	list, ok := make([]int64, 0, v.LengthInt()), true
	element := Attribute{Name: row.Name, Type: TypeNumber, Required: true}
	for i, e := range v.AsValueSlice() {
		n, good := decode(element, e, p.index(i), r)
		if ok = ok && good; good {
			list = append(list, n.(int64))
		}
	}
	return list, ok
}

func decodeStringMap(row Attribute, v cty.Value, p *spot, r *reporter) (any, bool) {
	if !isMap(v) {
		return nil, refuse(row, v, p, r)
	}
	m, ok := map[string]string{}, true
	element := Attribute{Name: row.Name, Type: TypeString, Required: true}
	values := v.AsValueMap()
	for _, k := range sortedKeys(values) {
		s, good := decodeElement(element, values[k], p.key(k), r)
		if ok = ok && good; good {
			m[k] = s.(string)
		}
	}
	return m, ok
}

// object is a decoded object value: its keys by name, absent ones left out,
// and where it was written.
type object struct {
	values map[string]any
	place  *spot
}

func (o object) string(name string) string { s, _ := o.values[name].(string); return s }
func (o object) bool(name string) bool     { b, _ := o.values[name].(bool); return b }

func decodeObject(row Attribute, v cty.Value, p *spot, r *reporter) (any, bool) {
	if !isMap(v) {
		return nil, refuse(row, v, p, r)
	}
	o, ok := object{values: map[string]any{}, place: p}, true
	values := v.AsValueMap()
	var refused []string
	for _, k := range sortedKeys(values) {
		field, known := attribute(row.Attributes, k)
		if !known {
			refused = append(refused, k)
			ok = unknownKey(row, k, p, r)
			continue
		}
		value, good := decode(field, values[k], p.key(k), r)
		if ok = ok && good; good && value != nil {
			o.values[k] = value
		}
	}
	for _, field := range row.Attributes {
		if _, present := values[field.Name]; field.Required && !present && !meant(field.Name, refused, attributeNames(row.Attributes)) {
			r.error(codeMissing, p.at(), fmt.Sprintf("%q has no %q", p.name, field.Name), "add "+field.Name+": "+field.Doc)
			ok = false
		}
	}
	return o, ok
}

func decodeObjects(row Attribute, v cty.Value, p *spot, r *reporter) (any, bool) {
	if !isList(v) {
		return nil, refuse(row, v, p, r)
	}
	list, ok := make([]object, 0, v.LengthInt()), true
	for i, e := range v.AsValueSlice() {
		element := row
		element.Type, element.Required = TypeObject, true
		o, good := decode(element, e, p.index(i), r)
		if ok = ok && good; good {
			list = append(list, o.(object))
		}
	}
	return list, ok
}

func isList(v cty.Value) bool {
	t := v.Type()
	return t.IsTupleType() || t.IsListType() || t.IsSetType()
}

func isMap(v cty.Value) bool {
	return v.Type().IsObjectType() || v.Type().IsMapType()
}

// unknownKey reports a key that an object's row does not have.
func unknownKey(row Attribute, key string, p *spot, r *reporter) bool {
	if slices.Contains(row.Later, key) {
		r.error(codeLater, p.keyAt(key), fmt.Sprintf("%q in %q is not supported by this version", key, p.name), "leave it out; a later version of fazt will take it")
		return false
	}
	r.error(codeArgument, p.keyAt(key), fmt.Sprintf("unknown key %q in %q", key, p.name), didYouMean(key, attributeNames(row.Attributes), "keys"))
	return false
}

// refuse reports a value of the wrong type: the argument, the value and what
// is allowed. It returns false, for a caller's return.
func refuse(row Attribute, v cty.Value, p *spot, r *reporter) bool {
	help := row.Doc
	if row.bounds() != "" {
		help += "; allowed: " + row.bounds()
	}
	r.error(codeType, p.at(), fmt.Sprintf("%q must be %s, not %s", p.name, wanted(row.Type), show(v)), help)
	return false
}

// refuseValue reports a value of the right type that is not one of the few
// allowed, and one that only a later version allows by name.
func refuseValue(row Attribute, value string, p *spot, r *reporter) bool {
	if slices.Contains(row.Later, value) {
		r.error(codeLater, p.at(), fmt.Sprintf("%s = %q is not supported by this version", p.name, value), "allowed: "+strings.Join(row.Allowed, ", "))
		return false
	}
	help := "allowed: " + strings.Join(row.Allowed, ", ")
	if near := nearest(value, row.Allowed); near != "" && row.Type != TypeNumber {
		help = fmt.Sprintf("did you mean %q? ", near) + help
	}
	written := quoted(value)
	if row.Type == TypeNumber {
		written = value
	}
	r.error(codeValue, p.at(), fmt.Sprintf("%q must not be %s", p.name, written), help)
	return false
}

// wanted is a type in words.
func wanted(t Type) string {
	switch t {
	case TypeString:
		return "a text"
	case TypeBool:
		return "true or false"
	case TypeNumber:
		return "a whole number"
	case TypeDecimal:
		return "a number"
	case TypeSize:
		return `a size such as "512KiB" or "10MB"`
	case TypeDuration:
		return `a length of time such as "500ms" or "30s"`
	case TypeCredential:
		return "the name of a credential"
	case TypeStrings:
		return "a list of texts"
	case TypeNumbers:
		return "a list of whole numbers"
	case TypeStringMap:
		return "an object of texts"
	case TypeResources:
		return "a list of apps, or parts or paths of them"
	case TypeSecret:
		return `a sealed value: age("…")`
	case TypeSetting:
		return "a text or a secret"
	case TypeSettings:
		return "an object of texts and secrets"
	case TypeObject:
		return "an object"
	case TypeObjects:
		return "a list of objects"
	default:
		return string(t)
	}
}

// show is a value in a message: short, and by its type where it is large.
func show(v cty.Value) string {
	switch {
	case v.IsNull():
		return "null"
	case !v.IsKnown():
		return "unknown"
	case v.Type() == cty.String:
		return quoted(v.AsString())
	case v.Type() == cty.Bool:
		return strconv.FormatBool(v.True())
	case v.Type() == cty.Number:
		return v.AsBigFloat().Text('g', 10)
	case isList(v):
		return fmt.Sprintf("a list of %d", v.LengthInt())
	case credentialName(v) != "":
		return "a credential"
	case isMap(v):
		return fmt.Sprintf("an object of %d", v.LengthInt())
	default:
		return "a " + v.Type().FriendlyName()
	}
}

// quoted is a text in a message, cut after forty characters.
func quoted(s string) string {
	if runes := []rune(s); len(runes) > 40 {
		s = string(runes[:40]) + "…"
	}
	return strconv.Quote(s)
}
