package main

import (
	"context"
	"strings"

	"github.com/fazt-sh/fazt/edge/gate"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
)

type approveIn struct {
	Code   string `arg:"" help:"the code that the program shows" json:"code"`
	Person string `placeholder:"WHO" help:"id or address of the person whom it will act as; on the node's own machine" json:"person"`
}

// approveOut is what was let in.
type approveOut struct {
	Name    string   `json:"name"`
	Address string   `json:"address"`
	Scopes  []string `json:"scopes"`
	Person  string   `json:"person"`
}

// WriteText tells who it was, as somebody else may have asked.
func (o approveOut) WriteText(w *op.Screen) error {
	w.Printf("let in: %s, from %s\nacts as %s, for %s\n", o.Name, o.Address, o.Person, strings.Join(o.Scopes, ", "))
	return nil
}

func approveOps(n *node) []op.Op {
	return []op.Op{
		op.New(op.Row{
			Name: "token approve", Group: groupPeople, Summary: "let a program in that shows a code", Effect: op.Change, Needs: op.People, Since: "0.5.0",
			Detail: "A program that shows a code, like `fazt peer add`, waits until somebody lets it in: at the node's console, or by this. " +
				"On the node's own machine --person says whom it acts as; an address that nobody has signed in with is vouched for. From elsewhere it acts as whoever asks.",
			Examples: []op.Example{{Command: "token approve K7QF-2M --person ana@example.com"}},
			Exits:    map[int]string{6: "no program waits by that code, or there is no such person"},
		}, on(n, func(ctx context.Context, n *node, in approveIn) (approveOut, error) { return n.approve(ctx, in) })),
	}
}

// approve lets a program in as whoever asks for it, or as whom the node's own operator
// names.
func (n *node) approve(ctx context.Context, in approveIn) (approveOut, error) {
	if in.Person != "" && !byOperator(ctx) {
		return approveOut{}, fault.New(fault.Forbidden, "a program that you let in acts as you").WithHint("leave out --person")
	}
	ask, err := n.ground.People.Device(ctx, in.Code) // before anybody is vouched for
	if err != nil {
		return approveOut{}, err
	}
	who, err := n.receiver(ctx, in.Person)
	if err != nil {
		return approveOut{}, err
	}
	if err := n.ground.People.AnswerDevice(ctx, in.Code, who.ID, true); err != nil {
		return approveOut{}, err
	}
	n.noteSignIn(ctx, gate.Event{Actor: op.ActorFrom(ctx), Action: "device approve", Target: ask.Name, Outcome: "ok"})
	return approveOut{Name: ask.Name, Address: ask.Address, Scopes: ask.Scopes, Person: called(who)}, nil
}
