package identity_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// A mail signs in the browser that asked for it, once, for ten minutes.
func TestMailCode(t *testing.T) {
	p := open(t)
	ctx := t.Context()
	ask := func(browser string) (code, link string) {
		m, err := p.MailCode(ctx, "Ana@Example.com", browser)
		must(t, err)
		return m.Code, m.Link
	}
	code, link := ask("b1")
	_, err := p.RedeemCode(ctx, "b2", code)
	wantKind(t, err, fault.Unauthenticated)
	_, err = p.RedeemLink(ctx, "b2", link)
	wantKind(t, err, fault.Unauthenticated)
	email, err := p.RedeemCode(ctx, "b1", " "+code[:3]+"-"+code[3:])
	must(t, err)
	if email != "ana@example.com" {
		t.Errorf("proves %q", email)
	}
	_, err = p.RedeemCode(ctx, "b1", code)
	wantKind(t, err, fault.Unauthenticated)
	_, err = p.RedeemLink(ctx, "b1", link)
	wantKind(t, err, fault.Unauthenticated)

	_, old := ask("b1")
	_, link = ask("b1")
	_, err = p.RedeemLink(ctx, "b1", old)
	wantKind(t, err, fault.Unauthenticated)
	_, err = p.RedeemLink(ctx, "b1", link)
	must(t, err)

	code, _ = ask("b1")
	p.now = p.now.Add(10 * time.Minute)
	_, err = p.RedeemCode(ctx, "b1", code)
	wantKind(t, err, fault.Unauthenticated)
	_, err = p.MailCode(ctx, "nobody", "b1")
	wantKind(t, err, fault.Invalid)
}

// Five wrong codes, also in front of a restart, and the right one is worth nothing.
func TestMailCodeHasFiveTries(t *testing.T) {
	for wrong, good := range []bool{true, true, true, true, true, false, false} {
		p := open(t)
		m, err := p.MailCode(t.Context(), "ana@example.com", "b")
		must(t, err)
		for range wrong {
			_, err := p.RedeemCode(t.Context(), "b", "none")
			wantKind(t, err, fault.Unauthenticated)
			p.reopen()
		}
		if _, err := p.RedeemCode(t.Context(), "b", m.Code); (err == nil) != good {
			t.Errorf("after %d wrong ones: %v", wrong, err)
		}
	}
}

func TestMailCodeHasOneWinner(t *testing.T) {
	p := open(t)
	race(t, func(round int) func() bool {
		browser := fmt.Sprint(round)
		m, err := p.MailCode(t.Context(), "ana@example.com", browser)
		must(t, err)
		return func() bool {
			_, err := p.RedeemLink(t.Context(), browser, m.Link)
			return err == nil
		}
	})
	race(t, func(round int) func() bool {
		browser := fmt.Sprint("code", round)
		m, err := p.MailCode(t.Context(), "ana@example.com", browser)
		must(t, err)
		return func() bool {
			_, err := p.RedeemCode(t.Context(), browser, m.Code)
			return err == nil
		}
	})
}

// The limits of an account and of a prefix, and their end.
func TestAttempts(t *testing.T) {
	p := open(t)
	try := func(account, prefix string) bool {
		retry, err := p.Attempt(t.Context(), account, prefix)
		if err != nil {
			wantKind(t, err, fault.Exhausted)
		}
		if (err != nil) != (retry > 0) || retry > 15*time.Minute {
			t.Fatalf("wait %v, %v", retry, err)
		}
		return err == nil
	}
	for i := range 7 {
		if got := try("ana", fmt.Sprint("p", i)); got != (i < 5) {
			t.Errorf("try %d at an account: %v", i+1, got)
		}
	}
	for i := range 22 {
		if got := try(fmt.Sprint("a", i), "one"); got != (i < 20) {
			t.Errorf("try %d from a prefix: %v", i+1, got)
		}
	}
	for range 6 {
		try("bo", "one") // who is locked locks nobody else out
	}
	if !try("bo", "two") {
		t.Error("a locked prefix has locked an account")
	}
	must(t, p.Forgive(t.Context(), "ana", "p0", 1))
	if !try("ana", "p0") {
		t.Error("not forgiven")
	}
	for i := range 50 { // each asks for a mail, and has its code
		name := fmt.Sprint("office", i)
		if !try(name, "office") || !try("code of "+name, "office") {
			t.Fatalf("sign-in %d of an office is refused", i+1)
		}
		must(t, p.Forgive(t.Context(), name, "office", 2))
	}
	for i := range 22 { // while who guesses gets nothing back
		if got := try(fmt.Sprint("guess", i), "office"); got != (i < 20) {
			t.Errorf("guess %d from an office: %v", i+1, got)
		}
	}
	p.now = p.now.Add(15 * time.Minute)
	if !try("x", "one") {
		t.Error("locked for longer than said")
	}
}

// Many other names, from many places, do not make it forget the one that is
// locked, nor does cleaning up or a restart.
func TestLockedKeysAreNotEvicted(t *testing.T) {
	const others = 100_000
	p := open(t)
	for range 6 {
		p.Attempt(t.Context(), "ana", "")
	}
	must(t, p.db.Write(t.Context(), func(tx *sqlite.Tx) error { // as if each had tried
		_, err := tx.Exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
			INSERT INTO people_attempt (key, count, ends) SELECT randomblob(32), 1, ? FROM n`, others, p.now.Add(15*time.Minute).UnixMilli())
		return err
	}))
	for i := range 500 {
		_, err := p.Attempt(t.Context(), fmt.Sprint(i), fmt.Sprint(i/10))
		must(t, err)
	}
	p.now = p.now.Add(14 * time.Minute)
	must(t, p.Flush(t.Context()))
	p.reopen()
	_, err := p.Attempt(t.Context(), "ana", "elsewhere")
	wantKind(t, err, fault.Exhausted)
}

// What a stranger asks about somebody who is not here takes the same statements.
func TestWorkTellsNothing(t *testing.T) {
	p := open(t)
	who := p.person("ana")
	ctx := t.Context()
	_, err := p.MailCode(ctx, "ana@example.com", "known")
	must(t, err)
	for name, ask := range map[string]func(known bool){
		"mail": func(known bool) { p.MailCode(ctx, pick(known, who.Email, "no@example.com"), fmt.Sprint(known)) },
		"code": func(known bool) { p.RedeemCode(ctx, pick(known, "known", "other"), "000") },
		"link": func(known bool) { p.RedeemLink(ctx, pick(known, "known", "other"), "none") },
		"try":  func(known bool) { p.Attempt(ctx, pick(known, who.Email, "no@example.com"), "p") },
	} {
		if here, not := p.count(func() { ask(true) }), p.count(func() { ask(false) }); here != not || here == 0 {
			t.Errorf("%s: %d statements for somebody who is here, %d for others", name, here, not)
		}
	}
}

func pick(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}
