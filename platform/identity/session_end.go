package identity

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// End ends a session and its children. One that is over is no error.
func (d *Directory) End(ctx context.Context, id string) error {
	var person string
	err := d.db.Write(ctx, func(tx *sqlite.Tx) error {
		err := tx.QueryRow(`DELETE FROM people_session WHERE id = ? RETURNING person`, id).Scan(&person)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	if err == nil {
		d.sessions.forget(person)
	}
	return err
}

// EndOf ends all sessions of a person.
func (d *Directory) EndOf(ctx context.Context, person string) error {
	defer d.sessions.forget(person)
	return d.db.Write(ctx, func(tx *sqlite.Tx) error {
		_, err := tx.Exec(`DELETE FROM people_session WHERE person = ?`, person)
		return err
	})
}

// Sessions lists a person's sessions, the last used first.
func (d *Directory) Sessions(ctx context.Context, person string) (list []Session, err error) {
	if err := d.flushUses(ctx); err != nil {
		return nil, err
	}
	now := d.clock()
	err = d.db.Read(ctx, func(tx *sqlite.Tx) error {
		list, err = collect(scanSession)(tx.Query(sessionQuery+` WHERE s.person = ? ORDER BY s.seen DESC, s.id`, person))
		return err
	})
	return slices.DeleteFunc(list, func(s Session) bool { return !s.alive(now) }), err
}

// EverySession lists the sessions of everybody, the last used first, at most limit.
func (d *Directory) EverySession(ctx context.Context, limit int) (list []Session, err error) {
	if err := d.flushUses(ctx); err != nil {
		return nil, err
	}
	now := d.clock()
	err = d.db.Read(ctx, func(tx *sqlite.Tx) error {
		list, err = collect(scanSession)(tx.Query(sessionQuery+` WHERE min(s.ends, s.seen + s.idle) > ? AND s.created <= ? ORDER BY s.seen DESC, s.id LIMIT ?`,
			now.UnixMilli(), latest(now, 0), limit))
		return err
	})
	return list, err
}

// SessionByID finds a session that is not over.
func (d *Directory) SessionByID(ctx context.Context, id string) (s Session, err error) {
	err = d.db.Read(ctx, func(tx *sqlite.Tx) error {
		s, err = scanSession(tx.QueryRow(sessionQuery+` WHERE s.id = ?`, id))
		return err
	})
	if errors.Is(err, sql.ErrNoRows) || err == nil && !s.alive(d.clock()) {
		err = fault.New(fault.NotFound, "there is no session %q", id).WithSubject(id).WithHint("list the sessions, and name one by its id")
	}
	return s, err
}

// atOnce is how many uses one transaction writes down, so that others are not
// held up.
const atOnce = 500

// flushUses writes down when sessions and tokens were last used.
func (d *Directory) flushUses(ctx context.Context) error {
	d.flushing.Lock()
	defer d.flushing.Unlock()
	err := flush(ctx, d.db, d.sessions, func(tx *sqlite.Tx, id string, u use) error { return seen(tx, id, u.at.UnixMilli()) })
	return errors.Join(err, flush(ctx, d.db, d.tokens, tokenUsed))
}

func flush[T any](ctx context.Context, db *sqlite.DB, c *cache[T], write func(*sqlite.Tx, string, use) error) error {
	uses := c.uses()
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(uses)), atOnce) {
		err := db.Write(ctx, func(tx *sqlite.Tx) error {
			for _, id := range ids {
				if err := write(tx, id, uses[id]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			c.giveBack(uses)
			return err
		}
	}
	return nil
}

// seen notes the use of a session, of its parent and of its person.
func seen(tx *sqlite.Tx, id string, now int64) error {
	if _, err := tx.Exec(`UPDATE people_session SET seen = max(seen, ?2)
		WHERE id IN (?1, (SELECT parent FROM people_session WHERE id = ?1))`, id, now); err != nil {
		return err
	}
	_, err := tx.Exec(`UPDATE people_person SET seen = max(seen, ?2) WHERE id = (SELECT person FROM people_session WHERE id = ?1)`, id, now)
	return err
}

// collect reads all rows of a query.
func collect[T any](scan func(scanner) (T, error)) func(*sql.Rows, error) ([]T, error) {
	return func(rows *sql.Rows, err error) (list []T, _ error) {
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		list = []T{} // of nobody's is a list too, in JSON
		for rows.Next() {
			v, err := scan(rows)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, rows.Err()
	}
}
