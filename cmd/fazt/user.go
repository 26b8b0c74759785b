package main

import (
	"cmp"
	"context"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/spec/access"
)

type userListIn struct {
	Limit  int    `default:"100" help:"how many, at most 1000" json:"limit"`
	Cursor string `placeholder:"ID" help:"go on where the page before ended" json:"cursor"`
}

// whoIn names somebody.
type whoIn struct {
	Who string `arg:"" help:"id or address" json:"who"`
}

type userRemoveIn struct {
	whoIn
	Confirm string `json:"confirm"`
}

// userView is somebody, with what they can show and what they are.
type userView struct {
	identity.Person
	Owner   bool             `json:"owner,omitempty"`
	Roles   []string         `json:"roles,omitempty"` // by what is served
	Groups  []string         `json:"groups,omitempty"`
	Factors identity.Factors `json:"factors"`
}

type userListOut struct {
	Users  []userView `json:"users"`
	Cursor string     `json:"cursor,omitempty"`
}

// WriteText prints a table. Who has no address is told by their id.
func (o userListOut) WriteText(w *op.Screen) error {
	if len(o.Users) == 0 {
		return w.Printf("nobody has signed in yet\n")
	}
	var rows [][]string
	for _, u := range o.Users {
		rows = append(rows, []string{called(u.Person), u.state(), strings.Join(u.Roles, ", "), ago(u.Seen), factorText(u.Factors), u.Name, u.ID})
	}
	columns := []op.Column{{Name: "WHO", Keep: true}, {Name: "STATE", Keep: true}, {Name: "ROLES"}, {Name: "SEEN"}, {Name: "FACTORS"}, {Name: "NAME"}, {Name: "ID"}}
	if err := w.Table(columns, rows); err != nil {
		return err
	}
	return w.Printf("%s", more(o.Cursor))
}

func (u userView) state() string {
	switch {
	case u.Disabled:
		return "disabled"
	case u.Owner:
		return "owner"
	}
	return "ok"
}

// called is what one calls somebody by in a command.
func called(p identity.Person) string { return cmp.Or(p.Email, p.ID) }

// factorText is what somebody can show besides the account they sign in with.
func factorText(f identity.Factors) string {
	var parts []string
	if f.TOTP {
		parts = append(parts, "authenticator")
	}
	if f.Passkeys > 0 {
		parts = append(parts, plural(f.Passkeys, "passkey"))
	}
	if f.Recovery > 0 {
		parts = append(parts, plural(f.Recovery, "recovery code"))
	}
	return strings.Join(parts, ", ")
}

type userShowOut struct {
	userView
	Identities []identity.Identity `json:"identities"`
	Sessions   []identity.Session  `json:"sessions"`
	Tokens     []identity.Token    `json:"tokens"`
}

// WriteText prints who it is, then how they come in.
func (o userShowOut) WriteText(w *op.Screen) error {
	w.Printf("%s   %s   %s\n", called(o.Person), o.state(), o.Name)
	w.Printf("id        %s\nroles     %s\ngroups    %s\nfactors   %s\n", o.ID, orNobody(o.Roles), orNobody(o.Groups), cmp.Or(factorText(o.Factors), "none"))
	w.Printf("since     %s, last seen %s\n", until(o.Created), cmp.Or(ago(o.Seen), "never"))
	for _, i := range o.Identities {
		w.Printf("known to  %s as %s\n", i.Issuer, i.Subject)
	}
	if err := writeSessions(w, o.Sessions); err != nil {
		return err
	}
	return writeTokens(w, o.Tokens)
}

// userDoneOut is somebody after something was done to them.
type userDoneOut struct {
	identity.Person
	Message string `json:"message"`
}

// WriteText says what was done.
func (o userDoneOut) WriteText(w *op.Screen) error { return w.Printf("%s\n", o.Message) }

func userOps(n *node) []op.Op {
	nobody := map[int]string{6: "there is no such person"}
	return []op.Op{
		op.New(op.Row{
			Name: "user list", Group: groupPeople, Summary: "list who has signed in, or was vouched for", Effect: op.Read, Needs: op.People, Since: "0.5.0",
			Detail:   "Roles are those that the configuration in service gives. Who has no address, as nobody vouched for one, is named by id.",
			Examples: []op.Example{{Command: "user list"}, {Command: "@prod user list --json"}},
		}, on(n, func(ctx context.Context, n *node, in userListIn) (userListOut, error) { return n.users(ctx, in) })),
		op.New(op.Row{
			Name: "user show", Group: groupPeople, Summary: "show somebody: roles, ways to sign in, sessions and tokens", Effect: op.Read, Needs: op.People, Since: "0.5.0",
			Examples: []op.Example{{Command: "user show ana@example.com"}}, Exits: nobody,
		}, on(n, func(ctx context.Context, n *node, in whoIn) (userShowOut, error) { return n.user(ctx, in.Who) })),
		op.New(op.Row{
			Name: "user disable", Group: groupPeople, Summary: "keep somebody out, with their sessions and tokens", Effect: op.Change, Needs: op.People, Since: "0.5.0",
			Detail:   "Sessions end at once and tokens are refused. What the person may do, if they could sign in, stays as the configuration says.",
			Examples: []op.Example{{Command: "user disable ana@example.com"}}, Exits: nobody,
		}, on(n, func(ctx context.Context, n *node, in whoIn) (userDoneOut, error) {
			return n.toUser(ctx, in.Who, "is disabled: sessions are over, tokens are refused", n.ground.People.Disable)
		})),
		op.New(op.Row{
			Name: "user enable", Group: groupPeople, Summary: "let somebody in again", Effect: op.Change, Needs: op.People, Since: "0.5.0",
			Detail:   "Tokens that have not ended work again; sessions are gone.",
			Examples: []op.Example{{Command: "user enable ana@example.com"}}, Exits: nobody,
		}, on(n, func(ctx context.Context, n *node, in whoIn) (userDoneOut, error) {
			return n.toUser(ctx, in.Who, "may sign in again", n.ground.People.Enable)
		})),
		op.New(op.Row{
			Name: "user remove", Group: groupPeople, Summary: "forget somebody with all that belongs to them", Effect: op.Destroy, Needs: op.People, Since: "0.5.0",
			Detail: "Sessions, tokens, keys and invitations go too. What apps keep of the person stays, and so does the journal. " +
				"Who signs in the same way again is somebody new: to keep somebody out, take them out of the configuration, or disable them.",
			Examples: []op.Example{{Command: "user remove ana@example.com --confirm ana@example.com"}},
			Exits:    map[int]string{5: "it is not confirmed", 6: "there is no such person"},
		}, on(n, func(ctx context.Context, n *node, in userRemoveIn) (userDoneOut, error) {
			return n.toUser(ctx, in.Who, "is forgotten", n.ground.People.Remove)
		})),
		op.New(op.Row{
			Name: "user export", Group: groupPeople, Summary: "print what is kept about somebody, without secrets", Effect: op.Read, Needs: op.People, Audited: true, Since: "0.5.0",
			Examples: []op.Example{{Command: "user export ana@example.com"}}, Exits: nobody,
		}, on(n, func(ctx context.Context, n *node, in whoIn) (identity.Export, error) {
			return n.ground.People.Export(ctx, in.Who)
		})),
	}
}

// mostUsers bounds --limit.
const mostUsers = 1000

func (n *node) users(ctx context.Context, in userListIn) (userListOut, error) {
	if in.Limit < 1 || in.Limit > mostUsers {
		return userListOut{}, fault.New(fault.Invalid, "--limit is 1 to %d, not %d", mostUsers, in.Limit)
	}
	list, err := n.ground.People.People(ctx, in.Cursor, in.Limit)
	if err != nil {
		return userListOut{}, err
	}
	rules, err := n.rules(ctx)
	if err != nil {
		return userListOut{}, err
	}
	out := userListOut{Users: make([]userView, len(list))}
	for i, p := range list {
		if out.Users[i], err = n.userView(ctx, rules, p); err != nil {
			return userListOut{}, err
		}
	}
	if len(list) == in.Limit {
		out.Cursor = list[len(list)-1].ID
	}
	return out, nil
}

// rules are those of what is served.
func (n *node) rules(ctx context.Context) (*access.Rules, error) {
	objects, err := n.edge.Observe(ctx)
	return access.Compile(objects), err
}

func (n *node) userView(ctx context.Context, rules *access.Rules, p identity.Person) (v userView, err error) {
	who := access.Who{Email: p.Email, SignedIn: true}
	if n.cfg.signIn != nil {
		who.Roles = n.cfg.signIn.Roles(p.Email)
	}
	view := rules.View(who)
	v = userView{Person: p, Owner: view.Owner(), Roles: view.Roles(), Groups: view.Groups()}
	v.Factors, err = n.ground.People.FactorsOf(ctx, p.ID)
	return v, err
}

func (n *node) user(ctx context.Context, who string) (out userShowOut, err error) {
	kept, err := n.ground.People.Export(ctx, who)
	if err != nil {
		return out, err
	}
	rules, err := n.rules(ctx)
	if err != nil {
		return out, err
	}
	out.userView, err = n.userView(ctx, rules, kept.Person)
	out.Identities, out.Sessions, out.Tokens = kept.Identities, kept.Sessions, kept.Tokens
	return out, err
}

// toUser does something to somebody, and says that it is done.
func (n *node) toUser(ctx context.Context, who, done string, do func(ctx context.Context, id string) error) (userDoneOut, error) {
	p, err := n.ground.People.Person(ctx, who)
	if err != nil {
		return userDoneOut{}, err
	}
	return userDoneOut{p, called(p) + " " + done}, do(ctx, p.ID)
}
