package spec

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// Sealing is what a configuration says of its secrets: who may open them, and
// where they stand. It is read block by block, without evaluating anything, so it
// is known where something else is wrong as well.
type Sealing struct {
	Secrets []SecretBlock // by name; a name that is declared twice is there twice
	Keys    []SecretKey   // in the order of files
	Keyless []Addr        // nodes without a recipient
	Uses    []SecretUse   // in the order of files
}

// SecretBlock is a secret block.
type SecretBlock struct {
	Name     string `json:"name"`
	Envelope string `json:"envelope"` // base64 on one line; empty: the value is not sealed
	Range    Range  `json:"range"`
}

// SecretKey is a recipient and whose it is: a node's address, or fazt for one of
// its people.
type SecretKey struct {
	Of        Addr   `json:"of"`
	Recipient string `json:"recipient"`
	Range     Range  `json:"range"`
}

// SecretUse is a reference to a secret.
type SecretUse struct {
	Name  string `json:"name"`
	Range Range  `json:"range"`
}

// ReadSealing reads a tree's secrets and recipients. Files that cannot be parsed
// are errors, and so are recipients that are no plain text: who can open a secret
// must be seen without evaluating.
func ReadSealing(tree Tree) (Sealing, Diagnostics) {
	names, diags := ConfigFiles(tree)
	var s Sealing
	for _, name := range names {
		f := &file{path: name}
		r := &reporter{source: func(string) []byte { return f.src }}
		f.read(tree, Language(), &reporter{source: r.source})
		if f.broken != nil {
			diags = append(diags, f.broken...)
			continue
		}
		for _, b := range f.blocks {
			s.add(b, r)
		}
		diags = append(diags, r.diags...)
	}
	slices.SortStableFunc(s.Secrets, func(a, b SecretBlock) int { return strings.Compare(a.Name, b.Name) })
	return s, diags
}

// add takes one block of a file.
func (s *Sealing) add(b *block, r *reporter) {
	s.Uses = append(s.Uses, usesIn(b.Body)...)
	row, _ := Language().block(b.Type)
	attrs := readBody(b.Body, row, b.written(), &reporter{source: r.source}).attrs
	switch b.Type {
	case "secret":
		block := SecretBlock{Name: b.label(), Range: rangeOf(b.Place)}
		if a := attrs["value"]; a != nil {
			block.Envelope = literalEnvelope(a.Expr)
		}
		s.Secrets = append(s.Secrets, block)
	case "node":
		if a := attrs["recipient"]; a != nil {
			s.key(nodeAddr(b), a.Expr, r)
		} else {
			s.Keyless = append(s.Keyless, nodeAddr(b))
		}
	case "fazt":
		if a := attrs["recipients"]; a != nil {
			list, _ := hcl.ExprList(a.Expr)
			for _, e := range list {
				s.key("fazt", e, r)
			}
			if list == nil {
				r.error(codeValue, a.Expr.Range(), "recipients are not a plain list", `write them out: recipients = ["age1…"]`)
			}
		}
	}
}

func (s *Sealing) key(of Addr, expr hcl.Expression, r *reporter) {
	v, diags := expr.Value(nil)
	if diags.HasErrors() || v.Type() != cty.String || v.IsNull() {
		r.error(codeValue, expr.Range(), "the recipient is not plain text", `write the key itself: "age1…"`)
		return
	}
	s.Keys = append(s.Keys, SecretKey{Of: of, Recipient: v.AsString(), Range: rangeOf(expr.Range())})
}

// literalEnvelope is what age() is given in an expression without references,
// empty where it is no such call.
func literalEnvelope(expr hcl.Expression) string {
	t := sealedType()
	v, diags := expr.Value(&hcl.EvalContext{Functions: map[string]function.Function{"age": sealing(t).fn}})
	if diags.HasErrors() {
		return ""
	}
	s, _ := sealedOf(v)
	return s.envelope
}

// usesIn are the references to secrets in a body and all it holds.
func usesIn(body hcl.Body) []SecretUse {
	var exprs []hcl.Expression
	if native, ok := body.(*hclsyntax.Body); ok {
		exprs = expressionsIn(native)
	} else {
		attrs, _ := body.JustAttributes() // the whole of a block in the JSON form
		for _, name := range sortedKeys(attrs) {
			exprs = append(exprs, attrs[name].Expr)
		}
	}
	var uses []SecretUse
	for _, e := range exprs {
		for _, t := range e.Variables() {
			if name := stepName(t, 1); t.RootName() == "secret" && name != "" {
				uses = append(uses, SecretUse{Name: name, Range: rangeOf(t.SourceRange())})
			}
		}
	}
	return uses
}

func expressionsIn(body *hclsyntax.Body) []hcl.Expression {
	var exprs []hcl.Expression
	for _, a := range inOrder(body.Attributes) {
		exprs = append(exprs, a.Expr)
	}
	for _, b := range body.Blocks {
		exprs = append(exprs, expressionsIn(b.Body)...)
	}
	return exprs
}

// SetEnvelope returns a configuration file with another envelope in the secret
// block of that name, or with such a block at its end. No other byte changes.
func SetEnvelope(filename string, src []byte, name, envelope string) ([]byte, error) {
	if strings.HasSuffix(strings.ToLower(filename), ".json") {
		return nil, errors.New("it is written by a program, and not edited here")
	}
	if !hclsyntax.ValidIdentifier(name) {
		return nil, fmt.Errorf("%s is not a name for a secret: letters, digits, _ and -, beginning with a letter", quoted(name))
	}
	value := `age("` + envelope + `")`
	out, err := withValue(filename, src, name, value)
	if err != nil {
		return nil, err
	}
	if after, err := nativeSecrets(filename, out); err == nil && len(after[name]) == 1 {
		if a := after[name][0].Body.Attributes["value"]; a != nil && literalEnvelope(a.Expr) == envelope {
			return out, nil
		}
	}
	return nil, errors.New(`its value cannot be replaced: write value = "" in its place, and try again`)
}

func withValue(filename string, src []byte, name, value string) ([]byte, error) {
	found, err := nativeSecrets(filename, src)
	if err != nil {
		return nil, err
	}
	blocks := found[name]
	if len(blocks) == 0 {
		return withBlock(src, fmt.Sprintf("secret %q {\n  value = %s\n}\n", name, value)), nil
	}
	if len(blocks) > 1 {
		return nil, errors.New("it declares the secret twice")
	}
	b := blocks[0].Body
	if a := b.Attributes["value"]; a != nil {
		at := a.Expr.Range()
		return slices.Concat(src[:at.Start.Byte], []byte(value), src[at.End.Byte:]), nil
	}
	open := blocks[0].OpenBraceRange.End
	if blocks[0].CloseBraceRange.Start.Line == open.Line {
		value = " value = " + value + " "
	} else {
		value = "\n  value = " + value
	}
	return slices.Concat(src[:open.Byte], []byte(value), src[open.Byte:]), nil
}

// withBlock puts a block at the end, one line below what is there.
func withBlock(src []byte, block string) []byte {
	out := slices.Clone(src)
	if len(out) > 0 && !bytes.HasSuffix(out, []byte("\n")) {
		out = append(out, '\n')
	}
	if len(out) > 0 {
		out = append(out, '\n')
	}
	return append(out, block...)
}

// nativeSecrets are the secret blocks of a file in HCL's own form.
func nativeSecrets(filename string, src []byte) (map[string][]*hclsyntax.Block, error) {
	if d := precheck(filename, src); d != nil {
		return nil, errors.New(d.Summary)
	}
	body, diags := parse(filename, src)
	native, ok := body.(*hclsyntax.Body)
	if diags.HasErrors() || !ok {
		return nil, errors.New("it cannot be parsed")
	}
	found := map[string][]*hclsyntax.Block{}
	for _, b := range native.Blocks {
		if b.Type == "secret" && len(b.Labels) == 1 {
			found[b.Labels[0]] = append(found[b.Labels[0]], b)
		}
	}
	return found, nil
}
