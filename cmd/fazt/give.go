package main

import (
	"context"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
	"github.com/fazt-sh/fazt/platform/op"
)

// byOperator tells whether who asks runs the node itself: by its socket, or with the
// token of its own control address.
func byOperator(ctx context.Context) bool {
	actor := op.ActorFrom(ctx)
	return strings.HasPrefix(actor, "local:") || actor == "token:control"
}

// mayGive refuses what would let somebody act by more than who asks has. Whoever runs
// the node gives what they like; a person gives what they may do themselves, and to
// somebody else only if they may admin. A token gives nothing: what is made by one that
// was stolen would outlive it.
func mayGive(ctx context.Context, to string, scopes []op.Permission) error {
	if byOperator(ctx) {
		return nil
	}
	self, err := giver(ctx)
	if err != nil {
		return err
	}
	if self != to {
		scopes = append([]op.Permission{op.Admin}, scopes...)
	}
	for _, s := range scopes {
		if err := op.May(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// giver is the person who asks, by their id.
func giver(ctx context.Context) (string, error) {
	id, is := strings.CutPrefix(op.ActorFrom(ctx), "person:")
	if !is {
		return "", fault.New(fault.Forbidden, "a token makes no other token").WithHint("make it signed in, or on the node's own machine")
	}
	return id, nil
}

// receiver is whom something is for: somebody who is named, or whoever asks. Whoever
// runs the node is nobody to be meant by that, and may name an address that nobody has
// signed in with.
func (n *node) receiver(ctx context.Context, named string) (identity.Person, error) {
	switch operator := byOperator(ctx); {
	case operator && named == "":
		return identity.Person{}, fault.New(fault.Invalid, "whom is it to act as?").WithHint("name somebody: --person ADDRESS")
	case operator:
		return n.vouched(ctx, named)
	case named == "":
		self, err := giver(ctx)
		if err != nil {
			return identity.Person{}, err
		}
		named = self
	}
	return n.ground.People.Person(ctx, named)
}

// issuerLocal vouches for whom the operator of the node names.
const issuerLocal = "local"

// vouched is somebody by id or address. Whoever runs the node says whose an address
// is, before anybody has signed in with it.
func (n *node) vouched(ctx context.Context, who string) (identity.Person, error) {
	p, err := n.ground.People.Person(ctx, who)
	email, is := identity.Address(who)
	if fault.KindOf(err) != fault.NotFound || !is {
		return p, err
	}
	return n.ground.People.Recognise(ctx, identity.Claim{Issuer: issuerLocal, Subject: email, Email: email, Verified: true}, func(string) bool { return true })
}
