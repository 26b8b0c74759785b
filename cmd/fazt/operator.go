package main

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/spec/access"
)

// serveAPI answers commands at the console's host.
func (n *node) serveAPI(w http.ResponseWriter, r *http.Request) {
	if who, err := edge.OperatorFrom(r.Context()); err == nil {
		ctx, end := whileAllowed(r.Context(), who, n.ground.Clock.Now)
		defer end(nil)
		r = r.WithContext(ctx)
	}
	n.api.ServeHTTP(w, r)
}

// lookAgain is how long a command goes on at most of somebody who may not any more.
const lookAgain = 5 * time.Second

// whileAllowed is a context that ends when whoever asks is known no more, or has lost a
// permission: who follows something would go on for days.
func whileAllowed(ctx context.Context, who edge.Operator, now func() time.Time) (context.Context, context.CancelCauseFunc) {
	ctx, end := context.WithCancelCause(ctx)
	had := permitted(who, now())
	go func() {
		tick := time.NewTicker(lookAgain)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			again, err := who.Again()
			for _, p := range had {
				if err == nil && !may(again, p, now()) {
					err = lacking(again, p)
				}
			}
			if err != nil {
				end(err)
			}
		}
	}()
	return ctx, end
}

// permitted is what somebody may do on the node.
func permitted(who edge.Operator, now time.Time) (list []op.Permission) {
	for _, p := range op.Permissions() {
		if may(who, p, now) {
			list = append(list, p)
		}
	}
	return list
}

// operatorAccess names who asks at the console's host, and lets them do what the
// roles of the configuration that is served give them on the node. Who is given
// nothing is no operator, whatever they may do with apps.
func (n *node) operatorAccess(r *http.Request) (op.Caller, error) {
	who, err := edge.OperatorFrom(r.Context())
	if err != nil {
		return op.Caller{}, err
	}
	now := n.ground.Clock.Now()
	if len(permitted(who, now)) == 0 {
		return op.Caller{}, fault.New(fault.Forbidden, "you may do nothing on this node").WithHint("%s", howGranted(op.Observe))
	}
	return op.Caller{Actor: actorOf(who), May: func(p op.Permission) error {
		if may(who, p, now) {
			return nil
		}
		return lacking(who, p)
	}}, nil
}

func may(who edge.Operator, p op.Permission, now time.Time) bool {
	return who.View.Can(string(p), access.Node, now)
}

// actorOf is who the journal says it was.
func actorOf(who edge.Operator) string {
	switch {
	case who.Program != nil:
		return "workload:" + who.Program.Name
	case who.Token != nil:
		return "token:" + who.Token.ID
	}
	return "person:" + who.Person.ID
}

// lacking says what a caller has not, and how they get it.
func lacking(who edge.Operator, p op.Permission) error {
	if who.Token != nil && !slices.Contains(who.Token.Scopes, string(p)) {
		return fault.New(fault.Forbidden, "this needs the permission %s, which the token %q has not", p, who.Token.Name).
			WithHint("take a token with the scope %s", p)
	}
	return fault.New(fault.Forbidden, "this needs the permission %s on the node", p).WithHint("%s", howGranted(p))
}

// howGranted is how somebody comes to have a permission.
func howGranted(p op.Permission) string {
	return `a role gives it to its members: grant { actions = ["` + string(p) + `"] on = ["node"] }`
}
