package identity_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
)

// Somebody who merely says that an address is theirs gets nothing of its owner.
func TestUnprovedAddressIsNobodys(t *testing.T) {
	p := open(t)
	owner := p.person("ana")
	thief, err := p.Recognise(t.Context(), identity.Claim{Issuer: "https://evil.example", Subject: "1", Email: owner.Email}, anyone)
	must(t, err)
	if thief.ID == owner.ID || thief.Email != "" {
		t.Errorf("%+v is as good as %+v", thief, owner)
	}
	second, err := p.Recognise(t.Context(), identity.Claim{Issuer: "https://good.example", Subject: "7", Email: "Ana@Example.com", Verified: true}, nil)
	must(t, err)
	if second.ID != owner.ID {
		t.Error("a second way to sign in made a second person")
	}
	heir, err := p.Recognise(t.Context(), identity.Claim{Issuer: "https://good.example", Subject: "8", Email: owner.Email, Verified: true}, anyone)
	must(t, err)
	if heir.ID == owner.ID || heir.Email != "" {
		t.Error("who was given an address after somebody became that person")
	}
}

// Who may not sign up leaves nothing behind, and who is known is not asked.
func TestSignup(t *testing.T) {
	p := open(t)
	claim := identity.Claim{Issuer: "i", Subject: "s", Email: "Bo@Example.com", Verified: true}
	asked := ""
	_, err := p.Recognise(t.Context(), claim, func(email string) bool { asked = email; return false })
	wantKind(t, err, fault.Forbidden)
	if asked != "bo@example.com" {
		t.Errorf("asked about %q", asked)
	}
	first, err := p.Recognise(t.Context(), claim, anyone)
	must(t, err)
	again, err := p.Recognise(t.Context(), claim, nil)
	must(t, err)
	if first.ID != again.ID {
		t.Error("two people")
	}
	must(t, p.Disable(t.Context(), first.ID))
	_, err = p.Recognise(t.Context(), claim, anyone)
	wantKind(t, err, fault.Forbidden)
	_, err = p.Recognise(t.Context(), identity.Claim{Issuer: "other", Subject: "s", Email: claim.Email, Verified: true}, anyone)
	wantKind(t, err, fault.Forbidden)
	must(t, p.Enable(t.Context(), first.ID))
	_, err = p.Recognise(t.Context(), claim, nil)
	must(t, err)
	wantKind(t, p.Disable(t.Context(), "nobody"), fault.NotFound)
}

// The law, over any sequence of claims: issuer and subject always lead to the
// same person; a person has an address only if a claim proved it, and nobody else
// has the same; two ways lead to one person only if both proved its address.
func TestRecogniseLaw(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		p := open(t)
		defer p.db.Close()
		type way struct{ issuer, subject string }
		person := map[way]string{}
		proved := map[way]map[string]bool{}
		for range rapid.IntRange(1, 25).Draw(r, "claims") {
			c := identity.Claim{
				Issuer:   rapid.SampledFrom([]string{"a", "b", "c"}).Draw(r, "issuer"),
				Subject:  fmt.Sprint(rapid.IntRange(1, 4).Draw(r, "subject")),
				Email:    rapid.SampledFrom([]string{"", "x@e.org", "X@E.org", "y@e.org", "no address"}).Draw(r, "email"),
				Verified: rapid.Bool().Draw(r, "verified"),
			}
			w := way{c.Issuer, c.Subject}
			who, err := p.Recognise(t.Context(), c, anyone)
			must(t, err)
			address, _ := identity.Address(c.Email)
			if proved[w] == nil {
				proved[w] = map[string]bool{}
			}
			if before, known := person[w]; known && before != who.ID {
				r.Fatalf("%v was %s and is %s", w, before, who.ID)
			} else if !known && c.Verified {
				proved[w][address] = true
			}
			person[w] = who.ID
			if who.Email != "" && !proved[w][who.Email] {
				r.Fatalf("%v has %q, which it never proved", w, who.Email)
			}
			for other, id := range person {
				if other != w && id == who.ID && (other.issuer == w.issuer || who.Email == "" || !proved[other][who.Email]) {
					r.Fatalf("%v and %v are one person", other, w)
				}
			}
		}
	})
}
