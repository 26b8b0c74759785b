package identity

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/fazt-sh/fazt/platform/sqlite"
)

const mostListed = 1000

// People lists the people whose ids come after one, in the order of ids; limit
// is at most 1000, and 0 is that.
func (d *Directory) People(ctx context.Context, after string, limit int) (list []Person, err error) {
	if limit <= 0 || limit > mostListed {
		limit = mostListed
	}
	err = d.db.Read(ctx, func(tx *sqlite.Tx) error {
		list, err = collect(plainPerson)(tx.Query(`SELECT `+personColumns+` FROM people_person p WHERE p.id > ? ORDER BY p.id LIMIT ?`, after, limit))
		return err
	})
	return list, err
}

func plainPerson(row scanner) (Person, error) { return scanPerson(row) }

// Person finds one by id or address.
func (d *Directory) Person(ctx context.Context, idOrEmail string) (p Person, err error) {
	address, _ := Address(idOrEmail)
	err = d.db.Read(ctx, func(tx *sqlite.Tx) error {
		p, err = scanPerson(tx.QueryRow(`SELECT `+personColumns+` FROM people_person p WHERE p.id = ? OR p.email = ?`, idOrEmail, address))
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return Person{}, missing(idOrEmail)
	}
	return p, err
}

// Remove forgets a person with all that belongs to them, also the invitations
// they made. Who signs in the same way again is somebody new.
func (d *Directory) Remove(ctx context.Context, id string) error {
	defer d.forget(id)
	return d.db.Write(ctx, func(tx *sqlite.Tx) error {
		if err := one(id)(tx.Exec(`DELETE FROM people_person WHERE id = ?`, id)); err != nil {
			return err
		}
		_, err := tx.Exec(`DELETE FROM people_invite WHERE author = ?`, id)
		return err
	})
}

// Factors is what a person can show besides the account they sign in with.
type Factors struct {
	TOTP     bool `json:"totp"`
	Passkeys int  `json:"passkeys"`
	Recovery int  `json:"recovery"` // codes that are left
}

// FactorsOf returns what a person can show.
func (d *Directory) FactorsOf(ctx context.Context, person string) (f Factors, err error) {
	err = d.db.Read(ctx, func(tx *sqlite.Tx) error {
		return tx.QueryRow(`SELECT EXISTS (SELECT 1 FROM people_totp WHERE person = ?1 AND secret IS NOT NULL),
			(SELECT count(*) FROM people_passkey WHERE person = ?1), (SELECT count(*) FROM people_recovery WHERE person = ?1)`,
			person).Scan(&f.TOTP, &f.Passkeys, &f.Recovery)
	})
	return f, err
}

// Identity is one way in which a person is recognised.
type Identity struct {
	Issuer  string    `json:"issuer"`
	Subject string    `json:"subject"`
	Created time.Time `json:"created"`
}

// Export is what is kept about a person, without secrets.
type Export struct {
	Person     Person     `json:"person"`
	Identities []Identity `json:"identities"`
	Sessions   []Session  `json:"sessions"`
	Tokens     []Token    `json:"tokens"`
	Passkeys   []Passkey  `json:"passkeys"`
	Invites    []Invite   `json:"invites"` // made by the person
	Factors    Factors    `json:"factors"`
}

// Export returns what is kept about a person.
func (d *Directory) Export(ctx context.Context, id string) (e Export, err error) {
	if e.Person, err = d.Person(ctx, id); err != nil {
		return Export{}, err
	}
	id = e.Person.ID
	var errs [5]error
	e.Sessions, errs[0] = d.Sessions(ctx, id)
	e.Tokens, errs[1] = d.Tokens(ctx, id)
	e.Passkeys, errs[2] = d.Passkeys(ctx, id)
	e.Factors, errs[3] = d.FactorsOf(ctx, id)
	errs[4] = d.db.Read(ctx, func(tx *sqlite.Tx) (err error) {
		e.Identities, err = collect(scanIdentity)(tx.Query(`SELECT issuer, subject, created FROM people_identity WHERE person = ? ORDER BY created, issuer`, id))
		if err != nil {
			return err
		}
		e.Invites, err = collect(scanInvite)(tx.Query(`SELECT `+inviteColumns+` FROM people_invite WHERE author = ? ORDER BY created, id`, id))
		return err
	})
	if err := errors.Join(errs[:]...); err != nil {
		return Export{}, err
	}
	return e, nil
}

func scanIdentity(row scanner) (i Identity, err error) {
	var created int64
	err = row.Scan(&i.Issuer, &i.Subject, &created)
	i.Created = at(created)
	return i, err
}
