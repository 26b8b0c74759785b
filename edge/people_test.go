package edge_test

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/edge/gate"
	"github.com/fazt-sh/fazt/platform/identity"
	"github.com/fazt-sh/fazt/platform/sqlite"
	"github.com/fazt-sh/fazt/spec"
	"github.com/fazt-sh/fazt/spec/access"
)

// guarded is a server at whose gate somebody stands.
type guarded struct {
	*bench
	people *identity.Directory
	tokens map[string]string // by address: a session at one.example.com
}

func newGuarded(t testing.TB, emails ...string) *guarded {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "node.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	people, err := identity.Open(t.Context(), identity.Config{DB: db, Key: filepath.Join(t.TempDir(), identity.KeyFile), Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	g := &guarded{newBench(t, edge.Config{Gate: gate.New(gate.Config{People: people})}), people, map[string]string{}}
	for _, email := range emails {
		p, err := people.Recognise(t.Context(), identity.Claim{Issuer: "test", Subject: email, Email: email, Verified: true}, func(string) bool { return true })
		if err != nil {
			t.Fatal(err)
		}
		_, console, err := people.Begin(t.Context(), identity.New{Person: p.ID, Audience: "fazt.example.com", Idle: time.Hour, Absolute: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if g.tokens[email], _, err = people.Begin(t.Context(), identity.New{Person: p.ID, Parent: console.ID, Audience: "one.example.com", Idle: time.Hour, Absolute: time.Hour}); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

// as asks for a path of the app one on behalf of somebody; nobody is "".
func (g *guarded) as(email, method, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "https://one.example.com"+path, nil)
	r.Header.Set("Accept", "application/json")
	if email != "" {
		r.Header.Set("Cookie", "__Host-fazt-app="+g.tokens[email])
	}
	return g.send(r)
}

var pagesOfOne = files{"index.html": "front", "a.html": "a", "a/index.html": "in a", "a/b.html": "b", "a/b/c.html": "c"}

// TestTheGateIsTheRules holds for any people, groups, roles and access blocks: the
// edge lets through whom spec/access, and with it the plan, says it does, before and
// after a change.
func TestTheGateIsTheRules(t *testing.T) {
	emails := []string{"a@x.test", "b@x.test", "c@y.test"}
	g := newGuarded(t, emails...)
	rapid.Check(t, func(t *rapid.T) {
		for _, when := range []string{"before", "after"} {
			objects := drawCompany(t, g, when)
			g.publish("r1", objects...)
			rules := access.Compile(objects)
			for _, email := range append(emails, "") {
				view := rules.View(access.Who{Email: email, SignedIn: email != ""})
				for _, path := range []string{"/", "/a", "/a/", "/a/b", "/a/b/c", "/nothing"} {
					for _, method := range []string{"GET", "POST"} {
						passes := view.Pass(rules.Gate("app.one"), path, method == "POST", time.Now())
						status := g.as(email, method, path).Code
						if refused := status == 401 || status == 403; refused == passes {
							t.Fatalf("%s: %q %s %s is answered %d, and the rules say %v", when, email, method, path, status, passes)
						}
						if !passes && (status == 401) != (email == "") {
							t.Fatalf("%q is told %d", email, status)
						}
					}
				}
			}
		}
	})
}

func drawCompany(t *rapid.T, g *guarded, when string) []spec.Object {
	some := func(what string, of ...string) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(of), 0, 2, rapid.ID).Draw(t, when+" "+what)
	}
	subjects := []string{"a@x.test", "b@x.test", "domain:x.test", "group:g", "role:r", "anyone", "signed-in"}
	objects := []spec.Object{
		object(spec.KindGroup, "group.g", spec.Group{Members: some("group", subjects[:3]...)}),
		object(spec.KindRole, "role.r", spec.Role{Members: some("role", subjects[:4]...), Grants: []spec.Grant{{
			Actions: some("actions", "read", "write"), On: some("on", "node", "app.one", "app.one/a/*")}}}),
		object(spec.KindRole, "role.owner", spec.Role{Members: some("owner", subjects[:2]...)}),
	}
	var blocks []spec.Access
	for _, path := range some("paths", "", "/a", "/a/*", "/a/b") {
		blocks = append(blocks, spec.Access{Path: path, Allow: some("allow", subjects...)})
	}
	app := g.app("one", "r1", spec.App{Access: blocks}, pagesOfOne)
	limits := object(spec.KindLimits, "limits", spec.Limits{RequestsPerIP: spec.Rate{Rate: 1_000_000, Burst: 1_000_000}})
	return append([]spec.Object{app, limits}, objects...)
}

// TestAStrangerIsLedToTheSignIn with the page that they wanted.
func TestAStrangerIsLedToTheSignIn(t *testing.T) {
	g := newGuarded(t)
	edgeBlock := object(spec.KindEdge, "edge", spec.Edge{Domain: "example.com"})
	people := object(spec.KindRole, "role.owner", spec.Role{Members: []string{"jo@example.com"}})
	g.publish("r1", g.app("one", "r1", spec.App{Access: []spec.Access{{Allow: []string{"role:owner"}}}}, pagesOfOne), edgeBlock, people)
	w := g.get("https://one.example.com/a/b?x=1", "text/html")
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/auth/login?to=%2Fa%2Fb%3Fx%3D1" {
		t.Fatalf("%d %s", w.Code, w.Header().Get("Location"))
	}
	if w = g.get("https://one.example.com"+w.Header().Get("Location"), "text/html"); w.Code != 200 || !strings.Contains(w.Body.String(), "/auth/start?to=%2Fa%2Fb%3Fx%3D1") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w = g.get("https://fazt.example.com/auth/login", "text/html"); w.Code != 200 {
		t.Errorf("the console answers %d", w.Code)
	}
	if w = g.get("http://one.example.com/a", "text/html"); w.Code != 401 {
		t.Errorf("over plain HTTP: %d", w.Code)
	}
}

// TestWhatNotEverybodySeesIsInNoCache between the node and the person.
func TestWhatNotEverybodySeesIsInNoCache(t *testing.T) {
	g := newGuarded(t, "a@x.test")
	g.publish("r1", g.app("one", "r1", spec.App{
		Headers: []spec.Header{{Path: "/*", Set: map[string]string{"Cache-Control": "public, max-age=60"}}},
		Access:  []spec.Access{{Path: "/a", Allow: []string{"anyone"}}, {Allow: []string{"signed-in"}}},
	}, pagesOfOne))
	if got := g.as("a@x.test", "GET", "/").Header().Get("Cache-Control"); got != "private, no-cache" {
		t.Errorf("a guarded page: %q", got)
	}
	if got := g.as("a@x.test", "GET", "/a").Header().Get("Cache-Control"); got != "public, max-age=60" {
		t.Errorf("a public one: %q", got)
	}
}

// TestGrantsEndByTheNodesClock and not by what the machine's wall clock says, which
// somebody may set: for pages as for code.
func TestGrantsEndByTheNodesClock(t *testing.T) {
	end := time.Date(2040, 1, 2, 0, 0, 0, 0, time.UTC)
	now := end.Add(-time.Second)
	g := newGuarded(t, "a@x.test")
	g.bench = newBench(t, edge.Config{Gate: gate.New(gate.Config{People: g.people}), Now: func() time.Time { return now }})
	objects := []spec.Object{g.app("one", "r1", spec.App{Access: []spec.Access{{Allow: []string{"role:owner"}}}}, pagesOfOne),
		object(spec.KindRole, "role.reader", spec.Role{Members: []string{"a@x.test"}, Grants: []spec.Grant{{Actions: []string{"read"}, On: []string{"app.one"}, Until: "2040-01-01"}}})}
	g.publish("r1", objects...)
	for _, want := range []int{200, 403} {
		if w := g.as("a@x.test", "GET", "/"); w.Code != want {
			t.Errorf("at %s: %d", now, w.Code)
		}
		if told := edge.Told(objects, "a@x.test", now); strings.Contains(told, `"read"`) != (want == 200) {
			t.Errorf("at %s code is told %s", now, told)
		}
		now = end
	}
}

// TestWithoutAGate shuts what not everybody may see.
func TestWithoutAGate(t *testing.T) {
	b := newBench(t, edge.Config{})
	b.publish("r1", b.app("one", "r1", spec.App{Access: []spec.Access{{Path: "/a", Allow: []string{"anyone"}}, {Allow: []string{"role:owner"}}}}, pagesOfOne))
	for path, want := range map[string]int{"/": 403, "/a": 200} {
		if w := b.get("https://one.example.com" + path); w.Code != want {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// TestDisabledIsOutAtOnce is row S4: the next request is refused.
func TestDisabledIsOutAtOnce(t *testing.T) {
	g := newGuarded(t, "a@x.test")
	g.publish("r1", g.app("one", "r1", spec.App{Access: []spec.Access{{Allow: []string{"signed-in"}}}}, pagesOfOne))
	if w := g.as("a@x.test", "GET", "/"); w.Code != 200 {
		t.Fatal(w.Code)
	}
	p, err := g.people.Recognise(t.Context(), identity.Claim{Issuer: "test", Subject: "a@x.test"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.people.Disable(t.Context(), p.ID); err != nil {
		t.Fatal(err)
	}
	if w := g.as("a@x.test", "GET", "/"); w.Code != 401 {
		t.Errorf("%d", w.Code)
	}
}

// TestAGateDecisionAllocatesNothing of a session that is known: what a request costs
// behind a gate, it costs without one.
func TestAGateDecisionAllocatesNothing(t *testing.T) {
	if raced {
		t.Skip("the race detector empties pools at random")
	}
	g := newGuarded(t, "a@x.test")
	cost := func(blocks ...spec.Access) float64 {
		g.publish("r1", g.app("one", "r1", spec.App{Access: blocks}, pagesOfOne), object(spec.KindGroup, "group.g", spec.Group{Members: []string{"a@x.test"}}))
		r := httptest.NewRequest("HEAD", "https://one.example.com/nothing", nil)
		r.Header.Set("Cookie", "other=1; __Host-fazt-app="+g.tokens["a@x.test"])
		w := &discard{http.Header{}}
		return testing.AllocsPerRun(200, func() {
			r.URL.Path = "/nothing"
			clear(w.header)
			g.ServeHTTP(w, r)
		})
	}
	public := cost()
	if behind := cost(spec.Access{Path: "/x/*", Allow: []string{"anyone"}}, spec.Access{Allow: []string{"group:g"}}); behind > public {
		t.Errorf("%v allocations behind the gate, %v without", behind, public)
	}
}

// BenchmarkGate is the decision alone: session, rules, path.
func BenchmarkGate(b *testing.B) {
	g := newGuarded(b, "a@x.test")
	for _, c := range []struct {
		name   string
		blocks []spec.Access
	}{{"public", nil}, {"gate", []spec.Access{{Allow: []string{"signed-in"}}}}} {
		g.publish("r1", g.app("one", "r1", spec.App{Access: c.blocks}, pagesOfOne))
		b.Run(c.name, func(b *testing.B) {
			r := httptest.NewRequest("HEAD", "https://one.example.com/nothing", nil)
			r.Header.Set("Cookie", "__Host-fazt-app="+g.tokens["a@x.test"])
			w := &discard{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				r.URL.Path = "/nothing"
				clear(w.header)
				g.ServeHTTP(w, r)
			}
		})
	}
}

// TestPathsOfTheGate are no app's, and never guarded by its own blocks.
func TestPathsOfTheGate(t *testing.T) {
	g := newGuarded(t)
	g.publish("r1", g.app("one", "r1", spec.App{Access: []spec.Access{{Allow: []string{"role:owner"}}}}, files{"auth/user": "mine"}))
	w := g.get("https://one.example.com/auth/user")
	if slices.Contains([]int{401, 403}, w.Code) || strings.Contains(w.Body.String(), "mine") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestRolesOfDevelopmentHoldAtOnce is for a developer who signs in again as somebody
// who may less.
func TestRolesOfDevelopmentHoldAtOnce(t *testing.T) {
	roles := []string{"editor"}
	g := newGuarded(t, "a@x.test")
	g.bench = newBench(t, edge.Config{Gate: gate.New(gate.Config{People: g.people}), Roles: func(string) []string { return roles }})
	g.publish("r1", g.app("one", "r1", spec.App{Access: []spec.Access{{Allow: []string{"role:editor"}}}}, pagesOfOne), object(spec.KindRole, "role.editor", spec.Role{}))
	for _, want := range []int{200, 403} {
		if w := g.as("a@x.test", "GET", "/"); w.Code != want {
			t.Errorf("as %v: %d", roles, w.Code)
		}
		roles = nil
	}
}
