package identity

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// Person is somebody who has signed in.
type Person struct {
	ID       string    `json:"id"`
	Email    string    `json:"email,omitempty"` // canonical, and somebody vouched for it; else empty
	Name     string    `json:"name,omitempty"`
	Disabled bool      `json:"disabled,omitempty"`
	Created  time.Time `json:"created"`
	Seen     time.Time `json:"seen"`
}

// Claim is what a provider vouches for.
type Claim struct {
	Issuer   string
	Subject  string // what the issuer calls the person; it never changes
	Email    string
	Verified bool // the issuer says that the address is the person's
	Name     string
}

// address is the address that the claim proves, or empty.
func (c Claim) address() string {
	a, ok := Address(c.Email)
	if !ok || !c.Verified {
		return ""
	}
	return a
}

const personColumns = `p.id, coalesce(p.email, ''), p.name, p.disabled, p.created, p.seen`

// scanner is a row, or the row of several that is next.
type scanner interface{ Scan(...any) error }

func scanPerson(row scanner, more ...any) (p Person, err error) {
	var created, seen int64
	err = row.Scan(append([]any{&p.ID, &p.Email, &p.Name, &p.Disabled, &created, &seen}, more...)...)
	p.Created, p.Seen = at(created), at(seen)
	return p, err
}

// Recognise returns the person whom a claim is about, and makes one of somebody
// new if signup, which is given the proved address, lets it (nil does not).
//
// Issuer and subject say who it is; an address does only where the issuer proved
// it to be the one of a person who had proved it too, and then this way of
// signing in is added to that person. A claim that may not use its address, as
// nobody proved it or as it is taken, makes a person without one, who has no
// more rights than any stranger. The error's kind is Forbidden for who is
// disabled or may not sign up.
func (d *Directory) Recognise(ctx context.Context, c Claim, signup func(email string) bool) (Person, error) {
	return d.recognise(ctx, c, signup, nil)
}

// RecogniseInvited is Recognise where an invitation lets somebody new in, too: the one
// whose text is given, or an open one for the proved address. It is used up by one in
// the transaction that makes the person.
func (d *Directory) RecogniseInvited(ctx context.Context, c Claim, invite string, signup func(email string) bool) (Person, error) {
	return d.recognise(ctx, c, signup, &invite)
}

func (d *Directory) recognise(ctx context.Context, c Claim, signup func(email string) bool, invite *string) (Person, error) {
	if c.Issuer == "" || c.Subject == "" {
		return Person{}, fault.New(fault.Invalid, "the provider did not say who signed in").WithHint("try again, or sign in another way")
	}
	p, _, err := d.known(ctx, c)
	switch {
	case errors.Is(err, sql.ErrNoRows): // outside of transactions, as it may ask the database
		allowed := signup != nil && signup(c.address())
		p, err = d.admit(ctx, c, allowed, invite)
	case err == nil && !p.Disabled:
		p, err = d.admit(ctx, c, false, nil)
	}
	if err == nil && p.Disabled {
		err = disabled(p)
	}
	if err != nil {
		return Person{}, err
	}
	return p, nil
}

func disabled(p Person) error {
	return fault.New(fault.Forbidden, "this account is disabled").WithSubject(p.ID).WithHint("ask whoever runs this place")
}

// known looks a claim up without changing anything; linked is false if the
// person is known by the address alone.
func (d *Directory) known(ctx context.Context, c Claim) (p Person, linked bool, err error) {
	err = d.db.Read(ctx, func(tx *sqlite.Tx) error {
		p, linked, err = find(tx, c)
		return err
	})
	return p, linked, err
}

func find(tx *sqlite.Tx, c Claim) (p Person, linked bool, err error) {
	p, err = scanPerson(tx.QueryRow(`SELECT `+personColumns+` FROM people_identity i JOIN people_person p ON p.id = i.person
		WHERE i.issuer = ? AND i.subject = ?`, c.Issuer, c.Subject))
	if !errors.Is(err, sql.ErrNoRows) {
		return p, true, err
	}
	// An issuer that gives one address to two subjects has given it to somebody else.
	p, err = scanPerson(tx.QueryRow(`SELECT `+personColumns+` FROM people_person p WHERE p.email = ?1 AND p.email <> ''
		AND NOT EXISTS (SELECT 1 FROM people_identity i WHERE i.person = p.id AND i.issuer = ?2)`, c.address(), c.Issuer))
	return p, false, err
}

// admit returns the person of a claim, links the claim to one, or makes one.
func (d *Directory) admit(ctx context.Context, c Claim, allowed bool, invite *string) (p Person, err error) {
	now := d.clock().UnixMilli()
	err = d.db.Write(ctx, func(tx *sqlite.Tx) error {
		var linked bool
		p, linked, err = find(tx, c)
		if errors.Is(err, sql.ErrNoRows) {
			p, err = d.signUp(tx, c, allowed, invite)
		}
		if err != nil || linked || p.Disabled {
			return err
		}
		_, err = tx.Exec(`INSERT INTO people_identity (issuer, subject, person, created) VALUES (?, ?, ?, ?)`, c.Issuer, c.Subject, p.ID, now)
		return err
	})
	return p, err
}

// signUp makes somebody new who is allowed in, or invited. Who is both has used the
// invitation as well, so that its list says who came by it.
func (d *Directory) signUp(tx *sqlite.Tx, c Claim, allowed bool, invite *string) (Person, error) {
	if invite != nil {
		taken, err := d.takeInvite(tx, *invite, c.address())
		if err != nil {
			return Person{}, err
		}
		allowed = allowed || taken
	}
	if !allowed {
		return Person{}, fault.New(fault.Forbidden, "nobody is let in here by that account").WithHint("ask for an invitation, or sign in with the account that was invited")
	}
	return create(tx, c, d.clock().UnixMilli())
}

// create makes a person, who gets the address if it is proved and free.
func create(tx *sqlite.Tx, c Claim, now int64) (Person, error) {
	id := newID()
	if _, err := tx.Exec(`INSERT INTO people_person (id, email, name, created, seen) VALUES (?1,
		(SELECT ?2 WHERE ?2 <> '' AND NOT EXISTS (SELECT 1 FROM people_person WHERE email = ?2)), ?3, ?4, ?4)`,
		id, c.address(), clip(c.Name, 200), now); err != nil {
		return Person{}, err
	}
	return personByID(tx, id)
}

func personByID(tx *sqlite.Tx, id string) (Person, error) {
	p, err := scanPerson(tx.QueryRow(`SELECT `+personColumns+` FROM people_person p WHERE p.id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return Person{}, missing(id)
	}
	return p, err
}

// Disable ends all sessions of a person at once and refuses the person, and their
// tokens, until Enable.
func (d *Directory) Disable(ctx context.Context, id string) error {
	defer d.forget(id)
	return d.db.Write(ctx, func(tx *sqlite.Tx) error {
		if err := one(id)(tx.Exec(`UPDATE people_person SET disabled = 1 WHERE id = ?`, id)); err != nil {
			return err
		}
		_, err := tx.Exec(`DELETE FROM people_session WHERE person = ?`, id)
		return err
	})
}

// Enable lets a person sign in again.
func (d *Directory) Enable(ctx context.Context, id string) error {
	return d.db.Write(ctx, func(tx *sqlite.Tx) error {
		return one(id)(tx.Exec(`UPDATE people_person SET disabled = 0 WHERE id = ?`, id))
	})
}

// forget drops what is in memory about a person. It is called when the change is
// in the tables, and before who made it is told.
func (d *Directory) forget(person string) {
	d.sessions.forget(person)
	d.tokens.forget(person)
}
