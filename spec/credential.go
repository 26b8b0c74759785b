package spec

import (
	"fmt"
	"regexp"
	"sync"

	"github.com/zclconf/go-cty/cty"
)

// credentialForm is what names of credentials look like.
var credentialForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9_-]{1,40}$`) })

// credentialRoot is the root name of credentials in expressions, and the only
// key of the value of one. The value is an object, so that it cannot be put
// into text: where its contents go is the node's affair.
const credentialRoot = "credential"

// evaluateTLS evaluates edge.tls, the one argument that may name credentials.
func (d *decoded) evaluateTLS(s *scope, r *reporter) {
	row, _ := attribute(d.row.Attributes, "tls")
	a := d.attrs[row.Name]
	if a == nil {
		return
	}
	named := map[string]cty.Value{}
	for _, t := range a.Expr.Variables() {
		if name := stepName(t, 1); t.RootName() == credentialRoot && name != "" {
			named[name] = cty.ObjectVal(map[string]cty.Value{credentialRoot: cty.StringVal(name)})
		}
	}
	d.evaluate(row, s.with(credentialRoot, names{what: credentialRoot}, cty.ObjectVal(named)), r)
}

// credentialName is the name in the value of a credential, empty for any other
// value.
func credentialName(v cty.Value) string {
	if !v.Type().IsObjectType() || len(v.Type().AttributeTypes()) != 1 || !v.Type().HasAttribute(credentialRoot) {
		return ""
	}
	name := v.GetAttr(credentialRoot)
	if name.Type() != cty.String || name.IsNull() || !name.IsKnown() {
		return ""
	}
	return name.AsString()
}

// decodeCredential reads the name of a credential, as text or by reference.
func decodeCredential(row Attribute, v cty.Value, p *spot, r *reporter) (any, bool) {
	name := credentialName(v)
	if v.Type() == cty.String {
		name = v.AsString()
	} else if name == "" {
		return nil, refuse(row, v, p, r)
	}
	if !credentialForm().MatchString(name) {
		r.error(codeValue, p.at(), fmt.Sprintf("%q must not be %s", p.name, quoted(name)),
			"the name of a credential is lower-case letters, digits, _ and -, at most 40; the node is given it by --credential NAME=PATH")
		return nil, false
	}
	return name, true
}
