package identity

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

const (
	saltLen    = 24
	mostTicket = 8 << 10 // a text of ours is far below; others are not looked at
	// ticketAhead is how far back the clock may be put and leave a ticket good: little, as
	// whoever holds one has only to begin again.
	ticketAhead = time.Minute
)

// Seal makes a text of v that only this node can read and make. It is good for
// one kind of use, until a time; to make it good once as well, see Spend.
func (d *Directory) Seal(kind string, until time.Time, v any) (string, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "seal a ticket of kind %q", kind)
	}
	plain := binary.BigEndian.AppendUint64(nil, uint64(until.UnixMilli()))
	plain = binary.BigEndian.AppendUint64(plain, uint64(d.clock().UnixMilli()))
	sealed, err := d.key.seal(kind, append(plain, body...))
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(sealed)
	if len(text) > mostTicket {
		return "", fault.New(fault.Invalid, "a ticket of kind %q would have %d bytes", kind, len(text)).WithHint("put less into it: at most %d", mostTicket)
	}
	return text, nil
}

// Unseal reads a text that Seal made for the same kind into v. The error's kind
// is Invalid whatever is wrong with it.
func (d *Directory) Unseal(kind, text string, v any) error {
	bad := fault.New(fault.Invalid, "this link is not one of ours, or no longer good").WithHint("go back and start again")
	if len(text) > mostTicket || strings.ContainsAny(text, "\r\n") { // which the decoder skips: there must be one text only
		return bad
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return bad
	}
	plain, err := d.key.open(kind, sealed)
	if err != nil || len(plain) < 16 {
		return bad
	}
	ends, made := at(int64(binary.BigEndian.Uint64(plain))), at(int64(binary.BigEndian.Uint64(plain[8:])))
	if now := d.clock(); !now.Before(ends) || made.Sub(now) > ticketAhead {
		return bad
	}
	if err := json.Unmarshal(plain[16:], v); err != nil {
		return fault.Wrap(fault.Internal, err, "a ticket of kind %q holds something else", kind)
	}
	return nil
}

// seal encrypts under a key of its own, so that the number of tickets, which
// strangers can ask for, is not bounded by the length of a nonce.
func (k key) seal(kind string, plain []byte) ([]byte, error) {
	salt := make([]byte, saltLen)
	rand.Read(salt)
	box, err := k.box(kind, salt)
	if err != nil {
		return nil, err
	}
	return box.Seal(salt, make([]byte, box.NonceSize()), plain, []byte(kind)), nil
}

func (k key) open(kind string, sealed []byte) ([]byte, error) {
	if len(sealed) < saltLen {
		return nil, fault.New(fault.Invalid, "too short to be sealed")
	}
	box, err := k.box(kind, sealed[:saltLen])
	if err != nil {
		return nil, err
	}
	return box.Open(nil, make([]byte, box.NonceSize()), sealed[saltLen:], []byte(kind))
}

func (k key) box(kind string, salt []byte) (cipher.AEAD, error) {
	own, err := k.derive(salt, "seal "+kind)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(own)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// Spend reports whether id is spent for the first time. That is remembered until
// the given time, and afterwards nothing is first any more: who spends a ticket
// gives the ticket's end.
func (d *Directory) Spend(ctx context.Context, id string, until time.Time) (first bool, err error) {
	hash := sha256.Sum256([]byte(id))
	err = d.db.Write(ctx, func(tx *sqlite.Tx) error {
		n, err := changed(tx.Exec(`INSERT INTO people_spent (id, ends) SELECT ?1, ?2 WHERE ?2 > ?3 ON CONFLICT DO NOTHING`,
			hash[:], until.UnixMilli(), d.clock().UnixMilli()))
		first = n == 1
		return err
	})
	return first && err == nil, err
}
