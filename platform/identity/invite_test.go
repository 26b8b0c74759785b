package identity_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
)

func nobody(string) bool { return false }

// come is somebody new who signs in, with an invitation or without.
func (p *place) come(name, invite string, verified bool) error {
	_, err := p.RecogniseInvited(p.t.Context(), identity.Claim{Issuer: "i", Subject: name, Email: name + "@example.com", Verified: verified}, invite, nobody)
	return err
}

func TestInvite(t *testing.T) {
	p := open(t)
	ctx := t.Context()
	text, i, err := p.Invite(ctx, identity.NewInvite{By: "ana", Email: "Bo@Example.com", Uses: 2})
	must(t, err)
	wantKind(t, p.come("eve", text, true), fault.Forbidden)
	wantKind(t, p.come("bo", text, false), fault.Forbidden) // who only says so
	must(t, p.come("bo", "made up", true))                  // by the address
	must(t, p.come("bo", text, true))                       // is known, and uses up nothing
	list, err := p.Invites(ctx)
	must(t, err)
	if len(list) != 1 || list[0].ID != i.ID || list[0].Used != 1 {
		t.Errorf("%+v", list)
	}
	must(t, p.RemoveInvite(ctx, i.ID))
	wantKind(t, p.RemoveInvite(ctx, i.ID), fault.NotFound)
	must(t, p.Remove(ctx, who(t, p, "bo").ID))
	wantKind(t, p.come("bo", text, true), fault.Forbidden)

	text, _, err = p.Invite(ctx, identity.NewInvite{By: "ana", Lifetime: time.Hour, Uses: 2})
	must(t, err)
	must(t, p.come("cy", text, false)) // the link is for whoever has it
	p.now = p.now.Add(time.Hour)
	wantKind(t, p.come("di", text, true), fault.Forbidden)
	for _, bad := range []identity.NewInvite{{Email: "bo"}, {Uses: -1}, {Lifetime: -1}} {
		_, _, err = p.Invite(ctx, bad)
		wantKind(t, err, fault.Invalid)
	}
}

func who(t *testing.T, p *place, name string) identity.Person {
	t.Helper()
	found, err := p.Person(t.Context(), name+"@example.com")
	must(t, err)
	return found
}

// Who is kept out invites nobody any more, and who is let in anyway counts as come by
// the invitation.
func TestInviteOfSomebody(t *testing.T) {
	p := open(t)
	ana := p.person("ana")
	text, _, err := p.Invite(t.Context(), identity.NewInvite{By: ana.ID, Uses: 2})
	must(t, err)
	must(t, p.Disable(t.Context(), ana.ID))
	wantKind(t, p.come("bo", text, true), fault.Forbidden)
	must(t, p.Enable(t.Context(), ana.ID))
	must(t, p.come("bo", text, true))
	_, err = p.RecogniseInvited(t.Context(), identity.Claim{Issuer: "i", Subject: "cy"}, text, anyone)
	must(t, err)
	if list, err := p.Invites(t.Context()); err != nil || list[0].Used != 2 {
		t.Errorf("%+v %v", list, err)
	}
	wantKind(t, p.come("di", text, true), fault.Forbidden)
}

// Of two that fit, the one is used up by which somebody came.
func TestInviteThatWasFollowed(t *testing.T) {
	p := open(t)
	_, named, err := p.Invite(t.Context(), identity.NewInvite{Email: "bo@example.com", Lifetime: time.Hour})
	must(t, err)
	text, followed, err := p.Invite(t.Context(), identity.NewInvite{})
	must(t, err)
	must(t, p.come("bo", text, true))
	list, err := p.Invites(t.Context())
	must(t, err)
	for _, i := range list {
		if want := map[string]int{named.ID: 0, followed.ID: 1}[i.ID]; i.Used != want {
			t.Errorf("%+v", i)
		}
	}
}

// Of many strangers who come by one invitation, one gets in, and of the others nothing
// is left.
func TestInviteHasOneWinner(t *testing.T) {
	p := open(t)
	rounds := 0
	race(t, func(round int) func() bool {
		rounds++
		text, _, err := p.Invite(t.Context(), identity.NewInvite{By: "ana"})
		must(t, err)
		var racer atomic.Int64
		return func() bool { return p.come(fmt.Sprintf("p%d-%d", round, racer.Add(1)), text, true) == nil }
	})
	people, err := p.People(t.Context(), "", 0)
	must(t, err)
	if len(people) != rounds {
		t.Errorf("%d people by %d invitations", len(people), rounds)
	}
}
