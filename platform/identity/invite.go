package identity

import (
	"context"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

const inviteLife = 7 * 24 * time.Hour

// Invite lets people in who could not sign up otherwise.
type Invite struct {
	ID      string    `json:"id"`
	By      string    `json:"by"`
	Email   string    `json:"email,omitempty"` // for this address alone
	Note    string    `json:"note,omitempty"`
	Uses    int       `json:"uses"` // at most
	Used    int       `json:"used"`
	Created time.Time `json:"created"`
	Ends    time.Time `json:"ends"`
}

// NewInvite is what an invitation is made of.
type NewInvite struct {
	By       string        // who invites
	Email    string        // whom; empty: whoever has it
	Note     string        // for those who list them
	Uses     int           // 0 is 1
	Lifetime time.Duration // 0 is 7 days
}

// Invite makes an invitation and returns its text, of which only a hash is kept.
func (d *Directory) Invite(ctx context.Context, n NewInvite) (token string, i Invite, err error) {
	if n.Uses < 0 || n.Lifetime < 0 {
		return "", Invite{}, fault.New(fault.Invalid, "an invitation is good once at least, and for a while")
	}
	now := at(d.clock().UnixMilli())
	i = Invite{ID: newID(), By: n.By, Note: clip(n.Note, 200), Uses: max(n.Uses, 1), Created: now, Ends: now.Add(orElse(n.Lifetime, inviteLife))}
	if n.Email != "" {
		var ok bool
		if i.Email, ok = Address(n.Email); !ok {
			return "", Invite{}, fault.New(fault.Invalid, "%q is no e-mail address", clip(n.Email, 100)).WithHint("write it like ana@example.com")
		}
	}
	token, hash := newBearer()
	err = d.db.Write(ctx, func(tx *sqlite.Tx) error {
		_, err := tx.Exec(`INSERT INTO people_invite (id, hash, author, email, note, uses, created, ends) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			i.ID, hash[:], i.By, i.Email, i.Note, i.Uses, i.Created.UnixMilli(), i.Ends.UnixMilli())
		return err
	})
	if err != nil {
		return "", Invite{}, err
	}
	return token, i, nil
}

const inviteColumns = `id, author, email, note, uses, used, created, ends`

func scanInvite(row scanner) (i Invite, err error) {
	var created, ends int64
	err = row.Scan(&i.ID, &i.By, &i.Email, &i.Note, &i.Uses, &i.Used, &created, &ends)
	i.Created, i.Ends = at(created), at(ends)
	return i, err
}

// Invites lists the invitations, the newest first, with those that are over.
func (d *Directory) Invites(ctx context.Context) (list []Invite, err error) {
	err = d.db.Read(ctx, func(tx *sqlite.Tx) error {
		list, err = collect(scanInvite)(tx.Query(`SELECT ` + inviteColumns + ` FROM people_invite ORDER BY created DESC, id`))
		return err
	})
	return list, err
}

// takeInvite uses an invitation up by one: the one with a text if it is for whoever
// has a proved address, else an open one that names that address. It reports whether
// there was one. Who is disabled invites nobody any more.
func (d *Directory) takeInvite(tx *sqlite.Tx, text, address string) (taken bool, err error) {
	hash, _ := hashBearer(text) // a text that is none has the zero hash, which nothing has
	now := d.clock()
	n, err := changed(tx.Exec(`UPDATE people_invite SET used = used + 1 WHERE id = (
		SELECT id FROM people_invite WHERE used < uses AND over = 0 AND ends > ?1 AND created <= ?4 AND (hash = ?2 AND email IN ('', ?3) OR email = ?3 AND email <> '')
			AND NOT EXISTS (SELECT 1 FROM people_person WHERE people_person.id = author AND disabled)
		ORDER BY hash = ?2 DESC, ends, id LIMIT 1)`, now.UnixMilli(), hash[:], address, latest(now, 0)))
	return n == 1, err
}

// RemoveInvite takes an invitation back.
func (d *Directory) RemoveInvite(ctx context.Context, id string) error {
	return d.db.Write(ctx, func(tx *sqlite.Tx) error {
		n, err := changed(tx.Exec(`DELETE FROM people_invite WHERE id = ?`, id))
		if err == nil && n == 0 {
			return fault.New(fault.NotFound, "there is no invitation %q", id).WithSubject(id).WithHint("list the invitations, and name one by its id")
		}
		return err
	})
}
