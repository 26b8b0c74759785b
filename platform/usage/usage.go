// Package usage keeps what each app has sent, month by month, so that a budget
// outlives a restart. The edge counts in memory and hands its totals over from
// time to time; what a crash loses is what was sent since then. It refuses to
// know what a budget is.
package usage

import (
	"context"
	"embed"
	"io/fs"

	"github.com/fazt-sh/fazt/platform/sqlite"
)

//go:embed migration/*.sql
var migrations embed.FS

// Row is what one app has sent in one month.
type Row struct {
	App   string // address: app.notes
	Month string // 2026-11, UTC
	Bytes int64
}

// kept is how many months back are remembered.
const kept = 13

// Store reads and writes the rows of one database.
type Store struct {
	db *sqlite.DB
}

// Open prepares the table in db.
func Open(ctx context.Context, db *sqlite.DB) (*Store, error) {
	files, err := fs.Sub(migrations, "migration")
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx, "usage", files); err != nil {
		return nil, err
	}
	return &Store{db: db}, nil
}

// Put records totals in one transaction. A total never shrinks: what is there
// and larger stays. Of each app the last 13 months are kept.
func (s *Store) Put(ctx context.Context, rows []Row) error {
	if len(rows) == 0 {
		return nil
	}
	return s.db.Write(ctx, func(tx *sqlite.Tx) error {
		for _, r := range rows {
			if _, err := tx.Exec(`INSERT INTO usage (app, month, bytes) VALUES (?, ?, ?)
				ON CONFLICT (app, month) DO UPDATE SET bytes = max(bytes, excluded.bytes)`, r.App, r.Month, r.Bytes); err != nil {
				return err
			}
			if _, err := tx.Exec(`DELETE FROM usage WHERE app = ?1 AND month NOT IN
				(SELECT month FROM usage WHERE app = ?1 ORDER BY month DESC LIMIT ?2)`, r.App, kept); err != nil {
				return err
			}
		}
		return nil
	})
}

// Month returns what was sent in a month, by app.
func (s *Store) Month(ctx context.Context, month string) (rows []Row, err error) {
	err = s.db.Read(ctx, func(tx *sqlite.Tx) error {
		found, err := tx.Query(`SELECT app, month, bytes FROM usage WHERE month = ? ORDER BY app`, month)
		if err != nil {
			return err
		}
		defer found.Close()
		for found.Next() {
			var r Row
			if err := found.Scan(&r.App, &r.Month, &r.Bytes); err != nil {
				return err
			}
			rows = append(rows, r)
		}
		return found.Err()
	})
	return rows, err
}
