package queue

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// putSchedules brings the rows in line with what is declared.
func (s *Store) putSchedules(tx *sqlite.Tx, declared map[string]rhythm) error {
	rows, err := schedules(tx)
	if err != nil {
		return err
	}
	known := map[string]row{}
	for _, r := range rows {
		known[r.name] = r
		if _, ok := declared[r.name]; ok {
			continue
		}
		for _, q := range []string{`DELETE FROM fazt_schedule WHERE name = ?`, `DELETE FROM fazt_run WHERE schedule = ?`} {
			if _, err := tx.Exec(q, r.name); err != nil {
				return err
			}
		}
	}
	now := s.now()
	for name, rhythm := range declared {
		if r, ok := known[name]; ok && r.spec == rhythm.spec && r.zone == rhythm.zone.String() {
			continue
		}
		next, err := rhythm.next(now)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(`INSERT INTO fazt_schedule (name, spec, zone, next, asked, due, tries, manual) VALUES (?, ?, ?, ?, ?, 0, 0, 0)
			ON CONFLICT (name) DO UPDATE SET spec = excluded.spec, zone = excluded.zone, next = excluded.next, asked = excluded.asked`,
			name, rhythm.spec, rhythm.zone.String(), millis(next), millis(now)); err != nil {
			return err
		}
	}
	return nil
}

// row is a schedule as it is kept.
type row struct {
	name, spec, zone string
	next, asked      time.Time
	owed             time.Time // zero: no run is due
	due              time.Time
	tries            int
	manual           bool
}

func schedules(tx *sqlite.Tx) (list []row, err error) {
	rows, err := tx.Query(`SELECT name, spec, zone, next, asked, coalesce(owed, 0), due, tries, manual FROM fazt_schedule ORDER BY name`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r row
		var next, asked, owed, due int64
		if err := rows.Scan(&r.name, &r.spec, &r.zone, &next, &asked, &owed, &due, &r.tries, &r.manual); err != nil {
			return nil, err
		}
		r.next, r.asked, r.owed, r.due = at(next), at(asked), at(owed), at(due)
		list = append(list, r)
	}
	return list, rows.Err()
}

// wake returns when something is to be done about the schedule.
func (r row) wake(running bool) time.Time {
	if !r.owed.IsZero() && !running && r.due.Before(r.next) {
		return r.due
	}
	return r.next
}

// advance notes that a moment has passed: a run is owed, once for all that were
// missed, or skipped if there is one already.
func (s *Store) advance(tx *sqlite.Tx, r row, of rhythm, now time.Time) (row, error) {
	next, err := s.upcoming(r, of, now)
	if err != nil || next.Equal(r.next) && !now.Before(r.asked) {
		return r, err
	}
	if !r.next.After(now) {
		latest := of.latest(r.next, now)
		if of.noCatchUp && now.Sub(latest) > onTime {
			r.next, r.asked = next, now
			return r, save(tx, r)
		}
		if r.owed.IsZero() {
			r.owed, r.due, r.tries, r.manual = latest, now, 0, false
		} else if _, err := tx.Exec(`UPDATE fazt_run SET skipped = skipped + 1 WHERE schedule = ? AND outcome = 'running'`, r.name); err != nil {
			return r, err
		}
	}
	r.next, r.asked = next, now
	return r, save(tx, r)
}

// onTime is how late a run may begin and be no missed one: twice as long as Run
// sleeps between two looks at the clock.
const onTime = 2 * glance

// upcoming returns the schedule's next moment. It stays what it is until it has
// passed, so that no moment comes twice when the clock is set back a little; set
// back by more than one moment to the next, the schedule begins anew.
func (s *Store) upcoming(r row, of rhythm, now time.Time) (time.Time, error) {
	if r.next.After(now) && !now.Before(r.asked) {
		return r.next, nil
	}
	next, err := of.next(now)
	if err != nil || !r.next.After(now) {
		return next, err
	}
	second, err := of.next(next)
	if err == nil && !r.next.After(second) {
		next = r.next
	}
	return next, err
}

func save(tx *sqlite.Tx, r row) error {
	var owed any
	if !r.owed.IsZero() {
		owed = millis(r.owed)
	}
	_, err := tx.Exec(`UPDATE fazt_schedule SET next = ?, asked = ?, owed = ?, due = ?, tries = ?, manual = ? WHERE name = ?`,
		millis(r.next), millis(r.asked), owed, millis(r.due), r.tries, r.manual, r.name)
	return err
}

// begin starts the owed run of a schedule and returns its number.
func begin(tx *sqlite.Tx, r row, now time.Time) (run int64, err error) {
	r.tries++
	if err := save(tx, r); err != nil {
		return 0, err
	}
	err = tx.QueryRow(`INSERT INTO fazt_run (schedule, due, began, outcome, error, manual, skipped) VALUES (?, ?, ?, 'running', '', ?, 0) RETURNING id`,
		r.name, millis(r.owed), millis(now), r.manual).Scan(&run)
	if err != nil {
		return 0, err
	}
	_, err = tx.Exec(`DELETE FROM fazt_run WHERE schedule = ? AND id <= (SELECT id FROM fazt_run WHERE schedule = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`,
		r.name, r.name, kept)
	return run, err
}

// kept is how many runs of a schedule are remembered.
const kept = 50

// end records how a run ended; nothing is owed then.
func (s *Store) end(tx *sqlite.Tx, name string, run int64, failed error) error {
	outcome, text := "ok", ""
	if failed != nil {
		outcome, text = "failed", shorten(failed.Error())
	}
	if _, err := tx.Exec(`UPDATE fazt_run SET ended = ?, outcome = ?, error = ? WHERE id = ?`, millis(s.now()), outcome, text, run); err != nil {
		return err
	}
	_, err := tx.Exec(`UPDATE fazt_schedule SET owed = NULL, manual = 0 WHERE name = ?`, name)
	return err
}

// postpone undoes the beginning of a run that did not take place. It is owed
// still.
func postpone(tx *sqlite.Tx, name string, run int64, due time.Time) error {
	if _, err := tx.Exec(`DELETE FROM fazt_run WHERE id = ?`, run); err != nil {
		return err
	}
	_, err := tx.Exec(`UPDATE fazt_schedule SET due = ?, tries = tries - 1 WHERE name = ? AND owed IS NOT NULL`, millis(due), name)
	return err
}

// maxTries is how often a run is begun that each time ends with the process, or
// without a word: it may be what ends it.
const maxTries = 2

// takeOver picks up what an earlier process was at: its leases end soon, its runs
// are owed still.
func (s *Store) takeOver(tx *sqlite.Tx) error {
	now := s.now()
	known, _ := s.snapshot()
	left, err := query(tx, `SELECT `+columns+` FROM fazt_job WHERE state = 1 AND lease IS NOT NULL`)
	if err != nil {
		return err
	}
	for _, j := range left {
		if _, err := tx.Exec(`UPDATE fazt_job SET lease = NULL, due = min(due, ?) WHERE id = ?`, millis(now.Add(s.pause(known[j.Queue], j.Attempts))), j.ID); err != nil {
			return err
		}
	}
	_, err = tx.Exec(`UPDATE fazt_run SET outcome = 'lost', ended = ?, error = 'the process ended' WHERE outcome = 'running'`, millis(now))
	return err
}

// Trigger makes a schedule run now, beside its own moments. The error's kind is
// NotFound if the app has no such schedule, Conflict if a run is due or under
// way.
func (s *Store) Trigger(ctx context.Context, name string) error {
	now := s.now()
	err := s.db.Write(ctx, func(tx *sqlite.Tx) error {
		var owed sql.NullInt64
		err := tx.QueryRow(`SELECT owed FROM fazt_schedule WHERE name = ?`, name).Scan(&owed)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return fault.New(fault.NotFound, "there is no schedule %q", name).WithSubject(name).WithHint("fazt cron list shows them")
		case err != nil:
			return err
		case owed.Valid:
			return fault.New(fault.Conflict, "schedule %q is running", name).WithSubject(name)
		}
		_, err = tx.Exec(`UPDATE fazt_schedule SET owed = ?, due = ?, tries = 0, manual = 1 WHERE name = ?`, millis(now), millis(now), name)
		return err
	})
	if err == nil {
		s.Poke()
	}
	return err
}
