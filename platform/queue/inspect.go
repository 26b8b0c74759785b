package queue

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// Status is what one queue holds.
type Status struct {
	Queue                         string
	Ready, Delayed, Running, Dead int
	Oldest                        time.Time // when the oldest job that is not dead was sent; zero if there is none
	Declared                      bool      // the app has it; jobs of others lie still
}

// Queues returns every queue that is declared or holds something, by name.
func (s *Store) Queues(ctx context.Context) ([]Status, error) {
	declared, _ := s.snapshot()
	found := map[string]Status{}
	err := s.db.Read(ctx, func(tx *sqlite.Tx) error {
		rows, err := tx.Query(`SELECT queue, sum(state = 0), sum(state = 1 AND lease IS NULL), sum(state = 1 AND lease IS NOT NULL), sum(state = 2),
			coalesce(min(CASE WHEN state < 2 THEN sent END), 0) FROM fazt_job GROUP BY queue`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var st Status
			var oldest int64
			if err := rows.Scan(&st.Queue, &st.Ready, &st.Delayed, &st.Running, &st.Dead, &oldest); err != nil {
				return err
			}
			st.Oldest = at(oldest)
			found[st.Queue] = st
		}
		return rows.Err()
	})
	var list []Status
	for name := range declared {
		st := found[name]
		st.Queue, st.Declared = name, true
		found[name] = st
	}
	for _, st := range found {
		list = append(list, st)
	}
	slices.SortFunc(list, func(a, b Status) int { return cmp.Compare(a.Queue, b.Queue) })
	return list, err
}

// Jobs returns jobs of a queue in one state ("ready", "delayed", "running",
// "dead"), or in all if it is empty, by id from after on, at most limit.
func (s *Store) Jobs(ctx context.Context, queue, state string, after int64, limit int) (jobs []Job, err error) {
	where, ok := map[string]string{
		"": "", "ready": " AND state = 0", "dead": " AND state = 2",
		"delayed": " AND state = 1 AND lease IS NULL", "running": " AND state = 1 AND lease IS NOT NULL",
	}[state]
	if !ok {
		return nil, fault.New(fault.Invalid, "jobs are ready, delayed, running or dead, not %q", state)
	}
	err = s.db.Read(ctx, func(tx *sqlite.Tx) (err error) {
		jobs, err = query(tx, `SELECT `+columns+` FROM fazt_job WHERE queue = ?`+where+` AND id > ? ORDER BY id LIMIT ?`, queue, after, limit)
		return err
	})
	return jobs, err
}

// Retry makes dead jobs of a queue ready again, with all their attempts: those
// with the given ids, or all of them if there are none. It returns how many; one
// whose key is taken by a living job stays dead.
func (s *Store) Retry(ctx context.Context, queue string, ids ...int64) (int, error) {
	n, err := s.dead(ctx, `UPDATE OR IGNORE fazt_job SET state = 0, attempts = 0, due = 0`, queue, ids)
	if err == nil {
		s.Poke()
	}
	return n, err
}

// Purge deletes dead jobs of a queue: those with the given ids, or all of them if
// there are none. It returns how many.
func (s *Store) Purge(ctx context.Context, queue string, ids ...int64) (int, error) {
	return s.dead(ctx, `DELETE FROM fazt_job`, queue, ids)
}

func (s *Store) dead(ctx context.Context, do, queue string, ids []int64) (int, error) {
	text, args := do+` WHERE state = 2 AND queue = ?`, []any{queue}
	if len(ids) > 0 {
		text += ` AND id IN (?` + strings.Repeat(`, ?`, len(ids)-1) + `)`
	}
	for _, id := range ids {
		args = append(args, id)
	}
	var n int64
	err := s.db.Write(ctx, func(tx *sqlite.Tx) error {
		r, err := tx.Exec(text, args...)
		if err == nil {
			n, err = r.RowsAffected()
		}
		return err
	})
	return int(n), err
}

// Bury makes all living jobs of a database dead, which nobody has open as a store: of
// a copy of an app, whose jobs are done by the first. They can be retried. It returns
// how many there were.
func Bury(ctx context.Context, db *sqlite.DB, why string) (int, error) {
	var n int64
	err := db.Write(ctx, func(tx *sqlite.Tx) error {
		var there bool
		if err := tx.QueryRow(`SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'fazt_job')`).Scan(&there); err != nil || !there {
			return err
		}
		r, err := tx.Exec(`UPDATE fazt_job SET state = 2, lease = NULL, error = ? WHERE state < 2`, why)
		if err == nil {
			n, err = r.RowsAffected()
		}
		return err
	})
	return int(n), err
}

// Plan is a schedule, when it runs and how it ran last.
type Plan struct {
	Schedule
	Next    time.Time
	Running bool
	Last    *Run // nil if it never ran
}

// Run is one run of a schedule.
type Run struct {
	Schedule string
	Due      time.Time // the moment it was for
	Began    time.Time
	Ended    time.Time // zero while it is under way
	Outcome  string    // "running", "ok", "failed", "lost" with the process
	Error    string
	Manual   bool // a person asked for it
	Skipped  int  // moments that passed while it was under way
}

// Schedules returns what is declared, by name.
func (s *Store) Schedules(ctx context.Context) (list []Plan, err error) {
	err = s.db.Read(ctx, func(tx *sqlite.Tx) error {
		list = nil
		rows, err := schedules(tx)
		if err != nil {
			return err
		}
		for _, r := range rows {
			p := Plan{Schedule: Schedule{Name: r.name, Spec: r.spec, Zone: r.zone}, Next: r.next}
			runs, err := history(tx, r.name, 1)
			if err != nil {
				return err
			}
			if len(runs) > 0 {
				p.Last, p.Running = &runs[0], runs[0].Outcome == "running"
			}
			list = append(list, p)
		}
		return nil
	})
	return list, err
}

// History returns the last runs of a schedule, the newest first; 50 are kept.
func (s *Store) History(ctx context.Context, schedule string, limit int) (runs []Run, err error) {
	err = s.db.Read(ctx, func(tx *sqlite.Tx) (err error) {
		runs, err = history(tx, schedule, limit)
		return err
	})
	return runs, err
}

func history(tx *sqlite.Tx, schedule string, limit int) (runs []Run, err error) {
	rows, err := tx.Query(`SELECT due, began, coalesce(ended, 0), outcome, error, manual, skipped FROM fazt_run WHERE schedule = ? ORDER BY id DESC LIMIT ?`,
		schedule, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		r := Run{Schedule: schedule}
		var due, began, ended int64
		if err := rows.Scan(&due, &began, &ended, &r.Outcome, &r.Error, &r.Manual, &r.Skipped); err != nil {
			return nil, err
		}
		r.Due, r.Began, r.Ended = at(due), at(began), at(ended)
		runs = append(runs, r)
	}
	return runs, rows.Err()
}
