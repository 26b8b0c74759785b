package gate

import (
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"net/url"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
)

// byMail is how somebody signed in who has shown that an address is theirs.
const byMail = "mail"

// sendCode sends a code to an address. Whether anybody has it, or may sign in, is not
// told: the page is the same.
func (g *Gate) sendCode(p *Policy, w http.ResponseWriter, r *http.Request, v Visit) error {
	if p.Mail == nil {
		return errNothing
	}
	email, ok := identity.Address(r.PostFormValue("email"))
	if !ok {
		return fault.New(fault.Invalid, "that is no e-mail address").WithHint("go back and look at it again")
	}
	sealed := r.PostFormValue("a")
	if _, err := g.journeyOf(sealed); err != nil {
		return err
	}
	if err := g.attempt(r, "mail:"+email, v); err != nil {
		return err
	}
	made, err := g.config.People.MailCode(r.Context(), email, binding(w, r, v.Secure))
	if err != nil {
		return err
	}
	subject, text := letter(p, v, made, v.origin(v.Host, r)+Prefix+"link?t="+url.QueryEscape(made.Link)+"&a="+sealed)
	if err := p.Mail.Send(r.Context(), email, subject, text, made.Ends); err != nil {
		return err
	}
	return g.page(w, r, http.StatusOK, "code", map[string]any{"Title": "Look into your mail", "Email": email, "Journey": sealed, "Code": p.Code})
}

// letter is what somebody gets who wants to sign in.
func letter(p *Policy, v Visit, made identity.Mailed, link string) (subject, text string) {
	subject = "Sign in at " + v.Host
	if p.Code {
		subject = "Your code is " + made.Code
		text = fmt.Sprintf("Your code to sign in at %s is\n\n    %s\n\nIt is good for ten minutes, in the browser that asked for it.\n", v.Host, made.Code)
	}
	if p.Link {
		text += fmt.Sprintf("\nOpen this in the browser that asked for it:\n\n    %s\n", link)
	}
	return subject, text + "\nIf you did not ask for it, somebody typed your address. Without this mail they cannot sign in.\n"
}

// attempt counts a try to sign in, before anything is looked at.
func (g *Gate) attempt(r *http.Request, account string, v Visit) error {
	wait, err := g.config.People.Attempt(r.Context(), account, prefixOf(v.address()))
	if fault.KindOf(err) == fault.Exhausted {
		return fault.New(fault.Exhausted, "that was tried too often").WithHint("try again in %d minutes", max(2, int(math.Ceil(wait.Minutes()))))
	}
	return err
}

// forgive takes back what was counted on the way to a try that was right.
func (g *Gate) forgive(r *http.Request, account string, v Visit, tries int) error {
	return g.config.People.Forgive(r.Context(), account, prefixOf(v.address()), tries)
}

// prefixOf is whom an address belongs to, as far as that can be told: one of IPv4,
// or the network of one house of IPv6.
func prefixOf(address string) string {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return "unknown"
	}
	bits := 32
	if addr.Unmap().Is6() {
		bits = 64
	}
	prefix, err := addr.Unmap().Prefix(bits)
	if err != nil {
		return "unknown"
	}
	return prefix.String()
}

// takeCode signs in who has the code.
func (g *Gate) takeCode(p *Policy, w http.ResponseWriter, r *http.Request, v Visit) error {
	browser := binding(w, r, v.Secure)
	if err := g.attempt(r, "code:"+browser, v); err != nil {
		return err
	}
	email, err := g.config.People.RedeemCode(r.Context(), browser, r.PostFormValue("code"))
	if fault.KindOf(err) == fault.Unauthenticated && wantsPage(r) {
		return g.page(w, r, http.StatusUnauthorized, "code", map[string]any{"Title": "Try again", "Wrong": fault.Message(err), "Journey": r.PostFormValue("a"), "Code": true})
	}
	if err != nil {
		return err
	}
	return g.mailed(p, w, r, v, email)
}

// showLink asks once more: programs that look into mails open what is in them.
func (g *Gate) showLink(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	return g.page(w, r, http.StatusOK, "link", map[string]any{"Title": "Sign in", "Link": q.Get("t"), "Journey": q.Get("a")})
}

// takeLink signs in who has the link, in the browser that asked for it.
func (g *Gate) takeLink(p *Policy, w http.ResponseWriter, r *http.Request, v Visit) error {
	browser := binding(w, r, v.Secure)
	if err := g.attempt(r, "code:"+browser, v); err != nil {
		return err
	}
	email, err := g.config.People.RedeemLink(r.Context(), browser, r.PostFormValue("t"))
	if err != nil {
		return err
	}
	return g.mailed(p, w, r, v, email)
}

// mailed goes on with somebody whose address it is.
func (g *Gate) mailed(p *Policy, w http.ResponseWriter, r *http.Request, v Visit, email string) error {
	if err := g.forgive(r, "mail:"+email, v, 2); err != nil { // the mail, and what was in it
		return err
	}
	return g.admit(p, w, r, v, r.PostFormValue("a"), byMail, identity.Claim{Issuer: byMail, Subject: email, Email: email, Verified: true})
}
