package release

import (
	"context"
	"time"

	"github.com/fazt-sh/fazt/platform/sqlite"
)

// Mark says how far the node went with a revision.
type Mark string

// The marks: the newest revision the repository showed, the newest one a pass
// was begun with, the newest one that was published.
const (
	Seen      Mark = "seen"
	Attempted Mark = "attempted"
	Applied   Mark = "applied"
)

// Sighting is a revision and when it got its mark.
type Sighting struct {
	Revision string
	Time     time.Time // UTC
}

// Note moves a mark to revision in the caller's transaction. A zero time is now.
func (s *Store) Note(tx *sqlite.Tx, mark Mark, revision string, at time.Time) error {
	_, err := tx.Exec(`INSERT INTO revision (mark, revision, time) VALUES (?, ?, ?)
		ON CONFLICT (mark) DO UPDATE SET revision = excluded.revision, time = excluded.time`,
		string(mark), revision, nanos(at))
	return err
}

// Notes returns where the marks are; one that was never set is absent.
func (s *Store) Notes(ctx context.Context) (map[Mark]Sighting, error) {
	notes := map[Mark]Sighting{}
	err := s.db.Read(ctx, func(tx *sqlite.Tx) error {
		rows, err := tx.Query(`SELECT mark, revision, time FROM revision`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var mark Mark
			var s Sighting
			var at int64
			if err := rows.Scan(&mark, &s.Revision, &at); err != nil {
				return err
			}
			s.Time = time.Unix(0, at).UTC()
			notes[mark] = s
		}
		return rows.Err()
	})
	return notes, err
}
