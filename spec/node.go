package spec

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// nodeBlock is the row of a machine.
func nodeBlock() Block {
	return Block{
		Name:    "node",
		Labels:  []string{"name"},
		Doc:     "A machine that follows this configuration. `fazt serve --node NAME` says which one it is; with one node block it need not. Expressions see the machine they run on as `node.name` and `node.labels.KEY`, any other as `node.NAME`. A label that only other nodes have is null.",
		Example: "node \"fra-1\" {\n  labels = { env = \"prod\", region = \"eu\" }\n}",
		Since:   "0.1.0",
		Attributes: []Attribute{
			{Name: "labels", Type: TypeStringMap, Doc: "words that apps choose machines by", Example: `labels = { env = "prod" }`, Effect: EffectHot, Risk: RiskMedium, Since: "0.1.0"},
			{Name: "recipient", Type: TypeString, Doc: "the machine's public key, which secrets are sealed to", Effect: EffectHot, Risk: RiskLow, Since: "0.4.0"},
		},
		Later: []string{"address"},
	}
}

// machine is one node block with its value.
type machine struct {
	Node
	block   *block
	decoded *decoded
}

// nodes returns the vertex of all node blocks: they are evaluated together,
// because a node's labels are known as soon as every node's are.
func (l *load) nodes(blocks []*block) *vertex {
	shapes := make([]*decoded, len(blocks))
	v := &vertex{name: "node"}
	for i, b := range blocks {
		r := l.report.about(nodeAddr(b), b.written())
		shapes[i] = l.shape(b, r)
		l.keep(r)
		for _, a := range shapes[i].attrs {
			v.exprs = append(v.exprs, a.Expr)
		}
		v.at = b.name()
		if b.label() == "name" || b.label() == "labels" {
			l.report.error(codeName, b.name(), fmt.Sprintf("a node cannot be called %q", b.label()), "node."+b.label()+" means the node itself; choose another name")
		}
	}
	v.eval = func(needs map[string]bool) {
		for _, d := range shapes {
			l.machine(d, needs)
		}
		l.chooseNode()
	}
	return v
}

func nodeAddr(b *block) Addr { return Addr("node." + b.label()) }

// machine evaluates one node block.
func (l *load) machine(d *decoded, needs map[string]bool) {
	r := l.report.about(nodeAddr(d.block), d.block.written())
	d.evaluateAll(l.definitionScope(needs), r)
	m := machine{Node: Node{Name: d.block.label()}, block: d.block, decoded: d}
	m.Labels, _ = d.values["labels"].(map[string]string)
	m.Recipient = recipientOf(d, r)
	for _, key := range sortedKeys(m.Labels) {
		if strings.TrimSpace(key) == "" {
			r.error(codeValue, d.at("labels"), "a label has no name", "")
		}
		if labels := l.shared.names["node.labels"].places; labels != nil && labels[key].Filename == "" {
			labels[key] = d.spot("labels").keyAt(key)
		}
	}
	l.shared.machines = append(l.shared.machines, m)
	l.keep(r)
}

// chooseNode finds the machine that the revision is evaluated for: the one
// that was named, the only one, or in development the first.
func (l *load) chooseNode() {
	all := l.shared.machines
	var own *machine
	for i := range all {
		if all[i].Name == l.in.Node {
			own = &all[i]
		}
	}
	switch {
	case own != nil:
	case l.in.Node == "" && (len(all) == 1 || l.in.AllApps && len(all) > 0):
		own = &all[0]
	case l.in.Node == "" && len(all) == 0:
		own = &machine{Node: Node{Name: "local"}}
	case !l.partial:
		l.noNode(all)
	}
	l.shared.own = own
	l.shared.nodeValue = l.nodeRef(own)
}

// noNode reports that nobody can say which machine this is.
func (l *load) noNode(all []machine) {
	var declared []string
	var related []Related
	for _, m := range all {
		declared = append(declared, m.Name)
		related = append(related, declaredAt(fmt.Sprintf("node %q is declared here", m.Name), m.block.name())...)
	}
	switch {
	case l.in.Node == "":
		l.report.error(codeNode, hcl.Range{}, "several nodes are declared: "+strings.Join(declared, ", "), "say which one this is with --node NAME", related...)
	case len(all) == 0:
		l.report.error(codeNode, hcl.Range{}, fmt.Sprintf("node %q is not declared", l.in.Node), fmt.Sprintf("add node %q { }, or leave out --node", l.in.Node))
	default:
		l.report.error(codeNode, hcl.Range{}, fmt.Sprintf("node %q is not declared", l.in.Node), didYouMean(l.in.Node, declared, "declared"), related...)
	}
}

// nodeRef is the value of node: the machine itself by name and labels, every
// machine by its name.
func (l *load) nodeRef(own *machine) cty.Value {
	v := map[string]cty.Value{}
	for _, m := range l.shared.machines {
		v[m.Name] = cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal(m.Name), "labels": l.labelsRef(m.Labels)})
	}
	v["name"], v["labels"] = cty.DynamicVal, cty.DynamicVal
	if own != nil {
		v["name"], v["labels"] = cty.StringVal(own.Name), l.labelsRef(own.Labels)
	}
	return cty.ObjectVal(v)
}

// labelsRef is a machine's labels as a value: every label that any machine
// has, null where this one has it not.
func (l *load) labelsRef(labels map[string]string) cty.Value {
	if l.shared.names["node.labels"].places == nil {
		return cty.DynamicVal
	}
	v := map[string]cty.Value{}
	for key := range l.shared.names["node.labels"].places {
		v[key] = cty.NullVal(cty.String)
		if text, ok := labels[key]; ok {
			v[key] = cty.StringVal(text)
		}
	}
	return cty.ObjectVal(v)
}

// nodeObject is the chosen machine in canonical form.
func (l *load) nodeObject() Object {
	own := l.shared.own
	o := l.lang.newObject(Addr("node."+own.Name), KindNode, own.Node)
	if own.block != nil {
		o.Range, o.At = rangeOf(own.block.Place), own.decoded.places()
	}
	return o
}
