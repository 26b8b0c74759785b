package gate

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
)

// App answers below /auth/ on the host of an app.
func (g *Gate) App(p *Policy, w http.ResponseWriter, r *http.Request, v Visit) error {
	if err := g.app(p, w, r, v); err != nil {
		return g.explain(w, r, err)
	}
	return nil
}

func (g *Gate) app(p *Policy, w http.ResponseWriter, r *http.Request, v Visit) error {
	w.Header().Set("Cache-Control", "no-store")
	if p == nil || p.Console == "" || !v.Secure && !g.config.Plain {
		return errNobody
	}
	switch r.Method + " " + strings.TrimPrefix(r.URL.Path, Prefix) {
	case "GET login", "HEAD login":
		return g.depart(w, r)
	case "GET start":
		return g.begin(p, w, r, v)
	case "GET done":
		return g.arrive(p, w, r, v)
	case "GET user":
		return g.tell(p, w, r, v)
	case "GET script.js":
		return script(w)
	case "GET style.css":
		return style(w)
	case "POST logout":
		return g.leave(w, r, v, appCookie)
	}
	return errNothing
}

var (
	errNobody  = fault.New(fault.NotFound, "nobody signs in at this node")
	errNothing = fault.New(fault.NotFound, "there is nothing at this address")
)

// depart is the page before the journey: its script adds the fragment, which
// browsers keep to themselves.
func (g *Gate) depart(w http.ResponseWriter, r *http.Request) error {
	to := Target(r.URL.Query().Get("to"))
	return g.page(w, r, http.StatusOK, "depart", map[string]any{"Title": "Sign in", "Start": Prefix + "start?to=" + url.QueryEscape(to)})
}

// begin binds the journey to this browser and sends it to the console.
func (g *Gate) begin(p *Policy, w http.ResponseWriter, r *http.Request, v Visit) error {
	to := Target(r.URL.Query().Get("to"))
	if g.Session(p, r, v) != nil {
		redirect(w, to) // nobody signs in twice
		return nil
	}
	sealed, err := g.seal(kindJourney, journeyAge, journey{Host: v.Host, To: to, Bind: binding(w, r, v.Secure)})
	if err != nil {
		return err
	}
	redirect(w, v.origin(p.Console, r)+Prefix+"login?a="+sealed)
	return nil
}

// arrive changes the console's code for a session of this host.
func (g *Gate) arrive(p *Policy, w http.ResponseWriter, r *http.Request, v Visit) error {
	var t transfer
	if err := g.unseal(kindCode, r.URL.Query().Get("code"), &t); err != nil {
		return err
	}
	if t.Host != v.Host || !bound(r, v.Secure, t.Bind) {
		return errJourney
	}
	if err := g.spend(r.Context(), t.ID, codeAge); err != nil {
		return err
	}
	token, s, err := g.config.People.Begin(r.Context(), identity.New{Person: t.Person, Parent: t.Session, Audience: v.Host, Agent: agent(r), Address: v.address(), Idle: p.Idle, Absolute: p.Absolute})
	if fault.KindOf(err) == fault.Unauthenticated {
		return errJourney // signed out meanwhile
	}
	if err != nil {
		return err
	}
	setCookie(w, v.Secure, appCookie, token, s.Ends.Sub(g.config.Now()))
	redirect(w, t.To)
	return nil
}

// leave ends the session of this host and the one it came from, and with that all
// of this browser; with all=1 those of every browser.
func (g *Gate) leave(w http.ResponseWriter, r *http.Request, v Visit, name cookieName) error {
	if g.crossed(r) {
		return errOrigin
	}
	if s := g.session(r, v, name); s != nil {
		end := g.config.People.End
		id := cmp.Or(s.Parent, s.ID)
		if r.URL.Query().Get("all") == "1" {
			end, id = g.config.People.EndOf, s.Person.ID
		}
		if err := end(r.Context(), id); err != nil {
			return err
		}
		g.config.Note(r.Context(), Event{Actor: "person:" + s.Person.ID, Action: "sign out", Target: v.Host, Outcome: "ok", Address: v.address()})
	}
	setCookie(w, v.Secure, name, "", 0)
	if wantsPage(r) {
		redirect(w, Target(r.URL.Query().Get("to")))
		return nil
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// tell says who is signed in, for pages that have no code of their own.
func (g *Gate) tell(p *Policy, w http.ResponseWriter, r *http.Request, v Visit) error {
	type user struct {
		ID    string `json:"id"`
		Email string `json:"email,omitempty"`
		Name  string `json:"name,omitempty"`
	}
	answer := struct {
		User *user `json:"user"`
	}{}
	if s := g.Session(p, r, v); s != nil {
		answer.User = &user{s.Person.ID, s.Person.Email, s.Person.Name}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	return json.NewEncoder(w).Encode(answer)
}

// agent is a browser's name for itself, as it is listed with a session; how long it
// may be is for who keeps it.
func agent(r *http.Request) string {
	return strings.Map(func(c rune) rune {
		if c < 0x20 || c == 0x7f {
			return -1
		}
		return c
	}, r.UserAgent())
}
