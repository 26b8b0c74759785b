package main

import (
	"context"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
	"github.com/fazt-sh/fazt/platform/op"
)

type sessionListIn struct {
	Who   string `arg:"" optional:"" help:"id or address of somebody; everybody by default" json:"who"`
	Limit int    `default:"100" help:"how many, the last used first, at most 1000" json:"limit"`
}

type sessionListOut struct {
	Sessions []identity.Session `json:"sessions"`
	More     bool               `json:"more,omitempty"` // there are others, used before
}

// WriteText prints a table.
func (o sessionListOut) WriteText(w *op.Screen) error {
	if len(o.Sessions) == 0 {
		return w.Printf("nobody is signed in\n")
	}
	if err := writeSessions(w, o.Sessions); err != nil || !o.More {
		return err
	}
	return w.Printf("there are more: name somebody, or a larger --limit\n")
}

func writeSessions(w *op.Screen, list []identity.Session) error {
	if len(list) == 0 {
		return nil
	}
	var rows [][]string
	for _, s := range list {
		rows = append(rows, []string{s.ID, called(*s.Person), s.Audience, ago(s.Seen), s.Address, strings.Join(s.Factors, ", "), until(s.Ends), s.Agent})
	}
	columns := []op.Column{{Name: "SESSION", Keep: true}, {Name: "WHO", Keep: true}, {Name: "HOST"}, {Name: "USED"}, {Name: "FROM"}, {Name: "FACTORS"}, {Name: "ENDS"}, {Name: "BROWSER"}}
	return w.Table(columns, rows)
}

type sessionRevokeIn struct {
	ID     string `arg:"" optional:"" help:"id of a session" json:"id"`
	Person string `placeholder:"WHO" help:"instead: all sessions of somebody, by id or address" json:"person"`
}

// Note is whose sessions end.
func (in sessionRevokeIn) Note() string { return in.Person }

// revokedOut is what has ended.
type revokedOut struct {
	Message string `json:"message"`
}

// WriteText says what has ended.
func (o revokedOut) WriteText(w *op.Screen) error { return w.Printf("%s\n", o.Message) }

func sessionOps(n *node) []op.Op {
	return []op.Op{
		op.New(op.Row{
			Name: "session list", Group: groupPeople, Summary: "list where people are signed in", Effect: op.Read, Needs: op.People, Since: "0.5.0",
			Detail:   "A session of the console's host has those of apps below it, which end with it.",
			Examples: []op.Example{{Command: "session list"}, {Command: "session list ana@example.com --json"}},
			Exits:    map[int]string{6: "there is no such person"},
		}, on(n, func(ctx context.Context, n *node, in sessionListIn) (sessionListOut, error) {
			return n.sessions(ctx, in)
		})),
		op.New(op.Row{
			Name: "session revoke", Group: groupPeople, Summary: "end a session, or all of somebody's", Effect: op.Change, Needs: op.People, Since: "0.5.0",
			Detail:   "It is over with the next request. The person may sign in again: `fazt user disable` keeps them out.",
			Examples: []op.Example{{Command: "session revoke q5r2n7jv3yxk4c6w5tqzb2hd4e"}, {Command: "session revoke --person ana@example.com"}},
			Exits:    map[int]string{3: "neither a session nor a person is named, or both are", 6: "there is no such session or person"},
		}, on(n, func(ctx context.Context, n *node, in sessionRevokeIn) (revokedOut, error) {
			return n.revokeSession(ctx, in)
		})),
	}
}

// mostSessions bounds --limit.
const mostSessions = 1000

func (n *node) sessions(ctx context.Context, in sessionListIn) (out sessionListOut, err error) {
	if in.Limit < 1 || in.Limit > mostSessions {
		return out, fault.New(fault.Invalid, "--limit is 1 to %d, not %d", mostSessions, in.Limit)
	}
	if in.Who == "" {
		out.Sessions, err = n.ground.People.EverySession(ctx, in.Limit+1)
	} else {
		var p identity.Person
		if p, err = n.ground.People.Person(ctx, in.Who); err == nil {
			out.Sessions, err = n.ground.People.Sessions(ctx, p.ID)
		}
	}
	if len(out.Sessions) > in.Limit {
		out.Sessions, out.More = out.Sessions[:in.Limit], true
	}
	out.Sessions = append([]identity.Session{}, out.Sessions...) // a list, where there are none
	return out, err
}

func (n *node) revokeSession(ctx context.Context, in sessionRevokeIn) (out revokedOut, err error) {
	if (in.ID == "") == (in.Person == "") {
		return out, fault.New(fault.Invalid, "which sessions are to end?").WithHint("name one by its id, or all of somebody with --person WHO")
	}
	if in.Person != "" {
		p, err := n.ground.People.Person(ctx, in.Person)
		if err != nil {
			return out, err
		}
		return revokedOut{"all sessions of " + called(p) + " are over"}, n.ground.People.EndOf(ctx, p.ID)
	}
	s, err := n.ground.People.SessionByID(ctx, in.ID)
	if err != nil {
		return out, err
	}
	return revokedOut{"the session of " + called(*s.Person) + " at " + s.Audience + " is over"}, n.ground.People.End(ctx, s.ID)
}
