package main

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/identity"
	"github.com/fazt-sh/fazt/platform/op"
)

type tokenCreateIn struct {
	Name    string        `arg:"" help:"what will use it, for those who list them" json:"name"`
	Person  string        `placeholder:"WHO" help:"id or address of the person whom it acts as; whoever asks, from elsewhere" json:"person"`
	Scope   []string      `required:"" placeholder:"PERMISSION" help:"what it is good for: observe, plan, deploy, data:read, data:write, people, secrets, admin; with commas, or repeated" json:"scopes"`
	Expires time.Duration `default:"90d" help:"how long it is good, at most 90 days" json:"expires"`
}

// Note is whom it acts as, and for what.
func (in tokenCreateIn) Note() string {
	return strings.TrimSpace("for " + strings.Join(splitWords(in.Scope), ", ") + " " + in.Person)
}

// splitWords are the words of texts that have several, between commas.
func splitWords(texts []string) []string {
	return strings.FieldsFunc(strings.Join(texts, ","), func(r rune) bool { return r == ',' || r == ' ' })
}

// tokenOut is a token with its text, which is told once.
type tokenOut struct {
	Secret string         `json:"secret"`
	Token  identity.Token `json:"token"`
}

// WriteText prints the text first, alone on its line.
func (o tokenOut) WriteText(w *op.Screen) error {
	w.Printf("%s\n", o.Secret)
	w.Printf("%s acts as %s, for %s, until %s\n", o.Token.Name, called(*o.Token.Person), strings.Join(o.Token.Scopes, ", "), until(o.Token.Ends))
	return w.Printf("keep it now: it is not shown again\n")
}

type tokenListIn struct {
	Who string `arg:"" optional:"" help:"id or address of somebody; everybody by default" json:"who"`
}

type tokenListOut struct {
	Tokens []identity.Token `json:"tokens"`
}

// WriteText prints a table.
func (o tokenListOut) WriteText(w *op.Screen) error {
	if len(o.Tokens) == 0 {
		return w.Printf("no tokens\n")
	}
	return writeTokens(w, o.Tokens)
}

func writeTokens(w *op.Screen, list []identity.Token) error {
	if len(list) == 0 {
		return nil
	}
	var rows [][]string
	for _, t := range list {
		rows = append(rows, []string{t.ID, t.Name, called(*t.Person), strings.Join(t.Scopes, ","), endText(t.Ends), cmp.Or(ago(t.Used), "never"), t.From, until(t.Created)})
	}
	columns := []op.Column{{Name: "TOKEN", Keep: true}, {Name: "NAME", Keep: true}, {Name: "WHO"}, {Name: "SCOPES"}, {Name: "ENDS"}, {Name: "USED"}, {Name: "FROM"}, {Name: "CREATED"}}
	return w.Table(columns, rows)
}

// endText is when something ends, or that it is over.
func endText(t time.Time) string {
	if !time.Now().Before(t) {
		return "over"
	}
	return until(t)
}

type tokenIn struct {
	ID string `arg:"" help:"id of a token" json:"id"`
}

func tokenOps(n *node) []op.Op {
	missing := map[int]string{6: "there is no such token"}
	return slices.Concat([]op.Op{
		op.New(op.Row{
			Name: "token create", Group: groupPeople, Summary: "make a secret by which a program acts as somebody", Effect: op.Change, Needs: op.People, Since: "0.5.0",
			Detail: "It may do what its scopes say and the person may, whichever is less. It is shown once. On the node's own machine --person may be anybody; " +
				"an address that nobody has signed in with is vouched for. From elsewhere nobody gives more than they have, and for somebody else only who may admin. A token makes no other.",
			Examples: []op.Example{{Command: "token create ci --person ana@example.com --scope plan"}, {Command: "token create watch --person ana@example.com --scope observe,data:read --expires 30d"}},
			Exits:    map[int]string{3: "a scope is no permission, or it would live longer than 90 days", 4: "it would give more than you have", 6: "there is no such person"},
		}, on(n, func(ctx context.Context, n *node, in tokenCreateIn) (tokenOut, error) { return n.createToken(ctx, in) })),
		op.New(op.Row{
			Name: "token list", Group: groupPeople, Summary: "list tokens: whose, what for, until when, and the last use", Effect: op.Read, Needs: op.People, Since: "0.5.0",
			Detail:   "Those that have ended stay for 30 days.",
			Examples: []op.Example{{Command: "token list"}, {Command: "@prod token list ana@example.com"}},
			Exits:    map[int]string{6: "there is no such person"},
		}, on(n, func(ctx context.Context, n *node, in tokenListIn) (tokenListOut, error) { return n.tokens(ctx, in) })),
		op.New(op.Row{
			Name: "token rotate", Group: groupPeople, Summary: "give a token another text, and its time anew", Effect: op.Change, Needs: op.People, Since: "0.5.0",
			Detail:   "The old text is refused at once. A token may rotate itself, and no other.",
			Examples: []op.Example{{Command: "token rotate q5r2n7jv3yxk4c6w5tqzb2hd4e"}},
			Exits:    map[int]string{4: "it would give more than you have", 6: "there is no such token"},
		}, on(n, func(ctx context.Context, n *node, in tokenIn) (tokenOut, error) { return n.rotateToken(ctx, in.ID) })),
		op.New(op.Row{
			Name: "token revoke", Group: groupPeople, Summary: "end a token at once", Effect: op.Change, Needs: op.People, Since: "0.5.0",
			Examples: []op.Example{{Command: "token revoke q5r2n7jv3yxk4c6w5tqzb2hd4e"}}, Exits: missing,
		}, on(n, func(ctx context.Context, n *node, in tokenIn) (revokedOut, error) { return n.revokeToken(ctx, in.ID) })),
	}, approveOps(n))
}

func (n *node) createToken(ctx context.Context, in tokenCreateIn) (out tokenOut, err error) {
	made := identity.NewToken{Name: in.Name, Scopes: splitWords(in.Scope), Lifetime: in.Expires}
	for _, word := range made.Scopes {
		if _, err := op.ParsePermission(word); err != nil {
			return out, err
		}
	}
	if err := made.Check(); err != nil { // before anybody is vouched for
		return out, err
	}
	who, err := n.receiver(ctx, in.Person)
	if err != nil {
		return out, err
	}
	if err := mayGive(ctx, who.ID, permissions(made.Scopes)); err != nil {
		return out, err
	}
	made.Person = who.ID
	out.Secret, out.Token, err = n.ground.People.CreateToken(ctx, made)
	return out, err
}

// permissions are the scopes of a token as what they let it do.
func permissions(scopes []string) []op.Permission {
	made := make([]op.Permission, len(scopes))
	for i, s := range scopes {
		made[i] = op.Permission(s)
	}
	return made
}

func (n *node) tokens(ctx context.Context, in tokenListIn) (out tokenListOut, err error) {
	id := ""
	if in.Who != "" {
		p, err := n.ground.People.Person(ctx, in.Who)
		if err != nil {
			return out, err
		}
		id = p.ID
	}
	list, err := n.ground.People.Tokens(ctx, id)
	return tokenListOut{append([]identity.Token{}, list...)}, err
}

func (n *node) rotateToken(ctx context.Context, id string) (out tokenOut, err error) {
	t, err := n.ground.People.TokenByID(ctx, id)
	if err != nil {
		return out, err
	}
	if op.ActorFrom(ctx) != "token:"+t.ID {
		if err := mayGive(ctx, t.Person.ID, permissions(t.Scopes)); err != nil {
			return out, err
		}
	}
	out.Secret, out.Token, err = n.ground.People.RotateToken(ctx, t.ID)
	return out, err
}

func (n *node) revokeToken(ctx context.Context, id string) (out revokedOut, err error) {
	t, err := n.ground.People.TokenByID(ctx, id)
	if err != nil {
		return out, err
	}
	return revokedOut{"the token " + t.Name + " of " + called(*t.Person) + " is over"}, n.ground.People.RevokeToken(ctx, t.ID)
}
