package gate

import (
	"net/http"

	"github.com/fazt-sh/fazt/platform/identity"
)

// mostInvite is longer than any invitation.
const mostInvite = 100

// InvitePath is where an invitation leads, on the console's host. Its text is in the
// query, as lists of requests keep paths.
func InvitePath(text string) string { return Prefix + "invite?t=" + text }

// invited begins a journey to the console that carries an invitation. Whether it is a
// good one is looked at when somebody has shown who they are, so that strangers learn
// nothing by it and programs that open links use none up.
func (g *Gate) invited(w http.ResponseWriter, r *http.Request) error {
	text := r.URL.Query().Get("t")
	if text == "" || len(text) > mostInvite {
		return errNothing
	}
	sealed, err := g.seal(kindJourney, journeyAge, journey{To: "/", Invite: text})
	if err != nil {
		return err
	}
	redirect(w, Prefix+"login?a="+sealed)
	return nil
}

// recognise finds the person of a claim, or lets a new one in: whom the policy lets,
// and where it says so who was invited.
func (g *Gate) recognise(r *http.Request, p *Policy, sealed string, claim identity.Claim) (identity.Person, error) {
	signup := func(email string) bool { return p.Signup(r.Context(), email) }
	if !p.Invited {
		return g.config.People.Recognise(r.Context(), claim, signup)
	}
	j, err := g.journeyOf(sealed)
	if err != nil {
		return identity.Person{}, err
	}
	return g.config.People.RecogniseInvited(r.Context(), claim, j.Invite, signup)
}
