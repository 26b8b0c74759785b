package release

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// Lease makes this store the one that may write from now on. A store that took
// its lease earlier, in a process that has lost the folder without knowing it,
// is refused with Conflict: its token is older than the newest one.
func (s *Store) Lease(ctx context.Context, holder string) error {
	var token int64
	err := s.db.Write(ctx, func(tx *sqlite.Tx) error {
		r, err := tx.Exec(`INSERT INTO lease (holder, since) VALUES (?, ?)`, holder, time.Now().UnixNano())
		if err != nil {
			return err
		}
		if token, err = r.LastInsertId(); err != nil {
			return err
		}
		_, err = tx.Exec(`DELETE FROM lease WHERE token < ?`, token)
		return err
	})
	if err == nil { // one that is not on the disk would fence its own holder off
		s.token = token
	}
	return err
}

// fence refuses a writer whose lease is over.
func (s *Store) fence(tx *sqlite.Tx) error {
	if s.token == 0 {
		return nil
	}
	var newest int64
	var holder string
	err := tx.QueryRow(`SELECT token, holder FROM lease ORDER BY token DESC LIMIT 1`).Scan(&newest, &holder)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if newest != s.token {
		return fault.New(fault.Conflict, "another process (%s) has taken over this state folder", holder).
			WithHint("stop this one; a folder has one node")
	}
	return nil
}

// Lineage names this state: a random word, made once. A folder that was emptied
// has another, so that what was planned for the old one does not fit.
func (s *Store) Lineage(ctx context.Context) (id string, err error) {
	err = s.db.Write(ctx, func(tx *sqlite.Tx) error {
		err := tx.QueryRow(`SELECT id FROM lineage`).Scan(&id)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		id = rand.Text()
		_, err = tx.Exec(`INSERT INTO lineage (id) VALUES (?)`, id)
		return err
	})
	return id, err
}
