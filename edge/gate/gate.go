// Package gate lets people sign in at the edge and tells who a visitor is. It has
// the pages and paths below /auth/: on the hosts of apps, where a journey begins
// and ends, and on the console host, where people sign in once for all apps. What
// a browser carries between the steps is sealed, bound to that browser and spent
// once; sessions are platform/identity's, one for each host, so that no app can
// use another's. It refuses to know what an app is and who may see what: the edge
// decides that with the person it is told.
//
// The way of a sign-in:
//
//	APP/any        → APP/auth/login       a page that keeps the fragment
//	               → APP/auth/start       binds the journey to this browser
//	               → CONSOLE/auth/login   how to sign in; or straight on
//	               → the provider, a mail, a key
//	               → CONSOLE/auth/…       session of the console
//	               → APP/auth/done        session of the app, a child of that
//	               → APP/any              path, query and fragment as they were
package gate

import (
	"cmp"
	"context"
	"html/template"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/edge/gate/provider"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
)

// Prefix is where the gate's paths begin, on every host.
const Prefix = "/auth/"

// Config is what a Gate stands on. People is required.
type Config struct {
	People *identity.Directory
	Log    *slog.Logger     // nil discards
	Now    func() time.Time // nil is the machine's clock
	// Plain lets sessions live over plain HTTP, under names that mean nothing
	// elsewhere: for developers at their own machine.
	Plain bool
	// Page answers paths of the console host that the gate does not know, if it
	// does: pages of the development provider.
	Page func(g *Gate, w http.ResponseWriter, r *http.Request) (known bool, err error)
	// Scopes are what programs may ask to be let in for, with what each lets them do.
	// Without any, none is let in.
	Scopes map[string]string
	// Note is told of each sign-in, sign-out and refusal, for the record.
	Note func(ctx context.Context, e Event)
}

// Event is something about people that a record should have.
type Event struct {
	Actor   string // "person:ID", or "anonymous"
	Action  string // sign in, sign out, …
	Target  string // how: the name of a provider, mail, a host
	Outcome string // ok, or the kind of what went wrong
	Address string // of the visitor
}

// Gate signs people in. It is safe for several goroutines.
type Gate struct {
	config  Config
	origins *http.CrossOriginProtection
	pages   map[string]*template.Template // by name
}

// New returns a gate.
func New(c Config) *Gate {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Note == nil {
		c.Note = func(context.Context, Event) {}
	}
	return &Gate{config: c, origins: http.NewCrossOriginProtection(), pages: parsePages()}
}

// Policy is what a revision says of signing in. It is immutable.
type Policy struct {
	Console  string // the console's host; empty: nobody signs in
	Ways     []Way  // providers, in the order of their names
	Mail     Mailer // nil: nobody signs in by mail
	Link     bool   // what is sent has a link
	Code     bool   // and a code to type
	Passkeys bool   // devices may sign in
	Idle     time.Duration
	Absolute time.Duration
	// Factor tells whether somebody must give a second factor; nil: nobody.
	Factor    func(who *identity.Person) bool
	Workloads []Workload // by name
	// May tells whether somebody may do on the node what a scope is for; nil: nobody.
	May    func(who *identity.Person, scope string) bool
	Signup func(ctx context.Context, email string) bool // whether a stranger with a verified address may come in; empty: without one
	// Invited lets those in too who have an invitation.
	Invited bool
}

// Way is a provider by which people sign in.
type Way struct {
	Name     string // in paths
	Label    string // on the button
	Provider provider.Client
	Domains  []string // of verified addresses that are let in; empty: all
}

// Mailer sends a mail to one person, if it can before a time.
type Mailer interface {
	Send(ctx context.Context, to, subject, text string, until time.Time) error
}

// way finds a provider by its name.
func (p *Policy) way(name string) (Way, bool) {
	for _, w := range p.Ways {
		if w.Name == name {
			return w, true
		}
	}
	return Way{}, false
}

// Visit is what the edge has found out about a request.
type Visit struct {
	Host   string // canonical, without a port
	Secure bool   // TLS up to the visitor
	Client netip.Addr
}

// address is that of the visitor, as it is listed.
func (v Visit) address() string {
	if !v.Client.IsValid() {
		return ""
	}
	return v.Client.String()
}

// origin is a host as this visitor reaches it: by the scheme and port of the
// request, so that a node behind a proxy or at a developer's port is one too.
func (v Visit) origin(host string, r *http.Request) string {
	scheme := "http://"
	if v.Secure {
		scheme = "https://"
	}
	if i := strings.LastIndexByte(r.Host, ':'); i > strings.LastIndexByte(r.Host, ']') {
		host += r.Host[i:]
	}
	return scheme + host
}

// Session is who sent a request to a host, nil where nobody is signed in there as
// the policy asks for it. What a page of another origin sends to change something, it
// sends for itself and not for whoever looks at it. Of a session that the gate knows
// already it costs no allocation and no query.
func (g *Gate) Session(p *Policy, r *http.Request, v Visit) *identity.Session {
	if g.foreign(r) {
		return nil
	}
	return g.whole(p, r, v, appCookie)
}

// whole is a session that lacks no second factor. Without one nobody gets further
// than to give it: what an account has would give it for them.
func (g *Gate) whole(p *Policy, r *http.Request, v Visit, name cookieName) *identity.Session {
	if s := g.session(r, v, name); s != nil && !p.wants(s) {
		return s
	}
	return nil
}

func (g *Gate) session(r *http.Request, v Visit, name cookieName) *identity.Session {
	if !v.Secure && !g.config.Plain {
		return nil
	}
	token, _ := cookie(r, name.in(v.Secure))
	if token == "" {
		return nil
	}
	s, ok := g.config.People.Session(token, v.Host, g.config.Now())
	if !ok {
		return nil
	}
	return s
}

// Refuse answers somebody who is not known and wants what needs a name: a page
// leads to the sign-in, anything else is an error that says so.
func (g *Gate) Refuse(p *Policy, w http.ResponseWriter, r *http.Request, v Visit) error {
	if g.foreign(r) {
		return errOrigin
	}
	if p == nil || p.Console == "" || !v.Secure && !g.config.Plain || !navigates(r) {
		return errUnknown
	}
	w.Header().Set("Cache-Control", "no-store")
	untwice(w, r, v.Secure, appCookie)
	redirect(w, SignIn(r.URL.RequestURI()))
	return nil
}

// Forbid answers somebody who is known and may not see a page: they may be somebody
// else too. Anything but a page is an error that says so.
func (g *Gate) Forbid(w http.ResponseWriter, r *http.Request, who *identity.Person) error {
	if !navigates(r) {
		return errForbidden
	}
	return g.page(w, r, http.StatusForbidden, "forbidden", map[string]any{
		"Title": "Not allowed", "Who": cmp.Or(who.Email, who.Name, "somebody without a name"),
		"Leave": Prefix + "logout?to=" + escapeQuery(Target(r.URL.RequestURI())),
	})
}

// SignIn is the path at which somebody signs in to come back to a path of the
// same host.
func SignIn(to string) string { return Prefix + "login?to=" + escapeQuery(Target(to)) }

var (
	errUnknown   = fault.New(fault.Unauthenticated, "sign in to see this")
	errForbidden = fault.New(fault.Forbidden, "the rules of this site do not let this person in")
)

// navigates tells whether a browser goes to an address, rather than a script
// asking for it.
func navigates(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// redirect sends a browser on by GET (RFC 9700, 4.12: never 307).
func redirect(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}
