package access

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/spec"
)

// Decision is whether somebody may do something, and why.
type Decision struct {
	Allowed bool     `json:"allowed"`
	Because []Reason `json:"because"` // the way from the person to the answer
}

// Reason is one step, with its place.
type Reason struct {
	Text   string     `json:"text"`
	Object spec.Addr  `json:"object,omitempty"`
	Range  spec.Range `json:"range"`
}

// Explain decides as View.Pass and View.Can do, and says why. The resource is a
// path of an app ("app.notes/admin/x") for read and write, else as for Can.
func (r *Rules) Explain(w Who, action, resource string, now time.Time) Decision {
	v := r.View(w)
	app, path, _ := strings.Cut(resource, "/")
	gate := r.gates[spec.Addr(app)]
	atGate := (action == Read || action == Write) && strings.HasPrefix(app, "app.") && isApp(app)
	switch {
	case !v.scoped(action):
		return Decision{Because: []Reason{{Text: fmt.Sprintf("the token is not for %q", action)}}}
	case atGate && gate == nil:
		return Decision{Allowed: true, Because: []Reason{{Text: app + " has no access block, so it is public", Object: spec.Addr(app)}}}
	case v.owner:
		return Decision{Allowed: true, Because: v.chain("role:" + spec.RoleOwner)}
	case atGate:
		return v.explainGate(gate, "/"+path, action, now)
	}
	if g := v.granting(action, resource, now); g != nil {
		return Decision{Allowed: true, Because: v.chainOf(g)}
	}
	return Decision{Because: v.missing(action, resource, now)}
}

// isApp tells an app's address from that of a part of one.
func isApp(addr string) bool {
	name := strings.TrimPrefix(addr, "app.")
	if i := strings.IndexByte(name, '['); i >= 0 {
		return strings.HasSuffix(name, "]")
	}
	return !strings.Contains(name, ".")
}

func (v *View) explainGate(g *Gate, path, action string, now time.Time) Decision {
	var said []Reason
	i := slices.IndexFunc(g.blocks, func(b block) bool { return b.pattern.matches(path) })
	if i >= 0 {
		b := g.blocks[i]
		said = []Reason{{Text: fmt.Sprintf("the access block for %q decides", orAll(b.Path)), Object: g.addr, Range: b.place}}
		for _, s := range b.Allow {
			if v.subjects[s] {
				return Decision{Allowed: true, Because: append(append(said, Reason{Text: "it allows " + s, Object: g.addr, Range: b.place}), v.chain(s)...)}
			}
		}
		said = append(said, Reason{Text: "it allows " + orNobody(b.Allow), Object: g.addr, Range: b.place})
	} else {
		said = []Reason{{Text: fmt.Sprintf("no access block is for %q", path), Object: g.addr, Range: g.object.Range}}
	}
	for _, o := range v.verdict(g).grants {
		if (o.read && action == Read || o.write && action == Write) && o.pattern.matches(path) && !o.grant.ended(now) {
			return Decision{Allowed: true, Because: append(said, v.chainOf(o.grant)...)}
		}
	}
	return Decision{Because: append(said, v.missing(action, string(g.addr)+path, now)...)}
}

// chainOf is the way from the person to a grant.
func (v *View) chainOf(g *grant) []Reason {
	for _, role := range v.rules.roles {
		for i := range role.grants {
			if own := &role.grants[i]; v.subjects[role.subject] && own.place == g.place && slices.Equal(own.On, g.On) && slices.Equal(own.Actions, g.Actions) {
				text := fmt.Sprintf("%s grants %s on %s", role.subject, strings.Join(g.Actions, ", "), strings.Join(g.On, ", "))
				if g.Until != "" {
					text += " until " + g.Until
				}
				return append(v.chain(role.subject), Reason{Text: text, Object: role.object.Addr, Range: g.place})
			}
		}
	}
	return nil
}

// chain is the way from the person to a subject that they belong to.
func (v *View) chain(subject string) []Reason {
	list := append(slices.Clone(v.rules.groups), v.rules.memberships()...)
	for _, m := range list {
		if m.subject != subject {
			continue
		}
		for _, member := range m.members {
			if v.subjects[member] && member != subject {
				return append(v.chain(member), Reason{Text: member + " is in " + subject, Object: m.object.Addr, Range: m.object.Range})
			}
		}
	}
	return nil
}

// memberships are those of roles, with the workloads that have them.
func (r *Rules) memberships() []membership {
	list := make([]membership, len(r.roles))
	for i, role := range r.roles {
		list[i] = role.membership
		list[i].members = slices.Concat(role.members, r.bearing(role.subject))
	}
	return list
}

// missing says what would have to be there.
func (v *View) missing(action, resource string, now time.Time) []Reason {
	for _, g := range v.grants {
		if g.ended(now) && slices.Contains(g.Actions, action) && slices.ContainsFunc(g.On, func(on string) bool { return covers(on, resource) }) {
			return []Reason{{Text: "the grant ended with " + g.Until, Range: g.place}}
		}
	}
	switch {
	case v.who.Workload != "":
		return []Reason{{Text: fmt.Sprintf("no role of %s (%s) grants %q on %s", subjectWorkload+v.who.Workload, orNobody(v.roles), action, resource)}}
	case !v.who.SignedIn:
		return []Reason{{Text: "nobody is signed in"}}
	case v.who.Email == "":
		return []Reason{{Text: "no address of this person is verified, so no rule names them"}}
	case len(v.roles) == 0:
		return []Reason{{Text: v.who.Email + " has no role"}}
	default:
		return []Reason{{Text: fmt.Sprintf("no role of %s (%s) grants %q on %s", v.who.Email, strings.Join(v.roles, ", "), action, resource)}}
	}
}

func orAll(path string) string {
	if path == "" {
		return "/*"
	}
	return path
}

func orNobody(list []string) string {
	if len(list) == 0 {
		return "nobody by name"
	}
	return strings.Join(list, ", ")
}
