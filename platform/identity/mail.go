package identity

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

const (
	mailLife  = 10 * time.Minute
	mailTries = 5
)

// Mailed is what a mail says to somebody who wants to sign in: six digits to
// type, or a text for a link. Either is good once.
type Mailed struct {
	Code, Link string
	Ends       time.Time
}

// MailCode makes a code and a link that prove an address, for the browser that
// asked and no other: a mail that somebody else caused signs nobody in. It does
// not matter whether the address is known; the newest of a browser holds.
func (d *Directory) MailCode(ctx context.Context, email, browser string) (Mailed, error) {
	address, ok := Address(email)
	if !ok || browser == "" {
		return Mailed{}, fault.New(fault.Invalid, "%q is no e-mail address", clip(email, 100)).WithHint("write it like ana@example.com")
	}
	link, hash := newBearer()
	m := Mailed{Code: digits(), Link: link, Ends: d.clock().Add(mailLife)}
	key := d.key.mac("browser", browser)
	err := d.db.Write(ctx, func(tx *sqlite.Tx) error {
		_, err := tx.Exec(`INSERT OR REPLACE INTO people_mail (browser, email, code, link, tries, ends) VALUES (?, ?, ?, ?, 0, ?)`,
			key, address, d.key.mac("code", browser, m.Code), hash[:], m.Ends.UnixMilli())
		return err
	})
	if err != nil {
		return Mailed{}, err
	}
	return m, nil
}

// RedeemCode returns the address that a code proves. The fifth wrong one is the
// last. The error's kind is Unauthenticated whatever is wrong.
func (d *Directory) RedeemCode(ctx context.Context, browser, code string) (email string, err error) {
	given := d.key.mac("code", browser, plain(code))
	key := d.key.mac("browser", browser)
	err = d.db.Write(ctx, func(tx *sqlite.Tx) error {
		email = ""
		var address string
		var want []byte
		now := d.clock()
		err := tx.QueryRow(`UPDATE people_mail SET tries = tries + 1 WHERE browser = ? AND ends > ? AND ends <= ? AND tries < ? RETURNING email, code`,
			key, now.UnixMilli(), latest(now, mailLife), mailTries).Scan(&address, &want)
		if errors.Is(err, sql.ErrNoRows) || err == nil && !hmac.Equal(given, want) {
			return nil // the try is counted
		}
		if err != nil {
			return err
		}
		email = address
		_, err = tx.Exec(`DELETE FROM people_mail WHERE browser = ?`, key)
		return err
	})
	return proved(email, err)
}

// RedeemLink returns the address that a link proves in the browser that asked.
func (d *Directory) RedeemLink(ctx context.Context, browser, link string) (email string, err error) {
	hash, _ := hashBearer(link) // a text that is none has the zero hash, which nothing has
	err = d.db.Write(ctx, func(tx *sqlite.Tx) error {
		email = ""
		now := d.clock()
		err := tx.QueryRow(`DELETE FROM people_mail WHERE browser = ? AND link = ? AND ends > ? AND ends <= ? RETURNING email`,
			d.key.mac("browser", browser), hash[:], now.UnixMilli(), latest(now, mailLife)).Scan(&email)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return proved(email, err)
}

func proved(email string, err error) (string, error) {
	if err != nil {
		return "", err
	}
	if email == "" {
		return "", fault.New(fault.Unauthenticated, "this code is wrong, or no longer good").WithHint("ask for a new one, and use it in the same browser")
	}
	return email, nil
}

// digits are six at random; what the remainder prefers is less than 1 in 10^13.
func digits() string {
	var raw [8]byte
	rand.Read(raw[:])
	return fmt.Sprintf("%06d", binary.BigEndian.Uint64(raw[:])%1_000_000)
}

// letters are those of codes that people type: none looks like another, and U
// is missing so that they make no words.
const letters = "23456789ABCDEFGHJKMNPQRSTVWXYZ"

// typed makes a code of groups of letters, like K7QF-2M.
func typed(groups ...int) string {
	var b strings.Builder
	for i, n := range groups {
		if i > 0 {
			b.WriteByte('-')
		}
		for n > 0 {
			var raw [1]byte
			rand.Read(raw[:])
			if int(raw[0]) < 256/len(letters)*len(letters) {
				b.WriteByte(letters[int(raw[0])%len(letters)])
				n--
			}
		}
	}
	return b.String()
}

// plain is a code as it counts: how it was grouped and written does not matter.
func plain(code string) string {
	return strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(clip(code, 64)))
}
