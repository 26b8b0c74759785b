package identity

import (
	"context"
	"crypto/hmac"
	"database/sql"
	"errors"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

const (
	stepLen    = 30 // seconds
	stepsOff   = 1  // that a phone's clock may be before or behind
	noStep     = -1
	dummySeed  = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" // for people who have none: their work is the same
	totpSealed = "totp "                            // and the person: one's secret is no use in another's row
)

// StartTOTP makes a secret for an authenticator app and returns the address it
// reads it from. It counts when ConfirmTOTP has seen a code; until then the one
// before does.
func (d *Directory) StartTOTP(ctx context.Context, person, issuer string) (uri string, err error) {
	p, err := d.Person(ctx, person)
	if err != nil {
		return "", err
	}
	account := p.Email
	if account == "" {
		account = p.ID
	}
	k, err := totp.Generate(totp.GenerateOpts{Issuer: issuer, AccountName: account, SecretSize: 20})
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "make a secret for an authenticator app")
	}
	sealed, err := d.key.seal(totpSealed+p.ID, []byte(k.Secret()))
	if err != nil {
		return "", err
	}
	err = d.db.Write(ctx, func(tx *sqlite.Tx) error {
		_, err := tx.Exec(`INSERT INTO people_totp (person, pending) VALUES (?1, ?2) ON CONFLICT (person) DO UPDATE SET pending = ?2`, p.ID, sealed)
		return err
	})
	if err != nil {
		return "", err
	}
	return k.URL(), nil
}

// ConfirmTOTP makes the secret of StartTOTP the one that counts.
func (d *Directory) ConfirmTOTP(ctx context.Context, person, code string) error {
	return d.db.Write(ctx, func(tx *sqlite.Tx) error {
		step, err := d.step(tx, `SELECT pending FROM people_totp WHERE person = ?`, person, code)
		if err != nil {
			return err
		}
		return accepted(tx.Exec(`UPDATE people_totp SET secret = pending, pending = NULL, step = ?2 WHERE person = ?1 AND pending IS NOT NULL AND ?2 > 0`, person, step))
	})
}

// UseTOTP checks a code of a person's authenticator app. A code is good once:
// neither it nor an older one is taken again. The work is the same for people
// who have no app.
func (d *Directory) UseTOTP(ctx context.Context, person, code string) error {
	return d.db.Write(ctx, func(tx *sqlite.Tx) error {
		step, err := d.step(tx, `SELECT secret FROM people_totp WHERE person = ?`, person, code)
		if err != nil {
			return err
		}
		return accepted(tx.Exec(`UPDATE people_totp SET step = ?2 WHERE person = ?1 AND secret IS NOT NULL AND step < ?2`, person, step))
	})
}

func accepted(r sql.Result, err error) error {
	n, err := changed(r, err)
	if err == nil && n == 0 {
		err = fault.New(fault.Unauthenticated, "this code is wrong, or was used already").WithHint("wait for the next one")
	}
	return err
}

// step returns the span of time whose code was given, by the secret that query
// finds, or noStep.
func (d *Directory) step(tx *sqlite.Tx, query, person, code string) (int64, error) {
	var sealed []byte
	if err := tx.QueryRow(query, person).Scan(&sealed); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return noStep, err
	}
	secret := dummySeed
	if sealed != nil {
		open, err := d.key.open(totpSealed+person, sealed)
		if err != nil {
			return noStep, fault.New(fault.Internal, "the key file is not the one that sealed this secret").WithSubject(person).
				WithHint("put %s back from a backup, or remove the person's authenticator app", KeyFile)
		}
		secret = string(open)
	}
	found, err := match(secret, plain(code), d.clock())
	if sealed == nil {
		return noStep, err
	}
	return found, err
}

// match tries the codes around now, all of them.
func match(secret, code string, now time.Time) (int64, error) {
	found := int64(noStep)
	current := now.Unix() / stepLen
	for step := current - stepsOff; step <= current+stepsOff; step++ {
		want, err := totp.GenerateCodeCustom(secret, time.Unix(step*stepLen, 0), totp.ValidateOpts{Period: stepLen, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err != nil {
			return noStep, fault.Wrap(fault.Internal, err, "compute a code")
		}
		if hmac.Equal([]byte(want), []byte(code)) {
			found = step
		}
	}
	return found, nil
}

// RemoveTOTP takes a person's authenticator app away.
func (d *Directory) RemoveTOTP(ctx context.Context, person string) error {
	return d.db.Write(ctx, func(tx *sqlite.Tx) error {
		_, err := tx.Exec(`DELETE FROM people_totp WHERE person = ?`, person)
		return err
	})
}
