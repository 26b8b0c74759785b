// Package access says who may do what. It is the one reading of the blocks about
// people (role, group, grant, access): the gate asks it at each request, the plan
// to tell who gains and loses, commands to explain, so that what a plan says and
// what the gate does cannot differ. It is pure: objects and a person in, an answer
// out. It refuses to know sessions, requests, tokens and time other than what it
// is given.
//
// An app without access blocks is public. With some, the first whose path matches
// decides: whom it allows passes. Besides them whoever a grant gives the action on
// that app or path passes, and the owner always. Nobody else does.
package access

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/spec"
)

// The actions of the gate. A request that changes nothing (GET, HEAD, OPTIONS)
// reads, every other writes.
const (
	Read  = "read"
	Write = "write"
)

// Node is the resource that stands for the node and everything on it.
const Node = "node"

// Who asks. The zero value is somebody nobody knows.
type Who struct {
	Email    string   // verified, in canonical form; empty: no rule names them
	SignedIn bool     // known, whatever rules say of them
	Scopes   []string // what their token is for; nil: everything that they may do themselves
	Workload string   // its name, for a program that is no person; it has Roles alone
	Roles    []string // that they have besides what rules say: a workload's, and the development sign-in gives some
}

// Rules are what a set of objects says of people. They are immutable.
type Rules struct {
	groups    []membership
	roles     []role
	workloads []workload
	gates     map[spec.Addr]*Gate
}

// workload is a program that an issuer vouches for.
type workload struct {
	spec.Workload
	name   string
	object *spec.Object
}

// membership is a group or a role and who belongs to it.
type membership struct {
	subject string // "group:design", "role:editor"
	members []string
	object  *spec.Object
}

type role struct {
	membership
	name   string
	grants []grant
}

// grant is one of a role's, with its end.
type grant struct {
	spec.Grant
	until time.Time // zero: none
	place spec.Range
}

// Gate is what stands before an app that is not public.
type Gate struct {
	addr   spec.Addr
	blocks []block
	object *spec.Object
}

// block is an access block.
type block struct {
	spec.Access
	pattern pattern
	place   spec.Range
}

// Compile reads the objects about people and the access blocks of apps. Objects
// are in canonical form, so nothing can be wrong with them; one that cannot be
// read shuts its app or gives nothing.
func Compile(objects []spec.Object) *Rules {
	r := &Rules{gates: map[spec.Addr]*Gate{}}
	for i := range objects {
		switch o := &objects[i]; o.Kind {
		case spec.KindGroup:
			var g spec.Group
			if json.Unmarshal(o.Spec, &g) == nil {
				r.groups = append(r.groups, membership{"group:" + o.Name, g.Members, o})
			}
		case spec.KindRole:
			r.addRole(o)
		case spec.KindWorkload:
			w := workload{name: o.Name, object: o}
			if json.Unmarshal(o.Spec, &w.Workload) == nil {
				r.workloads = append(r.workloads, w)
			}
		case spec.KindApp:
			if g := gateOf(o); g != nil {
				r.gates[o.Addr] = g
			}
		}
	}
	return r
}

func (r *Rules) addRole(o *spec.Object) {
	var decoded spec.Role
	if json.Unmarshal(o.Spec, &decoded) != nil {
		return
	}
	made := role{membership: membership{"role:" + o.Name, decoded.Members, o}, name: o.Name}
	for i, g := range decoded.Grants {
		made.grants = append(made.grants, grant{Grant: g, until: untilOf(g.Until), place: placeOf(o, "grant", i)})
	}
	r.roles = append(r.roles, made)
}

// accessMember is what the canonical form of every app with access blocks has in
// it, and of few others: it saves decoding the rest.
const accessMember = `"access":`

// gateOf is nil for a public app.
func gateOf(o *spec.Object) *Gate {
	if !bytes.Contains(o.Spec, []byte(accessMember)) {
		return nil
	}
	var app struct {
		Access []spec.Access `json:"access"`
	}
	err := json.Unmarshal(o.Spec, &app)
	if err == nil && len(app.Access) == 0 {
		return nil // the word stands elsewhere
	}
	g := &Gate{addr: o.Addr, object: o}
	for i, a := range app.Access {
		g.blocks = append(g.blocks, block{Access: a, pattern: patternOf(a.Path), place: placeOf(o, "access", i)})
	}
	return g
}

// Ends is when a grant ends, the zero time where it does not.
func Ends(g spec.Grant) time.Time { return untilOf(g.Until) }

// untilOf is when a grant ends. A date means its end; what cannot be read has
// ended.
func untilOf(text string) time.Time {
	if text == "" {
		return time.Time{}
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day.AddDate(0, 0, 1)
	}
	until, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Unix(0, 0)
	}
	return until
}

// ended tells whether a grant is over. Without a time none is.
func (g grant) ended(now time.Time) bool {
	return !g.until.IsZero() && !now.Before(g.until)
}

// Gate is what stands before an app, nil for one that is public or unknown.
func (r *Rules) Gate(app spec.Addr) *Gate { return r.gates[app] }

// pattern is a path, or all below one.
type pattern struct {
	path string // without the star
	deep bool
}

func patternOf(text string) pattern {
	if text == "" {
		text = "/*"
	}
	path, deep := strings.CutSuffix(text, "*")
	return pattern{path, deep}
}

// matches tells whether a canonical path is the pattern's. "/admin/*" is also
// "/admin", which would show the same to those who leave out the slash.
func (p pattern) matches(path string) bool {
	if !p.deep {
		return path == p.path
	}
	return strings.HasPrefix(path, p.path) || path == strings.TrimSuffix(p.path, "/") && path != ""
}

// covers tells whether a grant on one resource is one on another: that itself,
// or what lies within. The node is everything.
func covers(on, resource string) bool {
	if on == Node || on == resource {
		return true
	}
	if app, path, ok := strings.Cut(on, "/"); ok {
		of, asked, has := strings.Cut(resource, "/")
		return has && of == app && patternOf("/"+path).matches("/"+asked)
	}
	rest, ok := strings.CutPrefix(resource, on)
	return ok && strings.ContainsAny(rest[:1], `./[`)
}

// placeOf is where the nth block of a kind stands in an object, or the object's
// own place.
func placeOf(o *spec.Object, kind string, n int) spec.Range {
	if at, ok := o.At[spec.NthBlock(kind, n)]; ok {
		return at
	}
	return o.Range
}

// belongs tells whether any of a person's subjects is in a list.
func belongs(subjects map[string]bool, members []string) bool {
	return slices.ContainsFunc(members, func(m string) bool { return subjects[m] })
}
