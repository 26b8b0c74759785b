package gate

import (
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
)

// byTOTP is the second factor: a code of a device, or one of those kept for when
// that is lost.
const byTOTP = "totp"

// wants tells whether somebody must give a second factor and has not.
func (p *Policy) wants(s *identity.Session) bool {
	return p.Factor != nil && p.Factor(s.Person) && !twice(s)
}

// twice tells whether a session was opened by two factors.
func twice(s *identity.Session) bool {
	return slices.Contains(s.Factors, byTOTP) || slices.Contains(s.Factors, byPasskey)
}

// keyed tells whether somebody has a passkey that may be used.
func (p *Policy) keyed(has identity.Factors) bool { return p.Passkeys && has.Passkeys > 0 }

// askFactor is the page between the two factors. Who has none yet sets one up.
func (g *Gate) askFactor(p *Policy, w http.ResponseWriter, r *http.Request, v Visit) error {
	s := g.session(r, v, consoleCookie)
	sealed := r.URL.Query().Get("a")
	switch {
	case s == nil:
		redirect(w, Prefix+"login?a="+sealed)
		return nil
	case !p.wants(s):
		return g.proceed(p, w, r, v, sealed, s)
	}
	has, err := g.config.People.FactorsOf(r.Context(), s.Person.ID)
	if err != nil {
		return err
	}
	data := map[string]any{"Title": "Second step", "Journey": sealed, "Has": has.TOTP, "Passkeys": p.keyed(has)}
	if !has.TOTP && !p.keyed(has) {
		if err := g.addKey(data, r, s, v); err != nil {
			return err
		}
	}
	return g.page(w, r, http.StatusOK, "factor", data)
}

// addKey puts a new key into a page, as programs for it read it.
func (g *Gate) addKey(data map[string]any, r *http.Request, s *identity.Session, v Visit) error {
	uri, err := g.config.People.StartTOTP(r.Context(), s.Person.ID, v.Host)
	if err != nil {
		return err
	}
	data["URI"] = template.URL(uri) // of a scheme that browsers hand to a program
	_, rest, _ := strings.Cut(uri, "secret=")
	data["Key"], _, _ = strings.Cut(rest, "&")
	return nil
}

// takeFactor takes a code. The session goes on under another token, as it may more.
func (g *Gate) takeFactor(p *Policy, w http.ResponseWriter, r *http.Request, v Visit) error {
	s := g.session(r, v, consoleCookie)
	if s == nil {
		return errUnknown
	}
	if err := g.attempt(r, "factor:"+s.Person.ID, v); err != nil {
		return err
	}
	code := strings.ReplaceAll(strings.TrimSpace(r.PostFormValue("code")), " ", "")
	err := g.config.People.UseTOTP(r.Context(), s.Person.ID, code)
	if err != nil && len(code) > 6 {
		_, err = g.config.People.UseRecovery(r.Context(), s.Person.ID, code)
	}
	g.config.Note(r.Context(), Event{Actor: "person:" + s.Person.ID, Action: "second factor", Target: byTOTP, Outcome: outcome(err), Address: v.address()})
	if fault.KindOf(err) == fault.Unauthenticated && wantsPage(r) {
		return g.page(w, r, http.StatusUnauthorized, "factor", map[string]any{"Title": "Try again", "Wrong": fault.Message(err), "Journey": r.PostFormValue("a"), "Has": true})
	}
	if err != nil {
		return err
	}
	raised, err := g.raise(w, r, v, s)
	if err != nil {
		return err
	}
	return g.proceed(p, w, r, v, r.PostFormValue("a"), raised)
}

// raise has a session count as one of two factors.
func (g *Gate) raise(w http.ResponseWriter, r *http.Request, v Visit, s *identity.Session) (*identity.Session, error) {
	if err := g.forgive(r, "factor:"+s.Person.ID, v, 1); err != nil {
		return nil, err
	}
	token, raised, err := g.config.People.Rotate(r.Context(), s.ID, byTOTP)
	if err != nil {
		return nil, err
	}
	setCookie(w, v.Secure, consoleCookie, token, raised.Ends.Sub(g.config.Now()))
	return &raised, nil
}

// newFactor takes the first code of a new device, and shows the codes for when it
// is lost. Who has given a second factor changes the device by that; who has one and
// has not given it does not get around it.
func (g *Gate) newFactor(p *Policy, w http.ResponseWriter, r *http.Request, v Visit) error {
	s := g.session(r, v, consoleCookie)
	if s == nil {
		return errUnknown
	}
	if err := g.attempt(r, "factor:"+s.Person.ID, v); err != nil {
		return err
	}
	has, err := g.config.People.FactorsOf(r.Context(), s.Person.ID)
	switch {
	case err != nil:
		return err
	case (has.TOTP || p.keyed(has)) && !twice(s):
		return fault.New(fault.Forbidden, "there is a device already").WithHint("sign in with it first")
	}
	if err := g.config.People.ConfirmTOTP(r.Context(), s.Person.ID, strings.TrimSpace(r.PostFormValue("code"))); err != nil {
		return err
	}
	codes, err := g.config.People.NewRecovery(r.Context(), s.Person.ID)
	if err != nil {
		return err
	}
	if _, err := g.raise(w, r, v, s); err != nil {
		return err
	}
	g.config.Note(r.Context(), Event{Actor: "person:" + s.Person.ID, Action: "second factor added", Target: byTOTP, Outcome: "ok", Address: v.address()})
	return g.page(w, r, http.StatusOK, "recovery", map[string]any{"Title": "Keep these codes", "Codes": codes, "Next": Prefix + "login?a=" + r.PostFormValue("a")})
}
