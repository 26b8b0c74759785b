package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/fazt-sh/fazt/platform/sqlite"
)

// ListOptions choose a page of names. The zero value is the first thousand.
type ListOptions struct {
	Prefix string
	Limit  int    // at most 1000, which 0 is too
	Cursor string // of the page before; it means something only with the same prefix
}

// KeyPage is a page of keys in the order of their bytes.
type KeyPage struct {
	Keys   []KeyInfo
	Cursor string // for the next page; empty after the last
}

// KeyInfo is a key without what it stands for.
type KeyInfo struct {
	Key     string
	Meta    json.RawMessage // nil if there is none
	Expires time.Time       // zero if it does not
	Version int64
}

// List returns a page of the keys that begin with a prefix.
func (k *Keys) List(ctx context.Context, o ListOptions) (page KeyPage, err error) {
	r, limit, err := o.bounds()
	if err == nil && o.Cursor != "" && r.from[len(r.from)-1] != 0 { // behind no key
		err = badCursor(samePrefix)
	}
	if err != nil {
		return page, err
	}
	store, err := k.store(ctx)
	if err != nil {
		return page, err
	}
	err = k.db.Read(ctx, func(tx *sqlite.Tx) error {
		rows, err := tx.Query(`SELECT key, meta, expires, version FROM fazt_key
			WHERE store = ? AND owner = ? AND key >= ? AND key < ? AND (expires IS NULL OR expires > ?)
			ORDER BY key LIMIT ?`, store, k.owner, r.from, r.to, now(), limit+1)
		if err != nil {
			return err
		}
		defer rows.Close()
		page, err = readKeys(rows, limit)
		return err
	})
	return page, err
}

func readKeys(rows *sql.Rows, limit int) (page KeyPage, err error) {
	for rows.Next() {
		if len(page.Keys) == limit {
			page.Cursor = cursorAt(append([]byte(page.Keys[limit-1].Key), 0))
			break
		}
		var i KeyInfo
		var key []byte
		var expires sql.NullInt64
		if err := rows.Scan(&key, (*[]byte)(&i.Meta), &expires, &i.Version); err != nil {
			return page, err
		}
		if i.Key = string(key); expires.Valid {
			i.Expires = fromMillis(expires.Int64)
		}
		page.Keys = append(page.Keys, i)
	}
	return page, rows.Err()
}

// A sweep removes at most this many expired keys. A second passes between two
// sweeps that found fewer: a write that finds nothing should not pay for looking.
const (
	sweepKeys  = 32
	sweepEvery = 1000 // ms
)

// sweepKeys removes some expired keys, of whatever bucket. The write it is part of
// pays for it, so what expires never outgrows what is written.
func (c *core) sweepKeys(tx *sqlite.Tx) error {
	at := now()
	if last := c.swept.Load(); at < last+sweepEvery && last <= at {
		return nil
	}
	rows, err := tx.Query(`DELETE FROM fazt_key WHERE id IN (SELECT id FROM fazt_key WHERE expires <= ? ORDER BY expires LIMIT ?)
		RETURNING store, length(key) + length(value) + ifnull(length(meta), 0)`, at, sweepKeys)
	if err != nil {
		return err
	}
	type sum struct{ items, bytes int64 }
	gone, items := map[int64]sum{}, 0
	for rows.Next() {
		var store, size int64
		if err := rows.Scan(&store, &size); err != nil {
			rows.Close()
			return err
		}
		s := gone[store]
		gone[store] = sum{s.items + 1, s.bytes + size}
		items++
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for store, s := range gone {
		if _, err := c.count(tx, store, -s.items, -s.bytes, 0); err != nil {
			return err
		}
	}
	if items < sweepKeys {
		c.swept.Store(at)
	}
	return nil
}
