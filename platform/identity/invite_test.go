package identity_test

import (
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
)

func TestInvite(t *testing.T) {
	p := open(t)
	ctx := t.Context()
	text, i, err := p.Invite(ctx, identity.NewInvite{By: "ana", Email: "Bo@Example.com", Uses: 2})
	must(t, err)
	take := func(text, email string) error {
		_, err := p.TakeInvite(ctx, text, email)
		return err
	}
	wantKind(t, take(text, "eve@example.com"), fault.Forbidden)
	wantKind(t, take("made up", "bo@example.com"), fault.Forbidden)
	must(t, take(text, "bo@example.com"))
	must(t, take(text, "BO@example.com"))
	wantKind(t, take(text, "bo@example.com"), fault.Forbidden)
	list, err := p.Invites(ctx)
	must(t, err)
	if len(list) != 1 || list[0].ID != i.ID || list[0].Used != 2 {
		t.Errorf("%+v", list)
	}
	must(t, p.RemoveInvite(ctx, i.ID))
	wantKind(t, p.RemoveInvite(ctx, i.ID), fault.NotFound)

	text, _, err = p.Invite(ctx, identity.NewInvite{By: "ana", Lifetime: time.Hour})
	must(t, err)
	p.now = p.now.Add(time.Hour)
	wantKind(t, take(text, ""), fault.Forbidden)
	_, _, err = p.Invite(ctx, identity.NewInvite{Email: "bo"})
	wantKind(t, err, fault.Invalid)
}

func TestInviteHasOneWinner(t *testing.T) {
	p := open(t)
	race(t, func(int) func() bool {
		text, _, err := p.Invite(t.Context(), identity.NewInvite{By: "ana"})
		must(t, err)
		return func() bool {
			_, err := p.TakeInvite(t.Context(), text, "")
			return err == nil
		}
	})
}
