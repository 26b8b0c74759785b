package storage

import (
	"context"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// Usage is what an app keeps, in bytes.
type Usage struct {
	Keys, Docs, Files int64 // what was put: keys with values and metadata, documents as JSON, bytes of files and parts
	Database          int64 // the whole database, with the tables of SQL and all indexes
	Quota             int64 // 0 without bound
}

// Usage returns what the app keeps. It reads counters, not rows.
func (a *App) Usage(ctx context.Context) (u Usage, err error) {
	u.Quota = a.quota.Load()
	err = a.db.ReadOne(ctx, func(tx *sqlite.Tx) error {
		return tx.QueryRow(`SELECT ifnull(sum(bytes) FILTER (WHERE kind = 'keys'), 0),
				ifnull(sum(bytes) FILTER (WHERE kind = 'docs'), 0), ifnull(sum(bytes) FILTER (WHERE kind = 'files'), 0),
				(SELECT page_count * page_size FROM pragma_page_count, pragma_page_size)
			FROM fazt_store`).Scan(&u.Keys, &u.Docs, &u.Files, &u.Database)
	})
	return u, err
}

// count adds to what a binding holds and returns the number of this change, which
// is higher than those of all before it. What grows beyond a quota of the binding
// (0: none) or of the app is refused with Exhausted, and the transaction with it.
func (c *core) count(tx *sqlite.Tx, store, items, bytes, quota int64) (version int64, err error) {
	var held, all int64
	if err := tx.QueryRow(`UPDATE fazt_store SET items = items + ?, bytes = bytes + ?, version = version + 1
		WHERE id = ? RETURNING version, bytes, (SELECT sum(bytes) FROM fazt_store)`, items, bytes, store).Scan(&version, &held, &all); err != nil {
		return 0, err
	}
	return version, c.fits(bytes, held, all, quota)
}

// fits refuses what grew by some bytes and is over a quota now: of the binding (0:
// none), which holds so much, or of the app.
func (c *core) fits(grown, held, all, quota int64) error {
	total := c.quota.Load()
	switch {
	case grown <= 0:
	case quota > 0 && held > quota:
		return overQuota(quota)
	case total > 0 && all > total:
		return overQuota(total)
	}
	return nil
}

// room returns how many bytes may still come in, -1 without bound. It is a guess
// for streams, which count decides when they have ended.
func (c *core) room(ctx context.Context, store, quota int64) (room int64, err error) {
	if c.halt != nil {
		if err := c.halt(ctx); err != nil {
			return 0, err
		}
	}
	total := c.quota.Load()
	if quota <= 0 && total <= 0 {
		return -1, nil
	}
	var held, all int64
	err = c.db.Read(ctx, func(tx *sqlite.Tx) error {
		return tx.QueryRow(`SELECT (SELECT bytes FROM fazt_store WHERE id = ?), (SELECT sum(bytes) FROM fazt_store)`, store).Scan(&held, &all)
	})
	if err != nil {
		return 0, err
	}
	switch {
	case total <= 0:
		return max(quota-held, 0), nil
	case quota <= 0:
		return max(total-all, 0), nil
	}
	return max(min(quota-held, total-all), 0), nil
}

func overQuota(quota int64) error {
	return fault.New(fault.Exhausted, "over the storage quota of %d bytes", quota).
		WithSubject("storage quota").WithHint("delete something, or raise the quota in the app's configuration")
}

// reserved begins the names of our tables, which the app's own SQL cannot name.
const reserved = "fazt_"

// databaseOptions turns the settings of an app into those of its database.
func databaseOptions(s Settings) sqlite.Options {
	o := sqlite.Options{Durability: s.Durability, Reserved: reserved, Halt: s.halt, Trace: s.trace}
	if s.Storage > 0 {
		o.MaxBytes = s.Storage + ownBytes
	}
	return o
}
