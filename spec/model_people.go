package spec

import "strconv"

// The kinds of objects about people.
const (
	KindOAuth Kind = "oauth"
	KindMail  Kind = "mail"
	KindLogin Kind = "login"
	KindGroup Kind = "group"
	KindRole  Kind = "role"

	KindWorkload Kind = "workload"
)

// OAuth is the canonical form of an oauth block: somebody who vouches for
// people. What is at the provider's default is left out; Filled gives the values
// that hold.
type OAuth struct {
	Provider     string   `json:"provider"` // the label: google, github, microsoft, or a name of the author's
	Issuer       string   `json:"issuer,omitempty"`
	ClientID     string   `json:"client_id"`
	ClientSecret EnvValue `json:"client_secret"`           // a secret, or a text where the provider wants none kept
	Tenant       string   `json:"tenant,omitempty"`        // microsoft alone; empty: common
	AllowDomains []string `json:"allow_domains,omitempty"` // of verified e-mail addresses, sorted; empty: all
	Scopes       []string `json:"scopes,omitempty"`        // besides openid, email, profile; sorted
	Label        string   `json:"label,omitempty"`         // of the button; empty: the provider's name
}

// Mail is the canonical form of the mail block: how the node sends mail.
type Mail struct {
	From     string   `json:"from"` // an address, with or without a name
	SMTP     string   `json:"smtp"` // smtp://HOST:PORT (STARTTLS) or smtps://HOST:PORT
	User     string   `json:"user,omitempty"`
	Password EnvValue `json:"password,omitzero"`
	Daily    int      `json:"daily,omitempty"` // messages a day; zero: DefaultMailDaily
}

// Login is the canonical form of the login block: how people sign in, and for
// how long.
type Login struct {
	Email        string   `json:"email,omitempty"`         // LoginLink, LoginCode, LoginOff; empty: link and code, where there is a mail block
	NoPasskeys   bool     `json:"no_passkeys,omitempty"`   // passkeys = false
	Signup       string   `json:"signup,omitempty"`        // SignupMembers, SignupInvited; empty: anyone whom a provider vouches for
	IdleMS       int64    `json:"idle_ms,omitempty"`       // a session that is not used for as long ends; zero: 12 h
	AbsoluteMS   int64    `json:"absolute_ms,omitempty"`   // and any after as long; zero: 7 days
	SecondFactor []string `json:"second_factor,omitempty"` // roles ("role:owner") that must give one, sorted
}

// How people sign in by mail, and who may become one.
const (
	LoginLink     = "link"
	LoginCode     = "code"
	LoginOff      = "off"
	SignupAnyone  = "anyone"
	SignupMembers = "members" // those whom a role or a group names
	SignupInvited = "invited" // those, and whom somebody invited
)

// Group is the canonical form of a group block.
type Group struct {
	Members []string `json:"members"` // subjects, sorted: see Subject
}

// Role is the canonical form of a role block. The role owner may do everything.
type Role struct {
	Members []string `json:"members,omitempty"` // subjects, sorted
	Grants  []Grant  `json:"grant,omitempty"`   // in declared order
}

// Grant lets a role do something.
type Grant struct {
	Actions []string `json:"actions"`         // sorted: "read", "write" pass the gate; others are of the node, or an app's own
	On      []string `json:"on"`              // sorted resources: "node", "app.notes", "app.notes/admin/*", "app.notes.docs.PAGES"
	Until   string   `json:"until,omitempty"` // RFC 3339 in UTC: from then on it is none; a date alone means its end
}

// Access says who may pass an app's gate on some of its paths. Of several, the
// first whose path matches decides; where there are some and none matches,
// nobody passes but the owner and whom a grant lets.
type Access struct {
	Path  string   `json:"path,omitempty"` // "/path" or "/path/*"; empty: all
	Allow []string `json:"allow"`          // subjects, sorted
}

// Subjects are texts: "ana@example.com" (a verified address, lower case),
// "group:design", "role:editor", "domain:example.com", and in Access also
// SubjectAnyone and SubjectSignedIn.
const (
	SubjectAnyone   = "anyone"
	SubjectSignedIn = "signed-in"
	RoleOwner       = "owner"
)

// Rule guards a store of documents where people reach it themselves, one for
// each of read, create, update, delete; without one nobody does.
type Rule struct {
	Name string `json:"name"` // read, create, update, delete
	When *Expr  `json:"when"` // over user and doc
}

// Expr is an expression as plain data: one of its fields is set.
type Expr struct {
	Value   *Literal `json:"value,omitempty"`
	Path    []string `json:"path,omitempty"` // user.email, doc.team
	Call    string   `json:"call,omitempty"` // contains, lower, can, length …
	Op      string   `json:"op,omitempty"`   // and, or, not, ==, !=, <, <=, >, >=
	Operand []*Expr  `json:"args,omitempty"` // of Call and Op
}

// Literal is a constant: a text, a number, true, false, null or a list.
type Literal struct {
	Any any `json:"any"`
}

// Persona is somebody whom `fazt dev` signs in with one click. It is never a part
// of a plan.
type Persona struct {
	Name  string `json:"name"`
	Email string `json:"email"`
	Shown string `json:"shown,omitempty"` // full name
	Role  string `json:"role,omitempty"`
}

// NthBlock is the name under which Object.At has the place of the nth block of a
// kind, counted from 0.
func NthBlock(kind string, n int) string { return kind + "." + strconv.Itoa(n) }
