package identity_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// phone sets an authenticator app up and returns what it shows at a time.
func (p *place) phone(person string) func(time.Time) string {
	p.t.Helper()
	uri, err := p.StartTOTP(p.t.Context(), person, "fazt")
	must(p.t, err)
	u, err := url.Parse(uri)
	must(p.t, err)
	return func(now time.Time) string {
		code, err := totp.GenerateCode(u.Query().Get("secret"), now)
		must(p.t, err)
		return code
	}
}

func TestTOTP(t *testing.T) {
	p := open(t)
	ctx := t.Context()
	who := p.person("ana").ID
	shows := p.phone(who)
	wantKind(t, p.UseTOTP(ctx, who, shows(p.now)), fault.Unauthenticated) // not confirmed
	known, err := totp.GenerateCode(strings.Repeat("A", 32), p.now)       // the secret that is computed with where there is none
	must(t, err)
	wantKind(t, p.UseTOTP(ctx, who, known), fault.Unauthenticated)
	wantKind(t, p.ConfirmTOTP(ctx, who, "000 00"), fault.Unauthenticated)
	must(t, p.ConfirmTOTP(ctx, who, shows(p.now)))
	wantKind(t, p.UseTOTP(ctx, who, shows(p.now)), fault.Unauthenticated) // used to confirm
	p.now = p.now.Add(30 * time.Second)
	code := shows(p.now)
	must(t, p.UseTOTP(ctx, who, code[:3]+" "+code[3:]))
	p.reopen()
	wantKind(t, p.UseTOTP(ctx, who, code), fault.Unauthenticated)
	wantKind(t, p.UseTOTP(ctx, who, shows(p.now.Add(-30*time.Second))), fault.Unauthenticated)
	must(t, p.UseTOTP(ctx, who, shows(p.now.Add(30*time.Second)))) // a phone that is ahead
	wantKind(t, p.UseTOTP(ctx, who, shows(p.now.Add(90*time.Second))), fault.Unauthenticated)

	p.now = p.now.Add(time.Hour)
	other := p.phone(who) // begun and not confirmed: the old one counts
	wantKind(t, p.UseTOTP(ctx, who, other(p.now)), fault.Unauthenticated)
	must(t, p.UseTOTP(ctx, who, shows(p.now)))
	must(t, p.RemoveTOTP(ctx, who))
	p.now = p.now.Add(time.Hour)
	wantKind(t, p.UseTOTP(ctx, who, shows(p.now)), fault.Unauthenticated)
}

// A secret that was moved to somebody else's row opens nothing.
func TestTOTPIsSealedToItsPerson(t *testing.T) {
	p := open(t)
	ana, bo := p.person("ana").ID, p.person("bo").ID
	shows := p.phone(ana)
	must(t, p.ConfirmTOTP(t.Context(), ana, shows(p.now)))
	p.phone(bo)
	must(t, p.db.Write(t.Context(), func(tx *sqlite.Tx) error {
		_, err := tx.Exec(`UPDATE people_totp SET secret = (SELECT secret FROM people_totp WHERE person = ?) WHERE person = ?`, ana, bo)
		return err
	}))
	p.now = p.now.Add(time.Minute)
	if p.UseTOTP(t.Context(), bo, shows(p.now)) == nil {
		t.Error("it does")
	}
}

func TestRecoveryCodes(t *testing.T) {
	p := open(t)
	ctx := t.Context()
	who := p.person("ana").ID
	old, err := p.NewRecovery(ctx, who)
	must(t, err)
	codes, err := p.NewRecovery(ctx, who)
	must(t, err)
	use := func(code string) error { _, err := p.UseRecovery(ctx, who, code); return err }
	wantKind(t, use(old[0]), fault.Unauthenticated)
	left, err := p.UseRecovery(ctx, who, strings.ToLower(codes[3]))
	if must(t, err); left != len(codes)-1 {
		t.Errorf("%d left", left)
	}
	wantKind(t, use(codes[3]), fault.Unauthenticated)
	_, err = p.UseRecovery(ctx, p.person("bo").ID, codes[4])
	wantKind(t, err, fault.Unauthenticated)
	must(t, use(codes[4]))
}

func TestSecondFactorsHaveOneWinner(t *testing.T) {
	p := open(t)
	who := p.person("ana").ID
	shows := p.phone(who)
	must(t, p.ConfirmTOTP(t.Context(), who, shows(p.now)))
	race(t, func(int) func() bool {
		p.now = p.now.Add(30 * time.Second)
		code := shows(p.now)
		return func() bool { return p.UseTOTP(t.Context(), who, code) == nil }
	})
	race(t, func(int) func() bool {
		codes, err := p.NewRecovery(t.Context(), who)
		must(t, err)
		return func() bool { _, err := p.UseRecovery(t.Context(), who, codes[0]); return err == nil }
	})
}

// Checking a second factor of somebody who has none is the same work.
func TestSecondFactorTellsNothing(t *testing.T) {
	p := open(t)
	who := p.person("ana").ID
	shows := p.phone(who)
	must(t, p.ConfirmTOTP(t.Context(), who, shows(p.now)))
	_, err := p.NewRecovery(t.Context(), who)
	must(t, err)
	for name, ask := range map[string]func(person string){
		"totp":     func(person string) { p.UseTOTP(t.Context(), person, "none") },
		"recovery": func(person string) { p.UseRecovery(t.Context(), person, "none") },
	} {
		if here, not := p.count(func() { ask(who) }), p.count(func() { ask("nobody") }); here != not || here == 0 {
			t.Errorf("%s: %d statements for somebody who has it, %d for others", name, here, not)
		}
	}
}

// A counter that does not go on is a copy; authenticators that do not count are not.
func TestPasskeys(t *testing.T) {
	p := open(t)
	ctx := t.Context()
	who := p.person("ana").ID
	counts := identity.Passkey{ID: []byte{1, 0, 255}, Person: who, Name: "yubikey", Data: []byte("opaque"), Counter: 7}
	must(t, p.AddPasskey(ctx, counts))
	wantKind(t, p.AddPasskey(ctx, counts), fault.Conflict)
	must(t, p.AddPasskey(ctx, identity.Passkey{ID: []byte{2}, Person: who, Name: "phone"}))
	wantKind(t, p.AddPasskey(ctx, identity.Passkey{ID: []byte{3}, Person: "nobody"}), fault.NotFound)
	must(t, p.UsePasskey(ctx, counts.ID, 8, nil))
	wantKind(t, p.UsePasskey(ctx, counts.ID, 8, nil), fault.Unauthenticated)
	wantKind(t, p.UsePasskey(ctx, counts.ID, 0, nil), fault.Unauthenticated)
	must(t, p.UsePasskey(ctx, counts.ID, 1<<31+1, []byte("newer")))
	for range 2 {
		must(t, p.UsePasskey(ctx, []byte{2}, 0, nil))
	}
	got, err := p.Passkey(ctx, counts.ID)
	must(t, err)
	if got.Person != who || string(got.Data) != "newer" || got.Counter != 1<<31+1 || !got.Used.Equal(p.now) {
		t.Errorf("%+v", got)
	}
	wantKind(t, p.RemovePasskey(ctx, p.person("bo").ID, counts.ID), fault.NotFound)
	must(t, p.RemovePasskey(ctx, who, counts.ID))
	list, err := p.Passkeys(ctx, who)
	must(t, err)
	if len(list) != 1 || list[0].Name != "phone" {
		t.Errorf("%+v", list)
	}
}

// What is exported is all there is, but for what would let somebody in; what is
// removed is gone, and the next to come that way is somebody new.
func TestExportAndRemove(t *testing.T) {
	p := open(t)
	ctx := t.Context()
	who := p.person("ana")
	session, _ := p.begin(identity.New{Person: who.ID, Audience: host, Agent: "Firefox"})
	token, _ := p.token(who.ID)
	p.works(token)
	p.alive(session, host)
	invite, _, err := p.Invite(ctx, identity.NewInvite{By: who.ID})
	must(t, err)
	must(t, p.AddPasskey(ctx, identity.Passkey{ID: []byte{1}, Person: who.ID, Data: []byte("canary")}))
	shows := p.phone(who.ID)
	must(t, p.ConfirmTOTP(ctx, who.ID, shows(p.now)))
	_, err = p.NewRecovery(ctx, who.ID)
	must(t, err)

	e, err := p.Export(ctx, "ANA@example.com")
	must(t, err)
	if len(e.Sessions) != 1 || len(e.Tokens) != 1 || len(e.Identities) != 1 || len(e.Passkeys) != 1 || len(e.Invites) != 1 ||
		e.Factors != (identity.Factors{TOTP: true, Passkeys: 1, Recovery: 10}) {
		t.Errorf("%+v", e)
	}
	text, err := json.Marshal(e)
	must(t, err)
	for _, secret := range []string{session, token, invite, "canary", "Y2FuYXJ5"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("it holds %q", secret)
		}
	}

	bo := p.person("bo")
	must(t, p.Remove(ctx, who.ID))
	if p.alive(session, host) || p.works(token) {
		t.Error("removed, and signed in")
	}
	wantKind(t, p.come("cy", invite, true), fault.Forbidden)
	wantKind(t, p.Remove(ctx, who.ID), fault.NotFound)
	_, err = p.Export(ctx, who.ID)
	wantKind(t, err, fault.NotFound)
	if again := p.person("ana"); again.ID == who.ID {
		t.Error("the same person again")
	}
	list, err := p.People(ctx, "", 0)
	must(t, err)
	first, err := p.People(ctx, "", 1)
	must(t, err)
	rest, err := p.People(ctx, first[0].ID, 0)
	must(t, err)
	if len(list) != 2 || len(rest) != 1 || rest[0] != list[1] {
		t.Errorf("%+v, then %+v, of %+v", first, rest, list)
	}
	if found, err := p.Person(ctx, bo.ID); err != nil || found.Email != bo.Email {
		t.Errorf("%+v, %v", found, err)
	}
}
