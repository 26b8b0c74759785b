package identity

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

const mostPasskey = 64 << 10 // bytes of data

// Passkey is a credential of an authenticator. What is in Data is the gate's.
type Passkey struct {
	ID      []byte    `json:"id"`
	Person  string    `json:"person"`
	Name    string    `json:"name"`
	Data    []byte    `json:"-"`
	Counter uint32    `json:"counter"`
	Created time.Time `json:"created"` // set by AddPasskey
	Used    time.Time `json:"used,omitzero"`
}

// AddPasskey keeps a credential that a person has made. The error's kind is
// Conflict if it is known.
func (d *Directory) AddPasskey(ctx context.Context, k Passkey) error {
	if len(k.ID) == 0 || len(k.ID) > 1023 || len(k.Data) > mostPasskey { // the bound of WebAuthn
		return fault.New(fault.Invalid, "this passkey is not one").WithHint("make another")
	}
	return d.db.Write(ctx, func(tx *sqlite.Tx) error {
		if _, err := personByID(tx, k.Person); err != nil {
			return err
		}
		n, err := changed(tx.Exec(`INSERT INTO people_passkey (id, person, name, data, counter, created) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			k.ID, k.Person, clip(k.Name, 100), append([]byte{}, k.Data...), k.Counter, d.clock().UnixMilli()))
		if err == nil && n == 0 {
			err = fault.New(fault.Conflict, "this passkey is known already").WithHint("use it to sign in, or make another")
		}
		return err
	})
}

const passkeyQuery = `SELECT id, person, name, data, counter, created, used FROM people_passkey`

func scanPasskey(row scanner) (k Passkey, err error) {
	var created, used int64
	err = row.Scan(&k.ID, &k.Person, &k.Name, &k.Data, &k.Counter, &created, &used)
	k.Created = at(created)
	if used > 0 {
		k.Used = at(used)
	}
	return k, err
}

// Passkeys lists a person's, the oldest first.
func (d *Directory) Passkeys(ctx context.Context, person string) (list []Passkey, err error) {
	err = d.db.Read(ctx, func(tx *sqlite.Tx) error {
		list, err = collect(scanPasskey)(tx.Query(passkeyQuery+` WHERE person = ? ORDER BY created, id`, person))
		return err
	})
	return list, err
}

// Passkey finds one by its credential id.
func (d *Directory) Passkey(ctx context.Context, id []byte) (k Passkey, err error) {
	err = d.db.Read(ctx, func(tx *sqlite.Tx) error {
		k, err = scanPasskey(tx.QueryRow(passkeyQuery+` WHERE id = ?`, id))
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return Passkey{}, noPasskey()
	}
	return k, err
}

// UsePasskey notes a use, with what the gate keeps of it from now on (nil: as
// before). The error's kind is Unauthenticated if the counter did not go on: then
// there are two of the credential. Authenticators that do not count stay at zero.
func (d *Directory) UsePasskey(ctx context.Context, id []byte, counter uint32, data []byte) error {
	return d.db.Write(ctx, func(tx *sqlite.Tx) error {
		n, err := changed(tx.Exec(`UPDATE people_passkey SET counter = ?2, data = coalesce(?3, data), used = ?4
			WHERE id = ?1 AND (?2 > counter OR ?2 = 0 AND counter = 0)`, id, counter, data, d.clock().UnixMilli()))
		if err == nil && n == 0 {
			err = fault.New(fault.Unauthenticated, "this passkey is unknown, or there is a copy of it").WithHint("sign in another way, and remove it")
		}
		return err
	})
}

// RemovePasskey forgets one of a person's.
func (d *Directory) RemovePasskey(ctx context.Context, person string, id []byte) error {
	return d.db.Write(ctx, func(tx *sqlite.Tx) error {
		n, err := changed(tx.Exec(`DELETE FROM people_passkey WHERE person = ? AND id = ?`, person, id))
		if err == nil && n == 0 {
			err = noPasskey()
		}
		return err
	})
}

func noPasskey() error {
	return fault.New(fault.NotFound, "there is no such passkey").WithHint("list the passkeys of the person, and name one by its id")
}
