package identity

import (
	"context"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// How often somebody may try, in a window that begins with the first try.
const (
	attemptWindow  = 15 * time.Minute
	accountTries   = 5
	prefixTries    = 20
	mostTriesKnown = 1000 // counts stop there
)

// Attempt counts one try at an account from a prefix of addresses, before
// anything is looked at. When there were too many for either, the error's kind
// is Exhausted and retry is the time to wait. It does not know whether there is
// such an account, and forgets no count before its time, whatever else is tried.
func (d *Directory) Attempt(ctx context.Context, account, prefix string) (retry time.Duration, err error) {
	now := d.clock()
	err = d.db.Write(ctx, func(tx *sqlite.Tx) error {
		retry, err = d.countTry(tx, "prefix", prefix, prefixTries, now)
		if err != nil || retry > 0 { // else a stranger could lock everybody out
			return err
		}
		retry, err = d.countTry(tx, "account", account, accountTries, now)
		return err
	})
	if err == nil && retry > 0 {
		err = fault.New(fault.Exhausted, "too many tries").WithHint("wait %d minutes", int(retry/time.Minute)+1)
	}
	return retry, err
}

// countTry counts for one key and returns how long it is locked: for a window from
// now at most, also where the clock was put back. An empty text is not counted.
func (d *Directory) countTry(tx *sqlite.Tx, kind, text string, most int, now time.Time) (locked time.Duration, err error) {
	if text == "" {
		return 0, nil
	}
	var count int
	var ends int64
	err = tx.QueryRow(`INSERT INTO people_attempt (key, count, ends) VALUES (?1, 1, ?2) ON CONFLICT (key) DO UPDATE SET
		count = CASE WHEN ends <= ?3 THEN 1 ELSE min(count + 1, ?4) END,
		ends = CASE WHEN ends <= ?3 THEN ?2 ELSE min(ends, ?2) END RETURNING count, ends`,
		d.key.mac("attempt", kind, text), now.Add(attemptWindow).UnixMilli(), now.UnixMilli(), mostTriesKnown).Scan(&count, &ends)
	if err != nil || count <= most {
		return 0, err
	}
	return at(ends).Sub(now), nil
}

// Forgive forgets the tries at an account, after one that was right, and gives those
// that led to it back to the prefix: an office behind one address signs in all day,
// and who guesses gets none back.
func (d *Directory) Forgive(ctx context.Context, account, prefix string, tries int) error {
	return d.db.Write(ctx, func(tx *sqlite.Tx) error {
		if _, err := tx.Exec(`DELETE FROM people_attempt WHERE key = ?`, d.key.mac("attempt", "account", account)); err != nil {
			return err
		}
		_, err := tx.Exec(`UPDATE people_attempt SET count = max(count - ?, 0) WHERE key = ?`, tries, d.key.mac("attempt", "prefix", prefix))
		return err
	})
}
