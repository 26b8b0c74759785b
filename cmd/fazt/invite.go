package main

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/edge/gate"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
	"github.com/fazt-sh/fazt/platform/op"
)

type inviteIn struct {
	Address string        `arg:"" optional:"" help:"whom; without one the link is for whoever has it" json:"address"`
	Note    string        `placeholder:"TEXT" help:"for those who list the invitations" json:"note"`
	Uses    int           `default:"1" help:"how many people it lets in" json:"uses"`
	Expires time.Duration `default:"7d" help:"how long it is good" json:"expires"`
}

// inviteOut is an invitation with its link, which is told once.
type inviteOut struct {
	URL    string          `json:"url"`
	Invite identity.Invite `json:"invite"`
	Mailed bool            `json:"mailed"`
	Hint   string          `json:"hint,omitempty"`
}

// WriteText prints the link first, alone on its line.
func (o inviteOut) WriteText(w *op.Screen) error {
	w.Printf("%s\n", o.URL)
	w.Printf("for %s, %s, until %s; keep it now: it is not shown again\n", cmp.Or(o.Invite.Email, "whoever has it"), plural(o.Invite.Uses, "use"), until(o.Invite.Ends))
	if o.Mailed {
		w.Printf("a mail to %s is on its way\n", o.Invite.Email)
	}
	if o.Hint != "" {
		w.Printf("hint: %s\n", o.Hint)
	}
	return nil
}

type inviteListOut struct {
	Invites []identity.Invite `json:"invites"`
}

// WriteText prints a table.
func (o inviteListOut) WriteText(w *op.Screen) error {
	if len(o.Invites) == 0 {
		return w.Printf("no invitations\n")
	}
	var rows [][]string
	for _, i := range o.Invites {
		rows = append(rows, []string{i.ID, cmp.Or(i.Email, "whoever has it"), strconv.Itoa(i.Used) + " of " + strconv.Itoa(i.Uses), endText(i.Ends), i.By, i.Note})
	}
	return w.Table([]op.Column{{Name: "INVITE", Keep: true}, {Name: "FOR", Keep: true}, {Name: "USED"}, {Name: "ENDS"}, {Name: "BY"}, {Name: "NOTE"}}, rows)
}

type uninviteIn struct {
	ID string `arg:"" help:"id of an invitation" json:"id"`
}

func inviteOps(n *node) []op.Op {
	return []op.Op{
		op.New(op.Row{
			Name: "user invite", Group: groupPeople, Summary: "print a link that lets somebody new in", Effect: op.Change, Needs: op.People, Since: "0.5.0",
			Detail: "It counts where `login { signup = \"invited\" }` is declared, and gives an account and no rights: those are in the configuration. " +
				"An address that is invited may come without the link too; where a mail block is declared the link is sent there. It is used up when the account is made.",
			Examples: []op.Example{{Command: "user invite ana@example.com"}, {Command: "user invite --uses 20 --expires 1d --note 'the workshop'"}},
			Exits:    map[int]string{3: "that is no address", 5: "nobody signs in at this node"},
		}, on(n, func(ctx context.Context, n *node, in inviteIn) (inviteOut, error) { return n.invite(ctx, in) })),
		op.New(op.Row{
			Name: "user invites", Group: groupPeople, Summary: "list the invitations", Effect: op.Read, Needs: op.People, Since: "0.5.0",
			Detail:   "Those that are over stay for 30 days.",
			Examples: []op.Example{{Command: "user invites"}},
		}, on(n, func(ctx context.Context, n *node, _ noIn) (inviteListOut, error) {
			list, err := n.ground.People.Invites(ctx)
			return inviteListOut{append([]identity.Invite{}, list...)}, err
		})),
		op.New(op.Row{
			Name: "user uninvite", Group: groupPeople, Summary: "take an invitation back", Effect: op.Change, Needs: op.People, Since: "0.5.0",
			Detail:   "Who came by it stays.",
			Examples: []op.Example{{Command: "user uninvite q5r2n7jv3yxk4c6w5tqzb2hd4e"}},
			Exits:    map[int]string{6: "there is no such invitation"},
		}, on(n, func(ctx context.Context, n *node, in uninviteIn) (revokedOut, error) {
			return revokedOut{"the invitation is taken back"}, n.ground.People.RemoveInvite(ctx, in.ID)
		})),
	}
}

// mostInvited bounds --uses.
const mostInvited = 10_000

// longestInvite is how long an invitation may be good.
const longestInvite = 90 * 24 * time.Hour

func (n *node) invite(ctx context.Context, in inviteIn) (out inviteOut, err error) {
	console, counts := n.edge.SignIn()
	switch {
	case console == "":
		return out, fault.New(fault.Conflict, "nobody signs in at this node").WithHint("declare how: fazt docs sign-in")
	case in.Uses < 1 || in.Uses > mostInvited:
		return out, fault.New(fault.Invalid, "--uses is 1 to %d, not %d", mostInvited, in.Uses)
	case in.Expires <= 0 || in.Expires > longestInvite:
		return out, fault.New(fault.Invalid, "an invitation is good for some time, and for 90 days at most").WithHint("take one such as --expires 7d")
	}
	by, err := n.inviter(ctx)
	if err != nil {
		return out, err
	}
	text, made, err := n.ground.People.Invite(ctx, identity.NewInvite{By: by, Email: in.Address, Note: in.Note, Uses: in.Uses, Lifetime: in.Expires})
	if err != nil {
		return out, err
	}
	out = inviteOut{URL: n.consoleURL(console) + gate.InvitePath(text), Invite: made}
	if !counts {
		out.Hint = `it counts where login { signup = "invited" } is declared`
	}
	if made.Email != "" {
		out.Mailed, err = n.mailInvite(ctx, console, out)
	}
	if err != nil {
		out.Hint = "no mail was sent: " + fault.Message(err)
	}
	return out, nil
}

// inviter is who invites: a person by their id, so that what they made goes with them.
func (n *node) inviter(ctx context.Context) (string, error) {
	actor := op.ActorFrom(ctx)
	if id, is := strings.CutPrefix(actor, "token:"); is && !byOperator(ctx) {
		t, err := n.ground.People.TokenByID(ctx, id)
		if err != nil {
			return "", err
		}
		return t.Person.ID, nil
	}
	return strings.TrimPrefix(actor, "person:"), nil
}

// mailInvite sends an invitation to whom it is for, where the node sends mail.
func (n *node) mailInvite(ctx context.Context, console string, o inviteOut) (bool, error) {
	text := fmt.Sprintf("You are invited to %s:\n\n    %s\n\nThe link is good until %s (UTC).\nIf you did not expect it, leave it: nothing happens.\n", console, o.URL, until(o.Invite.Ends))
	err := n.ground.Mail.Send(ctx, o.Invite.Email, "You are invited to "+console, text, o.Invite.Ends)
	if fault.KindOf(err) == fault.Unavailable { // no mail block
		return false, nil
	}
	return err == nil, err
}

// consoleURL is where people reach the console: by TLS, also where a proxy in front
// ends it, but for a developer's own machine.
func (n *node) consoleURL(host string) string {
	if u := n.url(host); n.cfg.dev || strings.HasPrefix(u, "https://") {
		return u
	}
	return "https://" + host
}
