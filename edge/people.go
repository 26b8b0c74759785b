package edge

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fazt-sh/fazt/edge/gate"
	"github.com/fazt-sh/fazt/edge/gate/provider"
	"github.com/fazt-sh/fazt/edge/limit"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
	"github.com/fazt-sh/fazt/platform/mail"
	"github.com/fazt-sh/fazt/platform/secret"
	"github.com/fazt-sh/fazt/spec"
	"github.com/fazt-sh/fazt/spec/access"
)

// people is what a snapshot says of people: how they sign in, and who may see
// what.
type people struct {
	policy *gate.Policy // of signing in
	rules  *access.Rules
	nobody *access.View

	mu    sync.RWMutex
	views map[viewer]*access.View // guarded by mu
}

// viewer is whom a view is of: a person, or a token of theirs. Both are ids.
type viewer struct{ person, token string }

// mostViews is for how many people it is remembered what they may do. They are
// thrown away together, as nobody is worth a list of who came last.
const mostViews = 10_000

func newPeople(policy *gate.Policy, rules *access.Rules) *people {
	return &people{policy: policy, rules: rules, nobody: rules.View(access.Who{}), views: map[viewer]*access.View{}}
}

// view is what somebody may do.
func (p *people) view(who *identity.Person, roles func(email string) []string) *access.View {
	return p.viewBy(who, nil, roles)
}

// viewBy is what somebody may do who asks by a token, or without one. Where roles are
// given at each sign-in, in development, it is not remembered.
func (p *people) viewBy(who *identity.Person, token *identity.Token, roles func(email string) []string) *access.View {
	of, w := viewer{person: who.ID}, access.Who{Email: who.Email, SignedIn: true}
	if token != nil {
		of.token, w.Scopes = token.ID, token.Scopes
	}
	p.mu.RLock()
	v := p.views[of]
	p.mu.RUnlock()
	if v != nil && v.Email() == who.Email {
		return v
	}
	if roles != nil {
		w.Roles = roles(who.Email)
		return p.rules.View(w)
	}
	v = p.rules.View(w)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.views) >= mostViews {
		clear(p.views)
	}
	p.views[of] = v
	return v
}

// person is somebody who is signed in, as apps may know them. It implements
// script.Person.
type person struct {
	session *identity.Session
	view    *access.View
	snap    *snapshot
	now     time.Time
}

// Auth implements script.Person.
func (p *person) Auth(app string) string {
	type user struct {
		ID     string   `json:"id"`
		Email  string   `json:"email,omitempty"`
		Name   string   `json:"name,omitempty"`
		Roles  []string `json:"roles"`
		Groups []string `json:"groups"`
	}
	type grant struct {
		Actions []string `json:"actions"`
		On      []string `json:"on"`
		Until   int64    `json:"until,omitempty"`
	}
	addr := p.snap.addrOf(app)
	who := p.session.Person
	known := struct {
		App    spec.Addr `json:"app"`
		User   user      `json:"user"`
		Owner  bool      `json:"owner"`
		Grants []grant   `json:"grants"`
	}{addr, user{who.ID, who.Email, who.Name, append([]string{}, p.view.Roles()...), append([]string{}, p.view.Groups()...)}, p.view.Owner(), []grant{}}
	for _, g := range p.view.Grants(addr) {
		made := grant{Actions: g.Actions, On: g.On}
		if end := access.Ends(g); !end.IsZero() {
			if !p.now.Before(end) {
				continue // the clock of code believes whoever sets the machine's
			}
			made.Until = end.UnixMilli()
		}
		known.Grants = append(known.Grants, made)
	}
	text, err := json.Marshal(known)
	if err != nil {
		return ""
	}
	return string(text)
}

// Can implements script.Person. A grant has ended where either clock says so: the
// node's when the request came, or the machine's now.
func (p *person) Can(action, resource string) bool {
	now := time.Now()
	if now.Before(p.now) {
		now = p.now
	}
	return p.view.Can(action, resource, now)
}

// addrOf is the address of the app with a name.
func (n *snapshot) addrOf(name string) spec.Addr {
	if made := n.sites[spec.Addr("app."+name)]; made != nil && made.name == name {
		return made.addr
	}
	for addr, made := range n.sites {
		if made.name == name {
			return addr
		}
	}
	return ""
}

// recognise finds out who sent a request, once, and what they may do: nil for
// somebody nobody knows.
func (s *Server) recognise(x *exchange, r *http.Request) *access.View {
	if x.asked || s.config.Gate == nil {
		return x.view
	}
	x.asked = true
	if x.session = s.config.Gate.Session(x.snap.people.policy, r, x.visit(r)); x.session != nil {
		x.view = x.snap.people.view(x.session.Person, s.config.Roles)
	}
	return x.view
}

// visit is a request as the gate must know it.
func (x *exchange) visit(r *http.Request) gate.Visit {
	return gate.Visit{Host: x.snap.table.name(r.Host, x.site), Secure: clientScheme(r, x.snap.trusted) == "https", Client: x.client}
}

var errForbidden = fault.New(fault.Forbidden, "the rules of this site let nobody in")

// pass lets through who may see an app's path. A stranger is led to the sign-in.
func (s *Server) pass(x *exchange, r *http.Request) (done bool, err error) {
	known := x.snap.people
	before := known.rules.Gate(x.site.addr)
	path := r.URL.Path
	if before == nil || strings.HasPrefix(path, prefixAuth) || strings.HasPrefix(path, prefixFazt) {
		return false, nil // signed addresses are a right of their own
	}
	write, now := writes(r.Method), s.config.Now()
	if known.nobody.Pass(before, path, write, now) {
		return false, nil
	}
	x.guarded = true
	view := s.recognise(x, r)
	switch {
	case view != nil && view.Pass(before, path, write, now):
		return false, nil
	case s.config.Gate == nil:
		return true, errForbidden
	case view != nil:
		return true, s.config.Gate.Forbid(x, r, x.session.Person)
	default:
		return true, s.config.Gate.Refuse(known.policy, x, r, x.visit(r))
	}
}

// writes tells whether a request may change something (RFC 9110, 9.2.1).
func writes(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}

// signIn answers below /auth/ on the host of an app.
func (s *Server) signIn(x *exchange, r *http.Request) error {
	if s.config.Gate == nil {
		return errNothing
	}
	return s.config.Gate.App(x.snap.people.policy, x, r, x.visit(r))
}

// console answers at the host where people sign in.
func (s *Server) console(x *exchange, r *http.Request) error {
	return s.config.Gate.Console(x.snap.people.policy, x, r, x.visit(r))
}

// addConsole gives the node a host of its own, where the configuration has people
// in it and no app has the host.
func (s *Server) addConsole(n *snapshot) {
	host := n.people.policy.Console
	if host == "" || s.config.Gate == nil {
		return
	}
	nothing := refuse(errNothing)
	made := &site{name: "console", revision: n.header, policy: limit.Policy{Body: consoleBody}, routes: []route{
		{prefix: prefixACME, handler: nothing}, {prefix: prefixFazt, handler: nothing}, {prefix: "/", handler: answer(s.console)}}}
	if s.config.API != nil {
		made.api = true
		made.routes = append(made.routes, route{prefix: prefixAPI, handler: answer(s.api)})
		orderRoutes(made.routes)
	}
	n.table.claim(host, made)
}

// readPeople makes what the snapshot says of people of the objects it serves: an app
// that stays on its last good release keeps the gate of that.
func (p *passing) readPeople() {
	n, s := p.next, p.server
	rules, login := access.Compile(n.objects), loginOf(n.objects)
	n.mail = s.mailOf(n.objects, p.secrets)
	policy := s.policy(n.objects, p.secrets, rules, login)
	if n.mail != nil && login.Email != spec.LoginOff {
		policy.Mail, policy.Link, policy.Code = s.config.Mail, login.Email != spec.LoginCode, login.Email != spec.LoginLink
	}
	n.people = newPeople(policy, rules)
	policy.May = n.people.may(s)
	if known := n.people; len(login.SecondFactor) > 0 {
		policy.Factor = func(who *identity.Person) bool { return known.view(who, s.config.Roles).HasRole(login.SecondFactor) }
	}
}

// may tells whether somebody may do something on the node.
func (p *people) may(s *Server) func(who *identity.Person, action string) bool {
	return func(who *identity.Person, action string) bool {
		return p.view(who, s.config.Roles).Can(action, access.Node, s.config.Now())
	}
}

// loginOf is the login block with the values that hold.
func loginOf(objects []spec.Object) spec.Login {
	var declared spec.Login
	for i := range objects {
		if objects[i].Kind == spec.KindLogin && json.Unmarshal(objects[i].Spec, &declared) == nil {
			break
		}
	}
	return declared.Filled()
}

// mailOf is how mail is sent, nil where it is not.
func (s *Server) mailOf(objects []spec.Object, secrets map[string]spec.Object) *mail.Config {
	i := slices.IndexFunc(objects, func(o spec.Object) bool { return o.Kind == spec.KindMail })
	if i < 0 || s.config.Mail == nil {
		return nil
	}
	var declared spec.Mail
	err := json.Unmarshal(objects[i].Spec, &declared)
	var password secret.Value
	if err == nil {
		password, err = opener{identity: s.config.Secrets, secrets: secrets}.value(declared.Password)
	}
	if err != nil {
		s.log.Warn("no mail is sent", "component", "edge", "object", objects[i].Addr, "error", err)
		return nil
	}
	return &mail.Config{From: declared.From, SMTP: declared.SMTP, User: declared.User, Password: password.Reveal, Daily: declared.Filled().Daily}
}

// policy is what objects say of signing in.
func (s *Server) policy(objects []spec.Object, secrets map[string]spec.Object, rules *access.Rules, login spec.Login) *gate.Policy {
	p := &gate.Policy{Console: spec.ConsoleHost(objects), Idle: millis(login.IdleMS), Absolute: millis(login.AbsoluteMS), Passkeys: !login.NoPasskeys,
		Signup: signupOf(login.Signup, rules), Invited: login.Signup == spec.SignupInvited, Ways: slices.Clone(s.config.Ways)}
	open := opener{identity: s.config.Secrets, secrets: secrets}
	for i := range objects {
		o := &objects[i]
		if o.Kind != spec.KindOAuth {
			continue
		}
		way, err := wayOf(o, open)
		if err != nil {
			s.log.Warn("nobody can sign in by this provider", "component", "edge", "object", o.Addr, "error", err)
			continue
		}
		p.Ways = append(p.Ways, way)
	}
	if s.config.Dev && p.Console == "" {
		p.Console = devConsole
	}
	p.Workloads = s.workloads(objects, p.Console)
	return p
}

// signupOf is who may come in for the first time. Whom a role or a group names always
// may; an address that nobody proved names nobody.
func signupOf(who string, rules *access.Rules) func(ctx context.Context, email string) bool {
	return func(_ context.Context, email string) bool {
		if who == spec.SignupAnyone {
			return true
		}
		if email == "" {
			return false
		}
		v := rules.View(access.Who{Email: email, SignedIn: true})
		return v.Owner() || len(v.Roles())+len(v.Groups()) > 0
	}
}

// devConsole is where people sign in in development, also where nothing is said of
// them.
const devConsole = "fazt." + devDomain

// wayOf is a declared provider as the gate needs it.
func wayOf(o *spec.Object, open opener) (gate.Way, error) {
	var declared spec.OAuth
	if err := json.Unmarshal(o.Spec, &declared); err != nil {
		return gate.Way{}, fault.Wrap(fault.Invalid, err, "the canonical form of %q cannot be read", o.Addr)
	}
	secret, err := open.value(declared.ClientSecret)
	if err != nil {
		return gate.Way{}, err
	}
	return gate.Way{Name: o.Name, Label: declared.Filled().Label, Domains: declared.AllowDomains,
		Provider: provider.New(provider.Config{Name: declared.Provider, Issuer: declared.Issuer, ClientID: declared.ClientID, Secret: secret.Reveal,
			Tenant: declared.Tenant, Scopes: declared.Scopes})}, nil
}
