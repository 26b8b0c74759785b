package mock

import (
	"bytes"
	"html/template"
	"net/http"
	"net/mail"
	"net/url"
	"strings"

	"github.com/fazt-sh/fazt/edge/gate"
	"github.com/fazt-sh/fazt/platform/fault"
)

const loginPath = gate.Prefix + "dev/login"

// asCookie remembers who a program asked to be, until the provider is reached.
const asCookie = "fazt-dev-as"

// Page answers at the provider's path. Posted with ?as=NAME it signs in as that
// persona without a page, for programs; what comes after is the same for both.
func (p *Provider) Page(g *gate.Gate, w http.ResponseWriter, r *http.Request) (known bool, err error) {
	if r.URL.Path != loginPath {
		return false, nil
	}
	if !here(r) {
		return true, errElsewhere
	}
	q := r.URL.Query()
	switch {
	case r.Method == http.MethodPost && q.Get("as") != "":
		return true, p.startAs(w, r, q)
	case r.Method == http.MethodPost:
		return true, p.posted(g, w, r)
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		return true, p.show(g, w, r, q)
	}
	return true, errElsewhere
}

// startAs begins a sign-in on behalf of a program.
func (p *Provider) startAs(w http.ResponseWriter, r *http.Request, q url.Values) error {
	if _, err := p.persona(q.Get("as")); err != nil {
		return err
	}
	http.SetCookie(w, &http.Cookie{Name: asCookie, Value: url.QueryEscape(q.Get("as")), Path: loginPath, HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: 60})
	to := gate.Prefix + "start/" + Name
	if a := q.Get("a"); a != "" {
		to += "?a=" + url.QueryEscape(a)
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// persona finds somebody by the name in the configuration, or takes
// "address" and "address:role" as they are.
func (p *Provider) persona(as string) (Persona, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.personas {
		if one.Name == as {
			return one, nil
		}
	}
	email, role, _ := strings.Cut(as, ":")
	if !strings.Contains(email, "@") {
		return Persona{}, fault.New(fault.NotFound, "the configuration has no persona %q", as).
			WithHint("declare one: dev { user %q { email = … } }, or give an address: as=ana@example.com:editor", as)
	}
	return personaOf(email, "", role)
}

// personaOf is somebody as a form gives them.
func personaOf(email, shown, role string) (Persona, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	if a, err := mail.ParseAddress(email); err != nil || a.Address != email {
		return Persona{}, fault.New(fault.Invalid, "%q is no e-mail address", email)
	}
	return Persona{Email: email, Shown: strings.TrimSpace(shown), Role: strings.TrimSpace(role)}, nil
}

// show is the page to choose from, or what follows at once where a program chose.
func (p *Provider) show(g *gate.Gate, w http.ResponseWriter, r *http.Request, q url.Values) error {
	if c, err := r.Cookie(asCookie); err == nil {
		http.SetCookie(w, &http.Cookie{Name: asCookie, Path: loginPath, MaxAge: -1})
		as, _ := url.QueryUnescape(c.Value)
		who, err := p.persona(as)
		if err != nil {
			return err
		}
		http.Redirect(w, r, p.back(who, q.Get("state"), q.Get("challenge")), http.StatusSeeOther)
		return nil
	}
	p.mu.Lock()
	data := map[string]any{"State": q.Get("state"), "Challenge": q.Get("challenge"), "Personas": p.personas}
	p.mu.Unlock()
	var body bytes.Buffer
	if err := template.Must(template.New("").Parse(form)).Execute(&body, data); err != nil {
		return err
	}
	return g.Show(w, r, http.StatusOK, "Development sign-in", template.HTML(body.String()))
}

// posted takes what the page says, and leads on to the real callback.
func (p *Provider) posted(g *gate.Gate, w http.ResponseWriter, r *http.Request) error {
	var who Persona
	var err error
	if as := r.PostFormValue("as"); as != "" {
		who, err = p.persona(as)
	} else {
		who, err = personaOf(r.PostFormValue("email"), r.PostFormValue("name"), r.PostFormValue("role"))
	}
	if err != nil {
		return err
	}
	return g.Onward(w, r, p.back(who, r.PostFormValue("state"), r.PostFormValue("challenge")))
}

func (p *Provider) back(who Persona, state, challenge string) string {
	return gate.Prefix + "callback/" + Name + "?" + url.Values{"state": {state}, "code": {p.choose(who, challenge)}}.Encode()
}

const form = `<p class="bar">Development sign-in: no password is asked for. It exists on this machine alone.</p>
<h1>Who are you?</h1>
{{if .Personas}}<form method="post" class="personas">
<input type="hidden" name="state" value="{{.State}}"><input type="hidden" name="challenge" value="{{.Challenge}}">
{{range .Personas}}<button class="quiet" name="as" value="{{.Name}}"><strong>{{or .Shown .Name}}</strong> <span class="dim">{{.Email}}{{with .Role}}, {{.}}{{end}}</span></button>
{{end}}</form><p class="or">or</p>{{end}}
<form method="post">
<input type="hidden" name="state" value="{{.State}}"><input type="hidden" name="challenge" value="{{.Challenge}}">
<label for="email">E-mail address</label><input id="email" name="email" type="email" required value="you@example.com">
<label for="name">Name</label><input id="name" name="name" value="You">
<label for="role">Role</label><input id="role" name="role" placeholder="none, or owner, editor …">
<button>Sign in</button>
</form>`
