package release

import (
	"context"
	"time"

	"github.com/fazt-sh/fazt/platform/sqlite"
)

// How long history is. A release that is in service always stays.
const (
	KeptReleases = 20                  // live ones an app
	KeptFailures = 30 * 24 * time.Hour // of deployments that did not go live
	keptPlans    = 7 * 24 * time.Hour  // of spent plans, which live a day
)

// Dropped is what Retain took away.
type Dropped struct {
	Releases, Deployments, Parked, Lists int64
}

// Any reports whether anything went, so that files may be without a use now.
func (d Dropped) Any() bool { return d.Releases+d.Parked+d.Lists > 0 }

// Retain forgets what is older than is kept: of each app all but its newest
// releases, failed attempts and the trash past their dates. Each kind is a
// transaction of its own, so that nobody waits for all of them. releases is how
// many of an app stay, KeptReleases but for a node that runs out of disk.
func (s *Store) Retain(ctx context.Context, now time.Time, releases int) (d Dropped, err error) {
	at := now.UnixNano()
	for _, step := range []struct {
		count *int64
		query string
		args  []any
	}{
		{&d.Parked, `DELETE FROM trash WHERE until < ?`, []any{at}},
		{&d.Releases, `DELETE FROM kept WHERE deployment IN (SELECT deployment FROM (
			SELECT deployment, row_number() OVER (PARTITION BY addr ORDER BY deployment DESC) AS n FROM kept) WHERE n > ?)`, []any{releases}},
		{&d.Releases, `DELETE FROM kept WHERE addr NOT IN (SELECT addr FROM object UNION SELECT addr FROM trash)`, nil},
		{&d.Deployments, `DELETE FROM deployment WHERE outcome <> 'live' AND time < ?`, []any{at - int64(KeptFailures)}},
		{&d.Deployments, `DELETE FROM deployment WHERE id IN (SELECT id FROM (
			SELECT id, row_number() OVER (PARTITION BY app ORDER BY id DESC) AS n FROM deployment WHERE outcome = 'live') WHERE n > ?)`, []any{KeptReleases}},
		{nil, `DELETE FROM spent WHERE time < ?`, []any{at - int64(keptPlans)}},
		{&d.Lists, `DELETE FROM list WHERE digest NOT IN (SELECT list FROM object WHERE list IS NOT NULL
			UNION SELECT list FROM kept WHERE list IS NOT NULL UNION SELECT list FROM trash WHERE list IS NOT NULL)`, nil},
	} {
		var n int64
		err := s.db.Write(ctx, func(tx *sqlite.Tx) error {
			if err := s.fence(tx); err != nil {
				return err
			}
			r, err := tx.Exec(step.query, step.args...)
			if err == nil {
				n, err = r.RowsAffected()
			}
			return err
		})
		if err != nil {
			return d, err
		}
		if step.count != nil {
			*step.count += n
		}
	}
	return d, nil
}

// Lists visits every file list that something kept refers to: what is served,
// what one can go back to, and what lies in the trash. The bytes are good until
// visit returns.
func (s *Store) Lists(ctx context.Context, visit func(list []byte) error) error {
	return s.db.Read(ctx, func(tx *sqlite.Tx) error {
		rows, err := tx.Query(`SELECT digest, packed FROM list`)
		if err != nil {
			return err
		}
		defer rows.Close()
		var u unpacker
		for rows.Next() {
			var digest, packed []byte
			if err := rows.Scan(&digest, &packed); err != nil {
				return err
			}
			list, err := u.list("a release", digest, packed)
			if err != nil {
				return err
			}
			if err := visit(list); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}
