package spec

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// secretBlock is the row of a secret.
func secretBlock() Block {
	return Block{
		Name:    "secret",
		Labels:  []string{"name"},
		Doc:     "A value that only the node can read, sealed to its key (`recipient` of node). `secret.NAME` names it, in env and in the headers of egress of an app, in oauth and in mail; the node opens it in memory. It cannot be a part of a text.",
		Example: "secret \"stripe\" {\n  value = age(\"" + exampleEnvelope + "\")\n}",
		Since:   "0.4.0",
		Attributes: []Attribute{
			{Name: "value", Type: TypeSecret, Required: true, Doc: "the sealed value", Effect: EffectHot, Risk: RiskMedium, Since: "0.4.0"},
		},
	}
}

// secrets evaluates the secret blocks.
func (l *load) secrets(blocks []*block) {
	values := map[string]cty.Value{}
	for _, b := range blocks {
		addr := Addr("secret." + b.label())
		l.at(Alone, rangeOf(b.name()))
		r := l.report.about(addr, b.written())
		s := l.fullScope(l.shared.reader)
		d := l.decodeBlock(b, s, r)
		l.shared.namesApps = l.shared.namesApps || len(s.appRefs) > 0
		l.keep(r)
		values[b.label()] = cty.DynamicVal
		if sealed, ok := d.values["value"].(sealed); ok {
			values[b.label()] = l.seal(sealed.envelope, b.label())
			o := l.lang.newObject(addr, KindSecret, Secret{Envelope: sealed.envelope})
			o.Range, o.At = rangeOf(b.Place), d.places()
			l.shared.secrets = append(l.shared.secrets, o)
		}
	}
	sortBy(l.shared.secrets, func(o Object) string { return string(o.Addr) })
	l.shared.values["secret"] = cty.ObjectVal(values)
}

// recipientForm is what age's public keys look like.
var recipientForm = regexp.MustCompile(`^age1(?:pq1)?[02-9ac-hj-np-z]{58,}$`)

// recipientOf is a node's public key.
func recipientOf(d *decoded, r *reporter) string {
	key := d.string("recipient")
	if key == "" || !recipient(key, d.spot("recipient"), r) {
		return ""
	}
	return key
}

// recipient tells whether a text is a public key of age, and reports it where it
// is none.
func recipient(key string, p *spot, r *reporter) bool {
	if recipientForm.MatchString(key) {
		return true
	}
	if privateKey.MatchString(key) {
		r.error(codeValue, p.at(), fmt.Sprintf("%q has a private key in it", p.name), "it was shown to everybody who reads the repository: make a new one, and write the public half here, which begins with age1")
		return false
	}
	r.error(codeValue, p.at(), fmt.Sprintf("%s is not a recipient of age", quoted(key)), "a recipient begins with age1 and has 62 characters")
	return false
}

// decodeSecret takes what age() yields and nothing else.
func decodeSecret(row Attribute, v cty.Value, p *spot, r *reporter) (any, bool) {
	s, ok := sealedOf(v)
	if !ok {
		r.error(codeSealed, p.at(), fmt.Sprintf("%q is not sealed", p.name), `write age("…") with a value sealed to the node's recipient; a value in plain text is known to everybody who reads the repository`)
		return nil, false
	}
	return s, true
}

// decodeSettings is an object of texts and secrets.
func decodeSettings(row Attribute, v cty.Value, p *spot, r *reporter) (any, bool) {
	if !isMap(v) {
		return nil, refuse(row, v, p, r)
	}
	m, ok := map[string]EnvValue{}, true
	element := Attribute{Name: row.Name, Type: TypeSetting, Doc: row.Doc}
	values := v.AsValueMap()
	for _, k := range sortedKeys(values) {
		s, good := decodeSetting(element, values[k], p.key(k), r)
		if ok = ok && good; good {
			m[k] = s
		}
	}
	return m, ok
}

// decodeSettingAny is decodeSetting as decodeType wants it.
func decodeSettingAny(row Attribute, v cty.Value, p *spot, r *reporter) (any, bool) {
	s, ok := decodeSetting(row, v, p, r)
	return s, ok
}

func decodeSetting(row Attribute, v cty.Value, p *spot, r *reporter) (EnvValue, bool) {
	s, ok := sealedOf(v)
	switch {
	case ok && s.name == "":
		r.error(codeSealed, p.at(), fmt.Sprintf("%q is sealed outside of a secret", p.name), "put the envelope into secret \"NAME\" { value = age(\"…\") } and name it here: secret.NAME")
		return EnvValue{}, false
	case ok:
		return EnvValue{Secret: s.name, Envelope: EnvelopeDigest(s.envelope)}, true
	case holdsSecret(v.Type()):
		return EnvValue{}, refuseSecret(p, r)
	}
	text, ok := decodeElement(row, v, p, r)
	if !ok {
		return EnvValue{}, false
	}
	return EnvValue{Text: text.(string)}, true
}

// refuseSecret reports a secret where none can be.
func refuseSecret(p *spot, r *reporter) bool {
	r.error(codeSealed, p.at(), fmt.Sprintf("%q cannot be a secret", p.name), secretHelp)
	return false
}

const secretHelp = "secrets go into env and the headers of egress of an app, into oauth and mail, each as a whole value: only the node reads them"

// touchesSecret tells whether what failed was given a secret.
func touchesSecret(d *hcl.Diagnostic) bool {
	if d.Expression == nil || d.EvalContext == nil {
		return false
	}
	for _, expr := range append(argumentsOf(d.Expression), d.Expression) {
		if v, diags := expr.Value(d.EvalContext); !diags.HasErrors() && holdsSecret(v.Type()) {
			return true
		}
	}
	return false
}

// secretsNamed adds the secrets that the block's expressions name, whether they
// are evaluated or not.
func (d *decoded) secretsNamed(list []string) []string {
	for _, name := range sortedKeys(d.attrs) {
		for _, t := range d.attrs[name].Expr.Variables() {
			if secret := stepName(t, 1); t.RootName() == "secret" && !slices.Contains(list, secret) {
				list = append(list, secret)
			}
		}
	}
	for _, b := range d.blocks {
		list = b.secretsNamed(list)
	}
	return list
}
