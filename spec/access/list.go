package access

import (
	"slices"

	"github.com/fazt-sh/fazt/spec"
)

// Block is an access block with its place.
type Block struct {
	spec.Access
	Range spec.Range `json:"range"`
}

// Blocks are those of an app's gate, in the order in which they decide; nil is a
// public app's.
func (g *Gate) Blocks() []Block {
	if g == nil {
		return nil
	}
	list := make([]Block, len(g.blocks))
	for i, b := range g.blocks {
		list[i] = Block{b.Access, b.place}
	}
	return list
}

// Given is a grant with the role that has it, and its place.
type Given struct {
	Role string `json:"role"`
	spec.Grant
	Range spec.Range `json:"range"`
}

// Members is a role or a group with those whom it names, as they are written.
type Members struct {
	Subject string     `json:"subject"` // "role:editor"
	Members []string   `json:"members"`
	Range   spec.Range `json:"range"`
}

// Roles are the declared roles by name, and what each grants.
func (r *Rules) Roles() (list []Members, grants []Given) {
	for _, role := range r.roles {
		list = append(list, Members{role.subject, slices.Concat(role.members, r.bearing(role.subject)), role.object.Range})
		for _, g := range role.grants {
			grants = append(grants, Given{role.name, g.Grant, g.place})
		}
	}
	return list, grants
}

// bearing are the workloads that have a role.
func (r *Rules) bearing(role string) (subjects []string) {
	for _, w := range r.workloads {
		if slices.Contains(w.Roles, role) {
			subjects = append(subjects, subjectWorkload+w.name)
		}
	}
	return subjects
}

// Groups are the declared groups by name.
func (r *Rules) Groups() (list []Members) {
	for _, g := range r.groups {
		list = append(list, Members{g.subject, g.members, g.object.Range})
	}
	return list
}

// Covers tells whether a grant on one resource is one on another.
func Covers(on, resource string) bool { return covers(on, resource) }

// Paths are the patterns of an app that rules tell apart, the whole app last.
func (r *Rules) Paths(app spec.Addr) []string {
	var paths []string
	add := func(path string) {
		if path != "/*" && !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	for _, b := range r.gates[app].Blocks() {
		add(orAll(b.Path))
	}
	for _, role := range r.roles {
		for _, g := range role.grants {
			for _, on := range g.On {
				if rest, ok := cutApp(on, app); ok {
					add(rest)
				}
			}
		}
	}
	return append(paths, "/*")
}

// cutApp is the path in a resource that is one of an app's paths.
func cutApp(on string, app spec.Addr) (string, bool) {
	if len(on) > len(app)+1 && on[:len(app)] == string(app) && on[len(app)] == '/' {
		return on[len(app):], true
	}
	return "", false
}
