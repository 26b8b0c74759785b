package spec

import (
	"fmt"
	"strings"
)

func devBlock() Block {
	return Block{
		Name: "dev", Since: "0.5.0", Once: true,
		Doc:     "What `fazt dev` has and no node does: people to sign in as with one click. It is never a part of a plan, and `fazt serve` does not look at it.",
		Example: "dev {\n  user \"asha\" {\n    email = \"asha@example.com\"\n    name  = \"Asha Rao\"\n    role  = role.owner\n  }\n}",
		Blocks: []Block{{
			Name: "user", Labels: []string{"name"}, Since: "0.5.0",
			Doc:     "Somebody who does not exist.",
			Example: "user \"bo\" { email = \"bo@example.com\" }",
			Attributes: []Attribute{
				{Name: "email", Type: TypeString, Required: true, Doc: "the address, by which groups and roles know the person", Since: "0.5.0"},
				{Name: "name", Type: TypeString, Default: "the label", Doc: "the full name", Since: "0.5.0"},
				{Name: "role", Type: TypeString, Doc: "a role that the person has besides those that name the address, such as role.owner", Since: "0.5.0"},
			},
		}},
	}
}

// dev evaluates the dev block, if there is one.
func (l *load) dev(b *block) {
	if b == nil {
		return
	}
	l.at(Alone, rangeOf(b.Place))
	r := l.report.about("", b.written())
	defer l.keep(r)
	s := l.fullScope(l.shared.reader)
	first, emails := map[string]*decoded{}, map[string]*decoded{}
	for _, d := range l.decodeBlock(b, s, r).blocks {
		p := l.persona(d, r)
		if other := first[p.Name]; other != nil {
			r.twice(d.block.name(), d.block.written(), other.block.name())
			continue
		}
		if other := emails[p.Email]; other != nil && p.Email != "" {
			r.error(codeTwice, d.at("email"), fmt.Sprintf("%s is the address of two users", p.Email), "people are known by it; give one of them another", declaredAt("also here", other.at("email"))...)
		}
		first[p.Name], emails[p.Email] = d, d
		l.shared.personas = append(l.shared.personas, p)
	}
	l.shared.namesApps = l.shared.namesApps || len(s.appRefs) > 0
	sortBy(l.shared.personas, func(p Persona) string { return p.Name })
}

func (l *load) persona(d *decoded, r *reporter) Persona {
	p := Persona{Name: d.block.label(), Shown: d.string("name")}
	if !validName(p.Name) {
		r.error(codeName, d.block.name(), fmt.Sprintf("%s is not a name for a user", quoted(p.Name)), nameHelp)
	}
	if text, given := d.values["email"].(string); given {
		email, ok := parseEmail(text)
		if !ok {
			r.error(codeValue, d.at("email"), fmt.Sprintf("%s is not an e-mail address", quoted(text)), `write it as "asha@example.com"`)
		}
		p.Email = email
	}
	if text, given := d.values["role"].(string); given {
		subject, fault := l.subject(text, holders())
		if fault != nil {
			r.error(fault.code, d.at("role"), fault.summary, fault.detail, fault.related...)
		}
		p.Role = strings.TrimPrefix(subject, "role:")
	}
	return p
}
