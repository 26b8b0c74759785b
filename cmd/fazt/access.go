package main

import (
	"cmp"
	"context"
	"fmt"
	"net/mail"
	"slices"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/spec"
	"github.com/fazt-sh/fazt/spec/access"
)

type accessIn struct {
	Of     string `arg:"" name:"WHO|APP" help:"an e-mail address, anyone, signed-in, workload:NAME, or an app, with a path or without: notes/admin" json:"of"`
	Action string `placeholder:"ACTION" help:"one action alone, which may be an app's own" json:"action"`
	On     string `placeholder:"RESOURCE" help:"one resource alone: app.notes, app.notes/admin, node" json:"on"`
}

// accessOut is who may do what, with the reason for each answer.
type accessOut struct {
	Who    string           `json:"who,omitempty"`
	Owner  bool             `json:"owner,omitempty"`
	Roles  []string         `json:"roles,omitempty"`
	Groups []string         `json:"groups,omitempty"`
	Asked  []accessDecision `json:"asked,omitempty"`  // of somebody
	App    string           `json:"app,omitempty"`    // address, where an app was asked for
	Public bool             `json:"public,omitempty"` // it has no access block
	Blocks []access.Block   `json:"blocks,omitempty"` // in the order in which they decide
	Grants []access.Given   `json:"grants,omitempty"` // on the app or a part of it
	Owners []string         `json:"owners,omitempty"` // who may do everything
}

// accessDecision is one answer.
type accessDecision struct {
	On     string `json:"on"`
	Action string `json:"action"`
	access.Decision
}

func accessOps(n *node) []op.Op {
	return []op.Op{
		op.New(op.Row{
			Name: "access", Group: groupLook, Summary: "explain who may see and do what, and why", Effect: op.Read, Needs: op.Observe, Since: "0.5.0",
			Detail: "Of a person it tells the roles, and for each app whether they may read and write, with the rules that say so and their places. " +
				"Of an app it tells its access blocks in the order in which they decide, and the grants on it. It is what the gate itself asks.",
			Examples: []op.Example{{Command: "access ana@example.com"}, {Command: "access notes"}, {Command: "access ana@example.com --action write --on app.notes/admin"}},
			Exits:    map[int]string{6: "there is no such app"},
		}, on(n, func(ctx context.Context, n *node, in accessIn) (accessOut, error) { return n.accessOf(ctx, in) })),
		op.New(op.Row{
			Name: "role list", Group: groupLook, Summary: "list roles and groups, who is in them and where they are declared", Effect: op.Read, Needs: op.Observe, Since: "0.5.0",
		}, on(n, func(ctx context.Context, n *node, _ struct{}) (roleListOut, error) { return n.roles(ctx, "") })),
		op.New(op.Row{
			Name: "role show", Group: groupLook, Summary: "show a role: its members, what it grants and where that is declared", Effect: op.Read, Needs: op.Observe, Since: "0.5.0",
			Exits: map[int]string{6: "there is no such role"},
		}, on(n, func(ctx context.Context, n *node, in roleShowIn) (roleListOut, error) { return n.roles(ctx, in.Role) })),
	}
}

// accessOf answers for a person or for an app.
func (n *node) accessOf(ctx context.Context, in accessIn) (accessOut, error) {
	objects, err := n.edge.Observe(ctx)
	if err != nil {
		return accessOut{}, err
	}
	rules := access.Compile(objects)
	if name, is := strings.CutPrefix(in.Of, "workload:"); is {
		return n.accessOfWorkload(rules, in, name)
	}
	if who, ok := somebody(in.Of); ok {
		return n.accessOfPerson(ctx, rules, objects, in, who)
	}
	name, path, below := strings.Cut(in.Of, "/")
	_, app, err := n.app(ctx, name)
	if err != nil {
		return accessOut{}, err
	}
	out := accessOut{App: string(app.Addr), Blocks: rules.Gate(app.Addr).Blocks(), Public: rules.Gate(app.Addr) == nil}
	resource := string(app.Addr)
	if below {
		resource += "/" + path
	}
	roles, grants := rules.Roles()
	for _, g := range grants {
		if slices.ContainsFunc(g.On, func(on string) bool { return access.Covers(on, resource) || access.Covers(resource, on) }) {
			out.Grants = append(out.Grants, g)
		}
	}
	for _, r := range roles {
		if r.Subject == "role:"+spec.RoleOwner {
			out.Owners = r.Members
		}
	}
	return out, nil
}

// somebody reads a person out of what was asked for.
func somebody(of string) (access.Who, bool) {
	switch {
	case of == spec.SubjectAnyone:
		return access.Who{}, true
	case of == spec.SubjectSignedIn:
		return access.Who{SignedIn: true}, true
	case strings.Contains(of, "@"):
		if a, err := mail.ParseAddress(of); err == nil && a.Address == of {
			return access.Who{SignedIn: true, Email: strings.ToLower(of)}, true
		}
	}
	return access.Who{}, false
}

func (n *node) accessOfPerson(ctx context.Context, rules *access.Rules, objects []spec.Object, in accessIn, who access.Who) (accessOut, error) {
	view := rules.View(who)
	out := accessOut{Who: in.Of, Owner: view.Owner(), Roles: view.Roles(), Groups: view.Groups()}
	now := n.ground.Clock.Now()
	ask := func(action, on string) {
		out.Asked = append(out.Asked, accessDecision{On: on, Action: action, Decision: rules.Explain(who, action, on, now)})
	}
	if in.Action != "" || in.On != "" {
		ask(cmp.Or(in.Action, access.Read), cmp.Or(in.On, access.Node))
		return out, nil
	}
	for _, o := range objects {
		if o.Kind != spec.KindApp {
			continue
		}
		for _, path := range rules.Paths(o.Addr) {
			ask(access.Read, string(o.Addr)+path)
			ask(access.Write, string(o.Addr)+path)
		}
	}
	_, grants := rules.Roles()
	for _, g := range grants {
		if slices.Contains(view.Roles(), g.Role) {
			out.Grants = append(out.Grants, g)
		}
	}
	return out, nil
}

// accessOfWorkload is what a program may do that an issuer vouches for: something on
// the node, as it comes to no app.
func (n *node) accessOfWorkload(rules *access.Rules, in accessIn, name string) (accessOut, error) {
	who, ok := rules.Workload(name)
	if !ok {
		return accessOut{}, fault.New(fault.NotFound, "this node has no workload %q", name).WithSubject(name).WithHint("a workload block declares one")
	}
	view, now := rules.View(who), n.ground.Clock.Now()
	out := accessOut{Who: in.Of, Owner: view.Owner(), Roles: view.Roles()}
	for _, p := range op.Permissions() {
		if in.Action == "" || in.Action == string(p) {
			out.Asked = append(out.Asked, accessDecision{On: access.Node, Action: string(p), Decision: rules.Explain(who, string(p), access.Node, now)})
		}
	}
	return out, nil
}

// WriteText prints a table of answers, or an app's rules in the order in which they
// decide.
func (o accessOut) WriteText(w *op.Screen) error {
	if o.Who != "" {
		return o.writePerson(w)
	}
	if o.Public {
		w.Printf("%s is public: it has no access block\n", o.App)
	}
	for i, b := range o.Blocks {
		w.Printf("%d. %-16s allows %s   (%s)\n", i+1, cmp.Or(b.Path, "/*"), orNobody(b.Allow), placeText(b.Range))
	}
	if len(o.Blocks) > 0 {
		w.Printf("Nobody else passes, but whom a grant lets and the owners: %s\n", orNobody(o.Owners))
	}
	for _, g := range o.Grants {
		w.Printf("role:%s grants %s\n", g.Role, grantText(g))
	}
	return nil
}

func (o accessOut) writePerson(w *op.Screen) error {
	switch {
	case o.Owner:
		w.Printf("%s is an owner, and may do everything\n", o.Who)
	case len(o.Roles)+len(o.Groups) == 0:
		w.Printf("%s has no role and is in no group\n", o.Who)
	default:
		w.Printf("%s   roles: %s   groups: %s\n", o.Who, orNobody(o.Roles), orNobody(o.Groups))
	}
	for _, d := range o.Asked {
		verdict := "no "
		if d.Allowed {
			verdict = "yes"
		}
		w.Printf("%s  %-6s %s\n", verdict, d.Action, d.On)
		for _, r := range d.Because {
			w.Printf("       %s%s\n", r.Text, inPlace(r.Range))
		}
	}
	for _, g := range o.Grants {
		w.Printf("role:%s grants %s\n", g.Role, grantText(g))
	}
	return nil
}

func grantText(g access.Given) string {
	text := strings.Join(g.Actions, ", ") + " on " + strings.Join(g.On, ", ")
	if g.Until != "" {
		text += " until " + g.Until
	}
	return text + inPlace(g.Range)
}

func inPlace(r spec.Range) string {
	if r.Filename == "" {
		return ""
	}
	return "   (" + placeText(r) + ")"
}

func placeText(r spec.Range) string {
	if r.Filename == "" {
		return "no place is known"
	}
	return fmt.Sprintf("%s:%d", r.Filename, r.Start.Line)
}

func orNobody(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

type roleShowIn struct {
	Role string `arg:"" name:"ROLE" help:"a declared role" json:"role"`
}

// roleListOut is who belongs to what, as it is declared.
type roleListOut struct {
	Roles  []access.Members `json:"roles"`
	Groups []access.Members `json:"groups,omitempty"`
	Grants []access.Given   `json:"grants,omitempty"`
}

// roles lists the declared roles, or one of them with what it grants.
func (n *node) roles(ctx context.Context, name string) (roleListOut, error) {
	objects, err := n.edge.Observe(ctx)
	if err != nil {
		return roleListOut{}, err
	}
	rules := access.Compile(objects)
	roles, grants := rules.Roles()
	if name == "" {
		return roleListOut{Roles: append([]access.Members{}, roles...), Groups: rules.Groups()}, nil
	}
	name = strings.TrimPrefix(strings.TrimPrefix(name, "role:"), "role.")
	out := roleListOut{Roles: slices.DeleteFunc(roles, func(m access.Members) bool { return m.Subject != "role:"+name })}
	if len(out.Roles) == 0 && name == spec.RoleOwner { // there is always one, with nobody in it until somebody is declared
		out.Roles = []access.Members{{Subject: "role:" + spec.RoleOwner}}
	}
	if len(out.Roles) == 0 {
		return out, fault.New(fault.NotFound, "this node has no role %q", name).WithSubject(name).WithHint("fazt role list shows its roles")
	}
	out.Grants = slices.DeleteFunc(grants, func(g access.Given) bool { return g.Role != name })
	return out, nil
}

// WriteText prints a line each.
func (o roleListOut) WriteText(w *op.Screen) error {
	for _, m := range slices.Concat(o.Roles, o.Groups) {
		w.Printf("%-20s %s%s\n", m.Subject, orNobody(m.Members), inPlace(m.Range))
	}
	for _, g := range o.Grants {
		w.Printf("  grants %s\n", grantText(g))
	}
	if len(o.Roles)+len(o.Groups) == 0 {
		w.Printf("no roles are declared\n")
	}
	return nil
}
