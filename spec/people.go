package spec

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
)

const peopleHelp = `addresses such as "ana@example.com", groups such as group.design, and "domain:example.com" for all addresses of a domain`

func groupBlock() Block {
	return Block{
		Name: "group", Labels: []string{"name"}, Since: "0.5.0",
		Doc:     "People under one name, for roles, access blocks and other groups: `group.NAME`. A person is whoever proved to have the address.",
		Example: "group \"design\" {\n  members = [\"ana@example.com\", \"bo@example.com\"]\n}",
		Attributes: []Attribute{
			{Name: "members", Type: TypeStrings, Required: true, Doc: peopleHelp, Effect: EffectHot, Risk: RiskMedium, Since: "0.5.0"},
		},
	}
}

// sharedThing evaluates a block that all apps share into its canonical form.
func (l *load) sharedThing(b *block, addr Addr, kind Kind, read func(d *decoded, r *reporter) any) {
	l.at(Alone, rangeOf(b.name()))
	r := l.report.about(addr, b.written())
	s := l.fullScope(l.shared.reader)
	d := l.decodeBlock(b, s, r)
	form := read(d, r)
	l.shared.namesApps = l.shared.namesApps || len(s.appRefs) > 0
	l.keep(r)
	o := l.lang.newObject(addr, kind, form)
	o.Range, o.At = rangeOf(b.Place), d.places()
	l.shared.things = append(l.shared.things, o)
}

// groups evaluates the group blocks.
func (l *load) groups(blocks []*block) {
	circle := circles{load: l, within: map[string][]string{}, places: map[string]hcl.Range{}}
	for _, b := range blocks {
		l.sharedThing(b, Addr("group."+b.label()), KindGroup, func(d *decoded, r *reporter) any {
			g := Group{Members: l.subjects(d, "members", members(), r)}
			circle.add(b, g.Members)
			return g
		})
	}
	circle.judge()
}

// circles finds groups that are in each other.
type circles struct {
	*load
	within map[string][]string // the groups in a group
	places map[string]hcl.Range
	names  []string
	state  map[string]int // 1 on the path, 2 done
}

func (c *circles) add(b *block, members []string) {
	if _, twice := c.places[b.label()]; twice {
		return // that is its fault
	}
	c.names = append(c.names, b.label())
	c.places[b.label()] = b.name()
	for _, m := range members {
		if group, ok := strings.CutPrefix(m, "group:"); ok {
			c.within[b.label()] = append(c.within[b.label()], group)
		}
	}
}

// judge reports each circle once, with all its places.
func (c *circles) judge() {
	c.state = map[string]int{}
	for _, name := range c.names {
		c.visit(name, nil)
	}
}

func (c *circles) visit(name string, path []string) {
	switch c.state[name] {
	case 1:
		for path[0] != name {
			path = path[1:]
		}
		c.tell(path)
		return
	case 2:
		return
	}
	c.state[name] = 1
	for _, inner := range c.within[name] {
		c.visit(inner, append(path, name))
	}
	c.state[name] = 2
}

func (c *circles) tell(path []string) {
	way := "group." + strings.Join(append(path, path[0]), " → group.")
	var related []Related
	for _, name := range path[1:] {
		related = append(related, declaredAt("group."+name+" is declared here", c.places[name])...)
	}
	c.report.error(codeCycle, c.places[path[0]], "these groups are in each other: "+way, "take one of them out of the next", related...)
}
