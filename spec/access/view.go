package access

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fazt-sh/fazt/spec"
)

// View is what rules mean for one person. It is made when somebody comes, and
// asked at each of their requests; any number of goroutines may ask.
type View struct {
	rules    *Rules
	who      Who
	owner    bool
	subjects map[string]bool // all that name this person
	roles    []string
	grants   []grant  // of their roles
	passes   sync.Map // *Gate to *verdict, made when first asked for
}

// verdict is what of an app's gate concerns one person.
type verdict struct {
	allowed []bool // by block
	grants  []opening
}

// opening is a grant on an app's paths.
type opening struct {
	pattern     pattern
	read, write bool
	grant       *grant
}

// View reads the rules for one person.
func (r *Rules) View(w Who) *View {
	v := &View{rules: r, who: w, subjects: map[string]bool{spec.SubjectAnyone: true}}
	if w.SignedIn {
		v.subjects[spec.SubjectSignedIn] = true
		if _, domain, ok := strings.Cut(w.Email, "@"); ok {
			v.subjects[w.Email], v.subjects["domain:"+domain] = true, true
		}
	}
	if w.Workload != "" {
		v.subjects[subjectWorkload+w.Workload] = true
	}
	for grown := true; grown; { // groups may hold groups, in any order
		grown = false
		for _, g := range r.groups {
			if !v.subjects[g.subject] && belongs(v.subjects, g.members) {
				v.subjects[g.subject], grown = true, true
			}
		}
	}
	for _, role := range r.roles {
		if !belongs(v.subjects, role.members) && !slices.Contains(w.Roles, role.name) {
			continue
		}
		v.subjects[role.subject] = true
		v.roles = append(v.roles, role.name)
		v.grants = append(v.grants, role.grants...)
	}
	v.owner = v.subjects["role:"+spec.RoleOwner] || slices.Contains(w.Roles, spec.RoleOwner)
	slices.Sort(v.roles)
	return v
}

// Email is the address that rules know the person by.
func (v *View) Email() string { return v.who.Email }

// Roles are the names of the person's roles, sorted.
func (v *View) Roles() []string { return v.roles }

// Owner tells whether the person may do everything.
func (v *View) Owner() bool { return v.owner }

// HasRole tells whether the person has one of some roles ("role:editor").
func (v *View) HasRole(roles []string) bool {
	for _, r := range roles {
		if r == "role:"+spec.RoleOwner && v.owner || v.subjects[r] {
			return true
		}
	}
	return false
}

// Groups are the names of the person's groups, sorted.
func (v *View) Groups() []string {
	var names []string
	for s := range v.subjects {
		if name, ok := strings.CutPrefix(s, "group:"); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Grants are those of the person on an app or a part of it, for code that asks.
// They may have ended.
func (v *View) Grants(app spec.Addr) []spec.Grant {
	var list []spec.Grant
	for _, g := range v.grants {
		if slices.ContainsFunc(g.On, func(on string) bool { return covers(on, string(app)) || covers(string(app), on) }) {
			list = append(list, g.Grant)
		}
	}
	return list
}

// scoped tells whether the person's token is for an action.
func (v *View) scoped(action string) bool {
	return v.who.Scopes == nil || slices.Contains(v.who.Scopes, action)
}

// Pass tells whether the person may pass an app's gate at a canonical path. The
// gate is one of the same rules; nil is a public app's. It allocates nothing once
// it was asked for that gate.
func (v *View) Pass(g *Gate, path string, write bool, now time.Time) bool {
	if g == nil {
		return true
	}
	action := Read
	if write {
		action = Write
	}
	if !v.scoped(action) {
		return false
	}
	if v.owner {
		return true
	}
	known := v.verdict(g)
	for i := range g.blocks {
		if g.blocks[i].pattern.matches(path) {
			if known.allowed[i] {
				return true
			}
			break
		}
	}
	for i := range known.grants {
		if o := &known.grants[i]; (o.write && write || o.read && !write) && !o.grant.ended(now) && o.pattern.matches(path) {
			return true
		}
	}
	return false
}

func (v *View) verdict(g *Gate) *verdict {
	if known, ok := v.passes.Load(g); ok {
		return known.(*verdict)
	}
	made := &verdict{}
	for _, b := range g.blocks {
		made.allowed = append(made.allowed, belongs(v.subjects, b.Allow))
	}
	for i := range v.grants {
		made.open(&v.grants[i], string(g.addr))
	}
	known, _ := v.passes.LoadOrStore(g, made)
	return known.(*verdict)
}

// open adds the paths of an app that a grant opens.
func (d *verdict) open(g *grant, app string) {
	o := opening{read: slices.Contains(g.Actions, Read), write: slices.Contains(g.Actions, Write), grant: g}
	if !o.read && !o.write {
		return
	}
	for _, on := range g.On {
		of, path, below := strings.Cut(on, "/")
		switch {
		case below && of == app:
			o.pattern = patternOf("/" + path)
		case !below && covers(on, app):
			o.pattern = patternOf("")
		default:
			continue
		}
		d.grants = append(d.grants, o)
	}
}

// Can tells whether the person may do something to a resource: Node, an app's
// address, one of its paths ("app.notes/admin") or a part of it
// ("app.notes.docs.PAGES").
func (v *View) Can(action, resource string, now time.Time) bool {
	return v.scoped(action) && (v.owner || v.granting(action, resource, now) != nil)
}

// granting finds the grant that lets the person do something.
func (v *View) granting(action, resource string, now time.Time) *grant {
	for i := range v.grants {
		g := &v.grants[i]
		if !g.ended(now) && slices.Contains(g.Actions, action) &&
			slices.ContainsFunc(g.On, func(on string) bool { return covers(on, resource) }) {
			return g
		}
	}
	return nil
}
