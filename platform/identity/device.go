package identity

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

const (
	deviceLife  = 10 * time.Minute
	mostDevices = 1000 // that wait at once: strangers can ask
)

// DeviceInterval is how long a device waits before it asks for its token again.
const DeviceInterval = 5 * time.Second

// deviceHaste is how soon it may come all the same, as networks are not even.
const deviceHaste = 4 * time.Second

// Device is a program that waits for a person to let it in.
type Device struct {
	Code    string    `json:"code"`             // for the person, K7QF-2M
	Secret  string    `json:"secret,omitempty"` // for the device; shown once
	Name    string    `json:"name"`             // what it calls itself
	Scopes  []string  `json:"scopes"`           // what it asks for
	Address string    `json:"address"`          // from where it asks
	Started time.Time `json:"started"`
	Ends    time.Time `json:"ends"`
}

// StartDevice makes a code for a person to type and a secret to poll with.
func (d *Directory) StartDevice(ctx context.Context, name, address string, scopes []string) (Device, error) {
	ask := Device{Name: clip(name, 100), Scopes: words(scopes), Address: clip(address, 64)}
	if err := (NewToken{Name: ask.Name, Scopes: ask.Scopes}).Check(); err != nil {
		return Device{}, err
	}
	now := d.clock()
	secret, hash := newBearer()
	ask.Secret, ask.Started, ask.Ends = secret, at(now.UnixMilli()), at(now.Add(deviceLife).UnixMilli())
	err := d.db.Write(ctx, func(tx *sqlite.Tx) error {
		var waiting int
		if err := tx.QueryRow(`SELECT count(*) FROM people_device WHERE ends > ? AND ends <= ?`, now.UnixMilli(), latest(now, deviceLife)).Scan(&waiting); err != nil {
			return err
		}
		if waiting >= mostDevices {
			return fault.New(fault.Exhausted, "too many devices wait to be let in").WithHint("try again in 10 minutes")
		}
		for made := int64(0); made == 0; { // a code that is in use is not given twice
			ask.Code = typed(4, 2)
			var err error
			made, err = changed(tx.Exec(`INSERT INTO people_device (hash, code, name, scopes, address, started, ends) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (code) DO NOTHING`,
				hash[:], d.deviceCode(ask.Code), ask.Name, strings.Join(ask.Scopes, " "), ask.Address, ask.Started.UnixMilli(), ask.Ends.UnixMilli()))
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Device{}, err
	}
	return ask, nil
}

func (d *Directory) deviceCode(code string) []byte { return d.key.mac("device", plain(code)) }

// Device tells what asks to be let in by a code that is not answered yet.
func (d *Directory) Device(ctx context.Context, code string) (ask Device, err error) {
	var scopes string
	var started, ends int64
	now := d.clock()
	err = d.db.Read(ctx, func(tx *sqlite.Tx) error {
		return tx.QueryRow(`SELECT name, scopes, address, started, ends FROM people_device WHERE code = ? AND ends > ? AND ends <= ? AND person IS NULL`,
			d.deviceCode(code), now.UnixMilli(), latest(now, deviceLife)).Scan(&ask.Name, &scopes, &ask.Address, &started, &ends)
	})
	if err != nil {
		return Device{}, noDevice(err)
	}
	ask.Code = plain(code) // of six letters, as it was found
	ask.Code = ask.Code[:4] + "-" + ask.Code[4:]
	ask.Scopes, ask.Started, ask.Ends = strings.Fields(scopes), at(started), at(ends)
	return ask, nil
}

// AnswerDevice lets what asked by a code in as a person, or does not.
func (d *Directory) AnswerDevice(ctx context.Context, code, person string, approve bool) error {
	return d.db.Write(ctx, func(tx *sqlite.Tx) error {
		now := d.clock()
		n, err := changed(tx.Exec(`UPDATE people_device SET person = ?, granted = ? WHERE code = ? AND ends > ? AND ends <= ? AND person IS NULL`,
			person, approve, d.deviceCode(code), now.UnixMilli(), latest(now, deviceLife)))
		if err == nil && n == 0 {
			err = sql.ErrNoRows
		}
		return noDevice(err)
	})
}

// PollDevice returns the token of a device that was let in, once, and empty as
// long as nobody has answered. The error's kind is Forbidden if it was refused,
// NotFound if it is over, Exhausted if it asks sooner than it was told to.
func (d *Directory) PollDevice(ctx context.Context, secret string) (token string, err error) {
	hash, _ := hashBearer(secret) // a text that is none has the zero hash, which nothing has
	var refused bool
	err = d.db.Write(ctx, func(tx *sqlite.Tx) error {
		token, refused = "", false
		var n NewToken
		var scopes string
		var asked int64
		now := d.clock()
		err := tx.QueryRow(`SELECT coalesce(person, ''), name, scopes, asked, person IS NOT NULL AND granted = 0 FROM people_device WHERE hash = ? AND ends > ? AND ends <= ?`,
			hash[:], now.UnixMilli(), latest(now, deviceLife)).Scan(&n.Person, &n.Name, &scopes, &asked, &refused)
		switch {
		case err != nil:
			return noDevice(err)
		case n.Person == "" && now.Sub(at(asked)) < deviceHaste:
			return fault.New(fault.Exhausted, "this device asks too often").WithHint("ask each %s", DeviceInterval)
		case n.Person == "":
			_, err := tx.Exec(`UPDATE people_device SET asked = ? WHERE hash = ?`, now.UnixMilli(), hash[:])
			return err
		}
		if _, err := tx.Exec(`DELETE FROM people_device WHERE hash = ?`, hash[:]); err != nil || refused {
			return err
		}
		n.Scopes = strings.Fields(scopes)
		text, kept := newToken()
		if _, err = createToken(tx, n, kept, now); err == nil {
			token = text
		}
		return err
	})
	if err == nil && refused {
		err = fault.New(fault.Forbidden, "somebody refused to let this device in").WithHint("start again, and approve it")
	}
	return token, err
}

func noDevice(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fault.New(fault.NotFound, "no device waits by that code").WithHint("codes are good for 10 minutes, once: start again on the device")
	}
	return err
}
