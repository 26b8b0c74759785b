package script_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/platform/script"
	"github.com/fazt-sh/fazt/spec"
	"github.com/fazt-sh/fazt/spec/access"
)

// someone is who is signed in, as JSON.
type someone string

func (s someone) Auth(string) string      { return string(s) }
func (s someone) Can(string, string) bool { return false }

const editor = someone(`{"app":"app.test","user":{"id":"7","email":"ana@example.com","roles":["editor"],"groups":["design"]},"owner":false,` +
	`"grants":[{"actions":["publish"],"on":["app.test/drafts/*"]},{"actions":["late"],"on":["node"],"until":1}]}`)

// TestAuth is what code learns of who asks, and how it turns others away.
func TestAuth(t *testing.T) {
	h := host(t, script.Config{})
	owner := someone(strings.Replace(string(editor), `"owner":false`, `"owner":true`, 1))
	page := [][2]string{{"accept", "text/html"}}
	for _, c := range []struct {
		code   string
		who    script.Person
		header [][2]string
		want   string
	}{
		{`ctx.auth.user()?.email ?? "nobody"`, nil, nil, "200 nobody"},
		{`ctx.auth.user().email + ctx.auth.user().roles`, editor, nil, "200 ana@example.comeditor"},
		{`Object.isFrozen(ctx.auth.user()) && Object.isFrozen(ctx.auth.user().roles) && Object.isFrozen(ctx.auth)`, editor, nil, "200 true"},
		{`(await ctx.auth.require()).id`, editor, nil, "200 7"},
		{`(await ctx.auth.require("editor")).id`, editor, nil, "200 7"},
		{`(await ctx.auth.require("admin")).id`, editor, nil, "403 you may not do this\n"},
		{`(await ctx.auth.require("admin")).id`, owner, nil, "200 7"},
		{`await ctx.auth.require()`, nil, nil, "401 sign in first\n"},
		{`await ctx.auth.require()`, nil, page, "303 "},
		{`await ctx.auth.require()`, nil, append(page, [2]string{"sec-fetch-mode", "cors"}), "401 sign in first\n"},
		{`ctx.auth.signInUrl()`, nil, nil, "200 /auth/login?to=%2Fa%3Fb%3D1"},
		{`[ctx.auth.can("publish"), ctx.auth.can("publish", "/drafts"), ctx.auth.can("publish", "/drafts/x"), ctx.auth.can("publish", "/draftsmen"), ctx.auth.can("late"), ctx.auth.can("other", "/drafts")].join()`,
			editor, nil, "200 false,true,true,false,false,false"},
		{`ctx.auth.can("anything", "node")`, owner, nil, "200 true"},
		{`ctx.auth.can("publish", "/drafts")`, nil, nil, "200 false"},
	} {
		a := open(t, h, `export default { async fetch(r, env, ctx) { return new Response(String(`+c.code+`)) } }`, script.Bounds{})
		r := get("http://app.test/a?b=1")
		r.Header, r.Info.Person = c.header, c.who
		status, body := fetch(t, a, r, &world{})
		if got := itoa(status) + " " + body; got != c.want {
			t.Errorf("%s as %v: %q, want %q", c.code, c.who, got, c.want)
		}
	}
}

// TestCanIsSpecAccess holds the two readings of a grant together: what code asks in
// the engine is what the gate, the plan and fazt access say.
func TestCanIsSpecAccess(t *testing.T) {
	a := open(t, host(t, script.Config{}), `export default { async fetch(r, env, ctx) {
		const asked = JSON.parse(r.headers.get("x-asked"));
		return Response.json(asked.map(([action, on]) => ctx.auth.can(action, on)));
	} }`, script.Bounds{})
	now := time.Now()
	resources := []string{"node", "app.test", "app.other", "app.test/a/*", "app.test/a", "app.test/a/b", "app.test/ab", "app.test.docs.PAGES", "app.test.docs", `app.test["x"]`, "app.tester", "app.tester/a"}
	rapid.Check(t, func(t *rapid.T) {
		var grants []spec.Grant
		for range rapid.IntRange(0, 3).Draw(t, "grants") {
			grants = append(grants, spec.Grant{
				Actions: rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"read", "publish"}), 1, 2, rapid.ID).Draw(t, "actions"),
				On:      rapid.SliceOfNDistinct(rapid.SampledFrom(resources), 1, 2, rapid.ID).Draw(t, "on"),
				Until:   rapid.SampledFrom([]string{"", "2020-01-01", "2099-01-01"}).Draw(t, "until")})
		}
		role, _ := json.Marshal(spec.Role{Members: []string{"ana@example.com"}, Grants: grants})
		view := access.Compile([]spec.Object{{Kind: spec.KindRole, Name: "r", Addr: "role.r", Spec: role}}).View(access.Who{Email: "ana@example.com", SignedIn: true})
		type grant struct {
			Actions []string `json:"actions"`
			On      []string `json:"on"`
			Until   int64    `json:"until,omitempty"`
		}
		known := map[string]any{"app": "app.test", "user": map[string]any{"id": "7", "roles": []string{}, "groups": []string{}}, "owner": false}
		list := []grant{}
		for _, g := range grants {
			made := grant{g.Actions, g.On, 0}
			if end := access.Ends(g); !end.IsZero() {
				made.Until = end.UnixMilli()
			}
			list = append(list, made)
		}
		known["grants"] = list
		document, _ := json.Marshal(known)
		var asked [][2]string
		var want []bool
		for _, on := range resources {
			for _, action := range []string{"read", "publish", "other"} {
				asked = append(asked, [2]string{action, on})
				want = append(want, view.Can(action, on, now))
			}
		}
		header, _ := json.Marshal(asked)
		r := get("http://app.test/")
		r.Header, r.Info.Person = [][2]string{{"x-asked", string(header)}}, someone(document)
		res, err := a.Fetch(t.Context(), r, &world{})
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var got []bool
		if err := json.NewDecoder(res.Body).Decode(&got); err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("%v with %v: code is told %v, and the rules say %v", asked[i], grants, got[i], want[i])
			}
		}
	})
}
