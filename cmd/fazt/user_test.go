package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
	"github.com/fazt-sh/fazt/platform/mail"
	"github.com/fazt-sh/fazt/platform/op"
)

// signed is somebody who has signed in at a provider.
func (r *rig) signed(t *testing.T, email string) identity.Person {
	t.Helper()
	p, err := r.ground.People.Recognise(t.Context(), identity.Claim{Issuer: "https://id.example.com", Subject: email, Email: email, Verified: true}, func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestUserListPages gives everybody once, whatever the size of a page.
func TestUserListPages(t *testing.T) {
	r := newRig(t)
	var want, got []string
	for _, name := range []string{"ana", "bo", "cy", "di", "eve"} {
		want = append(want, r.signed(t, name+"@example.com").ID)
	}
	cursor := ""
	for range len(want) {
		_, text := r.fazt("user", "list", "--limit", "2", "--cursor", cursor, "--json")
		var out userListOut
		if err := json.Unmarshal([]byte(text), &out); err != nil {
			t.Fatal(err, text)
		}
		for _, u := range out.Users {
			got = append(got, u.ID)
		}
		if cursor = out.Cursor; cursor == "" {
			break
		}
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("pages of 2 give %v, want %v", got, want)
	}
	if exit, _ := r.fazt("user", "list", "--limit", "0"); exit != 3 {
		t.Errorf("no limit at all: %d", exit)
	}
}

// TestSessionsEnd ends one session by its id with those below it, and all of a person;
// somebody else's stay.
func TestSessionsEnd(t *testing.T) {
	r := newRig(t)
	people, ana, bo := r.ground.People, r.signed(t, "ana@example.com"), r.signed(t, "bo@example.com")
	begin := func(p identity.Person, host, parent string) (string, identity.Session) {
		token, s, err := people.Begin(t.Context(), identity.New{Person: p.ID, Audience: host, Parent: parent})
		if err != nil {
			t.Fatal(err)
		}
		return token, s
	}
	alive := func(token, host string) bool { _, ok := people.Session(token, host, time.Now()); return ok }
	console, s := begin(ana, "fazt.localhost", "")
	app, _ := begin(ana, "notes.localhost", s.ID)
	second, _ := begin(ana, "fazt.localhost", "")
	other, _ := begin(bo, "fazt.localhost", "")
	if exit, text := r.fazt("session", "list", "--limit", "3"); exit != 0 || strings.Count(text, "@example.com") != 3 || !strings.Contains(text, "there are more") {
		t.Errorf("%d %s", exit, text)
	}
	if exit, text := r.fazt("session", "list", "bo@example.com"); exit != 0 || strings.Count(text, "@example.com") != 1 {
		t.Errorf("%d %s", exit, text)
	}
	if exit, _ := r.fazt("session", "revoke", s.ID); exit != 0 || alive(console, "fazt.localhost") || alive(app, "notes.localhost") || !alive(second, "fazt.localhost") {
		t.Errorf("one session: %d %s", exit, &r.talk)
	}
	if exit, _ := r.fazt("session", "revoke", s.ID); exit != 6 {
		t.Errorf("a session that is over: %d", exit)
	}
	if exit, _ := r.fazt("session", "revoke", "--person", "ana@example.com"); exit != 0 || alive(second, "fazt.localhost") || !alive(other, "fazt.localhost") {
		t.Errorf("all of a person: %d", exit)
	}
}

// TestVouchedForIsTheSamePerson is somebody who got a token before they ever signed in:
// the provider that vouches for their address finds them.
func TestVouchedForIsTheSamePerson(t *testing.T) {
	r := newRig(t)
	if exit, _ := r.fazt("token", "create", "ci", "--person", "Ana@Example.com", "--scope", "plan"); exit != 0 {
		t.Fatalf("%d %s", exit, &r.talk)
	}
	ana := r.signed(t, "ana@example.com")
	exit, text := r.fazt("user", "show", ana.ID, "--json")
	var out userShowOut
	if err := json.Unmarshal([]byte(text), &out); err != nil || exit != 0 {
		t.Fatal(exit, err, text)
	}
	if len(out.Identities) != 2 || len(out.Tokens) != 1 || out.Email != "ana@example.com" {
		t.Errorf("%s", text)
	}
}

// TestNobodyGivesMoreThanTheyHave holds mayGive: who asks over the network gives what
// they may do themselves, to somebody else only with admin, and a token gives nothing.
func TestNobodyGivesMoreThanTheyHave(t *testing.T) {
	r := newRig(t)
	ana, bo := r.signed(t, "ana@example.com"), r.signed(t, "bo@example.com")
	as := func(actor string, has ...op.Permission) context.Context {
		return op.WithCaller(t.Context(), op.Caller{Actor: actor, May: func(p op.Permission) error {
			if !slices.Contains(has, p) {
				return fault.New(fault.Forbidden, "this needs %s", p)
			}
			return nil
		}})
	}
	for name, c := range map[string]struct {
		ctx     context.Context
		to      string
		scopes  []string
		refused fault.Kind
	}{
		"what she may":                  {as("person:"+ana.ID, op.People, op.Plan), "", []string{"plan"}, ""},
		"what she may not":              {as("person:"+ana.ID, op.People, op.Plan), "", []string{"plan", "deploy"}, fault.Forbidden},
		"herself by address":            {as("person:"+ana.ID, op.People, op.Plan), "ana@example.com", []string{"plan"}, ""},
		"another":                       {as("person:"+ana.ID, op.People, op.Plan), bo.ID, []string{"plan"}, fault.Forbidden},
		"another, with admin":           {as("person:"+ana.ID, op.People, op.Plan, op.Admin), bo.ID, []string{"plan"}, ""},
		"another, with admin, too much": {as("person:"+ana.ID, op.People, op.Plan, op.Admin), bo.ID, []string{"deploy"}, fault.Forbidden},
		"a stranger, with admin":        {as("person:"+ana.ID, op.Permissions()...), "cy@example.com", []string{"plan"}, fault.NotFound},
		"a token":                       {as("token:x", op.Permissions()...), ana.ID, []string{"plan"}, fault.Forbidden},
		"a token, for itself":           {as("token:x", op.Permissions()...), "", []string{"plan"}, fault.Forbidden},
		"nobody known":                  {t.Context(), ana.ID, []string{"plan"}, fault.Forbidden},
		"the operator":                  {as("local:1000", op.Permissions()...), bo.ID, []string{"deploy"}, ""},
	} {
		out, err := r.createToken(c.ctx, tokenCreateIn{Name: "ci", Person: c.to, Scope: c.scopes, Expires: time.Hour})
		if err == nil != (c.refused == "") || err != nil && fault.KindOf(err) != c.refused {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && c.to == "" && out.Token.Person.ID != ana.ID {
			t.Errorf("%s: it is of %s", name, out.Token.Person.Email)
		}
	}
	_, kept, err := r.ground.People.CreateToken(t.Context(), identity.NewToken{Person: bo.ID, Name: "bo's", Scopes: []string{"plan"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		ctx  context.Context
		good bool
	}{
		"by its person":            {as("person:"+bo.ID, op.People, op.Plan), true},
		"by its person, with less": {as("person:"+bo.ID, op.People), false},
		"by another":               {as("person:"+ana.ID, op.People, op.Plan), false},
		"by itself":                {as("token:"+kept.ID, op.People, op.Plan), true},
		"by another token":         {as("token:x", op.Permissions()...), false},
	} {
		if _, err := r.rotateToken(c.ctx, kept.ID); err == nil != c.good {
			t.Errorf("rotated %s: %v", name, err)
		}
	}
	if _, err := r.ground.People.Person(t.Context(), "cy@example.com"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("somebody was vouched for over the network: %v", err)
	}
}

// TestTokenAtTheConsole is a token by the real door: who is signed in makes one of what
// they may, it works, and its text is nowhere but in the answer.
func TestTokenAtTheConsole(t *testing.T) {
	o := newOperators(t, "")
	set := 0
	for i, p := range op.Permissions() {
		if p == op.People || p == op.Observe {
			set |= 1 << i
		}
	}
	who := o.person(t, holderOf(set))
	session, _, err := o.ground.People.Begin(t.Context(), identity.New{Person: who.ID, Audience: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	create := func(body string) (int, string) {
		return o.send(t, "POST", o.console+"/v1/token/create", body, "Cookie: __Host-fazt="+session)
	}
	if status, answer := create(`{"name": "ci", "scopes": ["deploy"]}`); status != 403 || !strings.Contains(answer, "deploy") {
		t.Errorf("more than they may: %d %s", status, answer)
	}
	if status, answer := create(`{"name": "ci", "scopes": ["observe"], "person": "` + o.person(t, holderOf(0)).ID + `"}`); status != 403 || !strings.Contains(answer, "admin") {
		t.Errorf("for somebody else: %d %s", status, answer)
	}
	status, answer := create(`{"name": "ci", "scopes": ["observe"]}`)
	var made tokenOut
	if err := json.Unmarshal([]byte(answer), &made); err != nil || status != 200 || made.Token.Person.ID != who.ID {
		t.Fatalf("%d %v %s", status, err, answer)
	}
	for path, want := range map[string]int{"/v1/status": 200, "/v1/user/list": 403} {
		if status, answer := o.send(t, "POST", o.console+path, `{}`, "Authorization: Bearer "+made.Secret); status != want {
			t.Errorf("%s by the token: %d %s", path, status, answer)
		}
	}
	for _, args := range [][]string{{"events", "--json"}, {"token", "list", "--json"}, {"user", "show", who.ID, "--json"}, {"user", "export", who.ID, "--json"}} {
		if _, said := o.fazt(args...); strings.Contains(said, made.Secret) || !strings.Contains(said, who.ID) {
			t.Errorf("fazt %v: %s", args, said)
		}
	}
}

// TestInviteIsMailed sends the link where the node sends mail, and says so; who invites
// is kept as the person they are, by whatever they ask.
func TestInviteIsMailed(t *testing.T) {
	o := newOperators(t, "login {\n  signup = \"invited\"\n}\n")
	var out inviteOut
	invite := func(args ...string) {
		t.Helper()
		exit, text := o.fazt(append([]string{"user", "invite", "--json"}, args...)...)
		if out = (inviteOut{}); exit != 0 || json.Unmarshal([]byte(text), &out) != nil {
			t.Fatalf("%d %s", exit, text)
		}
	}
	if invite("bo@example.com"); out.Mailed || !strings.HasPrefix(out.URL, o.console+"/auth/invite?t=") {
		t.Errorf("without a mail block: %+v", out)
	}
	o.ground.Mail.Use(&mail.Config{From: "hello@example.com", SMTP: "smtp://127.0.0.1:1", Daily: 1})
	if invite("bo@example.com"); !out.Mailed || out.Hint != "" {
		t.Errorf("%+v", out)
	}
	told := httptest.NewRecorder()
	o.metrics(told, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if !strings.Contains(told.Body.String(), "fazt_mail_waiting 1\n") { // nobody takes it at that port
		t.Error("the metrics do not tell of the mail that waits")
	}
	if invite("cy@example.com"); out.Mailed || !strings.Contains(out.Hint, "no mail was sent") {
		t.Errorf("over the day's number: %+v", out)
	}
	if invite(); out.Mailed {
		t.Errorf("to whoever has it: %+v", out)
	}
	who := o.person(t, holderOf(1<<len(op.Permissions())-1))
	token, id := o.token(t, who.Email, "people")
	if status, answer := o.send(t, "POST", o.console+"/v1/user/invite", `{}`, "Authorization: Bearer "+token); status != 200 {
		t.Fatalf("%d %s", status, answer)
	}
	list, err := o.ground.People.Invites(t.Context())
	if err != nil || !slices.ContainsFunc(list, func(i identity.Invite) bool { return i.By == who.ID }) {
		t.Errorf("token %s of %s invites as %+v %v", id, who.ID, list, err)
	}
}
