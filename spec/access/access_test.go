package access_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/spec"
	"github.com/fazt-sh/fazt/spec/access"
	"pgregory.net/rapid"
)

func object(t interface{ Fatal(...any) }, kind spec.Kind, name string, v any) spec.Object {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return spec.Object{Addr: spec.Addr(string(kind) + "." + name), Kind: kind, Name: name, Spec: text, Digest: string(text)}
}

func app(t interface{ Fatal(...any) }, name string, access ...spec.Access) spec.Object {
	return object(t, spec.KindApp, name, spec.App{Content: name, Access: access})
}

var noon = time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)

// house is a small company.
func house(t *testing.T) []spec.Object {
	return []spec.Object{
		object(t, spec.KindGroup, "design", spec.Group{Members: []string{"ana@example.com"}}),
		object(t, spec.KindGroup, "staff", spec.Group{Members: []string{"domain:example.com", "group:design"}}),
		object(t, spec.KindRole, "owner", spec.Role{Members: []string{"jo@example.com"}}),
		object(t, spec.KindRole, "editor", spec.Role{Members: []string{"group:staff"}, Grants: []spec.Grant{
			{Actions: []string{"read", "write"}, On: []string{"app.notes/drafts/*"}, Until: "2027-01-31"},
			{Actions: []string{"publish"}, On: []string{"app.notes.docs.PAGES"}},
		}}),
		object(t, spec.KindRole, "watcher", spec.Role{Members: []string{"op@other.test"}, Grants: []spec.Grant{
			{Actions: []string{"observe"}, On: []string{"node"}},
		}}),
		app(t, "notes", spec.Access{Path: "/public/*", Allow: []string{"anyone"}}, spec.Access{Path: "/drafts/*"},
			spec.Access{Path: "/me", Allow: []string{"signed-in"}}, spec.Access{Allow: []string{"role:editor"}}),
		app(t, "site"),
	}
}

func TestPass(t *testing.T) {
	rules := access.Compile(house(t))
	for _, c := range []struct {
		who   string
		path  string
		write bool
		at    time.Time
		want  bool
	}{
		{"", "/public/x", true, noon, true},
		{"", "/public", false, noon, true},
		{"", "/publicity", false, noon, false},
		{"", "/", false, noon, false},
		{"eve@other.test", "/me", false, noon, true},
		{"eve@other.test", "/me/x", false, noon, false},
		{"?", "/me", false, noon, true}, // known, with an address nobody verified
		{"?", "/", false, noon, false},
		{"ana@example.com", "/", true, noon, true},
		{"bo@example.com", "/", true, noon, true},
		{"bo@example.com.evil.test", "/", false, noon, false},
		{"bo@example.com", "/drafts/x", true, noon, true},
		{"bo@example.com", "/drafts/x", true, noon.AddDate(0, 0, 1), false}, // the grant's day is over
		{"jo@example.com", "/drafts/x", true, noon.AddDate(9, 0, 0), true},
		{"jo@other.test", "/drafts/x", false, noon, false},
	} {
		who := access.Who{SignedIn: c.who != "", Email: strings.Trim(c.who, "?")}
		v := rules.View(who)
		if got := v.Pass(rules.Gate("app.notes"), c.path, c.write, c.at); got != c.want {
			t.Errorf("%q at %s: %v, want %v", c.who, c.path, got, c.want)
		}
		if !v.Pass(rules.Gate("app.site"), c.path, c.write, c.at) {
			t.Errorf("%q was kept from a public app", c.who)
		}
		action := map[bool]string{true: "write", false: "read"}[c.write]
		d := rules.Explain(who, action, "app.notes"+c.path, c.at)
		if d.Allowed != c.want || len(d.Because) == 0 {
			t.Errorf("%q at %s is explained as %+v, want %v", c.who, c.path, d, c.want)
		}
	}
}

func TestCan(t *testing.T) {
	rules := access.Compile(house(t))
	for _, c := range []struct {
		email, action, on string
		scopes            []string
		want              bool
	}{
		{"op@other.test", "observe", "node", nil, true},
		{"op@other.test", "observe", "app.site", nil, true}, // the node is everything on it
		{"op@other.test", "deploy", "node", nil, false},
		{"op@other.test", "observe", "node", []string{"deploy"}, false},
		{"jo@example.com", "anything", "node", nil, true},
		{"jo@example.com", "anything", "node", []string{"observe"}, false}, // an owner's token is what it says
		{"ana@example.com", "publish", "app.notes.docs.PAGES", nil, true},
		{"ana@example.com", "publish", "app.notes.docs.PAGESX", nil, false},
		{"ana@example.com", "publish", "app.notes", nil, false},
		{"ana@example.com", "write", "app.notes/drafts/1", nil, true},
		{"ana@example.com", "write", "app.notes2/drafts/1", nil, false},
	} {
		v := rules.View(access.Who{SignedIn: true, Email: c.email, Scopes: c.scopes})
		if got := v.Can(c.action, c.on, noon); got != c.want {
			t.Errorf("%s %s on %s: %v, want %v", c.email, c.action, c.on, got, c.want)
		}
	}
}

// A gate that is asked again costs no memory: it is asked at each request.
func TestPassAllocatesNothing(t *testing.T) {
	rules := access.Compile(house(t))
	v, g := rules.View(access.Who{SignedIn: true, Email: "bo@example.com"}), rules.Gate("app.notes")
	if n := testing.AllocsPerRun(100, func() { v.Pass(g, "/drafts/x", true, noon) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestCompareText(t *testing.T) {
	before := house(t)
	after := house(t)
	after[0] = object(t, spec.KindGroup, "design", spec.Group{Members: []string{"ana@example.com", "max@other.test"}})
	after[2] = object(t, spec.KindRole, "owner", spec.Role{Members: []string{"op@other.test"}})
	after[5] = app(t, "notes", spec.Access{Path: "/public/*", Allow: []string{"signed-in"}}, spec.Access{Path: "/drafts/*"}, spec.Access{Allow: []string{"role:editor"}})
	var got []string
	for _, s := range access.Compare(before, after) {
		got = append(got, fmt.Sprint(s.Subject, " ", s.Gains, " ", s.Action, " ", s.On, " ", s.From, " ", s.Until))
	}
	want := `max@other.test true read app.notes  
max@other.test true write app.notes  
max@other.test true publish app.notes.docs.PAGES  
max@other.test true read app.notes/drafts/*  2027-02-01T00:00:00Z
max@other.test true write app.notes/drafts/*  2027-02-01T00:00:00Z
signed-in false read app.notes/me  
signed-in false write app.notes/me  
anyone false read app.notes/public/*  
anyone false write app.notes/public/*  
jo@example.com false everything node  
op@other.test true everything node  `
	if s := strings.Join(got, "\n"); s != want {
		t.Errorf("got\n%s\nwant\n%s", s, want)
	}
}

// What a comparison says is what the gate does: whoever may do more or less than
// before, at any path and time, is told of, and nobody else.
func TestCompareIsWhatTheGateDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, after := company(t, "before"), company(t, "after")
		was, is := access.Compile(before), access.Compile(after)
		shifts := access.Compare(before, after)
		for range 30 {
			email := rapid.SampledFrom([]string{"", "?", "a@x.test", "b@x.test", "c@y.test", "new@x.test", "new@z.test"}).Draw(t, "email")
			who := access.Who{SignedIn: email != "", Email: strings.Trim(email, "?")}
			path := rapid.SampledFrom([]string{"/", "/a", "/a/", "/a/b", "/a/b/c", "/a/bc", "/z"}).Draw(t, "path")
			write, now := rapid.Bool().Draw(t, "write"), days[rapid.IntRange(0, 3).Draw(t, "day")]
			a, b := was.View(who), is.View(who)
			old, young := a.Pass(was.Gate("app.one"), path, write, now), b.Pass(is.Gate("app.one"), path, write, now)
			told := tells(shifts, who, "app.one", path, write, now, was, is)
			if old != young && told == 0 {
				t.Fatalf("%q at %s (write %v, %v): %v became %v, and %v does not say so", email, path, write, now, old, young, shifts)
			}
			if told > 0 && old && !young || told < 0 && young && !old {
				t.Fatalf("%q at %s: %v became %v, and %v says the opposite", email, path, old, young, shifts)
			}
			if !access.Compile(before).View(who).Owner() {
				continue
			}
			if d := was.Explain(who, "read", "app.one"+path, now); d.Allowed != a.Pass(was.Gate("app.one"), path, false, now) {
				t.Fatalf("explained as %+v", d)
			}
		}
		if again := access.Compare(after, after); len(again) > 0 {
			t.Fatalf("nothing changed, and %v", again)
		}
	})
}

var days = []time.Time{noon.AddDate(-9, 0, 0), noon, noon.AddDate(0, 0, 1), noon.AddDate(9, 0, 0)}

// tells is what the shifts say of one request: 1 gains, -1 loses.
func tells(shifts []access.Shift, who access.Who, app, path string, write bool, now time.Time, rules ...*access.Rules) int {
	kinds := []string{"anyone"}
	if who.SignedIn {
		kinds = append(kinds, "signed-in")
	}
	if _, domain, ok := strings.Cut(who.Email, "@"); ok {
		kinds = append(kinds, "domain:"+domain, who.Email)
	}
	action := map[bool]string{true: "write", false: "read"}[write]
	for i := len(kinds) - 1; i >= 0; i-- { // who is named is told of by name, if differently
		for _, s := range shifts {
			if s.Subject != kinds[i] || s.From != "" && now.Before(at(s.From)) || s.Until != "" && !now.Before(at(s.Until)) {
				continue
			}
			if s.Action == access.Everything || s.Action == action && (s.On == cellOf(shifts, app, path) || s.On == access.Node && s.Gains) {
				return map[bool]int{true: 1, false: -1}[s.Gains]
			}
		}
	}
	return 0
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// patterns are all that companies use.
var patterns = []string{"/*", "/a", "/a/*", "/a/b/*"}

// cellOf is the narrowest pattern in use that a path falls under: all of a
// company's patterns are always in use by its app (see company).
func cellOf(_ []access.Shift, app, path string) string {
	switch {
	case path == "/a":
		return app + "/a"
	case path == "/a/b" || strings.HasPrefix(path, "/a/b/"):
		return app + "/a/b/*"
	case strings.HasPrefix(path, "/a/"):
		return app + "/a/*"
	default:
		return app
	}
}

// company draws people and an app with a block for each pattern.
func company(t *rapid.T, label string) []spec.Object {
	leaves := []string{"a@x.test", "b@x.test", "c@y.test", "domain:x.test", "domain:y.test"}
	some := func(of []string, what string) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(of), 0, 2, func(s string) string { return s }).Draw(t, label+what)
	}
	groups := append(leaves, "group:g", "group:h")
	list := []spec.Object{
		object(t, spec.KindGroup, "g", spec.Group{Members: some(leaves, "g")}),
		object(t, spec.KindGroup, "h", spec.Group{Members: some(append(leaves, "group:g"), "h")}),
		object(t, spec.KindRole, "r", spec.Role{Members: some(groups, "r"), Grants: []spec.Grant{{
			Actions: some([]string{"read", "write", "own"}, "actions"),
			On:      some([]string{"node", "app.one", "app.one/a/*", "app.one/a"}, "on"),
			Until:   rapid.SampledFrom([]string{"", "2027-01-31", "2020-01-01"}).Draw(t, label+"until"),
		}}}),
	}
	if rapid.IntRange(0, 3).Draw(t, label+"owned") == 0 {
		list = append(list, object(t, spec.KindRole, "owner", spec.Role{Members: some(groups, "owner")}))
	}
	var blocks []spec.Access
	for _, p := range rapid.Permutation(patterns).Draw(t, label+"order") {
		blocks = append(blocks, spec.Access{Path: p, Allow: some(append(groups, "role:r", "anyone", "signed-in"), "allow")})
	}
	if rapid.IntRange(0, 5).Draw(t, label+"public") == 0 {
		blocks = nil
	}
	return append(list, app(t, "one", blocks...))
}
