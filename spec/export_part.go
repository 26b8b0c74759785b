package spec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// written is what an app says of who may see it and of its code: its env, and the
// blocks.
func (a App) written() Part {
	p := Part{Kind: "app"}
	for _, access := range a.Access {
		p.Parts = append(p.Parts, access.part())
	}
	p.Parts = append(p.Parts, a.Parts()...)
	if len(a.Env) > 0 {
		p.Args = map[string]any{"env": a.Env}
	}
	return p
}

// blockText is a part as it is written.
type blockText struct {
	kind   string
	labels []string
	args   []argText // in the order of the table
	blocks []blockText
}

// argText is an argument as it is written. A fixed one is read, not evaluated.
type argText struct {
	name  string
	value hclwrite.Tokens
	fixed bool
}

// text writes a part whose row is known.
func (p Part) text(row Block) blockText {
	b := blockText{kind: p.Kind}
	if p.Name != "" {
		b.labels = []string{p.Name}
	}
	for _, a := range row.Attributes {
		if v, set := p.Args[a.Name]; set {
			b.args = append(b.args, argText{name: a.Name, value: tokensOf(v), fixed: a.Type == TypeApp})
		}
	}
	for _, inner := range p.Parts {
		known, _ := findBlock(row.Blocks, inner.Kind)
		b.blocks = append(b.blocks, inner.text(known))
	}
	return b
}

// tokensOf writes the value of an argument.
func tokensOf(v any) hclwrite.Tokens {
	switch v := v.(type) {
	case interface{ tokens() hclwrite.Tokens }:
		return v.tokens()
	case map[string]EnvValue:
		var pairs []hclwrite.ObjectAttrTokens
		for _, key := range sortedKeys(v) {
			pairs = append(pairs, hclwrite.ObjectAttrTokens{Name: hclwrite.TokensForValue(cty.StringVal(key)), Value: v[key].tokens()})
		}
		return hclwrite.TokensForObject(pairs)
	case Addr:
		t := hcl.Traversal{hcl.TraverseRoot{Name: "app"}, hcl.TraverseAttr{Name: labelOf(v)}}
		if _, key, keyed := strings.Cut(string(v), `["`); keyed {
			t = append(t, hcl.TraverseIndex{Key: cty.StringVal(strings.TrimSuffix(key, `"]`))})
		}
		return hclwrite.TokensForTraversal(t)
	}
	return hclwrite.TokensForValue(valueOf(v))
}

// tokens writes a text as a text and a secret by its name.
func (v EnvValue) tokens() hclwrite.Tokens {
	if v.Secret == "" {
		return hclwrite.TokensForValue(cty.StringVal(v.Text))
	}
	return hclwrite.TokensForTraversal(hcl.Traversal{hcl.TraverseRoot{Name: "secret"}, hcl.TraverseAttr{Name: v.Secret}})
}

// writeTo writes arguments and blocks into a body.
func (b blockText) writeTo(body *hclwrite.Body) {
	for _, a := range b.args {
		body.SetAttributeRaw(a.name, a.value)
	}
	for i, inner := range b.blocks {
		if len(b.args) > 0 || i > 0 || b.kind == "app" {
			body.AppendNewline()
		}
		inner.writeTo(body.AppendNewBlock(inner.kind, inner.labels).Body())
	}
}

// sharedText is the one text of several instances: what differs between them is
// each.value.NAME, and values gets what NAME is for each. False means that they
// differ in more than values.
func sharedText(instances []blockText, prefix string, values []map[string]hclwrite.Tokens) (blockText, bool) {
	first := instances[0]
	text := blockText{kind: first.kind, labels: first.labels}
	for _, other := range instances[1:] {
		if other.kind != first.kind || !slices.Equal(other.labels, first.labels) || len(other.blocks) != len(first.blocks) {
			return text, false
		}
	}
	for _, name := range argNames(instances) {
		a, ok := sharedArg(instances, name, prefix, values)
		if !ok {
			return text, false
		}
		text.args = append(text.args, a)
	}
	for i := range first.blocks {
		inner := make([]blockText, len(instances))
		for j, b := range instances {
			inner[j] = b.blocks[i]
		}
		b, ok := sharedText(inner, fmt.Sprintf("%s%s%d_", prefix, inner[0].kind, i), values)
		if !ok {
			return text, false
		}
		text.blocks = append(text.blocks, b)
	}
	return text, true
}

func argNames(instances []blockText) []string {
	var names []string
	for _, b := range instances {
		for _, a := range b.args {
			if !slices.Contains(names, a.name) {
				names = append(names, a.name)
			}
		}
	}
	return names
}

func sharedArg(instances []blockText, name, prefix string, values []map[string]hclwrite.Tokens) (argText, bool) {
	var found []argText
	same, fixed := true, false
	for _, b := range instances {
		a := argText{name: name, value: hclwrite.TokensForValue(cty.NullVal(cty.DynamicPseudoType))}
		if i := slices.IndexFunc(b.args, func(a argText) bool { return a.name == name }); i >= 0 {
			a = b.args[i]
		}
		found = append(found, a)
		same = same && string(a.value.Bytes()) == string(found[0].value.Bytes())
		fixed = fixed || a.fixed
	}
	if same || fixed {
		return found[0], same
	}
	for i, a := range found {
		values[i][prefix+name] = a.value
	}
	return argText{name: name, value: hclwrite.TokensForIdentifier("each.value." + prefix + name)}, true
}

// exportSecret writes a secret with its envelope.
func exportSecret(to *hclwrite.Body, name string, s Secret) {
	to.AppendNewline()
	to.AppendNewBlock("secret", []string{name}).Body().SetAttributeRaw("value", hclwrite.TokensForFunctionCall("age", hclwrite.TokensForValue(cty.StringVal(s.Envelope))))
}
