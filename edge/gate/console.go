package gate

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
)

// Console answers every path of the console host.
func (g *Gate) Console(p *Policy, w http.ResponseWriter, r *http.Request, v Visit) error {
	if err := g.console(p, w, r, v); err != nil {
		return g.explain(w, r, err)
	}
	return nil
}

func (g *Gate) console(p *Policy, w http.ResponseWriter, r *http.Request, v Visit) error {
	w.Header().Set("Cache-Control", "no-store")
	if !v.Secure && !g.config.Plain {
		return errPlain
	}
	if g.crossed(r) {
		return errOrigin
	}
	untwice(w, r, v.Secure, consoleCookie)
	switch r.Method + " " + r.URL.Path {
	case "GET /", "HEAD /":
		return g.account(p, w, r, v)
	case "GET /auth/login", "HEAD /auth/login":
		return g.welcome(p, w, r, v)
	case "GET /auth/invite":
		return g.invited(w, r)
	case "GET /auth/script.js":
		return script(w)
	case "GET /auth/style.css":
		return style(w)
	case "GET /auth/passkey.js":
		return file(w, "page/passkey.js", "text/javascript; charset=utf-8")
	case "POST /auth/logout":
		return g.leave(w, r, v, consoleCookie)
	case "POST /auth/session/end":
		return g.endSession(p, w, r, v)
	case "POST /auth/mail":
		return g.sendCode(p, w, r, v)
	case "POST /auth/code":
		return g.takeCode(p, w, r, v)
	case "GET /auth/link":
		return g.showLink(w, r)
	case "POST /auth/link":
		return g.takeLink(p, w, r, v)
	case "GET /auth/factor":
		return g.askFactor(p, w, r, v)
	case "POST /auth/factor":
		return g.takeFactor(p, w, r, v)
	case "POST /auth/factor/new":
		return g.newFactor(p, w, r, v)
	case "POST /auth/token/revoke":
		return g.revokeToken(p, w, r, v)
	case "POST /auth/device":
		return g.startDevice(w, r, v)
	case "POST /auth/device/token":
		return g.pollDevice(w, r)
	case "GET /auth/device":
		return g.showDevice(p, w, r, v)
	case "POST /auth/device/answer":
		return g.answerDevice(p, w, r, v)
	}
	if way, ok := strings.CutPrefix(r.URL.Path, "/auth/start/"); ok && r.Method == http.MethodGet {
		return g.toProvider(p, w, r, v, way)
	}
	if way, ok := strings.CutPrefix(r.URL.Path, "/auth/callback/"); ok && r.Method == http.MethodGet {
		return g.fromProvider(p, w, r, v, way)
	}
	if step, ok := strings.CutPrefix(r.URL.Path, "/auth/passkey/"); ok && r.Method == http.MethodPost {
		return g.passkeys(p, w, r, v, step)
	}
	if g.config.Page != nil {
		if known, err := g.config.Page(g, w, r); known || err != nil {
			return err
		}
	}
	return errNothing
}

var errPlain = fault.New(fault.Forbidden, "people sign in over https alone")

// welcome shows how to sign in, or sends somebody on who has.
func (g *Gate) welcome(p *Policy, w http.ResponseWriter, r *http.Request, v Visit) error {
	sealed := r.URL.Query().Get("a")
	j, err := g.journeyOf(sealed)
	if err != nil {
		return err
	}
	if s := g.session(r, v, consoleCookie); s != nil {
		return g.proceed(p, w, r, v, sealed, s)
	}
	binding(w, r, v.Secure)
	return g.page(w, r, http.StatusOK, "welcome", map[string]any{
		"Title": "Sign in", "Host": j.Host, "Invited": j.Invite != "", "Ways": p.Ways, "Journey": sealed, "Mail": p.Mail != nil, "Passkeys": p.Passkeys,
	})
}

// journeyOf reads a journey; none is one to the console itself.
func (g *Gate) journeyOf(sealed string) (j journey, err error) {
	if sealed == "" {
		return journey{To: "/"}, nil
	}
	return j, g.unseal(kindJourney, sealed, &j)
}

// proceed sends somebody who is signed in at the console back to where they came
// from.
func (g *Gate) proceed(p *Policy, w http.ResponseWriter, r *http.Request, v Visit, sealed string, s *identity.Session) error {
	to, err := g.next(p, r, v, sealed, s)
	if err != nil {
		return err
	}
	return g.Onward(w, r, to)
}

// next is where that is: the one place that hands out what an app's host changes for a
// session of its own.
func (g *Gate) next(p *Policy, r *http.Request, v Visit, sealed string, s *identity.Session) (to string, err error) {
	j, err := g.journeyOf(sealed)
	if err != nil {
		return "", err
	}
	if p.wants(s) {
		return Prefix + "factor?a=" + sealed, nil
	}
	if j.Host == "" {
		return j.To, nil
	}
	code, err := g.seal(kindCode, codeAge, transfer{ID: rand.Text(), Host: j.Host, To: j.To, Bind: j.Bind, Session: s.ID, Person: s.Person.ID})
	if err != nil {
		return "", err
	}
	return v.origin(j.Host, r) + Prefix + "done?code=" + code, nil
}

// admit begins a session of the console for somebody who has shown who they are,
// and sends them on.
func (g *Gate) admit(p *Policy, w http.ResponseWriter, r *http.Request, v Visit, sealed, by string, claim identity.Claim) error {
	person, err := g.recognise(r, p, sealed, claim)
	g.config.Note(r.Context(), Event{Actor: actorOf(person), Action: "sign in", Target: by, Outcome: outcome(err), Address: v.address()})
	if err != nil {
		return err
	}
	s, err := g.enter(p, w, r, v, by, person)
	if err != nil {
		return err
	}
	return g.proceed(p, w, r, v, sealed, s)
}

// enter begins the session. One that the browser had ends: nobody brings one along.
func (g *Gate) enter(p *Policy, w http.ResponseWriter, r *http.Request, v Visit, by string, person identity.Person) (*identity.Session, error) {
	if old := g.session(r, v, consoleCookie); old != nil {
		if err := g.config.People.End(r.Context(), old.ID); err != nil {
			return nil, err
		}
	}
	token, s, err := g.config.People.Begin(r.Context(), identity.New{Person: person.ID, Audience: v.Host, Agent: agent(r), Address: v.address(), Idle: p.Idle, Absolute: p.Absolute, Factors: []string{by}})
	if err != nil {
		return nil, err
	}
	setCookie(w, v.Secure, consoleCookie, token, s.Ends.Sub(g.config.Now()))
	return &s, nil
}

func actorOf(p identity.Person) string {
	if p.ID == "" {
		return "anonymous"
	}
	return "person:" + p.ID
}

func outcome(err error) string {
	if err == nil {
		return "ok"
	}
	return string(fault.KindOf(err))
}

// account is the page about oneself: where one is signed in.
func (g *Gate) account(p *Policy, w http.ResponseWriter, r *http.Request, v Visit) error {
	s := g.whole(p, r, v, consoleCookie)
	if s == nil {
		redirect(w, Prefix+"login") // that asks for what is missing
		return nil
	}
	list, err := g.config.People.Sessions(r.Context(), s.Person.ID)
	if err != nil {
		return err
	}
	type row struct {
		ID, Host, Agent, Browser, Address, Seen string
		Here                                    bool
	}
	var rows []row
	for _, one := range list {
		rows = append(rows, row{one.ID, one.Audience, one.Agent, browserOf(one.Agent), one.Address, one.Seen.UTC().Format(time.DateTime + " UTC"), one.ID == s.ID || one.Parent == s.ID})
	}
	keys, err := g.config.People.Passkeys(r.Context(), s.Person.ID)
	if err != nil {
		return err
	}
	type keyRow struct{ ID, Name, Made string }
	var passkeys []keyRow
	for _, k := range keys {
		passkeys = append(passkeys, keyRow{base64.RawURLEncoding.EncodeToString(k.ID), k.Name, k.Created.UTC().Format(time.DateOnly)})
	}
	tokens, err := g.tokensOf(r, s)
	if err != nil {
		return err
	}
	return g.page(w, r, http.StatusOK, "account", map[string]any{"Title": "Your account", "Person": s.Person, "Sessions": rows, "Passkeys": p.Passkeys, "Keys": passkeys,
		"Tokens": tokens, "Programs": len(g.config.Scopes) > 0})
}

// browserOf is what a person calls a browser by its name for itself, in which the
// first that fits is the one; a name that is nobody's stays as it is.
func browserOf(agent string) string {
	browser, system := "", ""
	for _, known := range [][2]string{{"Edg", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"Chrome/", "Chrome"}, {"CriOS/", "Chrome"}, {"Safari/", "Safari"}} {
		if browser == "" && strings.Contains(agent, known[0]) {
			browser = known[1]
		}
	}
	for _, known := range [][2]string{{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"Linux", "Linux"}} {
		if system == "" && strings.Contains(agent, known[0]) {
			system = known[1]
		}
	}
	if browser == "" || system == "" {
		return agent
	}
	return browser + " on " + system
}

// endSession ends one of the person's own sessions.
func (g *Gate) endSession(p *Policy, w http.ResponseWriter, r *http.Request, v Visit) error {
	s := g.whole(p, r, v, consoleCookie)
	if s == nil {
		return errUnknown
	}
	id := r.PostFormValue("id")
	list, err := g.config.People.Sessions(r.Context(), s.Person.ID)
	if err != nil {
		return err
	}
	for _, one := range list {
		if one.ID == id {
			if err := g.config.People.End(r.Context(), id); err != nil {
				return err
			}
			g.config.Note(r.Context(), Event{Actor: "person:" + s.Person.ID, Action: "session end", Target: one.Audience, Outcome: "ok", Address: v.address()})
			redirect(w, "/")
			return nil
		}
	}
	return fault.New(fault.NotFound, "there is no such session of yours")
}
