package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

const (
	tokenPrefix = "fzt_"                // what scanners for leaked secrets look for
	tokenLen    = len(tokenPrefix) + 48 // 32 random bytes, and four of their SHA-256 as checksum
	mostLife    = 90 * 24 * time.Hour   // of a token
)

// Token is a secret that a program of a person's carries.
type Token struct {
	ID      string    `json:"id"`
	Person  *Person   `json:"person"`
	Name    string    `json:"name"`
	Scopes  []string  `json:"scopes"`
	Created time.Time `json:"created"`
	Ends    time.Time `json:"ends"`
	Used    time.Time `json:"used,omitzero"` // to the minute
	From    string    `json:"from,omitempty"`
}

// NewToken is what a token is made of.
type NewToken struct {
	Person   string   // id
	Name     string   // for those who list them
	Scopes   []string // what it may be used for, words; it has no others
	Lifetime time.Duration
}

// Check refuses what no token can be made of.
func (n NewToken) Check() error {
	switch {
	case n.Name == "":
		return fault.New(fault.Invalid, "a token needs a name").WithHint("name what will use it, like ci")
	case len(words(n.Scopes)) == 0:
		return fault.New(fault.Invalid, "the token %q would be good for nothing", n.Name).WithHint("name its scopes")
	case n.Lifetime < 0:
		return fault.New(fault.Invalid, "the token %q would be over before it is used", n.Name).WithHint("say how long it is good, like 30d")
	case n.Lifetime > mostLife:
		return fault.New(fault.Invalid, "the token %q would live longer than 90 days", n.Name).WithHint("take 90 days, and rotate it")
	}
	return nil
}

// newToken makes a text with a checksum, so that what is mistyped or made up is
// known without a query.
func newToken() (text string, hash digest) {
	var raw [36]byte
	rand.Read(raw[:32])
	hash = sha256.Sum256(raw[:32])
	copy(raw[32:], hash[:])
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(raw[:]), hash
}

// hashToken returns what is kept of a token, and false for a text that is none.
// It allocates nothing.
func hashToken(text string) (hash digest, ok bool) {
	if len(text) != tokenLen || text[:len(tokenPrefix)] != tokenPrefix {
		return hash, false
	}
	var buf [48]byte
	var raw [36]byte
	copy(buf[:], text[len(tokenPrefix):])
	n, err := base64.RawURLEncoding.Decode(raw[:], buf[:])
	if err != nil || n != len(raw) {
		return hash, false
	}
	hash = sha256.Sum256(raw[:32])
	return hash, [4]byte(raw[32:]) == [4]byte(hash[:4])
}

// CreateToken makes a token and returns its text, of which only a hash is kept.
func (d *Directory) CreateToken(ctx context.Context, n NewToken) (token string, t Token, err error) {
	if err := n.Check(); err != nil {
		return "", Token{}, err
	}
	token, hash := newToken()
	err = d.db.Write(ctx, func(tx *sqlite.Tx) error {
		t, err = createToken(tx, n, hash, d.clock())
		return err
	})
	if err != nil {
		return "", Token{}, err
	}
	return token, t, nil
}

func createToken(tx *sqlite.Tx, n NewToken, hash digest, now time.Time) (Token, error) {
	p, err := personByID(tx, n.Person)
	if err != nil {
		return Token{}, err
	}
	if p.Disabled {
		return Token{}, disabled(p)
	}
	now = at(now.UnixMilli())
	t := Token{ID: newID(), Person: &p, Name: clip(n.Name, 100), Scopes: words(n.Scopes), Created: now, Ends: now.Add(orElse(n.Lifetime, mostLife))}
	_, err = tx.Exec(`INSERT INTO people_token (id, hash, person, name, scopes, created, ends) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		t.ID, hash[:], p.ID, t.Name, strings.Join(t.Scopes, " "), t.Created.UnixMilli(), t.Ends.UnixMilli())
	return t, err
}

const tokenQuery = `SELECT ` + personColumns + `, t.id, t.name, t.scopes, t.created, t.ends, t.used, t.used_from
	FROM people_token t JOIN people_person p ON p.id = t.person`

func scanToken(row scanner) (t Token, err error) {
	var scopes string
	var created, ends, used int64
	p, err := scanPerson(row, &t.ID, &t.Name, &scopes, &created, &ends, &used, &t.From)
	t.Person, t.Scopes, t.Created, t.Ends = &p, strings.Fields(scopes), at(created), at(ends)
	if used > 0 {
		t.Used = at(used)
	}
	return t, err
}

// Token returns what a token's text stands for, and notes from where it was
// used. What is cached costs no query and no allocation, and a text that is no
// token costs no query; what it returns must not be changed.
func (d *Directory) Token(token, address string, now time.Time) (*Token, bool) {
	hash, ok := hashToken(token)
	if !ok {
		return nil, false
	}
	if t, known := d.tokens.get(hash, "", address, now); known != unknown {
		return t, known == given
	}
	return d.loadToken(hash, address, now)
}

// loadToken asks the table, and keeps what is good.
func (d *Directory) loadToken(hash digest, address string, now time.Time) (*Token, bool) {
	epoch := d.tokens.now()
	var t Token
	err := d.db.Read(context.Background(), func(tx *sqlite.Tx) (err error) {
		t, err = scanToken(tx.QueryRow(tokenQuery+` WHERE t.hash = ? AND t.over = 0 AND p.disabled = 0`, hash[:]))
		return err
	})
	if err != nil || !holds(now, t.Created, t.Ends) {
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			d.log.Warn("a token could not be looked up", "error", err)
		}
		return nil, false
	}
	d.tokens.put(epoch, hash, &entry[Token]{value: &t, id: t.ID, person: t.Person.ID, made: t.Created, ends: t.Ends, use: use{t.Used, t.From}})
	d.tokens.get(hash, "", address, now) // notes the use
	return &t, true
}

// Tokens lists a person's tokens, or everybody's, with those that are over.
func (d *Directory) Tokens(ctx context.Context, person string) (list []Token, err error) {
	if err := d.flushUses(ctx); err != nil {
		return nil, err
	}
	err = d.db.Read(ctx, func(tx *sqlite.Tx) error {
		list, err = collect(scanToken)(tx.Query(tokenQuery+` WHERE ?1 IN ('', t.person) ORDER BY t.created DESC, t.id`, person))
		return err
	})
	return list, err
}

// TokenByID finds a token, also one that is over.
func (d *Directory) TokenByID(ctx context.Context, id string) (t Token, err error) {
	err = d.db.Read(ctx, func(tx *sqlite.Tx) error {
		t, err = scanToken(tx.QueryRow(tokenQuery+` WHERE t.id = ?`, id))
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		err = noToken(id, nil)
	}
	return t, err
}

// RotateToken gives a token another text and its lifetime anew; the old text is over.
func (d *Directory) RotateToken(ctx context.Context, id string) (token string, t Token, err error) {
	token, hash := newToken()
	now := d.clock().UnixMilli()
	err = d.db.Write(ctx, func(tx *sqlite.Tx) error {
		n, err := changed(tx.Exec(`UPDATE people_token SET hash = ?, created = ?, ends = ends - created + ?, over = 0 WHERE id = ?`, hash[:], now, now, id))
		if err != nil || n == 0 {
			return noToken(id, err)
		}
		t, err = scanToken(tx.QueryRow(tokenQuery+` WHERE t.id = ?`, id))
		return err
	})
	if err != nil {
		return "", Token{}, err
	}
	d.tokens.forget(t.Person.ID)
	return token, t, nil
}

// RevokeToken ends a token at once.
func (d *Directory) RevokeToken(ctx context.Context, id string) error {
	var person string
	err := d.db.Write(ctx, func(tx *sqlite.Tx) error {
		err := tx.QueryRow(`DELETE FROM people_token WHERE id = ? RETURNING person`, id).Scan(&person)
		if errors.Is(err, sql.ErrNoRows) {
			return noToken(id, nil)
		}
		return err
	})
	if err == nil {
		d.tokens.forget(person)
	}
	return err
}

func noToken(id string, err error) error {
	if err != nil {
		return err
	}
	return fault.New(fault.NotFound, "there is no token %q", id).WithSubject(id).WithHint("list the tokens, and name one by its id")
}

// tokenUsed notes the use of a token.
func tokenUsed(tx *sqlite.Tx, id string, u use) error {
	_, err := tx.Exec(`UPDATE people_token SET used = ?2, used_from = ?3 WHERE id = ?1 AND used < ?2`, id, u.at.UnixMilli(), clip(u.from, 64))
	return err
}
