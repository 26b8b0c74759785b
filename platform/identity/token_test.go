package identity_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

func (p *place) token(person string) (string, identity.Token) {
	p.t.Helper()
	text, token, err := p.CreateToken(p.t.Context(), identity.NewToken{Person: person, Name: "ci", Scopes: []string{"deploy"}})
	must(p.t, err)
	return text, token
}

func (p *place) works(text string) bool {
	_, ok := p.Token(text, "192.0.2.7", p.now)
	return ok
}

// What is mistyped or made up costs no query, what is cached neither, nor garbage.
func TestTokenCosts(t *testing.T) {
	p := open(t)
	text, _ := p.token(p.person("ana").ID)
	if n := p.count(func() { p.works(text) }); n != 1 {
		t.Errorf("the first look took %d statements", n)
	}
	n := p.count(func() {
		if a := testing.AllocsPerRun(100, func() { p.now = p.now.Add(time.Second); p.works(text) }); a != 0 {
			t.Errorf("%v allocations", a)
		}
		for i := range text {
			other := "A"
			if text[i] == 'A' {
				other = "B"
			}
			if p.works(text[:i] + other + text[i+1:]) {
				t.Errorf("letter %d does not matter", i)
			}
		}
	})
	if n != 0 {
		t.Errorf("%d statements", n)
	}
}

// What has the form of a token and is none, which anybody can make, costs one look by an
// index and no write, however many come.
func TestMadeUpTokens(t *testing.T) {
	p := open(t)
	known, _ := p.token(p.person("ana").ID)
	writes := p.db.Stats().Writes
	n := p.count(func() {
		for range 1000 {
			var raw [36]byte
			rand.Read(raw[:32])
			sum := sha256.Sum256(raw[:32])
			copy(raw[32:], sum[:])
			text := "fzt_" + base64.RawURLEncoding.EncodeToString(raw[:])
			if len(text) != len(known) || p.works(text) {
				t.Fatalf("%q", text)
			}
		}
	})
	if n != 1000 || p.db.Stats().Writes != writes {
		t.Errorf("%d statements, %d writes", n, p.db.Stats().Writes-writes)
	}
	must(t, p.db.Read(t.Context(), func(tx *sqlite.Tx) error {
		rows, err := tx.Query("EXPLAIN QUERY PLAN "+p.asked.Load().(string), make([]byte, 32))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id, parent, unused int
			var step string
			if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
				return err
			}
			if !strings.HasPrefix(step, "SEARCH ") {
				t.Errorf("it looks at more than one row: %s", step)
			}
		}
		return rows.Err()
	}))
}

func TestTokenLife(t *testing.T) {
	p := open(t)
	ctx := t.Context()
	who := p.person("ana")
	text, token := p.token(who.ID)
	if !p.works(text) || token.Ends.Sub(token.Created) != 90*24*time.Hour {
		t.Errorf("%+v", token)
	}
	p.now = p.now.Add(time.Hour)
	p.works(text)
	list, err := p.Tokens(ctx, who.ID)
	must(t, err)
	if len(list) != 1 || !list[0].Used.Equal(p.now) || list[0].From != "192.0.2.7" || list[0].Scopes[0] != "deploy" {
		t.Errorf("%+v", list)
	}
	fresh, after, err := p.RotateToken(ctx, token.ID)
	must(t, err)
	if p.works(text) || !p.works(fresh) || after.Ends.Sub(p.now) != 90*24*time.Hour {
		t.Errorf("after rotation: old %v, new %v, %+v", p.works(text), p.works(fresh), after)
	}
	must(t, p.Disable(ctx, who.ID))
	if p.works(fresh) {
		t.Error("works for somebody who is disabled")
	}
	p.reopen()
	if p.works(fresh) {
		t.Error("works for somebody who is disabled, after a restart")
	}
	_, _, err = p.CreateToken(ctx, identity.NewToken{Person: who.ID, Name: "x", Scopes: []string{"y"}})
	wantKind(t, err, fault.Forbidden)
	must(t, p.Enable(ctx, who.ID))
	if !p.works(fresh) {
		t.Error("does not work again")
	}
	must(t, p.RevokeToken(ctx, token.ID))
	if p.works(fresh) {
		t.Error("works although it is revoked")
	}
	wantKind(t, p.RevokeToken(ctx, token.ID), fault.NotFound)
	text, token = p.token(who.ID)
	p.works(text)
	p.now = token.Ends
	if p.works(text) {
		t.Error("outlives its end")
	}
}

func TestTokensThatAreNotMade(t *testing.T) {
	p := open(t)
	who := p.person("ana").ID
	for _, n := range []identity.NewToken{
		{Person: who, Scopes: []string{"a"}},
		{Person: who, Name: "x"},
		{Person: who, Name: "x", Scopes: []string{" "}},
		{Person: who, Name: "x", Scopes: []string{"a"}, Lifetime: 91 * 24 * time.Hour},
	} {
		_, _, err := p.CreateToken(t.Context(), n)
		wantKind(t, err, fault.Invalid)
	}
}

func FuzzToken(f *testing.F) {
	p := open(f)
	text, _ := p.token(p.person("ana").ID)
	f.Add(text)
	f.Add(text[:20] + "\n" + text[21:])
	f.Add("fzt_")
	f.Fuzz(func(t *testing.T, other string) {
		if p.works(other) != (other == text) {
			t.Errorf("%q", other)
		}
	})
}

// A person lets a device in by a code that is easy to read out, and it gets its
// token once.
func TestDevice(t *testing.T) {
	p := open(t)
	ctx := t.Context()
	who := p.person("ana")
	start := func() identity.Device {
		ask, err := p.StartDevice(ctx, "laptop", "192.0.2.7", []string{"deploy"})
		must(t, err)
		return ask
	}
	ask := start()
	if !regexp.MustCompile(`^[2-9A-HJKMNP-TV-Z]{4}-[2-9A-HJKMNP-TV-Z]{2}$`).MatchString(ask.Code) {
		t.Errorf("code %q", ask.Code)
	}
	token, err := p.PollDevice(ctx, ask.Secret)
	if must(t, err); token != "" {
		t.Error("let in before somebody said so")
	}
	_, err = p.PollDevice(ctx, ask.Secret)
	wantKind(t, err, fault.Exhausted)
	p.now = p.now.Add(identity.DeviceInterval)
	token, err = p.PollDevice(ctx, ask.Secret)
	if must(t, err); token != "" {
		t.Error("let in before somebody said so")
	}
	typed := strings.ToLower(strings.Replace(ask.Code, "-", " ", 1))
	seen, err := p.Device(ctx, typed)
	must(t, err)
	if seen.Code != ask.Code || seen.Name != "laptop" || seen.Secret != "" || seen.Scopes[0] != "deploy" || seen.Address != "192.0.2.7" || !seen.Started.Equal(ask.Started) {
		t.Errorf("%+v", seen)
	}
	must(t, p.AnswerDevice(ctx, typed, who.ID, true))
	wantKind(t, p.AnswerDevice(ctx, typed, who.ID, true), fault.NotFound)
	token, err = p.PollDevice(ctx, ask.Secret)
	if must(t, err); !p.works(token) {
		t.Error("the token does not work")
	}
	_, err = p.PollDevice(ctx, ask.Secret)
	wantKind(t, err, fault.NotFound)

	ask = start()
	must(t, p.AnswerDevice(ctx, ask.Code, who.ID, false))
	_, err = p.PollDevice(ctx, ask.Secret)
	wantKind(t, err, fault.Forbidden)
	_, err = p.PollDevice(ctx, ask.Secret)
	wantKind(t, err, fault.NotFound)

	ask = start()
	p.now = p.now.Add(10 * time.Minute)
	wantKind(t, p.AnswerDevice(ctx, ask.Code, who.ID, true), fault.NotFound)
	_, err = p.PollDevice(ctx, ask.Secret)
	wantKind(t, err, fault.NotFound)
}

func TestDeviceHasOneWinner(t *testing.T) {
	p := open(t)
	who := p.person("ana").ID
	race(t, func(int) func() bool {
		ask, err := p.StartDevice(t.Context(), "laptop", "192.0.2.7", []string{"deploy"})
		must(t, err)
		must(t, p.AnswerDevice(t.Context(), ask.Code, who, true))
		return func() bool {
			token, err := p.PollDevice(t.Context(), ask.Secret)
			return err == nil && token != ""
		}
	})
}
