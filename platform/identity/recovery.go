package identity

import (
	"context"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

const recoveryCodes = 10

// NewRecovery makes codes for the day the phone is lost, in place of those
// before. Each is good once, and only hashes are kept.
func (d *Directory) NewRecovery(ctx context.Context, person string) ([]string, error) {
	codes := make([]string, recoveryCodes)
	for i := range codes {
		codes[i] = typed(5, 5)
	}
	err := d.db.Write(ctx, func(tx *sqlite.Tx) error {
		if _, err := personByID(tx, person); err != nil {
			return err
		}
		if _, err := tx.Exec(`DELETE FROM people_recovery WHERE person = ?`, person); err != nil {
			return err
		}
		for _, c := range codes {
			if _, err := tx.Exec(`INSERT INTO people_recovery (person, hash) VALUES (?, ?)`, person, d.recoveryHash(person, c)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return codes, nil
}

// UseRecovery spends a code and returns how many are left. The work is the same
// for people who have none.
func (d *Directory) UseRecovery(ctx context.Context, person, code string) (left int, err error) {
	var spent int64
	err = d.db.Write(ctx, func(tx *sqlite.Tx) (err error) {
		spent, err = changed(tx.Exec(`DELETE FROM people_recovery WHERE person = ? AND hash = ?`, person, d.recoveryHash(person, code)))
		if err != nil {
			return err
		}
		return tx.QueryRow(`SELECT count(*) FROM people_recovery WHERE person = ?`, person).Scan(&left)
	})
	if err == nil && spent == 0 {
		err = fault.New(fault.Unauthenticated, "this code is wrong, or was used already").WithHint("try another of the list")
	}
	if err != nil {
		return 0, err
	}
	return left, nil
}

func (d *Directory) recoveryHash(person, code string) []byte {
	return d.key.mac("recovery", person, plain(code))
}
