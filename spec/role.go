package spec

import (
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"
)

func roleBlock() Block {
	return Block{
		Name: "role", Labels: []string{"name"}, Since: "0.5.0",
		Doc: "What people may do: `role.NAME`. Who belongs to it passes the access blocks that name it, and may do what it grants. " +
			"The role `owner` is built in: its members may do everything, so it has no grants.",
		Example: "role \"owner\" {\n  members = [\"jo@example.com\"]\n}\nrole \"editor\" {\n  members = [group.design, \"domain:example.com\"]\n  grant {\n    actions = [\"read\", \"write\"]\n    on      = [app.notes, \"app.docs/drafts/*\"]\n    until   = \"2027-01-31\"\n  }\n}",
		Attributes: []Attribute{
			{Name: "members", Type: TypeStrings, Doc: peopleHelp, Effect: EffectHot, Risk: RiskMedium, Since: "0.5.0"},
		},
		Blocks: []Block{grantBlock()},
	}
}

func grantBlock() Block {
	return Block{
		Name: "grant", Since: "0.5.0",
		Doc:     "Something that the members of the role may do.",
		Example: "grant {\n  actions = [\"read\"]\n  on      = [app.blog]\n}",
		Attributes: []Attribute{
			{Name: "actions", Type: TypeStrings, Required: true, Doc: "`read` and `write` pass an app's gate, whatever its access blocks say; others are the node's, or what the app's code asks for with `can`", Effect: EffectHot, Risk: RiskMedium, Since: "0.5.0"},
			{Name: "on", Type: TypeResources, Required: true, Doc: "what they may do it to: `app.NAME`, `\"app.NAME/path/*\"`, a part of an app such as `app.NAME.docs.PAGES`, or `\"node\"`, which is everything on it", Effect: EffectHot, Risk: RiskMedium, Since: "0.5.0"},
			{Name: "until", Type: TypeString, Doc: "when it ends: a day such as `\"2027-01-31\"`, the whole of which it still holds (UTC), or a moment such as `\"2027-01-31T12:00:00Z\"`", Effect: EffectHot, Risk: RiskMedium, Since: "0.5.0"},
		},
	}
}

// roles evaluates the role blocks.
func (l *load) roles(blocks []*block) {
	for _, b := range blocks {
		l.sharedThing(b, Addr("role."+b.label()), KindRole, func(d *decoded, r *reporter) any {
			role := Role{Members: l.subjects(d, "members", members(), r)}
			for _, g := range d.blocks {
				role.Grants = append(role.Grants, l.grant(g, r))
			}
			if b.label() == RoleOwner && len(d.blocks) > 0 {
				r.error(codeTogether, d.blocks[0].block.Place, `role "owner" has grants`, "it may do everything: remove them, or give them to another role")
			}
			return role
		})
	}
}

// actionForm is what names of actions look like.
var actionForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z][a-z0-9_.-]{0,39}(?::[a-z0-9_.-]{1,39})*$`) })

func (l *load) grant(d *decoded, r *reporter) Grant {
	actions, given := d.values["actions"].([]string)
	if given && len(actions) == 0 {
		r.error(codeValue, d.at("actions"), fmt.Sprintf("%q is empty", d.prefix+"actions"), `write actions = ["read", "write"]`)
	}
	for i, a := range actions {
		if !actionForm().MatchString(a) {
			r.error(codeValue, d.spot("actions").index(i).at(), fmt.Sprintf("%s is not an action", quoted(a)), `write it as "read" or "analytics:read": lower-case letters, digits, _, - and .`)
		}
	}
	slices.Sort(actions)
	return Grant{Actions: slices.Compact(actions), On: l.resources(d, "on", r), Until: untilOf(d, r)}
}

// untilOf is when a grant ends: a day as a day, a moment in UTC.
func untilOf(d *decoded, r *reporter) string {
	text, given := d.values["until"].(string)
	if !given {
		return ""
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day.Format(time.DateOnly)
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at.UTC().Format(time.RFC3339)
	}
	r.error(codeValue, d.at("until"), fmt.Sprintf("%s is not a day", quoted(text)), `write it as "2027-01-31" or "2027-01-31T12:00:00Z"`)
	return ""
}
