package spec

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// blockText is a block as it is written.
type blockText struct {
	kind   string
	labels []string
	args   []argText
	blocks []blockText
}

// argText is an argument as it is written. A fixed one is read, not evaluated.
type argText struct {
	name  string
	value hclwrite.Tokens
	fixed bool
}

func (b *blockText) tokens(name string, value hclwrite.Tokens) {
	b.args = append(b.args, argText{name: name, value: value})
}

func (b *blockText) value(name string, v cty.Value) { b.tokens(name, hclwrite.TokensForValue(v)) }

func (b *blockText) text(name, s string) {
	if s != "" {
		b.value(name, cty.StringVal(s))
	}
}

func (b *blockText) number(name string, n int) {
	if n != 0 {
		b.value(name, cty.NumberIntVal(int64(n)))
	}
}

func (b *blockText) size(name string, n int64) {
	if n != 0 {
		b.text(name, FormatSize(n))
	}
}

func (b *blockText) wait(name string, ms int64) {
	if ms != 0 {
		b.text(name, FormatDuration(time.Duration(max(0, ms))*time.Millisecond))
	}
}

func (b *blockText) truth(name string, is, usual bool) {
	if is != usual {
		b.value(name, cty.BoolVal(is))
	}
}

func (b *blockText) list(name string, list []string) {
	if len(list) > 0 {
		b.value(name, textList(list))
	}
}

// settings writes texts as texts and secrets by their names.
func (b *blockText) settings(name string, values map[string]EnvValue) {
	var pairs []hclwrite.ObjectAttrTokens
	for _, key := range sortedKeys(values) {
		v := hclwrite.TokensForValue(cty.StringVal(values[key].Text))
		if secret := values[key].Secret; secret != "" {
			v = hclwrite.TokensForTraversal(hcl.Traversal{hcl.TraverseRoot{Name: "secret"}, hcl.TraverseAttr{Name: secret}})
		}
		pairs = append(pairs, hclwrite.ObjectAttrTokens{Name: hclwrite.TokensForValue(cty.StringVal(key)), Value: v})
	}
	if len(pairs) > 0 {
		b.tokens(name, hclwrite.TokensForObject(pairs))
	}
}

// programText is what an app that runs code says of it: its env as an argument
// of the whole, and blocks.
func (a App) programText() blockText {
	var all blockText
	all.settings("env", a.Env)
	if a.Runtime == nil {
		return all
	}
	add := func(kind string, labels []string, fill func(b *blockText)) {
		b := blockText{kind: kind, labels: labels}
		fill(&b)
		all.blocks = append(all.blocks, b)
	}
	add("runtime", nil, a.Runtime.written)
	for _, b := range a.KV {
		add("kv", []string{b.Name}, func(*blockText) {})
	}
	if a.SQL != nil {
		add("sql", []string{a.SQL.Name}, func(b *blockText) {
			b.text("migrations", a.SQL.Migrations)
			b.text("durability", a.SQL.Durability)
		})
	}
	for _, docs := range a.Docs {
		add("docs", []string{docs.Name}, docs.written)
	}
	for _, blobs := range a.Blobs {
		add("blobs", []string{blobs.Name}, func(b *blockText) {
			b.size("quota", blobs.Quota)
			b.text("serve", blobs.Serve)
		})
	}
	for _, q := range a.Queues {
		add("queue", []string{q.Name}, q.written)
	}
	for _, c := range a.Cron {
		add("cron", []string{c.Name}, func(b *blockText) {
			b.text("at", c.At)
			b.text("zone", c.Zone)
			b.text("overlap", c.Overlap)
			b.text("catch_up", c.CatchUp)
		})
	}
	for _, s := range a.Services {
		add("service", []string{s.Name}, func(b *blockText) {
			b.args = append(b.args, argText{name: "app", value: addressText(s.App), fixed: true})
		})
	}
	for _, e := range a.Egress {
		add("egress", []string{e.Host}, e.written)
	}
	if a.Health != nil {
		add("health", nil, func(b *blockText) {
			b.text("path", a.Health.Path)
			b.wait("deadline", a.Health.DeadlineMS)
			b.wait("window", a.Health.WindowMS)
			b.truth("auto_revert", !a.Health.NoRevert, true)
		})
	}
	return all
}

func (r Runtime) written(b *blockText) {
	b.text("entry", r.Entry)
	b.list("routes", r.Routes)
	b.wait("cpu", r.CPUMS)
	b.wait("wall", r.WallMS)
	b.size("memory", r.Memory)
	b.truth("fresh", r.Fresh, false)
	b.text("isolation", r.Isolation)
}

func (d Docs) written(b *blockText) {
	for _, i := range d.Indexes {
		inner := blockText{kind: "index", labels: []string{i.Name}}
		inner.list("on", i.On)
		inner.truth("unique", i.Unique, false)
		b.blocks = append(b.blocks, inner)
	}
}

func (q Queue) written(b *blockText) {
	if q.Retries != nil {
		b.value("retries", cty.NumberIntVal(int64(*q.Retries)))
	}
	b.wait("backoff", q.BackoffMS)
	b.number("batch", q.Batch)
	b.number("concurrency", q.Concurrency)
	b.wait("keep", q.KeepMS)
}

func (e Egress) written(b *blockText) {
	b.settings("header", e.Header)
	b.list("methods", e.Methods)
	if len(e.Ports) > 0 {
		ports := make([]cty.Value, len(e.Ports))
		for i, p := range e.Ports {
			ports[i] = cty.NumberIntVal(int64(p))
		}
		b.value("ports", cty.TupleVal(ports))
	}
}

// addressText is the address of an app as an expression.
func addressText(addr Addr) hclwrite.Tokens {
	t := hcl.Traversal{hcl.TraverseRoot{Name: "app"}, hcl.TraverseAttr{Name: labelOf(addr)}}
	if _, key, keyed := strings.Cut(string(addr), `["`); keyed {
		t = append(t, hcl.TraverseIndex{Key: cty.StringVal(strings.TrimSuffix(key, `"]`))})
	}
	return hclwrite.TokensForTraversal(t)
}

// writeTo writes arguments and blocks into a body.
func (b blockText) writeTo(body *hclwrite.Body) {
	for _, a := range b.args {
		body.SetAttributeRaw(a.name, a.value)
	}
	for i, inner := range b.blocks {
		if len(b.args) > 0 || i > 0 || b.kind == "" {
			body.AppendNewline()
		}
		inner.writeTo(body.AppendNewBlock(inner.kind, inner.labels).Body())
	}
}

// shared is the one text of several instances: what differs between them is
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
