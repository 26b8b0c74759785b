package spec

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// subjectList and resourceList are written by name where what they name has one.
type (
	subjectList  []string
	resourceList []string
)

// exportThing writes an object about people as its block.
func exportThing(to *hclwrite.Body, o Object) error {
	part, err := o.thing()
	if err != nil {
		return fmt.Errorf("%s cannot be read: %w", o.Addr, err)
	}
	row, _ := Language().block(string(o.Kind))
	to.AppendNewline()
	text := part.text(row)
	text.writeTo(to.AppendNewBlock(text.kind, text.labels).Body())
	return nil
}

// thing is an object about people as a person writes it.
func (o Object) thing() (p Part, err error) {
	p = Part{Kind: string(o.Kind), Name: o.Name}
	if string(o.Addr) == p.Kind { // there is one
		p.Name = ""
	}
	switch o.Kind {
	case KindGroup:
		var g Group
		err = json.Unmarshal(o.Spec, &g)
		p.Args = written{"members": subjectList(g.Members)}
	case KindOAuth:
		var v OAuth
		err = json.Unmarshal(o.Spec, &v)
		p.Args = v.Written()
	case KindMail:
		var m Mail
		err = json.Unmarshal(o.Spec, &m)
		p.Args = m.Written()
	case KindLogin:
		var g Login
		err = json.Unmarshal(o.Spec, &g)
		if p.Args = g.Written(); len(g.SecondFactor) > 0 {
			p.Args["second_factor"] = subjectList(g.SecondFactor)
		}
	case KindWorkload:
		var v Workload
		err = json.Unmarshal(o.Spec, &v)
		p.Args = v.written()
	case KindRole:
		var r Role
		err = json.Unmarshal(o.Spec, &r)
		p.Args, p.Parts = r.written(), r.grants()
	}
	return p, err
}

func (r Role) written() written {
	w := written{}
	if len(r.Members) > 0 {
		w["members"] = subjectList(r.Members)
	}
	return w
}

func (r Role) grants() (list []Part) {
	for _, g := range r.Grants {
		w := written{"actions": g.Actions, "on": resourceList(g.On)}
		w.text("until", g.Until)
		list = append(list, Part{Kind: "grant", Args: w})
	}
	return list
}

// part is an access block as a person writes it.
func (a Access) part() Part {
	w := written{"allow": subjectList(a.Allow)}
	w.text("path", a.Path)
	return Part{Kind: "access", Args: w}
}

// tokens writes group.NAME and role.NAME as references, others as texts.
func (l subjectList) tokens() hclwrite.Tokens {
	var list []hclwrite.Tokens
	for _, s := range l {
		kind, name, _ := strings.Cut(s, ":")
		if (kind == "group" || kind == "role") && hclsyntax.ValidIdentifier(name) {
			list = append(list, hclwrite.TokensForTraversal(hcl.Traversal{hcl.TraverseRoot{Name: kind}, hcl.TraverseAttr{Name: name}}))
			continue
		}
		list = append(list, hclwrite.TokensForValue(cty.StringVal(s)))
	}
	return hclwrite.TokensForTuple(list)
}

// tokens writes whole apps as references, others as texts.
func (l resourceList) tokens() hclwrite.Tokens {
	var list []hclwrite.Tokens
	for _, on := range l {
		m := resourceForm.FindStringSubmatch(on)
		if m != nil && m[3] == "" && m[4] == "" && hclsyntax.ValidIdentifier(m[1]) {
			list = append(list, tokensOf(appAddr(m[1], m[2])))
			continue
		}
		list = append(list, hclwrite.TokensForValue(cty.StringVal(on)))
	}
	return hclwrite.TokensForTuple(list)
}
