package identity_test

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

const host = "notes.example.com"

func (p *place) begin(n identity.New) (string, identity.Session) {
	p.t.Helper()
	token, s, err := p.Begin(p.t.Context(), n)
	must(p.t, err)
	return token, s
}

func (p *place) alive(token, audience string) bool {
	_, ok := p.Session(token, audience, p.now)
	return ok
}

func TestSessionIsForOneHost(t *testing.T) {
	p := open(t)
	who := p.person("ana")
	token, began := p.begin(identity.New{Person: who.ID, Audience: host, Agent: "Firefox", Address: "192.0.2.1", Factors: []string{"mail"}})
	if p.alive(token, "other.example.com") || !p.alive(token, host) || p.alive(token, "other.example.com") {
		t.Error("a token is good where it was not made for")
	}
	s, _ := p.Session(token, host, p.now)
	if s.ID != began.ID || s.Person.ID != who.ID || s.Agent != "Firefox" || s.Address != "192.0.2.1" || len(s.Factors) != 1 {
		t.Errorf("%+v", s)
	}
}

// A cached answer asks no table and makes no garbage; a text that cannot be a
// token asks none either.
func TestCachedSessionCostsNothing(t *testing.T) {
	p := open(t)
	token, _ := p.begin(identity.New{Person: p.person("ana").ID, Audience: host})
	if n := p.count(func() { p.alive(token, host) }); n != 1 {
		t.Errorf("the first answer took %d statements", n)
	}
	n := p.count(func() {
		if a := testing.AllocsPerRun(100, func() { p.now = p.now.Add(time.Second); p.alive(token, host) }); a != 0 {
			t.Errorf("%v allocations", a)
		}
		p.alive("no token", host)
		p.alive(token[1:], host)
	})
	if n != 0 {
		t.Errorf("%d statements", n)
	}
}

func TestSessionEndsUnusedAndAnyway(t *testing.T) {
	p := open(t)
	token, s := p.begin(identity.New{Person: p.person("ana").ID, Audience: host, Idle: time.Hour, Absolute: 3 * time.Hour})
	for p.now.Before(s.Ends.Add(-50 * time.Minute)) {
		p.now = p.now.Add(50 * time.Minute)
		if !p.alive(token, host) {
			t.Fatalf("over at %v, in use", p.now)
		}
	}
	must(t, p.Flush(t.Context()))
	p.reopen()
	if !p.alive(token, host) {
		t.Error("its use was forgotten by a restart")
	}
	p.now = s.Ends
	if p.alive(token, host) {
		t.Error("it outlives its end")
	}
	token, _ = p.begin(identity.New{Person: p.person("ana").ID, Audience: host, Idle: time.Hour})
	p.alive(token, host)
	p.now = p.now.Add(time.Hour)
	if p.alive(token, host) {
		t.Error("it is alive after an hour without use")
	}
}

// Who works in an app all day stays signed in at the console, and nothing of an
// app outlives the console's session.
func TestChildSession(t *testing.T) {
	p := open(t)
	who := p.person("ana")
	console, parent := p.begin(identity.New{Person: who.ID, Audience: "console", Idle: time.Hour, Absolute: 5 * time.Hour, Factors: []string{"mail", "totp"}})
	app, child := p.begin(identity.New{Person: who.ID, Audience: host, Parent: parent.ID, Absolute: 100 * time.Hour})
	if !child.Ends.Equal(parent.Ends) || len(child.Factors) != 2 {
		t.Errorf("child %+v of %+v", child, parent)
	}
	p.alive(console, "console")
	for range 4 {
		p.now = p.now.Add(50 * time.Minute)
		if !p.alive(app, host) {
			t.Fatal("the app's session is over, in use")
		}
	}
	if !p.alive(console, "console") {
		t.Error("the console's session is over although the app was in use")
	}
	_, _, err := p.Begin(t.Context(), identity.New{Person: p.person("bo").ID, Audience: host, Parent: parent.ID})
	wantKind(t, err, fault.Unauthenticated)
	_, _, err = p.Begin(t.Context(), identity.New{Person: who.ID, Audience: host, Parent: child.ID})
	wantKind(t, err, fault.Unauthenticated)
	must(t, p.End(t.Context(), parent.ID))
	if p.alive(app, host) || p.alive(console, "console") {
		t.Error("alive after the console's end")
	}
	_, _, err = p.Begin(t.Context(), identity.New{Person: who.ID, Audience: host, Parent: parent.ID})
	wantKind(t, err, fault.Unauthenticated)
}

// An app's session is over as soon as the console's would be that nobody uses either.
func TestChildIsUnusedAsItsParent(t *testing.T) {
	p := open(t)
	who := p.person("ana").ID
	_, parent := p.begin(identity.New{Person: who, Audience: "console", Idle: time.Hour})
	app, _ := p.begin(identity.New{Person: who, Audience: host, Parent: parent.ID, Idle: 12 * time.Hour})
	p.now = p.now.Add(59 * time.Minute)
	if !p.alive(app, host) {
		t.Error("it is over, in use")
	}
	p.now = p.now.Add(time.Hour)
	if p.alive(app, host) {
		t.Error("it is alive after an hour without use")
	}
}

func TestRotationEndsTheOldToken(t *testing.T) {
	p := open(t)
	old, s := p.begin(identity.New{Person: p.person("ana").ID, Audience: host, Factors: []string{"mail"}})
	p.alive(old, host)
	token, after, err := p.Rotate(t.Context(), s.ID, "totp", "mail")
	must(t, err)
	if p.alive(old, host) || !p.alive(token, host) {
		t.Error("the old token is good, or the new one is not")
	}
	if after.ID != s.ID || len(after.Factors) != 2 {
		t.Errorf("%+v", after)
	}
	must(t, p.End(t.Context(), s.ID))
	_, _, err = p.Rotate(t.Context(), s.ID)
	wantKind(t, err, fault.Unauthenticated)
}

// A stolen database opens no session.
func TestTokensAreNotKept(t *testing.T) {
	p := open(t)
	token, _ := p.begin(identity.New{Person: p.person("ana").ID, Audience: host})
	must(t, p.db.Read(t.Context(), func(tx *sqlite.Tx) error {
		var hash []byte
		err := tx.QueryRow(`SELECT hash FROM people_session`).Scan(&hash)
		if len(hash) != 32 || string(hash) == token || p.alive(string(hash), host) {
			t.Error("what is kept is the token")
		}
		return err
	}))
}

// What each operation costs. More is a decision, not an accident.
func TestStatements(t *testing.T) {
	p := open(t)
	who := p.person("ana")
	_, s := p.begin(identity.New{Person: who.ID, Audience: host})
	for name, c := range map[string]struct {
		most int64
		run  func()
	}{
		"known person": {2, func() { p.person("ana") }},
		"new person":   {8, func() { p.person("bo") }},
		"begin":        {4, func() { p.begin(identity.New{Person: who.ID, Audience: host}) }},
		"child":        {7, func() { p.begin(identity.New{Person: who.ID, Audience: host, Parent: s.ID}) }},
		"spend":        {1, func() { p.Spend(t.Context(), "x", p.now.Add(time.Hour)) }},
		"sessions":     {1, func() { p.Sessions(t.Context(), who.ID) }},
		"rotate":       {2, func() { p.Rotate(t.Context(), s.ID) }},
		"end of":       {1, func() { p.EndOf(t.Context(), "nobody") }},
		"mail code":    {1, func() { p.MailCode(t.Context(), who.Email, "b") }},
		"redeem":       {2, func() { p.RedeemCode(t.Context(), "b", "000") }},
		"attempt":      {2, func() { p.Attempt(t.Context(), "ana", "p") }},
		"invite":       {1, func() { p.Invite(t.Context(), identity.NewInvite{By: who.ID}) }},
		"token":        {2, func() { p.token(who.ID) }},
		"device":       {2, func() { p.StartDevice(t.Context(), "laptop", "192.0.2.7", []string{"deploy"}) }},
		"poll":         {1, func() { p.PollDevice(t.Context(), "none") }},
		"totp":         {2, func() { p.UseTOTP(t.Context(), who.ID, "000") }},
		"recovery":     {2, func() { p.UseRecovery(t.Context(), who.ID, "none") }},
		"passkey":      {1, func() { p.UsePasskey(t.Context(), []byte{1}, 1, nil) }},
		"factors":      {1, func() { p.FactorsOf(t.Context(), who.ID) }},
	} {
		if n := p.count(c.run); n > c.most || n == 0 {
			t.Errorf("%s: %d statements, not up to %d", name, n, c.most)
		}
	}
}

// The law: after any sequence of what may happen to sessions, those in memory
// are alive exactly if they are so for a new process that has only the tables;
// and nobody who is disabled has one.
func TestCacheTellsWhatTheTableTells(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		p := open(t)
		defer p.db.Close()
		p.Cached(3)
		people := []string{p.person("ana").ID, p.person("bo").ID}
		disabled := map[string]bool{}
		type made struct{ token, id, person string }
		var all []made
		pick := func() made { return rapid.SampledFrom(all).Draw(r, "session") }
		for range rapid.IntRange(1, 30).Draw(r, "steps") {
			who := rapid.SampledFrom(people).Draw(r, "person")
			step := rapid.SampledFrom([]string{"begin", "begin", "child", "use", "use", "end", "rotate", "end of", "disable", "enable", "pass", "flush"}).Draw(r, "step")
			n := identity.New{Person: who, Audience: host, Idle: time.Hour, Absolute: 3 * time.Hour}
			switch {
			case step == "begin":
				if token, s, err := p.Begin(t.Context(), n); err == nil {
					all = append(all, made{token, s.ID, who})
				}
			case step == "end of":
				must(t, p.EndOf(t.Context(), who))
			case step == "disable":
				must(t, p.Disable(t.Context(), who))
				disabled[who] = true
			case step == "enable":
				must(t, p.Enable(t.Context(), who))
				disabled[who] = false
			case step == "pass":
				p.now = p.now.Add(time.Duration(rapid.IntRange(1, 70).Draw(r, "minutes")) * time.Minute)
			case step == "flush":
				must(t, p.Flush(t.Context()))
			case len(all) == 0:
			case step == "child":
				parent := pick()
				n.Person, n.Parent = parent.person, parent.id
				if token, s, err := p.Begin(t.Context(), n); err == nil {
					all = append(all, made{token, s.ID, n.Person})
				}
			case step == "use":
				p.alive(pick().token, host)
			case step == "end":
				must(t, p.End(t.Context(), pick().id))
			case step == "rotate":
				s := pick()
				if token, _, err := p.Rotate(t.Context(), s.id); err == nil {
					all = append(all, made{token, s.id, s.person})
				}
			}
		}
		cached := p.Directory
		answers := make([]bool, len(all))
		for i, s := range all {
			answers[i] = p.alive(s.token, host)
			if answers[i] && disabled[s.person] {
				r.Fatal("a disabled person is signed in")
			}
		}
		must(t, p.Flush(t.Context()))
		p.reopen()
		for i, s := range all {
			if table := p.alive(s.token, host); table != answers[i] {
				r.Fatalf("session %d: memory says %v, the table %v", i, answers[i], table)
			}
		}
		p.Directory = cached
	})
}

// However many sessions there are, memory holds so many.
func TestCacheIsBounded(t *testing.T) {
	p := open(t)
	p.Cached(5)
	who := p.person("ana").ID
	var tokens []string
	for range 20 {
		token, _ := p.begin(identity.New{Person: who, Audience: host, Idle: time.Hour})
		tokens = append(tokens, token)
	}
	p.now = p.now.Add(50 * time.Minute)
	for _, token := range tokens {
		if !p.alive(token, host) {
			t.Fatal("a session was lost")
		}
		if n := p.InMemory(); n > 5 {
			t.Fatalf("%d in memory", n)
		}
	}
	p.now = p.now.Add(50 * time.Minute)
	must(t, p.Flush(t.Context()))
	for _, token := range tokens {
		if !p.alive(token, host) {
			t.Fatal("the use of one that was dropped is forgotten")
		}
	}
}

func TestSessionsOfAPerson(t *testing.T) {
	p := open(t)
	who := p.person("ana").ID
	first, s := p.begin(identity.New{Person: who, Audience: host, Agent: "one"})
	p.begin(identity.New{Person: who, Audience: host, Agent: "two", Idle: time.Hour})
	p.begin(identity.New{Person: p.person("bo").ID, Audience: host})
	p.now = p.now.Add(time.Hour)
	p.alive(first, host)
	list, err := p.Sessions(t.Context(), who)
	must(t, err)
	if len(list) != 1 || list[0].ID != s.ID || list[0].Agent != "one" || !list[0].Seen.Equal(p.now) {
		t.Errorf("%+v", list)
	}
}

// However many ask at that moment, nobody is signed in when Disable returns.
func TestDisableWhileOthersAsk(t *testing.T) {
	p := open(t)
	who := p.person("ana").ID
	for range 50 {
		token, _ := p.begin(identity.New{Person: who, Audience: host})
		secret, made := p.token(who)
		var group sync.WaitGroup
		var stop atomic.Bool
		for range 4 {
			group.Go(func() {
				for !stop.Load() {
					p.alive(token, host)
					p.works(secret)
				}
			})
		}
		must(t, p.Disable(t.Context(), who))
		signedIn, works := p.alive(token, host), p.works(secret)
		stop.Store(true)
		group.Wait()
		if signedIn || works || p.alive(token, host) || p.works(secret) {
			t.Fatal("somebody who is disabled is signed in")
		}
		must(t, p.Enable(t.Context(), who))
		must(t, p.RevokeToken(t.Context(), made.ID))
	}
}

// The sessions of everybody are listed and found as long as they are alive.
func TestEverySession(t *testing.T) {
	p := open(t)
	ana, bo := p.person("ana"), p.person("bo")
	_, short, err := p.Begin(t.Context(), identity.New{Person: ana.ID, Audience: host, Idle: time.Hour})
	must(t, err)
	p.now = p.now.Add(time.Minute)
	_, long, err := p.Begin(t.Context(), identity.New{Person: bo.ID, Audience: host, Idle: 3 * time.Hour})
	must(t, err)
	ids := func(limit int) (list []string) {
		all, err := p.EverySession(t.Context(), limit)
		must(t, err)
		for _, s := range all {
			list = append(list, s.ID)
		}
		return list
	}
	if got := ids(10); !slices.Equal(got, []string{long.ID, short.ID}) {
		t.Errorf("%v", got)
	}
	if got := ids(1); !slices.Equal(got, []string{long.ID}) {
		t.Errorf("%v", got)
	}
	p.now = p.now.Add(time.Hour)
	if got := ids(10); !slices.Equal(got, []string{long.ID}) {
		t.Errorf("with one that is over: %v", got)
	}
	if found, err := p.SessionByID(t.Context(), long.ID); err != nil || found.Person.ID != bo.ID {
		t.Errorf("%+v %v", found, err)
	}
	_, err = p.SessionByID(t.Context(), short.ID)
	wantKind(t, err, fault.NotFound)
}
